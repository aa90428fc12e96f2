// SPDX-License-Identifier: MIT
/* The requests of the control plane, one function each. What comes here has been decoded. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/administration.h"
#include "daemon/allocation.h"
#include "daemon/audit.h"
#include "daemon/broker.h"
#include "daemon/client.h"
#include "daemon/device.h"
#include "daemon/limits.h"
#include "daemon/session.h"
#include "daemon/transport/remoteproc.h"
#include "daemon/transport/transport.h"
#include "daemon/user.h"

/* So that a module stays what it is. */
#define MODULE_SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

static void refuse_field(struct client *client, uint32_t serial, size_t field, const char *text)
{
	client_refuse(client, serial,
		&(struct refusal){.status = DSP_INVALID, .field = (uint32_t)field}, "%s", text);
}

/* HELLO */

static uint32_t ring_slots(uint32_t wished)
{
	uint32_t slots = DSP_RING_SQ_MIN;

	if (!wished)
		return CLIENT_SQ_SLOTS;
	while (slots < wished && slots < CLIENT_SQ_SLOTS)
		slots *= 2;
	return slots;
}

static void send_hello_reply(struct client *client, uint32_t serial, int ring_fd, int notify_fd)
{
	const struct dsp_hello_reply reply = {
		.header = {.opcode = DSP_HELLO | DSP_REPLY, .serial = serial},
		.version = DSP_WIRE_VERSION,
		.sq_slots = client->ring.sq_slots,
		.cq_entries = client->ring.cq_entries,
		.argument_bytes = (uint32_t)client->arguments->size,
	};
	const int fds[] = {ring_fd, client->arguments->fd, client->doorbell, notify_fd};

	client_send_fds(client, &reply, sizeof(reply), fds, ARRAY_SIZE(fds));
}

static void handle_hello(struct client *client, const union dsp_request *request,
	struct sock_fds *fds)
{
	const struct dsp_hello *hello = &request->hello;
	_cleanup_(fd_closep) int ring_fd = -1, notify_fd = -1;
	uint32_t serial = hello->header.serial;

	(void)fds;
	if (client->ring.shared) {
		refuse_field(client, serial, offsetof(struct dsp_header, opcode),
			"HELLO was said already");
		return;
	}
	if (hello->magic != DSP_WIRE_MAGIC) {
		refuse_field(client, serial, offsetof(struct dsp_hello, magic), "wrong magic");
		client_kill(client, "no HELLO of this protocol");
		return;
	}
	if (hello->version_min > DSP_WIRE_VERSION || hello->version_max < DSP_WIRE_VERSION) {
		client_refuse(client, serial,
			&(struct refusal){.status = DSP_UNSUPPORTED,
				.field = offsetof(struct dsp_hello, version_min)},
			"this broker speaks version %d of the protocol, the client %u to %u",
			DSP_WIRE_VERSION, hello->version_min, hello->version_max);
		client_kill(client, NULL);
		return;
	}
	if (client->broker->stopping) {
		client_refuse(client, serial, &(struct refusal){.status = DSP_SHUTTING_DOWN},
			"the broker is stopping");
		client_kill(client, NULL);
		return;
	}
	if (client_open_ring(client, ring_slots(hello->sq_slots), &ring_fd, &notify_fd) < 0) {
		client_refuse(client, serial, &(struct refusal){.status = DSP_NO_RESOURCES},
			"no memory or descriptors for a ring");
		client_kill(client, NULL);
		return;
	}
	deadline_clear(&client->broker->deadlines, &client->hello);
	send_hello_reply(client, serial, ring_fd, notify_fd);
}

/* OPEN, OPEN_MODULE, CLOSE */

/* "DEVICE/SERVICE", in characters that are safe in a log line and a file name. */
static bool is_channel_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	size_t device = strspn(name, allowed), service;

	if (!device || device >= DSP_DEVICE_SIZE || name[device] != '/')
		return false;
	service = strspn(name + device + 1, allowed);
	return service && !name[device + 1 + service];
}

/* What policy says, if the channel can be opened now; else the client is told why not. */
static bool may_open(struct client *client, const struct dsp_open *open,
	struct policy_decision *decision)
{
	uint32_t serial = open->header.serial;

