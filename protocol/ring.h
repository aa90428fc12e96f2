// SPDX-License-Identifier: MIT
/*
 * The data plane: one submission queue and one completion queue in a sealed memfd. README.md
 * beside this file is the specification.
 *
 * A ring has a requester (submits, reaps) and a servicer (fetches, completes). Between a client
 * and the broker the client is the requester; between the broker and a protection domain of the
 * software DSP the broker is. Neither believes the other: every index and entry is copied out of
 * shared memory once and checked before use, and each side keeps its own position in private
 * memory, so that a peer who scribbles over the ring hurts itself alone.
 *
 * Not thread-safe: one thread at a time per role.
 */
#ifndef DSP_RING_H
#define DSP_RING_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DSP_CACHE_LINE 64

/* Bounds on what HELLO may negotiate. Sizes are powers of two. */
#define DSP_RING_SQ_MIN 16
#define DSP_RING_SQ_MAX 4096

/* An argument: a range of a buffer. */
struct dsp_arg {
	uint32_t buffer; /* DSP_ARGUMENT_AREA, or a buffer's id */
	uint32_t offset; /* bytes */
	uint32_t length; /* bytes */
};
static_assert(sizeof(struct dsp_arg) == 12, "ring layout");

#define DSP_ARGUMENT_AREA 0 /* the connection's own area for small inline data */

#define DSP_ARGS_FIRST 2  /* arguments in an entry's first slot */
#define DSP_ARGS_MORE  5  /* arguments in each slot that follows */
#define DSP_ARGS_MAX   32 /* inputs and outputs together */
#define DSP_SLOTS_MAX  7  /* 1 + (32 - 2) / 5 */

enum dsp_op {
	DSP_OP_INVOKE = 1, /* call a method */
	DSP_OP_CANCEL = 2, /* end a call that has not begun */
	/* Only between broker and protection domain: */
	DSP_OP_MODULE_OPEN = 3,
	DSP_OP_MODULE_CLOSE = 4,
	DSP_OP_UNMAP = 5,
	/* From clients, on a session that takes messages: */
	DSP_OP_SEND = 6,    /* send a message */
	DSP_OP_RECEIVE = 7, /* wait for one */
};

/* `method` of a SEND. */
#define DSP_SEND_TRY 1u /* complete with DSP_BUSY rather than wait for room */

/* How one side sleeps, and so how it is to be woken. */
enum dsp_sleep {
	DSP_AWAKE = 0,
	DSP_ASLEEP = 1,       /* by ringing its descriptor: doorbell, or notify */
	DSP_SOUND_ASLEEP = 2, /* requester: the same, for all but SENDs that went well */
	DSP_AT_FUTEX = 4,     /* a flag: by futex(2) on the word itself, instead */
};

/* State of an entry, in its first slot. The requester may revoke what nobody has claimed. */
enum dsp_claim {
	DSP_CLAIM_NONE = 0,
	DSP_CLAIM_TAKEN = 1,
	DSP_CLAIM_REVOKED = 2,
};

/* First slot of an entry. Slots that follow hold further arguments. */
struct dsp_slot {
	uint8_t op;    /* enum dsp_op */
	uint8_t slots; /* this one included */
	uint8_t n_in;  /* input arguments, they come first */
	uint8_t n_out; /* output arguments */
	uint32_t session;
	uint64_t user_data;     /* returned in the completion */
	uint32_t method;        /* INVOKE; SEND: flags */
	uint32_t timeout_us;    /* INVOKE, SEND; 0: the longest the session may take. RECEIVE; 0: as
				 * long as it takes */
	_Atomic uint32_t claim; /* enum dsp_claim */
	uint32_t reserved;
	uint64_t target; /* CANCEL: user_data of the entry to end; UNMAP: the buffer */
	struct dsp_arg args[DSP_ARGS_FIRST];
};
static_assert(sizeof(struct dsp_slot) == DSP_CACHE_LINE, "ring layout");

struct dsp_slot_more {
	struct dsp_arg args[DSP_ARGS_MORE];
	uint32_t reserved;
};
static_assert(sizeof(struct dsp_slot_more) == sizeof(struct dsp_slot), "ring layout");

struct dsp_completion {
	uint64_t user_data;
	uint32_t status;  /* enum dsp_status of wire.h */
	int32_t result;   /* INVOKE: what the module returned, as it is; RECEIVE: bytes */
	uint32_t detail;  /* DSP_INVALID: byte offset in the entry; DSP_OVER_LIMIT: the limit;
			   * INVOKE that ran: the device's generation when its module was opened;
			   * RECEIVE: messages that were dropped before this one */
	uint32_t limit;   /* DSP_OVER_LIMIT: which, enum dsp_limit; else 0 */
	uint64_t busy_ns; /* time the call ran on the DSP */
};
static_assert(sizeof(struct dsp_completion) == 32, "ring layout");

