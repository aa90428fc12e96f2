// SPDX-License-Identifier: MIT
#include "tests/integration/raw.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Connection. */

void raw_connect(struct raw *raw, const struct harness *harness)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*raw = (struct raw){.ring = -1, .area = -1, .doorbell = -1, .notify = -1};
	strcpy(address.sun_path, harness->socket);
	raw->sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	require(raw->sock >= 0);
	require_eq(connect(raw->sock, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void *map(int fd, size_t size)
{
	void *mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	require(mapping != MAP_FAILED);
	return mapping;
}

void raw_hello(struct raw *raw)
{
	struct dsp_hello request = raw_hello_request(raw);
	union raw_packet reply;
	int fds[DSP_FDS_MAX];
	char *base;

	raw_send(raw, &request, sizeof(request), NULL, 0);
	require(raw_receive(raw, &reply, fds));
	require_eq(reply.header.opcode, DSP_HELLO | DSP_REPLY);
	raw->hello = reply.hello;
	raw->ring = fds[0];
	raw->area = fds[1];
	raw->doorbell = fds[2];
	raw->notify = fds[3];
	raw->ring_bytes = DSP_RING_ENTRIES_OFFSET + raw->hello.sq_slots * sizeof(struct dsp_slot) +
			  raw->hello.cq_entries * sizeof(struct dsp_completion);
	base = map(raw->ring, raw->ring_bytes);
	raw->shared = (struct dsp_ring_shared *)base;
	raw->sq = (struct dsp_slot *)(base + DSP_RING_ENTRIES_OFFSET);
	raw->cq = (struct dsp_completion *)(raw->sq + raw->hello.sq_slots);
	raw->arguments = map(raw->area, raw->hello.argument_bytes);
}

void raw_start(struct raw *raw, const struct harness *harness)
{
	raw_connect(raw, harness);
	raw_hello(raw);
}

void raw_close(struct raw *raw)
{
	if (raw->shared) {
		munmap(raw->shared, raw->ring_bytes);
		munmap(raw->arguments, raw->hello.argument_bytes);
		raw->shared = NULL;
	}
	raw->ring = fd_close(raw->ring);
	raw->area = fd_close(raw->area);
	raw->doorbell = fd_close(raw->doorbell);
	raw->notify = fd_close(raw->notify);
	raw->sock = fd_close(raw->sock);
}

/* Control plane. */

struct dsp_header raw_header(struct raw *raw, uint16_t opcode)
{
	return (struct dsp_header){.opcode = opcode, .serial = ++raw->serial};
}

struct dsp_hello raw_hello_request(struct raw *raw)
{
	return (struct dsp_hello){
		.header = raw_header(raw, DSP_HELLO),
		.magic = DSP_WIRE_MAGIC,
		.version_min = DSP_WIRE_VERSION,
		.version_max = DSP_WIRE_VERSION,
	};
}

struct dsp_open raw_open_request(struct raw *raw, const char *channel)
{
	struct dsp_open request = {.header = raw_header(raw, DSP_OPEN)};

	strncpy(request.channel, channel, sizeof(request.channel) - 1);
	return request;
}

int raw_try_send(struct raw *raw, const void *bytes, size_t size, const int *fds, size_t n_fds,
	int flags)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * RAW_FDS_MAX)];
		struct cmsghdr align;
	} control = {};
	struct iovec iov = {.iov_base = (void *)bytes, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	require(n_fds <= RAW_FDS_MAX);
	if (n_fds) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(&control.align), fds, sizeof(int) * n_fds);
	}
	return sendmsg(raw->sock, &msg, MSG_NOSIGNAL | flags) < 0 ? -errno : 0;
}

void raw_send(struct raw *raw, const void *bytes, size_t size, const int *fds, size_t n_fds)
{
	require_eq(raw_try_send(raw, bytes, size, fds, n_fds, 0), 0);
}

static void take_fds(struct msghdr *msg, int *fds)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int received[DSP_FDS_MAX];
	size_t n;

	require(!(msg->msg_flags & MSG_CTRUNC));
	for (size_t i = 0; fds && i < DSP_FDS_MAX; i++)
		fds[i] = -1;
	if (!c)
		return;
	n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(received, CMSG_DATA(c), n * sizeof(int));
	for (size_t i = 0; i < n; i++) {
		if (fds)
			fds[i] = received[i];
		else
			fd_close(received[i]);
	}
}

