// SPDX-License-Identifier: MIT
/* What the client library promises about messages when a session or the connection ends, and when
 * several threads are at it. */
#include <pthread.h>
#include <stdatomic.h>

#include "tests/suite.h"
#include "tests/unit/messaging.h"

/* Ends. */

START_TEST(a_dead_session_hands_out_what_arrived_and_then_says_why)
{
	static const char *const words[] = {
		"its service is gone", "the session is dead, no more messages will come"};
	struct dspbroker_event event;
	uint32_t number;

	ck_assert_int_eq(tell(session, FAKE_SAY_COUNT, 100, 0), 0);
	ck_assert_int_eq(tell(session, FAKE_SAY_DIE, DSPBROKER_WITHDRAWN, (uint32_t)_i), 0);
	assert_numbers(session, 0, WINDOW); /* what the broker has is lost */
	for (int i = 0; i < 3; i++) {
		ck_assert(readable(TIMEOUT_MS));
		ck_assert_int_eq(receive_number(session, &number, -1), DSPBROKER_WITHDRAWN);
		ck_assert_str_eq(dspbroker_message(), words[_i]);
		ck_assert_ptr_eq(dspbroker_next_message(broker), session);
	}
	ck_assert_int_eq(dspbroker_next_event(broker, &event), !_i);
	ck_assert_int_eq(tell(session, FAKE_SAY_COUNT, 1, 0), DSPBROKER_WITHDRAWN);
	ck_assert_str_eq(dspbroker_message(), _i ? "" : words[0]);
	dspbroker_session_close(session);
	assert_unreadable();
	session = open_channel(FAKE_MESSAGES);
	ck_assert_int_eq(tell(session, FAKE_SAY_COUNT, 9, 0), 0);
	assert_numbers(session, 0, 9);
}
END_TEST

START_TEST(a_session_that_may_only_send_keeps_no_event_loop_awake)
{
	uint32_t number;

	/* Its RECEIVEs end, and no news say that it is dead. */
	ck_assert_int_eq(tell(session, FAKE_SAY_DIE, DSPBROKER_DENIED, 1), 0);
	assert_unreadable();
	ck_assert_int_eq(receive_number(session, &number, -1), DSPBROKER_DENIED);
	ck_assert_ptr_nonnull(strstr(dspbroker_message(),
		"does not allow messages to be received"));
	assert_unreadable();
}
END_TEST

START_TEST(a_session_whose_right_was_taken_away_tells_so)
{
	struct dspbroker_event event;
	uint32_t number;

	ck_assert_int_eq(tell(session, FAKE_SAY_DIE, DSPBROKER_DENIED, 0), 0);
	while (dspbroker_next_event(broker, &event) == 0)
		ck_assert(readable(TIMEOUT_MS));
	ck_assert_int_eq(event.status, DSPBROKER_DENIED);
	ck_assert(readable(TIMEOUT_MS));
	ck_assert_ptr_eq(dspbroker_next_message(broker), session);
	ck_assert_int_eq(receive_number(session, &number, -1), DSPBROKER_DENIED);
	ck_assert_str_eq(dspbroker_message(), "its service is gone");
}
END_TEST

static void *receive_one(void *data)
{
	(void)data;
	return (void *)(intptr_t)receive_number(session, &(uint32_t){0}, -1);
}

static void wait_for_pumping(void)
{
	bool pumping = false;

	while (!pumping) {
		HOLD(broker);
		pumping = broker->stage != PUMP_FREE;
	}
}

START_TEST(whoever_waits_for_a_message_is_told_of_the_end)
{
	pthread_t threads[3];
	void *told;

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, receive_one, NULL);
	wait_for_pumping();
	ck_assert_int_eq(tell(session, FAKE_SAY_DIE, DSPBROKER_DEVICE_DOWN, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		pthread_join(threads[i], &told);
		ck_assert_int_eq((int)(intptr_t)told, DSPBROKER_DEVICE_DOWN);
	}
}
END_TEST

static void assert_gone(void)
{
	struct dspbroker_session *never;
	uint32_t number = 0;

	ck_assert_int_eq(receive_number(session, &number, -1), -ECONNRESET);
	ck_assert_str_ne(dspbroker_message(), "");
	ck_assert_int_eq(dspbroker_send(session, &number, sizeof(number), -1), -ECONNRESET);
	ck_assert_int_eq(dspbroker_try_send(session, &number, sizeof(number)), -ECONNRESET);
	ck_assert_int_eq(submit_number(0), -ECONNRESET);
	ck_assert_int_eq(dspbroker_session_open(broker, &never, FAKE_MESSAGES), -ECONNRESET);
	ck_assert(readable(0));
	ck_assert_ptr_eq(dspbroker_next_message(broker), session);
	ck_assert_ptr_null(dspbroker_session_close(session));
	ck_assert_ptr_null(dspbroker_next_message(broker));
}

