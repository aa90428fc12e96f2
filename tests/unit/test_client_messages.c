// SPDX-License-Identifier: MIT
/* What the client library promises about messages. */
#include <pthread.h>
#include <time.h>

#include "tests/suite.h"
#include "tests/unit/messaging.h"

#define SESSIONS_MAX (FAKE_SQ_SLOTS / 4)

START_TEST(a_message_of_any_length_comes_back_whole)
{
	char out[FAKE_MTU], in[FAKE_MTU + 1];
	uint32_t dropped;
	size_t length;

	ck_assert_uint_eq(dspbroker_session_info(session)->mtu, FAKE_MTU);
	for (size_t n = 1; n <= FAKE_MTU; n++) {
		memset(out, 0x80 + (int)n, sizeof(out));
		memset(in, 0, sizeof(in));
		dropped = 77;
		ck_assert_int_eq(dspbroker_send(session, out, n, -1), 0);
		ck_assert_int_eq(dspbroker_receive(session, in, sizeof(in), &length, &dropped,
					 TIMEOUT_MS),
			0);
		ck_assert_uint_eq(length, n);
		ck_assert_uint_eq(dropped, 0);
		ck_assert_mem_eq(in, out, n);
		ck_assert_int_eq(in[n], 0);
	}
}
END_TEST

/* Whichever way they are sent: waiting, submitted, or tried. */
START_TEST(messages_arrive_in_the_order_of_their_sending)
{
	struct dspbroker_completion done[16];
	int r;

	for (uint32_t i = 0; i < 2000; i++) {
		uint32_t number = ORDINARY | i;

		if (i % 7 == 0)
			r = dspbroker_send(session, &number, sizeof(number), 1000);
		else if (i % 7 == 1)
			r = dspbroker_try_send(session, &number, sizeof(number));
		else
			while ((r = submit_number(i)) == -EAGAIN)
				ck_assert_int_ge(dspbroker_reap(broker, done, 16, TIMEOUT_MS), 0);
		ck_assert_int_eq(r, 0);
	}
	assert_numbers(session, ORDINARY, 2000);
}
END_TEST

START_TEST(a_submitted_message_has_one_completion)
{
	struct dspbroker_completion done[2];
	int user;

	ck_assert_int_eq(submit_saying(FAKE_SAY_HOLD, &user), 0);
	ck_assert_int_eq(dspbroker_reap(broker, done, 2, 0), 0);
	ck_assert_int_eq(tell(session, FAKE_SAY_RELEASE, 0, 0), 0);
	ck_assert_int_eq(dspbroker_reap(broker, done, 2, TIMEOUT_MS), 1);
	ck_assert_ptr_eq(done[0].session, session);
	ck_assert_ptr_eq(done[0].user, &user);
	ck_assert_int_eq(done[0].status, DSPBROKER_OK);
	ck_assert_int_eq(done[0].result, 0);
	ck_assert_int_eq(dspbroker_reap(broker, done, 2, -1), 0);
}
END_TEST

START_TEST(what_is_no_message_never_reaches_the_broker)
{
	char data[FAKE_MTU + 1] = "";
	size_t length;

	ck_assert_int_eq(dspbroker_send(session, data, 0, -1), -EMSGSIZE);
	ck_assert_int_eq(dspbroker_send(session, data, sizeof(data), -1), -EMSGSIZE);
	ck_assert_str_eq(dspbroker_message(), "a message has 1 to 64 bytes, not 65");
	ck_assert_int_eq(dspbroker_try_send(session, data, SIZE_MAX), -EMSGSIZE);
	ck_assert_int_eq(dspbroker_submit_send(session, data, sizeof(data), NULL), -EMSGSIZE);
	ck_assert_int_eq(dspbroker_send(session, NULL, 1, -1), -EINVAL);
	ck_assert_int_eq(dspbroker_try_send(NULL, data, 1), -EINVAL);
	ck_assert_int_eq(dspbroker_receive(NULL, data, sizeof(data), &length, NULL, 0), -EINVAL);
	ck_assert_int_eq(dspbroker_receive(session, NULL, sizeof(data), &length, NULL, 0), -EINVAL);
	ck_assert_int_eq(dspbroker_receive(session, data, sizeof(data), NULL, NULL, 0), -EINVAL);
	ck_assert_int_eq(tell(session, FAKE_SAY_COUNT, 1, 5), 0);
	ck_assert_int_eq(dspbroker_receive(session, data, FAKE_MTU - 1, &length, NULL, -1),
		-EMSGSIZE);
	assert_numbers(session, 5, 1); /* it was not lost by that */
	ck_assert_ptr_null(dspbroker_next_message(NULL));
}
END_TEST

