// SPDX-License-Identifier: MIT
/* Calls that do nothing, PIPELINE_DEPTH in flight. */
#ifndef BENCH_PIPELINE_H
#define BENCH_PIPELINE_H

#include <stdint.h>

#define PIPELINE_NS      1000000000ull /* of which figures are the average */
#define PIPELINE_WARM_UP 100000000ull

/* What makes the calls: put at most @n into the queue, returns how many; and wait until there are
 * completions and take them, returns how many of them. */
struct pipeline {
	unsigned int (*submit)(void *data, unsigned int n);
	unsigned int (*reap)(void *data);
	void *data;
};

/* Keep it full for PIPELINE_WARM_UP and then for PIPELINE_NS, and empty it. Returns calls per
 * second of the latter. */
double pipeline_per_second(const struct pipeline *pipeline);

#endif
