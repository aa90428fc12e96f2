// SPDX-License-Identifier: MIT
#include "daemon/transport/rpmsg_endpoint.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "daemon/broker.h"
#include "daemon/call.h"
#include "daemon/limits.h"
#include "daemon/session.h"
#include "daemon/transport/rpmsg_device.h"
#include "daemon/transport/rpmsg_node.h"

/* Asking the remote processor to stop or go on: over GLINK the kernel waits until it has room for
 * that, however long. */
struct rpmsg_pace {
	struct job job;
	struct rpmsg_endpoint *endpoint; /* NULL: it has ended */
	int fd;                          /* its own */
	bool stop;
	bool failed;
};

static struct broker *broker_of(const struct rpmsg_endpoint *endpoint)
{
	return endpoint->rpmsg->device.broker;
}

/* Its end. */

/* Let go of its session, which is the caller's then. */
static struct session *end(struct rpmsg_endpoint *endpoint)
{
	struct session *session = TAKE_PTR(endpoint->session);

	session->endpoint = NULL;
	if (endpoint->pace)
		endpoint->pace->endpoint = NULL;
	endpoint->pace = NULL;
	endpoint->lane.ready = false;
	endpoint->fd = -1;
	loop_remove(&endpoint->source);
	endpoint->node = rpmsg_node_put(endpoint->node);
	deadline_clear(&broker_of(endpoint)->deadlines, &endpoint->opening);
	list_remove(&endpoint->queue);
	list_remove(&endpoint->link);
	list_append(&endpoint->rpmsg->ended, &endpoint->link);
	rpmsg_device_update(endpoint->rpmsg);
	return session;
}

void rpmsg_endpoint_close(struct rpmsg_endpoint *endpoint)
{
	session_end_calls(endpoint->session, DSP_CANCELLED);
	session_closed(end(endpoint));
}

void rpmsg_endpoint_lose(struct rpmsg_endpoint *endpoint, enum dsp_status status, const char *text)
{
	session_lost(end(endpoint), status, text);
}

/* The kernel takes all endpoints of a link away when the link goes, and no others. EIO: virtio
 * knows already that nobody is at the other end, which is for good. */
static bool is_link_gone(int error)
{
	return error == -EPIPE || error == -ENODEV || error == -ENXIO || error == -ENETRESET ||
	       error == -EIO;
}

void rpmsg_endpoint_break(struct rpmsg_endpoint *endpoint)
{
	char text[DSP_TEXT_SIZE];

	if (is_link_gone(endpoint->error)) {
		rpmsg_device_lost(endpoint->rpmsg);
		return;
	}
	snprintf(text, sizeof(text), "the link to the remote processor failed: %s",
		strerror(-endpoint->error));
	rpmsg_endpoint_lose(endpoint, DSP_DEVICE_DOWN, text);
}

void rpmsg_endpoint_free(struct rpmsg_endpoint *endpoint)
{
	list_remove(&endpoint->link);
	free(endpoint);
}

/* Messages that arrive. */

/* Read one message. Returns its size, or -errno; more than the MTU: it did not fit, and is lost. */
static ssize_t read_message(struct rpmsg_endpoint *endpoint)
{
	const uint32_t mtu = endpoint->session->mailbox.mtu;
	/* The kernel cuts off what has no room, and does not say so. */
	char beyond;
	const struct iovec parts[] = {
		{.iov_base = mailbox_place(endpoint->session), .iov_len = mtu},
		{.iov_base = &beyond, .iov_len = sizeof(beyond)},
	};
	ssize_t n = readv(endpoint->fd, parts, ARRAY_SIZE(parts));

	/* There was no memory behind the client's, or behind ours. */
	if (n < 0 && errno == EFAULT)
		return (ssize_t)mtu + 1;
	return n < 0 ? -errno : n;
}

/*
 * After the last message a read finds nothing, which costs as much as one that does. Who gets one
 * answer to each question does not pay for it, but for one read in ENDPOINT_MESSAGES_A_TURN; and a
 * flood is read in bursts.
 */
static void adapt_burst(struct rpmsg_endpoint *endpoint, unsigned int n)
{
	const unsigned int max = ENDPOINT_MESSAGES_A_TURN;

	if (n < endpoint->burst) {
		if (n <= 1)
			endpoint->patience = MIN(endpoint->patience * 2, max);
		endpoint->burst = 1;
		endpoint->singles = 0;
	} else if (n > 1) {
		endpoint->patience = 1;
		endpoint->burst = MIN(endpoint->burst * 2, max);
	} else if (++endpoint->singles >= endpoint->patience) {
		endpoint->burst = 2;
	}
}

