// SPDX-License-Identifier: MIT
/*
 * Messages through the broker and the kernel's drivers (virtio_rpmsg_bus, rpmsg_ctrl, rpmsg_char):
 * what a session is, who gets one, and what is said of it.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "tests/integration/raw.h"
#include "tests/kernel/messages.h"

#define BOB_ALONE "\"users\": [60712]"

/* The first rule that matches decides. */
#define DENIES  DENY("not-for-bob", BOB_ALONE, "\"rpmsg0/secret\"")
#define NARROW  ALLOW("one-at-a-time", EVERYBODY, "\"rpmsg0/narrow\"", ", \"exclusive\": true")
#define WIDE    ALLOW("everybody", EVERYBODY, "\"*/*\"", ", \"limits\": {\"messages\": 512}")
#define DEVICES "{\"name\": \"rpmsg0\", \"services\": {\"silent\": 1100}}"

static struct harness harness;

static void set_up(void)
{
	harness_start(&harness, POLICY_WITH_DEVICES(DEVICES, DENIES "," NARROW "," WIDE));
}

static void tear_down(void)
{
	harness_stop(&harness);
}

/* A broker that runs must know what was just announced. */
static void serve_now(uint32_t address, const char *service, const char *name)
{
	struct dspbroker *broker = connect_to(&harness);
	char channel[64];

	snprintf(channel, sizeof(channel), "rpmsg0/%s", name);
	serve(address, service, name);
	require_soon(is_listed(broker, channel));
	dspbroker_free(broker);
}

/* Sizes. */

CLIENT_TEST(every_size_up_to_the_mtu_is_echoed)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;
	uint8_t sent[RPMSG_MTU], received[RPMSG_MTU];

	serve_now(1000, "echo", "sizes");
	session = open_channel(broker, "rpmsg0/sizes");
	require_eq(dspbroker_session_info(session)->mtu, RPMSG_MTU);
	for (size_t size = 1; size <= RPMSG_MTU; size++) {
		for (size_t i = 0; i < size; i++)
			sent[i] = (uint8_t)(size * 3 + i);
		require_eq(dspbroker_send(session, sent, size, -1), 0);
		require_eq(receive_one(session, received), size);
		require(memcmp(sent, received, size) == 0);
	}
	require_eq(receive_nothing(session, 0), DSPBROKER_TIMED_OUT);
	dspbroker_free(broker);
}

CLIENT_TEST(a_byte_more_than_the_mtu_is_refused_and_so_is_none)
{
	static const uint8_t bytes[RPMSG_MTU + 1];
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;
	uint8_t small[RPMSG_MTU - 1];
	size_t length;

	serve_now(1001, "sink", "too-long");
	session = open_channel(broker, "rpmsg0/too-long");
	for (size_t size = 0; size <= sizeof(bytes); size += sizeof(bytes)) {
		require_eq(dspbroker_send(session, bytes, size, -1), -EMSGSIZE);
		require_eq(dspbroker_try_send(session, bytes, size), -EMSGSIZE);
		require_eq(dspbroker_submit_send(session, bytes, size, NULL), -EMSGSIZE);
	}
	require_eq(dspbroker_receive(session, small, sizeof(small), &length, NULL, 0), -EMSGSIZE);
	require_eq(dspbroker_send(session, bytes, RPMSG_MTU, -1), 0);
	require_soon(remote_count(1001).messages == 1);
	require_eq(remote_count(1001).bytes, RPMSG_MTU);
	dspbroker_free(broker);
}

CLIENT_TEST(a_channel_takes_either_messages_or_calls)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *messages, *calls;
	uint8_t bytes[RPMSG_MTU] = {1};
	size_t length;

	serve_now(1002, "echo", "kind");
	messages = open_channel(broker, "rpmsg0/kind");
	calls = open_channel(broker, EXAMPLE);
	require_eq(dspbroker_session_info(calls)->mtu, 0);
	require_eq(invoke_plain(messages, EXAMPLE_NOP), -EOPNOTSUPP);
	require_eq(submit_plain(messages, EXAMPLE_NOP, 0), -EOPNOTSUPP);
	require_eq(dspbroker_send(calls, bytes, 1, -1), -EOPNOTSUPP);
	require_eq(dspbroker_try_send(calls, bytes, 1), -EOPNOTSUPP);
	require_eq(dspbroker_submit_send(calls, bytes, 1, NULL), -EOPNOTSUPP);
	require_eq(dspbroker_receive(calls, bytes, sizeof(bytes), &length, NULL, 0), -EOPNOTSUPP);
	require_eq(invoke_plain(calls, EXAMPLE_NOP), 0);
	echo_stamped(messages, 20, 1, 1);
	dspbroker_free(broker);
}

