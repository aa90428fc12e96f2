// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "tests/kernel/remote/dsp_errors.h"
#include "tests/kernel/remote/dsp_module.h"
#include "tests/kernel/remote/probe.h"

#define NAME_MAX_SIZE  8192 /* bytes, with the NUL; longer than any host wants */
#define OPEN_FILES_MAX 4096

struct call {
	struct dsp_domain *domain;
	unsigned int n_in, n_out;
	const remote_arg *in, *out; /* without output 0 */
	struct probe_result result;
};

/* A copy of an input, as a string. Returns NULL when it is too long. */
static const char *get_name(const struct call *call, unsigned int i, char name[NAME_MAX_SIZE])
{
	const remote_buf *in = &call->in[i].buf;

	if (in->nLen >= NAME_MAX_SIZE)
		return NULL;
	if (in->nLen)
		memcpy(name, in->pv, in->nLen);
	name[in->nLen] = '\0';
	return name;
}

static bool get(const struct call *call, unsigned int i, void *out, size_t size)
{
	if (call->in[i].buf.nLen < size)
		return false;
	memcpy(out, call->in[i].buf.pv, size);
	return true;
}

/* Read into output 1, then close. */
static int32_t read_and_close(struct call *call, uint32_t file)
{
	const remote_buf *out = &call->out[0].buf;
	int32_t r = AEE_SUCCESS;
	bool end = false;

	while (!end && call->result.n < out->nLen && r == AEE_SUCCESS) {
		uint32_t n = 0;

		r = dsp_host_fread(call->domain, file, (char *)out->pv + call->result.n,
			(uint32_t)MIN(out->nLen - call->result.n, 64 * 1024), &n, &end);
		call->result.n += n;
		end = end || !n;
	}
	dsp_host_fclose(call->domain, file);
	return r;
}

static int read_file(struct call *call)
{
	char name[NAME_MAX_SIZE], mode[NAME_MAX_SIZE] = "r";
	uint32_t file;

	if (!get_name(call, 0, name) || (call->n_in > 1 && !get_name(call, 1, mode)))
		return DSP_EBADPARM;
	call->result.result = dsp_host_fopen(call->domain, name, mode, &file);
	if (call->result.result == AEE_SUCCESS)
		call->result.result = read_and_close(call, file);
	return AEE_SUCCESS;
}

static int read_env(struct call *call)
{
	char variable[NAME_MAX_SIZE], name[NAME_MAX_SIZE];
	struct probe_env env;
	uint32_t file;

	if (!get(call, 0, &env, sizeof(env)) || !get_name(call, 1, variable) ||
		!get_name(call, 2, name) || env.variable_size > call->in[1].buf.nLen ||
		env.name_size > call->in[2].buf.nLen)
		return DSP_EBADPARM;
	variable[env.variable_size] = '\0';
	name[env.name_size] = '\0';
	call->result.result = dsp_host_fopen_with_env(call->domain, variable, name, "r", &file);
	if (call->result.result == AEE_SUCCESS)
		call->result.result = read_and_close(call, file);
	return AEE_SUCCESS;
}

static int32_t write_pieces(struct call *call, uint32_t file, const remote_buf *data)
{
	while (call->result.n < data->nLen) {
		uint32_t size = (uint32_t)MIN(data->nLen - call->result.n, 64 * 1024), n = 0;
		int32_t r;

		r = dsp_host_fwrite(call->domain, file, (char *)data->pv + call->result.n, size,
			&n);
		if (r != AEE_SUCCESS)
			return r;
		if (!n || n > size)
			return DSP_EBADSIZE;
		call->result.n += n;
	}
	return AEE_SUCCESS;
}

/* What the last close says counts too: a host may write then. */
static int write_file(struct call *call)
{
	char name[NAME_MAX_SIZE], mode[NAME_MAX_SIZE] = "w";
	uint32_t file;
	int32_t r;

	if (!get_name(call, 0, name) || (call->n_in > 2 && !get_name(call, 2, mode)))
		return DSP_EBADPARM;
	call->result.result = dsp_host_fopen(call->domain, name, mode, &file);
	if (call->result.result != AEE_SUCCESS)
		return AEE_SUCCESS;
	call->result.result = write_pieces(call, file, &call->in[1].buf);
	r = dsp_host_fclose(call->domain, file);
	if (call->result.result == AEE_SUCCESS)
		call->result.result = r;
	return AEE_SUCCESS;
}

static int remove_file(struct call *call)
{
	char name[NAME_MAX_SIZE];

	if (!get_name(call, 0, name))
		return DSP_EBADPARM;
	call->result.result = dsp_host_remove(call->domain, name);
	return AEE_SUCCESS;
}

static int make_dir(struct call *call)
{
	char name[NAME_MAX_SIZE];

	if (!get_name(call, 0, name))
		return DSP_EBADPARM;
	call->result.result = dsp_host_mkdir(call->domain, name, 0777);
	return AEE_SUCCESS;
}

