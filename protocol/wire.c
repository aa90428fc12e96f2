// SPDX-License-Identifier: MIT
#include "protocol/wire.h"

#include <errno.h>
#include <string.h>

#include "protocol/util.h"

/* The request table: what a request must look like before anybody reads it. Fields are named by
 * their offset; 0: there is none. */
static const struct {
	const char *name;
	uint16_t size;        /* exact, bytes */
	uint16_t fds;         /* exact */
	uint16_t reserved;    /* a u32 that must be zero */
	uint16_t flags;       /* a u32 of which no bit is defined yet */
	uint16_t string;      /* a string */
	uint16_t string_size; /* bytes */
	uint16_t memory;      /* a u32 that names a kind of memory */
	uint16_t session;     /* beside that, a u32 that must be zero unless it is a device's */
	uint16_t reply_size;
	uint16_t reply_fds;
} requests[DSP_OPCODE_COUNT] = {
#define REQUEST(text, type, reply) \
	.name = (text), .size = sizeof(struct type), .reply_size = sizeof(struct reply)
	[DSP_HELLO] = {REQUEST("HELLO", dsp_hello, dsp_hello_reply),
		.reserved = offsetof(struct dsp_hello, reserved), .reply_fds = DSP_HELLO_REPLY_FDS},
	[DSP_OPEN] = {REQUEST("OPEN", dsp_open, dsp_open_reply),
		.reserved = offsetof(struct dsp_open, reserved),
		.flags = offsetof(struct dsp_open, flags),
		.string = offsetof(struct dsp_open, channel), .string_size = DSP_CHANNEL_SIZE},
	[DSP_CLOSE] = {REQUEST("CLOSE", dsp_close, dsp_close_reply),
		.reserved = offsetof(struct dsp_close, reserved)},
	[DSP_ALLOC] = {REQUEST("ALLOC", dsp_alloc, dsp_buffer_reply),
		.memory = offsetof(struct dsp_alloc, memory),
		.session = offsetof(struct dsp_alloc, session), .reply_fds = 1},
	[DSP_IMPORT] = {REQUEST("IMPORT", dsp_import, dsp_buffer_reply), .fds = 1,
		.reserved = offsetof(struct dsp_import, reserved),
		.flags = offsetof(struct dsp_import, flags)},
	[DSP_FREE] = {REQUEST("FREE", dsp_free, dsp_free_reply),
		.reserved = offsetof(struct dsp_free, reserved)},
	[DSP_QUERY_DEVICE] = {REQUEST("QUERY_DEVICE", dsp_query, dsp_device_record)},
	[DSP_QUERY_CHANNEL] = {REQUEST("QUERY_CHANNEL", dsp_query, dsp_channel_record)},
	[DSP_QUERY_SESSION] = {REQUEST("QUERY_SESSION", dsp_query, dsp_session_record)},
	[DSP_OPEN_MODULE] = {REQUEST("OPEN_MODULE", dsp_open, dsp_open_reply), .fds = 1,
		.reserved = offsetof(struct dsp_open, reserved),
		.flags = offsetof(struct dsp_open, flags),
		.string = offsetof(struct dsp_open, channel), .string_size = DSP_CHANNEL_SIZE},
	[DSP_RELOAD] = {REQUEST("RELOAD", dsp_reload, dsp_reload_reply)},
	[DSP_KICK] = {REQUEST("KICK", dsp_kick, dsp_kick_reply)},
	[DSP_POWER] = {REQUEST("POWER", dsp_power_request, dsp_power_reply),
		.reserved = offsetof(struct dsp_power_request, reserved),
		.string = offsetof(struct dsp_power_request, device),
		.string_size = DSP_DEVICE_SIZE},
	[DSP_QUERY_BROKER] = {REQUEST("QUERY_BROKER", dsp_query_broker, dsp_broker_record)},
#undef REQUEST
};

