// SPDX-License-Identifier: MIT
/* A policy file that changes while it is read: this program's own read() sees to that. */
#undef _FORTIFY_SOURCE /* whose headers bring another read() */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "tests/suite.h"
#include "tests/unit/policy_text.h"
#include "tests/unit/tree.h"

ssize_t __read_chk(int fd, void *buffer, size_t n, size_t size); /* what it calls */

static char folder[512], file[512];
static bool meddle;

/* Other bytes, but as many, and as old as before. */
static void change(void)
{
	_cleanup_(fd_closep) int fd = open(file, O_WRONLY | O_CLOEXEC);
	struct stat before;
	struct timespec times[2];

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &before), 0);
	ck_assert_int_eq(pwrite(fd, "{\"version\": 2", 13, 0), 13);
	times[0] = before.st_atim;
	times[1] = before.st_mtim;
	ck_assert_int_eq(futimens(fd, times), 0);
}

ssize_t read(int fd, void *buffer, size_t size)
{
	const ssize_t n = syscall(SYS_read, fd, buffer, size);

	if (meddle) {
		meddle = false;
		change();
	}
	return n;
}

ssize_t __read_chk(int fd, void *buffer, size_t n, size_t size)
{
	(void)size;
	return read(fd, buffer, n);
}

static void set_up(void)
{
	tree_start();
	tree_write("1.json", POLICY(""));
	snprintf(file, sizeof(file), "%s", tree_path("1.json"));
	snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(file, '/') - file), file);
}

/* The kernel's clock for files ticks: let what comes be later than what was. */
static void let_a_tick_pass(void)
{
	struct stat before, now;

	ck_assert_int_eq(stat(file, &before), 0);
	do {
		ck_assert_int_eq(chmod(folder, 0700), 0);
		ck_assert_int_eq(stat(folder, &now), 0);
	} while (now.st_ctim.tv_sec == before.st_ctim.tv_sec &&
		 now.st_ctim.tv_nsec == before.st_ctim.tv_nsec);
}

START_TEST(a_file_that_changes_while_it_is_read_is_refused_even_if_it_looks_as_old)
{
	const char *const dirs[] = {folder};
	struct policy *policy = NULL;
	struct policy_note error;

	let_a_tick_pass();
	meddle = true;
	ck_assert_int_eq(policy_load(&policy, dirs, 1, &error, NULL, NULL), -EINVAL);
	ck_assert(!meddle);
	ck_assert_ptr_null(policy);
	ck_assert_str_eq(error.file, file);
	ck_assert_str_eq(error.text, "it changed while it was read");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy change");
	TCase *tcase = tcase_create("change");

	tcase_add_checked_fixture(tcase, set_up, tree_stop);
	tcase_add_test(tcase,
		a_file_that_changes_while_it_is_read_is_refused_even_if_it_looks_as_old);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
