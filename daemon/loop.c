// SPDX-License-Identifier: MIT
#include "daemon/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "daemon/clock.h"

/* Handled before anybody looks for more. */
#define EVENTS_A_TURN 64

/* What an event of the kernel's is about: by the time it is looked at, its source may be gone, and
 * another in its place. */
struct slot {
	struct loop_source *source; /* NULL: free */
	uint32_t uses;              /* so far */
	uint32_t next_free;
};

#define NO_SLOT UINT32_MAX

struct loop {
	int epoll;
	sd_event *event;
	struct loop_source event_source, timer_source, kick_source;
	struct slot *slots;
	uint32_t n_slots, free_slot;
	pthread_mutex_t *shared;     /* NULL: one thread does it all */
	unsigned int waiting;        /* threads */
	struct loop_task event_task; /* sd-event has more than one turn may handle */
	uint64_t timer_us;           /* when it rings; UINT64_MAX: never */
	void (*rings)(void *userdata);
	void *rings_for;
	uint64_t now_us; /* 0: nobody has asked yet */
	struct list tasks;
};

/* What sd-event has taken from the kernel does not show in its descriptor any more. */
static void run_event(struct loop *loop)
{
	for (int i = 0; i < EVENTS_A_TURN; i++)
		if (sd_event_run(loop->event, 0) <= 0)
			return;
	loop_later(loop, &loop->event_task);
}

/* It has no timers or deferred work here, so that all that is new shows in its descriptor. */
static void on_event(struct loop_source *source, uint32_t events)
{
	(void)events;
	run_event(container_of(source, struct loop, event_source));
}

static void on_event_task(struct loop_task *task)
{
	run_event(container_of(task, struct loop, event_task));
}

static void on_timer(struct loop_source *source, uint32_t events)
{
	struct loop *loop = container_of(source, struct loop, timer_source);

	(void)events;
	loop->timer_us = UINT64_MAX;
	loop->rings(loop->rings_for);
}

/* That it came is all. */
static void on_kick(struct loop_source *source, uint32_t events)
{
	(void)source;
	(void)events;
}

/* Watch a descriptor that becomes the loop's. Edge-triggered: nobody needs to read it. */
static int add_own(struct loop *loop, struct loop_source *source, int fd,
	void (*ready)(struct loop_source *source, uint32_t events))
{
	int r;

	if (fd < 0)
		return -errno;
	r = loop_add(loop, source, fd, EPOLLIN | EPOLLET, ready);
	if (r < 0)
		source->fd = fd_close(fd);
	return r;
}

DEFINE_CLEANUP(struct loop *, loop_free);

int loop_new(struct loop **out)
{
	_cleanup_(loop_freep) struct loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (!loop)
		return -ENOMEM;
	loop->timer_us = UINT64_MAX;
	loop->timer_source.fd = loop->kick_source.fd = -1;
	loop->free_slot = NO_SLOT;
	list_init(&loop->tasks);
	list_init(&loop->event_task.link);
	loop->event_task.run = on_event_task;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0)
		return -errno;
	r = sd_event_new(&loop->event);
	if (r < 0)
		return r;
	r = loop_add(loop, &loop->event_source, sd_event_get_fd(loop->event), EPOLLIN, on_event);
	if (r < 0)
		return r;
	r = add_own(loop, &loop->timer_source,
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), on_timer);
	if (r >= 0)
		r = add_own(loop, &loop->kick_source, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
			on_kick);
	if (r < 0)
		return r;
	*out = TAKE_PTR(loop);
	return 0;
}

struct loop *loop_free(struct loop *loop)
{
	if (!loop)
		return NULL;
	fd_close(loop->timer_source.fd);
	fd_close(loop->kick_source.fd);
	sd_event_unref(loop->event);
	fd_close(loop->epoll);
	free(loop->slots);
	free(loop);
	return NULL;
}

sd_event *loop_event(const struct loop *loop)
{
	return loop->event;
}

