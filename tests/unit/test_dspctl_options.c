// SPDX-License-Identifier: MIT
/* Options of the command line set what they say, and nothing else is taken. */
#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "client/dspctl_file.h"
#include "client/dspctl_options.h"
#include "policy/policy.h"
#include "tests/suite.h"

static struct dspctl_options options;
static unsigned int given;

/* The words are constants: only their array is moved about, and looked at later. */
static int parse(int argc, char *const *words)
{
	static char *argv[16];

	memcpy(argv, words, ((size_t)argc + 1) * sizeof(*words));
	memset(&options, 0xff, sizeof(options)); /* it must not matter what was there */
	given = UINT32_MAX;
	return dspctl_options_parse(&options, &given, argc, argv);
}

#define PARSE(...)                                                               \
	parse((int)(sizeof((char *[]){"dspctl", __VA_ARGS__}) / sizeof(char *)), \
		(char *[]){"dspctl", __VA_ARGS__, NULL})

START_TEST(nothing_is_set_that_is_not_given)
{
	ck_assert_int_eq(PARSE("run", "cdsp/denoise"), DSPCTL_OK);
	ck_assert_uint_eq(given, 0);
	ck_assert_uint_eq(options.n_words, 2);
	ck_assert_str_eq(options.words[1], "cdsp/denoise");
	ck_assert_int_eq(options.memory, DSPBROKER_MEMORY_MEMFD);
	ck_assert_ptr_null(options.module);
	ck_assert_ptr_null(options.socket);
	ck_assert_int_eq(options.block | options.count | options.timeout_ms | options.rate, 0);
	ck_assert(!options.json && !options.follow && !options.hex);
}
END_TEST

START_TEST(options_stand_before_and_after_the_words)
{
	ck_assert_int_eq(PARSE("--json", "run", "--module=my.so", "a", "--socket", "s", "--block",
				 "0x20", "b", "--", "--raw"),
		DSPCTL_OK);
	ck_assert_uint_eq(given, OPTION_BIT(OPTION_JSON) | OPTION_BIT(OPTION_MODULE) |
					 OPTION_BIT(OPTION_SOCKET) | OPTION_BIT(OPTION_BLOCK));
	ck_assert_str_eq(options.module, "my.so");
	ck_assert_str_eq(options.socket, "s");
	ck_assert_int_eq(options.block, 32);
	ck_assert(options.json && !options.raw);
	ck_assert_uint_eq(options.n_words, 4);
	ck_assert_str_eq(options.words[3], "--raw");
}
END_TEST

START_TEST(every_kind_of_memory_has_its_word)
{
	static const struct {
		char *word;
		enum dspbroker_memory memory;
	} kinds[] = {
		{"memfd", DSPBROKER_MEMORY_MEMFD},
		{"heap", DSPBROKER_MEMORY_HEAP},
		{"device", DSPBROKER_MEMORY_DEVICE},
	};

	ck_assert_int_eq(PARSE("--memory", kinds[_i].word, "call"), DSPCTL_OK);
	ck_assert_int_eq(options.memory, kinds[_i].memory);
	ck_assert_uint_eq(given, OPTION_BIT(OPTION_MEMORY));
}
END_TEST

START_TEST(a_question_about_policy_has_its_parts)
{
	ck_assert_int_eq(PARSE("policy", "explain", "--pid", "1234", "--channel=cdsp/x", "--method",
				 "0", "--verb", "kick", "dir"),
		DSPCTL_OK);
	ck_assert_int_eq(options.pid, 1234);
	ck_assert_str_eq(options.channel, "cdsp/x");
	ck_assert(options.has_method);
	ck_assert_int_eq(options.method, 0);
	ck_assert_int_eq(options.verb, POLICY_KICK);
}
END_TEST

START_TEST(nothing_is_asked_but_to_open_unless_it_is_said)
{
	ck_assert_int_eq(PARSE("policy", "check", "--strict"), DSPCTL_OK);
	ck_assert(options.strict && !options.has_method && !options.user);
	ck_assert_int_eq(options.verb, POLICY_OPEN);
}
END_TEST

START_TEST(every_verb_has_its_word)
{
	ck_assert_int_eq(PARSE("policy", "explain", "--verb",
				 (char *)policy_verb_name((enum policy_verb)_i)),
		DSPCTL_OK);
	ck_assert_int_eq(options.verb, _i);
}
END_TEST

static char *const wrong[][2] = {
	{"--verb", "steal"},
	{"--pid", "0"},
	{"--pid", "2147483648"},
	{"--method", "-1"},
	{"--method", "4294967296"},
	{"--memory", ""},
	{"--memory", "Heap"},
	{"--memory", "he"},
	{"--memory", "heaps"},
	{"--memory", "1"},
	{"--block", "15"},
	{"--block", "8193"},
	{"--block", "ten"},
	{"--suppress", "0"},
	{"--in-flight", "257"},
	{"--timeout", "4294968"},
	{"--count", "4294967296"},
	{"--device", "cdsp"},
	{"call", "--memory"},
	{"call", "--module"},
};

