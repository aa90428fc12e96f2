// SPDX-License-Identifier: MIT
/* Which of the host's files a DSP can reach, by which name, and what it may do with them. */
#include <check.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/suite.h"
#include "tests/unit/files_rig.h"

/* What can be read by that name; "" when it cannot be opened. */
static const char *text_of(const char *name)
{
	static char text[64];
	int file = open_file(name, FILES_READ);
	ssize_t n = file < 0 ? 0 : files_read(files, file, text, sizeof(text) - 1);

	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	if (file > 0)
		ck_assert_int_eq(files_close(files, file), 0);
	return text;
}

/* Whatever is tried by that name, it is refused in that way. */
static void assert_refused(const char *name, int error)
{
	struct stat info;

	for (enum files_mode mode = FILES_READ; mode <= FILES_UPDATE; mode++)
		ck_assert_msg(open_file(name, mode) == error, "%s, mode %u: %d", name, mode,
			open_file(name, mode));
	ck_assert_msg(open_folder(name) == error, "%s: %d", name, open_folder(name));
	ck_assert_msg(stat_of(name, &info) == error, "%s: %d", name, stat_of(name, &info));
	ck_assert_msg(remove_file(name) == error, "%s: %d", name, remove_file(name));
	ck_assert_msg(remove_folder(name) == error, "%s: %d", name, remove_folder(name));
	ck_assert_msg(make_folder(name) == error, "%s: %d", name, make_folder(name));
	ck_assert_msg(rename_file(name, "new") == error, "%s: %d", name, rename_file(name, "new"));
}

/* Names. */

START_TEST(a_file_beneath_a_directory_is_found_by_every_way_to_write_its_name)
{
	ck_assert_str_eq(text_of("data"), "data");
	ck_assert_str_eq(text_of("./data"), "data");
	ck_assert_str_eq(text_of("sub/deep"), "deep");
	ck_assert_str_eq(text_of("sub//./deep"), "deep");
	ck_assert_str_eq(text_of(tree_path("read/data")), "data");
	ck_assert_str_eq(text_of(tree_path("/read//sub/./deep")), "deep");
	ck_assert_str_eq(text_of(tree_path("modules/lib.so")), "module");
	ck_assert_str_eq(text_of("lib.so"), "module");
}
END_TEST

START_TEST(a_name_that_leads_upwards_is_refused_wherever_it_would_end)
{
	static const char *const names[] = {
		"..", "../secret", "sub/../data", "sub/..", "./../data", "sub/../../secret"};

	char name[512];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_refused(names[i], -EACCES);
		snprintf(name, sizeof(name), "%s/%s", dirs[i % 2].path, names[i]);
		assert_refused(name, -EACCES);
	}
	ck_assert_int_eq(rename_file("old", "../stolen"), -EACCES);
	ck_assert_int_eq(rename_file("old", "sub/../new"), -EACCES);
	ck_assert(!tree_has("stolen") && tree_has("write/old") && !tree_has("write/new"));
}
END_TEST

START_TEST(an_absolute_name_elsewhere_is_refused)
{
	char own[64];

	snprintf(own, sizeof(own), "/proc/self/fd/%d", STDERR_FILENO);
	assert_refused(own, -EACCES);
	assert_refused("/", -EACCES);
	assert_refused("/etc/passwd", -EACCES);
	assert_refused(tree_path(""), -EACCES);
	assert_refused(tree_path("secret"), -EACCES);
	/* it begins like a directory of ours */
	assert_refused(tree_path("read-more/secret"), -EACCES);
	ck_assert_str_eq(text_of(tree_path("read/data")), "data");
}
END_TEST

START_TEST(what_cannot_be_a_name_is_refused)
{
	static const char *const names[] = {"", "a\nb", "a\x7f", "\x01", "a///b", "///", "\x1b[m"};
	char name[FILES_NAME_MAX + 2];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_refused(names[i], -EINVAL);
	ck_assert_int_eq(files_open(files, "data\0", 5, FILES_READ), -EINVAL);
	ck_assert_int_eq(files_open(files, "da\0ta", 5, FILES_READ), -EINVAL);
	ck_assert_int_eq(files_open(files, NULL, 0, FILES_READ), -EINVAL);
	ck_assert_int_eq(files_rename(files, "old", 3, "n\0w", 3), -EINVAL);
	memset(name, 'n', sizeof(name));
	ck_assert_int_eq(files_open(files, name, FILES_NAME_MAX + 1, FILES_WRITE), -EINVAL);
	ck_assert_int_gt(files_open(files, name, FILES_NAME_MAX, FILES_WRITE), 0);
}
END_TEST

