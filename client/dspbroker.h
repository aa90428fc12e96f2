/* SPDX-License-Identifier: MIT */
/*
 * libdspbroker: call methods on a machine's DSPs, and exchange messages with them, through the
 * dspbroker daemon, without rights of your own on any device.
 *
 *   connect -> open a channel -> invoke, or submit many and reap -> close
 *                             -> send and receive messages       -> close
 *
 * Return values. Every function that returns int returns
 *     0      done (where a count is promised: the count, 0 or more),
 *    > 0     a value of enum dspbroker_status: the broker or the DSP said no,
 *    < 0     a negative errno: it failed on this side. Those that any function may return:
 *              -EINVAL      an argument that cannot be right (NULL, too large, foreign object)
 *              -ENOMEM      out of memory
 *              -ECONNRESET  the connection to the broker is gone: it left, or sent something that
 *                           cannot be right; all that is left is dspbroker_free()
 * dspbroker_strerror() puts either into words; dspbroker_message() has a sentence on what happened,
 * mostly the broker's own, which names the policy rule, the limit or the field.
 *
 * Threads. A connection and all that belongs to it may be used from several threads at once; a
 * call that waits does not keep others from working. Only the functions that free an object need
 * care: no other thread may be using that object then, or later. A thread must not be cancelled
 * (pthread_cancel) inside the library. Signals do not interrupt a function that waits.
 *
 * fork(). The child must not use a connection of its parent, nor close it.
 *
 * Sandbox. With dspbroker_connect_fd() the library opens no file and makes no socket. It needs
 * sendmsg, recvmsg, read, write, poll, epoll_wait, futex, sched_yield, getcpu, mmap, munmap, close,
 * fstat, fcntl, clock_gettime and what malloc() needs; while connecting also getsockopt, eventfd2,
 * epoll_create1 and epoll_ctl. dspbroker_buffer_begin() and _end() need ioctl, for buffers that are
 * no memfds.
 *
 * Waiting. Where calls end within microseconds, a thread that waits looks for that a little before
 * it sleeps: up to a quarter of a millisecond, and only as long as that has paid. Meanwhile it lets
 * whoever wants its processor go first.
 *
 * Units. Sizes, offsets and lengths are bytes, times are microseconds unless the name says
 * otherwise.
 */
#ifndef DSPBROKER_H
#define DSPBROKER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DSPBROKER_ARGS_MAX   32    /* inputs and outputs of one call together */
#define DSPBROKER_INLINE_MAX 65536 /* bytes of one inline argument */

/* What became of a request or a call. Values never change their meaning; new ones may come. */
enum dspbroker_status {
	DSPBROKER_OK = 0,
	DSPBROKER_INVALID = 1,        /* malformed; dspbroker_message() names the field */
	DSPBROKER_UNSUPPORTED = 2,    /* this broker cannot do that */
	DSPBROKER_DENIED = 3,         /* policy; dspbroker_message() names the rule */
	DSPBROKER_OVER_LIMIT = 4,     /* a limit; dspbroker_message() gives its value */
	DSPBROKER_NOT_FOUND = 5,      /* no such channel, session, buffer or call */
	DSPBROKER_TIMED_OUT = 6,      /* the call's time was up */
	DSPBROKER_CANCELLED = 7,      /* it never ran: cancelled, or its session was closed */
	DSPBROKER_DEVICE_DOWN = 8,    /* the DSP is not running */
	DSPBROKER_DOMAIN_CRASHED = 9, /* the module's process died; open the channel again */
	DSPBROKER_DSP_ERROR = 10,     /* the module returned an error; see the result */
	DSPBROKER_BUSY = 11,          /* not just now (a call that runs cannot be cancelled) */
	DSPBROKER_NO_RESOURCES = 12,  /* the broker is out of memory or descriptors */
	DSPBROKER_SHUTTING_DOWN = 13, /* the broker is stopping */
	DSPBROKER_LOAD_FAILED = 14,   /* the module could not be loaded, or refused to open */
	DSPBROKER_WITHDRAWN = 15,     /* the remote processor withdrew the service */
	DSPBROKER_BAD_POLICY = 16,    /* policy files are wrong; dspbroker_message() says where */
};

