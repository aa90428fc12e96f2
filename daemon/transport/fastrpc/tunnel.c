// SPDX-License-Identifier: MIT
/*
 * Lists of buffers have the format of the vendor's inc/listener_buf.h: of each input its length
 * (u32), then, unless that is 0, its bytes, at the next multiple of 8 from the start of the list;
 * behind the last one the lengths of all outputs (u32 each). Outputs come back in the form of
 * inputs, and only when the call went well. How the two sides take turns: src/listener_android.c
 * there.
 */
#include "daemon/transport/fastrpc/tunnel.h"

#include <stdio.h>
#include <string.h>

#include "daemon/transport/fastrpc/driver.h"
#include "daemon/transport/fastrpc/retry.h"
#include "daemon/transport/fastrpc/window.h"
#include "protocol/util.h"

/* Interfaces that a DSP may have open at once. */
#define HANDLES_MAX 64
/* Bytes of inputs that a request brings at once; most have less, and the kernel copies all of this
 * each time. */
#define ROOM 4096

struct tunnel {
	struct host host;
	/* Of the handles from FASTRPC_HANDLES_STATIC on; NULL: not open. */
	const struct host_interface *open[HANDLES_MAX];
	struct guarded next, more; /* struct listener_next_out, struct listener_more_out */
	struct guarded inputs;
	uint8_t *outputs;
};

/* Handles. */

static int32_t open_interface(struct tunnel *tunnel, const struct host_interface *interface,
	uint32_t *handle)
{
	if (!interface)
		return AEE_ENOSUCH;
	for (uint32_t i = 0; i < HANDLES_MAX; i++) {
		if (tunnel->open[i])
			continue;
		tunnel->open[i] = interface;
		*handle = FASTRPC_HANDLES_STATIC + i;
		return AEE_SUCCESS;
	}
	return AEE_ENOMEMORY;
}

/* The slot of a handle that is open; NULL: it is not. */
static const struct host_interface **find_open(struct tunnel *tunnel, uint32_t handle)
{
	uint32_t i = handle - FASTRPC_HANDLES_STATIC;

	return i < HANDLES_MAX && tunnel->open[i] ? &tunnel->open[i] : NULL;
}

/* apps_remotectl: handle 0 at the host, by which a DSP opens the others. What came of it stands in
 * the first output, beside a sentence. */

static const char *explain(int32_t error)
{
	return error == AEE_ENOMEMORY ? "too many interfaces are open" : "no such interface";
}

/* Sentences are cut off where there is no room. */
static void put_error(struct host_call *call, int32_t error)
{
	if (error)
		snprintf((char *)call->out[1].data, call->out[1].size, "%s", explain(error));
}

static uint32_t remotectl_open(struct host *host, struct host_call *call)
{
	struct tunnel *tunnel = container_of(host, struct tunnel, host);
	uint32_t name_size = host_word(call, 0), handle = 0;
	const char *name;
	int32_t error;
	size_t size;

	if (name_size > call->in[1].size || host_word(call, 1) > call->out[1].size)
		return AEE_EBADPARM;
	call->in[1].size = name_size;
	name = host_string(call, 1, &size);
	if (!name)
		return AEE_EBADPARM;
	error = open_interface(tunnel, host_find(name, size), &handle);
	host_put_word(call, 0, handle);
	host_put_word(call, 1, (uint32_t)error);
	put_error(call, error);
	return AEE_SUCCESS;
}

static uint32_t remotectl_close(struct host *host, struct host_call *call)
{
	struct tunnel *tunnel = container_of(host, struct tunnel, host);
	const struct host_interface **open = find_open(tunnel, host_word(call, 0));
	int32_t error = open ? AEE_SUCCESS : AEE_ENOSUCH;

	if (host_word(call, 1) > call->out[1].size)
		return AEE_EBADPARM;
	if (open)
		*open = NULL;
	host_put_word(call, 0, (uint32_t)error);
	put_error(call, error);
	return AEE_SUCCESS;
}

static const struct host_method remotectl_methods[] = {
	{.number = 0,
		.scalars = REMOTECTL_OPEN,
		.in_size = sizeof(struct remotectl_open_in),
		.out_size = sizeof(struct remotectl_open_out),
		.serve = remotectl_open},
	{.number = 1,
		.scalars = REMOTECTL_CLOSE,
		.in_size = sizeof(struct remotectl_close_in),
		.out_size = sizeof(struct remotectl_close_out),
		.serve = remotectl_close},
};

