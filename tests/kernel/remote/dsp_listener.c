// SPDX-License-Identifier: MIT
/*
 * The reverse tunnel: a thread of the host waits in a call, next, until the DSP has a request, and
 * answers it by the following one.
 */
#include <stdio.h>
#include <string.h>

#include "tests/kernel/remote/dsp_state.h"

#define PACKED_MAX (64 * 1024 * 1024)
#define HOST_OPEN  FASTRPC_SCALARS(0, 2, 2)

struct packed {
	uint8_t *data;
	size_t size;
};

/* What the host is asked. It belongs to who asks, and is guarded by the DSP's lock. */
struct request {
	uint32_t context, handle, scalars;
	struct packed inputs;
	uint32_t claimed; /* the size of the inputs, as the host is told it */
	bool taken;       /* the host knows of it */
	bool done;
	int32_t result;
	struct packed outputs; /* owned */
};

struct dsp_listener_state {
	pthread_cond_t changed;
	struct request *request; /* NULL: none */
	uint32_t last_context;
	struct request nonsense; /* one that nobody waits for */
	unsigned int next_nonsense;
};

/* Packed lists: a length, and if it is not 0 the bytes, aligned. */

static size_t align(size_t size)
{
	return (size + LISTENER_ALIGN - 1) & ~(size_t)(LISTENER_ALIGN - 1);
}

static int pack_word(struct packed *packed, uint32_t word)
{
	uint8_t *data = realloc(packed->data, packed->size + sizeof(word));

	if (!data)
		return -ENOMEM;
	memcpy(data + packed->size, &word, sizeof(word));
	packed->data = data;
	packed->size += sizeof(word);
	return 0;
}

static int pack_bytes(struct packed *packed, const void *bytes, size_t size)
{
	size_t at = align(packed->size);
	uint8_t *data = realloc(packed->data, at + size);

	if (!data)
		return -ENOMEM;
	packed->data = data;
	memset(data + packed->size, 0, at - packed->size);
	packed->size = at + size;
	return dsp_copy(data + at, bytes, size) ? 0 : -EFAULT;
}

/* Inputs, then the lengths of outputs. */
static int pack(struct packed *packed, uint32_t scalars, const remote_arg *args)
{
	unsigned int n_in = FASTRPC_INPUTS(scalars), n = n_in + FASTRPC_OUTPUTS(scalars);
	int r = 0;

	for (unsigned int i = 0; i < n && r >= 0; i++) {
		size_t size = args[i].buf.nLen;

		if (size > PACKED_MAX)
			return -E2BIG;
		r = pack_word(packed, (uint32_t)size);
		if (r >= 0 && i < n_in && size > 0)
			r = pack_bytes(packed, args[i].buf.pv, size);
	}
	return r;
}

static int unpack(const struct packed *packed, uint32_t scalars, remote_arg *args)
{
	unsigned int n = FASTRPC_OUTPUTS(scalars);
	size_t at = 0;
	uint32_t size;

	args += FASTRPC_INPUTS(scalars);
	for (unsigned int i = 0; i < n; i++) {
		if (packed->size - at < sizeof(size))
			return -EPROTO;
		memcpy(&size, packed->data + at, sizeof(size));
		at += sizeof(size);
		if (size != args[i].buf.nLen)
			return -EPROTO;
		if (size == 0)
			continue;
		at = align(at);
		if (at > packed->size || size > packed->size - at)
			return -EPROTO;
		if (!dsp_copy(args[i].buf.pv, packed->data + at, size))
			return -EFAULT;
		at += size;
	}
	return 0;
}

/* Nonsense. */

static const struct nonsense {
	uint32_t handle, scalars;
	uint32_t words[4];
	size_t n_words;
	uint32_t claimed; /* 0: as it is */
} nonsenses[] = {
	/* a handle that the host did not give out */
	{0xdeadbeef, FASTRPC_SCALARS(2, 1, 0), {4, 0, 1}, 3, 0},
	/* a method that there is not */
	{0, FASTRPC_SCALARS(30, 1, 0), {4, 0, 1}, 3, 0},
	/* more arguments than anybody has, and handles */
	{0, FASTRPC_SCALARS(0, 255, 255) | 0xff, {0}, 1, 0},
	/* lengths beyond the packet */
	{0, HOST_OPEN, {4096, 0, 1}, 3, 0},
	/* a length that overflows when it is aligned or added to */
	{0, HOST_OPEN, {UINT32_MAX, 0, 1}, 3, 0},
	/* inputs of which the rest cannot be fetched */
	{0, HOST_OPEN, {8, 0, 1, 1}, 4, UINT32_MAX},
};

