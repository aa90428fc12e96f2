// SPDX-License-Identifier: MIT
/*
 * Many sessions one after the other on the kernel's FastRPC driver (drivers/misc/fastrpc.c), by
 * several clients at once: what a day's worth of them would leave behind shows after some thousand.
 */
#include <stdint.h>

#include "tests/kernel/messages.h"
#include "tests/kernel/remains.h"

#define MODULE      "cdsp/bench"
#define NULL_METHOD 2
#define CLIENTS     CDSP_SESSIONS
#define WARM_UP     100 /* sessions of each client until memory is measured */
#define SESSIONS    400 /* in all */
/* What the broker may keep of 1500 sessions: not 700 bytes of each. Its threads have heaps of their
 * own, which settle slowly. */
#define GROWTH_KIB 1024

#define TEXT_(number) #number
#define TEXT(number)  TEXT_(number)
#define USER(uid)     "\"users\": [" TEXT(uid) "]"

#define POLICY_TEXT                                                                          \
	CDSP_POLICY("", "",                                                                  \
		ALLOW("alone", USER(ALICE), "\"*/*\"", "") ", " ALLOW("together", USER(BOB), \
			"\"*/*\"", ", \"share_domain\": \"bobs\""))

static struct harness harness;

static void open_and_close(struct dspbroker *broker, int times)
{
	for (int i = 0; i < times; i++) {
		struct dspbroker_session *session = open_channel(broker, MODULE);

		require_eq(invoke_plain(session, NULL_METHOD), 0);
		dspbroker_session_close(session);
	}
}

/* Stands still twice, with a session. */
static void come_and_go(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	(void)data;
	for (int i = 0; i < 2; i++) {
		struct dspbroker_session *session;

		open_and_close(broker, (i == 0 ? WARM_UP : SESSIONS - WARM_UP) - 1);
		session = open_channel(broker, MODULE);
		step_reached('s');
		step_await('s');
		dspbroker_session_close(session);
	}
	dspbroker_free(broker);
}

/* What the broker has while each client has a session. */
static struct footprint stand_still(struct client *clients, size_t *rss)
{
	struct footprint footprint;

	for (size_t i = 0; i < CLIENTS; i++)
		client_await(&clients[i], 's');
	footprint = footprint_of(&harness);
	*rss = harness_rss_kib(&harness);
	return footprint;
}

static void go_on(struct client *clients)
{
	for (size_t i = 0; i < CLIENTS; i++)
		client_go(&clients[i], 's');
}

/* In so many domains at a time. */
static void have_many(uid_t uid, size_t domains)
{
	struct footprint before, first;
	struct client clients[CLIENTS];
	size_t rss_first, rss_last;

	start_broker(&harness, POLICY_TEXT);
	before = footprint_of(&harness);
	for (size_t i = 0; i < CLIENTS; i++)
		client_start(&clients[i], uid, come_and_go, NULL);
	first = stand_still(clients, &rss_first);
	require_eq(cdsp_count("domains"), domains);
	/* Of each domain a process that has ended keeps its number. */
	require(first.children <= before.children + domains);
	go_on(clients);
	stand_still(clients, &rss_last);
	await_footprint(&harness, first);
	require(rss_last <= rss_first + GROWTH_KIB);
	go_on(clients);
	for (size_t i = 0; i < CLIENTS; i++)
		client_end(&clients[i]);
	await_nothing_left();
	before.threads = first.threads;
	await_footprint(&harness, before);
	harness_stop(&harness);
}

START_TEST(thousands_of_sessions_alone_leave_nothing_behind)
{
	have_many(ALICE, CLIENTS);
}
END_TEST

START_TEST(thousands_of_sessions_together_leave_nothing_behind)
{
	have_many(BOB, 1);
}
END_TEST

/* Had any been lost, there were not enough for as many sessions. */
START_TEST(the_kernel_has_lost_no_call_by_them)
{
	require_eq(free_contexts(), CDSP_CONTEXTS);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("many sessions on drivers/misc/fastrpc");

	add_fastrpc_case(suite, "alone", thousands_of_sessions_alone_leave_nothing_behind);
	add_fastrpc_case(suite, "together", thousands_of_sessions_together_leave_nothing_behind);
	add_fastrpc_case(suite, "calls", the_kernel_has_lost_no_call_by_them);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