START_TEST(what_had_arrived_outlives_the_connection)
{
	const struct fake_saying last = {.word = FAKE_SAY_LAST};
	char data[FAKE_MTU];
	size_t length;

	ck_assert_int_eq(tell(session, FAKE_SAY_COUNT, 3, 0), 0);
	ck_assert_int_eq(dspbroker_send(session, &last, sizeof(last), -1), 0);
	assert_numbers(session, 0, 3);
	ck_assert_int_eq(dspbroker_receive(session, data, sizeof(data), &length, NULL, -1), 0);
	ck_assert_uint_eq(length, sizeof(last));
	assert_gone();
}
END_TEST

START_TEST(a_message_that_cannot_be_right_ends_the_connection)
{
	uint32_t number;
	int r;

	ck_assert_int_eq(tell(session, (enum fake_word)_i, 0, 0), 0);
	do {
		r = receive_number(session, &number, TIMEOUT_MS);
	} while (r == 0 || r == -EBADMSG);
	ck_assert_int_eq(r, -ECONNRESET);
	assert_gone();
}
END_TEST

START_TEST(a_session_that_can_be_none_ends_the_connection)
{
	static const char *const channels[] = {FAKE_NO_MTU, FAKE_NO_KIND, FAKE_BOTH};
	struct dspbroker_session *never = NULL;

	ck_assert_int_eq(dspbroker_session_open(broker, &never, channels[_i]), -ECONNRESET);
	ck_assert_ptr_null(never);
	assert_gone();
}
END_TEST

START_TEST(a_close_that_leaves_messages_to_come_ends_the_connection)
{
	struct dspbroker_session *other = open_channel(FAKE_MESSAGES);

	ck_assert_int_eq(tell(other, FAKE_SAY_KEEP, 0, 0), 0);
	ck_assert_ptr_null(dspbroker_session_close(other));
	assert_gone();
}
END_TEST

/* Threads. */

#define THREAD_MESSAGES 20000

static _Atomic uint32_t received;
static _Atomic int wrong_answers;
static _Atomic bool seen[THREAD_MESSAGES];

/* Whatever comes, in the order of its sending. */
static void *receive_some(void *data)
{
	uint32_t number, last = 0;
	int r;

	(void)data;
	while (received < THREAD_MESSAGES) {
		r = receive_number(session, &number, 1);
		if (r == DSPBROKER_TIMED_OUT)
			continue;
		number &= ~ORDINARY;
		if (r || number < last || number >= THREAD_MESSAGES || seen[number])
			wrong_answers++;
		if (r)
			break;
		seen[number] = true;
		last = number;
		received++;
	}
	return NULL;
}

START_TEST(several_threads_receive_what_another_sends)
{
	struct dspbroker_completion done[8];
	pthread_t threads[3];
	uint32_t sent = 0;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, receive_some, NULL);
	while (sent < THREAD_MESSAGES && r >= 0) {
		r = submit_number(sent);
		sent += r == 0;
		if (r == -EAGAIN)
			r = dspbroker_reap(broker, done, ARRAY_SIZE(done), TIMEOUT_MS);
	}
	ck_assert_int_ge(r, 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(wrong_answers, 0);
	ck_assert_uint_eq(received, THREAD_MESSAGES);
}
END_TEST

static bool sleeps_soundly(void)
{
	HOLD(broker);
	return broker->stage == PUMP_SLEEPS &&
	       atomic_load(&broker->ring.shared->requester_sleeps) == DSP_SOUND_ASLEEP;
}

static uint32_t uncollected(void)
{
	HOLD(broker);
	return atomic_load(&broker->ring.shared->cq_tail) - broker->ring.cq_head;
}

static bool notified(void)
{
	struct pollfd fd = {.fd = broker->notify, .events = POLLIN};

	return poll(&fd, 1, 0) == 1;
}

START_TEST(a_send_that_went_well_wakes_nobody_who_waits_for_a_message)
{
	struct dspbroker_completion done[10];
	pthread_t thread;
	void *r;

	pthread_create(&thread, NULL, receive_one, NULL);
	while (!sleeps_soundly())
		continue;
	for (size_t i = 0; i < ARRAY_SIZE(done); i++)
		ck_assert_int_eq(submit_saying(FAKE_SAY_DROP, NULL), 0);
	while (uncollected() < ARRAY_SIZE(done))
		continue;
	ck_assert(!notified());
	ck_assert(sleeps_soundly());
	ck_assert_int_eq(dspbroker_reap(broker, done, ARRAY_SIZE(done), TIMEOUT_MS),
		ARRAY_SIZE(done));
	ck_assert_int_eq(tell(session, FAKE_SAY_COUNT, 1, 0), 0);
	pthread_join(thread, &r);
	ck_assert_ptr_null(r);
}
END_TEST