static int remove_dir(struct call *call)
{
	char name[NAME_MAX_SIZE];

	if (!get_name(call, 0, name))
		return DSP_EBADPARM;
	call->result.result = dsp_host_rmdir(call->domain, name);
	return AEE_SUCCESS;
}

static int32_t list_entries(struct call *call, uint64_t dir)
{
	const remote_buf *out = &call->out[0].buf;

	for (;;) {
		char entry[DSP_HOST_ENTRY_SIZE];
		size_t size;
		int32_t r;
		bool end;

		r = dsp_host_readdir(call->domain, dir, entry, &end);
		if (r != AEE_SUCCESS || end)
			return r;
		size = strlen(entry) + 1;
		if (size > out->nLen - call->result.n)
			return DSP_EBADSIZE;
		memcpy((char *)out->pv + call->result.n, entry, size);
		call->result.n += (uint32_t)size;
		call->result.value++;
	}
}

static int list_dir(struct call *call)
{
	char name[NAME_MAX_SIZE];
	uint64_t dir;
	int32_t r;

	if (!get_name(call, 0, name))
		return DSP_EBADPARM;
	call->result.result = dsp_host_opendir(call->domain, name, &dir);
	if (call->result.result != AEE_SUCCESS)
		return AEE_SUCCESS;
	call->result.result = list_entries(call, dir);
	r = dsp_host_closedir(call->domain, dir);
	if (call->result.result == AEE_SUCCESS)
		call->result.result = r;
	return AEE_SUCCESS;
}

static int stat_file(struct call *call)
{
	char name[NAME_MAX_SIZE];

	if (!get_name(call, 0, name))
		return DSP_EBADPARM;
	call->result.result =
		dsp_host_stat(call->domain, name, &call->result.value, &call->result.n);
	return AEE_SUCCESS;
}

static int log_lines(struct call *call)
{
	char text[NAME_MAX_SIZE];
	uint32_t level;

	if (!get(call, 0, &level, sizeof(level)) || !get_name(call, 1, text))
		return DSP_EBADPARM;
	call->result.result = dsp_host_log(call->domain, (int)level, text);
	return AEE_SUCCESS;
}

static int grow(struct call *call)
{
	uint64_t bytes;

	if (!get(call, 0, &bytes, sizeof(bytes)))
		return DSP_EBADPARM;
	call->result.result = dsp_host_grow(call->domain, bytes, &call->result.value);
	return AEE_SUCCESS;
}

static int shrink(struct call *call)
{
	struct probe_range range;

	if (!get(call, 0, &range, sizeof(range)))
		return DSP_EBADPARM;
	call->result.result = dsp_host_shrink(call->domain, range.address, range.bytes);
	return AEE_SUCCESS;
}

static int open_many(struct call *call)
{
	_cleanup_(freep) uint32_t *files = NULL;
	char name[NAME_MAX_SIZE];
	uint32_t n;

	if (!get(call, 0, &n, sizeof(n)) || n > OPEN_FILES_MAX || !get_name(call, 1, name))
		return DSP_EBADPARM;
	files = calloc(n + 1, sizeof(*files));
	if (!files)
		return DSP_ENOMEMORY;
	while (call->result.n < n) {
		call->result.result =
			dsp_host_fopen(call->domain, name, "r", &files[call->result.n]);
		if (call->result.result != AEE_SUCCESS)
			break;
		call->result.n++;
	}
	for (uint32_t i = 0; i < call->result.n; i++)
		dsp_host_fclose(call->domain, files[i]);
	return AEE_SUCCESS;
}

static int get_env(struct call *call)
{
	const remote_buf *out = &call->out[0].buf;
	char name[NAME_MAX_SIZE];

	if (!get_name(call, 0, name) || out->nLen > NAME_MAX_SIZE)
		return DSP_EBADPARM;
	call->result.result =
		dsp_host_getenv(call->domain, name, out->pv, (uint32_t)out->nLen, &call->result.n);
	return AEE_SUCCESS;
}

static int rename_file(struct call *call)
{
	char from[NAME_MAX_SIZE], to[NAME_MAX_SIZE];

	if (!get_name(call, 0, from) || !get_name(call, 1, to))
		return DSP_EBADPARM;
	call->result.result = dsp_host_rename(call->domain, from, to);
	return AEE_SUCCESS;
}

static int truncate_file(struct call *call)
{
	char name[NAME_MAX_SIZE];
	uint32_t size, file;

	if (!get(call, 0, &size, sizeof(size)) || !get_name(call, 1, name))
		return DSP_EBADPARM;
	call->result.result = dsp_host_fopen(call->domain, name, "r+", &file);
	if (call->result.result != AEE_SUCCESS)
		return AEE_SUCCESS;
	call->result.result = dsp_host_ftruncate(call->domain, file, (int32_t)size);
	dsp_host_fclose(call->domain, file);
	return AEE_SUCCESS;
}