/* A link and what it stands for. */
static const struct {
	const char *link, *to, *name;
} links[] = {
	{"write/link", "../secret", "link"},
	{"write/link", "/etc/passwd", "link"},
	{"write/link", "/proc/self/fd/2", "link"},
	{"write/link", "old", "link"}, /* not even inside */
	{"write/link", "nowhere", "link"},
	{"write/link", "../read-more", "link/secret"},
	{"write/link", "..", "link/secret"},
	{"write/link", "/proc/self", "link/root/etc/passwd"},
	{"write/sub/link", "..", "sub/link/old"},
};

START_TEST(a_symbolic_link_is_never_followed_nor_touched)
{
	bool at_end = strcmp(links[_i].name, "link") == 0;

	tree_link(links[_i].link, links[_i].to);
	for (enum files_mode mode = FILES_READ; mode <= FILES_UPDATE; mode++)
		ck_assert_int_eq(open_file(links[_i].name, mode), -ELOOP);
	ck_assert_int_eq(stat_of(links[_i].name, &(struct stat){}), -ELOOP);
	ck_assert_int_eq(open_folder(links[_i].name), -ELOOP);
	ck_assert_int_lt(remove_folder(links[_i].name), 0);
	ck_assert_int_lt(make_folder(links[_i].name), 0);
	ck_assert_int_eq(remove_file(links[_i].name), at_end ? -EACCES : -ELOOP);
	ck_assert_int_lt(rename_file(links[_i].name, "new"), 0);
	ck_assert_int_lt(rename_file("old", links[_i].name), 0);
	ck_assert(tree_has(links[_i].link) && tree_has("secret") && tree_has("write/old"));
	ck_assert_str_eq(tree_read("read-more/secret"), "secret");
}
END_TEST

/* Policy may well name a directory with links of the kernel's in it. */
START_TEST(a_magic_link_is_never_followed)
{
	_cleanup_(fd_closep) int secret = open(tree_path("secret"), O_RDONLY | O_CLOEXEC);
	char name[32];

	ck_assert_int_ge(secret, 0);
	ck_assert_int_eq(files_add_directory(files, "/proc/self"), 0);
	snprintf(name, sizeof(name), "fd/%d", secret);
	ck_assert_int_eq(open_file(name, FILES_READ), -ELOOP);
	ck_assert_int_eq(open_file("exe", FILES_READ), -ELOOP);
	ck_assert_int_eq(open_file("root/etc/passwd", FILES_READ), -ELOOP);
	ck_assert_int_eq(open_folder("cwd"), -ELOOP);
	ck_assert_int_gt(open_file("/proc/self/maps", FILES_READ), 0);
}
END_TEST

/* Kinds of files. */

START_TEST(a_fifo_is_refused_and_blocks_nobody)
{
	ck_assert_int_eq(mkfifo(tree_path("write/fifo"), 0600), 0);
	for (enum files_mode mode = FILES_READ; mode <= FILES_UPDATE; mode++)
		ck_assert_int_eq(open_file("fifo", mode), -EACCES);
	ck_assert_int_eq(stat_of("fifo", &(struct stat){}), -EACCES);
	ck_assert_int_eq(remove_file("fifo"), -EACCES);
	ck_assert_int_eq(rename_file("fifo", "new"), -EACCES);
	ck_assert_int_eq(rename_file("old", "fifo"), -EACCES);
	ck_assert(tree_has("write/fifo"));
}
END_TEST

START_TEST(a_socket_and_a_device_are_refused)
{
	_cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(address.sun_path, tree_path("read/socket"));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_lt(open_file("socket", FILES_READ), 0);
	ck_assert_int_eq(files_add_directory(files, "/dev"), 0);
	ck_assert_int_eq(open_file("zero", FILES_READ), -EACCES);
	ck_assert_int_eq(open_file("/dev/null", FILES_READ), -EACCES);
	ck_assert_int_eq(stat_of("zero", &(struct stat){}), -EACCES);
}
END_TEST

