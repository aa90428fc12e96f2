// SPDX-License-Identifier: MIT
/* Whatever is in a file or becomes of it: an error that says where, in bounded memory. */
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "policy/compiled.h"
#include "policy/policy.h"
#include "tests/suite.h"
#include "tests/unit/policy_text.h"

#define SIMPLE(name) POLICY(NAMED(name, "allow", "\"users\": [1]", "\"d/s\""))
#define FULL         POLICY_FILE_BYTES_MAX
#define MEMORY_MAX   (128 * 1024) /* KiB that a load may need at most, with sanitizers */
#define LOADS        2000

static char dir[] = "/tmp/test-policy-XXXXXX";
static char file[64], other[64];

static void set_up(void)
{
	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chmod(dir, 0755), 0);
	snprintf(file, sizeof(file), "%s/x.json", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
}

static void tear_down(void)
{
	unlink(file);
	unlink(other);
	rmdir(dir);
}

static void put(const char *path, const char *text, size_t size)
{
	_cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, size), (ssize_t)size);
}

static int load(struct policy **out, struct policy_note *error)
{
	const char *const dirs[] = {dir};

	return policy_load(out, dirs, 1, error, NULL, NULL);
}

static void check_refused(int expected, const char *says)
{
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	struct policy_note error;

	ck_assert_int_eq(load(&policy, &error), expected);
	ck_assert_ptr_null(policy);
	ck_assert_str_eq(error.file, file);
	ck_assert_msg(strstr(error.text, says), "%s", error.text);
}

/* Texts that cost much or lead far: @before, then @piece again and again, up to @size. */
static const struct {
	const char *before, *piece, *says;
	unsigned int line, column; /* of the error */
	size_t size;
} bombs[] = {
	{"", "[", "deep", 1, 9, POLICY_CONTAINERS_MAX},
	{"", "{\"a\":", "deep", 1, 41, POLICY_CONTAINERS_MAX},
	{"", "[", "too many objects and lists", 1, POLICY_CONTAINERS_MAX + 1, FULL},
	{"", "{\"a\":", "too many objects", 1, 5 * POLICY_CONTAINERS_MAX + 1, FULL},
	{"{\"version\": ", "9", "ends too early", 1, FULL + 1, FULL},
	{"{\"version\": -1", "0", "ends too early", 1, FULL + 1, FULL},
	{"{\"version\": 1", "e9", "", 1, 0, FULL},
	{"{\"version\": \"", "a", "ends too early", 1, FULL + 1, FULL},
	{"{\"version\": \"", "\\u0061", "", 1, 0, FULL},
	{"{\"version\": 1, \"rules\": [", "{},", "too many", 1,
		26 + 3 * (POLICY_CONTAINERS_MAX - 2), FULL},
	{"{\"version\": 1, \"rules\": [", "{},", "ends too early", 1,
		26 + 3 * (POLICY_CONTAINERS_MAX - 2), 25 + 3 * (POLICY_CONTAINERS_MAX - 2)},
	{"{\"version\": 1, \"rules\": [\n", "[],\n", "too many", POLICY_CONTAINERS_MAX, 1, FULL},
	{"{\"version\": 1, \"rules\": [", "1,", "", 1, 0, FULL},
	{"{\"version\": 1, \"rules\": [", "\"\",", "", 1, 0, FULL},
	{"{", "\"a\":1,", "", 1, 0, FULL},
	{"\n\n", "\n", "ends too early", FULL + 1, 1, FULL},
	{"", "}", "", 1, 1, FULL},
	{"", "\xff", "utf-8", 1, 1, FULL},
};

static size_t make_bomb(char *text, int i)
{
	size_t size = strlen(bombs[i].before), piece = strlen(bombs[i].piece);

	memcpy(text, bombs[i].before, size);
	for (; size + piece <= bombs[i].size; size += piece)
		memcpy(text + size, bombs[i].piece, piece);
	return size;
}

/* In KiB; the kernel keeps it for each process. */
static long peak(void)
{
	struct rusage usage;

	ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_maxrss;
}

START_TEST(what_is_made_to_cost_much_is_refused_in_bounded_memory)
{
	static char text[POLICY_FILE_BYTES_MAX];
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	struct policy_note error;
	long before;

	put(file, text, make_bomb(text, _i));
	before = peak();
	ck_assert_int_eq(load(&policy, &error), -EINVAL);
	ck_assert_str_eq(error.file, file);
	ck_assert_msg(strstr(error.text, bombs[_i].says), "%s", error.text);
	ck_assert_msg(error.line == bombs[_i].line, "line %u: %s", error.line, error.text);
	if (bombs[_i].column)
		ck_assert_uint_eq(error.column, bombs[_i].column);
	ck_assert_msg(peak() - before <= MEMORY_MAX, "%ld KiB", peak() - before);
}
END_TEST