	if (!is_channel_name(open->channel)) {
		refuse_field(client, serial, offsetof(struct dsp_open, channel),
			"that is no name of a channel, which is DEVICE/SERVICE");
		return false;
	}
	if (client->broker->stopping) {
		client_refuse(client, serial, &(struct refusal){.status = DSP_SHUTTING_DOWN},
			"the broker is stopping");
		return false;
	}
	policy_decide(client->broker->policy, &client->identity, POLICY_OPEN, open->channel,
		decision);
	if (decision->allowed)
		return true;
	audit_denied(client, POLICY_OPEN, open->channel, decision);
	client_refuse(client, serial,
		&(struct refusal){.status = DSP_DENIED, .rule = decision->rule},
		"%s is denied to uid %u by rule %s", open->channel, client->identity.uid,
		decision->rule);
	return false;
}

static void handle_open(struct client *client, const union dsp_request *request,
	struct sock_fds *fds)
{
	const struct dsp_open *open = &request->open;
	struct policy_decision decision;

	(void)fds;
	if (may_open(client, open, &decision))
		session_open(client, open->channel, &decision, -1, open->header.serial);
}

/* What is wrong with a module that a client brought; NULL: nothing, and nobody can change it. */
static const char *module_fault(int fd)
{
	/* Before anything else: a file system in user space may never answer fstat(). */
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0)
		return "the module is in no memfd; make one with memfd_create(MFD_ALLOW_SEALING)";
	if ((seals & MODULE_SEALS) != MODULE_SEALS)
		return "the module's memfd is not sealed; add F_SEAL_WRITE, F_SEAL_GROW and "
		       "F_SEAL_SHRINK first";
	if (fstat(fd, &st) < 0 || st.st_size <= 0)
		return "the module's memfd is empty";
	if (st.st_size > DSP_MODULE_BYTES_MAX)
		return "the module is larger than one can be";
	return NULL;
}

static void handle_open_module(struct client *client, const union dsp_request *request,
	struct sock_fds *fds)
{
	const struct dsp_open *open = &request->open;
	uint32_t serial = open->header.serial;
	struct policy_decision decision;
	const char *fault;

	if (!may_open(client, open, &decision))
		return;
	if (!decision.domain->own_modules) {
		audit_denied(client, POLICY_OPEN, open->channel, &decision);
		client_refuse(client, serial,
			&(struct refusal){.status = DSP_DENIED, .rule = decision.rule},
			"rule %s lets uid %u bring no module of its own to %s", decision.rule,
			client->identity.uid, open->channel);
		return;
	}
	fault = module_fault(fds->fd[0]);
	if (fault)
		refuse_field(client, serial, sizeof(*open), fault);
	else
		session_open(client, open->channel, &decision, sock_fds_take(fds, 0), serial);
}

static void handle_close(struct client *client, const union dsp_request *request,
	struct sock_fds *fds)
{
	const struct dsp_close *close = &request->close;
	struct session *session = idmap_get(&client->sessions, close->session);

	(void)fds;
	if (!session || session_status(session) == DSP_NOT_FOUND) {
		client_refuse(client, close->header.serial,
			&(struct refusal){.status = DSP_NOT_FOUND,
				.field = offsetof(struct dsp_close, session)},
			"no such session is open");
		return;
	}
	session_close(session, close->header.serial);
}

/* ALLOC, IMPORT, FREE */

static void refuse_buffer(struct client *client, uint32_t serial, size_t field,
	const struct buffer_fault *fault)
{
	if (fault->status == DSP_OVER_LIMIT)
		client_refuse_quota(client, serial, &fault->refusal);
	else
		client_refuse(client, serial,
			&(struct refusal){.status = fault->status, .field = (uint32_t)field}, "%s",
			fault->text);
}

/* Without a right to any channel there is no use for memory; the default rule says so. */
static bool may_have_buffers(struct client *client, uint32_t serial)
{
	if (!client->has_rights)
		client_refuse(client, serial,
			&(struct refusal){.status = DSP_DENIED, .rule = "(default)"},
			"no rule lets uid %u use any channel, so it gets no buffer",
			client->identity.uid);
	return client->has_rights;
}

/* Give the client its id of a new buffer, whose reference is the client's from here on. */
static void publish_buffer(struct client *client, uint32_t serial, uint16_t opcode,
	struct buffer *buffer)
{
	struct dsp_buffer_reply reply = {
		.header = {.opcode = opcode | DSP_REPLY, .serial = serial},
		.size = buffer->size,
	};

