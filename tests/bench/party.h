// SPDX-License-Identifier: MIT
/*
 * Processes that work at the same time: each prepares itself, all begin together, they are watched
 * while they work, and all end together. What they count lies in memory that they share with the
 * benchmark, which reads it while they go on.
 *
 * A process that fails says why and ends the benchmark.
 */
#ifndef BENCH_PARTY_H
#define BENCH_PARTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PARTY_MAX      8
#define MEMBER_SAMPLES 16384

/* One process; only it writes here, but for `over`. */
struct member {
	_Alignas(64) uint64_t calls;      /* of its calls that are done: how many, */
	uint64_t busy_ns;                 /* and how long they ran on the DSP */
	bool over;                        /* it shall end */
	int gate;                         /* its descriptor */
	uint64_t samples[MEMBER_SAMPLES]; /* how long each took, ns, where that is measured */
};

struct party {
	struct member *members; /* shared memory */
	size_t n;
	pid_t pids[PARTY_MAX];
	int gates[PARTY_MAX];
};

/* What a member did while it was watched. */
struct work {
	uint64_t first, calls; /* its calls from number `first` on, and how many */
	uint64_t busy_ns;
};

void party_init(struct party *party);
/* Fork a process that calls @play with @role; as user @uid unless that is 0, for which the
 * benchmark has to be root. */
void party_add(struct party *party, void (*play)(struct member *me, const void *role),
	const void *role, uid_t uid);
/* Wait until all are ready, and let them begin. */
void party_begin(struct party *party);
/* Wait until all are at work, or end the benchmark when somebody never is; then watch them for @ms
 * milliseconds. @work has room for each of them. Returns how many seconds it was in fact. */
double party_watch(struct party *party, int ms, struct work *work);
/* Have them end, and wait for that. */
void party_end(struct party *party);

/* For the process itself. */

/* It is ready; returns when all may begin. */
void member_ready(struct member *me);
static inline bool member_over(const struct member *me)
{
	return __atomic_load_n(&me->over, __ATOMIC_RELAXED);
}
/* @calls more are done; what belongs to them was written before. */
static inline void member_count(struct member *me, uint64_t calls, uint64_t busy_ns)
{
	__atomic_store_n(&me->busy_ns, me->busy_ns + busy_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&me->calls, me->calls + calls, __ATOMIC_RELEASE);
}

#endif
