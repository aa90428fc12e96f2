// SPDX-License-Identifier: MIT
#include "daemon/transport/fastrpc/node.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "daemon/opener.h"
#include "daemon/transport/fastrpc/shell.h"
#include "protocol/util.h"

/* In FASTRPC_IOCTL_MMAP: memory for the heap, the only use that the kernel knows. */
#define MMAP_ADD_PAGES 0x1000
/* An output may be written up to whole words of that size. */
#define WORD_BYTES 8

/* Of Linux 6.2 and later; the headers that we are built with may be older. */
struct create_static {
	uint32_t name_size, memory_size;
	uint64_t name;
};
#define IOCTL_INIT_CREATE_STATIC _IOWR('R', 9, struct create_static)
/* Bytes of memory that a static domain gets from us, as the vendor's library asks for it. */
#define STATIC_BYTES (3 * 1024 * 1024)

/* All that the broker asks of a node, and what it does for the DSP's requests of files. */
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
	IOCTL(DMA_BUF_IOCTL_SYNC, "DMA_BUF_IOCTL_SYNC: before we write to a dma-buf, and after"),
	{SCMP_SYS(getrusage), "did a call reach the DSP?"},
	{SCMP_SYS(statx), "is something mounted, or a link, below a folder that is the DSP's?"},
	{SCMP_SYS(pread64), "the same"},
	{SCMP_SYS(pwrite64), "the same"},
};
const struct filter_table node_calls = {rules, ARRAY_SIZE(rules)};

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

int node_open(struct node *node, struct opener *opener, const char *name)
{
	pid_t owner;
	/* Whatever lies there, it must not keep us waiting. */
	int fd = opener_open_as(opener, name, O_RDWR | O_NONBLOCK, &owner);

	*node = NODE_NONE;
	if (fd < 0)
		return fd;
	*node = (struct node){.fd = fd, .owner = owner, .opener = opener};
	return 0;
}

void node_close(struct node *node)
{
	fd_close(node->fd);
	if (node->opener)
		opener_release(node->opener, node->owner);
	*node = NODE_NONE;
}

/* Calling. */

/* Can the kernel, or a driver below it, mean that? */
static bool is_of_kernel(int error)
{
	static const int errors[] = {EINVAL, EFAULT, ENOMEM, ENOSPC, EAGAIN, EINTR, EIO, EPIPE,
		ENODEV, ENOTTY, EMSGSIZE, ETIMEDOUT, EBADF};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (errors[i] == error)
			return true;
	return false;
}

struct node_result node_invoke(int fd, uint32_t handle, uint32_t scalars,
	const struct fastrpc_invoke_args *args)
{
	struct fastrpc_invoke invoke = {.handle = handle, .sc = scalars, .args = (uintptr_t)args};
	struct node_result result = call(fd, INVOKE, &invoke);

	bool of_kernel = is_of_kernel(-result.error);

	/* That the DSP is gone shows again, and if it is not, the kernel refuses its own handle. */
	if (result.error == -EPIPE || result.error == -ENODEV) {
		invoke = (struct fastrpc_invoke){.handle = FASTRPC_KERNEL};
		of_kernel = call(fd, INVOKE, &invoke).error != -EPERM;
	}
	if (result.error && !of_kernel)
		result = (struct node_result){.result = result.error};
	return result;
}

/* Domains. */

struct node_result node_attach(int fd, bool sensors)
{
	return call(fd, sensors ? INIT_ATTACH_SNS : INIT_ATTACH, NULL);
}

struct node_result node_create(int fd, const void *shell, size_t size, int shell_fd,
	uint32_t attributes)
{
	struct fastrpc_init_create create = {
		.filelen = (uint32_t)size,
		.filefd = shell_fd,
		.attrs = attributes,
		.file = (uintptr_t)shell,
	};

	/* To a shell without a descriptor the kernel goes by our address as if it were its own. */
	if (shell_fd <= 0 || size == 0 || size > SHELL_BYTES_MAX)
		return (struct node_result){.error = -EINVAL};
	return call(fd, INIT_CREATE, &create);
}

struct node_result node_create_static(int fd, const char *name)
{
	struct create_static create = {
		.name_size = (uint32_t)strlen(name) + 1,
		.memory_size = STATIC_BYTES,
		.name = (uintptr_t)name,
	};

