// SPDX-License-Identifier: MIT
/*
 * What a transport is: the only way from the broker to a DSP. No code outside a transport knows
 * which one it talks to.
 *
 * All functions run on the broker's loop and none blocks. What takes time ends in one of
 * session_opened(), session_closed(), session_lost(), call_done(), import_deinit().
 */
#ifndef DSP_TRANSPORT_H
#define DSP_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/confine/filter.h"

struct broker;
struct buffer;
struct call;
struct device;
struct import;
struct policy_dir;
struct session;

struct transport_ops {
	const char *name;
	bool hardware;       /* its DSPs need dma-bufs, and may have a remote processor */
	bool brings_modules; /* a client may bring its module itself, if policy lets it */
	/* System calls that it makes beyond those of daemon/confine_calls.c: ioctls by number,
	 * above all. NULL: none; two transports may have one in common. */
	const struct filter_table *calls[2];
	/* Folders that it looks into unless policy names others. NULL: none. */
	const struct policy_dir *(*dirs)(size_t *n);

	/* Find this transport's devices and add them. Called once, with the rights that the
	 * broker was started with; it may wait. Returns 0 (also when there are none) or -errno. */
	int (*probe)(struct broker *broker);
	/* The broker is about to end, and there are no clients any more: let go of protection
	 * domains that are kept for the next. It ends when device->domains is 0. NULL: there are
	 * none. */
	void (*finish)(struct device *device);
	/* The broker ends: free the device, which has no sessions any more. */
	void (*remove)(struct device *device);
	/* The same, when all devices are removed: undo probe(), which may not have been called.
	 * NULL: nothing to do. */
	void (*deinit)(struct broker *broker);

	/* Attach a session: set session->lane. Returns 0 or -errno. On a channel that takes calls
	 * it is in a protection domain now, and its MODULE_OPEN call is submitted next. On one that
	 * takes messages this ends in session_opened() or session_lost(), maybe later. */
	int (*open)(struct session *session);
	/* Detach it; it ends in session_closed(), when nothing on the DSP belongs to it any more.
	 * Its calls, if there are any left, end before that. */
	void (*close)(struct session *session);

	/* Make a buffer reachable for a session's domain. Returns 0 and the import, which may
	 * have been there; -EAGAIN: not now, scheduler_run() follows; or another -errno. */
	int (*import)(struct session *session, struct buffer *buffer, struct import **out);
	/* No call will use it any more; ends in import_deinit(). */
	void (*release)(struct import *import);

	/* Memory of the device's own allocator. memory_node(): a descriptor to ask for it, which is
	 * the caller's to close; -EAGAIN: not now; -EPERM: policy does not let it; or another
	 * -errno. memory_alloc() asks: it runs in a thread, may block, touches nothing but its
	 * arguments, and returns 0 with a dma-buf of @size bytes, or -errno. Both are NULL where
	 * there is no such memory. */
	int (*memory_node)(struct session *session);
	int (*memory_alloc)(int node, uint64_t size, int *out);

	/* Take a call, or send a message. Returns 0: it ends in call_done(), once nobody writes to
	 * its arguments any more; 1: it is over already, with call->outcome; -EAGAIN as above; or
	 * another -errno: it will never do. */
	int (*submit)(struct call *call);
	/* Take a submitted call back. True: it has not begun and never will. */
	bool (*cancel)(struct call *call);
	/* End a call that runs, at the cost of its domain. call_done() follows, with
	 * call->outcome. */
	void (*abort)(struct call *call);

	/* A turn of the loop is over: make what was submitted visible. NULL: nothing to do. */
	void (*flush)(struct device *device);

	/* Ask whoever sends messages to this session to stop for a while, or to go on. NULL where
	 * there is no way. */
	void (*pace)(struct session *session, bool stop);
	/* The state of the device's remote processor has changed. NULL: does not matter. */
	void (*state_changed)(struct device *device);
};

extern const struct transport_ops soft_transport;
extern const struct transport_ops rpmsg_transport;
extern const struct transport_ops fastrpc_transport;
extern const struct transport_ops qda_transport;

/* Those that this broker is built with (make TRANSPORTS=...), in the order in which they look for
 * devices; ends with NULL. */
extern const struct transport_ops *const transports[];

#endif
