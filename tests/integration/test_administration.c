// SPDX-License-Identifier: MIT
/* What administrators do, and who may be one: the real broker, and clients of several users. */
#include <string.h>
#include <sys/socket.h>

#include "tests/integration/hostile.h"
#include "tests/integration/raw.h"

#define THE_CAROL "\"users\": [60713]"
#define OPEN_ALL  ALLOW("everybody", EVERYBODY, "\"*/*\"", "")
/* Carol has that right, and may open nothing. */
#define CAROL_MAY(verbs, channels) \
	POLICY(OPEN_ALL "," ALLOW("carol", THE_CAROL, channels, ", \"verbs\": [" verbs "]"))
#define BROKEN "{\"version\": 1,\n \"rules\": 7}"

static struct harness harness;

static void tear_down(void)
{
	harness_stop(&harness);
}

/* Whose sessions there are, and what becomes of them. */

/* Opens one, and says which; then waits for its end, or to be let go. Data: the status. */
static void has_a_session(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	const int *status = data;
	struct dspbroker_event event;

	step_reached('o');
	if (status) {
		event = next_event(broker);
		require_eq(event.type, DSPBROKER_EVENT_SESSION);
		require(event.session == session);
		require_eq(event.status, *status);
		require_text(event.text, "an administrator ended it");
		require_eq(invoke_plain(session, EXAMPLE_NOP), *status);
		dspbroker_session_close(session);
		require_eq(invoke_plain(open_channel(broker, EXAMPLE), EXAMPLE_NOP), 0);
	} else {
		step_await('l');
		require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	}
	dspbroker_free(broker);
}

/* The first session of that user that this client sees; 0: it sees none. */
static uint64_t session_of(struct dspbroker *broker, uid_t uid)
{
	struct dspbroker_session_record record = {};

	while (dspbroker_next_session(broker, record.id, &record) == 1)
		if (record.uid == uid)
			return record.id;
	return 0;
}

static void sees_alice(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	(void)data;
	require(session_of(broker, ALICE));
	dspbroker_free(broker);
}

static void sees_nobody(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	(void)data;
	require_eq(session_of(broker, ALICE), 0);
	dspbroker_free(broker);
}

START_TEST(who_has_the_right_to_list_sees_the_sessions_of_others_there)
{
	struct client alice;

	if (!harness_has_users())
		return;
	harness_start(&harness, CAROL_MAY("\"list\"", "\"soft0/example\""));
	client_start(&alice, ALICE, has_a_session, NULL);
	client_await(&alice, 'o');
	client_run(CAROL, sees_alice, NULL);
	client_run(BOB, sees_nobody, NULL);
	client_go(&alice, 'l');
	client_end(&alice);
}
END_TEST

START_TEST(the_right_to_list_one_channel_is_none_to_list_another)
{
	struct client alice;

	if (!harness_has_users())
		return;
	harness_start(&harness, CAROL_MAY("\"list\", \"kick\"", "\"soft0/denoise\""));
	client_start(&alice, ALICE, has_a_session, NULL);
	client_await(&alice, 'o');
	client_run(CAROL, sees_nobody, NULL);
	client_go(&alice, 'l');
	client_end(&alice);
}
END_TEST

/* More than the broker looks at for one request; each in the same domain. */
#define MANY 150
#define SHARED                                                             \
	ALLOW("everybody", EVERYBODY, "\"*/*\"",                           \
		", \"share_domain\": \"all\", \"limits\": {\"sessions\": " \
		"1000}")

static void has_many_sessions(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	(void)data;
	for (int i = 0; i < MANY; i++)
		open_channel(broker, EXAMPLE);
	step_reached('o');
	step_await('l');
	dspbroker_free(broker);
}

static void finds_its_own(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session_record record = {};

	(void)data;
	open_channel(broker, EXAMPLE);
	require_eq(dspbroker_next_session(broker, 0, &record), 1);
	require_eq(record.uid, BOB);
	require_text(record.channel, EXAMPLE);
	require_eq(dspbroker_next_session(broker, record.id, &record), 0);
	dspbroker_free(broker);
}

