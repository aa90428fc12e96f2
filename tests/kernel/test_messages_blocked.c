// SPDX-License-Identifier: MIT
/*
 * A remote processor that takes no more messages, through the broker and the kernel's drivers
 * (virtio_rpmsg_bus, whose buffers fill up, rpmsg_ctrl, rpmsg_char): who has to wait, for how long,
 * and what becomes of messages whose sender goes away.
 */
#include <stdio.h>
#include <string.h>

#include "tests/kernel/messages.h"

#define TX_BUFFERS 256 /* that the kernel has for all endpoints of a remote processor */
#define CALLS      "8"
#define CALLS_MAX  8
#define OWNER      5 /* of the stamped messages */

static struct harness harness;

static void set_up(void)
{
	remote("resume"); /* a test that failed may have left it so */
	harness_start(&harness,
		ALLOW_WITH(", \"limits\": {\"messages\": 512, \"timeout_ms\": 60000, "
			   "\"calls\": " CALLS "}"));
}

static void tear_down(void)
{
	harness_stop(&harness);
}

static struct dspbroker_session *serve_and_open(struct dspbroker *broker, uint32_t address,
	const char *service, const char *name)
{
	char channel[64];

	snprintf(channel, sizeof(channel), "rpmsg0/%s", name);
	serve(address, service, name);
	require_soon(is_listed(broker, channel));
	return open_channel(broker, channel);
}

static int try_stamped(struct dspbroker_session *session, uint32_t number)
{
	uint8_t message[64];

	stamp(message, sizeof(message), OWNER, number);
	return dspbroker_try_send(session, message, sizeof(message));
}

static void submit_stamped(struct dspbroker_session *session, uint32_t number)
{
	uint8_t message[64];

	stamp(message, sizeof(message), OWNER, number);
	require_eq(dspbroker_submit_send(session, message, sizeof(message),
			   (void *)(uintptr_t)number),
		0);
}

/* Have the remote processor hang and send until there is no room. Returns how many were taken. */
static uint32_t fill(struct dspbroker_session *session)
{
	uint32_t n = 0;
	int r;

	remote("hang");
	while ((r = try_stamped(session, n)) == 0)
		require(++n <= TX_BUFFERS);
	require_eq(r, DSPBROKER_BUSY);
	return n;
}

CLIENT_TEST(who_finds_no_room_is_told_and_what_waits_goes_out_in_order)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = serve_and_open(broker, 3000, "echo", "waits");
	struct dspbroker_completion completion;
	uint8_t never[64];
	uint32_t n;

	n = fill(session);
	stamp(never, sizeof(never), OWNER, UINT32_MAX);
	require_eq(dspbroker_send(session, never, sizeof(never), 100), DSPBROKER_TIMED_OUT);
	for (uint32_t i = 0; i < CALLS_MAX; i++)
		submit_stamped(session, n + i);
	submit_stamped(session, UINT32_MAX);
	completion = reap_one(broker);
	require_eq((uintptr_t)completion.user, UINT32_MAX);
	require_eq(completion.status, DSPBROKER_OVER_LIMIT);
	require_eq(dspbroker_send(session, never, sizeof(never), -1), DSPBROKER_OVER_LIMIT);
	require_eq(try_stamped(session, UINT32_MAX), DSPBROKER_BUSY);
	require_eq(dspbroker_reap(broker, &completion, 1, 0), 0);
	require_eq(session_record(broker, "rpmsg0/waits").in_flight, CALLS_MAX);

	remote("resume");
	for (uint32_t i = 0; i < CALLS_MAX; i++) {
		completion = reap_one(broker);
		require_eq(completion.status, 0);
		require_eq((uintptr_t)completion.user, n + i);
	}
	for (uint32_t i = 0; i < n + CALLS_MAX; i++)
		receive_stamped(session, OWNER, i);
	echo_stamped(session, RPMSG_MTU, OWNER, 0);
	require_eq(receive_nothing(session, 0), DSPBROKER_TIMED_OUT);
	require_eq(remote_count(3000).messages, n + CALLS_MAX + 1);
	dspbroker_free(broker);
}

