// SPDX-License-Identifier: MIT
/* What a call does, and what it gets when it must not or cannot. */
#include <string.h>

#include "tests/integration/harness.h"

#define MANY      10000 /* calls of a test that streams */
#define IN_FLIGHT 48    /* below the default limit of a session */

static struct harness harness;

static void set_up(void)
{
	/* More time than a test has, so that what ends a call is never this. */
	harness_start(&harness, POLICY(ALLOW("everybody", EVERYBODY, "\"*/*\"",
					",\"limits\": {\"timeout_ms\": 600000}")));
}

static void tear_down(void)
{
	harness_stop(&harness);
}

#define INLINE(object)                                      \
	{                                                   \
		.data = &(object), .length = sizeof(object) \
	}

static int invoke(struct dspbroker_session *session, uint32_t method, unsigned int n_in,
	unsigned int n_out, const struct dspbroker_arg *args, int32_t *result)
{
	return dspbroker_invoke(session,
		&(struct dspbroker_call){
			.method = method, .n_in = n_in, .n_out = n_out, .args = args},
		result);
}

static uint32_t count(struct dspbroker_session *session)
{
	uint32_t calls = 0;
	struct dspbroker_arg args[] = {INLINE(calls)};

	require_eq(invoke(session, EXAMPLE_COUNT, 0, 1, args, NULL), 0);
	return calls;
}

CLIENT_TEST(methods_give_the_results_that_they_promise)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	int32_t numbers[] = {3, -40, 500, INT32_MAX, INT32_MAX}, largest = 0, result = 1;
	int64_t total = 0;
	char text[] = "nineteen characters", copy[sizeof(text)] = "";
	uint32_t words[] = {EXAMPLE_ADD_ONE, 41}, one_more = 0;
	struct dspbroker_arg sum[] = {INLINE(numbers), INLINE(total)};
	struct dspbroker_arg max[] = {INLINE(numbers), INLINE(largest)};
	struct dspbroker_arg copied[] = {INLINE(text), INLINE(copy)};
	struct dspbroker_arg escape[] = {INLINE(words), INLINE(one_more)};

	require_eq(invoke(session, EXAMPLE_SUM, 1, 1, sum, &result), 0);
	require_eq(result, 0);
	require_eq(total, 463 + 2 * (int64_t)INT32_MAX);
	require_eq(invoke(session, EXAMPLE_MAX, 1, 1, max, NULL), 0);
	require_eq(largest, INT32_MAX);
	require_eq(invoke(session, EXAMPLE_COPY, 1, 1, copied, NULL), 0);
	require_text(copy, text);
	require_eq(invoke(session, EXAMPLE_ADD_ONE, 1, 1, escape, NULL), 0);
	require_eq(one_more, 42);
	dspbroker_free(broker);
}

CLIENT_TEST(a_method_above_30_that_the_first_input_does_not_name_is_refused)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	uint32_t words[] = {EXAMPLE_CRASH, 41}, one_more = 0;
	struct dspbroker_arg args[] = {INLINE(words), INLINE(one_more)};

	require_eq(invoke(session, EXAMPLE_ADD_ONE, 1, 1, args, NULL), DSPBROKER_INVALID);
	require_eq(invoke(session, EXAMPLE_ADD_ONE, 0, 1, args + 1, NULL), DSPBROKER_INVALID);
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

CLIENT_TEST(inputs_and_outputs_in_buffers_and_inline_mix_in_one_call)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_buffer *buffer = alloc_buffer(broker, 8192);
	char *memory, text[] = "from the client's stack", back[sizeof(text)] = "";
	struct dspbroker_arg there[] = {
		INLINE(text), {.buffer = buffer, .offset = 4095, .length = sizeof(text)}};
	struct dspbroker_arg again[] = {
		{.buffer = buffer, .offset = 4095, .length = sizeof(text)}, INLINE(back)};

	require_eq(dspbroker_buffer_map(buffer, (void **)&memory), 0);
	require_eq(invoke(session, EXAMPLE_COPY, 1, 1, there, NULL), 0);
	require_eq(memcmp(memory + 4095, text, sizeof(text)), 0);
	require_eq(memory[4094], 0);
	require_eq(memory[4095 + sizeof(text)], 0);
	require_eq(invoke(session, EXAMPLE_COPY, 1, 1, again, NULL), 0);
	require_text(back, text);
	dspbroker_free(broker);
}

