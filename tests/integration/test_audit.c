// SPDX-License-Identifier: MIT
/* What the real broker writes about refusals and administrative acts, read as a program would. */
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "daemon/limits.h"
#include "tests/integration/process.h"
#include "tests/integration/raw.h"

#define DENIED        "5e669cdd3da24046ad0f3a843d7e0504"
#define DENIED_CALL   "b7d6ffe4a4ef4637ac179bf78198270c"
#define OVER_LIMIT    "ccbb086111a04483ad69e7d512aada87"
#define LOST          "0b52d75f0b6d4ac1bbfd311095dc6885"
#define EXPELLED      "245a7a695a504a018e4273db89c43830"
#define SUPPRESSED    "154c0050b95f43a089b10ac7fffd7cd0"
#define RELOADED      "be2db09356fc41edb832041b4c85cdcd"
#define RELOAD_FAILED "fc362a3aff3d4cc1b23bbf2b72c3d176"
#define KICKED        "924e44e92d6846c0b6ae098f223dd607"

static struct harness harness;

static void tear_down(void)
{
	harness_stop(&harness);
}

/* Reading the log. */

static bool is_field(struct json_object *entry, const char *name, const char *value)
{
	const char *found = json_object_get_string(json_object_object_get(entry, name));

	return found && !strcmp(found, value);
}

struct found {
	size_t n;               /* entries */
	unsigned int left_out;  /* messages of the same user before them */
	struct json_object *it; /* the last one, to be put; NULL: none */
};

static void add(struct found *found, struct json_object *entry)
{
	found->n++;
	found->left_out += (unsigned int)json_object_get_int(json_object_object_get(entry,
		"DSPBROKER_SUPPRESSED"));
	json_object_put(found->it);
	found->it = json_object_get(entry);
}

/* Entries of the kind that have the field, or any of the kind when @name is NULL. Each line that is
 * no text must be one object of JSON. */
static struct found find(const char *id, const char *name, const char *value)
{
	_cleanup_(freep) char *log = strdup(process_read_text(harness.log));
	char *rest = log, *line;
	struct found found = {};

	require(log);
	while ((line = strsep(&rest, "\n")) && rest) {
		struct json_object *entry;

		if (*line != '{')
			continue;
		entry = json_tokener_parse(line);
		require(json_object_is_type(entry, json_type_object));
		if (is_field(entry, "MESSAGE_ID", id) && (!name || is_field(entry, name, value)))
			add(&found, entry);
		json_object_put(entry);
	}
	return found;
}

static size_t count(const char *id, const char *name, const char *value)
{
	struct found found = find(id, name, value);

	json_object_put(found.it);
	return found.n;
}

/* The only entry of that kind. */
static struct json_object *only(const char *id)
{
	struct found found = find(id, NULL, NULL);

	require_eq(found.n, 1);
	return found.it;
}

static void require_field(struct json_object *entry, const char *name, const char *value)
{
	if (!is_field(entry, name, value))
		harness_fail(__FILE__, __LINE__, "%s is not %s in %s", name, value,
			json_object_get_string(entry));
}

static void require_number(struct json_object *entry, const char *name, long long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", value);
	require_field(entry, name, text);
}

/* Who a client is to the broker. */
static uid_t uid_of(uid_t uid)
{
	return process_is_root() ? uid : geteuid();
}

/* Refusals. */

static void is_denied(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;

	(void)data;
	require_eq(dspbroker_session_open(broker, &session, EXAMPLE), DSPBROKER_DENIED);
	dspbroker_free(broker);
}

START_TEST(a_denied_open_is_one_entry_with_user_channel_rule_and_where_that_stands)
{
	char file[sizeof(harness.policy) + 16];
	struct json_object *entry;
	struct client client;
	pid_t pid;

	harness_start(&harness, POLICY("\n" ALLOW("everybody", EVERYBODY, "\"*/*\"",
					"") ",\n" DENY("not-this", EVERYBODY, "\"" EXAMPLE "\"")));
	client_start(&client, ALICE, is_denied, NULL);
	pid = client.pid;
	client_end(&client);
	entry = only(DENIED);
	snprintf(file, sizeof(file), "%s/test.json", harness.policy);
	require_number(entry, "DSPBROKER_UID", uid_of(ALICE));
	require_number(entry, "DSPBROKER_PID", pid);
	require_field(entry, "DSPBROKER_VERB", "open");
	require_field(entry, "DSPBROKER_CHANNEL", EXAMPLE);
	require_field(entry, "DSPBROKER_RULE", "not-this");
	require_field(entry, "DSPBROKER_RULE_FILE", file);
	require_number(entry, "DSPBROKER_RULE_LINE", 3);
	require_number(entry, "DSPBROKER_SUPPRESSED", 0);
	json_object_put(entry);
}
END_TEST

