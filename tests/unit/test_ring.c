// SPDX-License-Identifier: MIT
#include "protocol/ring.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "protocol/util.h"
#include "tests/suite.h"

#define SQ_SLOTS   16
#define CQ_ENTRIES 32

/* Both roles look at the same memory through mappings of their own, as two processes would. */
static struct dsp_ring requester, servicer;
static int ring_fd = -1;

/* Let every position begin at @position, as if the ring had been in use for long. */
static void start_at(uint32_t position)
{
	struct dsp_ring *sides[] = {&requester, &servicer};

	for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
		sides[i]->sq_head = sides[i]->sq_tail = position;
		sides[i]->cq_head = sides[i]->cq_tail = position;
	}
	atomic_store(&requester.shared->sq_tail, position);
	atomic_store(&requester.shared->sq_head, position);
	atomic_store(&requester.shared->cq_tail, position);
	atomic_store(&requester.shared->cq_head, position);
}

static void set_up(void)
{
	ck_assert_int_eq(ring_create(&servicer, &ring_fd, SQ_SLOTS, CQ_ENTRIES), 0);
	ck_assert_int_eq(ring_map(&requester, ring_fd, SQ_SLOTS, CQ_ENTRIES), 0);
}

static void tear_down(void)
{
	ring_unmap(&requester);
	ring_unmap(&requester);
	ring_unmap(&servicer);
	ring_fd = fd_close(ring_fd);
}

static struct dsp_entry entry_with(unsigned int n_in, unsigned int n_out, uint32_t seed)
{
	struct dsp_entry entry = {
		.op = DSP_OP_INVOKE,
		.n_in = (uint8_t)n_in,
		.n_out = (uint8_t)n_out,
		.session = seed,
		.user_data = 0x0123456789abcdefull + seed,
		.method = seed + 1,
		.timeout_us = seed + 2,
	};

	for (uint32_t i = 0; i < n_in + n_out; i++)
		entry.args[i] = (struct dsp_arg){seed + i, seed + 100 + i, seed + 200 + i};
	return entry;
}

static void push_and_submit(const struct dsp_entry *entry)
{
	ck_assert_int_eq(ring_push(&requester, entry, NULL), 0);
	ring_submit(&requester);
}

static void assert_same(const struct dsp_entry *a, const struct dsp_entry *b)
{
	ck_assert_uint_eq(a->op, b->op);
	ck_assert_uint_eq(a->n_in, b->n_in);
	ck_assert_uint_eq(a->n_out, b->n_out);
	ck_assert_uint_eq(a->session, b->session);
	ck_assert_uint_eq(a->user_data, b->user_data);
	ck_assert_uint_eq(a->target, b->target);
	ck_assert_uint_eq(a->method, b->method);
	ck_assert_uint_eq(a->timeout_us, b->timeout_us);
	ck_assert_mem_eq(a->args, b->args, (size_t)(a->n_in + a->n_out) * sizeof(a->args[0]));
}

START_TEST(every_argument_count_makes_the_round_trip_wherever_the_positions_are)
{
	struct dsp_entry_fault fault;
	struct dsp_entry sent, got;

	for (uint32_t start = 0; start < SQ_SLOTS; start++) {
		start_at(UINT32_MAX - start);
		for (unsigned int n = 0; n <= DSP_ARGS_MAX; n++) {
			sent = entry_with(n / 3, n - n / 3, start * 1000 + n);
			push_and_submit(&sent);
			memset(&got, 0xff, sizeof(got));
			ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
			ck_assert_uint_eq(fault.field, 0);
			ck_assert(!got.revoked);
			assert_same(&sent, &got);
			ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 0);
		}
	}
}
END_TEST

