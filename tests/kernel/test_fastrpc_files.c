// SPDX-License-Identifier: MIT
/*
 * What a DSP gets of its host by the reverse tunnel, beside modules:
 * files as policy says, memory for its heap, lines in the log. What the DSP sees is told by its
 * module "probe" (remote/probe.h).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/kernel/probing.h"
#include "tests/kernel/remains.h"

/* Folders of the host. */
#define READ    CDSP_FILES "/read"
#define WRITE   CDSP_FILES "/write"
#define OUTSIDE CDSP_FILES "/outside"

#define SECRET "what nobody may read"
#define LETTER "what may be read"
#define KIB    1024u

/* Alice has files, and Bob has none. */
#define POLICY_TEXT                                                                       \
	CDSP_POLICY("",                                                                   \
		"{\"name\": \"files\", \"read\": [\"" READ "\"], \"write\": [\"" WRITE    \
		"\"], \"files\": 5, \"file_bytes\": \"64K\", \"memory\": \"1M\"}",        \
		ALLOW("with-files", "\"users\": [60711]", "\"*/*\"",                      \
			", \"domain\": \"files\"") ", " ALLOW("without-files", EVERYBODY, \
			"\"*/*\"", ""))

static struct harness harness;

static void set_up_dsp(void)
{
	cdsp_files();
	cdsp_up();
}

/* As new for each test. */
static void make_files(void)
{
	cdsp_run("cd " CDSP_FILES " && rm -rf read write outside && "
		 "mkdir -p read/folder write outside && "
		 "printf '" LETTER "' | tee read/letter >read/folder/letter && "
		 "printf '" SECRET "' >outside/secret && chmod -R a+rwX outside");
	cdsp_run("cd " READ " && ln -s " OUTSIDE
		 "/secret link && ln -s ../outside/secret relative && "
		 "ln -s ../outside outside && ln -s letter inside && ln -s /proc/self proc && "
		 "mkfifo pipe && : >unreadable && chmod 0 unreadable");
	cdsp_run("cd " WRITE " && ln -s ../outside/secret link && ln -s ../outside outside && "
		 "printf old >old && chown -h 60701 . old link outside");
}

static void set_up(void)
{
	make_files();
	harness_start(&harness, POLICY_TEXT);
}

static void tear_down(void)
{
	harness_stop(&harness);
	await_nothing_left();
	cdsp_run("[ \"$(ls -A " OUTSIDE ")\" = secret ] && [ \"$(cat " OUTSIDE
		 "/secret)\" = '" SECRET "' ]");
}

/* Reading. */

CLIENT_TEST(files_of_its_directories_can_be_read_by_every_way_to_name_them)
{
	static const char *const names[] = {"letter", "./letter", "folder/letter",
		"folder/./letter", "folder//letter", READ "/letter", READ "/folder/letter",
		READ "//letter"};
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, PROBE);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		probe_must_read(session, names[i], LETTER);
	probe_must_read(session, "old", "old");
	dspbroker_free(broker);
}

CLIENT_TEST(a_file_is_read_as_a_loader_does_and_at_any_place)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, PROBE);
	const struct probe_env env = {.variable_size = 17, .name_size = 6};
	const struct probe_seek seek = {.offset = -4, .whence = 2};
	const struct dspbroker_arg loader[] = {probe_bytes(&env, sizeof(env)),
		probe_text("ADSP_LIBRARY_PATH"), probe_text("letter")};
	const struct dspbroker_arg end[] = {probe_bytes(&seek, sizeof(seek)), probe_text("letter")};
	char answer[PROBE_ANSWER];
	struct probe_result result;

	result = probe(session, PROBE_READ_ENV, answer, 3, loader);
	require_eq(result.result, 0);
	require_eq(result.n, strlen(LETTER));
	require_eq(memcmp(answer, LETTER, result.n), 0);
	result = probe(session, PROBE_SEEK, answer, 2, end);
	require_eq(result.result, 0);
	require_eq(result.n, 4);
	require_eq(memcmp(answer, "read", 4), 0);
	result = probe_of(session, PROBE_STAT, "letter");
	require_eq(result.result, 0);
	require_eq(result.value, strlen(LETTER));
	require(S_ISREG(result.n));
	require_eq(probe_of(session, PROBE_EXISTS, "letter").value, 1);
	require_eq(probe_of(session, PROBE_EXISTS, "lettre").value, 0);
	dspbroker_free(broker);
}

