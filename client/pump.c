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
 */
#include <poll.h>
#include <time.h>

#include "client/internal.h"

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_MS     INT64_C(1000000)

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

/* For poll(2): rounded up, so that it never returns early and spins. */
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

void pump_arm(struct dspbroker *broker)
{
	do {
		pump_collect(broker);
	} while (!broker->broken && !ring_requester_sleep(&broker->ring));
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

/* That the broker has closed it, its socket will say, too. */
static void drain_notify(struct dspbroker *broker, short events)
{
	char kicks[64];

	if (events & ~(POLLIN | POLLHUP))
		connection_break(broker, "the notify descriptor is none");
	/* It does not matter how often it was kicked. */
	(void)!read(broker->notify, kicks, sizeof(kicks));
	pump_arm(broker);
}

static void drain_nudge(struct dspbroker *broker)
{
	uint64_t count;

	(void)!read(broker->nudge, &count, sizeof(count));
}

int pump_wait(struct dspbroker *broker, int64_t deadline)
{
	struct pollfd fds[] = {
		{.fd = broker->sock, .events = POLLIN},
		{.fd = broker->notify, .events = POLLIN},
		{.fd = broker->nudge, .events = POLLIN},
	};
	int n;

	if (broker->broken || pump_collect(broker))
		return 0;
	if (broker->pumping)
		return wait_for_pumper(broker, deadline);

	broker->pumping = true;
	connection_unlock(broker);
	n = poll(fds, ARRAY_SIZE(fds), poll_timeout(deadline));
	if (n < 0)
		n = -errno;
	connection_lock(broker);
	broker->pumping = false;

	if (n < 0 && n != -EINTR)
		connection_break(broker, "the library could not wait for the broker");
	if (n > 0 && fds[1].revents)
		drain_notify(broker, fds[1].revents);
	if (n > 0 && fds[2].revents)
		drain_nudge(broker);
	if (n > 0 && fds[0].revents)
		control_receive(broker);
	pthread_cond_broadcast(&broker->changed);
	return n ? 0 : -ETIMEDOUT;
}
