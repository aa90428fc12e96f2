// SPDX-License-Identifier: MIT
/*
 * One channel opened by one client: its rights and limits, resolved when it was opened, and its
 * calls.
 *
 *   OPENING --> OPEN --> CLOSING --> gone
 *      |         ^|         `--> DEAD --> gone   (revoked)
 *      |         |`--> DEAD --> gone             (crashed; the id stays until CLOSE)
 *      |        DOWN                             (the DSP stopped; the next call opens it again)
 *      `--> CLOSING --> gone                     (its open failed)
 */
#ifndef DSP_SESSION_H
#define DSP_SESSION_H

#include "daemon/call.h"
#include "daemon/fair.h"
#include "daemon/mailbox.h"
#include "policy/policy.h"
#include "protocol/ring.h"
#include "protocol/util.h"
#include "protocol/wire.h"

struct account;
struct client;
struct device;
struct lane;

enum session_state {
	SESSION_OPENING,
	SESSION_OPEN,
	SESSION_DOWN,
	SESSION_CLOSING,
	SESSION_DEAD,
};

struct session {
	struct client *client;
	struct device *device;
	uint64_t number; /* broker-wide */
	uint32_t id;     /* the client's */
	enum dsp_channel_kind kind;
	enum session_state state;
	enum dsp_status death; /* DEAD, or about to be: why */
	bool revoked;          /* the same; trouble says it in words */
	bool module_open;      /* its module handed out a handle, which must be closed */
	uint32_t generation;   /* of the device when it did */
	bool leaving;          /* the transport is asked to close it */
	bool closed;           /* it is gone as soon as nobody holds it */
	bool exclusive;        /* nobody else may open its channel */
	bool weighs;           /* it is counted in lane->weights */
	unsigned int holds;    /* code that must not lose it under its feet */

	char channel[DSP_CHANNEL_SIZE];
	const char *service;   /* part of channel behind the device's name */
	struct policy *policy; /* a reference: what decided, and what is pointed into from here */
	struct account *account;
	char rule[DSP_RULE_SIZE];
	char share_domain[DSP_RULE_SIZE]; /* "": a protection domain of its own */
	const struct policy_domain *domain_policy;
	const struct policy_range *methods; /* that may be called, in its policy; none: all */
	size_t n_methods;
	enum policy_direction direction;
	int module;                  /* that its client brought; -1: none */
	char trouble[DSP_TEXT_SIZE]; /* what the DSP said of its module, if that did not open; or
				      * why it is taken away */
	uint32_t calls_max;
	uint32_t timeout_us;

	/* A request of the client that is answered when this state ends. */
	bool reply_wanted;
	uint32_t reply_serial;

	struct list waiting, submitted; /* calls, and messages to be sent */
	struct mailbox mailbox;         /* messages that arrive */
	uint32_t in_flight;             /* both, the client's own calls only */
	uint32_t domain;                /* number of its protection domain, for display */
	struct lane *lane;              /* NULL once the transport has let go */
	struct fair_node turn;          /* in lane->waiting */
	struct list stuck;              /* or in lane->stuck */
	uint64_t average_ns;            /* that its calls cost */
	struct list link;               /* the transport's */
	struct list of_broker, of_user; /* broker->sessions, user->sessions: by number */
	uint32_t tag;                   /* the transport's */
	void *endpoint;                 /* the same */

	uint64_t calls, errors, busy_ns;
	uint64_t since_us;
};

/* Open a channel for a client whom policy allows it. @module is -1, or the file that its client
 * brought, which is taken over. The reply under @serial comes when the module is open, or at once
 * as an error. */
void session_open(struct client *client, const char *channel,
	const struct policy_decision *decision, int module, uint32_t serial);
/* Close it for its client; the reply under @serial comes when it is gone. */
void session_close(struct session *session, uint32_t serial);
/* The client is gone: end the session without a word to anybody. */
void session_abandon(struct session *session);
/* Take it away from its client, who is told why. */
void session_revoke(struct session *session, enum dsp_status status, const char *format, ...)
	_printf_(3, 4);
/* It is being opened: end that, unless its module has begun to, and give its client the rule and
 * the reason. Returns whether; then it may be gone. */
bool session_refuse(struct session *session, enum dsp_status status, const char *rule,
	const char *text);
/* What it may do has changed: end what waits and is not allowed any more, if it has not begun. */
void session_end_denied(struct session *session);
/* If its DSP stopped and is back: open its module again. What is called meanwhile waits for that.
 */
void session_restore(struct session *session);
/* What an entry for it meets: DSP_OK, or why there is nothing to be had. */
enum dsp_status session_status(const struct session *session);
/* End all of its calls in any case. */
void session_abort_calls(struct session *session, enum dsp_status status);
/* End those that wait for a message. */
void session_end_receivers(struct session *session, enum dsp_status status);

/* Called by call_done(). */
void session_call_done(struct session *session, enum dsp_op op,
	const struct dsp_completion *completion);

/* Called by transports. A session that takes messages is open; @mtu: bytes. */
void session_opened(struct session *session, uint32_t mtu);
/* The protection domain, or the endpoint, is gone, or could not be made: its calls end with @status
 * (or their own outcome), and so does the session, unless it is one for calls and its device is
 * down (DSP_DEVICE_DOWN): that can be restored. The transport forgets it before. */
void session_lost(struct session *session, enum dsp_status status, const char *text);
/* End all of its calls, of which none runs. */
void session_end_calls(struct session *session, enum dsp_status status);
/* transport_ops.close() has finished: frees the session. */
void session_closed(struct session *session);

#endif
