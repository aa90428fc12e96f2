// SPDX-License-Identifier: MIT
/*
 * What FastRPC needs of a kernel driver that carries it: finding DSPs, and kernel sessions. There
 * are two: the nodes /dev/fastrpc-* (misc/), and those of DRM's accel driver (../qda/). Nothing
 * outside their folders knows ioctls, or which of them it is.
 *
 * An open node is a kernel session: there are few, and it is one protection domain on the DSP. Its
 * functions may block, and are called in threads only, several at a time; but close(), which is the
 * last.
 */
#ifndef DSP_FASTRPC_DRIVER_H
#define DSP_FASTRPC_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/confine/filter.h"
#include "daemon/transport/fastrpc/abi.h"
#include "protocol/ring.h"

struct broker;
struct fastrpc_driver;
struct fastrpc_found;
struct memory;
struct opener;

/* More of nodes than there are of a driver. */
#define NODE_NAME_SIZE 64

/*
 * To the DSP, or to the kernel, a session is known by the process or the thread that opened the
 * node, so each is opened by another: the opener's business (daemon/opener.h), as is that nobody
 * else gets its number.
 */
struct node {
	const struct fastrpc_driver *driver;
	int fd;                /* -1: closed */
	pid_t owner;           /* who opened it; that process has ended */
	struct opener *opener; /* that it is to be given back to; NULL: none */
	void *own;             /* the driver's, while it is open */
};
#define NODE_NONE ((struct node){.fd = -1})

/* What is opened. All of it outlives the node. */
struct node_place {
	struct opener *opener;
	const char *name;  /* of the node, below /dev: "fastrpc-cdsp" */
	const char *label; /* of the DSP that it must be of: "cdsp" */
	/* For what a driver does not copy itself (memory_new_heap(), else a memfd with
	 * memory_from_memfd()): memory that outlives the DSP. A mapping of the driver's own objects
	 * goes with the device, and who touches it then gets SIGBUS. */
	const struct memory *memory;
	bool coherent; /* the DSP sees what is in our caches: no DMA_BUF_IOCTL_SYNC is needed */
};

/* What came of a call. */
struct node_result {
	int error;      /* 0: it ran on the DSP, which returned @result; or the kernel's -errno */
	int32_t result; /* as the DSP said it */
};

/* A dma-buf in a domain, mapped there or to be mapped with each call that uses it. The driver's to
 * fill and to read. */
struct node_buffer {
	int dmabuf;      /* borrowed */
	uint64_t size;   /* bytes of it that are used, from its start */
	bool kept;       /* mapped on the DSP until it is unmapped */
	bool synced;     /* each call makes the DSP see what is in our caches, and the reverse */
	void *window;    /* addresses that the kernel takes for a mapping of it */
	uint64_t remote; /* its address on the DSP, where that is told */
	uint32_t handle; /* of the buffer object, where there are such */
};

/* An argument of a call: @length bytes of a buffer from @offset on, or memory of ours, which is
 * copied, at @data. Inputs come first. */
struct node_arg {
	void *data;
	const struct node_buffer *buffer; /* NULL: memory of ours */
	uint64_t offset, length;          /* bytes */
};

struct fastrpc_driver {
	const struct transport_ops *transport;
	/* For people: "the DRM accel driver". */
	const char *name;
	/* Does the kernel copy what is no buffer? Then it may fail to (-EFAULT). */
	bool copies;
	/* The answer to a call that was interrupted may meet another one: nothing may be called in
	 * that domain any more, so it ends. */
	bool interrupted_ends;
	/* Descriptors that an open node may need beside its own. */
	unsigned int fds;

	/* Which DSPs it has, of those that abi.h knows. Returns how many; *@out holds them sorted
	 * by label, to be freed; or -errno. On the loop; does not block. */
	ssize_t (*scan)(struct broker *broker, struct fastrpc_found **out);

