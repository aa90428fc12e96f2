// SPDX-License-Identifier: MIT
/* Taking samples. */
#ifndef BENCH_SAMPLE_H
#define BENCH_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t now_ns(void);
/* Sort samples and return the one below which @percent of them lie. */
uint64_t percentile(uint64_t *samples, size_t n, double percent);
/* Ends the benchmark, with a message, when @r is not 0. */
void must(int r, const char *what);

#endif
