// SPDX-License-Identifier: MIT
/*
 * Messages through the broker's own code, from the ring of a client to a transport and back, where
 * the sanitizers can watch: they do not run where the real rpmsg drivers do. The transport is the
 * test's own, which is full, empty or gone when the test wants it to be.
 */
#include <check.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "daemon/broker.h"
#include "daemon/client.h"
#include "daemon/device.h"
#include "daemon/limits.h"
#include "daemon/scheduler.h"
#include "daemon/session.h"
#include "daemon/transport/transport.h"
#include "daemon/user.h"
#include "protocol/sock.h"
#include "tests/suite.h"
#include "tests/unit/machine.h"

#define MTU        64
#define QUEUE      4
#define CALLS      8
#define AREA_SLOTS 64

static const char policy_text[] =
	"{\"version\": 1, \"rules\": ["
	"{\"name\": \"drop\", \"action\": \"allow\", \"match\": {\"users\": [\"*\"]},"
	" \"channels\": [\"test/drop\"], \"limits\": {\"messages\": 4, \"calls\": 8}},"
	"{\"name\": \"close\", \"action\": \"allow\", \"match\": {\"users\": [\"*\"]},"
	" \"channels\": [\"test/close\"], \"overflow\": \"close\", \"limits\": {\"messages\": 4}},"
	"{\"name\": \"alone\", \"action\": \"allow\", \"match\": {\"users\": [\"*\"]},"
	" \"channels\": [\"test/alone\"], \"exclusive\": true}"
	"]}";

static struct broker broker;
static const struct broker_options options;

/* The transport. */

static struct {
	struct device device;
	struct session *session; /* the one opened last */
	bool full;
	unsigned int n_sent;
	char sent[AREA_SLOTS][MTU];
	unsigned int stops, goes;
} end;

static int end_open(struct session *session)
{
	struct lane *lane = calloc(1, sizeof(*lane));

	ck_assert_ptr_nonnull(lane);
	lane_init(lane, session->device, 1);
	lane->attached = 1;
	lane->ready = true;
	session->lane = lane;
	end.session = session;
	session_opened(session, MTU);
	return 0;
}

static void end_close(struct session *session)
{
	struct lane *lane = session->lane;

	session_end_calls(session, DSP_CANCELLED);
	session_closed(session);
	free(lane);
}

static int end_submit(struct call *call)
{
	const struct call_arg *arg = &call->args[0];

	if (end.full)
		return -EAGAIN;
	ck_assert_uint_lt(end.n_sent, AREA_SLOTS);
	memcpy(end.sent[end.n_sent++], arg->buffer->map + arg->offset, arg->length);
	return 1;
}

static bool end_cancel(struct call *call)
{
	(void)call;
	return false;
}

static void end_pace(struct session *session, bool stop)
{
	(void)session;
	*(stop ? &end.stops : &end.goes) += 1;
}

static void end_remove(struct device *device)
{
	(void)device;
}

static const struct transport_ops end_ops = {
	.name = "test",
	.remove = end_remove,
	.open = end_open,
	.close = end_close,
	.submit = end_submit,
	.cancel = end_cancel,
	.pace = end_pace,
};

static void end_loses(struct session *session)
{
	struct lane *lane = session->lane;

	session_lost(session, DSP_DEVICE_DOWN, "it crashed");
	free(lane);
}

static void arrives_sized(const char *text, size_t size)
{
	char *place = mailbox_place(end.session);

	memset(place, 0, MTU);
	strcpy(place, text);
	mailbox_arrived(end.session, size);
}

static void arrives(const char *text)
{
	arrives_sized(text, strlen(text) + 1);
}

/* A client, by hand. */

static struct {
	int sock, doorbell, notify;
	struct dsp_ring ring;
	char *area;
	uint64_t last; /* user_data */
} app;

static void turn(void)
{
	struct client *client;

	/* What one turn leaves to the next comes in the next. */
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(loop_turn(broker.loop, false), 0);
		while ((client = list_first(&broker.dirty, struct client, dirty))) {
			list_remove(&client->dirty);
			client_publish(client);
		}
	}
}