struct dspbroker;         /* a connection */
struct dspbroker_session; /* an open channel */
struct dspbroker_buffer;  /* memory shared with the DSP */

/* Static text for what a function returned, or for a completion's status. Never NULL. */
const char *dspbroker_strerror(int error);

/* The sentence behind the last error that a function returned in this thread, for people; ""
 * when there is none. Valid until this thread's next call into the library. Never NULL. */
const char *dspbroker_message(void);

/* The library's version, "MAJOR.MINOR.PATCH"; static. */
const char *dspbroker_version(void);

/*
 * Connect to the broker at the socket @path; NULL means $DSPBROKER_SOCKET (not in a program with
 * raised privileges), else /run/dspbroker/broker.sock. Waits for the broker's answer. *@out must be
 * freed with dspbroker_free().
 * Errors: -ENOENT, -ECONNREFUSED, -EACCES (no broker there, or not for you), -ENAMETOOLONG and
 * others of socket(2) and connect(2); -EPROTO (that is no broker);
 * DSPBROKER_UNSUPPORTED (no common version), DSPBROKER_OVER_LIMIT (too many connections of this
 * user), DSPBROKER_NO_RESOURCES, DSPBROKER_SHUTTING_DOWN.
 */
int dspbroker_connect(struct dspbroker **out, const char *path);

/* The same over a connected SOCK_SEQPACKET socket, which the library owns from then on if (and
 * only if) 0 is returned. Further errors: -EBADF, -ENOTSOCK, -EPROTOTYPE. */
int dspbroker_connect_fd(struct dspbroker **out, int fd);

/* End the connection and free it, with all its sessions and buffers (and their mappings), which
 * must not be used any more. Calls in flight end without a completion. Never waits. NULL-safe;
 * returns NULL. */
struct dspbroker *dspbroker_free(struct dspbroker *broker);

/* Sessions. */

/* Facts about a session, fixed at open but for one. */
struct dspbroker_session_info {
	uint32_t calls_max;      /* calls, or sent messages, that may be in flight at once */
	uint32_t timeout_max_us; /* the longest a call or a send may take; also the default */
	uint32_t generation;     /* of the device when the module was opened; changes with the first
				  * call after state on the DSP was lost, and the module opened anew */
	uint32_t mtu;            /* bytes of the largest message; 0: the channel takes calls */
	char rule[64];           /* the policy rule that allowed it */
};

/*
 * Open @channel, "DEVICE/SERVICE". Waits until the module is loaded, or until the remote processor
 * was started and has announced the service. *@out belongs to @broker and must be freed with
 * dspbroker_session_close() or goes with dspbroker_free().
 * Errors: DSPBROKER_DENIED, _OVER_LIMIT, _NOT_FOUND, _LOAD_FAILED, _DEVICE_DOWN, _TIMED_OUT,
 * _DOMAIN_CRASHED, _BUSY (the channel is for one session at a time), _WITHDRAWN, _NO_RESOURCES,
 * _SHUTTING_DOWN, _INVALID (no channel's name); -ENOSPC (it takes messages, and this connection
 * has no room for one more such session: there are at most a quarter as many as submission slots,
 * 64 unless the broker was built otherwise, and one message of each must fit into half of the
 * argument area).
 */
int dspbroker_session_open(struct dspbroker *broker, struct dspbroker_session **out,
	const char *channel);

#define DSPBROKER_MODULE_BYTES_MAX (16 * 1024 * 1024) /* of a module that is brought along */

/*
 * The same, and bring the channel's module along, where policy lets you (DSPBROKER_DENIED
 * otherwise): a shared object for that DSP, which takes the place of an installed one for this
 * session. @fd is a memfd that holds it, of at most DSPBROKER_MODULE_BYTES_MAX bytes, sealed with
 * F_SEAL_WRITE, F_SEAL_GROW and F_SEAL_SHRINK. It stays yours and may be closed when this returns.
 * Errors: as above, and DSPBROKER_INVALID with a sentence on what is wrong with it (no memfd,
 * unsealed, empty, too large), DSPBROKER_UNSUPPORTED (the device takes none); -EBADF.
 */
