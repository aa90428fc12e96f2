// SPDX-License-Identifier: MIT
/*
 * The nodes of the DRM accel driver: they come and go, under changing numbers, and where the kernel
 * has none of that kind render nodes serve.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "tests/kernel/messages.h"
#include "tests/kernel/qda.h"
#include "tests/kernel/remains.h"

#define MODULE  "cdsp/example"
#define CLASS   "/sys/class/accel"
#define NOTHING "/run/nothing"

static struct harness harness;

static struct dspbroker *begin_with(const char *option)
{
	harness_prepare(&harness);
	harness_spawn(&harness,
		&(struct harness_options){.policy = CDSP_ALLOW_ALL, .option = option});
	harness_await_ready(&harness);
	return connect_to(&harness);
}

static struct dspbroker *begin(void)
{
	start_broker(&harness, CDSP_ALLOW_ALL);
	return connect_to(&harness);
}

static void end(struct dspbroker *broker)
{
	dspbroker_free(broker);
	harness_stop(&harness);
	await_nothing_left();
}

/* Descriptors of the broker's whose name contains that. */
static size_t count_open(const char *part)
{
	char path[64], name[256];
	const struct dirent *entry;
	size_t n = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fd", harness.pid);
	folder = opendir(path);
	require(folder);
	while ((entry = readdir(folder))) {
		ssize_t size = readlinkat(dirfd(folder), entry->d_name, name, sizeof(name) - 1);

		name[MAX(size, 0)] = '\0';
		n += strstr(name, part) != NULL;
	}
	closedir(folder);
	return n;
}

/* While somebody has the old one open the new one gets another number; and the old one is no longer
 * a DSP's. */
START_TEST(a_node_that_comes_back_under_another_number_is_used)
{
	struct dspbroker *broker = begin();
	struct dspbroker_session *session = open_channel(broker, MODULE);
	struct fastrpc_node old;
	char before[64];

	for (int i = 0; i < 3; i++) {
		require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
		snprintf(before, sizeof(before), "%s", cdsp_driver.node());
		require_eq(fastrpc_open(&old, before), 0);
		cdsp_restart();
		require(strcmp(cdsp_driver.node(), before) != 0);
		require_soon(invoke_plain(session, EXAMPLE_NOP) == 0);
		require_eq(count_open(cdsp_driver.node()), 1);
		fastrpc_close(&old);
	}
	end(broker);
}
END_TEST

/* Until nobody needs it any more. */
START_TEST(a_node_is_open_while_there_is_a_domain_and_no_longer)
{
	struct dspbroker *broker = begin();
	struct dspbroker_session *session;

	require_soon(count_open("/dev/accel/") == 0);
	session = open_channel(broker, MODULE);
	require_eq(count_open("/dev/accel/"), 1);
	dspbroker_session_close(session);
	require_soon(count_open("/dev/accel/") == 0);
	require_eq(count_open("/dev/dri/"), 0);
	end(broker);
}
END_TEST

/* As in a kernel that has no such class. */
static void hide_accel_nodes(void)
{
	require(mkdir(NOTHING, 0755) == 0 || errno == EEXIST);
	require_eq(mount(NOTHING, CLASS, NULL, MS_BIND, NULL), 0);
}

START_TEST(render_nodes_serve_where_there_are_no_others_if_an_option_says_so)
{
	struct dspbroker *broker;
	struct dspbroker_session *session;

	hide_accel_nodes();
	broker = begin_with(NULL);
	require_eq(count_devices(broker, "cdsp"), 0);
	end(broker);
	broker = begin_with("--drm-render-nodes");
	require_soon(count_devices(broker, "cdsp") == 1 && device_record(broker, "cdsp").up);
	session = open_channel(broker, MODULE);
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	require_eq(count_open("/dev/dri/renderD"), 1);
	require_eq(count_open("/dev/accel/"), 0);
	cdsp_freeze();
	crash_and_recover();
	require_soon(invoke_plain(session, EXAMPLE_NOP) == 0);
	require_eq(count_open("/dev/dri/renderD"), 1);
	end(broker);
	require_eq(umount(CLASS), 0);
}
END_TEST

/* Those of graphics are none of ours, and of the DSP's two nodes one is enough. */
START_TEST(with_that_option_an_accel_node_is_still_the_better_one)
{
	struct dspbroker *broker = begin_with("--drm-render-nodes");
	struct dspbroker_session *session;

	require_soon(device_record(broker, "cdsp").up);
	session = open_channel(broker, MODULE);
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	require_eq(count_open("/dev/accel/"), 1);
	require_eq(count_open("/dev/dri/"), 0);
	require(!harness_logged(&harness, "renderD"));
	end(broker);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("nodes of the DRM accel driver");

	add_fastrpc_case(suite, "number", a_node_that_comes_back_under_another_number_is_used);
	add_fastrpc_case(suite, "open", a_node_is_open_while_there_is_a_domain_and_no_longer);
	add_fastrpc_case(suite, "render",
		render_nodes_serve_where_there_are_no_others_if_an_option_says_so);
	add_fastrpc_case(suite, "better", with_that_option_an_accel_node_is_still_the_better_one);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
