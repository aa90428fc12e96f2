// SPDX-License-Identifier: MIT
/*
 * The control plane on the wire: one SOCK_SEQPACKET packet is one message, with descriptors in
 * SCM_RIGHTS. README.md beside this file is the specification; this header is its C form.
 *
 * All integers are little-endian. Every reserved byte is zero. Strings are NUL-terminated and
 * padded with NULs to the size of their field.
 */
#ifndef DSP_WIRE_H
#define DSP_WIRE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the wire format is little-endian");

#define DSP_WIRE_MAGIC   0x42505344u /* the bytes "DSPB" */
#define DSP_WIRE_VERSION 1

#define DSP_SOCKET_DEFAULT "/run/dspbroker/broker.sock"

/* Sizes of string fields, the closing NUL included. */
#define DSP_DEVICE_SIZE  32
#define DSP_CHANNEL_SIZE 128
#define DSP_RULE_SIZE    64
#define DSP_TEXT_SIZE    256

#define DSP_MESSAGE_MAX 512 /* bytes of the largest message in either direction */
#define DSP_FDS_MAX     4   /* descriptors of the message that carries most */

/* What became of a request or an invocation. The values are part of the protocol. */
enum dsp_status {
	DSP_OK = 0,
	DSP_INVALID = 1,        /* malformed; the field is named */
	DSP_UNSUPPORTED = 2,    /* this broker cannot do that (version, opcode) */
	DSP_DENIED = 3,         /* policy; the rule is named */
	DSP_OVER_LIMIT = 4,     /* a limit; its value is given */
	DSP_NOT_FOUND = 5,      /* no such device, channel, session, buffer or call */
	DSP_TIMED_OUT = 6,      /* the call's time was up */
	DSP_CANCELLED = 7,      /* ended before it ran: cancelled, or its session was closed */
	DSP_DEVICE_DOWN = 8,    /* the DSP is not running */
	DSP_DOMAIN_CRASHED = 9, /* the protection domain died; open the channel again */
	DSP_DSP_ERROR = 10,     /* the module ran and returned an error of its own */
	DSP_BUSY = 11,          /* cannot be done just now (a running call cannot be cancelled) */
	DSP_NO_RESOURCES = 12,  /* the broker itself is out of memory or descriptors */
	DSP_SHUTTING_DOWN = 13, /* the broker is stopping */
	DSP_LOAD_FAILED = 14,   /* the module cannot be loaded, or its open failed */
	DSP_WITHDRAWN = 15,     /* the remote processor withdrew the service */
	DSP_BAD_POLICY = 16,    /* the policy files are wrong; what was in force stays so */
	DSP_STATUS_COUNT,
};

#define DSP_REPLY 0x8000 /* set in the opcode of the reply to a request */
#define DSP_EVENT 0x4000 /* set in the opcode of what the broker sends unasked */

enum dsp_opcode {
	DSP_HELLO = 1,
	DSP_OPEN = 2,
	DSP_CLOSE = 3,
	DSP_ALLOC = 4,
	DSP_IMPORT = 5,
	DSP_FREE = 6,
	DSP_QUERY_DEVICE = 7,
	DSP_QUERY_CHANNEL = 8,
	DSP_QUERY_SESSION = 9,
	DSP_OPEN_MODULE = 10,
	DSP_RELOAD = 11,
	DSP_KICK = 12,
	DSP_POWER = 13,
	DSP_QUERY_BROKER = 14,
	DSP_OPCODE_COUNT,

	DSP_ERROR = DSP_REPLY, /* the reply to any request that failed */

	DSP_EVENT_SESSION = DSP_EVENT | 1,
	DSP_EVENT_DEVICE = DSP_EVENT | 2,
	DSP_EVENT_SHUTDOWN = DSP_EVENT | 3,
	DSP_EVENT_CHANNEL = DSP_EVENT | 4,
	DSP_EVENT_LOST = DSP_EVENT | 5,
};

