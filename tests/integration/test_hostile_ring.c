// SPDX-License-Identifier: MIT
/* A client that lies in its ring, or scribbles over it. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/integration/hostile.h"

#define FIELD(member) ((uint32_t)offsetof(struct dsp_slot, member))

/* Of soft0, which never restarts: the detail of a call that ran. */
#define GENERATION 1

/* Entries that are framed right and wrong in themselves: the connection goes on. */

static void refused(struct raw *raw, const struct dsp_slot *slots, enum dsp_status status,
	uint32_t detail)
{
	struct dsp_completion completion = raw_call(raw, slots, slots->slots);

	require_eq(completion.user_data, slots->user_data);
	if (completion.status != status || completion.detail != detail)
		harness_fail(__FILE__, __LINE__, "op %u: expected %s at %u, but it is %s at %u",
			slots->op, wire_status_name(status), detail,
			wire_status_name(completion.status), completion.detail);
}

static void submit_wrong_fields(void *harness)
{
	static const uint8_t unknown_ops[] = {
		0, DSP_OP_MODULE_OPEN, DSP_OP_MODULE_CLOSE, DSP_OP_UNMAP, 8, 127, 128, 255};
	struct dsp_slot good, slot;
	struct raw raw;

	raw_start(&raw, harness);
	good = raw_invoke(raw_open(&raw, EXAMPLE), EXAMPLE_NOP, 0x123456789abcdef0);
	for (size_t i = 0; i < ARRAY_SIZE(unknown_ops); i++) {
		slot = good;
		slot.op = unknown_ops[i];
		refused(&raw, &slot, DSP_INVALID, FIELD(op));
	}
	for (uint32_t bit = 1; bit; bit <<= 1) {
		slot = good;
		slot.reserved = bit;
		refused(&raw, &slot, DSP_INVALID, FIELD(reserved));
	}
	slot = good;
	slot.target = 1;
	refused(&raw, &slot, DSP_INVALID, FIELD(target));
	for (slot = good, slot.method = 0; slot.method < 2; slot.method++)
		refused(&raw, &slot, DSP_INVALID, FIELD(method));

	good.op = DSP_OP_CANCEL;
	slot = good;
	refused(&raw, &slot, DSP_INVALID, FIELD(method));
	slot.method = 0;
	slot.n_out = 1;
	refused(&raw, &slot, DSP_INVALID, FIELD(n_out));
	slot.n_out = 0;
	slot.timeout_us = 1;
	refused(&raw, &slot, DSP_INVALID, FIELD(timeout_us));
	slot.timeout_us = 0;
	refused(&raw, &slot, DSP_NOT_FOUND, FIELD(target));

	/* A message is for another kind of channel. */
	slot.op = DSP_OP_SEND;
	slot.n_in = 1;
	slot.args[0] = (struct dsp_arg){DSP_ARGUMENT_AREA, 0, 1};
	slot.target = 0;
	refused(&raw, &slot, DSP_UNSUPPORTED, FIELD(op));
	raw_close(&raw);
}

START_TEST(an_entry_with_a_forbidden_field_completes_with_the_offset_of_the_field)
{
	hostile_run(ALLOW_ALL, submit_wrong_fields);
}
END_TEST

static struct dsp_arg *argument(struct dsp_slot *slots, uint32_t i)
{
	return (struct dsp_arg *)((char *)slots + ring_arg_offset(i));
}