static const struct {
	const char *name;
	uint16_t size;
} events[] = {
	[DSP_EVENT_SESSION & ~DSP_EVENT] = {"EVENT_SESSION", sizeof(struct dsp_event_session)},
	[DSP_EVENT_DEVICE & ~DSP_EVENT] = {"EVENT_DEVICE", sizeof(struct dsp_event_device)},
	[DSP_EVENT_SHUTDOWN & ~DSP_EVENT] = {"EVENT_SHUTDOWN", sizeof(struct dsp_event_shutdown)},
	[DSP_EVENT_CHANNEL & ~DSP_EVENT] = {"EVENT_CHANNEL", sizeof(struct dsp_event_channel)},
	[DSP_EVENT_LOST & ~DSP_EVENT] = {"EVENT_LOST", sizeof(struct dsp_event_lost)},
};

static const char *const status_names[DSP_STATUS_COUNT] = {
	[DSP_OK] = "ok",
	[DSP_INVALID] = "invalid request",
	[DSP_UNSUPPORTED] = "not supported",
	[DSP_DENIED] = "denied by policy",
	[DSP_OVER_LIMIT] = "over limit",
	[DSP_NOT_FOUND] = "not found",
	[DSP_TIMED_OUT] = "timed out",
	[DSP_CANCELLED] = "cancelled",
	[DSP_DEVICE_DOWN] = "device is down",
	[DSP_DOMAIN_CRASHED] = "protection domain crashed",
	[DSP_DSP_ERROR] = "error from the DSP",
	[DSP_BUSY] = "busy",
	[DSP_NO_RESOURCES] = "broker is out of resources",
	[DSP_SHUTTING_DOWN] = "broker is shutting down",
	[DSP_LOAD_FAILED] = "module could not be loaded",
	[DSP_WITHDRAWN] = "service was withdrawn",
	[DSP_BAD_POLICY] = "policy files are wrong",
};

static const char *const limit_names[DSP_LIMIT_COUNT] = {
	[DSP_LIMIT_NONE] = "a limit",
	[DSP_LIMIT_SESSION_CALLS] = "calls in flight of the session",
	[DSP_LIMIT_RULE_CALLS] = "calls in flight under the session's rule",
	[DSP_LIMIT_RULE_RATE] = "calls a second under the session's rule",
	[DSP_LIMIT_CONNECTION_CALLS] = "calls in flight of the connection",
	[DSP_LIMIT_USER_CALLS] = "calls in flight of the user",
};

static int refuse(struct dsp_wire_fault *fault, enum dsp_status status, size_t field,
	const char *text)
{
	*fault = (struct dsp_wire_fault){.status = status, .field = (uint32_t)field, .text = text};
	return -EPROTO;
}

static uint32_t word_at(const union dsp_request *request, size_t offset)
{
	uint32_t word;

	memcpy(&word, (const char *)request + offset, sizeof(word));
	return word;
}

/* Of a request whose size is right. */
static int check_fields(const union dsp_request *request, struct dsp_wire_fault *fault)
{
	const __typeof__(requests[0]) *rules = &requests[request->header.opcode];

	if (rules->reserved && word_at(request, rules->reserved))
		return refuse(fault, DSP_INVALID, rules->reserved, "reserved bytes are not zero");
	if (rules->flags && word_at(request, rules->flags))
		return refuse(fault, DSP_INVALID, rules->flags, "unknown flags are set");
	if (rules->string &&
		!wire_string_valid((const char *)request + rules->string, rules->string_size))
		return refuse(fault, DSP_INVALID, rules->string,
			"the string is not terminated and padded with NULs");
	if (rules->memory && word_at(request, rules->memory) >= DSP_MEMORY_COUNT)
		return refuse(fault, DSP_INVALID, rules->memory, "there is no such kind of memory");
	if (rules->session && word_at(request, rules->session) &&
		word_at(request, rules->memory) != DSP_MEMORY_DEVICE)
		return refuse(fault, DSP_INVALID, rules->session,
			"a session is named for memory that is no device's");
	return 0;
}

int wire_decode_request(union dsp_request *out, const void *packet, size_t size, size_t n_fds,
	struct dsp_wire_fault *fault)
{
	uint16_t opcode;

