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

struct client;
struct device;
struct lane;

struct buffer {
	struct client *client; /* outlives it */
	uint32_t id;           /* the client's; 0: the argument area */
	int fd;
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

/* Why a memfd is not taken. */
struct buffer_fault {
	uint32_t status;              /* enum dsp_status */
	struct quota_refusal refusal; /* DSP_OVER_LIMIT */
	const char *text;             /* otherwise */
};

/* Both return 0 and a buffer with one reference, or a negative errno with *@fault filled. */
int buffer_new(struct buffer **out, struct client *client, uint64_t size,
	struct buffer_fault *fault);
/* Takes a client's memfd over on success. */
int buffer_new_import(struct buffer **out, struct client *client, int fd, uint64_t size,
	struct buffer_fault *fault);
/* The connection's argument area; not charged. Returns 0 or -errno. */
int buffer_new_arguments(struct buffer **out, struct client *client, uint64_t size);

/* Map the argument area, if it is not; it stays so. Nobody can shrink it. Returns 0 or -errno. */
int buffer_map(struct buffer *arguments);

struct buffer *buffer_ref(struct buffer *buffer);
struct buffer *buffer_unref(struct buffer *buffer);

void import_init(struct import *import, struct buffer *buffer, struct device *device,
	struct lane *lane, uint32_t id);
/* The DSP can no longer reach it. The caller frees its memory after. */
void import_deinit(struct import *import);

#endif
