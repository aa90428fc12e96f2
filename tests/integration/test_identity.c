// SPDX-License-Identifier: MIT
/*
 * Who a client is was settled when it connected: real processes of several users, in cgroups, mount
 * and user namespaces of their own, and what becomes of them between connecting and opening.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "tests/integration/cgroup.h"
#include "tests/integration/process.h"
#include "tests/integration/raw.h"

#define ACCOUNT "nobody" /* that the broker becomes */
#define UNIT    "player.service"
#define FLATPAK "org.example.Player"

static struct harness harness;

/* One rule, for whom this holds besides. */
#define ONLY(match) POLICY(ALLOW("only", match, "\"soft0/*\"", ""))

/* As root, so that it can start its program with the rights that it needs. */
static void start_broker(const char *policy)
{
	harness_prepare(&harness);
	harness_spawn(&harness, &(struct harness_options){.policy = policy, .user = ACCOUNT});
	harness_await_ready(&harness);
}

static const char *own_program(void)
{
	static char path[4096];
	ssize_t n = must(readlink(emulated_exe(), path, sizeof(path) - 1));

	path[n] = '\0';
	return path;
}

/* The rule for this very program. */
static const char *only_this_program(void)
{
	static char policy[8192];

	snprintf(policy, sizeof(policy), ONLY("\"executables\": [\"%s\"]"), own_program());
	return policy;
}

static void may_open(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);

	(void)data;
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

static void may_not_open(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;

	(void)data;
	require_eq(dspbroker_session_open(broker, &session, EXAMPLE), DSPBROKER_DENIED);
	dspbroker_free(broker);
}

static void may_open_once_told(void *data)
{
	step_await('g');
	may_open(data);
}

static void run_in_unit(uid_t uid)
{
	struct client client;

	client_start(&client, uid, may_open_once_told, NULL);
	cgroup_enter(UNIT, client.pid);
	client_go(&client, 'g');
	client_end(&client);
}

START_TEST(a_unit_and_its_slice_are_told_by_the_cgroup)
{
	static const char *const policies[] = {ONLY("\"units\": [\"play*.service\"]"),
		ONLY("\"slices\": [\"dsptest.slice\"]"),
		ONLY("\"users\": [60711], \"units\": [\"" UNIT "\"]")};

	if (!harness_has_users() || !cgroup_make(UNIT))
		return;
	start_broker(policies[_i]);
	run_in_unit(ALICE);
	client_run(ALICE, may_not_open, NULL);
	harness_stop(&harness);
	cgroup_remove(UNIT);
}
END_TEST

/* Executables and roots. */

START_TEST(an_executable_is_told_of_any_user)
{
	const char *output;

	if (!harness_has_users())
		return;
	start_broker(only_this_program());
	client_run(ALICE, may_open, NULL);
	client_run(BOB, may_open, NULL);
	require(harness_dspctl(&harness, ALICE, &output, "call", EXAMPLE, "9") != 0);
	require(harness_logged(&harness, "denied by rule (default)"));
	harness_stop(&harness);
}
END_TEST

/* In the client, after it has become its user: what belongs to a Flatpak, in a root that a user
 * namespace lets it choose. */
static void enter_root_by_namespace(void)
{
	must(unshare(CLONE_NEWUSER));
	must(chroot(harness.dir));
	must(chdir("/"));
	strcpy(harness.socket, "/broker.sock");
}

/* No leak check after these: there is no /proc in that root. */
static void may_open_from_root(void *data)
{
	enter_root_by_namespace();
	may_open(data);
	_exit(EXIT_SUCCESS);
}

static void may_not_open_from_root(void *data)
{
	enter_root_by_namespace();
	may_not_open(data);
	_exit(EXIT_SUCCESS);
}

