// SPDX-License-Identifier: MIT
/* A client's ring: entries become calls, and calls become completions. */
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "daemon/audit.h"
#include "daemon/broker.h"
#include "daemon/call.h"
#include "daemon/client.h"
#include "daemon/device.h"
#include "daemon/limits.h"
#include "daemon/rights.h"
#include "daemon/scheduler.h"
#include "daemon/session.h"

/* Methods that open and close the module's handle: the broker's own. */
#define METHODS_RESERVED 2

static void mark_dirty(struct client *client)
{
	if (list_empty(&client->dirty))
		list_append(&client->broker->dirty, &client->dirty);
}

static void complete(struct client *client, const struct dsp_completion *completion)
{
	client->in_flight--;
	if (client->dead)
		return;
	ring_complete(&client->ring, completion);
	mark_dirty(client);
}

void client_complete_call(struct client *client, const struct dsp_completion *completion)
{
	quota_release(&client->quota, QUOTA_CALLS, 1);
	complete(client, completion);
}

void client_complete_send(struct client *client, const struct dsp_completion *completion)
{
	if (completion->status != DSP_OK || client->dead) {
		client_complete_call(client, completion);
		return;
	}
	quota_release(&client->quota, QUOTA_CALLS, 1);
	client->in_flight--;
	ring_complete_routine(&client->ring, completion);
	mark_dirty(client);
}

void client_publish(struct client *client)
{
	uint32_t how;

	/* One that is stalled cannot go on before it has rung. */
	if (!client->ring.stalled)
		loop_told(client->broker->loop, &client->poller);
	how = ring_publish(&client->ring);
	if (how == DSP_AWAKE)
		return;
	loop_woke(&client->poller);
	ring_wake_requester(&client->ring, how, client->notify);
}

/* End an entry that never became a call. */
static void answer(struct client *client, const struct dsp_entry *entry, enum dsp_status status,
	size_t detail)
{
	complete(client, &(struct dsp_completion){
				 .user_data = entry->user_data,
				 .status = status,
				 .detail = (uint32_t)detail,
			 });
}

/* The same for one that would break a limit. */
static void answer_over(struct session *session, const struct dsp_entry *entry,
	enum dsp_limit limit, uint64_t value)
{
	bool is_rules = limit != DSP_LIMIT_CONNECTION_CALLS && limit != DSP_LIMIT_USER_CALLS;

	complete(session->client, &(struct dsp_completion){
					  .user_data = entry->user_data,
					  .status = DSP_OVER_LIMIT,
					  .detail = (uint32_t)MIN(value, (uint64_t)UINT32_MAX),
					  .limit = limit,
				  });
	audit_over_limit(session->client, session->channel, is_rules ? session->rule : "",
		wire_limit_name(limit), value);
}

/* Look an argument's buffer up and check its range; on failure *@field is the offset of what is
 * wrong within the argument. */
static int resolve(struct client *client, const struct dsp_arg *arg, struct call_arg *out,
	size_t *field)
{
	struct buffer *buffer = arg->buffer == DSP_ARGUMENT_AREA
					? client->arguments
					: idmap_get(&client->buffers, arg->buffer);

	*field = offsetof(struct dsp_arg, buffer);
	if (!buffer)
		return -ENOENT;
	*field = offsetof(struct dsp_arg, offset);
	if (arg->offset > buffer->size)
		return -ERANGE;
	*field = offsetof(struct dsp_arg, length);
	if (arg->length > buffer->size - arg->offset)
		return -ERANGE;
	*out = (struct call_arg){buffer_ref(buffer), arg->offset, arg->length};
	return 0;
}

/* Undo charge() for a call that is not begun. */
static void discharge(struct session *session, const struct dsp_entry *entry)
{
	quota_release(&session->client->quota, QUOTA_CALLS, 1);
	if (entry->op != DSP_OP_RECEIVE)
		rights_end_call(session);
}

/* A call for an entry that was charged for; else NULL, and the entry is answered. */
static struct call *new_call(struct session *session, const struct dsp_entry *entry)
{
	struct client *client = session->client;
	struct call *call = call_new(session, entry->op);
	size_t field;

	if (!call) {
		discharge(session, entry);
		answer(client, entry, DSP_NO_RESOURCES, 0);
		return NULL;
	}
	for (unsigned int i = 0; i < (unsigned int)(entry->n_in + entry->n_out); i++) {
		if (resolve(client, &entry->args[i], &call->args[i], &field) < 0) {
			call_drop(call);
			discharge(session, entry);
			answer(client, entry, DSP_INVALID, ring_arg_offset(i) + field);
			return NULL;
		}
		/* What is resolved so far is the call's, so that dropping it drops that. */
		*(i < entry->n_in ? &call->n_in : &call->n_out) += 1;
	}
	call->user_data = entry->user_data;
	call->method = entry->method;
	call->timeout_us = entry->timeout_us;
	return call;
}

