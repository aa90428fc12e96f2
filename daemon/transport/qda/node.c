// SPDX-License-Identifier: MIT
#include "daemon/transport/qda/node.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "daemon/transport/fastrpc/call.h"
#include "daemon/transport/qda/objects.h"
#include "daemon/transport/qda/scan.h"
#include "daemon/transport/qda/scratch.h"
#include "daemon/transport/transport.h"
#include "daemon/worker.h"

/* What the DSP tells of itself: as many words as drivers/misc/fastrpc.c asks for, without the
 * first, which the DSP does not know. */
#define ATTRIBUTES        255
#define ATTRIBUTES_METHOD FASTRPC_SCALARS(0, 1, 1)
#define UNSUPPORTED       ((int32_t)0x80000414) /* what a DSP says that tells nothing */

/* Of scratches for calls, the tunnel and the end: a dma-buf, and a memfd where there is no heap. */
#define SCRATCH_FDS (2 * (FASTRPC_CALLS + 2))

/* node->own */
struct own {
	struct objects objects;
	struct scratch_pool pool;
	/* The answer to a call that was interrupted will meet the next one, whose memory the kernel
	 * then frees while the DSP is at it: there is none. */
	atomic_bool interrupted;
};

static struct own *own_of(const struct node *node)
{
	return node->own;
}

static struct node_result failed(int error)
{
	return (struct node_result){.error = error};
}

/* Opening. */

/* Numbers of nodes move when DSPs restart. */
static int check(const struct node *node, const struct node_place *place)
{
	char name[POSTED_NAME_SIZE];
	int r = posted_is_driver(node->fd);

	if (r == 0)
		r = -ENODEV;
	if (r > 0)
		r = posted_query(node->fd, name);
	return r < 0 ? r : strcmp(name, place->label) == 0 ? 0 : -ENODEV;
}

/* Its handles go with the node, which has to be closed before. */
static void own_free(struct own *own)
{
	scratch_pool_deinit(&own->pool);
	objects_deinit(&own->objects);
	free(own);
}

static void qda_close(struct node *node)
{
	struct own *own = own_of(node);

	node_give_back(node);
	node->driver = &qda_driver;
	node->own = own;
}

static void qda_dispose(struct node *node)
{
	if (node->own)
		own_free(own_of(node));
}

static void qda_stop(struct node *node)
{
	if (node->own)
		atomic_store(&own_of(node)->interrupted, true);
}

/* The first object gets the kernel session its context bank, so it shows whether one is free. */
static int begin(struct node *node, const struct node_place *place)
{
	struct own *own = calloc(1, sizeof(*own));

	if (!own)
		return -ENOMEM;
	node->own = own;
	objects_init(&own->objects, node->fd);
	return scratch_pool_init(&own->pool, &own->objects, place->memory, place->coherent);
}

static int qda_open(struct node *node, const struct node_place *place)
{
	int r = node_open_as(node, &qda_driver, place);

	if (r < 0)
		return r;
	r = check(node, place);
	if (r == 0)
		r = begin(node, place);
	if (r < 0) {
		qda_close(node);
		node_dispose(node);
	}
	return r;
}

/* Calling. */

/* A DSP may return any number, so it is looked at what else speaks for the kernel: a signal for
 * -EINTR; for the end of the DSP, that the driver knows no more which it was. */
static bool is_of_kernel(const struct node *node, int error, unsigned int signals)
{
	char name[POSTED_NAME_SIZE];

	if (error == -EINTR)
		return worker_signals() != signals;
	if (error == -ENODEV || error == -EPIPE)
		return posted_query(node->fd, name) < 0;
	return node_is_of_kernel(error);
}

static struct node_result judge(const struct node *node, struct node_result result,
	unsigned int signals)
{
	if (result.error && !is_of_kernel(node, result.error, signals))
		return (struct node_result){.result = result.error};
	if (result.error == -EINTR)
		atomic_store(&own_of(node)->interrupted, true);
	return result;
}

static bool was_interrupted(const struct node *node)
{
	return atomic_load(&own_of(node)->interrupted);
}

/* What a processor wrote there, and the DSP shall see, or the reverse. */
static void sync_all(const struct node_arg *args, unsigned int n,
	void (*sync)(const struct node_buffer *object))
{
	for (unsigned int i = 0; i < n; i++)
		if (args[i].buffer && args[i].buffer->synced)
			sync(args[i].buffer);
}

static struct node_result invoke_once(const struct node *node, uint32_t handle, uint32_t scalars,
	const struct posted_arg *args)
{
	const unsigned int signals = worker_signals();
	struct node_result result =
		judge(node, posted_invoke(node->fd, handle, scalars, args), signals);

	/* None but the kernel's own calls have a time-out. */
	if (result.error == -ETIMEDOUT)
		result = (struct node_result){.result = result.error};
	return result;
}

