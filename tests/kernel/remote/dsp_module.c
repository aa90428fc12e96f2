// SPDX-License-Identifier: MIT
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "tests/kernel/remote/dsp_errors.h"
#include "tests/kernel/remote/dsp_module.h"

#define METHOD_OPEN  REMOTE_SCALARS_MAKEX(0, 0, 2, 0, 0, 1)
#define METHOD_CLOSE REMOTE_SCALARS_MAKEX(0, 1, 0, 0, 1, 0)

#define HANDLES 0x80000000U /* numbers that there are for them */
#define URI_MAX 1024        /* bytes, with the NUL */

struct handle {
	struct list node;
	uint32_t number;
	/* Under the modules' lock. */
	bool open;
	unsigned int users; /* calls on it, and one as long as it is open */
	struct dsp_library *library;
	dsp_module_fn *invoke;
	remote_handle64 own; /* the module's name for it */
};

struct dsp_modules *dsp_modules_of(struct dsp_domain *domain)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct dsp_modules *modules;

	pthread_mutex_lock(&lock);
	modules = domain->modules;
	if (!modules)
		modules = calloc(1, sizeof(*modules));
	if (modules && !domain->modules) {
		pthread_mutex_init(&modules->host.lock, NULL);
		pthread_mutex_init(&modules->lock, NULL);
		pthread_cond_init(&modules->loaded, NULL);
		list_init(&modules->libraries);
		list_init(&modules->handles);
		domain->modules = modules;
	}
	pthread_mutex_unlock(&lock);
	return modules;
}

static int32_t call_open(dsp_module_fn *invoke, char *uri, remote_handle64 *own)
{
	uint32_t size = (uint32_t)strlen(uri) + 1;
	remote_arg args[3] = {
		{.buf = {&size, sizeof(size)}},
		{.buf = {uri, size}},
	};
	int32_t r;

	r = invoke(0, METHOD_OPEN, args);
	*own = args[2].h64;
	return r;
}

static int32_t call_close(const struct handle *handle)
{
	remote_arg arg = {.h64 = handle->own};

	return handle->invoke(handle->own, METHOD_CLOSE, &arg);
}

/*
 * Returns what the module said to its end; 0 while calls are made on it, whose last one ends it. A
 * call that ended in its middle is one for ever: then the handle ends with the domain.
 */
static int32_t handle_put(struct dsp_modules *modules, struct handle *handle)
{
	bool last;
	int32_t r;

	pthread_mutex_lock(&modules->lock);
	last = --handle->users == 0;
	if (last)
		list_remove(&handle->node);
	pthread_mutex_unlock(&modules->lock);
	if (!last)
		return AEE_SUCCESS;
	r = call_close(handle);
	dsp_library_put(modules, handle->library);
	free(handle);
	return r;
}

/* Under the lock. NULL: there is none, or it was closed. */
static struct handle *find_handle(struct dsp_modules *modules, uint32_t number)
{
	struct handle *handle;

	list_for_each (handle, &modules->handles, node) {
		if (handle->open && handle->number == number)
			return handle;
	}
	return NULL;
}

/* No other domain has the same number, lest one taken for another's seem right. */
static uint32_t publish(struct dsp_modules *modules, struct handle *handle)
{
	static atomic_uint next;
	uint32_t number;

	pthread_mutex_lock(&modules->lock);
	do
		number = FASTRPC_HANDLES_STATIC + atomic_fetch_add(&next, 1) % HANDLES;
	while (find_handle(modules, number));
	handle->number = number;
	handle->open = true;
	list_append(&modules->handles, &handle->node);
	pthread_mutex_unlock(&modules->lock);
	return number; /* somebody may close it already */
}

/* The library is taken with the handle, and not without. */
static int32_t handle_new(struct dsp_modules *modules, struct dsp_library *library,
	const char *entry, char *uri, uint32_t *number, char text[DSP_TEXT_SIZE])
{
	_cleanup_(freep) struct handle *handle = calloc(1, sizeof(*handle));
	int32_t r;

	if (!handle) {
		snprintf(text, DSP_TEXT_SIZE, "no memory for a handle");
		return DSP_ENOMEMORY;
	}
	handle->users = 1;
	handle->library = library;
	handle->invoke = dsp_library_entry(library, entry);
	if (!handle->invoke) {
		snprintf(text, DSP_TEXT_SIZE, "%s has no %s", library->file, entry);
		return DSP_ENOSUCHSYMBOL;
	}
	r = call_open(handle->invoke, uri, &handle->own);
	if (r != AEE_SUCCESS) {
		snprintf(text, DSP_TEXT_SIZE, "%s does not want to be opened", library->file);
		return r;
	}
	*number = publish(modules, TAKE_PTR(handle));
	return AEE_SUCCESS;
}

static int32_t open_module(struct dsp_domain *domain, char *text_uri, uint32_t *number,
	char text[DSP_TEXT_SIZE])
{
	struct dsp_modules *modules = dsp_modules_of(domain);
	struct dsp_library *library;
	struct dsp_uri uri;
	int32_t r;

	if (!modules) {
		snprintf(text, DSP_TEXT_SIZE, "no memory for modules");
		return DSP_ENOMEMORY;
	}
	if (!dsp_uri_parse(&uri, text_uri)) {
		snprintf(text, DSP_TEXT_SIZE, "this is no module's URI");
		return DSP_EBADPARM;
	}
	r = dsp_library_get(domain, modules, uri.file, &library, text);
	if (r != AEE_SUCCESS)
		return r;
	r = handle_new(modules, library, uri.entry, text_uri, number, text);
	if (r != AEE_SUCCESS)
		dsp_library_put(modules, library);
	return r;
}

