// SPDX-License-Identifier: MIT
/*
 * Services and remote processors that go away and come back, under traffic, through the broker and
 * the kernel's drivers (virtio_rpmsg_bus and its name service, rpmsg_ctrl, rpmsg_char, remoteproc).
 */
#include <stdio.h>
#include <string.h>

#include "tests/kernel/messages.h"

#define ROUNDS       100
#define CRASHES      20
#define WINDOW       16   /* messages that are sent and not back yet */
#define GROWTH_KIB   1024 /* what the broker may keep of its memory; no round costs 100 KiB */
#define COME_AND_GO  "rpmsg0/comes-and-goes"
#define COME_ADDRESS 4000

static struct harness harness;

static void set_up(void)
{
	harness_start(&harness, ALLOW_WITH(""));
}

static void tear_down(void)
{
	harness_stop(&harness);
}

/* One session that is written to and read from until it dies. */
struct traffic {
	struct dspbroker *broker;
	struct dspbroker_session *session;
	int death; /* that is expected */
	uint32_t submitted, ended, received;
};

/* Each ends once, in the order of submission, and none well after one that did not. */
static void take_completions(struct traffic *traffic, int timeout_ms)
{
	struct dspbroker_completion completion;

	while (dspbroker_reap(traffic->broker, &completion, 1, timeout_ms) == 1) {
		require(completion.status == 0 || completion.status == traffic->death);
		require_eq((uintptr_t)completion.user, traffic->ended);
		traffic->ended++;
	}
}

/* Returns what dspbroker_receive() did, which must have had a message or the session's death. */
static int take_message(struct traffic *traffic)
{
	uint8_t message[RPMSG_MTU];
	uint32_t dropped = 0;
	size_t length;
	int r = dspbroker_receive(traffic->session, message, sizeof(message), &length, &dropped,
		PATIENCE_MS);

	if (r == 0) {
		require_eq(dropped, 0);
		require_eq(stamp_number(message, length, 1), traffic->received);
		traffic->received++;
	}
	return r;
}

static void submit_some(struct traffic *traffic)
{
	uint8_t message[100];
	int r = 0;

	while (r == 0 && traffic->submitted - traffic->received < WINDOW) {
		stamp(message, sizeof(message), 1, traffic->submitted);
		r = dspbroker_submit_send(traffic->session, message, sizeof(message),
			(void *)(uintptr_t)traffic->submitted);
		/* The library may know already; then there is no completion. */
		require(r == 0 || r == traffic->death);
		traffic->submitted += r == 0;
	}
}

/* Open it and echo some, then tell the test, which lets it die, and go on as long as it lives. */
static void run_until_death(struct traffic *traffic, const char *channel)
{
	int r = 0;

	traffic->submitted = traffic->ended = traffic->received = 0;
	traffic->session = open_channel(traffic->broker, channel);
	while (traffic->received < 2 * WINDOW) {
		submit_some(traffic);
		require_eq(take_message(traffic), 0);
	}
	step_reached('t');
	while (r == 0) {
		submit_some(traffic);
		take_completions(traffic, 0);
		r = take_message(traffic);
	}
	require_eq(r, traffic->death);
	take_completions(traffic, -1);
	require_eq(traffic->ended, traffic->submitted);
	require_eq(receive_nothing(traffic->session, -1), traffic->death); /* and so it stays */
	require_eq(dspbroker_send(traffic->session, "x", 1, -1), traffic->death);
	require_eq(dspbroker_try_send(traffic->session, "x", 1), traffic->death);
}

/* Services. */

/* In whatever order the two are told. */
static void await_death_and_withdrawal(const struct traffic *traffic)
{
	bool dead = false, withdrawn = false;

	while (!dead || !withdrawn) {
		struct dspbroker_event event = next_event(traffic->broker);

		if (event.type == DSPBROKER_EVENT_SESSION) {
			require(event.session == traffic->session && !dead);
			require_eq(event.status, DSPBROKER_WITHDRAWN);
			require(*event.text);
			dead = true;
		} else if (event.type == DSPBROKER_EVENT_CHANNEL) {
			require_eq(strcmp(event.channel, COME_AND_GO), 0);
			require(!event.up && !withdrawn);
			withdrawn = true;
		}
	}
}

