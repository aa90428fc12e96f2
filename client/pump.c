// SPDX-License-Identifier: MIT
/*
 * The one place that waits for the broker.
 *
 * One thread at a time pumps. It waits in three stages, without the mutex; but it goes from one to
 * the next under the mutex, so that whoever has that knows what will reach it:
 *
 * 1. It looks at the completion queue as long as that has paid (see protocol/spin.h), always
 * letting others run; and at the socket, if a reply is to come.
 * 2. It sleeps on the ring's futex: so a short call costs no descriptor. It sees nothing else, so
 * it does that for a short while only, and not at all if a reply is to come.
 * 3. It sleeps in epoll_wait(2), and sees everything: the end of the connection, too.
 *
 * Why no wake-up is lost, as long as nobody has dspbroker_fd(). Whenever the mutex is free, this is
 * true: the ring is armed (requester_sleeps is not 0) only if the thread that pumps has armed it
 * for stage 2 or 3, and has found the completion queue empty after that; and nobody else arms it.
 * So what completes later finds it armed, takes that back and wakes the thread: in stage 2 the word
 * is no more what the futex was told, in stage 3 the notify fd becomes readable, whose edges are
 * never lost. In stage 1 the thread compares the queue's end with what it was when it began. Others
 * may take completions at any time. The thread comes back all the same, in whatever stage: for what
 * it compares, the word and the edge all stay as they are. And before it goes to another stage it
 * looks whether something was taken since it began, which may be what it waits for.
 *
 * Once somebody has dspbroker_fd(), that must become readable with every completion. So then,
 * whenever the mutex is free: either the ring is armed, with DSP_ASLEEP, after the last look at an
 * empty completion queue, or the notify fd is readable or about to be. The broker takes the arming
 * back only to write the notify fd, so the rule can break only where that is read; and who reads it
 * arms the ring again before it releases the mutex. It may be read only by the thread that pumps,
 * or when no thread sleeps in stage 3: that might not wake up otherwise. Stage 2 is left out,
 * because the word has another meaning there.
 *
 * A nudge brings the thread back from any stage: for stage 1 a flag, for stage 2 the word and the
 * futex, for stage 3 an eventfd. It is needed when something changed on this side, when the thread
 * does not look at the socket and another one begins to wait for a reply, and for this: that a SEND
 * went well is no reason to wake a thread that waits for a message. So it sleeps soundly when
 * nobody waits for more; and whoever comes to wait for more nudges it.
 */
#include <sys/epoll.h>
#include <time.h>

#include "client/internal.h"
#include "protocol/clock.h"

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_MS     INT64_C(1000000)
#define NS_PER_US     INT64_C(1000)

#define NAP_NS (10 * NS_PER_MS)
/* Looks at the ring until the socket has its turn. */
#define ROUNDS_SOCKET 4
/* Events after which the notify socket, which holds a hundred kicks, is emptied. */
#define UNDRAINED_MAX 16
/* Looks that find nothing, and waits that end with a look at the ring alone, until one of them
 * costs a system call. */
#define GLANCES 64

int64_t pump_deadline(int timeout_ms)
{
	if (timeout_ms < 0)
		return DEADLINE_FOREVER;
	return timeout_ms ? (int64_t)clock_ns() + timeout_ms * NS_PER_MS : DEADLINE_NOW;
}

/* Nanoseconds, not negative. */
static int64_t left(int64_t deadline)
{
	if (deadline == DEADLINE_FOREVER)
		return INT64_MAX;
	return deadline == DEADLINE_NOW ? 0 : MAX(deadline - (int64_t)clock_ns(), 0);
}

uint32_t pump_left_us(int64_t deadline)
{
	if (deadline == DEADLINE_FOREVER)
		return 0;
	return (uint32_t)MIN(MAX(left(deadline) / NS_PER_US, 1), UINT32_MAX);
}

