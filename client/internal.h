// SPDX-License-Identifier: MIT
/*
 * What the files of the library share. One mutex per connection guards all of it; every function
 * below that takes a connection expects it held, unless it says otherwise.
 *
 * One thread at a time pumps: it waits for the broker, without the mutex. The others wait for it on
 * the condition variable. See pump.c.
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
#include "protocol/spin.h"
#include "protocol/util.h"
#include "protocol/wire.h"

#define EVENTS_MAX 256

/* Deadlines are CLOCK_MONOTONIC nanoseconds, or one of these. */
#define DEADLINE_NOW     INT64_C(0)
#define DEADLINE_FOREVER INT64_MAX

/* How the thread that pumps waits. */
enum pump_stage {
	PUMP_FREE, /* no thread pumps */
	PUMP_LOOKS,
	PUMP_NAPS,   /* at the ring's futex */
	PUMP_SLEEPS, /* in epoll_wait(2) */
};

struct dspbroker {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* something came from the broker, or the pump is free */
	unsigned int waiting;   /* threads that wait for that */
	enum pump_stage stage;
	bool attends;         /* the thread that pumps sees what comes over the socket */
	bool sound;           /* it is not woken for SENDs that went well */
	_Atomic bool nudged;  /* it is to come back; it reads this without the mutex */
	struct spin spin;     /* how long it looks */
	bool woke;            /* the broker had to be woken since it waited last */
	int64_t nap_ns;       /* how long it naps before it sleeps where it sees everything */
	unsigned int rounds;  /* looks; its own, without the mutex */
	bool polled;          /* somebody has dspbroker_fd() */
	unsigned int eager;   /* threads that wait for more than messages */
	unsigned int starved; /* threads that wait for room to start a call */
	const char *broken;   /* NULL; else why the connection is gone, static text */

	int sock, doorbell, notify;
	int nudge;         /* eventfd: the pumping thread is to look again */
	int attention;     /* eventfd: something is ready, or the connection is gone */
	bool attention_on; /* it is readable */
	int epoll;         /* dspbroker_fd() */
	int waiter;        /* an epoll: what the pump waits for */
	unsigned int undrained, glances;

	struct dsp_ring ring;
	char *area; /* the argument area */
	size_t area_size;
	struct arena arena;

	struct pending *table; /* as many as the completion queue has entries */
	uint32_t n_table;
	uint32_t n_running;
	uint32_t n_submitted;   /* those of the running whose completion is for dspbroker_reap() */
	uint32_t n_reapable;    /* these, and the ready ones */
	uint32_t n_unpublished; /* entries in the ring that the broker cannot see yet */
	struct list free, running, ready; /* running: in the order of submission */

	/* Sessions that take messages; see message.c. */
	uint32_t n_message_sessions;
	uint32_t n_receives;    /* RECEIVEs that they hold */
	uint32_t n_extra;       /* of these all but the first of each session */
	uint32_t receive_bytes; /* of the argument area, for these */
	struct list receivable; /* those with something for dspbroker_receive(), in turn */

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

	/* The news of its death, once they are here. */
	int death; /* enum dsp_status */
	char death_text[DSP_TEXT_SIZE];

	/* When it takes messages: */
	struct list receivable;
	struct list posted, arrived; /* RECEIVEs that it holds; arrived: in the order of arrival */
	uint32_t n_held;
	int ended;     /* 0, or what became of the first RECEIVE that failed */
	bool receives; /* it has its RECEIVE by right, and counts among n_message_sessions */
	bool closing;  /* it is not to be named to anybody any more */
};

