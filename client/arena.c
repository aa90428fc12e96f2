// SPDX-License-Identifier: MIT
#include "client/arena.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/util.h"

int arena_init(struct arena *arena, uint32_t size, uint32_t ranges_max)
{
	/* Between n ranges, and around them, there are at most n + 1 gaps. */
	struct arena_gap *gaps = calloc((size_t)ranges_max + 1, sizeof(*gaps));

	if (!gaps)
		return -ENOMEM;
	size &= ~(ARENA_ALIGN - 1);
	gaps[0].size = size;
	*arena = (struct arena){.gaps = gaps, .n_gaps = size ? 1 : 0, .size = size};
	return 0;
}

void arena_deinit(struct arena *arena)
{
	free(arena->gaps);
	*arena = (struct arena){};
}

static void gap_remove(struct arena *arena, uint32_t i)
{
	arena->n_gaps--;
	memmove(&arena->gaps[i], &arena->gaps[i + 1], (arena->n_gaps - i) * sizeof(arena->gaps[0]));
}

static void gap_insert(struct arena *arena, uint32_t i, uint32_t offset, uint32_t size)
{
	memmove(&arena->gaps[i + 1], &arena->gaps[i], (arena->n_gaps - i) * sizeof(arena->gaps[0]));
	arena->gaps[i] = (struct arena_gap){.offset = offset, .size = size};
	arena->n_gaps++;
}

/* First fit from the front: few calls in flight use few pages. */
int arena_alloc(struct arena *arena, uint32_t size, uint32_t *offset)
{
	size = arena_round(size);
	for (uint32_t i = 0; i < arena->n_gaps; i++) {
		struct arena_gap *gap = &arena->gaps[i];

		if (gap->size < size)
			continue;
		*offset = gap->offset;
		gap->offset += size;
		gap->size -= size;
		if (!gap->size)
			gap_remove(arena, i);
		return 0;
	}
	return -EAGAIN;
}

void arena_free(struct arena *arena, uint32_t offset, uint32_t size)
{
	struct arena_gap *before, *after;
	uint32_t i = 0;

	size = arena_round(size);
	while (i < arena->n_gaps && arena->gaps[i].offset < offset)
		i++;
	before = i > 0 ? &arena->gaps[i - 1] : NULL;
	after = i < arena->n_gaps ? &arena->gaps[i] : NULL;
	assert(!before || before->offset + before->size <= offset);
	assert(!after || offset + size <= after->offset);

	if (before && before->offset + before->size == offset) {
		before->size += size;
		if (after && before->offset + before->size == after->offset) {
			before->size += after->size;
			gap_remove(arena, i);
		}
	} else if (after && offset + size == after->offset) {
		after->offset -= size;
		after->size += size;
	} else {
		gap_insert(arena, i, offset, size);
	}
}
