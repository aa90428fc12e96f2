// SPDX-License-Identifier: MIT
#include <errno.h>

#include "daemon/transport/fastrpc/abi.h"
#include "tests/bench/sample.h"
#include "tests/kernel/bench/calls.h"

#define UNSIGNED 8 /* an attribute of domains */

static void raw_open(struct raw_caller *raw)
{
	char path[64];

	must(qda_find(path, sizeof(path)) ? 0 : -ENODEV, "a node of QDA");
	must(fastrpc_open(&raw->qda, path), path);
	must(qda_create(&raw->qda, UNSIGNED), "a domain");
	must(qda_open_module(&raw->qda, "bench", &raw->handle), "a module");
}

static void raw_close(struct raw_caller *raw)
{
	fastrpc_close(&raw->qda);
}

/* The handle stays until the node is closed. */
static void raw_keep(const struct raw_caller *raw, const struct fastrpc_memory *memory)
{
	uint32_t handle;

	must(qda_import(&raw->qda, memory->fd, &handle), "an import");
}

static void raw_call(const struct raw_caller *raw)
{
	must(qda_call(&raw->qda, raw->handle, CALL_NULL, NULL), "a raw call");
}

static void raw_copy(const struct raw_caller *raw, const void *in, void *out)
{
	const struct qda_argument args[] = {
		qda_inline(in, CALL_INLINE),
		qda_inline(out, CALL_INLINE),
	};

	must(qda_call(&raw->qda, raw->handle, CALL_COPY, args), "a raw copy");
}

static uint64_t raw_sum(const struct raw_caller *raw, const struct fastrpc_memory *memory)
{
	uint64_t sum = 0;
	const struct qda_argument args[] = {
		qda_shared(memory, 0, CALL_BUFFER),
		qda_inline(&sum, sizeof(sum)),
	};

	must(qda_call(&raw->qda, raw->handle, CALL_SUM, args), "a raw sum");
	return sum;
}

const struct raw_driver raw_qda = {
	.open = raw_open,
	.close = raw_close,
	.keep = raw_keep,
	.call = raw_call,
	.copy = raw_copy,
	.sum = raw_sum,
};
