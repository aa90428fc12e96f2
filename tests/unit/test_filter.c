// SPDX-License-Identifier: MIT
/* A filter is what its table says. Each case is a process that enters a real one. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "daemon/confine/filter.h"
#include "protocol/util.h"
#include "tests/suite.h"

/* What a child needs to say how a call went. */
#define OF_CHILD                                       \
	{                                              \
		SCMP_SYS(exit_group), "the end", {}, 0 \
	}

#define KILLED 256

static void enter(const struct filter_table *tables, size_t n)
{
	static const struct rlimit no_core;
	struct sock_fprog filter;

	setrlimit(RLIMIT_CORE, &no_core);
	if (filter_init(&filter, tables, n) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		filter_enter(&filter) < 0)
		abort();
}

/* Of a call made inside: 0, the errno, or KILLED. */
static int try_tables(const struct filter_table *tables, size_t n, const long call[7])
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		enter(tables, n);
		errno = 0;
		if (syscall(call[0], call[1], call[2], call[3], call[4], call[5], call[6]) >= 0)
			errno = 0;
		syscall(SYS_exit_group, errno);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return KILLED;
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define TRY(rules, ...) try_tables(&FILTER_TABLE(rules), 1, (const long[7]){__VA_ARGS__})

START_TEST(what_no_table_allows_ends_the_process)
{
	static const struct filter_rule rules[] = {OF_CHILD, {SCMP_SYS(getppid), "", {}, 0}};

	ck_assert_int_eq(TRY(rules, SYS_getppid), 0);
	ck_assert_int_eq(TRY(rules, SYS_getpid), KILLED);
	ck_assert_int_eq(TRY(rules, SYS_execve, 0, 0, 0), KILLED);
	ck_assert_int_eq(TRY(rules, 0x3fffffff), KILLED);
}
END_TEST

