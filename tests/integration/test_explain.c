// SPDX-License-Identifier: MIT
/* What dspctl says of policy files, which it reads as the broker does. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/integration/harness.h"

#define BROKEN "{\"version\": 1,\n \"rules\": 7}"

static struct harness harness;

static void tear_down(void)
{
	harness_stop(&harness);
}

#define EXPLAINED                                                                               \
	POLICY("\n" DENY("not-bob", "\"users\": [60712]",                                       \
		"\"soft0/denoise\"") ",\n" ALLOW("other-program",                               \
		"\"executables\": [\"/nowhere/*\"]", "\"*/*\"",                                 \
		"") ",\n" ALLOW("some", EVERYBODY, "\"soft0/*\"",                               \
		", \"methods\": [2, \"4-6\"], \"limits\": {\"calls\": 5}") ",\n" ALLOW("never", \
		"\"users\": [60711]", "\"soft0/example\"", ""))

#define policy_of_files(...) \
	harness_run("dspctl", ALICE, &output, "policy", __VA_ARGS__, harness.policy)
#define explain(...) policy_of_files("explain", __VA_ARGS__)

START_TEST(dspctl_explains_each_rule_and_the_one_that_decides)
{
	const char *output;

	harness_start(&harness, EXPLAINED);
	require_eq(explain("--uid", "60711", "--channel", EXAMPLE), 0);
	require_text(output, "test.json:2: deny not-bob: ");
	require_text(output, "test.json:3: allow other-program: it asks for executables, and that");
	require_text(output, "test.json:4: allow some: matches\n");
	require_text(output, "open " EXAMPLE ": allowed by rule some (");
	require_text(output, "methods: 2, 4-6\n");
	require_text(output, "limits: calls 5, per user\n");
	require(!harness_contains(output, "never")); /* it is not looked at any more */

	require_eq(explain("--uid", "60712", "--channel", "soft0/denoise"), 3);
	require_text(output, "soft0/denoise: denied by rule not-bob (");
	require_eq(explain("--uid", "60711", "--channel", EXAMPLE, "--method", "5"), 0);
	require_eq(explain("--uid", "60711", "--channel", EXAMPLE, "--method", "3"), 3);
	require_text(output, "which allows other methods");
	require_eq(explain("--uid", "60711", "--channel", "cdsp/x"), 3);
	require_text(output, "no rule allows it");
	require_eq(explain("--uid", "60711", "--channel", EXAMPLE, "--verb", "kick"), 3);
	require_eq(explain("--uid", "0", "--channel", EXAMPLE, "--verb", "kick"), 0);
	require_text(output, "root may do that");
	require_eq(explain("--uid", "60711", "--channel", EXAMPLE, "--json"), 0);
	require_text(output, "\"rule\": \"some\"");
	require_text(output, "\"allowed\": true");
}
END_TEST

START_TEST(dspctl_explains_what_a_process_may)
{
	const char *output;
	char pid[16];

	harness_start(&harness, EXPLAINED);
	snprintf(pid, sizeof(pid), "%d", getpid());
	require_eq(explain("--pid", pid, "--channel", EXAMPLE, "--method", "2"), 0);
	require_text(output, "uid ");
	require_eq(explain("--pid", "2147483647", "--channel", EXAMPLE), 5);
}
END_TEST

/* A name that clears the screen, in two spellings, and one that turns the line around. */
#define STEERING "a\033[2J\302\2332J\342\200\256.json"
#define HARMLESS "a\\x1b[2J\\xc2\\x9b2J\\xe2\\x80\\xae.json"

static void require_harmless(const char *output)
{
	require(!harness_contains(output, "\033"));
	require(!harness_contains(output, "\302\233"));
	require(!harness_contains(output, "\342\200\256"));
}