START_TEST(too_many_arguments_are_refused)
{
	struct dsp_entry entry = {.op = DSP_OP_INVOKE, .n_in = DSP_ARGS_MAX, .n_out = 1};

	ck_assert_int_eq(ring_push(&requester, &entry, NULL), -EINVAL);
	entry.n_in = entry.n_out = UINT8_MAX;
	ck_assert_int_eq(ring_push(&requester, &entry, NULL), -EINVAL);
	ck_assert(!ring_submit(&requester));
	ck_assert_uint_eq(atomic_load(&requester.shared->sq_tail), 0);
}
END_TEST

START_TEST(a_full_queue_takes_nothing_until_its_slots_are_fetched)
{
	struct dsp_entry one = entry_with(0, 0, 1), two = entry_with(2, 1, 2), got;
	struct dsp_entry_fault fault;

	start_at(UINT32_MAX - 3);
	for (unsigned int i = 0; i < SQ_SLOTS - 1; i++)
		push_and_submit(&one);
	ck_assert_int_eq(ring_push(&requester, &two, NULL), -EAGAIN);
	push_and_submit(&one);
	ck_assert_int_eq(ring_push(&requester, &one, NULL), -EAGAIN);
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
	ck_assert_int_eq(ring_push(&requester, &two, NULL), -EAGAIN);
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
	push_and_submit(&two);
	for (unsigned int i = 0; i < SQ_SLOTS - 2; i++) {
		ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
		assert_same(&got, &one);
	}
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
	assert_same(&got, &two);
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 0);
}
END_TEST

START_TEST(what_is_pushed_is_seen_only_when_submitted)
{
	struct dsp_entry entry = entry_with(1, 1, 7), got;
	struct dsp_entry_fault fault;

	ck_assert_int_eq(ring_push(&requester, &entry, NULL), 0);
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 0);
	ring_submit(&requester);
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
}
END_TEST

START_TEST(completions_arrive_whole_in_order_and_when_published)
{
	struct dsp_completion got;

	start_at(UINT32_MAX - CQ_ENTRIES / 2);
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < CQ_ENTRIES; i++)
			ring_complete(&servicer,
				&(struct dsp_completion){.user_data = UINT64_MAX - i,
					.status = i,
					.result = -(int32_t)i,
					.detail = round,
					.busy_ns = 1ull << 40});
		ck_assert_int_eq(ring_reap(&requester, &got), 0);
		ck_assert(!ring_publish(&servicer));
		ck_assert_int_eq(ring_unreaped(&servicer), CQ_ENTRIES);
		for (uint32_t i = 0; i < CQ_ENTRIES; i++) {
			ck_assert_int_eq(ring_reap(&requester, &got), 1);
			ck_assert_uint_eq(got.user_data, UINT64_MAX - i);
			ck_assert_uint_eq(got.status, i);
			ck_assert_int_eq(got.result, -(int32_t)i);
			ck_assert_uint_eq(got.detail, round);
			ck_assert_uint_eq(got.busy_ns, 1ull << 40);
			ck_assert_int_eq(ring_unreaped(&servicer), (int)(CQ_ENTRIES - 1 - i));
		}
		ck_assert_int_eq(ring_reap(&requester, &got), 0);
	}
}
END_TEST

/* Hostile requesters. */

START_TEST(a_slot_count_that_does_not_fit_loses_the_framing)
{
	struct dsp_entry_fault fault;
	struct dsp_entry got;
	unsigned int wrong = 0;

	for (unsigned int n_in = 0; n_in <= UINT8_MAX; n_in++) {
		for (unsigned int slots = 0; slots <= UINT8_MAX; slots++) {
			unsigned int right = n_in <= 2 ? 1 : 1 + (n_in - 2 + 4) / 5;

			start_at(0);
			memset(servicer.sq, 0, SQ_SLOTS * sizeof(*servicer.sq));
			servicer.sq[0].op = DSP_OP_INVOKE;
			servicer.sq[0].n_in = (uint8_t)n_in;
			servicer.sq[0].slots = (uint8_t)slots;
			atomic_store(&servicer.shared->sq_tail, SQ_SLOTS);
			wrong += ring_fetch(&servicer, &got, &fault) !=
				 (n_in <= DSP_ARGS_MAX && slots == right ? 1 : -EPROTO);
		}
	}
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(an_entry_that_is_only_partly_submitted_loses_the_framing)
{
	struct dsp_entry entry = entry_with(16, 16, 1), got;
	struct dsp_entry_fault fault;

	start_at(UINT32_MAX - 2);
	push_and_submit(&entry);
	for (uint32_t slots = 1; slots < DSP_SLOTS_MAX; slots++) {
		atomic_store(&servicer.shared->sq_tail, UINT32_MAX - 2 + slots);
		ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), -EPROTO);
	}
	atomic_store(&servicer.shared->sq_tail, UINT32_MAX - 2 + DSP_SLOTS_MAX);
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
}
END_TEST

