// SPDX-License-Identifier: MIT
#include "daemon/call.h"

#include <string.h>

#include "daemon/broker.h"
#include "daemon/client.h"
#include "daemon/device.h"
#include "daemon/scheduler.h"
#include "daemon/session.h"
#include "daemon/transport/transport.h"

void call_pool_init(struct call_pool *pool)
{
	list_init(&pool->free);
}

void call_pool_deinit(struct call_pool *pool)
{
	struct call *call, *following;

	list_for_each_safe (call, following, &pool->free, link)
		free(call);
	list_init(&pool->free);
}

struct call *call_new(struct session *session, enum dsp_op op)
{
	struct call_pool *pool = &session->client->broker->calls;
	struct call *call = list_first(&pool->free, struct call, link);

	if (call) {
		list_remove(&call->link);
	} else {
		call = malloc(sizeof(*call));
		if (!call)
			return NULL;
	}
	/* The arguments stay as they are: n_in and n_out say which of them count. */
	memset(call, 0, offsetof(struct call, args));
	list_init(&call->link);
	list_init(&call->held);
	call->session = session;
	call->op = op;
	return call;
}

void call_drop(struct call *call)
{
	struct call_pool *pool = &call->session->client->broker->calls;

	for (unsigned int i = 0; i < call->n_in + call->n_out; i++)
		buffer_unref(call->args[i].buffer);
	list_prepend(&pool->free, &call->link);
}

static void expired(struct deadline *deadline)
{
	struct call *call = container_of(deadline, struct call, deadline);

	/* Closing is not a client's wish that could go stale: it waits for its turn again. */
	if (call->op == DSP_OP_MODULE_CLOSE && call->state == CALL_SUBMITTED &&
		call->session->device->ops->cancel(call)) {
		scheduler_requeue(call);
		return;
	}
	call_abort(call, DSP_TIMED_OUT);
}

void call_start_clock(struct call *call)
{
	broker_deadline(call->session->client->broker, &call->deadline, call->timeout_us, expired);
}

void call_done(struct call *call, const struct dsp_completion *completion)
{
	struct session *session = call->session;
	struct dsp_completion told = *completion;
	enum dsp_op op = call->op;

	told.user_data = call->user_data;
	told.limit = DSP_LIMIT_NONE; /* it may come from a domain */
	deadline_clear(&session->client->broker->deadlines, &call->deadline);
	scheduler_end(call, completion->busy_ns);
	call_drop(call);
	session_call_done(session, op, &told);
}

void call_fail(struct call *call, enum dsp_status status)
{
	call_done(call, &(struct dsp_completion){.status = status});
}

bool call_cancel(struct call *call, enum dsp_status status)
{
	if (call->state == CALL_SUBMITTED) {
		if (!call->session->device->ops->cancel(call))
			return false;
		scheduler_take_back(call);
	}
	call_fail(call, status);
	return true;
}

void call_abort(struct call *call, enum dsp_status status)
{
	if (call_cancel(call, status))
		return;
	call->outcome = status;
	call->session->device->ops->abort(call);
}
