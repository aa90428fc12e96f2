// SPDX-License-Identifier: MIT
/* What can be done with a file of the host's that is open: numbers, reading, writing, limits. */
#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "tests/suite.h"
#include "tests/unit/files_rig.h"

/* Numbers. */

START_TEST(no_more_files_are_open_than_policy_says_and_folders_count)
{
	for (int i = 1; i < FILES; i++)
		ck_assert_int_eq(open_file("data", FILES_READ), i);
	ck_assert_int_eq(open_folder("sub"), FILES);
	ck_assert_int_eq(open_file("data", FILES_READ), -EMFILE);
	ck_assert_int_eq(open_folder("sub"), -EMFILE);
	ck_assert_int_eq(open_file("new", FILES_WRITE), -EMFILE);
	ck_assert_int_eq(open_file("old", FILES_WRITE), -EMFILE);
	ck_assert(!tree_has("write/new"));
	ck_assert_str_eq(tree_read("write/old"), "old");
	ck_assert_int_eq(files_close(files, 2), 0);
	ck_assert_int_eq(open_file("data", FILES_READ), 2);
	ck_assert_int_eq(files_close_folder(files, FILES), 0);
	ck_assert_int_eq(open_folder("sub"), FILES);
}
END_TEST

START_TEST(what_failed_to_open_takes_no_place)
{
	for (int i = 0; i < 3 * FILES; i++) {
		ck_assert_int_eq(open_file("nothing", FILES_READ), -ENOENT);
		ck_assert_int_eq(open_folder("nothing"), -ENOENT);
		ck_assert_int_eq(open_file("/etc/passwd", FILES_READ), -EACCES);
	}
	ck_assert_int_eq(open_file("data", FILES_READ), 1);
}
END_TEST

static void assert_bad(int number)
{
	char byte;

	ck_assert_int_eq(files_read(files, number, &byte, 1), -EBADF);
	ck_assert_int_eq(files_write(files, number, "x", 1), -EBADF);
	ck_assert_int_eq(files_seek(files, number, 0, SEEK_SET), -EBADF);
	ck_assert_int_eq(files_length(files, number), -EBADF);
	ck_assert_int_eq(files_truncate(files, number, 0), -EBADF);
	ck_assert_int_eq(files_sync(files, number), -EBADF);
	ck_assert_int_eq(files_close(files, number), -EBADF);
}

START_TEST(a_number_of_no_file_is_refused)
{
	int file = open_file("old", FILES_UPDATE), folder = open_folder("sub");
	const struct dirent *entry;

	ck_assert_int_eq(files_read_folder(files, file, &entry), -EBADF);
	ck_assert_int_eq(files_close_folder(files, file), -EBADF);
	assert_bad(folder);
	ck_assert_int_eq(files_close(files, file), 0);
	ck_assert_int_eq(files_close_folder(files, folder), 0);
	ck_assert_int_eq(files_read_folder(files, folder, &entry), -EBADF);
	ck_assert_int_eq(files_close_folder(files, folder), -EBADF);
	for (size_t i = 0; i < 6; i++)
		assert_bad((int[]){file, 0, -1, FILES, INT_MAX, INT_MIN}[i]);
	ck_assert_str_eq(tree_read("write/old"), "old");
}
END_TEST

/* Descriptors that a program would get that is started now. */
static size_t count_inherited(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFD);

		n += flags >= 0 && !(flags & FD_CLOEXEC);
	}
	return n;
}

START_TEST(no_descriptor_is_passed_on_to_a_program_that_is_started)
{
	_cleanup_(fd_closep) int own = memfd_create("own", MFD_CLOEXEC);
	size_t before = count_inherited();

	ck_assert_int_eq(files_add_file(files, "own.so", own), 0);
	ck_assert_int_gt(open_file("own.so", FILES_READ), 0);
	ck_assert_int_gt(open_file("data", FILES_READ), 0);
	ck_assert_int_gt(open_file("new", FILES_WRITE), 0);
	ck_assert_int_gt(open_folder("sub"), 0);
	ck_assert_uint_eq(count_inherited(), before);
}
END_TEST

/* Reading and writing. */

