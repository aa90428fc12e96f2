// SPDX-License-Identifier: MIT
#include "daemon/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "protocol/clock.h"

/* Handled before anybody looks for more. */
#define EVENTS_A_TURN 64

/* While rings are looked at: how often descriptors are, too; and looks in a row after which who
 * else wants this processor may have it. */
#define EVENTS_EVERY_NS 20000
#define LOOKS_IN_A_ROW  64
#define QUICK_LOOKS     8

/* The timer is left to ring in vain rather than set anew for every call; but not when it is this
 * quiet. */
#define SETTLED_MS 100

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
	atomic_uint *wanted;         /* threads that wait for it */
	unsigned int waiting;        /* threads, in the kernel */
	bool looking;                /* another thread, at the pollers, and holds them awake */
	bool woken;                  /* it is to end its turn */
	struct list pollers;         /* those that are awake */
	bool may_look;               /* there is more than one processor */
	struct spin spin;            /* for events */
	uint64_t event_ns;           /* when there was one that was no bell's */
	uint64_t looked_ns;          /* when somebody looked for some */
	struct loop_task event_task; /* sd-event has more than one turn may handle */
	uint64_t timer_us;           /* when it rings; UINT64_MAX: never */
	uint64_t wanted_us;          /* when it should: not before that */
	void (*rings)(void *userdata);
	void *rings_for;
	uint64_t now_ns; /* 0: nobody has asked yet */
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
	loop->timer_us = loop->wanted_us = UINT64_MAX;
	loop->may_look = spin_processors() > 1;
	loop->timer_source.fd = loop->kick_source.fd = -1;
	loop->free_slot = NO_SLOT;
	list_init(&loop->tasks);
	list_init(&loop->pollers);
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

/* 0: never. */
static int program_timer(struct loop *loop, uint64_t when_us)
{
	const struct itimerspec setting = {
		.it_value = {.tv_sec = (time_t)(when_us / 1000000),
			.tv_nsec = (long)(when_us % 1000000) * 1000},
	};

	if (timerfd_settime(loop->timer_source.fd, TFD_TIMER_ABSTIME, &setting, NULL) < 0)
		return -errno;
	loop->timer_us = when_us ? when_us : UINT64_MAX;
	return 0;
}

int loop_set_timer(struct loop *loop, uint64_t when_us)
{
	loop->wanted_us = when_us;
	return when_us < loop->timer_us ? program_timer(loop, when_us) : 0;
}

/* Nothing has happened for a while: it shall not ring in vain. */
static int settle_timer(struct loop *loop)
{
	return program_timer(loop, loop->wanted_us == UINT64_MAX ? 0 : loop->wanted_us);
}

void loop_on_timer(struct loop *loop, void (*rings)(void *userdata), void *userdata)
{
	loop->rings = rings;
	loop->rings_for = userdata;
}

uint64_t loop_now_ns(struct loop *loop)
{
	if (!loop->now_ns)
		loop->now_ns = clock_ns();
	return loop->now_ns;
}

uint64_t loop_now(struct loop *loop)
{
	return loop_now_ns(loop) / 1000;
}

/* Pollers. */

void loop_poller_init(struct loop_poller *poller, const struct loop_poller_ops *ops)
{
	*poller = (struct loop_poller){.ops = ops, .asleep = true};
	list_init(&poller->link);
}

static uint64_t limit(const struct loop *loop, const struct spin *spin)
{
	return loop->may_look ? spin_limit(spin) : 0;
}

/* Where nobody looks, no clock is read for it. */
static uint64_t now_to_look(struct loop *loop)
{
	return loop->may_look ? loop_now_ns(loop) : 0;
}

static void look_at(struct loop *loop, struct loop_poller *poller)
{
	poller->since_ns = now_to_look(loop);
	if (poller->asleep)
		poller->ops->wake(poller);
	poller->asleep = false;
	if (list_empty(&poller->link))
		list_append(&loop->pollers, &poller->link);
}

