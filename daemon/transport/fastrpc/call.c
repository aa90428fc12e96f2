// SPDX-License-Identifier: MIT
#include "daemon/transport/fastrpc/call.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "daemon/broker.h"
#include "daemon/call.h"
#include "daemon/client.h"
#include "daemon/crew.h"
#include "daemon/session.h"
#include "daemon/transport/fastrpc/domain.h"
#include "daemon/transport/fastrpc/import.h"
#include "protocol/clock.h"

/* The kernel may have no room for a call (it has 255 of a DSP): how long to wait before it is asked
 * again, at first and at most. */
#define AGAIN_MIN_MS 1
#define AGAIN_MAX_MS 50

#define URI_SIZE 256

/* The kernel's own, which user space has no name for. */
#define ERESTARTSYS 512

/* The arguments of the broker's own calls; outputs last. */
struct module_call {
	char uri[URI_SIZE];
	union {
		struct remotectl_open_in open;
		struct remotectl_close_in close;
	} in;
	union {
		struct remotectl_open_out open;
		struct remotectl_close_out close;
	} out;
	char error[DSP_TEXT_SIZE];
};

/* In a thread. */

/* How often this thread has slept; -1: unknown. */
static long naps(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_THREAD, &usage) < 0 ? -1 : usage.ru_nvcsw;
}

/*
 * Did the kernel refuse the call before it was sent? A DSP may return a number that looks like
 * that; such a call ran, and must not run again. But who sent one has slept until the answer came.
 */
static bool was_refused(const struct fastrpc_slot *slot, long naps_before)
{
	return (slot->result.error == -ENOSPC || slot->result.error == -EAGAIN) &&
	       naps_before >= 0 && naps() == naps_before;
}

static bool has_inline_output(const struct fastrpc_slot *slot)
{
	unsigned int n_in = FASTRPC_INPUTS(slot->scalars);

	for (unsigned int i = 0; i < FASTRPC_OUTPUTS(slot->scalars); i++)
		if (!slot->args[n_in + i].buffer)
			return true;
	return false;
}

/* The DSP may return what looks like an error of the kernel's where the kernel can have none: it
 * copies nothing, or nobody has interrupted it. */
static void recognize(struct fastrpc_slot *slot)
{
	struct node_result *result = &slot->result;
	bool of_kernel = true;

	if (result->error == -EFAULT)
		of_kernel = slot->domain->driver->copies && has_inline_output(slot);
	else if (result->error == -EINTR)
		of_kernel = atomic_load(&slot->stop) || slot->domain->driver->interrupted_ends;
	if (!of_kernel)
		*result = (struct node_result){.result = result->error};
}

static void run(struct job *job)
{
	struct fastrpc_slot *slot = container_of(job, struct fastrpc_slot, job);
	int pause_ms = AGAIN_MIN_MS;
	long before;

	slot->result = (struct node_result){.error = -EINTR};
	slot->busy_ns = 0;
	while (!atomic_load(&slot->stop)) {
		before = naps();
		slot->result =
			node_invoke(&slot->domain->node, slot->handle, slot->scalars, slot->args);
		slot->busy_ns = clock_ns() - slot->begun_ns;
		recognize(slot);
		if (!was_refused(slot, before))
			return;
		poll(NULL, 0, pause_ms); /* a signal ends it, too */
		pause_ms = MIN(pause_ms * 2, AGAIN_MAX_MS);
		slot->begun_ns = clock_ns();
	}
}

/* What came of it. */

static void release_slot(struct fastrpc_slot *slot)
{
	free(slot->escape);
	slot->escape = NULL;
	guarded_free(&slot->own);
	slot->own = (struct guarded){};
	slot->call = NULL;
	slot->hung = false;
	slot->domain->lane.running -= !slot->sits;
}

/*
 * A DSP keeps a thread for each of ours that calls it. That of a call which hangs is lost, and
 * whatever our thread would call next in that domain would wait behind it: so it stays away. When
 * that is so of all there are, nobody can go on there any more.
 */
static void sit(struct job *job)
{
	struct fastrpc_slot *slot = container_of(job, struct fastrpc_slot, job);

	while (!atomic_load(&slot->stop))
		poll(NULL, 0, -1);
}