START_TEST(a_submission_index_that_lies_is_found_out)
{
	static const uint32_t lies[] = {SQ_SLOTS + 1, 1u << 31, UINT32_MAX, UINT32_MAX - SQ_SLOTS};
	static const uint32_t starts[] = {0, 5, UINT32_MAX - 1, 1u << 31};
	struct dsp_entry entry = entry_with(0, 0, 0), got;
	struct dsp_entry_fault fault;

	for (size_t s = 0; s < ARRAY_SIZE(starts); s++) {
		for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
			start_at(starts[s]);
			atomic_store(&servicer.shared->sq_tail, starts[s] + lies[i]);
			ck_assert(!ring_servicer_sleep(&servicer));
			ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), -EPROTO);
			start_at(starts[s]);
			atomic_store(&servicer.shared->sq_head, starts[s] + lies[i]);
			if (lies[i] < UINT32_MAX - SQ_SLOTS)
				ck_assert_int_eq(ring_push(&requester, &entry, NULL), -EAGAIN);
		}
	}
}
END_TEST

START_TEST(a_completion_index_that_lies_is_found_out)
{
	static const uint32_t lies[] = {
		CQ_ENTRIES + 1, 1u << 31, UINT32_MAX, UINT32_MAX - CQ_ENTRIES};
	static const uint32_t starts[] = {0, 5, UINT32_MAX - 1, 1u << 31};
	struct dsp_completion got;

	for (size_t s = 0; s < ARRAY_SIZE(starts); s++) {
		for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
			start_at(starts[s]);
			atomic_store(&servicer.shared->cq_tail, starts[s] + lies[i]);
			ck_assert(!ring_requester_sleep(&requester));
			ck_assert_int_eq(ring_reap(&requester, &got), -EPROTO);
			start_at(starts[s]);
			atomic_store(&servicer.shared->cq_head, starts[s] - lies[i]);
			ck_assert_int_eq(ring_unreaped(&servicer), -EPROTO);
			ck_assert_int_eq(ring_servicer_stall(&servicer, 0), -EPROTO);
		}
	}
}
END_TEST