START_TEST(whoever_waits_for_a_send_is_woken_beside_who_waits_for_a_message)
{
	struct dspbroker_completion done;
	pthread_t thread;
	void *r;

	pthread_create(&thread, NULL, receive_one, NULL);
	while (!sleeps_soundly())
		continue;
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(tell(session, FAKE_SAY_DROP, 0, 0), 0);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(submit_saying(FAKE_SAY_DROP, NULL), 0);
		ck_assert_int_eq(reap_one(&done), 1);
	}
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(submit_saying(FAKE_SAY_DROP, NULL), 0);
		ck_assert(readable(TIMEOUT_MS));
		while (dspbroker_reap(broker, &done, 1, 0) == 0)
			ck_assert(readable(TIMEOUT_MS));
	}
	ck_assert_int_eq(tell(session, FAKE_SAY_COUNT, 1, 0), 0);
	pthread_join(thread, &r);
	ck_assert_ptr_null(r);
}
END_TEST

static _Atomic bool stop;

static void *ask_until_stopped(void *data)
{
	struct dspbroker_session *own = data;
	uint32_t number, back;

	for (uint32_t i = 0; !stop; i++) {
		number = ORDINARY | i % 1000;
		if (dspbroker_send(own, &number, sizeof(number), -1) ||
			receive_number(own, &back, TIMEOUT_MS) || back != number)
			wrong_answers++;
	}
	return NULL;
}

/* An event loop beside threads that may take its messages out of the ring for it. */
START_TEST(no_message_is_missed_by_who_polls_the_fd)
{
	struct dspbroker_completion done[4];
	pthread_t threads[2];
	uint32_t number;
	int r;

	for (int i = 0; i < _i; i++)
		pthread_create(&threads[i], NULL, ask_until_stopped, open_channel(FAKE_MESSAGES));
	for (uint32_t i = 0; i < 3000; i++) {
		while ((r = submit_number(i)) == -EAGAIN)
			ck_assert_int_ge(dspbroker_reap(broker, done, 4, TIMEOUT_MS), 0);
		ck_assert_int_eq(r, 0);
		do {
			if (!readable(TIMEOUT_MS))
				ck_abort_msg("nothing to read after %u messages", i);
			ck_assert_int_ge(dspbroker_reap(broker, done, 4, 0), 0);
			r = receive_number(session, &number, 0);
		} while (r == DSPBROKER_TIMED_OUT);
		if (r || number != (ORDINARY | i))
			ck_abort_msg("message %u: %s", i, dspbroker_strerror(r));
	}
	stop = true;
	for (int i = 0; i < _i; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(wrong_answers, 0);
}
END_TEST

static void *open_and_close(void *data)
{
	struct dspbroker_session *own;

	for (int i = 0; i < 200; i++) {
		if (dspbroker_session_open(data, &own, FAKE_MESSAGES) ||
			tell(own, FAKE_SAY_COUNT, (uint32_t)i % 30, 0))
			wrong_answers++;
		dspbroker_session_close(own);
	}
	return NULL;
}

START_TEST(sessions_come_and_go_beside_others_that_are_busy)
{
	pthread_t asking, opening[2];

	pthread_create(&asking, NULL, ask_until_stopped, session);
	for (size_t i = 0; i < ARRAY_SIZE(opening); i++)
		pthread_create(&opening[i], NULL, open_and_close, broker);
	for (size_t i = 0; i < ARRAY_SIZE(opening); i++)
		pthread_join(opening[i], NULL);
	stop = true;
	pthread_join(asking, NULL);
	ck_assert_int_eq(wrong_answers, 0);
	ck_assert_uint_eq(broker->n_message_sessions, 1);
	ck_assert_uint_eq(broker->n_receives, session->n_held);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("client messages and their ends");
	TCase *tcase = tcase_create("ends");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, a_dead_session_hands_out_what_arrived_and_then_says_why, 0, 2);
	tcase_add_test(tcase, a_session_that_may_only_send_keeps_no_event_loop_awake);
	tcase_add_test(tcase, a_session_whose_right_was_taken_away_tells_so);
	tcase_add_test(tcase, whoever_waits_for_a_message_is_told_of_the_end);
	tcase_add_test(tcase, what_had_arrived_outlives_the_connection);
	tcase_add_loop_test(tcase, a_message_that_cannot_be_right_ends_the_connection,
		FAKE_SAY_LONG, FAKE_SAY_END);
	tcase_add_loop_test(tcase, a_session_that_can_be_none_ends_the_connection, 0, 3);
	tcase_add_test(tcase, a_close_that_leaves_messages_to_come_ends_the_connection);
	tcase_add_test(tcase, a_send_that_went_well_wakes_nobody_who_waits_for_a_message);
	tcase_add_test(tcase, whoever_waits_for_a_send_is_woken_beside_who_waits_for_a_message);
	tcase_add_test(tcase, several_threads_receive_what_another_sends);
	tcase_add_loop_test(tcase, no_message_is_missed_by_who_polls_the_fd, 0, 3);
	tcase_add_test(tcase, sessions_come_and_go_beside_others_that_are_busy);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
