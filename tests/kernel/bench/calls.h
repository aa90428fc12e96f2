// SPDX-License-Identifier: MIT
/*
 * Calls of a DSP: the ways there that are compared, each as a program of its kind would be written,
 * with a protection domain of its own: one that owns the device, one that has the broker, and one
 * that has the least of all brokers. All call the DSP's module "bench". What fails ends the
 * benchmark.
 *
 * Two drivers of the kernel lead to it: FastRPC's, and DRM's (QDA). Only who owns the device can
 * tell them apart.
 */
#ifndef KERNEL_BENCH_CALLS_H
#define KERNEL_BENCH_CALLS_H

#include <stdint.h>

#include "client/dspbroker.h"
#include "tests/kernel/bench/relay.h"
#include "tests/kernel/qda.h"

#define CALL_INLINE (4 * 1024)
#define CALL_BUFFER (1024 * 1024)

/* What the methods of "bench" take (tests/kernel/remote/dsp_bench.c). */
#define CALL_NULL FASTRPC_SCALARS(2, 0, 0)
#define CALL_SUM  FASTRPC_SCALARS(3, 1, 1)
#define CALL_COPY FASTRPC_SCALARS(4, 1, 1)

/* By the kernel's interface, in the domain of this process. */
struct raw_caller {
	const struct raw_driver *driver;
	union {
		struct fastrpc_node fastrpc;
		struct fastrpc_node qda;
	};
	uint32_t handle; /* of the module */
};

struct raw_driver {
	void (*open)(struct raw_caller *raw);
	void (*close)(struct raw_caller *raw);
	/* Once for all calls: the domain keeps the memory. */
	void (*keep)(const struct raw_caller *raw, const struct fastrpc_memory *memory);
	/* A method that does nothing. */
	void (*call)(const struct raw_caller *raw);
	/* CALL_INLINE bytes there and back. */
	void (*copy)(const struct raw_caller *raw, const void *in, void *out);
	/* The sum of what lies in shared memory. */
	uint64_t (*sum)(const struct raw_caller *raw, const struct fastrpc_memory *memory);
	/* Memory that was not kept is mapped for each call, and unmapped after it. */
	bool maps_for_calls;
};

extern const struct raw_driver raw_fastrpc; /* calls_fastrpc.c */
extern const struct raw_driver raw_qda;     /* calls_qda.c */

static inline void raw_caller_open(struct raw_caller *raw, const struct raw_driver *driver)
{
	raw->driver = driver;
	driver->open(raw);
}

/* A process that makes such a call that does nothing. */
void call_relay_open(struct relay *relay, const struct raw_driver *driver);

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

/* What is had for all runs; and take the figures of a run, of which call_figure says which is
 * where. The broker at @socket has to reach the DSP by the same driver. */
struct calls {
	struct raw_caller raw;
	struct fastrpc_memory plain, kept; /* of the raw program */
	struct relay relay;
	struct brokered_caller brokered;
	struct dspbroker_buffer *buffer;
	uint64_t sum; /* of what is in each of the three buffers */
};

void calls_open(struct calls *calls, const struct raw_driver *driver);
void calls_close(struct calls *calls);
void calls_measure(struct calls *calls, const char *socket, double *figures);

#endif