START_TEST(what_the_layout_forbids_is_named_and_the_framing_goes_on)
{
	static const struct {
		size_t byte;
		uint8_t op, n_in, value;
		uint32_t field;
	} cases[] = {
		{28, DSP_OP_INVOKE, 2, 1, 28},
		{31, DSP_OP_CANCEL, 0, 0x80, 28},
		{32, DSP_OP_INVOKE, 0, 1, 32},
		{39, DSP_OP_INVOKE, 0, 1, 32},
		{2, DSP_OP_CANCEL, 0, 1, 2},
		{3, DSP_OP_CANCEL, 0, 2, 3},
		{16, DSP_OP_CANCEL, 0, 1, 16},
		{20, DSP_OP_CANCEL, 0, 1, 20},
		{2, DSP_OP_SEND, 1, 0, 2},
		{2, DSP_OP_SEND, 1, 2, 2},
		{3, DSP_OP_SEND, 1, 1, 3},
		{16, DSP_OP_SEND, 1, DSP_SEND_TRY << 1, 16},
		{19, DSP_OP_SEND, 1, 0x80, 16},
		{31, DSP_OP_SEND, 1, 1, 28},
		{32, DSP_OP_SEND, 1, 1, 32},
		{2, DSP_OP_RECEIVE, 0, 1, 2},
		{3, DSP_OP_RECEIVE, 0, 0, 3},
		{3, DSP_OP_RECEIVE, 0, 2, 3},
		{16, DSP_OP_RECEIVE, 0, 1, 16},
		{39, DSP_OP_RECEIVE, 0, 1, 32},
		{64 + 60, DSP_OP_INVOKE, 3, 1, 64 + 60},
		{6 * 64 + 63, DSP_OP_INVOKE, 32, 1, 6 * 64 + 60},
	};
	struct dsp_entry good = entry_with(0, 0, 3), entry, got;
	struct dsp_entry_fault fault;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		start_at(0);
		entry = (struct dsp_entry){
			.op = cases[i].op,
			.n_in = cases[i].n_in,
			.n_out = cases[i].op == DSP_OP_RECEIVE,
		};
		push_and_submit(&entry);
		((unsigned char *)servicer.sq)[cases[i].byte] = cases[i].value;
		push_and_submit(&good);
		ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
		ck_assert_uint_eq(fault.field, cases[i].field);
		ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
		ck_assert_uint_eq(fault.field, 0);
		assert_same(&got, &good);
	}
}
END_TEST

START_TEST(an_unknown_op_is_handed_on_for_the_servicer_to_refuse)
{
	struct dsp_entry_fault fault;
	struct dsp_entry got;

	for (unsigned int op = 0; op <= UINT8_MAX; op++) {
		if (op == DSP_OP_SEND || op == DSP_OP_RECEIVE)
			continue;
		push_and_submit(&(struct dsp_entry){.op = (uint8_t)op});
		ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
		ck_assert_uint_eq(fault.field, 0);
		ck_assert_uint_eq(got.op, op);
	}
}
END_TEST

START_TEST(a_send_has_one_input_and_a_receive_one_output)
{
	static const struct dsp_entry entries[] = {
		{.op = DSP_OP_SEND, .n_in = 1, .session = 1, .args = {{0, 64, 496}}},
		{.op = DSP_OP_SEND, .n_in = 1, .method = DSP_SEND_TRY, .timeout_us = 7},
		{.op = DSP_OP_RECEIVE, .n_out = 1, .session = 2, .args = {{0, 128, 496}}},
		{.op = DSP_OP_RECEIVE, .n_out = 1, .timeout_us = UINT32_MAX},
	};
	struct dsp_entry_fault fault;
	struct dsp_entry got;

	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		push_and_submit(&entries[i]);
		ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
		ck_assert_uint_eq(fault.field, 0);
		assert_same(&got, &entries[i]);
	}
}
END_TEST

START_TEST(an_argument_lies_where_its_offset_says)
{
	struct dsp_entry entry = entry_with(20, 12, 5);

	push_and_submit(&entry);
	for (unsigned int i = 0; i < DSP_ARGS_MAX; i++)
		ck_assert_mem_eq((const char *)servicer.sq + ring_arg_offset(i), &entry.args[i],
			sizeof(entry.args[i]));
}
END_TEST

/* Writes all over the memory, but mostly where the servicer is looking, and there what is right or
 * nearly so. */
static void *scribble(void *stop)
{
	static const uint32_t first_words[] = {0x00000101, 0x10100701, 0x00ff0101, 0x01020201,
		0x21000701, 0xff020101, 0x00000102, 0x00030201, 0x00010106, 0x01000107, 0x01010106};
	_Atomic uint32_t *words = (_Atomic uint32_t *)requester.shared;
	_Atomic uint32_t *slot = (_Atomic uint32_t *)requester.sq;
	unsigned int seed = 1;

	while (!atomic_load_explicit((atomic_bool *)stop, memory_order_relaxed)) {
		uint32_t random = (uint32_t)rand_r(&seed);

		atomic_store(&words[random % (requester.size / sizeof(*words))],
			(uint32_t)rand_r(&seed) * 3u);
		atomic_store(&slot[7], 0);
		atomic_store(&requester.shared->sq_tail, random % (SQ_SLOTS + 2));
		for (uint32_t i = 0; i < 256; i++)
			atomic_store_explicit(slot, first_words[i % ARRAY_SIZE(first_words)],
				memory_order_relaxed);
	}
	return NULL;
}

