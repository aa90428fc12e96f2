// SPDX-License-Identifier: MIT
/*
 * What tests of how uses of FastRPC end share: what they leave behind when it is over: in the
 * broker, in the kernel and on the DSP. As in the harness, what is not as it must be ends the test.
 */
#ifndef DSP_REMAINS_H
#define DSP_REMAINS_H

#include "tests/kernel/cdsp.h"

/* For a fixture of each test: have a DSP, once, and its files. */
void have_cdsp(void);
/* A test with that fixture, in a case of its own. */
void add_fastrpc_case(Suite *suite, const char *name, const TTest *test);
/* Start a broker, and wait until it has asked the DSP what it is: that takes a kernel session. It
 * must reach it by the driver that there is. */
void start_broker(struct harness *harness, const char *policy);

/* How many devices of that name there are. */
size_t count_devices(struct dspbroker *broker, const char *name);

/* Of the broker. Its threads are kept when they were needed once: measure after that. Those for
 * what is slow and rare (worker.h) may still become more. */
struct footprint {
	size_t fds, threads, children; /* and theirs, those that ended among them */
};
struct footprint footprint_of(const struct harness *harness);
/* It must soon have what it had then, or less. */
void await_footprint(const struct harness *harness, struct footprint before);

/* That, the broker's memory, and what the kernel holds for its domains. */
struct holdings {
	struct footprint footprint;
	size_t rss_kib;
	uint64_t held;
};
struct holdings holdings_of(const struct harness *harness);
/* Soon it must be no more again, but for so much of memory. */
void must_not_have_grown(const struct harness *harness, struct holdings before, size_t growth_kib);

/* Are as many calls under way on the DSP? Of each domain one always is, which waits for what the
 * DSP may ask. */
bool are_pending(uint64_t n);
/* Soon no domain, thread, call or mapping is left on the DSP; and soon nothing in the kernel,
 * either, whose sessions can all be opened. */
void await_idle_dsp(void);
void await_nothing_left(void);

#endif