struct dspbroker_buffer {
	struct list link;
	struct dspbroker *broker;
	uint32_t id;
	int fd;
	bool dmabuf; /* else a memfd */
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

/* Make dspbroker_fd() readable if there is something to be had; before every release of the
 * mutex. */
void connection_update_attention(struct dspbroker *broker);
/* Somebody looked and found nothing: only now make it unreadable, if there is nothing at all. Done
 * whenever something was taken, it would cost two system calls for each completion. */
void connection_clear_attention(struct dspbroker *broker);
/* The connection is gone: everybody who waits gets -ECONNRESET. @why: static text. */
void connection_break(struct dspbroker *broker, const char *why);
/* -ECONNRESET, with a message that says why. Only when it is broken. */
int connection_gone(const struct dspbroker *broker);

/* pump.c */

/*
 * Wait until something may have changed: the caller looks for what it waits for, and calls again.
 * Returns 0 or -ETIMEDOUT; with DEADLINE_NOW the latter after one look, which may have found
 * something. Releases the mutex meanwhile. Returns at once when the connection is broken.
 */
int pump_wait(struct dspbroker *broker, int64_t deadline);
/* The same for a caller to whom it does not matter that a SEND went well. */
int pump_wait_message(struct dspbroker *broker, int64_t deadline);
/* Take what is in the completion queue; true if there was something. */
bool pump_collect(struct dspbroker *broker);
/* Make the waiter; @sock is not the connection's yet. Returns 0 or -errno. */
int pump_init(struct dspbroker *broker, int sock);
/* Look, without waiting: as pump_wait(), which costs a system call; this does so only once in a
 * while, so that the end of the connection is noticed, or when somebody polls dspbroker_fd(). */
int pump_glance(struct dspbroker *broker);
/* Somebody gets dspbroker_fd(): from now on each completion makes it readable. */
void pump_expose(struct dspbroker *broker);
/* Something changed on this side: let everybody look again. */
void pump_nudge(struct dspbroker *broker);
int64_t pump_deadline(int timeout_ms);
/* The time left as an entry of the ring has it: 0 for ever, at least 1 otherwise. */
uint32_t pump_left_us(int64_t deadline);

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
	struct dsp_broker_record broker_record;
	struct dsp_reload_reply reload;
	struct dsp_event_session session;
	struct dsp_event_device device;
	struct dsp_event_channel channel;
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

/* query.c */

enum dspbroker_state state_from_wire(uint32_t state);

/* session.c */

/* Is that a session at all? */
bool session_possible(const struct dsp_open_reply *reply);
void session_adopt(struct dspbroker_session *session, const struct dsp_open_reply *reply);

/* buffer.c */

void buffer_discard(struct dspbroker_buffer *buffer);

/* pending.c: entries of the ring between their start and the moment when their outcome is taken */

struct pending {
	struct list link; /* free, running, ready, or the session's posted or arrived; none when its
			   * caller waits for it */
	uint32_t generation;
	enum dsp_op op;
	bool running;
	bool submitted;                    /* its completion is for dspbroker_reap() */
	struct dspbroker_session *session; /* NULL once that is closed */
	void *user;
	uint32_t area_offset, area_size; /* its range of the argument area, bytes; 0: none */
	unsigned int n_in, n_outputs;
	struct {
		void *data;
		uint32_t offset, length; /* in the argument area */
	} outputs[DSP_ARGS_MAX];
	/* The outcome: */
	int status; /* enum dsp_status or -ECONNRESET */
	int32_t result;
	uint32_t detail;
	uint32_t limit;
	uint64_t busy_ns;
};

/* Returns 0 or -ENOMEM. */
int pending_init(struct dspbroker *broker, uint32_t n);
void pending_deinit(struct dspbroker *broker);

/* One with so many bytes of the argument area. Half of the places are not for what is submitted:
 * what nobody reaps cannot keep dspbroker_invoke() from working. NULL: none left, or no room in the
 * area. */
struct pending *pending_take(struct dspbroker_session *session, enum dsp_op op, bool submitted,
	uint32_t area_size);
void pending_put(struct dspbroker *broker, struct pending *pending);
/* Of the device, if it is a call that ran; else 0. */
uint32_t pending_generation(const struct pending *pending);
/* Its outcome is taken: write its outputs, and make room for another. */
void pending_finish(struct dspbroker *broker, struct pending *pending);

/* The name under which the broker knows it. */
uint64_t pending_tag(const struct dspbroker *broker, const struct pending *pending);
/* Put it into the ring; fills @entry->user_data. Returns 0, -EAGAIN, or -ECONNRESET. */
int pending_push(struct dspbroker *broker, struct pending *pending, struct dsp_entry *entry);
/* The same for a RECEIVE that was there before, for which there is always room. */
int pending_push_again(struct dspbroker *broker, struct pending *pending, struct dsp_entry *entry);
/* Show the broker what was pushed. */
void pending_publish(struct dspbroker *broker);
/* Push and publish. When that fails, it is put back. */
int pending_start(struct dspbroker *broker, struct pending *pending, struct dsp_entry *entry);
void pending_complete(struct dspbroker *broker, const struct dsp_completion *completion);
/* End all that run with -ECONNRESET. */
void pending_break(struct dspbroker *broker);
/* Completions of a session that is being freed name no session any more. */
void pending_forget(struct dspbroker *broker, const struct dspbroker_session *session);

/* There was no room to start something. Wait until there may be: 0, -ETIMEDOUT, or -EAGAIN when
 * nothing runs that could make it: then other threads must reap first. */
int pending_await_room(struct dspbroker *broker, int64_t deadline);
/* Wait for one that was not submitted, and finish it. Returns what became of it, with a message;
 * *@result may be NULL. */
int pending_await(struct dspbroker *broker, struct pending *pending, int32_t *result);

/* message.c */

/* Returns 0, or -EOPNOTSUPP with a message when the session takes calls. */
int message_check(const struct dspbroker_session *session);
/* A session was opened: if it takes messages, ask for them. Returns 0, -ENOSPC, or -ECONNRESET. */
int message_open(struct dspbroker_session *session);
/* It is about to be closed: dspbroker_next_message() does not name it any more. */
void message_close(struct dspbroker_session *session);
/* The broker has let go of it: give back what its RECEIVEs hold. */
void message_forget(struct dspbroker_session *session);
/* A RECEIVE has ended. */
void message_arrived(struct pending *pending);
/* The news of its death are here. */
void message_died(struct dspbroker_session *session);
/* Can a RECEIVE end like that? */
bool message_possible(const struct pending *pending, const struct dsp_completion *completion);
/* All sessions that take messages have ended: the connection is gone. */
void message_break(struct dspbroker *broker);

/* error.c: the sentence of dspbroker_message(), one per thread; no lock needed */

void message_clear(void);
void message_set(const char *format, ...) _printf_(1, 2);
void message_set_error(const struct dsp_error *error);
/* Why it did not end with DSP_OK. */
void message_set_outcome(const struct pending *pending);

#endif
