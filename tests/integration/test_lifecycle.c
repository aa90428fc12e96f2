// SPDX-License-Identifier: MIT
/* Clients, domains and the broker come and go, in the middle of calls too; nothing may be left. */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/integration/harness.h"

#define CROWD         100 /* connections of each of two users */
#define CROWD_CALLS   20  /* of each connection */
#define ROUNDS        20
#define RSS_BOUND_KIB 4096 /* what a broker may have grown by when all are gone */

static struct harness harness;

#define PATIENT                                         \
	POLICY(ALLOW("everybody", EVERYBODY, "\"*/*\"", \
		",\"limits\": {\"timeout_ms\": 600000, \"sessions\": 200}"))

static void set_up(void)
{
	harness_start(&harness, PATIENT);
}

/* What a broker has when nobody uses it but one client who does nothing: with its answer to that
 * one, what it opened in order to say that it is ready is closed again. */
static struct dspbroker *observer;
static size_t idle_fds;

static void note_idle(void)
{
	struct dspbroker_device_info info;

	observer = connect_to(&harness);
	require_eq(dspbroker_next_device(observer, 0, &info), 1);
	require_eq(info.sessions, 0);
	idle_fds = harness_fds(&harness);
	require_eq(harness_domains(&harness), 0);
}

static bool has_no_sessions(void)
{
	struct dspbroker_device_info info;

	require_eq(dspbroker_next_device(observer, 0, &info), 1);
	return info.sessions == 0 && info.domains == 0;
}

static void require_idle(void)
{
	require_soon(has_no_sessions());
	require_soon(harness_fds(&harness) == idle_fds);
	require_soon(harness_domains(&harness) == 0);
	require_eq(harness_mappings(&harness, "dspbroker-ring"), 1);
}

static void tear_down(void)
{
	dspbroker_free(observer);
	harness_stop(&harness);
}

/* Clients that die. */

static void works_until_killed(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_buffer *buffer = alloc_buffer(broker, 1 << 20);
	const struct dspbroker_arg args[] = {{.buffer = buffer, .length = 1 << 20}};
	struct dspbroker_call touch = {.method = EXAMPLE_TOUCH, .n_out = 1, .args = args};

	(void)data;
	require_eq(submit_plain(session, EXAMPLE_NOP, 1), 0);
	require_eq(submit_plain(session, EXAMPLE_SPIN, 2), 0);
	for (int i = 0; i < 40; i++)
		require_eq(dspbroker_submit(session, &touch), 0);
	require_eq((uintptr_t)reap_one(broker).user, 1);
	step_reached('c');
	step_await('x'); /* never comes */
}

static void calls_until_told(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);

	(void)data;
	for (int i = 0; i < 3; i++) {
		require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
		step_reached('n');
		step_await('n');
	}
	dspbroker_free(broker);
}

START_TEST(a_client_killed_in_the_middle_of_calls_leaves_nothing_and_disturbs_nobody)
{
	struct client bystander, victim;

	note_idle();
	client_start(&bystander, BOB, calls_until_told, NULL);
	client_await(&bystander, 'n');
	for (int i = 0; i < 3; i++) {
		client_start(&victim, ALICE, works_until_killed, NULL);
		client_await(&victim, 'c');
		require_eq(harness_domains(&harness), 2);
		client_kill(&victim);
		require_soon(harness_domains(&harness) == 1);
		client_go(&bystander, 'n');
		if (i < 2)
			client_await(&bystander, 'n');
	}
	client_end(&bystander);
	require_idle();
}
END_TEST

static void opens_and_dies(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	step_reached('o');
	alloc_buffer(broker, 4096);
	for (;;)
		open_channel(broker, data);
}

START_TEST(a_client_killed_while_it_opens_channels_leaves_nothing)
{
	struct client client;

	note_idle();
	for (int i = 0; i < ROUNDS; i++) {
		client_start(&client, ALICE, opens_and_dies, EXAMPLE);
		client_await(&client, 'o');
		require_soon(harness_domains(&harness) > 0);
		client_kill(&client);
	}
	require_idle();
}
END_TEST

/* A crowd. */

struct member {
	struct dspbroker *broker;
	struct dspbroker_session *session;
};

/* One user's half: all connections at once, each with a session and calls in flight. */
static void is_many(void *data)
{
	static struct member members[CROWD];
	struct rlimit files;

	(void)data;
	require_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = files.rlim_max;
	require_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	for (int i = 0; i < CROWD; i++) {
		members[i].broker = connect_to(&harness);
		members[i].session = open_channel(members[i].broker, EXAMPLE);
	}
	step_reached('o');
	step_await('c');
	for (int i = 0; i < CROWD; i++)
		for (uintptr_t call = 0; call < CROWD_CALLS; call++)
			require_eq(submit_plain(members[i].session, EXAMPLE_NOP, call), 0);
	for (int i = 0; i < CROWD; i++) {
		for (uintptr_t call = 0; call < CROWD_CALLS; call++) {
			struct dspbroker_completion completion = reap_one(members[i].broker);

			require_eq(completion.status, 0);
			require_eq((uintptr_t)completion.user, call);
		}
	}
	for (int i = 0; i < CROWD; i++)
		dspbroker_free(members[i].broker);
}