CLIENT_TEST(a_folder_is_listed)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, PROBE);
	const struct dspbroker_arg in[] = {probe_text("folder")};
	char answer[PROBE_ANSWER];
	struct probe_result result = probe(session, PROBE_LIST, answer, 1, in);

	require_eq(result.result, 0);
	require_eq(result.value, 3); /* and "." and ".." */
	require_eq(result.n, strlen("letter") + 1 + 2 + 3);
	require(memmem(answer, result.n, "letter", 7));
	dspbroker_free(broker);
}

/* Whatever is asked of it, and however it is named. */
static const struct {
	const char *name;
	int error;
} refused[] = {
	{"..", EACCES},
	{"../outside/secret", EACCES},
	{"folder/../letter", EACCES},
	{"folder/../../outside/secret", EACCES},
	{READ "/../outside/secret", EACCES},
	{OUTSIDE "/secret", EACCES},
	{"/etc/passwd", EACCES},
	{"/", EACCES},
	{CDSP_FILES, EACCES},
	{READ "er/letter", EACCES},
	{"/proc/self/fd/3", EACCES},
	{"/proc/self/root/etc/passwd", EACCES},
	{"/proc/self/cwd/etc/passwd", EACCES},
	{"/dev/fd/0", EACCES},
	{"proc/fd/3", ELOOP},
	{"proc/root/etc/passwd", ELOOP},
	{"link", ELOOP},
	{"relative", ELOOP},
	{"inside", ELOOP},
	{"outside/secret", ELOOP},
	{READ "/link", ELOOP},
	{READ "/outside/secret", ELOOP},
	{"", EINVAL},
	{"let\nter", EINVAL},
	{"letter/x", ENOENT},
	{"nothing", ENOENT},
};

CLIENT_TEST(what_is_not_in_its_directories_cannot_be_read_whatever_it_is_called)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, PROBE);

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		probe_must_not(session, PROBE_READ, refused[i].name, refused[i].error);
		probe_must_not(session, PROBE_LIST, refused[i].name, refused[i].error);
		probe_must_not(session, PROBE_STAT, refused[i].name, refused[i].error);
		probe_must_not(session, PROBE_EXISTS, refused[i].name, 0);
	}
	dspbroker_free(broker);
}

CLIENT_TEST(what_is_no_file_and_what_the_broker_may_not_read_is_not_read)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, PROBE);

	probe_must_not(session, PROBE_READ, "pipe", EACCES);
	probe_must_not(session, PROBE_STAT, "pipe", EACCES);
	probe_must_not(session, PROBE_READ, "folder", EISDIR);
	probe_must_not(session, PROBE_READ, "unreadable", EACCES);
	probe_must_not(session, PROBE_LIST, "letter", ENOENT);
	dspbroker_free(broker);
}

static void have_no_files(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, PROBE);

	(void)data;
	probe_must_not(session, PROBE_READ, "letter", ENOENT);
	probe_must_not(session, PROBE_READ, READ "/letter", EACCES);
	probe_must_not(session, PROBE_LIST, READ, EACCES);
	require_eq(probe_write(session, "new", "w", "x", 1).result, EACCES);
	require_eq(probe_write(session, CDSP_MODULES "/new", "w", "x", 1).result, EACCES);
	/* What modules are loaded from it sees. */
	require(probe_of(session, PROBE_STAT, "libexample_skel.so").value > 1000);
	dspbroker_free(broker);
}

START_TEST(a_domain_without_directories_sees_modules_and_nothing_else)
{
	client_run(BOB, have_no_files, NULL);
}
END_TEST

/* Writing. */

