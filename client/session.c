// SPDX-License-Identifier: MIT
#include <string.h>

#include "client/internal.h"

static_assert(sizeof(((struct dspbroker_session_info *)0)->rule) == DSP_RULE_SIZE, "public header");

bool session_possible(const struct dsp_open_reply *reply)
{
	return reply->kind == (reply->mtu ? DSP_KIND_MESSAGE : DSP_KIND_CALL);
}

/* Listed as soon as the reply is read: an event about the session may be in the next packet. */
void session_adopt(struct dspbroker_session *session, const struct dsp_open_reply *reply)
{
	session->id = reply->session;
	session->info.calls_max = reply->calls_max;
	session->info.timeout_max_us = reply->timeout_max_us;
	session->info.generation = reply->generation;
	session->info.mtu = reply->mtu;
	wire_string_set(session->info.rule, sizeof(session->info.rule), reply->rule);
	list_append(&session->broker->sessions, &session->link);
}

/* Close it and free it. */
static void session_end(struct dspbroker_session *session)
{
	struct dspbroker *broker = session->broker;
	union dsp_request message = {.close = {.session = session->id}};
	struct request request = {};

	message_close(session);
	/* It can fail only because the session is gone already. */
	control_exchange(broker, &request, DSP_CLOSE, &message, sizeof(message.close), -1);
	pump_collect(broker);
	pending_forget(broker, session);
	message_forget(session);
	events_forget(broker, session);
	list_remove(&session->link);
	free(session);
}

static int session_new(struct dspbroker_session **out, struct dspbroker *broker)
{
	struct dspbroker_session *session = calloc(1, sizeof(*session));

	if (!session)
		return -ENOMEM;
	session->broker = broker;
	list_init(&session->link);
	list_init(&session->receivable);
	list_init(&session->posted);
	list_init(&session->arrived);
	*out = session;
	return 0;
}

/* @module: a borrowed descriptor that is sent along; -1: none. */
static int session_open(struct dspbroker *broker, struct dspbroker_session **out,
	const char *channel, uint16_t opcode, int module)
{
	_cleanup_(freep) struct dspbroker_session *session = NULL;
	union dsp_request message = {};
	struct request request = {};
	int r;

	message_clear();
	if (!broker || !out || !channel || strlen(channel) >= DSP_CHANNEL_SIZE)
		return -EINVAL;
	r = session_new(&session, broker);
	if (r < 0)
		return r;
	request.session = session;
	wire_string_set(message.open.channel, sizeof(message.open.channel), channel);

	HOLD(broker);
	r = control_exchange(broker, &request, opcode, &message, sizeof(message.open), module);
	if (r)
		return r;
	r = message_open(session);
	if (r < 0) {
		session_end(TAKE_PTR(session));
		if (r == -ENOSPC)
			message_set("no room in this connection for one more session that takes "
				    "messages");
		return r;
	}
	*out = TAKE_PTR(session);
	return 0;
}

int dspbroker_session_open(struct dspbroker *broker, struct dspbroker_session **out,
	const char *channel)
{
	return session_open(broker, out, channel, DSP_OPEN, -1);
}

int dspbroker_session_open_module(struct dspbroker *broker, struct dspbroker_session **out,
	const char *channel, int fd)
{
	if (fd < 0) {
		message_clear();
		return -EBADF;
	}
	return session_open(broker, out, channel, DSP_OPEN_MODULE, fd);
}

struct dspbroker_session *dspbroker_session_close(struct dspbroker_session *session)
{
	message_clear();
	if (!session)
		return NULL;

	HOLD(session->broker);
	session_end(session);
	return NULL;
}

const struct dspbroker_session_info *dspbroker_session_info(const struct dspbroker_session *session)
{
	return session ? &session->info : NULL;
}

void dspbroker_session_set_user(struct dspbroker_session *session, void *user)
{
	if (session)
		session->user = user;
}

void *dspbroker_session_user(const struct dspbroker_session *session)
{
	return session ? session->user : NULL;
}