static void crowd_calls_once(void)
{
	struct client alice, bob;

	client_start(&alice, ALICE, is_many, NULL);
	client_start(&bob, BOB, is_many, NULL);
	client_await(&alice, 'o');
	client_await(&bob, 'o');
	require_eq(harness_domains(&harness), 2 * CROWD);
	client_go(&alice, 'c');
	client_go(&bob, 'c');
	client_end(&alice);
	client_end(&bob);
}

START_TEST(two_hundred_clients_at_once_are_served_and_leave_nothing)
{
	size_t rss, mappings;

	note_idle();
	crowd_calls_once();
	require_idle();
	/* The first crowd may have made the broker's own pools grow; the second must not. */
	rss = harness_rss_kib(&harness);
	mappings = harness_mappings(&harness, "memfd:");
	crowd_calls_once();
	require_idle();
	require(harness_rss_kib(&harness) <= rss + RSS_BOUND_KIB);
	require_eq(harness_mappings(&harness, "memfd:"), mappings);
}
END_TEST

static void uses_all_it_may(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *sessions[16];
	struct dspbroker_buffer *buffer;

	(void)data;
	require_eq(dspbroker_buffer_alloc(broker, &buffer, 256 << 20), 0);
	for (int i = 0; i < 16; i++)
		sessions[i] = open_channel(broker, EXAMPLE);
	require_eq(dspbroker_session_open(broker, &sessions[0], EXAMPLE), DSPBROKER_OVER_LIMIT);
	require_eq(dspbroker_buffer_alloc(broker, &buffer, 1), DSPBROKER_OVER_LIMIT);
	step_reached('a');
	step_await('x');
}

/* Quota is what the broker believes; only using all of it again shows that it came back. */
START_TEST(what_a_killed_client_was_charged_for_is_free_for_the_next)
{
	struct client client;

	harness_start(&harness, ALLOW_ALL);
	note_idle();
	for (int i = 0; i < 3; i++) {
		client_start(&client, ALICE, uses_all_it_may, NULL);
		client_await(&client, 'a');
		client_kill(&client);
		require_idle();
	}
}
END_TEST

/* Shutdown. */

static struct dspbroker_event await_event(struct dspbroker *broker, enum dspbroker_event_type type)
{
	struct dspbroker_event event;

	do {
		event = next_event(broker);
	} while (event.type != type);
	return event;
}

/* Have the broker take all that was submitted: it does so before it handles a request. */
static void hand_over(struct dspbroker *broker)
{
	struct dspbroker_device_info info;

	require_eq(dspbroker_next_device(broker, 0, &info), 1);
}

/* Tell the broker to stop when a client that runs @run has come to its step 'c'. */
static void stop_under(void (*run)(void *data))
{
	struct client client;

	client_start(&client, ALICE, run, NULL);
	client_await(&client, 'c');
	require_eq(kill(harness.pid, SIGTERM), 0);
	client_end(&client);
	harness_expect_exit(&harness, EXIT_SUCCESS);
}

static void has_calls_at_the_end(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_completion completion;

	(void)data;
	for (uintptr_t i = 1; i <= 10; i++)
		require_eq(submit_sleep(session, 20000, i), 0);
	hand_over(broker);
	step_reached('c');
	await_event(broker, DSPBROKER_EVENT_SHUTDOWN);
	for (uintptr_t i = 1; i <= 10; i++) {
		completion = reap_one(broker);
		require_eq((uintptr_t)completion.user, i);
		require_eq(completion.status, 0);
	}
	require_soon(dspbroker_reap(broker, &completion, 1, 0) == -ECONNRESET);
	dspbroker_free(broker);
}

START_TEST(calls_in_flight_when_it_stops_come_to_their_own_end)
{
	stop_under(has_calls_at_the_end);
}
END_TEST

static void never_ends(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_session *other = open_channel(broker, EXAMPLE), *late;

	(void)data;
	require_eq(submit_plain(session, EXAMPLE_NOP, 1), 0);
	require_eq(submit_plain(session, EXAMPLE_SPIN, 2), 0);
	require_eq(submit_plain(session, EXAMPLE_NOP, 3), 0);
	require_eq((uintptr_t)reap_one(broker).user, 1);
	hand_over(broker);
	step_reached('c');
	require(await_event(broker, DSPBROKER_EVENT_SHUTDOWN).grace_ms > 0);
	require_eq(invoke_plain(other, EXAMPLE_NOP), DSPBROKER_SHUTTING_DOWN);
	require_eq(dspbroker_session_open(broker, &late, EXAMPLE), DSPBROKER_SHUTTING_DOWN);
	for (int i = 0; i < 2; i++)
		require_eq(reap_one(broker).status, DSPBROKER_SHUTTING_DOWN);
	dspbroker_free(broker);
}

