// SPDX-License-Identifier: MIT
/*
 * Whose turn it is: weighted fair queueing by start times, in priority classes.
 *
 * Each node has a virtual time: what it has cost so far, divided by its weight. The one that has
 * the least in the most urgent class goes next; but who had the last turn goes on until it is
 * FAIR_QUANTUM_NS ahead, since to change from one to the other costs something as well. Who was
 * idle begins at the time that the class has come to, so idling earns nothing; and what is used
 * while nobody of the class waits counts against nobody.
 *
 * What each may rely on, whatever the n others of its class do:
 *   - Who begins to wait after idling has at most one turn of each other before its own, or the
 *     quantum if that is longer (and more only to make up for what that one was charged too much).
 *     From then on it gets its weight's share: while it is charged c, another is charged at most c
 *     times the ratio of their weights, and one turn or quantum.
 *   - More urgent classes go first, but not for ever: a class in which somebody waits has a turn at
 *     least every SCHED_PATIENCE_NS, or when there is room for the first time after that, behind no
 *     class that has waited less. So, with equal weights, nobody waits longer for a turn than
 *     n + 1 times that.
 *
 * Nothing is allocated. No clock is read: the time is the caller's.
 */
#ifndef DSP_FAIR_H
#define DSP_FAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/heap.h"

#define FAIR_PRIORITIES 3 /* 0 is the most urgent */

/* Embedded in what waits. */
struct fair_node {
	struct heap_node waiting; /* its key is the virtual time, waiting or not */
	uint64_t floor;           /* as late it is at least: what it was lifted to after idling */
	unsigned int priority;
	uint32_t weight;
	uint32_t rest; /* cost that did not make up a step of the virtual time yet */
};

/* Zeroed: nobody waits. */
struct fair {
	struct fair_line {
		struct heap waiting;
		struct fair_node *last; /* that was served, if it waits */
		uint64_t time;          /* virtual: what all who wait have come to */
		uint64_t served_ns;     /* when one went last, or the first began to wait */
	} lines[FAIR_PRIORITIES];
};

/* @weight: from 1. */
void fair_node_init(struct fair_node *node, unsigned int priority, uint32_t weight);

static inline bool fair_waits(const struct fair_node *node)
{
	return heap_has(&node->waiting);
}

/* Does anybody wait but @node? */
bool fair_others_wait(const struct fair *fair, const struct fair_node *node);

/* The most urgent class in which somebody waits; FAIR_PRIORITIES: nobody does. */
unsigned int fair_priority(const struct fair *fair);

/* It has something that could go. Not twice. */
void fair_add(struct fair *fair, struct fair_node *node, uint64_t now_ns);
/* It has nothing any more. Safe when it does not wait. */
void fair_remove(struct fair *fair, struct fair_node *node);
/* Give it another class, and another weight. What it is ahead of its class stays as it is. */
void fair_change(struct fair *fair, struct fair_node *node, unsigned int priority, uint32_t weight,
	uint64_t now_ns);

/* Who goes next, and goes on waiting; NULL: nobody waits. */
struct fair_node *fair_pick(const struct fair *fair, uint64_t now_ns);
/* That one went, or another that waits or not: what that cost, by estimate. */
void fair_serve(struct fair *fair, struct fair_node *node, uint64_t cost_ns, uint64_t now_ns);
/* What it cost more, or less, than was charged. Also while it does not wait. */
void fair_charge(struct fair *fair, struct fair_node *node, int64_t cost_ns);

#endif
