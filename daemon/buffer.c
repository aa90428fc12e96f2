// SPDX-License-Identifier: MIT
#include "daemon/buffer.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "daemon/client.h"
#include "daemon/device.h"
#include "daemon/limits.h"
#include "daemon/transport/transport.h"
#include "protocol/wire.h"

#define SEALS_NEEDED (F_SEAL_SHRINK | F_SEAL_GROW)

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

static void discharge(struct client *client, uint64_t size)
{
	quota_release(&client->quota, QUOTA_FDS, 1);
	quota_release(&client->quota, QUOTA_BYTES, size);
	quota_release(&client->quota, QUOTA_BUFFERS, 1);
}

static int memfd_make(uint64_t size, int *out)
{
	_cleanup_(fd_closep) int fd = -1;

	fd = memfd_create("dspbroker-buffer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) < 0)
		return -errno;
	if (fcntl(fd, F_ADD_SEALS, SEALS_NEEDED | F_SEAL_SEAL) < 0)
		return -errno;
	*out = TAKE_FD(fd);
	return 0;
}

/* Takes @fd over on success. */
static int wrap(struct buffer **out, struct client *client, int fd, uint64_t size, bool charged)
{
	struct buffer *buffer = calloc(1, sizeof(*buffer));

	if (!buffer)
		return -ENOMEM;
	*buffer = (struct buffer){
		.client = client, .fd = fd, .size = size, .refs = 1, .charged = charged};
	list_init(&buffer->imports);
	client->n_buffers++;
	*out = buffer;
	return 0;
}

int buffer_map(struct buffer *arguments)
{
	void *map;

	if (arguments->map)
		return 0;
	map = mmap(NULL, arguments->size, PROT_READ | PROT_WRITE, MAP_SHARED, arguments->fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	arguments->map = map;
	return 0;
}

int buffer_new_arguments(struct buffer **out, struct client *client, uint64_t size)
{
	_cleanup_(fd_closep) int fd = -1;
	int r;

	r = memfd_make(size, &fd);
	if (r < 0)
		return r;
	r = wrap(out, client, fd, size, false);
	if (r < 0)
		return r;
	TAKE_FD(fd);
	return 0;
}

int buffer_new(struct buffer **out, struct client *client, uint64_t size,
	struct buffer_fault *fault)
{
	_cleanup_(fd_closep) int fd = -1;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	int r;

	if (!size)
		return fault_set(fault, DSP_INVALID, "a buffer of no bytes", -EINVAL);
	if (size > LIMIT_BUFFER_BYTES)
		return fault_set(fault, DSP_INVALID, "larger than a buffer can be", -E2BIG);
	size = (size + page - 1) & ~(page - 1);
	r = charge(client, size, fault);
	if (r < 0)
		return r;
	r = memfd_make(size, &fd);
	if (r >= 0)
		r = wrap(out, client, fd, size, true);
	if (r < 0) {
		discharge(client, size);
		return fault_set(fault, DSP_NO_RESOURCES, "no memory for a buffer", r);
	}
	TAKE_FD(fd);
	return 0;
}

/* Is this a memfd of that size which nobody can shrink under us? */
static int inspect(int fd, uint64_t *size, struct buffer_fault *fault)
{
	/* Before anything else: a file system in user space may never answer fstat(). */
	int seals = fcntl(fd, F_GET_SEALS), mode;
	struct stat st;
	bool sealed;

	/* A file of a tmpfs has seals, too, and they forbid more. */
	sealed = seals >= 0 && (seals & SEALS_NEEDED) == SEALS_NEEDED;
	if (seals < 0 || (!sealed && (seals & F_SEAL_SEAL)) || fstat(fd, &st) < 0)
		return fault_set(fault, DSP_INVALID,
			"the descriptor is no memfd that can be sealed; make one with "
			"memfd_create(MFD_ALLOW_SEALING)",
			-EINVAL);
	if (!sealed)
		return fault_set(fault, DSP_INVALID,
			"the memfd is not sealed; add F_SEAL_SHRINK and F_SEAL_GROW first", -EPERM);
	mode = fcntl(fd, F_GETFL);
	if (mode < 0 || (mode & O_ACCMODE) != O_RDWR || (mode & O_PATH) ||
		(seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)))
		return fault_set(fault, DSP_INVALID,
			"the memfd cannot be written; open it for reading and writing, unsealed "
			"against writing",
			-EACCES);
	if (!st.st_size)
		return fault_set(fault, DSP_INVALID, "the memfd is empty", -ENODATA);
	if (!*size)
		*size = (uint64_t)st.st_size;
	if (*size > (uint64_t)st.st_size)
		return fault_set(fault, DSP_INVALID,
			"the memfd is shorter than the size that was given; was it truncated?",
			-ERANGE);
	if (*size > LIMIT_BUFFER_BYTES)
		return fault_set(fault, DSP_INVALID, "larger than a buffer can be", -E2BIG);
	return 0;
}

int buffer_new_import(struct buffer **out, struct client *client, int fd, uint64_t size,
	struct buffer_fault *fault)
{
	int r;

	r = inspect(fd, &size, fault);
	if (r < 0)
		return r;
	r = charge(client, size, fault);
	if (r < 0)
		return r;
	r = wrap(out, client, fd, size, true);
	if (r < 0) {
		discharge(client, size);
		return fault_set(fault, DSP_NO_RESOURCES, "no memory for a buffer", r);
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
		munmap(buffer->map, buffer->size);
	fd_close(buffer->fd);
	if (buffer->charged)
		discharge(client, buffer->size);
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
