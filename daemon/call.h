// SPDX-License-Identifier: MIT
/*
 * An invocation on its way through the broker: accepted from a client's ring, waiting in its
 * session, submitted to a protection domain, done. So it is with a message to be sent, and with the
 * wish for one. call_done() is the only end, and it ends a
 * call exactly once.
 */
#ifndef DSP_CALL_H
#define DSP_CALL_H

#include "daemon/buffer.h"
#include "daemon/deadline.h"
#include "protocol/ring.h"
#include "protocol/util.h"
#include "protocol/wire.h"

struct broker;
struct session;

enum call_state {
	CALL_WAITING,   /* in session->waiting */
	CALL_SUBMITTED, /* in session->submitted; the transport has it */
	CALL_RECEIVING, /* in session->mailbox.receivers */
};

struct call_arg {
	struct buffer *buffer; /* a reference */
	uint32_t offset, length;
};

struct call {
	struct list link; /* session->waiting or ->submitted; or the pool's free list */
	struct session *session;
	enum dsp_op op; /* INVOKE, SEND, RECEIVE; MODULE_OPEN and _CLOSE are the broker's own */
	enum call_state state;
	enum dsp_status outcome; /* how it ends if its domain is ended; DSP_OK: as a crash */
	uint64_t user_data;      /* the client's */
	uint32_t method;
	uint32_t timeout_us;
	uint64_t estimate_ns; /* submitted: what it is expected to cost */
	struct list held;     /* submitted: session->lane->held */
	struct deadline deadline;
	uint32_t tag; /* the transport's, while submitted */
	uint8_t n_in, n_out;
	struct call_arg args[DSP_ARGS_MAX]; /* n_in + n_out are valid */
};

/* Freed calls are kept for the next. */
struct call_pool {
	struct list free;
};

void call_pool_init(struct call_pool *pool);
void call_pool_deinit(struct call_pool *pool);

/* A call of @session that waits nowhere yet; NULL: out of memory. */
struct call *call_new(struct session *session, enum dsp_op op);
/* Give up a call that was never queued. */
void call_drop(struct call *call);

/* Start the time of a call; when it is over it ends with DSP_TIMED_OUT. */
void call_start_clock(struct call *call);

/* What became of it, told to whoever waits for it; the call is gone after this. Nobody may be
 * writing to its arguments any more. @completion without its user_data. */
void call_done(struct call *call, const struct dsp_completion *completion);
/* The same for a call that did not come to a result. */
void call_fail(struct call *call, enum dsp_status status);

/* End a call that a client, its session or the broker wants ended, if it has not begun. True: it
 * is done, with @status. False: it runs. */
bool call_cancel(struct call *call, enum dsp_status status);
/* End it in any case; its domain may have to go for that. */
void call_abort(struct call *call, enum dsp_status status);

#endif
