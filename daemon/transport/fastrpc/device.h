// SPDX-License-Identifier: MIT
/*
 * A DSP reached by FastRPC: its nodes, which come and go with it, and its protection domains, of
 * which the kernel has few. Those that find none free wait here, in the order of their coming.
 */
#ifndef DSP_FASTRPC_DEVICE_H
#define DSP_FASTRPC_DEVICE_H

#include "daemon/deadline.h"
#include "daemon/device.h"
#include "daemon/transport/fastrpc/abi.h"
#include "daemon/transport/fastrpc/claim.h"
#include "daemon/transport/fastrpc/debts.h"
#include "daemon/transport/fastrpc/driver.h"
#include "daemon/transport/fastrpc/found.h"
#include "daemon/worker.h"
#include "policy/policy.h"

struct fastrpc_domain;

struct fastrpc_device {
	struct device device;
	const struct fastrpc_driver *driver; /* by which it is, or was last, reached */
	struct fastrpc_found found;          /* of its nodes, as they are or last were */
	uint32_t number;                     /* of the DSP */
	bool there;                          /* the nodes are */
	struct claim claim;                  /* to use them */
	bool present;                        /* they are there, and nobody else may use them */
	bool told;                           /* that there is another driver for it */
	struct list domains;                 /* all of them */
	struct list waiting;                 /* those that wait for a kernel session */
	bool starting;                       /* the first of those that waited is being tried */
	unsigned int n_open;    /* domains that have a kernel session, or are about to */
	uint32_t last_domain;   /* their numbers */
	unsigned int failures;  /* in a row: the DSP did not start a domain */
	uint64_t not_before_us; /* so the next is started then, at the earliest */
	struct deadline retry;
	struct debts debts;
	struct list unreleased; /* domains whose end the DSP did not confirm: imports stay */

	struct job job; /* asks the DSP what it is */
	const struct fastrpc_driver *asked;
	char asked_node[NODE_NAME_SIZE];
	struct node_place asked_place;
	bool asking, knows, ask_again;
	struct deadline patience; /* while it is asked */
	uint32_t attributes[FASTRPC_ATTRIBUTES];
	int error;
};

static inline struct fastrpc_device *fastrpc_device_of(struct device *device)
{
	return container_of(device, struct fastrpc_device, device);
}

/* Make one and make it known. Returns it, NULL: out of memory. */
struct fastrpc_device *fastrpc_device_new(struct broker *broker,
	const struct fastrpc_driver *driver, const char *label, uint32_t number);
/* Policy says that it is there when that remote processor runs, and that we decide whether it does.
 */
void fastrpc_device_expect(struct fastrpc_device *device, struct remoteproc *remoteproc);
/* As transport_ops. */
void fastrpc_device_state_changed(struct fastrpc_device *device);
void fastrpc_device_finish(struct fastrpc_device *device);
/* The broker ends. Nobody uses it any more, and it has no domains. */
void fastrpc_device_free(struct fastrpc_device *device);

/* Its nodes are there; maybe others than those that were, and of another driver. */
void fastrpc_device_found(struct fastrpc_device *device, const struct fastrpc_driver *driver,
	const struct fastrpc_found *found);
/* They are gone: so is all that was on the DSP. */
void fastrpc_device_lost(struct fastrpc_device *device);

/* All directories that devices of which policy says nothing look into. */
const struct policy_dir *fastrpc_usual_dirs(size_t *n);
/* The directories of its modules, and of the files that its domains start from. */
const struct policy_dir *fastrpc_device_modules(const struct fastrpc_device *device, size_t *n);
const struct policy_dir *fastrpc_device_shells(const struct fastrpc_device *device, size_t *n);

/* The name of the node that such a domain is opened by. */
const char *fastrpc_device_node(const struct fastrpc_device *device,
	const struct policy_domain *policy);
/* How that node is opened now; @name outlives what is returned. */
struct node_place fastrpc_device_place(const struct fastrpc_device *device, const char *name);
/* A domain wants to start: now, or when it is its turn. */
void fastrpc_device_queue(struct fastrpc_device *device, struct fastrpc_domain *domain);
/* It found no kernel session free, so it is still the next one. */
void fastrpc_device_full(struct fastrpc_device *device, struct fastrpc_domain *domain);
/* A start is over; with @refused the DSP did not do as it was told. */
void fastrpc_device_started(struct fastrpc_device *device, bool refused);
/* A kernel session may be free. */
void fastrpc_device_next(struct fastrpc_device *device);

#endif
