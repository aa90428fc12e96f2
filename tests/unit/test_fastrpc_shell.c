// SPDX-License-Identifier: MIT
/* The file that a protection domain starts from: where it is found, and what it must not be. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/transport/fastrpc/shell.h"
#include "tests/fds.h"
#include "tests/suite.h"
#include "tests/unit/machine.h"

static struct machine machine;
static struct path first, second;
static struct policy_dir dirs[2];
static struct shell shell;
static char text[512];
static size_t fds_before;

static void set_up(void)
{
	machine_start(&machine);
	machine_make_folder(&machine, "first");
	machine_make_folder(&machine, "second");
	first = machine_path(&machine, "first");
	second = machine_path(&machine, "second");
	dirs[0] = (struct policy_dir){.path = first.text};
	dirs[1] = (struct policy_dir){.path = second.text};
	*text = '\0';
	fds_before = count_fds(getpid());
}

static void tear_down(void)
{
	shell_close(&shell);
	ck_assert_uint_eq(count_fds(getpid()), fds_before);
	machine_stop(&machine);
}

static int open_unsigned(void)
{
	return shell_open(&shell, dirs, ARRAY_SIZE(dirs), 3, false, text, sizeof(text));
}

static void require_text(const char *expected)
{
	ck_assert_msg(strstr(text, expected), "\"%s\" does not say: %s", text, expected);
}

static void make_file(const char *path, off_t size)
{
	machine_write(&machine, path, "");
	ck_assert_int_eq(truncate(machine_path(&machine, path).text, size), 0);
}

START_TEST(it_is_named_after_the_dsp_and_after_whose_modules_it_runs)
{
	machine_write(&machine, "first/fastrpc_shell_unsigned_3", "unsigned");
	machine_write(&machine, "first/fastrpc_shell_0", "signed, of another");
	ck_assert_int_eq(open_unsigned(), 0);
	ck_assert_uint_eq(shell.size, strlen("unsigned"));
	ck_assert_mem_eq(shell.data, "unsigned", shell.size);
	shell_close(&shell);
	ck_assert_uint_eq(shell.size, 0);
	ck_assert_int_eq(shell_open(&shell, dirs, 2, 0, true, text, sizeof(text)), 0);
	ck_assert_mem_eq(shell.data, "signed, of another", shell.size);
	shell_close(&shell);
	ck_assert_int_eq(shell_open(&shell, dirs, 2, 3, true, text, sizeof(text)), -ENOENT);
}
END_TEST

START_TEST(the_first_directory_that_has_it_counts)
{
	machine_write(&machine, "second/fastrpc_shell_unsigned_3", "second");
	ck_assert_int_eq(open_unsigned(), 0);
	ck_assert_mem_eq(shell.data, "second", shell.size);
	shell_close(&shell);
	machine_write(&machine, "first/fastrpc_shell_unsigned_3", "first");
	ck_assert_int_eq(open_unsigned(), 0);
	ck_assert_mem_eq(shell.data, "first", shell.size);
}
END_TEST

START_TEST(where_it_was_looked_for_is_said_when_it_is_nowhere)
{
	machine_remove(&machine, "second");
	machine_write(&machine, "second", "no directory");
	ck_assert_int_eq(open_unsigned(), -ENOENT);
	require_text("fastrpc_shell_unsigned_3");
	require_text(first.text);
	require_text(second.text);
	require_text("\"shells\"");
	ck_assert_int_eq(shell_open(&shell, NULL, 0, 3, false, text, sizeof(text)), -ENOENT);
	require_text("fastrpc_shell_unsigned_3");
	ck_assert_int_eq(shell_open(&shell, dirs, 2, 3, false, text, 10), -ENOENT);
	ck_assert_uint_eq(strlen(text), 9);
}
END_TEST

START_TEST(one_that_cannot_be_used_hides_the_next)
{
	machine_write(&machine, "second/fastrpc_shell_unsigned_3", "second");
	make_file("first/fastrpc_shell_unsigned_3", 0);
	ck_assert_int_eq(open_unsigned(), -ENODATA);
	require_text("is empty");
	ck_assert_int_eq(chmod(machine_path(&machine, "first/fastrpc_shell_unsigned_3").text, 0),
		0);
	ck_assert_int_eq(open_unsigned(), -EACCES);
	require_text(strerror(EACCES));
	require_text(first.text);
}
END_TEST

START_TEST(it_has_as_many_bytes_as_the_kernel_takes)
{
	make_file("first/fastrpc_shell_unsigned_3", SHELL_BYTES_MAX);
	ck_assert_int_eq(open_unsigned(), 0);
	ck_assert_uint_eq(shell.size, SHELL_BYTES_MAX);
	shell_close(&shell);
	make_file("first/fastrpc_shell_unsigned_3", SHELL_BYTES_MAX + 1);
	ck_assert_int_eq(open_unsigned(), -EFBIG);
	ck_assert_uint_eq(shell.size, 0);
}
END_TEST

START_TEST(what_is_no_file_does_not_keep_us_waiting)
{
	struct path path = machine_path(&machine, "first/fastrpc_shell_unsigned_3");

	ck_assert_int_eq(mkfifo(path.text, 0600), 0);
	ck_assert_int_eq(open_unsigned(), -EINVAL);
	ck_assert_int_eq(unlink(path.text), 0);
	machine_make_folder(&machine, "first/fastrpc_shell_unsigned_3");
	ck_assert_int_eq(open_unsigned(), -EINVAL);
	require_text("is not a file");
}
END_TEST

/* With a mapping of the file this would be a SIGBUS. */
START_TEST(a_file_that_shrinks_after_it_was_opened_does_no_harm)
{
	char last;

	make_file("first/fastrpc_shell_unsigned_3", 64 * 1024);
	ck_assert_int_eq(open_unsigned(), 0);
	make_file("first/fastrpc_shell_unsigned_3", 0);
	last = ((const char *)shell.data)[shell.size - 1];
	ck_assert_int_eq(last, 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("shell files of FastRPC");
	TCase *tcase = tcase_create("shell");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, it_is_named_after_the_dsp_and_after_whose_modules_it_runs);
	tcase_add_test(tcase, the_first_directory_that_has_it_counts);
	tcase_add_test(tcase, where_it_was_looked_for_is_said_when_it_is_nowhere);
	tcase_add_test(tcase, one_that_cannot_be_used_hides_the_next);
	tcase_add_test(tcase, it_has_as_many_bytes_as_the_kernel_takes);
	tcase_add_test(tcase, what_is_no_file_does_not_keep_us_waiting);
	tcase_add_test(tcase, a_file_that_shrinks_after_it_was_opened_does_no_harm);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
