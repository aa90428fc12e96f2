// SPDX-License-Identifier: MIT
#include "tests/kernel/qda.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <xf86drm.h>

#include "daemon/transport/fastrpc/abi.h"
#include "protocol/util.h"

#define CLASS    "/sys/class/accel"
#define COUNTERS "/sys/kernel/debug/qda-sim"
#define SHELL    "dspbroker testbed shell\nwhatever else"
#define URI_SIZE 256

enum {
	QUERY = 0x80106440,
	GEM_CREATE = 0xc0106441,
	GEM_MMAP_OFFSET = 0xc0106442,
	SESSION_CREATE = 0xc0186444,
	MAP = 0xc0306445,
	MUNMAP = 0xc0206446,
	INVOKE = 0xc0106447,
};

/* Of MAP and MUNMAP. */
enum {
	REQUEST_HEAP = 1,
	REQUEST_BUFFER = 2,
	HEAP_GROWS = 0x1000,
};

struct map {
	uint32_t request, flags;
	int32_t fd;
	uint32_t attributes, offset, pad;
	uint64_t address, size, remote;
};

struct munmap {
	uint32_t request;
	int32_t fd;
	uint64_t address, remote, size;
};

/* Not drmIoctl(), which would make a call again. */
static int request(const struct fastrpc_node *node, unsigned long number, void *argument)
{
	int r = ioctl(node->fd, number, argument);

	return r == -1 ? -errno : r;
}

/* Nodes. */

/* The number of the first entry of that folder that is @prefix and a number. */
static bool find_number(const char *folder, const char *prefix, unsigned int *number)
{
	const struct dirent *entry;
	DIR *dir = opendir(folder);
	bool found = false;

	while (dir && !found && (entry = readdir(dir)))
		found = strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
			sscanf(entry->d_name + strlen(prefix), "%u", number) == 1;
	if (dir)
		closedir(dir);
	return found;
}

bool qda_find(char *path, size_t size)
{
	unsigned int number;

	if (!find_number(CLASS, "accel", &number))
		return false;
	snprintf(path, size, "/dev/accel/accel%u", number);
	return access(path, R_OK | W_OK) == 0;
}

bool qda_find_render(char *path, size_t size)
{
	char folder[128];
	unsigned int number;

	if (!find_number(CLASS, "accel", &number))
		return false;
	snprintf(folder, sizeof(folder), CLASS "/accel%u/device/drm", number);
	if (!find_number(folder, "renderD", &number))
		return false;
	snprintf(path, size, "/dev/dri/renderD%u", number);
	return access(path, R_OK | W_OK) == 0;
}

int qda_query(const struct fastrpc_node *node, char name[16])
{
	return request(node, QUERY, name);
}

/* Buffers. */

int qda_alloc(const struct fastrpc_node *node, struct qda_buffer *buffer, size_t size)
{
	struct {
		uint64_t size;
		uint32_t handle, pad;
	} create = {.size = size};
	struct {
		uint64_t offset;
		uint32_t handle, pad;
	} offset = {.offset = 0};
	void *map;
	int r = request(node, GEM_CREATE, &create);

	*buffer = (struct qda_buffer){.memory.fd = -1, .handle = create.handle};
	if (r < 0)
		return r;
	offset.handle = create.handle;
	r = request(node, GEM_MMAP_OFFSET, &offset);
	if (r == 0)
		r = drmPrimeHandleToFD(node->fd, create.handle, DRM_RDWR | DRM_CLOEXEC,
			&buffer->memory.fd);
	map = r == 0 ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, node->fd,
			       (off_t)offset.offset)
		     : MAP_FAILED;
	if (map == MAP_FAILED) {
		r = -errno;
		qda_free(node, buffer);
		return r;
	}
	buffer->memory.data = map;
	buffer->memory.size = size;
	return 0;
}

void qda_free(const struct fastrpc_node *node, struct qda_buffer *buffer)
{
	fastrpc_free(&buffer->memory);
	qda_drop(node, buffer->handle);
}

int qda_import(const struct fastrpc_node *node, int fd, uint32_t *handle)
{
	return drmPrimeFDToHandle(node->fd, fd, handle) < 0 ? -errno : 0;
}

int qda_drop(const struct fastrpc_node *node, uint32_t handle)
{
	return drmCloseBufferHandle(node->fd, handle) < 0 ? -errno : 0;
}

int qda_forget(const struct fastrpc_node *node, int fd)
{
	uint32_t handle;
	int r = qda_import(node, fd, &handle);

	return r < 0 ? r : qda_drop(node, handle);
}

/* Domains. */

int qda_create_raw(const struct fastrpc_node *node, int fd, uint32_t size, uint32_t attributes,
	uint64_t file)
{
	struct {
		uint32_t size;
		int32_t fd;
		uint32_t attributes, signature_size;
		uint64_t file;
	} create = {.size = size, .fd = fd, .attributes = attributes, .file = file};

	return request(node, SESSION_CREATE, &create);
}