/* Neither where it may only read, nor where it may do nothing. */
CLIENT_TEST(nothing_is_changed_outside_the_directories_for_writing)
{
	static const char *const names[] = {READ "/letter", READ "/new", "folder/letter",
		CDSP_MODULES "/libexample_skel.so", CDSP_MODULES "/new", OUTSIDE "/secret",
		OUTSIDE "/new", "../outside/secret", WRITE "/../outside/new", "/etc/passwd", "link",
		WRITE "/link", "outside/secret", "outside/new", WRITE "/outside/new", ".", WRITE,
		"/proc/self/fd/3"};
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, PROBE);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *name = names[i];

		require(probe_write(session, name, "w", "x", 1).result != 0);
		require(probe_write(session, name, "a", "x", 1).result != 0);
		require(probe_write(session, name, "r+", "x", 1).result != 0);
		require(probe_of(session, PROBE_REMOVE, name).result != 0);
		require(probe_of(session, PROBE_MKDIR, name).result != 0);
		require(probe_of(session, PROBE_RMDIR, name).result != 0);
		require(probe_with_number(session, PROBE_TRUNCATE, 0, name).result != 0);
		require(probe_of_two(session, PROBE_RENAME, WRITE "/old", name).result != 0);
		require(probe_of_two(session, PROBE_RENAME, name, WRITE "/mine").result != 0);
	}
	probe_must_read(session, "letter", LETTER);
	probe_must_read(session, "old", "old");
	dspbroker_free(broker);
}

static void write_files(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, PROBE);

	(void)data;
	require_eq(probe_write(session, "new", "w", "one", 3).result, 0);
	probe_must_read(session, "new", "one");
	require_eq(probe_write(session, "new", "a", " two", 4).result, 0);
	probe_must_read(session, "new", "one two");
	require_eq(probe_write(session, WRITE "/new", "w", "three", 5).result, 0);
	probe_must_read(session, WRITE "/new", "three");
	require_eq(probe_write(session, "new", "r+", "TH", 2).result, 0);
	probe_must_read(session, "new", "THree");
	require_eq(probe_with_number(session, PROBE_TRUNCATE, 2, "new").result, 0);
	probe_must_read(session, "new", "TH");
	require_eq(probe_of(session, PROBE_MKDIR, "made").result, 0);
	require_eq(probe_of_two(session, PROBE_RENAME, "new", "made/moved").result, 0);
	probe_must_not(session, PROBE_READ, "new", ENOENT);
	probe_must_read(session, "made/moved", "TH");
	require_eq(probe_of(session, PROBE_RMDIR, "made").result, ENOTEMPTY);
	require_eq(probe_of_two(session, PROBE_RENAME, "made/moved", "old").result, 0);
	probe_must_read(session, "old", "TH");
	require_eq(probe_of(session, PROBE_RMDIR, "made").result, 0);
	require_eq(probe_of(session, PROBE_REMOVE, "old").result, 0);
	require_eq(probe_write(session, "kept", "w", "kept", 4).result, 0);
	require_eq(probe_of(session, PROBE_MKDIR, "kept-folder").result, 0);
	dspbroker_free(broker);
}

/* What it makes is the broker's, and nobody else's to read. */
START_TEST(files_and_folders_are_made_changed_and_removed_in_directories_for_writing)
{
	client_run(ALICE, write_files, NULL);
	cdsp_run("cd " WRITE
		 " && [ \"$(ls -A | tr '\\n' ' ')\" = 'kept kept-folder link outside ' ] && "
		 "[ \"$(stat -c '%u %a' kept)\" = '60701 600' ] && "
		 "[ \"$(stat -c '%u %a' kept-folder)\" = '60701 700' ]");
}
END_TEST

/* Limits. */

CLIENT_TEST(no_more_files_are_open_at_once_than_policy_lets)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, PROBE);

	for (int i = 0; i < 3; i++) {
		struct probe_result result =
			probe_with_number(session, PROBE_OPEN_MANY, 100, "letter");

		require_eq(result.n, 5);
		require_eq(result.result, EMFILE);
		result = probe_with_number(session, PROBE_OPEN_MANY, 5, "letter");
		require_eq(result.n, 5);
		require_eq(result.result, 0);
	}
	dspbroker_free(broker);
}