	/* Returns 0; -EBUSY: no kernel session is free; -ENOENT, -ENXIO, -ENODEV: the DSP is not
	 * there; or another -errno. @node is NODE_NONE then. */
	int (*open)(struct node *node, const struct node_place *place);
	/* Close it, and give its owner's number back. When no other thread is at it, the DSP has
	 * then let go of all its memory, unless it did not answer: then this takes
	 * NODE_RELEASE_MS. */
	void (*close)(struct node *node);
	/* Free what is left of it, which the DSP may write to until it has let go, if it is not
	 * confirmed that it has. NULL: nothing. */
	void (*dispose)(struct node *node);
	/* Threads that are at it are about to be interrupted: none of them may begin another call.
	 * NULL: they may. */
	void (*stop)(struct node *node);

	/*
	 * Call a method. A return value of the DSP that looks like an error of the kernel is taken
	 * for one if the kernel has such an error here (node_is_of_kernel()), and for the DSP's
	 * otherwise. -EINTR: a signal came; the DSP may still be at it, and write to what is mapped
	 * for it. It is never made a second time.
	 *
	 * Where the kernel copies a DSP can make it write more than an output's length: behind
	 * memory of ours there must be such that cannot be written (struct guarded).
	 */
	struct node_result (*invoke)(struct node *node, uint32_t handle, uint32_t scalars,
		const struct node_arg *args);

	/* Become a domain. 0, -errno, or a positive number: the DSP said no (with that as its
	 * int32_t). NULL: there are no such domains.
	 * @shell: a dma-buf that holds the file that a user's domain starts from, of @size bytes.
	 * @attributes: enum fastrpc_proc_attr of <misc/fastrpc.h>. */
	struct node_result (*create)(struct node *node, int shell, uint32_t size,
		uint32_t attributes);
	struct node_result (*attach)(struct node *node, bool sensors);
	/* One of the domains that the DSP has anyway, by its name ("audiopd"). -ENOTTY: this kernel
	 * cannot. */
	struct node_result (*create_static)(struct node *node, const char *name);

	/* Bring the first @size bytes of @dmabuf into the domain, which is to keep it if @keep:
	 * else its client may write to it by a processor whose caches the DSP does not see, and has
	 * no way to write them back. @out is to be unmapped if 0 is returned; or -errno, of which
	 * -EAGAIN and -ENOSPC are worth another try. A DSP that does not keep mappings is none. */
	int (*map)(struct node *node, int dmabuf, uint64_t size, bool keep,
		struct node_buffer *out);
	/* Returns 0 or -errno: what the DSP does not let go of it may write to until the domain is
	 * gone. */
	int (*unmap)(struct node *node, struct node_buffer *buffer);
	/* The domain is gone, and its mappings with it: free what is ours. */
	void (*forget)(struct node_buffer *buffer);

	/* The domain's heap grows and shrinks by memory of the kernel's. */
	struct node_result (*grow)(struct node *node, uint64_t size, uint64_t *remote);
	struct node_result (*shrink)(struct node *node, uint64_t remote, uint64_t size);

	/* A dma-buf of memory from the driver's own allocator, where there is no other. Returns 0
	 * or -errno. NULL: it is good for nothing. */
	int (*alloc)(int fd, uint64_t size, int *dmabuf);

	/* The attributes of the DSP (enum fastrpc_attribute), which has that number. Needs no
	 * domain. Returns 0; -EOPNOTSUPP: it has none; or -errno. */
	int (*attributes)(struct node *node, uint32_t number, uint32_t values[FASTRPC_ATTRIBUTES]);
};

#define NODE_RELEASE_MS 10000 /* how long the kernel waits for the DSP to let go */

/* The system calls that all of it makes, beside ioctls that are a driver's own. */
extern const struct filter_table fastrpc_calls;

/* Can the kernel, or a driver below it, mean that -errno as the outcome of a call? */
bool node_is_of_kernel(int error);
/* A DSP's answer where only an errno can be told: -EREMOTEIO. */
int node_errno(struct node_result result);

/* What is the same for all drivers: opening by the opener, which returns 0 or -errno, and closing.
 */
int node_open_as(struct node *node, const struct fastrpc_driver *driver,
	const struct node_place *place);
void node_give_back(struct node *node);

static inline void node_dispose(struct node *node)
{
	if (node->driver && node->driver->dispose)
		node->driver->dispose(node);
	*node = NODE_NONE;
}

static inline struct node_result node_invoke(struct node *node, uint32_t handle, uint32_t scalars,
	const struct node_arg *args)
{
	return node->driver->invoke(node, handle, scalars, args);
}

#endif