/* Each of 32 arguments once, the others being right. */
static void submit_wrong_arguments(void *harness)
{
	struct dsp_slot good[DSP_SLOTS_MAX] = {}, slots[DSP_SLOTS_MAX];
	uint32_t buffer, foreign, size = 8192;
	struct raw raw, other;
	int fd, unused;

	raw_start(&other, harness);
	raw_alloc(&other, size, &unused);
	foreign = raw_alloc(&other, size, &fd);
	raw_start(&raw, harness);
	good[0] = raw_invoke(raw_open(&raw, EXAMPLE), EXAMPLE_TOUCH, 1);
	buffer = raw_alloc(&raw, size, &fd);
	require(foreign != buffer);
	good[0].slots = DSP_SLOTS_MAX;
	good[0].n_in = 20;
	good[0].n_out = 12;
	for (uint32_t i = 0; i < DSP_ARGS_MAX; i++)
		*argument(good, i) = (struct dsp_arg){buffer, 8 * i, size - 8 * i};
	refused(&raw, good, DSP_OK, GENERATION);

	for (uint32_t i = 0; i < DSP_ARGS_MAX; i++) {
		const struct {
			struct dsp_arg arg;
			size_t field;
		} wrong[] = {
			{{foreign, 0, 1}, offsetof(struct dsp_arg, buffer)},
			{{buffer + 1, 0, 1}, offsetof(struct dsp_arg, buffer)},
			{{UINT32_MAX, 0, 0}, offsetof(struct dsp_arg, buffer)},
			{{buffer, size + 1, 0}, offsetof(struct dsp_arg, offset)},
			{{buffer, UINT32_MAX, 2}, offsetof(struct dsp_arg, offset)},
			{{buffer, 0, size + 1}, offsetof(struct dsp_arg, length)},
			{{buffer, 1, size}, offsetof(struct dsp_arg, length)},
			{{buffer, size, UINT32_MAX}, offsetof(struct dsp_arg, length)},
			{{buffer, 4096, UINT32_MAX - 4095}, offsetof(struct dsp_arg, length)},
			{{0, raw.hello.argument_bytes, 1}, offsetof(struct dsp_arg, length)},
		};

		for (size_t j = 0; j < ARRAY_SIZE(wrong); j++) {
			memcpy(slots, good, sizeof(slots));
			*argument(slots, i) = wrong[j].arg;
			refused(&raw, slots, DSP_INVALID,
				ring_arg_offset(i) + (uint32_t)wrong[j].field);
		}
	}
	for (uint32_t i = 1; i < DSP_SLOTS_MAX; i++) {
		memcpy(slots, good, sizeof(slots));
		((struct dsp_slot_more *)&slots[i])->reserved = 1;
		refused(&raw, slots, DSP_INVALID, i * 64 + 60);
	}
	raw_close(&raw);
	raw_close(&other);
}

START_TEST(an_argument_reaches_no_byte_outside_the_clients_own_buffers)
{
	hostile_run(ALLOW_ALL, submit_wrong_arguments);
}
END_TEST

static void submit_foreign_sessions(void *harness)
{
	uint32_t foreign, dead;
	struct raw raw, other;
	struct dsp_slot slot;

	raw_start(&other, harness);
	raw_open(&other, EXAMPLE);
	foreign = raw_open(&other, EXAMPLE);
	raw_start(&raw, harness);
	slot = raw_invoke(foreign, EXAMPLE_CRASH, 1);
	refused(&raw, &slot, DSP_NOT_FOUND, FIELD(session));
	dead = raw_open(&raw, EXAMPLE);
	slot.session = dead;
	refused(&raw, &slot, DSP_DOMAIN_CRASHED, 0);
	refused(&raw, &slot, DSP_DOMAIN_CRASHED, 0); /* and stays so */
	for (int i = 0; i < 2000; i++) {
		slot.session = (uint32_t)random_next();
		if (slot.session != dead)
			refused(&raw, &slot, DSP_NOT_FOUND, FIELD(session));
	}
	slot = raw_invoke(foreign, EXAMPLE_NOP, 2);
	refused(&other, &slot, DSP_OK, GENERATION);
	raw_close(&raw);
	raw_close(&other);
}

START_TEST(a_session_id_names_nothing_of_another_connection)
{
	hostile_run(ALLOW_ALL, submit_foreign_sessions);
}
END_TEST

/* Lies that cost the connection. */

static void lie_tail(struct raw *raw, uint32_t i)
{
	static const uint32_t ahead[] = {1, 2, 1000, UINT32_MAX / 2};

	atomic_store(&raw->shared->sq_tail,
		i % 2 ? 0 - ahead[i / 2 % 4] : raw->hello.sq_slots + ahead[i / 2 % 4]);
}

static void lie_head(struct raw *raw, uint32_t i)
{
	static const uint32_t ahead[] = {1, 2, 1000, UINT32_MAX / 2};
	struct dsp_slot slot = raw_invoke(0, EXAMPLE_NOP, 0);

	raw_push(raw, &slot, 1);
	atomic_store(&raw->shared->cq_head,
		i % 2 ? ahead[i / 2 % 4] : 0 - raw->hello.cq_entries - ahead[i / 2 % 4]);
	atomic_store(&raw->shared->sq_tail, raw->sq_tail);
}

