// SPDX-License-Identifier: MIT
#include "tests/bench/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "client/dspbroker.h"

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

uint64_t percentile(uint64_t *samples, size_t n, double percent)
{
	qsort(samples, n, sizeof(*samples), compare);
	return samples[(size_t)((double)(n - 1) * percent / 100)];
}

void must(int r, const char *what)
{
	if (r == 0)
		return;
	fprintf(stderr, "bench: %s: %s %s\n", what, dspbroker_strerror(r), dspbroker_message());
	exit(EXIT_FAILURE);
}
