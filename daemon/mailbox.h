// SPDX-License-Identifier: MIT
/*
 * What arrives at a session that takes messages. A message goes from the kernel straight into the
 * memory of the client, if it has a RECEIVE waiting; otherwise into a queue of bounded length. What
 * finds that full is dropped and counted, or ends the session, as policy says.
 */
#ifndef DSP_MAILBOX_H
#define DSP_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"
#include "protocol/util.h"

struct call;
struct message;
struct session;

struct mailbox {
	uint32_t mtu;          /* bytes; 0: the session is not open, or takes calls */
	struct list receivers; /* RECEIVE calls, the oldest first */
	uint32_t n_receivers;
	struct list queue; /* messages that nobody has asked for yet; or none is a receiver */
	uint32_t n_queued, max;
	struct message *spare; /* room for the next to be queued; NULL: none */
	bool close_on_overflow;
	bool deaf;     /* its client may not receive: what comes is dropped, and nobody misses it */
	bool paced;    /* the sender was asked to stop */
	uint32_t lost; /* since the last message that a receiver got */
	uint64_t received, dropped;
};

/* Of a zeroed one; its limits are still to be set. */
void mailbox_init(struct mailbox *mailbox);
/* At any time. What is queued beyond a limit that has shrunk stays. */
void mailbox_set_limits(struct mailbox *mailbox, const struct policy_decision *decision);
/* Forget the messages; it has no receivers any more. */
void mailbox_deinit(struct mailbox *mailbox);

/* Forget the messages that nobody has asked for yet. */
void mailbox_empty(struct session *session);

/* A RECEIVE: gets the oldest message, or waits. */
void mailbox_receive(struct call *call);

/* For transports. Where the next message goes: room for mtu bytes, good until the next call of any
 * function here; never NULL. */
void *mailbox_place(struct session *session);
/* It is there, and has @size bytes. An empty one, or one of more than mtu, counts as dropped. The
 * session may be gone after this. */
void mailbox_arrived(struct session *session, size_t size);

#endif
