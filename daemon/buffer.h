// SPDX-License-Identifier: MIT
/*
 * Memory that a client and a DSP share. The broker holds the descriptor and the size; it does not
 * map the memory, so no byte of it can be copied here. The argument area alone is mapped, for
 * clients that exchange messages: the kernel reads and writes them there.
 *
 * A buffer lives while the client has it, a call uses it, or a DSP may still reach it; until then
 * it stays charged to the client.
 */
#ifndef DSP_BUFFER_H
#define DSP_BUFFER_H

#include "daemon/quota.h"
#include "protocol/util.h"
#include "protocol/wire.h"

struct client;
struct device;
struct lane;

struct buffer {
	struct client *client; /* outlives it */
	uint32_t id;           /* the client's; 0: the argument area */
	int fd;
	int dmabuf;             /* fd when that is a dma-buf, else -1 */
	enum dsp_memory memory; /* a dma-buf that the client brought counts as HEAP */
	uint64_t size;
	unsigned int refs; /* the client's id, and each call in flight that uses it */
	struct list imports;
	bool charged; /* the argument area comes with the connection */
	char *map;    /* NULL: not mapped. What is there may change at any time */
};

/* That a protection domain can reach a buffer. Embedded in what the transport keeps about it. */
struct import {
	struct list buffer_link; /* buffer->imports */
	struct buffer *buffer;
	struct device *device;
	struct lane *lane;
	uint32_t id; /* the transport's */
	bool releasing;
};

/* Why there is no buffer. */
struct buffer_fault {
	uint32_t status;              /* enum dsp_status */
	struct quota_refusal refusal; /* DSP_OVER_LIMIT */
	const char *text;             /* otherwise */
};

/* Buffers come with one reference, or there is a negative errno with *@fault filled. */
/* A memfd of whole pages. */
int buffer_new(struct buffer **out, struct client *client, uint64_t size,
	struct buffer_fault *fault);
/* The same for memory that takes time to make, in two steps: charge it to the client, with *@size
 * rounded up to whole pages; then either take the charge back or make a buffer of the dma-buf @fd,
 * which takes over both, or fails and takes neither. */
int buffer_reserve(struct client *client, uint64_t *size, struct buffer_fault *fault);
void buffer_unreserve(struct client *client, uint64_t size);
int buffer_new_dmabuf(struct buffer **out, struct client *client, int fd, uint64_t size,
	enum dsp_memory memory, struct buffer_fault *fault);
/* Takes a client's memfd or dma-buf over on success. */
int buffer_new_import(struct buffer **out, struct client *client, int fd, uint64_t size,
	struct buffer_fault *fault);
/* The connection's argument area; not charged. Returns 0 or -errno. */
int buffer_new_arguments(struct buffer **out, struct client *client, uint64_t size);

/* Map the argument area, if it is not; it stays so, nobody can shrink it, and the page behind it
 * cannot be written. Returns 0 or -errno. */
int buffer_map(struct buffer *arguments);

struct buffer *buffer_ref(struct buffer *buffer);
struct buffer *buffer_unref(struct buffer *buffer);

void import_init(struct import *import, struct buffer *buffer, struct device *device,
	struct lane *lane, uint32_t id);
/* The DSP can no longer reach it. The caller frees its memory after. */
void import_deinit(struct import *import);

#endif
