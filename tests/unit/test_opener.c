// SPDX-License-Identifier: MIT
/* The process that opens device nodes: a real one, and real devices. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "tests/suite.h"
#include "tests/unit/log_rig.h"
#include "tests/unit/opener_rig.h"
#include "tests/unit/tree.h"

/* Opening. */

START_TEST(a_node_is_opened_as_it_was_asked_for)
{
	static const int flags[] = {O_RDWR, O_RDONLY, O_RDWR | O_NONBLOCK, O_RDONLY | O_NONBLOCK};
	struct stat st, expected;

	start();
	ck_assert_int_eq(stat("/dev/null", &expected), 0);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		_cleanup_(fd_closep) int fd = opener_open(opener, NODE, flags[i]);

		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(fstat(fd, &st), 0);
		ck_assert_uint_eq(st.st_rdev, expected.st_rdev);
		ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
		ck_assert_int_eq(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), flags[i]);
	}
}
END_TEST

START_TEST(nodes_of_every_kind_are_opened)
{
	static const char *const names[] = {"fastrpc-cdsp", "fastrpc-adsp-secure", "fastrpc-cdsp1",
		"rpmsg_ctrl0", "rpmsg0", "rpmsg16383", "remoteproc12", "accel/accel0",
		"accel/accel63"};

	tree_make_folder("dev/accel");
	start();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int fd;

		nodes_make(names[i]);
		fd = opener_open(opener, names[i], O_RDWR);
		ck_assert_msg(fd >= 0, "%s", names[i]);
		fd_close(fd);
	}
}
END_TEST

START_TEST(a_render_node_is_opened_only_for_who_was_started_to_look_at_them)
{
	int fd;

	tree_make_folder("dev/dri");
	nodes_make("dri/renderD128");
	options.drm_render_nodes = true;
	start();
	fd = opener_open(opener, "dri/renderD128", O_RDWR);
	ck_assert_int_ge(fd, 0);
	fd_close(fd);
	ck_assert_int_eq(opener_open(opener, "dri/card0", O_RDWR), -EPERM);
}
END_TEST

START_TEST(a_name_that_is_no_nodes_is_refused_whatever_there_is)
{
	static const char *const there[] = {"null", "fastrpc-", "fastrpc-.", "fastrpc-A", "rpmsg",
		"rpmsg_ctrl", "rpmsg0x", "rpmsg-1", "remoteproc", "remoteproc 1", "xrpmsg0",
		"accel0", "renderD128", "accel/accel", "accel/accel0x", "accel/control0",
		"dri/card0", "dri/renderD", "dri/renderDx", "dri/renderD128"};
	static const char *const ways[] = {"", ".", "..", "/dev/null", "./" NODE, "../dev/" NODE,
		NODE "/", NODE "/..", "fastrpc-/../" NODE, "fastrpc-../null", "rpmsg0/../" NODE,
		"fastrpc-null\n", " fastrpc-null", "FASTRPC-null", "accel", "accel/", "accel/..",
		"accel//accel1", "accel/./accel1", "accel/../accel/accel1",
		"accel/accel1/../accel1", "dri/../accel/accel1", "./accel/accel1",
		"../dev/accel/accel1"};
	char longest[256];

	tree_make_folder("dev/accel");
	tree_make_folder("dev/dri");
	nodes_make("accel/accel1");
	for (size_t i = 0; i < ARRAY_SIZE(there); i++)
		nodes_make(there[i]);
	start();
	for (size_t i = 0; i < ARRAY_SIZE(there); i++)
		must_not_open(there[i], O_RDWR, -EPERM);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		must_not_open(ways[i], O_RDWR, -EPERM);
	for (size_t n = 56; n < sizeof(longest); n++) {
		memset(longest, 'a', n);
		memcpy(longest, "fastrpc-", strlen("fastrpc-"));
		longest[n] = '\0';
		must_not_open(longest, O_RDWR, n < 64 ? -ENOENT : -EPERM);
	}
}
END_TEST

START_TEST(other_flags_are_refused)
{
	static const int flags[] = {O_WRONLY, O_ACCMODE, O_RDWR | O_CREAT, O_RDWR | O_TRUNC,
		O_RDWR | O_APPEND, O_RDONLY | O_DIRECTORY, O_PATH, O_RDWR | O_ASYNC,
		O_RDWR | O_TMPFILE, O_RDWR | O_CLOEXEC, -1, 1 << 30};

	start();
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		must_not_open(NODE, flags[i], -EINVAL);
}
END_TEST

