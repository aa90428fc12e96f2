// SPDX-License-Identifier: MIT
/* A client's ring: entries become calls, and calls become completions. */
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "daemon/broker.h"
#include "daemon/call.h"
#include "daemon/client.h"
#include "daemon/device.h"
#include "daemon/limits.h"
#include "daemon/scheduler.h"
#include "daemon/session.h"

/* Methods that open and close the module's handle: the broker's own. */
#define METHODS_RESERVED 2

static void complete(struct client *client, const struct dsp_completion *completion)
{
	client->in_flight--;
	if (client->dead)
		return;
	ring_complete(&client->ring, completion);
	if (list_empty(&client->dirty))
		list_append(&client->broker->dirty, &client->dirty);
}

void client_complete_call(struct client *client, const struct dsp_completion *completion)
{
	quota_release(&client->quota, QUOTA_CALLS, 1);
	complete(client, completion);
}

void client_publish(struct client *client)
{
	if (ring_publish(&client->ring))
		ring_kick(client->notify);
}

/* End an entry that never became a call. */
static void answer(struct client *client, const struct dsp_entry *entry, enum dsp_status status,
	uint64_t detail)
{
	complete(client, &(struct dsp_completion){
				 .user_data = entry->user_data,
				 .status = status,
				 .detail = (uint32_t)MIN(detail, (uint64_t)UINT32_MAX),
			 });
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

static void start_call(struct session *session, const struct dsp_entry *entry)
{
	struct client *client = session->client;
	struct call *call = call_new(session, DSP_OP_INVOKE);
	size_t field;

	if (!call) {
		quota_release(&client->quota, QUOTA_CALLS, 1);
		answer(client, entry, DSP_NO_RESOURCES, 0);
		return;
	}
	for (unsigned int i = 0; i < (unsigned int)(entry->n_in + entry->n_out); i++) {
		if (resolve(client, &entry->args[i], &call->args[i], &field) < 0) {
			call_drop(call);
			quota_release(&client->quota, QUOTA_CALLS, 1);
			answer(client, entry, DSP_INVALID, ring_arg_offset(i) + field);
			return;
		}
		/* What is resolved so far is the call's, so that dropping it drops that. */
		*(i < entry->n_in ? &call->n_in : &call->n_out) += 1;
	}
	call->user_data = entry->user_data;
	call->method = entry->method;
	call->timeout_us = entry->timeout_us && entry->timeout_us < session->timeout_us
				   ? entry->timeout_us
				   : session->timeout_us;
	session->in_flight++;
	call_start_clock(call);
	scheduler_add(call);
	scheduler_run(session->lane);
}

static void handle_invoke(struct client *client, const struct dsp_entry *entry)
{
	struct session *session = idmap_get(&client->sessions, entry->session);
	struct quota_refusal refusal;

	if (!session || (session->state != SESSION_OPEN && session->state != SESSION_DEAD))
		answer(client, entry, DSP_NOT_FOUND, offsetof(struct dsp_slot, session));
	else if (session->state == SESSION_DEAD)
		answer(client, entry, session->death, 0);
	else if (client->broker->stopping)
		answer(client, entry, DSP_SHUTTING_DOWN, 0);
	else if (entry->method < METHODS_RESERVED)
		answer(client, entry, DSP_INVALID, offsetof(struct dsp_slot, method));
	else if (session->in_flight >= session->calls_max)
		answer(client, entry, DSP_OVER_LIMIT, session->calls_max);
	else if (quota_charge(&client->quota, QUOTA_CALLS, 1, &refusal) < 0)
		answer(client, entry, DSP_OVER_LIMIT, refusal.limit);
	else
		start_call(session, entry);
}

static struct call *find_call(struct session *session, uint64_t user_data)
{
	struct list *const queues[] = {&session->submitted, &session->waiting};
	struct call *call;

	for (size_t i = 0; i < ARRAY_SIZE(queues); i++)
		list_for_each (call, queues[i], link)
			if (call->op == DSP_OP_INVOKE && call->user_data == user_data)
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
	[DSP_OP_INVOKE] = handle_invoke,
	[DSP_OP_CANCEL] = handle_cancel,
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

/* Is there room for one more completion? Else the entries wait where they are, and the client
 * rings when it has made room. Returns 1, 0, or -EPROTO. */
static int room(struct client *client)
{
	int r = ring_unreaped(&client->ring);

	if (r < 0)
		return r;
	if (client->in_flight + (uint32_t)r < client->ring.cq_entries)
		return 1;
	r = ring_servicer_stall(&client->ring, client->in_flight);
	return r < 0 ? r : !r;
}

/* Take entries, at most @max, while there are some and their completions have room. Returns 0 when
 * the client must ring again, 1 when there is more to do, -EPROTO when its ring makes no sense. */
static int fetch(struct client *client, uint32_t max)
{
	struct dsp_entry_fault fault;
	struct dsp_entry entry;
	int r;

	for (uint32_t i = 0; i < max; i++) {
		r = room(client);
		if (r <= 0)
			return r;
		r = ring_fetch(&client->ring, &entry, &fault);
		if (r == 0 && ring_servicer_sleep(&client->ring))
			return 0;
		if (r > 0)
			handle_entry(client, &entry, &fault);
		if (r < 0 || client->dead)
			return r < 0 ? r : 0;
	}
	return 1;
}

void client_take_entries(struct client *client, uint32_t max)
{
	int r;

	ring_servicer_wake(&client->ring);
	r = fetch(client, max);
	if (r < 0)
		client_kill(client, "its ring makes no sense");
	else if (r > 0) /* others first, then we go on */
		sd_event_source_set_enabled(client->more_source, SD_EVENT_ONESHOT);
}

static int take_turn(struct client *client)
{
	client->holds++;
	client_take_entries(client, CLIENT_ENTRIES_A_TURN);
	client->holds--;
	client_collect(client);
	return 0;
}

static int on_doorbell(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source;
	(void)fd;
	(void)events;
	return take_turn(userdata);
}

static int on_more(sd_event_source *source, void *userdata)
{
	(void)source;
	return take_turn(userdata);
}

static int make_wakeups(struct client *client, int *notify_fd)
{
	int ends[2];

	client->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (client->doorbell < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	*notify_fd = ends[0];
	client->notify = ends[1];
	return 0;
}

static int watch(struct client *client)
{
	sd_event *event = client->broker->event;
	int r;

	/* Edge-triggered: nobody needs to read the doorbell. */
	r = sd_event_add_io(event, &client->doorbell_source, client->doorbell, EPOLLIN | EPOLLET,
		on_doorbell, client);
	if (r < 0)
		return r;
	r = sd_event_add_defer(event, &client->more_source, on_more, client);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(client->more_source, SD_EVENT_OFF);
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
	r = watch(client);
	if (r < 0)
		return r;
	ring_servicer_sleep(&client->ring);
	return 0;
}

void client_close_ring(struct client *client)
{
	list_remove(&client->dirty);
	client->doorbell_source = sd_event_source_disable_unref(client->doorbell_source);
	client->more_source = sd_event_source_disable_unref(client->more_source);
	ring_unmap(&client->ring);
	client->doorbell = fd_close(client->doorbell);
	client->notify = fd_close(client->notify);
}
