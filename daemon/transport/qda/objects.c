// SPDX-License-Identifier: MIT
#include "daemon/transport/qda/objects.h"

#include <errno.h>
#include <linux/dma-buf.h>
#include <sys/ioctl.h>
#include <xf86drm.h>

#include "daemon/transport/fastrpc/window.h"

struct handle {
	struct list link;
	uint32_t number;
	unsigned int uses;
};

void objects_init(struct objects *objects, int fd)
{
	objects->fd = fd;
	pthread_mutex_init(&objects->lock, NULL);
	list_init(&objects->handles);
}

void objects_deinit(struct objects *objects)
{
	struct handle *handle, *following;

	list_for_each_safe (handle, following, &objects->handles, link)
		free(handle);
	pthread_mutex_destroy(&objects->lock);
}

/* Handles. With the lock: nobody gets one that is about to be closed. */

static struct handle *find(const struct objects *objects, uint32_t number)
{
	struct handle *handle;

	list_for_each (handle, &objects->handles, link)
		if (handle->number == number)
			return handle;
	return NULL;
}

static int get(struct objects *objects, int dmabuf, uint32_t *number)
{
	struct handle *fresh = malloc(sizeof(*fresh)), *handle;
	int r;

	if (!fresh)
		return -ENOMEM;
	if (drmPrimeFDToHandle(objects->fd, dmabuf, number) < 0) {
		r = -errno;
		free(fresh);
		return r;
	}
	handle = find(objects, *number);
	if (handle) {
		handle->uses++;
		free(fresh);
	} else {
		*fresh = (struct handle){.number = *number, .uses = 1};
		list_prepend(&objects->handles, &fresh->link);
	}
	return 0;
}

static int put(struct objects *objects, uint32_t number)
{
	struct handle *handle = find(objects, number);

	if (!handle)
		return -EINVAL;
	if (handle->uses == 1) {
		if (drmCloseBufferHandle(objects->fd, number) < 0)
			return -errno;
		list_remove(&handle->link);
		free(handle);
	} else {
		handle->uses--;
	}
	return 0;
}

/* Objects. */

int object_import(struct objects *objects, int dmabuf, uint64_t size, struct node_buffer *out)
{
	int r;

	*out = (struct node_buffer){.dmabuf = dmabuf, .size = size};
	/* To the posted driver such a descriptor is none. */
	if (dmabuf <= 0 || !size)
		return -EINVAL;
	out->window = node_window(size);
	if (!out->window)
		return -ENOMEM;
	pthread_mutex_lock(&objects->lock);
	r = get(objects, dmabuf, &out->handle);
	pthread_mutex_unlock(&objects->lock);
	if (r < 0)
		object_forget(out);
	return r;
}

int object_close(struct objects *objects, struct node_buffer *object)
{
	int r;

	pthread_mutex_lock(&objects->lock);
	r = put(objects, object->handle);
	pthread_mutex_unlock(&objects->lock);
	if (r == 0)
		object_forget(object);
	return r;
}

void object_forget(struct node_buffer *object)
{
	node_window_free(object->window, object->size);
	object->window = NULL;
}

/* Caches. */

/* A signal ends it before it is done. */
static void sync_once(const struct node_buffer *object, uint64_t flags)
{
	struct dma_buf_sync sync = {.flags = flags};

	while (ioctl(object->dmabuf, DMA_BUF_IOCTL_SYNC, &sync) < 0 &&
		(errno == EINTR || errno == EAGAIN))
		;
}

static void sync_as(const struct node_buffer *object, uint64_t access)
{
	sync_once(object, DMA_BUF_SYNC_START | access);
	sync_once(object, DMA_BUF_SYNC_END | access);
}

/* As if we had written, and nothing else: who begins to read loses what is in the caches. */
void object_flush(const struct node_buffer *object)
{
	sync_as(object, DMA_BUF_SYNC_WRITE);
}

/* Other bytes of it its client may be writing at this moment: they are not to be lost. */
void object_invalidate(const struct node_buffer *object)
{
	object_flush(object);
	sync_as(object, DMA_BUF_SYNC_READ);
}