START_TEST(own_sessions_are_found_behind_many_of_others)
{
	struct client alice;

	if (!harness_has_users())
		return;
	harness_start(&harness, POLICY(SHARED));
	client_start(&alice, ALICE, has_many_sessions, NULL);
	client_await(&alice, 'o');
	client_run(BOB, finds_its_own, NULL);
	client_go(&alice, 'l');
	client_end(&alice);
}
END_TEST

static void sees_no_record_of_others(void *data)
{
	struct dsp_query query = {};
	union raw_packet reply;
	unsigned int requests = 0;
	struct raw raw;

	(void)data;
	raw_start(&raw, &harness);
	do {
		query.header = raw_header(&raw, DSP_QUERY_SESSION);
		raw_exchange(&raw, &query, sizeof(query), NULL, 0, &reply);
		require_eq(reply.header.opcode, DSP_QUERY_SESSION | DSP_REPLY);
		require_eq(reply.session_record.channel[0], 0);
		require_eq(reply.session_record.uid | reply.session_record.pid, 0);
		require_eq(reply.session_record.rule[0], 0);
		require(!reply.session_record.id || reply.session_record.id > query.after);
		query.after = reply.session_record.id;
		requests++;
	} while (query.after);
	require_eq(requests, MANY / 64 + 1);
	raw_close(&raw);
}

START_TEST(a_walk_past_sessions_of_others_shows_nothing_of_them_and_is_cut_into_pieces)
{
	struct client alice;

	if (!harness_has_users())
		return;
	harness_start(&harness, POLICY(SHARED));
	client_start(&alice, ALICE, has_many_sessions, NULL);
	client_await(&alice, 'o');
	client_run(BOB, sees_no_record_of_others, NULL);
	client_go(&alice, 'l');
	client_end(&alice);
}
END_TEST

/* KICK */

static void kicks_alice(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	const int *expected = data;
	uint64_t id = session_of(broker, ALICE);

	require(id);
	require_eq(dspbroker_session_kick(broker, id), *expected);
	if (*expected == DSPBROKER_DENIED)
		require_text(dspbroker_message(), "kick " EXAMPLE " is denied to uid");
	dspbroker_free(broker);
}

/* Alice has a session, and somebody tries to end it. */
static void kick_as(uid_t uid, const char *policy, int expected)
{
	int cancelled = DSPBROKER_CANCELLED;
	struct client alice;

	harness_start(&harness, policy);
	client_start(&alice, ALICE, has_a_session, expected == 0 ? &cancelled : NULL);
	client_await(&alice, 'o');
	client_run(uid, kicks_alice, &expected);
	if (expected)
		client_go(&alice, 'l');
	client_end(&alice);
}

START_TEST(who_has_the_right_ends_a_session_and_its_client_is_told)
{
	if (!harness_has_users())
		return;
	kick_as(CAROL, CAROL_MAY("\"list\", \"kick\"", "\"soft0/*\""), 0);
	require(harness_logged(&harness, "uid 60713"));
}
END_TEST

START_TEST(root_ends_any_session_without_a_rule)
{
	if (!harness_has_users())
		return;
	kick_as(0, ALLOW_ALL, 0);
}
END_TEST

START_TEST(to_see_a_session_is_no_right_to_end_it)
{
	if (!harness_has_users())
		return;
	kick_as(CAROL, CAROL_MAY("\"list\"", "\"soft0/*\""), DSPBROKER_DENIED);
	require(harness_logged(&harness, "kick"));
}
END_TEST

START_TEST(without_a_rule_nobody_ends_even_a_session_of_his_own_user)
{
	if (!harness_has_users())
		return;
	kick_as(ALICE, ALLOW_ALL, DSPBROKER_DENIED);
}
END_TEST

START_TEST(a_deny_takes_the_right_to_kick_away)
{
	if (!harness_has_users())
		return;
	kick_as(CAROL,
		POLICY(OPEN_ALL "," ALLOW("carol", THE_CAROL, "\"*/*\"",
			", \"verbs\": [\"list\", \"kick\"]") ","
							     "{\"name\": \"no-kicks\", \"action\": "
							     "\"deny\", \"match\": {" EVERYBODY
							     "}, \"channels\": [\"*/*\"], "
							     "\"verbs\": [\"kick\"]}"),
		DSPBROKER_DENIED);
}
END_TEST