/* Who and where. */

/* The addresses 1011 and 1012 are open to the client, 1013 to nobody. */
CLIENT_TEST(messages_of_a_session_arrive_at_its_own_address_alone)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *first, *second;

	remote("serve 1013 sink");
	serve_now(1011, "sink", "first");
	serve_now(1012, "sink", "second");
	first = open_channel(broker, "rpmsg0/first");
	second = open_channel(broker, "rpmsg0/second");
	for (uint32_t i = 0; i < 30; i++)
		send_stamped(i % 3 ? second : first, 100, 1, i);
	require_soon(remote_count(1011).messages + remote_count(1012).messages == 30);
	require_eq(remote_count(1011).messages, 10);
	require_eq(remote_count(1012).messages, 20);
	require_eq(remote_count(1013).messages, 0);
	dspbroker_free(broker);
}

/* Each session has an endpoint of its own, by which the remote processor tells them apart. */
CLIENT_TEST(an_answer_reaches_the_session_that_asked_and_no_other)
{
	struct dspbroker *brokers[] = {connect_to(&harness), connect_to(&harness)};
	struct dspbroker_session *sessions[4];

	serve_now(1014, "echo", "answers");
	for (size_t i = 0; i < ARRAY_SIZE(sessions); i++)
		sessions[i] = open_channel(brokers[i % 2], "rpmsg0/answers");
	for (uint32_t i = 0; i < ARRAY_SIZE(sessions); i++)
		send_stamped(sessions[i], 50, i, 7);
	for (uint32_t i = 0; i < ARRAY_SIZE(sessions); i++)
		receive_stamped(sessions[i], i, 7);
	for (size_t i = 0; i < ARRAY_SIZE(sessions); i++)
		require_eq(receive_nothing(sessions[i], 0), DSPBROKER_TIMED_OUT);
	for (size_t i = 0; i < ARRAY_SIZE(brokers); i++)
		dspbroker_free(brokers[i]);
}

CLIENT_TEST(what_the_remote_processor_sends_by_itself_finds_who_has_sent_before)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;
	uint8_t message[RPMSG_MTU];

	serve_now(1015, "source", "news");
	session = open_channel(broker, "rpmsg0/news");
	ask_source(session, 0, 0);
	require_soon(remote_count(1015).messages == 1);
	remote("emit 1015 0 3 40");
	for (uint32_t i = 0; i < 3; i++) {
		require_eq(receive_one(session, message), 40);
		require(memcmp(message, &i, sizeof(i)) == 0);
	}
	dspbroker_free(broker);
}

/* rpmsg0/silent is in the policy. */
CLIENT_TEST(a_service_that_nobody_announced_is_reached_where_policy_says)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;

	remote("serve 1100 echo");
	require(is_listed(broker, "rpmsg0/silent"));
	session = open_channel(broker, "rpmsg0/silent");
	echo_stamped(session, RPMSG_MTU, 3, 9);
	require_eq(remote_count(1100).messages, 1);
	dspbroker_free(broker);
}

CLIENT_TEST(what_was_never_announced_is_not_found)
{
	static const char *const names[] = {"rpmsg0/nowhere", "rpmsg0/-1", "rpmsg1/silent",
		"rpmsg0/1100", "rpmsg0/silent.1100", "rpmsg_ctrl0/silent"};
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		require_eq(dspbroker_session_open(broker, &session, names[i]), DSPBROKER_NOT_FOUND);
	dspbroker_free(broker);
}

/* What is listed. */

CLIENT_TEST(a_service_is_listed_and_told_from_its_announcement_to_its_withdrawal)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_channel_info info;

	require(!is_listed(broker, "rpmsg0/visitor"));
	for (int i = 0; i < 20; i++) {
		serve(1020, "echo", "visitor");
		await_channel(broker, "rpmsg0/visitor", 1);
		require(find_channel(broker, "rpmsg0/visitor", &info));
		require_eq(info.message, 1);
		require_eq(info.allowed, 1);
		require_text(info.rule, "everybody");
		remote("withdraw 1020");
		await_channel(broker, "rpmsg0/visitor", 0);
		require(!is_listed(broker, "rpmsg0/visitor"));
	}
	require(find_channel(broker, EXAMPLE, &info));
	require_eq(info.message, 0);
	dspbroker_free(broker);
}