static void lie_framing(struct raw *raw, uint32_t i)
{
	static const struct {
		uint8_t slots, n_in, n_out;
	} wrong[] = {{0, 0, 0}, {2, 0, 0}, {255, 0, 0}, {1, 2, 1}, {2, 4, 4}, {7, 32, 1},
		{8, 32, 1}, {1, 255, 255}};
	struct dsp_slot slot = raw_invoke(0, EXAMPLE_NOP, 0);

	slot.slots = wrong[i].slots;
	slot.n_in = wrong[i].n_in;
	slot.n_out = wrong[i].n_out;
	for (int n = 0; n < 16; n++)
		raw_push(raw, &slot, 1);
	atomic_store(&raw->shared->sq_tail, raw->sq_tail);
}

/* An entry of which not all slots are submitted. */
static void lie_short(struct raw *raw, uint32_t i)
{
	struct dsp_slot slot = raw_invoke(0, EXAMPLE_NOP, 0);

	slot.slots = DSP_SLOTS_MAX;
	slot.n_in = DSP_ARGS_MAX;
	raw_push(raw, &slot, 1);
	atomic_store(&raw->shared->sq_tail, raw->sq_tail + i % (DSP_SLOTS_MAX - 1));
}

static void tell_lies(void *harness)
{
	static void (*const lies[])(struct raw *, uint32_t) = {
		lie_tail, lie_head, lie_framing, lie_short};
	struct raw raw;

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++)
		for (uint32_t j = 0; j < 8; j++) {
			raw_start(&raw, harness);
			lies[i](&raw, j);
			raw_ring(&raw);
			raw_expect_end(&raw);
			raw_close(&raw);
		}
}

START_TEST(a_lie_about_positions_or_framing_ends_the_connection)
{
	hostile_run(ALLOW_ALL, tell_lies);
}
END_TEST

/* Each entry has exactly one completion. */

static void cancel_everything(void *harness)
{
	enum {
		CALLS = 40
	};
	uint32_t sleep_us = 20000, seen[CALLS + 1] = {}, cancels = 0;
	struct dsp_completion completion;
	struct dsp_slot slot, cancel;
	struct raw raw;

	raw_start(&raw, harness);
	memcpy(raw.arguments, &sleep_us, sizeof(sleep_us));
	slot = raw_invoke(raw_open(&raw, EXAMPLE), EXAMPLE_SLEEP, 0);
	slot.n_in = 1;
	slot.args[0] = (struct dsp_arg){DSP_ARGUMENT_AREA, 0, sizeof(sleep_us)};
	for (uint32_t i = 0; i < CALLS; i++) {
		slot.user_data = i / 4; /* four of a name */
		raw_push(&raw, &slot, 1);
	}
	cancel = (struct dsp_slot){.op = DSP_OP_CANCEL, .slots = 1, .session = slot.session};
	for (uint32_t i = 0; i < 2 * CALLS; i++) {
		cancel.user_data = 1000;
		cancel.target = i % CALLS;
		raw_push(&raw, &cancel, 1);
	}
	raw_submit(&raw);
	for (int i = 0; i < 3 * CALLS; i++) {
		completion = raw_reap(&raw);
		if (completion.user_data == 1000) {
			cancels++;
			require(completion.status == DSP_OK || completion.status == DSP_BUSY ||
				completion.status == DSP_NOT_FOUND);
		} else {
			require(completion.user_data < CALLS / 4);
			seen[completion.user_data]++;
			require(completion.status == DSP_OK || completion.status == DSP_CANCELLED);
		}
	}
	require_eq(cancels, 2 * CALLS);
	for (uint32_t i = 0; i < CALLS / 4; i++)
		require_eq(seen[i], 4);
	require(!raw_try_reap(&raw, &completion));
	raw_close(&raw);
}

START_TEST(calls_and_cancels_of_any_name_have_one_completion_each)
{
	hostile_run(ALLOW_ALL, cancel_everything);
}
END_TEST

/* As much as there is room for. Returns whether there was any. */
static bool push_more(struct raw *raw, struct dsp_slot *slot)
{
	uint32_t used = raw->sq_tail - atomic_load(&raw->shared->sq_head);

	for (uint32_t i = used; i < raw->hello.sq_slots; i++) {
		slot->user_data++;
		raw_push(raw, slot, 1);
	}
	raw_submit(raw);
	return used < raw->hello.sq_slots;
}