/* That sends wait must not be noticed by who waits for no room. */

static void lives_on(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *calls = open_channel(broker, EXAMPLE);
	struct dspbroker_session *news = serve_and_open(broker, 3011, "source", "tells");
	uint8_t message[RPMSG_MTU];

	(void)data;
	ask_source(news, 0, 0);
	require_soon(remote_count(3011).messages == 1);
	step_reached('o');
	step_await('h');
	for (uint32_t i = 0; i < 20; i++) {
		remote("emit 3011 0 1 30");
		require_eq(receive_one(news, message), 30);
		require_eq(invoke_plain(calls, EXAMPLE_NOP), 0);
		require_eq(dspbroker_try_send(news, "x", 1), DSPBROKER_BUSY);
		dspbroker_session_close(open_channel(broker, "rpmsg0/tells"));
	}
	dspbroker_free(broker);
}

static void holds_up(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = serve_and_open(broker, 3010, "sink", "is-full");
	struct dspbroker_completion completion;
	uint32_t n;

	(void)data;
	n = fill(session);
	for (uint32_t i = 0; i < CALLS_MAX; i++)
		submit_stamped(session, n + i);
	step_reached('h');
	step_await('r');
	require_eq(dspbroker_reap(broker, &completion, 1, 0), 0);
	remote("resume");
	for (uint32_t i = 0; i < CALLS_MAX; i++)
		require_eq(reap_one(broker).status, 0);
	require_soon(remote_count(3010).messages == n + CALLS_MAX);
	dspbroker_free(broker);
}

START_TEST(sends_that_wait_hold_up_neither_receives_nor_calls_nor_opens)
{
	struct client waiting, other;

	client_start(&other, BOB, lives_on, NULL);
	client_await(&other, 'o');
	client_start(&waiting, ALICE, holds_up, NULL);
	client_await(&waiting, 'h');
	client_go(&other, 'h');
	client_end(&other);
	client_go(&waiting, 'r');
	client_end(&waiting);
}
END_TEST

/* Whose turn it is when there is room again. */
CLIENT_TEST(sessions_that_wait_for_room_all_get_some)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *sessions[6];
	uint32_t n;

	sessions[0] = serve_and_open(broker, 3020, "sink", "shared-room");
	for (size_t i = 1; i < ARRAY_SIZE(sessions); i++)
		sessions[i] = open_channel(broker, "rpmsg0/shared-room");
	n = fill(sessions[0]);
	for (size_t i = 0; i < ARRAY_SIZE(sessions); i++)
		for (uint32_t j = 0; j < CALLS_MAX; j++)
			submit_stamped(sessions[i], j);
	remote("resume");
	for (size_t i = 0; i < ARRAY_SIZE(sessions) * CALLS_MAX; i++)
		require_eq(reap_one(broker).status, 0);
	require_soon(remote_count(3020).messages == n + ARRAY_SIZE(sessions) * CALLS_MAX);
	dspbroker_free(broker);
}

/* What becomes of messages whose sender goes. */

CLIENT_TEST(a_session_that_is_closed_ends_what_waits_and_disturbs_nothing)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = serve_and_open(broker, 3030, "sink", "closes");
	struct dspbroker_session *again;
	struct dspbroker_completion completion;
	uint32_t n = fill(session);

	for (uint32_t i = 0; i < CALLS_MAX; i++)
		submit_stamped(session, n + i);
	require_eq(session_record(broker, "rpmsg0/closes").in_flight, CALLS_MAX);
	dspbroker_session_close(session);
	for (uint32_t i = 0; i < CALLS_MAX; i++) {
		completion = reap_one(broker);
		require_eq((uintptr_t)completion.user, n + i);
		require_eq(completion.status, DSPBROKER_CANCELLED);
		require(!completion.session);
	}
	require_eq(dspbroker_reap(broker, &completion, 1, -1), 0);
	again = open_channel(broker, "rpmsg0/closes");
	require_eq(try_stamped(again, 0), DSPBROKER_BUSY);
	remote("resume");
	send_stamped(again, 64, OWNER, 0);
	require_soon(remote_count(3030).messages == n + 1);
	dspbroker_free(broker);
}

