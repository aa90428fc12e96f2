// SPDX-License-Identifier: MIT
#include "daemon/session.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/audit.h"
#include "daemon/broker.h"
#include "daemon/client.h"
#include "daemon/device.h"
#include "daemon/rights.h"
#include "daemon/scheduler.h"
#include "daemon/transport/transport.h"
#include "daemon/user.h"
#include "protocol/clock.h"

static void die(struct session *session, const char *text);

/* Is there another session on that channel that bears no company, or that would have to? */
static bool in_use(const struct device *device, const char *channel, bool exclusive)
{
	const struct session *session;

	if (!exclusive && !device->exclusive_sessions)
		return false;
	list_for_each (session, &device->broker->sessions, of_broker)
		if (session->device == device && session->state != SESSION_DEAD &&
			(exclusive || session->exclusive) && !strcmp(session->channel, channel))
			return true;
	return false;
}

/* The channel's device, if it can be opened now; else the client is told why not. */
static struct device *find_device(struct client *client, const char *channel,
	const struct policy_decision *decision, uint32_t serial)
{
	const char *service;
	struct device *device = device_find(client->broker, channel, &service);

	if (!device || (!device_channel(device, service) && !device->any_service))
		client_refuse(client, serial, &(struct refusal){.status = DSP_NOT_FOUND},
			"there is no channel %s", channel);
	else if (device->isolation == DSP_ISOLATION_REFUSED)
		client_refuse(client, serial, &(struct refusal){.status = DSP_DENIED},
			"%s may reach all memory, since no IOMMU isolates it; policy can accept "
			"that with \"without_iommu\": \"accept\" for this device",
			device->name);
	else if (!device->up && *device->trouble)
		client_refuse(client, serial, &(struct refusal){.status = DSP_DEVICE_DOWN},
			"%s: %s", device->name, device->trouble);
	else if (!device->up)
		client_refuse(client, serial, &(struct refusal){.status = DSP_DEVICE_DOWN},
			"the device of %s is down (remote processor: %s)", channel,
			wire_state_name(device->state));
	else if (in_use(device, channel, decision->exclusive))
		client_refuse(client, serial,
			&(struct refusal){.status = DSP_BUSY, .rule = decision->rule},
			"%s is in use, and policy lets one session in at a time", channel);
	else
		return device;
	return NULL;
}

static enum dsp_channel_kind kind_of(const struct device *device, const char *channel)
{
	const struct channel *known = device_channel(device, strchr(channel, '/') + 1);

	return known ? known->kind : device->any_service;
}

static void fill(struct session *session, const char *channel,
	const struct policy_decision *decision)
{
	struct client *client = session->client;

	wire_string_set(session->channel, sizeof(session->channel), channel);
	session->service = strchr(session->channel, '/') + 1;
	session->kind = kind_of(session->device, channel);
	mailbox_init(&session->mailbox);
	rights_grant(session, decision);
	session->since_us = clock_real_us();
	list_init(&session->waiting);
	list_init(&session->submitted);
	list_init(&session->link);
	list_append(&client->broker->sessions, &session->of_broker);
	list_append(&client->user->sessions, &session->of_user);
	client->n_sessions++;
}

/* Undo rights_charge() and forget the session; the transport does not know it (any more). */
static void destroy(struct session *session)
{
	struct client *client = session->client;

	if (session->id)
		idmap_remove(&client->sessions, session->id);
	list_remove(&session->of_broker);
	list_remove(&session->of_user);
	client->n_sessions--;
	rights_end(session);
	mailbox_deinit(&session->mailbox);
	fd_close(session->module);
	rights_discharge(client, session->account);
	free(session);
	client_collect(client);
}

static void reply(struct session *session, void *message, size_t size)
{
	struct dsp_header *header = message;

	header->serial = session->reply_serial;
	session->reply_wanted = false;
	client_send(session->client, message, size);
}

/* Queue one of the broker's own calls. Returns 0 or -ENOMEM. */
static int queue_own(struct session *session, enum dsp_op op)
{
	struct call *call = call_new(session, op);

	if (!call)
		return -ENOMEM;
	call->timeout_us = session->timeout_us;
	if (op == DSP_OP_MODULE_OPEN)
		call_start_clock(call);
	scheduler_add(call);
	scheduler_run(session->lane);
	return 0;
}

/* Let the transport go on with the end of a session that has no calls any more. */
static void leave(struct session *session)
{
	if (session->leaving)
		return;
	session->leaving = true;
	session->device->ops->close(session);
}

/* The open came to nothing: say so, then take back what there is. */
static void open_failed(struct session *session, enum dsp_status status, const char *text)
{
	session->state = SESSION_CLOSING;
	if (session->reply_wanted)
		client_refuse(session->client, session->reply_serial,
			&(struct refusal){.status = status, .rule = session->rule}, "%s: %s",
			session->channel, text);
	session->reply_wanted = false;
}

