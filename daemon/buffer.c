// SPDX-License-Identifier: MIT
#include "daemon/buffer.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "daemon/client.h"
#include "daemon/closer.h"
#include "daemon/device.h"
#include "daemon/limits.h"
#include "daemon/memory.h"
#include "daemon/transport/transport.h"

#define SEALS_NEEDED (F_SEAL_SHRINK | F_SEAL_GROW)

#define NO_MEMORY "no memory for a buffer"
#define NO_MEMFD                                                                        \
	"the descriptor is no dma-buf, and no memfd that can be sealed; make one with " \
	"memfd_create(MFD_ALLOW_SEALING)"

static int fault_set(struct buffer_fault *fault, uint32_t status, const char *text, int error)
{
	fault->status = status;
	fault->text = text;
	return error;
}

/* Charge for a buffer that does not exist yet. */
static int charge(struct client *client, uint64_t size, struct buffer_fault *fault)
{
	fault->status = DSP_OVER_LIMIT;
	if (quota_charge(&client->quota, QUOTA_BUFFERS, 1, &fault->refusal) < 0)
		return -EDQUOT;
	if (quota_charge(&client->quota, QUOTA_BYTES, size, &fault->refusal) < 0)
		goto no_bytes;
	if (quota_charge(&client->quota, QUOTA_FDS, 1, &fault->refusal) < 0)
		goto no_fds;
	return 0;

no_fds:
	quota_release(&client->quota, QUOTA_BYTES, size);
no_bytes:
	quota_release(&client->quota, QUOTA_BUFFERS, 1);
	return -EDQUOT;
}

void buffer_unreserve(struct client *client, uint64_t size)
{
	quota_release(&client->quota, QUOTA_FDS, 1);
	quota_release(&client->quota, QUOTA_BYTES, size);
	quota_release(&client->quota, QUOTA_BUFFERS, 1);
}

/* Takes @fd over on success. A buffer that is @charged was reserved. */
static int wrap(struct buffer **out, struct client *client, int fd, uint64_t size,
	enum dsp_memory memory, bool charged)
{
	struct buffer *buffer = calloc(1, sizeof(*buffer));

	if (!buffer)
		return -ENOMEM;
	*buffer = (struct buffer){
		.client = client,
		.fd = fd,
		.memory = memory,
		.size = size,
		.refs = 1,
		.charged = charged,
		.dmabuf = memory == DSP_MEMORY_MEMFD ? -1 : fd,
	};
	list_init(&buffer->imports);
	client->n_buffers++;
	*out = buffer;
	return 0;
}

/* A page behind it that nobody can write. */
static size_t map_size(const struct buffer *arguments)
{
	return arguments->size + (size_t)sysconf(_SC_PAGESIZE);
}

int buffer_map(struct buffer *arguments)
{
	void *map;
	int r;

	if (arguments->map)
		return 0;
	map = mmap(NULL, map_size(arguments), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return -errno;
	if (mmap(map, arguments->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		    arguments->fd, 0) == MAP_FAILED) {
		r = -errno;
		munmap(map, map_size(arguments));
		return r;
	}
	arguments->map = map;
	return 0;
}

int buffer_new_arguments(struct buffer **out, struct client *client, uint64_t size)
{
	_cleanup_(fd_closep) int fd = -1;
	int r;

	r = memory_new_memfd(size, &fd);
	if (r < 0)
		return r;
	r = wrap(out, client, fd, size, DSP_MEMORY_MEMFD, false);
	if (r < 0)
		return r;
	TAKE_FD(fd);
	return 0;
}

int buffer_reserve(struct client *client, uint64_t *size, struct buffer_fault *fault)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (!*size)
		return fault_set(fault, DSP_INVALID, "a buffer of no bytes", -EINVAL);
	if (*size > LIMIT_BUFFER_BYTES)
		return fault_set(fault, DSP_INVALID, "larger than a buffer can be", -E2BIG);
	*size = (*size + page - 1) & ~(page - 1);
	return charge(client, *size, fault);
}

int buffer_new(struct buffer **out, struct client *client, uint64_t size,
	struct buffer_fault *fault)
{
	_cleanup_(fd_closep) int fd = -1;
	int r;

	r = buffer_reserve(client, &size, fault);
	if (r < 0)
		return r;
	r = memory_new_memfd(size, &fd);
	if (r >= 0)
		r = wrap(out, client, fd, size, DSP_MEMORY_MEMFD, true);
	if (r < 0) {
		buffer_unreserve(client, size);
		return fault_set(fault, DSP_NO_RESOURCES, NO_MEMORY, r);
	}
	TAKE_FD(fd);
	return 0;
}

int buffer_new_dmabuf(struct buffer **out, struct client *client, int fd, uint64_t size,
	enum dsp_memory memory, struct buffer_fault *fault)
{
	int r;

	r = wrap(out, client, fd, size, memory, true);
	return r < 0 ? fault_set(fault, DSP_NO_RESOURCES, NO_MEMORY, r) : 0;
}

static bool can_be_written(int fd)
{
	int mode = fcntl(fd, F_GETFL);

	return mode >= 0 && (mode & O_ACCMODE) == O_RDWR && !(mode & O_PATH);
}

