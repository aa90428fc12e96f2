// SPDX-License-Identifier: MIT
/*
 * Where a call's small arguments go: memory of ours is copied into a buffer object of the kernel
 * session, the scratch, and back. A call has one to itself while it runs; there are as many as
 * calls ever ran at a time, each as large as one of them needed.
 *
 * All calls of a domain share them, whoever made these: what an output is to be is zeroed before,
 * so that nobody finds in it what was another's. For threads, several at a time.
 */
#ifndef DSP_QDA_SCRATCH_H
#define DSP_QDA_SCRATCH_H

#include <pthread.h>

#include "daemon/transport/fastrpc/staging.h"
#include "daemon/transport/qda/objects.h"
#include "daemon/transport/qda/posted.h"

/* No two arguments share a line of any cache: a line that is written back goes back whole. */
#define SCRATCH_ALIGN 128
#define SCRATCH_MIN   (16 * 1024)
/* One that is larger is not kept for the next call. */
#define SCRATCH_KEPT (256 * 1024)
/* More than the arguments of a call can be. */
#define SCRATCH_MAX (16 * 1024 * 1024)

struct scratch {
	struct list link;
	bool taken;
	struct staging staging;
	struct node_buffer object;
};

struct scratch_pool {
	struct objects *objects;
	const struct memory *memory;
	bool coherent;
	pthread_mutex_t lock;
	struct list all;
};

/* @memory and @coherent as in struct node_place; @objects outlives it. Makes the first one. Returns
 * 0; -EBUSY: this kernel session can have no context bank, or there is no memory; -EOPNOTSUPP:
 * there is no kind of memory for it; or another -errno. It is to be deinited in any case. */
int scratch_pool_init(struct scratch_pool *pool, struct objects *objects,
	const struct memory *memory, bool coherent);
/* The node is closed. */
void scratch_pool_deinit(struct scratch_pool *pool);

/* Bytes that the arguments which are memory of ours take in a scratch; false: more than one has. */
bool scratch_size(const struct node_arg *args, unsigned int n, size_t *size);

/* One of at least @size bytes, for a call. Returns 0 or -errno. */
int scratch_take(struct scratch_pool *pool, size_t size, struct scratch **out);
/* Nobody writes there any more. The scratch of a call that was interrupted is not given back: the
 * DSP may be at it until the node is closed. */
void scratch_give_back(struct scratch_pool *pool, struct scratch *scratch);

/* Say in @out where each argument is. What is memory of ours is copied into @scratch, if it is one
 * of the first @n_in, which are inputs, and zeroed there otherwise. @scratch is not NULL if there
 * is such an argument with any bytes. */
void scratch_pack(const struct scratch_pool *pool, const struct scratch *scratch,
	const struct node_arg *args, unsigned int n_in, unsigned int n, struct posted_arg *out);
/* The DSP has answered: copy outputs from where @packed says that they are. */
void scratch_unpack(const struct scratch_pool *pool, const struct scratch *scratch,
	const struct node_arg *args, unsigned int n_in, unsigned int n,
	const struct posted_arg *packed);

#endif
