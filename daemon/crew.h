// SPDX-License-Identifier: MIT
/*
 * The threads that run the broker, of which one at a time does anything: it holds the baton, a
 * mutex, and with it all of the broker's state. It is let go in two places: where the loop waits
 * for events, and where a job blocks in the kernel. So a call that blocks is made by the very
 * thread that took it from its client, another goes on with the loop meanwhile, and the first one
 * hands the answer back: nobody is woken on a call's way but who has to be.
 *
 * For calls into the kernel, which are many and short. What is slow and rare has threads of its own
 * (worker.h).
 */
#ifndef DSP_CREW_H
#define DSP_CREW_H

#include <stdbool.h>

#include "daemon/loop.h"
#include "daemon/worker.h"

struct crew;

/* @turn_over is called when a thread has acted and is about to let go: returns 0 to go on, 1 when
 * all is done, or -errno. Returns 0 or -errno. */
int crew_new(struct crew **out, struct loop *loop, int (*turn_over)(void *userdata),
	void *userdata);
/* NULL-safe; returns NULL. Nothing runs any more. */
struct crew *crew_free(struct crew *crew);
/* Run the loop until turn_over() says so, which it returns. The caller holds the baton before and
 * after. */
int crew_run(struct crew *crew);

/* There will be so many more (or less) jobs at once: each needs a thread, beside the one that runs
 * the loop. Returns 0; -EAGAIN: no thread can be started. Not more than CREW_JOBS_MAX; -EUSERS. */
#define CREW_JOBS_MAX 256
int crew_grow(struct crew *crew, unsigned int jobs);
void crew_shrink(struct crew *crew, unsigned int jobs);

/* These are for who holds the baton. Run a job soon; its done() is called with the baton. */
void crew_job(struct crew *crew, struct job *job);
/* In a job's done(): run this one next, in the very thread that ran that. */
void crew_stay(struct crew *crew, struct job *job);
/* As those of worker.h. */
bool crew_cancel(struct crew *crew, struct job *job);
void crew_interrupt(struct crew *crew, struct job *job);

#endif