START_TEST(a_channel_takes_either_calls_or_messages)
{
	struct dspbroker_session *calls = open_channel("soft0/calls");
	const struct dspbroker_call call = {.method = FAKE_ECHO};
	char data[FAKE_MTU] = "";
	size_t length;

	ck_assert_uint_eq(dspbroker_session_info(calls)->mtu, 0);
	ck_assert_int_eq(dspbroker_invoke(session, &call, NULL), -EOPNOTSUPP);
	ck_assert_int_eq(dspbroker_submit(session, &call), -EOPNOTSUPP);
	ck_assert_str_eq(dspbroker_message(), "the channel takes messages, not calls");
	ck_assert_int_eq(dspbroker_send(calls, data, 1, -1), -EOPNOTSUPP);
	ck_assert_int_eq(dspbroker_try_send(calls, data, 1), -EOPNOTSUPP);
	ck_assert_int_eq(dspbroker_submit_send(calls, data, 1, NULL), -EOPNOTSUPP);
	ck_assert_int_eq(dspbroker_receive(calls, data, FAKE_MTU, &length, NULL, -1), -EOPNOTSUPP);
	ck_assert_str_eq(dspbroker_message(), "the channel takes calls, not messages");
	ck_assert_int_eq(dspbroker_invoke(calls, &call, NULL), 0);
}
END_TEST

/* Waiting. */

START_TEST(a_receive_waits_as_long_as_it_was_told)
{
	struct timespec before, after;
	uint32_t number;

	ck_assert_int_eq(receive_number(session, &number, 0), DSPBROKER_TIMED_OUT);
	clock_gettime(CLOCK_MONOTONIC, &before);
	ck_assert_int_eq(receive_number(session, &number, 30), DSPBROKER_TIMED_OUT);
	clock_gettime(CLOCK_MONOTONIC, &after);
	ck_assert_int_ge((after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec -
				 before.tv_nsec,
		30000000L);
}
END_TEST

START_TEST(the_fd_is_readable_while_a_message_waits_and_no_longer)
{
	assert_unreadable();
	ck_assert_int_eq(tell(session, FAKE_SAY_COUNT, 3, 0), 0);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert(readable(TIMEOUT_MS));
		ck_assert_ptr_eq(dspbroker_next_message(broker), session);
		ck_assert(readable(0));
		assert_numbers(session, i, 1);
	}
	assert_unreadable();
}
END_TEST

START_TEST(sessions_with_messages_are_named_in_turn)
{
	struct dspbroker_session *other = open_channel(FAKE_MESSAGES), *third, *named[2];

	third = open_channel(FAKE_MESSAGES);
	ck_assert_ptr_null(dspbroker_next_message(broker));
	ck_assert_int_eq(tell(session, FAKE_SAY_COUNT, 4, 0), 0);
	ck_assert_int_eq(tell(other, FAKE_SAY_COUNT, 2, 100), 0);
	for (uint32_t i = 0; i < 2; i++) {
		named[0] = dspbroker_next_message(broker);
		named[1] = dspbroker_next_message(broker);
		ck_assert_ptr_ne(named[0], named[1]);
		assert_numbers(session, i, 1);
		assert_numbers(other, 100 + i, 1);
	}
	ck_assert_ptr_eq(dspbroker_next_message(broker), session);
	ck_assert_ptr_eq(dspbroker_next_message(broker), session);
	assert_numbers(session, 2, 2);
	ck_assert_ptr_null(dspbroker_next_message(broker));
	dspbroker_session_close(third);
}
END_TEST

