// SPDX-License-Identifier: MIT
/* Reading sysfs: from a folder that looks like it, and what no folder can show from the real one.
 */
#include <fcntl.h>
#include <ftw.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "daemon/sysfs.h"
#include "tests/fds.h"
#include "tests/suite.h"

static char root[] = "/tmp/test-sysfs-XXXXXX";
static size_t fds_before;

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static void set_up(void)
{
	memcpy(root + strlen(root) - 6, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(root));
	fds_before = count_fds(getpid());
}

static void tear_down(void)
{
	ck_assert_uint_eq(count_fds(getpid()), fds_before);
	nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static struct path in_root(const char *name)
{
	return path_join("%s/%s", root, name);
}

/* With the folders that lead to it. */
static void make_folder(const char *name)
{
	struct path path = in_root(name);

	for (char *slash = path.text + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		ck_assert(mkdir(path.text, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
	ck_assert(mkdir(path.text, 0755) == 0 || errno == EEXIST);
}

static void put(const char *name, const void *bytes, size_t size)
{
	_cleanup_(fd_closep) int fd =
		open(in_root(name).text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
}

static void make_link(const char *name, const char *target)
{
	ck_assert_int_eq(symlink(target, in_root(name).text), 0);
}

START_TEST(a_path_that_is_too_long_opens_nothing)
{
	static char name[PATH_MAX + 10];
	struct path path = path_join("/sys/%s/%u", "class", 7u);

	ck_assert_str_eq(path.text, "/sys/class/7");
	memset(name, 'a', PATH_MAX - 2);
	ck_assert_uint_eq(strlen(path_join("/%s", name).text), PATH_MAX - 1);
	name[PATH_MAX - 2] = 'a';
	ck_assert_str_eq(path_join("/%s", name).text, "");
	ck_assert_int_eq(sysfs_read(path_join("/%s", name).text, name, sizeof(name)), -ENOENT);
}
END_TEST

#define BYTES(literal) literal, sizeof(literal) - 1

static const struct {
	const char *bytes;
	size_t n;
	size_t size; /* of the buffer */
	int r;
	const char *text;
} attributes[] = {
	{BYTES("running\n"), 32, 0, "running"},
	{BYTES("running"), 32, 0, "running"},
	{BYTES(""), 32, 0, ""},
	{BYTES("\n"), 1, 0, ""},
	{BYTES(" two words \n"), 32, 0, " two words "},
	/* What fits just so, and what does not. */
	{BYTES("1234567\n"), 8, 0, "1234567"},
	{BYTES("1234567"), 8, 0, "1234567"},
	{BYTES("12345678\n"), 8, -E2BIG, NULL},
	{BYTES("12345678"), 8, -E2BIG, NULL},
	{BYTES(""), 0, -E2BIG, NULL},
	/* What is no line of text. */
	{BYTES("\0"), 32, -E2BIG, NULL},
	{BYTES("run\0ning\n"), 32, -E2BIG, NULL},
	{BYTES("running\0"), 32, -E2BIG, NULL},
	{BYTES("running\0\n"), 32, -E2BIG, NULL},
	{BYTES("one\ntwo\n"), 32, -E2BIG, NULL},
	{BYTES("one\n\n"), 32, -E2BIG, NULL},
};

START_TEST(an_attribute_is_one_line_without_its_end)
{
	char out[33];

	put("attribute", attributes[_i].bytes, attributes[_i].n);
	memset(out, '#', sizeof(out));
	ck_assert_int_eq(sysfs_read(in_root("attribute").text, out, attributes[_i].size),
		attributes[_i].r);
	if (attributes[_i].text)
		ck_assert_str_eq(out, attributes[_i].text);
	/* Not a byte beyond what it was given. */
	ck_assert_int_eq(out[attributes[_i].size], '#');
}
END_TEST

START_TEST(an_attribute_longer_than_any_is_refused_however_large_the_buffer)
{
	static char bytes[100000], out[sizeof(bytes) + 1];

	memset(bytes, 'x', sizeof(bytes));
	put("attribute", bytes, 4095);
	ck_assert_int_eq(sysfs_read(in_root("attribute").text, out, sizeof(out)), 0);
	ck_assert_uint_eq(strlen(out), 4095);
	for (size_t n = 4097; n <= sizeof(bytes); n = n * 2 - 1) {
		put("attribute", bytes, n);
		ck_assert_int_eq(sysfs_read(in_root("attribute").text, out, sizeof(out)), -E2BIG);
	}
}
END_TEST

START_TEST(what_cannot_be_read_is_an_error)
{
	char out[32] = "before";
	uint32_t number = 7;

	make_link("loop", "loop");
	make_link("dangling", "nothing");
	ck_assert_int_eq(mkfifo(in_root("pipe").text, 0600), 0);
	ck_assert_int_eq(sysfs_read(in_root("missing").text, out, sizeof(out)), -ENOENT);
	ck_assert_int_eq(sysfs_read(in_root("dangling").text, out, sizeof(out)), -ENOENT);
	ck_assert_int_eq(sysfs_read(in_root("loop").text, out, sizeof(out)), -ELOOP);
	ck_assert_int_eq(sysfs_read(root, out, sizeof(out)), -EISDIR);
	ck_assert_int_eq(sysfs_read("", out, sizeof(out)), -ENOENT);
	ck_assert_str_eq(out, "before");
	ck_assert_int_eq(sysfs_read_u32(in_root("missing").text, &number), -ENOENT);
	ck_assert_uint_eq(number, 7);
	ck_assert_int_eq(sysfs_write(in_root("missing").text, "start"), -ENOENT);
	ck_assert_int_eq(access(in_root("missing").text, F_OK), -1); /* none was made */
	ck_assert_int_eq(sysfs_write(root, "start"), -EISDIR);
	/* Nobody writes to it, and yet it does not wait. */
	ck_assert_int_eq(sysfs_read(in_root("pipe").text, out, sizeof(out)), 0);
}
END_TEST

START_TEST(what_may_not_be_read_is_an_error)
{
	char out[32];

	put("secret", "1\n", 2);
	ck_assert_int_eq(chmod(root, 0755), 0);
	ck_assert_int_eq(chmod(in_root("secret").text, 0), 0);
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	ck_assert_int_eq(sysfs_read(in_root("secret").text, out, sizeof(out)), -EACCES);
	ck_assert_int_eq(sysfs_write(in_root("secret").text, "2"), -EACCES);
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

/* The first reads as EIO, and neither takes such a value. */
START_TEST(the_errors_of_the_kernel_are_passed_on)
{
	char out[32];

	ck_assert_int_eq(sysfs_read("/proc/self/mem", out, sizeof(out)), -EIO);
	ck_assert_int_eq(sysfs_write("/proc/self/oom_score_adj", "much"), -EINVAL);
	ck_assert_int_eq(sysfs_write("/dev/full", "start"), -ENOSPC);
}
END_TEST

START_TEST(a_written_attribute_holds_the_value_and_nothing_else)
{
	char out[32];

	put("state", "running for long\n", 17);
	ck_assert_int_eq(sysfs_write(in_root("state").text, "stop"), 0);
	ck_assert_int_eq(sysfs_read(in_root("state").text, out, sizeof(out)), 0);
	ck_assert_str_eq(out, "stop");
}
END_TEST

static const struct {
	const char *text;
	int r;
	uint32_t number;
} numbers[] = {
	{"0\n", 0, 0},
	{"1024\n", 0, 1024},
	{"4294967295", 0, UINT32_MAX},
	{"0x400\n", 0, 0x400},
	{"0xFFFFffff\n", 0, UINT32_MAX},
	{"010\n", 0, 10},
	{"4294967296\n", -ERANGE, 0},
	{"0x100000000\n", -ERANGE, 0},
	{"18446744073709551617\n", -ERANGE, 0},
	{"99999999999999999999999999999999\n", -ERANGE, 0},
	{"\n", -EINVAL, 0},
	{"0x\n", -EINVAL, 0},
	{"0x0x5\n", -EINVAL, 0},
	{"-1\n", -EINVAL, 0},
	{"+1\n", -EINVAL, 0},
	{" 1\n", -EINVAL, 0},
	{"1 \n", -EINVAL, 0},
	{"0x-1\n", -EINVAL, 0},
	{"12a\n", -EINVAL, 0},
	{"running\n", -EINVAL, 0},
};

START_TEST(a_number_is_digits_and_nothing_else)
{
	uint32_t number = 0;

	put("number", numbers[_i].text, strlen(numbers[_i].text));
	ck_assert_int_eq(sysfs_read_u32(in_root("number").text, &number), numbers[_i].r);
	ck_assert_uint_eq(number, numbers[_i].number);
}
END_TEST

static const struct {
	const char *text;
	unsigned int major, minor; /* both 0: it is not known */
} device_numbers[] = {
	{"261:0\n", 261, 0},
	{"10:1048575\n", 10, 1048575},
	{"261\n", 0, 0},
	{"261:\n", 0, 0},
	{":0\n", 0, 0},
	{"261:0:1\n", 0, 0},
	{"261: 0\n", 0, 0},
	{"-1:0\n", 0, 0},
	{"4294967296:0\n", 0, 0},
	{"\n", 0, 0},
};

START_TEST(the_number_of_a_node_is_two_numbers_and_nothing_else)
{
	make_folder("device");
	put("device/dev", device_numbers[_i].text, strlen(device_numbers[_i].text));
	ck_assert_uint_eq(sysfs_device_number(in_root("device").text),
		makedev(device_numbers[_i].major, device_numbers[_i].minor));
	ck_assert_uint_eq(sysfs_device_number(in_root("missing").text), 0);
}
END_TEST

static void make_entry(const char *prefix, unsigned int number)
{
	char name[64];

	snprintf(name, sizeof(name), "class/%s%u", prefix, number);
	put(name, "", 0);
}

START_TEST(a_list_is_sorted_as_numbers_are_and_holds_the_prefix_only)
{
	static const unsigned int order[] = {10, 2, 0, 100, 11, 1};
	static const char *const sorted[] = {
		"rpmsg0", "rpmsg1", "rpmsg2", "rpmsg10", "rpmsg11", "rpmsg100", "rpmsg_ctrl0"};
	_cleanup_(freep) struct sysfs_entry *all = NULL, *few = NULL;

	make_folder("class");
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		make_entry("rpmsg", order[i]);
	make_link("class/rpmsg_ctrl0", "../devices/nothing");
	make_entry("remoteproc", 0);
	make_entry("rpms", 0);
	ck_assert_int_eq(sysfs_list(in_root("class").text, "rpmsg", &all, 64),
		(ssize_t)ARRAY_SIZE(sorted));
	for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
		ck_assert_str_eq(all[i].name, sorted[i]);
	ck_assert_int_eq(sysfs_list(in_root("class").text, "rpmsg_", &few, 64), 1);
	ck_assert_str_eq(few[0].name, "rpmsg_ctrl0");
}
END_TEST

START_TEST(nothing_to_list_is_an_empty_list)
{
	struct sysfs_entry *out = (void *)1;

	ck_assert_int_eq(sysfs_list(in_root("missing").text, "", &out, 8), 0);
	ck_assert_ptr_null(out);
	make_folder("class");
	ck_assert_int_eq(sysfs_list(in_root("class").text, "", &out, 8), 0);
	ck_assert_ptr_null(out); /* neither itself nor its parent */
	ck_assert_int_eq(sysfs_list(in_root("class").text, ".", &out, 8), 0);
	make_entry("rpmsg", 0);
	ck_assert_int_eq(sysfs_list(in_root("class").text, "remote", &out, 8), 0);
	ck_assert_int_eq(sysfs_list(in_root("class").text, "", &out, 0), 0);
	ck_assert_ptr_null(out);
}
END_TEST

START_TEST(what_is_no_folder_cannot_be_listed)
{
	struct sysfs_entry *out = (void *)1;

	put("file", "", 0);
	make_link("loop", "loop");
	ck_assert_int_eq(sysfs_list(in_root("file").text, "", &out, 8), -ENOTDIR);
	ck_assert_int_eq(sysfs_list(in_root("loop").text, "", &out, 8), -ELOOP);
	ck_assert_ptr_null(out);
}
END_TEST

START_TEST(of_more_entries_than_wanted_the_first_by_name_are_listed)
{
	static const size_t wanted[] = {1, 2, 7, 256, 2999, 3000, 3001, SIZE_MAX};
	enum {
		MADE = 3000,
	};

	make_folder("class");
	for (unsigned int i = 0; i < MADE; i++)
		make_entry("rpmsg", (i * 7919) % MADE);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		_cleanup_(freep) struct sysfs_entry *out = NULL;
		size_t n = MIN(wanted[i], (size_t)MADE);
		char name[32];

		ck_assert_int_eq(sysfs_list(in_root("class").text, "rpmsg", &out, wanted[i]),
			(ssize_t)n);
		for (size_t k = 0; k < n; k++) {
			snprintf(name, sizeof(name), "rpmsg%zu", k);
			ck_assert_str_eq(out[k].name, name);
		}
		/* However many there are, they take no more memory than those wanted. */
		ck_assert_uint_le(malloc_usable_size(out), 4 * MAX(n, 16ul) * sizeof(*out));
	}
}
END_TEST

START_TEST(a_link_made_anew_is_another_entry)
{
	_cleanup_(freep) struct sysfs_entry *before = NULL, *same = NULL, *after = NULL;

	make_folder("class");
	make_folder("device");
	make_link("class/rpmsg0", "../device");
	ck_assert_int_eq(sysfs_list(in_root("class").text, "", &before, 8), 1);
	ck_assert_int_eq(sysfs_list(in_root("class").text, "", &same, 8), 1);
	ck_assert_uint_eq(before->id, same->id);
	/* To the same place; made before the first is gone, so that it cannot have its number. */
	make_link("new", "../device");
	ck_assert_int_eq(rename(in_root("new").text, in_root("class/rpmsg0").text), 0);
	ck_assert_int_eq(sysfs_list(in_root("class").text, "", &after, 8), 1);
	ck_assert_str_eq(after->name, before->name);
	ck_assert_uint_ne(after->id, before->id);
}
END_TEST

START_TEST(links_are_resolved_wherever_they_are_in_the_path)
{
	struct path path, top;

	make_folder("class/rpmsg");
	make_folder("devices/virtio0/rpmsg/rpmsg0");
	make_link("class/rpmsg/rpmsg0", "../../devices/virtio0/rpmsg/rpmsg0");
	make_link("class/rpmsg/rpmsg0/device", "../../../virtio0");
	ck_assert_int_eq(sysfs_resolve(root, &top), 0);
	ck_assert_int_eq(sysfs_resolve(in_root("class/rpmsg/rpmsg0/device").text, &path), 0);
	ck_assert_str_eq(path.text, path_join("%s/devices/virtio0", top.text).text);
	ck_assert_int_eq(sysfs_resolve(in_root("class/rpmsg/rpmsg1").text, &path), -ENOENT);
	ck_assert_int_eq(sysfs_resolve("", &path), -ENOENT);
}
END_TEST

static const struct {
	const char *path, *ancestor;
	bool below;
} places[] = {
	{"/sys/a/b", "/sys/a/b", true},
	{"/sys/a/b/c", "/sys/a/b", true},
	{"/sys/a/b/c/d", "/sys", true},
	{"/sys", "/", true},
	{"/", "/", true},
	{"/sys/a/bc", "/sys/a/b", false},
	{"/sys/a", "/sys/a/b", false},
	{"/sys/a/b", "/sys/a/c", false},
	{"/", "/sys", false},
	/* What could not be put together is nowhere, and has nothing below it. */
	{"", "/sys", false},
	{"/sys", "", false},
	{"", "", false},
	{"sys/a", "/sys", false},
	{"sys/a", "sys", false},
};

START_TEST(below_means_by_whole_names)
{
	ck_assert(sysfs_is_below(places[_i].path, places[_i].ancestor) == places[_i].below);
}
END_TEST

START_TEST(a_device_is_in_the_group_of_the_nearest_that_has_one)
{
	make_folder("devices/pci0/virtio0/rpmsg0");
	make_folder("devices/pci00/virtio1");
	make_link("devices/pci0/iommu_group", "../../kernel/iommu_groups/3");
	ck_assert_int_eq(sysfs_iommu_group(in_root("devices/pci0").text, root), 3);
	ck_assert_int_eq(sysfs_iommu_group(in_root("devices/pci0/virtio0/rpmsg0").text, root), 3);
	make_link("devices/pci0/virtio0/iommu_group", "../../../kernel/iommu_groups/2147483647");
	ck_assert_int_eq(sysfs_iommu_group(in_root("devices/pci0/virtio0/rpmsg0").text, root),
		INT_MAX);
	ck_assert_int_eq(sysfs_iommu_group(in_root("devices/pci00/virtio1").text, root), -ENOENT);
	/* Seen through a link above the root, too. */
	make_link("sys", ".");
	ck_assert_int_eq(sysfs_iommu_group(in_root("devices/pci0").text, in_root("sys").text), 3);
}
END_TEST

START_TEST(no_group_is_looked_for_at_or_above_the_root)
{
	make_folder("sys/devices/pci0");
	make_folder("system/pci0");
	make_link("sys/iommu_group", "kernel/iommu_groups/1");
	make_link("iommu_group", "kernel/iommu_groups/2");
	make_link("system/pci0/iommu_group", "../../kernel/iommu_groups/3");
	ck_assert_int_eq(sysfs_iommu_group(in_root("sys/devices/pci0").text, in_root("sys").text),
		-ENOENT);
	ck_assert_int_eq(sysfs_iommu_group(in_root("sys").text, in_root("sys").text), -ENOENT);
	ck_assert_int_eq(sysfs_iommu_group(in_root("system/pci0").text, in_root("sys").text),
		-EINVAL);
	ck_assert_int_eq(sysfs_iommu_group(in_root("sys/devices").text, "/"), 1);
	ck_assert_int_eq(sysfs_iommu_group("/proc", "/"), -ENOENT);
}
END_TEST

START_TEST(a_device_that_is_gone_is_in_no_group)
{
	make_folder("devices/pci0");
	make_link("devices/pci0/iommu_group", "../../kernel/iommu_groups/3");
	ck_assert_int_eq(sysfs_iommu_group(in_root("devices/pci0/virtio0").text, root), -ENOENT);
	ck_assert_int_eq(sysfs_iommu_group("", root), -ENOENT);
	ck_assert_int_eq(sysfs_iommu_group(in_root("devices/pci0").text, in_root("none").text),
		-ENOENT);
}
END_TEST

static const struct {
	const char *target;
	int r;
} targets[] = {
	{"../../kernel/iommu_groups/0", 0},
	{"../../kernel/iommu_groups/", -EINVAL},
	{"../../kernel/iommu_groups/-1", -EINVAL},
	{"../../kernel/iommu_groups/3x", -EINVAL},
	{"../../kernel/iommu_groups/3/3", -EINVAL},
	{"../../kernel/iommu_groups/2147483648", -ERANGE},
	{"../../kernel/iommu_groups/4294967296", -ERANGE},
	{"../../kernel/no_iommu_groups/3", -EINVAL},
	{"../../kernel/iommu/3", -EINVAL},
	{"3", -EINVAL},
	{"/3", -EINVAL},
	{"_groups/3", -EINVAL},
};

START_TEST(what_is_no_group_does_not_count_as_one)
{
	make_folder("devices/pci0/virtio0");
	make_link("devices/iommu_group", "../kernel/iommu_groups/9");
	make_link("devices/pci0/iommu_group", targets[_i].target);
	ck_assert_int_eq(sysfs_iommu_group(in_root("devices/pci0/virtio0").text, root),
		targets[_i].r);
}
END_TEST

/* Else it would be taken for the group of an ancestor. */
START_TEST(a_group_whose_path_is_too_long_is_an_error)
{
	char name[PATH_MAX] = "devices";
	size_t n = PATH_MAX - 5 - strlen(root) - 1; /* with /iommu_group that is too much */

	make_folder(name);
	make_link("devices/iommu_group", "../kernel/iommu_groups/9");
	for (size_t i = strlen(name); i < n; i++)
		name[i] = i % 200 == 7 ? '/' : 'a';
	name[n] = '\0';
	make_folder(name);
	ck_assert_int_eq(sysfs_iommu_group(in_root(name).text, root), -ENAMETOOLONG);
}
END_TEST

START_TEST(a_group_that_is_no_link_does_not_count_as_one)
{
	make_folder("devices/pci0/virtio0");
	make_link("devices/iommu_group", "../kernel/iommu_groups/9");
	put("devices/pci0/iommu_group", "3\n", 2);
	ck_assert_int_eq(sysfs_iommu_group(in_root("devices/pci0/virtio0").text, root), -EINVAL);
}
END_TEST

static void add_reading(TCase *tcase)
{
	tcase_add_test(tcase, a_path_that_is_too_long_opens_nothing);
	tcase_add_loop_test(tcase, an_attribute_is_one_line_without_its_end, 0,
		ARRAY_SIZE(attributes));
	tcase_add_test(tcase, an_attribute_longer_than_any_is_refused_however_large_the_buffer);
	tcase_add_test(tcase, what_cannot_be_read_is_an_error);
	tcase_add_test(tcase, what_may_not_be_read_is_an_error);
	tcase_add_test(tcase, the_errors_of_the_kernel_are_passed_on);
	tcase_add_test(tcase, a_written_attribute_holds_the_value_and_nothing_else);
	tcase_add_loop_test(tcase, a_number_is_digits_and_nothing_else, 0, ARRAY_SIZE(numbers));
	tcase_add_loop_test(tcase, the_number_of_a_node_is_two_numbers_and_nothing_else, 0,
		ARRAY_SIZE(device_numbers));
	tcase_add_test(tcase, a_list_is_sorted_as_numbers_are_and_holds_the_prefix_only);
	tcase_add_test(tcase, nothing_to_list_is_an_empty_list);
	tcase_add_test(tcase, what_is_no_folder_cannot_be_listed);
	tcase_add_test(tcase, of_more_entries_than_wanted_the_first_by_name_are_listed);
	tcase_add_test(tcase, a_link_made_anew_is_another_entry);
}

int main(void)
{
	Suite *suite = suite_create("sysfs");
	TCase *tcase = tcase_create("sysfs");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	add_reading(tcase);
	tcase_add_test(tcase, links_are_resolved_wherever_they_are_in_the_path);
	tcase_add_loop_test(tcase, below_means_by_whole_names, 0, ARRAY_SIZE(places));
	tcase_add_test(tcase, a_device_is_in_the_group_of_the_nearest_that_has_one);
	tcase_add_test(tcase, no_group_is_looked_for_at_or_above_the_root);
	tcase_add_test(tcase, a_device_that_is_gone_is_in_no_group);
	tcase_add_loop_test(tcase, what_is_no_group_does_not_count_as_one, 0, ARRAY_SIZE(targets));
	tcase_add_test(tcase, a_group_whose_path_is_too_long_is_an_error);
	tcase_add_test(tcase, a_group_that_is_no_link_does_not_count_as_one);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