void loop_heard(struct loop *loop, struct loop_poller *poller)
{
	uint64_t now = now_to_look(loop);

	spin_waited(&poller->spin, now, now - poller->since_ns, poller->woke);
	poller->woke = false;
	look_at(loop, poller);
}

void loop_told(struct loop *loop, struct loop_poller *poller)
{
	if (limit(loop, &poller->spin))
		look_at(loop, poller);
	else
		poller->since_ns = now_to_look(loop);
}

void loop_woke(struct loop_poller *poller)
{
	poller->woke = true;
}

void loop_ignore(struct loop_poller *poller)
{
	list_remove(&poller->link);
}

/* False: there is news by now, so it stays. */
static bool put_to_sleep(struct loop *loop, struct loop_poller *poller)
{
	list_remove(&poller->link);
	poller->asleep = poller->ops->sleep(poller);
	if (!poller->asleep)
		list_append(&loop->pollers, &poller->link);
	return poller->asleep;
}

/* Take what those that are awake have, each once, and let those sleep that are quiet. True if there
 * was something. */
static bool run_pollers(struct loop *loop)
{
	uint64_t now = now_to_look(loop);
	struct loop_poller *poller;
	struct list round;
	bool any = false;

	list_init(&round);
	list_move(&round, &loop->pollers);
	while ((poller = list_first(&round, struct loop_poller, link))) {
		list_remove(&poller->link);
		list_append(&loop->pollers, &poller->link);
		if (poller->ops->news(poller)) {
			any = true;
			loop_heard(loop, poller);
			poller->ops->take(poller);
		} else if (now - poller->since_ns >= limit(loop, &poller->spin)) {
			any |= !put_to_sleep(loop, poller);
		}
	}
	return any;
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

	if (!slot->source || slot->uses != event->data.u64 >> 32)
		return;
	if (!slot->source->bell) {
		spin_waited(&loop->spin, loop->looked_ns, loop->looked_ns - loop->event_ns, false);
		loop->event_ns = loop->looked_ns;
	}
	slot->source->ready(slot->source, event->events);
}

static bool somebody_needs_this_processor(struct loop *loop)
{
	struct loop_poller *poller;

	list_for_each (poller, &loop->pollers, link)
		if (poller->ops->is_here(poller))
			return true;
	return false;
}

/* Lock the mutex after all who wait for it; they may need this processor for that. */
static void wait_and_lock(struct loop *loop)
{
	while (atomic_load_explicit(loop->wanted, memory_order_relaxed))
		spin_pause(true);
	pthread_mutex_lock(loop->shared);
}

/* Looks that cost next to nothing. */
static bool some_have_news(struct loop *loop)
{
	struct loop_poller *poller;

	for (int i = 0; i < QUICK_LOOKS; i++) {
		list_for_each (poller, &loop->pollers, link)
			if (poller->ops->news(poller))
				return true;
		spin_pause(false);
	}
	return false;
}

/* Between two looks; @n: so many were in vain. */
static void pause_looking(struct loop *loop, unsigned int n)
{
	bool give_way = n % LOOKS_IN_A_ROW == 0 || somebody_needs_this_processor(loop);

	if (!give_way && some_have_news(loop))
		return;
	loop->looking = true;
	loop->woken = false;
	if (loop->shared)
		pthread_mutex_unlock(loop->shared);
	spin_pause(give_way);
	if (loop->shared)
		wait_and_lock(loop);
	loop->looking = false;
}

/* Somebody else had the processor for that long. */
static void lose(struct loop *loop)
{
	uint64_t now = loop_now_ns(loop);
	struct loop_poller *poller;

	spin_lost(&loop->spin, now);
	list_for_each (poller, &loop->pollers, link)
		spin_lost(&poller->spin, now);
}

/* Are there so many events now that it pays to look for the next? */
static bool looks_for_events(struct loop *loop)
{
	return now_to_look(loop) - loop->event_ns < limit(loop, &loop->spin);
}

