// SPDX-License-Identifier: MIT
/* What policy_lint() says, and that it says nothing that is not so. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/suite.h"
#include "tests/unit/policy_model.h"
#include "tests/unit/policy_text.h"

#define SEED     424242u
#define POLICIES 200
#define PEERS    60
#define OBJECTS  80
#define NOTES    64

struct notes {
	struct policy_note items[NOTES];
	size_t n;
};

static void keep(const struct policy_note *note, void *userdata)
{
	struct notes *notes = userdata;

	ck_assert_str_eq(note->file, "t.json");
	ck_assert_uint_gt(note->line, 0);
	ck_assert_uint_gt(note->column, 0);
	ck_assert_uint_gt(strlen(note->text), 0);
	if (notes->n < NOTES)
		notes->items[notes->n] = *note;
	notes->n++;
}

START_TEST(a_rule_that_another_covers_is_reported_with_that_rule)
{
	static const struct {
		const char *first, *second;
		const char *says; /* NULL: nothing */
	} cases[] = {
#define A(name, match, globs) NAMED(name, "allow", match, globs)
#define D(name, match, globs) NAMED(name, "deny", match, globs)
		{A("a", "\"users\": [1, 2]", "\"d/*\""), A("b", "\"users\": [2]", "\"d/s\""),
			"rule a (t.json:1) comes first"},
		{A("a", "\"users\": [\"*\"]", "\"*/*\""),
			A("b", "\"groups\": [2], \"units\": [\"x.service\"]", "\"d/s\""),
			"rule a (t.json:1) comes first"},
		{A("b", "\"users\": [2]", "\"d/s\""), D("a", "\"users\": [2, 3]", "\"?/*\""),
			"rule a (t.json:1) denies all that it allows"},
		{D("a", "\"users\": [2, 3]", "\"d/*\""), D("b", "\"users\": [2]", "\"d/s\""),
			"rule a (t.json:1) comes first"},
		{A("a", "\"units\": [\"app-*\"]", "\"d/s\""),
			A("b", "\"units\": [\"app-*-1.scope\"]", "\"d/s\""),
			"rule a (t.json:1) comes first"},
		{A("a", "\"users\": [1]", "\"d/*\""), A("b", "\"users\": [1, 2]", "\"d/s\""), NULL},
		{A("a", "\"users\": [1]", "\"d/s\""), A("b", "\"users\": [1]", "\"d/*\""), NULL},
		{A("a", "\"users\": [1], \"groups\": [1]", "\"d/s\""),
			A("b", "\"users\": [1]", "\"d/s\""), NULL},
		{A("a", "\"users\": [\"*\"], \"units\": [\"*\"]", "\"d/s\""),
			A("b", "\"users\": [1]", "\"d/s\""), NULL},
		{A("a", "\"users\": [1]", "\"d/s\""), D("b", "\"users\": [1]", "\"d/t\""), NULL},
		/* A deny is about verbs that an allow is not. */
		{A("a", "\"users\": [1]", "\"d/*\""), D("b", "\"users\": [2]", "\"d/s\""), NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(policy_unrefp) struct policy *policy = NULL;
		struct notes notes = {.n = 0};
		char text[1024];

		snprintf(text, sizeof(text), POLICY("%s, %s"), cases[i].first, cases[i].second);
		policy = parse(text);
		policy_lint(policy, keep, &notes);
		ck_assert_msg(notes.n == (cases[i].says ? 1 : 0), "%s: %zu: %s", text, notes.n,
			notes.items[0].text);
		if (!cases[i].says)
			continue;
		ck_assert_ptr_nonnull(strstr(notes.items[0].text, "rule b is never decisive"));
		ck_assert_msg(strstr(notes.items[0].text, cases[i].says) != NULL, "%s: %s", text,
			notes.items[0].text);
	}
}
END_TEST

START_TEST(entries_that_change_nothing_are_reported)
{
	static const struct {
		const char *match, *globs, *says;
	} cases[] = {
		{"\"users\": [7, 1, 7, 7]", "\"d/s\"", "users has 7 more than once"},
		{"\"groups\": [7, 7]", "\"d/s\"", "groups has 7 more than once"},
		{"\"users\": [1]", "\"d/s\", \"d/t\", \"d/s\"",
			"channels has \"d/s\" more than once"},
		{"\"users\": [1]", "\"d/s\", \"d/*\"", "\"d/s\" is part of \"d/*\""},
		{"\"units\": [\"a*\", \"ab.service\"]", "\"d/s\"",
			"in units, \"ab.service\" is part of \"a*\""},
		{"\"users\": [1], \"snaps\": [\"a\", \"a\"]", "\"d/s\"",
			"snaps has \"a\" more than once"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(policy_unrefp) struct policy *policy = NULL;
		struct notes notes = {.n = 0};
		char text[512];

		snprintf(text, sizeof(text),
			"{\"version\": 1, \"rules\": [\n  {\"name\": \"r\", \"action\": \"allow\","
			" \"match\": {%s}, \"channels\": [%s]}]}",
			cases[i].match, cases[i].globs);
		policy = parse(text);
		policy_lint(policy, keep, &notes);
		ck_assert_msg(notes.n == 1, "%s: %zu: %s", text, notes.n, notes.items[0].text);
		ck_assert_msg(strstr(notes.items[0].text, cases[i].says) != NULL, "%s: %s", text,
			notes.items[0].text);
		ck_assert_uint_eq(notes.items[0].line, 2);
		ck_assert_uint_eq(notes.items[0].column, 3);
	}
}
END_TEST

START_TEST(a_rule_whose_names_are_nobodys_is_reported_to_match_nobody)
{
	static const char text[] = MATCH("\"users\": [\"" NOBODY "\"]");
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	struct notes notes = {.n = 0};
	struct policy_note error;

	ck_assert_int_eq(policy_parse(&policy, "t.json", text, strlen(text), &error, NULL, NULL),
		0);
	policy_lint(policy, keep, &notes);
	ck_assert_uint_eq(notes.n, 1);
	ck_assert_ptr_nonnull(strstr(notes.items[0].text, "rule r matches nobody"));
}
END_TEST

/* @rules rules with @globs globs each, no two alike. With a star in front only a comparison to the
 * end tells. */
static char *many_globs(size_t rules, size_t globs, const char *front)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(file);
	fputs("{\"version\": 1, \"rules\": [", file);
	for (size_t i = 0; i < rules; i++) {
		fprintf(file,
			"%s\n{\"name\": \"r%zu\", \"action\": \"allow\", \"match\": {\"users\": "
			"[7, 7]},"
			" \"channels\": [",
			i ? "," : "", i);
		for (size_t k = 0; k < globs; k++)
			fprintf(file, "%s\"%s%027zu/*%027zu\"", k ? "," : "", front, i, k);
		fputs("]}", file);
	}
	fputs("]}", file);
	ck_assert_int_eq(fclose(file), 0);
	return text;
}