START_TEST(a_folder_is_no_file_and_a_file_is_no_folder)
{
	for (enum files_mode mode = FILES_READ; mode <= FILES_UPDATE; mode++)
		ck_assert_int_eq(open_file(tree_path("write/sub"), mode), -EISDIR);
	ck_assert_int_eq(open_file(".", FILES_READ), -EISDIR);
	ck_assert_int_eq(open_file(tree_path("write"), FILES_WRITE), -EISDIR);
	ck_assert_int_eq(open_folder(tree_path("write/old")), -ENOTDIR);
	ck_assert_int_lt(open_file("old/below", FILES_WRITE), 0);
	ck_assert_int_eq(remove_file("sub"), -EISDIR);
	ck_assert_int_eq(remove_folder("old"), -ENOTDIR);
	ck_assert(tree_has("write/old") && tree_has("write/sub"));
}
END_TEST

/* Rights. */

START_TEST(a_directory_for_reading_is_never_changed)
{
	const char *data = tree_path("read/data"), *new = tree_path("read/new");
	int file = open_file("data", FILES_READ);

	for (enum files_mode mode = FILES_WRITE; mode <= FILES_UPDATE; mode++) {
		ck_assert_int_eq(open_file(data, mode), -EACCES);
		ck_assert_int_eq(open_file(new, mode), -EACCES);
		ck_assert_int_eq(open_file(tree_path("modules/lib.so"), mode), -EACCES);
	}
	ck_assert_int_eq(files_write(files, file, "x", 1), -EACCES);
	ck_assert_int_eq(files_truncate(files, file, 0), -EACCES);
	ck_assert_int_eq(remove_file(data), -EACCES);
	ck_assert_int_eq(rename_file(data, new), -EACCES);
	ck_assert_int_eq(make_folder(new), -EACCES);
	ck_assert_int_eq(remove_folder(tree_path("read/sub")), -EACCES);
	ck_assert_int_eq(remove_file("sub/deep"), -ENOENT); /* it is looked for elsewhere */
	ck_assert_str_eq(tree_read("read/data"), "data");
	ck_assert(!tree_has("read/new") && tree_has("read/sub"));
}
END_TEST

START_TEST(a_file_that_was_opened_for_reading_is_not_written)
{
	int file = open_file("old", FILES_READ);

	ck_assert_int_eq(files_write(files, file, "x", 1), -EACCES);
	ck_assert_int_eq(files_write(files, file, "", 0), -EACCES);
	ck_assert_int_eq(files_truncate(files, file, 0), -EACCES);
	ck_assert_str_eq(tree_read("write/old"), "old");
}
END_TEST

START_TEST(a_domain_without_directories_reaches_nothing)
{
	static const struct policy_domain bare = {.name = "bare", .files = FILES};
	struct files *nothing;

	ck_assert_int_eq(files_new(&nothing, &bare), 0);
	ck_assert_int_eq(files_open(nothing, "data", 4, FILES_READ), -ENOENT);
	ck_assert_int_eq(files_open(nothing, "data", 4, FILES_WRITE), -EACCES);
	ck_assert_int_eq(files_open(nothing, "/etc/passwd", 11, FILES_READ), -EACCES);
	ck_assert_int_eq(files_open_folder(nothing, "/", 1), -EACCES);
	ck_assert_int_eq(files_make_folder(nothing, "x", 1), -EACCES);
	nothing = files_free(nothing);
}
END_TEST

/* Changing folders. */

START_TEST(files_and_folders_are_made_renamed_and_removed_beneath_a_directory_for_writing)
{
	ck_assert_int_eq(make_folder("made"), 0);
	ck_assert(tree_has("write/made"));
	ck_assert_int_eq(make_folder("made"), -EEXIST);
	ck_assert_int_eq(rename_file("old", "made/new"), 0);
	ck_assert_str_eq(tree_read("write/made/new"), "old");
	tree_write("write/other", "other");
	ck_assert_int_eq(rename_file(tree_path("write/other"), "made/new"), 0);
	ck_assert_str_eq(tree_read("write/made/new"), "other");
	ck_assert_int_eq(remove_folder("made"), -ENOTEMPTY);
	ck_assert_int_eq(remove_file("made/new"), 0);
	ck_assert_int_eq(remove_folder(tree_path("write/made/")), 0);
	ck_assert(!tree_has("write/made"));
	ck_assert_int_eq(remove_file("old"), -ENOENT);
	ck_assert_int_eq(remove_folder("nothing"), -ENOENT);
	ck_assert_int_eq(rename_file("sub", "nowhere/sub"), -ENOENT);
}
END_TEST