static bool in_contract(const struct dsp_entry *got, uint32_t field, uint32_t slots)
{
	unsigned int n_args = (unsigned int)got->n_in + got->n_out;

	if (n_args > DSP_ARGS_MAX || slots != (n_args <= 2 ? 1 : 1 + (n_args - 2 + 4) / 5))
		return false;
	if (field)
		return field < slots * sizeof(struct dsp_slot);
	if (got->op == DSP_OP_SEND)
		return got->n_in == 1 && !got->n_out && !(got->method & ~DSP_SEND_TRY);
	if (got->op == DSP_OP_RECEIVE)
		return !got->n_in && got->n_out == 1 && !got->method;
	return got->op == DSP_OP_INVOKE ? !got->target : got->op != DSP_OP_CANCEL || !n_args;
}

/* The loops here run long: they count, and assert afterwards. */
START_TEST(a_peer_that_scribbles_over_the_ring_gets_nothing_past_the_checks)
{
	uint32_t fetched = 0, refused = 0, broken = 0;
	struct dsp_entry_fault fault;
	struct dsp_entry got;
	atomic_bool stop = false;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, scribble, &stop), 0);
	while (fetched < 3000000 || refused < 300000) {
		int r = ring_fetch(&servicer, &got, &fault);

		if (r == 1) {
			fetched++;
			broken += !in_contract(&got, fault.field, servicer.sq_head);
		} else if (r == -EPROTO) {
			refused++;
			broken += servicer.sq_head != 0;
		} else {
			sched_yield();
		}
		servicer.sq_head = 0; /* the same slot again: it is the one that is written to */
		broken += ring_unreaped(&servicer) > CQ_ENTRIES;
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(broken, 0);
}
END_TEST

/* Sleep and wake. */

START_TEST(whoever_announces_sleep_is_woken_once_and_by_news_alone)
{
	struct dsp_entry entry = entry_with(0, 0, 0), got;
	struct dsp_entry_fault fault;
	struct dsp_completion completion;

	push_and_submit(&entry);
	ck_assert(!ring_servicer_sleep(&servicer));
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
	ck_assert_int_eq(ring_push(&requester, &entry, NULL), 0);
	ck_assert(!ring_submit(&requester));
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
	ck_assert(ring_servicer_sleep(&servicer));
	ck_assert_int_eq(ring_push(&requester, &entry, NULL), 0);
	ck_assert(ring_submit(&requester));
	ck_assert(!ring_submit(&requester));

	ck_assert(ring_requester_sleep(&requester));
	ring_requester_wake(&requester);
	ring_complete(&servicer, &(struct dsp_completion){});
	ck_assert(!ring_publish(&servicer));
	ck_assert(!ring_requester_sleep(&requester));
	ck_assert_int_eq(ring_reap(&requester, &completion), 1);
	ck_assert(ring_requester_sleep(&requester));
	ring_complete(&servicer, &(struct dsp_completion){});
	ck_assert(ring_publish(&servicer));
	ck_assert(!ring_publish(&servicer));
}
END_TEST

