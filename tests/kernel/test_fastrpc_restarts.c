// SPDX-License-Identifier: MIT
/*
 * A DSP that restarts again and again while clients use it, on each kernel driver and on the
 * kernel's remoteproc framework: clients keep what is theirs, and each call has one end.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/integration/raw.h"
#include "tests/kernel/messages.h"
#include "tests/kernel/remains.h"

#define MODULE      "cdsp/example"
#define RESTARTS    100
#define CRASHES     10
#define CLIENTS     8
#define WINDOW      4 /* calls of a client in flight */
#define PROGRESS    8 /* calls of each client between two restarts, at least */
#define BUFFER      4096
#define LONG_US     2000
#define WARM_UP     10   /* restarts until memory is measured */
#define GROWTH_KIB  1024 /* what the broker may keep of its memory; no restart costs 10 KiB */
#define LIBRARY     CDSP_MODULES "/libexample_skel.so"
#define MODULE_GONE "its module did not open again after the DSP had restarted"

#define TEXT_(number) #number
#define TEXT(number)  TEXT_(number)
#define USER(uid)     "\"users\": [" TEXT(uid) "]"

/* Bob's sessions share a domain: the kernel keeps 2 MiB of each that there was when the DSP went.
 */
#define POLICY_TEXT                                                                          \
	CDSP_POLICY("", "",                                                                  \
		ALLOW("alone", USER(ALICE), "\"*/*\"", "") ", " ALLOW("together", USER(BOB), \
			"\"*/*\"", ", \"share_domain\": \"bobs\""))

static struct harness harness;

/* What clients and the test know of each other. */
static struct shared {
	_Atomic bool stop;
	_Atomic uint64_t done[CLIENTS]; /* calls with a result */
	_Atomic uint64_t outages[CLIENTS];
} * shared;

static struct dspbroker *begin(void)
{
	start_broker(&harness, POLICY_TEXT);
	return connect_to(&harness);
}

static void end(struct dspbroker *broker)
{
	dspbroker_free(broker);
	harness_stop(&harness);
}

/* A client under load, which keeps its session and its buffer whatever happens. */

struct worker {
	uint32_t id;
	struct dspbroker *broker;
	struct dspbroker_session *session;
	struct dspbroker_buffer *buffer;
	uint8_t *bytes;
	uint32_t generation;           /* the latest that it knows of */
	uint64_t submitted, completed; /* calls, ever */
	uint32_t in[WINDOW], out[WINDOW];
};

/* The kinds of calls that there are, in turns: copied bytes, shared memory, and one that takes a
 * while.
 */
static int submit_next(struct worker *worker)
{
	uint32_t slot = worker->submitted % WINDOW, kind = worker->submitted % 3;
	const struct dspbroker_arg copied[] = {
		{.data = &worker->in[slot], .length = sizeof(uint32_t)},
		{.data = &worker->out[slot], .length = sizeof(uint32_t)},
	};
	const struct dspbroker_arg lent[] = {
		{.buffer = worker->buffer, .length = BUFFER / 2},
		{.buffer = worker->buffer, .offset = BUFFER / 2, .length = BUFFER / 2},
	};
	struct dspbroker_call call = {
		.method = kind == 2 ? EXAMPLE_SLEEP : EXAMPLE_COPY,
		.n_in = 1,
		.n_out = kind == 2 ? 0 : 1,
		.args = kind == 1 ? lent : copied,
		.user = (void *)(uintptr_t)worker->submitted,
	};
	int r;

	worker->in[slot] = kind == 2 ? LONG_US : (uint32_t)worker->submitted;
	r = dspbroker_submit(worker->session, &call);
	require(r == 0 || r == -EAGAIN);
	worker->submitted += r == 0;
	return r;
}

static void check_result(struct worker *worker, uint64_t number)
{
	if (number % 3 == 0)
		require_eq(worker->out[number % WINDOW], (uint32_t)number);
	if (number % 3 == 1)
		require(memcmp(worker->bytes, worker->bytes + BUFFER / 2, BUFFER / 2) == 0);
	atomic_fetch_add(&shared->done[worker->id], 1);
}

/* Each has one completion, in the order of submission, which says what became of it. True: the DSP
 * is down. */
static bool reap_next(struct worker *worker)
{
	struct dspbroker_completion completion = reap_one(worker->broker);

	require_eq((uintptr_t)completion.user, worker->completed);
	require(completion.session == worker->session);
	if (completion.status != DSPBROKER_DEVICE_DOWN)
		require_eq(completion.status, 0);
	if (completion.status == 0)
		check_result(worker, worker->completed);
	worker->completed++;
	return completion.status != 0;
}