START_TEST(what_an_option_cannot_be_is_wrong_usage)
{
	ck_assert_int_eq(PARSE(wrong[_i][0], wrong[_i][1]), DSPCTL_USAGE);
}
END_TEST

START_TEST(an_option_that_a_command_does_not_take_is_wrong_usage)
{
	const unsigned int memory = OPTION_BIT(OPTION_MEMORY), module = OPTION_BIT(OPTION_MODULE);

	ck_assert_int_eq(dspctl_options_check("call", memory | module, memory | module), DSPCTL_OK);
	ck_assert_int_eq(dspctl_options_check("call", module, memory | module), DSPCTL_USAGE);
	ck_assert_int_eq(dspctl_options_check("devices", 0, module), DSPCTL_USAGE);
	ck_assert_int_eq(dspctl_options_check("devices", UINT32_MAX, 0), DSPCTL_OK);
}
END_TEST

START_TEST(options_that_contradict_each_other_are_wrong_usage)
{
	static const enum option_id pairs[][2] = {
		{OPTION_HEX, OPTION_RAW},
		{OPTION_RAW, OPTION_JSON},
		{OPTION_COUNT, OPTION_FOLLOW},
		{OPTION_RECEIVE, OPTION_FOLLOW},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		const unsigned int one = OPTION_BIT(pairs[i][0]), other = OPTION_BIT(pairs[i][1]);

		ck_assert_int_eq(dspctl_options_check("send", UINT32_MAX, one | other),
			DSPCTL_USAGE);
		ck_assert_int_eq(dspctl_options_check("send", UINT32_MAX, one), DSPCTL_OK);
		ck_assert_int_eq(dspctl_options_check("send", UINT32_MAX, other), DSPCTL_OK);
	}
}
END_TEST

/* The file of --module. */

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

#define TEMPLATE "/tmp/dspctl-test.XXXXXX"
static char path[sizeof(TEMPLATE)];
static int file;

static void set_up(void)
{
	strcpy(path, TEMPLATE);
	file = mkostemp(path, O_CLOEXEC);
	ck_assert_int_ge(file, 0);
}

static void tear_down(void)
{
	close(file);
	unlink(path);
}

START_TEST(a_file_becomes_a_memfd_that_nobody_can_change)
{
	static char bytes[100000], copy[sizeof(bytes)];
	struct stat st;
	int fd = -1;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * i >> 3);
	ck_assert_int_eq(write(file, bytes, sizeof(bytes)), sizeof(bytes));
	ck_assert_int_eq(dspctl_file_seal(path, sizeof(bytes), &fd), 0);
	ck_assert_int_eq(fcntl(fd, F_GET_SEALS) & SEALS, SEALS);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_size, sizeof(bytes));
	ck_assert_int_eq(pread(fd, copy, sizeof(copy), 0), sizeof(copy));
	ck_assert_mem_eq(bytes, copy, sizeof(bytes));
	close(fd);
}
END_TEST

START_TEST(a_file_that_can_be_no_module_is_refused)
{
	char bytes[1000] = {};
	int fd = -1;

	ck_assert_int_eq(dspctl_file_seal(path, sizeof(bytes), &fd), -ENODATA);
	ck_assert_int_eq(write(file, bytes, sizeof(bytes)), sizeof(bytes));
	ck_assert_int_eq(dspctl_file_seal(path, sizeof(bytes) - 1, &fd), -EFBIG);
	ck_assert_int_eq(dspctl_file_seal("/dev/zero", DSPBROKER_MODULE_BYTES_MAX, &fd), -EFBIG);
	ck_assert_int_eq(dspctl_file_seal("/tmp", sizeof(bytes), &fd), -EISDIR);
	ck_assert_int_eq(dspctl_file_seal("/nonexistent/my.so", sizeof(bytes), &fd), -ENOENT);
	ck_assert_int_eq(fd, -1);
}
END_TEST

static Suite *suite(void)
{
	Suite *all = suite_create("dspctl_options");
	TCase *tests = tcase_create("options"), *files = tcase_create("files");

	tcase_add_test(tests, a_question_about_policy_has_its_parts);
	tcase_add_test(tests, nothing_is_asked_but_to_open_unless_it_is_said);
	tcase_add_loop_test(tests, every_verb_has_its_word, 0, POLICY_VERBS);
	tcase_add_test(tests, nothing_is_set_that_is_not_given);
	tcase_add_test(tests, options_stand_before_and_after_the_words);
	tcase_add_loop_test(tests, every_kind_of_memory_has_its_word, 0, 3);
	tcase_add_loop_test(tests, what_an_option_cannot_be_is_wrong_usage, 0, ARRAY_SIZE(wrong));
	tcase_add_test(tests, an_option_that_a_command_does_not_take_is_wrong_usage);
	tcase_add_test(tests, options_that_contradict_each_other_are_wrong_usage);
	suite_add_tcase(all, tests);

	tcase_add_checked_fixture(files, set_up, tear_down);
	tcase_add_test(files, a_file_becomes_a_memfd_that_nobody_can_change);
	tcase_add_test(files, a_file_that_can_be_no_module_is_refused);
	suite_add_tcase(all, files);
	return all;
}

int main(void)
{
	return suite_run(suite());
}
