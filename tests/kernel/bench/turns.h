// SPDX-License-Identifier: MIT
/* Taking turns: what is compared is done by moments each, so that whatever else the machine does
 * disturbs all of it alike. */
#ifndef KERNEL_BENCH_TURNS_H
#define KERNEL_BENCH_TURNS_H

#include <stddef.h>

/* One way to do something, and which figure the median of the time that it takes is, in
 * microseconds. */
struct way {
	void (*go)(void *userdata);
	unsigned int p50;
};

/* So many times @a_turn of each, after one turn that is not timed. */
void take_turns(const struct way *ways, size_t n_ways, void *userdata, unsigned int turns,
	unsigned int a_turn, double *figures);

#endif
