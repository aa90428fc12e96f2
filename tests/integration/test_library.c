// SPDX-License-Identifier: MIT
/* The library with the real broker behind it: threads, event loops, waiting, and a broker's end. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/integration/harness.h"

#define THREADS      8
#define THREAD_CALLS 400
#define LOOP_CALLS   5000
#define IN_FLIGHT    16

static struct harness harness;

static void set_up(void)
{
	harness_start(&harness, POLICY(ALLOW("everybody", EVERYBODY, "\"*/*\"",
					",\"limits\": {\"timeout_ms\": 600000}")));
}

static void tear_down(void)
{
	harness_stop(&harness);
}

/* Threads. */

struct worker {
	pthread_t thread;
	struct dspbroker *broker;
	struct dspbroker_session *shared;
	uint32_t number;
};

/* A result that only this call can have. */
static void copy_and_check(struct dspbroker_session *session, uint64_t value)
{
	uint64_t back = ~value;
	const struct dspbroker_arg args[] = {
		{.data = &value, .length = sizeof(value)},
		{.data = &back, .length = sizeof(back)},
	};
	const struct dspbroker_call call = {
		.method = EXAMPLE_COPY, .n_in = 1, .n_out = 1, .args = args};

	require_eq(dspbroker_invoke(session, &call, NULL), 0);
	require_eq(back, value);
}

static void *works(void *data)
{
	const struct worker *worker = data;
	struct dspbroker_session *own = open_channel(worker->broker, EXAMPLE);

	for (uint32_t i = 0; i < THREAD_CALLS; i++) {
		uint64_t value = (uint64_t)worker->number << 32 | i;

		copy_and_check(i % 2 ? own : worker->shared, value);
		if (i % 50 == 0)
			dspbroker_buffer_free(alloc_buffer(worker->broker, 4096));
		if (i % 100 == 99) {
			dspbroker_session_close(own);
			own = open_channel(worker->broker, EXAMPLE);
		}
	}
	dspbroker_session_close(own);
	return NULL;
}

/* While others call, this thread streams. */
static void stream(struct dspbroker *broker, struct dspbroker_session *session)
{
	uintptr_t submitted = 0, reaped = 0;

	while (reaped < THREAD_CALLS) {
		while (submitted < THREAD_CALLS && submitted - reaped < IN_FLIGHT)
			require_eq(submit_plain(session, EXAMPLE_NOP, ++submitted), 0);
		require_eq((uintptr_t)reap_one(broker).user, ++reaped);
	}
}

CLIENT_TEST(threads_share_a_connection_and_each_gets_its_own_results)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *shared = open_channel(broker, EXAMPLE);
	struct worker workers[THREADS];

	for (uint32_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.broker = broker, .shared = shared, .number = i};
		require_eq(pthread_create(&workers[i].thread, NULL, works, &workers[i]), 0);
	}
	stream(broker, shared);
	for (uint32_t i = 0; i < THREADS; i++)
		require_eq(pthread_join(workers[i].thread, NULL), 0);
	dspbroker_free(broker);
}

static void *spins(void *data)
{
	invoke_plain(data, EXAMPLE_SPIN);
	return NULL;
}

static void calls_beside_an_endless_call(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *endless = open_channel(broker, EXAMPLE);
	struct dspbroker_session *other = open_channel(broker, EXAMPLE);
	pthread_t thread;

	(void)data;
	require_eq(pthread_create(&thread, NULL, spins, endless), 0);
	for (uint32_t i = 0; i < THREAD_CALLS; i++)
		copy_and_check(other, i);
	step_reached('k');
	pthread_join(thread, NULL); /* never */
}

START_TEST(a_thread_that_waits_for_a_long_call_holds_nobody_up)
{
	struct client client;

	client_start(&client, ALICE, calls_beside_an_endless_call, NULL);
	client_await(&client, 'k');
	client_kill(&client);
}
END_TEST

