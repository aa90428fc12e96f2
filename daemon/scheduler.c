// SPDX-License-Identifier: MIT
#include "daemon/scheduler.h"

#include "daemon/broker.h"
#include "daemon/call.h"
#include "daemon/client.h"
#include "daemon/device.h"
#include "daemon/session.h"
#include "daemon/transport/transport.h"

void lane_init(struct lane *lane, unsigned int depth)
{
	*lane = (struct lane){.depth = depth};
	list_init(&lane->sessions);
}

/* Has it a call that could be submitted now? */
static bool wants_turn(const struct session *session)
{
	return !list_empty(&session->waiting) &&
	       !(session->lane->parallel && !list_empty(&session->submitted));
}

/* A session stands in its lane's list exactly while that is so. */
static void update_turn(struct session *session)
{
	bool listed = !list_empty(&session->turn), wants = wants_turn(session);

	if (listed && !wants)
		list_remove(&session->turn);
	else if (!listed && wants)
		list_append(&session->lane->sessions, &session->turn);
}

void scheduler_add(struct call *call)
{
	struct session *session = call->session;

	call->state = CALL_WAITING;
	list_append(&session->waiting, &call->link);
	update_turn(session);
}

void scheduler_requeue(struct call *call)
{
	struct session *session = call->session;

	deadline_clear(&session->client->broker->deadlines, &call->deadline);
	list_remove(&call->link);
	call->state = CALL_WAITING;
	list_prepend(&session->waiting, &call->link);
	update_turn(session);
}

void scheduler_remove(struct call *call)
{
	list_remove(&call->link);
	if (call->session->lane)
		update_turn(call->session);
}

/* Hand one call to the transport; the session goes to the end of the line. */
static int submit(struct session *session)
{
	struct call *call = list_first(&session->waiting, struct call, link);
	int r;

	r = session->device->ops->submit(call);
	if (r == -EAGAIN)
		return r;
	if (r) {
		call_fail(call, r < 0 ? DSP_NO_RESOURCES : call->outcome);
		return 0;
	}
	if (call->op == DSP_OP_MODULE_CLOSE)
		call_start_clock(call);
	call->state = CALL_SUBMITTED;
	list_remove(&call->link);
	list_append(&session->submitted, &call->link);
	list_remove(&session->turn);
	update_turn(session);
	return 0;
}

int scheduler_try(struct call *call)
{
	struct session *session = call->session;

	bool first = list_empty(&session->waiting) && session->lane->ready;

	scheduler_add(call);
	return first ? submit(session) : -EAGAIN;
}

void scheduler_run(struct lane *lane)
{
	struct session *session;
	unsigned int stuck = 0; /* in a row */

	while (lane->ready && lane->running < lane->depth) {
		session = list_first(&lane->sessions, struct session, turn);
		if (!session)
			return;
		if (submit(session) >= 0) {
			stuck = 0;
			continue;
		}
		/* What one has to wait for need not be what another waits for. */
		if (!lane->parallel || ++stuck > lane->attached)
			return;
		list_remove(&session->turn);
		list_append(&lane->sessions, &session->turn);
	}
}
