// SPDX-License-Identifier: MIT
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "protocol/util.h"
#include "tests/suite.h"
#include "tests/unit/ring_rig.h"

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
		ring_rig_start_at(UINT32_MAX - start);
		for (unsigned int n = 0; n <= DSP_ARGS_MAX; n++) {
			sent = ring_rig_entry(n / 3, n - n / 3, start * 1000 + n);
			ring_rig_submit(&sent);
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
	struct dsp_entry one = ring_rig_entry(0, 0, 1), two = ring_rig_entry(2, 1, 2), got;
	struct dsp_entry_fault fault;

	ring_rig_start_at(UINT32_MAX - 3);
	for (unsigned int i = 0; i < SQ_SLOTS - 1; i++)
		ring_rig_submit(&one);
	ck_assert_int_eq(ring_push(&requester, &two, NULL), -EAGAIN);
	ring_rig_submit(&one);
	ck_assert_int_eq(ring_push(&requester, &one, NULL), -EAGAIN);
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
	ring_fetched(&servicer);
	ck_assert_int_eq(ring_push(&requester, &two, NULL), -EAGAIN);
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
	ck_assert_int_eq(ring_push(&requester, &two, NULL), -EAGAIN);
	ring_fetched(&servicer);
	ring_rig_submit(&two);
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
	struct dsp_entry entry = ring_rig_entry(1, 1, 7), got;
	struct dsp_entry_fault fault;

	ck_assert_int_eq(ring_push(&requester, &entry, NULL), 0);
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 0);
	ring_submit(&requester);
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
}
END_TEST

/* Positions are shown when a batch is used up, or when somebody says so. */
START_TEST(what_is_taken_is_shown_once_a_batch)
{
	struct dsp_entry entry = ring_rig_entry(0, 0, 0), got;
	struct dsp_completion completion;
	struct dsp_entry_fault fault;

	ring_rig_start_at(UINT32_MAX - 1);
	for (uint32_t i = 0; i < 4; i++) {
		ring_rig_submit(&entry);
		ring_complete(&servicer, &(struct dsp_completion){});
	}
	ring_publish(&servicer);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
		ck_assert_int_eq(ring_reap(&requester, &completion), 1);
		ck_assert_uint_eq(atomic_load(&servicer.shared->sq_head), UINT32_MAX - 1);
		ck_assert_uint_eq(atomic_load(&servicer.shared->cq_head), UINT32_MAX - 1);
	}
	ck_assert_int_eq(ring_unreaped(&servicer), 4);
	ring_fetched(&servicer);
	ring_reaped(&requester);
	ck_assert_uint_eq(atomic_load(&servicer.shared->sq_head), 1);
	ck_assert_int_eq(ring_unreaped(&servicer), 1);
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
	ck_assert_int_eq(ring_reap(&requester, &completion), 1);
	ck_assert_uint_eq(atomic_load(&servicer.shared->sq_head), 2);
	ck_assert_int_eq(ring_unreaped(&servicer), 0);
}
END_TEST

START_TEST(there_is_room_for_what_is_in_flight_and_unreaped_and_no_more)
{
	struct dsp_completion completion;

	ring_rig_start_at(UINT32_MAX - CQ_ENTRIES / 2);
	for (uint32_t unreaped = 0; unreaped < CQ_ENTRIES; unreaped++) {
		ck_assert_int_eq(ring_has_room(&servicer, CQ_ENTRIES - 1 - unreaped), 1);
		ck_assert_int_eq(ring_has_room(&servicer, CQ_ENTRIES - unreaped), 0);
		ring_complete(&servicer, &(struct dsp_completion){});
		ring_publish(&servicer);
	}
	ck_assert_int_eq(ring_has_room(&servicer, 0), 0);
	ck_assert_int_eq(ring_reap(&requester, &completion), 1);
	ck_assert_int_eq(ring_has_room(&servicer, 0), 0);
	ring_reaped(&requester);
	ck_assert_int_eq(ring_has_room(&servicer, 0), 1);
	ck_assert_int_eq(ring_has_room(&servicer, 1), 0);
}
END_TEST

