// SPDX-License-Identifier: MIT
#include "tests/kernel/remains.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/limits.h"
#include "daemon/transport/fastrpc/call.h"
#include "tests/kernel/messages.h"

/* What all domains may come to have for themselves: a buffer, and its handle, for each call that
 * runs there at a time, and for what the DSP asks. */
#define OWN_OF_DOMAINS (2 * CDSP_SESSIONS * (FASTRPC_CALLS + 2))

void have_cdsp(void)
{
	static bool is_there;

	if (is_there)
		return;
	is_there = true;
	cdsp_files();
	cdsp_up();
}

/* The broker. */

void add_fastrpc_case(Suite *suite, const char *name, const TTest *test)
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, have_cdsp, NULL);
	tcase_add_test(tcase, test);
	suite_add_tcase(suite, tcase);
}

void start_broker(struct harness *harness, const char *policy)
{
	struct dspbroker *broker;

	harness_start(harness, policy);
	broker = connect_to(harness);
	require_soon(device_record(broker, "cdsp").n_attributes > 0);
	require_eq(strcmp(device_record(broker, "cdsp").transport, cdsp_driver.transport), 0);
	dspbroker_free(broker);
}

size_t count_devices(struct dspbroker *broker, const char *name)
{
	struct dspbroker_device_info info = {.id = 0};
	size_t n = 0;

	while (dspbroker_next_device(broker, info.id, &info) == 1)
		n += strcmp(info.name, name) == 0;
	return n;
}

static size_t count_threads(const struct harness *harness)
{
	const struct dirent *entry;
	char path[64];
	size_t n = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/task", harness->pid);
	folder = opendir(path);
	require(folder);
	while ((entry = readdir(folder)))
		n += entry->d_name[0] != '.';
	closedir(folder);
	return n;
}

/* Of "PID (NAME) STATE PARENT ..."; 0: it is gone. */
static pid_t parent_of(pid_t pid)
{
	const char *after_name;
	pid_t parent = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	after_name = strrchr(read_file(path), ')');
	if (after_name && sscanf(after_name, ") %*c %d", &parent) != 1)
		parent = 0;
	return parent;
}

/* And theirs: those that opened FastRPC's nodes are the opener's. */
static size_t count_children(const struct harness *harness)
{
	DIR *folder = opendir("/proc");
	const struct dirent *entry;
	size_t n = 0;

	require(folder);
	while ((entry = readdir(folder))) {
		pid_t parent = atoi(entry->d_name) ? parent_of(atoi(entry->d_name)) : 0;

		n += parent == harness->pid || (parent && parent_of(parent) == harness->pid);
	}
	closedir(folder);
	return n;
}

struct footprint footprint_of(const struct harness *harness)
{
	return (struct footprint){
		.fds = harness_fds(harness),
		.threads = count_threads(harness),
		.children = count_children(harness),
	};
}

static bool is_within(struct footprint now, struct footprint before)
{
	return now.fds <= before.fds && now.threads <= before.threads + WORKER_THREADS &&
	       now.children <= before.children;
}

void await_footprint(const struct harness *harness, struct footprint before)
{
	uint64_t since = harness_now_ms();
	struct footprint now;
	char text[160];

	while (!is_within(now = footprint_of(harness), before)) {
		snprintf(text, sizeof(text),
			"descriptors %zu, not %zu; threads %zu, not %zu; children %zu, not %zu",
			now.fds, before.fds, now.threads, before.threads, now.children,
			before.children);
		harness_wait_a_little(__FILE__, __LINE__, text, since);
	}
}

struct holdings holdings_of(const struct harness *harness)
{
	return (struct holdings){
		.footprint = footprint_of(harness),
		.rss_kib = harness_rss_kib(harness),
		.held = cdsp_driver.held(),
	};
}

void must_not_have_grown(const struct harness *harness, struct holdings before, size_t growth_kib)
{
	await_footprint(harness, before.footprint);
	require(harness_rss_kib(harness) <= before.rss_kib + growth_kib);
	require_soon(cdsp_driver.held() <= before.held + OWN_OF_DOMAINS);
}

/* The DSP. */

bool are_pending(uint64_t n)
{
	return cdsp_count("pending") >= n;
}

void await_idle_dsp(void)
{
	require_soon(cdsp_count("domains") == 0);
	require_soon(cdsp_count("threads") == 0);
	require_soon(cdsp_count("pending") == 0);
	require_soon(cdsp_count("maps") == 0);
	require_soon(cdsp_count("heap") == 0);
}

void await_nothing_left(void)
{
	await_idle_dsp();
	cdsp_driver.await_nothing_left();
}
