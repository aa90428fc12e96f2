// SPDX-License-Identifier: MIT
/*
 * The time of day jumps, by an hour and back, as when a machine without a clock hears the time from
 * the network. Nothing that runs, waits or is logged may depend on it. Only a guest can have its
 * clock set for that.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/kernel/testbed.h"

#define HOUR_S   3600
#define SLEEP_US 300000
#define LIMIT_US 300000

static struct harness harness;

/* For the rule's timeout to be longer than a test may take, so that what ends early is seen. */
static void set_up(void)
{
	harness_start(&harness, POLICY(ALLOW("everybody", EVERYBODY, "\"*/*\"",
					", \"limits\": {\"timeout_ms\": 600000}")));
}

static void tear_down(void)
{
	harness_stop(&harness);
}

static void jump(int seconds)
{
	struct timespec now;

	require_eq(clock_gettime(CLOCK_REALTIME, &now), 0);
	now.tv_sec += seconds;
	require_eq(clock_settime(CLOCK_REALTIME, &now), 0);
}

/* Each way, in the middle of what is under way; at the end the clock is right again. */
static const int jumps[] = {HOUR_S, -HOUR_S};

static void calls(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	const struct dspbroker_call endless = {
		.method = EXAMPLE_SPIN, .timeout_us = LIMIT_US, .user = (void *)2};
	uint64_t since;

	(void)data;
	require_eq(submit_sleep(session, SLEEP_US, 1), 0);
	step_reached('s');
	step_await('j');
	/* It ends by itself, and not before its time. */
	require_eq(reap_one(broker).status, 0);
	since = harness_now_ms();
	require_eq(dspbroker_submit(session, &endless), 0);
	step_reached('e');
	step_await('j');
	/* It is ended, when its time is over. */
	require_eq(reap_one(broker).status, DSPBROKER_TIMED_OUT);
	require(harness_now_ms() - since >= LIMIT_US / 1000);
	dspbroker_free(broker);
}

START_TEST(calls_end_when_they_are_done_and_time_out_when_their_time_is_over)
{
	struct client client;

	client_start(&client, ALICE, calls, NULL);
	client_await(&client, 's');
	jump(jumps[_i]);
	client_go(&client, 'j');
	client_await(&client, 'e');
	jump(-jumps[_i]);
	client_go(&client, 'j');
	client_end(&client);
}
END_TEST

static void calls_once(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	(void)data;
	require_eq(invoke_plain(open_channel(broker, EXAMPLE), EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

static void reloads(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	(void)data;
	require_eq(dspbroker_reload(broker, NULL, NULL), 0);
	dspbroker_free(broker);
}

START_TEST(who_comes_and_a_reload_do_not_wait_for_the_time_to_come_back)
{
	const char *output;

	jump(jumps[_i]);
	client_run(ALICE, calls_once, NULL);
	client_run(BROKER_UID, reloads, NULL);
	require_eq(harness_dspctl(&harness, ALICE, &output, "status"), 0);
	jump(-jumps[_i]);
	client_run(ALICE, calls_once, NULL);
	require_eq(harness_dspctl(&harness, ALICE, &output, "status"), 0);
}
END_TEST

static void is_asleep(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);

	(void)data;
	require_eq(submit_plain(session, EXAMPLE_SPIN, 1), 0);
	step_reached('s');
	require_eq(reap_one(broker).status, DSPBROKER_SHUTTING_DOWN);
}

/* The grace for calls that run, and its threads' ends. */
START_TEST(it_stops_in_its_time_whatever_time_it_is)
{
	struct client client;

	client_start(&client, ALICE, is_asleep, NULL);
	client_await(&client, 's');
	require_eq(kill(harness.pid, SIGTERM), 0);
	harness_await_notification(&harness, "STOPPING=1");
	jump(jumps[_i]);
	client_end(&client);
	harness_expect_exit(&harness, EXIT_SUCCESS);
	jump(-jumps[_i]);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("clock");
	TCase *tcase = tcase_create("clock");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase,
		calls_end_when_they_are_done_and_time_out_when_their_time_is_over, 0,
		ARRAY_SIZE(jumps));
	tcase_add_loop_test(tcase, who_comes_and_a_reload_do_not_wait_for_the_time_to_come_back, 0,
		ARRAY_SIZE(jumps));
	tcase_add_loop_test(tcase, it_stops_in_its_time_whatever_time_it_is, 0, ARRAY_SIZE(jumps));
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