/* For epoll_wait(2): rounded up, so that it never returns early and spins. */
static int poll_timeout(int64_t deadline)
{
	if (deadline == DEADLINE_FOREVER)
		return -1;
	return (int)MIN((left(deadline) + NS_PER_MS - 1) / NS_PER_MS, INT32_MAX);
}

/* Those who wait for the thread that pumps. */
static void tell(struct dspbroker *broker)
{
	if (broker->waiting)
		pthread_cond_broadcast(&broker->changed);
}

bool pump_collect(struct dspbroker *broker)
{
	struct dsp_completion completion;
	bool any = false;
	int r = 0;

	while (!broker->broken && (r = ring_reap(&broker->ring, &completion)) > 0) {
		pending_complete(broker, &completion);
		any = true;
	}
	if (r < 0)
		connection_break(broker, "the broker's completion index lies");
	if (!any)
		return false;
	if (ring_room_wanted(&broker->ring))
		ring_kick(broker->doorbell);
	tell(broker);
	return true;
}

void pump_nudge(struct dspbroker *broker)
{
	/* Once is enough, and twice would be wrong: the word may have been armed anew. */
	if (broker->stage != PUMP_FREE && !broker->nudged) {
		broker->nudged = true;
		if (broker->stage == PUMP_NAPS) {
			ring_requester_wake(&broker->ring);
			ring_wake_requester(&broker->ring, DSP_AT_FUTEX, -1);
		} else if (broker->stage == PUMP_SLEEPS) {
			ring_kick(broker->nudge);
		}
	}
	tell(broker);
}

/* While dspbroker_fd() is in use: empty the notify socket, and let the next completion make it
 * readable. */
static void rearm(struct dspbroker *broker)
{
	char kicks[1024];

	/* It does not matter how often it was kicked. */
	while (read(broker->notify, kicks, sizeof(kicks)) == sizeof(kicks))
		continue;
	do {
		pump_collect(broker);
	} while (!broker->broken && !ring_requester_sleep(&broker->ring, DSP_ASLEEP));
}

void pump_expose(struct dspbroker *broker)
{
	pump_nudge(broker); /* whoever naps there must be awake before the word has another use */
	broker->polled = true;
	rearm(broker);
}

/* That the broker has closed it, its socket will say, too. */
static void notified(struct dspbroker *broker, uint32_t events)
{
	char kicks[1024];

	if (events & ~(uint32_t)(EPOLLIN | EPOLLHUP))
		connection_break(broker, "the notify descriptor is none");
	/* It is watched for edges, so that it need not be emptied before it is full; but who polls
	 * dspbroker_fd() sees its level. */
	if (broker->polled)
		rearm(broker);
	else if (++broker->undrained % UNDRAINED_MAX == 0)
		while (read(broker->notify, kicks, sizeof(kicks)) == sizeof(kicks))
			continue;
}

static void nudged(struct dspbroker *broker, uint32_t events)
{
	uint64_t count;

	(void)events;
	(void)!read(broker->nudge, &count, sizeof(count));
}

static void addressed(struct dspbroker *broker, uint32_t events)
{
	(void)events;
	control_receive(broker);
}

/* What is waited for, each under its place in this table. */
static void (*const sources[])(struct dspbroker *broker, uint32_t events) = {
	notified,
	nudged,
	addressed,
};

int pump_init(struct dspbroker *broker, int sock)
{
	const struct {
		int fd;
		uint32_t events;
	} watched[ARRAY_SIZE(sources)] = {
		{broker->notify, EPOLLIN | EPOLLET},
		{broker->nudge, EPOLLIN},
		{sock, EPOLLIN},
	};

	broker->nap_ns = NAP_NS;
	broker->waiter = epoll_create1(EPOLL_CLOEXEC);
	if (broker->waiter < 0)
		return -errno;
	for (uint32_t i = 0; i < ARRAY_SIZE(sources); i++) {
		struct epoll_event event = {.events = watched[i].events, .data.u32 = i};

		if (epoll_ctl(broker->waiter, EPOLL_CTL_ADD, watched[i].fd, &event) < 0)
			return -errno;
	}
	return 0;
}