START_TEST(nothing_is_renamed_from_one_directory_to_another)
{
	ck_assert_int_eq(rename_file("old", tree_path("also/new")), -EXDEV);
	ck_assert_int_eq(rename_file("old", tree_path("read/new")), -EXDEV);
	ck_assert_int_eq(rename_file("old", tree_path("stolen")), -EXDEV);
	ck_assert_int_eq(rename_file(tree_path("write/old"), tree_path("also/new")), -EXDEV);
	ck_assert_int_eq(rename_file(tree_path("secret"), "new"), -EACCES);
	ck_assert_str_eq(tree_read("write/old"), "old");
	ck_assert(!tree_has("also/new") && !tree_has("read/new") && !tree_has("stolen"));
}
END_TEST

START_TEST(a_directory_of_policy_is_itself_nobodys_to_change)
{
	const char *const names[] = {
		".", "./", "./.", tree_path("write"), tree_path("also/"), tree_path("also//.")};

	tree_remove("write/old");
	tree_remove("write/sub");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		ck_assert_int_eq(remove_folder(names[i]), -EACCES);
		ck_assert_int_eq(remove_file(names[i]), -EACCES);
		ck_assert_int_eq(make_folder(names[i]), -EACCES);
		ck_assert_int_eq(rename_file(names[i], "new"), -EACCES);
	}
	ck_assert_int_eq(make_folder("made"), 0);
	ck_assert_int_eq(rename_file("made", "."), -EACCES);
	ck_assert(tree_has("write/made") && tree_has("also"));
}
END_TEST

START_TEST(a_directory_that_was_removed_is_empty)
{
	int file = open_file("old", FILES_READ);

	tree_remove("write");
	tree_remove("also");
	tree_make_folder("write");
	tree_write("write/old", "another");
	ck_assert_int_eq(open_file("old", FILES_READ), -ENOENT);
	ck_assert_int_eq(open_file("new", FILES_WRITE), -ENOENT);
	ck_assert_int_eq(make_folder("new"), -ENOENT);
	ck_assert_int_eq(open_file(tree_path("write/old"), FILES_READ), -ENOENT);
	ck_assert_int_eq(files_length(files, file), 3);
	ck_assert_str_eq(text_of("data"), "data");
}
END_TEST

/* What the administrator named, its owner could have replaced since. */
START_TEST(a_directory_behind_a_link_is_left_out_but_modules_may_be_there)
{
	struct policy_dir dir = {.writable = true};
	const struct policy_domain domain = {.name = "d", .dirs = &dir, .n_dirs = 1, .files = 1};
	struct files *left;

	tree_link("elsewhere", "read");
	dir.path = tree_path("elsewhere");
	ck_assert_int_eq(files_new(&left, &domain), 1);
	ck_assert_int_lt(files_open(left, "data", 4, FILES_READ), 0);
	ck_assert_int_eq(files_add_directory(left, tree_path("elsewhere")), 0);
	ck_assert_int_eq(files_open(left, "data", 4, FILES_READ), 1);
	left = files_free(left);
}
END_TEST

/* A file system of somebody's might never answer. */
START_TEST(what_is_mounted_beneath_a_directory_is_out_of_reach)
{
	const struct policy_dir dir = {tree_path("write"), true};
	const struct policy_domain domain = {
		.name = "d", .dirs = &dir, .n_dirs = 1, .files = 4, .file_bytes = 100};
	struct files *mine;

	tree_make_folder("write/mounted");
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("tmpfs", tree_path("write/mounted"), "tmpfs", 0, NULL) < 0) {
		fputs("SKIPPED: only root may mount\n", stderr);
		return;
	}
	tree_write("write/mounted/file", "text");
	/* Opened where the mount is to be seen. */
	ck_assert_int_eq(files_new(&mine, &domain), 0);
	ck_assert_int_eq(files_open(mine, "mounted/file", 12, FILES_READ), -EXDEV);
	ck_assert_int_eq(files_open(mine, "mounted/new", 11, FILES_WRITE), -EXDEV);
	ck_assert_int_eq(files_remove(mine, "mounted/file", 12), -EXDEV);
	ck_assert_int_eq(files_open_folder(mine, "mounted", 7), -EXDEV);
	mine = files_free(mine);
	ck_assert_int_eq(umount(tree_path("write/mounted")), 0);
}
END_TEST

