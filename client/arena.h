// SPDX-License-Identifier: MIT
/*
 * Who has which range of the argument area. The books are kept in private memory: what is written
 * in the area itself never matters here. Allocates nothing after arena_init().
 */
#ifndef DSP_CLIENT_ARENA_H
#define DSP_CLIENT_ARENA_H

#include <stdint.h>

#define ARENA_ALIGN 64u /* bytes; ranges start and end at multiples of it */

struct arena_gap {
	uint32_t offset, size; /* bytes */
};

struct arena {
	struct arena_gap *gaps; /* what is free, by offset; no two of them touch */
	uint32_t n_gaps;
	uint32_t size; /* bytes */
};

/* Bytes that a range of @size bytes takes; @size is at most UINT32_MAX - ARENA_ALIGN. */
static inline uint32_t arena_round(uint32_t size)
{
	return (size + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
}

/* Manage @size bytes for at most @ranges_max ranges at a time. Returns 0 or -ENOMEM. */
int arena_init(struct arena *arena, uint32_t size, uint32_t ranges_max);
/* Safe on a zeroed arena and twice. */
void arena_deinit(struct arena *arena);

/* Take @size bytes (not 0), rounded up. Returns 0, or -EAGAIN when no gap is that large. */
int arena_alloc(struct arena *arena, uint32_t size, uint32_t *offset);
/* Give back what arena_alloc() gave for the same @size. */
void arena_free(struct arena *arena, uint32_t offset, uint32_t size);

#endif