/* Every number of arguments, split in every way, each of another length: "touch" writes the XOR of
 * the inputs' first bytes to the first byte of each output. */
CLIENT_TEST(any_number_of_arguments_up_to_32_arrives)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	uint8_t bytes[DSPBROKER_ARGS_MAX][64];
	struct dspbroker_arg args[DSPBROKER_ARGS_MAX + 1] = {};

	for (unsigned int n = 0; n <= DSPBROKER_ARGS_MAX; n++) {
		for (unsigned int n_in = 0; n_in <= n; n_in++) {
			uint8_t expected = 0;

			for (unsigned int i = 0; i < n; i++) {
				memset(bytes[i], (int)(0xa0 + i), sizeof(bytes[i]));
				args[i].data = bytes[i];
				args[i].length = (i * 7 + n) % sizeof(bytes[i]);
				if (i < n_in && args[i].length)
					expected ^= bytes[i][0];
			}
			require_eq(invoke(session, EXAMPLE_TOUCH, n_in, n - n_in, args, NULL), 0);
			for (unsigned int i = n_in; i < n; i++)
				require_eq(bytes[i][0], args[i].length ? expected : 0xa0 + i);
		}
	}
	require_eq(invoke(session, EXAMPLE_TOUCH, DSPBROKER_ARGS_MAX, 1, args, NULL), -EINVAL);
	require_eq(count(session), 561 + 1);
	dspbroker_free(broker);
}

CLIENT_TEST(every_call_has_one_completion_and_those_of_a_session_come_in_order)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_completion completions[IN_FLIGHT];
	uintptr_t submitted = 0, reaped = 0;

	while (reaped < MANY) {
		int n;

		while (submitted < MANY && submitted - reaped < IN_FLIGHT)
			require_eq(submit_plain(session, EXAMPLE_NOP, ++submitted), 0);
		n = dspbroker_reap(broker, completions, IN_FLIGHT, HARNESS_PATIENCE_S * 1000);
		require(n > 0);
		for (int i = 0; i < n; i++) {
			require_eq((uintptr_t)completions[i].user, ++reaped);
			require_eq(completions[i].status, 0);
			require(completions[i].session == session);
		}
	}
	require_eq(dspbroker_reap(broker, completions, 1, 0), 0);
	require_eq(count(session), MANY + 1);
	dspbroker_free(broker);
}

CLIENT_TEST(sessions_have_state_of_their_own)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *one = open_channel(broker, EXAMPLE);
	struct dspbroker_session *other = open_channel(broker, EXAMPLE);

	for (uint32_t i = 1; i <= 5; i++)
		require_eq(count(one), i);
	require_eq(count(other), 1);
	dspbroker_session_close(one);
	require_eq(count(other), 2);
	require_eq(count(open_channel(broker, EXAMPLE)), 1);
	dspbroker_free(broker);
}

/* The message of a call with this argument says both. */
static void require_refused(struct dspbroker_session *session, struct dspbroker_arg bad,
	const char *part)
{
	char byte = 0;
	struct dspbroker_arg args[] = {INLINE(byte), INLINE(byte), INLINE(byte), bad};

	require_eq(invoke(session, EXAMPLE_TOUCH, 2, 2, args, NULL), DSPBROKER_INVALID);
	require_text(dspbroker_message(), "output 1");
	require_text(dspbroker_message(), part);
}

