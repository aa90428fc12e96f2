// SPDX-License-Identifier: MIT
#include "tests/kernel/bench/turns.h"

#include <assert.h>

#include "tests/bench/sample.h"

#define WAYS_MAX    4
#define SAMPLES_MAX 2000

/* To read the clock is a system call here; it is nothing of ours. */
static void nothing(void *userdata)
{
	(void)userdata;
}

static void time_each(void (*go)(void *userdata), void *userdata, uint64_t *samples, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		uint64_t start = now_ns();

		go(userdata);
		samples[i] = now_ns() - start;
	}
}

void take_turns(const struct way *ways, size_t n_ways, void *userdata, unsigned int turns,
	unsigned int a_turn, double *figures)
{
	static uint64_t samples[WAYS_MAX][SAMPLES_MAX], empty[SAMPLES_MAX];
	const size_t n = (size_t)turns * a_turn;
	uint64_t clock;

	assert(n_ways <= WAYS_MAX && n <= SAMPLES_MAX);
	for (size_t way = 0; way < n_ways; way++)
		time_each(ways[way].go, userdata, samples[way], a_turn);
	for (size_t first = 0; first < n; first += a_turn) {
		for (size_t way = 0; way < n_ways; way++)
			time_each(ways[way].go, userdata, &samples[way][first], a_turn);
		time_each(nothing, NULL, &empty[first], a_turn);
	}
	clock = percentile(empty, n, 50);
	for (size_t way = 0; way < n_ways; way++)
		figures[ways[way].p50] = (double)(percentile(samples[way], n, 50) - clock) / 1000;
}