START_TEST(completions_arrive_whole_in_order_and_when_published)
{
	struct dsp_completion got;

	ring_rig_start_at(UINT32_MAX - CQ_ENTRIES / 2);
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
		}
		ck_assert_int_eq(ring_unreaped(&servicer), 0);
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

			ring_rig_start_at(0);
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
	struct dsp_entry entry = ring_rig_entry(16, 16, 1), got;
	struct dsp_entry_fault fault;

	ring_rig_start_at(UINT32_MAX - 2);
	ring_rig_submit(&entry);
	for (uint32_t slots = 1; slots <= DSP_SLOTS_MAX; slots++) {
		ring_rig_start_at(UINT32_MAX - 2);
		atomic_store(&servicer.shared->sq_tail, UINT32_MAX - 2 + slots);
		ck_assert_int_eq(ring_fetch(&servicer, &got, &fault),
			slots == DSP_SLOTS_MAX ? 1 : -EPROTO);
	}
}
END_TEST

START_TEST(a_submission_index_that_lies_is_found_out)
{
	static const uint32_t lies[] = {SQ_SLOTS + 1, 1u << 31, UINT32_MAX, UINT32_MAX - SQ_SLOTS};
	static const uint32_t starts[] = {0, 5, UINT32_MAX - 1, 1u << 31};
	struct dsp_entry entry = ring_rig_entry(0, 0, 0), got;
	struct dsp_entry_fault fault;

	for (size_t s = 0; s < ARRAY_SIZE(starts); s++) {
		for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
			ring_rig_start_at(starts[s]);
			atomic_store(&servicer.shared->sq_tail, starts[s] + lies[i]);
			ck_assert(!ring_servicer_sleep(&servicer, DSP_ASLEEP));
			ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), -EPROTO);
			ring_rig_start_at(starts[s]);
			for (unsigned int n = 0; n < SQ_SLOTS; n++)
				ring_rig_submit(&entry);
			atomic_store(&servicer.shared->sq_head, starts[s] + lies[i]);
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
			ring_rig_start_at(starts[s]);
			atomic_store(&servicer.shared->cq_tail, starts[s] + lies[i]);
			ck_assert(!ring_requester_sleep(&requester, DSP_ASLEEP));
			ck_assert_int_eq(ring_reap(&requester, &got), -EPROTO);
			ring_rig_start_at(starts[s]);
			atomic_store(&servicer.shared->cq_head, starts[s] - lies[i]);
			ck_assert_int_eq(ring_has_room(&servicer, CQ_ENTRIES), -EPROTO);
			ck_assert_int_eq(ring_unreaped(&servicer), -EPROTO);
			ck_assert_int_eq(ring_servicer_stall(&servicer, 0), -EPROTO);
			/* And it was not believed for a moment. */
			ck_assert_int_eq(ring_has_room(&servicer, CQ_ENTRIES - 1), 1);
			ck_assert_int_eq(ring_has_room(&servicer, CQ_ENTRIES), -EPROTO);
		}
	}
}
END_TEST

/* What was checked stays known; what came later is checked anew. */
START_TEST(a_tail_that_goes_back_takes_nothing_back_and_is_found_out)
{
	struct dsp_entry entry = ring_rig_entry(0, 0, 0), got;
	struct dsp_completion completion;
	struct dsp_entry_fault fault;

	for (uint32_t back = 1; back <= 3; back++) {
		ring_rig_start_at(UINT32_MAX - 1);
		for (uint32_t i = 0; i < 3; i++) {
			ring_rig_submit(&entry);
			ring_complete(&servicer, &(struct dsp_completion){.detail = i});
		}
		ring_publish(&servicer);
		ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
		ck_assert_int_eq(ring_reap(&requester, &completion), 1);
		atomic_fetch_sub(&servicer.shared->sq_tail, back);
		atomic_fetch_sub(&servicer.shared->cq_tail, back);
		for (uint32_t i = 1; i < 3; i++) {
			ck_assert(ring_can_fetch(&servicer));
			ck_assert(ring_can_reap(&requester));
			ck_assert(!ring_servicer_sleep(&servicer, DSP_ASLEEP));
			ck_assert(!ring_requester_sleep(&requester, DSP_ASLEEP));
			ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
			ck_assert_int_eq(ring_reap(&requester, &completion), 1);
			ck_assert_uint_eq(completion.detail, i);
		}
		ck_assert(ring_can_fetch(&servicer));
		ck_assert(ring_can_reap(&requester));
		ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), -EPROTO);
		ck_assert_int_eq(ring_reap(&requester, &completion), -EPROTO);
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
	struct dsp_entry good = ring_rig_entry(0, 0, 3), entry, got;
	struct dsp_entry_fault fault;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ring_rig_start_at(0);
		entry = (struct dsp_entry){
			.op = cases[i].op,
			.n_in = cases[i].n_in,
			.n_out = cases[i].op == DSP_OP_RECEIVE,
		};
		ring_rig_submit(&entry);
		((unsigned char *)servicer.sq)[cases[i].byte] = cases[i].value;
		ring_rig_submit(&good);
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
		ring_rig_submit(&(struct dsp_entry){.op = (uint8_t)op});
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
		ring_rig_submit(&entries[i]);
		ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
		ck_assert_uint_eq(fault.field, 0);
		assert_same(&got, &entries[i]);
	}
}
END_TEST