static int wait_for_events(struct loop *loop, struct epoll_event *batch)
{
	int timeout_ms = loop->timer_us < loop->wanted_us ? SETTLED_MS : -1, n;

	loop->waiting++;
	if (loop->shared)
		pthread_mutex_unlock(loop->shared);
	n = epoll_wait(loop->epoll, batch, EVENTS_A_TURN, timeout_ms);
	if (loop->shared)
		loop_lock(loop->shared, loop->wanted);
	loop->waiting--;
	loop->now_ns = 0;
	return n == 0 && timeout_ms >= 0 ? settle_timer(loop) : n;
}

static int get_events(struct loop *loop, struct epoll_event *batch, bool wait)
{
	/* On one processor others go when the kernel lets them; but they must find the mutex free.
	 */
	bool let_go = !wait && loop->shared && !loop->may_look;
	int n;

	if (let_go)
		pthread_mutex_unlock(loop->shared);
	n = wait ? wait_for_events(loop, batch) : epoll_wait(loop->epoll, batch, EVENTS_A_TURN, 0);
	if (let_go)
		pthread_mutex_lock(loop->shared);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	loop->looked_ns = now_to_look(loop);
	return n;
}

/* Look for something to do until there is some, in memory as long as that pays; then sleep. Returns
 * how many events there are, or -errno. */
static int look(struct loop *loop, struct epoll_event *batch, bool wait)
{
	for (unsigned int i = 1;; i++) {
		bool busy, hot, alone;
		uint64_t before;
		int n = 0;

		busy = run_pollers(loop) || !list_empty(&loop->tasks);
		hot = looks_for_events(loop);
		alone = list_empty(&loop->pollers);
		if (wait && !busy && ((alone && !hot) || loop->looking))
			return get_events(loop, batch, true);
		if (!wait || hot || alone || loop_now_ns(loop) - loop->looked_ns >= EVENTS_EVERY_NS)
			n = get_events(loop, batch, false);
		if (n || busy || !wait)
			return n;
		before = loop_now_ns(loop);
		pause_looking(loop, i);
		if (loop->woken)
			return 0;
		loop->now_ns = 0;
		if (loop_now_ns(loop) - before >= SPIN_LOST_NS)
			lose(loop);
	}
}

int loop_turn(struct loop *loop, bool wait)
{
	struct epoll_event batch[EVENTS_A_TURN];
	struct list tasks;
	int n;

	loop->now_ns = 0;
	n = look(loop, batch, wait);
	if (n < 0)
		return n;
	list_init(&tasks);
	list_move(&tasks, &loop->tasks);
	for (int i = 0; i < n; i++)
		dispatch(loop, &batch[i]);
	run_tasks(&tasks);
	return 0;
}

void loop_share(struct loop *loop, pthread_mutex_t *mutex, atomic_uint *wanted)
{
	loop->shared = mutex;
	loop->wanted = wanted;
}

void loop_let_others_go(struct loop *loop)
{
	if (!loop->shared || !loop->may_look ||
		!atomic_load_explicit(loop->wanted, memory_order_relaxed))
		return;
	pthread_mutex_unlock(loop->shared);
	wait_and_lock(loop);
}

void loop_lock(pthread_mutex_t *mutex, atomic_uint *wanted)
{
	atomic_fetch_add_explicit(wanted, 1, memory_order_relaxed);
	pthread_mutex_lock(mutex);
	atomic_fetch_sub_explicit(wanted, 1, memory_order_relaxed);
}

void loop_enter(struct loop *loop)
{
	loop->now_ns = 0;
}

void loop_wake(struct loop *loop)
{
	loop->woken = loop->looking;
	if (loop->waiting)
		eventfd_write(loop->kick_source.fd, 1);
}

void loop_leave(struct loop *loop)
{
	struct loop_poller *poller;

	if (loop->looking) /* whoever does sees what there is */
		return;
	while ((poller = list_first(&loop->pollers, struct loop_poller, link)))
		if (!put_to_sleep(loop, poller))
			break;
	if (!list_empty(&loop->tasks) || !list_empty(&loop->pollers))
		loop_wake(loop);
}