/* It has no blocks, but whoever reads on gets all of its bytes. */
START_TEST(of_a_huge_file_no_more_is_read_than_a_file_may_have)
{
	long before;

	put(file, "", 0);
	ck_assert_int_eq(truncate(file, 100 << 20), 0);
	before = peak();
	check_refused(-EINVAL, "larger than 1048576 bytes");
	ck_assert_msg(peak() - before <= 16 * 1024, "%ld KiB", peak() - before);
}
END_TEST

START_TEST(a_file_that_may_not_be_read_is_an_error)
{
	put(file, SIMPLE("a"), strlen(SIMPLE("a")));
	ck_assert_int_eq(chmod(file, 0), 0);
	/* Root may read anything. Check runs each test in a process of its own. */
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	check_refused(-EACCES, "cannot open: Permission denied");
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

/* A file whose first bytes are no memory of ours. */
START_TEST(a_file_that_fails_while_it_is_read_is_an_error)
{
	ck_assert_int_eq(symlink("/proc/self/mem", file), 0);
	check_refused(-EIO, "cannot read: Input/output error");
}
END_TEST

START_TEST(a_directory_that_links_to_itself_is_an_error)
{
	const char *const dirs[] = {file};
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	struct policy_note error;

	ck_assert_int_eq(symlink("x.json", file), 0);
	ck_assert_int_eq(policy_load(&policy, dirs, 1, &error, NULL, NULL), -ELOOP);
	ck_assert_str_eq(error.file, file);
	ck_assert_msg(strstr(error.text, "cannot open the directory"), "%s", error.text);
}
END_TEST

/* Each is a whole policy; they differ in length and in what they say. */
static const char *const versions[] = {SIMPLE("short"),
	POLICY(NAMED("long", "allow", "\"users\": [2]", "\"d/s\"") "," NAMED("longer", "allow",
		"\"users\": [3]", "\"d/s\", \"e/s\""))};

static atomic_bool ended;
static atomic_uint rewrites;

static void *replace(void *unused)
{
	for (unsigned int i = 0; !ended; i++, rewrites++) {
		put(other, versions[i % 2], strlen(versions[i % 2]));
		ck_assert_int_eq(rename(other, file), 0);
	}
	return unused;
}

static void *rewrite(void *unused)
{
	for (unsigned int i = 0; !ended; i++, rewrites++)
		put(file, versions[i % 2], strlen(versions[i % 2]));
	return unused;
}

static bool is_version(const struct policy *policy)
{
	const bool first = decide(policy, 1, 1, "d/s").allowed;
	const bool second =
		decide(policy, 2, 2, "d/s").allowed && decide(policy, 3, 3, "e/s").allowed;

	return first != second && policy_size(policy) == (first ? 1 : 2);
}

/* Load while another thread works on the file, until both have come round often. Returns how many
 * loads gave a policy; each of them one that was written. */
static unsigned int load_meanwhile(void *(*work)(void *))
{
	unsigned int good = 0;
	pthread_t thread;

	put(file, versions[0], strlen(versions[0]));
	ck_assert_int_eq(pthread_create(&thread, NULL, work, NULL), 0);
	for (unsigned int i = 0; i < LOADS || rewrites < LOADS; i++) {
		_cleanup_(policy_unrefp) struct policy *policy = NULL;
		struct policy_note error;
		int r = load(&policy, &error);

		if (r == 0) {
			ck_assert(is_version(policy));
			good++;
			continue;
		}
		ck_assert_int_eq(r, -EINVAL);
		ck_assert_str_eq(error.file, file);
		ck_assert_str_ne(error.text, "");
	}
	ended = true;
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	return good;
}

START_TEST(a_file_that_is_replaced_is_one_or_the_other)
{
	ck_assert_uint_ge(load_meanwhile(replace), LOADS);
}
END_TEST

START_TEST(a_file_that_is_rewritten_is_one_or_the_other_or_an_error)
{
	load_meanwhile(rewrite);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy broken");
	TCase *tcase = tcase_create("files");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, what_is_made_to_cost_much_is_refused_in_bounded_memory, 0,
		ARRAY_SIZE(bombs));
	tcase_add_test(tcase, of_a_huge_file_no_more_is_read_than_a_file_may_have);
	tcase_add_test(tcase, a_file_that_may_not_be_read_is_an_error);
	tcase_add_test(tcase, a_file_that_fails_while_it_is_read_is_an_error);
	tcase_add_test(tcase, a_directory_that_links_to_itself_is_an_error);
	tcase_add_test(tcase, a_file_that_is_replaced_is_one_or_the_other);
	tcase_add_test(tcase, a_file_that_is_rewritten_is_one_or_the_other_or_an_error);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