START_TEST(what_comes_while_it_stops_is_refused_and_an_endless_call_ends_with_the_grace)
{
	stop_under(never_ends);
	require(harness_logged(&harness, "calls still run"));
}
END_TEST

static int connect_silently(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	require(fd >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", harness.socket);
	require_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void says_hello_too_late(void *data)
{
	int fd = connect_silently();
	struct dspbroker *first = connect_to(&harness), *late;
	struct dspbroker_session *session = open_channel(first, EXAMPLE);

	(void)data;
	/* Both are accepted, and a call keeps the broker for a while. */
	require_eq(submit_plain(session, EXAMPLE_SPIN, 1), 0);
	hand_over(first);
	step_reached('c');
	await_event(first, DSPBROKER_EVENT_SHUTDOWN);
	require_eq(dspbroker_connect_fd(&late, fd), DSPBROKER_SHUTTING_DOWN);
	require_eq(dspbroker_connect(&late, harness.socket), -ENOENT);
	close(fd);
	dspbroker_free(first);
}

START_TEST(who_introduces_itself_while_it_stops_is_told_so)
{
	stop_under(says_hello_too_late);
}
END_TEST

static void does_nothing_until_the_end(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_completion completion;

	(void)data;
	open_channel(broker, EXAMPLE);
	open_channel(broker, EXAMPLE);
	alloc_buffer(broker, 1 << 20);
	step_reached('i');
	await_event(broker, DSPBROKER_EVENT_SHUTDOWN);
	require_soon(dspbroker_reap(broker, &completion, 1, 0) == -ECONNRESET);
	dspbroker_free(broker);
}

/* Data of the loop: whether the sessions share a domain. */
START_TEST(idle_clients_do_not_keep_it_from_stopping)
{
	static const char *const policies[] = {ALLOW_ALL,
		POLICY(ALLOW("pair", EVERYBODY, "\"*/*\"", ",\"share_domain\": \"pair\""))};
	struct client client;

	harness_start(&harness, policies[_i]);
	client_start(&client, ALICE, does_nothing_until_the_end, NULL);
	client_await(&client, 'i');
	harness_stop(&harness);
	client_end(&client);
	require(!harness_logged(&harness, "calls still run"));
}
END_TEST

/* The DSP dies. */

static void loses_the_dsp(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_event event;

	(void)data;
	require_eq(submit_plain(session, EXAMPLE_NOP, 1), 0);
	require_eq(submit_plain(session, EXAMPLE_SPIN, 2), 0);
	require_eq(submit_plain(session, EXAMPLE_NOP, 3), 0);
	require_eq((uintptr_t)reap_one(broker).user, 1);
	hand_over(broker);
	step_reached('c');
	event = await_event(broker, DSPBROKER_EVENT_DEVICE);
	require_text(event.device, "soft0");
	require_eq(event.up, 0);
	require(event.generation > dspbroker_session_info(session)->generation);
	for (uintptr_t i = 2; i <= 3; i++) {
		struct dspbroker_completion completion = reap_one(broker);

		require_eq((uintptr_t)completion.user, i);
		require_eq(completion.status, DSPBROKER_DEVICE_DOWN);
	}
	dspbroker_free(broker);
}

START_TEST(when_the_supervisor_dies_clients_are_told_and_the_broker_gives_up)
{
	struct client client;

	client_start(&client, ALICE, loses_the_dsp, NULL);
	client_await(&client, 'c');
	require_eq(kill(harness_supervisor(&harness), SIGKILL), 0);
	client_end(&client);
	harness_expect_exit(&harness, EXIT_FAILURE);
	require(harness_logged(&harness, "supervisor died"));
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("lifecycle");
	TCase *tcase = tcase_create("lifecycle"), *own = tcase_create("own policy");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase,
		a_client_killed_in_the_middle_of_calls_leaves_nothing_and_disturbs_nobody);
	tcase_add_test(tcase, a_client_killed_while_it_opens_channels_leaves_nothing);
	tcase_add_test(tcase, two_hundred_clients_at_once_are_served_and_leave_nothing);
	tcase_add_test(tcase, calls_in_flight_when_it_stops_come_to_their_own_end);
	tcase_add_test(tcase,
		what_comes_while_it_stops_is_refused_and_an_endless_call_ends_with_the_grace);
	tcase_add_test(tcase, who_introduces_itself_while_it_stops_is_told_so);
	tcase_add_test(tcase, when_the_supervisor_dies_clients_are_told_and_the_broker_gives_up);
	suite_add_tcase(suite, tcase);

	tcase_set_timeout(own, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(own, NULL, tear_down);
	tcase_add_test(own, what_a_killed_client_was_charged_for_is_free_for_the_next);
	tcase_add_loop_test(own, idle_clients_do_not_keep_it_from_stopping, 0, 2);
	suite_add_tcase(suite, own);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