static void receive(struct rpmsg_endpoint *endpoint)
{
	struct rpmsg_device *rpmsg = endpoint->rpmsg;
	unsigned int n = 0;
	ssize_t size = 0;

	/* Each message may end the session. */
	while (endpoint->session && n < endpoint->burst) {
		size = read_message(endpoint);
		if (size < 0)
			break;
		n++;
		mailbox_arrived(endpoint->session, (size_t)size);
	}
	if (endpoint->session && size < 0 && size != -EAGAIN && size != -EINTR) {
		endpoint->error = (int)size;
		rpmsg_endpoint_break(endpoint);
		return;
	}
	adapt_burst(endpoint, n);
	/* Whoever sends has perhaps received, too. */
	if (n)
		rpmsg_device_retry(rpmsg);
}

/* Flow control. */

static void stop_sending(struct rpmsg_endpoint *endpoint, bool stop)
{
	list_remove(&endpoint->queue);
	endpoint->lane.ready = !stop;
	if (!stop)
		scheduler_run(&endpoint->lane);
}

static void flow_changed(struct rpmsg_endpoint *endpoint)
{
	int stop;

	if (ioctl(endpoint->fd, RPMSG_GET_OUTGOING_FLOWCONTROL, &stop) < 0)
		loop_modify(&endpoint->source, EPOLLIN);
	else if (!endpoint->error)
		stop_sending(endpoint, stop);
}

static void pace_run(struct job *job)
{
	struct rpmsg_pace *pace = container_of(job, struct rpmsg_pace, job);

	pace->failed = ioctl(pace->fd, RPMSG_SET_INCOMING_FLOWCONTROL, (long)pace->stop) < 0;
}

static void pace_done(struct job *job)
{
	struct rpmsg_pace *pace = container_of(job, struct rpmsg_pace, job);
	struct rpmsg_endpoint *endpoint = pace->endpoint;
	bool done = pace->stop;

	if (endpoint) {
		endpoint->pace = NULL;
		endpoint->no_flow_control = pace->failed;
	}
	fd_close(pace->fd);
	free(pace);
	/* It may have been asked for the opposite meanwhile. */
	if (endpoint && endpoint->stop != done)
		rpmsg_endpoint_pace(endpoint, endpoint->stop);
}

void rpmsg_endpoint_pace(struct rpmsg_endpoint *endpoint, bool stop)
{
	struct rpmsg_pace *pace;

	endpoint->stop = stop;
	if (endpoint->no_flow_control || endpoint->pace)
		return;
	pace = calloc(1, sizeof(*pace));
	if (!pace)
		return; /* what finds no room is dropped, as where there is no flow control */
	*pace = (struct rpmsg_pace){
		.job = {.run = pace_run, .done = pace_done},
		.endpoint = endpoint,
		.fd = fcntl(endpoint->fd, F_DUPFD_CLOEXEC, 3),
		.stop = stop,
		.failed = true,
	};
	endpoint->pace = pace;
	workers_run(broker_of(endpoint)->workers, &pace->job);
}

static void on_event(struct loop_source *source, uint32_t events)
{
	struct rpmsg_endpoint *endpoint = container_of(source, struct rpmsg_endpoint, source);

	if (events & (EPOLLERR | EPOLLHUP)) {
		rpmsg_device_lost(endpoint->rpmsg);
		return;
	}
	if (events & EPOLLIN)
		receive(endpoint);
	if ((events & EPOLLPRI) && endpoint->session)
		flow_changed(endpoint);
}

/* Messages to be sent. */

/* What a client is told of a message that the kernel refuses as such; DSP_OK: not that. */
static enum dsp_status refusal(int error)
{
	return error == EMSGSIZE || error == EINVAL || error == EFAULT ? DSP_INVALID : DSP_OK;
}

/* There is no room now. EBUSY: a GLINK channel has no buffer of that size. */
static bool is_full(int error)
{
	return error == EAGAIN || error == EBUSY || error == ENOMEM || error == ENOBUFS ||
	       error == EINTR;
}

int rpmsg_endpoint_send(struct rpmsg_endpoint *endpoint, struct call *call)
{
	const struct call_arg *arg = &call->args[0];
	/* The client may write to it all the time, and what it sends is its own affair. */
	const char *message = arg->buffer->map + arg->offset;
	ssize_t n;
	int error;

	if (rpmsg_device_must_wait(endpoint->rpmsg, endpoint)) {
		rpmsg_device_full(endpoint->rpmsg, endpoint);
		return -EAGAIN;
	}
	n = write(endpoint->fd, message, arg->length);
	error = errno;
	if (n >= 0) {
		call->outcome = DSP_OK;
		rpmsg_device_sent(endpoint->rpmsg);
		return 1;
	}
	call->outcome = refusal(error);
	if (call->outcome != DSP_OK)
		return 1;
	if (is_full(error)) {
		rpmsg_device_full(endpoint->rpmsg, endpoint);
		return -EAGAIN;
	}
	/* Not now: the end of the session ends this call. */
	endpoint->error = -error;
	endpoint->lane.ready = false;
	list_append(&endpoint->rpmsg->broken, &endpoint->queue);
	return -EAGAIN;
}

/* Opening. */