static void stood_up(struct job *job)
{
	struct fastrpc_slot *slot = container_of(job, struct fastrpc_slot, job);

	slot->sits = false;
	slot->domain->lane.running--;
	fastrpc_domain_job_done(slot->domain);
}

static void sit_out(struct fastrpc_slot *slot)
{
	struct fastrpc_domain *domain = slot->domain;
	size_t n = 0;

	slot->job = (struct job){.run = sit, .done = stood_up, .interruptible = true};
	crew_stay(domain->owner->device.broker->crew, &slot->job);
	for (size_t i = 0; i < FASTRPC_CALLS; i++)
		n += domain->slots[i].sits;
	if (n == FASTRPC_CALLS)
		fastrpc_domain_end(domain, DSP_DOMAIN_CRASHED,
			"its protection domain was ended, as too many calls there took longer than "
			"they may");
}

/* What an interrupted call used, its DSP may use on. */
static void pin(const struct fastrpc_slot *slot, const struct call *call)
{
	struct fastrpc_import *import;

	list_for_each (import, &slot->domain->imports, link)
		for (unsigned int i = 0; i < call->n_in + call->n_out; i++)
			import->pinned |= import->import.buffer == call->args[i].buffer;
}

static enum dsp_status kernels_status(const struct fastrpc_slot *slot, const struct call *call)
{
	static const struct {
		int error;
		enum dsp_status status;
	} meanings[] = {
		{-EPIPE, DSP_DEVICE_DOWN},
		{-EIO, DSP_DEVICE_DOWN},
		{-ENODEV, DSP_DEVICE_DOWN},
		{-EFAULT, DSP_DOMAIN_CRASHED}, /* it claimed to have written more than it may */
		{-ETIMEDOUT, DSP_DOMAIN_CRASHED},
		{-ENOSPC, DSP_BUSY},
		{-EAGAIN, DSP_BUSY},
	};

	if (call->outcome != DSP_OK)
		return call->outcome;
	if (slot->result.error == -EINTR)
		return slot->domain->end_status; /* it was interrupted for that */
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
		if (meanings[i].error == slot->result.error)
			return meanings[i].status;
	return DSP_NO_RESOURCES;
}

static void module_opened(struct fastrpc_slot *slot, struct dsp_completion *out)
{
	const struct module_call *own = slot->own.data;
	struct session *session = slot->call->session;

	if (own->out.open.error == 0 && own->out.open.handle >= FASTRPC_HANDLES_STATIC) {
		session->tag = own->out.open.handle;
		return;
	}
	out->status = DSP_DSP_ERROR;
	out->result = own->out.open.error;
	wire_string_set(session->trouble, sizeof(session->trouble), own->error);
}

/* A call that its domain's end cut short is answered as well, with some error. */
static bool was_cut_short(const struct fastrpc_slot *slot)
{
	return slot->result.result && (slot->call->outcome || slot->domain->ending);
}

static void ran(struct fastrpc_slot *slot, struct dsp_completion *out)
{
	if (was_cut_short(slot)) {
		out->status = slot->call->outcome ? slot->call->outcome : slot->domain->end_status;
		return;
	}
	out->result = slot->result.result;
	out->status = out->result == 0 ? DSP_OK : DSP_DSP_ERROR;
	if (out->status == DSP_OK && slot->call->op == DSP_OP_MODULE_OPEN)
		module_opened(slot, out);
}

/* With two numbers a DSP can make a kernel that keeps the place of an interrupted call do so with
 * its own. */
static bool makes_forget(const struct fastrpc_slot *slot)
{
	return !slot->domain->driver->interrupted_ends &&
	       (slot->result.error == -ETIMEDOUT ||
		       (!slot->result.error && slot->result.result == -ERESTARTSYS));
}

/* What it says of the domain as a whole. */
static void judge(struct fastrpc_slot *slot)
{
	struct fastrpc_domain *domain = slot->domain;
	int error = slot->result.error;

	if (error == -EINTR || makes_forget(slot))
		fastrpc_domain_owes(domain, slot->call->session->client->identity.uid);
	if (error == -EPIPE || error == -ENODEV)
		fastrpc_domain_lost(domain);
	else if (error == -EFAULT || makes_forget(slot))
		fastrpc_domain_end(domain, DSP_DOMAIN_CRASHED,
			"its protection domain broke the protocol");
	else if (error == -EINTR && domain->driver->interrupted_ends)
		fastrpc_domain_end(domain, DSP_DOMAIN_CRASHED,
			"its protection domain was ended, as a call there was interrupted");
}