/* News of a session would be of its end. */
static void await_return(struct worker *worker)
{
	struct dspbroker_event event;

	do {
		event = next_event(worker->broker);
		require(event.type != DSPBROKER_EVENT_SESSION);
	} while (event.type != DSPBROKER_EVENT_DEVICE || strcmp(event.device, "cdsp") != 0 ||
		 !event.up || event.generation <= worker->generation);
	worker->generation = event.generation;
	atomic_fetch_add(&shared->outages[worker->id], 1);
}

static void open_all(struct worker *worker)
{
	void *map;

	worker->broker = connect_to(&harness);
	worker->session = open_channel(worker->broker, MODULE);
	worker->generation = dspbroker_session_info(worker->session)->generation;
	worker->buffer = alloc_buffer(worker->broker, BUFFER);
	require_eq(dspbroker_buffer_map(worker->buffer, &map), 0);
	worker->bytes = map;
	memset(worker->bytes, (int)worker->id + 1, BUFFER / 2);
}

static void work(void *data)
{
	struct worker worker = {.id = (uint32_t)(uintptr_t)data};
	bool down = false;

	open_all(&worker);
	while (!atomic_load(&shared->stop)) {
		while (worker.submitted - worker.completed < WINDOW && submit_next(&worker) == 0)
			;
		down = reap_next(&worker);
		if (!down)
			continue;
		while (worker.completed < worker.submitted)
			reap_next(&worker);
		await_return(&worker);
	}
	while (worker.completed < worker.submitted)
		reap_next(&worker);
	require_eq(invoke_plain(worker.session, EXAMPLE_NOP), 0);
	dspbroker_free(worker.broker);
}

/* All of them are at it. */
static void await_progress(size_t clients)
{
	uint64_t before[CLIENTS];

	for (size_t i = 0; i < clients; i++)
		before[i] = atomic_load(&shared->done[i]);
	for (size_t i = 0; i < clients; i++)
		require_soon(atomic_load(&shared->done[i]) >= before[i] + PROGRESS);
}

static void start_workers(struct client *clients, size_t n, uid_t uid)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		0);
	require(shared != MAP_FAILED);
	for (uint32_t i = 0; i < n; i++)
		client_start(&clients[i], uid, work, (void *)(uintptr_t)i);
}

static void stop_workers(struct client *clients, size_t n, uint64_t outages)
{
	await_progress(n);
	atomic_store(&shared->stop, true);
	for (size_t i = 0; i < n; i++) {
		client_end(&clients[i]);
		require_eq(atomic_load(&shared->outages[i]), outages);
	}
}

START_TEST(a_hundred_restarts_under_load)
{
	struct client clients[CLIENTS];
	struct dspbroker *broker = begin();
	struct footprint before = {.fds = 0};
	size_t rss = 0;

	start_workers(clients, CLIENTS, BOB);
	for (int i = 0; i < RESTARTS; i++) {
		await_progress(CLIENTS);
		if (i == WARM_UP) {
			before = footprint_of(&harness);
			rss = harness_rss_kib(&harness);
		}
		cdsp_restart();
	}
	await_progress(CLIENTS);
	await_footprint(&harness, before);
	require(harness_rss_kib(&harness) <= rss + GROWTH_KIB);
	stop_workers(clients, CLIENTS, RESTARTS);
	await_nothing_left();
	end(broker);
}
END_TEST

START_TEST(domains_that_are_not_shared_are_restored_as_well)
{
	struct client clients[CDSP_SESSIONS];
	struct dspbroker *broker = begin();

	start_workers(clients, CDSP_SESSIONS, ALICE);
	for (int i = 0; i < CRASHES; i++) {
		await_progress(CDSP_SESSIONS);
		cdsp_restart();
	}
	stop_workers(clients, CDSP_SESSIONS, CRASHES);
	await_nothing_left();
	end(broker);
}
END_TEST

START_TEST(crashes_of_the_remote_processor_are_restarts)
{
	struct client clients[CLIENTS];
	struct dspbroker *broker = begin();

	start_workers(clients, CLIENTS, BOB);
	for (int i = 0; i < CRASHES; i++) {
		await_progress(CLIENTS);
		cdsp_freeze();
		crash_and_recover();
	}
	stop_workers(clients, CLIENTS, CRASHES);
	await_nothing_left();
	end(broker);
}
END_TEST

/* Step by step. */

