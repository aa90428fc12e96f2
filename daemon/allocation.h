// SPDX-License-Identifier: MIT
/*
 * Memory that takes time to make, since the kernel clears it: dma-bufs. It is made in a thread, and
 * charged to its client from the start; a client that goes meanwhile stays until that has ended.
 */
#ifndef DSP_ALLOCATION_H
#define DSP_ALLOCATION_H

#include "daemon/buffer.h"

struct session;

/* How it ended: with a buffer whose reference is the receiver's, or with NULL and *@fault. Not
 * called for a client that is gone. */
typedef void (*allocation_fn)(struct client *client, uint32_t serial, struct buffer *buffer,
	const struct buffer_fault *fault);

/* Begin to make what @request wants, DSP_MEMORY_HEAP or DSP_MEMORY_DEVICE; the latter of the device
 * of @session, which may end meanwhile. Returns 0: @ended will be called, from the loop; or a
 * negative errno with *@fault filled. */
int allocation_begin(struct client *client, const struct dsp_alloc *request,
	struct session *session, allocation_fn ended, struct buffer_fault *fault);

#endif
