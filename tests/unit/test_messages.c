// SPDX-License-Identifier: MIT
/*
 * Messages through the broker's own code, from the ring of a client to a transport and back, where
 * the sanitizers can watch: they do not run where the real rpmsg drivers do. The transport is the
 * test's own, which is full, empty or gone when the test wants it to be.
 */
#include <check.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/limits.h"
#include "tests/suite.h"
#include "tests/unit/app_rig.h"
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

static const struct transport_ops end_ops = {
	.name = "test",
	.remove = daemon_remove_device,
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

/* The client. */

static uint32_t open_channel(const char *channel)
{
	struct dsp_open_reply reply = app_open(channel);

	ck_assert_uint_eq(reply.kind, DSP_KIND_MESSAGE);
	ck_assert_uint_eq(reply.mtu, MTU);
	return reply.session;
}

static void is_refused(const char *channel, enum dsp_status status, const char *text)
{
	union app_packet reply = app_try_open(channel);

	ck_assert_uint_eq(reply.header.opcode, DSP_ERROR);
	ck_assert_uint_eq(reply.error.status, status);
	ck_assert_ptr_nonnull(strstr(reply.error.text, text));
}

static void is_ended(uint32_t session, enum dsp_status status)
{
	union app_packet event = app_next(NULL);

	ck_assert_uint_eq(event.header.opcode, DSP_EVENT_SESSION);
	ck_assert_uint_eq(event.session.session, session);
	ck_assert_uint_eq(event.session.status, status);
}

static uint64_t receive(uint32_t session, uint32_t at)
{
	return app_push((struct dsp_entry){
		.op = DSP_OP_RECEIVE,
		.session = session,
		.n_out = 1,
		.args = {{DSP_ARGUMENT_AREA, at * MTU, MTU}},
	});
}

static uint64_t send_flags(uint32_t session, uint32_t at, const char *text, uint32_t flags)
{
	strcpy(app.area + (size_t)at * MTU, text);
	return app_push((struct dsp_entry){
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
	return app_push((struct dsp_entry){
		.op = DSP_OP_CANCEL, .session = session, .target = target});
}

static void gets(uint64_t user_data, uint32_t at, const char *text, uint32_t dropped)
{
	struct dsp_completion completion = app_completes(user_data, DSP_OK);

	ck_assert_int_eq(completion.result, (int)strlen(text) + 1);
	ck_assert_uint_eq(completion.detail, dropped);
	ck_assert_str_eq(app.area + (size_t)at * MTU, text);
}

/* Everything. */

static void set_up(void)
{
	memset(&end, 0, sizeof(end));
	daemon_start(policy_text);
	daemon_add_device(&end.device, &end_ops, "test");
	daemon_add_channel(&end.device, "drop", DSP_KIND_MESSAGE);
	daemon_add_channel(&end.device, "close", DSP_KIND_MESSAGE);
	daemon_add_channel(&end.device, "alone", DSP_KIND_MESSAGE);
	app_start(0);
}

/* Whatever the test did, nothing may be left. */
static void tear_down(void)
{
	app_stop();
	daemon_stop();
}

/* Receiving. */

START_TEST(a_message_goes_straight_to_who_waits_for_it)
{
	uint32_t session = open_channel("test/drop");
	uint64_t first = receive(session, 3), second = receive(session, 5);

	ck_assert_str_ne(app.area + 3 * MTU, "one");
	app_nothing_completes();
	arrives("one");
	arrives("two");
	daemon_settle();
	gets(first, 3, "one", 0);
	gets(second, 5, "two", 0);
	app_nothing_completes();
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
	daemon_settle();
	app_nothing_completes();
	arrives("fits");
	daemon_settle();
	gets(waiting, 0, "fits", 2);
}
END_TEST

START_TEST(policy_may_end_a_session_whose_queue_overflows)
{
	uint32_t session = open_channel("test/close"), again;

	for (int i = 0; i <= QUEUE; i++)
		arrives("x");
	daemon_settle();
	is_ended(session, DSP_OVER_LIMIT);
	for (int i = 0; i < QUEUE; i++)
		gets(receive(session, 0), 0, "x", 0);
	app_completes(receive(session, 0), DSP_OVER_LIMIT);
	app_completes(send_text(session, 0, "late"), DSP_OVER_LIMIT);
	app_close(session);
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
		app_completes(receive(session, 0), DSP_OK);
	ck_assert_uint_eq(end.goes, 0);
	app_completes(receive(session, 0), DSP_OK);
	ck_assert_uint_eq(end.goes, 1);
}
END_TEST

/* Sending. */

START_TEST(messages_that_find_no_room_wait_and_keep_their_order)
{
	uint32_t session = open_channel("test/drop");
	uint64_t first, second;

	app_completes(send_text(session, 0, "at once"), DSP_OK);
	end.full = true;
	first = send_text(session, 1, "first");
	second = send_text(session, 2, "second");
	app_nothing_completes();
	end.full = false;
	scheduler_run(end.session->lane);
	daemon_settle();
	app_completes(first, DSP_OK);
	app_completes(second, DSP_OK);
	ck_assert_uint_eq(end.n_sent, 3);
	ck_assert_str_eq(end.sent[1], "first");
	ck_assert_str_eq(end.sent[2], "second");
}
END_TEST

START_TEST(trying_to_send_does_not_wait)
{
	uint32_t session = open_channel("test/drop");
	uint64_t waiting;

	app_completes(send_flags(session, 0, "try", DSP_SEND_TRY), DSP_OK);
	end.full = true;
	app_completes(send_flags(session, 0, "try", DSP_SEND_TRY), DSP_BUSY);
	waiting = send_text(session, 1, "waits");
	end.full = false;
	app_completes(send_flags(session, 0, "no overtaking", DSP_SEND_TRY), DSP_BUSY);
	scheduler_run(end.session->lane);
	daemon_settle();
	app_completes(waiting, DSP_OK);
	ck_assert_uint_eq(end.n_sent, 2);
}
END_TEST

START_TEST(so_many_messages_may_wait_as_calls_may_be_in_flight)
{
	uint32_t session = open_channel("test/drop");

	end.full = true;
	for (uint32_t i = 0; i < CALLS; i++)
		send_text(session, i, "x");
	app_nothing_completes();
	ck_assert_uint_eq(app_completes(send_text(session, 20, "x"), DSP_OVER_LIMIT).detail, CALLS);
	app_completes(send_flags(session, 21, "x", DSP_SEND_TRY), DSP_BUSY);
	for (uint32_t i = 0; i < CALLS; i++)
		receive(session, 30 + i);
	app_nothing_completes();
	ck_assert_uint_eq(app_completes(receive(session, 40), DSP_OVER_LIMIT).detail, CALLS);
}
END_TEST

START_TEST(a_message_that_waits_too_long_times_out)
{
	uint32_t session = open_channel("test/drop");
	uint64_t waiting;

	end.full = true;
	waiting = send_text(session, 0, "x");
	deadline_run(&broker.deadlines, deadline_next(&broker.deadlines));
	daemon_settle();
	app_completes(waiting, DSP_TIMED_OUT);
	ck_assert_uint_eq(end.n_sent, 0);
}
END_TEST

/* Both. */

START_TEST(what_waits_can_be_cancelled)
{
	uint32_t session = open_channel("test/drop");
	uint64_t target = receive(session, 0), order = cancel(session, target);

	app_completes(target, DSP_CANCELLED);
	app_completes(order, DSP_OK);
	end.full = true;
	target = send_text(session, 0, "x");
	order = cancel(session, target);
	app_completes(target, DSP_CANCELLED);
	app_completes(order, DSP_OK);
	app_completes(cancel(session, target), DSP_NOT_FOUND);
}
END_TEST

START_TEST(a_lost_session_ends_all_that_waits_once)
{
	uint32_t session = open_channel("test/drop");
	uint64_t sent, wanted;

	end.full = true;
	sent = send_text(session, 0, "x");
	wanted = receive(session, 1);
	end_loses(end.session);
	daemon_settle();
	app_completes(sent, DSP_DEVICE_DOWN);
	app_completes(wanted, DSP_DEVICE_DOWN);
	app_nothing_completes();
	is_ended(session, DSP_DEVICE_DOWN);
	app_completes(send_text(session, 0, "late"), DSP_DEVICE_DOWN);
	app_close(session);
	app_completes(receive(session, 0), DSP_NOT_FOUND);
}
END_TEST

START_TEST(closing_ends_all_that_waits_before_the_reply)
{
	uint32_t session = open_channel("test/drop");
	uint64_t sent, wanted;

	end.full = true;
	sent = send_text(session, 0, "x");
	wanted = receive(session, 1);
	app_close(session);
	app_completes(sent, DSP_CANCELLED);
	app_completes(wanted, DSP_CANCELLED);
	app_nothing_completes();
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
	app_hang_up();
	ck_assert(list_empty(&broker.clients));
	ck_assert_uint_eq(end.device.sessions, 0);
}
END_TEST

/* Mistakes. */

START_TEST(a_call_and_a_message_are_not_mixed_up)
{
	uint32_t session = open_channel("test/drop");
	const struct dsp_entry invoke = {.op = DSP_OP_INVOKE, .session = session, .method = 2};

	ck_assert_uint_eq(app_completes(app_push(invoke), DSP_UNSUPPORTED).detail,
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

		ck_assert_uint_eq(app_completes(app_push(entry), DSP_INVALID).detail,
			cases[i].field);
	}
	ck_assert_uint_eq(end.n_sent, 0);
}
END_TEST

/* Opening. */

START_TEST(an_exclusive_channel_lets_one_session_in_at_a_time)
{
	uint32_t session = open_channel("test/alone");

	is_refused("test/alone", DSP_BUSY, "in use");
	end_loses(end.session);
	is_ended(session, DSP_DEVICE_DOWN);
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
	const struct broker_options
		*real = broker.options,
		fake = {
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
	daemon_settle();
	machine_write(&machine, machine_attribute(0, "state").text, "crashed\n");
	/* It can be sent nothing any more, and what it has sent is still read. */
	ck_assert_int_eq(sock_send(app.sock, &request, sizeof(request), NULL, 0, 0), 0);
	ck_assert_int_eq(shutdown(app.sock, SHUT_RD), 0);
	daemon_settle();
	ck_assert_uint_eq(end.device.state, DSP_STATE_CRASHED);
	ck_assert(list_empty(&broker.clients) && list_empty(&broker.sessions));
	ck_assert_uint_eq(end.device.sessions, 0);
	remoteproc_unbind(&end.device);
	remoteprocs_deinit(&broker);
	broker.options = real;
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
		daemon_settle();
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

	tcase_add_checked_fixture(tcase, set_up, tear_down);
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