CLIENT_TEST(the_device_says_what_it_is)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_device_info info;
	uint32_t channels;

	serve_now(1021, "echo", "one-more");
	info = device_record(broker, "rpmsg0");
	channels = info.channels;
	require_eq(strcmp(info.transport, "rpmsg"), 0);
	require_eq(strcmp(info.remoteproc, "remoteproc0"), 0);
	require_eq(info.up, 1);
	require_eq(info.state, DSPBROKER_STATE_ATTACHED);
	require_eq(info.isolation, DSPBROKER_ISOLATION_IOMMU);
	require_eq(info.sessions, 0);
	open_channel(broker, "rpmsg0/one-more");
	require_eq(device_record(broker, "rpmsg0").sessions, 1);
	remote("withdraw 1021");
	require_soon(device_record(broker, "rpmsg0").channels == channels - 1);
	dspbroker_free(broker);
}

CLIENT_TEST(a_session_counts_what_it_sent_and_what_arrived)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session_record record;
	struct dspbroker_session *session;

	serve_now(1022, "echo", "counted");
	session = open_channel(broker, "rpmsg0/counted");
	for (uint32_t i = 0; i < 5; i++)
		echo_stamped(session, 30, 1, i);
	record = session_record(broker, "rpmsg0/counted");
	require_eq(record.message, 1);
	require_eq(record.uid, ALICE);
	require_eq(record.calls, 5);
	require_eq(record.errors, 0);
	require_eq(record.received, 5);
	require_eq(record.dropped, 0);
	dspbroker_free(broker);
}

/* The first to come keeps the bare name. */
CLIENT_TEST(services_of_the_same_name_are_told_apart_by_their_addresses)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *first, *second;

	serve_now(1031, "sink", "twin");
	serve(1032, "sink", "twin");
	require_soon(is_listed(broker, "rpmsg0/twin.1032"));
	require(is_listed(broker, "rpmsg0/twin"));
	first = open_channel(broker, "rpmsg0/twin");
	second = open_channel(broker, "rpmsg0/twin.1032");
	send_stamped(first, 20, 1, 1);
	send_stamped(second, 21, 1, 1);
	require_soon(remote_count(1031).messages + remote_count(1032).messages == 2);
	require_eq(remote_count(1031).bytes, 20);
	require_eq(remote_count(1032).bytes, 21);
	dspbroker_free(broker);
}

/* Who may. */

static void is_kept_from_the_secret(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_channel_info info;
	struct dspbroker_session *session;

	(void)data;
	require_eq(dspbroker_session_open(broker, &session, "rpmsg0/secret"), DSPBROKER_DENIED);
	require_text(dspbroker_message(), "not-for-bob");
	require(find_channel(broker, "rpmsg0/secret", &info));
	require_eq(info.allowed, 0);
	echo_stamped(open_channel(broker, "rpmsg0/public"), 20, 1, 1);
	dspbroker_free(broker);
}

static void uses_the_secret(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	(void)data;
	echo_stamped(open_channel(broker, "rpmsg0/secret"), 20, 1, 1);
	dspbroker_free(broker);
}

START_TEST(policy_decides_channel_by_channel_and_user_by_user)
{
	serve_now(1040, "echo", "secret");
	serve_now(1041, "echo", "public");
	client_run(BOB, is_kept_from_the_secret, NULL);
	require_eq(remote_count(1040).messages, 0);
	client_run(ALICE, uses_the_secret, NULL);
	require_eq(remote_count(1040).messages, 1);
}
END_TEST

static void keeps_the_narrow_one(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, "rpmsg0/narrow"), *second;

	(void)data;
	require_eq(dspbroker_session_open(broker, &second, "rpmsg0/narrow"), DSPBROKER_BUSY);
	require_text(dspbroker_message(), "one-at-a-time");
	step_reached('o');
	step_await('c');
	dspbroker_session_close(session);
	dspbroker_session_close(open_channel(broker, "rpmsg0/narrow"));
	step_reached('c');
	step_await('o');
	open_channel(broker, "rpmsg0/narrow");
	step_reached('k');
	step_await('x'); /* never: it is killed */
}