int dspbroker_session_open_module(struct dspbroker *broker, struct dspbroker_session **out,
	const char *channel, int fd);

/* Close it: calls that have not begun end with DSPBROKER_CANCELLED; returns when no call of the
 * session is in flight any more. Completions that were not reaped can still be; their `session` is
 * NULL. Messages and events of it that were not taken are dropped. NULL-safe; returns NULL. */
struct dspbroker_session *dspbroker_session_close(struct dspbroker_session *session);

/* Valid as long as the session. */
const struct dspbroker_session_info *
dspbroker_session_info(const struct dspbroker_session *session);

/* Any pointer of yours to keep with the session; NULL at first. Not synchronised. */
void dspbroker_session_set_user(struct dspbroker_session *session, void *user);
void *dspbroker_session_user(const struct dspbroker_session *session);

/* Buffers: memory that both you and the DSP map. No byte of it is copied on the way. */

/* What a buffer is made of. */
enum dspbroker_memory {
	DSPBROKER_MEMORY_MEMFD = 0,  /* any DSP takes it; hardware reaches it page by page */
	DSPBROKER_MEMORY_HEAP = 1,   /* a dma-buf of the system's heap: any hardware takes it */
	DSPBROKER_MEMORY_DEVICE = 2, /* a dma-buf of a device's own allocator: what suits it best */
};

/*
 * Allocate @size bytes (rounded up to whole pages), zeroed. Freed with dspbroker_buffer_free() or
 * with the connection. @session: for DSPBROKER_MEMORY_DEVICE any one on that device, else NULL.
 * Errors: DSPBROKER_OVER_LIMIT, _NO_RESOURCES, _DENIED (no rule lets you use any channel),
 * _UNSUPPORTED (there is no such memory here), why the session died if it did, -EINVAL (size 0, no
 * such kind, a session where none belongs or the other way round).
 */
int dspbroker_buffer_alloc_from(struct dspbroker *broker, struct dspbroker_buffer **out,
	size_t size, enum dspbroker_memory memory, struct dspbroker_session *session);
/* The same from DSPBROKER_MEMORY_MEMFD, which is there on every machine. */
int dspbroker_buffer_alloc(struct dspbroker *broker, struct dspbroker_buffer **out, size_t size);

/*
 * Use the first @size bytes (0: all of it) of memory of yours: a memfd, sealed with F_SEAL_SHRINK
 * and F_SEAL_GROW; or a dma-buf, whoever exported it (a heap, a camera, a GPU). @fd stays yours and
 * may be closed: the library keeps a duplicate.
 * Errors: as above, and DSPBROKER_INVALID with a sentence on what is wrong with it (neither of
 * them, unsealed, shorter than @size, empty); -EBADF, -EMFILE.
 */
int dspbroker_buffer_import(struct dspbroker *broker, struct dspbroker_buffer **out, int fd,
	size_t size);

/* Give it up. A call in flight keeps the memory, not your right to it: your mapping ends here.
 * NULL-safe; returns NULL. */
struct dspbroker_buffer *dspbroker_buffer_free(struct dspbroker_buffer *buffer);

/* Map it whole into this process, readable and writable; the same address each time, valid until
 * the buffer is freed. Errors: -ENOMEM; -EACCES, -EPERM (an import that is not open for writing, or
 * sealed against it); what mmap(2) of an imported dma-buf returns, whose exporter may not let it be
 * mapped. */
int dspbroker_buffer_map(struct dspbroker_buffer *buffer, void **out);

