// SPDX-License-Identifier: MIT
/* What the client library promises when the broker lies, leaves or refuses. */
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "client/internal.h"
#include "daemon/transport/fastrpc/abi.h"
#include "tests/fds.h"
#include "tests/suite.h"
#include "tests/unit/fake_broker.h"

static struct fake_broker *fake;
static struct dspbroker *broker;
static struct dspbroker_session *session;
static size_t fds_before;

static void set_up(void)
{
	int fd;

	fds_before = count_fds(getpid());
	fake = fake_broker_start(FAKE_HELLO_HONEST, &fd);
	ck_assert_int_eq(dspbroker_connect_fd(&broker, fd), 0);
	ck_assert_int_eq(dspbroker_session_open(broker, &session, "soft0/first"), 0);
}

/* Whatever happened, freeing ends, and leaves no descriptor. */
static void tear_down(void)
{
	ck_assert_ptr_null(dspbroker_free(broker));
	fake_broker_stop(fake);
	ck_assert_uint_eq(count_fds(getpid()), fds_before);
}

static bool readable(void)
{
	struct pollfd fd = {.fd = dspbroker_fd(broker), .events = POLLIN};

	return poll(&fd, 1, 0) == 1;
}

static int invoke(uint32_t method)
{
	const struct dspbroker_call call = {.method = method};

	return dspbroker_invoke(session, &call, NULL);
}

static int submit(uint32_t method, void *user)
{
	const struct dspbroker_call call = {.method = method, .user = user};

	return dspbroker_submit(session, &call);
}

static void send_events(uint32_t n)
{
	const struct dspbroker_arg arg = {.data = &n, .length = sizeof(n)};
	const struct dspbroker_call call = {.method = FAKE_EVENTS, .n_in = 1, .args = &arg};

	ck_assert_int_eq(dspbroker_invoke(session, &call, NULL), 0);
}

static void assert_broken(void)
{
	struct dspbroker_session *another;
	struct dspbroker_completion done;
	struct dspbroker_event event;

	ck_assert_int_eq(dspbroker_reap(broker, &done, 1, -1), -ECONNRESET);
	ck_assert_str_ne(dspbroker_message(), "");
	ck_assert_int_eq(dspbroker_next_event(broker, &event), -ECONNRESET);
	ck_assert_int_eq(invoke(FAKE_ECHO), -ECONNRESET);
	ck_assert_int_eq(submit(FAKE_ECHO, NULL), -ECONNRESET);
	ck_assert_int_eq(dspbroker_cancel(session, NULL), -ECONNRESET);
	ck_assert_int_eq(dspbroker_session_open(broker, &another, "soft0/x"), -ECONNRESET);
	ck_assert(readable());
	ck_assert_ptr_null(dspbroker_session_close(session));
}

static void *hold(void *data)
{
	(void)data;
	return (void *)(intptr_t)invoke(FAKE_HOLD);
}

static void *open_later(void *data)
{
	struct dspbroker_session *later;

	(void)data;
	return (void *)(intptr_t)dspbroker_session_open(broker, &later, FAKE_LATER);
}

/* Whoever waits is told, and every accepted call has its completion. */
START_TEST(a_lie_or_a_hang_up_ends_the_connection_for_everybody)
{
	void *(*const waits[])(void *) = {hold, open_later};
	pthread_t threads[ARRAY_SIZE(waits)];
	struct dspbroker_completion done;
	int user, n = 0, r;
	void *told;

	ck_assert_int_eq(submit(FAKE_HOLD, &user), 0);
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++)
		pthread_create(&threads[i], NULL, waits[i], NULL);
	ck_assert_int_eq(submit((uint32_t)_i, &user), 0);
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
		pthread_join(threads[i], &told);
		ck_assert_int_eq((int)(intptr_t)told, -ECONNRESET);
	}
	while ((r = dspbroker_reap(broker, &done, 1, -1)) == 1) {
		ck_assert_ptr_eq(done.user, &user);
		n++;
	}
	ck_assert_int_eq(n, 2);
	ck_assert_int_eq(r, -ECONNRESET);
	assert_broken();
}
END_TEST

static void wait_for_request(void)
{
	bool waits = false;

	while (!waits) {
		HOLD(broker);
		waits = !list_empty(&broker->requests);
	}
}

