// SPDX-License-Identifier: MIT
#include <string.h>

#include "client/internal.h"

static_assert(DSPBROKER_INLINE_MAX <= (UINT32_MAX - ARENA_ALIGN) / DSP_ARGS_MAX,
	"the bytes of a call's inline arguments can be added up");

static int invalid_argument(unsigned int i, const char *what)
{
	message_set("argument %u: %s", i, what);
	return -EINVAL;
}

/* Look at a call before anything is done for it. @area_size: bytes of its inline arguments. */
static int check(const struct dspbroker_session *session, const struct dspbroker_call *call,
	uint32_t *area_size)
{
	*area_size = 0;
	if (!session || !call || call->n_in > DSPBROKER_ARGS_MAX ||
		call->n_out > DSPBROKER_ARGS_MAX - call->n_in)
		return -EINVAL;
	if (session->info.mtu) {
		message_set("the channel takes messages, not calls");
		return -EOPNOTSUPP;
	}
	if (!call->args && call->n_in + call->n_out)
		return -EINVAL;
	for (unsigned int i = 0; i < call->n_in + call->n_out; i++) {
		const struct dspbroker_arg *arg = &call->args[i];

		if (arg->buffer && arg->buffer->broker != session->broker)
			return invalid_argument(i, "the buffer is of another connection");
		if (arg->buffer)
			continue;
		if (arg->length > DSPBROKER_INLINE_MAX)
			return invalid_argument(i, "too long for inline data, use a buffer");
		if (arg->length && !arg->data)
			return invalid_argument(i, "neither a buffer nor data");
		*area_size += arena_round(arg->length);
	}
	if (*area_size > session->broker->arena.size) {
		message_set("inline arguments of %u bytes together, the limit is %u", *area_size,
			session->broker->arena.size);
		return -EMSGSIZE;
	}
	return 0;
}

/* Describe the call to the broker, and put inline inputs where it finds them. */
static void stage(struct dspbroker *broker, struct pending *pending,
	const struct dspbroker_call *call, struct dsp_entry *entry)
{
	uint32_t offset = pending->area_offset;

	for (unsigned int i = 0; i < call->n_in + call->n_out; i++) {
		const struct dspbroker_arg *arg = &call->args[i];
		struct dsp_arg *range = &entry->args[i];

		*range = (struct dsp_arg){.length = arg->length};
		if (arg->buffer) {
			range->buffer = arg->buffer->id;
			range->offset = arg->offset;
			continue;
		}
		range->buffer = DSP_ARGUMENT_AREA;
		if (!arg->length)
			continue;
		range->offset = offset;
		offset += arena_round(arg->length);
		if (i < call->n_in) {
			memcpy(broker->area + range->offset, arg->data, arg->length);
		} else {
			pending->outputs[pending->n_outputs].data = arg->data;
			pending->outputs[pending->n_outputs].offset = range->offset;
			pending->outputs[pending->n_outputs].length = range->length;
			pending->n_outputs++;
		}
	}
}

/* Returns 0, -EAGAIN when there is no room, or -ECONNRESET. */
static int start(struct pending **out, struct dspbroker_session *session,
	const struct dspbroker_call *call, uint32_t area_size, bool submitted)
{
	struct dspbroker *broker = session->broker;
	struct dsp_entry entry;
	struct pending *pending;

	if (broker->broken)
		return connection_gone(broker);
	pending = pending_take(session, DSP_OP_INVOKE, submitted, area_size);
	if (!pending)
		return -EAGAIN;
	pending->user = call->user;
	pending->n_in = call->n_in;
	entry.op = DSP_OP_INVOKE;
	entry.n_in = (uint8_t)call->n_in;
	entry.n_out = (uint8_t)call->n_out;
	entry.session = session->id;
	entry.target = 0;
	entry.method = call->method;
	entry.timeout_us = call->timeout_us;
	stage(broker, pending, call, &entry);
	*out = pending;
	return pending_start(broker, pending, &entry);
}