struct dsp_header {
	uint16_t opcode;
	uint16_t reserved;
	uint32_t serial; /* of the client's choice, returned in the reply; 0 in events */
};
static_assert(sizeof(struct dsp_header) == 8, "wire");

/* The first message of a connection. */
struct dsp_hello {
	struct dsp_header header;
	uint32_t magic;
	uint16_t version_min, version_max; /* what the client speaks, both inclusive */
	uint64_t features;                 /* what it would like; bits unknown to us are ignored */
	uint32_t sq_slots;                 /* submission slots wished for, 0: the broker decides */
	uint32_t reserved;
};
static_assert(sizeof(struct dsp_hello) == 32, "wire");

/* Descriptors: ring, argument area, doorbell (to the broker), notify (to the client). */
struct dsp_hello_reply {
	struct dsp_header header;
	uint16_t version;
	uint16_t reserved;
	uint32_t sq_slots;       /* a power of two */
	uint64_t features;       /* those of the wished that are on */
	uint32_t cq_entries;     /* a power of two */
	uint32_t argument_bytes; /* size of the argument area */
};
static_assert(sizeof(struct dsp_hello_reply) == 32, "wire");
#define DSP_HELLO_REPLY_FDS 4

/* OPEN, and OPEN_MODULE, which brings the channel's module along: its descriptor is a memfd that
 * holds it, sealed against writing, growing and shrinking, of at most DSP_MODULE_BYTES_MAX bytes.
 */
struct dsp_open {
	struct dsp_header header;
	char channel[DSP_CHANNEL_SIZE]; /* DEVICE/SERVICE */
	uint32_t flags;                 /* none yet */
	uint32_t reserved;
};
static_assert(sizeof(struct dsp_open) == 144, "wire");
#define DSP_MODULE_BYTES_MAX (16 * 1024 * 1024)

enum dsp_channel_kind {
	DSP_KIND_CALL = 1,
	DSP_KIND_MESSAGE = 2,
};

struct dsp_open_reply {
	struct dsp_header header;
	uint32_t session;
	uint32_t kind;            /* enum dsp_channel_kind */
	uint32_t calls_max;       /* calls that may be in flight on this session; of messages, as
				   * many SENDs and as many RECEIVEs */
	uint32_t timeout_max_us;  /* longest time a call, or a SEND, may take, and the default */
	uint32_t generation;      /* of the device; changes when DSP-side state was lost */
	uint32_t mtu;             /* bytes of the largest message; 0: takes calls */
	char rule[DSP_RULE_SIZE]; /* the policy rule that allowed it */
};
static_assert(sizeof(struct dsp_open_reply) == 96, "wire");

struct dsp_close {
	struct dsp_header header;
	uint32_t session;
	uint32_t reserved;
};
static_assert(sizeof(struct dsp_close) == 16, "wire");

struct dsp_close_reply {
	struct dsp_header header;
};

/* What a buffer is made of. */
enum dsp_memory {
	DSP_MEMORY_MEMFD = 0,  /* pages of the page cache; hardware reaches them one by one */
	DSP_MEMORY_HEAP = 1,   /* a dma-buf of the system's heap */
	DSP_MEMORY_DEVICE = 2, /* a dma-buf of the session's device's own allocator */
	DSP_MEMORY_COUNT,
};

struct dsp_alloc {
	struct dsp_header header;
	uint64_t size;    /* bytes, rounded up to whole pages by the broker */
	uint32_t memory;  /* enum dsp_memory */
	uint32_t session; /* MEMORY_DEVICE: one on that device; else 0 */
};
static_assert(sizeof(struct dsp_alloc) == 24, "wire");

/* Descriptor: a memfd of the client's, sealed against shrinking and growing, or a dma-buf. */
struct dsp_import {
	struct dsp_header header;
	uint64_t size; /* bytes to import, from offset 0; 0: all of it */
	uint32_t flags;
	uint32_t reserved;
};
static_assert(sizeof(struct dsp_import) == 24, "wire");

