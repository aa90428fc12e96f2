// SPDX-License-Identifier: MIT
/*
 * Calls of FastRPC: the ways to the DSP that are compared, each as a program of its kind would be
 * written, with a protection domain of its own: one that owns the device, one that has the broker,
 * and one that has the least of all brokers. All call the DSP's module "bench". What fails ends the
 * benchmark.
 */
#ifndef KERNEL_BENCH_CALLS_H
#define KERNEL_BENCH_CALLS_H

#include <stdint.h>

#include "client/dspbroker.h"
#include "tests/kernel/bench/relay.h"
#include "tests/kernel/fastrpc.h"

#define CALL_INLINE (4 * 1024)
#define CALL_BUFFER (1024 * 1024)

/* By the kernel's interface, in the domain of this process. */
struct raw_caller {
	struct fastrpc_node node;
	uint32_t handle;
};

void raw_caller_open(struct raw_caller *raw);
void raw_caller_close(struct raw_caller *raw);
/* A method that does nothing. */
void raw_call(const struct raw_caller *raw);
/* CALL_INLINE bytes there and back. */
void raw_copy(const struct raw_caller *raw, const void *in, void *out);
/* The sum of what lies in shared memory. */
uint64_t raw_sum(const struct raw_caller *raw, const struct fastrpc_memory *memory);

/* A process that makes such a call that does nothing. */
void call_relay_open(struct relay *relay);

/* By libdspbroker. */
struct brokered_caller {
	struct dspbroker *broker;
	struct dspbroker_session *session;
};

void brokered_caller_open(struct brokered_caller *brokered, const char *socket);
void brokered_caller_close(struct brokered_caller *brokered);
void brokered_call(const struct brokered_caller *brokered);
void brokered_copy(const struct brokered_caller *brokered, void *in, void *out);
uint64_t brokered_sum(const struct brokered_caller *brokered, struct dspbroker_buffer *buffer);

/* What is had for all runs; and take the figures of a run. */
struct calls {
	struct raw_caller raw;
	struct fastrpc_memory plain, mapped; /* of the raw program: mapped for each call, or once */
	struct relay relay;
	struct brokered_caller brokered;
	struct dspbroker_buffer *buffer;
	uint64_t sum; /* of what is in each of the three buffers */
};

void calls_open(struct calls *calls);
void calls_close(struct calls *calls);
void calls_measure(struct calls *calls, const char *socket, double *figures);

#endif