bool raw_receive(struct raw *raw, union raw_packet *packet, int *fds)
{
	struct pollfd readable = {.fd = raw->sock, .events = POLLIN};
	char control[CMSG_SPACE(sizeof(int) * DSP_FDS_MAX)];
	struct iovec iov = {.iov_base = packet, .iov_len = sizeof(*packet)};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	require_eq(poll(&readable, 1, HARNESS_PATIENCE_S * 1000), 1);
	do {
		/* ECONNRESET comes once, when our packets were not all read; what the broker said
		 * before it ended the connection follows. */
		n = recvmsg(raw->sock, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	require(n >= 0 && !(msg.msg_flags & MSG_TRUNC));
	if (!n)
		return false;
	require((size_t)n >= sizeof(packet->header));
	require_eq((size_t)n, wire_reply_size(packet->header.opcode));
	take_fds(&msg, fds);
	return true;
}

void raw_expect_end(struct raw *raw)
{
	union raw_packet packet = {};

	if (raw_receive(raw, &packet, NULL))
		harness_fail(__FILE__, __LINE__, "instead of the end came %s: %s",
			wire_opcode_name(packet.header.opcode),
			packet.header.opcode == DSP_ERROR ? packet.error.text : "");
}

void raw_exchange(struct raw *raw, const void *request, size_t size, const int *fds, size_t n_fds,
	union raw_packet *reply)
{
	raw_send(raw, request, size, fds, n_fds);
	require(raw_receive(raw, reply, NULL));
}

void raw_expect_error(struct raw *raw, enum dsp_status status, uint32_t field)
{
	union raw_packet reply;

	require(raw_receive(raw, &reply, NULL));
	require_eq(reply.header.opcode, DSP_ERROR);
	require_eq(reply.header.serial, raw->serial);
	if (reply.error.status != status || reply.error.field != field)
		harness_fail(__FILE__, __LINE__, "expected %s at %u, but it is %s at %u: %s",
			wire_status_name(status), field, wire_status_name(reply.error.status),
			reply.error.field, reply.error.text);
	require(wire_string_valid(reply.error.text, sizeof(reply.error.text)));
	require(wire_string_valid(reply.error.rule, sizeof(reply.error.rule)));
}

uint32_t raw_open(struct raw *raw, const char *channel)
{
	struct dsp_open request = raw_open_request(raw, channel);
	union raw_packet reply;

	raw_exchange(raw, &request, sizeof(request), NULL, 0, &reply);
	require_eq(reply.header.opcode, DSP_OPEN | DSP_REPLY);
	return reply.open.session;
}

enum dsp_status raw_alloc_from(struct raw *raw, uint64_t size, enum dsp_memory memory,
	uint32_t session, uint32_t *buffer, int *fd)
{
	const struct dsp_alloc request = {
		.header = raw_header(raw, DSP_ALLOC),
		.size = size,
		.memory = memory,
		.session = session,
	};
	union raw_packet reply;
	int fds[DSP_FDS_MAX];

	raw_send(raw, &request, sizeof(request), NULL, 0);
	require(raw_receive(raw, &reply, fds));
	if (reply.header.opcode == DSP_ERROR)
		return reply.error.status;
	require_eq(reply.header.opcode, DSP_ALLOC | DSP_REPLY);
	*buffer = reply.buffer.buffer;
	*fd = fds[0];
	return DSP_OK;
}

uint32_t raw_alloc(struct raw *raw, uint64_t size, int *fd)
{
	uint32_t buffer;

	require_eq(raw_alloc_from(raw, size, DSP_MEMORY_MEMFD, 0, &buffer, fd), DSP_OK);
	return buffer;
}

enum dsp_status raw_import(struct raw *raw, int fd, uint64_t size, uint32_t *buffer)
{
	const struct dsp_import request = {.header = raw_header(raw, DSP_IMPORT), .size = size};
	union raw_packet reply;

	raw_exchange(raw, &request, sizeof(request), &fd, 1, &reply);
	if (reply.header.opcode == DSP_ERROR)
		return reply.error.status;
	require_eq(reply.header.opcode, DSP_IMPORT | DSP_REPLY);
	*buffer = reply.buffer.buffer;
	return DSP_OK;
}

enum dsp_status raw_free(struct raw *raw, uint32_t buffer)
{
	const struct dsp_free request = {.header = raw_header(raw, DSP_FREE), .buffer = buffer};
	union raw_packet reply;

	raw_exchange(raw, &request, sizeof(request), NULL, 0, &reply);
	return reply.header.opcode == DSP_ERROR ? reply.error.status : DSP_OK;
}

/* Data plane. */

struct dsp_slot *raw_slot(struct raw *raw, uint32_t position)
{
	return &raw->sq[position & (raw->hello.sq_slots - 1)];
}

struct dsp_slot raw_invoke(uint32_t session, uint32_t method, uint64_t user_data)
{
	return (struct dsp_slot){
		.op = DSP_OP_INVOKE,
		.slots = 1,
		.session = session,
		.method = method,
		.user_data = user_data,
	};
}

void raw_push(struct raw *raw, const struct dsp_slot *slots, uint32_t n)
{
	require_soon(raw->sq_tail - atomic_load(&raw->shared->sq_head) + n <= raw->hello.sq_slots);
	for (uint32_t i = 0; i < n; i++)
		memcpy(raw_slot(raw, raw->sq_tail++), &slots[i], sizeof(*slots));
}

void raw_submit(struct raw *raw)
{
	atomic_store(&raw->shared->sq_tail, raw->sq_tail);
	if (atomic_exchange(&raw->shared->servicer_sleeps, 0))
		raw_ring(raw);
}

void raw_ring(struct raw *raw)
{
	uint64_t one = 1;

	require_eq(write(raw->doorbell, &one, sizeof(one)), sizeof(one));
}

bool raw_try_reap(struct raw *raw, struct dsp_completion *completion)
{
	if (atomic_load(&raw->shared->cq_tail) == raw->cq_head)
		return false;
	*completion = raw->cq[raw->cq_head++ & (raw->hello.cq_entries - 1)];
	atomic_store(&raw->shared->cq_head, raw->cq_head);
	if (atomic_exchange(&raw->shared->servicer_stalls, 0))
		raw_ring(raw);
	return true;
}

struct dsp_completion raw_reap(struct raw *raw)
{
	struct pollfd fds[] = {
		{.fd = raw->notify, .events = POLLIN},
		{.fd = raw->sock, .events = 0},
	};
	struct dsp_completion completion;
	char bytes[64];

	for (;;) {
		atomic_store(&raw->shared->requester_sleeps, 1);
		if (raw_try_reap(raw, &completion))
			return completion;
		require(poll(fds, ARRAY_SIZE(fds), HARNESS_PATIENCE_S * 1000) > 0);
		require(!fds[1].revents);
		require(read(raw->notify, bytes, sizeof(bytes)) > 0);
	}
}

struct dsp_completion raw_call(struct raw *raw, const struct dsp_slot *slots, uint32_t n)
{
	raw_push(raw, slots, n);
	raw_submit(raw);
	return raw_reap(raw);
}
