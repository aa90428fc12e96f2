// SPDX-License-Identifier: MIT
/*
 * How threads wait for the broker, in each stage that pump.c has. A thread naps for ever here where
 * not said otherwise: so a wake-up that did not come would not be made good by the next stage, and
 * the test would not end.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "tests/suite.h"
#include "tests/unit/messaging.h"

#define OFTEN 300

static struct dspbroker_session *calls;
static int64_t nap_ns; /* what the library itself has */

static void set_up_waits(void)
{
	set_up();
	calls = open_channel("soft0/calls");
	nap_ns = broker->nap_ns;
	broker->nap_ns = INT64_MAX;
}

static int invoke(uint32_t method)
{
	const struct dspbroker_call call = {.method = method};

	return dspbroker_invoke(calls, &call, NULL);
}

static int submit(uint32_t method)
{
	const struct dspbroker_call call = {.method = method};

	return dspbroker_submit(calls, &call);
}

static void *hold(void *data)
{
	(void)data;
	return (void *)(intptr_t)invoke(FAKE_HOLD);
}

static void *receive_one(void *data)
{
	(void)data;
	return (void *)(intptr_t)receive_number(session, &(uint32_t){0}, -1);
}

static bool is_at(enum pump_stage stage)
{
	HOLD(broker);
	return broker->stage == stage;
}

static void wait_for_stage(enum pump_stage stage)
{
	while (!is_at(stage))
		continue;
}

/* One thread waits for a call that takes long. */
static pthread_t nap_beside(void *(*wait)(void *data))
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, wait, NULL), 0);
	wait_for_stage(PUMP_NAPS);
	return thread;
}

static void assert_returns(pthread_t thread, int expected)
{
	void *r;

	pthread_join(thread, &r);
	ck_assert_int_eq((int)(intptr_t)r, expected);
}

START_TEST(a_short_call_is_not_held_up_by_a_long_one)
{
	pthread_t thread = nap_beside(hold);

	for (int i = 0; i < OFTEN; i++) {
		ck_assert_int_eq(invoke(FAKE_ECHO), 0);
		if (i % 2)
			wait_for_stage(PUMP_NAPS);
	}
	ck_assert_int_eq(invoke(FAKE_RELEASE), 0);
	assert_returns(thread, 0);
}
END_TEST

START_TEST(a_reply_is_not_held_up_by_a_long_call)
{
	pthread_t thread = nap_beside(hold);

	for (int i = 0; i < OFTEN; i++) {
		dspbroker_session_close(open_channel("soft0/another"));
		if (i % 2)
			wait_for_stage(PUMP_NAPS);
	}
	ck_assert_int_eq(invoke(FAKE_RELEASE), 0);
	assert_returns(thread, 0);
}
END_TEST

/* It naps soundly: a SEND that went well does not wake it. */
START_TEST(a_send_is_not_held_up_by_a_thread_that_waits_for_a_message)
{
	pthread_t thread = nap_beside(receive_one);

	for (int i = 0; i < OFTEN; i++) {
		ck_assert_int_eq(tell(session, FAKE_SAY_DROP, 0, 0), 0);
		if (i % 2)
			wait_for_stage(PUMP_NAPS);
	}
	ck_assert_int_eq(tell(session, FAKE_SAY_COUNT, 1, 0), 0);
	assert_returns(thread, 0);
}
END_TEST

static _Atomic bool stop;

static void *reap_until_stopped(void *data)
{
	struct dspbroker_completion done;

	(void)data;
	while (!stop)
		if (dspbroker_reap(broker, &done, 1, 0))
			abort();
	return NULL;
}

/* Who asks for completions takes those that others sleep for, too. */
START_TEST(a_thread_that_sleeps_gets_what_another_one_took)
{
	pthread_t thread;

	pthread_create(&thread, NULL, reap_until_stopped, NULL);
	for (int i = 0; i < 10 * OFTEN; i++)
		ck_assert_int_eq(invoke(FAKE_ECHO), 0);
	stop = true;
	pthread_join(thread, NULL);
}
END_TEST

START_TEST(the_end_of_the_connection_is_noticed_by_who_naps)
{
	pthread_t thread;
	bool napping = false;

	broker->nap_ns = nap_ns;
	pthread_create(&thread, NULL, hold, NULL);
	while (!napping) {
		HOLD(broker);
		napping = broker->stage == PUMP_NAPS;
		if (napping)
			shutdown(broker->sock, SHUT_RDWR);
	}
	assert_returns(thread, -ECONNRESET);
}
END_TEST

static void ignore(int number)
{
	(void)number;
}

/* However often it is interrupted. */
START_TEST(a_nap_that_a_signal_ends_is_followed_by_sleep)
{
	const struct sigaction action = {.sa_handler = ignore};
	pthread_t thread = nap_beside(hold);

	ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
	while (!is_at(PUMP_SLEEPS))
		pthread_kill(thread, SIGUSR1);
	ck_assert_int_eq(invoke(FAKE_RELEASE), 0);
	assert_returns(thread, 0);
}
END_TEST

static bool notified(void)
{
	struct pollfd fd = {.fd = broker->notify, .events = POLLIN};

	return poll(&fd, 1, 0) == 1;
}

START_TEST(calls_need_no_descriptor_to_be_told_of)
{
	for (int i = 0; i < OFTEN; i++)
		ck_assert_int_eq(invoke(FAKE_ECHO), 0);
	ck_assert(!notified());
}
END_TEST

