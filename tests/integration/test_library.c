// SPDX-License-Identifier: MIT
/* The library with the real broker behind it: threads, event loops, waiting, and a broker's end. */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/integration/harness.h"

#define THREADS	     8
#define THREAD_CALLS 400
#define LOOP_CALLS   5000
#define IN_FLIGHT    16

static struct harness harness;

static void set_up(void)
{
	harness_start(&harness,
		POLICY(ALLOW("everybody", EVERYBODY, "\"*/*\"",
			",\"limits\": {\"timeout_ms\": 600000}")));
}

static void tear_down(void)
{
	harness_stop(&harness);
}

#define CLIENT_TEST(promise)                                                                       \
	static void promise##_client(void *data);                                                  \
	START_TEST(promise)                                                                        \
	{                                                                                          \
		client_run(ALICE, promise##_client, NULL);                                         \
	}                                                                                          \
	END_TEST                                                                                   \
	static void promise##_client(void *data __attribute__((unused)))

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
	require_eq(invoke_plain(data, EXAMPLE_SPIN), DSPBROKER_DOMAIN_CRASHED);
	return NULL;
}

CLIENT_TEST(a_thread_that_waits_for_a_long_call_holds_nobody_up)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *shared_fate = open_channel(broker, EXAMPLE);
	struct dspbroker_session *other = open_channel(broker, EXAMPLE);
	pthread_t thread;

	require_eq(pthread_create(&thread, NULL, spins, shared_fate), 0);
	for (uint32_t i = 0; i < THREAD_CALLS; i++)
		copy_and_check(other, i);
	step_reached('k');
	require_eq(pthread_join(thread, NULL), 0);
	dspbroker_free(broker);
}