CLIENT_TEST(a_file_grows_no_larger_than_policy_lets)
{
	static uint8_t zeros[48 * KIB];
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, PROBE);

	require_eq(probe_write(session, "large", "w", zeros, sizeof(zeros)).result, 0);
	require_eq(probe_write(session, "large", "a", zeros, 16 * KIB).result, 0);
	require_eq(probe_of(session, PROBE_STAT, "large").value, 64 * KIB);
	require_eq(probe_write(session, "large", "a", zeros, 1).result, EFBIG);
	require_eq(probe_with_number(session, PROBE_TRUNCATE, 64 * KIB + 1, "large").result, EFBIG);
	require_eq(probe_with_number(session, PROBE_TRUNCATE, 0x7fffffff, "large").result, EFBIG);
	require_eq(probe_of(session, PROBE_STAT, "large").value, 64 * KIB);
	require_eq(probe_with_number(session, PROBE_TRUNCATE, 64 * KIB, "large").result, 0);
	dspbroker_free(broker);
}

static struct probe_result grow(struct dspbroker_session *session, uint64_t size)
{
	const struct dspbroker_arg in[] = {probe_bytes(&size, sizeof(size))};

	return probe(session, PROBE_GROW, NULL, 1, in);
}

static int shrink(struct dspbroker_session *session, uint64_t address, uint64_t size)
{
	const struct probe_range range = {.address = address, .bytes = size};
	const struct dspbroker_arg in[] = {probe_bytes(&range, sizeof(range))};

	return probe(session, PROBE_SHRINK, NULL, 1, in).result;
}

CLIENT_TEST(the_heap_grows_as_far_as_policy_lets_and_what_is_given_back_counts_no_more)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, PROBE);
	struct probe_result first = grow(session, 512 * KIB), second = grow(session, 508 * KIB);

	require_eq(first.result, 0);
	require_eq(second.result, 0);
	require(first.value != 0 && second.value != 0 && first.value != second.value);
	require_eq(cdsp_count("heap"), 2);
	require(grow(session, 4 * KIB + 1).result != 0);
	require(grow(session, 0).result != 0);
	require(grow(session, UINT64_MAX).result != 0);
	require(grow(session, 1ull << 40).result != 0);
	require_eq(grow(session, 4 * KIB).result, 0);
	require(grow(session, 1).result != 0);
	/* It gives back what it was given, whole, and nothing else. */
	require(shrink(session, first.value + 4096, 512 * KIB) != 0);
	require(shrink(session, first.value, 256 * KIB) != 0);
	require_eq(shrink(session, first.value, 512 * KIB), 0);
	require(shrink(session, first.value, 512 * KIB) != 0);
	require_eq(cdsp_count("heap"), 2);
	require_eq(grow(session, 512 * KIB).result, 0);
	require(grow(session, 1).result != 0);
	dspbroker_free(broker);
}

/* Not even one of those that can be named everywhere else. */
CLIENT_TEST(the_environment_of_the_broker_is_not_the_dsps_business)
{
	static const char *const names[] = {"PATH", "NOTIFY_SOCKET", "HOME", ""};
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, PROBE);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		require(probe_of(session, PROBE_GETENV, names[i]).result != 0);
	require_eq(probe_of(session, PROBE_GETENV, "ADSP_LIBRARY_PATH").result, 0);
	require_eq(probe_of(session, PROBE_GETENV, "ADSP_LIBRARY_PATH").n, 1);
	dspbroker_free(broker);
}

/* Lines in the log. */

static int log_line(struct dspbroker_session *session, uint32_t level, const char *line)
{
	return probe_with_number(session, PROBE_LOG, level, line).result;
}

static void log_some(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, PROBE);

	require_eq(log_line(session, 2, data), 0);
	dspbroker_free(broker);
}

