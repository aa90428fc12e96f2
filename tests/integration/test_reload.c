// SPDX-License-Identifier: MIT
/* Another policy takes the place of the one in force: the real broker, and clients that are
 * connected. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "tests/integration/harness.h"

#define NOBODY     POLICY("")
#define ONLY_ALICE POLICY(ALLOW("alice", "\"users\": [60711]", "\"*/*\"", ""))
/* For many. */
#define SHARED                                              \
	POLICY(ALLOW("everybody", EVERYBODY, "\"*/*\"",     \
		", \"share_domain\": \"all\", \"limits\": " \
		"{\"sessions\": 1000}"))
#define BROKEN                                                                  \
	POLICY("{\"name\": \"x\", \"action\": \"alow\", \"match\": {" EVERYBODY \
	       "}, \"channels\": [\"*/*\"]}")

static struct harness harness;

static void tear_down(void)
{
	harness_stop(&harness);
}

static void set_up(void)
{
	harness_start(&harness, ALLOW_ALL);
}

/* As the broker's own user, who may. Data: what is to come of it. */
static void reloads(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	require_eq(dspbroker_reload(broker, NULL, NULL), *(int *)data);
	dspbroker_free(broker);
}

static void reload(const char *policy)
{
	int expected = 0;

	harness_set_policy(&harness, policy);
	client_run(BROKER_UID, reloads, &expected);
}

static int open_example(struct dspbroker *broker)
{
	struct dspbroker_session *session;
	int r = dspbroker_session_open(broker, &session, EXAMPLE);

	if (r == 0)
		dspbroker_session_close(session);
	return r;
}

/* One that has a session when its right goes. */
static void loses_its_session(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_event event;

	(void)data;
	require_eq(submit_sleep(session, 50000, 7), 0);
	step_reached('o');
	step_await('r');
	event = next_event(broker);
	require_eq(event.type, DSPBROKER_EVENT_SESSION);
	require_eq(event.status, DSPBROKER_DENIED);
	require_text(event.text, "policy was changed");
	require_text(event.text, "(default)");
	/* The call that ran has its one completion, and there are no more. */
	require_eq((uintptr_t)reap_one(broker).user, 7);
	require_eq(invoke_plain(session, EXAMPLE_NOP), DSPBROKER_DENIED);
	require_eq(open_example(broker), DSPBROKER_DENIED);
	dspbroker_session_close(session);
	step_reached('l');
	step_await('r');
	require_eq(open_example(broker), 0);
	dspbroker_free(broker);
}

START_TEST(a_right_that_is_taken_away_ends_the_sessions_that_lived_on_it_and_can_come_back)
{
	struct client client;

	client_start(&client, ALICE, loses_its_session, NULL);
	client_await(&client, 'o');
	reload(NOBODY);
	client_go(&client, 'r');
	client_await(&client, 'l');
	reload(ALLOW_ALL);
	client_go(&client, 'r');
	client_end(&client);
}
END_TEST

/* One whose right stays. */
static void keeps_its_session(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_event event;

	(void)data;
	step_reached('o');
	step_await('r');
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	require_eq(dspbroker_next_event(broker, &event), 0);
	dspbroker_free(broker);
}

START_TEST(a_session_whose_right_stays_goes_on_as_if_nothing_had_happened)
{
	struct client client;

	client_start(&client, ALICE, keeps_its_session, NULL);
	client_await(&client, 'o');
	reload(harness_has_users() ? ONLY_ALICE : ALLOW_ALL);
	client_go(&client, 'r');
	client_end(&client);
}
END_TEST

/* Limits. */

#define LIMITED(limits) \
	POLICY(ALLOW("everybody", EVERYBODY, "\"*/*\"", ", \"limits\": {" limits "}"))

static void finds_its_limits_shrunk(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE), *more;
	struct dspbroker_buffer *buffer = alloc_buffer(broker, 1 << 20), *other;

	(void)data;
	open_channel(broker, EXAMPLE);
	step_reached('o');
	step_await('r');
	/* What there is stays; nothing is added. */
	require_eq(dspbroker_session_open(broker, &more, EXAMPLE), DSPBROKER_OVER_LIMIT);
	require_text(dspbroker_message(), "1 sessions");
	require_eq(dspbroker_buffer_alloc(broker, &other, 4096), DSPBROKER_OVER_LIMIT);
	require_text(dspbroker_message(), "65536");
	dspbroker_buffer_free(buffer);
	alloc_buffer(broker, 65536);
	require_eq(submit_sleep(session, 100000, 1), 0);
	require_eq(submit_plain(session, EXAMPLE_NOP, 2), 0);
	require_eq((uintptr_t)reap_one(broker).user, 2);
	require_eq((uintptr_t)reap_one(broker).user, 1);
	dspbroker_free(broker);
}

START_TEST(limits_that_shrink_apply_from_then_on)
{
	struct client client;

	client_start(&client, ALICE, finds_its_limits_shrunk, NULL);
	client_await(&client, 'o');
	reload(LIMITED("\"sessions\": 1, \"bytes\": \"64K\", \"calls\": 1"));
	client_go(&client, 'r');
	client_end(&client);
}
END_TEST

