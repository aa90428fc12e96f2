// SPDX-License-Identifier: MIT
/*
 * A module to learn from, to test with and to measure by: each method is as small as it can be.
 *
 * A module is a shared library libNAME_skel.so with one entry, NAME_skel_handle_invoke(). Code that
 * was generated for a DSP has that entry already; here it is written by hand, so that all of it can
 * be seen. ../README.md says how to build one.
 *
 *   method      inputs                    outputs             does
 *    2 sum      int32 array               int64               adds them up
 *    3 max      int32 array, not empty    int32               finds the largest
 *    4 copy     bytes                     bytes               copies as many as both have
 *    5 sleep    u32 microseconds          -                   waits
 *    6 crash    -                         -                   writes to address 0
 *    7 spin     -                         -                   never returns
 *    8 fail     int32                     -                   returns it as its error
 *    9 nop      -                         -                   nothing
 *   10 touch    any                       any                 touches the first byte of each
 *   11 breakout u32, index in attempts[]  -                   tries what the domain forbids
 *   12 count    -                         u32                 counts the calls on this handle
 *   40 add_one  u32 40, u32 x             u32                 x + 1; above 30, so by the escape
 *
 * Arguments lie in memory shared with the client. They have any alignment, hence memcpy() instead
 * of pointers to integers; and the client may change them while we read, so that a value that is
 * checked has to be copied first.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/softdsp/remote.h"
#include "protocol/util.h"

#define METHOD_OPEN   0
#define METHOD_CLOSE  1
#define METHOD_ESCAPE 31

/* What a handle stands for: each open gets one of its own. */
struct example {
	uint32_t calls;
};

/* A call on its way to a method. */
struct call {
	struct example *example;
	unsigned int n_in, n_out;
	const remote_arg *in, *out;
};

static int sum(struct call *call)
{
	const char *values = call->in[0].buf.pv;
	int64_t total = 0;
	int32_t value;

	if (call->in[0].buf.nLen % sizeof(value) || call->out[0].buf.nLen != sizeof(total))
		return AEE_EBADPARM;
	for (size_t i = 0; i < call->in[0].buf.nLen; i += sizeof(value)) {
		memcpy(&value, values + i, sizeof(value));
		total += value;
	}
	memcpy(call->out[0].buf.pv, &total, sizeof(total));
	return AEE_SUCCESS;
}

static int max(struct call *call)
{
	const char *values = call->in[0].buf.pv;
	int32_t largest = INT32_MIN, value;

	if (!call->in[0].buf.nLen || call->in[0].buf.nLen % sizeof(value) ||
		call->out[0].buf.nLen != sizeof(largest))
		return AEE_EBADPARM;
	for (size_t i = 0; i < call->in[0].buf.nLen; i += sizeof(value)) {
		memcpy(&value, values + i, sizeof(value));
		largest = MAX(largest, value);
	}
	memcpy(call->out[0].buf.pv, &largest, sizeof(largest));
	return AEE_SUCCESS;
}

static int copy(struct call *call)
{
	size_t n = MIN(call->in[0].buf.nLen, call->out[0].buf.nLen);

	if (n)
		memmove(call->out[0].buf.pv, call->in[0].buf.pv, n); /* the two may overlap */
	return AEE_SUCCESS;
}