CLIENT_TEST(a_session_can_be_closed_while_messages_come_and_go)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = serve_and_open(broker, 3031, "echo", "busy");
	struct dspbroker_completion completion;

	for (int i = 0; i < 50; i++) {
		for (uint32_t j = 0; j < CALLS_MAX; j++)
			submit_stamped(session, j);
		dspbroker_session_close(session);
		for (uint32_t j = 0; j < CALLS_MAX; j++) {
			completion = reap_one(broker);
			require_eq((uintptr_t)completion.user, j);
			require(completion.status == 0 || completion.status == DSPBROKER_CANCELLED);
		}
		require_eq(dspbroker_reap(broker, &completion, 1, -1), 0);
		session = open_channel(broker, "rpmsg0/busy");
	}
	/* The answers were to endpoints that are gone. */
	echo_stamped(session, 64, OWNER, 1);
	dspbroker_free(broker);
}

static void is_killed_waiting(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, "rpmsg0/killed");
	uint32_t n = fill(session);

	(void)data;
	for (uint32_t i = 0; i < CALLS_MAX; i++)
		submit_stamped(session, n + i);
	require_eq(session_record(broker, "rpmsg0/killed").in_flight, CALLS_MAX);
	step_reached('k');
	step_await('x'); /* never */
}

static void is_killed_in_traffic(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *sessions[4];
	struct dspbroker_completion completion;

	(void)data;
	for (size_t i = 0; i < ARRAY_SIZE(sessions); i++)
		sessions[i] = open_channel(broker, "rpmsg0/killed");
	for (uint32_t n = 0;; n++) {
		submit_stamped(sessions[n % ARRAY_SIZE(sessions)], n);
		if (n == 100)
			step_reached('k');
		while (n % 32 == 31 && dspbroker_reap(broker, &completion, 1, -1) == 1)
			continue;
	}
}

static void (*const victims[])(void *data) = {is_killed_waiting, is_killed_in_traffic};

START_TEST(a_client_that_is_killed_leaves_no_endpoint_and_no_descriptor)
{
	struct dspbroker *observer = connect_to(&harness);
	size_t fds = idle_fds(&harness, observer), nodes = count_nodes();
	struct client client;

	remote("serve %d echo", 3040 + _i);
	remote("announce %d killed", 3040 + _i);
	require_soon(is_listed(observer, "rpmsg0/killed"));
	for (int i = 0; i < 10; i++) {
		client_start(&client, ALICE, victims[_i], NULL);
		client_await(&client, 'k');
		require(count_nodes() > nodes);
		client_kill(&client);
		require_soon(count_sessions(observer) == 0);
		remote("resume");
	}
	require_soon(count_nodes() <= nodes);
	require_soon(idle_fds(&harness, observer) == fds);
	remote("withdraw %d", 3040 + _i);
	dspbroker_free(observer);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("no room for messages over rpmsg_char");
	TCase *tcase = tcase_create("blocked");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, who_finds_no_room_is_told_and_what_waits_goes_out_in_order);
	tcase_add_test(tcase, sends_that_wait_hold_up_neither_receives_nor_calls_nor_opens);
	tcase_add_test(tcase, sessions_that_wait_for_room_all_get_some);
	tcase_add_test(tcase, a_session_that_is_closed_ends_what_waits_and_disturbs_nothing);
	tcase_add_test(tcase, a_session_can_be_closed_while_messages_come_and_go);
	tcase_add_loop_test(tcase, a_client_that_is_killed_leaves_no_endpoint_and_no_descriptor, 0,
		ARRAY_SIZE(victims));
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