#define FLOOD 100

static void is_denied_again_and_again(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;

	(void)data;
	for (int i = 0; i < FLOOD; i++)
		require_eq(dspbroker_session_open(broker, &session, EXAMPLE), DSPBROKER_DENIED);
	step_reached('f');
	for (;;) {
		step_await('-');
		require_eq(dspbroker_session_open(broker, &session, EXAMPLE), DSPBROKER_DENIED);
		step_reached('d');
	}
}

/* One more refusal of hers: is there an entry of it? */
static bool is_heard(struct client *alice, size_t *attempts)
{
	size_t before = count(DENIED, "DSPBROKER_UID", "60711");

	client_go(alice, '-');
	client_await(alice, 'd');
	++*attempts;
	return count(DENIED, "DSPBROKER_UID", "60711") > before;
}

START_TEST(a_flood_of_one_user_is_cut_short_and_counted_while_another_is_heard)
{
	size_t attempts = FLOOD;
	struct found found;
	struct client alice;

	if (!harness_has_users())
		return;
	harness_start(&harness, POLICY(DENY("nobody", EVERYBODY, "\"*/*\"")));
	client_start(&alice, ALICE, is_denied_again_and_again, NULL);
	client_await(&alice, 'f');
	client_run(BOB, is_denied, NULL);
	found = find(DENIED, "DSPBROKER_UID", "60712");
	require_eq(found.n, 1);
	require_eq(found.left_out, 0);
	json_object_put(found.it);
	/* When she is heard again, all that was left out has been told. */
	require_soon(is_heard(&alice, &attempts));
	found = find(DENIED, "DSPBROKER_UID", "60711");
	require(found.n >= LOG_BURST);
	require(found.left_out > 0);
	require_eq(found.n + found.left_out, attempts);
	json_object_put(found.it);
	client_kill(&alice);
}
END_TEST

static void is_denied_often(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;

	(void)data;
	for (int i = 0; i < FLOOD; i++)
		require_eq(dspbroker_session_open(broker, &session, EXAMPLE), DSPBROKER_DENIED);
	dspbroker_free(broker);
}

START_TEST(what_was_left_out_is_told_although_its_user_has_left)
{
	struct found denied, told;

	harness_start(&harness, POLICY(DENY("nobody", EVERYBODY, "\"*/*\"")));
	client_run(ALICE, is_denied_often, NULL);
	harness_stop(&harness);
	denied = find(DENIED, NULL, NULL);
	told = find(SUPPRESSED, NULL, NULL);
	require_eq(told.n, 1);
	require_number(told.it, "DSPBROKER_UID", uid_of(ALICE));
	require_eq(denied.n + denied.left_out + told.left_out, FLOOD);
	json_object_put(denied.it);
	json_object_put(told.it);
}
END_TEST

#define LIMITED(limits) \
	POLICY(ALLOW("modest", EVERYBODY, "\"soft0/*\"", ",\"limits\": {" limits "}"))

static void opens_two(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;

	(void)data;
	open_channel(broker, EXAMPLE);
	require_eq(dspbroker_session_open(broker, &session, EXAMPLE), DSPBROKER_OVER_LIMIT);
	dspbroker_free(broker);
}

START_TEST(what_is_over_a_limit_is_an_entry_with_limit_value_and_rule)
{
	struct json_object *entry;

	harness_start(&harness, LIMITED("\"sessions\": 1"));
	client_run(ALICE, opens_two, NULL);
	entry = only(OVER_LIMIT);
	require_number(entry, "DSPBROKER_UID", uid_of(ALICE));
	require_field(entry, "DSPBROKER_LIMIT", "sessions");
	require_number(entry, "DSPBROKER_LIMIT_VALUE", 1);
	require_field(entry, "DSPBROKER_RULE", "modest");
	require_field(entry, "DSPBROKER_CHANNEL", EXAMPLE);
	json_object_put(entry);
}
END_TEST

static void submits_too_many(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);

	(void)data;
	require_eq(submit_plain(session, EXAMPLE_SPIN, 1), 0);
	require_eq(submit_plain(session, EXAMPLE_NOP, 2), 0);
	require_eq(reap_one(broker).status, DSPBROKER_OVER_LIMIT);
	dspbroker_free(broker);
}

