// SPDX-License-Identifier: MIT
/*
 * Calls that the DSP does not answer, and calls that are cancelled. What such a call may still
 * write to is kept as long as it may.
 */
#include <signal.h>
#include <unistd.h>

#include "daemon/transport/fastrpc/call.h"
#include "tests/kernel/messages.h"
#include "tests/kernel/remains.h"

#define MODULE   "cdsp/example"
#define SHORT_US 200000
#define BUFFER   65536
#define ROUNDS   30
#define COPIES   10

#define TEXT_(number) #number
#define TEXT(number)  TEXT_(number)
#define USER(uid)     "\"users\": [" TEXT(uid) "]"
#define LONG_CALLS    "\"timeout_ms\": 100000"

/* Alice has domains of her own; Bob's sessions share one, and so do Carol's, with the other answer
 * to a call that hangs. Carol may have one buffer. */
#define DOMAINS                                                 \
	"{\"name\": \"teardown\", \"on_hang\": \"teardown\"}, " \
	"{\"name\": \"quarantine\", \"on_hang\": \"quarantine\"}"
#define ALONE ALLOW("alone", USER(ALICE), "\"*/*\"", ", \"limits\": {" LONG_CALLS "}")
#define TORN_DOWN                                                          \
	ALLOW("torn-down", USER(BOB), "\"*/*\"",                           \
		", \"domain\": \"teardown\", \"share_domain\": \"bobs\", " \
		"\"limits\": {" LONG_CALLS "}")
#define QUARANTINED                                                            \
	ALLOW("quarantined", USER(CAROL), "\"*/*\"",                           \
		", \"domain\": \"quarantine\", \"share_domain\": \"carols\", " \
		"\"limits\": {" LONG_CALLS ", \"bytes\": " TEXT(BUFFER) "}")
#define POLICY_TEXT \
	CDSP_POLICY(", \"domain_idle_ms\": 0", DOMAINS, ALONE ", " TORN_DOWN ", " QUARANTINED)

enum leave {
	LEAVE_BY_TIME_OUT,
	LEAVE_KILLED,
	LEAVE_BY_CLOSING,
	LEAVES,
};

static struct harness harness;

/* A call that may write to all of a buffer, if there is one. */
static int submit_for(struct dspbroker_session *session, uint32_t timeout_us,
	struct dspbroker_buffer *buffer)
{
	const struct dspbroker_arg arg = {.buffer = buffer, .length = BUFFER};

	return dspbroker_submit(session, &(struct dspbroker_call){.method = EXAMPLE_TOUCH,
						 .n_out = buffer ? 1 : 0,
						 .args = &arg,
						 .timeout_us = timeout_us});
}

/* One completion, and no other. */
static void expect_time_out(struct dspbroker *broker)
{
	struct dspbroker_completion more;

	require_eq(reap_one(broker).status, DSPBROKER_TIMED_OUT);
	require_eq(dspbroker_reap(broker, &more, 1, -1), 0);
}

static void hang_alone(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);
	uint64_t calls;

	(void)data;
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	calls = cdsp_count("calls");
	cdsp_fault("hang", 1);
	require_eq(submit_for(session, SHORT_US, NULL), 0);
	expect_time_out(broker);
	require_eq(await_event(broker, DSPBROKER_EVENT_SESSION).status, DSPBROKER_DOMAIN_CRASHED);
	/* That one, and the one that ends the domain. */
	require(cdsp_count("calls") <= calls + 2);
	dspbroker_session_close(session);
	session = open_channel(broker, MODULE);
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

START_TEST(a_call_that_is_not_answered_times_out_once)
{
	start_broker(&harness, POLICY_TEXT);
	client_run(ALICE, hang_alone, NULL);
	await_nothing_left();
	harness_stop(&harness);
	require_eq(cdsp_count("pending"), 0);
}
END_TEST