/* The longest a call or a message may take: as long as it says, within the session's limit. */
static void limit_time(struct call *call)
{
	uint32_t limit = call->session->timeout_us;

	call->timeout_us = call->timeout_us ? MIN(call->timeout_us, limit) : limit;
	call_start_clock(call);
}

static void start_invoke(struct call *call)
{
	struct session *session = call->session;

	session->in_flight++;
	limit_time(call);
	scheduler_add(call);
	scheduler_run(session->lane);
}

static void start_send(struct call *call)
{
	struct session *session = call->session;

	session->in_flight++;
	if (scheduler_try(call) >= 0)
		return;
	if (call->method & DSP_SEND_TRY)
		call_fail(call, DSP_BUSY);
	else
		limit_time(call);
}

static void start_receive(struct call *call)
{
	call->session->mailbox.n_receivers++;
	if (call->timeout_us)
		call_start_clock(call);
	mailbox_receive(call);
}

/* The field of an entry that cannot be right on this session, or 0. */
static size_t invoke_fault(const struct session *session, const struct dsp_entry *entry)
{
	(void)session;
	return entry->method < METHODS_RESERVED ? offsetof(struct dsp_slot, method) : 0;
}

/* A message lies in the argument area, where we can reach it. */
static size_t send_fault(const struct session *session, const struct dsp_entry *entry)
{
	const struct dsp_arg *arg = &entry->args[0];

	if (arg->buffer != DSP_ARGUMENT_AREA)
		return ring_arg_offset(0) + offsetof(struct dsp_arg, buffer);
	if (!arg->length || arg->length > session->mailbox.mtu)
		return ring_arg_offset(0) + offsetof(struct dsp_arg, length);
	return 0;
}

static size_t receive_fault(const struct session *session, const struct dsp_entry *entry)
{
	const struct dsp_arg *arg = &entry->args[0];

	if (arg->buffer != DSP_ARGUMENT_AREA)
		return ring_arg_offset(0) + offsetof(struct dsp_arg, buffer);
	if (arg->length < session->mailbox.mtu)
		return ring_arg_offset(0) + offsetof(struct dsp_arg, length);
	return 0;
}

/* How many of the kind are in flight already. */
static uint32_t in_flight(const struct session *session, const struct dsp_entry *entry)
{
	(void)entry;
	return session->in_flight;
}

/* One that does not wait takes nobody's place. */
static uint32_t sending(const struct session *session, const struct dsp_entry *entry)
{
	return entry->method & DSP_SEND_TRY ? 0 : session->in_flight;
}

static uint32_t receiving(const struct session *session, const struct dsp_entry *entry)
{
	(void)entry;
	return session->mailbox.n_receivers;
}

/* What policy does not allow is written down where administrators look; but not that our library
 * asks for messages before anybody wants one. */
static void audit_invoke(struct session *session, const struct dsp_entry *entry)
{
	audit_denied_call(session, entry->method);
}

static void audit_send(struct session *session, const struct dsp_entry *entry)
{
	(void)entry;
	audit_denied_direction(session, "send");
}

static void audit_nothing(struct session *session, const struct dsp_entry *entry)
{
	(void)session;
	(void)entry;
}

/* To wait for a message costs its rule nothing. */
static enum dsp_limit begin_receive(struct session *session, uint32_t *limit)
{
	(void)session;
	(void)limit;
	return DSP_LIMIT_NONE;
}

/* What becomes a call, on which kind of session. */
static const struct {
	enum dsp_channel_kind kind;
	size_t (*fault)(const struct session *session, const struct dsp_entry *entry);
	void (*denied)(struct session *session, const struct dsp_entry *entry);
	size_t denied_field; /* what of the entry policy does not allow */
	uint32_t (*pending)(const struct session *session, const struct dsp_entry *entry);
	enum dsp_limit (*begin)(struct session *session, uint32_t *limit);
	void (*start)(struct call *call);
} ops[] = {
	[DSP_OP_INVOKE] = {DSP_KIND_CALL, invoke_fault, audit_invoke,
		offsetof(struct dsp_slot, method), in_flight, rights_begin_call, start_invoke},
	[DSP_OP_SEND] = {DSP_KIND_MESSAGE, send_fault, audit_send, offsetof(struct dsp_slot, op),
		sending, rights_begin_call, start_send},
	[DSP_OP_RECEIVE] = {DSP_KIND_MESSAGE, receive_fault, audit_nothing,
		offsetof(struct dsp_slot, op), receiving, begin_receive, start_receive},
};

