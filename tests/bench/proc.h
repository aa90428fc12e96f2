// SPDX-License-Identifier: MIT
/* What the kernel knows of a process, all of its threads together. */
#ifndef BENCH_PROC_H
#define BENCH_PROC_H

#include <stdint.h>
#include <sys/types.h>

/* CPU time that it has used, ns. */
uint64_t proc_cpu_ns(pid_t pid);
/* How often it gave a processor away or lost it: each is a wake-up, before or after. */
uint64_t proc_switches(pid_t pid);

#endif