	if (idmap_add(&client->buffers, buffer, &buffer->id) < 0) {
		buffer_unref(buffer);
		client_refuse(client, serial, &(struct refusal){.status = DSP_NO_RESOURCES},
			"out of memory");
		return;
	}
	reply.buffer = buffer->id;
	client_send_fds(client, &reply, sizeof(reply), &buffer->fd, opcode == DSP_ALLOC ? 1 : 0);
}

static void alloc_ended(struct client *client, uint32_t serial, struct buffer *buffer,
	const struct buffer_fault *fault)
{
	if (buffer)
		publish_buffer(client, serial, DSP_ALLOC, buffer);
	else
		refuse_buffer(client, serial, offsetof(struct dsp_alloc, size), fault);
}

/* The session on whose device memory is wanted; else the client is told why there is none. */
static struct session *memory_session(struct client *client, const struct dsp_alloc *alloc)
{
	struct session *session = idmap_get(&client->sessions, alloc->session);
	enum dsp_status status = session ? session_status(session) : DSP_NOT_FOUND;
	const struct refusal refusal = {
		.status = status == DSP_OK ? DSP_UNSUPPORTED : status,
		.field = offsetof(struct dsp_alloc, session),
	};

	if (status == DSP_OK && session->kind == DSP_KIND_CALL && session->device->ops->memory_node)
		return session;
	client_refuse(client, alloc->header.serial, &refusal,
		status == DSP_NOT_FOUND ? "no such session is open"
		: status == DSP_OK      ? "the session's device has no memory of its own"
					: "the session is dead");
	return NULL;
}

/* Memory that takes time to make. */
static void begin_alloc(struct client *client, const struct dsp_alloc *alloc)
{
	uint32_t serial = alloc->header.serial;
	struct session *session = NULL;
	struct buffer_fault fault;

	if (client->n_allocations >= LIMIT_CLIENT_ALLOCATIONS) {
		client_refuse(client, serial,
			&(struct refusal){
				.status = DSP_OVER_LIMIT, .limit = LIMIT_CLIENT_ALLOCATIONS},
			"over limit: %d buffers of this connection are being made",
			LIMIT_CLIENT_ALLOCATIONS);
		return;
	}
	if (alloc->memory == DSP_MEMORY_DEVICE) {
		session = memory_session(client, alloc);
		if (!session)
			return;
	}
	if (allocation_begin(client, alloc, session, alloc_ended, &fault) < 0)
		alloc_ended(client, serial, NULL, &fault);
}

static void handle_alloc(struct client *client, const union dsp_request *request,
	struct sock_fds *fds)
{
	const struct dsp_alloc *alloc = &request->alloc;
	struct buffer_fault fault;
	struct buffer *buffer = NULL;

	(void)fds;
	if (!may_have_buffers(client, alloc->header.serial))
		return;
	if (alloc->memory != DSP_MEMORY_MEMFD) {
		begin_alloc(client, alloc);
		return;
	}
	buffer_new(&buffer, client, alloc->size, &fault);
	alloc_ended(client, alloc->header.serial, buffer, &fault);
}

static void handle_import(struct client *client, const union dsp_request *request,
	struct sock_fds *fds)
{
	const struct dsp_import *import = &request->import;
	struct buffer_fault fault;
	struct buffer *buffer;

	if (!may_have_buffers(client, import->header.serial))
		return;
	if (buffer_new_import(&buffer, client, fds->fd[0], import->size, &fault) < 0) {
		refuse_buffer(client, import->header.serial, offsetof(struct dsp_import, size),
			&fault);
		return;
	}
	sock_fds_take(fds, 0); /* it is the buffer's */
	publish_buffer(client, import->header.serial, DSP_IMPORT, buffer);
}

static void handle_free(struct client *client, const union dsp_request *request,
	struct sock_fds *fds)
{
	const struct dsp_free *free_request = &request->free;
	struct buffer *buffer = idmap_get(&client->buffers, free_request->buffer);
	struct dsp_free_reply reply = {
		.header = {.opcode = DSP_FREE | DSP_REPLY, .serial = free_request->header.serial},
	};

	(void)fds;
	if (!buffer) {
		client_refuse(client, free_request->header.serial,
			&(struct refusal){.status = DSP_NOT_FOUND,
				.field = offsetof(struct dsp_free, buffer)},
			"no such buffer");
		return;
	}
	idmap_remove(&client->buffers, buffer->id);
	buffer_unref(buffer);
	client_send(client, &reply, sizeof(reply));
}

/* QUERY_* */

