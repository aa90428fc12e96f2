// SPDX-License-Identifier: MIT
/*
 * Who is at the other end, on a kernel that cannot say which process it was (SO_PEERPIDFD came with
 * Linux 6.5): programs, units, what happens between connecting and being looked at, and file
 * systems and a /proc that do not help. The broker starts as root and has dspbroker-who look for
 * it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kernel/peers.h"
#include "tests/kernel/stuck_fs.h"

#define CGROUPS "/sys/fs/cgroup"
#define SLEEPER "/usr/bin/sleep" /* a program that does nothing for a while */
#define OTHER   "soft0/denoise"

static struct harness harness;
static char own_program[PATH_MAX];

/* A broker that may look, whose policy is @format. */
static void start(const char *format, ...) _printf_(1, 2);

static void start(const char *format, ...)
{
	static char policy[4 * PATH_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(policy, sizeof(policy), format, ap);
	va_end(ap);
	harness_prepare(&harness);
	harness_spawn(&harness, &(struct harness_options){.policy = policy, .user = PEER_ACCOUNT});
	harness_await_ready(&harness);
}

#define ALLOW_MATCH(match) POLICY(ALLOW("match", match, "\"*/*\"", ""))
#define EXECUTABLE         "\"executables\": [\"%s\"]"

static enum dsp_status status_of_open(void)
{
	struct raw raw = {.sock = -1};
	enum dsp_status status;
	int sock = peer_socket();

	peer_connect(sock, &harness);
	raw = peer_hello(sock);
	status = peer_open(&raw, EXAMPLE);
	raw_close(&raw);
	return status;
}

static void opens(void *data)
{
	(void)data;
	require_eq(status_of_open(), DSP_OK);
}

static void is_denied(void *data)
{
	(void)data;
	require_eq(status_of_open(), DSP_DENIED);
}

/* Programs. */

static int call_by_dspctl(uid_t uid)
{
	const char *output;

	return harness_dspctl(&harness, uid, &output, "call", EXAMPLE, "9");
}

START_TEST(a_rule_for_a_program_holds_for_it_whoever_runs_it_and_for_no_other)
{
	start(ALLOW_MATCH(EXECUTABLE), harness_program("dspctl"));
	require_eq(call_by_dspctl(ALICE), 0);
	require_eq(call_by_dspctl(BOB), 0);
	require_eq(call_by_dspctl(0), 0);
	client_run(ALICE, is_denied, NULL);
	client_run(0, is_denied, NULL);
	harness_stop(&harness);
}
END_TEST

START_TEST(where_proc_hides_the_processes_of_others_they_are_known_all_the_same)
{
	require_eq(mount(NULL, "/proc", NULL, MS_REMOUNT, "hidepid=2"), 0);
	start(ALLOW_MATCH(EXECUTABLE), harness_program("dspctl"));
	require_eq(call_by_dspctl(ALICE), 0);
	client_run(ALICE, is_denied, NULL);
	harness_stop(&harness);
	start(ALLOW_MATCH("\"units\": [\"?*\"]"));
	client_run(ALICE, is_denied, NULL);
	harness_stop(&harness);
	require_eq(mount(NULL, "/proc", NULL, MS_REMOUNT, "hidepid=0"), 0);
}
END_TEST

/* Units. */

static void make_folders(char *path)
{
	for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		require(mkdir(path, 0755) == 0 || errno == EEXIST);
		*at = '/';
	}
}

/* In a client that is root. Data: "CGROUP opens" or "CGROUP is denied". */
static void in_a_cgroup(void *data)
{
	char path[PATH_MAX], *verdict;

	snprintf(path, sizeof(path) - 16, CGROUPS "/%s", (const char *)data);
	verdict = strchr(path, ' ');
	require(verdict);
	strcpy(verdict, "/cgroup.procs");
	make_folders(path);
	require(write_file(path, "0"));
	peer_become(ALICE);
	require_eq(status_of_open(), harness_contains(data, " opens") ? DSP_OK : DSP_DENIED);
}

static void client_in(const char *cgroup_and_verdict)
{
	client_run(0, in_a_cgroup, (void *)cgroup_and_verdict);
}

START_TEST(a_rule_for_units_holds_in_a_system_unit_of_that_name_alone)
{
	start(ALLOW_MATCH("\"units\": [\"player*.service\"]"));
	client_in("system.slice/player.service opens");
	client_in("system.slice/player@2.service opens");
	client_in("system.slice/system-player.slice/player@1.service opens");
	client_in("player.service opens");
	client_in("system.slice/player.service/below opens");
	client_in("system.slice/recorder.service is denied");
	client_in("system.slice is denied");
	/* What a unit calls a group below its own is nobody's name. */
	client_in("system.slice/recorder.service/player.service is denied");
	client_in("user.slice/user-60711.slice/user@60711.service/player.service is denied");
	client_in("user.slice/user-60711.slice/session-1.scope/player.service is denied");
	harness_stop(&harness);
}
END_TEST

