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

void pace_wait(struct pace *pace)
{
	const struct timespec next = {
		.tv_sec = (time_t)(pace->next_ns / NS_A_SECOND),
		.tv_nsec = (long)(pace->next_ns % NS_A_SECOND),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL) == EINTR)
		;
	pace->next_ns += pace->interval_ns;
}
