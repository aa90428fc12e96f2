// SPDX-License-Identifier: MIT
/*
 * When a remote processor is started and stopped: what policy wants is compared with what is, each
 * time that either may have changed, and one step is taken after the other. A step is a job,
 * because the kernel takes as long as loading the firmware does.
 *
 * The kernel counts: each start adds one, each stop or detach takes one away, and the last one
 * stops the remote processor. So what we have started we take back, and what somebody else has
 * started runs on.
 */
#ifndef DSP_LIFECYCLE_H
#define DSP_LIFECYCLE_H

#include "daemon/deadline.h"
#include "daemon/transport/lifecycle_job.h"

struct remoteproc;

/* What an administrator wants, whatever policy says. */
enum lifecycle_order {
	LIFECYCLE_NO_ORDER,
	LIFECYCLE_BE_STARTED,
	LIFECYCLE_BE_STOPPED,
};

/* Embedded in a remote processor. */
struct lifecycle {
	struct lifecycle_job job;
	bool busy;     /* the job belongs to a thread */
	bool replaced; /* what the job's descriptor speaks of is gone */
	bool over;     /* nothing is begun any more */

	enum lifecycle_order order; /* not yet obeyed */
	bool held; /* an administrator has stopped it, so policy does not start it */

	unsigned int uses;
	uint64_t idle_from_us; /* there is no use since then */

	uint64_t delay_us;      /* between attempts, after one that failed */
	uint64_t not_before_us; /* the next one */
	bool gave_up;           /* not before the next use */
	struct deadline next;   /* look again */
	char trouble[256];
};

void lifecycle_init(struct remoteproc *remoteproc);
/* Stop what must not run without the broker, and wait for that. False: a job still runs; it does
 * the same at its end, and frees the remote processor. */
bool lifecycle_deinit(struct remoteproc *remoteproc);

/* See what is to be done, and begin it. */
void lifecycle_decide(struct remoteproc *remoteproc);
/* An administrator wants it to be started, or stopped: once, and in this moment if possible. Where
 * policy would start it again, it stays stopped until an administrator starts it. */
void lifecycle_command(struct remoteproc *remoteproc, enum lifecycle_order order);
/* A session begins or ends. */
void lifecycle_use(struct remoteproc *remoteproc);
void lifecycle_unuse(struct remoteproc *remoteproc);
/* Its state is another; called before its devices are told. */
void lifecycle_state_changed(struct remoteproc *remoteproc);
/* It is gone, or another instance of it is there. */
void lifecycle_replaced(struct remoteproc *remoteproc);

#endif