START_TEST(a_directory_that_cannot_be_opened_is_left_out)
{
	const struct policy_dir some[] = {{tree_path("nothing"), true}, {"relative", true},
		{tree_path("secret"), true}, {tree_path("read/../write"), true},
		{tree_path("read"), false}};
	const struct policy_domain domain = {
		.name = "some", .dirs = some, .n_dirs = ARRAY_SIZE(some), .files = 1};
	struct files *left;

	ck_assert_int_eq(files_new(&left, &domain), 4);
	ck_assert_int_eq(files_open(left, "new", 3, FILES_WRITE), -EACCES);
	ck_assert_int_eq(files_open(left, "data", 4, FILES_READ), 1);
	left = files_free(left);
	ck_assert_int_eq(files_add_directory(files, tree_path("nothing")), -ENOENT);
	ck_assert_int_eq(files_add_directory(files, "relative"), -EINVAL);
	ck_assert_int_eq(files_add_directory(files, ""), -EINVAL);
}
END_TEST

/* Looking. */

START_TEST(a_folder_is_listed_to_its_end)
{
	/* by an absolute name; the first directory of all; below one */
	int folder = open_folder(_i == 0 ? tree_path("read") : _i == 1 ? "./" : "sub");
	const char *expected = _i == 0 ? "data" : _i == 1 ? "lib.so" : "deep";
	const struct dirent *entry;
	bool found = false;
	int n = 0;

	ck_assert_int_gt(folder, 0);
	while (files_read_folder(files, folder, &entry) == 0 && entry) {
		found = found || strcmp(entry->d_name, expected) == 0;
		n += entry->d_name[0] != '.';
	}
	ck_assert_int_eq(files_read_folder(files, folder, &entry), 0);
	ck_assert(found && !entry);
	ck_assert_int_eq(n, _i == 0 ? 2 : 1);
	ck_assert_int_eq(files_close_folder(files, folder), 0);
}
END_TEST

START_TEST(what_a_name_stands_for_is_told)
{
	struct stat info;

	ck_assert_int_eq(stat_of("data", &info), 0);
	ck_assert(S_ISREG(info.st_mode) && info.st_size == 4);
	ck_assert_int_eq(stat_of("sub", &info), 0);
	ck_assert(S_ISDIR(info.st_mode));
	ck_assert_int_eq(stat_of(tree_path("read"), &info), 0);
	ck_assert(S_ISDIR(info.st_mode));
	ck_assert_int_eq(stat_of("nothing", &info), -ENOENT);
}
END_TEST

/* Files that lie nowhere. */

static int add_memory(const char *name, const char *text)
{
	_cleanup_(fd_closep) int fd = memfd_create("module", MFD_CLOEXEC);

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return files_add_file(files, name, fd);
}

START_TEST(a_file_that_was_added_is_found_before_all_others)
{
	struct stat info;
	char text[8] = "";
	int file, other;

	ck_assert_int_eq(add_memory("lib.so", "own"), 0);
	ck_assert_str_eq(text_of("lib.so"), "own");
	ck_assert_str_eq(text_of("./lib.so"), "own");
	ck_assert_str_eq(text_of("/usr/lib/dsp/lib.so"), "own");
	ck_assert_str_eq(text_of("llib.so"), "");
	ck_assert_int_eq(open_file("../lib.so", FILES_READ), -EACCES);
	ck_assert_int_eq(stat_of("lib.so", &info), 0);
	ck_assert_int_eq(info.st_size, 3);
	for (enum files_mode mode = FILES_WRITE; mode <= FILES_UPDATE; mode++)
		ck_assert_int_eq(open_file("lib.so", mode), -EACCES);
	file = open_file("lib.so", FILES_READ);
	other = open_file("lib.so", FILES_READ);
	ck_assert_int_eq(files_read(files, file, text, 2), 2);
	ck_assert_int_eq(files_read(files, other, text, 1), 1);
	ck_assert_int_eq(files_read(files, file, text, 2), 1);
	ck_assert_int_eq(text[0], 'n');
}
END_TEST