/* The window of RECEIVEs. */

START_TEST(a_flood_passes_a_reader_that_waits)
{
	ck_assert_int_eq(tell(session, FAKE_SAY_COUNT, 20000, 0), 0);
	assert_numbers(session, 0, 20000);
	assert_unreadable();
}
END_TEST

START_TEST(a_flood_passes_a_reader_that_polls)
{
	struct dspbroker_session *other = open_channel(FAKE_MESSAGES), *named;
	uint32_t next[2] = {0, 0}, number;

	ck_assert_int_eq(tell(session, FAKE_SAY_COUNT, 5000, 0), 0);
	ck_assert_int_eq(tell(other, FAKE_SAY_COUNT, 5000, 0), 0);
	while (next[0] + next[1] < 10000) {
		ck_assert(readable(TIMEOUT_MS));
		while ((named = dspbroker_next_message(broker))) {
			ck_assert_int_eq(receive_number(named, &number, 0), 0);
			if (number != next[named == other]++)
				ck_abort_msg("number %u is out of order", number);
		}
	}
	assert_unreadable();
}
END_TEST

START_TEST(the_broker_always_sees_half_of_a_window)
{
	static const uint32_t unseen[WINDOW] = {1, 2, 3, 0, 1, 2, 3, 0};

	ck_assert_uint_eq(session->n_held, WINDOW);
	ck_assert_int_eq(tell(session, FAKE_SAY_COUNT, WINDOW, 0), 0);
	for (uint32_t i = 0; i < WINDOW; i++) {
		assert_numbers(session, i, 1);
		ck_assert_uint_eq(broker->n_unpublished, unseen[i]);
	}
	ck_assert_int_eq(tell(session, FAKE_SAY_COUNT, 1, 9), 0);
	assert_numbers(session, 9, 1);
	ck_assert_uint_eq(broker->n_unpublished, 1);
	ck_assert_int_eq(tell(session, FAKE_SAY_DROP, 0, 0), 0); /* whatever is sent shows it */
	ck_assert_uint_eq(broker->n_unpublished, 0);
}
END_TEST

START_TEST(a_window_of_one_is_seen_at_once)
{
	struct dspbroker_session *single = open_channel(FAKE_SINGLE);

	ck_assert_uint_eq(single->n_held, 1);
	ck_assert_int_eq(tell(single, FAKE_SAY_COUNT, 100, 0), 0);
	for (uint32_t i = 0; i < 100; i++) {
		assert_numbers(single, i, 1);
		ck_assert_uint_eq(broker->n_unpublished, 0);
	}
}
END_TEST

START_TEST(to_post_again_rings_no_doorbell_of_its_own)
{
	unsigned int before = fake_broker_kicks(fake);
	struct dspbroker_completion done;
	uint32_t number;

	for (uint32_t i = 0; i < 1000; i++) {
		ck_assert_int_eq(submit_number(i), 0);
		ck_assert_int_eq(receive_number(session, &number, TIMEOUT_MS), 0);
		ck_assert_int_eq(reap_one(&done), 1);
	}
	ck_assert_uint_le(fake_broker_kicks(fake) - before, 1001);
	before = fake_broker_kicks(fake);
	ck_assert_int_eq(tell(session, FAKE_SAY_COUNT, 1000, 0), 0);
	assert_numbers(session, 0, 1000);
	ck_assert_uint_le(fake_broker_kicks(fake) - before, 2 + 1000 / (WINDOW / 2));
}
END_TEST

static void close_all(struct dspbroker_session **sessions, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		dspbroker_session_close(sessions[i]);
}

