// SPDX-License-Identifier: MIT
/* A process of this program's own, to measure with. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <sys/types.h>

/* Start one that runs @serve until it returns, or is stopped. */
pid_t peer_start(void (*serve)(void *data), void *data);
/* End it, and wait until it is gone. */
void peer_stop(pid_t pid);
/* In the child, between fork() and exec(): end when the benchmark ends, whatever the reason. */
void peer_follow(pid_t benchmark);

#endif