START_TEST(a_call_over_a_limit_is_an_entry_too)
{
	struct json_object *entry;

	harness_start(&harness, LIMITED("\"calls\": 1"));
	client_run(ALICE, submits_too_many, NULL);
	entry = only(OVER_LIMIT);
	require_number(entry, "DSPBROKER_LIMIT_VALUE", 1);
	require_field(entry, "DSPBROKER_RULE", "modest");
	require_field(entry, "DSPBROKER_CHANNEL", EXAMPLE);
	json_object_put(entry);
}
END_TEST

static void calls_what_it_may_not(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);

	(void)data;
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	require_eq(invoke_plain(session, EXAMPLE_CRASH), DSPBROKER_DENIED);
	dspbroker_free(broker);
}

START_TEST(a_denied_call_is_an_entry_with_its_method_and_session)
{
	struct json_object *entry;

	harness_start(&harness,
		POLICY(ALLOW("nops", EVERYBODY, "\"soft0/*\"", ",\"methods\": [9]")));
	client_run(ALICE, calls_what_it_may_not, NULL);
	entry = only(DENIED_CALL);
	require_number(entry, "DSPBROKER_METHOD", EXAMPLE_CRASH);
	require_number(entry, "DSPBROKER_SESSION", 1);
	require_field(entry, "DSPBROKER_RULE", "nops");
	require_field(entry, "DSPBROKER_CHANNEL", EXAMPLE);
	json_object_put(entry);
	require_eq(count(LOST, NULL, NULL), 0);
}
END_TEST

/* What became of sessions and connections. */

static void crashes(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);

	(void)data;
	require_eq(invoke_plain(session, EXAMPLE_CRASH), DSPBROKER_DOMAIN_CRASHED);
	next_event(broker);
	dspbroker_free(broker);
}

START_TEST(a_session_that_crashed_is_an_entry)
{
	struct json_object *entry;

	harness_start(&harness, ALLOW_ALL);
	client_run(ALICE, crashes, NULL);
	entry = only(LOST);
	require_number(entry, "DSPBROKER_SESSION", 1);
	require_field(entry, "DSPBROKER_CHANNEL", EXAMPLE);
	require_field(entry, "DSPBROKER_RULE", "everybody");
	json_object_put(entry);
}
END_TEST

static void says_hello_wrongly(void *data)
{
	struct raw raw;
	struct dsp_hello hello;

	(void)data;
	raw_connect(&raw, &harness);
	hello = raw_hello_request(&raw);
	hello.magic = 0;
	raw_send(&raw, &hello, sizeof(hello), NULL, 0);
	raw_expect_error(&raw, DSP_INVALID, offsetof(struct dsp_hello, magic));
	raw_expect_end(&raw);
	raw_close(&raw);
}

START_TEST(a_client_that_is_disconnected_is_an_entry)
{
	struct json_object *entry;

	harness_start(&harness, ALLOW_ALL);
	client_run(ALICE, says_hello_wrongly, NULL);
	entry = only(EXPELLED);
	require_number(entry, "DSPBROKER_UID", uid_of(ALICE));
	json_object_put(entry);
}
END_TEST

/* Administrators. */

static void has_a_session(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	(void)data;
	open_channel(broker, EXAMPLE);
	step_reached('o');
	next_event(broker);
	step_reached('e');
	dspbroker_free(broker);
}

static void kicks(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session_record record = {};

	(void)data;
	require_eq(dspbroker_next_session(broker, 0, &record), 1);
	require_eq(dspbroker_session_kick(broker, record.id), 0);
	dspbroker_free(broker);
}

START_TEST(a_kick_is_an_entry_with_who_did_it_and_whose_session_it_was)
{
	struct json_object *entry, *lost;
	struct client alice, other;
	pid_t pid;

	harness_start(&harness, ALLOW_ALL);
	client_start(&alice, ALICE, has_a_session, NULL);
	client_await(&alice, 'o');
	client_start(&other, BROKER_UID, kicks, NULL);
	pid = other.pid;
	client_end(&other);
	client_await(&alice, 'e');
	entry = only(KICKED);
	require_number(entry, "DSPBROKER_UID", uid_of(BROKER_UID));
	require_number(entry, "DSPBROKER_PID", pid);
	require_number(entry, "DSPBROKER_SESSION_UID", uid_of(ALICE));
	require_number(entry, "DSPBROKER_SESSION_PID", alice.pid);
	require_field(entry, "DSPBROKER_CHANNEL", EXAMPLE);
	lost = only(LOST);
	require_number(lost, "DSPBROKER_UID", uid_of(ALICE));
	require_field(lost, "DSPBROKER_SESSION",
		json_object_get_string(json_object_object_get(entry, "DSPBROKER_SESSION")));
	json_object_put(lost);
	json_object_put(entry);
	client_end(&alice);
}
END_TEST