static void handle_query_device(struct client *client, const union dsp_request *request,
	struct sock_fds *fds)
{
	struct device *device = device_after(client->broker, request->query.after);
	struct dsp_device_record record = {
		.header = {.opcode = DSP_QUERY_DEVICE | DSP_REPLY,
			.serial = request->header.serial},
	};

	(void)fds;
	if (device) {
		if (device->remoteproc)
			remoteproc_refresh(device->remoteproc);
		record.id = device->id;
		wire_string_set(record.name, sizeof(record.name), device->name);
		wire_string_set(record.transport, sizeof(record.transport), device->ops->name);
		record.up = device->up;
		record.generation = device->generation;
		record.channels = (uint32_t)device->n_channels;
		record.sessions = device->sessions;
		record.domains = device->domains;
		record.state = device->state;
		record.isolation = device->isolation;
		record.coredumps = device->coredumps;
		record.domains_max = device->domains_max;
		record.domains_hung = device->domains_hung;
		record.waiting = device->waiting;
		wire_string_set(record.trouble, sizeof(record.trouble),
			administration_is_administrator(client) ? device->trouble_in_private
								: device->trouble);
		record.n_attributes = device->n_attributes;
		memcpy(record.attributes, device->attributes, sizeof(record.attributes));
		if (device->remoteproc)
			wire_string_set(record.remoteproc, sizeof(record.remoteproc),
				remoteproc_name(device->remoteproc));
	}
	client_send(client, &record, sizeof(record));
}

static void handle_query_channel(struct client *client, const union dsp_request *request,
	struct sock_fds *fds)
{
	struct device *device = NULL;
	const struct channel *channel =
		channel_after(client->broker, request->query.after, &device);
	struct dsp_channel_record record = {
		.header = {.opcode = DSP_QUERY_CHANNEL | DSP_REPLY,
			.serial = request->header.serial},
	};
	struct policy_decision decision;

	(void)fds;
	if (channel) {
		record.id = channel->id;
		snprintf(record.name, sizeof(record.name), "%s/%s", device->name, channel->service);
		policy_decide(client->broker->policy, &client->identity, POLICY_OPEN, record.name,
			&decision);
		record.kind = channel->kind;
		record.allowed = decision.allowed;
		wire_string_set(record.rule, sizeof(record.rule), decision.rule);
	}
	client_send(client, &record, sizeof(record));
}

/* Sizes and descriptor counts are in the table of protocol/wire.c, by the same opcodes. */
static void (*const handlers[DSP_OPCODE_COUNT])(struct client *client,
	const union dsp_request *request, struct sock_fds *fds) = {
	[DSP_HELLO] = handle_hello,
	[DSP_OPEN] = handle_open,
	[DSP_CLOSE] = handle_close,
	[DSP_ALLOC] = handle_alloc,
	[DSP_IMPORT] = handle_import,
	[DSP_FREE] = handle_free,
	[DSP_QUERY_DEVICE] = handle_query_device,
	[DSP_QUERY_CHANNEL] = handle_query_channel,
	[DSP_QUERY_SESSION] = administration_query_session,
	[DSP_OPEN_MODULE] = handle_open_module,
	[DSP_RELOAD] = administration_reload,
	[DSP_KICK] = administration_kick,
	[DSP_POWER] = administration_power,
	[DSP_QUERY_BROKER] = administration_query_broker,
};

void client_handle_request(struct client *client, const void *packet, size_t size,
	struct sock_fds *fds)
{
	union dsp_request request;
	struct dsp_wire_fault fault;

	if (wire_decode_request(&request, packet, size, fds->n, &fault) < 0) {
		if (size < sizeof(request.header)) {
			client_kill(client, fault.text);
			return;
		}
		client_refuse(client, request.header.serial,
			&(struct refusal){.status = fault.status, .field = fault.field}, "%s: %s",
			wire_opcode_name(request.header.opcode), fault.text);
	} else if (!client->ring.shared && request.header.opcode != DSP_HELLO) {
		refuse_field(client, request.header.serial, offsetof(struct dsp_header, opcode),
			"the first request must be HELLO");
	} else {
		/* The calls that were submitted before it was sent are older. */
		if (client->ring.shared)
			client_take_entries(client, client->ring.sq_slots);
		if (!client->dead)
			handlers[request.header.opcode](client, &request, fds);
		return;
	}
	if (!client->ring.shared)
		client_kill(client, "it did not begin with HELLO");
}
