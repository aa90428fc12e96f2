// SPDX-License-Identifier: MIT
/*
 * The remote side of rpmsg over virtio: endpoints, which belong to services, and the name service.
 *
 * What the guest does not take yet waits here in order, and as long as anything waits no further
 * message of the guest is taken: a guest that does not read is not read from.
 */
#ifndef DSP_REMOTE_RPMSG_H
#define DSP_REMOTE_RPMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/util.h"
#include "tests/kernel/remote/loop.h"
#include "tests/kernel/remote/vhost_user.h"

#define RPMSG_NAME_SIZE   32
#define RPMSG_BUFFER_SIZE 512
#define RPMSG_NS_ADDRESS  53

struct rpmsg_header {
	uint32_t src, dst, reserved;
	uint16_t size, flags;
};
#define RPMSG_MTU (RPMSG_BUFFER_SIZE - sizeof(struct rpmsg_header))

struct rpmsg;
struct endpoint;

/* What a service does. Any may be absent. */
struct service {
	const char *name;
	/* A message came in from @src. */
	void (*receive)(struct endpoint *endpoint, uint32_t src, const void *data, size_t size);
	/* There is room for a message to the guest: send one and return true, or have none. */
	bool (*room)(struct endpoint *endpoint);
	/* Nobody is there any more: it was withdrawn, or the guest has gone. */
	void (*gone)(struct endpoint *endpoint);
};

struct endpoint {
	struct rpmsg *rpmsg;
	struct list node;
	const struct service *service;
	uint32_t address;
	char name[RPMSG_NAME_SIZE]; /* announced to the guest as this; "": not */
	uint64_t messages, bytes;   /* received */
	uint32_t caller;            /* who sent the last of them; 0: nobody yet */
	struct {
		uint32_t dst, size, left, next;
		uint64_t total; /* of all emissions so far */
	} emission;             /* of messages to the guest, if its service emits any */
};

struct rpmsg {
	struct vu_device device;
	struct list endpoints;
	struct list waiting; /* messages to the guest, whole */
	size_t n_waiting;
	bool ready; /* the guest's driver is up */
	bool hung;
};

int rpmsg_init(struct rpmsg *rpmsg, struct loop *loop, const char *path);

/* Make an endpoint, or give an existing one another service. */
int rpmsg_serve(struct rpmsg *rpmsg, uint32_t address, const struct service *service);
struct endpoint *rpmsg_endpoint(struct rpmsg *rpmsg, uint32_t address);

/* Announce an endpoint by that name, now and to every guest that connects; -EEXIST when it has a
 * name. And the reverse. */
int rpmsg_announce(struct endpoint *endpoint, const char *name);
int rpmsg_withdraw(struct endpoint *endpoint);
/* Tell the name service of what there may not be, by a name of these bytes. */
int rpmsg_tell_name(struct rpmsg *rpmsg, uint32_t address, uint32_t flags, const void *name,
	size_t size);

/* Send a message, at the latest when the guest has room. */
int rpmsg_send(struct rpmsg *rpmsg, uint32_t src, uint32_t dst, const void *data, size_t size);
/* Hand the guest a buffer with these bytes, header and all, said to have @written in it. Nothing is
 * checked; for tests of the guest. */
int rpmsg_send_raw(struct rpmsg *rpmsg, const void *bytes, size_t size, uint32_t written);
/* Take no message any more, or again. */
void rpmsg_hang(struct rpmsg *rpmsg, bool hung);
/* Die, in the guest's eyes; all endpoints stay, as the firmware of a next life. */
void rpmsg_crash(struct rpmsg *rpmsg);
/* Look for work: a service has got something to do. */
void rpmsg_work(struct rpmsg *rpmsg);

#endif