/*
 * Say when this process touches the buffer through its mapping, and when no more; @write: not only
 * to read. Both calls with the same @write:
 *
 *   begin(buffer, 1), write the inputs, end(buffer, 1)
 *   call
 *   begin(buffer, 0), read the outputs, end(buffer, 0)
 *
 * For a dma-buf this makes the CPU's caches agree with memory (DMA_BUF_IOCTL_SYNC on all of it). A
 * DSP that does not look into these caches, as there are many on arm64, reads and writes something
 * else without it. For a memfd it does nothing, and where hardware keeps the caches coherent,
 * little; it is never wrong.
 *
 * Meanwhile no call may use the same range. Calls on other ranges may go on if these share no line
 * of the cache with it: keep ranges apart by multiples of 128 bytes.
 *
 * Both may wait for hardware that still works on an imported dma-buf. Errors: what its exporter
 * returns.
 */
int dspbroker_buffer_begin(struct dspbroker_buffer *buffer, int write);
int dspbroker_buffer_end(struct dspbroker_buffer *buffer, int write);

/* Its size in bytes. */
size_t dspbroker_buffer_size(const struct dspbroker_buffer *buffer);
/* Its descriptor, to be passed to somebody else; stays the library's. */
int dspbroker_buffer_fd(const struct dspbroker_buffer *buffer);

/* Calls. */

/*
 * One argument. With @buffer, a range of that buffer. Without, inline data at @data, at most
 * DSPBROKER_INLINE_MAX bytes, which the library copies (into shared memory before the call, or
 * out of it after). An argument of length 0 is allowed. The inline arguments of all calls in flight
 * share the connection's argument area, 256 KiB unless the broker was built otherwise, with
 * messages, of which those to come take at most half.
 */
struct dspbroker_arg {
	struct dspbroker_buffer *buffer;
	uint32_t offset;
	uint32_t length;
	void *data;
};

struct dspbroker_call {
	uint32_t method;                  /* above 30: input 0 must begin with it, as a u32 */
	uint32_t timeout_us;              /* 0: the longest that the session allows */
	unsigned int n_in, n_out;         /* at most DSPBROKER_ARGS_MAX together */
	const struct dspbroker_arg *args; /* the inputs, then the outputs; copied by submit */
	void *user;                       /* returned in the completion */
};

/* What DSPBROKER_OVER_LIMIT ran into. New ones may come. */
enum dspbroker_limit {
	DSPBROKER_LIMIT_NONE = 0,             /* not said */
	DSPBROKER_LIMIT_SESSION_CALLS = 1,    /* calls in flight of the session */
	DSPBROKER_LIMIT_RULE_CALLS = 2,       /* calls in flight under its rule */
	DSPBROKER_LIMIT_RULE_RATE = 3,        /* calls a second under its rule */
	DSPBROKER_LIMIT_CONNECTION_CALLS = 4, /* calls in flight of the connection */
	DSPBROKER_LIMIT_USER_CALLS = 5,       /* calls in flight of the user */
};

/* Words for one. Static, never NULL; "a limit" for one that is not known. */
const char *dspbroker_limit_name(uint32_t limit);

struct dspbroker_completion {
	struct dspbroker_session *session; /* NULL: closed meanwhile */
	void *user;                        /* of the call, or message */
	int status;          /* enum dspbroker_status, or a negative errno: the connection broke */
	int32_t result;      /* what the module returned, as it is */
	uint64_t busy_ns;    /* nanoseconds that the call ran on the DSP */
	uint32_t generation; /* of the device when its module was opened, if the call ran; else 0 */
	uint32_t limit;      /* DSPBROKER_OVER_LIMIT: which, enum dspbroker_limit; else 0 */
};

/*
 * Call and wait, also for room if need be. Returns what became of it: 0 when the module returned 0,
 * DSPBROKER_DSP_ERROR when it returned something else, which is in *@result (may be NULL) either
 * way. Inline outputs are written only when 0 is returned.
 * Errors: DSPBROKER_TIMED_OUT, _CANCELLED, _DOMAIN_CRASHED, _DEVICE_DOWN (call again when the
 * device is up: the module is opened anew then), _LOAD_FAILED (that failed), _BUSY (no room for it
 * in the kernel, or no protection domain free, as long as its time lasted), _OVER_LIMIT (calls in
 * flight, or a second), _DENIED (policy does not allow that method, or took the session away),
 * _INVALID (an argument outside its buffer, or a method that is the broker's own),
 * _NOT_FOUND (the broker does not know the session), _SHUTTING_DOWN, _NO_RESOURCES; -EMSGSIZE (the
 * inline arguments together are larger than the argument area), -EAGAIN (completed calls that were
 * not reaped, or messages, fill it), -EOPNOTSUPP (the channel takes messages). When it returns,
 * nobody writes to the arguments any more, except that after -ECONNRESET the DSP may still write to
 * ranges of buffers.
 */
