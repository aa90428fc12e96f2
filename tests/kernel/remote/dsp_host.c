// SPDX-License-Identifier: MIT
/*
 * Stubs of what the host offers. An argument list is: input 0, the method's words packed as the
 * host's compiler would lay out a struct of them, with the length of each buffer in its place; its
 * input buffers; output 0, the words it gives back, packed likewise; its output buffers. A string's
 * length counts its NUL. From method 31 on, the number is the first word of input 0.
 *
 * The layouts are those that the host's side takes apart in github.com/qualcomm/fastrpc:
 *
 *   apps_remotectl: src/apps_remotectl_skel.c
 *     0 open             {u32 name, u32 error}, name -> {u32 handle, s32 error}, error
 *   apps_std: src/apps_std_skel.c, inc/apps_std.h
 *     0 fopen            {u32 name, u32 mode}, name, mode -> {u32 file}
 *     3 fclose           {u32 file}
 *     4 fread            {u32 file, u32 bytes} -> {u32 n, s32 end}, bytes
 *     5 fwrite           {u32 file, u32 bytes}, bytes -> {u32 n, s32 end}
 *     9 fseek            {u32 file, s32 offset, u32 whence: 0 set, 1 current, 2 end}
 *    10 flen             {u32 file} -> {u64 size}
 *    16 getenv           {u32 name, u32 value}, name -> {u32 required}, value
 *    19 fopen_with_env   {u32 variable, u32 delimiter, u32 name, u32 mode}, variable, delimiter,
 *                        name, mode -> {u32 file}
 *    22 fileExists       {u32 name}, name -> {u8 exists}
 *    24 fremove          {u32 name}, name
 *    26 opendir          {u32 name}, name -> {u64 dir}
 *    27 closedir         {u64 dir}
 *    28 readdir          {u64 dir} -> struct readdir_out
 *    29 mkdir            {u32 name, u32 mode}, name
 *    30 rmdir            {u32 name}, name
 *    31 stat             {u32 31, u32 name}, name -> struct stat_out
 *    32 ftrunc           {u32 32, u32 file, s32 size}
 *    33 frename          {u32 33, u32 from, u32 to}, from, to
 *   apps_mem: src/apps_mem_skel.c, src/apps_mem_imp.c
 *     2 request_map64    struct map_in -> {u64 address at the host, u64 address here}
 *     3 request_unmap64  {u64 address here, s64 size}
 *   adspmsgd_apps: src/adspmsgd_apps_skel.c, src/adspmsgd_printf.c, inc/adspmsgd_apps.h
 *     0 log              {u32 bytes of lines}, lines: struct log_line[]
 *
 * github.com/linux-msm/hexagonrpc (hexagonrpcd/apps_std.c, apps_mem.c, localctl.c) agrees on those
 * that it has: open, fclose, fread, fwrite, fseek, fopen_with_env, opendir, closedir, readdir,
 * stat, request_map64.
 */
#include "tests/kernel/remote/dsp_host.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "tests/kernel/remote/dsp_errors.h"
#include "tests/kernel/remote/dsp_module.h"

#define IN_MAX      5
#define OUT_MAX     2
#define PIECE       (32 * 1024) /* of a file, read at once */
#define FILE_MAX    (16 * 1024 * 1024)
#define ERROR_SIZE  256
#define DELIMITER   ";"
#define LIBRARIES   "ADSP_LIBRARY_PATH"
#define MAP_ADD     0x1000 /* memory for a user domain's heap */
#define LINES_MAX   16
#define HANDLE_HOST 0 /* apps_remotectl */

struct stat_out {
	uint64_t unused, device, inode;
	uint32_t mode, links;
	uint64_t rdevice, size;
	int64_t times[3][2]; /* of access, modification, change: seconds, nanoseconds */
};
static_assert(sizeof(struct stat_out) == 96, "as the host has it");

struct readdir_out {
	int32_t inode;
	char name[255];
	uint8_t padding;
	int32_t end;
};
static_assert(sizeof(struct readdir_out) == 264, "as the host has it");

struct map_in {
	uint32_t heap, flags, remote_flags, padding;
	uint64_t address;
	int64_t size;
};
static_assert(sizeof(struct map_in) == 32, "as the host has it");

struct log_line {
	uint32_t level;
	uint16_t line, thread;
	char text[218], file[30];
};
static_assert(sizeof(struct log_line) == 256, "as the host has it");

/* A call in the making. */
struct request {
	struct dsp_domain *domain;
	const char *interface;
	uint32_t method;
	unsigned int n_in, n_out;
	remote_arg in[IN_MAX], out[OUT_MAX];
};

