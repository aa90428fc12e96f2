// SPDX-License-Identifier: MIT
/*
 * The kernel's part in the accel driver, where a test plays the DSP: ioctl() is replaced in the
 * program that includes this, once, for libdrm as well. A node is a file that says "DRIVER DSP" of
 * itself, a dma-buf a memfd, the same one if it has the same inode. Where an argument's bytes are
 * is taken from the mapping that holds its address, as the posted driver does it. Layouts and
 * numbers are those that were posted, written down a second time. Everything above is the broker's
 * own code.
 */
#ifndef TESTS_QDA_KERNEL_H
#define TESTS_QDA_KERNEL_H

#include <check.h>
#include <drm.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/memory.h"
#include "daemon/opener_process.h"
#include "daemon/transport/qda/node.h"
#include "daemon/worker.h"
#include "tests/fds.h"
#include "tests/unit/tree.h"

#define KERNEL_PAGE    4096
#define KERNEL_HANDLES 64
#define KERNEL_SYNCS   64

#define POSTED_QUERY  0x80106440u
#define POSTED_CREATE 0xc0186444u
#define POSTED_MAP    0xc0306445u
#define POSTED_UNMAP  0xc0206446u
#define POSTED_INVOKE 0xc0106447u

struct kernel_create {
	uint32_t filelen;
	int32_t filefd;
	uint32_t attrs, siglen;
	uint64_t file;
};

struct kernel_map {
	uint32_t request, flags;
	int32_t fd;
	uint32_t attrs, offset, pad;
	uint64_t vaddrin, size, vaddrout;
};

struct kernel_unmap {
	uint32_t request;
	int32_t fd;
	uint64_t vaddr, vaddrout, size;
};

struct kernel_invoke {
	uint32_t handle, sc;
	uint64_t args;
};

struct kernel_arg {
	uint64_t ptr, length;
	int32_t fd;
	uint32_t attr;
};

/* A call as the DSP sees it. */
struct kernel_call {
	uint32_t handle, scalars;
	unsigned int n_in, n;
	struct {
		uint8_t *data; /* NULL: it has no length */
		uint64_t length, offset;
		ino_t dmabuf;
	} args[DSP_ARGS_MAX];
};

/* The kernel, and the DSP behind it. Errors are positive; 0: none. */
static struct {
	/* Returns what the DSP returns, or the kernel's -errno; NULL: 0. */
	int (*invoke)(const struct kernel_call *call);
	int invoke_error; /* instead, before arguments are looked at; a result below 0 is the same
			   */
	bool signalled;   /* a signal comes with it */
	int query_error, version_error, import_error, close_error;
	int create_result; /* as of invoke() */
	struct kernel_create create;
	struct kernel_map map;
	struct kernel_unmap unmap;
	atomic_uint n_invokes, n_queries, n_creates, n_maps;
	ino_t handles[KERNEL_HANDLES]; /* by number; 0: none */
	unsigned int n_imports;
	struct {
		ino_t dmabuf;
		uint64_t flags;
		unsigned int n_invokes; /* that were made before */
	} syncs[KERNEL_SYNCS];
	unsigned int n_syncs;
} kernel;

static ino_t kernel_inode(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return st.st_ino;
}

static unsigned int kernel_n_handles(void)
{
	unsigned int n = 0;

	for (size_t i = 0; i < KERNEL_HANDLES; i++)
		n += kernel.handles[i] != 0;
	return n;
}

/* 0: it has none. */
static uint32_t kernel_handle_of(ino_t dmabuf)
{
	for (uint32_t i = 1; i < KERNEL_HANDLES; i++)
		if (kernel.handles[i] == dmabuf)
			return i;
	return 0;
}

/* DRM's. */

static int kernel_version(int fd, struct drm_version *version)
{
	char driver[16] = "";

	ck_assert_int_gt(pread(fd, driver, sizeof(driver) - 1, 0), 0);
	*strchrnul(driver, ' ') = '\0';
	memcpy(version->name, driver, MIN(version->name_len, strlen(driver)));
	version->name_len = strlen(driver);
	version->date_len = version->desc_len = 0;
	return -kernel.version_error;
}

static int kernel_import(struct drm_prime_handle *prime)
{
	const ino_t dmabuf = kernel_inode(prime->fd);
	uint32_t handle = kernel_handle_of(dmabuf);

	if (kernel.import_error)
		return -kernel.import_error;
	kernel.n_imports++;
	if (!handle)
		handle = kernel_handle_of(0);
	ck_assert_uint_ne(handle, 0);
	kernel.handles[handle] = dmabuf;
	prime->handle = handle;
	return 0;
}