int dspbroker_invoke(struct dspbroker_session *session, const struct dspbroker_call *call,
	int32_t *result);

/*
 * Start a call; its completion comes from dspbroker_reap(). Calls of one session run in the order
 * of their submission. @call itself may go when this returns; buffers, and the memory of inline
 * outputs, must stay until the completion is reaped. Every call accepted here has exactly one
 * completion; what the broker finds wrong with it is there, too. Errors: -EAGAIN (queue or argument
 * area full: reap first), -EMSGSIZE as above.
 */
int dspbroker_submit(struct dspbroker_session *session, const struct dspbroker_call *call);

/* Ask that the oldest submitted call (or message to be sent) with this @user be ended if it has not
 * begun: it then completes with DSPBROKER_CANCELLED. Waits for the answer. Errors: DSPBROKER_BUSY
 * (it runs, and completes as it would have), DSPBROKER_NOT_FOUND (already complete, or there is
 * none). */
int dspbroker_cancel(struct dspbroker_session *session, const void *user);

/*
 * Take up to @max completions (at least 1) of submitted calls, of all sessions. Returns how many; 0
 * when there are none now. @timeout_ms: 0 does not wait, negative waits as long as a submitted call
 * is in flight, else the longest wait. With nothing in flight it returns 0 at once. After the
 * broker is gone it first returns a completion with -ECONNRESET for each call that was in flight,
 * then -ECONNRESET.
 */
int dspbroker_reap(struct dspbroker *broker, struct dspbroker_completion *out, unsigned int max,
	int timeout_ms);

/* Messages. On a channel that takes them (mtu is not 0) these work, and on a channel that takes
 * calls those above; the other way round they return -EOPNOTSUPP. A message is 1 to mtu bytes and
 * arrives whole. Messages of a session arrive in the order of their sending, in both directions.
 *
 * A session has an address of its own, which the remote processor learns from the first message
 * that it gets: what it sends without having been asked finds only those who have sent before. */

/*
 * Send a message and wait until the kernel has taken it, at most @timeout_ms (negative: as long as
 * the session allows; more than that is cut to it). It is copied, so @data may be reused. That the
 * kernel has taken it does not say that the remote processor has read it.
 * Errors: DSPBROKER_TIMED_OUT (there was no room all the time), _OVER_LIMIT (calls_max messages of
 * this session wait for room), _DEVICE_DOWN, _WITHDRAWN, _CANCELLED, _DENIED, _SHUTTING_DOWN,
 * _NO_RESOURCES, _NOT_FOUND; -EMSGSIZE (no byte, or more than mtu), -EAGAIN (what was not reaped
 * fills the argument area), -EOPNOTSUPP (the channel takes calls).
 */
int dspbroker_send(struct dspbroker_session *session, const void *data, size_t length,
	int timeout_ms);

/* The same without waiting for room: DSPBROKER_BUSY when there is none now, or when messages of
 * this session wait already. */
int dspbroker_try_send(struct dspbroker_session *session, const void *data, size_t length);

/* Start to send a message; its completion comes from dspbroker_reap(), with @user. Messages of one
 * session are sent in the order in which this and dspbroker_send() were called. Errors: -EAGAIN
 * (queue or argument area full: reap first), -EMSGSIZE. */
int dspbroker_submit_send(struct dspbroker_session *session, const void *data, size_t length,
	void *user);