static void add_in(struct request *request, const void *data, size_t size)
{
	request->in[request->n_in++].buf = (remote_buf){(void *)data, size};
}

static void add_string(struct request *request, const char *string)
{
	add_in(request, string, strlen(string) + 1);
}

static void add_out(struct request *request, void *data, size_t size)
{
	request->out[request->n_out++].buf = (remote_buf){data, size};
}

static uint32_t length(const char *string)
{
	return (uint32_t)strlen(string) + 1;
}

static int32_t call_handle(struct request *request, uint32_t handle)
{
	remote_arg args[IN_MAX + OUT_MAX];

	memcpy(args, request->in, request->n_in * sizeof(*args));
	memcpy(args + request->n_in, request->out, request->n_out * sizeof(*args));
	return dsp_call_host(request->domain, handle,
		FASTRPC_SCALARS(MIN(request->method, FASTRPC_METHOD_ESCAPE), request->n_in,
			request->n_out),
		args);
}

static int32_t call(struct request *request)
{
	uint32_t handle;
	int32_t r;

	r = dsp_host_open(request->domain, request->interface, &handle);
	return r == AEE_SUCCESS ? call_handle(request, handle) : r;
}

/* A method with words and no buffer of bytes: the most of them. */
static int32_t call_words(struct dsp_domain *domain, const char *interface, uint32_t method,
	const void *in, size_t in_size, void *out, size_t out_size)
{
	struct request request = {.domain = domain, .interface = interface, .method = method};

	add_in(&request, in, in_size);
	if (out_size)
		add_out(&request, out, out_size);
	return call(&request);
}

/* A method of apps_std on a name, with at most one word behind the name's length. */
static int32_t call_name(struct dsp_domain *domain, uint32_t method, const char *name,
	const uint32_t *word, void *out, size_t out_size)
{
	struct request request = {.domain = domain, .interface = "apps_std", .method = method};
	uint32_t in[2] = {length(name), word ? *word : 0};

	add_in(&request, in, word ? sizeof(in) : sizeof(*in));
	add_string(&request, name);
	if (out_size)
		add_out(&request, out, out_size);
	return call(&request);
}

static int32_t open_interface(struct dsp_domain *domain, const char *name, uint32_t *handle)
{
	struct request request = {.domain = domain};
	struct {
		uint32_t handle;
		int32_t error;
	} answer = {};
	char error[ERROR_SIZE] = "";
	uint32_t in[] = {length(name), sizeof(error)};
	int32_t r;

	add_in(&request, in, sizeof(in));
	add_string(&request, name);
	add_out(&request, &answer, sizeof(answer));
	add_out(&request, error, sizeof(error));
	r = call_handle(&request, HANDLE_HOST);
	if (r != AEE_SUCCESS || answer.error)
		return r != AEE_SUCCESS ? r : answer.error;
	*handle = answer.handle;
	return AEE_SUCCESS;
}

/* Under the lock. What cannot be kept is opened each time. */
static int32_t find_or_open(struct dsp_domain *domain, struct dsp_host_handles *host,
	const char *name, uint32_t *handle)
{
	int32_t r;

	for (size_t i = 0; i < host->n; i++) {
		if (!strcmp(host->open[i].name, name)) {
			*handle = host->open[i].handle;
			return AEE_SUCCESS;
		}
	}
	r = open_interface(domain, name, handle);
	if (r != AEE_SUCCESS || host->n == ARRAY_SIZE(host->open) ||
		strlen(name) >= DSP_HOST_NAME_SIZE)
		return r;
	snprintf(host->open[host->n].name, DSP_HOST_NAME_SIZE, "%s", name);
	host->open[host->n++].handle = *handle;
	return AEE_SUCCESS;
}

int32_t dsp_host_open(struct dsp_domain *domain, const char *name, uint32_t *handle)
{
	struct dsp_modules *modules = dsp_modules_of(domain);
	int32_t r;

	if (!modules)
		return AEE_ENOMEMORY;
	pthread_mutex_lock(&modules->host.lock);
	r = find_or_open(domain, &modules->host, name, handle);
	pthread_mutex_unlock(&modules->host.lock);
	return r;
}

int32_t dsp_host_fopen(struct dsp_domain *domain, const char *name, const char *mode,
	uint32_t *file)
{
	struct request request = {.domain = domain, .interface = "apps_std", .method = 0};
	uint32_t in[] = {length(name), length(mode)};

	add_in(&request, in, sizeof(in));
	add_string(&request, name);
	add_string(&request, mode);
	add_out(&request, file, sizeof(*file));
	return call(&request);
}