START_TEST(routine_wakes_nobody_who_sleeps_soundly_unless_there_is_no_room)
{
	struct dsp_entry entry = {.op = DSP_OP_INVOKE}, got;
	struct dsp_completion completion;
	struct dsp_entry_fault fault;

	ck_assert(ring_requester_sleep(&requester));
	ring_requester_sleep_soundly(&requester);
	ring_complete_routine(&servicer, &(struct dsp_completion){});
	ck_assert(!ring_publish(&servicer));
	/* It waits for room: now everything counts, again and again, until it has taken an entry.
	 */
	ck_assert_int_eq(ring_servicer_stall(&servicer, CQ_ENTRIES), true);
	ck_assert(ring_publish(&servicer));
	for (int i = 0; i < 2; i++) {
		while (ring_reap(&requester, &completion) == 1)
			continue;
		ck_assert(ring_requester_sleep(&requester));
		ring_requester_sleep_soundly(&requester);
		ring_complete_routine(&servicer, &(struct dsp_completion){});
		ck_assert(ring_publish(&servicer));
	}
	ck_assert_int_eq(ring_reap(&requester, &completion), 1);
	ck_assert_int_eq(ring_push(&requester, &entry, NULL), 0);
	ring_submit(&requester);
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
	ck_assert(ring_requester_sleep(&requester));
	ring_requester_sleep_soundly(&requester);
	ring_complete_routine(&servicer, &(struct dsp_completion){});
	ck_assert(!ring_publish(&servicer));
}
END_TEST

START_TEST(a_stalled_servicer_is_told_of_room)
{
	struct dsp_completion completion;

	for (unsigned int i = 0; i < CQ_ENTRIES - 2; i++)
		ring_complete(&servicer, &(struct dsp_completion){});
	ring_publish(&servicer);
	ck_assert_int_eq(ring_servicer_stall(&servicer, 1), false);
	ck_assert(!ring_room_wanted(&requester));
	ck_assert_int_eq(ring_servicer_stall(&servicer, 2), true);
	ck_assert_int_eq(ring_reap(&requester, &completion), 1);
	ck_assert(ring_room_wanted(&requester));
	ck_assert(!ring_room_wanted(&requester));
	ck_assert_int_eq(ring_servicer_stall(&servicer, 2), false);
}
END_TEST

#define STRESS_CALLS 200000

static int doorbell = -1, notify = -1;

static void wait_for_kick(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	uint64_t count;

	if (poll(&pollfd, 1, -1) != 1 || read(fd, &count, sizeof(count)) != sizeof(count))
		ck_abort_msg("an eventfd does not work");
}

/* Answers each call at once, and sleeps whenever it has to. */
static void *serve(void *unused)
{
	struct dsp_entry_fault fault;
	struct dsp_entry entry;
	uint32_t served = 0;

	while (served < STRESS_CALLS) {
		if (ring_unreaped(&servicer) == CQ_ENTRIES) {
			if (ring_servicer_stall(&servicer, 0))
				wait_for_kick(doorbell);
		} else if (ring_fetch(&servicer, &entry, &fault) == 1) {
			served++;
			ring_complete(&servicer,
				&(struct dsp_completion){.user_data = entry.user_data});
			if (served % 3 == 0 || entry.n_in)
				if (ring_publish(&servicer))
					ring_kick(notify);
		} else {
			if (ring_publish(&servicer))
				ring_kick(notify);
			if (ring_servicer_sleep(&servicer)) {
				wait_for_kick(doorbell);
				ring_servicer_wake(&servicer);
			}
		}
	}
	if (ring_publish(&servicer))
		ring_kick(notify);
	return unused;
}

static uint32_t submit_some(uint32_t sent, unsigned int n)
{
	uint32_t first = sent;

	for (; sent < STRESS_CALLS && sent - first < n; sent++) {
		struct dsp_entry entry = entry_with(sent % 4, sent % 3, sent);

		entry.user_data = sent;
		if (ring_push(&requester, &entry, NULL) < 0)
			break;
	}
	if (ring_submit(&requester))
		ring_kick(doorbell);
	return sent;
}

