// SPDX-License-Identifier: MIT
/* Who may open what, and what the others are told: the real broker, and clients of several users.
 */
#include <string.h>

#include "tests/integration/harness.h"

#define ALICE_ALONE "\"users\": [60711]"
#define THE_FRIENDS "\"groups\": [60720]"

static struct harness harness;

static void opens_and_calls(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);

	(void)data;
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

/* Data: the name of the rule that refuses it. */
static void is_denied(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;

	require_eq(dspbroker_session_open(broker, &session, EXAMPLE), DSPBROKER_DENIED);
	require_text(dspbroker_message(), data);
	require_text(dspbroker_message(), EXAMPLE);
	dspbroker_free(broker);
}

START_TEST(a_user_whom_a_rule_names_opens_the_channel_and_others_do_not)
{
	if (!harness_has_users())
		return;
	harness_start(&harness, POLICY(ALLOW("alice-may", ALICE_ALONE, "\"soft0/*\"", "")));
	client_run(ALICE, opens_and_calls, NULL);
	client_run(BOB, is_denied, "(default)");
	harness_stop(&harness);
}
END_TEST

START_TEST(a_deny_wins_wherever_it_stands_and_is_named)
{
	if (!harness_has_users())
		return;
	harness_start(&harness,
		POLICY(ALLOW("everybody", EVERYBODY, "\"*/*\"", "") "," DENY("not-bob",
			"\"users\": [60712]", "\"soft0/exam*\"")));
	client_run(ALICE, opens_and_calls, NULL);
	client_run(BOB, is_denied, "not-bob");
	harness_stop(&harness);
}
END_TEST

START_TEST(a_rule_for_a_group_holds_for_those_who_have_it_as_supplementary_group)
{
	struct client client;

	if (!harness_has_users())
		return;
	harness_start(&harness, POLICY(ALLOW("friends", THE_FRIENDS, "\"*/*\"", "")));
	client_start_in(&client, ALICE, FRIENDS, opens_and_calls, NULL);
	client_end(&client);
	client_run(ALICE, is_denied, "(default)");
	client_run(FRIENDS, opens_and_calls, NULL); /* as primary group */
	harness_stop(&harness);
}
END_TEST

START_TEST(without_any_rule_everybody_is_denied)
{
	harness_start(&harness, NULL);
	client_run(ALICE, is_denied, "(default)");
	require(harness_logged(&harness, "nobody may open anything"));
	harness_stop(&harness);
}
END_TEST

START_TEST(a_refusal_is_logged_with_user_channel_rule_and_its_place)
{
	harness_start(&harness, POLICY("\n" ALLOW("everybody", EVERYBODY, "\"*/*\"",
					"") ",\n" DENY("not-this", EVERYBODY, "\"" EXAMPLE "\"")));
	client_run(ALICE, is_denied, "not-this");
	require(harness_logged(&harness, EXAMPLE " denied by rule not-this ("));
	require(harness_logged(&harness, "/test.json:3)"));
	require(harness_logged(&harness, "uid "));
	harness_stop(&harness);
}
END_TEST

static void gets_no_buffer(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_buffer *buffer;

	(void)data;
	require_eq(dspbroker_buffer_alloc(broker, &buffer, 4096), DSPBROKER_DENIED);
	dspbroker_free(broker);
}

START_TEST(who_may_open_nothing_gets_no_memory)
{
	harness_start(&harness, POLICY(DENY("nobody", EVERYBODY, "\"*/*\"")));
	client_run(ALICE, gets_no_buffer, NULL);
	harness_stop(&harness);
}
END_TEST

static void is_refused_names(void *data)
{
	static const char *const bad[] = {"", "soft0", "soft0/", "/example", "soft0/example/",
		"soft0/../example", "soft0/exa mple", "soft0/exam\nple", "soft0/*"};
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;

	(void)data;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		require_eq(dspbroker_session_open(broker, &session, bad[i]), DSPBROKER_INVALID);
	require_eq(dspbroker_session_open(broker, &session, "soft0/nothing"), DSPBROKER_NOT_FOUND);
	require_eq(dspbroker_session_open(broker, &session, "soft1/example"), DSPBROKER_NOT_FOUND);
	require_eq(dspbroker_session_open(broker, &session, "soft/example"), DSPBROKER_NOT_FOUND);
	dspbroker_free(broker);
}

START_TEST(names_that_are_no_channels_are_invalid_and_unknown_ones_not_found)
{
	harness_start(&harness, ALLOW_ALL);
	client_run(ALICE, is_refused_names, NULL);
	harness_stop(&harness);
}
END_TEST

#define MIXED \
	POLICY(ALLOW("example", EVERYBODY, "\"soft0/example\"", ",\"limits\": {\"sessions\": 1}"))