/* What had arrived when a session died is still its client's, unless policy took it away. */
static bool has_left(const struct session *session, const struct dsp_entry *entry)
{
	return entry->op == DSP_OP_RECEIVE && session->state == SESSION_DEAD &&
	       session->death != DSP_DENIED && session->mailbox.n_queued;
}

/* Charge for one more call. If that is too much, the entry is answered. */
static bool charge(struct session *session, const struct dsp_entry *entry)
{
	struct client *client = session->client;
	struct quota_refusal refusal;
	enum dsp_limit limit;
	uint32_t value;

	if (ops[entry->op].pending(session, entry) >= session->calls_max) {
		answer_over(session, entry, DSP_LIMIT_SESSION_CALLS, session->calls_max);
		return false;
	}
	if (quota_charge(&client->quota, QUOTA_CALLS, 1, &refusal) < 0) {
		limit = refusal.owner == client->quota.owner ? DSP_LIMIT_CONNECTION_CALLS
							     : DSP_LIMIT_USER_CALLS;
		answer_over(session, entry, limit, refusal.limit);
		return false;
	}
	limit = ops[entry->op].begin(session, &value);
	if (limit == DSP_LIMIT_NONE)
		return true;
	quota_release(&client->quota, QUOTA_CALLS, 1);
	answer_over(session, entry, limit, value);
	return false;
}

static void deny(struct session *session, const struct dsp_entry *entry)
{
	answer(session->client, entry, DSP_DENIED, ops[entry->op].denied_field);
	ops[entry->op].denied(session, entry);
}

static void handle_call(struct client *client, const struct dsp_entry *entry)
{
	struct session *session = idmap_get(&client->sessions, entry->session);
	enum dsp_status status;
	struct call *call;

	if (session)
		session_restore(session);
	status = session ? session_status(session) : DSP_NOT_FOUND;
	if (status == DSP_NOT_FOUND)
		answer(client, entry, status, offsetof(struct dsp_slot, session));
	else if (ops[entry->op].kind != session->kind)
		answer(client, entry, DSP_UNSUPPORTED, offsetof(struct dsp_slot, op));
	else if (status != DSP_OK && !has_left(session, entry))
		answer(client, entry, status, 0);
	else if (client->broker->stopping)
		answer(client, entry, DSP_SHUTTING_DOWN, 0);
	else if (ops[entry->op].fault(session, entry))
		answer(client, entry, DSP_INVALID, ops[entry->op].fault(session, entry));
	else if (!rights_allow_call(session, (enum dsp_op)entry->op, entry->method))
		deny(session, entry);
	else if (charge(session, entry) && (call = new_call(session, entry)))
		ops[entry->op].start(call);
}

/* The module is opened and closed by calls of the broker's own. */
static bool is_clients(const struct call *call)
{
	return call->op != DSP_OP_MODULE_OPEN && call->op != DSP_OP_MODULE_CLOSE;
}

static struct call *find_call(struct session *session, uint64_t user_data)
{
	struct list *const queues[] = {
		&session->submitted,
		&session->waiting,
		&session->mailbox.receivers,
	};
	struct call *call;

	for (size_t i = 0; i < ARRAY_SIZE(queues); i++)
		list_for_each (call, queues[i], link)
			if (call->user_data == user_data && is_clients(call))
				return call;
	return NULL;
}

static void handle_cancel(struct client *client, const struct dsp_entry *entry)
{
	struct session *session = idmap_get(&client->sessions, entry->session);
	struct call *call = session ? find_call(session, entry->target) : NULL;

	if (!session)
		answer(client, entry, DSP_NOT_FOUND, offsetof(struct dsp_slot, session));
	else if (!call)
		answer(client, entry, DSP_NOT_FOUND, offsetof(struct dsp_slot, target));
	else
		answer(client, entry, call_cancel(call, DSP_CANCELLED) ? DSP_OK : DSP_BUSY, 0);
}

/* What clients may put into their ring. */
static void (*const handlers[])(struct client *client, const struct dsp_entry *entry) = {
	[DSP_OP_INVOKE] = handle_call,
	[DSP_OP_CANCEL] = handle_cancel,
	[DSP_OP_SEND] = handle_call,
	[DSP_OP_RECEIVE] = handle_call,
};

static void handle_entry(struct client *client, const struct dsp_entry *entry,
	const struct dsp_entry_fault *fault)
{
	client->in_flight++;
	if (fault->field)
		answer(client, entry, DSP_INVALID, fault->field);
	else if (entry->revoked)
		answer(client, entry, DSP_CANCELLED, 0);
	else if (entry->op >= ARRAY_SIZE(handlers) || !handlers[entry->op])
		answer(client, entry, DSP_INVALID, offsetof(struct dsp_slot, op));
	else
		handlers[entry->op](client, entry);
}

