// SPDX-License-Identifier: MIT
/* The broker reaches its program at a socket, where a service manager starts one for each
 * connection: it finds another one when that ends, and nobody else can take its place. */
#include "tests/unit/who_rig.h"

#include <sys/un.h>

#include "tests/emulated.h"
#include "tests/fds.h"
#include "tests/unit/log_rig.h"

/* As a service manager does it, at tree_path("who.sock"). */
struct service {
	pid_t pid;
	int started; /* pids of what it has started come out here */
};

static struct service service;
static struct peer peer;

static void be_program(const char *path, int sock)
{
	if (keep_capabilities(whom()) < 0 || dup2(sock, WHO_FD) < 0)
		_exit(EXIT_FAILURE);
	signal(SIGCHLD, SIG_DFL);
	execl(path, path, emulated() ? "--allow-unconfined" : NULL, NULL);
	_exit(EXIT_FAILURE);
}

static int bind_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, tree_path("who.sock"));
	if (bind(sock, (const struct sockaddr *)&address, sizeof(address)) < 0)
		_exit(EXIT_FAILURE);
	return sock;
}

/* Starts @path for each connection; NULL: nothing, ever. */
static void serve(const char *path, uid_t uid, int started)
{
	int listening = bind_socket(), sock;
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	if ((uid != geteuid() && setresuid(uid, uid, uid) < 0) || listen(listening, 8) < 0)
		_exit(EXIT_FAILURE);
	pid = 0; /* it listens */
	do {
		if (write(started, &pid, sizeof(pid)) != sizeof(pid))
			_exit(EXIT_FAILURE);
		/* O_NONBLOCK does no harm. */
		sock = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		pid = path ? fork() : -1;
		if (pid == 0)
			be_program(path, sock);
		if (path)
			close(sock);
	} while (sock >= 0);
	_exit(EXIT_FAILURE);
}

/* The next one that was started. */
static pid_t next_started(void)
{
	pid_t pid;

	ck_assert_int_eq(read(service.started, &pid, sizeof(pid)), sizeof(pid));
	return pid;
}

static void service_start(const char *path, uid_t uid)
{
	int started[2];

	ck_assert_int_eq(pipe2(started, O_CLOEXEC), 0);
	service.pid = fork();
	if (service.pid == 0)
		serve(path, uid, started[1]);
	close(started[1]);
	service.started = started[0];
	ck_assert_int_eq(next_started(), 0);
}

/* What it has started goes on. */
static void service_stop(void)
{
	if (!service.pid)
		return;
	kill(service.pid, SIGKILL);
	ck_assert_int_eq(waitpid(service.pid, NULL, 0), service.pid);
	service.pid = 0;
	close(service.started);
	tree_remove("who.sock");
}

static const char *place(void)
{
	return tree_path("who.sock");
}

static void set_up(void)
{
	rig_start();
	peer_start(&peer, getuid());
}

static void tear_down(void)
{
	service_stop();
	peer_end(&peer);
	rig_stop();
}

static pid_t connect_program_of_service(void)
{
	service_start(program(), geteuid());
	ck_assert_int_eq(who_connect(&who, &broker, place()), 0);
	return next_started();
}

static void assert_answer(struct asked *which, bool known)
{
	n_answers = 0;
	ask(which, &peer);
	await_answers(1);
	assert_known(which, known);
}

/* Kill it, and wait until the broker has heard of that. */
static void lose(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	while (who->sock >= 0)
		turn();
}

/* As if it had been looked for long ago. */
static void let_time_pass(void)
{
	who->tried_us = broker_now(&broker) - WHO_AGAIN_US;
}

START_TEST(a_program_that_listens_is_asked)
{
	pid_t pid = connect_program_of_service();

	assert_answer(&asked[0], true);
	ck_assert_uint_gt(count_fds(pid), 0); /* it was this one, and it lives */
	who = who_free(who);
	/* Without a word or a signal. */
	while (kill(pid, 0) == 0)
		sched_yield();
}
END_TEST

START_TEST(when_it_ends_the_next_question_is_for_another_one)
{
	pid_t pid = connect_program_of_service();

	log_rig_begin();
	lose(pid);
	ck_assert_uint_eq(log_rig_lines(), 1);
	ck_assert_ptr_nonnull(strstr(log_rig_line(0), "dspbroker-who is gone"));
	/* Who asks first waits until it is ready, and is told. */
	assert_answer(&asked[0], true);
	ck_assert_int_ne(next_started(), pid);
	assert_answer(&asked[1], true);
	ck_assert_uint_eq(log_rig_lines(), 2);
	ck_assert_ptr_nonnull(strstr(log_rig_line(1), "dspbroker-who is back"));
	log_rig_end();
}
END_TEST