/* Event loops. */

struct loop {
	struct dspbroker *broker;
	struct dspbroker_session *session;
	uintptr_t submitted, reaped;
	unsigned int events;
};

static void fill(struct loop *loop)
{
	while (loop->submitted < LOOP_CALLS && loop->submitted - loop->reaped < IN_FLIGHT)
		require_eq(submit_plain(loop->session, EXAMPLE_NOP, ++loop->submitted), 0);
}

/* Until both have nothing more, as dspbroker_fd() asks for. */
static void drain(struct loop *loop)
{
	struct dspbroker_completion completions[3];
	struct dspbroker_event event;
	int n, e;

	do {
		n = dspbroker_reap(loop->broker, completions, ARRAY_SIZE(completions), 0);
		e = dspbroker_next_event(loop->broker, &event);
		require(n >= 0 && e >= 0);
		for (int i = 0; i < n; i++)
			require_eq((uintptr_t)completions[i].user, ++loop->reaped);
		loop->events += (unsigned int)e;
	} while (n || e);
}

static void await_readable(int epoll)
{
	struct epoll_event ready;

	require_eq(epoll_wait(epoll, &ready, 1, HARNESS_PATIENCE_S * 1000), 1);
}

CLIENT_TEST(an_event_loop_sees_every_completion_and_event)
{
	struct loop loop = {.broker = connect_to(&harness)};
	struct epoll_event readable = {.events = EPOLLIN};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	require(epoll >= 0);
	require_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, dspbroker_fd(loop.broker), &readable), 0);
	loop.session = open_channel(loop.broker, EXAMPLE);
	while (loop.reaped < LOOP_CALLS) {
		fill(&loop);
		await_readable(epoll);
		drain(&loop);
	}
	require_eq(loop.events, 0);
	require_eq(submit_plain(loop.session, EXAMPLE_CRASH, LOOP_CALLS + 1), 0);
	while (loop.reaped == LOOP_CALLS || !loop.events) {
		await_readable(epoll);
		drain(&loop);
	}
	close(epoll);
	dspbroker_free(loop.broker);
}

/* Completions that another call took out of the queue on its way must not be forgotten. */
CLIENT_TEST(an_event_loop_is_woken_for_what_a_blocking_call_took_from_the_queue)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct epoll_event readable = {.events = EPOLLIN};
	struct dspbroker_completion completion;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	require(epoll >= 0);
	require_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, dspbroker_fd(broker), &readable), 0);
	for (uintptr_t i = 0; i < THREAD_CALLS; i++) {
		require_eq(submit_plain(session, EXAMPLE_NOP, i), 0);
		copy_and_check(session, i); /* after the other, so that is complete, too */
		await_readable(epoll);
		require_eq(dspbroker_reap(broker, &completion, 1, 0), 1);
		require_eq((uintptr_t)completion.user, i);
	}
	close(epoll);
	dspbroker_free(broker);
}

/* Waiting. */

CLIENT_TEST(reaping_waits_as_long_as_it_is_told_and_not_at_all_for_nothing)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_completion completions[4];
	uint64_t since = harness_now_ms();

	require_eq(dspbroker_reap(broker, completions, 4, -1), 0);
	require_eq(submit_plain(session, EXAMPLE_SPIN, 1), 0);
	require_eq(dspbroker_reap(broker, completions, 4, 0), 0);
	require_eq(dspbroker_reap(broker, completions, 4, 50), 0);
	require(harness_now_ms() - since >= 50);
	require_eq(dspbroker_reap(broker, completions, 0, 0), -EINVAL);
	require_eq(dspbroker_reap(NULL, completions, 4, 0), -EINVAL);
	dspbroker_free(broker);
}

