// SPDX-License-Identifier: MIT
#include "daemon/client.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "daemon/audit.h"
#include "daemon/broker.h"
#include "daemon/closer.h"
#include "daemon/limits.h"
#include "daemon/listener.h"
#include "daemon/log.h"
#include "daemon/session.h"
#include "daemon/transport/remoteproc.h"
#include "daemon/user.h"

/* Descriptors that every connection costs: socket, argument area, doorbell, notify. */
#define CLIENT_FDS 4

/* A packet that waits for room in the socket. */
struct packet {
	struct list link;
	int fds[DSP_FDS_MAX]; /* owned */
	size_t n_fds;
	size_t size;
	char bytes[];
};

static struct packet *packet_free(struct packet *packet)
{
	for (size_t i = 0; i < packet->n_fds; i++)
		fd_close(packet->fds[i]);
	free(packet);
	return NULL;
}

DEFINE_CLEANUP(struct packet *, packet_free);

/* Reading stops while the peer leaves our replies unread: so it cannot make more of them. */
static void update_interest(struct client *client)
{
	loop_modify(&client->sock_source, client->n_output ? EPOLLOUT : EPOLLIN);
}

static int queue_packet(struct client *client, const void *bytes, size_t size, const int *fds,
	size_t n_fds)
{
	_cleanup_(packet_freep) struct packet *packet = NULL;

	if (client->n_output >= CLIENT_OUTPUT_MAX)
		return -ENOBUFS;
	packet = malloc(sizeof(*packet) + size);
	if (!packet)
		return -ENOMEM;
	packet->n_fds = 0;
	packet->size = size;
	memcpy(packet->bytes, bytes, size);
	for (size_t i = 0; i < n_fds; i++) {
		int fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);

		if (fd < 0)
			return -errno;
		packet->fds[packet->n_fds++] = fd;
	}
	list_append(&client->output, &packet->link);
	TAKE_PTR(packet);
	client->n_output++;
	update_interest(client);
	return 0;
}

void client_send_fds(struct client *client, const void *packet, size_t size, const int *fds,
	size_t n_fds)
{
	int r = -EAGAIN;

	if (client->dead)
		return;
	/* What was completed before must be seen before: a reply to CLOSE says that all is. */
	if (!list_empty(&client->dirty)) {
		list_remove(&client->dirty);
		client_publish(client);
	}
	if (!client->n_output)
		r = sock_send(client->sock, packet, size, fds, n_fds, MSG_DONTWAIT);
	if (r == -EAGAIN)
		r = queue_packet(client, packet, size, fds, n_fds);
	if (r == -ENOBUFS)
		client_kill(client, "it does not read its replies");
	else if (r < 0)
		client_kill(client, r == -EPIPE || r == -ECONNRESET ? NULL : strerror(-r));
}

void client_send(struct client *client, const void *packet, size_t size)
{
	client_send_fds(client, packet, size, NULL, 0);
}

void client_send_news(struct client *client, const void *packet, size_t size)
{
	if (client->n_output >= CLIENT_NEWS_MAX)
		client->news_lost = true;
	else if (client->ring.shared) /* before that it has asked for nothing */
		client_send(client, packet, size);
}

void client_refuse(struct client *client, uint32_t serial, const struct refusal *refusal,
	const char *format, ...)
{
	struct dsp_error error = {
		.header = {.opcode = DSP_ERROR, .serial = serial},
		.status = refusal->status,
		.field = refusal->field,
		.limit = refusal->limit,
	};
	va_list ap;

	va_start(ap, format);
	vsnprintf(error.text, sizeof(error.text), format, ap);
	va_end(ap);
	if (refusal->rule)
		wire_string_set(error.rule, sizeof(error.rule), refusal->rule);
	client_send(client, &error, sizeof(error));
}

