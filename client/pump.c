// SPDX-License-Identifier: MIT
/*
 * The one place that waits for the broker.
 *
 * No wake-up is lost because of one rule, true whenever the mutex is free: either the ring is
 * armed (requester_sleeps was set after the last look at an empty completion queue), or the notify
 * fd is readable or about to be. The broker takes the arming back only to write the notify fd, so
 * the rule can break only where that is read; and that is done by the pumping thread alone, which
 * arms the ring again before it releases the mutex. Anybody may take completions at any time: the
 * thread that pumps, and whoever polls dspbroker_fd(), still sees the notify fd.
 *
 * That a SEND went well is no reason to wake a thread that waits for a message. So the ring sleeps
 * soundly as long as nobody else waits, and nobody may be polling dspbroker_fd(); whoever comes to
 * wait for more arms it anew.
 */
#include <sys/epoll.h>
#include <time.h>

#include "client/internal.h"

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_MS     INT64_C(1000000)
#define NS_PER_US     INT64_C(1000)

/* Events after which the notify socket, which holds a hundred kicks, is emptied. */
#define UNDRAINED_MAX 16
/* Looks that find nothing, until one of them costs a system call. */
#define GLANCES 64

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_SECOND + ts.tv_nsec;
}

int64_t pump_deadline(int timeout_ms)
{
	if (timeout_ms < 0)
		return DEADLINE_FOREVER;
	return timeout_ms ? now() + timeout_ms * NS_PER_MS : DEADLINE_NOW;
}

uint32_t pump_left_us(int64_t deadline)
{
	int64_t left;

	if (deadline == DEADLINE_FOREVER)
		return 0;
	left = deadline == DEADLINE_NOW ? 0 : (deadline - now()) / NS_PER_US;
	return (uint32_t)MIN(MAX(left, 1), UINT32_MAX);
}

/* For epoll_wait(2): rounded up, so that it never returns early and spins. */
static int poll_timeout(int64_t deadline)
{
	int64_t left;

	if (deadline == DEADLINE_FOREVER)
		return -1;
	if (deadline == DEADLINE_NOW)
		return 0;
	left = deadline - now();
	return left <= 0 ? 0 : (int)MIN((left + NS_PER_MS - 1) / NS_PER_MS, INT32_MAX);
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
	pthread_cond_broadcast(&broker->changed);
	return true;
}

static void sleep_soundly(struct dspbroker *broker)
{
	ring_requester_sleep_soundly(&broker->ring);
	broker->sound = true;
}

bool pump_arm(struct dspbroker *broker)
{
	bool any = false;

	do {
		any |= pump_collect(broker);
	} while (!broker->broken && !ring_requester_sleep(&broker->ring));
	broker->sound = false;
	if (!broker->polled && !broker->eager)
		sleep_soundly(broker);
	return any;
}

void pump_nudge(struct dspbroker *broker)
{
	if (broker->pumping)
		ring_kick(broker->nudge);
	pthread_cond_broadcast(&broker->changed);
}

static int wait_for_pumper(struct dspbroker *broker, int64_t deadline)
{
	struct timespec ts = {
		.tv_sec = deadline / NS_PER_SECOND,
		.tv_nsec = deadline % NS_PER_SECOND,
	};

	if (deadline == DEADLINE_NOW)
		return -ETIMEDOUT;
	connection_update_attention(broker);
	if (deadline == DEADLINE_FOREVER)
		return -pthread_cond_wait(&broker->changed, &broker->lock);
	return -pthread_cond_timedwait(&broker->changed, &broker->lock, &ts);
}

void pump_drain(struct dspbroker *broker)
{
	char kicks[1024];

	/* It does not matter how often it was kicked. */
	while (read(broker->notify, kicks, sizeof(kicks)) == sizeof(kicks))
		continue;
	broker->undrained = 0;
}

/* That the broker has closed it, its socket will say, too. */
static void notified(struct dspbroker *broker, uint32_t events)
{
	if (events & ~(uint32_t)(EPOLLIN | EPOLLHUP))
		connection_break(broker, "the notify descriptor is none");
	/* It is watched for edges, so that it need not be emptied before it is full; but who polls
	 * dspbroker_fd() sees its level. */
	if (broker->polled || ++broker->undrained == UNDRAINED_MAX)
		pump_drain(broker);
	pump_arm(broker);
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

/* Before a thread sleeps: let the ring sleep as soundly as that allows. True if something was taken
 * on the way. */
static bool adjust_sleep(struct dspbroker *broker)
{
	bool sound = !broker->polled && !broker->eager;

	if (broker->sound && !sound)
		return pump_arm(broker);
	if (sound && !broker->sound)
		sleep_soundly(broker);
	return false;
}

int pump_wait_message(struct dspbroker *broker, int64_t deadline)
{
	struct epoll_event events[ARRAY_SIZE(sources)];
	int n;

	if (broker->broken || pump_collect(broker))
		return 0;
	if (deadline != DEADLINE_NOW && adjust_sleep(broker))
		return 0;
	if (broker->pumping)
		return wait_for_pumper(broker, deadline);

	broker->pumping = true;
	connection_unlock(broker);
	n = epoll_wait(broker->waiter, events, ARRAY_SIZE(events), poll_timeout(deadline));
	if (n < 0)
		n = -errno;
	connection_lock(broker);
	broker->pumping = false;

	if (n < 0 && n != -EINTR)
		connection_break(broker, "the library could not wait for the broker");
	for (int i = 0; i < n; i++)
		sources[events[i].data.u32](broker, events[i].events);
	pthread_cond_broadcast(&broker->changed);
	return n && deadline != DEADLINE_NOW ? 0 : -ETIMEDOUT;
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