START_TEST(who_finds_a_lie_tells_who_waits_for_the_broker)
{
	pthread_t thread;
	void *told;

	pthread_create(&thread, NULL, open_later, NULL);
	wait_for_request();
	for (int i = 1; i < FAKE_SQ_SLOTS; i++) /* so that it has to look for room after the lie */
		ck_assert_int_eq(invoke(FAKE_ECHO), 0);
	ck_assert_int_eq(invoke(FAKE_LIE_ROOM), 0);
	ck_assert_int_eq(invoke(FAKE_ECHO), -ECONNRESET);
	pthread_join(thread, &told);
	ck_assert_int_eq((int)(intptr_t)told, -ECONNRESET);
	assert_broken();
}
END_TEST

START_TEST(what_was_completed_before_the_end_counts)
{
	ck_assert_int_eq(invoke(FAKE_LAST), 0);
	assert_broken();
}
END_TEST

static const char *const wrong_replies[] = {
	FAKE_SHORT,
	FAKE_OTHER,
	FAKE_SERIAL,
	FAKE_UNKNOWN,
	FAKE_SWAPPED,
	FAKE_SUCCESS,
	FAKE_PRESENT,
	FAKE_GONE,
};

START_TEST(a_reply_that_cannot_be_right_ends_the_connection)
{
	struct dspbroker_session *never;

	ck_assert_int_eq(dspbroker_session_open(broker, &never, wrong_replies[_i]), -ECONNRESET);
	assert_broken();
}
END_TEST

START_TEST(a_list_that_goes_in_circles_is_left)
{
	struct dspbroker_device_info device = {};
	struct dspbroker_channel_info channel = {};
	struct dspbroker_session_record record = {};

	for (uint64_t id = 1; id <= 3; id++) {
		ck_assert_int_eq(dspbroker_next_device(broker, device.id, &device), 1);
		ck_assert_int_eq(dspbroker_next_channel(broker, channel.id, &channel), 1);
		ck_assert_int_eq(dspbroker_next_session(broker, record.id, &record), 1);
		ck_assert_uint_eq(device.id, id);
		ck_assert_uint_eq(channel.id, id);
		ck_assert_uint_eq(record.id, id);
		ck_assert_str_eq(device.name, "soft0");
	}
	ck_assert_int_eq(dspbroker_next_device(broker, 3, &device), 0);
	ck_assert_int_eq(dspbroker_next_device(broker, 100, &device), -ECONNRESET);
	assert_broken();
}
END_TEST

START_TEST(a_record_tells_of_hardware_and_of_messages)
{
	static const uint32_t attributes[DSPBROKER_ATTRIBUTES_MAX] = FAKE_ATTRIBUTES;
	struct dspbroker_device_info device;
	struct dspbroker_session_record record;

	ck_assert_int_eq(dspbroker_next_device(broker, 0, &device), 1);
	ck_assert_int_eq(device.state, DSPBROKER_STATE_CRASHED);
	ck_assert_int_eq(device.isolation, DSPBROKER_ISOLATION_IOMMU);
	ck_assert_uint_eq(device.coredumps, 7);
	ck_assert_str_eq(device.remoteproc, "remoteproc5");
	ck_assert_uint_eq(device.domains, 3);
	ck_assert_uint_eq(device.domains_max, 5);
	ck_assert_uint_eq(device.domains_hung, 1);
	ck_assert_uint_eq(device.waiting, 2);
	ck_assert_uint_eq(device.n_attributes, DSPBROKER_ATTRIBUTES_MAX);
	ck_assert_mem_eq(device.attributes, attributes, sizeof(attributes));
	ck_assert_str_eq(device.trouble, "held\033 open");
	ck_assert_int_eq(dspbroker_next_session(broker, 0, &record), 1);
	ck_assert_int_eq(record.message, 1);
	ck_assert_uint_eq(record.received, UINT64_MAX);
	ck_assert_uint_eq(record.dropped, 3);
	ck_assert_uint_eq(record.queued, 2);
}
END_TEST

START_TEST(a_device_that_tells_nothing_of_itself_has_no_attributes)
{
	struct dspbroker_device_info device;

	memset(&device, 0xff, sizeof(device));
	ck_assert_int_eq(dspbroker_next_device(broker, 1, &device), 1);
	ck_assert_uint_eq(device.domains_max, 0);
	ck_assert_str_eq(device.trouble, "");
	ck_assert_uint_eq(device.n_attributes, 0);
	for (uint32_t i = 0; i < DSPBROKER_ATTRIBUTES_MAX; i++)
		ck_assert_uint_eq(device.attributes[i], 0);
}
END_TEST

START_TEST(more_attributes_than_a_record_holds_are_not_read)
{
	struct dspbroker_device_info device;

	ck_assert_int_eq(dspbroker_next_device(broker, 2, &device), 1);
	ck_assert_uint_eq(device.n_attributes, DSPBROKER_ATTRIBUTES_MAX);
	ck_assert_uint_eq(device.attributes[DSPBROKER_ATTRIBUTE_NOTIFICATIONS], UINT32_MAX);
}
END_TEST

