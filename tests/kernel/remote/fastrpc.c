// SPDX-License-Identifier: MIT
#include "tests/kernel/remote/fastrpc.h"

#include <stdio.h>
#include <string.h>

/* What the kernel sends for a call, and wants to have back. */
struct fastrpc_message {
	int32_t client, thread;
	uint64_t context;
	uint32_t handle, scalars;
	uint64_t address, size;
};

struct fastrpc_response {
	uint64_t context;
	int32_t result;
	uint32_t padding;
};

static void receive(struct endpoint *endpoint, uint32_t src, const void *data, size_t size)
{
	struct fastrpc_response response = {.result = 0};
	struct fastrpc_message message;
	int r;

	if (size != sizeof(message)) {
		fprintf(stderr, "fastrpc: a message of %zu bytes\n", size);
		return;
	}
	memcpy(&message, data, sizeof(message));
	response.context = message.context;
	r = rpmsg_send(endpoint->rpmsg, endpoint->address, src, &response, sizeof(response));
	if (r < 0)
		fprintf(stderr, "fastrpc: %s\n", strerror(-r));
}

const struct service fastrpc_service = {"fastrpc", receive, NULL};