static void outlives_withdrawals(void *data)
{
	struct traffic traffic = {.broker = connect_to(&harness), .death = DSPBROKER_WITHDRAWN};
	struct dspbroker_session *session;

	(void)data;
	for (int i = 0; i < ROUNDS; i++) {
		run_until_death(&traffic, COME_AND_GO);
		await_death_and_withdrawal(&traffic);
		require_eq(dspbroker_session_open(traffic.broker, &session, COME_AND_GO),
			DSPBROKER_NOT_FOUND);
		dspbroker_session_close(traffic.session);
		step_reached('d');
		await_channel(traffic.broker, COME_AND_GO, 1);
	}
	dspbroker_free(traffic.broker);
}

/* What there is when nothing happens, but for the connection of the test itself. The first round
 * may have made the broker's own pools grow; the second must not. */
struct idle {
	size_t fds, nodes, rss;
};

static struct idle look(struct dspbroker *observer)
{
	return (struct idle){.fds = idle_fds(&harness, observer), .nodes = count_nodes()};
}

static void require_idle(struct dspbroker *observer, struct idle *idle, bool again)
{
	require_soon(count_sessions(observer) == 0);
	require_soon(count_nodes() <= idle->nodes);
	require_soon(idle_fds(&harness, observer) == idle->fds);
	if (again)
		require(harness_rss_kib(&harness) <= idle->rss + GROWTH_KIB);
	idle->rss = harness_rss_kib(&harness);
}

START_TEST(a_service_can_be_withdrawn_and_announced_again_a_hundred_times_under_traffic)
{
	struct dspbroker *observer = connect_to(&harness);
	struct idle idle = look(observer);
	struct client client;

	serve(COME_ADDRESS, "echo", strchr(COME_AND_GO, '/') + 1);
	require_soon(is_listed(observer, COME_AND_GO));
	for (int again = 0; again < 2; again++) {
		client_start(&client, ALICE, outlives_withdrawals, NULL);
		for (int i = 0; i < ROUNDS; i++) {
			client_await(&client, 't');
			remote("withdraw %d", COME_ADDRESS);
			client_await(&client, 'd');
			require(!is_listed(observer, COME_AND_GO));
			remote("announce %d %s", COME_ADDRESS, strchr(COME_AND_GO, '/') + 1);
		}
		client_end(&client);
		require_idle(observer, &idle, again);
	}
	dspbroker_free(observer);
}
END_TEST

/* Gone and back before anybody looks: it is another service nevertheless. */
CLIENT_TEST(a_session_does_not_outlive_its_service_however_soon_there_is_a_new_one)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;

	serve(4001, "echo", "quick");
	require_soon(is_listed(broker, "rpmsg0/quick"));
	for (uint32_t i = 0; i < 30; i++) {
		session = open_channel(broker, "rpmsg0/quick");
		echo_stamped(session, 50, 1, i);
		remote("withdraw 4001");
		remote("announce 4001 quick");
		require_eq(receive_nothing(session, PATIENCE_MS), DSPBROKER_WITHDRAWN);
		dspbroker_session_close(session);
		require_soon(is_listed(broker, "rpmsg0/quick"));
	}
	dspbroker_free(broker);
}

CLIENT_TEST(a_withdrawal_ends_the_sessions_of_that_service_alone)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *stays, *goes;

	serve(4002, "echo", "stays");
	serve(4003, "echo", "goes");
	require_soon(is_listed(broker, "rpmsg0/goes") && is_listed(broker, "rpmsg0/stays"));
	stays = open_channel(broker, "rpmsg0/stays");
	goes = open_channel(broker, "rpmsg0/goes");
	remote("withdraw 4003");
	require_eq(receive_nothing(goes, PATIENCE_MS), DSPBROKER_WITHDRAWN);
	require_eq(await_event(broker, DSPBROKER_EVENT_SESSION).status, DSPBROKER_WITHDRAWN);
	for (uint32_t i = 0; i < 10; i++)
		echo_stamped(stays, 50, 1, i);
	dspbroker_free(broker);
}