START_TEST(sessions_share_what_can_be_posted)
{
	struct dspbroker_session *others[SESSIONS_MAX - 1], *never = NULL;

	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++) {
		others[i] = open_channel(FAKE_MESSAGES);
		ck_assert_uint_ge(others[i]->n_held, 1);
		ck_assert_uint_lt(2 * broker->n_receives, FAKE_SQ_SLOTS);
	}
	ck_assert_int_eq(dspbroker_session_open(broker, &never, FAKE_MESSAGES), -ENOSPC);
	ck_assert_str_ne(dspbroker_message(), "");
	ck_assert_ptr_null(never);
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++) {
		ck_assert_int_eq(tell(others[i], FAKE_SAY_COUNT, 2 * WINDOW, 0), 0);
		assert_numbers(others[i], 0, 2 * WINDOW);
		ck_assert_uint_eq(others[i]->n_held, 1);
	}
	ck_assert_uint_eq(session->n_held, WINDOW);
	ck_assert_int_eq(tell(session, FAKE_SAY_COUNT, 2 * WINDOW, 0), 0);
	assert_numbers(session, 0, 2 * WINDOW);
	ck_assert_uint_eq(session->n_held, 1);
	close_all(others, ARRAY_SIZE(others));
	ck_assert_int_eq(tell(session, FAKE_SAY_COUNT, 2, 0), 0);
	assert_numbers(session, 0, 2);
	ck_assert_uint_eq(session->n_held, WINDOW);
	others[0] = open_channel(FAKE_MESSAGES);
}
END_TEST

/* 128 KiB for all: half of it for the first RECEIVEs of sessions. */
START_TEST(large_messages_take_at_most_half_of_the_argument_area)
{
	static char data[FAKE_WIDE_MTU], back[FAKE_WIDE_MTU];
	struct dspbroker_session *wide[3], *never = NULL;
	size_t length;

	ck_assert_int_eq(dspbroker_session_open(broker, &never, FAKE_VAST), -ENOSPC);
	for (size_t i = 0; i < ARRAY_SIZE(wide); i++) {
		wide[i] = open_channel(FAKE_WIDE);
		ck_assert_uint_eq(wide[i]->n_held, 1);
	}
	ck_assert_int_eq(dspbroker_session_open(broker, &never, FAKE_WIDE), -ENOSPC);
	memset(data, 0xee, sizeof(data));
	for (size_t i = 0; i < ARRAY_SIZE(wide); i++) {
		memset(back, 0, sizeof(back));
		ck_assert_int_eq(dspbroker_send(wide[i], data, sizeof(data), -1), 0);
		ck_assert_int_eq(dspbroker_receive(wide[i], back, sizeof(back), &length, NULL,
					 TIMEOUT_MS),
			0);
		ck_assert_uint_eq(length, sizeof(data));
		ck_assert_mem_eq(back, data, sizeof(data));
	}
	close_all(wide, ARRAY_SIZE(wide));
}
END_TEST

static unsigned int count(const struct list *list)
{
	const struct list *node;
	unsigned int n = 0;

	for (node = list->next; node != list; node = node->next)
		n++;
	return n;
}

START_TEST(a_closed_session_gives_everything_back)
{
	struct dspbroker_session *other = open_channel(FAKE_MESSAGES);

	ck_assert_int_eq(tell(session, FAKE_SAY_COUNT, 20, 0), 0);
	ck_assert_int_eq(tell(other, FAKE_SAY_COUNT, 3, 0), 0);
	assert_numbers(session, 0, 3); /* some are posted again, and not seen yet */
	ck_assert_uint_gt(broker->n_unpublished, 0);
	dspbroker_session_close(session);
	ck_assert_ptr_eq(dspbroker_next_message(broker), other);
	assert_numbers(other, 0, 1);
	dspbroker_session_close(other);
	ck_assert_ptr_null(dspbroker_next_message(broker));
	assert_unreadable();
	ck_assert_uint_eq(broker->n_message_sessions, 0);
	ck_assert_uint_eq(broker->n_receives, 0);
	ck_assert_uint_eq(broker->n_extra, 0);
	ck_assert_uint_eq(broker->receive_bytes, 0);
	ck_assert_uint_eq(count(&broker->free), broker->n_table);
	ck_assert_uint_eq(broker->arena.n_gaps, 1);
	ck_assert_uint_eq(broker->arena.gaps[0].size, FAKE_ARGUMENT_BYTES);
}
END_TEST