/* The reply to ALLOC (with the memfd or dma-buf as descriptor) and to IMPORT (with none). */
struct dsp_buffer_reply {
	struct dsp_header header;
	uint64_t size; /* bytes */
	uint32_t buffer;
	uint32_t reserved;
};
static_assert(sizeof(struct dsp_buffer_reply) == 24, "wire");

struct dsp_free {
	struct dsp_header header;
	uint32_t buffer;
	uint32_t reserved;
};
static_assert(sizeof(struct dsp_free) == 16, "wire");

struct dsp_free_reply {
	struct dsp_header header;
};

/* Asks for the record with the lowest id above `after`: start with 0, go on with the id of the
 * record received. A reply with id 0 says that there is none. */
struct dsp_query {
	struct dsp_header header;
	uint64_t after;
};
static_assert(sizeof(struct dsp_query) == 16, "wire");

/* Have the policy files read again. The reply comes when the new policy is in force and no session
 * that it does not allow is left open; DSP_BAD_POLICY names file, line and column. */
struct dsp_reload {
	struct dsp_header header;
};
struct dsp_reload_reply {
	struct dsp_header header;
	uint32_t rules;   /* how many there are now */
	uint32_t revoked; /* sessions that lost their right */
};
static_assert(sizeof(struct dsp_reload_reply) == 16, "wire");

/* End somebody's session; its client is told with DSP_EVENT_SESSION, status DSP_CANCELLED. */
struct dsp_kick {
	struct dsp_header header;
	uint64_t session; /* id in its record */
};
static_assert(sizeof(struct dsp_kick) == 16, "wire");
struct dsp_kick_reply {
	struct dsp_header header;
};

/* Start or stop a device's remote processor. The reply comes when that has begun; DSP_EVENT_DEVICE
 * tells how it went on. */
enum dsp_power {
	DSP_POWER_START = 1,
	DSP_POWER_STOP = 2,
};
struct dsp_power_request {
	struct dsp_header header;
	char device[DSP_DEVICE_SIZE];
	uint32_t power; /* enum dsp_power */
	uint32_t reserved;
};
static_assert(sizeof(struct dsp_power_request) == 48, "wire");
struct dsp_power_reply {
	struct dsp_header header;
};

/* What DSP_OVER_LIMIT ran into. */
enum dsp_limit {
	DSP_LIMIT_NONE = 0,             /* not said */
	DSP_LIMIT_SESSION_CALLS = 1,    /* calls in flight of the session */
	DSP_LIMIT_RULE_CALLS = 2,       /* calls in flight under its rule */
	DSP_LIMIT_RULE_RATE = 3,        /* calls a second under its rule */
	DSP_LIMIT_CONNECTION_CALLS = 4, /* calls in flight of the connection */
	DSP_LIMIT_USER_CALLS = 5,       /* calls in flight of the user */
	DSP_LIMIT_COUNT,
};

/* What the kernel's remoteproc says of a device's remote processor. */
enum dsp_device_state {
	DSP_STATE_NONE = 0, /* nothing controls it that we know of */
	DSP_STATE_OFFLINE = 1,
	DSP_STATE_SUSPENDED = 2,
	DSP_STATE_RUNNING = 3,
	DSP_STATE_CRASHED = 4,
	DSP_STATE_ATTACHED = 5, /* it runs, and somebody else started it */
	DSP_STATE_DETACHED = 6, /* it runs without us */
	DSP_STATE_UNKNOWN = 7,  /* the kernel says something else */
	DSP_STATE_COUNT,
};

/* What keeps a device from memory that is not meant for it. */
enum dsp_isolation {
	DSP_ISOLATION_SOFTWARE = 0, /* it is no hardware */
	DSP_ISOLATION_IOMMU = 1,
	DSP_ISOLATION_ACCEPTED = 2, /* nothing, and policy accepts that */
	DSP_ISOLATION_REFUSED = 3,  /* nothing, so nobody may open it */
	DSP_ISOLATION_COUNT,
};

/* Of a FastRPC DSP, by their ids there (daemon/transport/fastrpc/abi.h). */
#define DSP_ATTRIBUTES_MAX 12