/* The next packet, which must be there, and be that. */
static void next_packet(void *packet, size_t size, uint16_t opcode, struct sock_fds *fds)
{
	char bytes[DSP_MESSAGE_MAX];
	const struct dsp_header *header = (const void *)bytes;
	struct sock_fds none = {};

	do {
		ck_assert_int_gt(sock_receive(app.sock, bytes, sizeof(bytes), fds ? fds : &none,
					 MSG_DONTWAIT),
			0);
	} while (header->opcode != opcode &&
		 (header->opcode == DSP_EVENT_CHANNEL || header->opcode == DSP_EVENT_DEVICE));
	ck_assert_uint_eq(header->opcode, opcode);
	memcpy(packet, bytes, size);
}

static void hello(void)
{
	const struct dsp_hello request = {
		.header = {.opcode = DSP_HELLO, .serial = 1},
		.magic = DSP_WIRE_MAGIC,
		.version_min = DSP_WIRE_VERSION,
		.version_max = DSP_WIRE_VERSION,
	};
	struct dsp_hello_reply reply;
	struct sock_fds fds = {};

	ck_assert_int_eq(sock_send(app.sock, &request, sizeof(request), NULL, 0, 0), 0);
	turn();
	next_packet(&reply, sizeof(reply), DSP_HELLO | DSP_REPLY, &fds);
	ck_assert_uint_eq(fds.n, 4);
	ck_assert_int_eq(ring_map(&app.ring, fds.fd[0], reply.sq_slots, reply.cq_entries), 0);
	app.area =
		mmap(NULL, reply.argument_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fds.fd[1], 0);
	ck_assert_ptr_ne(app.area, MAP_FAILED);
	app.doorbell = sock_fds_take(&fds, 2);
	app.notify = sock_fds_take(&fds, 3);
	sock_fds_close(&fds);
}

static void send_open(const char *channel)
{
	struct dsp_open request = {.header = {.opcode = DSP_OPEN, .serial = 2}};

	wire_string_set(request.channel, sizeof(request.channel), channel);
	ck_assert_int_eq(sock_send(app.sock, &request, sizeof(request), NULL, 0, 0), 0);
	turn();
}

static uint32_t open_channel(const char *channel)
{
	struct dsp_open_reply reply;

	send_open(channel);
	next_packet(&reply, sizeof(reply), DSP_OPEN | DSP_REPLY, NULL);
	ck_assert_uint_eq(reply.kind, DSP_KIND_MESSAGE);
	ck_assert_uint_eq(reply.mtu, MTU);
	return reply.session;
}

static void is_refused(const char *channel, enum dsp_status status, const char *text)
{
	struct dsp_error error;

	send_open(channel);
	next_packet(&error, sizeof(error), DSP_ERROR, NULL);
	ck_assert_uint_eq(error.status, status);
	ck_assert_ptr_nonnull(strstr(error.text, text));
}

static void close_session(uint32_t session)
{
	const struct dsp_close request = {
		.header = {.opcode = DSP_CLOSE, .serial = 3},
		.session = session,
	};
	struct dsp_close_reply reply;

	ck_assert_int_eq(sock_send(app.sock, &request, sizeof(request), NULL, 0, 0), 0);
	turn();
	next_packet(&reply, sizeof(reply), DSP_CLOSE | DSP_REPLY, NULL);
}

static uint64_t push(struct dsp_entry entry)
{
	entry.user_data = ++app.last;
	ck_assert_int_eq(ring_push(&app.ring, &entry, NULL), 0);
	if (ring_submit(&app.ring))
		ring_kick(app.doorbell);
	turn();
	return app.last;
}

static uint64_t receive(uint32_t session, uint32_t at)
{
	return push((struct dsp_entry){
		.op = DSP_OP_RECEIVE,
		.session = session,
		.n_out = 1,
		.args = {{DSP_ARGUMENT_AREA, at * MTU, MTU}},
	});
}

static uint64_t send_flags(uint32_t session, uint32_t at, const char *text, uint32_t flags)
{
	strcpy(app.area + (size_t)at * MTU, text);
	return push((struct dsp_entry){
		.op = DSP_OP_SEND,
		.session = session,
		.n_in = 1,
		.method = flags,
		.args = {{DSP_ARGUMENT_AREA, at * MTU, (uint32_t)strlen(text) + 1}},
	});
}

static uint64_t send_text(uint32_t session, uint32_t at, const char *text)
{
	return send_flags(session, at, text, 0);
}

