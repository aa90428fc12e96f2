// SPDX-License-Identifier: MIT
/* Several processes that call a DSP at once, each in a protection domain of its own. */
#ifndef KERNEL_BENCH_CLIENTS_H
#define KERNEL_BENCH_CLIENTS_H

#include "tests/kernel/bench/calls.h"

/* Take the figures of a run, with brokers of that policy, which reach the DSP by that driver. */
void clients_measure(const struct raw_driver *driver, const char *policy, double *figures);

#endif