/* Start of the memfd. Each cache line has one writer, except the last three: these words are set by
 * the side that is about to wait, and cleared by either. The processors are a hint for who waits,
 * and looks meanwhile: the number plus 1; 0: not known. */
struct dsp_ring_shared {
	_Alignas(DSP_CACHE_LINE) _Atomic uint32_t sq_tail; /* requester */
	_Atomic uint32_t requester_cpu;                    /* requester: where it ran last */
	_Alignas(DSP_CACHE_LINE) _Atomic uint32_t sq_head; /* servicer */
	_Alignas(DSP_CACHE_LINE) _Atomic uint32_t cq_tail; /* servicer */
	_Atomic uint32_t servicer_cpu;                     /* servicer: where it ran last */
	_Atomic uint32_t processors; /* who made the ring: how many there are; constant */
	_Alignas(DSP_CACHE_LINE) _Atomic uint32_t cq_head;          /* requester */
	_Alignas(DSP_CACHE_LINE) _Atomic uint32_t servicer_sleeps;  /* enum dsp_sleep */
	_Alignas(DSP_CACHE_LINE) _Atomic uint32_t requester_sleeps; /* enum dsp_sleep */
	_Alignas(DSP_CACHE_LINE) _Atomic uint32_t
		servicer_stalls; /* kick the doorbell on reaping */
};
#define DSP_RING_ENTRIES_OFFSET 4096 /* submission slots start here, completions follow them */
static_assert(sizeof(struct dsp_ring_shared) <= DSP_RING_ENTRIES_OFFSET, "ring layout");

/* Byte offset in an entry of argument @i, as if its slots were one. */
uint32_t ring_arg_offset(unsigned int i);

/* An entry in private memory. */
struct dsp_entry {
	uint8_t op;
	uint8_t n_in, n_out;
	bool revoked;
	uint32_t session;
	uint64_t user_data;
	uint64_t target;
	uint32_t method;
	uint32_t timeout_us;
	struct dsp_arg args[DSP_ARGS_MAX]; /* n_in + n_out are valid */
};

/* One side's view. */
struct dsp_ring {
	struct dsp_ring_shared *shared;
	struct dsp_slot *sq;
	struct dsp_completion *cq;
	size_t size;
	uint32_t sq_slots, cq_entries;
	uint32_t sq_head, sq_tail, cq_head, cq_tail; /* positions; those of the peer as last seen */
	uint32_t cpu;                                /* of this side, as the other sees it */
	bool may_look; /* there is more than one processor, so that one may look while others work
			*/
	bool news;     /* servicer: something completed that is not mere routine */
	bool stalled;  /* servicer: it waits for room, so nothing is routine */
};

/* Bytes of the memfd of such a ring. */
size_t ring_size(uint32_t sq_slots, uint32_t cq_entries);

/* Make the memfd, sealed against any change of size, and map it. Both counts must be powers of
 * two. The caller owns *@out_fd. Returns 0 or -errno. */
int ring_create(struct dsp_ring *ring, int *out_fd, uint32_t sq_slots, uint32_t cq_entries);
/* Map a ring that somebody else made; -EPROTO if the counts are none, -EBADMSG if the memfd is
 * smaller than they say. @fd stays the caller's. */
int ring_map(struct dsp_ring *ring, int fd, uint32_t sq_slots, uint32_t cq_entries);
/* Safe on a zeroed ring and twice. */
void ring_unmap(struct dsp_ring *ring);

/* Requester. */

/* Put an entry into the queue, not yet visible to the servicer. -EAGAIN: no room now. -EINVAL:
 * too many arguments. @position, if given, names it for ring_revoke(). */
int ring_push(struct dsp_ring *ring, const struct dsp_entry *entry, uint32_t *position);
/* Make pushed entries visible. Not 0: the servicer sleeps, and this is how: ring_wake_servicer().
 */
uint32_t ring_submit(struct dsp_ring *ring);
/* Take an entry back. True: it will not run, and completes with DSP_CANCELLED. */
bool ring_revoke(struct dsp_ring *ring, uint32_t position);
/* Are there completions? An index that lies counts as one. */
bool ring_can_reap(const struct dsp_ring *ring);
/* Take one completion: 1, 0 when there is none, -EPROTO when the servicer's index lies. The
 * servicer sees the room once ring_reaped() was called, or there is none left. */