#ifdef __x86_64__
/* By the same number, in the two other tables of calls that such a machine may have. */
START_TEST(calls_by_numbers_of_another_architecture_end_the_process)
{
	static const struct filter_rule rules[] = {OF_CHILD, {SCMP_SYS(getppid), "", {}, 0}};
	int status;
	pid_t pid;

	ck_assert_int_eq(TRY(rules, 0x40000000 | SYS_getppid), KILLED);
	pid = fork();
	if (pid == 0) {
		long r = SYS_getppid; /* which is another call there, and not on the list either */

		enter(&FILTER_TABLE(rules), 1);
		__asm__ volatile("int $0x80" : "+a"(r)::"memory", "r8", "r9", "r10", "r11");
		syscall(SYS_exit_group, 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	/* Without such a table at all there is a SIGSEGV. */
	ck_assert(WIFSIGNALED(status));
}
END_TEST
#endif

START_TEST(an_argument_is_compared_as_the_int_that_it_is)
{
	static const struct filter_rule rules[] = {OF_CHILD,
		{SCMP_SYS(socket), "", FILTER_INT_IS(0, AF_UNIX), 0},
		{SCMP_SYS(close), "", FILTER_INT_IS(0, -1), 0}};

	ck_assert_int_eq(TRY(rules, SYS_socket, AF_UNIX, SOCK_STREAM, 0), 0);
	ck_assert_int_eq(TRY(rules, SYS_socket, 1L << 32 | AF_UNIX, SOCK_STREAM, 0), 0);
	ck_assert_int_eq(TRY(rules, SYS_socket, AF_INET, SOCK_STREAM, 0), KILLED);
	ck_assert_int_eq(TRY(rules, SYS_socket, AF_UNIX | 0x100, SOCK_STREAM, 0), KILLED);
	ck_assert_int_eq(TRY(rules, SYS_close, -1), EBADF);
	ck_assert_int_eq(TRY(rules, SYS_close, 0xffffffffL), EBADF);
	ck_assert_int_eq(TRY(rules, SYS_close, 0), KILLED);
}
END_TEST

START_TEST(a_forbidden_bit_is_forbidden_whatever_else_is_set)
{
	static const struct filter_rule rules[] = {
		OF_CHILD, {SCMP_SYS(mmap), "", FILTER_WITHOUT(2, PROT_EXEC), 0}};
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;

	ck_assert_int_eq(TRY(rules, SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, flags, -1, 0), 0);
	ck_assert_int_eq(TRY(rules, SYS_mmap, 0, 4096, PROT_NONE, flags, -1, 0), 0);
	for (int prot = 0; prot < 4; prot++)
		ck_assert_int_eq(TRY(rules, SYS_mmap, 0, 4096, prot | PROT_EXEC, flags, -1, 0),
			KILLED);
}
END_TEST

START_TEST(two_arguments_of_one_row_have_to_fit_both)
{
	static const struct filter_rule rules[] = {OF_CHILD,
		{SCMP_SYS(dup), "", FILTER_INT_IS(0, -1), 0, FILTER_INT_IS(1, 7)},
		{SCMP_SYS(dup), "", FILTER_INT_IS(0, -2), 0, FILTER_WITHOUT(1, 7)},
		{SCMP_SYS(dup), "", FILTER_INT_IS(0, -3), ELOOP, FILTER_INT_IS(1, 7)}};

	ck_assert_int_eq(TRY(rules, SYS_dup, -1, 7), EBADF);
	ck_assert_int_eq(TRY(rules, SYS_dup, -1, 8), KILLED);
	ck_assert_int_eq(TRY(rules, SYS_dup, -2, 7), KILLED);
	ck_assert_int_eq(TRY(rules, SYS_dup, -2, 8), EBADF);
	ck_assert_int_eq(TRY(rules, SYS_dup, -3, 7), ELOOP);
	ck_assert_int_eq(TRY(rules, SYS_dup, -3, 8), KILLED);
	ck_assert_int_eq(TRY(rules, SYS_dup, -4, 7), KILLED);
}
END_TEST

START_TEST(rows_of_one_call_add_up_in_any_order_and_from_any_table)
{
	static const struct filter_rule end[] = {OF_CHILD};
	static const struct filter_rule rows[] = {
		{SCMP_SYS(dup), "", FILTER_INT_IS(0, -1), 0},
		{SCMP_SYS(dup), "", FILTER_INT_IS(0, -2), 0},
		{SCMP_SYS(dup), "", {}, ELOOP},
		{SCMP_SYS(dup), "", FILTER_INT_IS(1, 7), 0},
		{SCMP_SYS(dup), "", FILTER_INT_IS(0, -1), 0},
	};
	const size_t n = ARRAY_SIZE(rows);

	for (size_t turn = 0; turn < n; turn++) {
		struct filter_table tables[1 + ARRAY_SIZE(rows)] = {FILTER_TABLE(end)};

		for (size_t i = 0; i < n; i++)
			tables[1 + i] = (struct filter_table){&rows[(turn + i) % n], 1};
		ck_assert_int_eq(try_tables(tables, 1 + n, (long[7]){SYS_dup, -1}), EBADF);
		ck_assert_int_eq(try_tables(tables, 1 + n, (long[7]){SYS_dup, -2}), EBADF);
		ck_assert_int_eq(try_tables(tables, 1 + n, (long[7]){SYS_dup, -3, 7}), EBADF);
		ck_assert_int_eq(try_tables(tables, 1 + n, (long[7]){SYS_dup, -3, 8}), ELOOP);
	}
}
END_TEST

START_TEST(a_call_that_is_allowed_by_one_row_is_refused_by_no_other)
{
	static const struct filter_rule allowed_last[] = {
		OF_CHILD, {SCMP_SYS(dup), "", {}, ELOOP}, {SCMP_SYS(dup), "", {}, 0}};
	static const struct filter_rule allowed_first[] = {
		OF_CHILD, {SCMP_SYS(dup), "", {}, 0}, {SCMP_SYS(dup), "", {}, ELOOP}};

	ck_assert_int_eq(TRY(allowed_first, SYS_dup, -1), EBADF);
	ck_assert_int_eq(TRY(allowed_last, SYS_dup, -1), EBADF);
}
END_TEST

START_TEST(of_refusals_the_first_holds_and_what_is_allowed_besides_stays)
{
	static const struct filter_rule rules[] = {OF_CHILD, {SCMP_SYS(dup), "", {}, ELOOP},
		{SCMP_SYS(dup), "", {}, ENODEV}, {SCMP_SYS(dup), "", FILTER_INT_IS(0, -1), EUCLEAN},
		{SCMP_SYS(dup), "", FILTER_INT_IS(0, -1), 0}};

	ck_assert_int_eq(TRY(rules, SYS_dup, -1), EBADF);
	ck_assert_int_eq(TRY(rules, SYS_dup, -2), ELOOP);
}
END_TEST

START_TEST(a_call_that_this_machine_does_not_have_is_passed_over)
{
	static const struct filter_rule rules[] = {OF_CHILD, {SCMP_SYS(_llseek), "", {}, 0},
		{SCMP_SYS(sigaction), "", FILTER_INT_IS(0, 1), 0}};

	ck_assert_int_eq(TRY(rules, SYS_dup, -1), KILLED);
}
END_TEST

static void *make_a_call(void *data)
{
	char byte;

	(void)!read(*(int *)data, &byte, 1); /* until the others are confined */
	syscall(SYS_getppid);
	return NULL;
}

START_TEST(threads_that_run_already_are_confined_as_well)
{
	static const struct filter_rule rules[] = {OF_CHILD, {SCMP_SYS(read), "", {}, 0},
		{SCMP_SYS(write), "", {}, 0}, {SCMP_SYS(futex), "", {}, 0}};
	int status, go[2];
	pthread_t thread;
	pid_t pid;

	ck_assert_int_eq(pipe2(go, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		if (pthread_create(&thread, NULL, make_a_call, &go[0]))
			abort();
		enter(&FILTER_TABLE(rules), 1);
		(void)!write(go[1], "", 1);
		pthread_join(thread, NULL);
		syscall(SYS_exit_group, 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGSYS);
	close(go[0]);
	close(go[1]);
}
END_TEST

START_TEST(without_no_new_privs_and_without_rights_nothing_is_entered)
{
	static const struct filter_rule rules[] = {OF_CHILD};
	struct sock_fprog filter;
	int status;
	pid_t pid;

	ck_assert_int_eq(filter_init(&filter, &FILTER_TABLE(rules), 1), 0);
	pid = fork();
	if (pid == 0) {
		if (getuid() == 0 && setresuid(65534, 65534, 65534) < 0)
			abort();
		_exit(-filter_enter(&filter));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), EACCES);
	filter_deinit(&filter);
	ck_assert_ptr_null(filter.filter);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("filter");
	TCase *tcase = tcase_create("filter");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, what_no_table_allows_ends_the_process);
#ifdef __x86_64__
	tcase_add_test(tcase, calls_by_numbers_of_another_architecture_end_the_process);
#endif
	tcase_add_test(tcase, an_argument_is_compared_as_the_int_that_it_is);
	tcase_add_test(tcase, a_forbidden_bit_is_forbidden_whatever_else_is_set);
	tcase_add_test(tcase, two_arguments_of_one_row_have_to_fit_both);
	tcase_add_test(tcase, rows_of_one_call_add_up_in_any_order_and_from_any_table);
	tcase_add_test(tcase, a_call_that_is_allowed_by_one_row_is_refused_by_no_other);
	tcase_add_test(tcase, of_refusals_the_first_holds_and_what_is_allowed_besides_stays);
	tcase_add_test(tcase, a_call_that_this_machine_does_not_have_is_passed_over);
	tcase_add_test(tcase, threads_that_run_already_are_confined_as_well);
	tcase_add_test(tcase, without_no_new_privs_and_without_rights_nothing_is_entered);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