static int kernel_close(const struct drm_gem_close *gem)
{
	if (kernel.close_error)
		return -kernel.close_error;
	if (gem->handle >= KERNEL_HANDLES || !kernel.handles[gem->handle])
		return -EINVAL;
	kernel.handles[gem->handle] = 0;
	return 0;
}

/* The driver's. */

static int kernel_query(int fd, char name[16])
{
	char text[64] = "";

	kernel.n_queries++;
	ck_assert_int_gt(pread(fd, text, sizeof(text) - 1, 0), 0);
	memset(name, 0, 16);
	memcpy(name, strchr(text, ' ') + 1, strnlen(strchr(text, ' ') + 1, 16));
	return -kernel.query_error;
}

/* How far into the mapping that holds it an address lies. */
static uint64_t kernel_distance(uint64_t address)
{
	FILE *file = fopen("/proc/self/maps", "re");
	unsigned long from = 0, to = 0;
	char line[512];

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file) && sscanf(line, "%lx-%lx", &from, &to) == 2)
		if (address >= from && address < to)
			break;
	fclose(file);
	ck_assert_uint_ge(address, from);
	ck_assert_uint_lt(address, to);
	return address - from;
}

/* An argument that is not imported, is copied, or reaches beyond its dma-buf is a fault of ours. */
static void kernel_take_arg(const struct kernel_arg *arg, struct kernel_call *call, unsigned int i)
{
	struct stat st;

	call->args[i].length = arg->length;
	ck_assert_uint_eq(arg->attr, 0);
	if (!arg->length) {
		ck_assert_int_le(arg->fd, 0);
		ck_assert_uint_eq(arg->ptr, 0);
		return;
	}
	ck_assert_int_gt(arg->fd, 0);
	ck_assert_int_eq(fstat(arg->fd, &st), 0);
	ck_assert_uint_ne(kernel_handle_of(st.st_ino), 0);
	call->args[i].dmabuf = st.st_ino;
	call->args[i].offset = kernel_distance(arg->ptr);
	ck_assert_uint_le(call->args[i].offset + arg->length, (uint64_t)st.st_size);
	call->args[i].data =
		mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, arg->fd, 0);
	ck_assert_ptr_ne(call->args[i].data, MAP_FAILED);
	call->args[i].data += call->args[i].offset;
}

static void kernel_drop_arg(const struct kernel_arg *arg, const struct kernel_call *call,
	unsigned int i)
{
	struct stat st;

	if (!arg->length)
		return;
	ck_assert_int_eq(fstat(arg->fd, &st), 0);
	munmap(call->args[i].data - call->args[i].offset, (size_t)st.st_size);
}

static int kernel_invoke(const struct kernel_invoke *invoke)
{
	const struct kernel_arg *args = (const void *)(uintptr_t)invoke->args;
	struct kernel_call call = {
		.handle = invoke->handle,
		.scalars = invoke->sc,
		.n_in = FASTRPC_INPUTS(invoke->sc),
		.n = FASTRPC_INPUTS(invoke->sc) + FASTRPC_OUTPUTS(invoke->sc),
	};
	int r;

	kernel.n_invokes++;
	if (kernel.signalled)
		pthread_kill(pthread_self(), WORKER_SIGNAL);
	for (unsigned int i = 0; i < call.n; i++)
		kernel_take_arg(&args[i], &call, i);
	r = kernel.invoke_error ? -kernel.invoke_error : kernel.invoke ? kernel.invoke(&call) : 0;
	for (unsigned int i = 0; i < call.n; i++)
		kernel_drop_arg(&args[i], &call, i);
	return r;
}

/* It takes the shell as well, and keeps it. */
static int kernel_create(const struct kernel_create *create)
{
	struct drm_prime_handle prime = {.fd = create->filefd};

	kernel.n_creates++;
	if (kernel.signalled)
		pthread_kill(pthread_self(), WORKER_SIGNAL);
	kernel.create = *create;
	kernel_import(&prime);
	return kernel.create_result;
}

static int kernel_map(struct kernel_map *map)
{
	kernel.n_maps++;
	kernel.map = *map;
	map->vaddrout = 0x40000000;
	return 0;
}