static void done(struct job *job)
{
	struct fastrpc_slot *slot = container_of(job, struct fastrpc_slot, job);
	struct fastrpc_domain *domain = slot->domain;
	struct dsp_completion completion = {.busy_ns = slot->busy_ns};
	struct call *call = slot->call;
	int error = slot->result.error;

	if (error == 0) {
		ran(slot, &completion);
	} else {
		completion.status = kernels_status(slot, call);
		if (error == -EINTR)
			pin(slot, call);
	}
	slot->sits = slot->hung && error == -EINTR && domain->state == DOMAIN_READY;
	if (slot->sits)
		atomic_store(&slot->stop, false);
	judge(slot); /* first, so that nobody calls there because of this */
	release_slot(slot);
	call_done(call, &completion);
	if (slot->sits)
		sit_out(slot);
	else
		fastrpc_domain_job_done(domain);
	scheduler_run(&domain->lane);
}

/* Arguments. */

static int fill_arg(struct fastrpc_domain *domain, const struct call_arg *from, struct node_arg *to)
{
	struct buffer *buffer = from->buffer;
	struct fastrpc_import *import;
	int r;

	*to = (struct node_arg){.length = from->length};
	if (!from->length)
		return 0;
	if (buffer == buffer->client->arguments) {
		to->data = (uint8_t *)buffer->map + from->offset;
	} else {
		r = fastrpc_import(domain, buffer, &import);
		if (r < 0)
			return r;
		to->buffer = &import->buffer;
		to->offset = from->offset;
	}
	return 0;
}

/*
 * A method above 30 is named by the first word of input 0, which its client can change at any time:
 * the DSP gets a private copy, whose word is the method that was granted. Returns 0, -ENOMEM, or
 * -EBADMSG when it is not.
 */
static int protect_method(struct fastrpc_slot *slot, const struct call *call)
{
	const struct call_arg *input = &call->args[0];
	uint32_t method;

	if (!call->n_in || input->buffer != input->buffer->client->arguments ||
		input->length < sizeof(method) || input->length > FASTRPC_ESCAPE_MAX)
		return -EBADMSG;
	slot->escape = malloc(input->length);
	if (!slot->escape)
		return -ENOMEM;
	memcpy(slot->escape, input->buffer->map + input->offset, input->length);
	memcpy(&method, slot->escape, sizeof(method));
	if (method != call->method)
		return -EBADMSG;
	slot->args[0].data = slot->escape;
	return 0;
}

static int fill_invoke(struct fastrpc_slot *slot, const struct call *call)
{
	int r;

	for (unsigned int i = 0; i < (unsigned int)call->n_in + call->n_out; i++) {
		r = fill_arg(slot->domain, &call->args[i], &slot->args[i]);
		if (r < 0)
			return r;
	}
	slot->handle = call->session->tag;
	slot->scalars = FASTRPC_SCALARS(MIN(call->method, (uint32_t)FASTRPC_METHOD_ESCAPE),
		call->n_in, call->n_out);
	return call->method < FASTRPC_METHOD_ESCAPE ? 0 : protect_method(slot, call);
}

static struct node_arg own_arg(void *data, size_t size)
{
	return (struct node_arg){.data = data, .length = size};
}

static int fill_open(struct fastrpc_slot *slot, const struct call *call)
{
	const struct session *session = call->session;
	struct module_call *own;
	int r = guarded_new(&slot->own, sizeof(*own)), n;

	if (r < 0)
		return r;
	own = slot->own.data;
	n = snprintf(own->uri, sizeof(own->uri),
		"file:///lib%s_skel.so?%s_skel_handle_invoke&_modver=1.0&_dom=%s", session->service,
		session->service, slot->domain->owner->device.name);
	if (n < 0 || (size_t)n >= sizeof(own->uri))
		return -ENAMETOOLONG;
	own->in.open = (struct remotectl_open_in){
		.uri_size = (uint32_t)n + 1,
		.error_size = sizeof(own->error) - 1,
	};
	slot->args[0] = own_arg(&own->in.open, sizeof(own->in.open));
	slot->args[1] = own_arg(own->uri, (size_t)n + 1);
	slot->args[2] = own_arg(&own->out.open, sizeof(own->out.open));
	slot->args[3] = own_arg(own->error, sizeof(own->error) - 1);
	slot->handle = FASTRPC_REMOTECTL;
	slot->scalars = REMOTECTL_OPEN;
	return 0;
}