START_TEST(a_rule_for_user_units_holds_below_a_users_manager_alone)
{
	start(ALLOW_MATCH("\"user_units\": [\"app-player.scope\"]"));
	client_in("user.slice/user-60711.slice/user@60711.service/app.slice/app-player.scope "
		  "opens");
	client_in("user.slice/user-60711.slice/user@60711.service/app-player.scope opens");
	client_in("user.slice/user-60711.slice/user@60711.service/app.slice/other.scope is denied");
	/* The manager of another user: what runs there as ALICE is nothing of hers. */
	client_in("user.slice/user-60712.slice/user@60712.service/app-player.scope is denied");
	client_in("system.slice/app-player.scope is denied");
	client_in("system.slice/recorder.service/app-player.scope is denied");
	harness_stop(&harness);
}
END_TEST

START_TEST(a_rule_for_slices_holds_in_the_systems_innermost_slice_and_in_no_users)
{
	start(ALLOW_MATCH("\"slices\": [\"media.slice\", \"user-60711.slice\"]"));
	client_in("media.slice/player.service opens");
	client_in("user.slice/user-60711.slice/session-1.scope opens");
	client_in("user.slice/user-60711.slice/user@60711.service/app.slice/player.scope opens");
	client_in("user.slice/user-60712.slice/user@60712.service/media.slice/player.scope is "
		  "denied");
	client_in("media.slice/media-low.slice/player.service is denied");
	client_in("system.slice/player.service is denied");
	client_in("system.slice/recorder.service/media.slice/player.service is denied");
	harness_stop(&harness);
}
END_TEST

/* Between connecting and being looked at. */

static bool is_stopped(void)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "/proc/%d/stat", harness.pid);
	snprintf(text, sizeof(text), "%s", read_file(path));
	return strstr(text, ") T ");
}

/* Nobody who connects is looked at until it goes on. */
static void stop_broker(void)
{
	require_eq(kill(harness.pid, SIGSTOP), 0);
	require_soon(is_stopped());
}

static void continue_broker(void)
{
	require_eq(kill(harness.pid, SIGCONT), 0);
}

struct actor {
	int sock;
	uid_t after; /* whom it becomes; 0: it stays */
	bool leaves; /* it connects, and ends */
};

/* Runs as root, with ALICE's rights when it connects. It comes to step c, and goes on when told. */
static void connects_and_changes(void *data)
{
	const struct actor *actor = data;

	require_eq(setegid(ALICE), 0);
	require_eq(seteuid(ALICE), 0);
	peer_connect(actor->sock, &harness);
	if (actor->leaves)
		return;
	step_reached('c');
	step_await('g');
	if (actor->after) {
		require_eq(seteuid(0), 0);
		require_eq(setegid(0), 0);
		peer_become(actor->after);
	}
	step_reached('d');
	step_await('g');
	execl(SLEEPER, SLEEPER, "1000", NULL);
	_exit(127);
}

/* A process of that user with the number that another one had, which sleeps. */
static pid_t start_newcomer(pid_t pid, uid_t uid)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&pid, .set_tid_size = 1};
	int executed[2];
	pid_t child;
	char byte;

	require_eq(pipe2(executed, O_CLOEXEC), 0);
	child = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	require(child >= 0);
	if (child == 0) {
		peer_become(uid);
		execl(SLEEPER, SLEEPER, "1000", NULL);
		_exit(127);
	}
	fd_close(executed[1]);
	require_eq(read(executed[0], &byte, 1), 0);
	fd_close(executed[0]);
	require_eq(child, pid);
	return child;
}

/* ALICE connects and is gone before the broker looks; then her number is that of a process of
 * @uid, or nobody's for -1. What comes of an open by the program that this one runs? */
static enum dsp_status open_after_reuse(uid_t uid)
{
	struct actor actor = {.sock = peer_socket(), .leaves = true};
	struct client client;
	pid_t pid, newcomer = 0;
	enum dsp_status status;
	struct raw raw;