static int pause_for(struct call *call)
{
	struct timespec left;
	uint32_t us;

	if (call->in[0].buf.nLen != sizeof(us))
		return AEE_EBADPARM;
	memcpy(&us, call->in[0].buf.pv, sizeof(us));
	left = (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		;
	return AEE_SUCCESS;
}

/* The address is volatile, or the compiler would see what is meant and make something else of it.
 */
__attribute__((no_sanitize("address", "undefined"))) static int crash(struct call *call)
{
	volatile uintptr_t nowhere = 0;

	(void)call;
	*(volatile int *)nowhere = 1; /* NOLINT(clang-analyzer-core.NullDereference): on purpose */
	return AEE_EFAILED;
}

static int spin(struct call *call)
{
	volatile bool for_ever = true;

	(void)call;
	while (for_ever)
		;
	return AEE_EFAILED;
}

static int fail(struct call *call)
{
	int32_t error;

	if (call->in[0].buf.nLen != sizeof(error))
		return AEE_EBADPARM;
	memcpy(&error, call->in[0].buf.pv, sizeof(error));
	return error;
}

static int nop(struct call *call)
{
	(void)call;
	return AEE_SUCCESS;
}

/* What it costs to pass an argument, but not to use it. */
static int touch(struct call *call)
{
	uint8_t byte = 0;

	for (unsigned int i = 0; i < call->n_in; i++) {
		if (call->in[i].buf.nLen)
			byte ^= *(volatile const uint8_t *)call->in[i].buf.pv;
	}
	for (unsigned int i = 0; i < call->n_out; i++) {
		if (call->out[i].buf.nLen)
			*(volatile uint8_t *)call->out[i].buf.pv = byte;
	}
	return AEE_SUCCESS;
}

/* Each tries something that a domain must not do, and cleans up if it could. */

static void try_open(void)
{
	fd_close(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static void try_socket(void)
{
	fd_close(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static void try_fork(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	if (child > 0)
		waitpid(child, NULL, 0);
}

static void try_execve(void)
{
	char *const nothing[] = {NULL};

	execve("/dspbroker/no/such/program", nothing, nothing);
}

static void try_mmap_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page != MAP_FAILED)
		munmap(page, 4096);
}

static void try_mprotect_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return;
	mprotect(page, 4096, PROT_READ | PROT_EXEC);
	munmap(page, 4096);
}

static void (*const attempts[])(void) = {
	try_open,
	try_socket,
	try_fork,
	try_execve,
	try_mmap_code,
	try_mprotect_code,
};

/* Returns only where nothing holds it. */
static int breakout(struct call *call)
{
	uint32_t which;

	if (call->in[0].buf.nLen != sizeof(which))
		return AEE_EBADPARM;
	memcpy(&which, call->in[0].buf.pv, sizeof(which));
	if (which >= ARRAY_SIZE(attempts))
		return AEE_EBADPARM;
	attempts[which]();
	return AEE_SUCCESS;
}

static int count(struct call *call)
{
	if (call->out[0].buf.nLen != sizeof(call->example->calls))
		return AEE_EBADPARM;
	memcpy(call->out[0].buf.pv, &call->example->calls, sizeof(call->example->calls));
	return AEE_SUCCESS;
}

static int add_one(struct call *call)
{
	uint32_t words[2];

	if (call->in[0].buf.nLen != sizeof(words) || call->out[0].buf.nLen != sizeof(words[1]))
		return AEE_EBADPARM;
	memcpy(words, call->in[0].buf.pv, sizeof(words));
	words[1]++;
	memcpy(call->out[0].buf.pv, &words[1], sizeof(words[1]));
	return AEE_SUCCESS;
}

static const struct method {
	uint32_t number;
	bool any; /* as many arguments as the caller likes */
	unsigned int n_in, n_out;
	int (*run)(struct call *call);
} methods[] = {
	{2, false, 1, 1, sum},
	{3, false, 1, 1, max},
	{4, false, 1, 1, copy},
	{5, false, 1, 0, pause_for},
	{6, false, 0, 0, crash},
	{7, false, 0, 0, spin},
	{8, false, 1, 0, fail},
	{9, false, 0, 0, nop},
	{10, true, 0, 0, touch},
	{11, false, 1, 0, breakout},
	{12, false, 0, 1, count},
	{40, false, 1, 1, add_one},
};

static const struct method *find_method(uint32_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		if (methods[i].number == number)
			return &methods[i];
	}
	return NULL;
}

/* A number above 30 does not fit the scalars; it is the first word of the first input. */
static int method_number(uint32_t scalars, const remote_arg *args, uint32_t *out)
{
	*out = REMOTE_SCALARS_METHOD(scalars);
	if (*out != METHOD_ESCAPE)
		return AEE_SUCCESS;
	if (!REMOTE_SCALARS_INBUFS(scalars) || args[0].buf.nLen < sizeof(*out))
		return AEE_EBADPARM;
	memcpy(out, args[0].buf.pv, sizeof(*out));
	return AEE_SUCCESS;
}

static int dispatch(struct example *example, uint32_t scalars, const remote_arg *args)
{
	struct call call = {
		.example = example,
		.n_in = REMOTE_SCALARS_INBUFS(scalars),
		.n_out = REMOTE_SCALARS_OUTBUFS(scalars),
		.in = args,
		.out = args + REMOTE_SCALARS_INBUFS(scalars),
	};
	const struct method *method;
	uint32_t number;
	int r;

	example->calls++;
	r = method_number(scalars, args, &number);
	if (r != AEE_SUCCESS)
		return r;
	method = find_method(number);
	if (!method)
		return AEE_EUNSUPPORTED;
	if (!method->any && (call.n_in != method->n_in || call.n_out != method->n_out))
		return AEE_EBADPARM;
	return method->run(&call);
}

/* args: two inputs, the URI's length and the URI, which this module does not need; then the handle
 * that it returns, a number of its own choice. */
static int open_handle(uint32_t scalars, remote_arg *args)
{
	struct example *example;

	if (REMOTE_SCALARS_LENGTH(scalars) != 3 || REMOTE_SCALARS_OUTHANDLES(scalars) != 1)
		return AEE_EBADPARM;
	example = calloc(1, sizeof(*example));
	if (!example)
		return AEE_ENOMEMORY;
	args[2].h64 = (uintptr_t)example;
	return AEE_SUCCESS;
}

static int close_handle(uint32_t scalars, const remote_arg *args)
{
	if (REMOTE_SCALARS_LENGTH(scalars) != 1 || REMOTE_SCALARS_INHANDLES(scalars) != 1)
		return AEE_EBADPARM;
	free((struct example *)(uintptr_t)args[0].h64);
	return AEE_SUCCESS;
}

/* The domain calls this with handles that this module gave out, and with no others. */
__attribute__((visibility("default"))) int example_skel_handle_invoke(remote_handle64 handle,
	uint32_t scalars, remote_arg *args);

int example_skel_handle_invoke(remote_handle64 handle, uint32_t scalars, remote_arg *args)
{
	switch (REMOTE_SCALARS_METHOD(scalars)) {
	case METHOD_OPEN:
		return open_handle(scalars, args);
	case METHOD_CLOSE:
		return close_handle(scalars, args);
	default:
		return dispatch((struct example *)(uintptr_t)handle, scalars, args);
	}
}
