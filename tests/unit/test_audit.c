// SPDX-License-Identifier: MIT
/* What the broker writes about refusals and administrative acts: the entries themselves, read back
 * as a program would read them. */
#include <check.h>
#include <json-c/json.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "daemon/audit.h"
#include "daemon/broker.h"
#include "daemon/client.h"
#include "daemon/device.h"
#include "daemon/limits.h"
#include "daemon/log.h"
#include "daemon/session.h"
#include "daemon/user.h"
#include "tests/suite.h"
#include "tests/unit/log_rig.h"

#define CATALOG "systemd/dspbroker.catalog"

static struct broker broker;
static struct user alice, bob;
static struct client alices, bobs, root;
static struct session session;
static struct device device = {.name = "cdsp"};

static const struct policy_decision by_default = {.rule = "(default)"};
static const struct policy_decision by_rule = {
	.rule = "not-this", .file = "/etc/dspbroker/policy.d/10.json", .line = 7};
static const struct policy_note mistake = {
	.file = "/etc/dspbroker/policy.d/10.json", .line = 3, .column = 9, .text = "what is that"};

static void set_up(void)
{
	ck_assert_int_eq(loop_new(&broker.loop), 0);
	alice = bob = (struct user){};
	alices = (struct client){.broker = &broker, .user = &alice};
	alices.identity = (struct identity){.uid = 1000, .gid = 1001, .pid = 4711};
	bobs = (struct client){.broker = &broker, .user = &bob};
	bobs.identity = (struct identity){.uid = 2000, .gid = 2001, .pid = 4712};
	root = (struct client){.broker = &broker, .user = &bob};
	root.identity.pid = 1;
	session = (struct session){.client = &alices,
		.device = &device,
		.number = 99,
		.channel = "cdsp/denoise",
		.rule = "players"};
	log_rig_begin();
}

static void tear_down(void)
{
	log_rig_end();
	broker.loop = loop_free(broker.loop);
}

static void check_field(size_t line, const char *name, const char *expected)
{
	struct json_object *entry = log_rig_entry(line);
	const char *value = log_rig_field(entry, name);

	if (expected)
		ck_assert_msg(value && !strcmp(value, expected), "%s is %s, not %s", name,
			value ? value : "missing", expected);
	else
		ck_assert_msg(!value, "%s is %s", name, value);
	json_object_put(entry);
}

/* Every kind of entry, with as little to say as there can be and with more. */

static void write_denied(void)
{
	audit_denied(&alices, POLICY_OPEN, "cdsp/denoise", &by_default);
	audit_denied(&alices, POLICY_KICK, "cdsp/denoise", &by_rule);
	audit_denied(&alices, POLICY_START, "cdsp", &by_rule);
	audit_denied(&alices, POLICY_RELOAD, NULL, &by_default);
}

static void write_denied_call(void)
{
	audit_denied_call(&session, 17);
}

static void write_denied_direction(void)
{
	audit_denied_direction(&session, "send");
}

static void write_over_limit(void)
{
	audit_over_limit(&alices, "cdsp/denoise", "players", "sessions", 2);
	audit_over_limit(&alices, "", "", "bytes", 1ull << 40);
	audit_over_limit(&alices, NULL, NULL, "calls", 0);
}

static void write_lost(void)
{
	audit_lost(&session, "its domain crashed");
}

static void write_expelled(void)
{
	audit_expelled(&alices, "it scribbled");
}

static void write_forgotten(void)
{
	const struct user user = {.uid = 1000, .log.suppressed = 3};

	audit_forgotten(&user);
}

static void write_reloaded(void)
{
	audit_reloaded(NULL, 3, 1);
	audit_reloaded(&alices, 0, 0);
}

static void write_reload_failed(void)
{
	const struct policy_note unreadable = {.text = "cannot be read"};

	audit_reload_failed(NULL, &mistake);
	audit_reload_failed(&alices, &unreadable);
}

static void write_kicked(void)
{
	audit_kicked(&root, &session);
	audit_kicked(NULL, &session);
}

static void write_power(void)
{
	audit_power(&root, &device, DSP_POWER_START);
	audit_power(NULL, &device, DSP_POWER_STOP);
}