START_TEST(no_file_name_steers_the_terminal)
{
	char from[256], to[256];
	const char *output;

	harness_start(&harness, EXPLAINED);
	snprintf(from, sizeof(from), "%s/test.json", harness.policy);
	snprintf(to, sizeof(to), "%s/" STEERING, harness.policy);
	require(rename(from, to) == 0);
	require_eq(policy_of_files("check"), 0);
	require_text(output, HARMLESS ":5:1: warning: rule never");
	require_harmless(output);
	require_eq(explain("--uid", "60711", "--channel", EXAMPLE), 0);
	require_text(output, HARMLESS ":4: allow some: matches\n");
	require_text(output, "allowed by rule some (");
	require_text(output, HARMLESS ":4)\n");
	require_harmless(output);
	require_eq(explain("--uid", "60711", "--channel", EXAMPLE, "--json"), 0);
	require_text(output, "a\\u001b[2J\\u009b2J\\u202e.json\"");
	require_harmless(output);
	require_eq(policy_of_files("show"), 0);
	require_harmless(output);
	require_eq(policy_of_files("check", "--json"), 0);
	require_harmless(output);

	harness_set_policy(&harness, BROKEN);
	require(rename(from, to) == 0);
	require_eq(policy_of_files("check"), 1);
	require_text(output, HARMLESS ":2:");
	require_harmless(output);
}
END_TEST

#define MORE_IS_KNOWN "The broker may know more of it than you may look at."

START_TEST(dspctl_says_once_that_the_broker_may_know_more)
{
	const char *output;

	harness_start(&harness, EXPLAINED);
	require_eq(explain("--uid", "60711", "--channel", EXAMPLE), 0);
	require_text(output, "named by --pid, the broker knows them.\n");
	require(!harness_contains(output, MORE_IS_KNOWN));
	require_eq(explain("--pid", "1", "--channel", EXAMPLE), 0); /* ALICE may not look there */
	require_text(output, MORE_IS_KNOWN "\n");
	require(!strstr(strstr(output, MORE_IS_KNOWN) + 1, MORE_IS_KNOWN));
	require_eq(explain("--pid", "1", "--channel", EXAMPLE, "--json"), 0);
	require_text(output, "\"broker_may_know_more\": true");
}
END_TEST

START_TEST(dspctl_refuses_questions_that_make_no_sense)
{
	const char *output;

	harness_start(&harness, EXPLAINED);
	require_eq(explain("--channel", EXAMPLE), 2);
	require_eq(explain("--uid", "1", "--pid", "1", "--channel", EXAMPLE), 2);
	require_eq(explain("--uid", "1"), 2);
	require_eq(explain("--uid", "1", "--channel", "soft0"), 2);
	require_eq(explain("--uid", "1", "--channel", EXAMPLE, "--verb", "stop"), 2);
	require_eq(explain("--uid", "1", "--channel", "soft0", "--verb", "reload"), 2);
	require_eq(explain("--uid", "1", "--channel", EXAMPLE, "--verb", "list", "--method", "1"),
		2);
	require_eq(explain("--uid", "no-such-user", "--channel", EXAMPLE), 5);
}
END_TEST

START_TEST(dspctl_shows_the_merged_policy_and_its_weak_spots)
{
	const char *output;

	harness_start(&harness, EXPLAINED);
	require_eq(policy_of_files("show"), 0);
	require_text(output, "\"name\": \"other-program\"");
	require_text(output, "\"line\": 4");
	require_eq(policy_of_files("check"), 0);
	require_text(output, "warning: rule never");
	require_text(output, "OK: 4 rules");
	require_eq(policy_of_files("check", "--strict"), 1);
	require_eq(policy_of_files("check", "--json"), 0);
	require_text(output, "\"line\": 5");
	harness_set_policy(&harness, BROKEN);
	require_eq(policy_of_files("check"), 1);
	require_eq(policy_of_files("show"), 1);
	require_eq(explain("--uid", "1", "--channel", EXAMPLE), 1);
	require_text(output, "test.json:2:");
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("explain");
	TCase *tcase = tcase_create("explain");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, NULL, tear_down);
	tcase_add_test(tcase, dspctl_explains_each_rule_and_the_one_that_decides);
	tcase_add_test(tcase, dspctl_explains_what_a_process_may);
	tcase_add_test(tcase, no_file_name_steers_the_terminal);
	tcase_add_test(tcase, dspctl_says_once_that_the_broker_may_know_more);
	tcase_add_test(tcase, dspctl_refuses_questions_that_make_no_sense);
	tcase_add_test(tcase, dspctl_shows_the_merged_policy_and_its_weak_spots);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
