// SPDX-License-Identifier: MIT
/* Messages that are sent. */
#include <string.h>

#include "client/internal.h"

struct outgoing {
	struct dspbroker_session *session;
	const void *data;
	size_t length;
	uint32_t flags; /* DSP_SEND_TRY */
	bool submitted; /* its completion is for dspbroker_reap() */
	void *user;     /* then */
};

static int check(const struct outgoing *message)
{
	const struct dspbroker_session *session = message->session;
	int r;

	if (!session || !message->data)
		return -EINVAL;
	r = message_check(session);
	if (r < 0)
		return r;
	if (!message->length || message->length > session->info.mtu) {
		message_set("a message has 1 to %u bytes, not %zu", session->info.mtu,
			message->length);
		return -EMSGSIZE;
	}
	return 0;
}

/* Describe the message to the broker, and put it where it finds it. */
static void stage(struct pending *pending, const struct outgoing *message, int64_t deadline,
	struct dsp_entry *entry)
{
	memcpy(message->session->broker->area + pending->area_offset, message->data,
		message->length);
	entry->op = DSP_OP_SEND;
	entry->n_in = 1;
	entry->n_out = 0;
	entry->session = message->session->id;
	entry->target = 0;
	entry->method = message->flags;
	entry->timeout_us = pump_left_us(deadline);
	entry->args[0] = (struct dsp_arg){
		.buffer = DSP_ARGUMENT_AREA,
		.offset = pending->area_offset,
		.length = pending->area_size,
	};
}

/* Returns 0, -EAGAIN when there is no room, or -ECONNRESET. */
static int start(struct pending **out, const struct outgoing *message, int64_t deadline)
{
	struct dspbroker *broker = message->session->broker;
	struct dsp_entry entry;
	struct pending *pending;

	if (broker->broken)
		return connection_gone(broker);
	pending = pending_take(message->session, DSP_OP_SEND, message->submitted,
		(uint32_t)message->length);
	if (!pending)
		return -EAGAIN;
	pending->user = message->user;
	pending->n_in = 1;
	stage(pending, message, deadline, &entry);
	*out = pending;
	return pending_start(broker, pending, &entry);
}

int dspbroker_send(struct dspbroker_session *session, const void *data, size_t length,
	int timeout_ms)
{
	const struct outgoing message = {.session = session, .data = data, .length = length};
	int64_t deadline = pump_deadline(timeout_ms);
	struct pending *pending;
	int r;

	message_clear();
	r = check(&message);
	if (r < 0)
		return r;

	HOLD(session->broker);
	while ((r = start(&pending, &message, deadline)) == -EAGAIN) {
		r = pending_await_room(session->broker, deadline);
		if (r < 0)
			return r == -ETIMEDOUT ? DSPBROKER_TIMED_OUT : r;
	}
	if (r < 0)
		return r;
	return pending_await(session->broker, pending, NULL);
}

int dspbroker_try_send(struct dspbroker_session *session, const void *data, size_t length)
{
	const struct outgoing message = {
		.session = session,
		.data = data,
		.length = length,
		.flags = DSP_SEND_TRY,
	};
	struct pending *pending;
	int r;

	message_clear();
	r = check(&message);
	if (r < 0)
		return r;

	HOLD(session->broker);
	r = start(&pending, &message, DEADLINE_FOREVER);
	if (r == -EAGAIN) {
		message_set("the connection has no room for it now");
		return DSPBROKER_BUSY;
	}
	if (r < 0)
		return r;
	return pending_await(session->broker, pending, NULL);
}

int dspbroker_submit_send(struct dspbroker_session *session, const void *data, size_t length,
	void *user)
{
	const struct outgoing message = {
		.session = session,
		.data = data,
		.length = length,
		.submitted = true,
		.user = user,
	};
	struct pending *pending;
	int r;

	message_clear();
	r = check(&message);
	if (r < 0)
		return r;

	HOLD(session->broker);
	return start(&pending, &message, DEADLINE_FOREVER);
}
