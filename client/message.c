// SPDX-License-Identifier: MIT
/*
 * Messages that arrive. A session that takes messages holds a window of RECEIVEs, each with room
 * for one message in the argument area: they are posted at the broker, or have arrived and wait
 * here for dspbroker_receive(), which posts them again.
 *
 * Every session has a right to one RECEIVE, and what there is beyond is shared out. Together they
 * take less than half of the completion queue (the other half is for what is submitted), and fit
 * into the submission queue twice, with room for a call beside them; see pending.c.
 *
 * To post again rings no doorbell each time: the broker sees it with whatever is submitted next, or
 * when half of the window is out of its sight. So it always has one that it sees, unless something
 * has arrived.
 */
#include <string.h>

#include "client/internal.h"

#define WINDOW_MAX 8u

static uint32_t sessions_max(const struct dspbroker *broker)
{
	return MIN(broker->ring.sq_slots, broker->n_table) / 4;
}

/* RECEIVEs beyond the first of each session. */
static uint32_t extra_max(const struct dspbroker *broker)
{
	uint32_t all = MIN(broker->n_table / 2 - 1, (broker->ring.sq_slots - DSP_SLOTS_MAX) / 2);

	return all - sessions_max(broker);
}

/* How many this session should hold now. */
static uint32_t window(const struct dspbroker_session *session)
{
	const struct dspbroker *broker = session->broker;
	uint32_t share = 1 + extra_max(broker) / broker->n_message_sessions;

	return MAX(MIN(MIN(share, WINDOW_MAX), session->info.calls_max), 1u);
}

/* Bytes of the argument area that all may take: something must be left for what is sent, and for
 * the first one of a session to come. */
static uint32_t bytes_max(const struct dspbroker_session *session)
{
	return session->broker->arena.size / (session->n_held ? 4 : 2);
}

static void describe(const struct pending *pending, struct dsp_entry *entry)
{
	entry->op = DSP_OP_RECEIVE;
	entry->n_in = 0;
	entry->n_out = 1;
	entry->session = pending->session->id;
	entry->target = 0;
	entry->method = 0;
	entry->timeout_us = 0;
	entry->args[0] = (struct dsp_arg){
		.buffer = DSP_ARGUMENT_AREA,
		.offset = pending->area_offset,
		.length = pending->area_size,
	};
}

static void release(struct pending *pending)
{
	struct dspbroker_session *session = pending->session;
	struct dspbroker *broker = session->broker;

	broker->receive_bytes -= arena_round(pending->area_size);
	broker->n_receives--;
	broker->n_extra -= session->n_held > 1;
	session->n_held--;
	pending_put(broker, pending);
}

/* Post one more. Returns 0, -EAGAIN or -ECONNRESET. */
static int hold(struct dspbroker_session *session)
{
	struct dspbroker *broker = session->broker;
	struct pending *pending = pending_take(session, DSP_OP_RECEIVE, false, session->info.mtu);
	struct dsp_entry entry;
	int r;

	if (!pending)
		return -EAGAIN;
	broker->receive_bytes += arena_round(pending->area_size);
	broker->n_receives++;
	broker->n_extra += session->n_held > 0;
	session->n_held++;
	describe(pending, &entry);
	r = pending_push(broker, pending, &entry);
	if (r < 0)
		release(pending);
	return r;
}

static void post_again(struct pending *pending)
{
	struct dsp_entry entry;

	describe(pending, &entry);
	if (pending_push_again(pending->session->broker, pending, &entry) < 0)
		release(pending);
}

static void widen(struct dspbroker_session *session)
{
	struct dspbroker *broker = session->broker;
	uint32_t wanted = window(session), size = arena_round(session->info.mtu);

	while (session->n_held < wanted && broker->n_extra < extra_max(broker) &&
		broker->receive_bytes + size <= bytes_max(session))
		if (hold(session) < 0)
			return;
}

/* May it have its first one? */
static bool fits(const struct dspbroker_session *session)
{
	const struct dspbroker *broker = session->broker;
	uint32_t most = bytes_max(session);

	return broker->n_message_sessions < sessions_max(broker) && session->info.mtu <= most &&
	       broker->receive_bytes + arena_round(session->info.mtu) <= most;
}

int message_open(struct dspbroker_session *session)
{
	struct dspbroker *broker = session->broker;
	int r;

	if (!session->info.mtu)
		return 0;
	do {
		if (broker->broken)
			return connection_gone(broker);
		if (!fits(session))
			return -ENOSPC;
		r = hold(session);
	} while (r == -EAGAIN && pending_await_room(broker, DEADLINE_FOREVER) == 0);
	if (r < 0)
		return r == -EAGAIN ? -ENOSPC : r;
	session->receives = true;
	broker->n_message_sessions++;
	widen(session);
	pending_publish(broker);
	return 0;
}

void message_close(struct dspbroker_session *session)
{
	session->closing = true;
	list_remove(&session->receivable);
	if (session->broker->n_unpublished)
		pending_publish(session->broker);
}

static void release_all(struct list *list)
{
	struct pending *pending, *following;

	list_for_each_safe (pending, following, list, link)
		release(pending);
}

