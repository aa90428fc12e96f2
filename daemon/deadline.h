// SPDX-License-Identifier: MIT
/*
 * All the broker's deadlines under one timer: setting and clearing one costs no system call and no
 * memory, and a broker without deadlines has no timer armed.
 *
 * Deadlines of calls mostly come in the order in which they are due, and are cleared from the
 * front. So one that is due after all others stands in a list, where it costs next to nothing; who
 * comes out of order goes into a heap.
 */
#ifndef DSP_DEADLINE_H
#define DSP_DEADLINE_H

#include <stdint.h>

#include "daemon/heap.h"

struct deadline;
typedef void (*deadline_fn)(struct deadline *deadline);

/* Embedded in what it belongs to; zeroed when unused. */
struct deadline {
	uint64_t when_us; /* CLOCK_MONOTONIC */
	deadline_fn expired;
	bool in_order; /* in the list */
	struct deadline *before, *after;
	struct heap_node out_of_order;
};

/* Zeroed: none is set. */
struct deadline_heap {
	struct deadline *first, *last; /* in the order of their time */
	struct heap others;
};

static inline bool deadline_is_set(const struct deadline *deadline)
{
	return deadline->in_order || heap_has(&deadline->out_of_order);
}

/* A deadline that is set already is moved. */
void deadline_set(struct deadline_heap *heap, struct deadline *deadline, uint64_t when_us,
	deadline_fn expired);
/* Safe when it is not set. */
void deadline_clear(struct deadline_heap *heap, struct deadline *deadline);
/* The next one that is due; NULL: there is none. */
struct deadline *deadline_first(const struct deadline_heap *heap);
/* When it is; UINT64_MAX when there is none. */
uint64_t deadline_next(const struct deadline_heap *heap);
/* Clear and call each one that is due. */
void deadline_run(struct deadline_heap *heap, uint64_t now_us);

#endif