void client_refuse_quota(struct client *client, uint32_t serial,
	const struct quota_refusal *refusal)
{
	char text[DSP_TEXT_SIZE];

	audit_over_limit(client, "", "", quota_kind_name(refusal->kind), refusal->limit);
	quota_refusal_text(refusal, text, sizeof(text));
	client_refuse(client, serial,
		&(struct refusal){.status = DSP_OVER_LIMIT, .limit = refusal->limit}, "%s", text);
}

static void send_output(struct client *client)
{
	struct packet *packet, *following;
	int r;

	list_for_each_safe (packet, following, &client->output, link) {
		r = sock_send(client->sock, packet->bytes, packet->size, packet->fds, packet->n_fds,
			MSG_DONTWAIT);
		if (r == -EAGAIN)
			break;
		if (r < 0) {
			client_kill(client, NULL);
			return;
		}
		list_remove(&packet->link);
		packet_free(packet);
		client->n_output--;
	}
	update_interest(client);
	if (!client->n_output && client->news_lost) {
		const struct dsp_event_lost event = {.header.opcode = DSP_EVENT_LOST};

		client->news_lost = false;
		client_send(client, &event, sizeof(event));
	}
}

/* Its descriptors are lost, but it may go on. */
static void refuse_descriptors(struct client *client, const char *packet)
{
	struct dsp_header header;

	memcpy(&header, packet, sizeof(header));
	client_refuse(client, header.serial, &(struct refusal){.status = DSP_NO_RESOURCES},
		"the broker has no room for more descriptors now");
}

/* One packet: then others get their turn. */
static void receive(struct client *client)
{
	_cleanup_(sock_fds_close) struct sock_fds fds = {.close = closer_close};
	char packet[DSP_MESSAGE_MAX];
	ssize_t n;

	memset(packet, 0, sizeof(struct dsp_header));
	n = sock_receive(client->sock, packet, sizeof(packet), &fds, MSG_DONTWAIT);
	if (n == -EAGAIN)
		return;
	if (n == 0 || n == -ECONNRESET)
		client_kill(client, NULL);
	else if (n == -EMSGSIZE)
		client_kill(client, "a packet larger than any message");
	else if (n == -EPROTO)
		client_kill(client, "more descriptors than any message carries");
	else if (n == -EMFILE)
		refuse_descriptors(client, packet);
	else if (n < 0)
		client_kill(client, strerror((int)-n));
	else
		client_handle_request(client, packet, (size_t)n, &fds);
}

static void on_socket(struct loop_source *source, uint32_t events)
{
	struct client *client = container_of(source, struct client, sock_source);

	client->holds++;
	if (events & EPOLLOUT)
		send_output(client);
	else if (events & EPOLLIN)
		receive(client);
	else
		client_kill(client, NULL);
	client->holds--;
	client_collect(client);
}

static void hello_expired(struct deadline *deadline)
{
	client_kill(container_of(deadline, struct client, hello), "no HELLO in time");
}

/* What policy lets this peer use at most decides what it may hold. */
static void set_budget(struct client *client, const struct policy_limits *budget)
{
	uint64_t *limit = client->quota.limit;

	limit[QUOTA_BUFFERS] = 0;
	limit[QUOTA_BYTES] = 0;
	if (!client->has_rights)
		return;
	limit[QUOTA_BUFFERS] = budget->buffers ? budget->buffers : LIMIT_CLIENT_BUFFERS;
	limit[QUOTA_BYTES] = budget->bytes ? budget->bytes : LIMIT_USER_BYTES;
}

/* What its buffers are counted with, by what policy says now. Returns 0 or -ENOMEM. */
static int choose_unit(struct client *client, enum policy_per per)
{
	const char *name = client->identity.facts[IDENTITY_UNIT];
	struct unit *unit;
	int r = unit_get(&unit, client->user, per == POLICY_PER_UNIT && name ? name : "");

	if (r < 0)
		return r;
	quota_move(&client->quota, &unit->quota);
	unit_put(client->unit);
	client->unit = unit;
	return 0;
}