static const struct host_interface remotectl = {
	.name = "apps_remotectl",
	.methods = remotectl_methods,
	.n_methods = ARRAY_SIZE(remotectl_methods),
};

static const struct host_interface *find_interface(struct tunnel *tunnel, uint32_t handle)
{
	const struct host_interface **open = find_open(tunnel, handle);

	if (handle == FASTRPC_REMOTECTL)
		return &remotectl;
	return open ? *open : NULL;
}

/* Packed lists. */

struct list_in {
	const uint8_t *data;
	size_t size, at;
};
struct list_out {
	uint8_t *data;
	size_t at; /* of HOST_BYTES_MAX */
};

/* Find the place of the next @size bytes of a list that has @end. Returns false if there is none.
 */
static bool advance(size_t *at, size_t size, size_t end)
{
	size_t next;

	if (__builtin_add_overflow(*at, size, &next) || next > end)
		return false;
	*at = next;
	return true;
}

static bool align(size_t *at, size_t end)
{
	return advance(at, -*at % LISTENER_ALIGN, end);
}

static bool take_word(struct list_in *list, uint32_t *word)
{
	size_t from = list->at;

	if (!advance(&list->at, sizeof(*word), list->size))
		return false;
	memcpy(word, list->data + from, sizeof(*word));
	return true;
}

static bool take_inputs(struct list_in *list, struct host_call *call)
{
	for (unsigned int i = 0; i < call->n_in; i++) {
		uint32_t size;

		if (!take_word(list, &size) || (size && !align(&list->at, list->size)))
			return false;
		call->in[i].data = list->data + list->at;
		call->in[i].size = size;
		if (!advance(&list->at, size, list->size))
			return false;
	}
	return true;
}

/* Returns them zeroed; NULL: there is no room. */
static uint8_t *make_room(struct list_out *list, size_t size)
{
	size_t from = list->at;

	if (!advance(&list->at, size, HOST_BYTES_MAX))
		return NULL;
	return memset(list->data + from, 0, size);
}

/* Lay the outputs out, of the sizes that follow the inputs. */
static bool make_outputs(struct list_in *sizes, struct list_out *list, struct host_call *call)
{
	for (unsigned int i = 0; i < call->n_out; i++) {
		uint8_t *place;
		uint32_t size;

		if (!take_word(sizes, &size) || !(place = make_room(list, sizeof(size))))
			return false;
		memcpy(place, &size, sizeof(size));
		if (size && !make_room(list, -list->at % LISTENER_ALIGN))
			return false;
		call->out[i].size = size;
		call->out[i].data = make_room(list, size);
		if (!call->out[i].data)
			return false;
	}
	return true;
}

uint32_t tunnel_answer(struct tunnel *tunnel, uint32_t handle, uint32_t scalars, const void *inputs,
	size_t size, void *out, size_t *out_size)
{
	const struct host_interface *interface = find_interface(tunnel, handle);
	struct host_call call = {
		.n_in = FASTRPC_INPUTS(scalars),
		.n_out = FASTRPC_OUTPUTS(scalars),
	};
	struct list_in in = {.data = inputs, .size = size};
	struct list_out list = {.data = out};
	uint32_t error;

	*out_size = 0;
	if (!interface)
		return AEE_ENOSUCH;
	/* Handles among the arguments: no method has any, see host_serve(). */
	if (size > HOST_BYTES_MAX || call.n_in > HOST_BUFFERS_MAX || call.n_out > HOST_BUFFERS_MAX)
		return AEE_EBADPARM;
	if (!take_inputs(&in, &call) || !make_outputs(&in, &list, &call))
		return AEE_EBADPARM;
	error = host_serve(&tunnel->host, interface, scalars, &call);
	if (!error)
		*out_size = list.at;
	return error;
}

/* The loop. */

/* Memory of ours, which is copied. */
static struct node_arg argument(const void *data, size_t size)
{
	return (struct node_arg){.data = (void *)(uintptr_t)data, .length = size};
}

static struct node_result call_listener(struct tunnel *tunnel, uint32_t scalars,
	const struct node_arg *args)
{
	struct node_result result;
	struct retry retry = {};

	do
		result = node_invoke(tunnel->host.options->node, FASTRPC_LISTENER, scalars, args);
	while (retry_after(&retry, result.error));
	return result;
}

