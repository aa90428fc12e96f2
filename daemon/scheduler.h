// SPDX-License-Identifier: MIT
/*
 * When a call gets its turn. A lane is what runs calls one after the other: a protection domain.
 * Sessions with calls waiting take turns on their lane, one call each; calls of one session keep
 * their order.
 */
#ifndef DSP_SCHEDULER_H
#define DSP_SCHEDULER_H

#include <stdbool.h>

#include "protocol/util.h"

struct call;
struct session;

struct lane {
	struct list sessions;  /* those with calls waiting, by whose turn it is */
	unsigned int attached; /* sessions that use this lane */
	unsigned int running;  /* calls that the transport holds */
	unsigned int depth;    /* how many it may hold */
	bool ready;            /* it takes calls now */
	bool parallel; /* what it takes it may run in any order: so it gets one call of a session at
			* a time, and the next when that is done */
};

void lane_init(struct lane *lane, unsigned int depth);

/* Put a call at the end of its session's queue. */
void scheduler_add(struct call *call);
/* The same, and submit it at once, if none waits before it. Returns 0: it is submitted or over;
 * -EAGAIN: it waits. */
int scheduler_try(struct call *call);
/* Put a call that was submitted, and taken back, at the front again. */
void scheduler_requeue(struct call *call);
/* Take a call out of whatever queue it is in. */
void scheduler_remove(struct call *call);
/* Submit what may be submitted. To be called when a call was added or the lane has room. */
void scheduler_run(struct lane *lane);

#endif