static void finds_it_busy(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;

	(void)data;
	require_eq(dspbroker_session_open(broker, &session, "rpmsg0/narrow"), DSPBROKER_BUSY);
	dspbroker_session_close(open_channel(broker, "rpmsg0/wide"));
	dspbroker_free(broker);
}

static void gets_it(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;

	(void)data;
	/* The broker may not have noticed yet that another has gone. */
	require_soon(dspbroker_session_open(broker, &session, "rpmsg0/narrow") == 0);
	echo_stamped(session, 20, 1, 1);
	dspbroker_free(broker);
}

START_TEST(an_exclusive_channel_has_one_session_at_a_time_whoever_asks)
{
	struct client client;

	serve_now(1042, "echo", "narrow");
	serve_now(1043, "echo", "wide");
	client_start(&client, ALICE, keeps_the_narrow_one, NULL);
	client_await(&client, 'o');
	client_run(BOB, finds_it_busy, NULL);
	client_go(&client, 'c');
	client_await(&client, 'c');
	client_run(BOB, gets_it, NULL);
	client_go(&client, 'o');
	client_await(&client, 'k');
	client_run(BOB, finds_it_busy, NULL);
	client_kill(&client);
	client_run(BOB, gets_it, NULL);
}
END_TEST

/* A client that lies. */

struct lie {
	uint8_t op, n_in, n_out;
	uint32_t method, buffer, offset, length;
	enum dsp_status status;
	uint32_t field; /* that is named */
};

#define FIELD(member) offsetof(struct dsp_slot, member)
#define ARG(member)   (offsetof(struct dsp_slot, args) + offsetof(struct dsp_arg, member))

static const struct lie lies[] = {
	{DSP_OP_SEND, 1, 0, 0, 0, 0, RPMSG_MTU + 1, DSP_INVALID, ARG(length)},
	{DSP_OP_SEND, 1, 0, 0, 0, 0, UINT32_MAX, DSP_INVALID, ARG(length)},
	{DSP_OP_SEND, 1, 0, 0, 0, 0, 0, DSP_INVALID, ARG(length)},
	{DSP_OP_SEND, 1, 0, DSP_SEND_TRY, 0, 0, RPMSG_MTU + 1, DSP_INVALID, ARG(length)},
	{DSP_OP_SEND, 1, 0, 2, 0, 0, 10, DSP_INVALID, FIELD(method)},
	{DSP_OP_SEND, 1, 0, UINT32_MAX, 0, 0, 10, DSP_INVALID, FIELD(method)},
	{DSP_OP_SEND, 0, 0, 0, 0, 0, 0, DSP_INVALID, FIELD(n_in)},
	{DSP_OP_SEND, 2, 0, 0, 0, 0, 10, DSP_INVALID, FIELD(n_in)},
	{DSP_OP_SEND, 1, 1, 0, 0, 0, 10, DSP_INVALID, FIELD(n_out)},
	{DSP_OP_SEND, 1, 0, 0, 77, 0, 10, DSP_INVALID, ARG(buffer)},
	{DSP_OP_SEND, 1, 0, 0, 0, UINT32_MAX, 10, DSP_INVALID, ARG(offset)},
	{DSP_OP_SEND, 1, 0, 0, 0, UINT32_MAX - 4, RPMSG_MTU, DSP_INVALID, ARG(offset)},
	{DSP_OP_RECEIVE, 0, 1, 0, 0, 0, RPMSG_MTU - 1, DSP_INVALID, ARG(length)},
	{DSP_OP_RECEIVE, 0, 1, 0, 0, 0, 0, DSP_INVALID, ARG(length)},
	{DSP_OP_RECEIVE, 0, 1, 0, 0, UINT32_MAX - 4, RPMSG_MTU, DSP_INVALID, ARG(offset)},
	{DSP_OP_RECEIVE, 0, 1, 0, 77, 0, RPMSG_MTU, DSP_INVALID, ARG(buffer)},
	{DSP_OP_RECEIVE, 1, 1, 0, 0, 0, RPMSG_MTU, DSP_INVALID, FIELD(n_in)},
	{DSP_OP_RECEIVE, 0, 0, 0, 0, 0, RPMSG_MTU, DSP_INVALID, FIELD(n_out)},
	{DSP_OP_RECEIVE, 0, 1, 1, 0, 0, RPMSG_MTU, DSP_INVALID, FIELD(method)},
	{DSP_OP_INVOKE, 0, 0, EXAMPLE_NOP, 0, 0, 0, DSP_UNSUPPORTED, FIELD(op)},
	{DSP_OP_MODULE_OPEN, 0, 0, 0, 0, 0, 0, DSP_INVALID, FIELD(op)},
	{DSP_OP_MODULE_CLOSE, 0, 0, 0, 0, 0, 0, DSP_INVALID, FIELD(op)},
};

