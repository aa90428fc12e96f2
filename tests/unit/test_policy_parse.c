// SPDX-License-Identifier: MIT
/* What rules say arrives in the compiled policy. */
#include <check.h>
#include <dlfcn.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "policy/compiled.h"
#include "policy/suggest.h"
#include "tests/suite.h"
#include "tests/unit/policy_text.h"

#define MORE(more) POLICY(ALLOW("\"users\": [1]", ", " more))

/* Counts on the way to the C library's own. */
static unsigned int lookups;

int getpwnam_r(const char *name, struct passwd *record, char *buffer, size_t size,
	struct passwd **found)
{
	int (*next)(const char *, struct passwd *, char *, size_t, struct passwd **);

	*(void **)&next = dlsym(RTLD_NEXT, "getpwnam_r");
	lookups++;
	return next(name, record, buffer, size, found);
}

static void check_globs(const struct policy *policy, struct policy_span span,
	const char *const *globs, uint32_t n)
{
	const char *glob = policy->texts + span.first;

	ck_assert_uint_eq(span.n, n);
	for (uint32_t i = 0; i < n; i++, glob += strlen(glob) + 1)
		ck_assert_str_eq(glob, globs[i]);
}

START_TEST(each_fact_has_its_key)
{
	static const char *const globs[IDENTITY_FACTS][2] = {
		[IDENTITY_LABEL] = {"player_t", "system_u:*"},
		[IDENTITY_UNIT] = {"player.service", "player@*"},
		[IDENTITY_USER_UNIT] = {"app-player.scope", "app-?.scope"},
		[IDENTITY_SLICE] = {"app.slice", "*"},
		[IDENTITY_EXECUTABLE] = {"/usr/bin/player", "/opt/*/player"},
		[IDENTITY_FLATPAK] = {"org.example.Player", "org.example.*"},
		[IDENTITY_SNAP] = {"player", "player_*"},
	};
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	_cleanup_(freep) char *text = NULL;
	const struct policy_rule *rule;

	ck_assert_int_gt(asprintf(&text, MATCH("\"%s\": [\"%s\", \"%s\"]"),
				 identity_fact_key((enum identity_fact)_i), globs[_i][0],
				 globs[_i][1]),
		0);
	policy = parse(text);
	rule = &policy->allows.items[0];
	for (int fact = 0; fact < IDENTITY_FACTS; fact++)
		ck_assert_uint_eq(rule->facts[fact].n, fact == _i ? 2 : 0);
	ck_assert(rule->any_user && rule->any_group);
	check_globs(policy, rule->facts[_i], globs[_i], 2);
}
END_TEST

START_TEST(globs_of_one_rule_do_not_mix)
{
	static const char *const units[] = {"a.service", "a\\x2db@*.scope"};
	static const char *const labels[] = {"l"};
	static const char *const channels[] = {"d/s", "e/*"};
	_cleanup_(policy_unrefp) struct policy *policy = parse(POLICY(RULE("allow",
		"\"channels\": [\"d/s\", \"e/*\"], \"match\": {\"units\": "
		"[\"a.service\", \"a\\\\x2db@*.scope\"], \"labels\": [\"l\"]}")));
	const struct policy_rule *rule = &policy->allows.items[0];

	check_globs(policy, rule->facts[IDENTITY_UNIT], units, 2);
	check_globs(policy, rule->facts[IDENTITY_LABEL], labels, 1);
	check_globs(policy, rule->channels, channels, 2);
}
END_TEST

START_TEST(a_rule_without_verbs_allows_open_or_denies_all)
{
	_cleanup_(policy_unrefp) struct policy *policy = parse(POLICY(NAMED("a", "allow",
		"\"users\": [1]", "\"d/s\"") "," NAMED("b", "deny", "\"users\": [1]", "\"d/s\"")));

	ck_assert_uint_eq(policy->allows.items[0].verbs, 1u << POLICY_OPEN);
	ck_assert_uint_eq(policy->denies.items[0].verbs, (1u << POLICY_VERBS) - 1);
}
END_TEST