struct dsp_device_record {
	struct dsp_header header;
	uint64_t id;
	char name[DSP_DEVICE_SIZE];
	char transport[DSP_DEVICE_SIZE];
	uint32_t up; /* 1 when channels can be opened on it */
	uint32_t generation;
	uint32_t channels;
	uint32_t sessions;
	uint32_t domains;
	uint32_t state;                   /* enum dsp_device_state */
	uint32_t isolation;               /* enum dsp_isolation */
	uint32_t coredumps;               /* that were saved since the broker started */
	char remoteproc[DSP_DEVICE_SIZE]; /* "remoteproc0"; "": none */
	uint32_t domains_max;  /* protection domains that there can be at once; 0: not known, or no
				  limit */
	uint32_t domains_hung; /* of them those in which a call did not end in time */
	uint32_t waiting;      /* opens that wait for one to be free */
	uint32_t n_attributes; /* of the DSP, as it tells them: how many follow */
	uint32_t attributes[DSP_ATTRIBUTES_MAX];
	char trouble[DSP_TEXT_SIZE]; /* why it is not used though it is there, for a person; "":
					all is well */
};
static_assert(sizeof(struct dsp_device_record) == 464, "wire");

struct dsp_channel_record {
	struct dsp_header header;
	uint64_t id;
	char name[DSP_CHANNEL_SIZE];
	uint32_t kind;            /* enum dsp_channel_kind */
	uint32_t allowed;         /* 1 when policy lets this client open it */
	char rule[DSP_RULE_SIZE]; /* the rule that says so */
};
static_assert(sizeof(struct dsp_channel_record) == 216, "wire");

/* Only sessions of the asking user; all of them for root and for the broker's own user. */
struct dsp_session_record {
	struct dsp_header header;
	uint64_t id; /* broker-wide */
	char channel[DSP_CHANNEL_SIZE];
	char rule[DSP_RULE_SIZE];
	uint32_t uid;
	uint32_t pid;
	uint32_t in_flight;
	uint32_t domain;   /* number of its protection domain */
	uint64_t calls;    /* completed so far, whatever their outcome */
	uint64_t errors;   /* those that did not end with DSP_OK */
	uint64_t busy_ns;  /* time on the DSP */
	uint64_t since_us; /* CLOCK_REALTIME of its opening */
	uint64_t received; /* messages that arrived; `calls` counts those sent */
	uint64_t dropped;  /* of them those that found the queue full, were empty or too long */
	uint32_t queued;   /* of them those that nobody has asked for yet */
	uint32_t kind;     /* enum dsp_channel_kind */
};
static_assert(sizeof(struct dsp_session_record) == 280, "wire");

/* How the broker itself is confined: bits. */
enum dsp_confinement {
	DSP_CONFINED_USER = 1 << 0,         /* it is not root */
	DSP_CONFINED_CAPABILITIES = 1 << 1, /* it has none, and cannot get any (no_new_privs) */
	DSP_CONFINED_UNDUMPABLE = 1 << 2,   /* nobody of its user may look into its memory */
	DSP_CONFINED_CALLS = 1 << 3,        /* a list of system calls (seccomp) */
	DSP_CONFINED_FILES = 1 << 4,        /* a list of files and folders (Landlock) */
	DSP_CONFINED_ALL = (1 << 5) - 1,
};

struct dsp_query_broker {
	struct dsp_header header;
};

/* The reply, to anybody. */
struct dsp_broker_record {
	struct dsp_header header;
	char version[32];
	uint64_t confinement;   /* enum dsp_confinement */
	uint64_t since_us;      /* CLOCK_REALTIME of its start */
	uint32_t landlock;      /* version of the kernel's Landlock (its ABI); 0: it has none */
	uint32_t system_calls;  /* how many the list allows */
	uint32_t rules;         /* of the policy in force */
	uint32_t reload_status; /* enum dsp_status of the last time that it was read */
	uint64_t reloaded_us;   /* CLOCK_REALTIME of when what is in force was read */
	uint32_t devices;
	uint32_t clients, sessions, calls; /* now; calls: accepted and not ended */
	uint32_t everybody;     /* 1: these are all users'; 0: those of the one who asks */
	uint32_t accept_paused; /* out of descriptors: no connections are accepted */
};
static_assert(sizeof(struct dsp_broker_record) == 104, "wire");