static struct dsp_slot slot_of(const struct lie *lie, uint32_t session, uint64_t user_data)
{
	return (struct dsp_slot){
		.op = lie->op,
		.slots = 1,
		.n_in = lie->n_in,
		.n_out = lie->n_out,
		.session = session,
		.method = lie->method,
		.user_data = user_data,
		.args = {{lie->buffer, lie->offset, lie->length}},
	};
}

static void tells_lies(struct raw *raw, uint32_t session)
{
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct dsp_slot slot = slot_of(&lies[i], session, i);
		struct dsp_completion completion = raw_call(raw, &slot, 1);

		require_eq(completion.user_data, i);
		if (completion.status != lies[i].status || completion.detail != lies[i].field)
			harness_fail(__FILE__, __LINE__, "lie %zu: %s at %u", i,
				wire_status_name(completion.status), completion.detail);
	}
}

CLIENT_TEST(a_client_that_lies_to_the_broker_is_told_which_field_is_wrong)
{
	const struct lie truth = {
		.op = DSP_OP_SEND, .n_in = 1, .length = RPMSG_MTU, .status = DSP_OK};
	struct dsp_slot slot;
	struct raw raw;

	serve_now(1050, "sink", "believes");
	raw_start(&raw, &harness);
	slot = slot_of(&truth, raw_open(&raw, "rpmsg0/believes"), 0);
	tells_lies(&raw, slot.session);
	require_eq(remote_count(1050).messages, 0);
	require_eq(raw_call(&raw, &slot, 1).status, DSP_OK);
	require_soon(remote_count(1050).bytes == RPMSG_MTU);
	raw_close(&raw);
}

/* Waiting. */

static bool is_readable(struct dspbroker *broker, int timeout_ms)
{
	struct pollfd pollfd = {.fd = dspbroker_fd(broker), .events = POLLIN};

	return poll(&pollfd, 1, timeout_ms) == 1;
}

/* Take all that there is, as dspbroker_fd() asks for; returns how many messages that were. */
static unsigned int drain(struct dspbroker *broker)
{
	struct dspbroker_completion completion;
	struct dspbroker_session *session;
	struct dspbroker_event event;
	uint8_t message[RPMSG_MTU];
	unsigned int n = 0;
	size_t length;

	while (dspbroker_reap(broker, &completion, 1, 0) == 1)
		require_eq(completion.status, 0);
	while (dspbroker_next_event(broker, &event) == 1)
		continue;
	while ((session = dspbroker_next_message(broker))) {
		require_eq(dspbroker_receive(session, message, sizeof(message), &length, NULL, 0),
			0);
		n++;
	}
	return n;
}

CLIENT_TEST(the_descriptor_is_readable_when_a_message_is_there_and_not_for_ever)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;
	uint8_t message[RPMSG_MTU];
	size_t length;

	serve_now(1060, "source", "poll");
	session = open_channel(broker, "rpmsg0/poll");
	ask_source(session, 0, 0);
	require_soon(remote_count(1060).messages == 1);
	for (unsigned int i = 0; i < 200; i++) {
		unsigned int n = 0;

		require_soon(drain(broker) == 0 && !is_readable(broker, 0));
		require(!dspbroker_next_message(broker));
		remote("emit 1060 0 %u 20", 1 + i % 30);
		require(is_readable(broker, PATIENCE_MS));
		while (n < 1 + i % 30) {
			require(is_readable(broker, PATIENCE_MS));
			n += drain(broker);
		}
		require_eq(n, 1 + i % 30);
	}
	require_eq(dspbroker_receive(session, message, sizeof(message), &length, NULL, 0),
		DSPBROKER_TIMED_OUT);
	dspbroker_free(broker);
}