START_TEST(verbs_are_those_that_the_rule_names)
{
	for (int verb = 0; verb < POLICY_VERBS; verb++) {
		_cleanup_(policy_unrefp) struct policy *policy = NULL;
		_cleanup_(freep) char *text = NULL;

		ck_assert_int_gt(asprintf(&text, MORE("\"verbs\": [\"%s\"]"),
					 policy_verb_name((enum policy_verb)verb)),
			0);
		policy = parse(text);
		ck_assert_uint_eq(policy->allows.items[0].verbs, 1u << verb);
	}
}
END_TEST

static const struct {
	const char *text;
	size_t n;
	struct policy_range ranges[4];
} methods[] = {
	{MORE("\"methods\": [7]"), 1, {{7, 7}}},
	{MORE("\"methods\": [30, 0]"), 2, {{0, 0}, {30, 30}}},
	{MORE("\"methods\": [\"0-4294967295\", 5, \"3-4294967295\"]"), 1, {{0, UINT32_MAX}}},
	{MORE("\"methods\": [3, \"2-5\", 4]"), 1, {{2, 5}}},
	{MORE("\"methods\": [\"6-9\", \"2-5\"]"), 1, {{2, 9}}},
	{MORE("\"methods\": [\"7-9\", \"2-5\"]"), 2, {{2, 5}, {7, 9}}},
	{MORE("\"methods\": [\"2-9\", \"3-4\", 12, 10]"), 2, {{2, 10}, {12, 12}}},
	{MORE("\"methods\": [9, 9, 9]"), 1, {{9, 9}}},
	{MORE("\"weight\": 1"), 0, {{0, 0}}},
};

START_TEST(methods_become_ascending_ranges_apart_from_each_other)
{
	_cleanup_(policy_unrefp) struct policy *policy = parse(methods[_i].text);
	struct policy_span span = policy->allows.items[0].methods;

	ck_assert_uint_eq(span.n, methods[_i].n);
	ck_assert_uint_eq(policy->n_ranges, methods[_i].n);
	for (size_t i = 0; i < span.n; i++) {
		ck_assert_uint_eq(policy->ranges[span.first + i].first,
			methods[_i].ranges[i].first);
		ck_assert_uint_eq(policy->ranges[span.first + i].last, methods[_i].ranges[i].last);
	}
}
END_TEST

START_TEST(limits_and_direction_are_those_that_the_rule_names)
{
	_cleanup_(policy_unrefp) struct policy *policy =
		parse(MORE("\"direction\": \"receive\", \"limits\": {\"burst\": 4, "
			   "\"calls_per_s\": 3, "
			   "\"calls_total\": 2, \"per\": \"unit\"}"));
	const struct policy_rule *rule = &policy->allows.items[0];

	ck_assert_int_eq(rule->direction, POLICY_RECEIVE);
	ck_assert_int_eq(rule->limits.per, POLICY_PER_UNIT);
	ck_assert_uint_eq(rule->limits.calls_total, 2);
	ck_assert_uint_eq(rule->limits.calls_per_s, 3);
	ck_assert_uint_eq(rule->limits.burst, 4);
	ck_assert_uint_eq(rule->limits.calls, 0);
}
END_TEST

/* Of what is read from its process a program can see to it that it is not known; its users, groups
 * and label come with the connection. */
