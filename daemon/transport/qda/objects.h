// SPDX-License-Identifier: MIT
/*
 * The buffer objects of one kernel session: dma-bufs, each known to it by a handle. The same
 * dma-buf has the same handle again, so uses of a handle are counted, and the last one closes it.
 *
 * Also that of a dma-buf which the driver took by itself from a call: it keeps such a one for as
 * long as the node is open, so every buffer of a call has to be imported here before. For threads,
 * several at a time.
 */
#ifndef DSP_QDA_OBJECTS_H
#define DSP_QDA_OBJECTS_H

#include <pthread.h>

#include "daemon/transport/fastrpc/driver.h"
#include "protocol/util.h"

struct objects {
	int fd; /* the node; borrowed */
	pthread_mutex_t lock;
	struct list handles;
};

void objects_init(struct objects *objects, int fd);
/* The node is closed, and all handles with it: forget them. */
void objects_deinit(struct objects *objects);

/* Make the first @size bytes of @dmabuf an object: *@out, with a window of addresses. Returns 0;
 * -ENOMEM: also when this kernel session can have no context bank; -EINVAL; or another -errno. */
int object_import(struct objects *objects, int dmabuf, uint64_t size, struct node_buffer *out);
/* A use of it ends. Returns 0, or -errno: then it is as before. */
int object_close(struct objects *objects, struct node_buffer *object);
/* The node is closed: free what is ours of it. */
void object_forget(struct node_buffer *object);

/* For a DSP that does not see what is in our caches: it shall see what was written here, and this
 * is to be seen here what it wrote. */
void object_flush(const struct node_buffer *object);
void object_invalidate(const struct node_buffer *object);

#endif