START_TEST(nobody_is_to_be_woken_while_nobody_sleeps)
{
	struct dspbroker_completion done;

	for (int i = 0; i < OFTEN; i++) {
		ck_assert_int_eq(invoke(FAKE_ECHO), 0);
		ck_assert_uint_eq(atomic_load(&broker->ring.shared->requester_sleeps), DSP_AWAKE);
		ck_assert_int_eq(submit(FAKE_ECHO), 0);
		ck_assert_int_eq(reap_one(&done), 1);
		ck_assert_uint_eq(atomic_load(&broker->ring.shared->requester_sleeps), DSP_AWAKE);
		dspbroker_session_close(open_channel("soft0/another"));
		ck_assert_uint_eq(atomic_load(&broker->ring.shared->requester_sleeps), DSP_AWAKE);
	}
}
END_TEST

/* Either the ring is armed, or the notify fd is readable: it cannot be otherwise while nothing
 * runs. */
static bool armed(void)
{
	HOLD(broker);
	return atomic_load(&broker->ring.shared->requester_sleeps) == DSP_ASLEEP;
}

START_TEST(who_gets_the_fd_while_another_one_naps_sees_every_completion)
{
	pthread_t thread = nap_beside(hold);
	struct dspbroker_completion done;

	ck_assert_int_ge(dspbroker_fd(broker), 0);
	ck_assert(armed());
	wait_for_stage(PUMP_SLEEPS);
	for (int i = 0; i < OFTEN; i++) {
		ck_assert_int_eq(submit(FAKE_ECHO), 0);
		do {
			ck_assert(readable(-1));
		} while (dspbroker_reap(broker, &done, 1, 0) == 0);
		if (i % 2)
			wait_for_stage(PUMP_SLEEPS);
	}
	ck_assert_int_eq(invoke(FAKE_RELEASE), 0);
	assert_returns(thread, 0);
	assert_unreadable();
	ck_assert(armed());
}
END_TEST

/* Threads of every kind at once. */

static void *call_much(void *data)
{
	uint32_t in[] = {(uint32_t)(uintptr_t)data, 0}, out[2];
	const struct dspbroker_arg args[] = {
		{.data = in, .length = sizeof(in)}, {.data = out, .length = sizeof(out)}};
	const struct dspbroker_call call = {
		.method = FAKE_ECHO, .n_in = 1, .n_out = 1, .args = args};

	for (in[1] = 0; in[1] < OFTEN; in[1]++)
		if (dspbroker_invoke(calls, &call, NULL) || memcmp(in, out, sizeof(in)))
			return "a wrong answer";
	return NULL;
}

static void *reap_much(void *data)
{
	struct dspbroker_completion done;

	(void)data;
	for (int i = 0; i < OFTEN; i++) {
		while (submit(FAKE_ECHO) == -EAGAIN)
			continue;
		if (reap_one(&done) != 1)
			return "no completion";
	}
	return NULL;
}

static void *open_much(void *data)
{
	struct dspbroker_session *opened;

	(void)data;
	for (int i = 0; i < OFTEN; i++) {
		if (dspbroker_session_open(broker, &opened, "soft0/another"))
			return "not opened";
		dspbroker_session_close(opened);
	}
	return NULL;
}

static void *converse(void *data)
{
	struct dspbroker_session *own;
	uint32_t number, back;

	(void)data;
	if (dspbroker_session_open(broker, &own, FAKE_MESSAGES))
		return "not opened";
	for (uint32_t i = 0; i < OFTEN; i++) {
		number = ORDINARY | i;
		if (dspbroker_send(own, &number, sizeof(number), -1) ||
			receive_number(own, &back, TIMEOUT_MS) || back != number)
			return "a wrong message";
	}
	dspbroker_session_close(own);
	return NULL;
}

/* The last time with the descriptor, which comes while all are at work. */
START_TEST(threads_that_wait_for_all_sorts_of_things_all_get_them)
{
	static void *(*const kinds[])(void *data) = {call_much, reap_much, open_much, converse};
	pthread_t threads[4 * ARRAY_SIZE(kinds)];
	void *wrong;

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, kinds[i % ARRAY_SIZE(kinds)], (void *)i);
	if (_i)
		ck_assert_int_ge(dspbroker_fd(broker), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		pthread_join(threads[i], &wrong);
		ck_assert_ptr_null(wrong);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("client waits");
	TCase *tcase = tcase_create("waits");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up_waits, tear_down);
	tcase_add_test(tcase, a_short_call_is_not_held_up_by_a_long_one);
	tcase_add_test(tcase, a_reply_is_not_held_up_by_a_long_call);
	tcase_add_test(tcase, a_send_is_not_held_up_by_a_thread_that_waits_for_a_message);
	tcase_add_test(tcase, a_thread_that_sleeps_gets_what_another_one_took);
	tcase_add_test(tcase, the_end_of_the_connection_is_noticed_by_who_naps);
	tcase_add_test(tcase, a_nap_that_a_signal_ends_is_followed_by_sleep);
	tcase_add_test(tcase, calls_need_no_descriptor_to_be_told_of);
	tcase_add_test(tcase, nobody_is_to_be_woken_while_nobody_sleeps);
	tcase_add_test(tcase, who_gets_the_fd_while_another_one_naps_sees_every_completion);
	tcase_add_loop_test(tcase, threads_that_wait_for_all_sorts_of_things_all_get_them, 0, 2);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
