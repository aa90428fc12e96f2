// SPDX-License-Identifier: MIT
/*
 * Both sides of a ring against a hostile other side. Input: the positions at which the queues
 * begin, then commands, among them any write to the shared memory. Whatever lies there, each
 * function keeps its contract, and touches nothing outside.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/ring.h"
#include "protocol/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool fact)
{
	if (!fact)
		abort();
}

#define SQ_SLOTS   16
#define CQ_ENTRIES 16

static _Alignas(DSP_CACHE_LINE) char memory[DSP_RING_ENTRIES_OFFSET +
					    SQ_SLOTS * sizeof(struct dsp_slot) +
					    CQ_ENTRIES * sizeof(struct dsp_completion)];
/* Each has its own view of it. */
static struct dsp_ring requester, servicer;

/* What is left of the input. */
struct input {
	const uint8_t *data;
	size_t size;
};

/* Zeros when there is no more. */
static void take(struct input *input, void *out, size_t size)
{
	size_t n = MIN(size, input->size);

	memset(out, 0, size);
	memcpy(out, input->data, n);
	input->data += n;
	input->size -= n;
}

static uint32_t take_number(struct input *input, size_t size)
{
	uint32_t number = 0;

	take(input, &number, size);
	return number;
}

static uint32_t slots_of(unsigned int n_args)
{
	return n_args <= 2 ? 1 : 1 + (n_args - 2 + 4) / 5;
}

static const void *argument_at(uint32_t position, unsigned int i)
{
	uint32_t offset = ring_arg_offset(i);
	uint32_t slot = (position + offset / DSP_CACHE_LINE) % SQ_SLOTS;

	return (const char *)&servicer.sq[slot] + offset % DSP_CACHE_LINE;
}

static void fetch(struct input *input)
{
	uint32_t before = servicer.sq_head, slots;
	struct dsp_entry_fault fault;
	struct dsp_entry entry;
	unsigned int n_args;
	int r;

	(void)input;
	r = ring_fetch(&servicer, &entry, &fault);
	if (r <= 0) {
		require(r == 0 || r == -EPROTO);
		require(servicer.sq_head == before);
		return;
	}
	require(r == 1);
	n_args = (unsigned int)entry.n_in + entry.n_out;
	slots = servicer.sq_head - before;
	require(n_args <= DSP_ARGS_MAX && slots == slots_of(n_args));
	require(servicer.sq_tail - servicer.sq_head <= SQ_SLOTS);
	if (servicer.sq_tail == servicer.sq_head)
		require(atomic_load(&servicer.shared->sq_head) == servicer.sq_head);
	require(fault.field < slots * sizeof(struct dsp_slot));
	for (unsigned int i = 0; i < n_args; i++)
		require(memcmp(&entry.args[i], argument_at(before, i), sizeof(entry.args[i])) == 0);
	if (!fault.field && entry.op == DSP_OP_INVOKE)
		require(!entry.target);
	if (!fault.field && entry.op == DSP_OP_CANCEL)
		require(!n_args && !entry.method && !entry.timeout_us);
}

static void reap(struct input *input)
{
	const struct dsp_completion *at = &requester.cq[requester.cq_head % CQ_ENTRIES];
	uint32_t before = requester.cq_head;
	struct dsp_completion out;
	int r;

	(void)input;
	r = ring_reap(&requester, &out);
	require(r == 0 || r == 1 || r == -EPROTO);
	require(requester.cq_head - before == (r == 1));
	require(r < 0 || requester.cq_tail - requester.cq_head <= CQ_ENTRIES);
	if (r == 1)
		require(memcmp(&out, at, sizeof(out)) == 0);
	if (r == 1 && requester.cq_tail == requester.cq_head)
		require(atomic_load(&requester.shared->cq_head) == requester.cq_head);
}

static void show_positions(struct input *input)
{
	(void)input;
	ring_fetched(&servicer);
	ring_reaped(&requester);
	require(atomic_load(&servicer.shared->sq_head) == servicer.sq_head);
	require(atomic_load(&requester.shared->cq_head) == requester.cq_head);
}

static void complete(struct input *input)
{
	const struct dsp_completion completion = {.user_data = take_number(input, 4)};
	/* Room that it knew of remains, wherever the head has been moved since. */
	bool knew = servicer.cq_tail - servicer.cq_head < CQ_ENTRIES;
	int room = ring_has_room(&servicer, 0), unreaped = ring_unreaped(&servicer);

	require(unreaped == -EPROTO || (unreaped >= 0 && unreaped <= CQ_ENTRIES));
	if (knew)
		require(room == 1);
	else
		require(room == (unreaped < 0 ? unreaped : unreaped < CQ_ENTRIES));
	if (room <= 0)
		return;
	ring_complete(&servicer, &completion);
	ring_publish(&servicer);
	require(atomic_load(&servicer.shared->cq_tail) == servicer.cq_tail);
}