START_TEST(every_attribute_of_a_dsp_has_its_word)
{
	static const struct {
		enum dspbroker_attribute ours;
		enum fastrpc_attribute theirs;
		const char *word;
	} attributes[] = {
		{DSPBROKER_ATTRIBUTE_DOMAIN, FASTRPC_ATTRIBUTE_DOMAIN, "domain"},
		{DSPBROKER_ATTRIBUTE_UNSIGNED, FASTRPC_ATTRIBUTE_UNSIGNED, "unsigned"},
		{DSPBROKER_ATTRIBUTE_HVX64, FASTRPC_ATTRIBUTE_HVX_64B, "hvx64"},
		{DSPBROKER_ATTRIBUTE_HVX128, FASTRPC_ATTRIBUTE_HVX_128B, "hvx128"},
		{DSPBROKER_ATTRIBUTE_VTCM_PAGE, FASTRPC_ATTRIBUTE_VTCM_PAGE, "vtcm_page"},
		{DSPBROKER_ATTRIBUTE_VTCM_COUNT, FASTRPC_ATTRIBUTE_VTCM_COUNT, "vtcm_count"},
		{DSPBROKER_ATTRIBUTE_ARCH, FASTRPC_ATTRIBUTE_ARCH, "arch"},
		{DSPBROKER_ATTRIBUTE_HMX_DEPTH, FASTRPC_ATTRIBUTE_HMX_DEPTH, "hmx_depth"},
		{DSPBROKER_ATTRIBUTE_HMX_SPATIAL, FASTRPC_ATTRIBUTE_HMX_SPATIAL, "hmx_spatial"},
		{DSPBROKER_ATTRIBUTE_ASYNC, FASTRPC_ATTRIBUTE_ASYNC, "async"},
		{DSPBROKER_ATTRIBUTE_NOTIFICATIONS, FASTRPC_ATTRIBUTE_NOTIFICATIONS,
			"notifications"},
		{DSPBROKER_ATTRIBUTE_MULTICAST, FASTRPC_ATTRIBUTE_MULTICAST, "multicast"},
	};
	static_assert(ARRAY_SIZE(attributes) == FASTRPC_ATTRIBUTES, "all of them");

	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		ck_assert_int_eq((int)attributes[i].ours, (int)attributes[i].theirs);
		ck_assert_str_eq(dspbroker_attribute_name(attributes[i].ours), attributes[i].word);
	}
	ck_assert_str_eq(dspbroker_attribute_name(FASTRPC_ATTRIBUTES), "unknown");
	ck_assert_str_eq(dspbroker_attribute_name(UINT32_MAX), "unknown");
}
END_TEST

START_TEST(a_record_of_another_size_ends_the_connection)
{
	struct dspbroker_device_info device;

	ck_assert_int_eq(dspbroker_next_device(broker, FAKE_SHORT_LIST, &device), -ECONNRESET);
	assert_broken();
}
END_TEST

START_TEST(what_a_newer_broker_calls_a_device_is_unknown_and_no_protection)
{
	struct dspbroker_device_info device;

	ck_assert_int_eq(dspbroker_next_device(broker, 2, &device), 1);
	ck_assert_int_eq(device.state, DSPBROKER_STATE_UNKNOWN);
	ck_assert_int_eq(device.isolation, DSPBROKER_ISOLATION_REFUSED);
	ck_assert_str_eq(dspbroker_state_name(device.state), "unknown");
	ck_assert_str_eq(dspbroker_state_name(DSPBROKER_STATE_ATTACHED), "attached");
	ck_assert_str_eq(dspbroker_isolation_name(DSPBROKER_ISOLATION_IOMMU), "iommu");
	ck_assert_str_eq(dspbroker_isolation_name((enum dspbroker_isolation) - 1), "unknown");
}
END_TEST

