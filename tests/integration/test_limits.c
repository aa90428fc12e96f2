// SPDX-License-Identifier: MIT
/* Limits: each is reached and named, and one user's are not another's. */
#include <stdio.h>
#include <sys/resource.h>

#include "daemon/limits.h"
#include "tests/integration/harness.h"

static struct harness harness;

static void tear_down(void)
{
	harness_stop(&harness);
}

/* "alice" may have 2 sessions of 3 calls and 2 buffers of 64 KiB together, whatever the channel;
 * everybody else has the defaults. */
#define MODEST                                                                             \
	",\"limits\": {\"sessions\": 2, \"calls\": 3, \"buffers\": 2, \"bytes\": \"64K\"," \
	" \"timeout_ms\": 600000}"

static void set_up(void)
{
	harness_start(&harness, POLICY(ALLOW("modest", EVERYBODY, "\"soft0/example\"", MODEST)));
}

CLIENT_TEST(a_rule_bounds_the_sessions_of_a_user_over_all_its_connections)
{
	struct dspbroker *one = connect_to(&harness), *other = connect_to(&harness);
	struct dspbroker_session *session, *last = open_channel(one, EXAMPLE);

	open_channel(other, EXAMPLE);
	require_eq(dspbroker_session_open(one, &session, EXAMPLE), DSPBROKER_OVER_LIMIT);
	require_text(dspbroker_message(), "modest");
	require_text(dspbroker_message(), "2 sessions");
	require_eq(dspbroker_session_open(other, &session, EXAMPLE), DSPBROKER_OVER_LIMIT);
	dspbroker_session_close(last);
	open_channel(other, EXAMPLE);
	require_eq(dspbroker_session_open(one, &session, EXAMPLE), DSPBROKER_OVER_LIMIT);
	dspbroker_free(one);
	dspbroker_free(other);
}

CLIENT_TEST(a_dead_session_counts_until_it_is_closed)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *dead = open_channel(broker, EXAMPLE), *session;

	open_channel(broker, EXAMPLE);
	require_eq(invoke_plain(dead, EXAMPLE_CRASH), DSPBROKER_DOMAIN_CRASHED);
	require_eq(dspbroker_session_open(broker, &session, EXAMPLE), DSPBROKER_OVER_LIMIT);
	dspbroker_session_close(dead);
	open_channel(broker, EXAMPLE);
	dspbroker_free(broker);
}

CLIENT_TEST(calls_over_the_limit_of_a_session_are_refused_with_its_value_and_never_run)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_session *other = open_channel(broker, EXAMPLE);
	struct dspbroker_completion completion;

	require_eq(submit_plain(session, EXAMPLE_SPIN, 1), 0);
	require_eq(submit_plain(session, EXAMPLE_NOP, 2), 0);
	require_eq(submit_plain(session, EXAMPLE_NOP, 3), 0);
	require_eq(submit_plain(session, EXAMPLE_CRASH, 4), 0);
	completion = reap_one(broker);
	require_eq((uintptr_t)completion.user, 4);
	require_eq(completion.status, DSPBROKER_OVER_LIMIT);
	require_eq(invoke_plain(session, EXAMPLE_NOP), DSPBROKER_OVER_LIMIT);
	require_text(dspbroker_message(), "3");
	/* The limit is each session's own, and a place that a call leaves is free. */
	for (int i = 0; i < 10; i++)
		require_eq(invoke_plain(other, EXAMPLE_NOP), 0);
	require_eq(dspbroker_cancel(session, (void *)3), 0);
	require_eq((uintptr_t)reap_one(broker).user, 3);
	require_eq(submit_plain(session, EXAMPLE_NOP, 5), 0);
	require_eq(dspbroker_cancel(session, (void *)5), 0);
	require_eq(reap_one(broker).status, DSPBROKER_CANCELLED);
	dspbroker_free(broker);
}

CLIENT_TEST(buffers_and_bytes_are_those_of_the_user_over_all_its_connections)
{
	struct dspbroker *one = connect_to(&harness), *other = connect_to(&harness);
	struct dspbroker_buffer *buffer, *large = alloc_buffer(one, 61440);

	require_eq(dspbroker_buffer_alloc(other, &buffer, 8192), DSPBROKER_OVER_LIMIT);
	require_text(dspbroker_message(), "65536 bytes");
	alloc_buffer(other, 4096);
	require_eq(dspbroker_buffer_alloc(other, &buffer, 1), DSPBROKER_OVER_LIMIT);
	require_text(dspbroker_message(), "2 buffers");
	dspbroker_buffer_free(large);
	alloc_buffer(other, 61440);
	dspbroker_free(other);
	alloc_buffer(one, 65536);
	dspbroker_free(one);
}

CLIENT_TEST(what_a_connection_used_is_free_when_it_has_ended)
{
	for (int i = 0; i < 10; i++) {
		struct dspbroker *broker = connect_to(&harness);
		struct dspbroker_session *session;
		struct dspbroker_buffer *buffer;

		/* The last one's end may still be under way. */
		require_soon(dspbroker_session_open(broker, &session, EXAMPLE) == 0);
		require_soon(dspbroker_session_open(broker, &session, EXAMPLE) == 0);
		require_soon(dspbroker_buffer_alloc(broker, &buffer, 65536) == 0);
		for (uintptr_t call = 0; call < 3; call++)
			require_eq(submit_plain(session, EXAMPLE_NOP, call), 0);
		dspbroker_free(broker);
	}
}

