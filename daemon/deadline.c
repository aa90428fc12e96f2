// SPDX-License-Identifier: MIT
#include "daemon/deadline.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "protocol/util.h"

/* A binary heap whose root is items[1], so that position 0 can mean "not set". */

static void place(struct deadline_heap *heap, struct deadline *deadline, size_t position)
{
	heap->items[position] = deadline;
	deadline->position = position;
}

static void sift_up(struct deadline_heap *heap, struct deadline *deadline, size_t position)
{
	while (position > 1 && heap->items[position / 2]->when_us > deadline->when_us) {
		place(heap, heap->items[position / 2], position);
		position /= 2;
	}
	place(heap, deadline, position);
}

static void sift_down(struct deadline_heap *heap, struct deadline *deadline, size_t position)
{
	for (size_t child; (child = 2 * position) <= heap->n; position = child) {
		if (child < heap->n &&
			heap->items[child + 1]->when_us < heap->items[child]->when_us)
			child++;
		if (heap->items[child]->when_us >= deadline->when_us)
			break;
		place(heap, heap->items[child], position);
	}
	place(heap, deadline, position);
}

int deadline_reserve(struct deadline_heap *heap)
{
	if (heap->places + 2 > heap->allocated) {
		size_t allocated = MAX(heap->allocated * 2, (size_t)64);
		struct deadline **items =
			realloc(heap->items, allocated * sizeof(struct deadline *));

		if (!items)
			return -ENOMEM;
		heap->items = items;
		heap->allocated = allocated;
	}
	heap->places++;
	return 0;
}

void deadline_unreserve(struct deadline_heap *heap)
{
	assert(heap->places > heap->n);
	heap->places--;
}

void deadline_set(struct deadline_heap *heap, struct deadline *deadline, uint64_t when_us,
	deadline_fn expired)
{
	deadline_clear(heap, deadline);
	assert(heap->n < heap->places);
	deadline->when_us = when_us;
	deadline->expired = expired;
	sift_up(heap, deadline, ++heap->n);
}

void deadline_clear(struct deadline_heap *heap, struct deadline *deadline)
{
	size_t position = deadline->position;
	struct deadline *last;

	if (!position)
		return;
	assert(heap->items[position] == deadline);
	deadline->position = 0;
	last = heap->items[heap->n--];
	if (last == deadline)
		return;
	if (position > 1 && heap->items[position / 2]->when_us > last->when_us)
		sift_up(heap, last, position);
	else
		sift_down(heap, last, position);
}

uint64_t deadline_next(const struct deadline_heap *heap)
{
	return heap->n ? heap->items[1]->when_us : UINT64_MAX;
}

void deadline_run(struct deadline_heap *heap, uint64_t now_us)
{
	while (deadline_next(heap) <= now_us) {
		struct deadline *deadline = heap->items[1];

		deadline_clear(heap, deadline);
		deadline->expired(deadline);
	}
}

void deadline_heap_deinit(struct deadline_heap *heap)
{
	assert(!heap->n && !heap->places);
	free(heap->items);
	*heap = (struct deadline_heap){};
}
