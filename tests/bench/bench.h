// SPDX-License-Identifier: MIT
/* What the parts of the benchmark share. README.md explains the figures. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/dspbroker.h"

/* A broker with a software DSP, started for one run of the benchmark. */
struct service {
	pid_t pid;
	char directory[64];
	char socket[96];
};

/* Start it as an unprivileged user where we may; waits until it serves. Ends the benchmark on
 * failure, with the reason. */
void service_start(struct service *service);
/* Stop it; ends the benchmark if it did not end well. */
void service_stop(struct service *service);
/* Resident memory of the broker, bytes. */
uint64_t service_rss(const struct service *service);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t now_ns(void);
/* Sort samples and return the one below which @percent of them lie. */
uint64_t percentile(uint64_t *samples, size_t n, double percent);
/* Ends the benchmark, with a message, when @r is not 0. */
void must(int r, const char *what);

enum figure_id {
	SOCKET_P50,
	NULL_CALL_P50,
	NULL_CALL_P99,
	NULL_CALL_OVER_SOCKET,
	PIPELINED_PER_SECOND,
	ZERO_COPY_4K_P50,
	ZERO_COPY_64M_P50,
	ZERO_COPY_64M_OVER_4K,
	OPEN_CLOSE_PRIVATE_PER_SECOND,
	OPEN_CLOSE_PER_SECOND,
	RSS_PER_SESSION_KIB,
	FIGURES,
};

/* Take every figure once. */
void measure(const struct service *service, double figures[static FIGURES]);

#endif