	memset(out, 0, sizeof(*out));
	memcpy(out, packet, MIN(size, sizeof(*out)));
	if (size < sizeof(struct dsp_header))
		return refuse(fault, DSP_INVALID, size, "the packet is shorter than a header");
	opcode = out->header.opcode;
	if (opcode >= DSP_OPCODE_COUNT || !requests[opcode].size)
		return refuse(fault, DSP_UNSUPPORTED, offsetof(struct dsp_header, opcode),
			"unknown opcode");
	if (size != requests[opcode].size)
		return refuse(fault, DSP_INVALID, MIN(size, requests[opcode].size),
			"the packet has not the size of its opcode");
	if (n_fds != requests[opcode].fds)
		return refuse(fault, DSP_INVALID, size,
			"the packet has not the descriptor count of its opcode");
	if (out->header.reserved)
		return refuse(fault, DSP_INVALID, offsetof(struct dsp_header, reserved),
			"reserved bytes of the header are not zero");
	return check_fields(out, fault);
}

static uint16_t request_of(uint16_t opcode)
{
	uint16_t request = opcode & (uint16_t)~DSP_REPLY;

	return (opcode & DSP_REPLY) && request < DSP_OPCODE_COUNT ? request : 0;
}

static uint16_t event_of(uint16_t opcode)
{
	uint16_t event = opcode & (uint16_t)~DSP_EVENT;

	return (opcode & DSP_EVENT) && event < ARRAY_SIZE(events) ? event : 0;
}

size_t wire_reply_size(uint16_t opcode)
{
	if (opcode == DSP_ERROR)
		return sizeof(struct dsp_error);
	if (event_of(opcode))
		return events[event_of(opcode)].size;
	return requests[request_of(opcode)].reply_size;
}

size_t wire_reply_fds(uint16_t opcode)
{
	return requests[request_of(opcode)].reply_fds;
}

const char *wire_status_name(uint32_t status)
{
	return status < DSP_STATUS_COUNT ? status_names[status] : "unknown status";
}

const char *wire_limit_name(uint32_t limit)
{
	return limit_names[limit < DSP_LIMIT_COUNT ? limit : DSP_LIMIT_NONE];
}

const char *wire_opcode_name(uint16_t opcode)
{
	const char *name = NULL;

	if (opcode == DSP_ERROR)
		name = "ERROR";
	else if (event_of(opcode))
		name = events[event_of(opcode)].name;
	else if (request_of(opcode))
		name = requests[request_of(opcode)].name;
	else if (opcode < DSP_OPCODE_COUNT)
		name = requests[opcode].name;
	return name ? name : "unknown opcode";
}

void wire_string_set(char *field, size_t size, const char *value)
{
	memset(field, 0, size);
	memcpy(field, value, strnlen(value, size - 1));
}

bool wire_string_valid(const char *field, size_t size)
{
	size_t length = strnlen(field, size);

	if (length == size)
		return false;
	for (size_t i = length; i < size; i++)
		if (field[i])
			return false;
	return true;
}

static const char *const state_names[DSP_STATE_COUNT] = {
	[DSP_STATE_NONE] = "-",
	[DSP_STATE_OFFLINE] = "offline",
	[DSP_STATE_SUSPENDED] = "suspended",
	[DSP_STATE_RUNNING] = "running",
	[DSP_STATE_CRASHED] = "crashed",
	[DSP_STATE_ATTACHED] = "attached",
	[DSP_STATE_DETACHED] = "detached",
	[DSP_STATE_UNKNOWN] = "unknown",
};

const char *wire_state_name(uint32_t state)
{
	return state_names[state < DSP_STATE_COUNT ? state : DSP_STATE_UNKNOWN];
}

enum dsp_device_state wire_state_from_name(const char *name)
{
	for (int i = DSP_STATE_NONE + 1; i < DSP_STATE_COUNT; i++)
		if (!strcmp(name, state_names[i]))
			return (enum dsp_device_state)i;
	return DSP_STATE_UNKNOWN;
}

const char *wire_isolation_name(uint32_t isolation)
{
	static const char *const names[DSP_ISOLATION_COUNT] = {
		[DSP_ISOLATION_SOFTWARE] = "software",
		[DSP_ISOLATION_IOMMU] = "iommu",
		[DSP_ISOLATION_ACCEPTED] = "none, accepted",
		[DSP_ISOLATION_REFUSED] = "none, refused",
	};

	return isolation < DSP_ISOLATION_COUNT ? names[isolation] : "unknown";
}
