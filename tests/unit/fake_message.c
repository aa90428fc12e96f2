// SPDX-License-Identifier: MIT
/* The fake broker's sessions that take messages. */
#include <string.h>

#include "tests/unit/fake_private.h"

struct receiver {
	struct list link;
	struct dsp_entry entry;
};

struct message {
	struct list link;
	uint32_t length;
	char bytes[];
};

struct message_session {
	struct list link;
	uint32_t id, mtu, calls_max;
	enum dsp_status death; /* 0: it lives */
	bool keeps;
	uint32_t dropped;           /* before the next that arrives */
	struct list receivers;      /* the oldest first */
	struct list queue;          /* messages for which there is none */
	uint32_t count_left, count; /* and those that are made when there is one */
	unsigned int n_receivers;
};

static const struct {
	const char *channel;
	uint32_t kind, mtu, calls_max;
} channels[] = {
	{FAKE_MESSAGES, DSP_KIND_MESSAGE, FAKE_MTU, 64},
	{FAKE_SINGLE, DSP_KIND_MESSAGE, FAKE_MTU, 1},
	{FAKE_WIDE, DSP_KIND_MESSAGE, FAKE_WIDE_MTU, 64},
	{FAKE_VAST, DSP_KIND_MESSAGE, UINT32_MAX, 64},
	{FAKE_NO_MTU, DSP_KIND_MESSAGE, 0, 64},
	{FAKE_NO_KIND, DSP_KIND_MESSAGE + 1, FAKE_MTU, 64},
	{FAKE_BOTH, DSP_KIND_CALL, FAKE_MTU, 64},
};

static void session_new(struct fake_broker *fake, const struct dsp_open_reply *reply)
{
	struct message_session *session = calloc(1, sizeof(*session));

	MUST(session);
	session->id = reply->session;
	session->mtu = reply->mtu;
	session->calls_max = reply->calls_max;
	list_init(&session->receivers);
	list_init(&session->queue);
	list_append(&fake->message_sessions, &session->link);
}

bool fake_message_open(struct fake_broker *fake, const struct dsp_open *open)
{
	struct dsp_open_reply reply = {
		.header = {.opcode = open->header.opcode | DSP_REPLY,
			.serial = open->header.serial},
		.session = fake->n_sessions,
		.timeout_max_us = 1000000,
	};

	for (size_t i = 0; i < ARRAY_SIZE(channels); i++) {
		if (strcmp(open->channel, channels[i].channel))
			continue;
		reply.kind = channels[i].kind;
		reply.mtu = channels[i].mtu;
		reply.calls_max = channels[i].calls_max;
		session_new(fake, &reply);
		fake_send(fake, &reply, sizeof(reply));
		return true;
	}
	return false;
}

static struct message_session *session_find(struct fake_broker *fake, uint32_t id)
{
	struct message_session *session;

	list_for_each (session, &fake->message_sessions, link)
		if (session->id == id)
			return session;
	return NULL;
}

static void session_free(struct message_session *session)
{
	struct receiver *receiver, *next_receiver;
	struct message *message, *next_message;

	list_for_each_safe (receiver, next_receiver, &session->receivers, link)
		free(receiver);
	list_for_each_safe (message, next_message, &session->queue, link)
		free(message);
	list_remove(&session->link);
	free(session);
}

void fake_message_end(struct fake_broker *fake)
{
	struct message_session *session, *following;

	list_for_each_safe (session, following, &fake->message_sessions, link)
		session_free(session);
}

/* End the oldest RECEIVE. */
static void end_receiver(struct fake_broker *fake, struct message_session *session, uint32_t status,
	int32_t result, uint32_t detail)
{
	struct receiver *receiver = list_first(&session->receivers, struct receiver, link);

	fake_complete(fake, &receiver->entry, status, result, detail);
	list_remove(&receiver->link);
	session->n_receivers--;
	free(receiver);
}

static void end_receivers(struct fake_broker *fake, struct message_session *session,
	enum dsp_status status)
{
	while (!list_empty(&session->receivers))
		end_receiver(fake, session, status, 0, 0);
}

void fake_message_close(struct fake_broker *fake, uint32_t id)
{
	struct message_session *session = session_find(fake, id);

	if (!session)
		return;
	if (!session->keeps)
		end_receivers(fake, session, DSP_CANCELLED);
	session_free(session);
}

/* Something arrives: straight into the memory of the oldest RECEIVE. */
static void arrive(struct fake_broker *fake, struct message_session *session, const void *bytes,
	uint32_t length)
{
	struct receiver *receiver = list_first(&session->receivers, struct receiver, link);

	memcpy(fake_memory(fake, &receiver->entry.args[0]), bytes, length);
	end_receiver(fake, session, DSP_OK, (int32_t)length, session->dropped);
	session->dropped = 0;
}

static void deliver(struct fake_broker *fake, struct message_session *session)
{
	struct message *message;

	while (!list_empty(&session->receivers) && !list_empty(&session->queue)) {
		message = list_first(&session->queue, struct message, link);
		arrive(fake, session, message->bytes, message->length);
		list_remove(&message->link);
		free(message);
	}
	for (; !list_empty(&session->receivers) && session->count_left; session->count_left--) {
		arrive(fake, session, &session->count, sizeof(session->count));
		session->count++;
	}
}

