// SPDX-License-Identifier: MIT
#include <errno.h>
#include <poll.h>
#include <stdbool.h>

#include "daemon/transport/fastrpc/abi.h"
#include "protocol/util.h"
#include "tests/bench/sample.h"
#include "tests/kernel/bench/calls.h"

#define AGAIN_MS 1

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

static void raw_open(struct raw_caller *raw)
{
	int r;

	must(fastrpc_open(&raw->fastrpc, FASTRPC_NODE), FASTRPC_NODE);
	while (was_full(r = fastrpc_create(&raw->fastrpc, FASTRPC_MODE_UNSIGNED_MODULE)))
		;
	must(r, "a domain");
	while (was_full(r = fastrpc_open_module(&raw->fastrpc, "bench", &raw->handle)))
		;
	must(r, "a module");
}

static void raw_close(struct raw_caller *raw)
{
	fastrpc_close(&raw->fastrpc);
}

static void raw_keep(const struct raw_caller *raw, const struct fastrpc_memory *memory)
{
	uint64_t remote;

	must(fastrpc_map(&raw->fastrpc, memory, &remote), "a mapping");
}

static void call(const struct raw_caller *raw, uint32_t scalars,
	const struct fastrpc_invoke_args *args)
{
	int r;

	while (was_full(r = fastrpc_call(&raw->fastrpc, raw->handle, scalars, args)))
		;
	must(r, "a raw call");
}

static void raw_call(const struct raw_caller *raw)
{
	call(raw, CALL_NULL, NULL);
}

static void raw_copy(const struct raw_caller *raw, const void *in, void *out)
{
	const struct fastrpc_invoke_args args[] = {
		fastrpc_inline(in, CALL_INLINE),
		fastrpc_inline(out, CALL_INLINE),
	};

	call(raw, CALL_COPY, args);
}

static uint64_t raw_sum(const struct raw_caller *raw, const struct fastrpc_memory *memory)
{
	uint64_t sum = 0;
	const struct fastrpc_invoke_args args[] = {
		fastrpc_shared(memory, 0, CALL_BUFFER),
		fastrpc_inline(&sum, sizeof(sum)),
	};

	call(raw, CALL_SUM, args);
	return sum;
}

const struct raw_driver raw_fastrpc = {
	.open = raw_open,
	.close = raw_close,
	.keep = raw_keep,
	.call = raw_call,
	.copy = raw_copy,
	.sum = raw_sum,
	.maps_for_calls = true,
};
