// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "client/internal.h"

/* Free it on this side. */
void buffer_discard(struct dspbroker_buffer *buffer)
{
	list_remove(&buffer->link);
	if (buffer->mapping)
		munmap(buffer->mapping, buffer->size);
	fd_close(buffer->fd);
	free(buffer);
}
DEFINE_CLEANUP(struct dspbroker_buffer *, buffer_discard);

static int buffer_new(struct dspbroker_buffer **out, struct dspbroker *broker)
{
	struct dspbroker_buffer *buffer = calloc(1, sizeof(*buffer));

	if (!buffer)
		return -ENOMEM;
	list_init(&buffer->link);
	buffer->broker = broker;
	buffer->fd = -1;
	*out = buffer;
	return 0;
}

/* Take over what the broker says of it. To map more than there is would be SIGBUS. */
static int buffer_agree(struct dspbroker_buffer *buffer, const struct dsp_buffer_reply *reply)
{
	struct dspbroker *broker = buffer->broker;
	struct stat st;

	if (fstat(buffer->fd, &st) < 0 || !reply->size || st.st_size < 0 ||
		(uint64_t)st.st_size < reply->size || reply->buffer == DSP_ARGUMENT_AREA) {
		connection_break(broker, "the broker gave a buffer that is none");
		return connection_gone(broker);
	}
	buffer->id = reply->buffer;
	buffer->size = (size_t)reply->size;
	/* Only memfds have seals, and the broker takes only memfds and dma-bufs. */
	buffer->dmabuf = fcntl(buffer->fd, F_GET_SEALS) < 0;
	list_append(&broker->buffers, &buffer->link);
	return 0;
}

/* A device's own memory is had through a session there, and no other through any. */
static bool origin_valid(const struct dspbroker *broker, enum dspbroker_memory memory,
	const struct dspbroker_session *session)
{
	if (memory == DSPBROKER_MEMORY_DEVICE)
		return session && session->broker == broker;
	return (uint32_t)memory < DSP_MEMORY_COUNT && !session;
}

int dspbroker_buffer_alloc_from(struct dspbroker *broker, struct dspbroker_buffer **out,
	size_t size, enum dspbroker_memory memory, struct dspbroker_session *session)
{
	_cleanup_(buffer_discardp) struct dspbroker_buffer *buffer = NULL;
	union dsp_request message = {.alloc = {.size = size, .memory = (uint32_t)memory}};
	struct request request = {};
	int r;

	message_clear();
	if (!broker || !out || !size || !origin_valid(broker, memory, session))
		return -EINVAL;
	message.alloc.session = session ? session->id : 0;
	r = buffer_new(&buffer, broker);
	if (r < 0)
		return r;

	HOLD(broker);
	r = control_exchange(broker, &request, DSP_ALLOC, &message, sizeof(message.alloc), -1);
	if (r)
		return r;
	buffer->fd = sock_fds_take(&request.fds, 0);
	r = buffer_agree(buffer, &request.reply.buffer);
	if (r < 0)
		return r;
	*out = TAKE_PTR(buffer);
	return 0;
}

int dspbroker_buffer_alloc(struct dspbroker *broker, struct dspbroker_buffer **out, size_t size)
{
	return dspbroker_buffer_alloc_from(broker, out, size, DSPBROKER_MEMORY_MEMFD, NULL);
}

int dspbroker_buffer_import(struct dspbroker *broker, struct dspbroker_buffer **out, int fd,
	size_t size)
{
	_cleanup_(buffer_discardp) struct dspbroker_buffer *buffer = NULL;
	union dsp_request message = {.import = {.size = size}};
	struct request request = {};
	int r;

	message_clear();
	if (!broker || !out)
		return -EINVAL;
	r = buffer_new(&buffer, broker);
	if (r < 0)
		return r;
	buffer->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (buffer->fd < 0)
		return -errno;

	HOLD(broker);
	r = control_exchange(broker, &request, DSP_IMPORT, &message, sizeof(message.import),
		buffer->fd);
	if (r)
		return r;
	r = buffer_agree(buffer, &request.reply.buffer);
	if (r < 0)
		return r;
	*out = TAKE_PTR(buffer);
	return 0;
}

struct dspbroker_buffer *dspbroker_buffer_free(struct dspbroker_buffer *buffer)
{
	struct dspbroker *broker;
	union dsp_request message = {};
	struct request request = {};

	message_clear();
	if (!buffer)
		return NULL;
	broker = buffer->broker;
	message.free.buffer = buffer->id;

	HOLD(broker);
	/* It can fail only because the broker is gone, and the buffer with it. */
	control_exchange(broker, &request, DSP_FREE, &message, sizeof(message.free), -1);
	buffer_discard(buffer);
	return NULL;
}

int dspbroker_buffer_map(struct dspbroker_buffer *buffer, void **out)
{
	void *mapping;

	message_clear();
	if (!buffer || !out)
		return -EINVAL;

	HOLD(buffer->broker);
	if (!buffer->mapping) {
		mapping =
			mmap(NULL, buffer->size, PROT_READ | PROT_WRITE, MAP_SHARED, buffer->fd, 0);
		if (mapping == MAP_FAILED)
			return -errno;
		buffer->mapping = mapping;
	}
	*out = buffer->mapping;
	return 0;
}

/* Who writes may read, and writes whole lines of the cache: for that they must be read first. The
 * connection is not held: the exporter may wait for hardware. */
static int buffer_sync(const struct dspbroker_buffer *buffer, uint64_t edge, int write)
{
	const struct dma_buf_sync sync = {
		.flags = edge | (write ? DMA_BUF_SYNC_RW : DMA_BUF_SYNC_READ),
	};
	int r;

	message_clear();
	if (!buffer)
		return -EINVAL;
	if (!buffer->dmabuf)
		return 0;
	do {
		r = ioctl(buffer->fd, DMA_BUF_IOCTL_SYNC, &sync) < 0 ? -errno : 0;
	} while (r == -EINTR || r == -EAGAIN);
	return r;
}

int dspbroker_buffer_begin(struct dspbroker_buffer *buffer, int write)
{
	return buffer_sync(buffer, DMA_BUF_SYNC_START, write);
}

int dspbroker_buffer_end(struct dspbroker_buffer *buffer, int write)
{
	return buffer_sync(buffer, DMA_BUF_SYNC_END, write);
}

size_t dspbroker_buffer_size(const struct dspbroker_buffer *buffer)
{
	return buffer ? buffer->size : 0;
}

int dspbroker_buffer_fd(const struct dspbroker_buffer *buffer)
{
	return buffer ? buffer->fd : -EINVAL;
}