	stop_broker();
	client_start(&client, 0, connects_and_changes, &actor);
	pid = client.pid;
	client_end(&client);
	if (uid != (uid_t)-1)
		newcomer = start_newcomer(pid, uid);
	continue_broker();
	raw = peer_hello(actor.sock);
	status = peer_open(&raw, EXAMPLE);
	raw_close(&raw);
	if (newcomer) {
		require_eq(kill(newcomer, SIGKILL), 0);
		require_eq(waitpid(newcomer, NULL, 0), newcomer);
	}
	return status;
}

START_TEST(who_has_gone_before_it_was_looked_at_has_no_program)
{
	start(POLICY(ALLOW("sleeper", EXECUTABLE, "\"*/*\"", "") "," ALLOW("own", EXECUTABLE,
		      "\"*/*\"", "")),
		SLEEPER, own_program);
	client_run(ALICE, opens, NULL);
	require_eq(open_after_reuse(-1), DSP_DENIED);
	harness_stop(&harness);
}
END_TEST

START_TEST(who_gets_the_number_of_another_users_process_lends_it_nothing)
{
	start(ALLOW_MATCH(EXECUTABLE), SLEEPER);
	require_eq(open_after_reuse(BOB), DSP_DENIED);
	require_eq(open_after_reuse(0), DSP_DENIED);
	harness_stop(&harness);
	start(ALLOW_MATCH("\"users\": [60711]"));
	require_eq(open_after_reuse(BOB), DSP_OK);
	harness_stop(&harness);
}
END_TEST

/* Nothing of this kernel tells them apart. Neither would a newer one tell whether ALICE's process
 * had itself become that program meanwhile. */
START_TEST(who_gets_the_number_of_a_process_of_its_own_user_is_taken_for_it)
{
	start(ALLOW_MATCH(EXECUTABLE), SLEEPER);
	require_eq(open_after_reuse(ALICE), DSP_OK);
	harness_stop(&harness);
}
END_TEST