CLIENT_TEST(a_batch_is_reaped_in_pieces_as_large_as_asked_for)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_completion completions[IN_FLIGHT];

	for (uintptr_t i = 1; i <= IN_FLIGHT; i++)
		require_eq(submit_plain(session, EXAMPLE_NOP, i), 0);
	/* Calls of a session run in order: after this one all are complete. */
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	require_eq(dspbroker_reap(broker, completions, 5, -1), 5);
	require_eq(dspbroker_reap(broker, completions + 5, IN_FLIGHT, -1), IN_FLIGHT - 5);
	for (uintptr_t i = 0; i < IN_FLIGHT; i++)
		require_eq((uintptr_t)completions[i].user, i + 1);
	dspbroker_free(broker);
}

/* No broker. */

static void loses_the_broker(void *data)
{
	struct dspbroker *broker = connect_to(&harness), *again;
	struct dspbroker_session *session = open_channel(broker, EXAMPLE), *other;
	struct dspbroker_completion completion;

	(void)data;
	require_eq(submit_plain(session, EXAMPLE_NOP, 1), 0);
	require_eq(submit_plain(session, EXAMPLE_SPIN, 2), 0);
	require_eq(submit_plain(session, EXAMPLE_NOP, 3), 0);
	require_eq(reap_one(broker).status, 0);
	step_reached('c');
	for (uintptr_t i = 2; i <= 3; i++) {
		completion = reap_one(broker);
		require_eq((uintptr_t)completion.user, i);
		require_eq(completion.status, -ECONNRESET);
	}
	require_eq(dspbroker_reap(broker, &completion, 1, -1), -ECONNRESET);
	require_eq(invoke_plain(session, EXAMPLE_NOP), -ECONNRESET);
	require_eq(dspbroker_session_open(broker, &other, EXAMPLE), -ECONNRESET);
	dspbroker_session_close(session);
	dspbroker_free(broker);
	step_await('d'); /* until then its socket may still take connections, to drop them */
	require_eq(dspbroker_connect(&again, harness.socket), -ECONNREFUSED);
}

START_TEST(when_the_broker_is_killed_every_call_ends_and_so_does_the_dsp)
{
	struct client client;

	client_start(&client, ALICE, loses_the_broker, NULL);
	client_await(&client, 'c');
	harness_kill(&harness);
	client_go(&client, 'd');
	client_end(&client);
}
END_TEST

CLIENT_TEST(where_no_broker_is_connecting_says_so)
{
	struct dspbroker *broker;
	char longer_than_any[512] = "/";

	for (size_t i = 1; i < sizeof(longer_than_any) - 1; i++)
		longer_than_any[i] = 'x';
	require_eq(dspbroker_connect(&broker, "/nonexistent/socket"), -ENOENT);
	require_eq(dspbroker_connect(&broker, longer_than_any), -ENAMETOOLONG);
	require_eq(dspbroker_connect(NULL, harness.socket), -EINVAL);
	require_eq(setenv("DSPBROKER_SOCKET", harness.socket, 1), 0);
	require_eq(dspbroker_connect(&broker, NULL), 0);
	dspbroker_free(broker);
}

static Suite *suite(void)
{
	Suite *suite = suite_create("library");
	TCase *tcase = tcase_create("library");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, threads_share_a_connection_and_each_gets_its_own_results);
	tcase_add_test(tcase, a_thread_that_waits_for_a_long_call_holds_nobody_up);
	tcase_add_test(tcase, an_event_loop_sees_every_completion_and_event);
	tcase_add_test(tcase, an_event_loop_is_woken_for_what_a_blocking_call_took_from_the_queue);
	tcase_add_test(tcase, reaping_waits_as_long_as_it_is_told_and_not_at_all_for_nothing);
	tcase_add_test(tcase, a_batch_is_reaped_in_pieces_as_large_as_asked_for);
	tcase_add_test(tcase, when_the_broker_is_killed_every_call_ends_and_so_does_the_dsp);
	tcase_add_test(tcase, where_no_broker_is_connecting_says_so);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