static void write_info(const char *text)
{
	char path[160];
	FILE *file;

	snprintf(path, sizeof(path), "%s/.flatpak-info", harness.dir);
	file = fopen(path, "we");
	require(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* So can anybody who may make a user namespace: the id tells applications apart, it does not keep a
 * user from being one. */
START_TEST(a_flatpak_is_told_by_its_root)
{
	if (!harness_has_users())
		return;
	start_broker(ONLY("\"flatpaks\": [\"" FLATPAK "\"]"));
	client_run(ALICE, may_not_open, NULL);
	client_run(ALICE, may_not_open_from_root, NULL);
	write_info("[Application]\nname=org.example.Other\n");
	client_run(ALICE, may_not_open_from_root, NULL);
	write_info("[Application]\nname=" FLATPAK "\n");
	client_run(ALICE, may_open_from_root, NULL);
	harness_stop(&harness);
}
END_TEST

START_TEST(a_broker_without_rights_knows_only_its_own_user)
{
	if (!harness_has_users())
		return;
	harness_start(&harness, only_this_program());
	client_run(BROKER_UID, may_open, NULL);
	client_run(ALICE, may_not_open, NULL);
	harness_stop(&harness);
}
END_TEST

START_TEST(a_proc_that_hides_others_processes_hides_nothing_from_it)
{
	if (!harness_has_users())
		return;
	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	if (mount("proc", "/proc", "proc", 0, "hidepid=2") < 0) {
		fprintf(stderr, "SKIPPED: no /proc of its own: %m\n");
		return;
	}
	start_broker(only_this_program());
	client_run(ALICE, may_open, NULL);
	harness_stop(&harness);
}
END_TEST

/* Between connecting and opening. */

static void connects_as_alice_and_opens_as_bob(void *data)
{
	struct dspbroker *broker;
	struct dspbroker_session *session;

	(void)data;
	must(setresgid(ALICE, ALICE, ALICE));
	must(setresuid(ALICE, ALICE, 0));
	broker = connect_to(&harness);
	must(seteuid(0));
	must(setresuid(BOB, BOB, BOB));
	session = open_channel(broker, EXAMPLE);
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

START_TEST(who_becomes_another_user_keeps_the_rights_of_its_connection)
{
	if (!harness_has_users())
		return;
	start_broker(ONLY("\"users\": [60711]"));
	client_run(0, connects_as_alice_and_opens_as_bob, NULL);
	client_run(BOB, may_not_open, NULL);
	harness_stop(&harness);
}
END_TEST

/* Connect as that user, in a process that has ended by the time this returns. */
static struct raw connect_in_child(uid_t uid, pid_t *pid)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct raw raw = {.ring = -1, .area = -1, .doorbell = -1, .notify = -1};
	int status;

	strcpy(address.sun_path, harness.socket);
	raw.sock = must(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
	*pid = must(fork());
	if (*pid == 0) {
		if (geteuid() == 0)
			must(setresuid(uid, uid, uid));
		_exit(connect(raw.sock, (struct sockaddr *)&address, sizeof(address)) < 0);
	}
	must(waitpid(*pid, &status, 0));
	require_eq(status, 0);
	return raw;
}

/* Asks for the channel; whether it may. */
static bool raw_may_open(struct raw *raw)
{
	struct dsp_open request = raw_open_request(raw, EXAMPLE);
	union raw_packet reply;
	int fds[DSP_FDS_MAX];

	raw_send(raw, &request, sizeof(request), NULL, 0);
	require(raw_receive(raw, &reply, fds));
	if (reply.header.opcode == (DSP_OPEN | DSP_REPLY))
		return true;
	require_eq(reply.error.status, DSP_DENIED);
	return false;
}

/* It did not connect itself: another user's process did, and is gone. */
static void uses_bobs_connection(void *data)
{
	struct raw *raw = data;

	raw_hello(raw);
	require(raw_may_open(raw));
	raw_close(raw);
}

START_TEST(a_connection_that_was_passed_on_carries_who_connected)
{
	struct raw raw;
	pid_t pid;

	if (!harness_has_users())
		return;
	start_broker(ONLY("\"users\": [60712]"));
	raw = connect_in_child(BOB, &pid);
	client_run(ALICE, uses_bobs_connection, &raw);
	raw_close(&raw);
	harness_stop(&harness);
}
END_TEST

/* Connects, then runs another program, while its child goes on with the connection. */
static void connects_and_runs_another(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;
	int executed[2], opened[2];
	char byte;

	(void)data;
	must(pipe2(executed, O_CLOEXEC));
	must(pipe(opened));
	if (must(fork()) != 0) {
		close(opened[1]);
		must(dup2(opened[0], STDIN_FILENO));
		execl("/bin/sh", "sh", "-c", "read word && test $word = ok", NULL);
		_exit(127);
	}
	close(executed[1]);
	require_eq(read(executed[0], &byte, 1), 0); /* closed by execl() */
	session = open_channel(broker, EXAMPLE);
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	require_eq(write(opened[1], "ok\n", 3), 3);
	_exit(0);
}

START_TEST(who_runs_another_program_after_it_connected_is_still_the_first)
{
	if (!harness_has_users())
		return;
	start_broker(only_this_program());
	client_run(ALICE, connects_and_runs_another, NULL);
	harness_stop(&harness);
}
END_TEST

/* A process of that pid, in the unit; 0: it cannot be had. */
static pid_t take_pid(pid_t pid)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&pid, .set_tid_size = 1};
	pid_t is = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (is == 0) {
		process_become(ALICE, NULL, 0);
		for (;;)
			pause();
	}
	if (is < 0) {
		fprintf(stderr, "SKIPPED: no choice of a pid here: %m\n");
		return 0;
	}
	require_eq(is, pid);
	cgroup_enter(UNIT, pid);
	return pid;
}

/* Alice connects and is gone before the broker looks; another process of hers, which the rule is
 * for, gets the pid. */
START_TEST(who_gets_the_pid_of_one_that_connected_is_not_taken_for_it)
{
	pid_t first, second;
	struct raw raw;

	if (!harness_has_users() || !cgroup_make(UNIT))
		return;
	start_broker(ONLY("\"users\": [60711], \"units\": [\"" UNIT "\"]"));
	must(kill(harness.pid, SIGSTOP));
	raw = connect_in_child(ALICE, &first);
	second = take_pid(first);
	must(kill(harness.pid, SIGCONT));
	if (second) {
		raw_hello(&raw);
		require(!raw_may_open(&raw));
		must(kill(second, SIGKILL));
		must(waitpid(second, NULL, 0));
		run_in_unit(ALICE); /* who is there may */
	}
	raw_close(&raw);
	harness_stop(&harness);
	cgroup_remove(UNIT);
}
END_TEST

/* The program that looks at peers is kept from it. */
START_TEST(a_broker_stops_while_it_is_not_known_who_has_connected)
{
	struct raw raw;
	pid_t who = 0;
	size_t fds;

	if (!harness_has_users())
		return;
	start_broker(ALLOW_ALL);
	fds = harness_fds(&harness);
	require_eq(process_count_children(harness.pid, "dspbroker-who", &who), 1);
	must(kill(who, SIGSTOP));
	raw_connect(&raw, &harness);
	require_soon(harness_fds(&harness) > fds); /* it was let in */
	must(kill(harness.pid, SIGTERM));
	raw_expect_end(&raw);
	raw_close(&raw);
	/* The broker may send no signal, so what is stopped stays until somebody has it go on. */
	must(kill(who, SIGCONT));
	harness_expect_exit(&harness, EXIT_SUCCESS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("identity");
	TCase *facts = tcase_create("facts"), *races = tcase_create("races");

	tcase_set_timeout(facts, HARNESS_TIMEOUT_S);
	tcase_add_loop_test(facts, a_unit_and_its_slice_are_told_by_the_cgroup, 0, 3);
	tcase_add_test(facts, an_executable_is_told_of_any_user);
	tcase_add_test(facts, a_flatpak_is_told_by_its_root);
	tcase_add_test(facts, a_broker_without_rights_knows_only_its_own_user);
	tcase_add_test(facts, a_proc_that_hides_others_processes_hides_nothing_from_it);
	suite_add_tcase(suite, facts);
	tcase_set_timeout(races, HARNESS_TIMEOUT_S);
	tcase_add_test(races, who_becomes_another_user_keeps_the_rights_of_its_connection);
	tcase_add_test(races, a_connection_that_was_passed_on_carries_who_connected);
	tcase_add_test(races, who_runs_another_program_after_it_connected_is_still_the_first);
	tcase_add_test(races, who_gets_the_pid_of_one_that_connected_is_not_taken_for_it);
	tcase_add_test(races, a_broker_stops_while_it_is_not_known_who_has_connected);
	suite_add_tcase(suite, races);
	return harness_main(suite);
}