CLIENT_TEST(an_argument_outside_its_buffer_is_invalid_and_named)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_buffer *buffer = alloc_buffer(broker, 4096);
	struct dspbroker_arg whole[] = {{.buffer = buffer, .length = 4096}};

	require_refused(session, (struct dspbroker_arg){buffer, 0, 4097, NULL}, "length");
	require_refused(session, (struct dspbroker_arg){buffer, 4096, 1, NULL}, "length");
	require_refused(session, (struct dspbroker_arg){buffer, 4097, 0, NULL}, "offset");
	require_refused(session, (struct dspbroker_arg){buffer, 1, UINT32_MAX, NULL}, "length");
	require_refused(session, (struct dspbroker_arg){buffer, UINT32_MAX, 1, NULL}, "offset");
	require_eq(invoke(session, EXAMPLE_TOUCH, 1, 0, whole, NULL), 0);
	require_eq(count(session), 2); /* no refused call ran */
	dspbroker_free(broker);
}

CLIENT_TEST(the_methods_that_open_and_close_are_not_the_clients)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);

	require_eq(invoke_plain(session, 0), DSPBROKER_INVALID);
	require_eq(invoke_plain(session, 1), DSPBROKER_INVALID);
	require_text(dspbroker_message(), "method");
	require_eq(count(session), 1);
	dspbroker_free(broker);
}

CLIENT_TEST(what_a_module_returns_comes_back_as_it_is)
{
	static int32_t errors[] = {1, -1, 14, INT32_MAX, INT32_MIN, 0x8000040d};
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct dspbroker_arg args[] = {INLINE(errors[i])};
		int32_t result = 0;

		require_eq(invoke(session, EXAMPLE_FAIL, 1, 0, args, &result), DSPBROKER_DSP_ERROR);
		require_eq(result, errors[i]);
	}
	require_eq(invoke_plain(session, EXAMPLE_SUM), DSPBROKER_DSP_ERROR);
	require_eq(invoke_plain(session, 13), DSPBROKER_DSP_ERROR);
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

/* Sessions that end, and others that do not. */

static void require_dead(struct dspbroker *broker, struct dspbroker_session *session)
{
	struct dspbroker_event event = next_event(broker);

	require_eq(event.type, DSPBROKER_EVENT_SESSION);
	require_eq(event.status, DSPBROKER_DOMAIN_CRASHED);
	require(event.session == session);
	require(event.text[0]);
	require_eq(invoke_plain(session, EXAMPLE_NOP), DSPBROKER_DOMAIN_CRASHED);
	dspbroker_session_close(session);
	require_eq(count(open_channel(broker, EXAMPLE)), 1);
}

CLIENT_TEST(an_endless_loop_ends_with_its_time_and_takes_its_session_alone)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_session *other = open_channel(broker, EXAMPLE);
	struct dspbroker_call spin = {.method = EXAMPLE_SPIN, .timeout_us = 200000};

	require_eq(count(other), 1);
	require_eq(dspbroker_invoke(session, &spin, NULL), DSPBROKER_TIMED_OUT);
	require_eq(count(other), 2);
	require_dead(broker, session);
	require_eq(count(other), 3);
	dspbroker_free(broker);
}

CLIENT_TEST(a_crash_takes_its_session_alone_and_the_channel_opens_again)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_session *other = open_channel(broker, EXAMPLE);

	require_eq(count(other), 1);
	require_eq(invoke_plain(session, EXAMPLE_CRASH), DSPBROKER_DOMAIN_CRASHED);
	require_dead(broker, session);
	require_eq(count(other), 2);
	dspbroker_free(broker);
}

CLIENT_TEST(calls_behind_a_crash_end_as_crashed_each_once)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_completion completion;

	require_eq(submit_plain(session, EXAMPLE_NOP, 1), 0);
	require_eq(submit_plain(session, EXAMPLE_CRASH, 2), 0);
	for (uintptr_t i = 3; i <= IN_FLIGHT; i++)
		require_eq(submit_plain(session, EXAMPLE_NOP, i), 0);
	for (uintptr_t i = 1; i <= IN_FLIGHT; i++) {
		completion = reap_one(broker);
		require_eq((uintptr_t)completion.user, i);
		require_eq(completion.status, i == 1 ? DSPBROKER_OK : DSPBROKER_DOMAIN_CRASHED);
	}
	require_eq(dspbroker_reap(broker, &completion, 1, 0), 0);
	dspbroker_free(broker);
}

