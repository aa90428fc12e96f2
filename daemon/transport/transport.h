// SPDX-License-Identifier: MIT
/*
 * What a transport is: the only way from the broker to a DSP. No code outside a transport knows
 * which one it talks to.
 *
 * All functions run on the broker's loop and none blocks. What takes time ends in one of
 * session_closed(), session_lost(), call_done(), import_deinit().
 */
#ifndef DSP_TRANSPORT_H
#define DSP_TRANSPORT_H

#include <stdbool.h>

struct broker;
struct buffer;
struct call;
struct device;
struct import;
struct session;

struct transport_ops {
	const char *name;

	/* Find this transport's devices and add them. Called once, with the rights that the
	 * broker was started with; it may wait. Returns 0 (also when there are none) or -errno. */
	int (*probe)(struct broker *broker);
	/* The broker ends: free the device, which has no sessions any more. */
	void (*remove)(struct device *device);

	/* Attach a session to a protection domain: set session->lane. Its MODULE_OPEN call is
	 * submitted next. Returns 0 or -errno. */
	int (*open)(struct session *session);
	/* Detach it; it ends in session_closed(), when nothing on the DSP belongs to it any more.
	 * Its calls, if there are any left, end before that. */
	void (*close)(struct session *session);

	/* Make a buffer reachable for a session's domain. Returns 0 and the import, which may
	 * have been there; -EAGAIN: not now, scheduler_run() follows; or another -errno. */
	int (*import)(struct session *session, struct buffer *buffer, struct import **out);
	/* No call will use it any more; ends in import_deinit(). */
	void (*release)(struct import *import);

	/* Take a call. Returns 0, -EAGAIN as above, or another -errno: it will never do. Ends in
	 * call_done(), once nobody writes to its arguments any more. */
	int (*submit)(struct call *call);
	/* Take a submitted call back. True: it has not begun and never will. */
	bool (*cancel)(struct call *call);
	/* End a call that runs, at the cost of its domain. call_done() follows, with
	 * call->outcome. */
	void (*abort)(struct call *call);

	/* A turn of the loop is over: make what was submitted visible. */
	void (*flush)(struct device *device);
};

extern const struct transport_ops soft_transport;

#endif
