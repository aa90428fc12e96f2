// SPDX-License-Identifier: MIT
/* What apps_std gives a DSP that asks properly: exact bytes, and what happens to the files. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/suite.h"
#include "tests/unit/std_rig.h"

/* Bytes of readdir's answer: the inode's number, the name, and whether there was none. */
#define ENTRY_NAME   4
#define ENTRY_NO_END 260

/* Files. */

START_TEST(a_file_is_opened_read_to_its_end_and_closed)
{
	uint32_t file = opened("data", "rb");

	ck_assert_uint_eq(file, 1);
	ck_assert_uint_eq(on_file_out(10, file, 8), 0);
	ck_assert_uint_eq(out_wide(0), 9);
	ck_assert_uint_eq(fread_as(file, 4), 0);
	ck_assert_mem_eq(call.out[0].data, ((uint32_t[]){4, 0}), 8);
	ck_assert_mem_eq(call.out[1].data, "some", 4);
	ck_assert_uint_eq(on_file_out(12, file, 4), 0);
	ck_assert_uint_eq(out_word(0), 0);
	ck_assert_uint_eq(fread_as(file, 5), 0);
	ck_assert_mem_eq(call.out[0].data, ((uint32_t[]){5, 0}), 8);
	ck_assert_uint_eq(on_file_out(12, file, 4), 0);
	ck_assert_uint_eq(out_word(0), 1);
	ck_assert_uint_eq(fread_as(file, 5), 0);
	ck_assert_mem_eq(call.out[0].data, ((uint32_t[]){0, 1}), 8);
	ck_assert_mem_eq(call.out[1].data, "\0\0\0\0\0", 5);
	ck_assert_uint_eq(on_file(3, file), 0);
	ck_assert_uint_eq(on_file(3, file), EBADF);
	ck_assert_uint_eq(fread_as(file, 1), EBADF);
}
END_TEST

START_TEST(a_file_is_written_and_its_position_moved)
{
	uint32_t file = opened("new", "w+");

	ck_assert_uint_eq(fwrite_as(file, "12345"), 0);
	ck_assert_mem_eq(call.out[0].data, ((uint32_t[]){5, 0}), 8);
	ck_assert_uint_eq(on_file(2, file), 0);
	ck_assert_uint_eq(on_file(23, file), 0);
	ck_assert_str_eq(tree_read("write/new"), "12345");
	ck_assert_uint_eq(fseek_as(file, -2, 2), 0);
	ck_assert_uint_eq(on_file_out(8, file, 4), 0);
	ck_assert_uint_eq(out_word(0), 3);
	ck_assert_uint_eq(fseek_as(file, -1, 1), 0);
	ck_assert_uint_eq(fwrite_as(file, "x"), 0);
	ck_assert_uint_eq(fseek_as(file, 1, 0), 0);
	ck_assert_uint_eq(fwrite_as(file, "y"), 0);
	ck_assert_str_eq(tree_read("write/new"), "1yx45");
	ck_assert_uint_eq(on_file(11, file), 0);
	ck_assert_uint_eq(fread_as(file, 2), 0);
	ck_assert_mem_eq(call.out[1].data, "1y", 2);
	begin(32);
	word(file);
	word(3);
	ck_assert_uint_eq(serve(), 0);
	ck_assert_str_eq(tree_read("write/new"), "1yx");
}
END_TEST

START_TEST(what_a_file_cannot_do_is_an_error_and_changes_nothing)
{
	uint32_t file = opened("old", "r+"), reading = opened("data", "r");

	ck_assert_uint_eq(fseek_as(file, -1, 0), EINVAL);
	ck_assert_uint_eq(fseek_as(file, 0, 3), EINVAL);
	ck_assert_uint_eq(fseek_as(file, 0, UINT32_MAX), EINVAL);
	ck_assert_uint_eq(fseek_as(file, INT32_MAX, 0), 0);
	ck_assert_uint_eq(fwrite_as(file, "x"), EFBIG);
	ck_assert_mem_eq(call.out[0].data, ((uint32_t[]){0, 0}), 8);
	ck_assert_uint_eq(fseek_as(file, 1, 1), 0);
	ck_assert_uint_eq(on_file_out(8, file, 4), EOVERFLOW);
	ck_assert_uint_eq(fwrite_as(reading, "x"), EACCES);
	for (size_t i = 0; i < 2; i++) {
		begin(32);
		word(file);
		word((uint32_t[]){UINT32_MAX, FILE_BYTES + 1}[i]);
		ck_assert_uint_eq(serve(), i == 0 ? EINVAL : EFBIG);
	}
	ck_assert_str_eq(tree_read("write/old"), "old");
}
END_TEST