/* Give it its id and its place on the device. Returns 0 or -errno. */
static int attach(struct session *session)
{
	struct client *client = session->client;
	int r = 0;

	/* First: this may tell everybody news, and the end of the client must not find the session.
	 */
	device_session_begins(session->device);
	if (client->dead)
		r = -ECONNRESET;
	if (r >= 0 && session->kind == DSP_KIND_MESSAGE)
		r = buffer_map(client->arguments);
	if (r >= 0)
		r = idmap_add(&client->sessions, session, &session->id);
	if (r >= 0)
		r = session->device->ops->open(session);
	if (r < 0)
		device_session_ends(session->device);
	return r;
}

static void refuse_attach(struct client *client, const char *channel, int error, uint32_t serial)
{
	if (error == -EINVAL)
		client_refuse(client, serial, &(struct refusal){.status = DSP_NOT_FOUND},
			"%s can be no channel: modules are named by letters, digits and '_'",
			channel);
	else if (error == -EUSERS)
		client_refuse(client, serial, &(struct refusal){.status = DSP_OVER_LIMIT},
			"too many calls of this user on the DSP of %s did not end; it gets no more "
			"until the DSP has restarted",
			channel);
	else
		client_refuse(client, serial, &(struct refusal){.status = DSP_NO_RESOURCES},
			"no room for a session on %s", channel);
}

void session_open(struct client *client, const char *channel,
	const struct policy_decision *decision, int module, uint32_t serial)
{
	_cleanup_(fd_closep) int module_fd = module;
	struct device *device = find_device(client, channel, decision, serial);
	struct account *account;
	struct session *session;
	int r;

	if (device && module >= 0 && !device->ops->brings_modules) {
		client_refuse(client, serial, &(struct refusal){.status = DSP_UNSUPPORTED},
			"%s loads its modules itself", device->name);
		return;
	}
	if (!device || rights_charge(client, channel, decision, serial, &account) < 0)
		return;
	session = calloc(1, sizeof(*session));
	if (!session) {
		rights_discharge(client, account);
		client_refuse(client, serial, &(struct refusal){.status = DSP_NO_RESOURCES},
			"out of memory");
		return;
	}
	*session = (struct session){
		.client = client,
		.device = device,
		.number = ++client->broker->last_session,
		.account = account,
		.module = TAKE_FD(module_fd),
		.reply_wanted = true,
		.reply_serial = serial,
	};
	fill(session, channel, decision);
	r = attach(session);
	if (r < 0) {
		destroy(session); /* first: a reply that cannot be sent ends all that is left */
		refuse_attach(client, channel, r, serial);
		return;
	}
	if (session->kind == DSP_KIND_CALL && queue_own(session, DSP_OP_MODULE_OPEN) < 0) {
		open_failed(session, DSP_NO_RESOURCES, "out of memory");
		leave(session);
	}
}

/* The next step of closing, when no call of the client's is left. */
static void close_step(struct session *session)
{
	if (session->leaving || !list_empty(&session->waiting) || !list_empty(&session->submitted))
		return;
	if (session->module_open) {
		session->module_open = false;
		if (queue_own(session, DSP_OP_MODULE_CLOSE) >= 0)
			return;
	}
	leave(session);
}

/* Whoever lets go last goes on with what had to wait. */
static void unhold(struct session *session)
{
	if (--session->holds)
		return;
	if (session->closed)
		session_closed(session);
	else if (session->state == SESSION_CLOSING && session->lane)
		close_step(session);
}

static void opened(struct session *session)
{
	struct dsp_open_reply message = {
		.header.opcode = (session->module < 0 ? DSP_OPEN : DSP_OPEN_MODULE) | DSP_REPLY,
		.session = session->id,
		.kind = session->kind,
		.calls_max = session->calls_max,
		.timeout_max_us = session->timeout_us,
		.generation = session->device->generation,
		.mtu = session->mailbox.mtu,
	};

	session->state = SESSION_OPEN;
	wire_string_set(message.rule, sizeof(message.rule), session->rule);
	audit_opened(session);
	session->holds++;
	reply(session, &message, sizeof(message));
	rights_review(session); /* the policy may have been changed meanwhile */
	unhold(session);
}

static void end_calls(struct session *session, void (*end)(struct call *, enum dsp_status),
	enum dsp_status status)
{
	struct list *const queues[] = {
		&session->submitted,
		&session->waiting,
		&session->mailbox.receivers,
	};

	session->holds++;
	for (size_t i = 0; i < ARRAY_SIZE(queues); i++) {
		struct call *call, *following;

		list_for_each_safe (call, following, queues[i], link)
			end(call, status);
	}
	unhold(session);
}