START_TEST(questions_that_it_was_asked_when_it_ended_are_answered_unknown)
{
	pid_t pid = connect_program_of_service();

	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	for (int i = 0; i < 5; i++)
		ask(&asked[i], &peer);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	await_answers(5);
	for (int i = 0; i < 5; i++)
		assert_known(&asked[i], false);
	for (size_t i = 0; i < WHO_QUESTIONS; i++)
		ck_assert_uint_eq(who->slots[i].number, 0);
	assert_answer(&asked[5], true);
}
END_TEST

/* Who is told that nothing is known asks at once for another, in the middle of it all. */
static void ask_again(struct who_question *question)
{
	struct asked *which = container_of(question, struct asked, question);

	which->answers++;
	n_answers++;
	if (which == &asked[0])
		ask(&asked[1], &peer);
}

START_TEST(who_asks_while_it_is_told_of_the_end_gets_an_answer)
{
	pid_t pid = connect_program_of_service();

	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	ask(&asked[0], &peer);
	asked[0].question.answered = ask_again;
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	await_answers(2);
	assert_known(&asked[0], false);
	assert_known(&asked[1], true);
}
END_TEST

START_TEST(it_is_looked_for_once_a_second_and_until_then_nothing_is_known)
{
	pid_t pid = connect_program_of_service();

	service_stop();
	lose(pid);
	log_rig_begin();
	ask(&asked[0], &peer); /* there is none */
	assert_known(&asked[0], false);
	service_start(program(), geteuid());
	who->tried_us = broker_now(&broker); /* however long this has taken */
	ask(&asked[1], &peer);
	assert_known(&asked[1], false);
	ck_assert_int_lt(who->sock, 0);
	ck_assert_uint_eq(log_rig_lines(), 0);
	let_time_pass();
	assert_answer(&asked[2], true);
	ck_assert_uint_eq(log_rig_lines(), 1);
	log_rig_end();
}
END_TEST

START_TEST(one_that_does_not_become_ready_makes_nobody_wait_for_long)
{
	pid_t pid = connect_program_of_service();

	service_stop();
	lose(pid);
	service_start(NULL, geteuid());
	let_time_pass();
	for (int i = 0; i < 5; i++)
		ask(&asked[i], &peer);
	ck_assert_int_ge(who->sock, 0);
	ck_assert_uint_eq(n_answers, 0);
	await_answers(5);
	for (int i = 0; i < 5; i++)
		assert_known(&asked[i], false);
}
END_TEST

START_TEST(a_place_where_no_such_program_is_started_is_an_error)
{
	char long_path[200];

	ck_assert_int_eq(who_connect(&who, &broker, place()), -ENOENT);
	memset(long_path, 'x', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	ck_assert_int_eq(who_connect(&who, &broker, long_path), -ENAMETOOLONG);
	service_start("/bin/true", geteuid());
	ck_assert_int_eq(who_connect(&who, &broker, place()), -ECHILD);
	kill(service.pid, SIGKILL);
	waitpid(service.pid, NULL, 0);
	ck_assert_int_eq(who_connect(&who, &broker, place()), -ECONNREFUSED);
	service.pid = 0;
	ck_assert_ptr_null(who);
}
END_TEST

START_TEST(nobody_but_root_and_oneself_is_believed)
{
	service_start(program(), ALICE);
	ck_assert_int_eq(who_connect(&who, &broker, place()), -EPERM);
	ck_assert_ptr_null(who);
}
END_TEST

START_TEST(nobody_takes_the_place_of_one_that_is_gone)
{
	pid_t pid = connect_program_of_service();

	service_stop();
	lose(pid);
	service_start(program(), ALICE);
	let_time_pass();
	ask(&asked[0], &peer);
	assert_known(&asked[0], false);
	ck_assert_int_lt(who->sock, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("who_socket");
	TCase *tcase = tcase_create("connection");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_program_that_listens_is_asked);
	tcase_add_test(tcase, when_it_ends_the_next_question_is_for_another_one);
	tcase_add_test(tcase, questions_that_it_was_asked_when_it_ended_are_answered_unknown);
	tcase_add_test(tcase, who_asks_while_it_is_told_of_the_end_gets_an_answer);
	tcase_add_test(tcase, it_is_looked_for_once_a_second_and_until_then_nothing_is_known);
	tcase_add_test(tcase, one_that_does_not_become_ready_makes_nobody_wait_for_long);
	tcase_add_test(tcase, a_place_where_no_such_program_is_started_is_an_error);
	if (geteuid() == 0) {
		tcase_add_test(tcase, nobody_but_root_and_oneself_is_believed);
		tcase_add_test(tcase, nobody_takes_the_place_of_one_that_is_gone);
	}
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