static void (*const kinds[])(void) = {write_denied, write_denied_call, write_denied_direction,
	write_over_limit, write_lost, write_expelled, write_forgotten, write_reloaded,
	write_reload_failed, write_kicked, write_power};

static void write_all(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		alice.log = (struct log_bucket){};
		kinds[i]();
	}
}

START_TEST(every_entry_is_one_object_on_one_line_that_says_when_what_and_which_kind)
{
	size_t n;

	write_all();
	n = log_rig_lines();
	ck_assert_uint_ge(n, ARRAY_SIZE(kinds));
	for (size_t i = 0; i < n; i++) {
		struct json_object *entry = log_rig_entry(i);
		const char *id = log_rig_field(entry, "MESSAGE_ID");
		int year, end = 0;

		ck_assert(id && strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32);
		ck_assert(log_rig_field(entry, "message"));
		ck_assert_int_gt(json_object_get_int(json_object_object_get(entry, "priority")), 0);
		sscanf(log_rig_field(entry, "time"), "%4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*6dZ%n", &year,
			&end);
		ck_assert_int_eq(end, 27);
		ck_assert_int_gt(year, 2000);
		json_object_put(entry);
	}
}
END_TEST

START_TEST(a_denial_says_who_was_denied_what_by_which_rule_and_where_that_stands)
{
	audit_denied(&alices, POLICY_OPEN, "cdsp/denoise", &by_rule);
	check_field(0, "DSPBROKER_UID", "1000");
	check_field(0, "DSPBROKER_GID", "1001");
	check_field(0, "DSPBROKER_PID", "4711");
	check_field(0, "DSPBROKER_VERB", "open");
	check_field(0, "DSPBROKER_CHANNEL", "cdsp/denoise");
	check_field(0, "DSPBROKER_DEVICE", NULL);
	check_field(0, "DSPBROKER_RULE", "not-this");
	check_field(0, "DSPBROKER_RULE_FILE", by_rule.file);
	check_field(0, "DSPBROKER_RULE_LINE", "7");
	check_field(0, "DSPBROKER_SUPPRESSED", "0");
	check_field(0, "message",
		"uid 1000, pid 4711: open cdsp/denoise denied by rule not-this "
		"(/etc/dspbroker/policy.d/10.json:7)");

	audit_denied(&alices, POLICY_STOP, "cdsp", &by_default);
	check_field(1, "DSPBROKER_VERB", "stop");
	check_field(1, "DSPBROKER_DEVICE", "cdsp");
	check_field(1, "DSPBROKER_CHANNEL", NULL);
	check_field(1, "DSPBROKER_RULE", "(default)");
	check_field(1, "DSPBROKER_RULE_FILE", NULL);
	check_field(1, "message",
		"uid 1000, pid 4711: stop cdsp denied by rule (default) (no rule allows it)");
}
END_TEST

START_TEST(an_entry_tells_which_method_direction_limit_or_session_it_is_about)
{
	write_denied_call();
	check_field(0, "DSPBROKER_METHOD", "17");
	check_field(0, "DSPBROKER_SESSION", "99");
	check_field(0, "DSPBROKER_CHANNEL", "cdsp/denoise");
	check_field(0, "DSPBROKER_RULE", "players");
	write_denied_direction();
	check_field(1, "DSPBROKER_DIRECTION", "send");
	write_over_limit();
	check_field(2, "DSPBROKER_LIMIT", "sessions");
	check_field(2, "DSPBROKER_LIMIT_VALUE", "2");
	check_field(2, "DSPBROKER_RULE", "players");
	check_field(2, "message",
		"uid 1000, pid 4711: cdsp/denoise: over limit: sessions, at most 2 (rule players)");
	check_field(3, "DSPBROKER_LIMIT_VALUE", "1099511627776");
	check_field(3, "DSPBROKER_RULE", NULL);
	check_field(3, "DSPBROKER_CHANNEL", NULL);
}
END_TEST