static bool runs(pid_t pid, const char *program)
{
	char path[64], target[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	return strcmp(target, program) == 0;
}

/* So a rule for a program trusts its user with everything that this one may do. */
START_TEST(who_runs_another_program_before_it_is_looked_at_is_that_program)
{
	struct actor actor = {.sock = peer_socket()};
	struct client client;
	struct raw raw;

	start(POLICY(ALLOW("own", EXECUTABLE, "\"" EXAMPLE "\"", "") "," ALLOW("sleeper",
		      EXECUTABLE, "\"" OTHER "\"", "")),
		own_program, SLEEPER);
	stop_broker();
	client_start(&client, 0, connects_and_changes, &actor);
	client_await(&client, 'c');
	client_go(&client, 'g');
	client_await(&client, 'd');
	client_go(&client, 'g');
	require_soon(runs(client.pid, SLEEPER));
	continue_broker();
	raw = peer_hello(actor.sock);
	require_eq(peer_open(&raw, EXAMPLE), DSP_DENIED);
	require_eq(peer_open(&raw, OTHER), DSP_OK);
	raw_close(&raw);
	client_kill(&client);
	harness_stop(&harness);
}
END_TEST

START_TEST(who_changes_its_user_before_it_is_looked_at_has_no_program_but_is_still_itself)
{
	struct actor actor = {.sock = peer_socket(), .after = BOB};
	struct client client;
	struct raw raw;

	start(POLICY(ALLOW("own", EXECUTABLE, "\"" EXAMPLE "\"", "") "," ALLOW("alice",
		      "\"users\": [60711]", "\"" OTHER "\"", "")),
		own_program);
	stop_broker();
	client_start(&client, 0, connects_and_changes, &actor);
	client_await(&client, 'c');
	client_go(&client, 'g');
	client_await(&client, 'd');
	continue_broker();
	raw = peer_hello(actor.sock);
	require_eq(peer_open(&raw, EXAMPLE), DSP_DENIED);
	require_eq(peer_open(&raw, OTHER), DSP_OK);
	raw_close(&raw);
	client_kill(&client);
	harness_stop(&harness);
}
END_TEST

/* The connection was made by somebody else than who uses it here. */
START_TEST(a_passed_connection_keeps_the_rights_of_who_made_it_whatever_becomes_of_that_process)
{
	struct actor actor = {.sock = peer_socket(), .after = BOB};
	struct client client;
	struct raw raw;

	start(ALLOW_MATCH("\"users\": [60711], " EXECUTABLE), own_program);
	client_start(&client, 0, connects_and_changes, &actor);
	client_await(&client, 'c');
	raw = peer_hello(actor.sock);
	require_eq(peer_open(&raw, EXAMPLE), DSP_OK);
	client_go(&client, 'g');
	client_await(&client, 'd');
	require_eq(peer_open(&raw, EXAMPLE), DSP_OK);
	client_go(&client, 'g');
	require_soon(runs(client.pid, SLEEPER));
	require_eq(peer_open(&raw, EXAMPLE), DSP_OK);
	client_kill(&client);
	require_eq(peer_open(&raw, EXAMPLE), DSP_OK);
	raw_close(&raw);
	harness_stop(&harness);
}
END_TEST

/* A root that never answers. */

/* Data: the path of that root. Its folder stays the broker's. */
static void is_denied_in_another_root(void *data)
{
	struct dspbroker *broker;
	struct dspbroker_session *session;

	require_eq(chdir(harness.dir), 0);
	require_eq(chroot(data), 0);
	peer_become(ALICE);
	require_eq(dspbroker_connect(&broker, "broker.sock"), 0);
	require_eq(dspbroker_session_open(broker, &session, EXAMPLE), DSPBROKER_DENIED);
	dspbroker_free(broker);
}

START_TEST(a_root_that_never_answers_costs_its_user_the_facts_and_nobody_else_anything)
{
	struct stuck_fs fs;
	char path[128];

	start(POLICY(ALLOW("own", EXECUTABLE, "\"" EXAMPLE "\"", "") "," ALLOW("alice",
		      "\"users\": [60711]", "\"" OTHER "\"", "")),
		own_program);
	snprintf(path, sizeof(path), "%s/stuck", harness.dir);
	stuck_fs_start(&fs, path);
	/* The first is asked about and waits there, the second waits in the kernel for the first,
	 * as it looks for the same name; about more than two of a user nobody is asked. */
	for (int i = 0; i < 3; i++) {
		client_run(0, is_denied_in_another_root, path);
		if (i == 0)
			stuck_fs_await(&fs);
		client_run(BOB, opens, NULL);
	}
	client_run(ALICE, is_denied, NULL);
	stuck_fs_end(&fs);
	client_run(BOB, opens, NULL);
	harness_stop(&harness);
}
END_TEST

static bool has_ended(pid_t pid)
{
	siginfo_t info = {};

	require_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
	return info.si_pid == pid;
}

/* What waits for an answer of such a file system cannot even be killed. */
START_TEST(a_broker_ends_while_a_root_does_not_answer)
{
	struct stuck_fs fs;
	char path[128];

	start(ALLOW_MATCH(EXECUTABLE), own_program);
	snprintf(path, sizeof(path), "%s/stuck", harness.dir);
	stuck_fs_start(&fs, path);
	client_run(0, is_denied_in_another_root, path);
	stuck_fs_await(&fs);
	require_eq(kill(harness.pid, SIGTERM), 0);
	require_soon(has_ended(harness.pid));
	stuck_fs_end(&fs);
	harness_expect_exit(&harness, EXIT_SUCCESS);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("identity of peers");
	TCase *tcase = tcase_create("identity");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_test(tcase, a_rule_for_a_program_holds_for_it_whoever_runs_it_and_for_no_other);
	tcase_add_test(tcase, where_proc_hides_the_processes_of_others_they_are_known_all_the_same);
	tcase_add_test(tcase, a_rule_for_units_holds_in_a_system_unit_of_that_name_alone);
	tcase_add_test(tcase, a_rule_for_user_units_holds_below_a_users_manager_alone);
	tcase_add_test(tcase,
		a_rule_for_slices_holds_in_the_systems_innermost_slice_and_in_no_users);
	tcase_add_test(tcase, who_has_gone_before_it_was_looked_at_has_no_program);
	tcase_add_test(tcase, who_gets_the_number_of_another_users_process_lends_it_nothing);
	tcase_add_test(tcase, who_gets_the_number_of_a_process_of_its_own_user_is_taken_for_it);
	tcase_add_test(tcase, who_runs_another_program_before_it_is_looked_at_is_that_program);
	tcase_add_test(tcase,
		who_changes_its_user_before_it_is_looked_at_has_no_program_but_is_still_itself);
	tcase_add_test(tcase,
		a_passed_connection_keeps_the_rights_of_who_made_it_whatever_becomes_of_that_process);
	tcase_add_test(tcase,
		a_root_that_never_answers_costs_its_user_the_facts_and_nobody_else_anything);
	tcase_add_test(tcase, a_broker_ends_while_a_root_does_not_answer);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	ssize_t n = readlink("/proc/self/exe", own_program, sizeof(own_program) - 1);

	if (n < 0 || !peer_account()) {
		perror("cannot prepare the guest");
		return EXIT_FAILURE;
	}
	return harness_main(suite());
}