static uint64_t cancel(uint32_t session, uint64_t target)
{
	return push((struct dsp_entry){.op = DSP_OP_CANCEL, .session = session, .target = target});
}

/* The next completion, which must be that. */
static struct dsp_completion completes(uint64_t user_data, enum dsp_status status)
{
	struct dsp_completion completion;

	ck_assert_int_eq(ring_reap(&app.ring, &completion), 1);
	ck_assert_uint_eq(completion.user_data, user_data);
	ck_assert_uint_eq(completion.status, status);
	return completion;
}

static void nothing_completes(void)
{
	struct dsp_completion completion;

	ck_assert_int_eq(ring_reap(&app.ring, &completion), 0);
}

static void gets(uint64_t user_data, uint32_t at, const char *text, uint32_t dropped)
{
	struct dsp_completion completion = completes(user_data, DSP_OK);

	ck_assert_int_eq(completion.result, (int)strlen(text) + 1);
	ck_assert_uint_eq(completion.detail, dropped);
	ck_assert_str_eq(app.area + (size_t)at * MTU, text);
}

/* Everything. */

static void setup(void)
{
	struct policy_note error;
	int pair[2];

	memset(&end, 0, sizeof(end));
	memset(&app, 0, sizeof(app));
	broker = (struct broker){
		.options = &options,
		.quota = {.owner = "broker"},
	};
	for (int kind = 0; kind < QUOTA_KINDS; kind++)
		broker.quota.limit[kind] = UINT64_MAX;
	list_init(&broker.listeners);
	list_init(&broker.users);
	list_init(&broker.devices);
	list_init(&broker.clients);
	list_init(&broker.dirty);
	list_init(&broker.sessions);
	call_pool_init(&broker.calls);
	ck_assert_int_eq(loop_new(&broker.loop), 0);
	broker.event = loop_event(broker.loop);
	ck_assert_int_eq(policy_parse(&broker.policy, "test.json", policy_text, strlen(policy_text),
				 &error, NULL, NULL),
		0);
	device_add(&broker, &end.device, &end_ops, "test");
	ck_assert_ptr_nonnull(device_add_channel(&end.device, "drop", DSP_KIND_MESSAGE));
	ck_assert_ptr_nonnull(device_add_channel(&end.device, "close", DSP_KIND_MESSAGE));
	ck_assert_ptr_nonnull(device_add_channel(&end.device, "alone", DSP_KIND_MESSAGE));
	device_set_up(&end.device);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
				 pair),
		0);
	app.sock = pair[0];
	ck_assert_int_eq(client_new(&broker, pair[1]), 0);
	hello();
}

static void hang_up(void)
{
	app.sock = fd_close(app.sock);
	turn();
}

/* Whatever the test did, nothing may be left. */
static void teardown(void)
{
	hang_up();
	ck_assert(list_empty(&broker.clients) && list_empty(&broker.sessions));
	for (int kind = 0; kind < QUOTA_KINDS; kind++)
		ck_assert_uint_eq(broker.quota.used[kind], 0);
	ck_assert_uint_eq(end.device.sessions, 0);
	ck_assert_uint_eq(end.device.exclusive_sessions, 0);
	ck_assert_uint_eq(deadline_next(&broker.deadlines), UINT64_MAX);
	munmap(app.area, CLIENT_ARGUMENT_BYTES);
	ring_unmap(&app.ring);
	fd_close(app.doorbell);
	fd_close(app.notify);
	device_remove_all(&broker);
	user_forget_all(&broker);
	call_pool_deinit(&broker.calls);
	loop_free(broker.loop);
	policy_free(broker.policy);
}

/* Receiving. */

START_TEST(a_message_goes_straight_to_who_waits_for_it)
{
	uint32_t session = open_channel("test/drop");
	uint64_t first = receive(session, 3), second = receive(session, 5);

	ck_assert_str_ne(app.area + 3 * MTU, "one");
	nothing_completes();
	arrives("one");
	arrives("two");
	turn();
	gets(first, 3, "one", 0);
	gets(second, 5, "two", 0);
	nothing_completes();
}
END_TEST