int32_t dsp_host_fopen_with_env(struct dsp_domain *domain, const char *variable, const char *name,
	const char *mode, uint32_t *file)
{
	struct request request = {.domain = domain, .interface = "apps_std", .method = 19};
	uint32_t in[] = {length(variable), length(DELIMITER), length(name), length(mode)};

	add_in(&request, in, sizeof(in));
	add_string(&request, variable);
	add_string(&request, DELIMITER);
	add_string(&request, name);
	add_string(&request, mode);
	add_out(&request, file, sizeof(*file));
	return call(&request);
}

int32_t dsp_host_fclose(struct dsp_domain *domain, uint32_t file)
{
	return call_words(domain, "apps_std", 3, &file, sizeof(file), NULL, 0);
}

int32_t dsp_host_fread(struct dsp_domain *domain, uint32_t file, void *data, uint32_t size,
	uint32_t *n, bool *end)
{
	struct request request = {.domain = domain, .interface = "apps_std", .method = 4};
	uint32_t in[] = {file, size}, out[2] = {};
	int32_t r;

	add_in(&request, in, sizeof(in));
	add_out(&request, out, sizeof(out));
	add_out(&request, data, size);
	r = call(&request);
	if (r != AEE_SUCCESS)
		return r;
	if (out[0] > size)
		return DSP_EBADSIZE;
	*n = out[0];
	if (end)
		*end = out[1];
	return AEE_SUCCESS;
}

int32_t dsp_host_fwrite(struct dsp_domain *domain, uint32_t file, const void *data, uint32_t size,
	uint32_t *n)
{
	struct request request = {.domain = domain, .interface = "apps_std", .method = 5};
	uint32_t in[] = {file, size}, out[2] = {};
	int32_t r;

	add_in(&request, in, sizeof(in));
	add_in(&request, data, size);
	add_out(&request, out, sizeof(out));
	r = call(&request);
	if (r == AEE_SUCCESS)
		*n = out[0];
	return r;
}

int32_t dsp_host_fseek(struct dsp_domain *domain, uint32_t file, int32_t offset, uint32_t whence)
{
	uint32_t in[] = {file, (uint32_t)offset, whence};

	return call_words(domain, "apps_std", 9, in, sizeof(in), NULL, 0);
}

int32_t dsp_host_flen(struct dsp_domain *domain, uint32_t file, uint64_t *size)
{
	return call_words(domain, "apps_std", 10, &file, sizeof(file), size, sizeof(*size));
}

int32_t dsp_host_ftruncate(struct dsp_domain *domain, uint32_t file, int32_t size)
{
	uint32_t in[] = {32, file, (uint32_t)size};

	return call_words(domain, "apps_std", 32, in, sizeof(in), NULL, 0);
}

int32_t dsp_host_exists(struct dsp_domain *domain, const char *name, bool *exists)
{
	uint8_t out = 0;
	int32_t r;

	r = call_name(domain, 22, name, NULL, &out, sizeof(out));
	if (r == AEE_SUCCESS)
		*exists = out;
	return r;
}

int32_t dsp_host_remove(struct dsp_domain *domain, const char *name)
{
	return call_name(domain, 24, name, NULL, NULL, 0);
}

int32_t dsp_host_rename(struct dsp_domain *domain, const char *from, const char *to)
{
	struct request request = {.domain = domain, .interface = "apps_std", .method = 33};
	uint32_t in[] = {33, length(from), length(to)};

	add_in(&request, in, sizeof(in));
	add_string(&request, from);
	add_string(&request, to);
	return call(&request);
}

int32_t dsp_host_mkdir(struct dsp_domain *domain, const char *name, uint32_t mode)
{
	return call_name(domain, 29, name, &mode, NULL, 0);
}

int32_t dsp_host_rmdir(struct dsp_domain *domain, const char *name)
{
	return call_name(domain, 30, name, NULL, NULL, 0);
}

int32_t dsp_host_stat(struct dsp_domain *domain, const char *name, uint64_t *size, uint32_t *mode)
{
	struct request request = {.domain = domain, .interface = "apps_std", .method = 31};
	uint32_t in[] = {31, length(name)};
	struct stat_out out = {};
	int32_t r;

	add_in(&request, in, sizeof(in));
	add_string(&request, name);
	add_out(&request, &out, sizeof(out));
	r = call(&request);
	if (r == AEE_SUCCESS) {
		*size = out.size;
		*mode = out.mode;
	}
	return r;
}