/*
 * Take the next message into @data; *@length is its length. @timeout_ms: 0 does not wait, negative
 * waits for ever. Errors: DSPBROKER_TIMED_OUT (there is none), -EMSGSIZE (@size is less than mtu),
 * DSPBROKER_DENIED (policy lets this session only send), and once the session is dead and what had
 * arrived is taken: why it died (DSPBROKER_DEVICE_DOWN, _WITHDRAWN, _DENIED, _CANCELLED: an
 * administrator ended it, _OVER_LIMIT: its queue overflowed, and policy closes it then).
 * @dropped, unless NULL, is how many messages were lost just before this one because the queue was
 * full (or they were empty, or longer than mtu).
 */
int dspbroker_receive(struct dspbroker_session *session, void *data, size_t size, size_t *length,
	uint32_t *dropped, int timeout_ms);

/* Event loops and events. */

/*
 * A descriptor that is readable when dspbroker_reap(), dspbroker_next_event() or, on any session,
 * dspbroker_receive() may have something; level-triggered, for poll, epoll or any event loop, only
 * to be polled. When it is readable, call them until reap and next_event return 0 and
 * dspbroker_receive(..., 0) of each message session DSPBROKER_TIMED_OUT, which may be at once, or
 * one returns -ECONNRESET: then it stays readable. A dead session counts until it is closed.
 * dspbroker_next_message() says which session has something. Same descriptor for the life of the
 * connection.
 */
int dspbroker_fd(const struct dspbroker *broker);

/* A session for which dspbroker_receive() has a message, or the reason of its death; each in turn.
 * NULL when there is none. Never waits. */
struct dspbroker_session *dspbroker_next_message(struct dspbroker *broker);

/* What the kernel says of a device's remote processor. */
enum dspbroker_state {
	DSPBROKER_STATE_NONE = 0, /* none that the kernel controls */
	DSPBROKER_STATE_OFFLINE = 1,
	DSPBROKER_STATE_SUSPENDED = 2,
	DSPBROKER_STATE_RUNNING = 3,
	DSPBROKER_STATE_CRASHED = 4,
	DSPBROKER_STATE_ATTACHED = 5, /* it runs, and somebody else started it */
	DSPBROKER_STATE_DETACHED = 6, /* it runs, out of reach */
	DSPBROKER_STATE_UNKNOWN = 7,
};

/* What keeps a device from memory that is not meant for it. */
enum dspbroker_isolation {
	DSPBROKER_ISOLATION_SOFTWARE = 0, /* it is no hardware */
	DSPBROKER_ISOLATION_IOMMU = 1,
	DSPBROKER_ISOLATION_ACCEPTED = 2, /* nothing, and policy accepts that */
	DSPBROKER_ISOLATION_REFUSED = 3,  /* nothing, so nobody may open it */
};

/* Words for them. Static, never NULL. */
const char *dspbroker_state_name(enum dspbroker_state state);
const char *dspbroker_isolation_name(enum dspbroker_isolation isolation);

enum dspbroker_event_type {
	DSPBROKER_EVENT_SESSION = 1,  /* a session died: revoked or crashed; close it */
	DSPBROKER_EVENT_DEVICE = 2,   /* a device went down or came up, or its state changed */
	DSPBROKER_EVENT_SHUTDOWN = 3, /* the broker is stopping */
	DSPBROKER_EVENT_LOST = 4,     /* events were dropped because nobody took them */
	DSPBROKER_EVENT_CHANNEL = 5,  /* a channel came or went */
};

struct dspbroker_event {
	enum dspbroker_event_type type;
	struct dspbroker_session *session; /* SESSION */
	int status;                        /* SESSION: why, enum dspbroker_status */
	char device[32];                   /* DEVICE: its name */
	int up;                            /* DEVICE: 1 up, 0 down; CHANNEL: 1 came, 0 went */
	uint32_t generation;               /* DEVICE */
	enum dspbroker_state state;        /* DEVICE */
	char channel[128];                 /* CHANNEL: its name */
	int message;                       /* CHANNEL: 0 takes calls, 1 messages */
	uint32_t grace_ms;                 /* SHUTDOWN: how long running calls are waited for */
	char text[256];                    /* SESSION: a sentence for a person */
};

