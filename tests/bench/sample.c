// SPDX-License-Identifier: MIT
#include "tests/bench/sample.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/dspbroker.h"
#include "protocol/clock.h"

#define WARM_UP_NS UINT64_C(500000000)

uint64_t now_ns(void)
{
	return clock_ns();
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

uint64_t percentile(uint64_t *samples, size_t n, double percent)
{
	must(n ? 0 : -ENODATA, "samples");
	qsort(samples, n, sizeof(*samples), compare);
	return samples[(size_t)((double)(n - 1) * percent / 100)];
}

double percentile_us(uint64_t *samples, size_t n, double percent)
{
	return n ? (double)percentile(samples, n, percent) / 1000 : NAN;
}

void warm_up(void (*go)(void *data), void *data)
{
	uint64_t start = now_ns();

	while (now_ns() - start < WARM_UP_NS)
		go(data);
}

void sample_each(void (*go)(void *data), void *data, uint64_t *samples, size_t n)
{
	warm_up(go, data);
	for (size_t i = 0; i < n; i++) {
		uint64_t start = now_ns();

		go(data);
		samples[i] = now_ns() - start;
	}
}

void must(int r, const char *what)
{
	if (r == 0)
		return;
	fprintf(stderr, "bench: %s: %s %s\n", what, dspbroker_strerror(r), dspbroker_message());
	exit(EXIT_FAILURE);
}

int must_errno(int r, const char *what)
{
	must(r < 0 ? -errno : 0, what);
	return r;
}