static int fill_close(struct fastrpc_slot *slot, const struct call *call)
{
	struct module_call *own;
	int r = guarded_new(&slot->own, sizeof(*own));

	if (r < 0)
		return r;
	own = slot->own.data;
	own->in.close = (struct remotectl_close_in){
		.handle = call->session->tag,
		.error_size = sizeof(own->error) - 1,
	};
	slot->args[0] = own_arg(&own->in.close, sizeof(own->in.close));
	slot->args[1] = own_arg(&own->out.close, sizeof(own->out.close));
	slot->args[2] = own_arg(own->error, sizeof(own->error) - 1);
	slot->handle = FASTRPC_REMOTECTL;
	slot->scalars = REMOTECTL_CLOSE;
	return 0;
}

static int (*const fills[])(struct fastrpc_slot *slot, const struct call *call) = {
	[DSP_OP_INVOKE] = fill_invoke,
	[DSP_OP_MODULE_OPEN] = fill_open,
	[DSP_OP_MODULE_CLOSE] = fill_close,
};

/* The operations. */

static struct crew *crew_of(const struct fastrpc_domain *domain)
{
	return domain->owner->device.broker->crew;
}

static struct fastrpc_slot *free_slot(struct fastrpc_domain *domain)
{
	for (size_t i = 0; i < FASTRPC_CALLS; i++)
		if (!domain->slots[i].call && !domain->slots[i].sits)
			return &domain->slots[i];
	return NULL;
}

int fastrpc_call_submit(struct call *call)
{
	struct fastrpc_domain *domain = fastrpc_domain_of(call->session->lane);
	struct fastrpc_slot *slot = free_slot(domain);
	int r;

	if (!slot)
		return -EAGAIN;
	slot->call = call;
	domain->lane.running++;
	atomic_store(&slot->stop, false);
	r = fills[call->op](slot, call);
	if (r < 0) {
		release_slot(slot);
		call->outcome = r == -EBADMSG ? DSP_INVALID : call->outcome;
		return r == -EBADMSG ? 1 : r;
	}
	call->tag = (uint32_t)(slot - domain->slots);
	slot->job = (struct job){.run = run, .done = done, .interruptible = true};
	slot->begun_ns = broker_now(domain->owner->device.broker) * 1000;
	domain->n_jobs++;
	crew_job(crew_of(domain), &slot->job);
	return 0;
}

bool fastrpc_call_cancel(struct call *call)
{
	struct fastrpc_domain *domain = fastrpc_domain_of(call->session->lane);
	struct fastrpc_slot *slot = &domain->slots[call->tag];

	if (!crew_cancel(crew_of(domain), &slot->job))
		return false;
	release_slot(slot);
	fastrpc_domain_job_done(domain);
	/* When it is out of its queue. */
	loop_later(domain->owner->device.broker->loop, &domain->more);
	return true;
}

void fastrpc_call_abort(struct call *call)
{
	struct fastrpc_domain *domain = fastrpc_domain_of(call->session->lane);
	struct fastrpc_slot *slot = &domain->slots[call->tag];
	bool timed_out = call->outcome == DSP_TIMED_OUT;

	atomic_store(&slot->stop, true);
	if (timed_out && domain->policy->hang == POLICY_HANG_QUARANTINE &&
		!domain->driver->interrupted_ends)
		fastrpc_domain_hangs(domain, slot);
	else
		fastrpc_domain_end(domain, DSP_DOMAIN_CRASHED,
			timed_out ? "its protection domain was ended, as a call took longer than "
				    "it may"
				  : "its protection domain was ended, as the broker stops");
}

void fastrpc_slots_init(struct fastrpc_domain *domain)
{
	for (size_t i = 0; i < FASTRPC_CALLS; i++)
		domain->slots[i].domain = domain;
}