/* Users. */

static void uses_all(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;
	struct dspbroker_buffer *buffer;

	(void)data;
	open_channel(broker, EXAMPLE);
	open_channel(broker, EXAMPLE);
	alloc_buffer(broker, 65536);
	require_eq(dspbroker_session_open(broker, &session, EXAMPLE), DSPBROKER_OVER_LIMIT);
	require_eq(dspbroker_buffer_alloc(broker, &buffer, 1), DSPBROKER_OVER_LIMIT);
	step_reached('a');
	step_await('e');
	dspbroker_free(broker);
}

START_TEST(what_one_user_uses_is_not_taken_from_another)
{
	const uid_t uids[] = {ALICE, BOB, CAROL};
	struct client clients[ARRAY_SIZE(uids)];

	if (!harness_has_users())
		return;
	for (size_t i = 0; i < ARRAY_SIZE(uids); i++) {
		client_start(&clients[i], uids[i], uses_all, NULL);
		client_await(&clients[i], 'a');
	}
	for (size_t i = 0; i < ARRAY_SIZE(uids); i++) {
		client_go(&clients[i], 'e');
		client_end(&clients[i]);
	}
}
END_TEST

/* Connections. */

/* Inherited by clients; the broker takes as many as it may by itself. */
static void raise_files(void)
{
	struct rlimit limit;

	require_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	require_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void connects_as_often_as_it_may(void *data)
{
	static struct dspbroker *brokers[LIMIT_USER_CLIENTS];
	struct dspbroker *one_more;

	(void)data;
	for (int i = 0; i < LIMIT_USER_CLIENTS; i++)
		brokers[i] = connect_to(&harness);
	/* Often, since it must hold whichever of the two sides is faster. */
	for (int i = 0; i < 50; i++) {
		require_eq(dspbroker_connect(&one_more, harness.socket), DSPBROKER_OVER_LIMIT);
		require_text(dspbroker_message(), "512 connections");
	}
	step_reached('f');
	step_await('e');
	dspbroker_free(brokers[0]);
	require_soon(dspbroker_connect(&brokers[0], harness.socket) == 0);
	for (int i = 0; i < LIMIT_USER_CLIENTS; i++)
		dspbroker_free(brokers[i]);
}

static void connects_once(void *data)
{
	(void)data;
	dspbroker_free(connect_to(&harness));
}

START_TEST(a_connection_over_the_limit_of_its_user_is_told_so_and_others_connect)
{
	struct client client;

	if (!harness_has_files())
		return;
	raise_files();
	client_start(&client, ALICE, connects_as_often_as_it_may, NULL);
	client_await(&client, 'f');
	if (harness_has_users())
		client_run(BOB, connects_once, NULL);
	client_go(&client, 'e');
	client_end(&client);
}
END_TEST

/* A device. */

static void set_up_capped(void)
{
	harness_start(&harness,
		"{\"version\": 1, \"devices\": [{\"name\": \"soft0\", \"calls\": 1}], \"rules\": "
		"[" ALLOW("everybody", EVERYBODY, "\"*/*\"", "") "]}");
}

/* Each session has a domain of its own, which could run its call at once. */
CLIENT_TEST(calls_over_the_limit_of_a_device_wait_until_others_have_ended_however_that_is)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *busy = open_channel(broker, EXAMPLE);
	struct dspbroker_session *others[] = {
		open_channel(broker, EXAMPLE),
		open_channel(broker, EXAMPLE),
	};
	const struct dspbroker_call spin = {
		.method = EXAMPLE_SPIN, .timeout_us = 300000, .user = (void *)1};
	bool done[4] = {};

	require_eq(dspbroker_submit(busy, &spin), 0);
	require_eq(submit_plain(others[0], EXAMPLE_NOP, 2), 0);
	require_eq(submit_plain(others[1], EXAMPLE_NOP, 3), 0);
	for (int i = 0; i < 3; i++) {
		struct dspbroker_completion completion = reap_one(broker);

		require(i > 0 || completion.status == DSPBROKER_TIMED_OUT);
		require_eq((uintptr_t)completion.user == 1, i == 0);
		done[(uintptr_t)completion.user] = true;
	}
	require(done[1] && done[2] && done[3]);
	require_eq(invoke_plain(others[0], EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

static TCase *device_tcase(void)
{
	TCase *tcase = tcase_create("device");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, set_up_capped, tear_down);
	tcase_add_test(tcase,
		calls_over_the_limit_of_a_device_wait_until_others_have_ended_however_that_is);
	return tcase;
}

static Suite *suite(void)
{
	Suite *suite = suite_create("limits");
	TCase *tcase = tcase_create("limits");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_rule_bounds_the_sessions_of_a_user_over_all_its_connections);
	tcase_add_test(tcase, a_dead_session_counts_until_it_is_closed);
	tcase_add_test(tcase,
		calls_over_the_limit_of_a_session_are_refused_with_its_value_and_never_run);
	tcase_add_test(tcase, buffers_and_bytes_are_those_of_the_user_over_all_its_connections);
	tcase_add_test(tcase, what_a_connection_used_is_free_when_it_has_ended);
	tcase_add_test(tcase, what_one_user_uses_is_not_taken_from_another);
	tcase_add_test(tcase,
		a_connection_over_the_limit_of_its_user_is_told_so_and_others_connect);
	suite_add_tcase(suite, tcase);
	suite_add_tcase(suite, device_tcase());
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