/* One wait of the thread that pumps. */
struct turn {
	int64_t deadline;
	uint64_t since;  /* 0: it has not waited long enough to ask */
	uint64_t looked; /* when it did last, since then */
	uint32_t head;   /* of the completion queue, when it began */
	int n;           /* events, or -errno */
	struct epoll_event events[ARRAY_SIZE(sources)];
};

/* Needs no mutex. */
static int poll_sources(struct dspbroker *broker, struct turn *turn, int timeout_ms)
{
	turn->n = epoll_wait(broker->waiter, turn->events, ARRAY_SIZE(sources), timeout_ms);
	if (turn->n < 0)
		turn->n = -errno;
	return turn->n;
}

static void handle_events(struct dspbroker *broker, const struct turn *turn)
{
	if (turn->n < 0 && turn->n != -EINTR)
		connection_break(broker, "the library could not wait for the broker");
	for (int i = 0; i < turn->n; i++)
		sources[turn->events[i].data.u32](broker, turn->events[i].events);
}

static void enter(struct dspbroker *broker, enum pump_stage stage, bool attends)
{
	broker->stage = stage;
	broker->attends = attends;
	connection_unlock(broker);
}

/* True if the thread is to come back for something. */
static bool leave(struct dspbroker *broker, const struct turn *turn)
{
	connection_lock(broker);
	if (broker->stage != PUMP_LOOKS && !broker->polled)
		ring_requester_wake(&broker->ring);
	broker->stage = PUMP_FREE;
	broker->attends = broker->sound = false;
	return turn->n || broker->nudged || broker->broken || ring_can_reap(&broker->ring) ||
	       broker->ring.cq_head != turn->head;
}

/* Arm the ring. False: completions are there. */
static bool arm(struct dspbroker *broker, uint32_t *how)
{
	bool sound = !broker->eager;

	*how |= sound ? DSP_SOUND_ASLEEP : DSP_ASLEEP;
	if (!ring_requester_sleep(&broker->ring, *how))
		return false;
	broker->sound = sound;
	return true;
}

/* The stages. True: something happened; the mutex was released meanwhile, or not. */

/* Between two looks. The clock is read only once it did not end at once. */
static bool time_left(struct dspbroker *broker, struct turn *turn, uint64_t limit)
{
	uint64_t now;

	if (turn->since) {
		now = spin_step(&broker->spin, turn->looked);
	} else {
		spin_pause(!broker->spin.alone);
		turn->since = turn->looked = now = clock_ns();
	}
	if (now - turn->looked >= SPIN_LOST_NS)
		spin_lost(&broker->spin, now);
	turn->looked = now;
	ring_requester_here(&broker->ring);
	return now - turn->since < limit;
}

static bool look(struct dspbroker *broker, struct turn *turn)
{
	const _Atomic uint32_t *tail = &broker->ring.shared->cq_tail;
	uint64_t limit = broker->ring.may_look ? spin_limit(&broker->spin) : 0;
	bool attends = !list_empty(&broker->requests);

	if (!limit)
		return false;
	if (turn->deadline != DEADLINE_FOREVER)
		limit = MIN(limit, (uint64_t)left(turn->deadline));
	enter(broker, PUMP_LOOKS, attends);
	ring_requester_here(&broker->ring);
	for (;;) {
		if (atomic_load_explicit(tail, memory_order_relaxed) != turn->head ||
			broker->nudged)
			break;
		if (attends && !(++broker->rounds % ROUNDS_SOCKET) && poll_sources(broker, turn, 0))
			break;
		if (!time_left(broker, turn, limit))
			break;
	}
	return leave(broker, turn);
}