START_TEST(what_nobody_waits_for_is_kept_in_order)
{
	uint32_t session = open_channel("test/drop");

	arrives("one");
	arrives("two");
	ck_assert_uint_eq(end.session->mailbox.n_queued, 2);
	gets(receive(session, 0), 0, "one", 0);
	gets(receive(session, 1), 1, "two", 0);
	ck_assert_uint_eq(end.session->mailbox.n_queued, 0);
}
END_TEST

START_TEST(what_finds_the_queue_full_is_dropped_and_counted_where_it_is_missing)
{
	static const char *const kept[QUEUE] = {"0", "1", "2", "3"};
	uint32_t session = open_channel("test/drop");

	for (int i = 0; i < QUEUE; i++)
		arrives(kept[i]);
	arrives("lost");
	arrives("lost, too");
	ck_assert_uint_eq(end.session->mailbox.dropped, 2);
	for (uint32_t i = 0; i < QUEUE; i++)
		gets(receive(session, i), i, kept[i], 0);
	arrives("after");
	gets(receive(session, 7), 7, "after", 2);
	ck_assert_uint_eq(end.session->mailbox.received, QUEUE + 3);
}
END_TEST

START_TEST(a_message_that_is_empty_or_longer_than_the_mtu_counts_as_dropped)
{
	uint32_t session = open_channel("test/drop");
	uint64_t waiting = receive(session, 0);

	arrives_sized("too long", MTU + 1);
	arrives_sized("", 0);
	turn();
	nothing_completes();
	arrives("fits");
	turn();
	gets(waiting, 0, "fits", 2);
}
END_TEST

START_TEST(policy_may_end_a_session_whose_queue_overflows)
{
	uint32_t session = open_channel("test/close"), again;
	struct dsp_event_session event;

	for (int i = 0; i <= QUEUE; i++)
		arrives("x");
	turn();
	next_packet(&event, sizeof(event), DSP_EVENT_SESSION, NULL);
	ck_assert_uint_eq(event.session, session);
	ck_assert_uint_eq(event.status, DSP_OVER_LIMIT);
	for (int i = 0; i < QUEUE; i++)
		gets(receive(session, 0), 0, "x", 0);
	completes(receive(session, 0), DSP_OVER_LIMIT);
	completes(send_text(session, 0, "late"), DSP_OVER_LIMIT);
	close_session(session);
	again = open_channel("test/close");
	arrives("fresh");
	gets(receive(again, 0), 0, "fresh", 0);
}
END_TEST

START_TEST(the_sender_is_asked_to_stop_at_half_and_to_go_on_when_all_is_taken)
{
	uint32_t session = open_channel("test/drop");

	for (int i = 0; i < QUEUE / 2; i++)
		arrives("x");
	ck_assert_uint_eq(end.stops, 0);
	arrives("x");
	arrives("x");
	ck_assert_uint_eq(end.stops, 1);
	for (int i = 0; i < QUEUE - 1; i++)
		completes(receive(session, 0), DSP_OK);
	ck_assert_uint_eq(end.goes, 0);
	completes(receive(session, 0), DSP_OK);
	ck_assert_uint_eq(end.goes, 1);
}
END_TEST

/* Sending. */

START_TEST(messages_that_find_no_room_wait_and_keep_their_order)
{
	uint32_t session = open_channel("test/drop");
	uint64_t first, second;

	completes(send_text(session, 0, "at once"), DSP_OK);
	end.full = true;
	first = send_text(session, 1, "first");
	second = send_text(session, 2, "second");
	nothing_completes();
	end.full = false;
	scheduler_run(end.session->lane);
	turn();
	completes(first, DSP_OK);
	completes(second, DSP_OK);
	ck_assert_uint_eq(end.n_sent, 3);
	ck_assert_str_eq(end.sent[1], "first");
	ck_assert_str_eq(end.sent[2], "second");
}
END_TEST

START_TEST(trying_to_send_does_not_wait)
{
	uint32_t session = open_channel("test/drop");
	uint64_t waiting;

	completes(send_flags(session, 0, "try", DSP_SEND_TRY), DSP_OK);
	end.full = true;
	completes(send_flags(session, 0, "try", DSP_SEND_TRY), DSP_BUSY);
	waiting = send_text(session, 1, "waits");
	end.full = false;
	completes(send_flags(session, 0, "no overtaking", DSP_SEND_TRY), DSP_BUSY);
	scheduler_run(end.session->lane);
	turn();
	completes(waiting, DSP_OK);
	ck_assert_uint_eq(end.n_sent, 2);
}
END_TEST

