// SPDX-License-Identifier: MIT
#include "tests/unit/app_rig.h"

#include <check.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "daemon/limits.h"

struct app app;

bool app_readable(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	return poll(&pollfd, 1, 0) == 1;
}

/* Packets. */

uint32_t app_ask(uint16_t opcode, void *request, size_t size)
{
	struct dsp_header *header = request;

	*header = (struct dsp_header){.opcode = opcode, .serial = ++app.serial};
	ck_assert_int_eq(sock_send(app.sock, request, size, NULL, 0, 0), 0);
	daemon_settle();
	return app.serial;
}

static bool is_news(const union app_packet *packet)
{
	return packet->header.opcode == DSP_EVENT_CHANNEL ||
	       packet->header.opcode == DSP_EVENT_DEVICE;
}

union app_packet app_next(struct sock_fds *fds)
{
	union app_packet packet = {};
	struct sock_fds none = {};

	do {
		while (!app_readable(app.sock))
			daemon_turn(true);
		ck_assert_int_gt(sock_receive(app.sock, &packet, sizeof(packet), fds ? fds : &none,
					 MSG_DONTWAIT),
			0);
	} while (is_news(&packet));
	ck_assert_uint_eq(none.n, 0);
	return packet;
}

union app_packet app_exchange(uint16_t opcode, void *request, size_t size, struct sock_fds *fds)
{
	uint32_t serial = app_ask(opcode, request, size);
	union app_packet packet = app_next(fds);

	ck_assert_uint_eq(packet.header.serial, serial);
	return packet;
}

union app_packet app_try_open(const char *channel)
{
	struct dsp_open request = {};

	wire_string_set(request.channel, sizeof(request.channel), channel);
	return app_exchange(DSP_OPEN, &request, sizeof(request), NULL);
}

struct dsp_open_reply app_open(const char *channel)
{
	union app_packet reply = app_try_open(channel);

	ck_assert_uint_eq(reply.header.opcode, DSP_OPEN | DSP_REPLY);
	return reply.open;
}

void app_close(uint32_t session)
{
	struct dsp_close request = {.session = session};

	ck_assert_uint_eq(app_exchange(DSP_CLOSE, &request, sizeof(request), NULL).header.opcode,
		DSP_CLOSE | DSP_REPLY);
}

/* The ring. */

uint64_t app_push(struct dsp_entry entry)
{
	entry.user_data = ++app.user_data;
	ck_assert_int_eq(ring_push(&app.ring, &entry, NULL), 0);
	if (ring_submit(&app.ring))
		ring_kick(app.doorbell);
	daemon_settle();
	return app.user_data;
}

struct dsp_completion app_completes(uint64_t user_data, enum dsp_status status)
{
	struct dsp_completion completion;

	ck_assert_int_eq(ring_reap(&app.ring, &completion), 1);
	ck_assert_uint_eq(completion.user_data, user_data);
	ck_assert_uint_eq(completion.status, status);
	return completion;
}

void app_nothing_completes(void)
{
	struct dsp_completion completion;

	ck_assert_int_eq(ring_reap(&app.ring, &completion), 0);
}

/* The connection. */

static struct client *last_client(void)
{
	struct client *client, *last = NULL;

	list_for_each (client, &broker.clients, link)
		last = client;
	return last;
}

void app_connect(void)
{
	app = (struct app){.sock = daemon_connect(), .doorbell = -1, .notify = -1};
	app.client = last_client();
}

void app_hello(uint32_t sq_slots)
{
	struct dsp_hello request = {
		.magic = DSP_WIRE_MAGIC,
		.version_min = DSP_WIRE_VERSION,
		.version_max = DSP_WIRE_VERSION,
		.sq_slots = sq_slots,
	};
	_cleanup_(sock_fds_close) struct sock_fds fds = {};
	struct dsp_hello_reply reply;

	reply = app_exchange(DSP_HELLO, &request, sizeof(request), &fds).hello;
	ck_assert_uint_eq(reply.header.opcode, DSP_HELLO | DSP_REPLY);
	ck_assert_uint_eq(fds.n, DSP_HELLO_REPLY_FDS);
	ck_assert_uint_eq(reply.argument_bytes, CLIENT_ARGUMENT_BYTES);
	ck_assert_int_eq(ring_map(&app.ring, fds.fd[0], reply.sq_slots, reply.cq_entries), 0);
	app.area =
		mmap(NULL, CLIENT_ARGUMENT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fds.fd[1], 0);
	ck_assert_ptr_ne(app.area, MAP_FAILED);
	app.doorbell = sock_fds_take(&fds, 2);
	app.notify = sock_fds_take(&fds, 3);
}

void app_start(uint32_t sq_slots)
{
	app_connect();
	app_hello(sq_slots);
}

static bool is_connected(void)
{
	const struct client *client;

	list_for_each (client, &broker.clients, link)
		if (client == app.client)
			return !client->dead;
	return false;
}

void app_hang_up(void)
{
	app.sock = fd_close(app.sock);
	while (is_connected())
		daemon_turn(true);
	daemon_settle();
}

void app_stop(void)
{
	app_hang_up();
	munmap(app.area, CLIENT_ARGUMENT_BYTES);
	ring_unmap(&app.ring);
	app.doorbell = fd_close(app.doorbell);
	app.notify = fd_close(app.notify);
}

unsigned int app_reload(const char *policy)
{
	struct app before = app;
	struct dsp_reload request = {};
	union app_packet reply;

	daemon_write_policy(policy);
	app_start(0);
	reply = app_exchange(DSP_RELOAD, &request, sizeof(request), NULL);
	ck_assert_uint_eq(reply.header.opcode, DSP_RELOAD | DSP_REPLY);
	app_stop();
	app = before;
	return reply.reload.revoked;
}