int32_t dsp_host_opendir(struct dsp_domain *domain, const char *name, uint64_t *dir)
{
	return call_name(domain, 26, name, NULL, dir, sizeof(*dir));
}

int32_t dsp_host_closedir(struct dsp_domain *domain, uint64_t dir)
{
	return call_words(domain, "apps_std", 27, &dir, sizeof(dir), NULL, 0);
}

int32_t dsp_host_readdir(struct dsp_domain *domain, uint64_t dir, char entry[DSP_HOST_ENTRY_SIZE],
	bool *end)
{
	struct readdir_out out = {};
	int32_t r;

	r = call_words(domain, "apps_std", 28, &dir, sizeof(dir), &out, sizeof(out));
	if (r != AEE_SUCCESS)
		return r;
	*end = out.end;
	snprintf(entry, DSP_HOST_ENTRY_SIZE, "%.*s", *end ? 0 : (int)sizeof(out.name), out.name);
	return AEE_SUCCESS;
}

int32_t dsp_host_getenv(struct dsp_domain *domain, const char *name, char *value, uint32_t size,
	uint32_t *required)
{
	struct request request = {.domain = domain, .interface = "apps_std", .method = 16};
	uint32_t in[] = {length(name), size};

	add_in(&request, in, sizeof(in));
	add_string(&request, name);
	add_out(&request, required, sizeof(*required));
	add_out(&request, value, size);
	return call(&request);
}

/* All of it, or an error: the host may have said any size. */
static int32_t read_pieces(struct dsp_domain *domain, uint32_t file, char *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		uint32_t n;
		int32_t r;

		r = dsp_host_fread(domain, file, data + done, (uint32_t)MIN(size - done, PIECE), &n,
			NULL);
		if (r != AEE_SUCCESS)
			return r;
		if (!n)
			return DSP_EBADSIZE;
		done += n;
	}
	return AEE_SUCCESS;
}

static int32_t read_open_file(struct dsp_domain *domain, uint32_t file, void **data, size_t *size)
{
	_cleanup_(freep) char *bytes = NULL;
	uint64_t n = 0;
	int32_t r;

	r = dsp_host_flen(domain, file, &n);
	if (r != AEE_SUCCESS)
		return r;
	if (n > FILE_MAX)
		return DSP_EBADSIZE;
	bytes = malloc(n + 1);
	if (!bytes)
		return DSP_ENOMEMORY;
	r = read_pieces(domain, file, bytes, n);
	if (r != AEE_SUCCESS)
		return r;
	*data = TAKE_PTR(bytes);
	*size = n;
	return AEE_SUCCESS;
}

int32_t dsp_host_read_file(struct dsp_domain *domain, const char *name, void **data, size_t *size)
{
	uint32_t file;
	int32_t r;

	r = dsp_host_fopen_with_env(domain, LIBRARIES, name, "r", &file);
	if (r != AEE_SUCCESS)
		return r;
	r = read_open_file(domain, file, data, size);
	dsp_host_fclose(domain, file);
	return r;
}

/* Each line of the text is one of the log, cut where there is no room. */
int32_t dsp_host_log(struct dsp_domain *domain, int level, const char *text)
{
	struct request request = {.domain = domain, .interface = "adspmsgd_apps", .method = 0};
	struct log_line lines[LINES_MAX] = {};
	uint32_t n = 0, size;

	do {
		int line = (int)strcspn(text, "\n");

		lines[n].level = (uint32_t)level;
		lines[n].line = (uint16_t)(n + 1);
		snprintf(lines[n].text, sizeof(lines[n].text), "%.*s", line, text);
		snprintf(lines[n].file, sizeof(lines[n].file), "remote");
		n++;
		text += line;
	} while (*text++ && n < ARRAY_SIZE(lines));
	size = n * (uint32_t)sizeof(*lines);
	add_in(&request, &size, sizeof(size));
	add_in(&request, lines, size);
	return call(&request);
}

int32_t dsp_host_grow(struct dsp_domain *domain, uint64_t size, uint64_t *address)
{
	struct map_in in = {.remote_flags = MAP_ADD, .size = (int64_t)size};
	uint64_t out[2] = {};
	int32_t r;

	r = call_words(domain, "apps_mem", 2, &in, sizeof(in), out, sizeof(out));
	if (r == AEE_SUCCESS)
		*address = out[1];
	return r;
}

int32_t dsp_host_shrink(struct dsp_domain *domain, uint64_t address, uint64_t size)
{
	uint64_t in[] = {address, size};

	return call_words(domain, "apps_mem", 3, in, sizeof(in), NULL, 0);
}