static enum dsp_status status_of(int error)
{
	static const struct {
		int error;
		enum dsp_status status;
	} known[] = {
		{-EBUSY, DSP_BUSY},
		{-EMFILE, DSP_NO_RESOURCES},
		{-ENFILE, DSP_NO_RESOURCES},
		{-ENOMEM, DSP_NO_RESOURCES},
		{-ENOSPC, DSP_NO_RESOURCES},
		{-EACCES, DSP_NO_RESOURCES},
		{-EPERM, DSP_NO_RESOURCES},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].error == error)
			return known[i].status;
	return DSP_DEVICE_DOWN;
}

static void fail(struct rpmsg_endpoint *endpoint, int error)
{
	char text[DSP_TEXT_SIZE];

	/* The node goes with the endpoint. */
	if (endpoint->node && endpoint->node->error)
		wire_string_set(text, sizeof(text), endpoint->node->text);
	else
		snprintf(text, sizeof(text), "cannot make an endpoint: %s", strerror(-error));
	rpmsg_endpoint_lose(endpoint, status_of(error), text);
}

void rpmsg_endpoint_wait(struct rpmsg_endpoint *endpoint)
{
	endpoint->node = rpmsg_node_put(endpoint->node);
	endpoint->instance = 0;
}

/* Was that because the link has gone, unnoticed until then? */
static bool is_node_gone(const struct rpmsg_node *node)
{
	return !rpmsg_scan_is_alive(node->broker->options->sysfs, node->ctrl, node->ctrl_instance);
}

static void on_opened(void *owner)
{
	struct rpmsg_endpoint *endpoint = owner;
	struct rpmsg_device *rpmsg = endpoint->rpmsg;
	int r = endpoint->node->error;

	if (r >= 0)
		r = loop_add(rpmsg->device.broker->loop, &endpoint->source, endpoint->node->fd,
			EPOLLIN | EPOLLPRI, on_event);
	if (r < 0 && is_node_gone(endpoint->node)) {
		rpmsg_endpoint_wait(endpoint);
		rpmsg_device_lost(rpmsg);
		return;
	}
	if (r < 0) {
		fail(endpoint, r);
		return;
	}
	endpoint->fd = endpoint->node->fd;
	endpoint->lane.ready = true;
	deadline_clear(&rpmsg->device.broker->deadlines, &endpoint->opening);
	list_remove(&endpoint->link);
	list_append(&rpmsg->endpoints, &endpoint->link);
	rpmsg_device_update(rpmsg);
	session_opened(endpoint->session, rpmsg->mtu);
}

static int make_node(struct rpmsg_endpoint *endpoint, const struct channel *channel)
{
	const struct rpmsg_device *rpmsg = endpoint->rpmsg;

	/* GLINK goes by the name, and the others by the address. Only they have several services of
	 * one name, where the channel's is longer. */
	endpoint->instance = channel->instance;
	return rpmsg_node_get(&endpoint->node, rpmsg->device.broker, &rpmsg->link,
		rpmsg->device.policy->lifecycle != POLICY_EXTERNAL, channel->service,
		channel->address, on_opened, endpoint);
}

void rpmsg_endpoint_start(struct rpmsg_endpoint *endpoint, const struct channel *channel)
{
	int r = make_node(endpoint, channel);

	if (r < 0)
		fail(endpoint, r);
}

/* The time that opening may take is over. */
static void expired(struct deadline *deadline)
{
	struct rpmsg_endpoint *endpoint = container_of(deadline, struct rpmsg_endpoint, opening);

	rpmsg_endpoint_lose(endpoint, DSP_TIMED_OUT,
		endpoint->node            ? "the endpoint could not be opened in time"
		: endpoint->rpmsg->linked ? "the remote processor did not announce it in time"
					  : "the remote processor did not start in time");
}

int rpmsg_endpoint_new(struct rpmsg_device *rpmsg, struct session *session)
{
	struct broker *broker = rpmsg->device.broker;
	const struct channel *channel = device_channel(&rpmsg->device, session->service);
	struct rpmsg_endpoint *endpoint = calloc(1, sizeof(*endpoint));
	int r = 0;

	if (!endpoint)
		return -ENOMEM;
	endpoint->rpmsg = rpmsg;
	endpoint->session = session;
	endpoint->fd = -1;
	endpoint->burst = endpoint->patience = 1;
	list_init(&endpoint->queue);
	lane_init(&endpoint->lane, &rpmsg->device, 1);
	endpoint->lane.attached = 1;
	list_append(&rpmsg->opening, &endpoint->link);
	session->endpoint = endpoint;
	session->lane = &endpoint->lane;
	broker_deadline(broker, &endpoint->opening, session->timeout_us, expired);
	rpmsg_device_update(rpmsg);
	if (channel && rpmsg_device_is_ready(rpmsg))
		r = make_node(endpoint, channel);
	if (r < 0)
		end(endpoint)->lane = NULL;
	return r;
}
