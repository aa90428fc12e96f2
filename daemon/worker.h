// SPDX-License-Identifier: MIT
/*
 * What the kernel forces to block runs here: a bounded pool of threads. A job is self-contained:
 * its run() touches nothing but the job, and what it found is used on the loop, by its done().
 */
#ifndef DSP_WORKER_H
#define DSP_WORKER_H

#include <systemd/sd-event.h>

#include "protocol/util.h"

struct workers;

/* Embedded in what it belongs to, which stays until done() was called. */
struct job {
	struct list link;
	void (*run)(struct job *job);  /* in a thread; may block */
	void (*done)(struct job *job); /* on the loop; may free the job */
};

/* Threads are started when there is work, at most WORKER_THREADS. Returns 0 or -errno. */
int workers_new(struct workers **out, sd_event *event);
/* Waits for the jobs that run and calls their done(), and that of those that never ran. NULL-safe;
 * returns NULL. */
struct workers *workers_free(struct workers *workers);

/* Run it in the order of submission. Cannot fail: without a single thread it waits for one; if none
 * can be started it runs here and now. */
void workers_run(struct workers *workers, struct job *job);

#endif
