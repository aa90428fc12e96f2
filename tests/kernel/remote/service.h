// SPDX-License-Identifier: MIT
/* What an endpoint of the remote processor can be made to do. */
#ifndef DSP_REMOTE_SERVICE_H
#define DSP_REMOTE_SERVICE_H

#include "tests/kernel/remote/rpmsg.h"

/* By name, NULL when there is none:
 *   echo    sends each message back
 *   sink    counts
 *   fastrpc answers the kernel's calls (dsp.h)
 *   source  emits what a struct source_request asks for, sent to it as a message */
const struct service *service_find(const char *name);

struct source_request {
	uint32_t
		count; /* of messages, each of which begins with its number as an u32; 0: no more */
	uint32_t size; /* of each */
};

/* Send @count messages of @size bytes to @dst, as the guest takes them; instead of what is left of
 * an earlier emission. The endpoint must be a source. */
int service_emit(struct endpoint *endpoint, uint32_t dst, uint32_t count, uint32_t size);

#endif