int qda_create_from(const struct fastrpc_node *node, uint32_t attributes, const void *shell,
	size_t size)
{
	struct fastrpc_memory memory;
	int r = fastrpc_alloc(&memory, size);

	if (r < 0 || !memory.data)
		return r;
	memcpy(memory.data, shell, size);
	r = qda_create_raw(node, memory.fd, (uint32_t)size, attributes, 0);
	if (r == 0)
		r = qda_forget(node, memory.fd);
	fastrpc_free(&memory);
	return r;
}

int qda_create(const struct fastrpc_node *node, uint32_t attributes)
{
	return qda_create_from(node, attributes, SHELL, sizeof(SHELL));
}

/* Calls. */

struct qda_argument qda_inline(const void *data, size_t size)
{
	return (struct qda_argument){.address = (uintptr_t)data, .length = size, .fd = -1};
}

struct qda_argument qda_shared(const struct fastrpc_memory *memory, size_t offset, size_t size)
{
	return (struct qda_argument){
		.address = (uintptr_t)memory->data + offset,
		.length = size,
		.fd = memory->fd,
	};
}

int qda_call(const struct fastrpc_node *node, uint32_t handle, uint32_t scalars,
	const struct qda_argument *args)
{
	struct {
		uint32_t handle, scalars;
		uint64_t args;
	} invoke = {.handle = handle, .scalars = scalars, .args = (uintptr_t)args};

	return request(node, INVOKE, &invoke);
}

int qda_open_module(const struct fastrpc_node *node, const char *name, uint32_t *handle)
{
	char uri[URI_SIZE], error[URI_SIZE] = "";
	struct remotectl_open_in in = {.error_size = sizeof(error)};
	struct remotectl_open_out out = {.error = 0};
	struct qda_argument args[4];
	int r;

	in.uri_size =
		1 + (uint32_t)snprintf(uri, sizeof(uri),
			    "file:///lib%s_skel.so?%s_skel_handle_invoke&_modver=1.0&_dom=cdsp",
			    name, name);
	args[0] = qda_inline(&in, sizeof(in));
	args[1] = qda_inline(uri, in.uri_size);
	args[2] = qda_inline(&out, sizeof(out));
	args[3] = qda_inline(error, sizeof(error));
	r = qda_call(node, FASTRPC_REMOTECTL, REMOTECTL_OPEN, args);
	if (r == 0 && out.error != 0)
		fprintf(stderr, "%s: %.*s\n", name, (int)sizeof(error), error);
	*handle = out.handle;
	return r ? r : out.error;
}

int qda_close_module(const struct fastrpc_node *node, uint32_t handle)
{
	char error[URI_SIZE];
	struct remotectl_close_in in = {.handle = handle, .error_size = sizeof(error)};
	struct remotectl_close_out out = {.error = 0};
	struct qda_argument args[] = {
		qda_inline(&in, sizeof(in)),
		qda_inline(&out, sizeof(out)),
		qda_inline(error, sizeof(error)),
	};
	int r = qda_call(node, FASTRPC_REMOTECTL, REMOTECTL_CLOSE, args);

	return r ? r : out.error;
}

/* Memory of a domain. */

int qda_map(const struct fastrpc_node *node, const struct fastrpc_memory *memory, uint64_t *remote)
{
	struct map map = {
		.request = REQUEST_BUFFER,
		.fd = memory->fd,
		.address = (uintptr_t)memory->data,
		.size = memory->size,
	};
	int r = request(node, MAP, &map);

	*remote = map.remote;
	return r;
}

int qda_unmap(const struct fastrpc_node *node, const struct fastrpc_memory *memory, uint64_t remote)
{
	struct munmap munmap = {
		.request = REQUEST_BUFFER,
		.fd = memory->fd,
		.address = remote,
		.size = memory->size,
	};

	return request(node, MUNMAP, &munmap);
}

int qda_grow(const struct fastrpc_node *node, uint64_t size, uint64_t *remote)
{
	struct map map = {.request = REQUEST_HEAP, .flags = HEAP_GROWS, .fd = -1, .size = size};
	int r = request(node, MAP, &map);

	*remote = map.remote;
	return r;
}

int qda_shrink(const struct fastrpc_node *node, uint64_t size, uint64_t remote)
{
	struct munmap munmap = {.request = REQUEST_HEAP, .fd = -1, .remote = remote, .size = size};

	return request(node, MUNMAP, &munmap);
}

uint64_t qda_count(const char *name)
{
	char path[128], text[32] = "";
	_cleanup_(fd_closep) int fd = -1;

	snprintf(path, sizeof(path), COUNTERS "/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 ? UINT64_MAX
							       : strtoull(text, NULL, 10);
}