static void stall(struct input *input)
{
	uint32_t in_flight = take_number(input, 1);
	int r = ring_servicer_stall(&servicer, in_flight);

	if (r == 0)
		require(in_flight + servicer.cq_tail - servicer.cq_head < CQ_ENTRIES);
	else
		require(r == 1 || r == -EPROTO);
}

static void push(struct input *input)
{
	struct dsp_entry entry = {.op = DSP_OP_INVOKE};
	uint32_t before = requester.sq_tail, position;
	int r;

	entry.n_in = (uint8_t)take_number(input, 1);
	entry.n_out = (uint8_t)take_number(input, 1);
	r = ring_push(&requester, &entry, &position);
	require(r == 0 || r == -EAGAIN ||
		(r == -EINVAL && entry.n_in + entry.n_out > DSP_ARGS_MAX));
	if (r == 0)
		require(position == before && requester.sq_tail - before <= DSP_SLOTS_MAX);
	else
		require(requester.sq_tail == before);
	ring_submit(&requester);
}

static void take_back(struct input *input)
{
	uint32_t position = requester.sq_tail - take_number(input, 1);

	if (ring_revoke(&requester, position))
		require(position != requester.sq_tail);
}

static void sleep_and_wake(struct input *input)
{
	(void)input;
	if (!ring_servicer_sleep(&servicer, DSP_ASLEEP))
		require(ring_can_fetch(&servicer));
	if (!ring_requester_sleep(&requester, DSP_ASLEEP))
		require(ring_can_reap(&requester));
	ring_room_wanted(&requester);
	ring_servicer_wake(&servicer);
	ring_requester_wake(&requester);
}

/* The hostile side. */
static void scribble(struct input *input)
{
	size_t offset = take_number(input, 2) % servicer.size;
	size_t n = take_number(input, 1) % (DSP_CACHE_LINE + 1);

	take(input, (char *)servicer.shared + offset, MIN(n, servicer.size - offset));
}

/* The word may not be what was announced, and what it is instead says how to wake. */
static void nap(struct input *input)
{
	uint32_t how = DSP_AT_FUTEX | take_number(input, 1);
	int r;

	if (ring_requester_sleep(&requester, how))
		scribble(input);
	r = ring_requester_nap(&requester, how, 0);
	require(r == (atomic_load(&requester.shared->requester_sleeps) == how ? -ETIMEDOUT : 0));
	ring_wake_requester(&servicer, ring_publish(&servicer), -1);
	ring_wake_servicer(&requester, ring_submit(&requester), -1);
}

static void look(struct input *input)
{
	(void)input;
	ring_requester_here(&requester);
	ring_servicer_here(&servicer);
	require(ring_servicer_is_here(&requester) ==
		(atomic_load(&requester.shared->servicer_cpu) == requester.cpu));
	require(ring_requester_is_here(&servicer) ==
		(atomic_load(&servicer.shared->requester_cpu) == servicer.cpu));
}

static void (*const commands[])(struct input *input) = {
	fetch,
	reap,
	complete,
	stall,
	push,
	take_back,
	sleep_and_wake,
	scribble,
	show_positions,
	nap,
	look,
};

static void begin(struct dsp_ring *ring, uint32_t sq, uint32_t cq)
{
	*ring = (struct dsp_ring){
		.shared = (void *)memory,
		.sq = (void *)(memory + DSP_RING_ENTRIES_OFFSET),
		.cq = (void *)(memory + ring_size(SQ_SLOTS, 0)),
		.size = sizeof(memory),
		.sq_slots = SQ_SLOTS,
		.cq_entries = CQ_ENTRIES,
		.sq_head = sq,
		.sq_tail = sq,
		.cq_head = cq,
		.cq_tail = cq,
	};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	uint32_t sq = take_number(&input, 4), cq = take_number(&input, 4);
	struct dsp_ring_shared *shared = (void *)memory;

	memset(memory, 0, sizeof(memory));
	begin(&requester, sq, cq);
	begin(&servicer, sq, cq);
	atomic_store(&shared->sq_head, sq);
	atomic_store(&shared->sq_tail, sq);
	atomic_store(&shared->cq_head, cq);
	atomic_store(&shared->cq_tail, cq);
	while (input.size)
		commands[take_number(&input, 1) % ARRAY_SIZE(commands)](&input);
	return 0;
}