static void go_through_restart(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE), *other;
	uint32_t generation = dspbroker_session_info(session)->generation;
	struct dspbroker_event event;

	(void)data;
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	cdsp_fault("hang", 1);
	for (uintptr_t i = 0; i < WINDOW; i++)
		require_eq(submit_plain(session, EXAMPLE_NOP, i), 0);
	require_soon(cdsp_count("pending") == 2);
	step_reached('d');
	/* The one that runs, and those that wait. */
	for (uintptr_t i = 0; i < WINDOW; i++) {
		struct dspbroker_completion completion = reap_one(broker);

		require_eq((uintptr_t)completion.user, i);
		require_eq(completion.status, DSPBROKER_DEVICE_DOWN);
	}
	event = await_device(broker, "cdsp", 0);
	require(event.generation > generation);
	generation = event.generation;
	require_eq(invoke_plain(session, EXAMPLE_NOP), DSPBROKER_DEVICE_DOWN);
	require_eq(dspbroker_session_open(broker, &other, MODULE), DSPBROKER_DEVICE_DOWN);
	require_eq(device_record(broker, "cdsp").up, 0);
	step_reached('u');
	event = await_device(broker, "cdsp", 1);
	require(event.generation >= generation);
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	require_eq(dspbroker_session_open(broker, &other, MODULE), 0);
	require_eq(dspbroker_session_info(other)->generation, event.generation);
	dspbroker_free(broker);
}

START_TEST(while_it_is_down_nothing_runs_and_nothing_opens)
{
	struct dspbroker *broker = begin();
	struct client client;

	client_start(&client, ALICE, go_through_restart, NULL);
	client_await(&client, 'd');
	cdsp_down();
	client_await(&client, 'u');
	cdsp_up();
	client_end(&client);
	await_nothing_left();
	end(broker);
}
END_TEST

static void call_once_a_generation(void *data)
{
	struct dsp_slot slot;
	struct dsp_completion completion;
	uint32_t session, generation = 0;
	struct raw raw;

	(void)data;
	raw_start(&raw, &harness);
	session = raw_open(&raw, MODULE);
	for (uint64_t i = 0; i < 3; i++) {
		slot = raw_invoke(session, EXAMPLE_NOP, i);
		completion = raw_call(&raw, &slot, 1);
		require_eq(completion.status, DSP_OK);
		require(completion.detail > generation);
		generation = completion.detail;
		step_reached('c');
		step_await('-');
	}
	raw_close(&raw);
}

static bool is_up_after(struct dspbroker *broker, uint32_t generation)
{
	struct dspbroker_device_info info = device_record(broker, "cdsp");

	return info.up && info.generation > generation;
}

START_TEST(a_result_says_in_which_life_of_the_dsp_it_came_about)
{
	struct dspbroker *broker = begin();
	struct client client;

	client_start(&client, ALICE, call_once_a_generation, NULL);
	for (int i = 0; i < 3; i++) {
		uint32_t before = device_record(broker, "cdsp").generation;

		client_await(&client, 'c');
		cdsp_restart();
		require_soon(is_up_after(broker, before));
		client_go(&client, '-');
	}
	client_end(&client);
	end(broker);
}
END_TEST

static void lose_module(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);
	struct dspbroker_event event;

	(void)data;
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	step_reached('d');
	await_device(broker, "cdsp", 0);
	await_device(broker, "cdsp", 1);
	require_eq(invoke_plain(session, EXAMPLE_NOP), DSPBROKER_LOAD_FAILED);
	event = await_event(broker, DSPBROKER_EVENT_SESSION);
	require(event.session == session);
	require_eq(event.status, DSPBROKER_LOAD_FAILED);
	require_text(event.text, MODULE_GONE);
	require_eq(invoke_plain(session, EXAMPLE_NOP), DSPBROKER_LOAD_FAILED);
	dspbroker_session_close(session);
	step_reached('r');
	step_await('-');
	require_eq(invoke_plain(open_channel(broker, MODULE), EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

START_TEST(a_module_that_does_not_open_again_ends_its_session)
{
	struct dspbroker *broker = begin();
	struct client client;

	client_start(&client, ALICE, lose_module, NULL);
	client_await(&client, 'd');
	cdsp_down();
	require_eq(unlink(LIBRARY), 0);
	cdsp_up();
	client_await(&client, 'r');
	cdsp_files();
	client_go(&client, '-');
	client_end(&client);
	await_nothing_left();
	end(broker);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("restarts of a DSP");

	add_fastrpc_case(suite, "down", while_it_is_down_nothing_runs_and_nothing_opens);
	add_fastrpc_case(suite, "generation", a_result_says_in_which_life_of_the_dsp_it_came_about);
	add_fastrpc_case(suite, "module", a_module_that_does_not_open_again_ends_its_session);
	add_fastrpc_case(suite, "private", domains_that_are_not_shared_are_restored_as_well);
	add_fastrpc_case(suite, "crashes", crashes_of_the_remote_processor_are_restarts);
	add_fastrpc_case(suite, "load", a_hundred_restarts_under_load);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