/* A lost wake-up in either direction leaves both sides asleep until the test's time is up. */
START_TEST(no_wake_up_is_lost_while_both_sides_sleep_at_every_chance)
{
	struct dsp_completion completion;
	uint32_t sent = 0, reaped = 0;
	unsigned int seed = 1;
	pthread_t thread;

	start_at(UINT32_MAX - STRESS_CALLS / 2);
	doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ck_assert_int_eq(pthread_create(&thread, NULL, serve, NULL), 0);
	while (reaped < STRESS_CALLS) {
		/* Reap all or nothing, so that at times the completion queue runs full. */
		sent = submit_some(sent, 1 + (unsigned int)rand_r(&seed) % (2 * SQ_SLOTS));
		if (sent - reaped < CQ_ENTRIES && sent < STRESS_CALLS && rand_r(&seed) % 4)
			continue;
		while (ring_reap(&requester, &completion) == 1)
			if (completion.user_data != reaped++)
				ck_abort_msg("a completion is lost or came twice");
		if (ring_room_wanted(&requester))
			ring_kick(doorbell);
		if (reaped < sent && ring_requester_sleep(&requester)) {
			wait_for_kick(notify);
			ring_requester_wake(&requester);
		}
	}
	pthread_join(thread, NULL);
	fd_close(doorbell);
	fd_close(notify);
}
END_TEST

/* Claim and revoke. */

START_TEST(a_revoked_entry_is_fetched_as_revoked_and_a_fetched_one_cannot_be_revoked)
{
	struct dsp_entry entry = entry_with(3, 0, 0), got;
	struct dsp_entry_fault fault;
	uint32_t first, second;

	start_at(UINT32_MAX - 2);
	ck_assert_int_eq(ring_push(&requester, &entry, &first), 0);
	ck_assert_int_eq(ring_push(&requester, &entry, &second), 0);
	ring_submit(&requester);
	ck_assert(!ring_revoke(&requester, requester.sq_tail));
	ck_assert(ring_revoke(&requester, second));
	ck_assert(!ring_revoke(&requester, second));
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
	ck_assert(!got.revoked);
	ck_assert(!ring_revoke(&requester, first));
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
	ck_assert(got.revoked);
}
END_TEST

START_TEST(an_old_position_does_not_revoke_the_entry_that_took_its_slot)
{
	struct dsp_entry entry = entry_with(0, 0, 0), got;
	struct dsp_entry_fault fault;
	uint32_t position;

	ck_assert_int_eq(ring_push(&requester, &entry, &position), 0);
	ring_submit(&requester);
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
	for (unsigned int i = 0; i < SQ_SLOTS; i++)
		push_and_submit(&entry);
	ck_assert(!ring_revoke(&requester, position));
	for (unsigned int i = 0; i < SQ_SLOTS; i++) {
		ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
		ck_assert(!got.revoked);
	}
}
END_TEST

#define RACES 100000

static bool was_revoked[RACES];

static void *fetch_all(void *unused)
{
	struct dsp_entry_fault fault;
	struct dsp_entry entry;
	uint32_t fetched = 0;

	while (fetched < RACES) {
		if (ring_fetch(&servicer, &entry, &fault) != 1)
			continue;
		if (entry.user_data != fetched)
			ck_abort_msg("an entry is lost or came twice");
		was_revoked[fetched++] = entry.revoked;
	}
	return unused;
}

START_TEST(of_fetch_and_revoke_exactly_one_wins)
{
	struct dsp_entry entry = {.op = DSP_OP_INVOKE};
	bool *revoked = calloc(RACES, sizeof(*revoked));
	uint32_t position, won = 0;
	pthread_t thread;

	ck_assert_ptr_nonnull(revoked);
	ck_assert_int_eq(pthread_create(&thread, NULL, fetch_all, NULL), 0);
	for (uint32_t i = 0; i < RACES; i++) {
		entry.user_data = i;
		while (ring_push(&requester, &entry, &position) == -EAGAIN)
			;
		ring_submit(&requester);
		if (i % 3)
			revoked[i] = ring_revoke(&requester, position);
	}
	pthread_join(thread, NULL);
	for (uint32_t i = 0; i < RACES; i++)
		won += revoked[i];
	ck_assert_mem_eq(revoked, was_revoked, sizeof(was_revoked));
	ck_assert_uint_gt(won, 0);
	free(revoked);
}
END_TEST

/* The memory itself. */