START_TEST(dropped_messages_are_told_with_the_next_one)
{
	static const uint32_t told[] = {5, 0, UINT32_MAX, 0};
	char data[FAKE_MTU];
	uint32_t dropped;
	size_t length;

	for (size_t i = 0; i < ARRAY_SIZE(told); i++) {
		if (told[i])
			ck_assert_int_eq(tell(session, FAKE_SAY_DROP, told[i], 0), 0);
		ck_assert_int_eq(tell(session, FAKE_SAY_COUNT, 1, 0), 0);
		ck_assert_int_eq(dspbroker_receive(session, data, sizeof(data), &length, &dropped,
					 TIMEOUT_MS),
			0);
		ck_assert_uint_eq(dropped, told[i]);
	}
}
END_TEST

/* Room. */

START_TEST(a_try_is_told_when_there_is_no_room)
{
	struct dspbroker_completion done;
	uint32_t number = ORDINARY;

	ck_assert_int_eq(submit_saying(FAKE_SAY_HOLD, NULL), 0);
	ck_assert_int_eq(dspbroker_try_send(session, &number, sizeof(number)), DSPBROKER_BUSY);
	ck_assert_str_eq(dspbroker_message(), "there is no room for the message now");
	ck_assert_int_eq(tell(session, FAKE_SAY_RELEASE, 0, 0), 0);
	ck_assert_int_eq(reap_one(&done), 1);
	ck_assert_int_eq(dspbroker_try_send(session, &number, sizeof(number)), 0);
	ck_assert_str_eq(dspbroker_message(), "");
	assert_numbers(session, ORDINARY, 1);
}
END_TEST

START_TEST(a_send_that_fails_says_why)
{
	static const struct {
		int status;
		uint32_t detail;
		const char *message;
	} cases[] = {
		{DSPBROKER_TIMED_OUT, 0, "there was no room for the message in time"},
		{DSPBROKER_OVER_LIMIT, 64, "64 messages wait for room already"},
		{DSPBROKER_INVALID, 40 + 8, "argument 0 (input 0): the length is not valid"},
		{DSPBROKER_DEVICE_DOWN, 0, ""},
		{1000, 0, ""},
	};

	ck_assert_int_eq(tell(session, FAKE_SAY_FAIL, (uint32_t)cases[_i].status, cases[_i].detail),
		cases[_i].status);
	ck_assert_str_eq(dspbroker_message(), cases[_i].message);
	ck_assert_int_eq(tell(session, FAKE_SAY_DROP, 0, 0), 0);
}
END_TEST

START_TEST(a_message_that_waits_for_room_can_be_cancelled)
{
	struct dspbroker_completion done;
	int first, second;

	ck_assert_int_eq(submit_saying(FAKE_SAY_HOLD, &first), 0);
	ck_assert_int_eq(submit_saying(FAKE_SAY_HOLD, &second), 0);
	ck_assert_int_eq(dspbroker_cancel(session, &second), 0);
	ck_assert_int_eq(reap_one(&done), 1);
	ck_assert_ptr_eq(done.user, &second);
	ck_assert_int_eq(done.status, DSPBROKER_CANCELLED);
	ck_assert_int_eq(dspbroker_cancel(session, &second), DSPBROKER_NOT_FOUND);
}
END_TEST

START_TEST(what_nobody_reaps_keeps_no_message_from_passing)
{
	uint32_t number, n = 0;
	int r;

	while ((r = submit_number(n)) == 0 || n < FAKE_CQ_ENTRIES / 2)
		n += r == 0; /* the broker may still be taking entries out */
	ck_assert_int_eq(r, -EAGAIN);
	ck_assert_uint_eq(n, FAKE_CQ_ENTRIES / 2);
	assert_numbers(session, ORDINARY, n);
	number = ORDINARY;
	ck_assert_int_eq(dspbroker_send(session, &number, sizeof(number), -1), 0);
	assert_numbers(session, ORDINARY, 1);
}
END_TEST

static struct dspbroker_session *wide;

