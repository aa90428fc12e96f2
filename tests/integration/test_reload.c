// SPDX-License-Identifier: MIT
/* Another policy takes the place of the one in force: the real broker, and clients that are
 * connected. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/integration/process.h"

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

/* Many reloads in a row, to whose service manager somebody listens. */
static int reload_again(struct dspbroker *broker)
{
	char heard[256];

	while (recv(harness.notify, heard, sizeof(heard), MSG_DONTWAIT) > 0)
		;
	return dspbroker_reload(broker, NULL, NULL);
}

/* Broken files, one after the other, at a broker that runs. Who breaks them is the one who asks for
 * the reload. */

#define WHOLE         LIMITED("\"sessions\": 4, \"bytes\": \"64M\", \"calls\": 8")
#define HUGE_BYTES    (100L << 20)
#define MEMORY_KIB    (96 * 1024) /* that it may grow by */
#define TORN_AT_LEAST 10

struct victim {
	struct dspbroker *broker;
	struct dspbroker_session *session;
	char path[160]; /* of the policy file */
	size_t rss_kib;
};

/* The file is its own from here on. */
static void begin_to_break(struct victim *victim)
{
	harness_set_policy(&harness, WHOLE);
	victim->broker = connect_to(&harness);
	victim->session = open_channel(victim->broker, EXAMPLE);
	snprintf(victim->path, sizeof(victim->path), "%s/test.json", harness.policy);
	victim->rss_kib = harness_rss_kib(&harness);
}

/* What was in force still is, and the broker is no larger. */
static void nothing_has_changed(const struct victim *victim)
{
	require_eq(invoke_plain(victim->session, EXAMPLE_NOP), 0);
	require_eq(open_example(victim->broker), 0);
	require(harness_rss_kib(&harness) < victim->rss_kib + MEMORY_KIB);
}

static void is_refused(const struct victim *victim)
{
	require_eq(reload_again(victim->broker), DSPBROKER_BAD_POLICY);
	require_text(dspbroker_message(), "test.json");
	nothing_has_changed(victim);
}

static void end_to_break(struct victim *victim)
{
	unlink(victim->path);
	harness_set_policy(&harness, WHOLE);
	require_eq(reload_again(victim->broker), 0);
	nothing_has_changed(victim);
	dspbroker_free(victim->broker);
}

static void truncates_it(void *data)
{
	struct victim victim;
	char part[sizeof(WHOLE)] = WHOLE;

	(void)data;
	begin_to_break(&victim);
	for (size_t size = sizeof(WHOLE) - 1; size-- > 0;) {
		part[size] = '\0';
		harness_set_policy(&harness, part);
		is_refused(&victim);
	}
	end_to_break(&victim);
}

static void makes_it_a_loop(void *data)
{
	struct victim victim;

	(void)data;
	begin_to_break(&victim);
	must(unlink(victim.path));
	must(symlink("test.json", victim.path));
	is_refused(&victim);
	end_to_break(&victim);
}

static void makes_it_huge(void *data)
{
	struct victim victim;

	(void)data;
	begin_to_break(&victim);
	must(truncate(victim.path, HUGE_BYTES));
	is_refused(&victim);
	end_to_break(&victim);
}

static void makes_it_unreadable(void *data)
{
	struct victim victim;

	(void)data;
	begin_to_break(&victim);
	must(chmod(victim.path, 0));
	is_refused(&victim);
	end_to_break(&victim);
}

static void makes_it_a_device(void *data)
{
	struct victim victim;

	(void)data;
	begin_to_break(&victim);
	must(unlink(victim.path));
	must(symlink("/dev/zero", victim.path));
	is_refused(&victim);
	end_to_break(&victim);
}

/* In place, in pieces, again and again. */
static void rewrites_it(const char *path)
{
	for (;;) {
		int fd = must(open(path, O_WRONLY | O_TRUNC | O_CLOEXEC));

		for (size_t i = 0; i < sizeof(WHOLE) - 1; i += 16)
			must(write(fd, &WHOLE[i], MIN(sizeof(WHOLE) - 1 - i, (size_t)16)));
		close(fd);
	}
}

