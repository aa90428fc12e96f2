// SPDX-License-Identifier: MIT
#include "tests/kernel/fastrpc.h"

#include <fcntl.h>
#include <linux/dma-heap.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "daemon/transport/fastrpc/abi.h"
#include "protocol/util.h"

#define HEAP     "/dev/dma_heap/system"
#define SHELL    "dspbroker testbed shell\nwhatever else"
#define URI_SIZE 256

static int request(const struct fastrpc_node *node, unsigned long number, void *argument)
{
	int r = ioctl(node->fd, number, argument);

	return r == -1 ? -errno : r;
}

int fastrpc_open(struct fastrpc_node *node, const char *path)
{
	*node = (struct fastrpc_node){.fd = open(path, O_RDWR | O_CLOEXEC)};
	return node->fd < 0 ? -errno : 0;
}

/* It has our descriptors, too, so that what it opens is open here. */
static noreturn void be_opener(const char *path, int answer)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		fd = -errno;
	_exit(write(answer, &fd, sizeof(fd)) == sizeof(fd) ? 0 : 1);
}

int fastrpc_open_by_another(struct fastrpc_node *node, const char *path)
{
	int answer[2], fd = -EIO;
	pid_t opener;

	*node = (struct fastrpc_node){.fd = -1};
	if (pipe2(answer, O_CLOEXEC) < 0)
		return -errno;
	opener = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	if (opener == 0)
		be_opener(path, answer[1]);
	if (opener < 0 || read(answer[0], &fd, sizeof(fd)) != sizeof(fd))
		fd = -EIO;
	fd_close(answer[0]);
	fd_close(answer[1]);
	node->opener = MAX(opener, 0);
	if (fd < 0) {
		fastrpc_close(node);
		return fd;
	}
	node->fd = fd;
	return 0;
}

void fastrpc_close(struct fastrpc_node *node)
{
	node->fd = fd_close(node->fd);
	if (node->opener > 0)
		waitpid(node->opener, NULL, 0);
	node->opener = 0;
}

int fastrpc_alloc(struct fastrpc_memory *memory, size_t size)
{
	struct dma_heap_allocation_data data = {.len = size, .fd_flags = O_RDWR | O_CLOEXEC};
	_cleanup_(fd_closep) int heap = open(HEAP, O_RDWR | O_CLOEXEC);
	_cleanup_(fd_closep) int fd = -1;
	void *map;

	*memory = (struct fastrpc_memory){.fd = -1};
	if (heap < 0 || ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data) < 0)
		return -errno;
	fd = (int)data.fd;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	*memory = (struct fastrpc_memory){.fd = TAKE_FD(fd), .data = map, .size = size};
	return 0;
}

void fastrpc_free(struct fastrpc_memory *memory)
{
	if (memory->data)
		munmap(memory->data, memory->size);
	fd_close(memory->fd);
	*memory = (struct fastrpc_memory){.fd = -1};
}

int fastrpc_attach(const struct fastrpc_node *node)
{
	return request(node, FASTRPC_IOCTL_INIT_ATTACH, NULL);
}

int fastrpc_create_from(const struct fastrpc_node *node, uint32_t attributes, const void *shell,
	size_t size)
{
	struct fastrpc_init_create create = {.filelen = (uint32_t)size, .attrs = attributes};
	struct fastrpc_memory memory;
	int r = fastrpc_alloc(&memory, size);

	if (r < 0 || !memory.data)
		return r;
	memcpy(memory.data, shell, size);
	create.filefd = memory.fd;
	create.file = (uintptr_t)memory.data;
	r = request(node, FASTRPC_IOCTL_INIT_CREATE, &create);
	fastrpc_free(&memory);
	return r;
}

int fastrpc_create(const struct fastrpc_node *node, uint32_t attributes)
{
	return fastrpc_create_from(node, attributes, SHELL, sizeof(SHELL));
}

struct fastrpc_invoke_args fastrpc_inline(const void *data, size_t size)
{
	return (struct fastrpc_invoke_args){.ptr = (uintptr_t)data, .length = size, .fd = -1};
}

struct fastrpc_invoke_args fastrpc_shared(const struct fastrpc_memory *memory, size_t offset,
	size_t size)
{
	return (struct fastrpc_invoke_args){
		.ptr = (uintptr_t)memory->data + offset,
		.length = size,
		.fd = memory->fd,
	};
}

int fastrpc_call(const struct fastrpc_node *node, uint32_t handle, uint32_t scalars,
	const struct fastrpc_invoke_args *args)
{
	struct fastrpc_invoke invoke = {.handle = handle, .sc = scalars, .args = (uintptr_t)args};

	return request(node, FASTRPC_IOCTL_INVOKE, &invoke);
}

int fastrpc_open_module(const struct fastrpc_node *node, const char *name, uint32_t *handle)
{
	char uri[URI_SIZE], error[URI_SIZE] = "";
	struct remotectl_open_in in = {.error_size = sizeof(error)};
	struct remotectl_open_out out = {.error = 0};
	struct fastrpc_invoke_args args[4];
	int r;

	in.uri_size =
		1 + (uint32_t)snprintf(uri, sizeof(uri),
			    "file:///lib%s_skel.so?%s_skel_handle_invoke&_modver=1.0&_dom=cdsp",
			    name, name);
	args[0] = fastrpc_inline(&in, sizeof(in));
	args[1] = fastrpc_inline(uri, in.uri_size);
	args[2] = fastrpc_inline(&out, sizeof(out));
	args[3] = fastrpc_inline(error, sizeof(error));
	r = fastrpc_call(node, FASTRPC_REMOTECTL, REMOTECTL_OPEN, args);
	if (r == 0 && out.error != 0)
		fprintf(stderr, "%s: %.*s\n", name, (int)sizeof(error), error);
	*handle = out.handle;
	return r ? r : out.error;
}

int fastrpc_close_module(const struct fastrpc_node *node, uint32_t handle)
{
	char error[URI_SIZE];
	struct remotectl_close_in in = {.handle = handle, .error_size = sizeof(error)};
	struct remotectl_close_out out = {.error = 0};
	struct fastrpc_invoke_args args[] = {
		fastrpc_inline(&in, sizeof(in)),
		fastrpc_inline(&out, sizeof(out)),
		fastrpc_inline(error, sizeof(error)),
	};
	int r = fastrpc_call(node, FASTRPC_REMOTECTL, REMOTECTL_CLOSE, args);

	return r ? r : out.error;
}

int fastrpc_map(const struct fastrpc_node *node, const struct fastrpc_memory *memory,
	uint64_t *remote)
{
	struct fastrpc_mem_map map = {
		.fd = memory->fd,
		.flags = FASTRPC_MAP_FD,
		.vaddrin = (uintptr_t)memory->data,
		.length = memory->size,
	};
	int r = request(node, FASTRPC_IOCTL_MEM_MAP, &map);

	*remote = map.vaddrout;
	return r;
}

int fastrpc_unmap(const struct fastrpc_node *node, const struct fastrpc_memory *memory,
	uint64_t remote)
{
	struct fastrpc_mem_unmap unmap = {
		.fd = memory->fd,
		.vaddr = remote,
		.length = memory->size,
	};

	return request(node, FASTRPC_IOCTL_MEM_UNMAP, &unmap);
}