static void cancel(struct call *call, enum dsp_status status)
{
	call_cancel(call, status);
}

static void begin_close(struct session *session, enum dsp_status status)
{
	session->state = SESSION_CLOSING;
	end_calls(session, cancel, status);
}

void session_close(struct session *session, uint32_t serial)
{
	session->reply_wanted = true;
	session->reply_serial = serial;
	if (session->state == SESSION_DEAD || session->state == SESSION_DOWN)
		session_closed(session);
	else if (session->state == SESSION_OPEN)
		begin_close(session, DSP_CANCELLED);
}

void session_revoke(struct session *session, enum dsp_status status, const char *format, ...)
{
	va_list ap;

	if (session->state != SESSION_OPEN && session->state != SESSION_DOWN)
		return;
	va_start(ap, format);
	vsnprintf(session->trouble, sizeof(session->trouble), format, ap);
	va_end(ap);
	session->revoked = true;
	session->death = status;
	if (session->state == SESSION_OPEN)
		begin_close(session, status);
	else
		die(session, session->trouble);
}

bool session_refuse(struct session *session, enum dsp_status status, const char *rule,
	const char *text)
{
	struct call *call = list_first(&session->waiting, struct call, link);
	char former[DSP_RULE_SIZE];
	bool ended;

	if (!call)
		call = list_first(&session->submitted, struct call, link);
	if (session->state != SESSION_OPENING || !call)
		return false;
	memcpy(former, session->rule, sizeof(former));
	session->holds++;
	wire_string_set(session->rule, sizeof(session->rule), rule);
	wire_string_set(session->trouble, sizeof(session->trouble), text);
	ended = call_cancel(call, status);
	if (!ended) {
		memcpy(session->rule, former, sizeof(former));
		*session->trouble = '\0';
	}
	unhold(session);
	return ended;
}

static void end_if_denied(struct call *call, enum dsp_status status)
{
	if (!rights_allow_call(call->session, call->op, call->method))
		call_cancel(call, status);
}

void session_end_denied(struct session *session)
{
	session->holds++;
	end_calls(session, end_if_denied, DSP_DENIED);
	if (!rights_allow_call(session, DSP_OP_RECEIVE, 0))
		mailbox_empty(session);
	unhold(session);
}

enum dsp_status session_status(const struct session *session)
{
	if (session->state == SESSION_OPEN)
		return DSP_OK;
	if (session->state == SESSION_DOWN)
		return DSP_DEVICE_DOWN;
	return session->state == SESSION_DEAD || session->revoked ? session->death : DSP_NOT_FOUND;
}

void session_abandon(struct session *session)
{
	session->reply_wanted = false;
	if (session->leaving)
		return;
	if (!session->lane) {
		session_closed(session);
	} else if (session->lane->attached == 1) {
		/* Nobody else lives in its domain, so nobody waits for its calls to end. */
		session->state = SESSION_CLOSING;
		leave(session);
	} else if (session->state != SESSION_CLOSING) {
		begin_close(session, DSP_CANCELLED);
	}
}

void session_end_calls(struct session *session, enum dsp_status status)
{
	end_calls(session, cancel, status);
}

void session_end_receivers(struct session *session, enum dsp_status status)
{
	struct call *call, *following;

	session->holds++;
	list_for_each_safe (call, following, &session->mailbox.receivers, link)
		call_fail(call, status);
	unhold(session);
}

void session_abort_calls(struct session *session, enum dsp_status status)
{
	end_calls(session, call_abort, status);
}

static const char *open_failure(const struct session *session,
	const struct dsp_completion *completion, char *out, size_t size)
{
	if (*session->trouble)
		snprintf(out, size, "the module did not open: %.200s", session->trouble);
	else if (completion->status == DSP_DSP_ERROR)
		snprintf(out, size, "the module refused to open (it returned %d, 0x%x)",
			completion->result, (uint32_t)completion->result);
	else
		snprintf(out, size, "the module did not open: %s",
			wire_status_name(completion->status));
	return out;
}

static void open_done(struct session *session, const struct dsp_completion *completion)
{
	char text[DSP_TEXT_SIZE];

	if (completion->status != DSP_OK && session->state == SESSION_OPEN) {
		/* Unless the DSP stopped once more: then this comes from session_lost(). */
		if (session->lane)
			session_revoke(session, DSP_LOAD_FAILED,
				"its module did not open again after the DSP had restarted");
	} else if (completion->status != DSP_OK && session->state != SESSION_OPENING) {
		/* It closes already, and its client waits for that. */
	} else if (completion->status != DSP_OK) {
		open_failed(session,
			completion->status == DSP_DSP_ERROR ? DSP_LOAD_FAILED : completion->status,
			open_failure(session, completion, text, sizeof(text)));
	} else {
		session->module_open = true;
		session->generation = session->device->generation;
		if (session->state == SESSION_OPENING)
			opened(session);
	}
}