/* What is right, but for nothing. */
static const char flood_name[] = "apps_std";
static const uint32_t flood_words[] = {sizeof(flood_name), 0};

static int make_flood(struct request *request)
{
	remote_arg args[] = {
		{.buf = {(void *)(uintptr_t)flood_words, sizeof(flood_words)}},
		{.buf = {(void *)(uintptr_t)flood_name, sizeof(flood_name)}},
		{.buf = {NULL, sizeof(struct remotectl_open_out)}},
		{.buf = {NULL, 0}},
	};

	*request = (struct request){.handle = 0, .scalars = HOST_OPEN};
	return pack(&request->inputs, request->scalars, args);
}

static int make_nonsense(struct dsp_listener_state *listener, struct request *request)
{
	const struct nonsense *nonsense =
		&nonsenses[listener->next_nonsense++ % ARRAY_SIZE(nonsenses)];
	int r = 0;

	*request = (struct request){.handle = nonsense->handle, .scalars = nonsense->scalars};
	for (size_t i = 0; i < nonsense->n_words && r >= 0; i++)
		r = pack_word(&request->inputs, nonsense->words[i]);
	request->claimed = nonsense->claimed;
	return r;
}

/* With the lock. */

static void ask(struct dsp_listener_state *listener, struct request *request)
{
	request->context = ++listener->last_context;
	if (!request->claimed)
		request->claimed = (uint32_t)request->inputs.size;
	listener->request = request;
	dsp.counts.host_calls++;
	pthread_cond_broadcast(&listener->changed);
}

static void forget(struct request *request)
{
	free(request->inputs.data);
	free(request->outputs.data);
	*request = (struct request){.context = 0};
}

/* A fault may have something to ask, too. */
static void ask_nonsense(struct dsp_listener_state *listener)
{
	struct request *request = &listener->nonsense;
	int r;

	if (listener->request)
		return;
	forget(request);
	if (dsp_fault_take(DSP_FAULT_HOST_GARBAGE))
		r = make_nonsense(listener, request);
	else if (dsp_fault_take(DSP_FAULT_HOST_FLOOD))
		r = make_flood(request);
	else
		return;
	if (r >= 0)
		ask(listener, request);
}

static void answered(struct dsp_listener_state *listener, int32_t result, struct packed *outputs)
{
	struct request *request = listener->request;

	if (result != 0)
		dsp.counts.host_errors++;
	request->result = result;
	request->outputs = *outputs;
	*outputs = (struct packed){.data = NULL};
	request->done = true;
	listener->request = NULL;
	pthread_cond_broadcast(&listener->changed);
}

/* As much of the inputs as there is room for. */
static bool give_inputs(const struct dsp_call *call, const struct request *request, uint32_t offset,
	uint32_t room)
{
	size_t left = offset < request->inputs.size ? request->inputs.size - offset : 0;
	size_t size = MIN(left, room);

	return size == 0 || dsp_output(call, 1, request->inputs.data + offset, size);
}

/* What the host calls. */

static int32_t init(struct dsp_call *call)
{
	struct dsp_listener_state *listener = calloc(1, sizeof(*listener));

	if (!listener || dsp_condition_init(&listener->changed) < 0) {
		free(listener);
		return DSP_ENOMEMORY;
	}
	pthread_mutex_lock(&dsp.lock);
	if (!call->domain->listener)
		call->domain->listener = TAKE_PTR(listener);
	pthread_mutex_unlock(&dsp.lock);
	dsp_listener_free(listener);
	return AEE_SUCCESS;
}

/* With the lock. Waits for a request and hands it over. */
static int32_t hand_over(struct dsp_call *call, uint32_t room)
{
	struct dsp_listener_state *listener = call->domain->listener;
	struct listener_next_out out;
	struct request *request;

	for (;;) {
		if (call->domain->ending)
			return DSP_NO_DOMAIN;
		ask_nonsense(listener);
		request = listener->request;
		if (request && !request->taken)
			break;
		pthread_cond_wait(&listener->changed, &dsp.lock);
	}
	out = (struct listener_next_out){
		.context = request->context,
		.handle = request->handle,
		.scalars = request->scalars,
		.inputs_size = request->claimed,
	};
	if (!dsp_output(call, 0, &out, sizeof(out)) || !give_inputs(call, request, 0, room))
		return DSP_EBADPARM;
	request->taken = true;
	return AEE_SUCCESS;
}

