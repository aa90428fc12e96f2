// SPDX-License-Identifier: MIT
#include "daemon/transport/fastrpc/host.h"

#include <string.h>

#include "daemon/transport/fastrpc/files.h"
#include "protocol/util.h"

/* In the scalars: everything but attributes and method. */
#define COUNTS  0x00ffffff
#define OUTPUTS 0x0000ff00

static const struct host_interface *const interfaces[] = {&host_std, &host_mem, &host_log};

/* A directory that is not there has no libraries. */
static int add_modules(struct host *host)
{
	const struct host_options *options = host->options;

	if (options->own_name) {
		int r = files_add_file(host->files, options->own_name, options->own_module);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < options->n_modules; i++) {
		const char *path = options->modules[i].path;
		int r = files_add_directory(host->files, path);

		if (r == -ENOMEM)
			return r;
		if (r < 0 && r != -ENOENT && host_may_log(options))
			log_warning("%s: no modules from %s: %s", options->device, path,
				strerror(-r));
	}
	return 0;
}

int host_init(struct host *host, const struct host_options *options)
{
	int r;

	*host = (struct host){.options = options};
	list_init(&host->growths);
	r = files_new(&host->files, options->policy);
	if (r < 0)
		return r;
	if (r > 0 && host_may_log(options))
		log_warning("%s: %d of the directories of domain %s cannot be opened and are left "
			    "out",
			options->device, r, options->policy->name);
	r = add_modules(host);
	if (r < 0)
		host_deinit(host);
	return r;
}

void host_deinit(struct host *host)
{
	host->files = files_free(host->files);
	host_mem_deinit(host);
}

const struct host_interface *host_find(const char *name, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++)
		if (strlen(interfaces[i]->name) == size &&
			memcmp(interfaces[i]->name, name, size) == 0)
			return interfaces[i];
	return NULL;
}

/* Find the method's number: in the scalars, or, by escape, where the first input begins. */
static uint32_t find_number(uint32_t scalars, struct host_call *call)
{
	call->method = FASTRPC_METHOD(scalars);
	if (call->method != FASTRPC_METHOD_ESCAPE)
		return AEE_SUCCESS;
	if (!call->n_in || call->in[0].size < sizeof(call->method))
		return AEE_EBADPARM;
	call->method = host_word(call, 0);
	/* Where there is no need to escape, the first word is an argument. */
	return call->method < FASTRPC_METHOD_ESCAPE ? AEE_EUNSUPPORTED : AEE_SUCCESS;
}

static const struct host_method *find_method(const struct host_interface *interface,
	uint32_t number)
{
	for (size_t i = 0; i < interface->n_methods; i++)
		if (interface->methods[i].number == number)
			return &interface->methods[i];
	return NULL;
}

static bool fits(const struct host_method *method, uint32_t scalars, const struct host_call *call)
{
	uint32_t ignored = method->more_outputs ? OUTPUTS : 0;

	return ((scalars ^ method->scalars) & COUNTS & ~ignored) == 0 &&
	       FASTRPC_OUTPUTS(scalars) >= FASTRPC_OUTPUTS(method->scalars) &&
	       (call->n_in ? call->in[0].size : 0) >= method->in_size &&
	       (call->n_out ? call->out[0].size : 0) >= method->out_size;
}

uint32_t host_serve(struct host *host, const struct host_interface *interface, uint32_t scalars,
	struct host_call *call)
{
	uint32_t error = find_number(scalars, call);
	const struct host_method *method;

	if (error)
		return error;
	method = find_method(interface, call->method);
	if (!method)
		return AEE_EUNSUPPORTED;
	return fits(method, scalars, call) ? method->serve(host, call) : (uint32_t)AEE_EBADPARM;
}

static size_t end_of_word(unsigned int i)
{
	return ((size_t)i + 1) * sizeof(uint32_t);
}

uint32_t host_word(const struct host_call *call, unsigned int i)
{
	uint32_t word = 0;

	if (call->n_in && end_of_word(i) <= call->in[0].size)
		memcpy(&word, call->in[0].data + i * sizeof(word), sizeof(word));
	return word;
}

void host_put_word(struct host_call *call, unsigned int i, uint32_t value)
{
	if (call->n_out && end_of_word(i) <= call->out[0].size)
		memcpy(call->out[0].data + i * sizeof(value), &value, sizeof(value));
}

const char *host_string(const struct host_call *call, unsigned int i, size_t *size)
{
	const char *text;

	*size = 0;
	if (i >= call->n_in)
		return NULL;
	text = (const char *)call->in[i].data;
	*size = strnlen(text, call->in[i].size);
	return *size + 1 >= call->in[i].size ? text : NULL;
}