CLIENT_TEST(a_forbidden_system_call_ends_the_domain_alone_and_is_named)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *other = open_channel(broker, EXAMPLE);

	for (uint32_t attempt = 0; attempt < 4; attempt++) {
		struct dspbroker_session *session = open_channel(broker, EXAMPLE);
		struct dspbroker_arg args[] = {INLINE(attempt)};

		require_eq(invoke(session, EXAMPLE_BREAKOUT, 1, 0, args, NULL),
			DSPBROKER_DOMAIN_CRASHED);
		require_text(next_event(broker).text, "forbidden system call");
		dspbroker_session_close(session);
	}
	require_eq(count(other), 1);
	dspbroker_free(broker);
}

/* Time. */

/* Start a call that keeps the session's domain busy until its time is over, and come back when it
 * runs, that is, when it cannot be cancelled any more. */
static void occupy(struct dspbroker *broker, struct dspbroker_session *session, uint32_t timeout_us)
{
	static const int spinning = 0;
	struct dspbroker_call spin = {
		.method = EXAMPLE_SPIN, .timeout_us = timeout_us, .user = (void *)&spinning};
	int r;

	do {
		require_eq(submit_plain(session, EXAMPLE_NOP, 1), 0);
		require_eq(dspbroker_submit(session, &spin), 0);
		require_eq((uintptr_t)reap_one(broker).user, 1);
		r = dspbroker_cancel(session, &spinning);
		if (r == 0)
			require_eq(reap_one(broker).status, DSPBROKER_CANCELLED);
	} while (r == 0);
	require_eq(r, DSPBROKER_BUSY);
}

CLIENT_TEST(a_call_that_waits_can_be_cancelled_and_one_that_runs_cannot)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_completion completion;

	occupy(broker, session, 0);
	require_eq(submit_plain(session, EXAMPLE_NOP, 2), 0);
	require_eq(submit_plain(session, EXAMPLE_NOP, 3), 0);
	require_eq(dspbroker_cancel(session, (void *)3), 0);
	completion = reap_one(broker);
	require_eq((uintptr_t)completion.user, 3);
	require_eq(completion.status, DSPBROKER_CANCELLED);
	require_eq(dspbroker_cancel(session, (void *)3), DSPBROKER_NOT_FOUND);
	require_eq(dspbroker_cancel(session, (void *)2), 0);
	require_eq((uintptr_t)reap_one(broker).user, 2);
	dspbroker_free(broker);
}

CLIENT_TEST(a_call_whose_time_is_over_while_it_waits_ends_alone)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_completion completion;
	struct dspbroker_event event;

	occupy(broker, session, 0);
	require_eq(dspbroker_submit(session,
			   &(struct dspbroker_call){
				   .method = EXAMPLE_NOP, .timeout_us = 1000, .user = (void *)2}),
		0);
	completion = reap_one(broker);
	require_eq((uintptr_t)completion.user, 2);
	require_eq(completion.status, DSPBROKER_TIMED_OUT);
	/* The one that runs still does, and so does its domain. */
	require_eq(submit_plain(session, EXAMPLE_NOP, 3), 0);
	require_eq(dspbroker_cancel(session, (void *)3), 0);
	require_eq((uintptr_t)reap_one(broker).user, 3);
	require_eq(dspbroker_next_event(broker, &event), 0);
	dspbroker_free(broker);
}

CLIENT_TEST(what_waits_behind_a_call_that_times_out_ends_with_the_domain)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_completion completion;

	occupy(broker, session, 300000);
	require_eq(submit_plain(session, EXAMPLE_NOP, 2), 0);
	require_eq(reap_one(broker).status, DSPBROKER_TIMED_OUT);
	completion = reap_one(broker);
	require_eq((uintptr_t)completion.user, 2);
	require_eq(completion.status, DSPBROKER_DOMAIN_CRASHED);
	require_dead(broker, session);
	dspbroker_free(broker);
}