/* Whatever it names, it learns only that there is no such session. Data: the last number. */
static void kicks_in_the_dark(void *data)
{
	static const uint64_t far[] = {0, 1ull << 32, INT64_MAX, UINT64_MAX};
	struct dspbroker *broker = connect_to(&harness);

	(void)data;
	for (uint64_t id = 0; id < 20; id++)
		require_eq(dspbroker_session_kick(broker, id), DSPBROKER_NOT_FOUND);
	for (size_t i = 0; i < ARRAY_SIZE(far); i++)
		require_eq(dspbroker_session_kick(broker, far[i]), DSPBROKER_NOT_FOUND);
	dspbroker_free(broker);
}

START_TEST(who_may_not_see_a_session_does_not_learn_that_it_is_there)
{
	struct client alice;

	if (!harness_has_users())
		return;
	harness_start(&harness, ALLOW_ALL);
	client_start(&alice, ALICE, has_a_session, NULL);
	client_await(&alice, 'o');
	client_run(BOB, kicks_in_the_dark, NULL);
	client_go(&alice, 'l');
	client_end(&alice);
}
END_TEST

static void ends_its_own_twice(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	uint64_t id = session_of(broker, geteuid());
	struct dspbroker_completion done;

	(void)data;
	require_eq(submit_sleep(session, 10, 1), 0);
	require_eq(dspbroker_session_kick(broker, id), 0);
	done = reap_one(broker);
	require(done.status == 0 || done.status == DSPBROKER_CANCELLED);
	require_eq(next_event(broker).status, DSPBROKER_CANCELLED);
	require_eq(dspbroker_session_kick(broker, id), DSPBROKER_NOT_FOUND);
	dspbroker_session_close(session);
	require_eq(dspbroker_session_kick(broker, id), DSPBROKER_NOT_FOUND);
	dspbroker_free(broker);
}

START_TEST(a_session_ends_once)
{
	harness_start(&harness, ALLOW_ALL);
	client_run(BROKER_UID, ends_its_own_twice, NULL);
}
END_TEST

/* RELOAD */

static void reloads(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	uint32_t rules = UINT32_MAX, revoked = UINT32_MAX;
	const int *expected = data;

	require_eq(dspbroker_reload(broker, &rules, &revoked), *expected);
	if (*expected == 0) {
		require_eq(rules, 2);
		require_eq(revoked, 0);
	}
	if (*expected == DSPBROKER_BAD_POLICY)
		require_text(dspbroker_message(), "test.json:2:");
	dspbroker_free(broker);
}

START_TEST(who_has_the_right_reloads_and_others_do_not)
{
	int fine = 0, denied = DSPBROKER_DENIED, bad = DSPBROKER_BAD_POLICY;

	if (!harness_has_users())
		return;
	harness_start(&harness, CAROL_MAY("\"reload\"", "\"x/x\""));
	client_run(BOB, reloads, &denied);
	client_run(CAROL, reloads, &fine);
	client_run(0, reloads, &fine);
	harness_set_policy(&harness, BROKEN);
	client_run(CAROL, reloads, &bad);
	client_run(CAROL, reloads, &bad); /* the right stands in the policy that stays */
	client_run(BOB, reloads, &denied);
}
END_TEST

/* POWER */

static void switches(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	const int *expected = data;

	for (int power = DSPBROKER_POWER_START; power <= DSPBROKER_POWER_STOP; power++)
		require_eq(dspbroker_device_power(broker, "soft0", (enum dspbroker_power)power),
			*expected);
	if (*expected == DSPBROKER_UNSUPPORTED)
		require_text(dspbroker_message(), "soft0 has no remote processor");
	require_eq(dspbroker_device_power(broker, "soft1", DSPBROKER_POWER_STOP),
		DSPBROKER_NOT_FOUND);
	require_eq(dspbroker_device_power(broker, "", DSPBROKER_POWER_STOP), DSPBROKER_NOT_FOUND);
	require_eq(dspbroker_device_power(broker, "soft0/example", DSPBROKER_POWER_STOP),
		DSPBROKER_NOT_FOUND);
	require_eq(dspbroker_device_power(broker, "soft0", (enum dspbroker_power)0),
		DSPBROKER_INVALID);
	require_eq(dspbroker_device_power(broker, "soft0", (enum dspbroker_power)3),
		DSPBROKER_INVALID);
	dspbroker_free(broker);
}