static void never_reap(void *harness)
{
	struct dsp_completion completion;
	unsigned int start = 0;
	struct dsp_slot slot;
	struct raw raw;

	raw_start(&raw, harness);
	slot = raw_invoke(raw_open(&raw, EXAMPLE), EXAMPLE_NOP, 0);
	while (innocent_waits(&start, 3)) /* the broker takes no more, while it serves others */
		if (push_more(&raw, &slot))
			start = 0;
	require_eq(raw.sq_tail - raw.hello.sq_slots, raw.hello.cq_entries);
	for (uint64_t i = 1; i <= slot.user_data; i++) {
		completion = raw_reap(&raw);
		require(completion.user_data && completion.user_data <= slot.user_data);
		require(completion.status == DSP_OK || completion.status == DSP_OVER_LIMIT);
	}
	require(!raw_try_reap(&raw, &completion));
	raw_close(&raw);
}

START_TEST(who_reaps_nothing_stops_himself_alone_and_loses_no_completion)
{
	hostile_run(ALLOW_ALL, never_reap);
}
END_TEST

/* Scribbling. */

#define SCRIBBLED_CONNECTIONS 150
#define SCRIBBLES             300

enum scribble {
	EVERYTHING,
	ALL_BUT_POSITIONS, /* which end the connection soonest */
	ALL_BUT_FRAMING,   /* and these after them */
	SCRIBBLE_COUNT,
};

static struct {
	struct raw raw;
	enum scribble kind;
	atomic_bool done;
} scribbled;

static void scribble_slots(struct raw *raw)
{
	const size_t framing = FIELD(user_data); /* op, counts and session stay */

	for (uint32_t i = 0; i < raw->hello.sq_slots; i++)
		random_fill((char *)&raw->sq[i] + framing, sizeof(*raw->sq) - framing);
	random_fill(raw->cq, raw->hello.cq_entries * sizeof(*raw->cq));
}

static void *scribble(void *unused)
{
	struct raw *raw = &scribbled.raw;
	char *ring = (char *)raw->shared;
	size_t words = sizeof(struct dsp_ring_shared);

	(void)unused;
	for (int i = 0; i < SCRIBBLES; i++) {
		if (scribbled.kind == EVERYTHING)
			random_fill(ring, words);
		if (scribbled.kind == ALL_BUT_FRAMING)
			scribble_slots(raw);
		else
			random_fill(ring + words, raw->ring_bytes - words);
		random_fill(raw->arguments, 4096);
	}
	scribbled.done = true;
	return NULL;
}

