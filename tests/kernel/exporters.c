// SPDX-License-Identifier: MIT
#include "tests/kernel/exporters.h"

#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "tests/kernel/testbed.h"

#define PAGE 4096

/* What is needed of <drm/drm.h> and <drm/drm_mode.h>, which come with libdrm. */
struct create_dumb {
	uint32_t height, width, bpp, flags, handle, pitch;
	uint64_t size;
};
struct prime_handle {
	uint32_t handle, flags;
	int32_t fd;
};
#define CREATE_DUMB        _IOWR('d', 0xb2, struct create_dumb)
#define PRIME_HANDLE_TO_FD _IOWR('d', 0x2d, struct prime_handle)

static int open_device(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		harness_fail(__FILE__, __LINE__, "%s cannot be opened", path);
	return fd;
}

int export_memfd(size_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	require(fd >= 0);
	require_eq(ftruncate(fd, (off_t)size), 0);
	require_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	return fd;
}

int export_udmabuf(size_t size)
{
	_cleanup_(fd_closep) int device = open_device("/dev/udmabuf", O_RDWR);
	_cleanup_(fd_closep) int memfd = export_memfd(size);
	struct udmabuf_create create = {
		.memfd = (uint32_t)memfd, .flags = UDMABUF_FLAGS_CLOEXEC, .size = size};
	int fd = ioctl(device, UDMABUF_CREATE, &create);

	require(fd >= 0);
	return fd;
}

int export_heap(size_t size)
{
	_cleanup_(fd_closep) int device = open_device("/dev/dma_heap/system", O_RDONLY);
	struct dma_heap_allocation_data data = {.len = size, .fd_flags = O_RDWR | O_CLOEXEC};

	require_eq(ioctl(device, DMA_HEAP_IOCTL_ALLOC, &data), 0);
	return (int)data.fd;
}

int export_vgem(size_t size)
{
	_cleanup_(fd_closep) int device = open_device("/dev/dri/card0", O_RDWR);
	struct create_dumb dumb = {.height = (uint32_t)(size / PAGE), .width = PAGE, .bpp = 8};
	struct prime_handle prime = {.flags = O_RDWR | O_CLOEXEC};

	require_eq(ioctl(device, CREATE_DUMB, &dumb), 0);
	require_eq(dumb.size, size);
	prime.handle = dumb.handle;
	require_eq(ioctl(device, PRIME_HANDLE_TO_FD, &prime), 0);
	return prime.fd;
}
