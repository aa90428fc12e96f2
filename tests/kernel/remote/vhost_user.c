// SPDX-License-Identifier: MIT
#include "tests/kernel/remote/vhost_user.h"

#include <fcntl.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "protocol/util.h"

#define VU_VERSION      0x1u
#define VU_VERSION_MASK 0x3u
#define VU_REPLY        0x4u
#define VU_PAYLOAD_MAX  512
#define VU_QUEUE_MASK   0xffu
#define VU_NO_FD        0x100u
/* A guest sends a message whole; one that stops in the middle is not waited for longer. */
#define VU_PATIENCE_S 5

#define VU_F_PROTOCOL_FEATURES (1ULL << 30)
#define VU_PROTOCOL_F_REQUESTS (1ULL << 5)
#define VU_PROTOCOL_F_CONFIG   (1ULL << 9)

enum vu_request {
	VU_GET_FEATURES = 1,
	VU_SET_FEATURES = 2,
	VU_SET_OWNER = 3,
	VU_SET_MEM_TABLE = 5,
	VU_SET_VRING_NUM = 8,
	VU_SET_VRING_ADDR = 9,
	VU_SET_VRING_BASE = 10,
	VU_SET_VRING_KICK = 12,
	VU_SET_VRING_CALL = 13,
	VU_GET_PROTOCOL_FEATURES = 15,
	VU_SET_PROTOCOL_FEATURES = 16,
	VU_SET_VRING_ENABLE = 18,
	VU_SET_REQUEST_FD = 21,
	VU_GET_CONFIG = 24,
};

struct vu_header {
	uint32_t request, flags, size;
};

struct vu_region {
	uint64_t guest, size, user, offset;
};

/* Handlers find what they need in here: the payload, zeroed past its end, and descriptors that
 * they take by TAKE_FD(). A reply is built in place. */
struct vu_message {
	struct vu_header header;
	union {
		uint8_t bytes[VU_PAYLOAD_MAX];
		uint64_t number;
		struct {
			uint32_t index, value;
		} state;
		struct {
			uint32_t index, flags;
			uint64_t desc, used, avail, log;
		} rings;
		struct {
			uint32_t n, padding;
			struct vu_region regions[MEMORY_REGIONS_MAX];
		} table;
		struct {
			uint32_t offset, size, flags;
			uint8_t bytes[VU_PAYLOAD_MAX - 3 * sizeof(uint32_t)];
		} config;
	};
	size_t n_fds;
	int fds[MEMORY_REGIONS_MAX];
};
static struct virtq *queue_of(struct vu_device *device, uint64_t index)
{
	return index < VU_QUEUES ? &device->queues[index].virtq : NULL;
}

static void stop(struct vu_device *device)
{
	for (size_t i = 0; i < VU_QUEUES; i++) {
		source_close(&device->queues[i].kick);
		virtq_reset(&device->queues[i].virtq);
	}
	memory_clear(&device->memory);
}

/* Requests. Each returns 0, 1 when a reply is to be sent, or a negative errno, which costs the
 * guest its connection. */

static int ignore(struct vu_device *device, struct vu_message *message)
{
	(void)device;
	(void)message;
	return 0;
}

static int get_features(struct vu_device *device, struct vu_message *message)
{
	message->number =
		device->ops->features | 1ULL << VIRTIO_F_VERSION_1 | VU_F_PROTOCOL_FEATURES;
	message->header.size = sizeof(message->number);
	return 1;
}

static int get_protocol_features(struct vu_device *device, struct vu_message *message)
{
	message->number = VU_PROTOCOL_F_REQUESTS | (device->ops->config ? VU_PROTOCOL_F_CONFIG : 0);
	message->header.size = sizeof(message->number);
	return 1;
}

static int set_mem_table(struct vu_device *device, struct vu_message *message)
{
	size_t n = message->table.n;

	if (n == 0 || n > MEMORY_REGIONS_MAX || n != message->n_fds)
		return -EINVAL;
	/* Whatever points into the old memory goes with it. */
	stop(device);
	for (size_t i = 0; i < n; i++) {
		const struct vu_region *region = &message->table.regions[i];
		int r = memory_add(&device->memory, &(struct memory_region){
							    .guest = region->guest,
							    .user = region->user,
							    .size = region->size,
							    .offset = region->offset,
							    .fd = TAKE_FD(message->fds[i]),
						    });
		if (r < 0)
			return r;
	}
	return 0;
}