START_TEST(news_of_devices_and_channels_are_told_in_their_order)
{
	struct dspbroker_device_info device;
	struct dspbroker_event event;

	ck_assert_int_eq(invoke(FAKE_NEWS), 0);
	ck_assert_int_eq(dspbroker_next_device(broker, 0, &device), 1); /* they are here before */
	ck_assert_int_eq(dspbroker_next_event(broker, &event), 1);
	ck_assert_int_eq(event.type, DSPBROKER_EVENT_DEVICE);
	ck_assert_str_eq(event.device, "rpmsg0");
	ck_assert_int_eq(event.up, 1);
	ck_assert_uint_eq(event.generation, 4);
	ck_assert_int_eq(event.state, DSPBROKER_STATE_ATTACHED);
	ck_assert_int_eq(dspbroker_next_event(broker, &event), 1);
	ck_assert_int_eq(event.state, DSPBROKER_STATE_UNKNOWN);
	ck_assert_int_eq(dspbroker_next_event(broker, &event), 1);
	ck_assert_int_eq(event.type, DSPBROKER_EVENT_CHANNEL);
	ck_assert_str_eq(event.channel, "rpmsg0/new");
	ck_assert(event.up && event.message);
	ck_assert_int_eq(dspbroker_next_event(broker, &event), 1);
	ck_assert_int_eq(event.type, DSPBROKER_EVENT_CHANNEL);
	ck_assert_str_eq(event.channel, "soft0/old");
	ck_assert(!event.up && !event.message);
	ck_assert_int_eq(dspbroker_next_event(broker, &event), 1);
	ck_assert_int_eq(event.type, DSPBROKER_EVENT_LOST);
	ck_assert_int_eq(dspbroker_next_event(broker, &event), 0);
}
END_TEST

START_TEST(a_refusal_carries_its_rule_and_its_limit)
{
	struct dspbroker_session *never;

	ck_assert_int_eq(dspbroker_session_open(broker, &never, FAKE_DENIED), DSPBROKER_DENIED);
	ck_assert_str_eq(dspbroker_message(), "this is not for you (rule nobody)");
	ck_assert_int_eq(dspbroker_session_open(broker, &never, FAKE_LIMITED),
		DSPBROKER_OVER_LIMIT);
	ck_assert_str_eq(dspbroker_message(), "too many sessions (limit 7)");
	ck_assert_int_eq(invoke(FAKE_ECHO), 0);
}
END_TEST

START_TEST(news_of_a_session_right_behind_its_opening_is_not_lost)
{
	struct dspbroker_session *doomed;
	struct dspbroker_event event;
	struct pollfd fd = {.fd = dspbroker_fd(broker), .events = POLLIN};

	ck_assert_int_eq(dspbroker_session_open(broker, &doomed, FAKE_DOOMED), 0);
	ck_assert_int_eq(poll(&fd, 1, -1), 1);
	ck_assert_int_eq(dspbroker_next_event(broker, &event), 1);
	ck_assert_int_eq(event.type, DSPBROKER_EVENT_SESSION);
	ck_assert_ptr_eq(event.session, doomed);
	ck_assert_int_eq(event.status, DSPBROKER_DOMAIN_CRASHED);
	ck_assert_str_eq(event.text, "it crashed");
	ck_assert_int_eq(dspbroker_next_event(broker, &event), 0);
}
END_TEST

START_TEST(news_of_a_closed_session_is_never_told)
{
	struct dspbroker_session *doomed;
	struct dspbroker_event event;

	send_events(2);
	ck_assert_int_eq(dspbroker_session_open(broker, &doomed, FAKE_DOOMED), 0);
	send_events(2);
	dspbroker_session_close(doomed);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(dspbroker_next_event(broker, &event), 1);
		ck_assert_int_eq(event.type, DSPBROKER_EVENT_DEVICE);
		ck_assert_uint_eq(event.generation, (uint32_t)i % 2 + 1);
	}
	ck_assert_int_eq(dspbroker_next_event(broker, &event), 0);
}
END_TEST

START_TEST(dropped_events_are_announced)
{
	struct dspbroker_device_info device;
	struct dspbroker_event event;
	uint32_t kept = 0;

	/* A reply on the same socket: what was sent before it has been received. */
	for (int i = 0; i < 30; i++) {
		send_events(10);
		ck_assert_int_ge(dspbroker_next_device(broker, 0, &device), 0);
	}
	while (dspbroker_next_event(broker, &event) == 1 && event.type == DSPBROKER_EVENT_DEVICE) {
		ck_assert_uint_eq(event.generation, kept % 10 + 1);
		kept++;
	}
	ck_assert_uint_eq(kept, 255);
	ck_assert_int_eq(event.type, DSPBROKER_EVENT_LOST);
}
END_TEST

