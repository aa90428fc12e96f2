// SPDX-License-Identifier: MIT
/*
 * Every interleaving of two threads that wait for the broker through one connection of the library,
 * and of the broker, see interleaving.h. What runs is client/pump.c itself, on the model's memory,
 * mutex, futex and descriptors. Time passes as it likes: looking, and the sleep at the futex, may
 * end at any time.
 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/model_ring.h"

#define pump_deadline     model_pump_deadline
#define pump_left_us      model_pump_left_us
#define pump_collect      model_pump_collect
#define pump_nudge        model_pump_nudge
#define pump_expose       model_pump_expose
#define pump_init         model_pump_init
#define pump_wait_message model_pump_wait_message
#define pump_wait         model_pump_wait
#define pump_glance       model_pump_glance

#define connection_lock             model_connection_lock
#define connection_unlock           model_connection_unlock
#define connection_break            model_connection_break
#define connection_update_attention model_connection_update_attention
#define control_receive             model_control_receive
#define pending_complete            model_pending_complete

#include <sys/epoll.h>

#include "client/internal.h"
#include "protocol/clock.h"

/* Descriptors: the notify socket, and that somebody wrote it since the pump last looked; the pump's
 * own eventfd; the socket, and its other end; the eventfd behind dspbroker_fd(). */
enum {
	NOTIFY,
	EDGE,
	NUDGE,
	SOCKET,
	REQUEST,
	ATTENTION
};

static bool looks;              /* sometimes, before it sleeps */
static bool nudges_work = true; /* those that are system calls */

static uint64_t model_clock(void);
static int model_epoll_wait(int fd, struct epoll_event *events, int n, int timeout);
static ssize_t model_read_fd(int fd, void *data, size_t size);
static int model_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
static int model_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
	const struct timespec *deadline);

static inline uint64_t model_spin_limit(const struct spin *spin)
{
	(void)spin;
	return looks && model_choose(2);
}

static inline uint64_t model_spin_step(struct spin *spin, uint64_t now)
{
	(void)spin;
	(void)now;
	return model_clock();
}

static inline void model_nudge(int fd)
{
	if (nudges_work)
		model_kick(1u << fd);
}

static inline void model_nudge_at_futex(struct dsp_ring *ring, uint32_t how, int fd)
{
	if (nudges_work)
		ring_wake_requester(ring, how, fd);
}

#undef atomic_load_explicit
#define atomic_load_explicit(word, order)        model_load(word, order)
#define clock_ns                                 model_clock
#define spin_limit                               model_spin_limit
#define spin_waited(spin, now, waited, woke)     ((void)(spin), (void)(now))
#define spin_step                                model_spin_step
#define spin_lost(spin, now)                     ((void)(spin), (void)(now))
#define spin_pause(give_way)                     ((void)(give_way))
#define model_ring_requester_here(ring)          ((void)(ring))
#define model_ring_kick(fd)                      model_nudge(fd)
#define model_ring_wake_requester(ring, how, fd) model_nudge_at_futex(ring, how, fd)
#define pthread_cond_broadcast(condition)        model_broadcast()
#define pthread_cond_wait                        model_cond_wait
#define pthread_cond_timedwait                   model_cond_timedwait
#define epoll_wait                               model_epoll_wait
#define read                                     model_read_fd

#include "client/pump.c"

#undef model_ring_wake_requester

#include "tests/suite.h"

#define CALLS 2 /* or messages */

static struct dspbroker broker;
static struct dsp_ring rings[MODEL_THREADS];
static bool completed[CALLS]; /* by user_data */
static unsigned int reapable; /* completions that are for dspbroker_reap() */
static bool wants_reply, submitted[CALLS];
static uint64_t ticks[MODEL_THREADS];

/* The rest of the library, as far as the pump sees it. */

void pending_complete(struct dspbroker *of, const struct dsp_completion *completion)
{
	(void)of;
	model_require(!completed[completion->user_data]);
	completed[completion->user_data] = true;
	reapable += submitted[completion->user_data];
}

void connection_update_attention(struct dspbroker *of)
{
	if (!of->polled || of->attention_on || !reapable)
		return;
	of->attention_on = true;
	model_kick(1u << ATTENTION);
}

struct dspbroker *connection_lock(struct dspbroker *of)
{
	model_lock();
	/* What is done only once in so many times is not what this is about. */
	of->glances = of->rounds = of->undrained = 0;
	return of;
}

void connection_unlock(struct dspbroker *of)
{
	connection_update_attention(of);
	model_unlock();
}

void connection_break(struct dspbroker *of, const char *why)
{
	of->broken = why;
	model_require(false);
}

void control_receive(struct dspbroker *of)
{
	if (!model_poll(1u << SOCKET, 1u << SOCKET, false))
		return;
	list_init(&of->requests);
	wants_reply = false;
}

/* The system. */

static uint64_t model_clock(void)
{
	return ++ticks[model_self()];
}