void message_forget(struct dspbroker_session *session)
{
	struct dspbroker *broker = session->broker;

	if (!session->receives)
		return;
	if (!list_empty(&session->posted))
		connection_break(broker, "the broker closed a session that has messages to come");
	release_all(&session->posted);
	release_all(&session->arrived);
	broker->n_message_sessions--;
	if (broker->starved)
		pump_nudge(broker);
}

/* It has something for dspbroker_receive(). */
static void announce(struct dspbroker_session *session)
{
	if (!session->closing && list_empty(&session->receivable))
		list_append(&session->broker->receivable, &session->receivable);
}

bool message_possible(const struct pending *pending, const struct dsp_completion *completion)
{
	return completion->status != DSP_OK ||
	       (completion->result >= 0 && (uint32_t)completion->result <= pending->area_size);
}

void message_arrived(struct pending *pending)
{
	struct dspbroker_session *session = pending->session;

	if (pending->status == DSP_OK) {
		list_append(&session->arrived, &pending->link);
	} else {
		if (!session->ended)
			session->ended = pending->status;
		release(pending);
	}
	/* Where policy lets it only send, it lives on, and there is nothing to be had. */
	if (session->ended != DSP_DENIED || session->death || !list_empty(&session->arrived))
		announce(session);
}

void message_died(struct dspbroker_session *session)
{
	if (session->ended)
		announce(session);
}

void message_break(struct dspbroker *broker)
{
	struct dspbroker_session *session;

	list_for_each (session, &broker->sessions, link) {
		if (!session->info.mtu)
			continue;
		if (!session->ended)
			session->ended = -ECONNRESET;
		announce(session);
	}
}

int message_check(const struct dspbroker_session *session)
{
	if (session->info.mtu)
		return 0;
	message_set("the channel takes calls, not messages");
	return -EOPNOTSUPP;
}

/* Hand the oldest message out. */
static void take(struct dspbroker_session *session, void *data, size_t *length, uint32_t *dropped)
{
	struct dspbroker *broker = session->broker;
	struct pending *pending = list_first(&session->arrived, struct pending, link);

	*length = (size_t)pending->result;
	memcpy(data, broker->area + pending->area_offset, *length);
	if (dropped)
		*dropped = pending->detail;
	list_remove(&pending->link);
	if (session->ended || session->n_held > window(session)) {
		release(pending);
		if (broker->starved)
			pump_nudge(broker);
	} else {
		post_again(pending);
		widen(session);
	}
	if (broker->n_unpublished && 2 * broker->n_unpublished >= session->n_held)
		pending_publish(broker);
	if (list_empty(&session->arrived) && !session->ended)
		list_remove(&session->receivable);
}

static int tell_end(struct dspbroker_session *session)
{
	struct dspbroker *broker = session->broker;

	if (session->ended < 0)
		return connection_gone(broker);
	while (!session->death && !broker->broken) /* the news of it may be there, unread */
		if (pump_wait(broker, DEADLINE_NOW) == -ETIMEDOUT)
			break;
	if (session->death == session->ended && *session->death_text)
		message_set("%s", session->death_text);
	else if (session->ended == DSP_DENIED && !session->death)
		message_set("rule %s does not allow messages to be received", session->info.rule);
	else
		message_set("the session is dead, no more messages will come");
	return session->ended;
}

static void await_message(struct dspbroker_session *session, int timeout_ms)
{
	int64_t deadline;
	int r = 0;

	if (!list_empty(&session->arrived) || session->ended)
		return;
	deadline = pump_deadline(timeout_ms);
	while (list_empty(&session->arrived) && !session->ended && r != -ETIMEDOUT)
		r = deadline == DEADLINE_NOW ? pump_glance(session->broker)
					     : pump_wait_message(session->broker, deadline);
}

int dspbroker_receive(struct dspbroker_session *session, void *data, size_t size, size_t *length,
	uint32_t *dropped, int timeout_ms)
{
	int r;

	message_clear();
	if (!session || !data || !length)
		return -EINVAL;
	r = message_check(session);
	if (r < 0)
		return r;
	if (size < session->info.mtu) {
		message_set("a message may have %u bytes", session->info.mtu);
		return -EMSGSIZE;
	}

	HOLD(session->broker);
	await_message(session, timeout_ms);
	if (!list_empty(&session->arrived)) {
		take(session, data, length, dropped);
		return 0;
	}
	if (session->ended)
		return tell_end(session);
	connection_clear_attention(session->broker);
	return DSPBROKER_TIMED_OUT;
}

struct dspbroker_session *dspbroker_next_message(struct dspbroker *broker)
{
	struct dspbroker_session *session;
	int r = 0;

	message_clear();
	if (!broker)
		return NULL;

	HOLD(broker);
	while (list_empty(&broker->receivable) && !broker->broken && r != -ETIMEDOUT)
		r = pump_wait(broker, DEADLINE_NOW);
	session = list_first(&broker->receivable, struct dspbroker_session, receivable);
	if (!session) {
		connection_clear_attention(broker);
		return NULL;
	}
	list_remove(&session->receivable);
	list_append(&broker->receivable, &session->receivable);
	return session;
}
