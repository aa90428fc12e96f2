// SPDX-License-Identifier: MIT
/*
 * The broker as a user without rights, to whom the real udev gives the kernel's devices
 * (rpmsg_ctrl, rpmsg_char, remoteproc's character device, devcoredump) by the rules that are
 * installed with it, systemd/72-dspbroker.rules.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/kernel/messages.h"

#define RULES    "systemd/72-dspbroker.rules" /* tests run in the top folder */
#define ADDRESS  8000
#define CHANNEL  "rpmsg0/by-udev"
#define SIZE     100 /* of messages */
#define CDEV     "/dev/remoteproc0"
#define RELEASED "/sys/class/devcoredump"
#define ON_DEMAND                                                                               \
	POLICY_WITH_DEVICES("{\"name\": \"rpmsg0\", \"transport\": \"rpmsg\", \"remoteproc\": " \
			    "\"remoteproc0\", \"lifecycle\": \"on-demand\", \"idle_ms\": 0}",   \
		ALLOW("everybody", EVERYBODY, "\"*/*\"", ""))

static struct harness harness;

static bool is(const char *state)
{
	return strcmp(read_file(REMOTEPROC "/state"), state) == 0;
}

/* The broker's group may use it, and nobody else. */
static bool is_for_the_broker(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_gid == BROKER_UID && (st.st_mode & 07777) == 0660;
}

static void works(struct dspbroker *broker)
{
	struct dspbroker_session *session = open_channel(broker, CHANNEL);

	echo_stamped(session, SIZE, 1, 1);
	dspbroker_session_close(session);
}

static size_t count_files(const char *path, const char *prefix)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	size_t n = 0;

	while (folder && (entry = readdir(folder)))
		n += entry->d_name[0] != '.' && strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
	if (folder)
		closedir(folder);
	return n;
}

START_TEST(the_nodes_are_for_the_brokers_group)
{
	struct rpmsg_node node = rpmsg_node("by-hand", ADDRESS);

	require(is_for_the_broker(RPMSG_CTRL));
	require(is_for_the_broker(CDEV));
	require_soon(is_for_the_broker(node.path));
	require_text(read_file(REMOTEPROC "/coredump"), "enabled");
}
END_TEST

START_TEST(what_is_not_a_remote_processors_stays_as_it_is)
{
	require(!is_for_the_broker("/dev/null"));
	require(!is_for_the_broker("/dev/udmabuf"));
	require(!is_for_the_broker("/dev/ttyS0"));
}
END_TEST

START_TEST(a_broker_without_rights_exchanges_messages)
{
	struct dspbroker *broker;

	harness_start(&harness, ALLOW_WITH(""));
	broker = connect_to(&harness);
	require_soon(is_listed(broker, CHANNEL));
	for (int i = 0; i < 20; i++)
		works(broker);
	dspbroker_free(broker);
	harness_stop(&harness);
}
END_TEST

START_TEST(a_broker_without_rights_starts_and_stops_a_remote_processor)
{
	struct dspbroker *broker;

	require(write_file(REMOTEPROC "/state", "stop"));
	harness_start(&harness, ON_DEMAND);
	broker = connect_to(&harness);
	works(broker);
	require_soon(is("offline"));
	dspbroker_free(broker);
	harness_stop(&harness);
	require(write_file(REMOTEPROC "/state", "start"));
}
END_TEST

START_TEST(a_broker_without_rights_saves_and_releases_core_dumps)
{
	struct dspbroker *broker;

	harness_start(&harness, ALLOW_WITH(""));
	broker = connect_to(&harness);
	for (uint32_t i = 1; i <= 3; i++) {
		crash_and_recover();
		require_soon(device_record(broker, "rpmsg0").coredumps == i);
		require_eq(count_files(harness.coredumps, "rpmsg0-"), i);
		require_soon(count_files(RELEASED, "devcd") == 0);
	}
	require(!harness_logged(&harness, "udev"));
	require_soon(is_listed(broker, CHANNEL));
	works(broker);
	dspbroker_free(broker);
	harness_stop(&harness);
}
END_TEST

/* Returns 0 or -errno. */
static int run(const char *const *argv)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return status ? -ECHILD : 0;
}

static int udevadm(const char *command, const char *argument)
{
	return run((const char *const[]){"/usr/bin/udevadm", command, argument, NULL});
}

/* As on a system that starts: the group, the rules, udev, and what the kernel has found already. */
static int start_udev(void)
{
	_cleanup_(fd_closep) int groups = open("/etc/group", O_WRONLY | O_APPEND | O_CLOEXEC);
	char rules[PATH_MAX];
	int r;

	if (groups < 0 || dprintf(groups, "dspbroker:x:%d:\n", BROKER_UID) < 0 ||
		!realpath(RULES, rules))
		return -errno;
	if ((mkdir("/run/udev", 0755) < 0 && errno != EEXIST) ||
		mkdir("/run/udev/rules.d", 0755) < 0 ||
		symlink(rules, "/run/udev/rules.d/72-dspbroker.rules") < 0)
		return -errno;
	r = run((const char *const[]){"/lib/systemd/systemd-udevd", "--daemon", NULL});
	if (r == 0)
		r = udevadm("trigger", "--action=add");
	return r < 0 ? r : udevadm("settle", NULL);
}

/* For all tests, since what is announced stays so. */
static void announce(void)
{
	serve(ADDRESS, "echo", "by-udev");
}

static Suite *suite(void)
{
	Suite *suite = suite_create("rpmsg_char, remoteproc and devcoredump by udev's rules");
	TCase *tcase = tcase_create("udev");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, announce, NULL);
	tcase_add_test(tcase, the_nodes_are_for_the_brokers_group);
	tcase_add_test(tcase, what_is_not_a_remote_processors_stays_as_it_is);
	tcase_add_test(tcase, a_broker_without_rights_exchanges_messages);
	tcase_add_test(tcase, a_broker_without_rights_starts_and_stops_a_remote_processor);
	tcase_add_test(tcase, a_broker_without_rights_saves_and_releases_core_dumps);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	int r = start_udev(), code;

	if (r < 0) {
		fprintf(stderr, "udev does not start: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	code = harness_main(suite());
	return udevadm("control", "--exit") == 0 ? code : EXIT_FAILURE;
}
