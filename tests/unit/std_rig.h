// SPDX-License-Identifier: MIT
/*
 * apps_std as a DSP calls it, on real files. Each buffer lies in memory of its own, exactly as long
 * as it says, so that a sanitizer sees a byte too many.
 */
#ifndef DSP_TESTS_STD_RIG_H
#define DSP_TESTS_STD_RIG_H

#include <check.h>
#include <string.h>
#include <sys/mman.h>

#include "daemon/transport/fastrpc/files.h"
#include "daemon/transport/fastrpc/host.h"
#include "tests/fds.h"
#include "tests/unit/tree.h"

#define FILES      8
#define FILE_BYTES 4096

static struct policy_dir dirs[3];
static struct policy_domain policy;
static struct log_shared log_shared = {.lock = PTHREAD_MUTEX_INITIALIZER};
static struct host_options options;
static struct host host;
static size_t fds;

/* The call that is being made, or was made last. */
static uint32_t words[16], method;
static size_t n_words;
static struct host_call call;

static inline void forget(void)
{
	for (unsigned int i = 0; i < call.n_in; i++)
		free((void *)call.in[i].data);
	for (unsigned int i = 0; i < call.n_out; i++)
		free(call.out[i].data);
	call = (struct host_call){};
	n_words = 0;
}

static inline void begin(uint32_t number)
{
	forget();
	method = number;
	call.n_in = 1;
	if (number >= FASTRPC_METHOD_ESCAPE)
		words[n_words++] = number;
}

static inline void word(uint32_t value)
{
	words[n_words++] = value;
}

static inline void *copy_of(const void *data, size_t size)
{
	void *copy = reallocarray(NULL, size, 1);

	ck_assert(copy || size == 0);
	if (size)
		memcpy(copy, data, size);
	return copy;
}

static inline void input(const void *data, size_t size)
{
	call.in[call.n_in].data = copy_of(data, size);
	call.in[call.n_in++].size = (uint32_t)size;
}

static inline void string(const char *text)
{
	word((uint32_t)strlen(text) + 1);
	input(text, strlen(text) + 1);
}

static inline void output(size_t size)
{
	call.out[call.n_out].data = reallocarray(NULL, size, 1);
	memset(call.out[call.n_out].data, 0, size);
	call.out[call.n_out++].size = (uint32_t)size;
}

/* As the method's number and the buffers say. */
static inline uint32_t scalars(void)
{
	return FASTRPC_SCALARS(MIN(method, FASTRPC_METHOD_ESCAPE), call.n_in, call.n_out);
}

static inline uint32_t serve(void)
{
	free((void *)call.in[0].data);
	call.in[0].data = copy_of(words, n_words * sizeof(*words));
	call.in[0].size = (uint32_t)(n_words * sizeof(*words));
	return host_serve(&host, &host_std, scalars(), &call);
}

static inline uint32_t out_word(unsigned int i)
{
	uint32_t value;

	ck_assert_uint_le((i + 1) * sizeof(value), call.out[0].size);
	memcpy(&value, call.out[0].data + i * sizeof(value), sizeof(value));
	return value;
}

static inline uint64_t out_wide(unsigned int i)
{
	return out_word(i) | (uint64_t)out_word(i + 1) << 32;
}

/* Methods of one shape. */

static inline uint32_t on_file(uint32_t number, uint32_t file)
{
	begin(number);
	word(file);
	return serve();
}

static inline uint32_t on_file_out(uint32_t number, uint32_t file, size_t size)
{
	begin(number);
	word(file);
	output(size);
	return serve();
}

static inline uint32_t on_name(uint32_t number, const char *name)
{
	begin(number);
	string(name);
	return serve();
}

static inline uint32_t fopen_as(const char *name, const char *mode)
{
	begin(0);
	string(name);
	string(mode);
	output(4);
	return serve();
}

static inline uint32_t opened(const char *name, const char *mode)
{
	ck_assert_uint_eq(fopen_as(name, mode), 0);
	return out_word(0);
}

static inline uint32_t fread_as(uint32_t file, uint32_t size)
{
	begin(4);
	word(file);
	word(size);
	output(8);
	output(size);
	return serve();
}

static inline uint32_t fwrite_as(uint32_t file, const char *text)
{
	begin(5);
	word(file);
	word((uint32_t)strlen(text));
	input(text, strlen(text));
	output(8);
	return serve();
}

static inline uint32_t fseek_as(uint32_t file, int32_t offset, uint32_t whence)
{
	begin(9);
	word(file);
	word((uint32_t)offset);
	word(whence);
	return serve();
}

static inline void set_up(void)
{
	_cleanup_(fd_closep) int own = memfd_create("own", MFD_CLOEXEC);

	tree_start();
	tree_make_folder("read");
	tree_make_folder("write");
	tree_make_folder("modules");
	tree_write("secret", "secret");
	tree_write("read/data", "some data");
	tree_write("read/lib.so", "not this one");
	tree_write("modules/lib.so", "module");
	tree_write("write/old", "old");
	dirs[0] = (struct policy_dir){strdup(tree_path("read")), false};
	dirs[1] = (struct policy_dir){strdup(tree_path("write")), true};
	dirs[2] = (struct policy_dir){strdup(tree_path("modules")), false};
	policy = (struct policy_domain){.name = "test",
		.dirs = dirs,
		.n_dirs = 2,
		.files = FILES,
		.file_bytes = FILE_BYTES};
	ck_assert_int_eq(write(own, "own", 3), 3);
	options = (struct host_options){.device = "cdsp",
		.domain = 3,
		.owner = "uid 1000",
		.policy = &policy,
		.log = &log_shared,
		.modules = &dirs[2],
		.n_modules = 1,
		.own_name = "libown.so",
		.own_module = own};
	fds = count_fds(getpid()) - 1;
	ck_assert_int_eq(host_init(&host, &options), 0);
}

static inline void tear_down(void)
{
	forget();
	host_deinit(&host);
	ck_assert_uint_eq(count_fds(getpid()), fds);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		free((char *)dirs[i].path);
	tree_stop();
}

#endif
