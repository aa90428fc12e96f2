// SPDX-License-Identifier: MIT
/*
 * The event loop. What is rare (signals, new connections, supervisors) is sd-event's; what every
 * call, message and request goes through is watched here, beside it: one system call tells of all
 * that is ready, and a timer costs one only when it must ring earlier.
 *
 * While there is traffic not even that call is made: rings whose other side has just said
 * something, or been told something, are looked at in memory (struct loop_poller), turn after turn,
 * as long as that pays (spin.h); descriptors are looked at only now and then. A ring that is quiet
 * is put to sleep: its other side then rings a descriptor. When all are asleep, so is the loop.
 *
 * A turn handles all that is ready; what it caused is then made visible once, by whoever runs it.
 *
 * Several threads may take turns at it (crew.h). Then a mutex guards the loop and all that it
 * calls, and is let go only while one of them waits for something to be ready, or between two
 * looks.
 */
#ifndef DSP_LOOP_H
#define DSP_LOOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "protocol/spin.h"
#include "protocol/util.h"

struct loop;

/* A descriptor that is watched; embedded in what it belongs to. Zeroed: not watched. Its ready()
 * may find nothing there: where several threads wait, more than one may be told of the same. */
struct loop_source {
	struct loop *loop;
	int fd;
	uint32_t slot;                                              /* the loop's */
	void (*ready)(struct loop_source *source, uint32_t events); /* of epoll_wait(2) */
	bool bell; /* of a ring: that it rings is no reason to look for more events */
};

struct loop_poller;

struct loop_poller_ops {
	/* Is there something? It only looks. */
	bool (*news)(const struct loop_poller *poller);
	/* Take it. */
	void (*take)(struct loop_poller *poller);
	/* It is not looked at any more: have a descriptor rung. False: there is news by now. */
	bool (*sleep)(struct loop_poller *poller);
	/* It is looked at again: nothing needs to be rung. */
	void (*wake)(struct loop_poller *poller);
	/* Does whom it waits for need this very processor to go on? */
	bool (*is_here)(struct loop_poller *poller);
};

/* A ring that is looked at while it is busy; embedded in what it belongs to. It begins asleep. */
struct loop_poller {
	struct list link; /* loop->pollers, while it is looked at */
	const struct loop_poller_ops *ops;
	struct spin spin;
	uint64_t since_ns; /* when the other side was last heard of, or told something */
	bool woke;         /* it had to be woken since */
	bool asleep;
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
 * -errno. @source is set anew. */
int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events,
	void (*ready)(struct loop_source *source, uint32_t events));
int loop_modify(struct loop_source *source, uint32_t events);
/* At any time, also in its own ready(). Safe twice, and when it is not watched. */
void loop_remove(struct loop_source *source);

/* @ops is static. */
void loop_poller_init(struct loop_poller *poller, const struct loop_poller_ops *ops);
/* The other side has said something, and may soon say more: look at it in the turns that follow. */
void loop_heard(struct loop *loop, struct loop_poller *poller);
/* It is about to be told something, after which it may soon say something itself. */
void loop_told(struct loop *loop, struct loop_poller *poller);
/* It had to be woken for that. */
void loop_woke(struct loop_poller *poller);
/* Look at it no more, and leave it as it is. Safe at any time, also twice. */
void loop_ignore(struct loop_poller *poller);

/* Run it in the next turn, after all that is ready then; not twice. list_remove() takes it back. */
void loop_later(struct loop *loop, struct loop_task *task);

/* Call @rings at that time (microseconds of CLOCK_MONOTONIC; UINT64_MAX: not at all), or earlier
 * for no reason: it looks, and sets the next time. A later time than the one that is set costs
 * nothing, and is seen to when the loop has been idle for a while. */
int loop_set_timer(struct loop *loop, uint64_t when_us);
void loop_on_timer(struct loop *loop, void (*rings)(void *userdata), void *userdata);
/* The time of this turn, in microseconds and in nanoseconds of CLOCK_MONOTONIC: the clock is read
 * when somebody asks first. */
uint64_t loop_now(struct loop *loop);
uint64_t loop_now_ns(struct loop *loop);

/* Wait until something is ready (or not, if @wait is false or a task waits), and handle it. Returns
 * 0 or -errno. */
int loop_turn(struct loop *loop, bool wait);

/* Unlock this mutex, which the caller holds, while waiting. Whoever calls anything of the loop
 * holds it from then on; and whoever comes to do so takes it by loop_lock(), so that he is not
 * overtaken for ever by one who looks. */
void loop_share(struct loop *loop, pthread_mutex_t *mutex, atomic_uint *wanted);
void loop_lock(pthread_mutex_t *mutex, atomic_uint *wanted);
/* Let those go first who wait for it. */
void loop_let_others_go(struct loop *loop);
/* The caller begins to act beside the thread that waits: its time is a new one. */
void loop_enter(struct loop *loop);
/* And ends, without a turn of its own to follow: who waits goes on if there is something to go on
 * with, and what nobody looks at any more is put to sleep. */
void loop_leave(struct loop *loop);
/* Who waits or looks, if somebody does, ends its turn. */
void loop_wake(struct loop *loop);

#endif