START_TEST(reading_ends_where_the_file_does)
{
	int file = open_file("data", FILES_READ);
	char text[8] = "";

	ck_assert_int_eq(files_length(files, file), 4);
	ck_assert_int_eq(files_read(files, file, text, 3), 3);
	ck_assert_str_eq(text, "dat");
	ck_assert_int_eq(files_read(files, file, text, 8), 1);
	ck_assert_int_eq(files_read(files, file, text, 8), 0);
	ck_assert_int_eq(files_read(files, file, text, 0), 0);
	ck_assert_int_eq(files_seek(files, file, -2, SEEK_END), 2);
	ck_assert_int_eq(files_read(files, file, text, 1), 1);
	ck_assert_int_eq(text[0], 't');
	ck_assert_int_eq(files_seek(files, file, -3, SEEK_CUR), 0);
	ck_assert_int_eq(files_seek(files, file, 1000, SEEK_SET), 1000);
	ck_assert_int_eq(files_read(files, file, text, 8), 0);
}
END_TEST

START_TEST(a_position_that_cannot_be_is_refused_and_changes_nothing)
{
	int file = open_file("data", FILES_READ);

	ck_assert_int_eq(files_seek(files, file, 2, SEEK_SET), 2);
	ck_assert_int_eq(files_seek(files, file, -1, SEEK_SET), -EINVAL);
	ck_assert_int_eq(files_seek(files, file, -3, SEEK_CUR), -EINVAL);
	ck_assert_int_eq(files_seek(files, file, -5, SEEK_END), -EINVAL);
	ck_assert_int_eq(files_seek(files, file, INT64_MAX, SEEK_CUR), -EINVAL);
	ck_assert_int_eq(files_seek(files, file, INT64_MIN, SEEK_END), -EINVAL);
	ck_assert_int_eq(files_seek(files, file, 0, SEEK_DATA), -EINVAL);
	ck_assert_int_eq(files_seek(files, file, 0, -1), -EINVAL);
	ck_assert_int_eq(files_seek(files, file, 0, SEEK_CUR), 2);
}
END_TEST

START_TEST(a_mode_decides_what_is_made_emptied_and_kept)
{
	int file = open_file("new", FILES_UPDATE);

	ck_assert_int_eq(file, -ENOENT);
	ck_assert_int_eq(open_file("new", FILES_READ), -ENOENT);
	ck_assert(!tree_has("write/new"));
	file = open_file("old", FILES_UPDATE);
	ck_assert_int_eq(files_write(files, file, "OL", 2), 2);
	ck_assert_str_eq(tree_read("write/old"), "OLd");
	file = open_file("old", FILES_APPEND);
	ck_assert_int_eq(files_seek(files, file, 0, SEEK_SET), 0);
	ck_assert_int_eq(files_write(files, file, "er", 2), 2);
	ck_assert_str_eq(tree_read("write/old"), "OLder");
	file = open_file("old", FILES_WRITE);
	ck_assert_str_eq(tree_read("write/old"), "");
	ck_assert_int_eq(files_write(files, file, "x", 1), 1);
	ck_assert_int_eq(files_sync(files, file), 0);
	ck_assert_int_eq(files_close(files, file), 0);
	file = open_file("sub/made", FILES_APPEND);
	ck_assert_int_eq(files_write(files, file, "y", 1), 1);
	ck_assert_str_eq(tree_read("write/sub/made"), "y");
}
END_TEST

START_TEST(a_file_is_made_where_its_folder_is_and_changed_where_it_lies)
{
	int file;

	tree_make_folder("also/only");
	tree_write("also/there", "");
	file = open_file("only/new", FILES_WRITE);
	ck_assert_int_gt(file, 0);
	ck_assert(tree_has("also/only/new"));
	file = open_file("there", FILES_APPEND);
	ck_assert_int_eq(files_write(files, file, "more", 4), 4);
	ck_assert_str_eq(tree_read("also/there"), "more");
	ck_assert(!tree_has("write/there"));
	ck_assert_int_eq(open_file("no/folder", FILES_WRITE), -ENOENT);
}
END_TEST

START_TEST(a_file_grows_no_larger_than_policy_says)
{
	static const char bytes[FILE_BYTES + 1];
	int file = open_file("new", FILES_WRITE), append;

	ck_assert_int_eq(files_write(files, file, bytes, FILE_BYTES + 1), -EFBIG);
	ck_assert_int_eq(files_length(files, file), 0);
	ck_assert_int_eq(files_write(files, file, bytes, FILE_BYTES), FILE_BYTES);
	ck_assert_int_eq(files_write(files, file, bytes, 1), -EFBIG);
	ck_assert_int_eq(files_write(files, file, bytes, 0), 0);
	ck_assert_int_eq(files_seek(files, file, -1, SEEK_END), FILE_BYTES - 1);
	ck_assert_int_eq(files_write(files, file, bytes, 2), -EFBIG);
	ck_assert_int_eq(files_seek(files, file, INT64_MAX, SEEK_SET), INT64_MAX);
	ck_assert_int_eq(files_write(files, file, bytes, 1), -EFBIG);
	ck_assert_int_eq(files_truncate(files, file, FILE_BYTES + 1), -EFBIG);
	ck_assert_int_eq(files_truncate(files, file, UINT64_MAX), -EFBIG);
	append = open_file("new", FILES_APPEND);
	ck_assert_int_eq(files_write(files, append, bytes, 1), -EFBIG);
	ck_assert_int_eq(files_length(files, file), FILE_BYTES);
	ck_assert_int_eq(files_truncate(files, file, 1), 0);
	ck_assert_int_eq(files_write(files, append, bytes, FILE_BYTES - 1), FILE_BYTES - 1);
	ck_assert_int_eq(files_truncate(files, file, FILE_BYTES), 0);
}
END_TEST

