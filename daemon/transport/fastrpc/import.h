// SPDX-License-Identifier: MIT
/*
 * Buffers in a FastRPC protection domain: as a dma-buf, mapped there to stay, so that a call which
 * uses it needs no mapping of its own.
 */
#ifndef DSP_FASTRPC_IMPORT_H
#define DSP_FASTRPC_IMPORT_H

#include "daemon/buffer.h"
#include "daemon/transport/fastrpc/driver.h"
#include "daemon/worker.h"

struct fastrpc_domain;
struct session;

struct fastrpc_import {
	struct import import;
	struct list link; /* domain->imports */
	struct fastrpc_domain *domain;
	enum {
		IMPORT_MAPPING,
		IMPORT_READY,
		IMPORT_FAILED,
		IMPORT_UNMAPPING,
	} state;
	bool pinned;    /* the DSP may write there until the domain is gone */
	bool charged;   /* a descriptor, to the buffer's client */
	bool abandoned; /* nobody wants it any more, as soon as it is mapped */

	/* Its thread's, while the job runs: */
	struct job job;
	int fd;          /* the dma-buf; the buffer's own or ours */
	bool fd_is_ours; /* made of a memfd */
	bool coherent;   /* the DSP sees what is in our caches */
	bool mapped;     /* @buffer is what it says */
	struct node_buffer buffer;
	int error;
};

/* As transport_ops.import and .release. */
int fastrpc_import(struct fastrpc_domain *domain, struct buffer *buffer,
	struct fastrpc_import **out);
void fastrpc_release(struct fastrpc_import *import);
/* What only this session's client lent to a domain that goes on. */
void fastrpc_release_imports_of(struct fastrpc_domain *domain, const struct session *session);
/* The domain is about to end: what has not been begun need not be. */
void fastrpc_imports_cancel(struct fastrpc_domain *domain);
/* The domain is gone, and with it all of its mappings. */
void fastrpc_imports_deinit(struct fastrpc_domain *domain);

#endif