START_TEST(a_device_without_remote_processor_is_neither_started_nor_stopped)
{
	int unsupported = DSPBROKER_UNSUPPORTED, denied = DSPBROKER_DENIED;

	if (!harness_has_users())
		return;
	harness_start(&harness, CAROL_MAY("\"start\", \"stop\"", "\"soft0/*\""));
	client_run(CAROL, switches, &unsupported);
	client_run(0, switches, &unsupported);
	client_run(BOB, switches, &denied);
}
END_TEST

/* dspctl */

#define dspctl(uid, ...) harness_dspctl(&harness, uid, &output, __VA_ARGS__)

START_TEST(dspctl_kicks_reloads_and_switches_with_exit_codes_for_scripts)
{
	int cancelled = DSPBROKER_CANCELLED;
	struct client alice;
	const char *output;

	if (!harness_has_users())
		return;
	harness_start(&harness,
		CAROL_MAY("\"list\", \"kick\", \"reload\", \"start\", \"stop\"", "\"soft0/*\""));
	client_start(&alice, ALICE, has_a_session, &cancelled);
	client_await(&alice, 'o');
	require_eq(dspctl(CAROL, "sessions"), 0);
	require_text(output, EXAMPLE);
	require_eq(dspctl(BOB, "kick", "1"), 5);
	require_eq(dspctl(ALICE, "kick", "1"), 3);
	require_text(output, "kick " EXAMPLE " is denied");
	require_eq(dspctl(CAROL, "kick", "one"), 2);
	require_eq(dspctl(CAROL, "kick"), 2);
	require_eq(dspctl(CAROL, "kick", "77"), 5);
	require_text(output, "there is no such session");
	require_eq(dspctl(CAROL, "kick", "1"), 0);
	client_end(&alice);

	require_eq(dspctl(BOB, "policy", "reload"), 3);
	require_eq(dspctl(CAROL, "policy", "reload"), 0);
	require_text(output, "OK: 2 rules");
	require_eq(dspctl(CAROL, "policy", "reload", "--json"), 0);
	require_text(output, "\"revoked\": 0");
	harness_set_policy(&harness, BROKEN);
	require_eq(dspctl(CAROL, "policy", "reload"), 1);
	require_text(output, "test.json:2:");

	require_eq(dspctl(CAROL, "stop", "soft0"), 1);
	require_text(output, "soft0 has no remote processor");
	require_eq(dspctl(BOB, "start", "soft0"), 3);
	require_eq(dspctl(CAROL, "start", "soft7"), 5);
}
END_TEST

START_TEST(dspctl_status_tells_everybody_how_the_broker_is_confined)
{
	const char *output;

	harness_start(&harness, ALLOW_ALL);
	require_eq(dspctl(ALICE, "status"), 0);
	require_text(output, "not root");
	require_text(output, "any other ends it");
	require_text(output, "policy        1 rules, read 20");
	require_eq(dspctl(ALICE, "status", "--json"), 0);
	require_text(output, "\"confined\": true");
	require_text(output, "\"version\": \"" DSP_VERSION "\"");
	require_text(output, "\"devices\": 1,");
	require_text(output, "\"reload\": \"ok\"");
}
END_TEST

