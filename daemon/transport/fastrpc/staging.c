// SPDX-License-Identifier: MIT
#include "daemon/transport/fastrpc/staging.h"

#include <errno.h>
#include <linux/dma-buf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/memory.h"
#include "protocol/util.h"

static int map(struct staging *staging, int fd)
{
	void *data = mmap(NULL, staging->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (data == MAP_FAILED)
		return -errno;
	staging->data = data;
	return 0;
}

/* The memfd is mapped, and not the dma-buf of it: see tests/kernel/README.md. */
static int of_memfd(struct staging *staging, const struct memory *memory)
{
	int r = memory_new_memfd(staging->size, &staging->memfd);

	if (r >= 0)
		r = memory_from_memfd(memory, staging->memfd, staging->size, &staging->dmabuf);
	return r < 0 ? r : map(staging, staging->memfd);
}

/* It is not there, or not ours. */
static bool is_none(int r)
{
	return r == -ENODEV || r == -EACCES || r == -EPERM;
}

static size_t whole_pages(size_t size)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) & ~(page - 1);
}

int staging_new(struct staging *out, const struct memory *memory, size_t size)
{
	int r;

	*out = STAGING_NONE;
	out->size = whole_pages(size);
	r = memory_new_heap(memory, out->size, &out->dmabuf);
	if (is_none(r))
		r = of_memfd(out, memory);
	else if (r >= 0)
		r = map(out, out->dmabuf);
	if (r < 0)
		staging_free(out);
	return is_none(r) ? -EOPNOTSUPP : r;
}

int staging_of(struct staging *out, int dmabuf, size_t size)
{
	int r;

	*out = STAGING_NONE;
	out->size = whole_pages(size);
	out->dmabuf = dmabuf;
	r = map(out, dmabuf);
	if (r < 0)
		staging_free(out);
	return r;
}

void staging_free(struct staging *staging)
{
	if (staging->data)
		munmap(staging->data, staging->size);
	fd_close(staging->dmabuf);
	fd_close(staging->memfd);
	*staging = STAGING_NONE;
}

static void sync_caches(const struct staging *staging, uint64_t flags)
{
	struct dma_buf_sync sync = {.flags = flags | DMA_BUF_SYNC_RW};

	ioctl(staging->dmabuf, DMA_BUF_IOCTL_SYNC, &sync);
}

void staging_begin(const struct staging *staging)
{
	sync_caches(staging, DMA_BUF_SYNC_START);
}

void staging_end(const struct staging *staging)
{
	sync_caches(staging, DMA_BUF_SYNC_END);
}