CLIENT_TEST(closing_a_session_cancels_what_waits_and_waits_for_what_runs)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_completion completion;

	occupy(broker, session, 300000);
	require_eq(submit_plain(session, EXAMPLE_NOP, 2), 0);
	dspbroker_session_close(session);
	completion = reap_one(broker);
	require_eq((uintptr_t)completion.user, 2);
	require_eq(completion.status, DSPBROKER_CANCELLED);
	completion = reap_one(broker);
	require_eq(completion.status, DSPBROKER_TIMED_OUT);
	require(!completion.session);
	require_eq(dspbroker_reap(broker, &completion, 1, -1), 0);
	dspbroker_free(broker);
}

static void asks_for_more_time_than_there_is(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_call spin = {.method = EXAMPLE_SPIN, .timeout_us = UINT32_MAX};

	(void)data;
	require_eq(dspbroker_session_info(session)->timeout_max_us, 100000);
	require_eq(dspbroker_session_info(session)->calls_max, 7);
	require_text(dspbroker_session_info(session)->rule, "short");
	require_eq(dspbroker_invoke(session, &spin, NULL), DSPBROKER_TIMED_OUT);
	dspbroker_free(broker);
}

START_TEST(no_call_takes_longer_than_its_rule_allows)
{
	harness_start(&harness, POLICY(ALLOW("short", EVERYBODY, "\"*/*\"",
					",\"limits\": {\"timeout_ms\": 100, \"calls\": 7}")));
	client_run(ALICE, asks_for_more_time_than_there_is, NULL);
}
END_TEST

/* Shared domains. */

#define SHARED                                               \
	POLICY(ALLOW("pair", EVERYBODY, "\"soft0/example\"", \
		",\"share_domain\": \"pair\"") "," ALLOW("others", EVERYBODY, "\"*/*\"", ""))

static void set_up_shared(void)
{
	harness_start(&harness, SHARED);
}

CLIENT_TEST(sessions_that_share_a_domain_keep_state_of_their_own)
{
	struct dspbroker *broker = connect_to(&harness), *friend = connect_to(&harness);
	struct dspbroker_session *one = open_channel(broker, EXAMPLE);
	struct dspbroker_session *other = open_channel(friend, EXAMPLE);
	struct dspbroker_session_record first = {}, second = {}, third = {};

	require_eq(dspbroker_next_session(broker, 0, &first), 1);
	require_eq(dspbroker_next_session(broker, first.id, &second), 1);
	require_eq(first.domain, second.domain);
	open_channel(broker, "soft0/denoise");
	require_eq(dspbroker_next_session(broker, second.id, &third), 1);
	require(third.domain != first.domain);

	require_eq(count(one), 1);
	require_eq(count(one), 2);
	require_eq(count(other), 1);
	dspbroker_session_close(one);
	require_eq(count(other), 2);
	one = open_channel(broker, EXAMPLE);
	require_eq(count(one), 1);
	require_eq(count(other), 3);
	dspbroker_free(broker); /* not the last one in it, so the domain stays */
	require_eq(count(other), 4);
	dspbroker_free(friend);
}

CLIENT_TEST(a_crash_in_a_shared_domain_takes_all_its_sessions_and_nobody_else)
{
	struct dspbroker *broker = connect_to(&harness), *friend = connect_to(&harness);
	struct dspbroker_session *one = open_channel(broker, EXAMPLE);
	struct dspbroker_session *other = open_channel(friend, EXAMPLE);
	struct dspbroker_session *bystander = open_channel(broker, "soft0/denoise");

	require_eq(invoke_plain(one, EXAMPLE_CRASH), DSPBROKER_DOMAIN_CRASHED);
	require_dead(broker, one);
	require_dead(friend, other);
	/* The method wants arguments, so its module answers. */
	require_eq(invoke_plain(bystander, 2), DSPBROKER_DSP_ERROR);
	dspbroker_free(broker);
	dspbroker_free(friend);
}