static int more_slots(struct loop *loop)
{
	uint32_t n = MAX(loop->n_slots * 2, 64u);
	struct slot *slots = reallocarray(loop->slots, n, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (uint32_t i = loop->n_slots; i < n; i++)
		slots[i] = (struct slot){.next_free = i + 1 < n ? i + 1 : NO_SLOT};
	loop->free_slot = loop->n_slots;
	loop->slots = slots;
	loop->n_slots = n;
	return 0;
}

static int take_slot(struct loop *loop, struct loop_source *source)
{
	struct slot *slot;

	if (loop->free_slot == NO_SLOT && more_slots(loop) < 0)
		return -ENOMEM;
	source->slot = loop->free_slot;
	slot = &loop->slots[source->slot];
	loop->free_slot = slot->next_free;
	slot->source = source;
	slot->uses++;
	return 0;
}

static void free_slot(struct loop *loop, struct loop_source *source)
{
	struct slot *slot = &loop->slots[source->slot];

	slot->source = NULL;
	slot->next_free = loop->free_slot;
	loop->free_slot = source->slot;
}

static int control(struct loop *loop, int op, struct loop_source *source, uint32_t events)
{
	struct epoll_event event = {
		.events = events,
		.data.u64 = (uint64_t)loop->slots[source->slot].uses << 32 | source->slot,
	};

	return epoll_ctl(loop->epoll, op, source->fd, &event) < 0 ? -errno : 0;
}

int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events,
	void (*ready)(struct loop_source *source, uint32_t events))
{
	int r;

	*source = (struct loop_source){.fd = fd, .ready = ready};
	r = take_slot(loop, source);
	if (r < 0)
		return r;
	r = control(loop, EPOLL_CTL_ADD, source, events);
	if (r >= 0)
		source->loop = loop;
	else
		free_slot(loop, source);
	return r;
}

int loop_modify(struct loop_source *source, uint32_t events)
{
	return control(source->loop, EPOLL_CTL_MOD, source, events);
}

void loop_remove(struct loop_source *source)
{
	struct loop *loop = source->loop;

	if (!loop)
		return;
	control(loop, EPOLL_CTL_DEL, source, 0);
	source->loop = NULL;
	free_slot(loop, source);
}

void loop_later(struct loop *loop, struct loop_task *task)
{
	if (list_empty(&task->link))
		list_append(&loop->tasks, &task->link);
}

int loop_set_timer(struct loop *loop, uint64_t when_us)
{
	const struct itimerspec setting = {
		.it_value = {.tv_sec = (time_t)(when_us / 1000000),
			.tv_nsec = (long)(when_us % 1000000) * 1000},
	};

	if (when_us >= loop->timer_us)
		return 0;
	if (timerfd_settime(loop->timer_source.fd, TFD_TIMER_ABSTIME, &setting, NULL) < 0)
		return -errno;
	loop->timer_us = when_us;
	return 0;
}

void loop_on_timer(struct loop *loop, void (*rings)(void *userdata), void *userdata)
{
	loop->rings = rings;
	loop->rings_for = userdata;
}

uint64_t loop_now(struct loop *loop)
{
	if (!loop->now_us)
		loop->now_us = clock_us();
	return loop->now_us;
}

/* Those that came before this turn; what they ask for comes in the next. */
static void run_tasks(struct list *tasks)
{
	struct loop_task *task;

	while ((task = list_first(tasks, struct loop_task, link))) {
		list_remove(&task->link);
		task->run(task);
	}
}

static void dispatch(struct loop *loop, const struct epoll_event *event)
{
	const struct slot *slot = &loop->slots[(uint32_t)event->data.u64];

	if (slot->source && slot->uses == event->data.u64 >> 32)
		slot->source->ready(slot->source, event->events);
}

static int wait_for_events(struct loop *loop, struct epoll_event *batch, bool wait)
{
	int n;

	if (!loop->shared)
		return epoll_wait(loop->epoll, batch, EVENTS_A_TURN, wait ? -1 : 0);
	loop->waiting += wait;
	pthread_mutex_unlock(loop->shared);
	n = epoll_wait(loop->epoll, batch, EVENTS_A_TURN, wait ? -1 : 0);
	pthread_mutex_lock(loop->shared);
	loop->waiting -= wait;
	return n;
}

int loop_turn(struct loop *loop, bool wait)
{
	struct epoll_event batch[EVENTS_A_TURN];
	struct list tasks;
	int n;

	n = wait_for_events(loop, batch, wait && list_empty(&loop->tasks));
	loop->now_us = 0;
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	list_init(&tasks);
	list_move(&tasks, &loop->tasks);
	for (int i = 0; i < n; i++)
		dispatch(loop, &batch[i]);
	run_tasks(&tasks);
	return 0;
}

void loop_share(struct loop *loop, pthread_mutex_t *mutex)
{
	loop->shared = mutex;
}

void loop_enter(struct loop *loop)
{
	loop->now_us = 0;
}

void loop_wake(struct loop *loop)
{
	if (loop->waiting)
		eventfd_write(loop->kick_source.fd, 1);
}

void loop_leave(struct loop *loop)
{
	if (!list_empty(&loop->tasks))
		loop_wake(loop);
}