START_TEST(nobody_can_change_the_size_of_a_ring)
{
	int seals = fcntl(ring_fd, F_GET_SEALS);

	ck_assert_int_eq(seals, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	ck_assert_int_eq(ftruncate(ring_fd, 0), -1);
	ck_assert_int_eq(fcntl(ring_fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(lseek(ring_fd, 0, SEEK_END), (off_t)ring_size(SQ_SLOTS, CQ_ENTRIES));
}
END_TEST

START_TEST(a_ring_is_not_mapped_with_counts_that_it_cannot_have)
{
	static const uint32_t wrong[] = {0, 1, 8, 17, 24, 1u << 14, 1u << 31, UINT32_MAX};
	_cleanup_(fd_closep) int small = memfd_create("small", MFD_CLOEXEC);
	struct dsp_ring ring = {};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		ck_assert_int_eq(ring_map(&ring, ring_fd, wrong[i], CQ_ENTRIES), -EPROTO);
		ck_assert_int_eq(ring_map(&ring, ring_fd, SQ_SLOTS, wrong[i]), -EPROTO);
	}
	ck_assert_int_eq(ring_map(&ring, ring_fd, 2 * SQ_SLOTS, CQ_ENTRIES), -EBADMSG);
	ck_assert_int_eq(ftruncate(small, (off_t)ring_size(SQ_SLOTS, CQ_ENTRIES) - 1), 0);
	ck_assert_int_eq(ring_map(&ring, small, SQ_SLOTS, CQ_ENTRIES), -EBADMSG);
	ck_assert_int_eq(ring_map(&ring, -1, SQ_SLOTS, CQ_ENTRIES), -EBADF);
	ck_assert_ptr_null(ring.shared);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("ring");
	TCase *tcase = tcase_create("ring");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, every_argument_count_makes_the_round_trip_wherever_the_positions_are);
	tcase_add_test(tcase, too_many_arguments_are_refused);
	tcase_add_test(tcase, a_full_queue_takes_nothing_until_its_slots_are_fetched);
	tcase_add_test(tcase, what_is_pushed_is_seen_only_when_submitted);
	tcase_add_test(tcase, completions_arrive_whole_in_order_and_when_published);
	tcase_add_test(tcase, a_slot_count_that_does_not_fit_loses_the_framing);
	tcase_add_test(tcase, an_entry_that_is_only_partly_submitted_loses_the_framing);
	tcase_add_test(tcase, a_submission_index_that_lies_is_found_out);
	tcase_add_test(tcase, a_completion_index_that_lies_is_found_out);
	tcase_add_test(tcase, what_the_layout_forbids_is_named_and_the_framing_goes_on);
	tcase_add_test(tcase, an_unknown_op_is_handed_on_for_the_servicer_to_refuse);
	tcase_add_test(tcase, a_send_has_one_input_and_a_receive_one_output);
	tcase_add_test(tcase, an_argument_lies_where_its_offset_says);
	tcase_add_test(tcase, a_peer_that_scribbles_over_the_ring_gets_nothing_past_the_checks);
	tcase_add_test(tcase, whoever_announces_sleep_is_woken_once_and_by_news_alone);
	tcase_add_test(tcase, routine_wakes_nobody_who_sleeps_soundly_unless_there_is_no_room);
	tcase_add_test(tcase, a_stalled_servicer_is_told_of_room);
	tcase_add_test(tcase, no_wake_up_is_lost_while_both_sides_sleep_at_every_chance);
	tcase_add_test(tcase,
		a_revoked_entry_is_fetched_as_revoked_and_a_fetched_one_cannot_be_revoked);
	tcase_add_test(tcase, an_old_position_does_not_revoke_the_entry_that_took_its_slot);
	tcase_add_test(tcase, of_fetch_and_revoke_exactly_one_wins);
	tcase_add_test(tcase, nobody_can_change_the_size_of_a_ring);
	tcase_add_test(tcase, a_ring_is_not_mapped_with_counts_that_it_cannot_have);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