/* An address that was a session's must not be another's so soon that this one gets what was meant
 * for the first. All messages come in one line: when the echo is back, the other one has come. */
static void hears_nothing_late(const char *next)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *echo = open_channel(broker, "rpmsg0/meanwhile");
	struct dspbroker_session *session = open_channel(broker, "rpmsg0/late");
	unsigned long long asked = remote_count(4004).messages;

	ask_source(session, 0, 0);
	require_soon(remote_count(4004).messages == asked + 1);
	dspbroker_session_close(session);
	session = open_channel(broker, next);
	remote("emit 4004 0 1 40");
	for (uint32_t i = 0; i < 3; i++)
		echo_stamped(echo, 50, 1, i);
	require_eq(receive_nothing(session, 0), DSPBROKER_TIMED_OUT);
	dspbroker_free(broker);
}

CLIENT_TEST(late_answers_to_a_session_that_is_closed_reach_no_other)
{
	struct dspbroker *broker = connect_to(&harness);

	serve(4004, "source", "late");
	serve(4005, "sink", "next");
	serve(4006, "echo", "meanwhile");
	require_soon(is_listed(broker, "rpmsg0/meanwhile"));
	dspbroker_free(broker);
	for (int i = 0; i < 10; i++) {
		hears_nothing_late("rpmsg0/next");
		hears_nothing_late("rpmsg0/late");
	}
}

/* The remote processor. */

/* Both sessions' deaths, and that the device went and came back with another generation. */
static uint32_t await_crash(struct dspbroker *broker, uint32_t generation)
{
	unsigned int deaths = 0;
	bool down = false, up = false;

	while (deaths < 2 || !up) {
		struct dspbroker_event event = next_event(broker);

		if (event.type == DSPBROKER_EVENT_SESSION) {
			require_eq(event.status, DSPBROKER_DEVICE_DOWN);
			deaths++;
		} else if (event.type == DSPBROKER_EVENT_DEVICE && !event.up && !down) {
			require_text(event.device, "rpmsg0");
			require(event.generation > generation);
			down = true;
		} else if (event.type == DSPBROKER_EVENT_DEVICE && event.up && down) {
			generation = event.generation;
			up = true;
		}
	}
	require_eq(deaths, 2);
	return generation;
}

static void outlives_crashes(void *data)
{
	struct traffic traffic = {.broker = connect_to(&harness), .death = DSPBROKER_DEVICE_DOWN};
	uint32_t generation = device_record(traffic.broker, "rpmsg0").generation;
	struct dspbroker_session *idle, *calls = open_channel(traffic.broker, EXAMPLE);

	(void)data;
	for (int i = 0; i < CRASHES; i++) {
		idle = open_channel(traffic.broker, "rpmsg0/phoenix");
		run_until_death(&traffic, "rpmsg0/phoenix");
		require_eq(receive_nothing(idle, PATIENCE_MS), DSPBROKER_DEVICE_DOWN);
		require_eq(invoke_plain(calls, EXAMPLE_NOP), 0);

		generation = await_crash(traffic.broker, generation);
		require_soon(is_listed(traffic.broker, "rpmsg0/phoenix"));
		dspbroker_session_close(traffic.session);
		dspbroker_session_close(idle);
	}
	traffic.session = open_channel(traffic.broker, "rpmsg0/phoenix");
	require_eq(dspbroker_session_info(traffic.session)->generation, generation);
	echo_stamped(traffic.session, RPMSG_MTU, 1, 1);
	dspbroker_free(traffic.broker);
}

START_TEST(after_a_crash_each_session_has_ended_and_can_be_opened_again)
{
	struct dspbroker *observer = connect_to(&harness);
	struct idle idle = look(observer);
	struct client client;

	serve(4010, "echo", "phoenix");
	require_soon(is_listed(observer, "rpmsg0/phoenix"));
	for (int again = 0; again < 2; again++) {
		client_start(&client, ALICE, outlives_crashes, NULL);
		for (int i = 0; i < CRASHES; i++) {
			client_await(&client, 't');
			remote("crash");
		}
		client_end(&client);
		require_idle(observer, &idle, again);
	}
	dspbroker_free(observer);
}
END_TEST