START_TEST(a_number_that_is_no_file_is_an_error_for_every_method)
{
	static const uint32_t on_files[] = {2, 3, 11, 23}, with_out[] = {8, 10, 12};
	static const uint32_t numbers[] = {0, 2, FILES, INT32_MAX, 0x80000000, UINT32_MAX};

	opened("data", "r");
	for (size_t n = 0; n < ARRAY_SIZE(numbers); n++) {
		for (size_t i = 0; i < ARRAY_SIZE(on_files); i++)
			ck_assert_uint_eq(on_file(on_files[i], numbers[n]), EBADF);
		for (size_t i = 0; i < ARRAY_SIZE(with_out); i++)
			ck_assert_uint_eq(on_file_out(with_out[i], numbers[n], 8), EBADF);
		ck_assert_uint_eq(fread_as(numbers[n], 1), EBADF);
		ck_assert_uint_eq(fwrite_as(numbers[n], "x"), EBADF);
		ck_assert_uint_eq(fseek_as(numbers[n], 0, 0), EBADF);
	}
}
END_TEST

START_TEST(modes_are_those_of_fopen)
{
	static const char *const good[] = {
		"r", "rb", "r+", "rb+", "r+b", "w", "wb", "w+", "a", "a+"};
	static const char *const bad[] = {"", "x", "R", "rw", "wx", "rbe", "+", " r", "r,ccs=x"};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		ck_assert_uint_eq(on_file(3, opened("old", good[i])), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_uint_eq(fopen_as("old", bad[i]), EINVAL);
		ck_assert_uint_eq(out_word(0), 0);
	}
	ck_assert_uint_eq(fopen_as("new", "r+"), ENOENT);
	ck_assert(!tree_has("write/new"));
}
END_TEST

static uint32_t fopen_with_env(const char *variable, const char *name)
{
	begin(19);
	string(variable);
	string(";");
	string(name);
	string("r");
	output(4);
	return serve();
}

