// SPDX-License-Identifier: MIT
/* How the broker starts, on what it does not start, and how it ends when nobody uses it. */
#include <linux/netlink.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/integration/harness.h"

static struct harness harness;

static void set_up(void)
{
	harness_prepare(&harness);
}

static void start(const struct harness_options *options)
{
	harness_spawn(&harness, options);
	harness_await_ready(&harness);
}

/* It must refuse to start, and say this. */
static void refuses(const struct harness_options *options, const char *text)
{
	harness_spawn(&harness, options);
	harness_expect_exit(&harness, EXIT_FAILURE);
	if (!harness_logged(&harness, text))
		harness_fail(__FILE__, __LINE__, "its log does not say \"%s\"", text);
}

static int listen_at(const char *path, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	require(fd >= 0);
	require_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	require_eq(listen(fd, 16), 0);
	require_eq(chmod(path, 0666), 0);
	return fd;
}

static void calls_once(void *data)
{
	struct dspbroker *broker = connect_to(data);

	require_eq(invoke_plain(open_channel(broker, EXAMPLE), EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

START_TEST(it_tells_its_service_manager_when_it_is_ready_and_when_it_stops)
{
	start(&(struct harness_options){.policy = ALLOW_ALL});
	require_text(harness.notified, "STATUS=Serving 1 rules");
	require(!harness_contains(harness.notified, "STOPPING"));
	require_eq(kill(harness.pid, SIGTERM), 0);
	harness_await_notification(&harness, "STOPPING=1");
	harness_expect_exit(&harness, EXIT_SUCCESS);
}
END_TEST

START_TEST(a_keyboard_interrupt_ends_it_in_order_too)
{
	start(&(struct harness_options){.policy = ALLOW_ALL});
	require_eq(kill(harness.pid, SIGINT), 0);
	harness_await_notification(&harness, "STOPPING=1");
	harness_expect_exit(&harness, EXIT_SUCCESS);
}
END_TEST

START_TEST(its_socket_is_for_everybody_and_goes_with_it)
{
	struct stat st;

	start(&(struct harness_options){.policy = ALLOW_ALL});
	require_eq(stat(harness.socket, &st), 0);
	require_eq(st.st_mode, S_IFSOCK | 0666);
	harness_stop(&harness);
	require_eq(access(harness.socket, F_OK), -1);
}
END_TEST

START_TEST(a_socket_that_was_left_over_is_replaced)
{
	close(listen_at(harness.socket, SOCK_SEQPACKET));
	start(&(struct harness_options){.policy = ALLOW_ALL});
	client_run(ALICE, calls_once, &harness);
	harness_stop(&harness);
}
END_TEST

START_TEST(a_socket_that_another_broker_serves_is_left_alone)
{
	struct harness other;

	harness_start(&other, ALLOW_ALL);
	refuses(&(struct harness_options){.policy = ALLOW_ALL, .socket = other.socket},
		"is in use");
	client_run(ALICE, calls_once, &other);
	harness_stop(&other);
}
END_TEST

START_TEST(a_file_in_place_of_the_socket_is_left_alone)
{
	FILE *file = fopen(harness.socket, "we");

	require(file && fputs("precious", file) >= 0 && fclose(file) == 0);
	refuses(&(struct harness_options){.policy = ALLOW_ALL}, "is in use");
	require_eq(access(harness.socket, F_OK), 0);
}
END_TEST

START_TEST(a_socket_that_cannot_be_made_is_named)
{
	refuses(&(struct harness_options){.policy = ALLOW_ALL, .socket = "/nonexistent/socket"},
		"/nonexistent/socket");
}
END_TEST

START_TEST(a_socket_from_the_service_manager_is_served_and_stays)
{
	int fd = listen_at(harness.socket, SOCK_SEQPACKET);

	start(&(struct harness_options){.policy = ALLOW_ALL, .activated = fd});
	client_run(ALICE, calls_once, &harness);
	harness_stop(&harness);
	require_eq(access(harness.socket, F_OK), 0);

	/* Who comes while it is down waits for the next one. */
	start(&(struct harness_options){.policy = ALLOW_ALL, .activated = fd});
	client_run(ALICE, calls_once, &harness);
	harness_stop(&harness);
	close(fd);
}
END_TEST

START_TEST(a_socket_of_the_wrong_type_from_the_service_manager_is_refused)
{
	int fd = listen_at(harness.socket, SOCK_STREAM);

	refuses(&(struct harness_options){.policy = ALLOW_ALL, .activated = fd},
		"ListenSequentialPacket");
	close(fd);
}
END_TEST

static int netlink_socket(int protocol)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	require(fd >= 0);
	return fd;
}

START_TEST(a_socket_for_news_of_devices_from_the_service_manager_is_told_by_its_name)
{
	int fd = listen_at(harness.socket, SOCK_SEQPACKET);
	int news = netlink_socket(NETLINK_KOBJECT_UEVENT);

	start(&(struct harness_options){.policy = ALLOW_ALL, .activated = fd, .uevent = news});
	client_run(ALICE, calls_once, &harness);
	harness_stop(&harness);
	close(news);
	close(fd);
}
END_TEST

START_TEST(what_only_has_the_name_of_a_socket_for_news_of_devices_is_refused)
{
	int fd = listen_at(harness.socket, SOCK_SEQPACKET);
	int other = netlink_socket(NETLINK_ROUTE);

	refuses(&(struct harness_options){.policy = ALLOW_ALL, .activated = fd, .uevent = other},
		"descriptor 4 (uevent) from systemd does not tell of devices");
	close(other);
	refuses(&(struct harness_options){.policy = ALLOW_ALL, .activated = fd, .uevent = fd},
		"ListenNetlink=kobject-uevent 1");
	close(fd);
}
END_TEST

START_TEST(a_broken_policy_stops_it_at_the_line_and_column_of_the_fault)
{
	refuses(&(struct harness_options){.policy = "{\"version\": 1, \"rules\": [\n"
						    "\n"
						    "  {\"name\": \"x\", \"action\": \"perhaps\","
						    " \"match\": {\"users\": [\"*\"]},"
						    " \"channels\": [\"*/*\"]}]}"},
		"policy.d/test.json:3:27: action must be");
}
END_TEST

START_TEST(without_its_modules_it_does_not_start)
{
	refuses(&(struct harness_options){.policy = ALLOW_ALL, .modules = "/nonexistent"},
		"/nonexistent");
}
END_TEST

START_TEST(without_the_software_dsp_it_does_not_start)
{
	refuses(&(struct harness_options){.policy = ALLOW_ALL, .softdsp = "/nonexistent/softdsp"},
		"/nonexistent/softdsp");
}
END_TEST

START_TEST(a_software_dsp_that_ends_at_once_is_noticed)
{
	refuses(&(struct harness_options){.policy = ALLOW_ALL, .softdsp = "/bin/true"},
		"does not start");
}
END_TEST

START_TEST(wrong_usage_is_exit_code_2_and_asking_for_help_is_none)
{
	const char *output;

	require_eq(harness_run("dspbrokerd", BROKER_UID, &output, "--help"), 0);
	require_text(output, "Usage:");
	require_eq(harness_run("dspbrokerd", BROKER_UID, &output, "--version"), 0);
	require_text(output, "dspbrokerd ");
	require_eq(harness_run("dspbrokerd", BROKER_UID, &output, "--nonsense"), 2);
	require_eq(harness_run("dspbrokerd", BROKER_UID, &output, "nonsense"), 2);
	require_eq(harness_run("dspbrokerd", BROKER_UID, &output, "--user", "no-such-user",
			   "--policy", "/nonexistent"),
		1);
}
END_TEST

/* A line of /proc/PID/status. */
static void require_status(pid_t pid, const char *expected)
{
	char path[64], text[4096];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	require(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	require_text(text, expected);
}

START_TEST(started_by_root_it_gives_every_right_away_and_so_does_its_dsp)
{
	struct passwd *nobody = getpwnam("nobody");
	char uids[64];
	pid_t pids[2];

	if (!harness_has_users())
		return;
	require(nobody);
	snprintf(uids, sizeof(uids), "Uid:\t%u\t%u\t%u\t%u\n", nobody->pw_uid, nobody->pw_uid,
		nobody->pw_uid, nobody->pw_uid);
	start(&(struct harness_options){.policy = ALLOW_ALL, .user = "nobody"});
	pids[0] = harness.pid;
	pids[1] = harness_supervisor(&harness);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		require_status(pids[i], uids);
		require_status(pids[i], "CapPrm:\t0000000000000000");
		require_status(pids[i], "CapEff:\t0000000000000000");
		require_status(pids[i], "CapInh:\t0000000000000000");
	}
	require_status(harness.pid, "NoNewPrivs:\t1");
	client_run(ALICE, calls_once, &harness);
	harness_stop(&harness);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("start");
	TCase *tcase = tcase_create("start");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, it_tells_its_service_manager_when_it_is_ready_and_when_it_stops);
	tcase_add_test(tcase, a_keyboard_interrupt_ends_it_in_order_too);
	tcase_add_test(tcase, its_socket_is_for_everybody_and_goes_with_it);
	tcase_add_test(tcase, a_socket_that_was_left_over_is_replaced);
	tcase_add_test(tcase, a_socket_that_another_broker_serves_is_left_alone);
	tcase_add_test(tcase, a_file_in_place_of_the_socket_is_left_alone);
	tcase_add_test(tcase, a_socket_that_cannot_be_made_is_named);
	tcase_add_test(tcase, a_socket_from_the_service_manager_is_served_and_stays);
	tcase_add_test(tcase, a_socket_of_the_wrong_type_from_the_service_manager_is_refused);
	tcase_add_test(tcase,
		a_socket_for_news_of_devices_from_the_service_manager_is_told_by_its_name);
	tcase_add_test(tcase, what_only_has_the_name_of_a_socket_for_news_of_devices_is_refused);
	tcase_add_test(tcase, a_broken_policy_stops_it_at_the_line_and_column_of_the_fault);
	tcase_add_test(tcase, without_its_modules_it_does_not_start);
	tcase_add_test(tcase, without_the_software_dsp_it_does_not_start);
	tcase_add_test(tcase, a_software_dsp_that_ends_at_once_is_noticed);
	tcase_add_test(tcase, wrong_usage_is_exit_code_2_and_asking_for_help_is_none);
	tcase_add_test(tcase, started_by_root_it_gives_every_right_away_and_so_does_its_dsp);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