START_TEST(what_is_no_character_device_is_not_handed_out)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_(fd_closep) int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	tree_write("dev/rpmsg0", "text");
	tree_make_folder("dev/rpmsg1");
	ck_assert_int_eq(mkfifo(nodes_path("rpmsg2"), 0666), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", nodes_path("rpmsg3"));
	ck_assert_int_eq(bind(sock, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(symlink(NODE, nodes_path("rpmsg4")), 0);
	ck_assert_int_eq(symlink("/dev/null", nodes_path("rpmsg5")), 0);
	tree_make_folder("dev/accel");
	nodes_make("accel/accel0");
	ck_assert_int_eq(symlink("accel0", nodes_path("accel/accel1")), 0);
	start();
	must_not_open("rpmsg0", O_RDWR, -ENODEV);
	must_not_open("rpmsg1", O_RDWR, -EISDIR);
	must_not_open("rpmsg1", O_RDONLY, -ENODEV);
	must_not_open("rpmsg2", O_RDWR | O_NONBLOCK, -ENODEV);
	must_not_open("rpmsg3", O_RDWR, -ENXIO);
	must_not_open("rpmsg4", O_RDWR, -ELOOP);
	must_not_open("rpmsg5", O_RDWR, -ELOOP);
	must_not_open("rpmsg6", O_RDWR, -ENOENT);
	must_not_open("accel/accel1", O_RDWR, -ELOOP);
	must_not_open("accel/accel2", O_RDWR, -ENOENT);
	must_not_open("dri/renderD128", O_RDWR, -EPERM);
	ck_assert_str_eq(tree_read("dev/rpmsg0"), "text");
	ck_assert_uint_eq(count_its_children(), 0);
}
END_TEST

/* Opening as another. */

START_TEST(a_node_that_is_opened_as_another_belongs_to_a_process_that_ended)
{
	_cleanup_(fd_closep) int fd = -1;
	pid_t pid;

	start();
	fd = opener_open_as(opener, NODE, O_RDWR, &pid);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	ck_assert_int_gt(pid, 0);
	ck_assert_int_ne(pid, getpid());
	ck_assert_int_ne(pid, opener_pid(opener));
	nodes_await_end(pid);
	ck_assert_int_eq(nodes_state(pid), 'Z');
	ck_assert_int_eq(nodes_parent(pid), opener_pid(opener));
	opener_release(opener, pid);
}
END_TEST

START_TEST(its_number_is_nobodys_until_it_is_given_back)
{
	int fds[64];
	pid_t pids[64];

	/* Which some programs do, and their children inherit. */
	ck_assert(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
	start();
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		fds[i] = opener_open_as(opener, NODE, O_RDWR, &pids[i]);
		ck_assert_int_ge(fds[i], 0);
		for (size_t j = 0; j < i; j++)
			ck_assert_int_ne(pids[i], pids[j]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		nodes_await_end(pids[i]);
		ck_assert_int_eq(nodes_state(pids[i]), 'Z');
		fd_close(fds[i]);
		opener_release(opener, pids[i]);
		ck_assert_int_eq(nodes_state(pids[i]), 0);
		ck_assert_uint_eq(count_its_children(), ARRAY_SIZE(pids) - 1 - i);
	}
}
END_TEST

START_TEST(a_number_that_was_never_given_is_nothing_to_give_back)
{
	_cleanup_(fd_closep) int fd = -1;
	pid_t pid;

	start();
	fd = opener_open_as(opener, NODE, O_RDWR, &pid);
	opener_release(opener, 0);
	opener_release(opener, -1);
	opener_release(opener, -pid);
	opener_release(opener, getpid());
	opener_release(opener, opener_pid(opener));
	nodes_await_end(pid);
	ck_assert_int_eq(nodes_state(pid), 'Z');
	opener_release(opener, pid);
	opener_release(opener, pid);
	ck_assert_int_eq(nodes_state(pid), 0);
}
END_TEST

START_TEST(without_room_for_a_node_it_is_an_error_and_the_next_one_is_opened)
{
	struct rlimit before, none;
	pid_t pid;

	start();
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	must_not_open(NODE, O_RDWR, -EMFILE);
	ck_assert_int_eq(opener_open_as(opener, NODE, O_RDWR, &pid), -EMFILE);
	ck_assert_int_eq(pid, 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_uint_eq(count_its_children(), 0);
	fd_close(opener_open(opener, NODE, O_RDWR));
	ck_assert_int_eq(kill(opener_pid(opener), 0), 0);
	must_not_open("rpmsg77", O_RDWR, -ENOENT);
}
END_TEST

START_TEST(a_process_that_may_not_be_made_is_an_error)
{
	static const struct filter_rule no_child[] = {
		{SCMP_SYS(clone), "", {0, SCMP_CMP_MASKED_EQ, CLONE_VFORK, CLONE_VFORK}, EACCES},
	};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	pid_t pid;
	int fd;

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EACCES), no_child[0].number,
				 1, &no_child[0].arg),
		0);
	ck_assert_int_eq(seccomp_load(filter), 0);
	seccomp_release(filter);
	start();
	ck_assert_int_eq(opener_open_as(opener, NODE, O_RDWR, &pid), -EACCES);
	ck_assert_int_eq(pid, 0);
	fd = opener_open(opener, NODE, O_RDWR);
	ck_assert_int_ge(fd, 0);
	fd_close(fd);
}
END_TEST

/* Threads. */

static atomic_uint served;

static void *open_often(void *unused)
{
	for (int i = 0; i < 200; i++) {
		pid_t pid;
		int fd = opener_open_as(opener, NODE, O_RDWR, &pid);

		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(write(fd, "x", 1), 1);
		ck_assert_int_eq(opener_open(opener, "rpmsg0", O_RDWR), -ENOENT);
		fd_close(fd);
		opener_release(opener, pid);
	}
	served++;
	return unused;
}

static void on_signal(int signal)
{
	(void)signal;
}

#define THREADS (2 * OPENER_THREADS)

START_TEST(threads_that_get_signals_open_side_by_side)
{
	const struct sigaction action = {.sa_handler = on_signal};
	pthread_t threads[THREADS];

	ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
	start();
	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, open_often, NULL), 0);
	while (served < THREADS) {
		kill(opener_pid(opener), SIGUSR1);
		for (size_t i = 0; i < THREADS; i++)
			pthread_kill(threads[i], SIGUSR1);
		sched_yield();
	}
	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_uint_eq(count_its_children(), 0);
}
END_TEST