START_TEST(so_many_messages_may_wait_as_calls_may_be_in_flight)
{
	uint32_t session = open_channel("test/drop");

	end.full = true;
	for (uint32_t i = 0; i < CALLS; i++)
		send_text(session, i, "x");
	nothing_completes();
	ck_assert_uint_eq(completes(send_text(session, 20, "x"), DSP_OVER_LIMIT).detail, CALLS);
	completes(send_flags(session, 21, "x", DSP_SEND_TRY), DSP_BUSY);
	for (uint32_t i = 0; i < CALLS; i++)
		receive(session, 30 + i);
	nothing_completes();
	ck_assert_uint_eq(completes(receive(session, 40), DSP_OVER_LIMIT).detail, CALLS);
}
END_TEST

START_TEST(a_message_that_waits_too_long_times_out)
{
	uint32_t session = open_channel("test/drop");
	uint64_t waiting;

	end.full = true;
	waiting = send_text(session, 0, "x");
	deadline_run(&broker.deadlines, deadline_next(&broker.deadlines));
	turn();
	completes(waiting, DSP_TIMED_OUT);
	ck_assert_uint_eq(end.n_sent, 0);
}
END_TEST

/* Both. */

START_TEST(what_waits_can_be_cancelled)
{
	uint32_t session = open_channel("test/drop");
	uint64_t target = receive(session, 0), order = cancel(session, target);

	completes(target, DSP_CANCELLED);
	completes(order, DSP_OK);
	end.full = true;
	target = send_text(session, 0, "x");
	order = cancel(session, target);
	completes(target, DSP_CANCELLED);
	completes(order, DSP_OK);
	completes(cancel(session, target), DSP_NOT_FOUND);
}
END_TEST

START_TEST(a_lost_session_ends_all_that_waits_once)
{
	uint32_t session = open_channel("test/drop");
	struct dsp_event_session event;
	uint64_t sent, wanted;

	end.full = true;
	sent = send_text(session, 0, "x");
	wanted = receive(session, 1);
	end_loses(end.session);
	turn();
	completes(sent, DSP_DEVICE_DOWN);
	completes(wanted, DSP_DEVICE_DOWN);
	nothing_completes();
	next_packet(&event, sizeof(event), DSP_EVENT_SESSION, NULL);
	ck_assert_uint_eq(event.status, DSP_DEVICE_DOWN);
	completes(send_text(session, 0, "late"), DSP_DEVICE_DOWN);
	close_session(session);
	completes(receive(session, 0), DSP_NOT_FOUND);
}
END_TEST

START_TEST(closing_ends_all_that_waits_before_the_reply)
{
	uint32_t session = open_channel("test/drop");
	uint64_t sent, wanted;

	end.full = true;
	sent = send_text(session, 0, "x");
	wanted = receive(session, 1);
	close_session(session);
	completes(sent, DSP_CANCELLED);
	completes(wanted, DSP_CANCELLED);
	nothing_completes();
}
END_TEST

START_TEST(a_client_that_leaves_leaves_nothing)
{
	uint32_t session = open_channel("test/drop"), other = open_channel("test/alone");

	end.full = true;
	send_text(session, 0, "x");
	send_text(other, 1, "x");
	receive(session, 2);
	receive(other, 3);
	hang_up();
	ck_assert(list_empty(&broker.clients));
	ck_assert_uint_eq(end.device.sessions, 0);
}
END_TEST

/* Mistakes. */

START_TEST(a_call_and_a_message_are_not_mixed_up)
{
	uint32_t session = open_channel("test/drop");
	const struct dsp_entry invoke = {.op = DSP_OP_INVOKE, .session = session, .method = 2};

	ck_assert_uint_eq(completes(push(invoke), DSP_UNSUPPORTED).detail,
		offsetof(struct dsp_slot, op));
}
END_TEST