static void is_told_to_open_again(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_event event;

	(void)data;
	step_reached('o');
	step_await('r');
	event = next_event(broker);
	require_eq(event.type, DSPBROKER_EVENT_SESSION);
	require_text(event.text, "another protection domain");
	dspbroker_session_close(session);
	require_eq(invoke_plain(open_channel(broker, EXAMPLE), EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

START_TEST(a_session_that_policy_wants_in_another_domain_ends_and_can_be_opened_there)
{
	struct client client;

	client_start(&client, ALICE, is_told_to_open_again, NULL);
	client_await(&client, 'o');
	reload(SHARED);
	client_go(&client, 'r');
	client_end(&client);
}
END_TEST

/* Broken policies. */

static void sees_that_nothing_has_changed(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);

	(void)data;
	require_eq(dspbroker_reload(broker, NULL, NULL), DSPBROKER_BAD_POLICY);
	require_text(dspbroker_message(), "test.json:1:");
	require_text(dspbroker_message(), "action");
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	require_eq(open_example(broker), 0);
	dspbroker_free(broker);
}

START_TEST(a_broken_policy_changes_nothing_and_is_told_with_file_line_and_column)
{
	harness_set_policy(&harness, BROKEN);
	client_run(BROKER_UID, sees_that_nothing_has_changed, NULL);
	harness_await_notification(&harness, "the policy files are wrong");
	require(harness_logged(&harness, "test.json:1:"));
	reload(ALLOW_ALL);
}
END_TEST

/* Who asks. */

static void may_not_reload(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	(void)data;
	require_eq(dspbroker_reload(broker, NULL, NULL), DSPBROKER_DENIED);
	dspbroker_free(broker);
}

START_TEST(a_reload_is_a_right_of_its_own)
{
	if (harness_has_users())
		client_run(ALICE, may_not_reload, NULL);
}
END_TEST

static void is_denied_soon(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	(void)data;
	require_soon(open_example(broker) == DSPBROKER_DENIED);
	dspbroker_free(broker);
}

START_TEST(a_hangup_signal_reloads_and_the_service_manager_is_told)
{
	harness_set_policy(&harness, NOBODY);
	require_eq(kill(harness.pid, SIGHUP), 0);
	client_run(ALICE, is_denied_soon, NULL);
	harness_await_notification(&harness, "RELOADING=1");
	harness_await_notification(&harness, "MONOTONIC_USEC=");
	harness_await_notification(&harness, "Serving 0 rules");
}
END_TEST

START_TEST(a_watching_broker_reloads_when_a_file_changes)
{
	struct harness_options options = {.policy = ALLOW_ALL, .watch_policy = true};

	harness_stop(&harness);
	harness_prepare(&harness);
	harness_spawn(&harness, &options);
	harness_await_ready(&harness);
	harness_set_policy(&harness, NOBODY);
	client_run(ALICE, is_denied_soon, NULL);
}
END_TEST

/* Load. */

#define CROWD 100

static void opens_and_closes_until_it_has_seen_both(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	unsigned int opened = 0, denied = 0;

	(void)data;
	while (opened < 20 || !denied) {
		struct dspbroker_session *session;
		struct dspbroker_event event;
		int r = dspbroker_session_open(broker, &session, EXAMPLE);

		require(r == 0 || r == DSPBROKER_DENIED);
		denied += r == DSPBROKER_DENIED;
		opened += r == 0;
		if (r == 0) {
			r = invoke_plain(session, EXAMPLE_NOP);
			require(r == 0 || r == DSPBROKER_DENIED);
			dspbroker_session_close(session);
		}
		while (dspbroker_next_event(broker, &event) > 0)
			require(event.type == DSPBROKER_EVENT_SESSION);
	}
	dspbroker_free(broker);
}

/* Data: whether all are done. */
static void reloads_until_all_are_done(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	_Atomic bool *done = data;
	char heard[256];

	while (!*done) {
		/* A service manager listens. */
		while (recv(harness.notify, heard, sizeof(heard), MSG_DONTWAIT) > 0)
			;
		harness_set_policy(&harness, NOBODY);
		require_eq(dspbroker_reload(broker, NULL, NULL), 0);
		harness_set_policy(&harness, SHARED);
		require_eq(dspbroker_reload(broker, NULL, NULL), 0);
	}
	dspbroker_free(broker);
}

START_TEST(a_crowd_that_opens_and_closes_survives_one_reload_after_the_other)
{
	_Atomic bool *done = mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct client crowd[CROWD], administrator;

	require(done != MAP_FAILED);
	require_eq(chmod(harness.policy, 0777), 0);
	reload(SHARED);
	client_start(&administrator, BROKER_UID, reloads_until_all_are_done, (void *)done);
	for (int i = 0; i < CROWD; i++)
		client_start(&crowd[i], ALICE + (uid_t)i % 3,
			opens_and_closes_until_it_has_seen_both, NULL);
	for (int i = 0; i < CROWD; i++)
		client_end(&crowd[i]);
	*done = true;
	client_end(&administrator);
	munmap((void *)done, sizeof(*done));
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("reload");
	TCase *tcase = tcase_create("reload");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_test(tcase,
		a_right_that_is_taken_away_ends_the_sessions_that_lived_on_it_and_can_come_back);
	tcase_add_test(tcase, a_session_whose_right_stays_goes_on_as_if_nothing_had_happened);
	tcase_add_test(tcase, limits_that_shrink_apply_from_then_on);
	tcase_add_test(tcase,
		a_session_that_policy_wants_in_another_domain_ends_and_can_be_opened_there);
	tcase_add_test(tcase,
		a_broken_policy_changes_nothing_and_is_told_with_file_line_and_column);
	tcase_add_test(tcase, a_reload_is_a_right_of_its_own);
	tcase_add_test(tcase, a_hangup_signal_reloads_and_the_service_manager_is_told);
	tcase_add_test(tcase, a_watching_broker_reloads_when_a_file_changes);
	tcase_add_test(tcase, a_crowd_that_opens_and_closes_survives_one_reload_after_the_other);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
