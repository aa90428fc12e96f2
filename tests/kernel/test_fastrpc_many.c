// SPDX-License-Identifier: MIT
/*
 * Many sessions one after the other, by several clients at once: what a day's worth of them would
 * leave behind shows after some thousand.
 */
#include <stdint.h>

#include "tests/kernel/messages.h"
#include "tests/kernel/remains.h"

#define MODULE  "cdsp/bench"
#define CLIENTS CDSP_SESSIONS

#define BENCH_NULL 2 /* the module's method without arguments */

/* 10,000 sessions: of each client so many in domains of their own, which are kernel sessions, and
 * so many in one domain. After the first part of all it is measured what the broker and the kernel
 * have. */
#define ALONE    200
#define TOGETHER 1800
#define PARTS    10

/* What the broker may keep of its memory: not 200 bytes of each session. Its threads have heaps of
 * their own, which settle slowly. */
#define GROWTH_KIB 1024

#define TEXT_(number) #number
#define TEXT(number)  TEXT_(number)
#define USER(uid)     "\"users\": [" TEXT(uid) "]"

#define POLICY_TEXT                                                                          \
	CDSP_POLICY(", \"queue_ms\": 60000", "",                                             \
		ALLOW("alone", USER(ALICE), "\"*/*\"", "") ", " ALLOW("together", USER(BOB), \
			"\"*/*\"", ", \"share_domain\": \"bobs\""))

static struct harness harness;

static void open_and_close(struct dspbroker *broker, int times)
{
	for (int i = 0; i < times; i++) {
		struct dspbroker_session *session = open_channel(broker, MODULE);

		require_eq(invoke_plain(session, BENCH_NULL), 0);
		dspbroker_session_close(session);
	}
}

/* Stands still after each part, with a session. */
static void come_and_go(void *data)
{
	const int sessions = *(const int *)data;
	struct dspbroker *broker = connect_to(&harness);

	for (int part = 0; part < PARTS; part++) {
		struct dspbroker_session *session;

		open_and_close(broker, sessions / PARTS - 1);
		session = open_channel(broker, MODULE);
		require_eq(invoke_plain(session, BENCH_NULL), 0);
		step_reached('s');
		step_await('s');
		dspbroker_session_close(session);
	}
	dspbroker_free(broker);
}

static void stand_still(struct client *clients)
{
	for (size_t i = 0; i < CLIENTS; i++)
		client_await(&clients[i], 's');
}

static void go_on(struct client *clients)
{
	for (size_t i = 0; i < CLIENTS; i++)
		client_go(&clients[i], 's');
}

/* So many of each client, in so many domains at a time. */
static void have_many(uid_t uid, int sessions, size_t domains)
{
	struct client clients[CLIENTS];
	struct footprint before;
	struct holdings first;

	start_broker(&harness, POLICY_TEXT);
	before = footprint_of(&harness);
	for (size_t i = 0; i < CLIENTS; i++)
		client_start(&clients[i], uid, come_and_go, &sessions);
	stand_still(clients);
	first = holdings_of(&harness);
	require_eq(cdsp_count("domains"), domains);
	/* Of each domain a process that has ended keeps its number. */
	require(first.footprint.children <= before.children + domains);
	for (int part = 1; part < PARTS; part++) {
		go_on(clients);
		stand_still(clients);
		must_not_have_grown(&harness, first, GROWTH_KIB);
	}
	go_on(clients);
	for (size_t i = 0; i < CLIENTS; i++)
		client_end(&clients[i]);
	await_nothing_left();
	before.threads = first.footprint.threads;
	await_footprint(&harness, before);
	harness_stop(&harness);
}

START_TEST(a_thousand_sessions_alone_leave_nothing_behind)
{
	have_many(ALICE, ALONE, CLIENTS);
}
END_TEST

START_TEST(nine_thousand_sessions_together_leave_nothing_behind)
{
	have_many(BOB, TOGETHER, 1);
}
END_TEST

/* Had any been lost, there were not enough for as many sessions. */
START_TEST(the_kernel_has_lost_no_call_by_them)
{
	require_eq(cdsp_driver.lost_calls(), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("many sessions of a DSP");

	add_fastrpc_case(suite, "alone", a_thousand_sessions_alone_leave_nothing_behind);
	add_fastrpc_case(suite, "together", nine_thousand_sessions_together_leave_nothing_behind);
	add_fastrpc_case(suite, "lost", the_kernel_has_lost_no_call_by_them);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
