// SPDX-License-Identifier: MIT
/*
 * A confined broker that has not started dspbroker-who itself, but reaches it at a socket, as under
 * systemd: it knows its clients, and finds another one when that has ended.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "tests/integration/process.h"

#define WHO_FD 3

static struct harness harness;
static char place[108];

/* In the child: start dspbroker-who for each connection. */
static void serve(int listening)
{
	const char *program = harness_program("dspbroker-who");
	int sock;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		sock = must(accept4(listening, NULL, NULL, SOCK_CLOEXEC));
		if (must(fork()) == 0) {
			signal(SIGCHLD, SIG_DFL);
			require(sock != WHO_FD);
			must(dup2(sock, WHO_FD));
			execl(program, program, emulated() ? "--allow-unconfined" : NULL, NULL);
			_exit(EXIT_FAILURE);
		}
		close(sock);
	}
}

/* Root listens, as a service manager would, for the broker's user alone. */
static pid_t start_service(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listening = must(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
	pid_t pid;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", place);
	must(bind(listening, (const struct sockaddr *)&address, sizeof(address)));
	must(chmod(place, 0600));
	must(chown(place, BROKER_UID, BROKER_UID));
	must(listen(listening, 8));
	pid = must(fork());
	if (pid == 0)
		serve(listening);
	close(listening);
	process_add(pid);
	return pid;
}

static void end_service(pid_t pid)
{
	must(kill(pid, SIGKILL));
	must(waitpid(pid, NULL, 0));
	process_remove(pid);
}

static void set_up(void)
{
	harness_prepare(&harness);
	snprintf(place, sizeof(place), "%s/who.sock", harness.dir);
}

/* For whoever runs this very program. */
static const char *policy(void)
{
	static char text[8192];
	char path[4096];
	ssize_t n = must(readlink(emulated_exe(), path, sizeof(path) - 1));

	path[n] = '\0';
	snprintf(text, sizeof(text),
		POLICY(ALLOW("only", "\"executables\": [\"%s\"]", "\"soft0/*\"", "")), path);
	return text;
}

static void start_broker(void)
{
	harness_spawn(&harness, &(struct harness_options){.policy = policy(), .who_socket = place});
	harness_await_ready(&harness);
}

static void may_open(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	(void)data;
	require_eq(invoke_plain(open_channel(broker, EXAMPLE), EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

START_TEST(clients_are_known_by_a_program_that_the_broker_did_not_start)
{
	const char *output;
	pid_t service;

	if (!harness_has_users())
		return;
	service = start_service();
	start_broker();
	require_eq(process_count_children(harness.pid, "dspbroker-who", NULL), 0);
	client_run(ALICE, may_open, NULL);
	require(harness_dspctl(&harness, BOB, &output, "call", EXAMPLE, "9") != 0);
	end_service(service);
	harness_stop(&harness);
}
END_TEST

START_TEST(after_its_end_the_next_client_is_known_to_another)
{
	pid_t service, program;

	if (!harness_has_users())
		return;
	service = start_service();
	start_broker();
	client_run(ALICE, may_open, NULL);
	require_eq(process_count_children(service, "dspbroker-who", &program), 1);
	must(kill(program, SIGKILL));
	require_soon(harness_logged(&harness, "dspbroker-who is gone"));
	client_run(ALICE, may_open, NULL);
	require(harness_logged(&harness, "dspbroker-who is back"));
	client_run(BOB, may_open, NULL);
	end_service(service);
	harness_stop(&harness);
}
END_TEST

START_TEST(without_that_program_it_does_not_start)
{
	harness_spawn(&harness, &(struct harness_options){.policy = policy(), .who_socket = place});
	harness_expect_exit(&harness, EXIT_FAILURE);
	require(harness_logged(&harness, "cannot reach dspbroker-who at"));
	require(harness_logged(&harness, place));
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("identity_socket");
	TCase *tcase = tcase_create("identity_socket");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, clients_are_known_by_a_program_that_the_broker_did_not_start);
	tcase_add_test(tcase, after_its_end_the_next_client_is_known_to_another);
	tcase_add_test(tcase, without_that_program_it_does_not_start);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