static bool is_connected(const struct raw *raw)
{
	char byte;

	return recv(raw->sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}

/* Valid calls, as far as they arrive like that. */
static void call_meanwhile(struct raw *raw, uint32_t session)
{
	struct dsp_slot slots[DSP_SLOTS_MAX] = {raw_invoke(session, EXAMPLE_TOUCH, 1)};

	slots[0].slots = DSP_SLOTS_MAX;
	slots[0].n_in = DSP_ARGS_MAX;
	for (uint32_t i = 0; i < DSP_ARGS_MAX; i++)
		argument(slots, i)->length = 64;
	while (!scribbled.done && is_connected(raw)) {
		for (uint32_t i = 0; i < DSP_SLOTS_MAX; i++)
			memcpy(raw_slot(raw, raw->sq_tail++), &slots[i], sizeof(slots[i]));
		atomic_store(&raw->shared->sq_tail, raw->sq_tail);
		atomic_store(&raw->shared->cq_head, atomic_load(&raw->shared->cq_tail));
		raw_ring(raw);
		poll(&(struct pollfd){.fd = raw->notify, .events = POLLIN}, 1, 1);
	}
}

static void scribble_over_rings(void *harness)
{
	for (int i = 0; i < SCRIBBLED_CONNECTIONS; i++) {
		uint32_t session;
		pthread_t thread;

		raw_start(&scribbled.raw, harness);
		session = raw_open(&scribbled.raw, EXAMPLE);
		scribbled.kind = (enum scribble)(i % SCRIBBLE_COUNT);
		scribbled.done = false;
		require_eq(pthread_create(&thread, NULL, scribble, NULL), 0);
		call_meanwhile(&scribbled.raw, session);
		require_eq(pthread_join(thread, NULL), 0);
		raw_close(&scribbled.raw);
	}
}

START_TEST(a_thread_that_scribbles_over_the_ring_while_calls_run_hurts_nobody_else)
{
	hostile_run(ALLOW_ALL, scribble_over_rings);
}
END_TEST

/* Memory and descriptors that both sides have. */

static void change_shared_memory(void *harness)
{
	struct dsp_slot slot;
	struct raw raw;

	raw_start(&raw, harness);
	require(ftruncate(raw.ring, 0) < 0 && ftruncate(raw.area, 0) < 0);
	require(ftruncate(raw.ring, 1 << 30) < 0 && ftruncate(raw.area, 1 << 30) < 0);
	require(fcntl(raw.ring, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) < 0);
	require(fcntl(raw.area, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) < 0);
	slot = raw_invoke(raw_open(&raw, EXAMPLE), EXAMPLE_TOUCH, 1);
	slot.n_in = 1;
	slot.args[0].length = 4096;
	for (int i = 0; i < 100; i++) {
		raw_push(&raw, &slot, 1);
		raw_submit(&raw);
		/* What lay there is zero now: a hole in memory, but no signal. */
		require_eq(fallocate(raw.area, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
				   raw.hello.argument_bytes),
			0);
		require_eq(raw_reap(&raw).status, DSP_OK);
	}
	require_eq(fallocate(raw.ring, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			   (off_t)raw.ring_bytes),
		0);
	raw_ring(&raw);
	raw_close(&raw);
}

START_TEST(holes_in_shared_memory_and_changes_of_its_size_do_no_harm)
{
	hostile_run(ALLOW_ALL, change_shared_memory);
}
END_TEST

/* File status flags belong to everybody who holds the descriptor, and so does the counter. */
static void make_full_and_blocking(int fd)
{
	uint64_t all = UINT64_MAX - 1;

	fcntl(fd, F_SETFL, 0);
	(void)!write(fd, &all, sizeof(all));
}

static void fill_wakeups(void *harness)
{
	struct dsp_slot slot = raw_invoke(0, EXAMPLE_NOP, 1);
	struct raw raw;

	signal(SIGPIPE, SIG_IGN); /* notify is for reading only */
	raw_start(&raw, harness);
	for (uint32_t i = 0; i < raw.hello.sq_slots; i++) /* more than the broker takes at once */
		raw_push(&raw, &slot, 1);
	make_full_and_blocking(raw.notify);
	atomic_store(&raw.shared->requester_sleeps, 1);
	atomic_store(&raw.shared->sq_tail, raw.sq_tail);
	make_full_and_blocking(raw.doorbell); /* this rings it */
	require_soon(atomic_load(&raw.shared->sq_head) == raw.sq_tail);
	raw_close(&raw);
}

START_TEST(wakeups_that_are_made_full_and_blocking_do_not_block_the_broker)
{
	hostile_run(ALLOW_ALL, fill_wakeups);
}
END_TEST

/* Each kick is written into a socket that nobody reads, or nobody has any more. */
static void ignore_wakeups(void *harness)
{
	struct dsp_slot slot = raw_invoke(0, EXAMPLE_NOP, 1);
	struct dsp_completion completion;
	struct raw raw;

	raw_start(&raw, harness);
	for (int i = 0; i < 20000; i++) { /* more than a socket holds */
		if (i == 15000)
			raw.notify = fd_close(raw.notify);
		atomic_store(&raw.shared->requester_sleeps, 1);
		raw_push(&raw, &slot, 1);
		raw_submit(&raw);
		while (!raw_try_reap(&raw, &completion))
			continue;
	}
	raw_close(&raw);
}

START_TEST(wakeups_that_nobody_takes_do_not_block_or_end_the_broker)
{
	hostile_run(ALLOW_ALL, ignore_wakeups);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hostile ring");
	TCase *tcase = tcase_create("ring");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_test(tcase,
		an_entry_with_a_forbidden_field_completes_with_the_offset_of_the_field);
	tcase_add_test(tcase, an_argument_reaches_no_byte_outside_the_clients_own_buffers);
	tcase_add_test(tcase, a_session_id_names_nothing_of_another_connection);
	tcase_add_test(tcase, a_lie_about_positions_or_framing_ends_the_connection);
	tcase_add_test(tcase, calls_and_cancels_of_any_name_have_one_completion_each);
	tcase_add_test(tcase, who_reaps_nothing_stops_himself_alone_and_loses_no_completion);
	tcase_add_test(tcase,
		a_thread_that_scribbles_over_the_ring_while_calls_run_hurts_nobody_else);
	tcase_add_test(tcase, holes_in_shared_memory_and_changes_of_its_size_do_no_harm);
	tcase_add_test(tcase, wakeups_that_are_made_full_and_blocking_do_not_block_the_broker);
	tcase_add_test(tcase, wakeups_that_nobody_takes_do_not_block_or_end_the_broker);
	suite_add_tcase(suite, tcase);
	return harness_main(suite);
}