START_TEST(a_connection_is_freed_in_whatever_state_it_is)
{
	struct dspbroker_session *doomed;
	struct dspbroker_buffer *buffer;
	void *mapping;

	ck_assert_int_eq(dspbroker_session_open(broker, &doomed, FAKE_DOOMED), 0);
	ck_assert_int_eq(dspbroker_buffer_alloc(broker, &buffer, 4096), 0);
	ck_assert_int_eq(dspbroker_buffer_map(buffer, &mapping), 0);
	send_events(5);
	ck_assert_int_eq(submit(FAKE_ECHO, NULL), 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(submit(FAKE_HOLD, NULL), 0);
}
END_TEST

/* Connecting. */

START_TEST(a_hello_that_cannot_be_right_is_no_connection)
{
	struct fake_broker *liar;
	struct dspbroker *never = NULL;
	size_t before = count_fds(getpid());
	int fd;

	liar = fake_broker_start((enum fake_hello)_i, &fd);
	ck_assert_int_eq(dspbroker_connect_fd(&never, fd), -EPROTO);
	ck_assert_ptr_null(never);
	ck_assert_int_eq(close(fd), 0); /* it is still ours */
	fake_broker_stop(liar);
	ck_assert_uint_eq(count_fds(getpid()), before);
}
END_TEST

START_TEST(a_refused_hello_says_why)
{
	struct dspbroker *never;
	int fd;

	fake = fake_broker_start(FAKE_HELLO_REFUSED, &fd);
	ck_assert_int_eq(dspbroker_connect_fd(&never, fd), DSPBROKER_OVER_LIMIT);
	ck_assert_str_eq(dspbroker_message(), "too many connections (limit 3)");
	fd_close(fd);
	fake_broker_stop(fake);
}
END_TEST

START_TEST(what_is_no_socket_of_a_broker_is_refused_and_stays_the_callers)
{
	struct dspbroker *never;
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(dspbroker_connect_fd(&never, ends[0]), -ENOTSOCK);
	ck_assert_int_eq(close(ends[0]) | close(ends[1]), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ck_assert_int_eq(dspbroker_connect_fd(&never, ends[0]), -EPROTOTYPE);
	ck_assert_int_eq(close(ends[0]) | close(ends[1]), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	ck_assert_int_eq(close(ends[1]), 0);
	ck_assert_int_eq(dspbroker_connect_fd(&never, ends[0]), -ECONNRESET);
	ck_assert_int_eq(close(ends[0]), 0);
	ck_assert_int_eq(dspbroker_connect_fd(&never, -1), -EBADF);
	ck_assert_int_eq(dspbroker_connect(&never, "/nonexistent/broker.sock"), -ENOENT);
	ck_assert_int_eq(dspbroker_connect(&never, ""), -EINVAL);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("client and its peer");
	TCase *connected = tcase_create("connected"), *connecting = tcase_create("connecting");

	tcase_set_timeout(connected, 60);
	tcase_add_checked_fixture(connected, set_up, tear_down);
	tcase_add_loop_test(connected, a_lie_or_a_hang_up_ends_the_connection_for_everybody,
		FAKE_LIE_INDEX, FAKE_METHODS_END);
	tcase_add_loop_test(connected, a_reply_that_cannot_be_right_ends_the_connection, 0,
		ARRAY_SIZE(wrong_replies));
	tcase_add_test(connected, who_finds_a_lie_tells_who_waits_for_the_broker);
	tcase_add_test(connected, what_was_completed_before_the_end_counts);
	tcase_add_test(connected, a_list_that_goes_in_circles_is_left);
	tcase_add_test(connected, a_record_tells_of_hardware_and_of_messages);
	tcase_add_test(connected, a_device_that_tells_nothing_of_itself_has_no_attributes);
	tcase_add_test(connected, more_attributes_than_a_record_holds_are_not_read);
	tcase_add_test(connected, every_attribute_of_a_dsp_has_its_word);
	tcase_add_test(connected, a_record_of_another_size_ends_the_connection);
	tcase_add_test(connected, what_a_newer_broker_calls_a_device_is_unknown_and_no_protection);
	tcase_add_test(connected, news_of_devices_and_channels_are_told_in_their_order);
	tcase_add_test(connected, a_refusal_carries_its_rule_and_its_limit);
	tcase_add_test(connected, news_of_a_session_right_behind_its_opening_is_not_lost);
	tcase_add_test(connected, news_of_a_closed_session_is_never_told);
	tcase_add_test(connected, dropped_events_are_announced);
	tcase_add_test(connected, a_connection_is_freed_in_whatever_state_it_is);
	suite_add_tcase(suite, connected);

	tcase_add_loop_test(connecting, a_hello_that_cannot_be_right_is_no_connection,
		FAKE_HELLO_VERSION, FAKE_HELLO_END);
	tcase_add_test(connecting, a_refused_hello_says_why);
	tcase_add_test(connecting, what_is_no_socket_of_a_broker_is_refused_and_stays_the_callers);
	suite_add_tcase(suite, connecting);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