/* A FIFO keeps whoever opens it waiting, as a driver may. */
static void start_with_what_waits(void)
{
	ck_assert_int_eq(mkfifo(nodes_path("fifo"), 0666), 0);
	start_taken_over(false);
}

static void *open_fifo(void *result)
{
	pid_t pid;

	*(int *)result = opener_open_as(opener, "fifo", O_RDONLY, &pid);
	served++;
	return NULL;
}

static void start_waiting(pthread_t *threads, int *results, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, open_fifo, &results[i]), 0);
	/* Each is a child that waits, as far as there are threads. */
	while (count_its_children() < MIN(n, OPENER_THREADS))
		sched_yield();
}

START_TEST(a_node_that_does_not_open_keeps_no_other_from_it)
{
	pthread_t threads[OPENER_THREADS - 1];
	int results[OPENER_THREADS - 1], fifo;

	start_with_what_waits();
	start_waiting(threads, results, ARRAY_SIZE(threads));
	for (int i = 0; i < 100; i++) {
		int fd = opener_open(opener, NODE, O_RDWR);

		ck_assert_int_ge(fd, 0);
		fd_close(fd);
	}
	ck_assert_uint_eq(served, 0);
	fifo = open(nodes_path("fifo"), O_WRONLY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_int_ge(results[i], 0);
		fd_close(results[i]);
	}
	fd_close(fifo);
}
END_TEST

START_TEST(more_than_there_are_threads_wait_for_one)
{
	pthread_t threads[THREADS];
	int results[THREADS], fifo;

	start_with_what_waits();
	start_waiting(threads, results, ARRAY_SIZE(threads));
	fifo = open(nodes_path("fifo"), O_WRONLY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_int_ge(results[i], 0);
		fd_close(results[i]);
	}
	fd_close(fifo);
}
END_TEST

/* Its end. */