CLIENT_TEST(sessions_that_have_messages_are_found_each_in_its_turn)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *sessions[3];
	uint8_t message[RPMSG_MTU];
	size_t counts[ARRAY_SIZE(sessions)] = {0}, length;

	serve_now(1061, "source", "turns");
	for (size_t i = 0; i < ARRAY_SIZE(sessions); i++) {
		sessions[i] = open_channel(broker, "rpmsg0/turns");
		dspbroker_session_set_user(sessions[i], &counts[i]);
		ask_source(sessions[i], 20, 20);
		require_soon(remote_count(1061).emitted == 20 * (i + 1));
	}
	for (size_t n = 0; n < 20 * ARRAY_SIZE(sessions); n++) {
		struct dspbroker_session *session;

		require_soon((session = dspbroker_next_message(broker)));
		require_eq(dspbroker_receive(session, message, sizeof(message), &length, NULL, 0),
			0);
		++*(size_t *)dspbroker_session_user(session);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sessions); i++)
		require_eq(counts[i], 20);
	dspbroker_free(broker);
}

/* Threads. */

#define THREADS         6
#define THREAD_MESSAGES 300

struct worker {
	pthread_t thread;
	struct dspbroker *broker;
	struct dspbroker_session *shared;
	uint32_t number;
};

static void *echoes(void *data)
{
	const struct worker *worker = data;
	struct dspbroker_session *session = open_channel(worker->broker, "rpmsg0/threads");

	for (uint32_t i = 0; i < THREAD_MESSAGES; i++) {
		echo_stamped(session, STAMPED_MIN + i, worker->number, i);
		if (i % 100 == 99) {
			dspbroker_session_close(session);
			session = open_channel(worker->broker, "rpmsg0/threads");
		}
	}
	dspbroker_session_close(session);
	return NULL;
}

static void *sends(void *data)
{
	const struct worker *worker = data;

	for (uint32_t i = 0; i < THREAD_MESSAGES; i++)
		send_stamped(worker->shared, 64, 99, i);
	return NULL;
}

CLIENT_TEST(threads_share_a_connection_and_a_session)
{
	struct worker workers[THREADS];
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *shared;

	serve_now(1070, "echo", "threads");
	shared = open_channel(broker, "rpmsg0/threads");
	for (uint32_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.broker = broker, .shared = shared, .number = i};
		require_eq(pthread_create(&workers[i].thread, NULL, i ? echoes : sends,
				   &workers[i]),
			0);
	}
	for (uint32_t i = 0; i < THREAD_MESSAGES; i++)
		receive_stamped(shared, 99, i);
	for (uint32_t i = 0; i < THREADS; i++)
		require_eq(pthread_join(workers[i].thread, NULL), 0);
	dspbroker_free(broker);
}

static Suite *suite(void)
{
	Suite *suite = suite_create("messages over rpmsg_char");
	TCase *tcase = tcase_create("messages");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, every_size_up_to_the_mtu_is_echoed);
	tcase_add_test(tcase, a_byte_more_than_the_mtu_is_refused_and_so_is_none);
	tcase_add_test(tcase, a_channel_takes_either_messages_or_calls);
	tcase_add_test(tcase, messages_of_a_session_arrive_at_its_own_address_alone);
	tcase_add_test(tcase, an_answer_reaches_the_session_that_asked_and_no_other);
	tcase_add_test(tcase, what_the_remote_processor_sends_by_itself_finds_who_has_sent_before);
	tcase_add_test(tcase, a_service_that_nobody_announced_is_reached_where_policy_says);
	tcase_add_test(tcase, what_was_never_announced_is_not_found);
	tcase_add_test(tcase, a_service_is_listed_and_told_from_its_announcement_to_its_withdrawal);
	tcase_add_test(tcase, the_device_says_what_it_is);
	tcase_add_test(tcase, a_session_counts_what_it_sent_and_what_arrived);
	tcase_add_test(tcase, services_of_the_same_name_are_told_apart_by_their_addresses);
	tcase_add_test(tcase, policy_decides_channel_by_channel_and_user_by_user);
	tcase_add_test(tcase, an_exclusive_channel_has_one_session_at_a_time_whoever_asks);
	tcase_add_test(tcase, a_client_that_lies_to_the_broker_is_told_which_field_is_wrong);
	tcase_add_test(tcase, the_descriptor_is_readable_when_a_message_is_there_and_not_for_ever);
	tcase_add_test(tcase, sessions_that_have_messages_are_found_each_in_its_turn);
	tcase_add_test(tcase, threads_share_a_connection_and_a_session);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
