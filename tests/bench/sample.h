// SPDX-License-Identifier: MIT
/* Taking samples. */
#ifndef BENCH_SAMPLE_H
#define BENCH_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t now_ns(void);
/* Sort samples and return the one below which @percent of them lie. There has to be one. */
uint64_t percentile(uint64_t *samples, size_t n, double percent);
/* The same in microseconds; NAN without any. */
double percentile_us(uint64_t *samples, size_t n, double percent);
/* Do it over and over for half a second: by then the kernel has spread those who are busy over the
 * processors. */
void warm_up(void (*go)(void *data), void *data);
/* How long @go takes, @n times, after a warm-up. */
void sample_each(void (*go)(void *data), void *data, uint64_t *samples, size_t n);
/* Ends the benchmark, with a message, when @r is not 0: a negative errno, or what the library
 * returned. must_errno() has @r from a system call, which fails by -1 and errno. */
void must(int r, const char *what);
int must_errno(int r, const char *what);

#endif
