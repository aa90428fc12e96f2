// SPDX-License-Identifier: MIT
/*
 * Core dumps out of a sysfs of files into a folder: which ones, under which names, how many, and
 * what is left when something fails. A dump of files is not gone when it is released; that "1" was
 * written behind its data says that it was.
 */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "daemon/transport/coredump_file.h"
#include "tests/fds.h"
#include "tests/suite.h"
#include "tests/unit/machine.h"

#define DSP  "platform/dsp"
#define BIG  (200 * 1024)
#define KEEP 3

static const struct policy_device dumping = {.coredumps = KEEP, .coredump_bytes = BIG}, silent = {};

static struct machine machine;
static struct machine_device device;

static void set_up(void)
{
	machine_start(&machine);
	device = (struct machine_device){};
}

static void tear_down(void)
{
	machine_stop(&machine);
}

/* A dump in sysfs, of what is at that place. */
static void add_dump(int n, const char *place, const char *data)
{
	struct path folder = path_join("sys/devices/virtual/devcoredump/devcd%d", n);

	machine_make_folder(&machine, "sys/class/devcoredump");
	machine_make_folder(&machine, folder.text);
	machine_link(&machine, path_join("%s/failing_device", folder.text).text,
		path_join("sys/devices/%s", place).text);
	machine_write(&machine, path_join("%s/data", folder.text).text, data);
	machine_link(&machine, path_join("sys/class/devcoredump/devcd%d", n).text, folder.text);
}

static const char *data_of(int n)
{
	return machine_read(&machine, path_join("sys/class/devcoredump/devcd%d/data", n).text);
}

static bool is_released(int n)
{
	return strchr(data_of(n), '1');
}

static size_t count_files(void)
{
	DIR *dir = opendir(machine.coredumps.text);
	const struct dirent *entry;
	size_t n = 0;

	while (dir && (entry = readdir(dir)))
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	if (dir)
		closedir(dir);
	return n;
}

static struct path in_folder(const char *name)
{
	return path_join("coredumps/%s", name);
}

static void add_file(const char *name)
{
	machine_write(&machine, in_folder(name).text, "old");
}

static void make_folder(void)
{
	ck_assert_int_eq(mkdir(machine.coredumps.text, 0700), 0);
}

/* An order to save devcd1. */
static struct coredump_order order_of(uint64_t bytes)
{
	return (struct coredump_order){
		.dump = machine_path(&machine, "sys/class/devcoredump/devcd1"),
		.folder = machine.coredumps,
		.device = "dsp0",
		.bytes = bytes,
		.keep = KEEP,
	};
}

static bool save(uint64_t bytes, struct coredump_file *out)
{
	struct coredump_order order = order_of(bytes);

	return coredump_save(&order, out);
}

/* DEVICE-20240229T235959Z-NUMBER.core */
static bool is_named(const char *name, const char *name_device, const char *end)
{
	size_t length = strlen(name_device), stamp = strlen("-20240229T235959Z");

	return strncmp(name, name_device, length) == 0 && strlen(name) >= length + stamp &&
	       name[length] == '-' && name[length + 9] == 'T' &&
	       strspn(name + length + 1, "0123456789") == 8 &&
	       strspn(name + length + 10, "0123456789") == 6 && name[length + 16] == 'Z' &&
	       strcmp(name + length + stamp, end) == 0;
}

/* Saving. */

