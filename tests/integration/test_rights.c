// SPDX-License-Identifier: MIT
/* What a rule grants beyond opening a channel: methods, and how many calls. The real broker. */
#include "tests/integration/harness.h"

#define RULE(more) POLICY(ALLOW("modest", EVERYBODY, "\"soft0/example\"", ", " more))

static struct harness harness;

static void tear_down(void)
{
	harness_stop(&harness);
}

/* Data: nothing. The rule lets NOP be called, and all above 30, but not CRASH. */
static void calls_what_it_may(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_completion completion;

	(void)data;
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	require_eq(invoke_plain(session, EXAMPLE_CRASH), DSPBROKER_DENIED);
	require_eq(invoke_plain(session, EXAMPLE_SUM), DSPBROKER_DENIED);
	require_eq(submit_plain(session, EXAMPLE_CRASH, 5), 0);
	completion = reap_one(broker);
	require_eq((uintptr_t)completion.user, 5);
	require_eq(completion.status, DSPBROKER_DENIED);
	/* It never ran: the domain lives. */
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

START_TEST(a_method_that_its_rule_does_not_name_is_denied_and_never_runs)
{
	harness_start(&harness, RULE("\"methods\": [3, \"8-9\", \"31-4294967295\"]"));
	client_run(ALICE, calls_what_it_may, NULL);
	require(harness_logged(&harness, "modest"));
	require(harness_logged(&harness, "method"));
}
END_TEST

static void calls_above_thirty(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	uint32_t in[] = {EXAMPLE_ADD_ONE, 7}, out = 0;
	const struct dspbroker_arg args[] = {
		{.length = sizeof(in), .data = in},
		{.length = sizeof(out), .data = &out},
	};
	const struct dspbroker_call call = {
		.method = EXAMPLE_ADD_ONE, .n_in = 1, .n_out = 1, .args = args};

	require_eq(dspbroker_invoke(session, &call, NULL), *(int *)data);
	dspbroker_free(broker);
}

START_TEST(methods_above_thirty_are_allowed_together_or_not_at_all)
{
	int expected = 0;

	harness_start(&harness, RULE("\"methods\": [9, \"31-4294967295\"]"));
	client_run(ALICE, calls_above_thirty, &expected);
	harness_stop(&harness);
	expected = DSPBROKER_DENIED;
	harness_start(&harness, RULE("\"methods\": [\"2-30\"]"));
	client_run(ALICE, calls_above_thirty, &expected);
}
END_TEST

static void reaches_the_total(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *one = open_channel(broker, EXAMPLE);
	struct dspbroker_session *other = open_channel(broker, EXAMPLE);
	struct dspbroker_completion completion;

	(void)data;
	require_eq(submit_plain(one, EXAMPLE_SPIN, 1), 0);
	require_eq(submit_plain(one, EXAMPLE_NOP, 2), 0);
	require_eq(submit_plain(one, EXAMPLE_NOP, 3), 0);
	require_eq(submit_plain(other, EXAMPLE_NOP, 4), 0);
	completion = reap_one(broker);
	require_eq((uintptr_t)completion.user, 4);
	require_eq(completion.status, DSPBROKER_OVER_LIMIT);
	require_eq(completion.limit, DSPBROKER_LIMIT_RULE_CALLS);
	require_eq(invoke_plain(other, EXAMPLE_NOP), DSPBROKER_OVER_LIMIT);
	require_text(dspbroker_message(), "3");
	require_text(dspbroker_message(), "under the session's rule");
	/* What ends makes room, whichever session it was. */
	require_eq(dspbroker_cancel(one, (void *)3), 0);
	require_eq((uintptr_t)reap_one(broker).user, 3);
	require_eq(invoke_plain(other, EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

START_TEST(calls_in_flight_under_a_rule_are_bounded_over_all_its_sessions)
{
	harness_start(&harness, RULE("\"limits\": {\"calls_total\": 3, \"timeout_ms\": 600000}"));
	client_run(ALICE, reaches_the_total, NULL);
}
END_TEST

/* Call as fast as it goes until that is too fast; how many calls that were. */
static unsigned int calls_until_refused(struct dspbroker_session *session)
{
	unsigned int n = 0;
	int r;

	while (!(r = invoke_plain(session, EXAMPLE_NOP)))
		n++;
	require_eq(r, DSPBROKER_OVER_LIMIT);
	return n;
}

static void spends_its_burst(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);

	(void)data;
	require(calls_until_refused(session) >= 5);
	require_text(dspbroker_message(), "calls a second under the session's rule");
	require_soon(invoke_plain(session, EXAMPLE_NOP) == 0); /* waiting earns a call */
	calls_until_refused(session);
	dspbroker_free(broker);
}

START_TEST(a_rate_lets_a_burst_through_and_then_refuses_by_name_until_time_has_passed)
{
	harness_start(&harness, RULE("\"limits\": {\"calls_per_s\": 1, \"burst\": 5}"));
	client_run(ALICE, spends_its_burst, NULL);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("rights");
	TCase *tcase = tcase_create("rights");

	tcase_add_checked_fixture(tcase, NULL, tear_down);
	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_test(tcase, a_method_that_its_rule_does_not_name_is_denied_and_never_runs);
	tcase_add_test(tcase, methods_above_thirty_are_allowed_together_or_not_at_all);
	tcase_add_test(tcase, calls_in_flight_under_a_rule_are_bounded_over_all_its_sessions);
	tcase_add_test(tcase,
		a_rate_lets_a_burst_through_and_then_refuses_by_name_until_time_has_passed);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