static int model_epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
	static const unsigned int watched[] = {EDGE, NUDGE, SOCKET};
	unsigned int mask = 1u << EDGE | 1u << NUDGE | 1u << SOCKET;
	unsigned int ready = model_poll(mask, 1u << EDGE, timeout != 0);
	int n = 0;

	(void)fd;
	(void)max;
	for (uint32_t i = 0; i < ARRAY_SIZE(watched); i++)
		if (ready & 1u << watched[i])
			events[n++] = (struct epoll_event){.events = EPOLLIN, .data.u32 = i};
	return n;
}

static int model_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
	(void)condition;
	(void)mutex;
	model_wait();
	return 0;
}

/* Nobody here has a deadline. */
static int model_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
	const struct timespec *deadline)
{
	(void)deadline;
	model_require(false);
	return model_cond_wait(condition, mutex);
}

/* No edge is told of a descriptor that is empty by then. */
static ssize_t model_read_fd(int fd, void *data, size_t size)
{
	(void)data;
	(void)size;
	model_drain(fd == NOTIFY ? 1u << NOTIFY | 1u << EDGE : 1u << fd);
	return 0;
}

/* The threads. */

/* At the head of a loop, with the mutex: all that matters is what that guards. */
static void here(unsigned int where)
{
	ticks[model_self()] = 0;
	model_at(where);
}

static void wait_for_call(unsigned int which)
{
	connection_lock(&broker);
	while (!completed[which]) {
		here(which);
		pump_wait(&broker, DEADLINE_FOREVER);
	}
	connection_unlock(&broker);
}

static void call_first(void)
{
	wait_for_call(0);
}

static void call_second(void)
{
	wait_for_call(1);
}

static void call_first_and_say_so(void)
{
	wait_for_call(0);
	model_kick(1u << REQUEST);
}

static void call_both(void)
{
	wait_for_call(0);
	wait_for_call(1);
}

static void await_message(unsigned int which)
{
	connection_lock(&broker);
	while (!completed[which]) {
		here(which);
		pump_wait_message(&broker, DEADLINE_FOREVER);
	}
	connection_unlock(&broker);
}

static void receive_first(void)
{
	await_message(0);
}

static void receive_second(void)
{
	await_message(1);
}

static void request(void)
{
	struct list mine;

	connection_lock(&broker);
	wants_reply = true;
	list_init(&mine);
	list_append(&broker.requests, &mine);
	model_kick(1u << REQUEST);
	while (wants_reply) {
		here(0);
		pump_wait(&broker, DEADLINE_FOREVER);
	}
	connection_unlock(&broker);
}

/* Whoever changes something that a pumping thread has to look at. */
static bool changed;

static void change_and_nudge(void)
{
	connection_lock(&broker);
	changed = true;
	pump_nudge(&broker);
	connection_unlock(&broker);
}

static void wait_for_change(void)
{
	connection_lock(&broker);
	while (!changed || !completed[0]) {
		here(0);
		pump_wait(&broker, DEADLINE_FOREVER);
	}
	connection_unlock(&broker);
}

/* dspbroker_reap() with a time-out of 0. */
static unsigned int reap_now(void)
{
	unsigned int n;

	connection_lock(&broker);
	pump_collect(&broker);
	if (!reapable)
		pump_glance(&broker);
	n = reapable;
	reapable = 0;
	if (!n && broker.attention_on) {
		model_drain(1u << ATTENTION);
		broker.attention_on = false;
	}
	connection_unlock(&broker);
	return n;
}

static void expose(void)
{
	connection_lock(&broker);
	pump_expose(&broker);
	connection_unlock(&broker);
}

/* An event loop: it sleeps only where dspbroker_fd() is not readable. */
static void poll_for(unsigned int n)
{
	for (unsigned int got = 0; got < n;) {
		here(got);
		model_poll(1u << NOTIFY | 1u << ATTENTION | 1u << SOCKET, 0, true);
		got += reap_now();
	}
}

static void poll_for_none(void)
{
	expose();
	poll_for(0);
}

static void poll_for_one(void)
{
	expose();
	poll_for(1);
}

static void expose_and_call_both(void)
{
	expose();
	call_both();
}

/* A nudge, when whoever naps may not have noticed yet that he was nudged before. */
static void nudge_and_poll_for_one(void)
{
	expose();
	change_and_nudge();
	poll_for(1);
}

static void poll_for_two(void)
{
	expose();
	poll_for(2);
}

static void publish(bool routine)
{
	struct dsp_ring *ring = &rings[2];
	uint32_t how;

	model_at(ring->cq_tail);
	model_ring_put(ring, routine);
	how = ring_publish(ring);
	if (how & DSP_AT_FUTEX)
		ring_wake_requester(ring, how, -1);
	else if (how)
		model_kick(1u << NOTIFY | 1u << EDGE);
}

static void complete_one(void)
{
	publish(false);
}

static void complete_two(void)
{
	publish(false);
	publish(false);
}

static void complete_two_at_once(void)
{
	model_ring_put(&rings[2], false);
	publish(false);
}