static size_t count(const struct notes *notes, const char *says)
{
	size_t n = 0;

	for (size_t i = 0; i < MIN(notes->n, (size_t)NOTES); i++)
		n += strstr(notes->items[i].text, says) != NULL;
	return n;
}

/* Comparing them all would take minutes, see the timeout. What needs no comparing is said of all.
 */
START_TEST(what_would_take_too_long_to_compare_is_left_and_that_is_said_once)
{
	static struct notes notes;
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	_cleanup_(freep) char *text = many_globs(12, 1024, "*");

	notes.n = 0;
	policy = parse(text);
	policy_lint(policy, keep, &notes);
	ck_assert_uint_eq(count(&notes, "too many rules to compare all of them"), 1);
	ck_assert_uint_eq(count(&notes, "users has 7 more than once"), 12);
	ck_assert_uint_eq(notes.n, 13);
}
END_TEST

START_TEST(a_thousand_rules_or_entries_are_all_compared)
{
	static struct notes notes;
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	_cleanup_(freep) char *text = many_globs(1000, 2, "");

	notes.n = 0;
	policy = parse(text);
	policy_lint(policy, keep, &notes);
	ck_assert_uint_eq(notes.n, 1000); /* of the user */
}
END_TEST

/* The numbers of the rules that are said to be never decisive. */
static size_t unreachable(const struct policy *policy, bool *out, size_t n_rules)
{
	static struct notes notes;
	size_t n = 0;

	notes.n = 0;
	memset(out, 0, n_rules);
	policy_lint(policy, keep, &notes);
	for (size_t i = 0; i < MIN(notes.n, (size_t)NOTES); i++) {
		if (!strstr(notes.items[i].text, "never decisive"))
			continue;
		ck_assert_uint_lt(notes.items[i].line - 2, n_rules);
		out[notes.items[i].line - 2] = true;
		n++;
	}
	return n;
}

START_TEST(no_rule_that_is_said_to_be_never_decisive_ever_decides)
{
	static struct model_policy model;
	static struct model_peer peer;
	bool is_unreachable[16];
	size_t n = 0, decided = 0;
	uint64_t state = SEED;

	for (size_t i = 0; i < POLICIES; i++) {
		_cleanup_(policy_unrefp) struct policy *policy = NULL;
		_cleanup_(freep) char *text = NULL;

		model_make_policy(&model, 2 + model_random(&state, 14), MODEL_PLAIN, &state);
		text = model_text(&model);
		policy = model_parse(text);
		n += unreachable(policy, is_unreachable, model.n);
		for (size_t k = 0; k < PEERS * OBJECTS; k++) {
			const enum policy_verb verb =
				(enum policy_verb)model_random(&state, POLICY_VERBS);
			int rule;

			if (k % OBJECTS == 0)
				model_make_peer(&peer, &state);
			rule = model_decide(&model, &peer, verb, model_make_object(verb, &state));
			ck_assert_msg(rule < 0 || !is_unreachable[rule], "rule %d of %s", rule,
				text);
			decided += rule >= 0;
		}
	}
	ck_assert_uint_ge(n, POLICIES / 4);
	ck_assert_uint_ge(decided, POLICIES * PEERS * OBJECTS / 4);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy lint");
	TCase *tcase = tcase_create("lint");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, what_would_take_too_long_to_compare_is_left_and_that_is_said_once);
	tcase_add_test(tcase, a_thousand_rules_or_entries_are_all_compared);
	tcase_add_test(tcase, a_rule_that_another_covers_is_reported_with_that_rule);
	tcase_add_test(tcase, entries_that_change_nothing_are_reported);
	tcase_add_test(tcase, a_rule_whose_names_are_nobodys_is_reported_to_match_nobody);
	tcase_add_test(tcase, no_rule_that_is_said_to_be_never_decisive_ever_decides);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
