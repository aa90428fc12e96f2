// SPDX-License-Identifier: MIT
/*
 * The event loop. What is rare (sockets, signals, timers of libraries) is sd-event's; what every
 * call and message goes through is watched here, beside it: one system call tells of all that is
 * ready, none reads a clock, and a timer costs one only when it must ring earlier.
 *
 * A turn handles all that is ready; what it caused is then made visible once, by whoever runs it.
 *
 * Several threads may take turns at it (crew.h). Then a mutex guards the loop and all that it
 * calls, and is let go only while one of them waits for something to be ready.
 */
#ifndef DSP_LOOP_H
#define DSP_LOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "protocol/util.h"

struct loop;

/* A descriptor that is watched; embedded in what it belongs to. Zeroed: not watched. Its ready()
 * may find nothing there: where several threads wait, more than one may be told of the same. */
struct loop_source {
	struct loop *loop;
	int fd;
	uint32_t slot;                                              /* the loop's */
	void (*ready)(struct loop_source *source, uint32_t events); /* of epoll_wait(2) */
};

/* Something to go on with in the next turn; embedded as well. list_init() it. */
struct loop_task {
	struct list link;
	void (*run)(struct loop_task *task);
};

/* Returns 0 or -errno. */
int loop_new(struct loop **out);
/* NULL-safe; returns NULL. Nothing may be watched any more. */
struct loop *loop_free(struct loop *loop);

/* For what is rare. It belongs to the loop. Only sources of descriptors and signals are served. */
sd_event *loop_event(const struct loop *loop);

/* Watch @fd, which must stay open until loop_remove(), for @events of epoll_ctl(2). Returns 0 or
 * -errno. */
int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events,
	void (*ready)(struct loop_source *source, uint32_t events));
int loop_modify(struct loop_source *source, uint32_t events);
/* At any time, also in its own ready(). Safe twice, and when it is not watched. */
void loop_remove(struct loop_source *source);

/* Run it in the next turn, after all that is ready then; not twice. list_remove() takes it back. */
void loop_later(struct loop *loop, struct loop_task *task);

/* Call @rings at that time (microseconds of CLOCK_MONOTONIC), or a little earlier for no reason: it
 * looks, and sets the next time. A later time than the one that is set changes nothing. */
int loop_set_timer(struct loop *loop, uint64_t when_us);
void loop_on_timer(struct loop *loop, void (*rings)(void *userdata), void *userdata);
/* The time of this turn: the clock is read when somebody asks first. */
uint64_t loop_now(struct loop *loop);

/* Wait until something is ready (or not, if @wait is false or a task waits), and handle it. Returns
 * 0 or -errno. */
int loop_turn(struct loop *loop, bool wait);

/* Unlock this mutex while waiting. Whoever calls anything of the loop holds it from then on. */
void loop_share(struct loop *loop, pthread_mutex_t *mutex);
/* The caller begins to act beside the thread that waits: its time is a new one. */
void loop_enter(struct loop *loop);
/* And ends: who waits goes on if there is something to go on with. */
void loop_leave(struct loop *loop);
/* Who waits, if somebody does, ends its turn. */
void loop_wake(struct loop *loop);

#endif