	return call(fd, INIT_CREATE_STATIC, &create);
}

/* Memory. */

struct node_result node_map(int fd, int dmabuf, uint64_t address, uint64_t size, uint64_t *remote)
{
	struct fastrpc_mem_map map = {
		.fd = dmabuf,
		.flags = FASTRPC_MAP_STATIC,
		.vaddrin = address,
		.length = size,
	};
	struct node_result result = call(fd, MEM_MAP, &map);

	*remote = map.vaddrout;
	return result;
}

struct node_result node_unmap(int fd, int dmabuf, uint64_t remote, uint64_t size)
{
	struct fastrpc_mem_unmap unmap = {.fd = dmabuf, .vaddr = remote, .length = size};

	return call(fd, MEM_UNMAP, &unmap);
}

struct node_result node_grow(int fd, uint64_t size, uint64_t *remote)
{
	struct fastrpc_req_mmap map = {.fd = -1, .flags = MMAP_ADD_PAGES, .size = size};
	struct node_result result = call(fd, MMAP, &map);

	*remote = map.vaddrout;
	return result;
}

struct node_result node_shrink(int fd, uint64_t remote, uint64_t size)
{
	struct fastrpc_req_munmap unmap = {.vaddrout = remote, .size = size};

	return call(fd, MUNMAP, &unmap);
}

/* A DSP's answer where only an errno can be told. */
static int as_errno(struct node_result result)
{
	return result.error ? result.error : result.result ? -EREMOTEIO : 0;
}

int node_alloc(int fd, uint64_t size, int *dmabuf)
{
	struct fastrpc_alloc_dma_buf alloc = {.size = size};
	int r = as_errno(call(fd, ALLOC_DMA_BUFF, &alloc));
	_cleanup_(fd_closep) int given = -1;

	if (r < 0)
		return r;
	given = alloc.fd;
	/* It comes without CLOEXEC, and 0 would mean none at all in a call. */
	*dmabuf = fcntl(given, F_DUPFD_CLOEXEC, 1);
	return *dmabuf < 0 ? -errno : 0;
}

int node_attribute(int fd, uint32_t domain, uint32_t attribute, uint32_t *value)
{
	struct fastrpc_ioctl_capability capability = {.domain = domain, .attribute_id = attribute};
	int r = as_errno(call(fd, GET_DSP_INFO, &capability));

	if (r < 0)
		return r;
	*value = capability.capability;
	return 0;
}

/* Addresses. */

/* Rounds up to a power of two. Returns false when that is too much. */
static bool round_up(size_t value, size_t to, size_t *out)
{
	if (__builtin_add_overflow(value, to - 1, out))
		return false;
	*out &= ~(to - 1);
	return true;
}

int guarded_new(struct guarded *out, size_t size)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t words, writable, all;
	char *map;

	*out = (struct guarded){};
	if (!round_up(size, WORD_BYTES, &words) || !round_up(words, page, &writable) ||
		__builtin_add_overflow(writable, page, &all))
		return -ENOMEM;
	map = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return -errno;
	if (writable && mprotect(map, writable, PROT_READ | PROT_WRITE) < 0) {
		int error = -errno;

		munmap(map, all);
		return error;
	}
	*out = (struct guarded){
		.data = map + writable - words, .size = size, .map = map, .map_size = all};
	return 0;
}

void guarded_free(struct guarded *memory)
{
	if (memory->map)
		munmap(memory->map, memory->map_size);
	*memory = (struct guarded){};
}

/* Mappings that lie side by side stay two if their files differ. */
void *node_window(uint64_t size)
{
	_cleanup_(fd_closep) int file = -1;
	void *window;

	if (size > SIZE_MAX)
		return NULL;
	file = memfd_create("dspbroker-window", MFD_CLOEXEC);
	if (file < 0)
		return NULL;
	window = mmap(NULL, (size_t)size, PROT_NONE, MAP_SHARED, file, 0);
	return window == MAP_FAILED ? NULL : window;
}

void node_window_free(void *window, uint64_t size)
{
	if (window)
		munmap(window, (size_t)size);
}
