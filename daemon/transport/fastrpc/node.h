// SPDX-License-Identifier: MIT
/*
 * The kernel's FastRPC device nodes: every ioctl that the broker makes on one, and no other code
 * makes any. All of them may block and are called in threads only. An open node is a kernel
 * session: there are few, and it is one protection domain on the DSP.
 */
#ifndef DSP_FASTRPC_NODE_H
#define DSP_FASTRPC_NODE_H

#include <misc/fastrpc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/confine/filter.h"
#include "daemon/transport/fastrpc/abi.h"

/* The system calls of this transport: the table that the requests are made from. */
extern const struct filter_table node_calls;

/*
 * Open a node. To the DSP a protection domain is known by the process that opened it (until Linux
 * 6.14 made it a number of its own), so each has to be opened by another: the opener's business
 * (daemon/opener.h), as is that nobody else gets its number.
 */
struct opener;
struct node {
	int fd;                /* -1: closed */
	pid_t owner;           /* to the DSP; that process has ended */
	struct opener *opener; /* that it is to be given back to; NULL: none */
};
#define NODE_NONE ((struct node){.fd = -1})

/* @name: "fastrpc-cdsp". Returns 0; -EBUSY: no kernel session is free; -ENOENT, -ENXIO, -ENODEV:
 * the DSP is not there; or another -errno. */
int node_open(struct node *node, struct opener *opener, const char *name);
/* Close it, and give its owner's number back. When no other thread is in an ioctl on it, the DSP
 * has then let go of all its memory, unless it did not answer: then this takes NODE_RELEASE_MS. */
#define NODE_RELEASE_MS 10000
void node_close(struct node *node);

/* What came of a call. */
struct node_result {
	int error;      /* 0: it ran on the DSP, which returned @result; or the kernel's -errno */
	int32_t result; /* as the DSP said it */
};

/*
 * Call a method. A return value of the DSP that looks like an error of the kernel is taken for one
 * if the kernel has such an error here (-EINVAL, -EFAULT, -ENOMEM, -ENOSPC, -EAGAIN, -EINTR, -EIO,
 * -EPIPE, -ENODEV, -ENOTTY, -EMSGSIZE, -ETIMEDOUT, -EBADF), and for the DSP's otherwise.
 * -EINTR: a signal came; the DSP may still be at it, and write to what is mapped for it. It is
 * never made a second time.
 *
 * @args[i].fd -1 is memory of ours that the kernel copies. For an output of that kind a DSP can
 * make the kernel write more than its length: behind it there must be memory that cannot be written
 * (struct guarded).
 */
struct node_result node_invoke(int fd, uint32_t handle, uint32_t scalars,
	const struct fastrpc_invoke_args *args);

/* Become a domain. 0, -errno, or a positive number: the DSP said no (with that as its int32_t). */
struct node_result node_attach(int fd, bool sensors);
/* @shell_fd is a dma-buf that holds the file that a user's domain starts from, of @size bytes, and
 * @shell where it is mapped, or its window (without a descriptor, the kernel takes our address for
 * one of its own: -EINVAL, and it is not asked). @attributes: enum fastrpc_proc_attr. */
struct node_result node_create(int fd, const void *shell, size_t size, int shell_fd,
	uint32_t attributes);

/* One of the domains that the DSP has anyway, by its name ("audiopd"). -ENOTTY: this kernel cannot.
 */
struct node_result node_create_static(int fd, const char *name);

/* Map the first @size bytes of a dma-buf into the domain, to stay: @address is where @fd is mapped
 * here, whole. Calls that use this descriptor from then on need no mapping of their own. @remote is
 * its address there. */
struct node_result node_map(int fd, int dmabuf, uint64_t address, uint64_t size, uint64_t *remote);
struct node_result node_unmap(int fd, int dmabuf, uint64_t remote, uint64_t size);

/* The domain's heap grows and shrinks by memory of the kernel's. */
struct node_result node_grow(int fd, uint64_t size, uint64_t *remote);
struct node_result node_shrink(int fd, uint64_t remote, uint64_t size);

/* A dma-buf of memory from the driver's own allocator. Returns 0 or -errno. */
int node_alloc(int fd, uint64_t size, int *dmabuf);

/* An attribute of the DSP (enum fastrpc_attribute); @domain is the DSP's number. Returns 0 or
 * -errno. */
int node_attribute(int fd, uint32_t domain, uint32_t attribute, uint32_t *value);

/* Memory for the outputs of calls of the broker's own, with memory behind it that nobody can write.
 * It begins at a multiple of 8 bytes and ends, rounded up to such a one, where that begins. */
struct guarded {
	void *data;
	size_t size;
	void *map; /* NULL: none */
	size_t map_size;
};
int guarded_new(struct guarded *out, size_t size);
void guarded_free(struct guarded *memory);

/*
 * Addresses for a buffer of @size bytes that the kernel can take for a mapping of it: it computes
 * where an argument lies in a dma-buf from the distance to the start of the mapping
 * (vm_area_struct) that holds the argument's address, whatever that is a mapping of. So nothing of
 * the buffer needs to be mapped here, and nothing can be read or written there. Returns NULL when
 * there is no room.
 */
void *node_window(uint64_t size);
void node_window_free(void *window, uint64_t size);

#endif