/* There is no room for another completion. Returns -EAGAIN: the entries wait where they are, and
 * the client rings when it has made room; 0: it has by now; or -EPROTO. */
static int stall(struct client *client)
{
	int r = ring_servicer_stall(&client->ring, client->in_flight);

	if (r <= 0)
		return r;
	mark_dirty(client);
	return -EAGAIN;
}

/* Take one entry. Returns 1, or 0 when there is none; -EAGAIN as above, or when the client is dead;
 * -EPROTO when its ring makes no sense. */
static int fetch(struct client *client)
{
	struct dsp_entry_fault fault;
	struct dsp_entry entry;
	int r;

	r = ring_has_room(&client->ring, client->in_flight);
	if (r == 0)
		r = stall(client);
	if (r < 0)
		return r;
	r = ring_fetch(&client->ring, &entry, &fault);
	if (r <= 0)
		return r;
	handle_entry(client, &entry, &fault);
	return client->dead ? -EAGAIN : 1;
}

void client_take_entries(struct client *client, uint32_t max)
{
	/* Once for all of them: what it has reaped, and whether it lies about that. */
	int r = ring_unreaped(&client->ring) < 0 ? -EPROTO : 1;

	for (uint32_t i = 0; i < max && r > 0; i++)
		r = fetch(client);
	if (r == -EPROTO)
		client_kill(client, "its ring makes no sense");
	if (client->dead)
		return;
	ring_fetched(&client->ring);
	if (r == -EAGAIN)
		loop_ignore(&client->poller); /* until it rings */
}

static struct client *client_of(const struct loop_poller *poller)
{
	return container_of(poller, struct client, poller);
}

static void take(struct loop_poller *poller)
{
	struct client *client = client_of(poller);

	client->holds++;
	client_take_entries(client, CLIENT_ENTRIES_A_TURN);
	client->holds--;
	client_collect(client);
}

static bool news(const struct loop_poller *poller)
{
	return ring_can_fetch(&client_of(poller)->ring);
}

static bool go_to_sleep(struct loop_poller *poller)
{
	return ring_servicer_sleep(&client_of(poller)->ring, DSP_ASLEEP);
}

static void wake(struct loop_poller *poller)
{
	ring_servicer_wake(&client_of(poller)->ring);
}

/* It is waited for as long as it has nothing in flight, or has something to reap. */
static bool is_here(struct loop_poller *poller)
{
	struct client *client = client_of(poller);

	ring_servicer_here(&client->ring);
	return ring_requester_is_here(&client->ring) &&
	       (client->in_flight == 0 || ring_unreaped(&client->ring) > 0);
}

static const struct loop_poller_ops poller_ops = {news, take, go_to_sleep, wake, is_here};

static void on_doorbell(struct loop_source *source, uint32_t events)
{
	struct client *client = container_of(source, struct client, doorbell_source);

	(void)events;
	loop_heard(client->broker->loop, &client->poller);
	take(&client->poller);
}

static int make_wakeups(struct client *client, int *notify_fd)
{
	int ends[2];

	client->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (client->doorbell < 0 ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return -errno;
	shutdown(ends[1], SHUT_RD); /* we listen to nobody */
	*notify_fd = ends[0];
	client->notify = ends[1];
	return 0;
}

void client_init_ring(struct client *client)
{
	list_init(&client->dirty);
	loop_poller_init(&client->poller, &poller_ops);
}

int client_open_ring(struct client *client, uint32_t sq_slots, int *ring_fd, int *notify_fd)
{
	int r;

	r = ring_create(&client->ring, ring_fd, sq_slots, sq_slots * CLIENT_CQ_PER_SQ);
	if (r < 0)
		return r;
	r = make_wakeups(client, notify_fd);
	if (r < 0)
		return r;
	r = buffer_new_arguments(&client->arguments, client, CLIENT_ARGUMENT_BYTES);
	if (r < 0)
		return r;
	/* Edge-triggered: nobody needs to read the doorbell. */
	r = loop_add(client->broker->loop, &client->doorbell_source, client->doorbell,
		EPOLLIN | EPOLLET, on_doorbell);
	if (r < 0)
		return r;
	client->doorbell_source.bell = true;
	go_to_sleep(&client->poller);
	return 0;
}

void client_close_ring(struct client *client)
{
	list_remove(&client->dirty);
	loop_remove(&client->doorbell_source);
	loop_ignore(&client->poller);
	ring_unmap(&client->ring);
	client->doorbell = fd_close(client->doorbell);
	client->notify = fd_close(client->notify);
}