START_TEST(an_argument_lies_where_its_offset_says)
{
	struct dsp_entry entry = ring_rig_entry(20, 12, 5);

	ring_rig_submit(&entry);
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
		/* The same slot again: it is the one that is written to. */
		servicer.sq_head = servicer.sq_tail = 0;
		broken += ring_unreaped(&servicer) > CQ_ENTRIES;
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(broken, 0);
}
END_TEST

/* The memory itself. */

START_TEST(nobody_can_change_the_size_of_a_ring)
{
	int seals = fcntl(ring_rig_fd, F_GET_SEALS);

	ck_assert_int_eq(seals, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	ck_assert_int_eq(ftruncate(ring_rig_fd, 0), -1);
	ck_assert_int_eq(fcntl(ring_rig_fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(lseek(ring_rig_fd, 0, SEEK_END), (off_t)ring_size(SQ_SLOTS, CQ_ENTRIES));
}
END_TEST

START_TEST(a_ring_is_not_mapped_with_counts_that_it_cannot_have)
{
	static const uint32_t wrong[] = {0, 1, 8, 17, 24, 1u << 14, 1u << 31, UINT32_MAX};
	_cleanup_(fd_closep) int small = memfd_create("small", MFD_CLOEXEC);
	struct dsp_ring ring = {};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		ck_assert_int_eq(ring_map(&ring, ring_rig_fd, wrong[i], CQ_ENTRIES), -EPROTO);
		ck_assert_int_eq(ring_map(&ring, ring_rig_fd, SQ_SLOTS, wrong[i]), -EPROTO);
	}
	ck_assert_int_eq(ring_map(&ring, ring_rig_fd, 2 * SQ_SLOTS, CQ_ENTRIES), -EBADMSG);
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

	tcase_add_checked_fixture(tcase, ring_rig_set_up, ring_rig_tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, every_argument_count_makes_the_round_trip_wherever_the_positions_are);
	tcase_add_test(tcase, too_many_arguments_are_refused);
	tcase_add_test(tcase, a_full_queue_takes_nothing_until_its_slots_are_fetched);
	tcase_add_test(tcase, what_is_pushed_is_seen_only_when_submitted);
	tcase_add_test(tcase, what_is_taken_is_shown_once_a_batch);
	tcase_add_test(tcase, there_is_room_for_what_is_in_flight_and_unreaped_and_no_more);
	tcase_add_test(tcase, completions_arrive_whole_in_order_and_when_published);
	tcase_add_test(tcase, a_slot_count_that_does_not_fit_loses_the_framing);
	tcase_add_test(tcase, an_entry_that_is_only_partly_submitted_loses_the_framing);
	tcase_add_test(tcase, a_submission_index_that_lies_is_found_out);
	tcase_add_test(tcase, a_completion_index_that_lies_is_found_out);
	tcase_add_test(tcase, a_tail_that_goes_back_takes_nothing_back_and_is_found_out);
	tcase_add_test(tcase, what_the_layout_forbids_is_named_and_the_framing_goes_on);
	tcase_add_test(tcase, an_unknown_op_is_handed_on_for_the_servicer_to_refuse);
	tcase_add_test(tcase, a_send_has_one_input_and_a_receive_one_output);
	tcase_add_test(tcase, an_argument_lies_where_its_offset_says);
	tcase_add_test(tcase, a_peer_that_scribbles_over_the_ring_gets_nothing_past_the_checks);
	tcase_add_test(tcase, nobody_can_change_the_size_of_a_ring);
	tcase_add_test(tcase, a_ring_is_not_mapped_with_counts_that_it_cannot_have);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