int dspbroker_invoke(struct dspbroker_session *session, const struct dspbroker_call *call,
	int32_t *result)
{
	struct pending *pending;
	uint32_t area_size;
	int r;

	message_clear();
	r = check(session, call, &area_size);
	if (r < 0)
		return r;

	HOLD(session->broker);
	while ((r = start(&pending, session, call, area_size, false)) == -EAGAIN)
		if (pending_await_room(session->broker, DEADLINE_FOREVER) < 0)
			return -EAGAIN;
	if (r < 0)
		return r;
	return pending_await(session->broker, pending, result);
}

int dspbroker_submit(struct dspbroker_session *session, const struct dspbroker_call *call)
{
	struct pending *pending;
	uint32_t area_size;
	int r;

	message_clear();
	r = check(session, call, &area_size);
	if (r < 0)
		return r;

	HOLD(session->broker);
	return start(&pending, session, call, area_size, true);
}

/* The tag of the oldest; 0 when there is none. */
static uint64_t find_submitted(const struct dspbroker_session *session, const void *user)
{
	const struct dspbroker *broker = session->broker;
	const struct pending *pending;

	list_for_each (pending, &broker->running, link)
		if (pending->submitted && pending->session == session && pending->user == user)
			return pending_tag(broker, pending);
	return 0;
}

static int start_cancel(struct pending **out, struct dspbroker_session *session, uint64_t target)
{
	struct dspbroker *broker = session->broker;
	struct dsp_entry entry = {
		.op = DSP_OP_CANCEL,
		.session = session->id,
		.target = target,
	};
	struct pending *pending;

	if (broker->broken)
		return connection_gone(broker);
	pending = pending_take(session, DSP_OP_CANCEL, false, 0);
	if (!pending)
		return -EAGAIN;
	*out = pending;
	return pending_start(broker, pending, &entry);
}

int dspbroker_cancel(struct dspbroker_session *session, const void *user)
{
	struct pending *pending;
	uint64_t target;
	int r;

	message_clear();
	if (!session)
		return -EINVAL;

	HOLD(session->broker);
	if (session->broker->broken)
		return connection_gone(session->broker);
	target = find_submitted(session, user);
	if (!target)
		return DSPBROKER_NOT_FOUND;
	while ((r = start_cancel(&pending, session, target)) == -EAGAIN)
		if (pending_await_room(session->broker, DEADLINE_FOREVER) < 0)
			return DSPBROKER_NOT_FOUND; /* nothing runs any more, so neither does it */
	if (r < 0)
		return r;
	return pending_await(session->broker, pending, NULL);
}

static unsigned int take_ready(struct dspbroker *broker, struct dspbroker_completion *out,
	unsigned int max)
{
	struct pending *pending;
	unsigned int n;

	for (n = 0; n < max && !list_empty(&broker->ready); n++) {
		pending = list_first(&broker->ready, struct pending, link);
		out[n] = (struct dspbroker_completion){
			.session = pending->session,
			.user = pending->user,
			.status = pending->status,
			.result = pending->result,
			.busy_ns = pending->busy_ns,
			.generation = pending_generation(pending),
			.limit = pending->status == DSP_OVER_LIMIT ? pending->limit : 0,
		};
		pending_finish(broker, pending);
	}
	return n;
}

static unsigned int await_ready(struct dspbroker *broker, struct dspbroker_completion *out,
	unsigned int max, int64_t deadline)
{
	unsigned int n = 0;
	int r = 0;

	while (!n && !broker->broken && r != -ETIMEDOUT) {
		r = deadline == DEADLINE_NOW
			    ? pump_glance(broker)
			    : pump_wait(broker, broker->n_submitted ? deadline : DEADLINE_NOW);
		n = take_ready(broker, out, max);
	}
	return n;
}

int dspbroker_reap(struct dspbroker *broker, struct dspbroker_completion *out, unsigned int max,
	int timeout_ms)
{
	unsigned int n;

	message_clear();
	if (!broker || !out || !max || max > INT32_MAX)
		return -EINVAL;

	HOLD(broker);
	pump_collect(broker);
	n = take_ready(broker, out, max);
	if (!n)
		n = await_ready(broker, out, max, pump_deadline(timeout_ms));
	if (!n)
		connection_clear_attention(broker);
	return !n && broker->broken ? connection_gone(broker) : (int)n;
}
