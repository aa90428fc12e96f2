// SPDX-License-Identifier: MIT
/* Requests over the socket, and what comes back: replies in any order, and events. */
#include <sys/socket.h>

#include "client/internal.h"

#define PACKETS_A_TURN 64 /* then other threads get the mutex */

/* A full socket holds requests of other threads, whose replies will wake this one up. */
static int control_send(struct dspbroker *broker, const void *message, size_t size, int fd)
{
	int r;

	do {
		r = sock_send(broker->sock, message, size, &fd, fd >= 0, MSG_DONTWAIT);
	} while (r == -EAGAIN && !broker->broken && pump_wait(broker, DEADLINE_FOREVER) == 0);
	if (r == -EPIPE || r == -ECONNRESET)
		connection_break(broker, "the broker closed the connection");
	return broker->broken ? connection_gone(broker) : r;
}

int control_exchange(struct dspbroker *broker, struct request *request, uint16_t opcode,
	union dsp_request *message, size_t size, int fd)
{
	int r;

	if (broker->broken)
		return connection_gone(broker);
	if (!++broker->serial)
		broker->serial++; /* 0 is for events */
	request->opcode = opcode;
	request->serial = broker->serial;
	message->header = (struct dsp_header){.opcode = opcode, .serial = request->serial};
	r = control_send(broker, message, size, fd);
	if (r < 0)
		return r;

	list_append(&broker->requests, &request->link);
	while (!request->done)
		pump_wait(broker, DEADLINE_FOREVER);
	if (request->status < 0)
		return connection_gone(broker);
	if (request->status > 0)
		message_set_error(&request->reply.error);
	return request->status;
}

static struct request *request_find(struct dspbroker *broker, uint32_t serial)
{
	struct request *request;

	list_for_each (request, &broker->requests, link)
		if (request->serial == serial)
			return request;
	return NULL;
}

static void reply_receive(struct dspbroker *broker, const union packet *packet,
	struct sock_fds *fds)
{
	uint16_t opcode = packet->header.opcode;
	struct request *request = request_find(broker, packet->header.serial);
	bool error = opcode == DSP_ERROR;

	if (!request || (!error && opcode != (request->opcode | DSP_REPLY))) {
		connection_break(broker, "the broker answered what was not asked");
		return;
	}
	if (error && (!packet->error.status || packet->error.status > INT32_MAX)) {
		connection_break(broker, "the broker sent an impossible status");
		return;
	}
	if (request->session && !error && !session_possible(&packet->open)) {
		connection_break(broker, "the broker opened a session that can be none");
		return;
	}
	request->reply = *packet;
	request->fds = *fds;
	fds->n = 0;
	request->status = error ? (int)packet->error.status : 0;
	if (request->session && !error)
		session_adopt(request->session, &packet->open);
	list_remove(&request->link);
	request->done = true;
}

static void packet_receive(struct dspbroker *broker, const union packet *packet, size_t size,
	struct sock_fds *fds)
{
	uint16_t opcode = packet->header.opcode;

	if (size < sizeof(packet->header) || size != wire_reply_size(opcode) ||
		fds->n != wire_reply_fds(opcode))
		connection_break(broker, "the broker sent a packet of the wrong size");
	else if (opcode & DSP_EVENT)
		events_receive(broker, packet);
	else
		reply_receive(broker, packet, fds);
}

void control_receive(struct dspbroker *broker)
{
	for (int i = 0; i < PACKETS_A_TURN && !broker->broken; i++) {
		union packet packet = {};
		struct sock_fds fds = {};
		ssize_t n;

		n = sock_receive(broker->sock, &packet, sizeof(packet), &fds, MSG_DONTWAIT);
		if (n == -EAGAIN)
			return;
		if (n > 0) {
			packet_receive(broker, &packet, (size_t)n, &fds);
		} else {
			pump_collect(broker); /* what was completed before the end counts */
			connection_break(broker,
				n == 0 || n == -ECONNRESET ? "the broker closed the connection"
				: n == -EMFILE ? "no descriptor is free for what the broker sent"
					       : "the broker sent a packet that is none");
		}
		sock_fds_close(&fds);
	}
}
