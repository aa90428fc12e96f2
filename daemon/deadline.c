// SPDX-License-Identifier: MIT
#include "daemon/deadline.h"

#include <stddef.h>

#include "protocol/util.h"

static void list_out(struct deadline_heap *heap, struct deadline *deadline)
{
	*(deadline->before ? &deadline->before->after : &heap->first) = deadline->after;
	*(deadline->after ? &deadline->after->before : &heap->last) = deadline->before;
	deadline->before = deadline->after = NULL;
	deadline->in_order = false;
}

static void list_in(struct deadline_heap *heap, struct deadline *deadline)
{
	deadline->before = heap->last;
	deadline->after = NULL;
	*(heap->last ? &heap->last->after : &heap->first) = deadline;
	heap->last = deadline;
	deadline->in_order = true;
}

void deadline_set(struct deadline_heap *heap, struct deadline *deadline, uint64_t when_us,
	deadline_fn expired)
{
	deadline_clear(heap, deadline);
	deadline->when_us = when_us;
	deadline->expired = expired;
	if (!heap->last || heap->last->when_us <= when_us)
		list_in(heap, deadline);
	else
		heap_add(&heap->others, &deadline->out_of_order, when_us);
}

void deadline_clear(struct deadline_heap *heap, struct deadline *deadline)
{
	if (deadline->in_order)
		list_out(heap, deadline);
	else if (heap_has(&deadline->out_of_order))
		heap_remove(&heap->others, &deadline->out_of_order);
}

struct deadline *deadline_first(const struct deadline_heap *heap)
{
	struct heap_node *root = heap->others.root;

	if (root && (!heap->first || root->key < heap->first->when_us))
		return container_of(root, struct deadline, out_of_order);
	return heap->first;
}

uint64_t deadline_next(const struct deadline_heap *heap)
{
	const struct deadline *deadline = deadline_first(heap);

	return deadline ? deadline->when_us : UINT64_MAX;
}

void deadline_run(struct deadline_heap *heap, uint64_t now_us)
{
	while (deadline_next(heap) <= now_us) {
		struct deadline *deadline = deadline_first(heap);

		deadline_clear(heap, deadline);
		deadline->expired(deadline);
	}
}