void session_restore(struct session *session)
{
	if (session->state != SESSION_DOWN || !session->device->up ||
		session->device->isolation == DSP_ISOLATION_REFUSED ||
		session->client->broker->stopping)
		return;
	if (session->device->ops->open(session) < 0)
		return;
	session->state = SESSION_OPEN;
	if (queue_own(session, DSP_OP_MODULE_OPEN) < 0)
		session_revoke(session, DSP_NO_RESOURCES, "out of memory");
}

void session_opened(struct session *session, uint32_t mtu)
{
	session->mailbox.mtu = mtu;
	opened(session);
}

static void receive_done(struct session *session, const struct dsp_completion *completion)
{
	session->mailbox.n_receivers--;
	client_complete_call(session->client, completion);
}

static void count(struct session *session, const struct dsp_completion *completion)
{
	rights_end_call(session);
	session->in_flight--;
	session->calls++;
	session->errors += completion->status != DSP_OK;
	session->busy_ns += completion->busy_ns;
}

static void invoke_done(struct session *session, const struct dsp_completion *completion)
{
	struct dsp_completion told = *completion;

	/* Which life of the DSP it ran in. */
	if (told.status == DSP_OK || told.status == DSP_DSP_ERROR)
		told.detail = session->generation;
	count(session, &told);
	client_complete_call(session->client, &told);
}

static void send_done(struct session *session, const struct dsp_completion *completion)
{
	count(session, completion);
	client_complete_send(session->client, completion);
}

void session_call_done(struct session *session, enum dsp_op op,
	const struct dsp_completion *completion)
{
	static void (*const done[])(struct session *, const struct dsp_completion *) = {
		[DSP_OP_INVOKE] = invoke_done,
		[DSP_OP_SEND] = send_done,
		[DSP_OP_RECEIVE] = receive_done,
		[DSP_OP_MODULE_OPEN] = open_done,
	};

	session->holds++;
	if (op < ARRAY_SIZE(done) && done[op])
		done[op](session, completion);
	unhold(session);
}

static void announce_death(struct session *session, const char *text)
{
	struct dsp_event_session event = {
		.header.opcode = DSP_EVENT_SESSION,
		.session = session->id,
		.status = session->death,
	};

	wire_string_set(event.text, sizeof(event.text), text);
	audit_lost(session, text);
	client_send(session->client, &event, sizeof(event));
}

/* The transport has let go of it; what remains is its id, until the client closes it. */
static void die(struct session *session, const char *text)
{
	device_session_ends(session->device);
	session->state = SESSION_DEAD;
	announce_death(session, text);
}

static void lose(struct call *call, enum dsp_status status)
{
	call_fail(call, call->outcome ? call->outcome : status);
}

/* A session that opens has one call, which knows best why it came to nothing. */
static enum dsp_status opening_status(const struct session *session, enum dsp_status status)
{
	const struct call *call = list_first(&session->submitted, struct call, link);

	return call && call->outcome ? call->outcome : status;
}

void session_lost(struct session *session, enum dsp_status status, const char *text)
{
	enum session_state state = session->state;
	bool down = status == DSP_DEVICE_DOWN && session->kind == DSP_KIND_CALL;

	session->holds++;
	scheduler_detach(session); /* first, so that nothing that follows goes there */
	session->module_open = false;
	session->leaving = state != SESSION_OPEN;
	if (state == SESSION_OPENING)
		open_failed(session, opening_status(session, status), text);
	end_calls(session, lose, status);
	if (state == SESSION_OPEN && down) {
		session->state = SESSION_DOWN;
	} else if (state == SESSION_OPEN) {
		session->death = status;
		die(session, text);
	} else {
		session_closed(session);
	}
	unhold(session);
}

void session_closed(struct session *session)
{
	struct dsp_close_reply message = {.header.opcode = DSP_CLOSE | DSP_REPLY};
	struct client *client = session->client;

	session->closed = true;
	if (session->holds)
		return;
	assert(list_empty(&session->waiting) && list_empty(&session->submitted) &&
		list_empty(&session->mailbox.receivers));
	scheduler_detach(session);
	if (session->revoked && session->state == SESSION_CLOSING && !session->reply_wanted &&
		!client->dead) {
		session->closed = session->leaving = false;
		session->holds++;
		die(session, session->trouble);
		unhold(session);
		return;
	}
	if (session->state != SESSION_DEAD)
		device_session_ends(session->device);
	/* Its id goes first: a reply that cannot be sent ends the client and all it still has. */
	client->holds++;
	idmap_remove(&client->sessions, session->id);
	session->id = 0;
	if (session->reply_wanted)
		reply(session, &message, sizeof(message));
	destroy(session);
	client->holds--;
	client_collect(client);
}
