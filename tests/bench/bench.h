// SPDX-License-Identifier: MIT
/* The figures of the benchmark; README.md explains them. */
#ifndef BENCH_H
#define BENCH_H

#include "client/dspbroker.h"
#include "tests/bench/service.h"

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
