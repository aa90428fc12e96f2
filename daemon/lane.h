// SPDX-License-Identifier: MIT
/*
 * A lane is what runs calls: a protection domain, or an endpoint that messages go out by. The
 * scheduler says when it gets which; here is what it holds, and what its time went to.
 *
 * Where a lane runs one call after the other, its domain says how long each took, and is not
 * believed more than it must be. The clock has the last word on all of it together: no call took
 * longer than the lane was at work, and what nobody accounts for is charged to the session whose
 * call came first then. So a domain can divide its own time among its sessions as it likes, and get
 * no more of it.
 */
#ifndef DSP_LANE_H
#define DSP_LANE_H

#include "daemon/deadline.h"
#include "daemon/fair.h"
#include "protocol/util.h"

struct device;
struct session;

struct lane {
	struct device *device;
	struct fair waiting;   /* its sessions with calls that could go */
	struct list stuck;     /* those of them that have just met -EAGAIN */
	struct fair_node turn; /* in device->lanes, while that has a cap and this has room */
	uint32_t weights[FAIR_PRIORITIES]; /* of its sessions that have calls */
	unsigned int attached;             /* sessions that use this lane */
	unsigned int running;              /* calls that the transport holds */
	unsigned int depth;                /* how many it may hold */
	bool ready;                        /* it takes calls now */
	bool parallel;          /* what it takes it may run in any order: so it gets one call of a
				 * session at a time, and the next when that is done */
	struct list held;       /* calls, as they were submitted */
	uint64_t ahead_ns;      /* what those will take, by estimate */
	struct deadline relief; /* somebody waits, and it may be stuck in a long call */
	uint64_t relieved_ns;   /* as taken_ns was when calls were taken back last */
	/* Not parallel, and at work: */
	uint64_t charged_ns;   /* its time up to then is charged */
	uint64_t taken_ns;     /* when completions were taken last */
	uint64_t seen_ns;      /* then it was still at work, as we saw ourselves */
	struct session *first; /* whose completion was the first of those; NULL: settled */
};

void lane_init(struct lane *lane, struct device *device, unsigned int depth);

/* It is at work from now on. */
void lane_begins(struct lane *lane, uint64_t now_ns);
/* It was at work until just now. Not to be said for no other reason than that the broker has not
 * looked for a while: that is nobody's fault. */
static inline void lane_seen(struct lane *lane, uint64_t now_ns)
{
	lane->seen_ns = now_ns;
}

/* A call of that session has ended, and took @busy_ns by its domain's word: what it costs. What is
 * left of the time before is to be settled first. */
uint64_t lane_cost(struct lane *lane, struct session *session, uint64_t busy_ns, uint64_t now_ns);
/* How long it was at work since completions were taken before: ask before lane_cost(). */
uint64_t lane_elapsed(const struct lane *lane, uint64_t now_ns);
/* What had ended by then is charged. Returns what is clearly left, which is for lane->first to pay;
 * 0: nothing. */
uint64_t lane_unclaimed(struct lane *lane);

#endif