/* With @scratch, or NULL if none of it is memory of ours. */
static struct node_result invoke_with(const struct node *node, const struct scratch *scratch,
	uint32_t handle, uint32_t scalars, const struct node_arg *args)
{
	const unsigned int n_in = FASTRPC_INPUTS(scalars), n = n_in + FASTRPC_OUTPUTS(scalars);
	struct posted_arg packed[DSP_ARGS_MAX];
	struct node_result result;

	scratch_pack(&own_of(node)->pool, scratch, args, n_in, n, packed);
	sync_all(args, n, object_flush);
	result = invoke_once(node, handle, scalars, packed);
	sync_all(args, n, object_invalidate);
	if (!result.error)
		scratch_unpack(&own_of(node)->pool, scratch, args, n_in, n, packed);
	return result;
}

static struct node_result qda_invoke(struct node *node, uint32_t handle, uint32_t scalars,
	const struct node_arg *args)
{
	const unsigned int n = FASTRPC_INPUTS(scalars) + FASTRPC_OUTPUTS(scalars);
	struct scratch_pool *pool = &own_of(node)->pool;
	struct scratch *scratch = NULL;
	struct node_result result;
	size_t size;
	int r = 0;

	if (was_interrupted(node))
		return failed(-EINTR);
	if (n > DSP_ARGS_MAX || !scratch_size(args, n, &size))
		return failed(-EINVAL);
	if (size)
		r = scratch_take(pool, size, &scratch);
	if (r < 0)
		return failed(r);
	result = invoke_with(node, scratch, handle, scalars, args);
	/* The DSP may be at it until the node is closed. */
	if (scratch && result.error != -EINTR)
		scratch_give_back(pool, scratch);
	return result;
}

static int qda_attributes(struct node *node, uint32_t number, uint32_t values[FASTRPC_ATTRIBUTES])
{
	uint32_t count = ATTRIBUTES, told[ATTRIBUTES];
	const struct node_arg args[] = {
		{.data = &count, .length = sizeof(count)},
		{.data = told, .length = sizeof(told)},
	};
	struct node_result result = qda_invoke(node, FASTRPC_UTILITIES, ATTRIBUTES_METHOD, args);

	(void)number; /* there is but one behind a node */
	if (!result.error && result.result == UNSUPPORTED)
		return -EOPNOTSUPP;
	if (node_errno(result) < 0)
		return node_errno(result);
	values[FASTRPC_ATTRIBUTE_DOMAIN] = 0;
	memcpy(&values[1], told, (FASTRPC_ATTRIBUTES - 1) * sizeof(told[0]));
	return 0;
}

/* Domains. */

static struct node_result qda_create(struct node *node, int shell, uint32_t size,
	uint32_t attributes)
{
	const unsigned int signals = worker_signals();
	struct objects *objects = &own_of(node)->objects;
	struct node_buffer object;
	struct node_result result;
	int r;

	if (was_interrupted(node))
		return failed(-EINTR);
	r = object_import(objects, shell, size, &object);
	if (r < 0)
		return failed(r);
	result = judge(node, posted_create(node->fd, shell, size, attributes), signals);
	/* A DSP that has not answered may still read it. */
	if (result.error == -EINTR || result.error == -ETIMEDOUT ||
		object_close(objects, &object) < 0)
		object_forget(&object);
	return result;
}

/* Memory. */

static int qda_map(struct node *node, int dmabuf, uint64_t size, bool keep, struct node_buffer *out)
{
	int r = object_import(&own_of(node)->objects, dmabuf, size, out);

	if (r < 0)
		return r;
	out->kept = keep;
	out->synced = !keep;
	/* Exporters prepare at the first time, and not all of them can do that for two threads. */
	if (out->synced)
		object_flush(out);
	return 0;
}

static int qda_unmap(struct node *node, struct node_buffer *buffer)
{
	return object_close(&own_of(node)->objects, buffer);
}

static struct node_result qda_grow(struct node *node, uint64_t size, uint64_t *remote)
{
	const unsigned int signals = worker_signals();

	*remote = 0;
	if (was_interrupted(node))
		return failed(-EINTR);
	return judge(node, posted_grow(node->fd, size, remote), signals);
}

static struct node_result qda_shrink(struct node *node, uint64_t remote, uint64_t size)
{
	const unsigned int signals = worker_signals();

	if (was_interrupted(node))
		return failed(-EINTR);
	return judge(node, posted_shrink(node->fd, remote, size), signals);
}

const struct fastrpc_driver qda_driver = {
	.transport = &qda_transport,
	.name = "the DRM accel driver",
	.interrupted_ends = true,
	.fds = SCRATCH_FDS,
	.scan = qda_scan,
	.open = qda_open,
	.close = qda_close,
	.dispose = qda_dispose,
	.stop = qda_stop,
	.invoke = qda_invoke,
	.create = qda_create,
	.map = qda_map,
	.unmap = qda_unmap,
	.forget = object_forget,
	.grow = qda_grow,
	.shrink = qda_shrink,
	.attributes = qda_attributes,
};
