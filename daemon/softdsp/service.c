// SPDX-License-Identifier: MIT
#include "daemon/softdsp/service.h"

#include <string.h>

#include "protocol/clock.h"
#include "protocol/util.h"
#include "protocol/wire.h"

#define FIELD(member)        ((uint32_t)offsetof(struct dsp_slot, member))
#define ARG_FIELD(i, member) (ring_arg_offset(i) + (uint32_t)offsetof(struct dsp_arg, member))

/* What follows returns an enum dsp_status, or a negative errno as service_run() does. */

static int invalid(struct dsp_completion *out, uint32_t field)
{
	out->detail = field;
	return DSP_INVALID;
}

static int returned(struct dsp_completion *out, uint64_t started_ns, int result)
{
	out->busy_ns = clock_ns() - started_ns;
	out->result = result;
	return result ? DSP_DSP_ERROR : DSP_OK;
}

static bool session_is_open(const struct service *service, uint32_t session)
{
	return session < SOFT_SESSIONS_MAX && service->sessions[session].open;
}

static int open_session(struct service *service, const struct dsp_entry *entry,
	struct dsp_completion *out)
{
	uint64_t started;
	int status;

	if (entry->session >= SOFT_SESSIONS_MAX || service->sessions[entry->session].open)
		return invalid(out, FIELD(session));
	started = clock_ns();
	status = returned(out, started,
		module_open(&service->module, &service->sessions[entry->session].handle));
	service->sessions[entry->session].open = status == DSP_OK;
	return status;
}

static int close_session(struct service *service, const struct dsp_entry *entry,
	struct dsp_completion *out)
{
	uint64_t started;

	if (!session_is_open(service, entry->session))
		return DSP_NOT_FOUND;
	service->sessions[entry->session].open = false;
	started = clock_ns();
	return returned(out, started,
		module_close(&service->module, service->sessions[entry->session].handle));
}

static int unmap(struct service *service, const struct dsp_entry *entry, struct dsp_completion *out)
{
	struct mapping *mapping;
	int r;

	(void)out;
	r = mapping_find(&service->mappings, entry->target, &mapping);
	if (r < 0)
		return r;
	if (!mapping)
		return DSP_NOT_FOUND;
	mapping_remove(mapping);
	return DSP_OK;
}

/* Turn argument @i into memory of this domain. */
static int resolve(struct service *service, const struct dsp_entry *entry, unsigned int i,
	remote_arg *arg, struct dsp_completion *out)
{
	const struct dsp_arg *range = &entry->args[i];
	struct mapping *mapping;
	int r;

	*arg = (remote_arg){};
	if (!range->length)
		return DSP_OK;
	r = mapping_find(&service->mappings, range->buffer, &mapping);
	if (r < 0)
		return r;
	if (!mapping)
		return DSP_NOT_FOUND;
	if (!mapping->size || (i >= entry->n_in && !mapping->writable))
		return invalid(out, ARG_FIELD(i, buffer));
	if (range->offset > mapping->size)
		return invalid(out, ARG_FIELD(i, offset));
	if (range->length > mapping->size - range->offset)
		return invalid(out, ARG_FIELD(i, length));
	arg->buf = (remote_buf){mapping->base + range->offset, range->length};
	return DSP_OK;
}

/*
 * A method above 30 is named by the first word of input 0, which lies in memory that the client can
 * write. The module gets a private copy whose word is the method that was granted.
 */
static int protect_method(struct service *service, const struct dsp_entry *entry, remote_arg *input,
	struct dsp_completion *out)
{
	uint32_t method;

	if (!entry->n_in)
		return invalid(out, FIELD(n_in));
	if (input->buf.nLen < sizeof(method) || input->buf.nLen > sizeof(service->escape))
		return invalid(out, ARG_FIELD(0, length));
	memcpy(service->escape, input->buf.pv, input->buf.nLen);
	memcpy(&method, service->escape, sizeof(method));
	if (method != entry->method)
		return invalid(out, FIELD(method));
	input->buf.pv = service->escape;
	return DSP_OK;
}

static int invoke(struct service *service, const struct dsp_entry *entry,
	struct dsp_completion *out)
{
	remote_arg args[DSP_ARGS_MAX];
	uint64_t started;
	int r;

	if (!session_is_open(service, entry->session))
		return DSP_NOT_FOUND;
	/* Handles are opened and closed by entries of their own. */
	if (entry->method == SOFT_METHOD_OPEN || entry->method == SOFT_METHOD_CLOSE)
		return invalid(out, FIELD(method));
	for (unsigned int i = 0; i < (unsigned int)entry->n_in + entry->n_out; i++) {
		r = resolve(service, entry, i, &args[i], out);
		if (r != DSP_OK)
			return r;
	}
	if (entry->method >= SOFT_METHOD_ESCAPE) {
		r = protect_method(service, entry, &args[0], out);
		if (r != DSP_OK)
			return r;
	}
	started = clock_ns();
	return returned(out, started,
		module_invoke(&service->module, service->sessions[entry->session].handle,
			entry->method, entry->n_in, entry->n_out, args));
}

static int (*const operations[])(struct service *service, const struct dsp_entry *entry,
	struct dsp_completion *out) = {
	[DSP_OP_INVOKE] = invoke,
	[DSP_OP_MODULE_OPEN] = open_session,
	[DSP_OP_MODULE_CLOSE] = close_session,
	[DSP_OP_UNMAP] = unmap,
};

int service_run(struct service *service, const struct dsp_entry *entry,
	const struct dsp_entry_fault *fault, struct dsp_completion *out)
{
	int r;

	*out = (struct dsp_completion){.user_data = entry->user_data};
	if (entry->revoked)
		r = DSP_CANCELLED;
	else if (fault->field)
		r = invalid(out, fault->field);
	else if (entry->op >= ARRAY_SIZE(operations) || !operations[entry->op])
		r = DSP_UNSUPPORTED;
	else
		r = operations[entry->op](service, entry, out);
	if (r < 0)
		return r;
	out->status = (uint32_t)r;
	return 0;
}
