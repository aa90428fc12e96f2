// SPDX-License-Identifier: MIT
/*
 * One session's endpoint, an address of its own on this side of the link. Used by rpmsg.c and
 * rpmsg_device.c alone.
 *
 * It opens when its service is there, and ends with its session or with its link, whichever is
 * first. Then it belongs to nobody, and is freed when the turn of the loop is over, so that whoever
 * deals with it at that moment can go on.
 */
#ifndef DSP_RPMSG_ENDPOINT_H
#define DSP_RPMSG_ENDPOINT_H

#include <linux/rpmsg.h>
#include <linux/types.h>

#include "daemon/deadline.h"
#include "daemon/loop.h"
#include "daemon/scheduler.h"
#include "protocol/wire.h"

/* <linux/rpmsg.h> of Linux 6.6; earlier kernels refuse them. The argument of SET is the value. */
#ifndef RPMSG_GET_OUTGOING_FLOWCONTROL
#define RPMSG_GET_OUTGOING_FLOWCONTROL _IOR(0xb5, 0x5, int)
#define RPMSG_SET_INCOMING_FLOWCONTROL _IOR(0xb5, 0x6, int)
#endif

struct call;
struct channel;
struct rpmsg_device;
struct rpmsg_node;
struct rpmsg_pace;
struct session;

struct rpmsg_endpoint {
	struct list link;        /* device->opening, ->endpoints or ->ended */
	struct list queue;       /* device->blocked or ->broken */
	struct session *session; /* NULL: it has ended */
	struct rpmsg_device *rpmsg;
	struct rpmsg_node *node; /* NULL: it waits for its service, or has ended */
	int fd;                  /* the node's; -1: not open */
	struct loop_source source;
	struct lane lane;
	struct deadline opening;
	uint64_t instance;       /* of its channel; 0: policy's, or not known yet */
	int error;               /* broken: why */
	bool no_flow_control;    /* the kernel, or the link, has none */
	bool stop;               /* the remote processor is to stop sending */
	struct rpmsg_pace *pace; /* tells it so; NULL: it knows */

	/* How many messages a turn may read, and how often it must have been enough to read one
	 * until it is tried whether there are more. */
	unsigned int burst, patience, singles;
};

/* For a session that opens: in time session_opened() or session_lost(), never from within this
 * call. Returns 0 or -ENOMEM. */
int rpmsg_endpoint_new(struct rpmsg_device *rpmsg, struct session *session);
/* The session leaves; ends in session_closed(). */
void rpmsg_endpoint_close(struct rpmsg_endpoint *endpoint);
/* It is gone: ends in session_lost(). */
void rpmsg_endpoint_lose(struct rpmsg_endpoint *endpoint, enum dsp_status status, const char *text);
/* End one that could not send. */
void rpmsg_endpoint_break(struct rpmsg_endpoint *endpoint);
/* Its link is gone, and it waits for the next one. */
void rpmsg_endpoint_wait(struct rpmsg_endpoint *endpoint);
/* Its service is there. */
void rpmsg_endpoint_start(struct rpmsg_endpoint *endpoint, const struct channel *channel);
void rpmsg_endpoint_free(struct rpmsg_endpoint *endpoint);

/* As transport_ops.submit() and .pace(). */
int rpmsg_endpoint_send(struct rpmsg_endpoint *endpoint, struct call *call);
void rpmsg_endpoint_pace(struct rpmsg_endpoint *endpoint, bool stop);

#endif
