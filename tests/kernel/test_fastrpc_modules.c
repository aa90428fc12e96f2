// SPDX-License-Identifier: MIT
/*
 * Which code runs on a DSP: modules of the host's directories,
 * and those that clients bring.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/kernel/messages.h"
#include "tests/kernel/probing.h"
#include "tests/kernel/remains.h"

#define MODULE "cdsp/example"
#define FIRST  CDSP_FILES "/first"

/* Modules are in two directories, of which the first has none yet. Carol may bring her own. */
#define POLICY_TEXT                                                                                \
	"{\"version\": 1, \"devices\": [{\"name\": \"cdsp\", "                                     \
	"\"shells\": [\"" CDSP_SHELLS "\"], \"modules\": [\"" FIRST "\", \"" CDSP_MODULES          \
	"\"]}], "                                                                                  \
	"\"domains\": [{\"name\": \"own\", \"own_modules\": true}], \"rules\": [" ALLOW("carol",   \
		"\"users\": [60713]", "\"*/*\"",                                                   \
		", \"domain\": \"own\", \"share_domain\": \"carols\"") ", " ALLOW("without-leave", \
		EVERYBODY, "\"*/*\"", "") "]}"

static struct harness harness;

/* Both are as new for each test. */
static void set_up(void)
{
	cdsp_run("rm -rf " CDSP_MODULES " " FIRST " && mkdir -p " FIRST);
	cdsp_files();
	harness_start(&harness, POLICY_TEXT);
}

static void tear_down(void)
{
	harness_stop(&harness);
	await_nothing_left();
}

/* The host's. */

static void must_not_load(struct dspbroker *broker, const char *channel, const char *sentence)
{
	struct dspbroker_session *session = NULL;

	require_eq(dspbroker_session_open(broker, &session, channel), DSPBROKER_LOAD_FAILED);
	require_text(dspbroker_message(), sentence);
}