/* How much of the @there bytes is lent? */
static int choose_size(uint64_t *size, uint64_t there, const char *too_short,
	struct buffer_fault *fault)
{
	if (!*size)
		*size = there;
	if (*size > there)
		return fault_set(fault, DSP_INVALID, too_short, -ERANGE);
	if (*size > LIMIT_BUFFER_BYTES)
		return fault_set(fault, DSP_INVALID, "larger than a buffer can be", -E2BIG);
	return 0;
}

static int inspect_dmabuf(int fd, uint64_t there, uint64_t *size, struct buffer_fault *fault)
{
	if (!can_be_written(fd))
		return fault_set(fault, DSP_INVALID,
			"the dma-buf cannot be written; have it exported for reading and writing",
			-EACCES);
	return choose_size(size, there, "the dma-buf is smaller than the size that was given",
		fault);
}

/* A memfd of that size which nobody can shrink under us? */
static int inspect_memfd(int fd, int seals, uint64_t *size, struct buffer_fault *fault)
{
	/* A file of a tmpfs has seals, too, and they forbid more. */
	bool sealed = (seals & SEALS_NEEDED) == SEALS_NEEDED;
	struct stat st;

	if ((!sealed && (seals & F_SEAL_SEAL)) || fstat(fd, &st) < 0)
		return fault_set(fault, DSP_INVALID, NO_MEMFD, -EINVAL);
	if (!sealed)
		return fault_set(fault, DSP_INVALID,
			"the memfd is not sealed; add F_SEAL_SHRINK and F_SEAL_GROW first", -EPERM);
	if (!can_be_written(fd) || (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)))
		return fault_set(fault, DSP_INVALID,
			"the memfd cannot be written; open it for reading and writing, unsealed "
			"against writing",
			-EACCES);
	if (!st.st_size)
		return fault_set(fault, DSP_INVALID, "the memfd is empty", -ENODATA);
	return choose_size(size, (uint64_t)st.st_size,
		"the memfd is shorter than the size that was given; was it truncated?", fault);
}

/* What is it, and may it be lent? */
static int inspect(int fd, uint64_t *size, enum dsp_memory *memory, struct buffer_fault *fault)
{
	/* Before anything else: a file system in user space may never answer fstat(). */
	int seals = fcntl(fd, F_GET_SEALS);
	uint64_t there;

	*memory = DSP_MEMORY_MEMFD;
	if (seals >= 0)
		return inspect_memfd(fd, seals, size, fault);
	*memory = DSP_MEMORY_HEAP;
	if (memory_is_dmabuf(fd, &there))
		return inspect_dmabuf(fd, there, size, fault);
	return fault_set(fault, DSP_INVALID, NO_MEMFD, -EINVAL);
}

int buffer_new_import(struct buffer **out, struct client *client, int fd, uint64_t size,
	struct buffer_fault *fault)
{
	enum dsp_memory memory;
	int r;

	r = inspect(fd, &size, &memory, fault);
	if (r < 0)
		return r;
	r = charge(client, size, fault);
	if (r < 0)
		return r;
	r = wrap(out, client, fd, size, memory, true);
	if (r < 0) {
		buffer_unreserve(client, size);
		return fault_set(fault, DSP_NO_RESOURCES, NO_MEMORY, r);
	}
	return 0;
}

struct buffer *buffer_ref(struct buffer *buffer)
{
	buffer->refs++;
	return buffer;
}

static void destroy(struct buffer *buffer)
{
	struct client *client = buffer->client;

	if (buffer->map)
		munmap(buffer->map, map_size(buffer));
	/* What an exporter does at the end of a dma-buf takes as long as it takes. */
	if (buffer->dmabuf >= 0)
		closer_close(buffer->dmabuf);
	else
		fd_close(buffer->fd);
	if (buffer->charged)
		buffer_unreserve(client, buffer->size);
	free(buffer);
	client->n_buffers--;
	client_collect(client);
}

struct buffer *buffer_unref(struct buffer *buffer)
{
	struct import *import, *following;

	if (!buffer || --buffer->refs)
		return NULL;
	if (list_empty(&buffer->imports)) {
		destroy(buffer);
		return NULL;
	}
	/* The last import_deinit() destroys the buffer: hold it while we walk its list. */
	buffer->refs++;
	list_for_each_safe (import, following, &buffer->imports, buffer_link) {
		if (!import->releasing) {
			import->releasing = true;
			import->device->ops->release(import);
		}
	}
	if (!--buffer->refs && list_empty(&buffer->imports))
		destroy(buffer);
	return NULL;
}

void import_init(struct import *import, struct buffer *buffer, struct device *device,
	struct lane *lane, uint32_t id)
{
	*import = (struct import){.buffer = buffer, .device = device, .lane = lane, .id = id};
	list_append(&buffer->imports, &import->buffer_link);
}

void import_deinit(struct import *import)
{
	struct buffer *buffer = import->buffer;

	list_remove(&import->buffer_link);
	if (!buffer->refs && list_empty(&buffer->imports))
		destroy(buffer);
}
