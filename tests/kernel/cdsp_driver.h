// SPDX-License-Identifier: MIT
/*
 * The kernel driver that carries FastRPC, as far as tests have to know which it is. Each program is
 * linked with one of two, so that a test of the broker runs on both:
 *
 *   cdsp_fastrpc.c  drivers/misc/fastrpc.c
 *   cdsp_qda.c      the DRM accel driver (modules/qda_sim.c)
 */
#ifndef DSP_CDSP_DRIVER_H
#define DSP_CDSP_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The device tree's (dsp.dts), and the limit of both drivers: calls of a channel. */
#define CDSP_SESSIONS 5
#define CDSP_CONTEXTS 255

struct harness;

struct cdsp_driver {
	const char *transport; /* what the broker calls it */

	/* What it is: */
	bool has_memory;     /* clients can have memory of its allocator */
	bool has_kinds;      /* of domains, besides those of users */
	bool copies;         /* it copies what is in no buffer, as much as the DSP says there is */
	bool keeps_mappings; /* it has the DSP map what is to stay; who does not is asked no more */
	bool forgets;        /* calls that were interrupted, and that return what looks like it */
	bool interrupted_ends; /* a domain with such a call must end */

	/* Its nodes are there and can be opened; or none is. */
	bool (*are_there)(void);
	bool (*are_gone)(void);
	/* One of those that are there, for whoever has it open. */
	const char *(*node)(void);

	/* How many kernel sessions can be opened now. */
	size_t (*free_sessions)(void);
	/* How many calls the kernel does not tell from others any more, though nobody waits for
	 * them. This may use up those that are left until the DSP restarts. */
	size_t (*lost_calls)(void);
	/* How many times a buffer of that broker's clients is mapped into a domain. */
	uint64_t (*mappings)(const struct harness *harness);
	/* How much the kernel holds for domains: buffers, mapped or known by a handle. */
	uint64_t (*held)(void);
	/* What else must soon be as if nobody had been there, once no domain is left. */
	void (*await_nothing_left)(void);
};

extern const struct cdsp_driver cdsp_driver;

#endif