/* The kernel may not say that the link is dead; that the device is gone tells. */
CLIENT_TEST(messages_that_wait_when_it_crashes_end_with_the_device)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_completion completion;
	struct dspbroker_session *session;
	uint32_t n = 0;

	serve(4020, "sink", "stuck");
	require_soon(is_listed(broker, "rpmsg0/stuck"));
	session = open_channel(broker, "rpmsg0/stuck");
	remote("hang");
	while (dspbroker_try_send(session, "x", 1) == 0)
		continue;
	for (n = 0; n < 10; n++)
		require_eq(dspbroker_submit_send(session, "x", 1, NULL), 0);
	remote("crash");
	while (n-- > 0) {
		completion = reap_one(broker);
		require_eq(completion.status, DSPBROKER_DEVICE_DOWN);
	}
	require_eq(dspbroker_reap(broker, &completion, 1, -1), 0);
	require_eq(receive_nothing(session, PATIENCE_MS), DSPBROKER_DEVICE_DOWN);
	require_soon(is_listed(broker, "rpmsg0/stuck"));
	dspbroker_free(broker);
}

static void sees_it_stop_and_start(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, "rpmsg0/stopped");
	uint32_t generation = dspbroker_session_info(session)->generation;

	(void)data;
	echo_stamped(session, 50, 1, 1);
	step_reached('o');
	require_eq(receive_nothing(session, PATIENCE_MS), DSPBROKER_DEVICE_DOWN);
	await_device(broker, "rpmsg0", 0);
	step_reached('d');
	require(await_device(broker, "rpmsg0", 1).generation > generation);
	require_soon(is_listed(broker, "rpmsg0/stopped"));
	echo_stamped(open_channel(broker, "rpmsg0/stopped"), 50, 1, 2);
	dspbroker_free(broker);
}

/* By somebody else, since policy leaves its life to others. */
START_TEST(a_processor_that_is_stopped_takes_its_channels_along_and_brings_them_back)
{
	struct dspbroker *observer = connect_to(&harness);
	struct dspbroker_session *session;
	struct client client;

	serve(4030, "echo", "stopped");
	require_soon(is_listed(observer, "rpmsg0/stopped"));
	client_start(&client, ALICE, sees_it_stop_and_start, NULL);
	client_await(&client, 'o');
	require(write_file(REMOTEPROC "/state", "stop"));
	client_await(&client, 'd');
	require_soon(!is_listed(observer, "rpmsg0/stopped"));
	require_soon(device_record(observer, "rpmsg0").state == DSPBROKER_STATE_OFFLINE);
	require_eq(device_record(observer, "rpmsg0").up, 0);
	require(dspbroker_session_open(observer, &session, "rpmsg0/stopped") > 0);
	require(write_file(REMOTEPROC "/state", "start"));
	client_end(&client);
	require_soon(device_record(observer, "rpmsg0").state == DSPBROKER_STATE_RUNNING);
	dspbroker_free(observer);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("messages over rpmsg_char that end");
	TCase *tcase = tcase_create("lost");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase,
		a_service_can_be_withdrawn_and_announced_again_a_hundred_times_under_traffic);
	tcase_add_test(tcase,
		a_session_does_not_outlive_its_service_however_soon_there_is_a_new_one);
	tcase_add_test(tcase, a_withdrawal_ends_the_sessions_of_that_service_alone);
	tcase_add_test(tcase, late_answers_to_a_session_that_is_closed_reach_no_other);
	tcase_add_test(tcase, after_a_crash_each_session_has_ended_and_can_be_opened_again);
	tcase_add_test(tcase, messages_that_wait_when_it_crashes_end_with_the_device);
	tcase_add_test(tcase,
		a_processor_that_is_stopped_takes_its_channels_along_and_brings_them_back);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
