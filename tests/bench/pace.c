// SPDX-License-Identifier: MIT
#include "tests/bench/pace.h"

#include <errno.h>
#include <sys/prctl.h>
#include <time.h>

#include "tests/bench/sample.h"

#define NS_A_SECOND 1000000000ull

void pace_begin(struct pace *pace, uint64_t interval_ns)
{
	prctl(PR_SET_TIMERSLACK, 1); /* ns; usual are 50,000 */
	*pace = (struct pace){.next_ns = now_ns(), .interval_ns = interval_ns};
}

uint64_t pace_wait(struct pace *pace)
{
	const uint64_t due = pace->next_ns;
	const struct timespec next = {
		.tv_sec = (time_t)(due / NS_A_SECOND),
		.tv_nsec = (long)(due % NS_A_SECOND),
	};

	pace->next_ns += pace->interval_ns;
	if (now_ns() >= due)
		return due;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL) == EINTR)
		;
	return now_ns();
}