CLIENT_TEST(who_leaves_a_shared_domain_in_the_middle_of_calls_disturbs_nobody)
{
	struct dspbroker *friend = connect_to(&harness);
	struct dspbroker_session *other = open_channel(friend, EXAMPLE);
	struct dspbroker_event event;

	for (uint32_t i = 1; i <= 20; i++) {
		struct dspbroker *broker = connect_to(&harness);
		struct dspbroker_session *one = open_channel(broker, EXAMPLE);

		for (uintptr_t call = 0; call < IN_FLIGHT; call++)
			require_eq(submit_sleep(one, 100, call), 0);
		reap_one(broker);
		dspbroker_free(broker);
		require_eq(count(other), i);
	}
	require_eq(dspbroker_next_event(friend, &event), 0);
	dspbroker_free(friend);
}

/* Nobody is let into the domain with more than takes a moment, and who was is taken back. */
CLIENT_TEST(quick_calls_buy_no_room_for_slow_ones_while_others_wait)
{
	struct dspbroker *broker = connect_to(&harness), *friend = connect_to(&harness);
	struct dspbroker_session *one = open_channel(broker, EXAMPLE);
	struct dspbroker_session *other = open_channel(friend, EXAMPLE);
	struct dspbroker_completion done[IN_FLIGHT];

	for (int i = 0; i < 200; i++)
		require_eq(invoke_plain(one, EXAMPLE_NOP), 0);
	for (uintptr_t call = 0; call < IN_FLIGHT; call++)
		require_eq(submit_sleep(one, 20000, call), 0);
	require_eq(invoke_plain(other, EXAMPLE_NOP), 0);
	require(dspbroker_reap(broker, done, IN_FLIGHT, 0) < IN_FLIGHT / 2);
	dspbroker_free(broker);
	dspbroker_free(friend);
}

static Suite *suite(void)
{
	Suite *suite = suite_create("calls");
	TCase *tcase = tcase_create("calls"), *shared = tcase_create("shared domains");
	TCase *own = tcase_create("own policy");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, methods_give_the_results_that_they_promise);
	tcase_add_test(tcase, a_method_above_30_that_the_first_input_does_not_name_is_refused);
	tcase_add_test(tcase, inputs_and_outputs_in_buffers_and_inline_mix_in_one_call);
	tcase_add_test(tcase, any_number_of_arguments_up_to_32_arrives);
	tcase_add_test(tcase, every_call_has_one_completion_and_those_of_a_session_come_in_order);
	tcase_add_test(tcase, sessions_have_state_of_their_own);
	tcase_add_test(tcase, an_argument_outside_its_buffer_is_invalid_and_named);
	tcase_add_test(tcase, the_methods_that_open_and_close_are_not_the_clients);
	tcase_add_test(tcase, what_a_module_returns_comes_back_as_it_is);
	tcase_add_test(tcase, an_endless_loop_ends_with_its_time_and_takes_its_session_alone);
	tcase_add_test(tcase, a_crash_takes_its_session_alone_and_the_channel_opens_again);
	tcase_add_test(tcase, calls_behind_a_crash_end_as_crashed_each_once);
	tcase_add_test(tcase, a_forbidden_system_call_ends_the_domain_alone_and_is_named);
	tcase_add_test(tcase, a_call_that_waits_can_be_cancelled_and_one_that_runs_cannot);
	tcase_add_test(tcase, a_call_whose_time_is_over_while_it_waits_ends_alone);
	tcase_add_test(tcase, what_waits_behind_a_call_that_times_out_ends_with_the_domain);
	tcase_add_test(tcase, closing_a_session_cancels_what_waits_and_waits_for_what_runs);
	suite_add_tcase(suite, tcase);

	tcase_set_timeout(shared, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(shared, set_up_shared, tear_down);
	tcase_add_test(shared, sessions_that_share_a_domain_keep_state_of_their_own);
	tcase_add_test(shared, a_crash_in_a_shared_domain_takes_all_its_sessions_and_nobody_else);
	tcase_add_test(shared, who_leaves_a_shared_domain_in_the_middle_of_calls_disturbs_nobody);
	tcase_add_test(shared, quick_calls_buy_no_room_for_slow_ones_while_others_wait);
	suite_add_tcase(suite, shared);

	tcase_set_timeout(own, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(own, NULL, tear_down);
	tcase_add_test(own, no_call_takes_longer_than_its_rule_allows);
	suite_add_tcase(suite, own);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
