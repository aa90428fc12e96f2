// SPDX-License-Identifier: MIT
/* The transport to DSPs behind the kernel's FastRPC driver (<misc/fastrpc.h>). */
#include "daemon/transport/fastrpc/misc/node.h"
#include "daemon/transport/fastrpc/transport.h"

static int probe(struct broker *broker)
{
	return fastrpc_find(broker, &misc_driver);
}

const struct transport_ops fastrpc_transport = {
	FASTRPC_TRANSPORT_OPS,
	.name = "fastrpc",
	.calls = {&fastrpc_calls, &misc_calls},
	.probe = probe,
	.deinit = fastrpc_find_no_more,
	.memory_node = fastrpc_memory_node,
	.memory_alloc = misc_alloc,
};
