// SPDX-License-Identifier: MIT
/*
 * An endpoint device of the kernel, /dev/rpmsgM: made, opened, closed and destroyed. All of that
 * may take the kernel seconds, so it happens in threads (daemon/worker.h), on a node that knows all
 * it needs and that stays until it is done, whoever wanted it.
 *
 * Each session has an address of its own that was nobody's for a while, so that it does not get
 * what was meant for the one before.
 *
 * To destroy one while its link goes crashes the kernel (at least up to 6.1: rpmsg_char.c does not
 * see that it is at it already). We look whether it goes, but it may begin to in the next moment.
 * What is closed has lost its address and its messages, and that is what matters: the device stays
 * idle, serves another session on its service later, and goes with the link. It is destroyed only
 * when it was idle for long, one after the other, and where the broker stops no link itself: so
 * this hardly ever meets a link that goes, whatever clients do.
 */
#ifndef DSP_RPMSG_NODE_H
#define DSP_RPMSG_NODE_H

#include <linux/rpmsg.h>
#include <stdint.h>

#include "daemon/transport/rpmsg_scan.h"
#include "daemon/worker.h"
#include "protocol/wire.h"

struct broker;

struct rpmsg_node {
	struct job job;
	struct list link; /* idle ones */
	struct broker *broker;
	void (*opened)(void *owner);
	void *owner; /* NULL: nobody wants it any more */
	bool running;
	bool destroyable;
	bool virtio;

	/* What is wanted. */
	char ctrl[RPMSG_NAME_BYTES];
	uint64_t ctrl_instance;
	struct rpmsg_endpoint_info info;

	/* What there is. */
	char name[RPMSG_NAME_BYTES]; /* "rpmsg3"; "": not made */
	uint64_t instance;
	int fd;
	uint64_t idle_from_us;

	int error;                /* of opening: 0, or a negative errno, */
	char text[DSP_TEXT_SIZE]; /* and the same in words */
};

/* Before anything else, and after all else. */
void rpmsg_nodes_init(void);
void rpmsg_nodes_deinit(struct broker *broker);

/* Have one opened that talks to @address, which goes by that name. In time opened() is called on
 * the loop, never from within this call: fd is open for reading and writing without waiting, or
 * error is set. @keep: do not destroy it, its link may be stopped by the broker at any time.
 * Returns 0 and the node, or -ENOMEM. */
int rpmsg_node_get(struct rpmsg_node **out, struct broker *broker, const struct rpmsg_link *link,
	bool keep, const char *name, uint32_t address, void (*opened)(void *owner), void *owner);
/* Nobody may use fd any more; it is closed in its own time. NULL-safe; returns NULL. */
struct rpmsg_node *rpmsg_node_put(struct rpmsg_node *node);

/* A link is gone: forget what was idle there. */
void rpmsg_nodes_prune(void);

/* Open a node, "rpmsg0", for reading and writing without waiting. One that was made this moment may
 * be root's until udev has given it to us, which is waited for. Returns the descriptor or -errno;
 * -EACCES: it was not given to us in time. */
int rpmsg_node_open(const struct broker *broker, const char *name, int patience_ms);

#endif