START_TEST(an_act_tells_who_did_it_and_to_whom_or_that_nobody_in_particular_did)
{
	write_kicked();
	check_field(0, "DSPBROKER_UID", "0");
	check_field(0, "DSPBROKER_PID", "1");
	check_field(0, "DSPBROKER_VERB", "kick");
	check_field(0, "DSPBROKER_SESSION", "99");
	check_field(0, "DSPBROKER_SESSION_UID", "1000");
	check_field(0, "DSPBROKER_SESSION_PID", "4711");
	check_field(1, "DSPBROKER_UID", NULL);
	write_reloaded();
	check_field(2, "DSPBROKER_UID", NULL);
	check_field(2, "DSPBROKER_RULES", "3");
	check_field(2, "DSPBROKER_REVOKED", "1");
	check_field(3, "DSPBROKER_UID", "1000");
	write_reload_failed();
	check_field(4, "DSPBROKER_RULE_FILE", mistake.file);
	check_field(4, "DSPBROKER_RULE_LINE", "3");
	check_field(4, "DSPBROKER_RULE_COLUMN", "9");
	check_field(5, "DSPBROKER_RULE_LINE", NULL);
	write_power();
	check_field(6, "DSPBROKER_VERB", "start");
	check_field(6, "DSPBROKER_DEVICE", "cdsp");
	check_field(7, "DSPBROKER_VERB", "stop");
}
END_TEST

/* What comes from peers. */

START_TEST(a_fact_is_told_if_known_empty_if_there_is_none_and_else_left_out)
{
	alices.identity.facts[IDENTITY_LABEL] = (char *)"system_u:system_r:player_t:s0";
	alices.identity.facts[IDENTITY_UNIT] = (char *)"player.service";
	alices.identity.facts[IDENTITY_SLICE] = (char *)"system.slice";
	alices.identity.facts[IDENTITY_EXECUTABLE] = (char *)"/usr/bin/player";
	alices.identity.facts[IDENTITY_SNAP] = (char *)"";
	audit_expelled(&alices, "it scribbled");
	check_field(0, "DSPBROKER_LABEL", "system_u:system_r:player_t:s0");
	check_field(0, "DSPBROKER_UNIT", "player.service");
	check_field(0, "DSPBROKER_USER_UNIT", NULL);
	check_field(0, "DSPBROKER_SLICE", "system.slice");
	check_field(0, "DSPBROKER_EXECUTABLE", "/usr/bin/player");
	check_field(0, "DSPBROKER_FLATPAK", NULL);
	check_field(0, "DSPBROKER_SNAP", "");
}
END_TEST

#define FORGED \
	"x\"}\n{\"MESSAGE_ID\":\"5e669cdd3da24046ad0f3a843d7e0504\",\"DSPBROKER_UID\":\"0\"}\n"

START_TEST(no_value_forges_a_line_or_a_field)
{
	const struct policy_note note = {.file = FORGED, .line = 1, .text = FORGED};

	for (size_t i = 0; i < IDENTITY_FACTS; i++)
		alices.identity.facts[i] = FORGED;
	alices.identity.facts[IDENTITY_LABEL] = (char *)"\xff\xfe\x1b[2J\nDSPBROKER_UID=0\n";
	audit_denied(&alices, POLICY_OPEN, FORGED, &by_rule);
	ck_assert_uint_eq(log_rig_lines(), 1);
	check_field(0, "DSPBROKER_UID", "1000");
	check_field(0, "DSPBROKER_EXECUTABLE", FORGED);
	check_field(0, "DSPBROKER_CHANNEL", FORGED);
	check_field(0, "DSPBROKER_LABEL", "\xef\xbf\xbd\xef\xbf\xbd\x1b[2J\nDSPBROKER_UID=0\n");
	audit_reload_failed(NULL, &note);
	ck_assert_uint_eq(log_rig_lines(), 2);
	log_warning("%s", FORGED);
	ck_assert_uint_eq(log_rig_lines(), 3);
	ck_assert_ptr_nonnull(strstr(log_rig_line(2), "dspbrokerd: warning: x\"}\\x0a{"));
}
END_TEST