START_TEST(every_wrong_field_is_named)
{
	static const struct {
		uint8_t op, n_in, n_out;
		uint32_t method;
		struct dsp_arg arg;
		uint32_t field;
	} cases[] = {
#define SLOT(member) offsetof(struct dsp_slot, member)
#define ARG(member)  (SLOT(args) + offsetof(struct dsp_arg, member))
		{DSP_OP_SEND, 0, 0, 0, {0, 0, 1}, SLOT(n_in)},
		{DSP_OP_SEND, 2, 0, 0, {0, 0, 1}, SLOT(n_in)},
		{DSP_OP_SEND, 1, 1, 0, {0, 0, 1}, SLOT(n_out)},
		{DSP_OP_SEND, 1, 0, 2, {0, 0, 1}, SLOT(method)},
		{DSP_OP_SEND, 1, 0, 0, {1, 0, 1}, ARG(buffer)},
		{DSP_OP_SEND, 1, 0, 0, {0, 0, 0}, ARG(length)},
		{DSP_OP_SEND, 1, 0, 0, {0, 0, MTU + 1}, ARG(length)},
		{DSP_OP_SEND, 1, 0, 0, {0, CLIENT_ARGUMENT_BYTES, 1}, ARG(length)},
		{DSP_OP_SEND, 1, 0, 0, {0, CLIENT_ARGUMENT_BYTES + 1, 1}, ARG(offset)},
		{DSP_OP_SEND, 1, 0, 0, {0, UINT32_MAX, MTU}, ARG(offset)},
		{DSP_OP_RECEIVE, 1, 0, 0, {0, 0, MTU}, SLOT(n_in)},
		{DSP_OP_RECEIVE, 0, 2, 0, {0, 0, MTU}, SLOT(n_out)},
		{DSP_OP_RECEIVE, 0, 1, 1, {0, 0, MTU}, SLOT(method)},
		{DSP_OP_RECEIVE, 0, 1, 0, {0, 0, MTU - 1}, ARG(length)},
		{DSP_OP_RECEIVE, 0, 1, 0, {7, 0, MTU}, ARG(buffer)},
		{DSP_OP_RECEIVE, 0, 1, 0, {0, CLIENT_ARGUMENT_BYTES - MTU + 1, MTU}, ARG(length)},
#undef ARG
#undef SLOT
	};
	uint32_t session = open_channel("test/drop");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct dsp_entry entry = {
			.op = cases[i].op,
			.session = session,
			.n_in = cases[i].n_in,
			.n_out = cases[i].n_out,
			.method = cases[i].method,
			.args = {cases[i].arg},
		};

		ck_assert_uint_eq(completes(push(entry), DSP_INVALID).detail, cases[i].field);
	}
	ck_assert_uint_eq(end.n_sent, 0);
}
END_TEST

/* Opening. */

START_TEST(an_exclusive_channel_lets_one_session_in_at_a_time)
{
	struct dsp_event_session event;

	open_channel("test/alone");
	is_refused("test/alone", DSP_BUSY, "in use");
	end_loses(end.session);
	next_packet(&event, sizeof(event), DSP_EVENT_SESSION, NULL);
	open_channel("test/alone"); /* a dead one is in nobody's way */
	is_refused("test/alone", DSP_BUSY, "in use");
}
END_TEST

START_TEST(a_device_that_reaches_all_memory_is_refused_and_the_cure_is_named)
{
	end.device.isolation = DSP_ISOLATION_REFUSED;
	is_refused("test/drop", DSP_DENIED, "\"without_iommu\": \"accept\"");
	end.device.isolation = DSP_ISOLATION_ACCEPTED;
	open_channel("test/drop");
}
END_TEST

START_TEST(a_channel_that_is_not_listed_can_be_opened_only_where_the_device_says_so)
{
	ck_assert_ptr_nonnull(device_channel(&end.device, "drop"));
	device_remove_channel(&end.device, device_channel(&end.device, "drop"));
	is_refused("test/drop", DSP_NOT_FOUND, "no channel");
	end.device.any_service = DSP_KIND_MESSAGE;
	open_channel("test/drop");
}
END_TEST

