// SPDX-License-Identifier: MIT
#include "tests/unit/ring_rig.h"

#include <check.h>

#include "protocol/util.h"

struct dsp_ring requester, servicer;
int ring_rig_fd = -1;

void ring_rig_start_at(uint32_t position)
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

void ring_rig_set_up(void)
{
	ck_assert_int_eq(ring_create(&servicer, &ring_rig_fd, SQ_SLOTS, CQ_ENTRIES), 0);
	ck_assert_int_eq(ring_map(&requester, ring_rig_fd, SQ_SLOTS, CQ_ENTRIES), 0);
}

void ring_rig_tear_down(void)
{
	ring_unmap(&requester);
	ring_unmap(&requester);
	ring_unmap(&servicer);
	ring_rig_fd = fd_close(ring_rig_fd);
}

struct dsp_entry ring_rig_entry(unsigned int n_in, unsigned int n_out, uint32_t seed)
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

void ring_rig_submit(const struct dsp_entry *entry)
{
	ck_assert_int_eq(ring_push(&requester, entry, NULL), 0);
	ring_submit(&requester);
}