START_TEST(a_library_is_found_among_the_modules_first_whatever_the_variable)
{
	static const struct {
		const char *variable, *name, *text;
	} libraries[] = {
		{"ADSP_LIBRARY_PATH", "lib.so", "module"},
		{"ADSP_LIBRARY_PATH", "./lib.so", "module"},
		{"HOME", "lib.so", "module"},
		{"", "lib.so", "module"},
		{"ADSP_LIBRARY_PATH", "./libown.so", "own"},
		{"ADSP_LIBRARY_PATH", "data", "some data"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(libraries); i++) {
		size_t size = strlen(libraries[i].text);

		ck_assert_uint_eq(fopen_with_env(libraries[i].variable, libraries[i].name), 0);
		ck_assert_uint_eq(fread_as(out_word(0), 64), 0);
		ck_assert_mem_eq(call.out[0].data, ((uint32_t[]){(uint32_t)size, 1}), 8);
		ck_assert_mem_eq(call.out[1].data, libraries[i].text, size);
	}
	ck_assert_uint_eq(fopen_with_env("HOME", "nothing.so"), ENOENT);
	ck_assert_uint_eq(fopen_with_env("ADSP_LIBRARY_PATH", "../secret"), EACCES);
	ck_assert_uint_eq(fopen_with_env("ADSP_LIBRARY_PATH", tree_path("secret")), EACCES);
}
END_TEST

/* Names. */

static bool exists(const char *name)
{
	begin(22);
	string(name);
	output(1);
	ck_assert_uint_eq(serve(), 0);
	ck_assert_uint_le(call.out[0].data[0], 1);
	return call.out[0].data[0];
}

START_TEST(only_what_may_be_opened_exists)
{
	ck_assert(exists("data") && exists("libown.so") && exists(tree_path("write/old")));
	ck_assert(!exists("nothing") && !exists("") && !exists("../secret"));
	ck_assert(!exists(tree_path("secret")) && !exists("/etc/passwd"));
}
END_TEST

START_TEST(stat_tells_what_the_file_system_does)
{
	struct stat info;

	begin(31);
	string("data");
	output(96);
	ck_assert_uint_eq(serve(), 0);
	ck_assert_int_eq(stat(tree_path("read/data"), &info), 0);
	ck_assert_uint_eq(out_wide(0), 0);
	ck_assert_uint_eq(out_wide(2), info.st_dev);
	ck_assert_uint_eq(out_wide(4), info.st_ino);
	ck_assert_uint_eq(out_word(6), info.st_mode);
	ck_assert_uint_eq(out_word(7), info.st_nlink);
	ck_assert_uint_eq(out_wide(8), info.st_rdev);
	ck_assert_uint_eq(out_wide(10), 9);
	ck_assert_uint_eq(out_wide(16), (uint64_t)info.st_mtim.tv_sec);
	ck_assert_uint_eq(out_wide(18), (uint64_t)info.st_mtim.tv_nsec);
	ck_assert_uint_eq(out_wide(20), (uint64_t)info.st_ctim.tv_sec);
	ck_assert_uint_eq(out_wide(22), (uint64_t)info.st_ctim.tv_nsec);
	begin(31);
	string("/etc/passwd");
	output(96);
	ck_assert_uint_eq(serve(), EACCES);
	for (unsigned int i = 0; i < 24; i++)
		ck_assert_uint_eq(out_word(i), 0);
}
END_TEST

static uint32_t mkdir_as(const char *name, uint32_t mode)
{
	begin(29);
	string(name);
	word(mode);
	return serve();
}

static uint32_t frename_as(const char *from, const char *to)
{
	begin(33);
	string(from);
	string(to);
	return serve();
}

START_TEST(names_are_made_changed_and_removed_where_policy_lets_them)
{
	struct stat info;

	ck_assert_uint_eq(mkdir_as("made", 07777), 0);
	ck_assert_int_eq(stat(tree_path("write/made"), &info), 0);
	ck_assert_uint_eq(info.st_mode & 07777, 0700);
	ck_assert_uint_eq(frename_as("old", "made/new"), 0);
	ck_assert_str_eq(tree_read("write/made/new"), "old");
	ck_assert_uint_eq(on_name(30, "made"), ENOTEMPTY);
	ck_assert_uint_eq(on_name(24, "made/new"), 0);
	ck_assert_uint_eq(on_name(24, "made"), EISDIR);
	ck_assert_uint_eq(on_name(30, "made"), 0);
	ck_assert(!tree_has("write/made"));
	ck_assert_uint_eq(on_name(24, tree_path("read/data")), EACCES);
	ck_assert_uint_eq(mkdir_as(tree_path("read/made"), 0), EACCES);
	ck_assert_uint_eq(on_name(30, tree_path("write")), EACCES);
	opened("old", "w");
	ck_assert_uint_eq(frename_as("old", tree_path("read/new")), EXDEV);
	ck_assert(tree_has("read/data") && tree_has("write/old"));
}
END_TEST

/* Folders. */

static uint32_t on_folder(uint32_t number, uint64_t folder)
{
	begin(number);
	word((uint32_t)folder);
	word((uint32_t)(folder >> 32));
	if (number == 28)
		output(264);
	return serve();
}

START_TEST(a_folder_is_read_entry_by_entry)
{
	char longest[256] = "write/";
	unsigned int found = 0, others = 0;
	uint64_t folder;

	memset(longest + 6, 'l', 249); /* as long as there is room for it: see below */
	tree_write(longest, "");
	begin(26);
	string(tree_path("write"));
	output(8);
	ck_assert_uint_eq(serve(), 0);
	folder = out_wide(0);
	ck_assert_uint_eq(folder, 1);
	while (on_folder(28, folder) == 0 && !out_word(ENTRY_NO_END / 4)) {
		const char *name = (const char *)call.out[0].data + ENTRY_NAME;

		ck_assert_uint_ne(out_word(0), 0);
		found += strcmp(name, "old") == 0 || strcmp(name, longest + 6) == 0;
		others += name[0] != '.';
	}
	ck_assert_uint_eq(found, 2);
	ck_assert_uint_eq(others, 2);
	ck_assert_uint_eq(out_word(ENTRY_NO_END / 4), 1);
	ck_assert_uint_eq(out_word(0), 0);
	ck_assert_uint_eq(on_folder(27, folder), 0);
	ck_assert_uint_eq(on_folder(27, folder), EBADF);
	ck_assert_uint_eq(on_folder(28, folder), EBADF);
}
END_TEST

START_TEST(a_name_that_a_dsp_has_no_room_for_is_passed_over)
{
	char name[256] = "";
	_cleanup_(fd_closep) int dir = open(tree_path("write"), O_PATH | O_CLOEXEC);
	unsigned int n = 0;

	memset(name, 'l', 255);
	close(openat(dir, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	ck_assert_int_eq(faccessat(dir, name, F_OK, 0), 0);
	begin(26);
	string(tree_path("write"));
	output(8);
	ck_assert_uint_eq(serve(), 0);
	while (on_folder(28, 1) == 0 && !out_word(ENTRY_NO_END / 4))
		n += call.out[0].data[ENTRY_NAME] != '.';
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(out_word(ENTRY_NO_END / 4), 1);
}
END_TEST

START_TEST(a_number_that_is_no_folder_is_an_error)
{
	uint32_t file = opened("data", "r");

	ck_assert_uint_eq(on_folder(28, file), EBADF);
	begin(26);
	string(tree_path("read"));
	output(8);
	ck_assert_uint_eq(serve(), 0);
	ck_assert_uint_eq(on_folder(28, out_wide(0) | 1ull << 32), EBADF);
	ck_assert_uint_eq(on_folder(27, UINT64_MAX), EBADF);
	ck_assert_uint_eq(on_folder(27, 0), EBADF);
	begin(26);
	string("../read");
	output(8);
	ck_assert_uint_eq(serve(), EACCES);
	ck_assert_uint_eq(out_wide(0), 0);
}
END_TEST

/* Environment. */

static uint32_t getenv_as(const char *name, uint32_t size)
{
	begin(16);
	string(name);
	word(size);
	output(4);
	output(size);
	return serve();
}

START_TEST(nothing_is_set_but_an_empty_path)
{
	ck_assert_int_eq(setenv("SECRET", "x", 1), 0);
	ck_assert_uint_eq(getenv_as("SECRET", 64), AEE_ENOSUCH);
	ck_assert_uint_eq(getenv_as("PATH", 64), AEE_ENOSUCH);
	ck_assert_uint_eq(getenv_as("", 64), AEE_ENOSUCH);
	ck_assert_uint_eq(getenv_as("ADSP_LIBRARY_PATHS", 64), AEE_ENOSUCH);
	for (uint32_t size = 0; size < 3; size++) {
		ck_assert_uint_eq(getenv_as("ADSP_LIBRARY_PATH", size), 0);
		ck_assert_uint_eq(out_word(0), 1);
		ck_assert(size == 0 || call.out[1].data[0] == '\0');
	}
}
END_TEST

START_TEST(search_paths_are_none)
{
	begin(21);
	string("ADSP_LIBRARY_PATH");
	string(";");
	word(0);
	input("", 0);
	output(6);
	ck_assert_uint_eq(serve(), 0);
	ck_assert_mem_eq(call.out[0].data, "\0\0\0\0\0\0", 6);
}
END_TEST

/* What is logged while @number is served with that one string. */
static const char *logged(uint32_t number, const char *text, uint32_t expected)
{
	_cleanup_(fd_closep) int log = open(tree_path("log"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	_cleanup_(fd_closep) int before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	uint32_t r;

	ck_assert_int_eq(dup2(log, STDERR_FILENO), STDERR_FILENO);
	r = on_name(number, text);
	ck_assert_int_eq(dup2(before, STDERR_FILENO), STDERR_FILENO);
	ck_assert_uint_eq(r, expected);
	return tree_read("log");
}

START_TEST(a_string_that_is_printed_is_a_line_of_the_log)
{
	const char *text = logged(15, "hello\n\x1b[31mworld\n", 0);

	ck_assert_ptr_nonnull(strstr(text, "cdsp"));
	ck_assert_ptr_nonnull(strstr(text, "uid 1000"));
	ck_assert_ptr_nonnull(strstr(text, "hello"));
	ck_assert_ptr_nonnull(strstr(text, "world"));
	ck_assert_ptr_null(strchr(text, '\x1b'));
}
END_TEST

START_TEST(a_name_to_which_there_is_no_right_is_told_to_the_administrator)
{
	const char *text = logged(24, "/etc/passwd", EACCES);

	ck_assert_ptr_nonnull(strstr(text, "uid 1000"));
	ck_assert_ptr_nonnull(strstr(text, "no right to /etc/passwd\n"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fastrpc_std");
	TCase *tcase = tcase_create("std");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_file_is_opened_read_to_its_end_and_closed);
	tcase_add_test(tcase, a_file_is_written_and_its_position_moved);
	tcase_add_test(tcase, what_a_file_cannot_do_is_an_error_and_changes_nothing);
	tcase_add_test(tcase, a_number_that_is_no_file_is_an_error_for_every_method);
	tcase_add_test(tcase, modes_are_those_of_fopen);
	tcase_add_test(tcase, a_library_is_found_among_the_modules_first_whatever_the_variable);
	tcase_add_test(tcase, only_what_may_be_opened_exists);
	tcase_add_test(tcase, stat_tells_what_the_file_system_does);
	tcase_add_test(tcase, names_are_made_changed_and_removed_where_policy_lets_them);
	tcase_add_test(tcase, a_folder_is_read_entry_by_entry);
	tcase_add_test(tcase, a_name_that_a_dsp_has_no_room_for_is_passed_over);
	tcase_add_test(tcase, a_number_that_is_no_folder_is_an_error);
	tcase_add_test(tcase, nothing_is_set_but_an_empty_path);
	tcase_add_test(tcase, search_paths_are_none);
	tcase_add_test(tcase, a_string_that_is_printed_is_a_line_of_the_log);
	tcase_add_test(tcase, a_name_to_which_there_is_no_right_is_told_to_the_administrator);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
