// SPDX-License-Identifier: MIT
/* Several processes that call a DSP at once, each in a protection domain of its own. */
#ifndef KERNEL_BENCH_CLIENTS_H
#define KERNEL_BENCH_CLIENTS_H

/* Take the figures of a run, with brokers of that policy. */
void clients_measure(const char *policy, double *figures);

#endif
