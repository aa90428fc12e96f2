// SPDX-License-Identifier: MIT
/*
 * What the kernel forces to block runs here: bounded pools of threads. A job is self-contained: its
 * run() touches nothing but the job, and what it found is used on the loop, by its done().
 */
#ifndef DSP_WORKER_H
#define DSP_WORKER_H

#include <pthread.h>
#include <stdbool.h>

#include "daemon/loop.h"
#include "protocol/util.h"

struct workers;

/* What interrupts a job. Other threads never see it, and it does nothing but to end a system call.
 */
#define WORKER_SIGNAL SIGUSR1
/* Make it so. Returns 0 or -errno. */
int worker_catch_signal(void);
/* How many of them this thread has had. Where -EINTR may be somebody's answer, and none has come
 * meanwhile, it is the answer. */
unsigned int worker_signals(void);

/* Embedded in what it belongs to, which stays until done() was called. */
struct job {
	struct list link;
	void (*run)(struct job *job);  /* in a thread; may block */
	void (*done)(struct job *job); /* on the loop; may free the job */
	bool interruptible; /* a signal ends what it blocks in, and then it ends by itself, soon */

	/* The pool's: */
	bool in_loop; /* there was no thread for it: the loop waits for what run() waits for */
	bool running;
	pthread_t thread;
};

/* Threads are started when there is work, at most @threads. Returns 0 or -errno. */
int workers_new(struct workers **out, struct loop *loop, unsigned int threads);
/* Waits for the jobs that run, of which it interrupts those that can be, and calls their done(),
 * and that of those that never ran. NULL-safe; returns NULL. */
struct workers *workers_free(struct workers *workers);

/* Start no thread, and run nothing, until workers_go(). */
void workers_hold(struct workers *workers);
void workers_go(struct workers *workers);

/* Run it in the order of submission. Cannot fail: without a single thread it waits for one; if none
 * can be started it runs here and now. */
void workers_run(struct workers *workers, struct job *job);
/* Take it back. True: it has not begun, never will, and its done() is not called. */
bool workers_cancel(struct workers *workers, struct job *job);
/* Send a signal to the thread that runs it, if one does. It may come just before the job blocks, so
 * say it again until done(). */
void workers_interrupt(struct workers *workers, struct job *job);

#endif