START_TEST(the_longest_values_are_cut_and_nothing_else_is_missing)
{
	char value[1024];

	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (size_t i = 0; i < IDENTITY_FACTS; i++)
		alices.identity.facts[i] = value + sizeof(value) - 256;
	alices.identity.facts[IDENTITY_LABEL] = value;
	audit_denied(&alices, POLICY_OPEN, value + sizeof(value) - DSP_CHANNEL_SIZE,
		&(struct policy_decision){.rule = value + sizeof(value) - DSP_RULE_SIZE,
			.file = value + sizeof(value) - 256,
			.line = UINT32_MAX});
	check_field(0, "DSPBROKER_LABEL", value + sizeof(value) - 512);
	check_field(0, "DSPBROKER_SNAP", value + sizeof(value) - 256);
	check_field(0, "DSPBROKER_RULE_LINE", "4294967295");
	check_field(0, "MESSAGE_ID", "5e669cdd3da24046ad0f3a843d7e0504");
}
END_TEST

/* How much. */

START_TEST(a_flood_of_one_user_is_cut_short_and_counted_while_others_are_heard)
{
	for (int i = 0; i < LOG_BURST + 1000; i++)
		audit_denied_call(&session, 1);
	ck_assert_uint_eq(log_rig_lines(), LOG_BURST);
	audit_denied(&bobs, POLICY_OPEN, "cdsp/denoise", &by_default);
	ck_assert_uint_eq(log_rig_lines(), LOG_BURST + 1);
	check_field(LOG_BURST, "DSPBROKER_UID", "2000");
	check_field(LOG_BURST, "DSPBROKER_SUPPRESSED", "0");
	/* As if that had been so long ago. */
	alice.log.refilled_us -= LOG_INTERVAL_US;
	audit_lost(&session, "its domain crashed");
	audit_lost(&session, "its domain crashed");
	ck_assert_uint_eq(log_rig_lines(), LOG_BURST + 2);
	check_field(LOG_BURST + 1, "DSPBROKER_SUPPRESSED", "1000");
	check_field(LOG_BURST + 1, "message",
		"uid 1000, pid 4711: cdsp/denoise: its domain crashed "
		"(1000 lines about this user were suppressed)");
	alice.log.refilled_us -= LOG_INTERVAL_US;
	audit_lost(&session, "its domain crashed");
	check_field(LOG_BURST + 2, "DSPBROKER_SUPPRESSED", "1");
}
END_TEST

START_TEST(what_was_left_out_is_told_at_the_latest_when_the_user_is_forgotten)
{
	for (int i = 0; i < LOG_BURST + 5; i++)
		audit_denied_call(&session, 1);
	alice.uid = 1000;
	audit_forgotten(&alice);
	ck_assert_uint_eq(log_rig_lines(), LOG_BURST + 1);
	check_field(LOG_BURST, "DSPBROKER_UID", "1000");
	check_field(LOG_BURST, "DSPBROKER_SUPPRESSED", "5");
	audit_forgotten(&bob);
	ck_assert_uint_eq(log_rig_lines(), LOG_BURST + 1);
}
END_TEST

START_TEST(refusals_do_not_hide_what_the_same_user_did)
{
	for (int i = 0; i < LOG_BURST + 5; i++)
		audit_denied(&root, POLICY_OPEN, "cdsp/denoise", &by_default);
	audit_kicked(&root, &session);
	audit_power(&root, &device, DSP_POWER_STOP);
	audit_reloaded(&root, 1, 0);
	audit_reload_failed(&root, &mistake);
	ck_assert_uint_eq(log_rig_lines(), LOG_BURST + 4);
}
END_TEST

/* Threads of protection domains log, too. */

#define THREADS 4
#define LINES   100

static void *write_lines(void *letter)
{
	char fields[2][256];

	memset(fields, *(char *)letter, sizeof(fields));
	memcpy(fields[0], "A=", 2);
	memcpy(fields[1], "B=", 2);
	fields[0][255] = fields[1][255] = '\0';
	for (int i = 0; i < LINES; i++)
		log_fields(LOG_NOTICE, "text", (const char *const[]){fields[0], fields[1]}, 2);
	return NULL;
}