static int seek_and_read(struct call *call)
{
	char name[NAME_MAX_SIZE];
	struct probe_seek seek;
	uint32_t file;

	if (!get(call, 0, &seek, sizeof(seek)) || !get_name(call, 1, name))
		return DSP_EBADPARM;
	call->result.result = dsp_host_fopen(call->domain, name, "r", &file);
	if (call->result.result != AEE_SUCCESS)
		return AEE_SUCCESS;
	call->result.result = dsp_host_fseek(call->domain, file, seek.offset, seek.whence);
	if (call->result.result == AEE_SUCCESS)
		call->result.result = read_and_close(call, file);
	else
		dsp_host_fclose(call->domain, file);
	return AEE_SUCCESS;
}

static int exists(struct call *call)
{
	char name[NAME_MAX_SIZE];
	bool there = false;

	if (!get_name(call, 0, name))
		return DSP_EBADPARM;
	call->result.result = dsp_host_exists(call->domain, name, &there);
	call->result.value = there;
	return AEE_SUCCESS;
}

/* The scalars' idea of how many arguments there are is the one that counts from here on. */
static int call_host(struct call *call)
{
	remote_arg args[2 * 0xff + 2 * 0x0f] = {};
	struct probe_call wish;
	unsigned int n_in, n_out;

	if (!get(call, 0, &wish, sizeof(wish)))
		return DSP_EBADPARM;
	wish.interface[sizeof(wish.interface) - 1] = '\0';
	n_in = REMOTE_SCALARS_INBUFS(wish.scalars);
	n_out = REMOTE_SCALARS_OUTBUFS(wish.scalars);
	memcpy(args, call->in + 1, MIN(n_in, call->n_in - 1) * sizeof(*args));
	memcpy(args + n_in, call->out, MIN(n_out, call->n_out) * sizeof(*args));
	if (*wish.interface)
		call->result.result = dsp_host_open(call->domain, wish.interface, &wish.handle);
	if (call->result.result == AEE_SUCCESS)
		call->result.result = dsp_call_host(call->domain, wish.handle, wish.scalars, args);
	return AEE_SUCCESS;
}

static const struct method {
	enum probe_method number;
	unsigned int n_in, n_in_max, n_out; /* outputs: without the result */
	int (*run)(struct call *call);
} methods[] = {
	{PROBE_READ, 1, 2, 1, read_file},
	{PROBE_READ_ENV, 3, 3, 1, read_env},
	{PROBE_WRITE, 2, 3, 0, write_file},
	{PROBE_REMOVE, 1, 1, 0, remove_file},
	{PROBE_MKDIR, 1, 1, 0, make_dir},
	{PROBE_LIST, 1, 1, 1, list_dir},
	{PROBE_STAT, 1, 1, 0, stat_file},
	{PROBE_LOG, 2, 2, 0, log_lines},
	{PROBE_GROW, 1, 1, 0, grow},
	{PROBE_SHRINK, 1, 1, 0, shrink},
	{PROBE_OPEN_MANY, 2, 2, 0, open_many},
	{PROBE_GETENV, 1, 1, 1, get_env},
	{PROBE_RENAME, 2, 2, 0, rename_file},
	{PROBE_CALL, 1, UINT32_MAX, 0, call_host},
	{PROBE_RMDIR, 1, 1, 0, remove_dir},
	{PROBE_TRUNCATE, 2, 2, 0, truncate_file},
	{PROBE_SEEK, 2, 2, 1, seek_and_read},
	{PROBE_EXISTS, 1, 1, 0, exists},
};

static const struct method *find_method(uint32_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		if (methods[i].number == number)
			return &methods[i];
	}
	return NULL;
}

static int run(uint32_t scalars, const remote_arg *args)
{
	struct call call = {
		.domain = dsp_current(),
		.n_in = REMOTE_SCALARS_INBUFS(scalars),
		.n_out = REMOTE_SCALARS_OUTBUFS(scalars),
		.in = args,
	};
	const struct method *method = find_method(REMOTE_SCALARS_METHOD(scalars));
	const remote_buf *result = &args[call.n_in].buf;
	int r;

	if (!method)
		return DSP_EUNSUPPORTED;
	if (call.n_in < method->n_in || call.n_in > method->n_in_max ||
		call.n_out < method->n_out + 1)
		return DSP_EBADPARM;
	call.n_out--;
	call.out = args + call.n_in + 1;
	r = method->run(&call);
	if (r == AEE_SUCCESS)
		memcpy(result->pv, &call.result, MIN(result->nLen, sizeof(call.result)));
	return r;
}

static int probe_invoke(remote_handle64 handle, uint32_t scalars, remote_arg *args)
{
	(void)handle;
	switch (REMOTE_SCALARS_METHOD(scalars)) {
	case 0: /* open: every handle is the same */
		args[2].h64 = 1;
		return AEE_SUCCESS;
	case 1: /* close */
		return AEE_SUCCESS;
	default:
		return run(scalars, args);
	}
}

const struct dsp_builtin dsp_probe = {"libprobe_skel.so", "probe_skel_handle_invoke", probe_invoke};