static struct node_result ask_next(struct tunnel *tunnel, const struct listener_next_in *answer,
	struct listener_next_out *request)
{
	const struct node_arg args[] = {
		argument(answer, sizeof(*answer)),
		argument(tunnel->outputs, answer->outputs_size),
		argument(tunnel->next.data, sizeof(*request)),
		argument(tunnel->inputs.data, answer->inputs_room),
	};
	struct node_result result = call_listener(tunnel, LISTENER_NEXT, args);

	memcpy(request, tunnel->next.data, sizeof(*request));
	return result;
}

/* The inputs for which there was no room. Whatever goes wrong: if it is the end, then asking for
 * the next request says so too. */
static bool fetch_rest(struct tunnel *tunnel, const struct listener_next_out *request)
{
	const struct listener_more_in in = {
		.context = request->context,
		.offset = ROOM,
		.inputs_room = request->inputs_size - ROOM,
	};
	const struct node_arg args[] = {
		argument(&in, sizeof(in)),
		argument(tunnel->more.data, sizeof(struct listener_more_out)),
		argument((uint8_t *)tunnel->inputs.data + ROOM, in.inputs_room),
	};
	struct node_result result = call_listener(tunnel, LISTENER_MORE, args);
	struct listener_more_out out;

	memcpy(&out, tunnel->more.data, sizeof(out));
	return !result.error && !result.result && out.inputs_size <= request->inputs_size;
}

static struct listener_next_in answer_request(struct tunnel *tunnel,
	const struct listener_next_out *request)
{
	struct listener_next_in answer = {.context = request->context, .inputs_room = ROOM};
	size_t size;

	if (request->inputs_size > HOST_BYTES_MAX)
		answer.result = AEE_EBADPARM;
	else if (request->inputs_size > ROOM && !fetch_rest(tunnel, request))
		answer.result = AEE_EFAILED;
	else {
		answer.result = (int32_t)tunnel_answer(tunnel, request->handle, request->scalars,
			tunnel->inputs.data, request->inputs_size, tunnel->outputs, &size);
		answer.outputs_size = (uint32_t)size;
	}
	return answer;
}

struct node_result tunnel_begin(struct tunnel *tunnel)
{
	return call_listener(tunnel, LISTENER_INIT, NULL);
}

struct node_result tunnel_run(struct tunnel *tunnel, const atomic_bool *stop)
{
	/* No answer, to begin with. */
	struct listener_next_in answer = {.result = -1, .inputs_room = ROOM};

	while (!atomic_load(stop)) {
		struct listener_next_out request;
		struct node_result result = ask_next(tunnel, &answer, &request);

		if (result.error || result.result)
			return result;
		answer = answer_request(tunnel, &request);
	}
	return (struct node_result){.error = -EINTR};
}

/* Beginning and end. */

static int allocate(struct tunnel *tunnel)
{
	int r = guarded_new(&tunnel->next, sizeof(struct listener_next_out));

	if (r == 0)
		r = guarded_new(&tunnel->more, sizeof(struct listener_more_out));
	if (r == 0)
		r = guarded_new(&tunnel->inputs, HOST_BYTES_MAX);
	tunnel->outputs = malloc(HOST_BYTES_MAX);
	return r == 0 && !tunnel->outputs ? -ENOMEM : r;
}

struct tunnel *tunnel_free(struct tunnel *tunnel)
{
	if (!tunnel)
		return NULL;
	host_deinit(&tunnel->host);
	guarded_free(&tunnel->next);
	guarded_free(&tunnel->more);
	guarded_free(&tunnel->inputs);
	free(tunnel->outputs);
	free(tunnel);
	return NULL;
}
DEFINE_CLEANUP(struct tunnel *, tunnel_free);

int tunnel_new(struct tunnel **out, const struct host_options *options)
{
	_cleanup_(tunnel_freep) struct tunnel *tunnel = calloc(1, sizeof(*tunnel));
	int r;

	if (!tunnel)
		return -ENOMEM;
	r = host_init(&tunnel->host, options);
	if (r == 0)
		r = allocate(tunnel);
	if (r < 0)
		return r;
	*out = TAKE_PTR(tunnel);
	return 0;
}