/* Take one event; returns 1, or 0 when there is none. Never waits. At most 256 are kept. Once the
 * broker is gone, -ECONNRESET when there is none. */
int dspbroker_next_event(struct dspbroker *broker, struct dspbroker_event *out);

/* Lists. Each call fetches the record that follows @id (0: the first), in the order of id, and
 * returns 1, or 0 when there is none. Things may come and go between two calls. Errors: -EREMOTEIO
 * (the broker refused; dspbroker_message() says why). */

/* What a FastRPC DSP tells of itself, by ids of its own. 0 is also what it says to what it does not
 * know. */
enum dspbroker_attribute {
	DSPBROKER_ATTRIBUTE_DOMAIN = 0,     /* 1: it has protection domains */
	DSPBROKER_ATTRIBUTE_UNSIGNED = 1,   /* 1: it takes unsigned modules */
	DSPBROKER_ATTRIBUTE_HVX64 = 2,      /* vector units of 64 bytes */
	DSPBROKER_ATTRIBUTE_HVX128 = 3,     /* vector units of 128 bytes */
	DSPBROKER_ATTRIBUTE_VTCM_PAGE = 4,  /* bytes of a page of its tightly coupled memory */
	DSPBROKER_ATTRIBUTE_VTCM_COUNT = 5, /* such pages */
	DSPBROKER_ATTRIBUTE_ARCH = 6,       /* the low 8 bits in hexadecimal: 0x68 is v68 */
	DSPBROKER_ATTRIBUTE_HMX_DEPTH = 7,  /* matrix units, in depth */
	DSPBROKER_ATTRIBUTE_HMX_SPATIAL = 8,
	DSPBROKER_ATTRIBUTE_ASYNC = 9,          /* 1: calls without waiting */
	DSPBROKER_ATTRIBUTE_NOTIFICATIONS = 10, /* 1: news of its protection domains */
	DSPBROKER_ATTRIBUTE_MULTICAST = 11,
};
#define DSPBROKER_ATTRIBUTES_MAX 12

/* One word for it: "arch", "vtcm_page". Static, never NULL; "unknown" for an id above. */
const char *dspbroker_attribute_name(uint32_t id);

struct dspbroker_device_info {
	uint64_t id;
	char name[32];
	char transport[32];
	int up; /* channels can be opened on it */
	uint32_t generation;
	uint32_t channels, sessions, domains;
	enum dspbroker_state state;
	enum dspbroker_isolation isolation;
	uint32_t coredumps;    /* that were saved since the broker started */
	char remoteproc[32];   /* the kernel's name of its remote processor; "": none */
	uint32_t domains_max;  /* protection domains that there can be; 0: unknown, or no limit */
	uint32_t domains_hung; /* of `domains` those in which a call did not end in time */
	uint32_t waiting;      /* opens that wait for one to be free */
	uint32_t n_attributes; /* 0: it tells nothing of itself */
	uint32_t attributes[DSPBROKER_ATTRIBUTES_MAX]; /* index: enum dspbroker_attribute */
	char trouble[256]; /* why it is not used though it is there, for a person; "": all is well
			    */
};
int dspbroker_next_device(struct dspbroker *broker, uint64_t id, struct dspbroker_device_info *out);

struct dspbroker_channel_info {
	uint64_t id;
	char name[128];
	int message;   /* 0: calls, 1: messages */
	int allowed;   /* policy lets you open it */
	char rule[64]; /* the rule that says so */
};
int dspbroker_next_channel(struct dspbroker *broker, uint64_t id,
	struct dspbroker_channel_info *out);

/* Your user's sessions, and those of others on channels that a rule of the policy lets you list;
 * root and the broker's own user see everybody's. */
struct dspbroker_session_record {
	uint64_t id; /* for dspbroker_session_kick() */
	char channel[128];
	char rule[64];
	uint32_t uid, pid;
	uint32_t in_flight;
	uint32_t domain;
	uint64_t calls, errors;
	uint64_t busy_ns;
	uint64_t since_us; /* CLOCK_REALTIME of its opening */
	int message;       /* 0: calls; 1: messages, and `calls` counts those sent */
	uint64_t received; /* messages that arrived */
	uint64_t dropped;  /* of them those that found the queue full, or were too long */
	uint32_t queued;   /* of them those that its client has not asked for yet */
};
int dspbroker_next_session(struct dspbroker *broker, uint64_t id,
	struct dspbroker_session_record *out);