START_TEST(to_deny_by_what_a_program_can_hide_gives_a_warning_and_to_allow_by_it_none)
{
	static const struct {
		const char *key, *entry;
		size_t warnings;
	} cases[] = {
		{"users", "1", 0},
		{"groups", "1", 0},
		{"labels", "\"a\"", 0},
		{"units", "\"a.service\"", 1},
		{"user_units", "\"a.service\"", 1},
		{"slices", "\"a.slice\"", 1},
		{"executables", "\"/a\"", 1},
		{"flatpaks", "\"a\"", 1},
		{"snaps", "\"a\"", 1},
		{"labels\": [\"a\"], \"units", "\"a.service\"", 1},
	};

	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		_cleanup_(policy_unrefp) struct policy *policy = NULL;
		const bool allow = i % 2;
		struct warnings warnings = {.n = 0};
		struct policy_note error;
		char text[256];

		snprintf(text, sizeof(text), POLICY(NAMED("r", "%s", "\n\"%s\": [%s]", "\"d/s\"")),
			allow ? "allow" : "deny", cases[i / 2].key, cases[i / 2].entry);
		ck_assert_int_eq(policy_parse(&policy, "t.json", text, strlen(text), &error,
					 count_warning, &warnings),
			0);
		ck_assert_msg(warnings.n == (allow ? 0 : cases[i / 2].warnings), "%s", text);
		if (!warnings.n)
			continue;
		ck_assert_ptr_nonnull(strstr(warnings.last.text, "keeps nobody out who wants in"));
		ck_assert_ptr_nonnull(strstr(warnings.last.text, "allow by them instead"));
		ck_assert_uint_eq(warnings.last.line, 2);
	}
}
END_TEST

/* Many mentions of one that exists, and of one that does not. */
START_TEST(a_name_is_looked_up_once_however_often_it_is_mentioned)
{
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	_cleanup_(freep) char *text = NULL;
	struct warnings warnings = {.n = 0};
	struct policy_note error;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	fputs("{\"version\": 1, \"rules\": [", stream);
	for (int i = 0; i < 1000; i++)
		fprintf(stream,
			"%s" NAMED("r%d", "allow", "\"users\": [\"root\", \"" NOBODY "\"]",
				"\"d/s\""),
			i ? "," : "", i);
	fputs("]}", stream);
	fclose(stream);
	lookups = 0;
	ck_assert_int_eq(policy_parse(&policy, "t.json", text, size, &error, count_warning,
				 &warnings),
		0);
	ck_assert_uint_eq(warnings.n, 1000);
	ck_assert_uint_eq(policy->n_ids, 1000);
	ck_assert_uint_eq(policy->ids[999], 0);
	ck_assert_uint_eq(lookups, 2);
}
END_TEST

START_TEST(a_slip_is_told_from_another_word)
{
	static const char *const words[] = {"users", "groups", "user_units", "units"};
	static const struct {
		const char *text, *meant;
	} cases[] = {
		{"user", "users"},
		{"Users", "users"},
		{"GROUPS", "groups"},
		{"gruops", "groups"},
		{"userunits", "user_units"},
		{"user-units", "user_units"},
		{"unit", "units"},
		{"unites", "units"},
		{"pid", NULL},
		{"channels", NULL},
		{"", NULL},
		{"u", NULL},
		{"a_very_long_word_that_is_like_none_of_them_at_all", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *text = cases[i].text;
		const char *meant = suggest(text, strlen(text), words, ARRAY_SIZE(words));

		ck_assert_msg((meant == NULL) == (cases[i].meant == NULL), "%s", text);
		if (meant)
			ck_assert_str_eq(meant, cases[i].meant);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy parse");
	TCase *tcase = tcase_create("rules");

	tcase_add_loop_test(tcase, each_fact_has_its_key, 0, IDENTITY_FACTS);
	tcase_add_test(tcase, globs_of_one_rule_do_not_mix);
	tcase_add_test(tcase, a_rule_without_verbs_allows_open_or_denies_all);
	tcase_add_test(tcase, verbs_are_those_that_the_rule_names);
	tcase_add_loop_test(tcase, methods_become_ascending_ranges_apart_from_each_other, 0,
		ARRAY_SIZE(methods));
	tcase_add_test(tcase, limits_and_direction_are_those_that_the_rule_names);
	tcase_add_test(tcase,
		to_deny_by_what_a_program_can_hide_gives_a_warning_and_to_allow_by_it_none);
	tcase_add_test(tcase, a_name_is_looked_up_once_however_often_it_is_mentioned);
	tcase_add_test(tcase, a_slip_is_told_from_another_word);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