static int kernel_unmap(const struct kernel_unmap *unmap)
{
	kernel.n_maps++;
	kernel.unmap = *unmap;
	return 0;
}

/* Memory. */

static int kernel_sync(int fd, const struct dma_buf_sync *sync)
{
	const ino_t dmabuf = kernel_inode(fd);

	ck_assert_uint_lt(kernel.n_syncs, KERNEL_SYNCS);
	kernel.syncs[kernel.n_syncs].dmabuf = dmabuf;
	kernel.syncs[kernel.n_syncs].flags = sync->flags;
	kernel.syncs[kernel.n_syncs++].n_invokes = kernel.n_invokes;
	return 0;
}

static int kernel_alloc(struct dma_heap_allocation_data *request)
{
	int fd = memfd_create("heap", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)request->len), 0);
	request->fd = (uint32_t)fd;
	return 0;
}

static int kernel_ioctl(int fd, unsigned long request, void *argument)
{
	switch (request) {
	case DRM_IOCTL_VERSION:
		return kernel_version(fd, argument);
	case DRM_IOCTL_PRIME_FD_TO_HANDLE:
		return kernel_import(argument);
	case DRM_IOCTL_GEM_CLOSE:
		return kernel_close(argument);
	case POSTED_QUERY:
		return kernel_query(fd, argument);
	case POSTED_CREATE:
		return kernel_create(argument);
	case POSTED_MAP:
		return kernel_map(argument);
	case POSTED_UNMAP:
		return kernel_unmap(argument);
	case POSTED_INVOKE:
		return kernel_invoke(argument);
	case DMA_BUF_IOCTL_SYNC:
		return kernel_sync(fd, argument);
	case DMA_HEAP_IOCTL_ALLOC:
		return kernel_alloc(argument);
	case UDMABUF_CREATE:
		return fcntl((int)((struct udmabuf_create *)argument)->memfd, F_DUPFD_CLOEXEC, 3);
	default:
		return -ENOTTY;
	}
}

/* The C library takes some results for errors, whoever meant them. */
int ioctl(int fd, unsigned long request, ...)
{
	va_list list;
	void *argument;
	int r;

	va_start(list, request);
	argument = va_arg(list, void *);
	va_end(list);
	r = kernel_ioctl(fd, (uint32_t)request, argument);
	if (r > -1 || r < -4095)
		return r;
	errno = -r;
	return -1;
}

/* A node of it. */

static struct opener *kernel_opener;
static struct memory *kernel_memory;
static size_t kernel_fds;

static int kernel_open_any(int dev, const char *name, int flags)
{
	long fd = syscall(SYS_openat, dev, name, flags);

	return fd < 0 ? -errno : (int)fd;
}

static const char *kernel_dev(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "%.60s", tree_path("dev"));
	return path;
}

/* A machine with /dev/udmabuf, and the system's heap if @heap. */
static void kernel_start_with(bool heap)
{
	tree_start();
	tree_make_folder("dev");
	tree_make_folder("dev/accel");
	tree_make_folder("dev/dma_heap");
	tree_write("dev/accel/accel0", "qda cdsp");
	tree_write("dev/udmabuf", "");
	if (heap)
		tree_write("dev/dma_heap/system", "");
	ck_assert_int_eq(worker_catch_signal(), 0);
	ck_assert_int_eq(memory_new(&kernel_memory, kernel_dev()), 0);
	ck_assert_int_eq(opener_start(&kernel_opener,
				 &(struct opener_place){
					 .dev = kernel_dev(), .open = kernel_open_any},
				 false),
		0);
	kernel_fds = count_fds(getpid());
}

static void kernel_stop(void)
{
	ck_assert_uint_eq(count_fds(getpid()), kernel_fds);
	kernel_opener = opener_free(kernel_opener);
	kernel_memory = memory_free(kernel_memory);
	tree_stop();
}

static int kernel_open(struct node *node, bool coherent)
{
	const struct node_place place = {
		.opener = kernel_opener,
		.name = "accel/accel0",
		.label = "cdsp",
		.memory = kernel_memory,
		.coherent = coherent,
	};

	return qda_driver.open(node, &place);
}

/* A client's dma-buf. */
static int kernel_dmabuf(size_t pages)
{
	struct dma_heap_allocation_data request = {.len = pages * KERNEL_PAGE};

	kernel_alloc(&request);
	return (int)request.fd;
}

#endif
