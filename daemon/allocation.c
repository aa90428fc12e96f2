// SPDX-License-Identifier: MIT
#include "daemon/allocation.h"

#include "daemon/broker.h"
#include "daemon/client.h"
#include "daemon/closer.h"
#include "daemon/device.h"
#include "daemon/limits.h"
#include "daemon/memory.h"
#include "daemon/session.h"
#include "daemon/transport/transport.h"
#include "daemon/worker.h"

struct allocation {
	struct job job;
	struct client *client;
	uint32_t serial;
	enum dsp_memory kind;
	uint64_t size;
	allocation_fn ended;

	/* Who gives it: */
	const struct memory *memory;
	int (*alloc)(int node, uint64_t size, int *out);
	int node; /* owned, and charged; -1: none */

	int error, fd; /* what came of it; owned */
};

static struct allocation *allocation_free(struct allocation *allocation)
{
	struct client *client = allocation->client;

	if (allocation->node >= 0)
		quota_release(&client->quota, QUOTA_FDS, 1);
	closer_close(allocation->node);
	closer_close(allocation->fd);
	free(allocation);
	return NULL;
}

DEFINE_CLEANUP(struct allocation *, allocation_free);

static void run(struct job *job)
{
	struct allocation *allocation = container_of(job, struct allocation, job);

	if (allocation->alloc)
		allocation->error =
			allocation->alloc(allocation->node, allocation->size, &allocation->fd);
	else
		allocation->error =
			memory_new_heap(allocation->memory, allocation->size, &allocation->fd);
}

static int fault_set(struct buffer_fault *fault, uint32_t status, const char *text, int error)
{
	*fault = (struct buffer_fault){.status = status, .text = text};
	return error;
}

static void explain(const struct allocation *allocation, struct buffer_fault *fault)
{
	int error = allocation->error;

	if (allocation->kind == DSP_MEMORY_HEAP && (error == -ENODEV || error == -EACCES))
		fault_set(fault, DSP_UNSUPPORTED,
			"the broker has no /dev/dma_heap/system, or may not open it", error);
	else if (error == -ENODEV || error == -ENXIO || error == -EPIPE)
		fault_set(fault, DSP_DEVICE_DOWN, "the device is gone", error);
	else
		fault_set(fault, DSP_NO_RESOURCES, "the kernel has no such memory now", error);
}

/* Make a buffer of what there is now. */
static void finish(struct allocation *allocation)
{
	struct client *client = allocation->client;
	struct buffer *buffer = NULL;
	struct buffer_fault fault = {};

	if (allocation->error < 0)
		explain(allocation, &fault);
	else if (!client->dead)
		buffer_new_dmabuf(&buffer, client, allocation->fd, allocation->size,
			allocation->kind, &fault);
	if (buffer)
		allocation->fd = -1;
	else
		buffer_unreserve(client, allocation->size);
	if (!client->dead)
		allocation->ended(client, allocation->serial, buffer, &fault);
}

static void done(struct job *job)
{
	struct allocation *allocation = container_of(job, struct allocation, job);
	struct client *client = allocation->client;

	client->n_allocations--;
	finish(allocation);
	allocation_free(allocation);
	client->holds--;
	client_collect(client);
}

/* Get what DSP_MEMORY_DEVICE is made with. */
static int open_node(struct allocation *allocation, struct session *session,
	struct buffer_fault *fault)
{
	const struct transport_ops *ops = session->device->ops;
	int r;

	fault->status = DSP_OVER_LIMIT;
	if (quota_charge(&allocation->client->quota, QUOTA_FDS, 1, &fault->refusal) < 0)
		return -EDQUOT;
	r = ops->memory_node(session);
	if (r >= 0) {
		allocation->node = r;
		allocation->alloc = ops->memory_alloc;
		return 0;
	}
	quota_release(&allocation->client->quota, QUOTA_FDS, 1);
	if (r == -EAGAIN)
		return fault_set(fault, DSP_BUSY, "the session's device is busy", r);
	if (r == -EPERM)
		return fault_set(fault, DSP_DENIED,
			"memory of the device's own allocator needs \"device_memory\" in policy",
			r);
	return fault_set(fault, DSP_NO_RESOURCES, "the session's device gives no memory now", r);
}

int allocation_begin(struct client *client, const struct dsp_alloc *request,
	struct session *session, allocation_fn ended, struct buffer_fault *fault)
{
	_cleanup_(allocation_freep) struct allocation *allocation = malloc(sizeof(*allocation));
	int r;

	if (!allocation)
		return fault_set(fault, DSP_NO_RESOURCES, "out of memory", -ENOMEM);
	*allocation = (struct allocation){
		.job = {.run = run, .done = done},
		.client = client,
		.serial = request->header.serial,
		.kind = (enum dsp_memory)request->memory,
		.size = request->size,
		.ended = ended,
		.memory = client->broker->memory,
		.node = -1,
		.error = -ECANCELED, /* unless it runs */
		.fd = -1,
	};
	if (allocation->kind == DSP_MEMORY_DEVICE) {
		r = open_node(allocation, session, fault);
		if (r < 0)
			return r;
	}
	r = buffer_reserve(client, &allocation->size, fault);
	if (r < 0)
		return r;
	client->n_allocations++;
	client->holds++;
	workers_run(client->broker->workers, &TAKE_PTR(allocation)->job);
	return 0;
}