START_TEST(what_is_skipped_by_writing_beyond_the_end_is_zero)
{
	int file = open_file("old", FILES_UPDATE);
	char text[8] = "xxxxxxx";

	ck_assert_int_eq(files_seek(files, file, 2, SEEK_END), 5);
	ck_assert_int_eq(files_write(files, file, "!", 1), 1);
	ck_assert_int_eq(files_seek(files, file, 0, SEEK_SET), 0);
	ck_assert_int_eq(files_read(files, file, text, sizeof(text)), 6);
	ck_assert_mem_eq(text, "old\0\0!", 6);
}
END_TEST

/* The limit on a process's files stands for the end of a disk. */
START_TEST(what_a_full_disk_still_takes_is_kept_and_counted)
{
	const struct rlimit limit = {.rlim_cur = 10, .rlim_max = RLIM_INFINITY};
	int file = open_file("new", FILES_WRITE);
	struct rlimit before;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(files_write(files, file, "12345678", 8), 8);
	ck_assert_int_eq(files_write(files, file, "90ab", 4), 2);
	ck_assert_int_eq(files_write(files, file, "ab", 2), -EFBIG);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	ck_assert_str_eq(tree_read("write/new"), "1234567890");
	ck_assert_int_eq(files_write(files, file, "ab", 2), 2);
	ck_assert_str_eq(tree_read("write/new"), "1234567890ab");
}
END_TEST

#define APPENDS 20000

/* A domain of its own, in a thread of its own. */
static void *append_some(void *userdata)
{
	struct policy_domain domain = policy;
	struct files *own;
	int file;

	domain.file_bytes = 2 * APPENDS;
	ck_assert_int_eq(files_new(&own, &domain), 0);
	file = files_open(own, "shared", 6, FILES_APPEND);
	pthread_barrier_wait(userdata);
	for (int i = 0; i < APPENDS; i++)
		ck_assert_int_eq(files_write(own, file, "x", 1), 1);
	files_free(own);
	return NULL;
}

START_TEST(domains_that_append_to_one_file_overwrite_nothing_of_each_other)
{
	pthread_barrier_t both;
	struct stat info;
	pthread_t other;

	ck_assert_int_eq(pthread_barrier_init(&both, NULL, 2), 0);
	ck_assert_int_eq(pthread_create(&other, NULL, append_some, &both), 0);
	append_some(&both);
	ck_assert_int_eq(pthread_join(other, NULL), 0);
	pthread_barrier_destroy(&both);
	ck_assert_int_eq(stat_of("shared", &info), 0);
	ck_assert_int_eq(info.st_size, 2 * APPENDS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fastrpc_files_data");
	TCase *tcase = tcase_create("data");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, no_more_files_are_open_than_policy_says_and_folders_count);
	tcase_add_test(tcase, what_failed_to_open_takes_no_place);
	tcase_add_test(tcase, a_number_of_no_file_is_refused);
	tcase_add_test(tcase, no_descriptor_is_passed_on_to_a_program_that_is_started);
	tcase_add_test(tcase, reading_ends_where_the_file_does);
	tcase_add_test(tcase, a_position_that_cannot_be_is_refused_and_changes_nothing);
	tcase_add_test(tcase, a_mode_decides_what_is_made_emptied_and_kept);
	tcase_add_test(tcase, a_file_is_made_where_its_folder_is_and_changed_where_it_lies);
	tcase_add_test(tcase, a_file_grows_no_larger_than_policy_says);
	tcase_add_test(tcase, what_is_skipped_by_writing_beyond_the_end_is_zero);
	tcase_add_test(tcase, what_a_full_disk_still_takes_is_kept_and_counted);
	tcase_add_test(tcase, domains_that_append_to_one_file_overwrite_nothing_of_each_other);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
