// SPDX-License-Identifier: MIT
/*
 * The figures of the benchmark; README.md explains them.
 *
 * Each group of figures has a function that takes them once. It finds every figure NAN, and writes
 * those it took, and only those; ratios to a figure of another group come out NAN by themselves
 * when that group was not asked for. What cannot be taken on this machine stays NAN;
 * figure_absent() says why.
 */
#ifndef BENCH_H
#define BENCH_H

#include "client/dspbroker.h"
#include "tests/bench/service.h"

/* Groups in the order in which they are taken: what needs a quiet machine first. */
enum figure_id {
	/* limits.c: round trips of processes with nothing in them */
	SOCKET_P50,
	SOCKET_PINNED_P50,
	SOCKET_RELAYED_P50,
	SOCKET_RELAYED_PINNED_P50,
	FUTEX_P50,
	FUTEX_PINNED_P50,
	MEMORY_P50,
	MEMORY_PINNED_P50,
	MEMORY_RELAYED_P50,
	MEMORY_RELAYED_PINNED_P50,
	/* latency.c */
	NULL_CALL_P50,
	NULL_CALL_P99,
	NULL_CALL_OVER_SOCKET,
	NULL_CALL_OVER_MEMORY_RELAYED,
	NULL_CALL_PINNED_P50,
	NULL_CALL_PINNED_P99,
	NULL_CALL_PINNED_OVER_SOCKET,
	/* latency.c: zero copy */
	ZERO_COPY_4K_P50,
	ZERO_COPY_64M_P50,
	ZERO_COPY_64M_OVER_4K,
	/* dbus.c */
	DBUS_P50,
	DBUS_PINNED_P50,
	DBUS_OVER_NULL_CALL,
	DBUS_PINNED_OVER_NULL_CALL,
	DBUS_BROKER_P50,
	DBUS_BROKER_PINNED_P50,
	DBUS_BROKER_OVER_NULL_CALL,
	DBUS_BROKER_PINNED_OVER_NULL_CALL,
	/* pipeline.c */
	DIRECT_PER_SECOND,
	DIRECT_PINNED_PER_SECOND,
	PIPELINED_PER_SECOND,
	PIPELINED_PINNED_PER_SECOND,
	PIPELINED_OVER_DIRECT,
	PIPELINED_PINNED_OVER_DIRECT,
	/* crowd.c */
	PIPELINED_8_PER_SECOND,
	PIPELINED_8_OVER_1,
	VICTIM_P99_ALONE,
	VICTIM_P99_FLOODED,
	VICTIM_P99_OVER_ALONE,
	JAIN_8,
	JAIN_8_MIXED,
	WEIGHTS_1_2_4_ERROR,
	/* cost.c */
	CPU_PER_CALL,
	CPU_PER_CALL_SOCKET,
	CPU_OVER_SOCKET,
	/* sessions.c */
	OPEN_CLOSE_PER_SECOND,
	OPEN_CLOSE_PRIVATE_PER_SECOND,
	CONNECT_PER_SECOND,
	/* policy.c */
	POLICY_LOAD_10K_MS,
	POLICY_DECISION_10K_US,
	POLICY_DECISION_100_US,
	POLICY_OPEN_10,
	POLICY_OPEN_10K,
	POLICY_OPEN_10K_OVER_10,
	/* reload.c */
	POLICY_RELOAD_STALL_P99_MS,
	POLICY_RELOAD_LONGEST_P50_MS,
	POLICY_CALL_P99_ALONE_MS,
	POLICY_CALL_LONGEST_P50_MS,
	POLICY_RELOAD_P50_MS,
	/* idle.c */
	IDLE_WAKEUPS_10S,
	RSS_PER_SESSION_KIB,
	FIGURES,
};

/* @id is not to be had on this machine; @why is a static sentence. */
void figure_absent(enum figure_id id, const char *why);

/* Two channels that the policy of bench.c allows to everybody, 1,000 sessions and 64 calls each. */
#define CHANNEL_SHARED  "soft0/example" /* all sessions in one protection domain */
#define CHANNEL_PRIVATE "soft0/denoise" /* each session has one of its own */

/* Methods of the example module. */
#define METHOD_NOP   9
#define METHOD_TOUCH 10

#define PIPELINE_DEPTH 64

/* @service is a broker with the policy of bench.c; only this run has it. */
void measure_limits(const struct service *service, double *figures);
void measure_null_call(const struct service *service, double *figures);
void measure_zero_copy(const struct service *service, double *figures);
void measure_dbus(const struct service *service, double *figures);
void measure_direct(const struct service *service, double *figures);
void measure_pipelined(const struct service *service, double *figures);
void measure_crowd(const struct service *service, double *figures);
void measure_cost(const struct service *service, double *figures);
void measure_open_close(const struct service *service, double *figures);
void measure_policy(const struct service *service, double *figures);
void measure_reload(const struct service *service, double *figures);
void measure_idle(const struct service *service, double *figures);

#endif