static void lists_channels(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_channel_info info = {};
	unsigned int n = 0;

	(void)data;
	while (dspbroker_next_channel(broker, info.id, &info) == 1) {
		bool example = !strcmp(info.name, EXAMPLE);

		n++;
		require_eq(info.allowed, example);
		require_text(info.rule, example ? "example" : "(default)");
		require_eq(info.message, 0);
	}
	require_eq(n, 2); /* the modules that come with the software DSP */
	dspbroker_free(broker);
}

START_TEST(a_client_sees_which_channels_it_may_open_and_by_which_rule)
{
	harness_start(&harness, MIXED);
	client_run(ALICE, lists_channels, NULL);
	harness_stop(&harness);
}
END_TEST

/* Sessions that this user sees; all must be of @uid unless that is 0. */
static unsigned int count_sessions(struct dspbroker *broker, uid_t uid)
{
	struct dspbroker_session_record record = {};
	unsigned int n = 0;

	while (dspbroker_next_session(broker, record.id, &record) == 1) {
		require(!uid || record.uid == uid);
		require_text(record.channel, EXAMPLE);
		require_text(record.rule, "everybody");
		n++;
	}
	return n;
}

static void has_two_sessions(void *data)
{
	struct dspbroker *broker = connect_to(&harness), *other = connect_to(&harness);

	(void)data;
	open_channel(broker, EXAMPLE);
	open_channel(other, EXAMPLE);
	step_reached('o');
	step_await('l');
	require_eq(count_sessions(broker, geteuid()), 2);
	dspbroker_free(other);
	dspbroker_free(broker);
}

static void sees_sessions(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	require_eq(count_sessions(broker, 0), *(unsigned int *)data);
	dspbroker_free(broker);
}

START_TEST(a_user_sees_the_sessions_of_that_user_alone_and_root_all)
{
	unsigned int all = 4, none = 0;
	struct client alice, bob;

	if (!harness_has_users())
		return;
	harness_start(&harness, ALLOW_ALL);
	client_start(&alice, ALICE, has_two_sessions, NULL);
	client_start(&bob, BOB, has_two_sessions, NULL);
	client_await(&alice, 'o');
	client_await(&bob, 'o');
	client_run(0, sees_sessions, &all);
	client_run(BROKER_UID, sees_sessions, &all);
	client_run(CAROL, sees_sessions, &none);
	client_go(&alice, 'l');
	client_end(&alice);
	client_go(&bob, 'l');
	client_end(&bob);
	harness_stop(&harness);
}
END_TEST

/* Scripts rely on the exit codes of dspctl(1). */
START_TEST(dspctl_ends_with_the_exit_code_that_says_what_happened)
{
	const char *output;

	harness_start(&harness, POLICY(ALLOW("everybody", EVERYBODY, "\"*/*\"",
					",\"limits\": {\"sessions\": 1}") "," DENY("no-noise",
					EVERYBODY, "\"soft0/denoise\"")));
#define dspctl(...) harness_dspctl(&harness, ALICE, &output, __VA_ARGS__)
	require_eq(dspctl("call", EXAMPLE, "9"), 0);
	require_eq(dspctl("call", EXAMPLE), 2);
	require_eq(dspctl("call", "soft0/denoise", "2"), 3);
	require_text(output, "no-noise");
	require_eq(dspctl("--socket", "/nonexistent", "channels"), 4);
	require_eq(dspctl("call", "soft0/nothing", "2"), 5);
	require_eq(dspctl("--timeout", "50", "call", EXAMPLE, "7"), 7);
	require_eq(dspctl("call", EXAMPLE, "8", "i32:77"), 8);
	require_text(output, "77");
	require_eq(dspctl("call", EXAMPLE, "6"), 9);
	require_eq(dspctl("call", EXAMPLE, "9"), 0);
#undef dspctl
	harness_stop(&harness);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("policy");
	TCase *tcase = tcase_create("policy");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_test(tcase, a_user_whom_a_rule_names_opens_the_channel_and_others_do_not);
	tcase_add_test(tcase, a_deny_wins_wherever_it_stands_and_is_named);
	tcase_add_test(tcase,
		a_rule_for_a_group_holds_for_those_who_have_it_as_supplementary_group);
	tcase_add_test(tcase, without_any_rule_everybody_is_denied);
	tcase_add_test(tcase, a_refusal_is_logged_with_user_channel_rule_and_its_place);
	tcase_add_test(tcase, who_may_open_nothing_gets_no_memory);
	tcase_add_test(tcase, names_that_are_no_channels_are_invalid_and_unknown_ones_not_found);
	tcase_add_test(tcase, a_client_sees_which_channels_it_may_open_and_by_which_rule);
	tcase_add_test(tcase, a_user_sees_the_sessions_of_that_user_alone_and_root_all);
	tcase_add_test(tcase, dspctl_ends_with_the_exit_code_that_says_what_happened);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
