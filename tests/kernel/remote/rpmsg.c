// SPDX-License-Identifier: MIT
#include "tests/kernel/remote/rpmsg.h"

#include <stdio.h>
#include <string.h>

/* The guest's view: it receives through the first queue and sends through the second. */
#define TO_GUEST   0
#define FROM_GUEST 1

#define RPMSG_F_NAME_SERVICE (1ULL << 0)
#define NS_DESTROY           1
#define WAITING_MAX          4096 /* messages */

struct ns_message {
	char name[RPMSG_NAME_SIZE];
	uint32_t address, flags;
};

struct message {
	struct list node;
	uint32_t written;
	size_t size;
	uint8_t bytes[RPMSG_BUFFER_SIZE];
};

static struct virtq *queue(struct rpmsg *rpmsg, unsigned int index)
{
	return &rpmsg->device.queues[index].virtq;
}

/* To the guest. */

/* 1: sent; 0: no room; or a negative errno. */
static int put(struct rpmsg *rpmsg, const void *bytes, size_t size, uint32_t written)
{
	struct virtq_chain chain;
	int r = rpmsg->ready ? virtq_pop(queue(rpmsg, TO_GUEST), &chain) : 0;

	if (r <= 0)
		return r;
	if (chain.n_out != 0 || chain.n_in != 1 || chain.in[0].iov_len < size)
		return -EPROTO;
	memcpy(chain.in[0].iov_base, bytes, size);
	virtq_push(queue(rpmsg, TO_GUEST), chain.head, written);
	return 1;
}

int rpmsg_send_raw(struct rpmsg *rpmsg, const void *bytes, size_t size, uint32_t written)
{
	struct message *message;
	int r;

	if (size > RPMSG_BUFFER_SIZE)
		return -EMSGSIZE;
	r = list_empty(&rpmsg->waiting) ? put(rpmsg, bytes, size, written) : 0;
	if (r > 0)
		virtq_notify(queue(rpmsg, TO_GUEST));
	if (r != 0)
		return r > 0 ? 0 : r;
	if (rpmsg->n_waiting == WAITING_MAX)
		return -ENOBUFS;
	message = malloc(sizeof(*message));
	if (!message)
		return -ENOMEM;
	message->written = written;
	message->size = size;
	memcpy(message->bytes, bytes, size);
	list_append(&rpmsg->waiting, &message->node);
	rpmsg->n_waiting++;
	return 0;
}

int rpmsg_send(struct rpmsg *rpmsg, uint32_t src, uint32_t dst, const void *data, size_t size)
{
	uint8_t bytes[RPMSG_BUFFER_SIZE];
	struct rpmsg_header header = {.src = src, .dst = dst, .size = (uint16_t)size};

	if (size > RPMSG_MTU)
		return -EMSGSIZE;
	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), data, size);
	return rpmsg_send_raw(rpmsg, bytes, sizeof(header) + size,
		(uint32_t)(sizeof(header) + size));
}

static void drop_waiting(struct rpmsg *rpmsg, struct message *message)
{
	list_remove(&message->node);
	rpmsg->n_waiting--;
	free(message);
}

static void drop_all_waiting(struct rpmsg *rpmsg)
{
	struct message *message, *following;

	list_for_each_safe (message, following, &rpmsg->waiting, node)
		drop_waiting(rpmsg, message);
}

static void send_waiting(struct rpmsg *rpmsg)
{
	struct message *message, *following;

	list_for_each_safe (message, following, &rpmsg->waiting, node) {
		if (put(rpmsg, message->bytes, message->size, message->written) <= 0)
			break;
		drop_waiting(rpmsg, message);
	}
	virtq_notify(queue(rpmsg, TO_GUEST));
}

/* As many as the queue can hold: for more the guest must have made room, and have told so. */
static void offer_room(struct rpmsg *rpmsg)
{
	struct endpoint *endpoint;
	unsigned int n = 0;
	bool any = true;

	while (any) {
		any = false;
		list_for_each (endpoint, &rpmsg->endpoints, node) {
			if (n == VIRTQ_SIZE_MAX || !list_empty(&rpmsg->waiting))
				return;
			if (endpoint->service->room && endpoint->service->room(endpoint)) {
				any = true;
				n++;
			}
		}
	}
}

/* From the guest. */

static void deliver(struct rpmsg *rpmsg, const struct iovec *area)
{
	uint8_t bytes[RPMSG_BUFFER_SIZE];
	struct rpmsg_header header;
	struct endpoint *endpoint;

	if (area->iov_len < sizeof(header) || area->iov_len > sizeof(bytes)) {
		fprintf(stderr, "rpmsg: a message in %zu bytes\n", area->iov_len);
		return;
	}
	memcpy(bytes, area->iov_base, area->iov_len);
	memcpy(&header, bytes, sizeof(header));
	endpoint = rpmsg_endpoint(rpmsg, header.dst);
	if (!endpoint || header.size > area->iov_len - sizeof(header)) {
		fprintf(stderr, "rpmsg: %u bytes to %u, in %zu\n", header.size, header.dst,
			area->iov_len);
		return;
	}
	endpoint->messages++;
	endpoint->bytes += header.size;
	endpoint->caller = header.src;
	if (endpoint->service->receive)
		endpoint->service->receive(endpoint, header.src, bytes + sizeof(header),
			header.size);
}

