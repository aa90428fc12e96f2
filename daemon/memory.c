// SPDX-License-Identifier: MIT
#include "daemon/memory.h"

#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/magic.h> /* DMA_BUF_MAGIC */
#include <linux/udmabuf.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>

#include "daemon/sysfs.h"
#include "protocol/util.h"

/* Bytes of /proc/self/fdinfo/N that are looked at. A dma-buf has some 150, the name included that
 * its owner gave it. */
#define FDINFO_MAX 512

/* Each an open device, or why there is none: a negative errno. */
struct memory {
	int heap, udmabuf;
	uint64_t most; /* bytes of one buffer */
};

/* Returns the descriptor or -errno. */
static int open_device(const char *dev, const char *name, int flags)
{
	const struct path path = path_join("%s/%s", dev, name);
	int fd = open(path.text, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd >= 0)
		return fd;
	return errno == ENOENT || errno == ENOTDIR || errno == ENXIO ? -ENODEV : -errno;
}

/* The kernel looks for as much as it is asked for, and kills processes to find it. */
static uint64_t most_at_once(void)
{
	struct sysinfo info;

	return sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit / 2 : UINT64_MAX;
}

int memory_new(struct memory **out, const char *dev)
{
	struct memory *memory = malloc(sizeof(*memory));

	if (!memory)
		return -ENOMEM;
	memory->heap = open_device(dev, "dma_heap/system", O_RDONLY);
	memory->udmabuf = open_device(dev, "udmabuf", O_RDWR);
	memory->most = most_at_once();
	*out = memory;
	return 0;
}

struct memory *memory_free(struct memory *memory)
{
	if (!memory)
		return NULL;
	fd_close(memory->heap);
	fd_close(memory->udmabuf);
	free(memory);
	return NULL;
}

static bool is_whole_pages(uint64_t size)
{
	return size && size % (uint64_t)sysconf(_SC_PAGESIZE) == 0;
}

int memory_new_memfd(uint64_t size, int *out)
{
	_cleanup_(fd_closep) int fd = -1;

	if (!is_whole_pages(size) || size > INT64_MAX)
		return -EINVAL;
	fd = memfd_create("dspbroker-buffer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) < 0)
		return -errno;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	*out = TAKE_FD(fd);
	return 0;
}

int memory_new_heap(const struct memory *memory, uint64_t size, int *out)
{
	struct dma_heap_allocation_data request = {.len = size, .fd_flags = O_RDWR | O_CLOEXEC};

	if (!is_whole_pages(size))
		return -EINVAL;
	if (memory->heap < 0)
		return memory->heap;
	if (size > memory->most)
		return -ENOMEM;
	if (ioctl(memory->heap, DMA_HEAP_IOCTL_ALLOC, &request) < 0)
		return -errno;
	*out = (int)request.fd;
	return 0;
}

int memory_from_memfd(const struct memory *memory, int memfd, uint64_t size, int *out)
{
	const struct udmabuf_create request = {
		.memfd = (uint32_t)memfd,
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = size,
	};
	int fd;

	if (!is_whole_pages(size))
		return -EINVAL;
	if (memory->udmabuf < 0)
		return memory->udmabuf;
	fd = ioctl(memory->udmabuf, UDMABUF_CREATE, &request);
	if (fd < 0)
		return -errno;
	*out = fd;
	return 0;
}

/* Only a file in the root of a mount that we do not see can have such a name without being one. */
static bool has_dmabuf_name(int fd)
{
	static const char prefix[] = "/dmabuf:";
	const struct path path = path_join("/proc/self/fd/%d", fd);
	char target[sizeof(prefix)];
	ssize_t n = readlink(path.text, target, sizeof(prefix) - 1);

	return n == sizeof(prefix) - 1 && memcmp(target, prefix, (size_t)n) == 0;
}

/* Read what the kernel says of an open file, as a string. */
static bool read_fdinfo(int fd, char *out, size_t size)
{
	const struct path path = path_join("/proc/self/fdinfo/%d", fd);
	_cleanup_(fd_closep) int info = open(path.text, O_RDONLY | O_CLOEXEC);
	ssize_t n = info < 0 ? -1 : read(info, out, size - 1);

	if (n < 0)
		return false;
	out[n] = '\0';
	return true;
}

/*
 * Most questions about a descriptor are put to its file system, which may be one in user space, a
 * peer's, that never answers. Those of /proc are answered by the kernel: its name by the VFS, what
 * is in fdinfo by the kind of file. Not every kind does that at once: an epoll waits for what it
 * polls. None of those has a dma-buf's name; and only a dma-buf names its exporter.
 */
bool memory_is_dmabuf(int fd, uint64_t *size)
{
	char info[FDINFO_MAX], *exporter, *line;
	struct statfs fs;
	uint64_t bytes;

	if (!has_dmabuf_name(fd) || !read_fdinfo(fd, info, sizeof(info)))
		return false;
	line = strstr(info, "\nsize:\t");
	exporter = strstr(info, "\nexp_name:\t");
	if (!line || !exporter || fstatfs(fd, &fs) < 0 || fs.f_type != DMA_BUF_MAGIC)
		return false;
	bytes = strtoull(line + strlen("\nsize:\t"), NULL, 10);
	if (!bytes || bytes > INT64_MAX)
		return false;
	*size = bytes;
	return true;
}