/* In the same domain as one whose call hangs. */
static void be_torn_down(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);
	struct dspbroker_event event;

	(void)data;
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	cdsp_fault("hang", 1);
	require_eq(submit_plain(session, EXAMPLE_NOP, 0), 0);
	require_soon(are_pending(2));
	step_reached('r');
	require_eq(reap_one(broker).status, DSPBROKER_DOMAIN_CRASHED);
	event = await_event(broker, DSPBROKER_EVENT_SESSION);
	require(event.session == session);
	require_eq(event.status, DSPBROKER_DOMAIN_CRASHED);
	dspbroker_session_close(session);
	require_eq(invoke_plain(open_channel(broker, MODULE), EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

static void hang_in_company(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);

	(void)data;
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	cdsp_fault("hang", 1);
	require_eq(submit_for(session, SHORT_US, NULL), 0);
	expect_time_out(broker);
	dspbroker_free(broker);
}

static void tear_down(uid_t uid)
{
	struct client client;

	start_broker(&harness, POLICY_TEXT);
	client_start(&client, uid, be_torn_down, NULL);
	client_await(&client, 'r');
	client_run(uid, hang_in_company, NULL);
	client_end(&client);
	await_nothing_left();
	harness_stop(&harness);
}

START_TEST(teardown_ends_all_who_share_the_domain)
{
	tear_down(BOB);
}
END_TEST

/* Whatever policy says: what comes late of the call that hangs could meet another's. */
START_TEST(quarantine_is_teardown_where_nothing_may_go_on)
{
	tear_down(CAROL);
}
END_TEST

static uint32_t domain_of(struct dspbroker *broker, uint64_t pid)
{
	struct dspbroker_session_record record = {.id = 0};

	while (dspbroker_next_session(broker, record.id, &record) == 1)
		if (record.pid == pid)
			return record.domain;
	harness_fail(__FILE__, __LINE__, "there is no session of %llu", (unsigned long long)pid);
}

/* Goes on in a domain where another's call hangs. */
static void go_on(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);
	struct dspbroker_event event;

	(void)data;
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	step_reached('r');
	step_await('h');
	for (int i = 0; i < 100; i++)
		require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	while (dspbroker_next_event(broker, &event) == 1)
		require(event.type != DSPBROKER_EVENT_SESSION);
	step_reached('g');
	step_await('e');
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

/* Its buffer is all that its user may have, and the DSP may write to it as long as the domain
 * lives. */
static void hang_with_buffer(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);
	struct dspbroker_buffer *buffer = alloc_buffer(broker, BUFFER);

	(void)data;
	require_eq(submit_for(session, SHORT_US * 100, buffer), 0);
	require_eq(reap_one(broker).status, 0);
	cdsp_fault("hang", 1);
	require_eq(submit_for(session, SHORT_US, buffer), 0);
	expect_time_out(broker);
	dspbroker_buffer_free(buffer);
	require_eq(dspbroker_buffer_alloc(broker, &buffer, BUFFER), DSPBROKER_OVER_LIMIT);
	step_reached('h');
	step_await('e');
	dspbroker_session_close(session);
	require_eq(dspbroker_buffer_alloc(broker, &buffer, BUFFER), DSPBROKER_OVER_LIMIT);
	step_reached('c');
	step_await('e');
	/* The domain ends. */
	require_soon(dspbroker_buffer_alloc(broker, &buffer, BUFFER) == 0);
	dspbroker_free(broker);
}

static void come_later(void *data)
{
	uint32_t *hung = data;
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);

	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	require(domain_of(broker, (uint64_t)getpid()) != *hung);
	dspbroker_free(broker);
}

START_TEST(quarantine_lets_others_go_on_and_nobody_in)
{
	struct client other, client;
	struct dspbroker *broker;
	uint32_t domain;
	uint64_t maps;

	start_broker(&harness, POLICY_TEXT);
	broker = connect_to(&harness);
	client_start(&other, CAROL, go_on, NULL);
	client_await(&other, 'r');
	client_start(&client, CAROL, hang_with_buffer, NULL);
	client_await(&client, 'h');
	maps = cdsp_count("maps");
	require(maps > 0);
	require_eq(device_record(broker, "cdsp").domains_hung, 1);
	domain = domain_of(broker, (uint64_t)other.pid);
	require_eq(domain_of(broker, (uint64_t)client.pid), domain);
	client_go(&other, 'h');
	client_await(&other, 'g');
	client_run(CAROL, come_later, &domain);
	/* The one whose call hangs leaves; the domain stays. */
	client_go(&client, 'e');
	client_await(&client, 'c');
	require_eq(domain_of(broker, (uint64_t)other.pid), domain);
	require_eq(cdsp_count("maps"), maps);
	client_go(&other, 'e');
	client_end(&other);
	client_go(&client, 'e');
	client_end(&client);
	dspbroker_free(broker);
	await_nothing_left();
	harness_stop(&harness);
}
END_TEST

/* As many as can run there at once. */
static void hang_everywhere(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);

	(void)data;
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	cdsp_fault("hang", FASTRPC_CALLS);
	for (int i = 0; i < FASTRPC_CALLS; i++) {
		require_eq(submit_for(session, SHORT_US, NULL), 0);
		expect_time_out(broker);
	}
	require_eq(await_event(broker, DSPBROKER_EVENT_SESSION).status, DSPBROKER_DOMAIN_CRASHED);
	dspbroker_session_close(session);
	require_eq(invoke_plain(open_channel(broker, MODULE), EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

START_TEST(a_domain_where_nothing_can_run_any_more_ends)
{
	start_broker(&harness, POLICY_TEXT);
	client_run(CAROL, hang_everywhere, NULL);
	await_nothing_left();
	harness_stop(&harness);
}
END_TEST

/* Answers that come late. */

/* Ends in various ways, with a call that the DSP does not answer. */
static void leave_with_call(void *data)
{
	const enum leave *leave = data;
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);

	require_eq(submit_for(session, *leave == LEAVE_BY_TIME_OUT ? SHORT_US : 0, NULL), 0);
	require_soon(are_pending(3)); /* and of each domain its own */
	step_reached('h');
	step_await('h');
	if (*leave == LEAVE_BY_TIME_OUT)
		expect_time_out(broker);
	if (*leave == LEAVE_KILLED)
		kill(getpid(), SIGKILL);
	dspbroker_free(broker);
}

/* The kernel has numbers of calls for it; each result must be the one that belongs there. */
static void copy_for_ever(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);

	(void)data;
	for (uint32_t i = 1;; i++) {
		uint32_t copied = 0;
		const struct dspbroker_arg args[] = {
			{.data = &i, .length = sizeof(i)},
			{.data = &copied, .length = sizeof(copied)},
		};
		const struct dspbroker_call call = {
			.method = EXAMPLE_COPY, .n_in = 1, .n_out = 1, .args = args};

		require_eq(dspbroker_invoke(session, &call, NULL), 0);
		require_eq(copied, i);
		if (i % COPIES != 0)
			continue;
		step_reached('g');
		step_await('g');
	}
}