static int set_vring_num(struct vu_device *device, struct vu_message *message)
{
	struct virtq *queue = queue_of(device, message->state.index);

	return queue ? virtq_set_size(queue, message->state.value) : -ERANGE;
}

static int set_vring_base(struct vu_device *device, struct vu_message *message)
{
	struct virtq *queue = queue_of(device, message->state.index);

	if (!queue)
		return -ERANGE;
	queue->next_avail = (uint16_t)message->state.value;
	return 0;
}

static int set_vring_addr(struct vu_device *device, struct vu_message *message)
{
	struct virtq *queue = queue_of(device, message->rings.index);

	return queue ? virtq_set_rings(queue, message->rings.desc, message->rings.avail,
			       message->rings.used)
		     : -ERANGE;
}

static void kick_ready(struct source *source)
{
	struct vu_queue *queue = container_of(source, struct vu_queue, kick);
	uint64_t count;

	if (read(source->fd, &count, sizeof(count)) == sizeof(count))
		queue->device->ops->kicked(queue->device,
			(unsigned int)(queue - queue->device->queues));
}

static int set_vring_kick(struct vu_device *device, struct vu_message *message)
{
	uint64_t index = message->number & VU_QUEUE_MASK;

	/* We never poll a queue. */
	if (!queue_of(device, index) || message->number & VU_NO_FD || message->n_fds != 1)
		return -EINVAL;
	source_close(&device->queues[index].kick);
	return source_open(&device->queues[index].kick, device->loop, TAKE_FD(message->fds[0]));
}