START_TEST(how_much_others_use_a_broker_only_administrators_learn)
{
	struct client alice;
	const char *output;

	if (!harness_has_users())
		return;
	harness_start(&harness, CAROL_MAY("\"list\"", "\"*/*\""));
	client_start(&alice, ALICE, has_a_session, NULL);
	client_await(&alice, 'o');
	require_eq(dspctl(ALICE, "status"), 0);
	require_text(output, "in your use   2 connections, 1 sessions, 0 calls in flight");
	require_eq(dspctl(CAROL, "status"), 0);
	require_text(output, "in your use   1 connections, 0 sessions, 0 calls in flight");
	require_eq(dspctl(0, "status"), 0);
	require_text(output, "in use        2 connections, 1 sessions, 0 calls in flight");
	require_eq(dspctl(BROKER_UID, "status"), 0);
	require_text(output, "in use        2 connections, 1 sessions, 0 calls in flight");
	client_go(&alice, 'l');
	client_end(&alice);
}
END_TEST

START_TEST(dspctl_status_tells_of_policy_files_that_are_wrong)
{
	const char *output;

	harness_start(&harness, ALLOW_ALL);
	harness_set_policy(&harness, BROKEN);
	require_eq(dspctl(0, "policy", "reload"), 1);
	require_eq(dspctl(ALICE, "status"), 12);
	require_text(output, "1 rules");
	require_text(output, "NOT RELOADED: policy files are wrong");
	harness_set_policy(&harness, ALLOW_ALL);
	require_eq(dspctl(0, "policy", "reload"), 0);
	require_eq(dspctl(ALICE, "status"), 0);
}
END_TEST

START_TEST(dspctl_status_is_loud_about_a_broker_that_runs_as_root)
{
	const char *output;

	if (!harness_has_users())
		return;
	harness_prepare(&harness);
	harness_spawn(&harness, &(struct harness_options){.policy = ALLOW_ALL, .user = "root"});
	harness_await_ready(&harness);
	require_eq(dspctl(ALICE, "status"), 11);
	require_text(output, "NOT CONFINED: it runs as root");
	require_eq(dspctl(ALICE, "status", "--json"), 11);
	require_text(output, "\"confined\": false");
}
END_TEST
#undef dspctl

/* Hostile. */

/* Asks for all that it has no right to, as fast as it can. */
static void pesters(void *data)
{
	struct dsp_kick kick = {};
	struct dsp_reload reload = {};
	struct dsp_power_request power = {.device = "soft0"};
	struct dsp_query query = {.after = 1};
	unsigned int start = 0;
	union raw_packet reply;
	struct raw raw;

	(void)data;
	raw_start(&raw, data);
	while (innocent_waits(&start, 20)) {
		reload.header = raw_header(&raw, DSP_RELOAD);
		raw_exchange(&raw, &reload, sizeof(reload), NULL, 0, &reply);
		require_eq(reply.error.status, DSP_DENIED);
		kick.header = raw_header(&raw, DSP_KICK);
		kick.session = random_below(1000);
		raw_exchange(&raw, &kick, sizeof(kick), NULL, 0, &reply);
		require_eq(reply.error.status, DSP_NOT_FOUND);
		power.header = raw_header(&raw, DSP_POWER);
		power.power = DSP_POWER_START + random_below(2);
		raw_exchange(&raw, &power, sizeof(power), NULL, 0, &reply);
		require_eq(reply.error.status, DSP_DENIED);
		query.header = raw_header(&raw, DSP_QUERY_SESSION);
		query.after = random_next();
		raw_exchange(&raw, &query, sizeof(query), NULL, 0, &reply);
		require_eq(reply.session_record.channel[0], 0);
	}
	raw_close(&raw);
}

START_TEST(requests_of_administrators_by_who_is_none_do_no_harm)
{
	if (!harness_has_users())
		return;
	hostile_run(ALLOW_ALL, pesters);
}
END_TEST

/* The broker tells its service manager of each, and waits for it when that does not read. */
static void read_notifications(const struct harness *of)
{
	char text[512];

	while (recv(of->notify, text, sizeof(text), MSG_DONTWAIT) >= 0)
		continue;
}

