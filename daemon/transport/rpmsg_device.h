// SPDX-License-Identifier: MIT
/*
 * A remote processor that is reached by rpmsg: its link while there is one, its services, and the
 * endpoints of its sessions. Used by rpmsg.c and rpmsg_endpoint.c alone.
 */
#ifndef DSP_RPMSG_DEVICE_H
#define DSP_RPMSG_DEVICE_H

#include "daemon/deadline.h"
#include "daemon/device.h"
#include "daemon/log.h"
#include "daemon/transport/rpmsg_scan.h"

struct rpmsg_endpoint;

struct rpmsg_device {
	struct device device;
	struct rpmsg_link link; /* instance stays when it is gone: that one never comes back */
	bool linked;
	bool held; /* endpoints wait until it is clear whether the remote processor stops */
	struct deadline settle; /* set while it has only just come, and may have more to announce,
				 * or has only just gone, and may come again */
	uint32_t mtu;
	bool crowded; /* there are more services than channels; it was logged */
	struct log_bucket log;

	struct list opening;   /* endpoints that are not open yet */
	struct list endpoints; /* those that are */
	struct list ended;     /* those to be freed at the end of the turn */
	struct list broken;    /* endpoints that could not send, whose end is due in this turn */

	/* The kernel has one pool of transmit buffers for all endpoints of a link, and does not say
	 * when it has some again. */
	struct list blocked; /* endpoints that found none, the first to wait first */
	const struct rpmsg_endpoint
		*turn;         /* whose turn it is although others wait; NULL: nobody's */
	struct deadline retry; /* set while there are such */
	uint64_t retry_us;
	uint64_t sent; /* messages */
};

static inline struct rpmsg_device *rpmsg_device_of(struct device *device)
{
	return container_of(device, struct rpmsg_device, device);
}

/* Make one known that has no link yet. Returns NULL when there is no memory. */
struct rpmsg_device *rpmsg_device_new(struct broker *broker, const char *name,
	struct remoteproc *remoteproc);
void rpmsg_device_free(struct rpmsg_device *rpmsg);

/* Its link is there. @fresh: it came just now. */
void rpmsg_device_found(struct rpmsg_device *rpmsg, const struct rpmsg_link *link, bool fresh);
/* Its link is gone, or about to go: so are its sessions. */
void rpmsg_device_lost(struct rpmsg_device *rpmsg);
/* Make its channels those that are announced now. */
void rpmsg_device_scan(struct rpmsg_device *rpmsg);
/* Can endpoints be opened? Else, if there is hope, they wait. */
bool rpmsg_device_is_ready(struct rpmsg_device *rpmsg);
/* The remote processor does not start: nobody need wait for it. */
void rpmsg_device_does_not_start(struct rpmsg_device *rpmsg, const char *why);
/* To be called when a session begins to wait for its service, or no longer does. */
void rpmsg_device_update(struct rpmsg_device *rpmsg);
/* The turn is over: end what broke, free what has ended. */
void rpmsg_device_flush(struct rpmsg_device *rpmsg);

/* In rpmsg.c: look what there is, soon. */
void rpmsg_request_scan(void);

/* A message went out. */
void rpmsg_device_sent(struct rpmsg_device *rpmsg);
/* Others have found no room before, so it is not this one's turn. */
bool rpmsg_device_must_wait(const struct rpmsg_device *rpmsg,
	const struct rpmsg_endpoint *endpoint);
/* An endpoint found no room for one: it stands in line. */
void rpmsg_device_full(struct rpmsg_device *rpmsg, struct rpmsg_endpoint *endpoint);
/* Let those in line try again, if there are any. */
void rpmsg_device_retry(struct rpmsg_device *rpmsg);

#endif