static int32_t close_module(struct dsp_domain *domain, uint32_t number, char text[DSP_TEXT_SIZE])
{
	struct dsp_modules *modules = dsp_modules_of(domain);
	struct handle *handle = NULL;
	int32_t r;

	if (modules) {
		pthread_mutex_lock(&modules->lock);
		handle = find_handle(modules, number);
		if (handle)
			handle->open = false;
		pthread_mutex_unlock(&modules->lock);
	}
	if (!handle) {
		snprintf(text, DSP_TEXT_SIZE, "there is no handle 0x%x", number);
		return DSP_EINVHANDLE;
	}
	r = handle_put(modules, handle);
	if (r != AEE_SUCCESS)
		snprintf(text, DSP_TEXT_SIZE, "the module says so");
	return r;
}

/* What fits, with a NUL. */
static void put_text(const remote_buf *out, uint32_t room, const char *text)
{
	size_t size = MIN(out->nLen, room), n = strlen(text);

	if (!size)
		return;
	n = MIN(n, size - 1);
	memcpy(out->pv, text, n);
	((char *)out->pv)[n] = '\0';
}

/* Its own failure is an answer too: the call returns 0 as soon as it could be read. */
static int32_t remotectl_open(struct dsp_call *call)
{
	struct remotectl_open_out answer = {};
	char uri[URI_MAX] = "", text[DSP_TEXT_SIZE] = "";
	struct remotectl_open_in in;
	const remote_arg *args = call->args;

	if (args[0].buf.nLen < sizeof(in) || args[2].buf.nLen < sizeof(answer))
		return DSP_EBADPARM;
	memcpy(&in, args[0].buf.pv, sizeof(in));
	if (!in.uri_size || in.uri_size > MIN(args[1].buf.nLen, sizeof(uri)))
		return DSP_EBADPARM;
	memcpy(uri, args[1].buf.pv, in.uri_size);
	if (uri[in.uri_size - 1] || in.error_size > args[3].buf.nLen)
		return DSP_EBADPARM;
	answer.error = open_module(call->domain, uri, &answer.handle, text);
	memcpy(args[2].buf.pv, &answer, sizeof(answer));
	put_text(&args[3].buf, in.error_size, text);
	return AEE_SUCCESS;
}

static int32_t remotectl_close(struct dsp_call *call)
{
	struct remotectl_close_out answer;
	char text[DSP_TEXT_SIZE] = "";
	struct remotectl_close_in in;
	const remote_arg *args = call->args;

	if (args[0].buf.nLen < sizeof(in) || args[1].buf.nLen < sizeof(answer))
		return DSP_EBADPARM;
	memcpy(&in, args[0].buf.pv, sizeof(in));
	if (in.error_size > args[2].buf.nLen)
		return DSP_EBADPARM;
	answer.error = close_module(call->domain, in.handle, text);
	memcpy(args[1].buf.pv, &answer, sizeof(answer));
	put_text(&args[2].buf, in.error_size, text);
	return AEE_SUCCESS;
}

int32_t dsp_remotectl(struct dsp_call *call)
{
	switch (call->scalars) {
	case REMOTECTL_OPEN:
		return remotectl_open(call);
	case REMOTECTL_CLOSE:
		return remotectl_close(call);
	default:
		return DSP_EUNSUPPORTED;
	}
}

/* A handle is opened and closed by remotectl alone; and handles among the arguments would be
 * numbers that a module takes for its own. */
static bool may_call(uint32_t scalars)
{
	return REMOTE_SCALARS_METHOD(scalars) > 1 && !REMOTE_SCALARS_INHANDLES(scalars) &&
	       !REMOTE_SCALARS_OUTHANDLES(scalars);
}

int32_t dsp_module_invoke(struct dsp_call *call)
{
	struct dsp_modules *modules = dsp_modules_of(call->domain);
	struct handle *handle;
	int32_t r;

	if (!modules)
		return DSP_ENOMEMORY;
	pthread_mutex_lock(&modules->lock);
	handle = find_handle(modules, call->handle);
	if (handle)
		handle->users++;
	pthread_mutex_unlock(&modules->lock);
	if (!handle)
		return DSP_EINVHANDLE;
	r = may_call(call->scalars) ? handle->invoke(handle->own, call->scalars, call->args)
				    : DSP_EUNSUPPORTED;
	handle_put(modules, handle);
	return r;
}

void dsp_modules_free(struct dsp_modules *modules)
{
	struct dsp_library *library;
	struct handle *handle;

	if (!modules)
		return;
	while ((handle = list_first(&modules->handles, struct handle, node))) {
		list_remove(&handle->node);
		if (handle->open && handle->users == 1) /* no call on it was cut off */
			call_close(handle);
		free(handle);
	}
	while ((library = list_first(&modules->libraries, struct dsp_library, node))) {
		list_remove(&library->node);
		dsp_library_free(library);
	}
	pthread_mutex_destroy(&modules->host.lock);
	pthread_mutex_destroy(&modules->lock);
	pthread_cond_destroy(&modules->loaded);
	free(modules);
}
