// SPDX-License-Identifier: MIT
/*
 * When a call gets its turn: fairly, by the time that calls take (fair.h). Sessions with calls
 * waiting compete for their lane; and lanes for their device, if policy bounds how many calls that
 * may have in flight. There a lane stands in the most urgent class in which somebody waits for it,
 * and weighs as much as its sessions of that class that have calls.
 *
 * What a call will cost is guessed by what the calls of its session cost so far, and put right when
 * it has ended; so many in flight distort nothing. Calls of one session keep their order.
 *
 * A guess can be wrong, and a client can see to that. So when a call runs for long while others
 * wait, those that lie behind it in its lane are taken back, and take part in the competition
 * again.
 */
#ifndef DSP_SCHEDULER_H
#define DSP_SCHEDULER_H

#include "daemon/lane.h"

struct call;
struct device;
struct session;

/* A device and a session that begin. */
void scheduler_init_device(struct device *device);
void scheduler_init_session(struct session *session, unsigned int priority, uint32_t weight);
/* Its rights have changed. */
void scheduler_change_session(struct session *session, unsigned int priority, uint32_t weight);
/* A session leaves its lane, or that goes. */
void scheduler_detach(struct session *session);
/* A lane is about to be freed. */
void scheduler_end_lane(struct lane *lane);

/* Put a call at the end of its session's queue. */
void scheduler_add(struct call *call);
/* The same, and submit it at once, if none waits before it. Returns 0: it is submitted or over;
 * -EAGAIN: it waits. */
int scheduler_try(struct call *call);
/* A submitted call was taken back: it cost nothing. It is still where it was. */
void scheduler_take_back(struct call *call);
/* The same, and put it at the front again. */
void scheduler_requeue(struct call *call);
/* A call has ended, in whatever state it is: take it out of whatever queue it is in. @busy_ns: how
 * long it ran, as its transport says. */
void scheduler_end(struct call *call, uint64_t busy_ns);
/* Submit what may be submitted. To be called when a call was added or the lane has room, and after
 * completions were taken. */
void scheduler_run(struct lane *lane);

#endif
