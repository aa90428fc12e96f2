// SPDX-License-Identifier: MIT
#include "tests/unit/model_ring.h"

#include <check.h>
#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_exchange_explicit
#undef atomic_compare_exchange_strong_explicit
#undef atomic_thread_fence
#undef memcpy
#undef syscall
#define atomic_load_explicit(word, order)            model_load(word, order)
#define atomic_store_explicit(word, value, order)    model_store(word, value, order)
#define atomic_exchange_explicit(word, value, order) model_exchange(word, value, order)
#define atomic_compare_exchange_strong_explicit(word, expected, value, success, failure) \
	model_compare_exchange(word, expected, value, success)
#define atomic_thread_fence(order) model_fence()
#define memcpy(to, from, size)     model_copy(to, from, size)
#define syscall(number, word, op, value, timeout, ...) \
	model_system_call(number, word, op, value, (timeout) != NULL)

static _Alignas(DSP_CACHE_LINE) char memory[DSP_RING_ENTRIES_OFFSET +
					    MODEL_ENTRIES_MAX *
						    (sizeof(struct dsp_slot) +
							    sizeof(struct dsp_completion))];

/* The claim is part of it, and so far no atomic word. */
static void write_slot(unsigned int slot)
{
	model_write(slot);
	model_write_word(memory + DSP_RING_ENTRIES_OFFSET + slot * sizeof(struct dsp_slot) +
				 offsetof(struct dsp_slot, claim),
		DSP_CLAIM_NONE);
}

/* What is copied from the queues or to them. */
static void *model_copy(void *to, const void *from, size_t size)
{
	size_t read = (size_t)((const char *)from - memory - DSP_RING_ENTRIES_OFFSET);
	size_t written = (size_t)((const char *)to - memory - DSP_RING_ENTRIES_OFFSET);
	const size_t sq_size = MODEL_ENTRIES_MAX * sizeof(struct dsp_slot);

	if (read < sq_size)
		model_read((unsigned int)(read / sizeof(struct dsp_slot)));
	else if (read < sizeof(memory))
		model_read(MODEL_ENTRIES_MAX +
			   (unsigned int)((read - sq_size) / sizeof(struct dsp_completion)));
	else if (written < sq_size)
		write_slot((unsigned int)(written / sizeof(struct dsp_slot)));
	return memmove(to, from, size);
}

static long model_system_call(long number, void *word, int op, uint32_t value, bool timed)
{
	int r = 0;

	if (number != SYS_futex || (op != FUTEX_WAIT && op != FUTEX_WAKE))
		ck_abort_msg("the model knows of no such system call");
	if (op == FUTEX_WAKE)
		model_futex_wake(word);
	else
		r = model_futex_wait(word, value, timed);
	errno = -r;
	return r < 0 ? -1 : 0;
}

#include "protocol/ring.c"

void model_ring_put(struct dsp_ring *ring, bool routine)
{
	const struct dsp_completion completion = {.user_data = ring->cq_tail};

	model_write(MODEL_ENTRIES_MAX + ring->cq_tail % ring->cq_entries);
	if (routine)
		ring_complete_routine(ring, &completion);
	else
		ring_complete(ring, &completion);
}

void model_ring_start(struct dsp_ring *rings, size_t n, uint32_t entries, uint32_t unreaped)
{
	memset(memory, 0, sizeof(memory));
	model_memory(memory);
	for (size_t i = 0; i < n; i++) {
		rings[i] = (struct dsp_ring){
			.shared = (void *)memory,
			.sq = (void *)(memory + DSP_RING_ENTRIES_OFFSET),
			.cq = (void *)(memory + ring_size(MODEL_ENTRIES_MAX, 0)),
			.sq_slots = entries,
			.cq_entries = entries,
		};
	}
	*(uint32_t *)&rings[0].shared->cq_tail = unreaped;
	for (uint32_t i = 0; i < unreaped; i++)
		rings[0].cq[i].user_data = i;
}

void model_ring_at(const struct dsp_ring *ring, uint64_t a, uint64_t b)
{
	uint64_t hash = model_mix(a, b);

	hash = model_mix(hash, (uint64_t)ring->sq_head << 32 | ring->sq_tail);
	hash = model_mix(hash, (uint64_t)ring->cq_head << 32 | ring->cq_tail);
	model_at(model_mix(hash, ring->news * 2u + ring->stalled));
}
