// SPDX-License-Identifier: MIT
/*
 * What the files of the library share. One mutex per connection guards all of it; every function
 * below that takes a connection expects it held, unless it says otherwise.
 *
 * One thread at a time pumps: it waits for the broker, without the mutex, on the socket and the
 * notify fd. The others wait for it on the condition variable. See pump.c.
 */
#ifndef DSP_CLIENT_INTERNAL_H
#define DSP_CLIENT_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/arena.h"
#include "client/dspbroker.h"
#include "protocol/ring.h"
#include "protocol/sock.h"
#include "protocol/util.h"
#include "protocol/wire.h"

#define EVENTS_MAX 256

/* Deadlines are CLOCK_MONOTONIC nanoseconds, or one of these. */
#define DEADLINE_NOW     INT64_C(0)
#define DEADLINE_FOREVER INT64_MAX

struct dspbroker {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* something came from the broker, or the pump is free */
	bool pumping;           /* a thread waits for the broker */
	unsigned int senders;   /* threads that wait for room in the socket */
	unsigned int starved;   /* threads that wait for room to start a call */
	const char *broken;     /* NULL; else why the connection is gone, static text */

	int sock, doorbell, notify;
	int nudge;         /* eventfd: the pumping thread is to look again */
	int attention;     /* eventfd: something is ready, or the connection is gone */
	bool attention_on; /* it is readable */
	int epoll;         /* dspbroker_fd() */

	struct dsp_ring ring;
	char *area; /* the argument area */
	size_t area_size;
	struct arena arena;

	struct pending *table; /* as many as the completion queue has entries */
	uint32_t n_table;
	uint32_t n_running;
	uint32_t n_submitted; /* those of the running whose completion is for dspbroker_reap() */
	uint32_t n_reapable;  /* these, and the ready ones */
	struct list free, running, ready; /* running: in the order of submission */

	uint32_t serial;
	struct list requests, sessions, buffers;

	struct dspbroker_event events[EVENTS_MAX];
	unsigned int first_event, n_events;
};

struct dspbroker_session {
	struct list link;
	struct dspbroker *broker;
	uint32_t id;
	void *user;
	struct dspbroker_session_info info;
};

struct dspbroker_buffer {
	struct list link;
	struct dspbroker *broker;
	uint32_t id;
	int fd;
	size_t size;
	void *mapping; /* NULL until somebody asks for it */
};

/* connection.c */

struct dspbroker *connection_lock(struct dspbroker *broker);
void connection_unlock(struct dspbroker *broker);
DEFINE_CLEANUP(struct dspbroker *, connection_unlock);

/* Hold the connection until the end of the block. */
#define HOLD(broker)                                                                    \
	_cleanup_(connection_unlockp) struct dspbroker *_held __attribute__((unused)) = \
		connection_lock(broker)

/* Make dspbroker_fd() tell the truth; before every release of the mutex. */
void connection_update_attention(struct dspbroker *broker);
/* The connection is gone: everybody who waits gets -ECONNRESET. @why: static text. */
void connection_break(struct dspbroker *broker, const char *why);
/* -ECONNRESET, with a message that says why. Only when it is broken. */
int connection_gone(const struct dspbroker *broker);

/* pump.c */

/*
 * Wait until something may have changed: the caller looks for what it waits for, and calls again.
 * Returns 0 or -ETIMEDOUT. Releases the mutex meanwhile. Returns at once when the connection is
 * broken.
 */
int pump_wait(struct dspbroker *broker, int64_t deadline);
/* Take what is in the completion queue; true if there was something. */
bool pump_collect(struct dspbroker *broker);
/* Let the next completion make the notify fd readable. */
void pump_arm(struct dspbroker *broker);
/* Something changed on this side: let everybody look again. */
void pump_nudge(struct dspbroker *broker);
int64_t pump_deadline(int timeout_ms);

/* control.c */

