// SPDX-License-Identifier: MIT
#include "daemon/mailbox.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/call.h"
#include "daemon/client.h"
#include "daemon/device.h"
#include "daemon/limits.h"
#include "daemon/session.h"
#include "daemon/transport/transport.h"

/* A message that nobody has asked for yet. */
struct message {
	struct list link;
	uint32_t size;
	uint32_t lost; /* messages dropped just before it */
	char bytes[];
};

/* What is to be dropped is read to here; the loop is the only one who does. */
static char bin[POLICY_MTU_MAX];

void mailbox_init(struct mailbox *mailbox)
{
	list_init(&mailbox->receivers);
	list_init(&mailbox->queue);
}

void mailbox_set_limits(struct mailbox *mailbox, const struct policy_decision *decision)
{
	uint32_t max = decision->limits->messages;

	mailbox->max = max ? max : LIMIT_SESSION_MESSAGES;
	mailbox->close_on_overflow = decision->overflow == POLICY_OVERFLOW_CLOSE;
	mailbox->deaf = decision->direction == POLICY_SEND;
}

static void forget_queue(struct mailbox *mailbox)
{
	struct message *message, *following;

	list_for_each_safe (message, following, &mailbox->queue, link)
		free(message);
	list_init(&mailbox->queue);
	mailbox->n_queued = 0;
}

void mailbox_deinit(struct mailbox *mailbox)
{
	forget_queue(mailbox);
	free(TAKE_PTR(mailbox->spare));
}

/* The sender is asked to stop when half of the queue is full, so that what is on its way still
 * fits, and to go on when the queue is empty. */
static void pace(struct session *session)
{
	struct mailbox *mailbox = &session->mailbox;
	bool stop = mailbox->paced ? mailbox->n_queued > 0 : mailbox->n_queued > mailbox->max / 2;

	if (stop == mailbox->paced || !session->device->ops->pace || session_status(session))
		return;
	mailbox->paced = stop;
	session->device->ops->pace(session, stop);
}

void mailbox_empty(struct session *session)
{
	forget_queue(&session->mailbox);
	pace(session);
}

static char *memory(const struct call *call)
{
	return call->args[0].buffer->map + call->args[0].offset;
}

/* A message of that size is where the receiver wants it. */
static void deliver(struct call *call, size_t size, uint32_t lost)
{
	call_done(call, &(struct dsp_completion){.result = (int32_t)size, .detail = lost});
}

void mailbox_receive(struct call *call)
{
	struct session *session = call->session;
	struct mailbox *mailbox = &session->mailbox;
	struct message *message = list_first(&mailbox->queue, struct message, link);
	uint32_t size, lost;

	if (!message) {
		call->state = CALL_RECEIVING;
		list_append(&mailbox->receivers, &call->link);
		return;
	}
	size = message->size;
	lost = message->lost;
	memcpy(memory(call), message->bytes, size);
	list_remove(&message->link);
	free(message);
	mailbox->n_queued--;
	pace(session);
	deliver(call, size, lost);
}

void *mailbox_place(struct session *session)
{
	struct mailbox *mailbox = &session->mailbox;
	struct call *call = list_first(&mailbox->receivers, struct call, link);

	if (call)
		return memory(call);
	if (!mailbox->spare && !mailbox->deaf && mailbox->n_queued < mailbox->max)
		mailbox->spare = malloc(sizeof(*mailbox->spare) + mailbox->mtu);
	return mailbox->spare ? mailbox->spare->bytes : bin;
}

static void drop(struct session *session)
{
	struct mailbox *mailbox = &session->mailbox;

	mailbox->dropped++;
	mailbox->lost += mailbox->lost < UINT32_MAX;
	if (mailbox->close_on_overflow)
		session_revoke(session, DSP_OVER_LIMIT,
			"more messages arrived than its queue holds, and policy ends it then");
}

static void enqueue(struct session *session, size_t size)
{
	struct mailbox *mailbox = &session->mailbox;
	struct message *message = TAKE_PTR(mailbox->spare);

	message->size = (uint32_t)size;
	message->lost = mailbox->lost;
	mailbox->lost = 0;
	list_append(&mailbox->queue, &message->link);
	mailbox->n_queued++;
	pace(session);
}

void mailbox_arrived(struct session *session, size_t size)
{
	struct mailbox *mailbox = &session->mailbox;
	struct call *call = list_first(&mailbox->receivers, struct call, link);
	bool fits = size && size <= mailbox->mtu;
	uint32_t lost = mailbox->lost;

	if (mailbox->deaf && !call)
		return; /* nobody may ever ask for it */
	mailbox->received++;
	if (fits && call) {
		mailbox->lost = 0;
		deliver(call, size, lost);
	} else if (fits && mailbox->spare) {
		enqueue(session, size);
	} else {
		drop(session);
	}
}
