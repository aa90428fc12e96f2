// SPDX-License-Identifier: MIT
/*
 * All the broker's deadlines in one heap under one timer: setting and clearing one costs no system
 * call, and a broker without deadlines has no timer armed.
 */
#ifndef DSP_DEADLINE_H
#define DSP_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deadline;
typedef void (*deadline_fn)(struct deadline *deadline);

/* Embedded in what it belongs to; zeroed when unused. */
struct deadline {
	uint64_t when_us; /* CLOCK_MONOTONIC */
	size_t position;  /* in the heap, from 1; 0: not set */
	deadline_fn expired;
};

struct deadline_heap {
	struct deadline **items;
	size_t n;      /* set */
	size_t places; /* reserved */
	size_t allocated;
};

/* Reserve a place, so that setting cannot fail; one for each deadline that may be set at once.
 * Returns 0 or -ENOMEM. */
int deadline_reserve(struct deadline_heap *heap);
void deadline_unreserve(struct deadline_heap *heap);
/* A deadline that is set already is moved. */
void deadline_set(struct deadline_heap *heap, struct deadline *deadline, uint64_t when_us,
	deadline_fn expired);
/* Safe when it is not set. */
void deadline_clear(struct deadline_heap *heap, struct deadline *deadline);
/* When the next one is due; UINT64_MAX when there is none. */
uint64_t deadline_next(const struct deadline_heap *heap);
/* Clear and call each one that is due. */
void deadline_run(struct deadline_heap *heap, uint64_t now_us);
/* Nothing may be set any more. */
void deadline_heap_deinit(struct deadline_heap *heap);

#endif