/* What the broker sends over the socket. */
union packet {
	struct dsp_header header;
	struct dsp_error error;
	struct dsp_open_reply open;
	struct dsp_buffer_reply buffer;
	struct {
		struct dsp_header header;
		uint64_t id; /* of each kind of record */
	} record;
	struct dsp_device_record device_record;
	struct dsp_channel_record channel_record;
	struct dsp_session_record session_record;
	struct dsp_event_session session;
	struct dsp_event_device device;
	struct dsp_event_shutdown shutdown;
	char bytes[DSP_MESSAGE_MAX];
};

/* A request that waits for its reply, on the stack of the thread that made it. */
struct request {
	struct list link;
	uint16_t opcode;
	uint32_t serial;
	bool done;
	int status;          /* once done: enum dsp_status or -ECONNRESET */
	union packet reply;  /* with status 0, and struct dsp_error with a positive one */
	struct sock_fds fds; /* of the reply; the caller closes them */
	struct dspbroker_session *session; /* OPEN: filled and listed when the reply comes */
};

/* Send @message (its header is filled here) with the descriptor @fd (borrowed; -1: none) and wait
 * for the reply. Returns 0, a positive status or a negative errno, with the message set. */
int control_exchange(struct dspbroker *broker, struct request *request, uint16_t opcode,
	union dsp_request *message, size_t size, int fd);
/* Take packets that are there. */
void control_receive(struct dspbroker *broker);

/* event.c */

void events_receive(struct dspbroker *broker, const union packet *packet);
/* Events of a session that is being freed name no session any more. */
void events_forget(struct dspbroker *broker, const struct dspbroker_session *session);

/* session.c */

void session_opened(struct dspbroker_session *session, const struct dsp_open_reply *reply);

/* buffer.c */

void buffer_discard(struct dspbroker_buffer *buffer);

/* pending.c: calls between their start and the moment when their outcome is taken */

struct pending {
	struct list link; /* free, running or ready; none when its caller waits for it */
	uint32_t generation;
	bool running;
	bool submitted;                    /* its completion is for dspbroker_reap() */
	struct dspbroker_session *session; /* NULL once that is closed */
	void *user;
	uint32_t area_offset, area_size; /* its range of the argument area, bytes; 0: none */
	unsigned int n_outputs;
	struct {
		void *data;
		uint32_t offset, length; /* in the argument area */
	} outputs[DSP_ARGS_MAX];
	/* The outcome: */
	int status; /* enum dsp_status or -ECONNRESET */
	int32_t result;
	uint32_t detail;
	uint64_t busy_ns;
};

/* Returns 0 or -ENOMEM. */
int pending_init(struct dspbroker *broker, uint32_t n);
void pending_deinit(struct dspbroker *broker);

/* Half of the places are not for submitted calls: what nobody reaps cannot keep dspbroker_invoke()
 * from working. NULL: none left. */
struct pending *pending_take(struct dspbroker *broker, bool submitted);
void pending_put(struct dspbroker *broker, struct pending *pending);

/* The name under which the broker knows it. */
uint64_t pending_tag(const struct dspbroker *broker, const struct pending *pending);
/* Hand it to the broker; fills @entry->user_data. Returns 0 or -EAGAIN. */
int pending_push(struct dspbroker *broker, struct pending *pending, struct dsp_entry *entry);
void pending_complete(struct dspbroker *broker, const struct dsp_completion *completion);
/* End all that run with -ECONNRESET. */
void pending_break(struct dspbroker *broker);
/* Completions of a session that is being freed name no session any more. */
void pending_forget(struct dspbroker *broker, const struct dspbroker_session *session);

/* error.c: the sentence of dspbroker_message(), one per thread; no lock needed */

void message_clear(void);
void message_set(const char *format, ...) _printf_(1, 2);
void message_set_error(const struct dsp_error *error);
/* Why a call of @n_in inputs did not end with DSP_OK. */
void message_set_outcome(const struct pending *pending, unsigned int n_in);

#endif
