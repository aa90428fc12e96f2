// SPDX-License-Identifier: MIT
/*
 * Between the broker and its software DSP. Three links:
 *
 *   supervisor socket   broker <-> `softdsp`: start and kill protection domains, news of deaths
 *   domain socket       broker <-> one domain: it has started; memory for it to map
 *   domain ring         protocol/ring.h; the broker is the requester, the domain the servicer; the
 *                       domain sleeps at the futex, the broker at the notify fd
 *
 * Sockets are SOCK_SEQPACKET, one struct a packet. The broker believes nothing that a domain
 * says; supervisor and broker are of one build and trust each other.
 *
 * On the ring: MODULE_OPEN {session} loads nothing, it calls the module's method 0 and keeps the
 * handle under `session`; INVOKE {session, method, arguments by mapping id} calls it; MODULE_CLOSE
 * {session} calls method 1 and forgets the handle; UNMAP {target = mapping id} ends a mapping.
 * Everything is done in order, one at a time. `busy_ns` is the time the module ran. Statuses:
 * DSP_OK; DSP_DSP_ERROR with the module's return value in `result`; DSP_CANCELLED for an entry
 * that was revoked; DSP_NOT_FOUND for an unknown session or mapping; DSP_INVALID for a range
 * outside its mapping, or a method above 30 without an input 0 of 4 to SOFT_ESCAPE_MAX bytes.
 */
#ifndef DSP_SOFTDSP_H
#define DSP_SOFTDSP_H

#include <stdint.h>

#define SOFT_SUPERVISOR_FD 3 /* where `softdsp` finds its socket */

#define SOFT_MODULE_SIZE     64   /* bytes of a module's name, NUL included */
#define SOFT_TEXT_SIZE       200  /* bytes of a text, NUL included */
#define SOFT_SESSIONS_MAX    1024 /* sessions of one domain; ids are 0 .. SOFT_SESSIONS_MAX - 1 */
#define SOFT_MAPPINGS_MAX    4096 /* mappings of one domain; ids are 0 .. SOFT_MAPPINGS_MAX - 1 */
#define SOFT_ESCAPE_MAX      4096 /* bytes of input 0 of a method above 30 */
#define SOFT_RING_SQ_SLOTS   512
#define SOFT_RING_CQ_ENTRIES 256

/* FastRPC: methods 0 to 30 stand in the scalars; 31 there says that the number is the first u32
 * of input 0. Methods 0 and 1 open and close the handle. */
#define SOFT_METHOD_OPEN   0
#define SOFT_METHOD_CLOSE  1
#define SOFT_METHOD_ESCAPE 31

enum soft_type {
	SOFT_SPAWN = 1,   /* broker -> supervisor */
	SOFT_KILL = 2,    /* broker -> supervisor */
	SOFT_EXITED = 3,  /* supervisor -> broker; the domain's memory is quiet from here on */
	SOFT_STARTED = 4, /* domain -> broker */
	SOFT_MAP = 5,     /* broker -> domain, with the memfd */
	SOFT_READY = 6,   /* supervisor -> broker, once: it is ready to spawn */
};

/* Descriptors of SPAWN: domain socket, ring memfd, notify (an eventfd, for the domain to ring). */
#define SOFT_SPAWN_FDS 3

struct soft_message {
	uint32_t type; /* enum soft_type */
	uint32_t id;   /* SPAWN, KILL, EXITED: the domain; MAP: the mapping */
	uint64_t size; /* MAP: bytes to map from offset 0 */
	int32_t value; /* EXITED: wait status of waitpid(2); STARTED: 0 or a negative errno */
	uint32_t reserved;
	char module[SOFT_MODULE_SIZE]; /* SPAWN: NAME of lib<NAME>_skel.so */
	char text[SOFT_TEXT_SIZE];     /* STARTED: why not */
};

#endif