/* To open a channel is to look at its remote processor, whose news may be the end of the client. */
START_TEST(a_client_whose_end_shows_while_it_opens_a_channel_leaves_nothing)
{
	struct dsp_open request = {
		.header = {.opcode = DSP_OPEN, .serial = 2}, .channel = "test/drop"};
	struct machine machine = {.root = "/tmp/test-machine-XXXXXX"};
	const struct broker_options fake = {
		.sysfs = (machine.sysfs = path_join("%s/sys", mkdtemp(machine.root))).text,
		.dev = machine.root,
		.coredumps = machine.root,
	};

	machine_make_folder(&machine, "dev");
	machine_make_folder(&machine, "sys/class/remoteproc");
	machine_add_remoteproc(&machine, 0, "dsp", "dsp", "running");
	broker.options = &fake;
	ck_assert_int_eq(remoteprocs_init(&broker), 0);
	end.device.isolation = DSP_ISOLATION_IOMMU;
	remoteproc_bind(remoteproc_by_name(&broker, "remoteproc0"), &end.device);
	turn();
	machine_write(&machine, machine_attribute(0, "state").text, "crashed\n");
	/* It can be sent nothing any more, and what it has sent is still read. */
	ck_assert_int_eq(sock_send(app.sock, &request, sizeof(request), NULL, 0, 0), 0);
	ck_assert_int_eq(shutdown(app.sock, SHUT_RD), 0);
	turn();
	ck_assert_uint_eq(end.device.state, DSP_STATE_CRASHED);
	ck_assert(list_empty(&broker.clients) && list_empty(&broker.sessions));
	ck_assert_uint_eq(end.device.sessions, 0);
	remoteproc_unbind(&end.device);
	remoteprocs_deinit(&broker);
	broker.options = &options;
	machine_remove(&machine, "");
}
END_TEST

START_TEST(who_does_not_read_the_news_is_told_so_and_stays_connected)
{
	struct dsp_event_lost lost;
	char packet[DSP_MESSAGE_MAX];
	struct sock_fds fds = {};

	for (unsigned int i = 0; i < 2 * CLIENT_OUTPUT_MAX; i++)
		device_lost_state(&end.device, true);
	ck_assert(!list_empty(&broker.clients));
	do { /* what was kept, and then the word that there was more */
		turn();
		ck_assert_int_gt(sock_receive(app.sock, packet, sizeof(packet), &fds, MSG_DONTWAIT),
			0);
		memcpy(&lost, packet, sizeof(lost));
	} while (lost.header.opcode == DSP_EVENT_DEVICE);
	ck_assert_uint_eq(lost.header.opcode, DSP_EVENT_LOST);
	open_channel("test/drop");
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("messages");
	TCase *tcase = tcase_create("messages");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_message_goes_straight_to_who_waits_for_it);
	tcase_add_test(tcase, what_nobody_waits_for_is_kept_in_order);
	tcase_add_test(tcase, what_finds_the_queue_full_is_dropped_and_counted_where_it_is_missing);
	tcase_add_test(tcase, a_message_that_is_empty_or_longer_than_the_mtu_counts_as_dropped);
	tcase_add_test(tcase, policy_may_end_a_session_whose_queue_overflows);
	tcase_add_test(tcase, the_sender_is_asked_to_stop_at_half_and_to_go_on_when_all_is_taken);
	tcase_add_test(tcase, messages_that_find_no_room_wait_and_keep_their_order);
	tcase_add_test(tcase, trying_to_send_does_not_wait);
	tcase_add_test(tcase, so_many_messages_may_wait_as_calls_may_be_in_flight);
	tcase_add_test(tcase, a_message_that_waits_too_long_times_out);
	tcase_add_test(tcase, what_waits_can_be_cancelled);
	tcase_add_test(tcase, a_lost_session_ends_all_that_waits_once);
	tcase_add_test(tcase, closing_ends_all_that_waits_before_the_reply);
	tcase_add_test(tcase, a_client_that_leaves_leaves_nothing);
	tcase_add_test(tcase, a_call_and_a_message_are_not_mixed_up);
	tcase_add_test(tcase, every_wrong_field_is_named);
	tcase_add_test(tcase, an_exclusive_channel_lets_one_session_in_at_a_time);
	tcase_add_test(tcase, a_device_that_reaches_all_memory_is_refused_and_the_cure_is_named);
	tcase_add_test(tcase,
		a_channel_that_is_not_listed_can_be_opened_only_where_the_device_says_so);
	tcase_add_test(tcase, a_client_whose_end_shows_while_it_opens_a_channel_leaves_nothing);
	tcase_add_test(tcase, who_does_not_read_the_news_is_told_so_and_stays_connected);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