/* Sends RELOADs without waiting for answers. At most one of them is under way at a time. */
static void floods_with_reloads(void *data)
{
	unsigned int start = 0, fine = 0, busy = 0;
	struct dsp_reload reload;
	union raw_packet reply;
	struct raw raw;

	raw_start(&raw, data);
	while (innocent_waits(&start, 20) || !fine) {
		for (int i = 0; i < 50; i++) {
			reload.header = raw_header(&raw, DSP_RELOAD);
			raw_send(&raw, &reload, sizeof(reload), NULL, 0);
		}
		for (int i = 0; i < 50; i++) {
			read_notifications(data);
			require(raw_receive(&raw, &reply, NULL));
			fine += reply.header.opcode == (DSP_RELOAD | DSP_REPLY);
			busy += reply.header.opcode == DSP_ERROR && reply.error.status == DSP_BUSY;
		}
	}
	require(busy > fine);
	raw_close(&raw);
}

START_TEST(a_flood_of_reloads_keeps_nobody_from_working)
{
	if (!harness_has_users())
		return;
	hostile_run(POLICY(OPEN_ALL "," ALLOW("bob", "\"users\": [60712]", "\"x/x\"",
			    ", \"verbs\": [\"reload\"]")),
		floods_with_reloads);
}
END_TEST

/* Asks for one and leaves before it is answered, over and over. */
static void reloads_and_runs(void *data)
{
	unsigned int start = 0;
	struct dsp_reload reload;
	struct raw raw;

	while (innocent_waits(&start, 20)) {
		raw_start(&raw, data);
		reload.header = raw_header(&raw, DSP_RELOAD);
		raw_send(&raw, &reload, sizeof(reload), NULL, 0);
		raw_close(&raw);
		read_notifications(data);
	}
}

START_TEST(a_client_that_leaves_while_it_waits_for_a_reload_is_forgotten)
{
	if (!harness_has_users())
		return;
	hostile_run(POLICY(OPEN_ALL "," ALLOW("bob", "\"users\": [60712]", "\"x/x\"",
			    ", \"verbs\": [\"reload\"]")),
		reloads_and_runs);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, who_has_the_right_to_list_sees_the_sessions_of_others_there);
	tcase_add_test(tcase, the_right_to_list_one_channel_is_none_to_list_another);
	tcase_add_test(tcase, own_sessions_are_found_behind_many_of_others);
	tcase_add_test(tcase,
		a_walk_past_sessions_of_others_shows_nothing_of_them_and_is_cut_into_pieces);
	tcase_add_test(tcase, who_has_the_right_ends_a_session_and_its_client_is_told);
	tcase_add_test(tcase, root_ends_any_session_without_a_rule);
	tcase_add_test(tcase, to_see_a_session_is_no_right_to_end_it);
	tcase_add_test(tcase, without_a_rule_nobody_ends_even_a_session_of_his_own_user);
	tcase_add_test(tcase, a_deny_takes_the_right_to_kick_away);
	tcase_add_test(tcase, who_may_not_see_a_session_does_not_learn_that_it_is_there);
	tcase_add_test(tcase, a_session_ends_once);
	tcase_add_test(tcase, who_has_the_right_reloads_and_others_do_not);
	tcase_add_test(tcase, a_device_without_remote_processor_is_neither_started_nor_stopped);
	tcase_add_test(tcase, dspctl_kicks_reloads_and_switches_with_exit_codes_for_scripts);
	tcase_add_test(tcase, dspctl_status_tells_everybody_how_the_broker_is_confined);
	tcase_add_test(tcase, how_much_others_use_a_broker_only_administrators_learn);
	tcase_add_test(tcase, dspctl_status_tells_of_policy_files_that_are_wrong);
	tcase_add_test(tcase, dspctl_status_is_loud_about_a_broker_that_runs_as_root);
}

static Suite *suite(void)
{
	Suite *suite = suite_create("administration");
	TCase *tcase = tcase_create("administration"), *hostile = tcase_create("hostile");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, NULL, tear_down);
	add_tests(tcase);
	suite_add_tcase(suite, tcase);
	tcase_set_timeout(hostile, HARNESS_TIMEOUT_S);
	tcase_add_test(hostile, requests_of_administrators_by_who_is_none_do_no_harm);
	tcase_add_test(hostile, a_flood_of_reloads_keeps_nobody_from_working);
	tcase_add_test(hostile, a_client_that_leaves_while_it_waits_for_a_reload_is_forgotten);
	suite_add_tcase(suite, hostile);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