START_TEST(after_its_death_nothing_is_opened_and_one_line_says_so)
{
	_cleanup_(fd_closep) int fd = -1;
	pid_t pid;

	start();
	fd = opener_open_as(opener, NODE, O_RDWR, &pid);
	ck_assert_int_ge(fd, 0);
	log_rig_begin();
	ck_assert_int_eq(kill(opener_pid(opener), SIGKILL), 0);
	for (int i = 0; i < THREADS; i++)
		must_not_open(NODE, O_RDWR, -ESHUTDOWN);
	opener_release(opener, pid);
	ck_assert_uint_eq(log_rig_lines(), 1);
	ck_assert_ptr_nonnull(strstr(log_rig_line(0), "is gone"));
	log_rig_end();
	ck_assert_int_eq(write(fd, "x", 1), 1);
}
END_TEST

START_TEST(who_waits_for_it_when_it_dies_waits_no_longer)
{
	pthread_t threads[THREADS];
	int results[THREADS];

	start_with_what_waits();
	start_waiting(threads, results, ARRAY_SIZE(threads));
	log_rig_begin();
	ck_assert_int_eq(kill(opener_pid(opener), SIGKILL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_int_eq(results[i], -ESHUTDOWN);
	}
	ck_assert_uint_eq(log_rig_lines(), 1);
	log_rig_end();
}
END_TEST

START_TEST(it_ends_when_it_is_freed)
{
	int status;
	pid_t pid;

	start();
	pid = opener_pid(opener);
	opener = opener_free(opener);
	ck_assert_ptr_null(opener_free(NULL));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
}
END_TEST

START_TEST(it_ends_with_the_broker_even_if_it_is_stopped)
{
	int link[2], status;
	pid_t pid, broker;

	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	ck_assert_int_eq(pipe2(link, O_CLOEXEC), 0);
	broker = fork();
	if (broker == 0) {
		start();
		pid = opener_pid(opener);
		kill(pid, SIGSTOP);
		waitpid(pid, &status, WUNTRACED); /* all of its threads have stopped */
		_exit(write(link[1], &pid, sizeof(pid)) != sizeof(pid));
	}
	ck_assert_int_eq(read(link[0], &pid, sizeof(pid)), sizeof(pid));
	ck_assert_int_eq(waitpid(broker, &status, 0), broker);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	fd_close(link[0]);
	fd_close(link[1]);
}
END_TEST

START_TEST(an_end_of_the_terminals_or_the_service_managers_is_not_its_own)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGPIPE};
	int fd;

	start();
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		ck_assert_int_eq(kill(opener_pid(opener), signals[i]), 0);
	fd = opener_open(opener, NODE, O_RDWR);
	ck_assert_int_ge(fd, 0);
	fd_close(fd);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, opener_set_up, opener_tear_down);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static Suite *suite(void)
{
	Suite *suite = suite_create("opener");
	TCase *opening, *threads, *end;

	opening = add_case(suite, "opening");
	tcase_add_test(opening, a_node_is_opened_as_it_was_asked_for);
	tcase_add_test(opening, nodes_of_every_kind_are_opened);
	tcase_add_test(opening, a_render_node_is_opened_only_for_who_was_started_to_look_at_them);
	tcase_add_test(opening, a_name_that_is_no_nodes_is_refused_whatever_there_is);
	tcase_add_test(opening, other_flags_are_refused);
	tcase_add_test(opening, what_is_no_character_device_is_not_handed_out);
	tcase_add_test(opening, a_node_that_is_opened_as_another_belongs_to_a_process_that_ended);
	tcase_add_test(opening, its_number_is_nobodys_until_it_is_given_back);
	tcase_add_test(opening, a_number_that_was_never_given_is_nothing_to_give_back);
	tcase_add_test(opening, without_room_for_a_node_it_is_an_error_and_the_next_one_is_opened);
	tcase_add_test(opening, a_process_that_may_not_be_made_is_an_error);
	threads = add_case(suite, "threads");
	tcase_add_test(threads, threads_that_get_signals_open_side_by_side);
	tcase_add_test(threads, a_node_that_does_not_open_keeps_no_other_from_it);
	tcase_add_test(threads, more_than_there_are_threads_wait_for_one);
	end = add_case(suite, "end");
	tcase_add_test(end, after_its_death_nothing_is_opened_and_one_line_says_so);
	tcase_add_test(end, who_waits_for_it_when_it_dies_waits_no_longer);
	tcase_add_test(end, it_ends_when_it_is_freed);
	tcase_add_test(end, it_ends_with_the_broker_even_if_it_is_stopped);
	tcase_add_test(end, an_end_of_the_terminals_or_the_service_managers_is_not_its_own);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