/* The news only when the routine has been noticed. */
static void complete_routine_and_news(void)
{
	publish(true);
	model_poll(1u << REQUEST, 0, true);
	publish(false);
}

static void complete_and_reply(void)
{
	publish(false);
	model_poll(1u << REQUEST, 1u << REQUEST, true);
	model_kick(1u << SOCKET);
}

static void reply_and_complete(void)
{
	model_poll(1u << REQUEST, 1u << REQUEST, true);
	model_kick(1u << SOCKET);
	publish(false);
}

static void nothing(void)
{
}

static const struct {
	void (*threads[MODEL_THREADS])(void);
	bool submitted[CALLS]; /* for dspbroker_reap() */
	bool looks;
	bool needs_fences, needs_nudges; /* that no wake-up is lost */
} programs[] = {
	{{call_both, nothing, complete_two}, .needs_fences = true},
	{{call_first, call_second, complete_two}, .needs_fences = true},
	{{receive_second, call_first_and_say_so, complete_routine_and_news}, .needs_fences = true,
		.needs_nudges = true},
	{{wait_for_change, change_and_nudge, complete_one}, .looks = true, .needs_fences = true,
		.needs_nudges = true},
	{{call_first, request, complete_and_reply}, .looks = true},
	{{call_first, request, reply_and_complete}, .looks = true, .needs_fences = true},
	{{call_first, poll_for_one, complete_two}, .submitted = {false, true}, .needs_fences = true,
		.needs_nudges = true},
	{{call_second, poll_for_one, complete_two_at_once}, .submitted = {true, false},
		.needs_fences = true, .needs_nudges = true},
	{{call_second, nudge_and_poll_for_one, complete_two_at_once}, .submitted = {true, false},
		.needs_fences = true, .needs_nudges = true},
	{{expose_and_call_both, nothing, complete_two}, .needs_fences = true},
	{{poll_for_two, nothing, complete_two}, .submitted = {true, true}, .needs_fences = true},
	{{receive_first, poll_for_none, complete_one}, .looks = true, .needs_fences = true,
		.needs_nudges = true},
};

static int current;

static void start(void)
{
	memset(&broker, 0, offsetof(struct dspbroker, events));
	model_ring_start(rings, MODEL_THREADS, 4, 0);
	broker.ring = rings[0];
	broker.ring.may_look = true;
	broker.nap_ns = 1;
	broker.notify = NOTIFY;
	broker.nudge = NUDGE;
	broker.doorbell = broker.sock = broker.waiter = -1;
	list_init(&broker.requests);
	memset(completed, 0, sizeof(completed));
	memset(ticks, 0, sizeof(ticks));
	memcpy(submitted, programs[current].submitted, sizeof(programs[current].submitted));
	reapable = 0;
	wants_reply = changed = false;
}

static uint64_t mix_bytes(uint64_t hash, const void *bytes, size_t size)
{
	uint64_t part;

	for (size_t i = 0; i + sizeof(part) <= size; i += sizeof(part)) {
		memcpy(&part, (const char *)bytes + i, sizeof(part));
		hash = model_mix(hash, part);
	}
	return hash;
}

static uint64_t state(void)
{
	uint64_t flags = changed * 2u + wants_reply;

	for (unsigned int i = 0; i < CALLS; i++)
		flags = flags * 2 + completed[i];
	return mix_bytes(model_mix(flags, reapable), &broker, offsetof(struct dspbroker, events));
}

static enum model_end explore(int i, size_t *n_states)
{
	const struct model_program program = {
		.threads = {programs[i].threads[0], programs[i].threads[1], programs[i].threads[2]},
		.start = start,
		.state = state,
	};

	current = i;
	looks = programs[i].looks;
	return model_explore(&program, n_states);
}

START_TEST(nobody_waits_for_what_is_there)
{
	size_t n_states;

	model_fences_work = nudges_work = true;
	ck_assert_int_eq(explore(_i, &n_states), MODEL_FINE);
	ck_assert_uint_gt(n_states, 100);
}
END_TEST

/* And the explorer would have found out. */
START_TEST(without_the_fences_somebody_does)
{
	model_fences_work = false;
	ck_assert_int_eq(explore(_i, NULL), programs[_i].needs_fences ? MODEL_STUCK : MODEL_FINE);
}
END_TEST

START_TEST(without_nudges_somebody_does)
{
	model_fences_work = true;
	nudges_work = false;
	if (programs[_i].needs_nudges)
		ck_assert_int_eq(explore(_i, NULL), MODEL_STUCK);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("client_wait");
	TCase *tcase = tcase_create("client_wait");

	tcase_set_timeout(tcase, 240);
	tcase_add_loop_test(tcase, nobody_waits_for_what_is_there, 0, ARRAY_SIZE(programs));
	tcase_add_loop_test(tcase, without_the_fences_somebody_does, 0, ARRAY_SIZE(programs));
	tcase_add_loop_test(tcase, without_nudges_somebody_does, 0, ARRAY_SIZE(programs));
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
