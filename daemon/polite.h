// SPDX-License-Identifier: MIT
/*
 * A thread that computes for long beside the loop, and gives way again and again meanwhile: a tick
 * of the kernel, after which it would take the processor away by itself, is thousands of calls.
 */
#ifndef DSP_POLITE_H
#define DSP_POLITE_H

#include <stdbool.h>
#include <time.h>

/* From here on this thread yields every POLITE_US, whatever it does: a signal sees to that, which
 * interrupts no system call. False: there is no timer for that, and nothing to be ended. */
bool polite_begin(timer_t *out);
void polite_end(timer_t timer);

#endif
