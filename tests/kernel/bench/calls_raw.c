// SPDX-License-Identifier: MIT
#include <errno.h>
#include <poll.h>
#include <stdbool.h>

#include "daemon/transport/fastrpc/abi.h"
#include "protocol/util.h"
#include "tests/bench/sample.h"
#include "tests/kernel/bench/calls.h"

#define AGAIN_MS 1

#define METHOD_NULL FASTRPC_SCALARS(2, 0, 0)
#define METHOD_SUM  FASTRPC_SCALARS(3, 1, 1)
#define METHOD_COPY FASTRPC_SCALARS(4, 1, 1)

/*
 * The kernel has 255 places for calls, and gives one back some time after the call, when it gets to
 * it. Who finds none must leave it time for that. False: there was one.
 */
static bool was_full(int r)
{
	if (r == -ENOSPC)
		poll(NULL, 0, AGAIN_MS);
	return r == -ENOSPC;
}

void raw_caller_open(struct raw_caller *raw)
{
	int r;

	must(fastrpc_open(&raw->node, FASTRPC_NODE), FASTRPC_NODE);
	while (was_full(r = fastrpc_create(&raw->node, FASTRPC_MODE_UNSIGNED_MODULE)))
		;
	must(r, "a domain");
	while (was_full(r = fastrpc_open_module(&raw->node, "bench", &raw->handle)))
		;
	must(r, "a module");
}

void raw_caller_close(struct raw_caller *raw)
{
	fastrpc_close(&raw->node);
}

static void call(const struct raw_caller *raw, uint32_t scalars,
	const struct fastrpc_invoke_args *args)
{
	int r;

	while (was_full(r = fastrpc_call(&raw->node, raw->handle, scalars, args)))
		;
	must(r, "a raw call");
}

void raw_call(const struct raw_caller *raw)
{
	call(raw, METHOD_NULL, NULL);
}

void raw_copy(const struct raw_caller *raw, const void *in, void *out)
{
	const struct fastrpc_invoke_args args[] = {
		fastrpc_inline(in, CALL_INLINE),
		fastrpc_inline(out, CALL_INLINE),
	};

	call(raw, METHOD_COPY, args);
}

uint64_t raw_sum(const struct raw_caller *raw, const struct fastrpc_memory *memory)
{
	uint64_t sum = 0;
	const struct fastrpc_invoke_args args[] = {
		fastrpc_shared(memory, 0, CALL_BUFFER),
		fastrpc_inline(&sum, sizeof(sum)),
	};

	call(raw, METHOD_SUM, args);
	return sum;
}