static void asks_for_a_reload(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	require_eq(dspbroker_reload(broker, NULL, NULL), *(int *)data);
	dspbroker_free(broker);
}

START_TEST(administration_that_is_denied_is_an_entry_with_the_verb)
{
	int denied = DSPBROKER_DENIED;
	struct json_object *entry;

	if (!harness_has_users())
		return;
	harness_start(&harness, ALLOW_ALL);
	client_run(ALICE, asks_for_a_reload, &denied);
	entry = only(DENIED);
	require_field(entry, "DSPBROKER_VERB", "reload");
	require_number(entry, "DSPBROKER_UID", ALICE);
	require_field(entry, "DSPBROKER_RULE", "(default)");
	json_object_put(entry);
	require_eq(count(RELOADED, NULL, NULL), 0);
}
END_TEST

static void replace_policy(const char *text)
{
	char path[sizeof(harness.policy) + 16];
	FILE *file;

	snprintf(path, sizeof(path), "%s/test.json", harness.policy);
	file = fopen(path, "we");
	require(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

START_TEST(a_reload_is_an_entry_with_how_many_rules_there_are_and_sessions_it_cost)
{
	struct json_object *entry;
	struct client alice;

	harness_start(&harness, ALLOW_ALL);
	client_start(&alice, ALICE, has_a_session, NULL);
	client_await(&alice, 'o');
	replace_policy(POLICY(ALLOW("everybody", EVERYBODY, "\"*/*\"", "") "," DENY("not-this",
		EVERYBODY, "\"" EXAMPLE "\"")));
	must(kill(harness.pid, SIGHUP));
	client_await(&alice, 'e');
	require_soon(count(RELOADED, NULL, NULL) == 1);
	entry = only(RELOADED);
	require_number(entry, "DSPBROKER_RULES", 2);
	require_number(entry, "DSPBROKER_REVOKED", 1);
	require(!json_object_object_get(entry, "DSPBROKER_UID"));
	json_object_put(entry);
	require_eq(count(LOST, "DSPBROKER_CHANNEL", EXAMPLE), 1);
	client_end(&alice);
}
END_TEST

START_TEST(a_reload_that_failed_is_an_entry_with_who_wanted_it_and_where_the_mistake_is)
{
	int bad_policy = DSPBROKER_BAD_POLICY;
	char file[sizeof(harness.policy) + 16];
	struct json_object *entry;

	harness_start(&harness, ALLOW_ALL);
	replace_policy("{\"version\": 1,\n \"rules\": 7}");
	client_run(BROKER_UID, asks_for_a_reload, &bad_policy);
	entry = only(RELOAD_FAILED);
	snprintf(file, sizeof(file), "%s/test.json", harness.policy);
	require_number(entry, "DSPBROKER_UID", uid_of(BROKER_UID));
	require_field(entry, "DSPBROKER_RULE_FILE", file);
	require_number(entry, "DSPBROKER_RULE_LINE", 2);
	json_object_put(entry);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("audit");
	TCase *tcase = tcase_create("audit");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, NULL, tear_down);
	tcase_add_test(tcase,
		a_denied_open_is_one_entry_with_user_channel_rule_and_where_that_stands);
	tcase_add_test(tcase, a_flood_of_one_user_is_cut_short_and_counted_while_another_is_heard);
	tcase_add_test(tcase, what_was_left_out_is_told_although_its_user_has_left);
	tcase_add_test(tcase, what_is_over_a_limit_is_an_entry_with_limit_value_and_rule);
	tcase_add_test(tcase, a_call_over_a_limit_is_an_entry_too);
	tcase_add_test(tcase, a_denied_call_is_an_entry_with_its_method_and_session);
	tcase_add_test(tcase, a_session_that_crashed_is_an_entry);
	tcase_add_test(tcase, a_client_that_is_disconnected_is_an_entry);
	tcase_add_test(tcase, a_kick_is_an_entry_with_who_did_it_and_whose_session_it_was);
	tcase_add_test(tcase, administration_that_is_denied_is_an_entry_with_the_verb);
	tcase_add_test(tcase,
		a_reload_is_an_entry_with_how_many_rules_there_are_and_sessions_it_cost);
	tcase_add_test(tcase,
		a_reload_that_failed_is_an_entry_with_who_wanted_it_and_where_the_mistake_is);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