/* What it says is the DSP's. */
static void open_bad_modules(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	(void)data;
	must_not_load(broker, "cdsp/nothere", "cannot open libnothere_skel.so");
	must_not_load(broker, "cdsp/text", "cannot load libtext_skel.so");
	must_not_load(broker, "cdsp/empty", "libempty_skel.so");
	must_not_load(broker, "cdsp/other", "other_skel_handle_invoke");
	require_soon(count_sessions(broker) == 0);
	require_eq(invoke_plain(open_channel(broker, MODULE), EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

START_TEST(what_is_no_module_is_not_loaded_and_the_dsp_says_why)
{
	cdsp_run("cd " CDSP_MODULES " && cp libexample_skel.so libother_skel.so && "
		 "echo no library >libtext_skel.so && : >libempty_skel.so");
	client_run(ALICE, open_bad_modules, NULL);
	require_soon(cdsp_count("domains") == 0);
}
END_TEST

CLIENT_TEST(a_name_that_can_be_no_module_is_refused_before_the_dsp_hears_of_it)
{
	static const char *const names[] = {"", ".", "..", "../example", "a-b", "a.so", "a b",
		"example?", "example&_dom=adsp", "example\n", "%s", "\xc3\xa4", "/", "/example",
		"example/", "exa/mple"};
	struct dspbroker *broker = connect_to(&harness);
	uint64_t created = cdsp_count("domains-created");
	struct dspbroker_session *session;
	char channel[64];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int r;

		snprintf(channel, sizeof(channel), "cdsp/%s", names[i]);
		r = dspbroker_session_open(broker, &session, channel);
		if (r != DSPBROKER_NOT_FOUND && r != DSPBROKER_INVALID && r != DSPBROKER_DENIED)
			harness_fail(__FILE__, __LINE__, "%s: %d (%s)", channel, r,
				dspbroker_message());
	}
	require_eq(cdsp_count("domains-created"), created);
	dspbroker_free(broker);
}

/* With the longest ones the URI that the DSP gets is longest, too. */
CLIENT_TEST(a_modules_name_has_up_to_95_characters)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;
	char channel[160] = "cdsp/";

	for (size_t length = 94; length < 98; length++) {
		memset(channel + 5, 'a', length);
		channel[5 + length] = '\0';
		require_eq(dspbroker_session_open(broker, &session, channel),
			length <= 95 ? DSPBROKER_LOAD_FAILED : DSPBROKER_NOT_FOUND);
	}
	dspbroker_free(broker);
}

static void open_and_call(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	(void)data;
	require_eq(invoke_plain(open_channel(broker, MODULE), EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

static void fail_to_open(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	must_not_load(broker, MODULE, data);
	dspbroker_free(broker);
}

START_TEST(a_module_comes_from_the_first_of_its_directories_that_has_it)
{
	client_run(BOB, open_and_call, NULL);
	cdsp_run("echo no library >" FIRST "/libexample_skel.so");
	client_run(BOB, fail_to_open, "cannot load libexample_skel.so");
	cdsp_run("cp " CDSP_MODULES "/libexample_skel.so " FIRST "/");
	client_run(BOB, open_and_call, NULL);
	cdsp_run("cd " CDSP_MODULES " && rm libexample_skel.so");
	client_run(BOB, open_and_call, NULL);
	/* A link is no module, wherever it leads. */
	cdsp_run("cd " FIRST " && mv libexample_skel.so moved && ln -s moved libexample_skel.so");
	client_run(BOB, fail_to_open, "cannot open libexample_skel.so");
}
END_TEST

/* Those of clients. */

/* A module in a memfd that nobody can change any more. */
static int module_with(unsigned int seals)
{
	_cleanup_(fd_closep) int file =
		open(harness_program("modules/libexample_skel.so"), O_RDONLY | O_CLOEXEC);
	int fd = memfd_create("module", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char data[4096];
	ssize_t n;

	require(file >= 0 && fd >= 0);
	while ((n = read(file, data, sizeof(data))) > 0)
		require_eq(write(fd, data, (size_t)n), n);
	require_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

static int open_own(struct dspbroker *broker, struct dspbroker_session **session,
	const char *channel, int fd)
{
	_cleanup_(fd_closep) int own = fd;

	return dspbroker_session_open_module(broker, session, channel, own);
}

/* There is no other module of that name: what runs is what was brought. */
static void bring_own(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *own, *second, *other;
	struct dspbroker_session *probe = open_channel(broker, PROBE);

	(void)data;
	require_eq(open_own(broker, &own, MODULE, module_with(SEALS)), 0);
	require_eq(invoke_plain(own, EXAMPLE_NOP), 0);
	/* Neither the next session has it, nor one that shares its rule's domain. */
	require_eq(dspbroker_session_open(broker, &other, MODULE), DSPBROKER_LOAD_FAILED);
	require_text(dspbroker_message(), "cannot open libexample_skel.so");
	probe_must_not(probe, PROBE_READ, "libexample_skel.so", ENOENT);
	probe_must_not(probe, PROBE_STAT, "libexample_skel.so", ENOENT);
	require_eq(open_own(broker, &second, MODULE, module_with(SEALS)), 0);
	require_eq(cdsp_count("domains"), 3);
	require_eq(invoke_plain(second, EXAMPLE_NOP), 0);
	require_eq(invoke_plain(own, EXAMPLE_NOP), 0);
	/* It may crash, and takes nobody along. */
	require(invoke_plain(own, EXAMPLE_CRASH) != 0);
	require_eq(invoke_plain(second, EXAMPLE_NOP), 0);
	probe_must_read(probe, "libnothing", "nothing");
	dspbroker_free(broker);
}

static void bring_with_dspctl(void)
{
	const char *output;

	require_eq(harness_dspctl(&harness, CAROL, &output, "call", MODULE, "9", "--module",
			   harness_program("modules/libexample_skel.so")),
		0);
	require_eq(harness_dspctl(&harness, CAROL, &output, "call", MODULE, "9"), 1);
	require_text(output, "cannot open libexample_skel.so");
}

START_TEST(a_module_that_a_client_brings_is_its_sessions_alone)
{
	cdsp_run("rm " CDSP_MODULES "/libexample_skel.so && "
		 "printf nothing >" FIRST "/libnothing");
	client_run(CAROL, bring_own, NULL);
	bring_with_dspctl();
}
END_TEST

CLIENT_TEST(a_module_of_ones_own_needs_policys_leave)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;

	require_eq(open_own(broker, &session, MODULE, module_with(SEALS)), DSPBROKER_DENIED);
	require_text(dspbroker_message(), "without-leave");
	require_text(dspbroker_message(), "no module of its own");
	require_eq(cdsp_count("domains"), 0);
	dspbroker_free(broker);
}

static void bring_wrong_ones(void *data)
{
	static const unsigned int seals[] = {0, F_SEAL_WRITE, SEALS & ~F_SEAL_WRITE,
		SEALS & ~F_SEAL_GROW, SEALS & ~F_SEAL_SHRINK,
		F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK};
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;
	int fds[2], fd;

	(void)data;
	for (size_t i = 0; i < ARRAY_SIZE(seals); i++) {
		require_eq(open_own(broker, &session, MODULE, module_with(seals[i])),
			DSPBROKER_INVALID);
		require_text(dspbroker_message(), "seal");
	}
	fd = memfd_create("empty", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	require_eq(fcntl(fd, F_ADD_SEALS, SEALS), 0);
	require_eq(open_own(broker, &session, MODULE, fd), DSPBROKER_INVALID);
	require_text(dspbroker_message(), "empty");
	fd = memfd_create("large", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	require_eq(ftruncate(fd, DSPBROKER_MODULE_BYTES_MAX + 1), 0);
	require_eq(fcntl(fd, F_ADD_SEALS, SEALS), 0);
	require_eq(open_own(broker, &session, MODULE, fd), DSPBROKER_INVALID);
	require_text(dspbroker_message(), "larger");
	require_eq(open_own(broker, &session, MODULE,
			   open(harness_program("modules/libexample_skel.so"), O_RDONLY)),
		DSPBROKER_INVALID);
	require_text(dspbroker_message(), "no memfd");
	require_eq(pipe2(fds, O_CLOEXEC), 0);
	require_eq(open_own(broker, &session, MODULE, fds[0]), DSPBROKER_INVALID);
	close(fds[1]);
	require_eq(cdsp_count("domains"), 0);
	/* One that is no module is the DSP's to refuse. */
	fd = memfd_create("text", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	require_eq(write(fd, "no library", 10), 10);
	require_eq(fcntl(fd, F_ADD_SEALS, SEALS), 0);
	require_eq(open_own(broker, &session, MODULE, fd), DSPBROKER_LOAD_FAILED);
	require_text(dspbroker_message(), "cannot load libexample_skel.so");
	require_eq(open_own(broker, &session, EXAMPLE, module_with(SEALS)), DSPBROKER_UNSUPPORTED);
	dspbroker_free(broker);
}

START_TEST(a_module_that_could_change_or_is_none_is_refused)
{
	client_run(CAROL, bring_wrong_ones, NULL);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("fastrpc_modules");
	TCase *tcase = tcase_create("modules");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, cdsp_up, NULL);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, what_is_no_module_is_not_loaded_and_the_dsp_says_why);
	tcase_add_test(tcase, a_name_that_can_be_no_module_is_refused_before_the_dsp_hears_of_it);
	tcase_add_test(tcase, a_modules_name_has_up_to_95_characters);
	tcase_add_test(tcase, a_module_comes_from_the_first_of_its_directories_that_has_it);
	tcase_add_test(tcase, a_module_that_a_client_brings_is_its_sessions_alone);
	tcase_add_test(tcase, a_module_of_ones_own_needs_policys_leave);
	tcase_add_test(tcase, a_module_that_could_change_or_is_none_is_refused);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