int ring_reap(struct dsp_ring *ring, struct dsp_completion *out);
void ring_reaped(struct dsp_ring *ring);
/* Announce sleep, @how of enum dsp_sleep. False: completions are there, do not sleep. */
bool ring_requester_sleep(struct dsp_ring *ring, uint32_t how);
void ring_requester_wake(struct dsp_ring *ring);
/* Having announced to sleep so @how, with DSP_AT_FUTEX: sleep, until the word is not @how any more,
 * a signal comes, or the time is over (nanoseconds; negative: never). Returns 0, -EINTR or
 * -ETIMEDOUT. Of ring and requester_sleeps it reads only where they are, so that another thread may
 * have the ring meanwhile. */
int ring_requester_nap(struct dsp_ring *ring, uint32_t how, int64_t timeout_ns);
/* After ring_reaped(): true if the servicer waits for room in the completion queue; ring its
 * doorbell. */
bool ring_room_wanted(struct dsp_ring *ring);
/* Wake a servicer who sleeps so @how (0: he does not); @doorbell: -1 where there is none. */
void ring_wake_servicer(struct dsp_ring *ring, uint32_t how, int doorbell);

/* Servicer. */

/* What of an entry could not be accepted. */
struct dsp_entry_fault {
	uint32_t field; /* byte offset in the entry; 0: none */
};

/* Are there entries? An index that lies counts as one. */
bool ring_can_fetch(const struct dsp_ring *ring);
/*
 * Take one entry: 1, 0 when there is none, -EPROTO when the requester's index lies or an entry's
 * slot count does not fit its arguments (the framing is lost then: drop the peer). An entry whose
 * framing is right but that has a field the layout forbids is returned with @fault->field set and
 * must be completed with DSP_INVALID. An unknown op is for the caller to refuse. The requester sees
 * the room once ring_fetched() was called, or there is none left.
 */
int ring_fetch(struct dsp_ring *ring, struct dsp_entry *out, struct dsp_entry_fault *fault);
void ring_fetched(struct dsp_ring *ring);
/* Is there room for the completions of so many calls in flight, and one more? 1, 0, or -EPROTO when
 * the requester's index lies. */
int ring_has_room(struct dsp_ring *ring, uint32_t in_flight);
/* Completions that the requester has not reaped; -EPROTO when its index lies. */
int ring_unreaped(struct dsp_ring *ring);
/* Put a completion into the queue; the caller keeps (in flight + unreaped) <= cq_entries. */
void ring_complete(struct dsp_ring *ring, const struct dsp_completion *completion);
/* The same for a SEND that went well: it wakes nobody who sleeps soundly. */
void ring_complete_routine(struct dsp_ring *ring, const struct dsp_completion *completion);
/* Make completions visible. Not 0: the requester sleeps, and this is how: ring_wake_requester(). */
uint32_t ring_publish(struct dsp_ring *ring);
/* Announce sleep, @how of enum dsp_sleep. False: entries are there, do not sleep. */
bool ring_servicer_sleep(struct dsp_ring *ring, uint32_t how);
void ring_servicer_wake(struct dsp_ring *ring);
/* As ring_requester_nap(), until it is woken. */
int ring_servicer_nap(struct dsp_ring *ring, uint32_t how);
/* The completion queue has no room for @in_flight calls and one more: announce that the doorbell
 * must be rung when something is reaped, and that the requester must be woken for it however
 * soundly it sleeps: publish. False: there is room by now. -EPROTO as above. */
int ring_servicer_stall(struct dsp_ring *ring, uint32_t in_flight);
/* Wake a requester who sleeps so @how (0: he does not). */
void ring_wake_requester(struct dsp_ring *ring, uint32_t how, int notify);

/* Either side, while it looks instead of sleeping. */

/* Say on which processor this thread runs. */
void ring_requester_here(struct dsp_ring *ring);
void ring_servicer_here(struct dsp_ring *ring);
/* Did the other side run, when it last said, on the processor that this side last named? Then it
 * cannot go on before this side lets it. */
bool ring_requester_is_here(const struct dsp_ring *ring);
bool ring_servicer_is_here(const struct dsp_ring *ring);

/*
 * Ring a doorbell or a notify fd; one that is full already is as good. An eventfd's status flags
 * are shared with whoever holds it, too, and so is its counter: a peer can make the write block. So
 * who must not trust its peer rings a socket instead, of which nobody else has this end. (A pipe
 * has a lock that its reader can hold for as long as he likes.)
 */
void ring_kick(int fd);

#endif
