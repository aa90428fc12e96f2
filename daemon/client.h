// SPDX-License-Identifier: MIT
/*
 * One connection: who it is, its socket, its ring, and what belongs to it.
 *
 * client.c keeps the connection, control.c handles its requests, submission.c its ring. When the
 * connection ends the struct stays until nothing on a DSP belongs to it any more.
 */
#ifndef DSP_CLIENT_H
#define DSP_CLIENT_H

#include "daemon/buffer.h"
#include "daemon/deadline.h"
#include "daemon/idmap.h"
#include "daemon/loop.h"
#include "daemon/quota.h"
#include "daemon/reload.h"
#include "daemon/who.h"
#include "policy/identity.h"
#include "protocol/ring.h"
#include "protocol/sock.h"
#include "protocol/util.h"
#include "protocol/wire.h"

struct broker;
struct unit;
struct user;

struct client {
	struct list link; /* broker->clients */
	struct broker *broker;
	struct identity identity;
	struct who_question question; /* who it is; nothing is read from it until that is known */
	struct user *user;
	struct unit *unit; /* that its buffers are counted with; NULL: it has no right to any */
	struct quota quota;
	bool has_rights;   /* some rule lets it open something */
	uint32_t reviewed; /* under the policy of that round */
	struct reload_wish reload;

	int sock;
	struct loop_source sock_source;
	struct list output; /* packets that did not fit into the socket yet */
	unsigned int n_output;
	bool news_lost;        /* news were not sent */
	struct deadline hello; /* until HELLO was received */

	struct dsp_ring ring; /* zeroed until HELLO */
	int doorbell;         /* an eventfd, which the client rings; we only watch it */
	int notify; /* our end of a socket pair; unlike a pipe's, it never waits for the reader */
	struct loop_source doorbell_source;
	struct loop_poller poller; /* of its ring */
	struct list dirty;         /* broker->dirty, while completions wait to be published */
	uint32_t in_flight;        /* entries fetched and not yet completed */

	struct buffer *arguments;
	struct idmap sessions, buffers;
	unsigned int n_sessions;
	unsigned int n_buffers;     /* all, also those that it has freed */
	unsigned int n_allocations; /* memory that is being made for it; not among those yet */

	bool dead;          /* the connection has ended */
	unsigned int holds; /* code that must not lose it under its feet */
};

/* Why a request is refused; what does not apply stays zero. */
struct refusal {
	enum dsp_status status;
	uint32_t field;
	uint64_t limit;
	const char *rule;
};

/* Take over an accepted socket and serve it. Returns 0, or -errno with the socket closed. */
int client_new(struct broker *broker, int sock);
/* Another policy is in force: it may hold what that says. */
void client_review(struct client *client);
/* End the connection; @why is for the log, NULL if the peer simply left. It may be freed later. */
void client_kill(struct client *client, const char *why);
/* Free a dead client to which nothing belongs any more. */
void client_collect(struct client *client);

/* Send a packet, or keep it until the socket has room. Borrowed descriptors are duplicated if
 * need be. A peer that never reads is disconnected in the end. */
void client_send_fds(struct client *client, const void *packet, size_t size, const int *fds,
	size_t n_fds);
void client_send(struct client *client, const void *packet, size_t size);
/* The same for what the client can ask for as well: dropped, and said to be so later, when it does
 * not read. What a DSP does can so cost no client its connection. */
void client_send_news(struct client *client, const void *packet, size_t size);
/* Send the error reply to a request. */
void client_refuse(struct client *client, uint32_t serial, const struct refusal *refusal,
	const char *format, ...) _printf_(4, 5);
void client_refuse_quota(struct client *client, uint32_t serial,
	const struct quota_refusal *refusal);

/* control.c: act on a request that was received with these descriptors. */
void client_handle_request(struct client *client, const void *packet, size_t size,
	struct sock_fds *fds);

/* submission.c: */
/* There is no ring yet. */
void client_init_ring(struct client *client);
/* Make rings and argument area; the caller sends *@ring_fd and the client's end of notify on, and
 * closes both. 0 or -errno. */
int client_open_ring(struct client *client, uint32_t sq_slots, int *ring_fd, int *notify_fd);
void client_close_ring(struct client *client);
/* Take at most @max entries from the ring; the client may be dead after. */
void client_take_entries(struct client *client, uint32_t max);
/* A call was done: put its completion into the ring, and account for it. */
void client_complete_call(struct client *client, const struct dsp_completion *completion);
/* The same for a message that was sent: routine, unless it failed. */
void client_complete_send(struct client *client, const struct dsp_completion *completion);
/* Make completions visible. */
void client_publish(struct client *client);

#endif
