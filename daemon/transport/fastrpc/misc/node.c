// SPDX-License-Identifier: MIT
#include "daemon/transport/fastrpc/misc/node.h"

#include <errno.h>
#include <fcntl.h>
#include <misc/fastrpc.h>
#include <string.h>
#include <sys/ioctl.h>

#include "daemon/transport/fastrpc/misc/scan.h"
#include "daemon/transport/fastrpc/shell.h"
#include "daemon/transport/fastrpc/window.h"
#include "daemon/transport/transport.h"
#include "protocol/util.h"

/* In FASTRPC_IOCTL_MMAP: memory for the heap, the only use that the kernel knows. */
#define MMAP_ADD_PAGES 0x1000

/* Of Linux 6.2 and later; the headers that we are built with may be older. */
struct create_static {
	uint32_t name_size, memory_size;
	uint64_t name;
};
#define IOCTL_INIT_CREATE_STATIC _IOWR('R', 9, struct create_static)
/* Bytes of memory that a static domain gets from us, as the vendor's library asks for it. */
#define STATIC_BYTES (3 * 1024 * 1024)

/* All that the broker asks of a node. */
enum {
	INVOKE,
	INIT_ATTACH,
	INIT_ATTACH_SNS,
	INIT_CREATE,
	INIT_CREATE_STATIC,
	ALLOC_DMA_BUFF,
	MMAP,
	MUNMAP,
	MEM_MAP,
	MEM_UNMAP,
	GET_DSP_INFO,
};

#define IOCTL(request, why)                                     \
	{                                                       \
		SCMP_SYS(ioctl), why, FILTER_INT_IS(1, request) \
	}
static const struct filter_rule rules[] = {
	[INVOKE] = IOCTL(FASTRPC_IOCTL_INVOKE, "FASTRPC_IOCTL_INVOKE: a call"),
	[INIT_ATTACH] =
		IOCTL(FASTRPC_IOCTL_INIT_ATTACH, "FASTRPC_IOCTL_INIT_ATTACH: the DSP's own domain"),
	[INIT_ATTACH_SNS] = IOCTL(FASTRPC_IOCTL_INIT_ATTACH_SNS,
		"FASTRPC_IOCTL_INIT_ATTACH_SNS: that of its sensors"),
	[INIT_CREATE] = IOCTL(FASTRPC_IOCTL_INIT_CREATE, "FASTRPC_IOCTL_INIT_CREATE: a new domain"),
	[INIT_CREATE_STATIC] = IOCTL(IOCTL_INIT_CREATE_STATIC,
		"FASTRPC_IOCTL_INIT_CREATE_STATIC: the domain of audio"),
	[ALLOC_DMA_BUFF] = IOCTL(FASTRPC_IOCTL_ALLOC_DMA_BUFF,
		"FASTRPC_IOCTL_ALLOC_DMA_BUFF: memory of the driver's"),
	[MMAP] = IOCTL(FASTRPC_IOCTL_MMAP, "FASTRPC_IOCTL_MMAP: a domain's heap grows"),
	[MUNMAP] = IOCTL(FASTRPC_IOCTL_MUNMAP, "FASTRPC_IOCTL_MUNMAP: and shrinks"),
	[MEM_MAP] = IOCTL(FASTRPC_IOCTL_MEM_MAP, "FASTRPC_IOCTL_MEM_MAP: a buffer is mapped"),
	[MEM_UNMAP] = IOCTL(FASTRPC_IOCTL_MEM_UNMAP, "FASTRPC_IOCTL_MEM_UNMAP: and unmapped"),
	[GET_DSP_INFO] = IOCTL(FASTRPC_IOCTL_GET_DSP_INFO,
		"FASTRPC_IOCTL_GET_DSP_INFO: what the DSP can do"),
};
const struct filter_table misc_calls = {rules, ARRAY_SIZE(rules)};

/*
 * The kernel hands on what the DSP returned, whatever it is. The C library takes -4095 to -1 for
 * errors; the rest arrives as it was.
 */
static struct node_result call(int fd, unsigned int number, void *argument)
{
	int r = ioctl(fd, (unsigned long)rules[number].arg.datum_b, argument);

	if (r == -1)
		return (struct node_result){.error = -errno};
	return (struct node_result){.result = r};
}

/* Opening. */

static int misc_open(struct node *node, const struct node_place *place)
{
	return node_open_as(node, &misc_driver, place);
}

/* Calling. */

/*
 * Of a buffer the kernel only wants to know where in it an argument lies. Without bytes it lies at
 * 0, where the kernel can write none, whatever the DSP says of it.
 */
static struct fastrpc_invoke_args argument(const struct node_arg *arg)
{
	if (!arg->length)
		return (struct fastrpc_invoke_args){.fd = -1};
	if (!arg->buffer)
		return (struct fastrpc_invoke_args){
			.ptr = (uintptr_t)arg->data, .length = arg->length, .fd = -1};
	return (struct fastrpc_invoke_args){
		.ptr = (uintptr_t)arg->buffer->window + arg->offset,
		.length = arg->length,
		.fd = arg->buffer->dmabuf,
	};
}