START_TEST(a_dump_becomes_a_file_of_our_own_and_is_released)
{
	struct coredump_file file;
	struct stat st;

	add_dump(1, DSP, "what happened");
	ck_assert(save(BIG, &file));
	ck_assert_ptr_null(file.failed);
	ck_assert_msg(is_named(file.name, "dsp0", "-1.core"), "%s", file.name);
	ck_assert_uint_eq(file.size, strlen("what happened"));
	ck_assert(!file.truncated);
	ck_assert_str_eq(machine_read(&machine, in_folder(file.name).text), "what happened");
	ck_assert_int_eq(stat(machine_path(&machine, in_folder(file.name).text).text, &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0600);
	ck_assert_int_eq(stat(machine.coredumps.text, &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFDIR | 0700);
	ck_assert_uint_eq(count_files(), 1);
	ck_assert_str_eq(data_of(1), "what happened1");
}
END_TEST

START_TEST(a_dump_of_any_size_arrives_whole_or_is_cut_off_at_the_limit)
{
	static const uint64_t sizes[] = {0, 1, 32767, 32768, 32769, 65536, BIG, BIG + 1, 3 * BIG};
	uint64_t size = sizes[_i];
	_cleanup_(freep) char *text = calloc(1, size + 1), *copy = calloc(1, size + 1);
	_cleanup_(fd_closep) int fd = -1;
	struct coredump_file file;

	for (uint64_t i = 0; i < size; i++)
		text[i] = (char)('a' + i * 7 % 23);
	add_dump(1, DSP, text);
	ck_assert(save(BIG, &file));
	ck_assert_int_eq(file.truncated, size > BIG);
	ck_assert_uint_eq(file.size, MIN(size, (uint64_t)BIG));
	ck_assert_msg(is_named(file.name, "dsp0", size > BIG ? "-1.truncated.core" : "-1.core"),
		"%s", file.name);
	fd = open(machine_path(&machine, in_folder(file.name).text).text, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(read(fd, copy, size + 1), (ssize_t)file.size);
	ck_assert(memcmp(copy, text, file.size) == 0);
}
END_TEST

START_TEST(data_that_cannot_be_read_leaves_nothing_behind)
{
	struct coredump_file file;

	/* Page 0 of our own memory: EIO. */
	add_dump(1, DSP, "");
	machine_remove(&machine, "sys/class/devcoredump/devcd1/data");
	ck_assert_int_eq(symlink("/proc/self/mem",
				 machine_path(&machine, "sys/class/devcoredump/devcd1/data").text),
		0);
	ck_assert(!save(BIG, &file));
	ck_assert_str_eq(file.failed, "read it");
	ck_assert_int_eq(file.error, -EIO);
	ck_assert_uint_eq(count_files(), 0);
}
END_TEST

START_TEST(a_dump_that_is_gone_leaves_nothing_behind)
{
	struct coredump_file file;

	ck_assert(!save(BIG, &file));
	ck_assert_int_eq(file.error, -ENOENT);
	ck_assert_uint_eq(count_files(), 0);
}
END_TEST

START_TEST(a_file_that_finds_no_room_leaves_nothing_behind_and_takes_nothing_along)
{
	static char text[BIG];
	const struct rlimit limit = {.rlim_cur = BIG / 2, .rlim_max = RLIM_INFINITY};
	struct coredump_file file;

	memset(text, 'x', sizeof(text) - 1);
	add_dump(1, DSP, text);
	make_folder();
	for (int i = 1; i <= KEEP; i++)
		add_file(path_join("dsp0-20240101T000000Z-%d.core", i).text);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert(!save(BIG, &file));
	ck_assert_str_eq(file.failed, "write it");
	ck_assert_int_eq(file.error, -EFBIG);
	ck_assert_uint_eq(count_files(), KEEP);
}
END_TEST

START_TEST(a_folder_that_is_not_ours_alone_gets_nothing_and_the_dump_is_released_all_the_same)
{
	static const char *const folders[] = {"link", "file", "group", "others", "closed", "lost"};
	const char *folder = folders[_i];
	struct coredump_order order = order_of(BIG);
	struct coredump_file file;

	order.folder = machine_path(&machine, folder);
	machine_make_folder(&machine, "target");
	ck_assert_int_eq(chmod(machine_path(&machine, "target").text, 0700), 0);
	if (_i == 0)
		machine_link(&machine, "link", "target");
	else if (_i == 1)
		machine_write(&machine, "file", "");
	else if (_i < 5)
		machine_make_folder(&machine, folder);
	else
		order.folder = machine_path(&machine, "lost/in/space");
	if (_i > 1 && _i < 5)
		ck_assert_int_eq(chmod(order.folder.text, _i == 2   ? 0770
							  : _i == 3 ? 0707
								    : 0500),
			0);
	add_dump(1, DSP, "data");
	ck_assert(!coredump_save(&order, &file));
	ck_assert_ptr_nonnull(file.failed);
	ck_assert(is_released(1));
}
END_TEST

START_TEST(names_that_are_taken_are_never_overwritten)
{
	struct coredump_file first, second;

	add_dump(1, DSP, "data");
	make_folder();
	add_file(".new-1.core");
	ck_assert(save(BIG, &first));
	ck_assert(save(BIG, &second));
	ck_assert_str_ne(first.name, second.name);
	ck_assert_str_eq(machine_read(&machine, in_folder(first.name).text), "data");
	ck_assert_str_eq(machine_read(&machine, in_folder(second.name).text), "data1");
	ck_assert_str_eq(machine_read(&machine, in_folder(".new-1.core").text), "old");
}
END_TEST

/* Keeping. */

START_TEST(the_oldest_go_whatever_the_clock_said_and_no_other_file)
{
	static const char *const old[] = {
		"dsp0-20991231T235959Z-7.core",
		"dsp0-19700101T000000Z-8.truncated.core",
		"dsp0-20240101T000000Z-9.core",
		"dsp0-20240101T000000Z-10.core",
	};
	static const char *const others[] = {
		"dsp0-20240101T000000Z-1.core.txt",
		"dsp0-20240101T000000Z-01.core",
		"dsp0-20240101T000000Z-.core",
		"dsp0-20240101T000000Z-1",
		"dsp0-20240101X000000Z-1.core",
		"dsp0-2024010T0000000Z-1.core",
		"dsp0-20240101T000000Z-1000000000000000000000.core",
		"dsp0-20240101T000000Z-0.core",
		"dsp01-20240101T000000Z-1.core",
		"dsp-20240101T000000Z-1.core",
		"dsp0--20240101T000000Z-1.core",
		"dsp0-20240101T000000Z-1-20240101T000000Z-1.core",
		".dsp0-20240101T000000Z-1.core",
		"notes",
	};
	struct coredump_file file;

	add_dump(1, DSP, "data");
	make_folder();
	for (size_t i = 0; i < ARRAY_SIZE(old); i++)
		add_file(old[i]);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		add_file(others[i]);
	ck_assert(save(BIG, &file));
	ck_assert_ptr_null(file.failed);
	ck_assert_msg(is_named(file.name, "dsp0", "-11.core"), "%s", file.name);
	ck_assert(!machine_has(&machine, in_folder(old[0]).text));
	ck_assert(!machine_has(&machine, in_folder(old[1]).text));
	ck_assert(machine_has(&machine, in_folder(old[2]).text));
	ck_assert(machine_has(&machine, in_folder(old[3]).text));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		ck_assert(machine_has(&machine, in_folder(others[i]).text));
	ck_assert_uint_eq(count_files(), ARRAY_SIZE(others) + KEEP);
}
END_TEST

START_TEST(what_an_earlier_life_left_unfinished_is_removed_at_the_start)
{
	static const char *const kept[] = {
		".new-.core",
		".new-x.core",
		".new-1.core.bak",
		"new-1.core",
		"dsp0-20240101T000000Z-1.core",
	};

	make_folder();
	add_file(".new-1.core");
	add_file(".new-23.core");
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		add_file(kept[i]);
	ck_assert_int_eq(remoteprocs_init(&machine.broker), 0);
	ck_assert_uint_eq(count_files(), ARRAY_SIZE(kept));
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		ck_assert(machine_has(&machine, in_folder(kept[i]).text));
}
END_TEST

/* Waiting for udev. */

/* Does this process watch anything? */
static bool is_watching(void)
{
	DIR *dir = opendir("/proc/self/fdinfo");
	const struct dirent *entry;
	bool found = false;

	while ((entry = readdir(dir)) && !found) {
		char text[4096] = "";
		_cleanup_(fd_closep) int fd =
			openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);

		found = fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 &&
			strstr(text, "inotify wd:");
	}
	closedir(dir);
	return found;
}

static void *save_in_thread(void *file)
{
	return save(BIG, file) ? file : NULL;
}

START_TEST(a_dump_that_may_not_be_opened_yet_is_waited_for)
{
	struct path data;
	struct coredump_file file;
	pthread_t thread;
	void *saved;

	add_dump(1, DSP, "data");
	data = machine_path(&machine, "sys/devices/virtual/devcoredump/devcd1/data");
	ck_assert_int_eq(chmod(data.text, 0), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, save_in_thread, &file), 0);
	while (!is_watching())
		;
	ck_assert_int_eq(chmod(data.text, 0400), 0); /* that is not enough */
	ck_assert_int_eq(chmod(data.text, 0600), 0);
	ck_assert_int_eq(pthread_join(thread, &saved), 0);
	ck_assert_ptr_eq(saved, &file);
	ck_assert_str_eq(data_of(1), "data1");
}
END_TEST

START_TEST(a_dump_that_may_never_be_opened_is_left_to_the_kernel)
{
	struct coredump_file file;

	add_dump(1, DSP, "data");
	ck_assert_int_eq(chmod(machine_path(&machine, "sys/devices/virtual/devcoredump/devcd1/data")
					 .text,
				 0400),
		0);
	ck_assert(!save(BIG, &file));
	ck_assert_str_eq(file.failed, "open its data");
	ck_assert_int_eq(file.error, -EACCES);
	ck_assert_str_eq(data_of(1), "data");
	ck_assert_uint_eq(count_files(), 0);
}
END_TEST

/* Finding. */

static void begin(const struct policy_device *policy)
{
	machine_add_remoteproc(&machine, 0, "cdsp\n", DSP, "running\n");
	ck_assert_int_eq(remoteprocs_init(&machine.broker), 0);
	machine_bind(&machine, &device, "dsp0", policy, "cdsp");
}

START_TEST(dumps_of_our_remote_processors_are_saved_and_others_are_left_alone)
{
	machine_make_folder(&machine, "sys/devices/platform/wifi");
	machine_add_remoteproc(&machine, 1, "adsp\n", "platform/adsp", "running\n");
	add_dump(1, "platform/wifi", "wifi");
	add_dump(2, DSP "/remoteproc/remoteproc0", "dsp itself");
	add_dump(3, DSP, "its device");
	add_dump(4, "platform/adsp", "adsp");
	begin(&dumping);
	machine_await(&machine, device.device.coredumps == 2);
	ck_assert_str_eq(data_of(2), "dsp itself1");
	ck_assert_str_eq(data_of(3), "its device1");
	ck_assert_uint_eq(count_files(), 2);

	/* They are still there, as long as the kernel likes, and are not saved again. */
	add_dump(10, DSP, "later");
	machine_write(&machine, machine_attribute(0, "state").text, "crashed\n");
	remoteproc_refresh(device.device.remoteproc);
	machine_await(&machine, device.device.coredumps == 3);
	ck_assert_str_eq(data_of(10), "later1");
	ck_assert_str_eq(data_of(2), "dsp itself1");
	ck_assert_str_eq(data_of(1), "wifi");
	ck_assert_str_eq(data_of(4), "adsp");
}
END_TEST

START_TEST(where_policy_wants_no_dumps_they_are_left_alone)
{
	struct machine_device second = {};

	add_dump(1, DSP, "data");
	begin(&silent);
	ck_assert_uint_eq(count_files(), 0);
	/* The kernel has only one; whichever device wants it gets it. */
	machine_bind(&machine, &second, "dsp1", &dumping, "cdsp");
	remoteproc_refresh(second.device.remoteproc);
	machine_await(&machine, second.device.coredumps == 1);
	ck_assert_uint_eq(device.device.coredumps, 0);
	ck_assert_uint_eq(count_files(), 1);
	remoteproc_unbind(&second.device);
	list_remove(&second.device.link);
}
END_TEST

START_TEST(a_dump_that_cannot_be_saved_is_tried_once)
{
	machine_write(&machine, "coredumps", "");
	add_dump(1, DSP, "data");
	begin(&dumping);
	machine_await(&machine, is_released(1));
	machine_write(&machine, "sys/class/devcoredump/devcd1/data", "data");
	add_dump(2, DSP, "data");
	machine_await(&machine, is_released(2));
	ck_assert(!is_released(1));
	ck_assert_uint_eq(device.device.coredumps, 0);
}
END_TEST

START_TEST(the_broker_may_end_while_one_is_saved)
{
	add_dump(1, DSP, "data");
	add_dump(2, DSP, "more");
	begin(&dumping);
	machine_end_broker(&machine, _i);
	/* It was saved, unless it had not begun. */
	ck_assert_uint_le(count_files(), 1);
	ck_assert_str_eq(data_of(1), count_files() ? "data1" : "data");
	ck_assert_str_eq(data_of(2), "more");
}
END_TEST

static void add_saving_tests(TCase *tcase)
{
	tcase_add_test(tcase, a_dump_becomes_a_file_of_our_own_and_is_released);
	tcase_add_loop_test(tcase, a_dump_of_any_size_arrives_whole_or_is_cut_off_at_the_limit, 0,
		9);
	tcase_add_test(tcase, data_that_cannot_be_read_leaves_nothing_behind);
	tcase_add_test(tcase, a_dump_that_is_gone_leaves_nothing_behind);
	tcase_add_test(tcase,
		a_file_that_finds_no_room_leaves_nothing_behind_and_takes_nothing_along);
	tcase_add_loop_test(tcase,
		a_folder_that_is_not_ours_alone_gets_nothing_and_the_dump_is_released_all_the_same,
		0, 6);
	tcase_add_test(tcase, names_that_are_taken_are_never_overwritten);
	tcase_add_test(tcase, the_oldest_go_whatever_the_clock_said_and_no_other_file);
	tcase_add_test(tcase, what_an_earlier_life_left_unfinished_is_removed_at_the_start);
	tcase_add_test(tcase, a_dump_that_may_not_be_opened_yet_is_waited_for);
	tcase_add_test(tcase, a_dump_that_may_never_be_opened_is_left_to_the_kernel);
}

static Suite *suite(void)
{
	Suite *suite = suite_create("coredump");
	TCase *tcase = tcase_create("coredump");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	add_saving_tests(tcase);
	tcase_add_test(tcase, dumps_of_our_remote_processors_are_saved_and_others_are_left_alone);
	tcase_add_test(tcase, where_policy_wants_no_dumps_they_are_left_alone);
	tcase_add_test(tcase, a_dump_that_cannot_be_saved_is_tried_once);
	tcase_add_loop_test(tcase, the_broker_may_end_while_one_is_saved, 0, 2);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