static void end_one(enum leave leave, struct client *other)
{
	struct client client;

	cdsp_fault("hang", 1);
	client_start(&client, ALICE, leave_with_call, &leave);
	client_await(&client, 'h');
	client_go(&client, 'h');
	while (cdsp_count("domains") > 1) {
		client_go(other, 'g');
		client_await(other, 'g');
	}
	if (leave == LEAVE_KILLED)
		require_eq(client_signal(&client), SIGKILL);
	else
		client_end(&client);
}

/* The domain has ended, so that the DSP has answered all that was asked there, before the kernel
 * gives the number of such a call to another. */
START_TEST(what_a_call_that_was_given_up_returns_meets_no_other)
{
	struct client other;

	start_broker(&harness, POLICY_TEXT);
	client_start(&other, BOB, copy_for_ever, NULL);
	client_await(&other, 'g');
	for (int i = 0; i < ROUNDS; i++)
		end_one((enum leave)(i % LEAVES), &other);
	client_kill(&other);
	await_nothing_left();
	require_eq(cdsp_driver.lost_calls(), 0);
	harness_stop(&harness);
}
END_TEST

/* Calls that are cancelled. */

static void cancel_calls(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);
	struct dspbroker_completion completion;

	(void)data;
	require_eq(submit_sleep(session, SHORT_US, 1), 0);
	require_eq(submit_plain(session, EXAMPLE_NOP, 2), 0);
	require_soon(are_pending(2));
	require_eq(dspbroker_cancel(session, (void *)(uintptr_t)1), DSPBROKER_BUSY);
	require_eq(dspbroker_cancel(session, (void *)(uintptr_t)2), 0);
	completion = reap_one(broker);
	require_eq((uintptr_t)completion.user, 2);
	require_eq(completion.status, DSPBROKER_CANCELLED);
	completion = reap_one(broker);
	require_eq((uintptr_t)completion.user, 1);
	require_eq(completion.status, 0);
	require_eq(dspbroker_cancel(session, (void *)(uintptr_t)1), DSPBROKER_NOT_FOUND);
	dspbroker_free(broker);
}

START_TEST(a_call_is_cancelled_before_it_runs_and_not_after)
{
	start_broker(&harness, POLICY_TEXT);
	client_run(ALICE, cancel_calls, NULL);
	await_nothing_left();
	harness_stop(&harness);
}
END_TEST

/* Nobody has to know what it can do, and a broker that asks has to end. */
START_TEST(a_dsp_that_does_not_say_what_it_is_holds_nobody_up)
{
	struct dspbroker *broker;
	uint64_t pending;

	cdsp_fault("silent", 1);
	pending = cdsp_count("pending");
	harness_start(&harness, POLICY_TEXT);
	broker = connect_to(&harness);
	require_soon(device_record(broker, "cdsp").up);
	/* Which has answered, but nobody heard it. */
	require_eq(cdsp_count("pending"), pending);
	require_eq(device_record(broker, "cdsp").n_attributes, 0);
	cdsp_restart();
	require_soon(device_record(broker, "cdsp").n_attributes > 0);
	dspbroker_free(broker);
	harness_stop(&harness);

	cdsp_fault("silent", 1);
	harness_start(&harness, POLICY_TEXT);
	harness_stop(&harness);
	cdsp_restart();
	await_nothing_left();
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("calls that hang on a DSP");

	add_fastrpc_case(suite, "hang", a_call_that_is_not_answered_times_out_once);
	add_fastrpc_case(suite, "silent", a_dsp_that_does_not_say_what_it_is_holds_nobody_up);
	add_fastrpc_case(suite, "teardown", teardown_ends_all_who_share_the_domain);
	if (cdsp_driver.interrupted_ends) {
		add_fastrpc_case(suite, "teardown", quarantine_is_teardown_where_nothing_may_go_on);
		add_fastrpc_case(suite, "late",
			what_a_call_that_was_given_up_returns_meets_no_other);
	} else {
		add_fastrpc_case(suite, "quarantine", quarantine_lets_others_go_on_and_nobody_in);
		add_fastrpc_case(suite, "stuck", a_domain_where_nothing_can_run_any_more_ends);
	}
	add_fastrpc_case(suite, "cancel", a_call_is_cancelled_before_it_runs_and_not_after);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
