// SPDX-License-Identifier: MIT
/* Doing something at a rate: by a clock, so that what comes late does not make the rest later. */
#ifndef BENCH_PACE_H
#define BENCH_PACE_H

#include <stdint.h>

struct pace {
	uint64_t next_ns, interval_ns;
};

/* The first time is now. The process's timers are exact from here on. */
void pace_begin(struct pace *pace, uint64_t interval_ns);
/* Wait for the next time. Returns when what is done now was due, ns: now; but if that time had
 * passed before the call, it returns at once, and that time. */
uint64_t pace_wait(struct pace *pace);

#endif