START_TEST(what_a_module_logs_is_in_the_log_with_whose_it_is)
{
	client_run(ALICE, log_some, "hello\nand \x1b[31m\x07\xff goodbye");
	client_run(BOB, log_some, "hello from Bob");
	require(harness_logged(&harness, "cdsp, uid 60711, cdsp/probe: remote:1: hello\""));
	require(harness_logged(&harness,
		"cdsp, uid 60711, cdsp/probe: remote:2: and ?[31m?? goodbye\""));
	require(harness_logged(&harness,
		"cdsp, uid 60712, cdsp/probe: remote:1: hello from Bob\""));
}
END_TEST

static void ask_for_secrets(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, PROBE);

	(void)data;
	probe_must_not(session, PROBE_READ, OUTSIDE "/secret", EACCES);
	probe_must_not(session, PROBE_READ, "link", ELOOP);
	dspbroker_free(broker);
}

START_TEST(what_a_domain_has_no_right_to_is_in_the_log)
{
	client_run(ALICE, ask_for_secrets, NULL);
	require(harness_logged(&harness,
		"cdsp, uid 60711, cdsp/probe: no right to " OUTSIDE "/secret\""));
	require(harness_logged(&harness, "cdsp, uid 60711, cdsp/probe: no right to link\""));
}
END_TEST

#define FLOOD 200

static void log_too_much(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, PROBE);
	char line[32];

	(void)data;
	for (int i = 0; i < FLOOD; i++) {
		snprintf(line, sizeof(line), "flood %d.", i);
		require_eq(log_line(session, 3, line), 0);
	}
	step_reached('f');
	/* After a while there is room for more, and what was left out is said. */
	for (;;) {
		require_eq(log_line(session, 3, "still here"), 0);
		step_reached('l');
		step_await('-');
	}
}

static bool says_what_is_missing(struct client *client)
{
	client_await(client, 'l');
	client_go(client, '-');
	return harness_logged(&harness, "lines were suppressed") &&
	       harness_logged(&harness, "still here");
}

START_TEST(a_module_that_logs_too_much_is_cut_short_and_others_are_not)
{
	struct client client;
	char line[64];
	int n = 0;

	client_start(&client, ALICE, log_too_much, NULL);
	client_await(&client, 'f');
	for (int i = 0; i < FLOOD; i++) {
		snprintf(line, sizeof(line), "uid 60711, cdsp/probe: remote:1: flood %d.\"", i);
		n += harness_logged(&harness, line);
	}
	require(n >= 10 && n < FLOOD / 2);
	client_run(BOB, log_some, "Bob's first line");
	require(harness_logged(&harness, "uid 60712, cdsp/probe: remote:1: Bob's first line\""));
	require_soon(says_what_is_missing(&client));
	client_kill(&client);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("fastrpc_files");
	TCase *tcase = tcase_create("files");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, set_up_dsp, NULL);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, files_of_its_directories_can_be_read_by_every_way_to_name_them);
	tcase_add_test(tcase, a_file_is_read_as_a_loader_does_and_at_any_place);
	tcase_add_test(tcase, a_folder_is_listed);
	tcase_add_test(tcase, what_is_not_in_its_directories_cannot_be_read_whatever_it_is_called);
	tcase_add_test(tcase, what_is_no_file_and_what_the_broker_may_not_read_is_not_read);
	tcase_add_test(tcase, a_domain_without_directories_sees_modules_and_nothing_else);
	tcase_add_test(tcase, nothing_is_changed_outside_the_directories_for_writing);
	tcase_add_test(tcase,
		files_and_folders_are_made_changed_and_removed_in_directories_for_writing);
	tcase_add_test(tcase, no_more_files_are_open_at_once_than_policy_lets);
	tcase_add_test(tcase, a_file_grows_no_larger_than_policy_lets);
	tcase_add_test(tcase,
		the_heap_grows_as_far_as_policy_lets_and_what_is_given_back_counts_no_more);
	tcase_add_test(tcase, the_environment_of_the_broker_is_not_the_dsps_business);
	tcase_add_test(tcase, what_a_module_logs_is_in_the_log_with_whose_it_is);
	tcase_add_test(tcase, what_a_domain_has_no_right_to_is_in_the_log);
	tcase_add_test(tcase, a_module_that_logs_too_much_is_cut_short_and_others_are_not);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