static void take(struct rpmsg *rpmsg)
{
	struct virtq *from_guest = queue(rpmsg, FROM_GUEST);
	struct virtq_chain chain;

	for (unsigned int n = 0; n < VIRTQ_SIZE_MAX; n++) {
		if (rpmsg->hung || !list_empty(&rpmsg->waiting) ||
			virtq_pop(from_guest, &chain) <= 0)
			break;
		if (chain.n_out == 1 && chain.n_in == 0)
			deliver(rpmsg, &chain.out[0]);
		virtq_push(from_guest, chain.head, 0);
	}
	virtq_notify(from_guest);
}

void rpmsg_work(struct rpmsg *rpmsg)
{
	if (!rpmsg->ready)
		return;
	send_waiting(rpmsg);
	take(rpmsg);
	offer_room(rpmsg);
}

/* Endpoints and the name service. */

struct endpoint *rpmsg_endpoint(struct rpmsg *rpmsg, uint32_t address)
{
	struct endpoint *endpoint;

	list_for_each (endpoint, &rpmsg->endpoints, node)
		if (endpoint->address == address)
			return endpoint;
	return NULL;
}

static void tell_gone(struct endpoint *endpoint)
{
	if (endpoint->service->gone)
		endpoint->service->gone(endpoint);
}

int rpmsg_serve(struct rpmsg *rpmsg, uint32_t address, const struct service *service)
{
	struct endpoint *endpoint = rpmsg_endpoint(rpmsg, address);

	if (!endpoint) {
		endpoint = malloc(sizeof(*endpoint));
		if (!endpoint)
			return -ENOMEM;
		*endpoint = (struct endpoint){.rpmsg = rpmsg, .address = address};
		list_append(&rpmsg->endpoints, &endpoint->node);
	} else {
		tell_gone(endpoint);
	}
	endpoint->service = service;
	return 0;
}

int rpmsg_tell_name(struct rpmsg *rpmsg, uint32_t address, uint32_t flags, const void *name,
	size_t size)
{
	struct ns_message message = {.address = address, .flags = flags};

	if (size > sizeof(message.name))
		return -ENAMETOOLONG;
	memcpy(message.name, name, size);
	return rpmsg_send(rpmsg, address, RPMSG_NS_ADDRESS, &message, sizeof(message));
}

static int tell_name(struct endpoint *endpoint, uint32_t flags)
{
	return rpmsg_tell_name(endpoint->rpmsg, endpoint->address, flags, endpoint->name,
		strlen(endpoint->name));
}

int rpmsg_announce(struct endpoint *endpoint, const char *name)
{
	if (*endpoint->name)
		return -EEXIST;
	if (strlen(name) >= sizeof(endpoint->name))
		return -ENAMETOOLONG;
	strcpy(endpoint->name, name);
	return endpoint->rpmsg->ready ? tell_name(endpoint, 0) : 0;
}

int rpmsg_withdraw(struct endpoint *endpoint)
{
	int r;

	if (!*endpoint->name)
		return -ENOENT;
	tell_gone(endpoint);
	r = endpoint->rpmsg->ready ? tell_name(endpoint, NS_DESTROY) : 0;
	memset(endpoint->name, 0, sizeof(endpoint->name));
	return r;
}

/* The device. */

static void kicked(struct vu_device *device, unsigned int index)
{
	struct rpmsg *rpmsg = container_of(device, struct rpmsg, device);
	struct endpoint *endpoint;

	/* The driver's first sign of life, which it gives when all is set up: there is room. */
	if (!rpmsg->ready && index == TO_GUEST) {
		rpmsg->ready = true;
		list_for_each (endpoint, &rpmsg->endpoints, node)
			if (*endpoint->name)
				tell_name(endpoint, 0);
	}
	rpmsg_work(rpmsg);
}

static void gone(struct vu_device *device)
{
	struct rpmsg *rpmsg = container_of(device, struct rpmsg, device);
	struct endpoint *endpoint;

	rpmsg->ready = false;
	rpmsg->hung = false;
	drop_all_waiting(rpmsg);
	list_for_each (endpoint, &rpmsg->endpoints, node) {
		endpoint->emission.left = 0;
		tell_gone(endpoint);
	}
}

static const struct vu_ops device_ops = {
	.name = "rpmsg",
	.features = RPMSG_F_NAME_SERVICE,
	.kicked = kicked,
	.gone = gone,
};

int rpmsg_init(struct rpmsg *rpmsg, struct loop *loop, const char *path)
{
	*rpmsg = (struct rpmsg){.n_waiting = 0};
	list_init(&rpmsg->endpoints);
	list_init(&rpmsg->waiting);
	return vu_init(&rpmsg->device, loop, path, &device_ops);
}

void rpmsg_hang(struct rpmsg *rpmsg, bool hung)
{
	rpmsg->hung = hung;
	rpmsg_work(rpmsg);
}

void rpmsg_crash(struct rpmsg *rpmsg)
{
	vu_disconnect(&rpmsg->device);
}
