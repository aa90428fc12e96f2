// SPDX-License-Identifier: MIT
/*
 * A virtio device served over vhost-user: it listens at a socket, has one guest at a time, and
 * follows what that one tells about its memory and its queues. What the device does with the
 * queues is its own matter (struct vu_ops).
 */
#ifndef DSP_REMOTE_VHOST_USER_H
#define DSP_REMOTE_VHOST_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/kernel/remote/loop.h"
#include "tests/kernel/remote/memory.h"
#include "tests/kernel/remote/virtq.h"

#define VU_QUEUES 2 /* of every device that we serve */

struct vu_device;

struct vu_ops {
	const char *name;
	uint64_t features; /* beside those that the transport offers */
	const void *config;
	size_t config_size;
	/* The guest put buffers into a queue. */
	void (*kicked)(struct vu_device *device, unsigned int queue);
	/* The guest has gone; its queues and its memory are still there. */
	void (*gone)(struct vu_device *device);
};

struct vu_queue {
	struct virtq virtq;
	struct source kick;
	struct vu_device *device;
};

struct vu_device {
	const struct vu_ops *ops;
	struct loop *loop;
	struct source listener;
	struct source connection;
	int requests; /* what tells the guest of our death by being closed; -1: none */
	struct memory memory;
	struct vu_queue queues[VU_QUEUES];
};

/* Listen at @path. A device must not move afterwards. */
int vu_init(struct vu_device *device, struct loop *loop, const char *path,
	const struct vu_ops *ops);
bool vu_is_connected(const struct vu_device *device);
/* Leave the guest as if this program had died; it may connect again. */
void vu_disconnect(struct vu_device *device);

#endif