/* Give it what policy says now. Returns 0 or -ENOMEM. */
static int apply_policy(struct client *client)
{
	struct policy_limits budget;
	int r;

	client->has_rights = policy_budget(client->broker->policy, &client->identity, &budget);
	set_budget(client, &budget);
	if (!client->has_rights)
		return 0;
	r = choose_unit(client, budget.per);
	if (r == 0)
		unit_grant(client->unit, &budget);
	return r;
}

void client_review(struct client *client)
{
	if (apply_policy(client) < 0)
		client_kill(client, "out of memory");
}

static void init_quota(struct client *client)
{
	client->quota = (struct quota){
		.parent = &client->user->quota,
		.owner = "connection",
		.limit =
			{
				[QUOTA_CLIENTS] = 1,
				[QUOTA_SESSIONS] = LIMIT_CLIENT_SESSIONS,
				[QUOTA_FDS] = LIMIT_CLIENT_FDS,
				[QUOTA_CALLS] = LIMIT_CLIENT_CALLS,
			},
	};
}

/* Who keeps order may come in when nobody else may. */
static bool is_full(const struct client *client)
{
	const struct broker *broker = client->broker;

	return client->identity.uid != 0 && client->identity.uid != broker->uid &&
	       broker->quota.used[QUOTA_CLIENTS] >= LIMIT_CLIENTS;
}

static int charge(struct client *client, struct quota_refusal *refusal)
{
	if (is_full(client)) {
		*refusal = (struct quota_refusal){
			client->broker->quota.owner, QUOTA_CLIENTS, LIMIT_CLIENTS};
		return -EDQUOT;
	}
	if (quota_charge(&client->quota, QUOTA_CLIENTS, 1, refusal) < 0)
		return -EDQUOT;
	if (quota_charge(&client->quota, QUOTA_FDS, CLIENT_FDS, refusal) < 0) {
		quota_release(&client->quota, QUOTA_CLIENTS, 1);
		return -EDQUOT;
	}
	return 0;
}

/* Turn away a peer for whom there is no room. What it has sent already is taken first, and nothing
 * more comes after: else the kernel would hand it ECONNRESET in place of our reason. */
static void turn_away(int sock, struct dsp_error *error)
{
	_cleanup_(sock_fds_close) struct sock_fds fds = {.close = closer_close};
	union dsp_request request = {};
	char packet[DSP_MESSAGE_MAX];

	error->header.opcode = DSP_ERROR;
	shutdown(sock, SHUT_RD);
	if (sock_receive(sock, packet, sizeof(packet), &fds, MSG_DONTWAIT) ==
		sizeof(request.hello)) {
		memcpy(&request.hello, packet, sizeof(request.hello));
		error->header.serial = request.header.serial;
	}
	sock_send(sock, error, sizeof(*error), NULL, 0, MSG_DONTWAIT);
}

/* It has as many connections as it may have. */
static void turn_away_over_limit(struct client *client, const struct quota_refusal *refusal)
{
	struct dsp_error error = {.status = DSP_OVER_LIMIT, .limit = refusal->limit};

	audit_over_limit(client, "", "", quota_kind_name(refusal->kind), refusal->limit);
	quota_refusal_text(refusal, error.text, sizeof(error.text));
	turn_away(client->sock, &error);
}

/* It is not known who it is, or there is nothing to serve it with. */
static void turn_away_unserved(int sock, int r)
{
	struct dsp_error error = {.status = DSP_NO_RESOURCES};

	snprintf(error.text, sizeof(error.text), "the broker cannot serve one more connection: %s",
		strerror(-r));
	turn_away(sock, &error);
}

/* At once for the peer, whatever it has sent that must be closed, too. */
static void hang_up(struct client *client)
{
	if (client->sock < 0)
		return;
	loop_remove(&client->sock_source);
	shutdown(client->sock, SHUT_RDWR);
	closer_close(TAKE_FD(client->sock));
}