START_TEST(only_an_ordinary_file_with_a_plain_name_can_be_added)
{
	_cleanup_(fd_closep) int folder = open(tree_path(""), O_RDONLY | O_CLOEXEC);
	_cleanup_(fd_closep) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(files_add_file(files, "x", folder), -EISDIR);
	ck_assert_int_eq(files_add_file(files, "x", null), -EACCES);
	ck_assert_int_eq(files_add_file(files, "x", -1), -EBADF);
	ck_assert_int_eq(add_memory("", ""), -EINVAL);
	ck_assert_int_eq(add_memory(".", ""), -EINVAL);
	ck_assert_int_eq(add_memory("..", ""), -EACCES);
	ck_assert_int_eq(add_memory("a/b", ""), -EINVAL);
	ck_assert_int_eq(add_memory("/b", ""), -EINVAL);
	ck_assert_int_eq(open_file("x", FILES_READ), -ENOENT);
}
END_TEST

START_TEST(directories_that_were_added_come_first_in_their_order)
{
	tree_make_folder("second");
	tree_write("second/lib.so", "second");
	tree_write("second/data", "added");
	ck_assert_int_eq(files_add_directory(files, tree_path("second")), 0);
	ck_assert_str_eq(text_of("lib.so"), "module");
	ck_assert_str_eq(text_of("data"), "added");
	ck_assert_int_eq(open_file(tree_path("second/new"), FILES_WRITE), -EACCES);
}
END_TEST

static void add_name_tests(TCase *tcase)
{
	tcase_add_test(tcase, a_file_beneath_a_directory_is_found_by_every_way_to_write_its_name);
	tcase_add_test(tcase, a_name_that_leads_upwards_is_refused_wherever_it_would_end);
	tcase_add_test(tcase, an_absolute_name_elsewhere_is_refused);
	tcase_add_test(tcase, what_cannot_be_a_name_is_refused);
	tcase_add_loop_test(tcase, a_symbolic_link_is_never_followed_nor_touched, 0,
		ARRAY_SIZE(links));
	tcase_add_test(tcase, a_magic_link_is_never_followed);
	tcase_add_test(tcase, a_fifo_is_refused_and_blocks_nobody);
	tcase_add_test(tcase, a_socket_and_a_device_are_refused);
	tcase_add_test(tcase, a_folder_is_no_file_and_a_file_is_no_folder);
}

static void add_right_tests(TCase *tcase)
{
	tcase_add_test(tcase, a_directory_for_reading_is_never_changed);
	tcase_add_test(tcase, a_file_that_was_opened_for_reading_is_not_written);
	tcase_add_test(tcase, a_domain_without_directories_reaches_nothing);
	tcase_add_test(tcase,
		files_and_folders_are_made_renamed_and_removed_beneath_a_directory_for_writing);
	tcase_add_test(tcase, nothing_is_renamed_from_one_directory_to_another);
	tcase_add_test(tcase, a_directory_of_policy_is_itself_nobodys_to_change);
	tcase_add_test(tcase, a_directory_that_was_removed_is_empty);
	tcase_add_test(tcase, a_directory_behind_a_link_is_left_out_but_modules_may_be_there);
	tcase_add_test(tcase, what_is_mounted_beneath_a_directory_is_out_of_reach);
	tcase_add_test(tcase, a_directory_that_cannot_be_opened_is_left_out);
	tcase_add_loop_test(tcase, a_folder_is_listed_to_its_end, 0, 3);
	tcase_add_test(tcase, what_a_name_stands_for_is_told);
	tcase_add_test(tcase, a_file_that_was_added_is_found_before_all_others);
	tcase_add_test(tcase, only_an_ordinary_file_with_a_plain_name_can_be_added);
	tcase_add_test(tcase, directories_that_were_added_come_first_in_their_order);
}

int main(void)
{
	Suite *suite = suite_create("fastrpc_files");
	TCase *tcase = tcase_create("files");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	add_name_tests(tcase);
	add_right_tests(tcase);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