static int set_vring_call(struct vu_device *device, struct vu_message *message)
{
	struct virtq *queue = queue_of(device, message->number & VU_QUEUE_MASK);

	if (!queue || message->n_fds > 1)
		return -EINVAL;
	queue->call = fd_close(queue->call);
	if (message->n_fds == 0)
		return 0;
	/* The guest may wait for us, so that we must never wait for it. */
	if (fcntl(message->fds[0], F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	queue->call = TAKE_FD(message->fds[0]);
	return 0;
}

static int set_vring_enable(struct vu_device *device, struct vu_message *message)
{
	struct virtq *queue = queue_of(device, message->state.index);

	if (!queue)
		return -ERANGE;
	queue->enabled = message->state.value;
	return 0;
}

static int set_request_fd(struct vu_device *device, struct vu_message *message)
{
	if (message->n_fds != 1)
		return -EINVAL;
	fd_close(device->requests);
	device->requests = TAKE_FD(message->fds[0]);
	return 0;
}

static int get_config(struct vu_device *device, struct vu_message *message)
{
	size_t offset = message->config.offset, size = message->config.size;

	if (size > sizeof(message->config.bytes) || offset > device->ops->config_size ||
		size > device->ops->config_size - offset)
		return -ERANGE;
	memcpy(message->config.bytes, (const uint8_t *)device->ops->config + offset, size);
	return 1;
}

static const struct {
	size_t size_min, size_max;
	int (*handle)(struct vu_device *device, struct vu_message *message);
} requests[] = {
	[VU_GET_FEATURES] = {0, 0, get_features},
	[VU_SET_FEATURES] = {8, 8, ignore},
	[VU_SET_OWNER] = {0, 0, ignore},
	[VU_SET_MEM_TABLE] = {8, 8 + MEMORY_REGIONS_MAX * sizeof(struct vu_region), set_mem_table},
	[VU_SET_VRING_NUM] = {8, 8, set_vring_num},
	[VU_SET_VRING_ADDR] = {40, 40, set_vring_addr},
	[VU_SET_VRING_BASE] = {8, 8, set_vring_base},
	[VU_SET_VRING_KICK] = {8, 8, set_vring_kick},
	[VU_SET_VRING_CALL] = {8, 8, set_vring_call},
	[VU_GET_PROTOCOL_FEATURES] = {0, 0, get_protocol_features},
	[VU_SET_PROTOCOL_FEATURES] = {8, 8, ignore},
	[VU_SET_VRING_ENABLE] = {8, 8, set_vring_enable},
	[VU_SET_REQUEST_FD] = {0, 0, set_request_fd},
	[VU_GET_CONFIG] = {12, VU_PAYLOAD_MAX, get_config},
};

/* The connection. */

static void take_fds(struct msghdr *header, struct vu_message *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		message->n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(message->fds, CMSG_DATA(c), message->n_fds * sizeof(int));
	}
}

/* Fill @message; 1, 0 at the end of the connection, or a negative errno. */
static int receive(int fd, struct vu_message *message)
{
	union {
		char bytes[CMSG_SPACE(sizeof(message->fds))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {&message->header, sizeof(message->header)};
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &header, MSG_WAITALL | MSG_CMSG_CLOEXEC);

	if (n <= 0)
		return n < 0 ? -errno : 0;
	take_fds(&header, message);
	if (n != sizeof(message->header) || header.msg_flags & MSG_CTRUNC ||
		message->header.size > sizeof(message->bytes))
		return -EPROTO;
	if (message->header.size == 0)
		return 1;
	n = recv(fd, message->bytes, message->header.size, MSG_WAITALL);
	if (n < 0)
		return -errno;
	return n == (ssize_t)message->header.size ? 1 : -EPROTO;
}

static int reply(int fd, struct vu_message *message)
{
	struct iovec iov[] = {
		{&message->header, sizeof(message->header)},
		{message->bytes, message->header.size},
	};
	struct msghdr header = {.msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov)};

	message->header.flags = VU_VERSION | VU_REPLY;
	if (sendmsg(fd, &header, MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

static int serve(struct vu_device *device, struct vu_message *message)
{
	uint32_t request = message->header.request;
	int r;

	if ((message->header.flags & VU_VERSION_MASK) != VU_VERSION)
		return -EPROTO;
	if (request >= ARRAY_SIZE(requests) || !requests[request].handle)
		return -ENOSYS;
	if (message->header.size < requests[request].size_min ||
		message->header.size > requests[request].size_max)
		return -EMSGSIZE;
	r = requests[request].handle(device, message);
	return r > 0 ? reply(device->connection.fd, message) : r;
}

static void connection_ready(struct source *source)
{
	struct vu_device *device = container_of(source, struct vu_device, connection);
	struct vu_message message = {.n_fds = 0};
	int r = receive(source->fd, &message);

	if (r > 0)
		r = serve(device, &message);
	else if (r == 0)
		r = -ECONNRESET;
	for (size_t i = 0; i < message.n_fds; i++)
		fd_close(message.fds[i]);
	if (r < 0 && r != -ECONNRESET)
		fprintf(stderr, "%s: request %u: %s\n", device->ops->name, message.header.request,
			strerror(-r));
	if (r < 0)
		vu_disconnect(device);
}

static void listener_ready(struct source *source)
{
	struct vu_device *device = container_of(source, struct vu_device, listener);
	struct timeval patience = {.tv_sec = VU_PATIENCE_S};
	_cleanup_(fd_closep) int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC);
	int r;

	if (fd < 0 || vu_is_connected(device))
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	r = source_open(&device->connection, device->loop, TAKE_FD(fd));
	if (r < 0)
		fprintf(stderr, "%s: %s\n", device->ops->name, strerror(-r));
}

static int listen_at(const char *path)
{
	_cleanup_(fd_closep) int fd = -1;
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, 1) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int vu_init(struct vu_device *device, struct loop *loop, const char *path, const struct vu_ops *ops)
{
	int fd = listen_at(path);

	if (fd < 0)
		return fd;
	*device = (struct vu_device){
		.ops = ops,
		.loop = loop,
		.listener = {.fd = -1, .ready = listener_ready},
		.connection = {.fd = -1, .ready = connection_ready},
		.requests = -1,
	};
	for (size_t i = 0; i < VU_QUEUES; i++) {
		device->queues[i].device = device;
		device->queues[i].kick = (struct source){.fd = -1, .ready = kick_ready};
		virtq_init(&device->queues[i].virtq, &device->memory);
	}
	return source_open(&device->listener, loop, fd);
}

bool vu_is_connected(const struct vu_device *device)
{
	return device->connection.fd >= 0;
}

void vu_disconnect(struct vu_device *device)
{
	if (!vu_is_connected(device))
		return;
	device->ops->gone(device);
	stop(device);
	device->requests = fd_close(device->requests);
	source_close(&device->connection);
}