static struct node_result misc_invoke(struct node *node, uint32_t handle, uint32_t scalars,
	const struct node_arg *args)
{
	const unsigned int n = FASTRPC_INPUTS(scalars) + FASTRPC_OUTPUTS(scalars);
	struct fastrpc_invoke_args list[DSP_ARGS_MAX];
	struct fastrpc_invoke invoke = {.handle = handle, .sc = scalars, .args = (uintptr_t)list};
	struct node_result result;
	bool of_kernel;

	if (n > ARRAY_SIZE(list))
		return (struct node_result){.error = -EINVAL};
	for (unsigned int i = 0; i < n; i++)
		list[i] = argument(&args[i]);
	result = call(node->fd, INVOKE, &invoke);
	of_kernel = node_is_of_kernel(result.error);

	/* That the DSP is gone shows again, and if it is not, the kernel refuses its own handle. */
	if (result.error == -EPIPE || result.error == -ENODEV) {
		invoke = (struct fastrpc_invoke){.handle = FASTRPC_KERNEL};
		of_kernel = call(node->fd, INVOKE, &invoke).error != -EPERM;
	}
	if (result.error && !of_kernel)
		result = (struct node_result){.result = result.error};
	return result;
}

/* Domains. */

static struct node_result misc_attach(struct node *node, bool sensors)
{
	return call(node->fd, sensors ? INIT_ATTACH_SNS : INIT_ATTACH, NULL);
}

static struct node_result misc_create(struct node *node, int shell, uint32_t size,
	uint32_t attributes)
{
	struct fastrpc_init_create create = {
		.filelen = size,
		.filefd = shell,
		.attrs = attributes,
	};
	struct node_result result;
	void *window;

	/* To a shell without a descriptor the kernel goes by our address as if it were its own. */
	if (shell <= 0 || size == 0 || size > SHELL_BYTES_MAX)
		return (struct node_result){.error = -EINVAL};
	window = node_window(size);
	if (!window)
		return (struct node_result){.error = -ENOMEM};
	create.file = (uintptr_t)window;
	result = call(node->fd, INIT_CREATE, &create);
	node_window_free(window, size);
	return result;
}

static struct node_result misc_create_static(struct node *node, const char *name)
{
	struct create_static create = {
		.name_size = (uint32_t)strlen(name) + 1,
		.memory_size = STATIC_BYTES,
		.name = (uintptr_t)name,
	};

	return call(node->fd, INIT_CREATE_STATIC, &create);
}

/* Memory. */

static void misc_forget(struct node_buffer *buffer)
{
	node_window_free(buffer->window, buffer->size);
}

/* Mapped to stay, calls need no mapping of their own. Else the kernel maps it with each call, and
 * writes back what is in our caches. */
static int misc_map(struct node *node, int dmabuf, uint64_t size, bool keep,
	struct node_buffer *out)
{
	struct fastrpc_mem_map map = {
		.fd = dmabuf,
		.flags = FASTRPC_MAP_STATIC,
		.length = size,
	};
	struct node_result result = {};

	*out = (struct node_buffer){.dmabuf = dmabuf, .size = size, .window = node_window(size)};
	if (!out->window)
		return -ENOMEM;
	map.vaddrin = (uintptr_t)out->window;
	if (keep)
		result = call(node->fd, MEM_MAP, &map);
	out->kept = keep && node_errno(result) == 0;
	out->remote = map.vaddrout;
	if (result.error != -EAGAIN && result.error != -ENOSPC)
		return 0;
	misc_forget(out);
	return result.error;
}

static int misc_unmap(struct node *node, struct node_buffer *buffer)
{
	struct fastrpc_mem_unmap unmap = {
		.fd = buffer->dmabuf,
		.vaddr = buffer->remote,
		.length = buffer->size,
	};
	int r = buffer->kept ? node_errno(call(node->fd, MEM_UNMAP, &unmap)) : 0;

	if (r == 0)
		misc_forget(buffer);
	return r;
}

static struct node_result misc_grow(struct node *node, uint64_t size, uint64_t *remote)
{
	struct fastrpc_req_mmap map = {.fd = -1, .flags = MMAP_ADD_PAGES, .size = size};
	struct node_result result = call(node->fd, MMAP, &map);

	*remote = map.vaddrout;
	return result;
}

static struct node_result misc_shrink(struct node *node, uint64_t remote, uint64_t size)
{
	struct fastrpc_req_munmap unmap = {.vaddrout = remote, .size = size};

	return call(node->fd, MUNMAP, &unmap);
}

int misc_alloc(int fd, uint64_t size, int *dmabuf)
{
	struct fastrpc_alloc_dma_buf alloc = {.size = size};
	int r = node_errno(call(fd, ALLOC_DMA_BUFF, &alloc));
	_cleanup_(fd_closep) int given = -1;

	if (r < 0)
		return r;
	given = alloc.fd;
	/* It comes without CLOEXEC, and 0 would mean none at all in a call. */
	*dmabuf = fcntl(given, F_DUPFD_CLOEXEC, 1);
	return *dmabuf < 0 ? -errno : 0;
}

static int misc_attributes(struct node *node, uint32_t number, uint32_t values[FASTRPC_ATTRIBUTES])
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < FASTRPC_ATTRIBUTES; i++) {
		struct fastrpc_ioctl_capability capability = {.domain = number, .attribute_id = i};

		r = node_errno(call(node->fd, GET_DSP_INFO, &capability));
		values[i] = capability.capability;
	}
	return r;
}

const struct fastrpc_driver misc_driver = {
	.transport = &fastrpc_transport,
	.name = "the FastRPC driver",
	.copies = true,
	.scan = misc_scan,
	.open = misc_open,
	.close = node_give_back,
	.invoke = misc_invoke,
	.create = misc_create,
	.attach = misc_attach,
	.create_static = misc_create_static,
	.map = misc_map,
	.unmap = misc_unmap,
	.forget = misc_forget,
	.grow = misc_grow,
	.shrink = misc_shrink,
	.alloc = misc_alloc,
	.attributes = misc_attributes,
};