static bool nap(struct dspbroker *broker, struct turn *turn)
{
	uint32_t how = DSP_AT_FUTEX;
	int64_t limit;

	if (broker->polled || !list_empty(&broker->requests))
		return false;
	if (!arm(broker, &how))
		return true;
	limit = MIN(left(turn->deadline), broker->nap_ns);
	enter(broker, PUMP_NAPS, false);
	ring_requester_nap(&broker->ring, how, limit);
	return leave(broker, turn);
}

static bool sleep_for_all(struct dspbroker *broker, struct turn *turn)
{
	uint32_t how = 0;

	if (!broker->polled && !arm(broker, &how))
		return true;
	enter(broker, PUMP_SLEEPS, true);
	poll_sources(broker, turn, poll_timeout(turn->deadline));
	return leave(broker, turn);
}

static void waited(struct dspbroker *broker, const struct turn *turn)
{
	uint64_t now;

	if (!broker->ring.may_look)
		return;
	now = turn->since || broker->woke ? clock_ns() : 0;

	spin_waited(&broker->spin, now, turn->since ? now - turn->since : 0, broker->woke);
	broker->woke = false;
}

static int pump(struct dspbroker *broker, int64_t deadline)
{
	struct turn turn = {.deadline = deadline, .head = broker->ring.cq_head};
	bool any;

	if (broker->nudged)
		broker->nudged = false;
	any = look(broker, &turn);
	if (!any) {
		if (!turn.since && broker->ring.may_look)
			turn.since = clock_ns();
		any = nap(broker, &turn) || sleep_for_all(broker, &turn);
	}
	if (!broker->nudged)
		waited(broker, &turn);
	handle_events(broker, &turn);
	if (turn.n <= 0 && ++broker->glances % GLANCES == 0)
		control_receive(broker);
	pump_collect(broker);
	tell(broker);
	return any ? 0 : -ETIMEDOUT;
}

/* One look at everything. */
static int look_once(struct dspbroker *broker)
{
	struct turn turn = {};

	if (broker->stage == PUMP_FREE) {
		poll_sources(broker, &turn, 0);
		handle_events(broker, &turn);
	} else {
		if (!broker->attends)
			control_receive(broker);
		if (broker->polled && broker->stage == PUMP_LOOKS)
			rearm(broker);
	}
	tell(broker);
	return -ETIMEDOUT;
}

/* The others wait for the thread that pumps, if that sees what they wait for. */
static int wait_for_pumper(struct dspbroker *broker, int64_t deadline)
{
	struct timespec ts = {
		.tv_sec = deadline / NS_PER_SECOND,
		.tv_nsec = deadline % NS_PER_SECOND,
	};
	int r;

	if ((broker->sound && broker->eager) ||
		(!broker->attends && !list_empty(&broker->requests)))
		pump_nudge(broker);
	connection_update_attention(broker);
	broker->waiting++;
	if (deadline == DEADLINE_FOREVER)
		r = -pthread_cond_wait(&broker->changed, &broker->lock);
	else
		r = -pthread_cond_timedwait(&broker->changed, &broker->lock, &ts);
	broker->waiting--;
	return r;
}

int pump_wait_message(struct dspbroker *broker, int64_t deadline)
{
	if (broker->broken || pump_collect(broker))
		return 0;
	if (deadline == DEADLINE_NOW)
		return look_once(broker);
	return broker->stage == PUMP_FREE ? pump(broker, deadline)
					  : wait_for_pumper(broker, deadline);
}

int pump_wait(struct dspbroker *broker, int64_t deadline)
{
	int r;

	broker->eager++;
	r = pump_wait_message(broker, deadline);
	broker->eager--;
	return r;
}

int pump_glance(struct dspbroker *broker)
{
	if (broker->broken || pump_collect(broker))
		return 0;
	if (!broker->polled && ++broker->glances % GLANCES)
		return -ETIMEDOUT;
	return pump_wait(broker, DEADLINE_NOW);
}