/* How the broker is confined: bits. New ones may come. */
enum dspbroker_confinement {
	DSPBROKER_CONFINED_USER = 1 << 0,         /* it is not root */
	DSPBROKER_CONFINED_CAPABILITIES = 1 << 1, /* it has none, and cannot get any */
	DSPBROKER_CONFINED_UNDUMPABLE = 1 << 2,   /* nobody of its user may look into its memory */
	DSPBROKER_CONFINED_CALLS = 1 << 3,        /* a list of system calls */
	DSPBROKER_CONFINED_FILES = 1 << 4,        /* a list of files and folders (Landlock) */
};

/* The broker itself. What is in use now is that of all users for root and the broker's own user,
 * and of your user otherwise. */
struct dspbroker_broker_info {
	char version[32];
	uint64_t confinement;  /* enum dspbroker_confinement */
	uint64_t since_us;     /* CLOCK_REALTIME of its start */
	uint64_t reloaded_us;  /* CLOCK_REALTIME of when the policy in force was read */
	int reload_status;     /* enum dspbroker_status of the last time that it was read */
	uint32_t rules;        /* of the policy in force */
	uint32_t landlock;     /* version of the kernel's Landlock; 0: it has none */
	uint32_t system_calls; /* how many the list allows */
	uint32_t devices;
	int everybody;     /* 1: the following are of all users */
	uint32_t clients;  /* connections */
	uint32_t sessions; /* open */
	uint32_t calls;    /* in flight */
	int accept_paused; /* 1: it is out of descriptors and accepts no connections */
};
/* Ask for it. Errors: DSPBROKER_UNSUPPORTED (a broker that is older than this). */
int dspbroker_broker_info(struct dspbroker *broker, struct dspbroker_broker_info *out);

/* Administration: each needs a right that a rule of the policy gives (DSPBROKER_DENIED otherwise);
 * root and the broker's own user have all of them. */

/*
 * Have the broker read its policy files again (right: reload). Waits until the new policy is in
 * force and the sessions that it does not allow any more have been taken away. *@rules: how many
 * rules there are now; *@revoked: how many sessions lost their right; both may be NULL.
 * Errors: DSPBROKER_BAD_POLICY (dspbroker_message() has file, line and column; the policy that was
 * in force stays so), _BUSY (one is under way for this connection), _NO_RESOURCES, _SHUTTING_DOWN.
 */
int dspbroker_reload(struct dspbroker *broker, uint32_t *rules, uint32_t *revoked);

/* End a session by the @id of its record (right: kick on its channel, also for your own). Its
 * program gets an event with DSPBROKER_CANCELLED. Errors: DSPBROKER_NOT_FOUND (none of that id, or
 * none that you may see, or it has ended already), _BUSY (it is being opened). */
int dspbroker_session_kick(struct dspbroker *broker, uint64_t id);

enum dspbroker_power {
	DSPBROKER_POWER_START = 1,
	DSPBROKER_POWER_STOP = 2,
};

/*
 * Start or stop a device's remote processor (right: start or stop on the device). Returns when that
 * has begun; events tell how it went on (DSPBROKER_EVENT_DEVICE). One that is stopped takes all
 * sessions on it along; where policy lets the broker start it, on demand or always, it stays
 * stopped until it is started by this.
 * Errors: DSPBROKER_NOT_FOUND (no such device), _UNSUPPORTED (it has no remote processor),
 * _DEVICE_DOWN (its remote processor is not there), _DENIED (also: nothing isolates it from memory,
 * so it is not started), _SHUTTING_DOWN.
 */
int dspbroker_device_power(struct dspbroker *broker, const char *device,
	enum dspbroker_power power);

#ifdef __cplusplus
}
#endif

#endif
