// SPDX-License-Identifier: MIT
/*
 * What the kernel cannot do at the moment: all calls of a channel are under way, or their memory is
 * still being given back. For threads that may wait.
 */
#ifndef DSP_FASTRPC_RETRY_H
#define DSP_FASTRPC_RETRY_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>

#include "protocol/util.h"

/* Altogether some twelve seconds, which is more than a call usually may take. */
#define RETRY_TIMES_MAX 64
#define RETRY_PAUSE_MAX 200 /* ms */

struct retry {
	unsigned int times;
};

/* Is that an error after which the same should be tried once more? Waits before it says so. A
 * signal ends the waiting, and the trying. */
static inline bool retry_after(struct retry *retry, int error)
{
	int pause = retry->times < 8 ? 1 << retry->times : RETRY_PAUSE_MAX;

	if ((error != -EAGAIN && error != -ENOSPC) || retry->times == RETRY_TIMES_MAX)
		return false;
	retry->times++;
	return poll(NULL, 0, MIN(pause, RETRY_PAUSE_MAX)) == 0;
}

#endif