static void has_it_rewritten(void *data)
{
	unsigned int torn = 0;
	struct victim victim;
	pid_t writer;

	(void)data;
	begin_to_break(&victim);
	writer = must(fork());
	if (writer == 0) {
		must(prctl(PR_SET_PDEATHSIG, SIGKILL));
		rewrites_it(victim.path);
	}
	while (torn < TORN_AT_LEAST) {
		int r = reload_again(victim.broker);

		require(r == 0 || r == DSPBROKER_BAD_POLICY);
		if (r)
			require_text(dspbroker_message(), "test.json");
		torn += r != 0;
		nothing_has_changed(&victim);
	}
	must(kill(writer, SIGKILL));
	must(waitpid(writer, NULL, 0));
	end_to_break(&victim);
}

START_TEST(a_file_that_cannot_be_used_changes_nothing_costs_nothing_and_is_named)
{
	static void (*const who[])(void *data) = {truncates_it, makes_it_a_loop, makes_it_huge,
		makes_it_unreadable, makes_it_a_device, has_it_rewritten};

	must(chmod(harness.policy, 0777));
	for (size_t i = 0; i < ARRAY_SIZE(who); i++)
		client_run(BROKER_UID, who[i], NULL);
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

static void opens_and_closes_until_it_has_seen_both(struct dspbroker *broker)
{
	unsigned int opened = 0, denied = 0;

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
}

/* Through all the reloads, and then through the last one with a session that is open. */
static void is_one_of_many(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;

	(void)data;
	opens_and_closes_until_it_has_seen_both(broker);
	step_reached('s');
	step_await('o');
	session = open_channel(broker, EXAMPLE);
	step_reached('o');
	step_await('l');
	require_eq(invoke_plain(session, EXAMPLE_NOP), DSPBROKER_DENIED);
	require_eq(open_example(broker), DSPBROKER_DENIED);
	dspbroker_session_close(session);
	dspbroker_free(broker);
}

static void all_go(struct client crowd[CROWD], char step)
{
	for (int i = 0; i < CROWD; i++)
		client_go(&crowd[i], step);
}

static void await_all(struct client crowd[CROWD], char step)
{
	for (int i = 0; i < CROWD; i++)
		client_await(&crowd[i], step);
}

/* Data: whether all are done. */
static void reloads_until_all_are_done(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	_Atomic bool *done = data;

	while (!*done) {
		harness_set_policy(&harness, NOBODY);
		require_eq(reload_again(broker), 0);
		harness_set_policy(&harness, SHARED);
		require_eq(reload_again(broker), 0);
	}
	dspbroker_free(broker);
}

static void sees_no_session(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session_record record;

	(void)data;
	require_soon(dspbroker_next_session(broker, 0, &record) == 0);
	dspbroker_free(broker);
}

START_TEST(a_crowd_that_opens_and_closes_has_what_the_last_of_many_reloads_grants)
{
	_Atomic bool *done = mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct client crowd[CROWD], administrator;

	require(done != MAP_FAILED);
	must(chmod(harness.policy, 0777));
	reload(SHARED);
	client_start(&administrator, BROKER_UID, reloads_until_all_are_done, (void *)done);
	for (int i = 0; i < CROWD; i++)
		client_start(&crowd[i], ALICE + (uid_t)i % 3, is_one_of_many, NULL);
	await_all(crowd, 's');
	*done = true;
	client_end(&administrator);
	all_go(crowd, 'o');
	await_all(crowd, 'o');
	require_eq(harness_domains(&harness), 1);
	reload(NOBODY);
	require_soon(harness_domains(&harness) == 0);
	all_go(crowd, 'l');
	for (int i = 0; i < CROWD; i++)
		client_end(&crowd[i]);
	client_run(BROKER_UID, sees_no_session, NULL);
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
	tcase_add_test(tcase,
		a_file_that_cannot_be_used_changes_nothing_costs_nothing_and_is_named);
	tcase_add_test(tcase, a_reload_is_a_right_of_its_own);
	tcase_add_test(tcase, a_hangup_signal_reloads_and_the_service_manager_is_told);
	tcase_add_test(tcase, a_watching_broker_reloads_when_a_file_changes);
	tcase_add_test(tcase,
		a_crowd_that_opens_and_closes_has_what_the_last_of_many_reloads_grants);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