START_TEST(lines_of_several_threads_do_not_mingle)
{
	static char letters[] = "1234";
	size_t written[THREADS] = {};
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_lines, &letters[i]), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(log_rig_lines(), THREADS * LINES);
	for (size_t i = 0; i < THREADS * LINES; i++) {
		struct json_object *entry = log_rig_entry(i);
		const char *a = log_rig_field(entry, "A");

		ck_assert_uint_eq(strlen(a), 253);
		ck_assert_uint_eq(strspn(a, (char[]){*a, '\0'}), 253);
		ck_assert_str_eq(a, log_rig_field(entry, "B"));
		written[*a - '1']++;
		json_object_put(entry);
	}
	for (size_t i = 0; i < THREADS; i++)
		ck_assert_uint_eq(written[i], LINES);
}
END_TEST

/* The catalog. */

/* Does every entry of that kind have the field? There must be one of the kind. */
static void check_always_sent(const char *id, const char *field)
{
	size_t n = log_rig_lines(), found = 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *entry = log_rig_entry(i);

		if (!strcmp(log_rig_field(entry, "MESSAGE_ID"), id)) {
			ck_assert_msg(log_rig_field(entry, field) != NULL,
				"%s is not always sent: %s", field, json_object_get_string(entry));
			found++;
		}
		json_object_put(entry);
	}
	ck_assert_msg(found, "nothing has the id %s", id);
}

/* Every @FIELD@ of the line. */
static size_t check_line_of_catalog(const char *id, const char *line)
{
	size_t n = 0;

	for (const char *at = strchr(line, '@'); at; at = strchr(at, '@')) {
		size_t size = strcspn(++at, "@");
		char field[64];

		ck_assert_uint_lt(size, sizeof(field));
		ck_assert_int_eq(at[size], '@');
		memcpy(field, at, size);
		field[size] = '\0';
		check_always_sent(id, field);
		at += size + 1;
		n++;
	}
	return n;
}

static bool has_id(size_t line, const char *catalog)
{
	struct json_object *entry = log_rig_entry(line);
	bool found = strstr(catalog, log_rig_field(entry, "MESSAGE_ID"));

	json_object_put(entry);
	return found;
}

START_TEST(the_catalog_explains_every_kind_by_fields_that_all_of_it_have)
{
	FILE *catalog = fopen(CATALOG, "re");
	char line[256], id[33] = "", ids[1024] = "";
	size_t fields = 0, n;

	ck_assert_msg(catalog, "there is no " CATALOG " here");
	write_all();
	while (fgets(line, sizeof(line), catalog)) {
		if (sscanf(line, "-- %32s", id) == 1)
			strcat(strcat(ids, id), " ");
		else if (*id)
			fields += check_line_of_catalog(id, line);
	}
	fclose(catalog);
	ck_assert_uint_gt(fields, 0);
	n = log_rig_lines();
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(has_id(i, ids), "not in the catalog: %s", log_rig_line(i));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("audit");
	TCase *tcase = tcase_create("audit");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase,
		every_entry_is_one_object_on_one_line_that_says_when_what_and_which_kind);
	tcase_add_test(tcase,
		a_denial_says_who_was_denied_what_by_which_rule_and_where_that_stands);
	tcase_add_test(tcase, an_entry_tells_which_method_direction_limit_or_session_it_is_about);
	tcase_add_test(tcase, an_act_tells_who_did_it_and_to_whom_or_that_nobody_in_particular_did);
	tcase_add_test(tcase, a_fact_is_told_if_known_empty_if_there_is_none_and_else_left_out);
	tcase_add_test(tcase, no_value_forges_a_line_or_a_field);
	tcase_add_test(tcase, the_longest_values_are_cut_and_nothing_else_is_missing);
	tcase_add_test(tcase, a_flood_of_one_user_is_cut_short_and_counted_while_others_are_heard);
	tcase_add_test(tcase, what_was_left_out_is_told_at_the_latest_when_the_user_is_forgotten);
	tcase_add_test(tcase, refusals_do_not_hide_what_the_same_user_did);
	tcase_add_test(tcase, lines_of_several_threads_do_not_mingle);
	tcase_add_test(tcase, the_catalog_explains_every_kind_by_fields_that_all_of_it_have);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