static int take_outputs(const struct dsp_call *call, size_t size, struct packed *outputs)
{
	if (size == 0)
		return 0;
	if (size > PACKED_MAX)
		return -E2BIG;
	outputs->data = malloc(size);
	outputs->size = size;
	if (!outputs->data)
		return -ENOMEM;
	return dsp_input(call, 1, outputs->data, size) ? 0 : -EFAULT;
}

static int32_t next(struct dsp_call *call)
{
	struct dsp_listener_state *listener = call->domain->listener;
	struct packed outputs = {.data = NULL};
	struct listener_next_in in;
	int32_t result;

	if (!dsp_input(call, 0, &in, sizeof(in)))
		return DSP_EBADPARM;
	if (in.result == 0 && take_outputs(call, in.outputs_size, &outputs) < 0) {
		free(outputs.data);
		return DSP_EBADPARM;
	}
	pthread_mutex_lock(&dsp.lock);
	if (listener->request && listener->request->taken &&
		listener->request->context == in.context)
		answered(listener, in.result, &outputs);
	result = hand_over(call, in.inputs_room);
	pthread_mutex_unlock(&dsp.lock);
	free(outputs.data);
	return result;
}

static int32_t more(struct dsp_call *call)
{
	struct dsp_listener_state *listener = call->domain->listener;
	const struct request *request;
	struct listener_more_in in;
	struct listener_more_out out;
	int32_t result = DSP_EBADPARM;

	if (!dsp_input(call, 0, &in, sizeof(in)))
		return DSP_EBADPARM;
	pthread_mutex_lock(&dsp.lock);
	request = listener->request;
	if (request && request->taken && request->context == in.context &&
		in.offset <= request->inputs.size) {
		out.inputs_size = request->claimed;
		if (dsp_output(call, 0, &out, sizeof(out)) &&
			give_inputs(call, request, in.offset, in.inputs_room))
			result = AEE_SUCCESS;
	}
	pthread_mutex_unlock(&dsp.lock);
	return result;
}

int32_t dsp_listener(struct dsp_call *call)
{
	static const struct {
		uint32_t scalars;
		int32_t (*serve)(struct dsp_call *call);
	} methods[] = {{LISTENER_INIT, init}, {LISTENER_NEXT, next}, {LISTENER_MORE, more}};

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		if (methods[i].scalars != call->scalars)
			continue;
		if (methods[i].serve != init && !call->domain->listener)
			return DSP_ERROR(AEE_EBADSTATE);
		return methods[i].serve(call);
	}
	return DSP_EUNSUPPORTED;
}

/* What the DSP calls. */

/* With the lock. */
static int32_t ask_and_wait(struct dsp_domain *domain, struct request *request)
{
	struct dsp_listener_state *listener = domain->listener;

	if (!listener)
		return AEE_EUNSUPPORTED;
	while (!domain->ending && listener->request)
		pthread_cond_wait(&listener->changed, &dsp.lock);
	if (domain->ending)
		return AEE_EBADSTATE;
	ask(listener, request);
	while (!domain->ending && !request->done)
		pthread_cond_wait(&listener->changed, &dsp.lock);
	if (request->done)
		return request->result;
	if (listener->request == request)
		listener->request = NULL;
	return AEE_EBADSTATE;
}

int32_t dsp_call_host(struct dsp_domain *domain, uint32_t handle, uint32_t scalars,
	remote_arg *args)
{
	struct request request = {.handle = handle, .scalars = scalars};
	int32_t result = AEE_ENOMEMORY;

	if (pack(&request.inputs, scalars, args) >= 0) {
		pthread_mutex_lock(&dsp.lock);
		result = ask_and_wait(domain, &request);
		pthread_mutex_unlock(&dsp.lock);
		if (result == AEE_SUCCESS && unpack(&request.outputs, scalars, args) < 0)
			result = AEE_EFAILED;
	}
	forget(&request);
	return result;
}

void dsp_listener_wake(struct dsp_domain *domain)
{
	if (domain->listener)
		pthread_cond_broadcast(&domain->listener->changed);
}

void dsp_listener_free(struct dsp_listener_state *listener)
{
	if (!listener)
		return;
	forget(&listener->nonsense);
	pthread_cond_destroy(&listener->changed);
	free(listener);
}
