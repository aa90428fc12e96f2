// SPDX-License-Identifier: MIT
#include "tests/kernel/remote/service.h"

#include <stdio.h>
#include <string.h>

#include "tests/kernel/remote/dsp.h"

static void echo_receive(struct endpoint *endpoint, uint32_t src, const void *data, size_t size)
{
	int r = rpmsg_send(endpoint->rpmsg, endpoint->address, src, data, size);

	if (r < 0)
		fprintf(stderr, "echo: %s\n", strerror(-r));
}

static void source_receive(struct endpoint *endpoint, uint32_t src, const void *data, size_t size)
{
	struct source_request request;

	if (size != sizeof(request)) {
		fprintf(stderr, "source: a request of %zu bytes\n", size);
		return;
	}
	memcpy(&request, data, sizeof(request));
	service_emit(endpoint, src, request.count, request.size);
}

static bool source_room(struct endpoint *endpoint)
{
	uint8_t data[RPMSG_MTU] = {0};

	if (endpoint->emission.left == 0)
		return false;
	memcpy(data, &endpoint->emission.next, sizeof(endpoint->emission.next));
	if (rpmsg_send(endpoint->rpmsg, endpoint->address, endpoint->emission.dst, data,
		    endpoint->emission.size) < 0)
		return false;
	endpoint->emission.next++;
	endpoint->emission.total++;
	endpoint->emission.left--;
	return true;
}

static const struct service echo = {.name = "echo", .receive = echo_receive};
static const struct service sink = {.name = "sink"};
static const struct service source = {
	.name = "source", .receive = source_receive, .room = source_room};
static const struct service *const services[] = {&echo, &sink, &source, &dsp_service};

const struct service *service_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(services); i++)
		if (strcmp(services[i]->name, name) == 0)
			return services[i];
	return NULL;
}

int service_emit(struct endpoint *endpoint, uint32_t dst, uint32_t count, uint32_t size)
{
	if (endpoint->service != &source)
		return -ENOTSUP;
	if (count > 0 && (size < sizeof(endpoint->emission.next) || size > RPMSG_MTU))
		return -EMSGSIZE;
	endpoint->emission.dst = dst;
	endpoint->emission.size = size;
	endpoint->emission.left = count;
	endpoint->emission.next = 0;
	return 0;
}