static struct client *client_free(struct client *client)
{
	struct packet *packet, *following;

	hang_up(client);
	list_for_each_safe (packet, following, &client->output, link)
		packet_free(packet);
	idmap_deinit(&client->sessions);
	idmap_deinit(&client->buffers);
	identity_deinit(&client->identity);
	unit_put(client->unit);
	user_put(client->user);
	free(client);
	return NULL;
}

DEFINE_CLEANUP(struct client *, client_free);

static void discharge(struct client *client)
{
	quota_release(&client->quota, QUOTA_FDS, CLIENT_FDS);
	quota_release(&client->quota, QUOTA_CLIENTS, 1);
}

/* It is known who it is: serve it. */
static void identified(struct who_question *question)
{
	struct client *client = container_of(question, struct client, question);
	int r;

	/* Its facts stay, and it may go. */
	client->identity.pidfd = fd_close(client->identity.pidfd);
	r = apply_policy(client);
	if (r >= 0)
		r = loop_add(client->broker->loop, &client->sock_source, client->sock, EPOLLIN,
			on_socket);
	if (r < 0)
		client_kill(client, NULL);
}

/* Charge it to its user, whoever else it turns out to be. */
static int admit(struct client *client)
{
	struct quota_refusal refusal;
	int r;

	r = identity_init(&client->identity, client->sock);
	if (r < 0)
		return r;
	r = user_get(&client->user, client->broker, client->identity.uid);
	if (r < 0)
		return r;
	init_quota(client);
	r = charge(client, &refusal);
	if (r < 0)
		turn_away_over_limit(client, &refusal);
	return r;
}

int client_new(struct broker *broker, int sock)
{
	_cleanup_(client_freep) struct client *client = NULL;
	struct client *admitted;
	int size = CLIENT_SNDBUF_BYTES, r;

	client = calloc(1, sizeof(*client));
	if (!client) {
		turn_away_unserved(sock, -ENOMEM);
		fd_close(sock);
		return -ENOMEM;
	}
	*client = (struct client){
		.broker = broker, .identity.pidfd = -1, .sock = sock, .doorbell = -1, .notify = -1};
	list_init(&client->output);
	list_init(&client->reload.link);
	client_init_ring(client);
	r = admit(client);
	if (r < 0 && r != -EDQUOT)
		turn_away_unserved(sock, r);
	if (r < 0)
		return r;
	setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	list_append(&broker->clients, &client->link);
	remoteprocs_wake(broker);
	broker_deadline(broker, &client->hello, CLIENT_HELLO_TIMEOUT_US, hello_expired);
	admitted = TAKE_PTR(client);
	who_ask(broker->who, &admitted->question, &admitted->identity, identified);
	return 0;
}

static void drop_objects(struct client *client)
{
	struct session *session;
	struct buffer *buffer;
	uint32_t slot;

	for (slot = 0; (session = idmap_next(&client->sessions, &slot));)
		session_abandon(session);
	for (slot = 0; (buffer = idmap_next(&client->buffers, &slot));) {
		idmap_remove(&client->buffers, buffer->id);
		buffer_unref(buffer);
	}
	client->arguments = buffer_unref(client->arguments);
}

void client_kill(struct client *client, const char *why)
{
	if (client->dead)
		return;
	client->dead = true;
	client->holds++;
	if (why)
		audit_expelled(client, why);
	hang_up(client);
	who_forget(client->broker->who, &client->question);
	reload_forget(client);
	deadline_clear(&client->broker->deadlines, &client->hello);
	client_close_ring(client);
	drop_objects(client);
	client->holds--;
	client_collect(client);
}

void client_collect(struct client *client)
{
	struct broker *broker = client->broker;

	if (!client->dead || client->holds || client->n_buffers || client->n_sessions)
		return;
	list_remove(&client->link);
	discharge(client);
	client_free(client);
	listeners_resume(broker);
}