static void check_receive(struct message_session *session, const struct dsp_entry *entry)
{
	const struct dsp_arg *arg = &entry->args[0], *other;
	struct receiver *receiver;

	MUST(arg->buffer == DSP_ARGUMENT_AREA && arg->length >= session->mtu);
	MUST(!entry->timeout_us && session->n_receivers < session->calls_max);
	list_for_each (receiver, &session->receivers, link) {
		other = &receiver->entry.args[0];
		MUST(arg->offset >= other->offset + other->length ||
			other->offset >= arg->offset + arg->length);
	}
}

static void handle_receive(struct fake_broker *fake, struct message_session *session,
	const struct dsp_entry *entry)
{
	struct receiver *receiver;

	check_receive(session, entry);
	if (session->death) {
		fake_complete(fake, entry, session->death, 0, 0);
		return;
	}
	receiver = calloc(1, sizeof(*receiver));
	MUST(receiver);
	receiver->entry = *entry;
	list_append(&session->receivers, &receiver->link);
	session->n_receivers++;
	deliver(fake, session);
}

/* What it can be told. */

static void come_back(struct fake_broker *fake, struct message_session *session,
	const struct dsp_entry *entry)
{
	uint32_t length = entry->args[0].length;
	struct message *message = malloc(sizeof(*message) + length);

	MUST(message);
	message->length = length;
	memcpy(message->bytes, fake_memory(fake, &entry->args[0]), length);
	list_append(&session->queue, &message->link);
	fake_complete(fake, entry, DSP_OK, 0, 0);
	deliver(fake, session);
}

static void die(struct fake_broker *fake, struct message_session *session,
	const struct fake_saying *saying)
{
	const struct dsp_event_session event = {
		.header = {.opcode = DSP_EVENT_SESSION},
		.session = session->id,
		.status = saying->a,
		.text = "its service is gone",
	};

	session->death = (enum dsp_status)saying->a;
	session->count_left = 0;
	if (!saying->b)
		fake_send(fake, &event, sizeof(event));
	fake_let_go(fake, session->id, session->death);
	end_receivers(fake, session, session->death);
}

static void lie(struct fake_broker *fake, struct message_session *session, enum fake_word word)
{
	struct receiver *receiver = list_first(&session->receivers, struct receiver, link);
	struct dsp_entry entry = receiver->entry;

	if (word == FAKE_SAY_STRANGER)
		receiver->entry.user_data ^= UINT64_C(1) << 40;
	if (word == FAKE_SAY_TWICE) {
		fake->in_flight++;
		fake_complete(fake, &entry, DSP_OK, 1, 0);
	}
	end_receiver(fake, session, DSP_OK,
		word == FAKE_SAY_LONG       ? (int32_t)session->mtu + 1
		: word == FAKE_SAY_NEGATIVE ? -1
					    : 1,
		0);
}

static void obey(struct fake_broker *fake, struct message_session *session,
	const struct dsp_entry *entry, const struct fake_saying *saying)
{
	uint32_t status = saying->word == FAKE_SAY_FAIL ? saying->a : DSP_OK;

	if (saying->word == FAKE_SAY_RELEASE)
		fake_let_go(fake, session->id, DSP_OK);
	fake_complete(fake, entry, status, 0, status ? saying->b : 0);
	if (saying->word == FAKE_SAY_COUNT) {
		session->count_left = saying->a;
		session->count = saying->b;
		deliver(fake, session);
	} else if (saying->word == FAKE_SAY_DROP) {
		session->dropped = saying->a;
	} else if (saying->word == FAKE_SAY_DIE) {
		die(fake, session, saying);
	} else if (saying->word == FAKE_SAY_KEEP) {
		session->keeps = true;
	} else if (saying->word >= FAKE_SAY_LONG) {
		lie(fake, session, saying->word);
	}
}

static void handle_send(struct fake_broker *fake, struct message_session *session,
	const struct dsp_entry *entry)
{
	uint32_t length = entry->args[0].length;
	struct fake_saying saying = {};

	MUST(entry->args[0].buffer == DSP_ARGUMENT_AREA && length && length <= session->mtu);
	memcpy(&saying, fake_memory(fake, &entry->args[0]), MIN(length, sizeof(saying)));
	if (session->death)
		fake_complete(fake, entry, session->death, 0, 0);
	else if (entry->method & DSP_SEND_TRY && fake_holds(fake, session->id))
		fake_complete(fake, entry, DSP_BUSY, 0, 0);
	else if (length >= sizeof(saying) && saying.word == FAKE_SAY_HOLD)
		fake_hold(fake, entry);
	else if (length < sizeof(saying) || !saying.word || saying.word >= FAKE_SAY_END ||
		 saying.word == FAKE_SAY_LAST)
		come_back(fake, session, entry);
	else
		obey(fake, session, entry, &saying);
	if (length >= sizeof(saying) && saying.word == FAKE_SAY_LAST) {
		ring_publish(&fake->ring); /* the end of the connection must do as a wake-up */
		fake_hang_up(fake);
	}
}

void fake_message(struct fake_broker *fake, const struct dsp_entry *entry)
{
	struct message_session *session = session_find(fake, entry->session);

	MUST(session && (entry->op == DSP_OP_SEND || entry->op == DSP_OP_RECEIVE));
	if (entry->op == DSP_OP_RECEIVE)
		handle_receive(fake, session, entry);
	else
		handle_send(fake, session, entry);
}