struct dsp_error {
	struct dsp_header header;
	uint32_t status; /* enum dsp_status, never DSP_OK */
	uint32_t field;  /* DSP_INVALID: byte offset of the field in the request */
	uint64_t limit;  /* DSP_OVER_LIMIT: its value */
	char rule[DSP_RULE_SIZE];
	char text[DSP_TEXT_SIZE]; /* a sentence for a person */
};
static_assert(sizeof(struct dsp_error) == 344, "wire");

/* The session is dead; its id stays taken until the client closes it. */
struct dsp_event_session {
	struct dsp_header header;
	uint32_t session;
	uint32_t status; /* why */
	char text[DSP_TEXT_SIZE];
};
static_assert(sizeof(struct dsp_event_session) == 272, "wire");

struct dsp_event_device {
	struct dsp_header header;
	char device[DSP_DEVICE_SIZE];
	uint32_t up;
	uint32_t generation;
	uint32_t state; /* enum dsp_device_state */
	uint32_t reserved;
};
static_assert(sizeof(struct dsp_event_device) == 56, "wire");

/* A channel came or went. */
struct dsp_event_channel {
	struct dsp_header header;
	char name[DSP_CHANNEL_SIZE];
	uint32_t kind; /* enum dsp_channel_kind */
	uint32_t present;
};
static_assert(sizeof(struct dsp_event_channel) == 144, "wire");

/* The client did not read, so news of devices and channels were not sent: ask for lists. */
struct dsp_event_lost {
	struct dsp_header header;
};

/* Calls that run are waited for, at most grace_ms; what is submitted from now on ends with
 * DSP_SHUTTING_DOWN. */
struct dsp_event_shutdown {
	struct dsp_header header;
	uint32_t grace_ms;
	uint32_t reserved;
};
static_assert(sizeof(struct dsp_event_shutdown) == 16, "wire");

/* A request, decoded by copy. */
union dsp_request {
	struct dsp_header header;
	struct dsp_hello hello;
	struct dsp_open open;
	struct dsp_close close;
	struct dsp_alloc alloc;
	struct dsp_import import;
	struct dsp_free free;
	struct dsp_query query;
	struct dsp_kick kick;
	struct dsp_power_request power;
};

/* What of a packet could not be accepted. */
struct dsp_wire_fault {
	enum dsp_status status;
	uint32_t field; /* byte offset in the packet */
	const char *text;
};

/*
 * Check a packet of @size bytes that came with @n_fds descriptors against the request table and
 * copy it to @out. Returns 0, or -EPROTO with *@fault filled. @out->header is valid whenever
 * @size holds one, so that the error can be answered under the right serial.
 */
int wire_decode_request(union dsp_request *out, const void *packet, size_t size, size_t n_fds,
	struct dsp_wire_fault *fault);

/* Exact size and descriptor count of what the broker sends; size 0 for an unknown opcode. */
size_t wire_reply_size(uint16_t opcode);
size_t wire_reply_fds(uint16_t opcode);

/* Words for people; never NULL. */
const char *wire_status_name(uint32_t status);
const char *wire_opcode_name(uint16_t opcode);
const char *wire_limit_name(uint32_t limit);
/* The kernel's own words for the state of a remote processor, and back. */
const char *wire_state_name(uint32_t state);
enum dsp_device_state wire_state_from_name(const char *name);
const char *wire_isolation_name(uint32_t isolation);

/* Copy a string into a fixed field, cut if need be, padded with NULs. */
void wire_string_set(char *field, size_t size, const char *value);
/* True when the field holds a NUL and nothing but NULs after it. */
bool wire_string_valid(const char *field, size_t size);

#endif
