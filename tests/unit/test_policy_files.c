// SPDX-License-Identifier: MIT
/* Which files make a policy: order, override, and what is no policy file. */
#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "policy/compiled.h"
#include "policy/policy.h"
#include "tests/suite.h"
#include "tests/unit/policy_text.h"

/* One allow rule for user 1. */
#define SIMPLE(name) POLICY(NAMED(name, "allow", "\"users\": [1]", "\"d/s\""))

static char root[] = "/tmp/test-policy-XXXXXX";
static char vendor[64], admin[64], missing[64];

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
	snprintf(vendor, sizeof(vendor), "%s/vendor", root);
	snprintf(admin, sizeof(admin), "%s/admin", root);
	snprintf(missing, sizeof(missing), "%s/missing", root);
	ck_assert_int_eq(mkdir(vendor, 0755), 0);
	ck_assert_int_eq(mkdir(admin, 0755), 0);
}

static void tear_down(void)
{
	nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(const char *directory, const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void put(const char *directory, const char *name, const char *text, size_t size)
{
	_cleanup_(fd_closep) int fd =
		open(path_of(directory, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, size), (ssize_t)size);
}

static void put_text(const char *directory, const char *name, const char *text)
{
	put(directory, name, text, strlen(text));
}

static int load(struct policy **out, struct policy_note *error)
{
	const char *const dirs[] = {vendor, missing, admin};
	struct warnings warnings = {.n = 0};
	int r = policy_load(out, dirs, ARRAY_SIZE(dirs), error, count_warning, &warnings);

	ck_assert_msg(warnings.n == 0, "%s", warnings.last.text);
	return r;
}

static struct policy *load_good(void)
{
	struct policy *policy = NULL;
	struct policy_note error;
	int r = load(&policy, &error);

	ck_assert_msg(r == 0, "%s:%u:%u: %s", error.file, error.line, error.column, error.text);
	return policy;
}

START_TEST(nothing_at_all_denies_everything)
{
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	struct policy_note error;

	ck_assert_int_eq(policy_load(&policy, NULL, 0, &error, NULL, NULL), 0);
	ck_assert(!decide(policy, 0, 0, "d/s").allowed);
	policy = policy_unref(policy);
	policy = load_good();
	ck_assert_uint_eq(policy_size(policy), 0);
	ck_assert(!decide(policy, 0, 0, "d/s").allowed);
}
END_TEST

START_TEST(files_are_read_in_the_order_of_their_names_whatever_their_directory)
{
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	struct policy_decision decision;

	put_text(vendor, "30-c.json", SIMPLE("c"));
	put_text(admin, "20-b.json", SIMPLE("b"));
	put_text(vendor, "10-a.json", POLICY(NAMED("a", "allow", "\"users\": [2]", "\"d/s\"")));
	put_text(admin, "9.json", SIMPLE("nine"));
	policy = load_good();
	ck_assert_uint_eq(policy_size(policy), 4);
	decision = decide(policy, 1, 1, "d/s");
	ck_assert_str_eq(decision.rule, "b");
	ck_assert_str_eq(decision.file, path_of(admin, "20-b.json"));
	ck_assert_uint_eq(decision.line, 1);
}
END_TEST

START_TEST(a_file_of_the_administrator_replaces_the_vendors_of_that_name)
{
	_cleanup_(policy_unrefp) struct policy *policy = NULL;

	put_text(vendor, "10-a.json", SIMPLE("vendor"));
	put_text(vendor, "20-b.json", "broken, but replaced, so nobody reads it");
	put_text(admin, "10-a.json", SIMPLE("admin"));
	put_text(admin, "20-b.json", POLICY(""));
	policy = load_good();
	ck_assert_uint_eq(policy_size(policy), 1);
	ck_assert_str_eq(decide(policy, 1, 1, "d/s").rule, "admin");
}
END_TEST

START_TEST(other_files_are_no_policy)
{
	static const char *const names[] = {
		"README", "a.json~", "a.jsonx", ".a.json", ".json", "json", "a.json.bak"};
	_cleanup_(policy_unrefp) struct policy *policy = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		put_text(vendor, names[i], "not a policy");
	put_text(vendor, "a.b.json", SIMPLE("a"));
	policy = load_good();
	ck_assert_uint_eq(policy_size(policy), 1);
}
END_TEST

START_TEST(a_name_used_in_two_files_is_refused_with_both_places)
{
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	struct policy_note error;
	char first[600];

	put_text(vendor, "1.json", "\n\n" SIMPLE("same"));
	put_text(admin, "2.json", SIMPLE("same"));
	ck_assert_int_eq(load(&policy, &error), -EINVAL);
	ck_assert_ptr_null(policy);
	ck_assert_str_eq(error.file, path_of(admin, "2.json"));
	ck_assert_uint_eq(error.line, 1);
	ck_assert_uint_eq(error.column, strlen("{\"version\": 1, \"rules\": [{\"name\": ") + 1);
	snprintf(first, sizeof(first), "%s:3", path_of(vendor, "1.json"));
	ck_assert_msg(strstr(error.text, first), "%s", error.text);
}
END_TEST

START_TEST(devices_of_all_files_are_known)
{
	_cleanup_(policy_unrefp) struct policy *policy = NULL;

	put_text(vendor, "1.json", DEVICES("{\"name\": \"a\", \"mtu\": 1}"));
	put_text(vendor, "2.json", DEVICES("{\"name\": \"b\", \"mtu\": 2}"));
	put_text(admin, "2.json", DEVICES("{\"name\": \"b\", \"mtu\": 3}"));
	put_text(admin, "3.json", SIMPLE("r"));
	policy = load_good();
	ck_assert_uint_eq(policy_size(policy), 1);
	ck_assert_uint_eq(policy_device(policy, "a")->mtu, 1);
	ck_assert_uint_eq(policy_device(policy, "b")->mtu, 3);
	ck_assert_ptr_eq(policy_device_at(policy, 1), policy_device(policy, "b"));
	ck_assert_ptr_null(policy_device_at(policy, 2));
}
END_TEST

START_TEST(a_device_or_remoteproc_in_two_files_is_refused_with_both_places)
{
	static const struct {
		const char *first, *second, *before, *says;
	} cases[] = {
		{DEVICES("{\"name\": \"same\"}"), DEVICES("{\"name\": \"same\"}"),
			"{\"version\": 1, \"rules\": [], \"devices\": [{\"name\": ",
			"name is already that of device same in "},
		{DEVICES("{\"name\": \"a\", \"remoteproc\": \"cdsp\"}"),
			DEVICES("{\"name\": \"b\", \"remoteproc\": \"cdsp\"}"),
			"{\"version\": 1, \"rules\": [], \"devices\": [{\"name\": \"b\", "
			"\"remoteproc\": ",
			"remoteproc is already that of device a in "},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(policy_unrefp) struct policy *policy = NULL;
		_cleanup_(freep) char *first = NULL;
		struct policy_note error;
		char place[600];

		ck_assert_int_gt(asprintf(&first, "\n\n%s", cases[i].first), 0);
		put_text(vendor, "1.json", first);
		put_text(admin, "2.json", cases[i].second);
		ck_assert_int_eq(load(&policy, &error), -EINVAL);
		ck_assert_ptr_null(policy);
		ck_assert_str_eq(error.file, path_of(admin, "2.json"));
		ck_assert_uint_eq(error.line, 1);
		ck_assert_uint_eq(error.column, strlen(cases[i].before) + 1);
		snprintf(place, sizeof(place), "%s%s:3", cases[i].says, path_of(vendor, "1.json"));
		ck_assert_str_eq(error.text, place);
	}
}
END_TEST

START_TEST(the_number_of_devices_is_bounded_in_all_files_together)
{
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	struct policy_note error;
	char name[32], text[128];

	for (int i = 0; i < POLICY_DEVICES_MAX; i++) {
		snprintf(name, sizeof(name), "%d.json", i);
		snprintf(text, sizeof(text), DEVICES("{\"name\": \"d%d\"}"), i);
		put_text(vendor, name, text);
	}
	policy_unref(load_good());
	put_text(admin, "more.json", DEVICES("{\"name\": \"more\"}"));
	ck_assert_int_eq(load(&policy, &error), -EINVAL);
	ck_assert_ptr_null(policy);
	ck_assert_str_eq(error.file, path_of(admin, "more.json"));
	ck_assert_uint_eq(error.column,
		strlen("{\"version\": 1, \"rules\": [], \"devices\": [") + 1);
	ck_assert_str_eq(error.text, "more than 64 devices");
}
END_TEST

START_TEST(one_bad_file_spoils_the_whole)
{
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	struct policy_note error;

	put_text(vendor, "1.json", SIMPLE("a"));
	put_text(vendor, "2.json", "{\"version\": 1,\n \"rules\": 5}");
	put_text(vendor, "3.json", SIMPLE("c"));
	ck_assert_int_eq(load(&policy, &error), -EINVAL);
	ck_assert_ptr_null(policy);
	ck_assert_str_eq(error.file, path_of(vendor, "2.json"));
	ck_assert_uint_eq(error.line, 2);
	ck_assert_uint_eq(error.column, 11);
}
END_TEST

static void make_fifo(void)
{
	ck_assert_int_eq(mkfifo(path_of(admin, "x.json"), 0600), 0);
}

static void make_directory(void)
{
	ck_assert_int_eq(mkdir(path_of(admin, "x.json"), 0700), 0);
}

static void make_device(void)
{
	ck_assert_int_eq(symlink("/dev/null", path_of(admin, "x.json")), 0);
}

static void make_dangling_link(void)
{
	ck_assert_int_eq(symlink("nowhere", path_of(admin, "x.json")), 0);
}

static void make_link_loop(void)
{
	ck_assert_int_eq(symlink("x.json", path_of(admin, "x.json")), 0);
}

static const struct {
	void (*make)(void);
	int error;
	const char *says;
} unreadable[] = {
	{make_fifo, -EINVAL, "not a regular file"},
	{make_directory, -EINVAL, "not a regular file"},
	{make_device, -EINVAL, "not a regular file"},
	{make_dangling_link, -ENOENT, "cannot open: No such file"},
	{make_link_loop, -ELOOP, "cannot open: Too many"},
};

START_TEST(what_cannot_be_read_is_an_error_and_never_skipped)
{
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	struct policy_note error;

	unreadable[_i].make();
	ck_assert_int_eq(load(&policy, &error), unreadable[_i].error);
	ck_assert_ptr_null(policy);
	ck_assert_str_eq(error.file, path_of(admin, "x.json"));
	ck_assert_uint_eq(error.line, 0);
	ck_assert_msg(strstr(error.text, unreadable[_i].says), "%s", error.text);
}
END_TEST

/* Opening a device can set it going. */
START_TEST(what_is_no_regular_file_is_not_even_opened)
{
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	_cleanup_(fd_closep) int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char event[sizeof(struct inotify_event) + 256];
	struct policy_note error;

	make_fifo();
	ck_assert_int_ge(inotify_add_watch(watch, path_of(admin, "x.json"), IN_OPEN), 0);
	ck_assert_int_eq(load(&policy, &error), -EINVAL);
	ck_assert_int_eq(read(watch, event, sizeof(event)), -1);
	ck_assert_int_eq(errno, EAGAIN);
}
END_TEST

START_TEST(a_file_in_place_of_a_directory_is_an_error)
{
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	struct policy_note error;

	ck_assert_int_eq(rmdir(admin), 0);
	put_text(root, "admin", "");
	ck_assert_int_eq(load(&policy, &error), -ENOTDIR);
	ck_assert_str_eq(error.file, admin);
	ck_assert_str_ne(error.text, "");
}
END_TEST

START_TEST(a_file_may_have_a_mebibyte_and_not_a_byte_more)
{
	static char text[POLICY_FILE_BYTES_MAX + 1];
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	struct policy_note error;

	memset(text, ' ', sizeof(text));
	memcpy(text, SIMPLE("a"), strlen(SIMPLE("a")));
	put(vendor, "1.json", text, sizeof(text) - 1);
	policy = load_good();
	ck_assert_uint_eq(policy_size(policy), 1);
	policy = policy_unref(policy);

	put(vendor, "1.json", text, sizeof(text));
	ck_assert_int_eq(load(&policy, &error), -EINVAL);
	ck_assert_str_eq(error.file, path_of(vendor, "1.json"));
	ck_assert_str_eq(error.text, "larger than 1048576 bytes");
}
END_TEST

START_TEST(the_number_of_files_is_bounded)
{
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	struct policy_note error;
	char name[32];

	for (int i = 0; i < POLICY_FILES_MAX; i++) {
		snprintf(name, sizeof(name), "%d.json", i);
		put_text(i % 2 ? vendor : admin, name, POLICY(""));
	}
	policy_unref(load_good());
	put_text(admin, "more.json", POLICY(""));
	ck_assert_int_eq(load(&policy, &error), -E2BIG);
	ck_assert_ptr_null(policy);
	ck_assert_str_eq(error.file, admin);
	ck_assert_str_eq(error.text, "more than 512 policy files");
}
END_TEST

START_TEST(ten_thousand_rules_load_and_the_last_still_decides)
{
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	struct policy_decision decision;
	_cleanup_(freep) char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	fputs("{\"version\": 1, \"rules\": [", stream);
	for (int i = 0; i < 10000; i++)
		fprintf(stream, "%s\n" NAMED("r%d", "allow", "\"users\": [%d]", "\"d/s\""),
			i ? "," : "", i, i);
	fputs("]}", stream);
	fclose(stream);
	put(vendor, "1.json", text, size);
	policy = load_good();
	ck_assert_uint_eq(policy_size(policy), 10000);
	decision = decide(policy, 9999, 9999, "d/s");
	ck_assert_str_eq(decision.rule, "r9999");
	ck_assert_uint_eq(decision.line, 10001);
}
END_TEST

/* Test programs run in the root of the tree. */
START_TEST(the_examples_load_without_a_warning)
{
	static const char *const dirs[] = {"policy/examples"};
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	struct warnings warnings = {.n = 0};
	struct policy_note error;
	int r = policy_load(&policy, dirs, 1, &error, count_warning, &warnings);

	ck_assert_msg(r == 0, "%s:%u:%u: %s", error.file, error.line, error.column, error.text);
	ck_assert_msg(warnings.n == 0, "%s", warnings.last.text);
	ck_assert_uint_gt(policy_size(policy), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy files");
	TCase *tcase = tcase_create("directories");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, nothing_at_all_denies_everything);
	tcase_add_test(tcase, files_are_read_in_the_order_of_their_names_whatever_their_directory);
	tcase_add_test(tcase, a_file_of_the_administrator_replaces_the_vendors_of_that_name);
	tcase_add_test(tcase, other_files_are_no_policy);
	tcase_add_test(tcase, a_name_used_in_two_files_is_refused_with_both_places);
	tcase_add_test(tcase, devices_of_all_files_are_known);
	tcase_add_test(tcase, a_device_or_remoteproc_in_two_files_is_refused_with_both_places);
	tcase_add_test(tcase, the_number_of_devices_is_bounded_in_all_files_together);
	tcase_add_test(tcase, one_bad_file_spoils_the_whole);
	tcase_add_loop_test(tcase, what_cannot_be_read_is_an_error_and_never_skipped, 0,
		ARRAY_SIZE(unreadable));
	tcase_add_test(tcase, what_is_no_regular_file_is_not_even_opened);
	tcase_add_test(tcase, a_file_in_place_of_a_directory_is_an_error);
	tcase_add_test(tcase, a_file_may_have_a_mebibyte_and_not_a_byte_more);
	tcase_add_test(tcase, the_number_of_files_is_bounded);
	tcase_add_test(tcase, ten_thousand_rules_load_and_the_last_still_decides);
	tcase_add_test(tcase, the_examples_load_without_a_warning);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