/* One that waits for room at the broker, and takes a good part of the argument area. */
static int hold_large(void)
{
	static const char data[FAKE_WIDE_MTU] = {FAKE_SAY_HOLD};

	return dspbroker_submit_send(wide, data, sizeof(data), NULL);
}

static void *send_large(void *data)
{
	static const char large[FAKE_WIDE_MTU] = {-1, -1, -1, -1};

	(void)data;
	return (void *)(intptr_t)dspbroker_send(wide, large, sizeof(large), -1);
}

static void wait_for_starvation(void)
{
	bool starved = false;

	while (!starved) {
		HOLD(broker);
		starved = broker->starved > 0;
	}
}

START_TEST(a_send_waits_for_room_in_the_connection_and_a_try_does_not)
{
	struct dspbroker_completion done[16];
	char data[FAKE_WIDE_MTU] = "";
	pthread_t thread;
	int held = 0, r;
	void *sent;

	wide = open_channel(FAKE_WIDE);
	ck_assert_int_eq(submit_saying(FAKE_SAY_HOLD, NULL), 0); /* runs until the end */
	while ((r = hold_large()) == 0)
		held++;
	ck_assert_int_eq(r, -EAGAIN);
	ck_assert_int_ge(held, 4);
	ck_assert_int_eq(dspbroker_try_send(wide, data, sizeof(data)), DSPBROKER_BUSY);
	ck_assert_str_eq(dspbroker_message(), "the connection has no room for it now");
	ck_assert_int_eq(dspbroker_send(wide, data, sizeof(data), 0), DSPBROKER_TIMED_OUT);
	ck_assert_int_eq(dspbroker_send(wide, data, sizeof(data), 10), DSPBROKER_TIMED_OUT);
	pthread_create(&thread, NULL, send_large, NULL);
	wait_for_starvation();
	ck_assert_int_eq(tell(wide, FAKE_SAY_RELEASE, 0, 0), 0);
	for (; held > 0; held -= r)
		ck_assert_int_gt(r = dspbroker_reap(broker, done, 16, TIMEOUT_MS), 0);
	pthread_join(thread, &sent);
	ck_assert_ptr_null(sent);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("client messages");
	TCase *tcase = tcase_create("messages");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_message_of_any_length_comes_back_whole);
	tcase_add_test(tcase, messages_arrive_in_the_order_of_their_sending);
	tcase_add_test(tcase, a_submitted_message_has_one_completion);
	tcase_add_test(tcase, what_is_no_message_never_reaches_the_broker);
	tcase_add_test(tcase, a_channel_takes_either_calls_or_messages);
	tcase_add_test(tcase, a_receive_waits_as_long_as_it_was_told);
	tcase_add_test(tcase, the_fd_is_readable_while_a_message_waits_and_no_longer);
	tcase_add_test(tcase, sessions_with_messages_are_named_in_turn);
	tcase_add_test(tcase, a_flood_passes_a_reader_that_waits);
	tcase_add_test(tcase, a_flood_passes_a_reader_that_polls);
	tcase_add_test(tcase, the_broker_always_sees_half_of_a_window);
	tcase_add_test(tcase, a_window_of_one_is_seen_at_once);
	tcase_add_test(tcase, to_post_again_rings_no_doorbell_of_its_own);
	tcase_add_test(tcase, sessions_share_what_can_be_posted);
	tcase_add_test(tcase, large_messages_take_at_most_half_of_the_argument_area);
	tcase_add_test(tcase, a_closed_session_gives_everything_back);
	tcase_add_test(tcase, dropped_messages_are_told_with_the_next_one);
	tcase_add_test(tcase, a_try_is_told_when_there_is_no_room);
	tcase_add_loop_test(tcase, a_send_that_fails_says_why, 0, 5);
	tcase_add_test(tcase, a_message_that_waits_for_room_can_be_cancelled);
	tcase_add_test(tcase, what_nobody_reaps_keeps_no_message_from_passing);
	tcase_add_test(tcase, a_send_waits_for_room_in_the_connection_and_a_try_does_not);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
