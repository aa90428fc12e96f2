// SPDX-License-Identifier: MIT
/* What a policy decides, case by case; test_policy_matrix.c has many at random. Its errors are in
 * test_policy_text.c, its files in test_policy_files.c, its devices in test_policy_device.c, its
 * domains in test_policy_domain.c. */
#include <check.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>

#include "policy/policy.h"
#include "tests/suite.h"
#include "tests/unit/policy_text.h"

static void keep_candidate(const struct policy_candidate *candidate, void *userdata)
{
	*(struct policy_candidate *)userdata = *candidate;
}

START_TEST(nothing_matching_is_a_denial_by_the_default_rule)
{
	static const char *const texts[] = {
		POLICY(""),
		POLICY(NAMED("a", "allow", "\"users\": [1001]", "\"d/s\"")),
		POLICY(NAMED("a", "allow", "\"groups\": [1001]", "\"d/s\"")),
		POLICY(NAMED("a", "allow", "\"users\": [1000]", "\"d/t\"")),
		POLICY(NAMED("a", "deny", "\"users\": [1001]", "\"d/s\"")),
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(policy_unrefp) struct policy *policy = parse(texts[i]);
		struct policy_decision decision = decide(policy, 1000, 1000, "d/s");

		ck_assert(!decision.allowed);
		ck_assert_str_eq(decision.rule, "(default)");
		ck_assert_ptr_null(decision.file);
		ck_assert_ptr_null(decision.limits);
		ck_assert_ptr_null(decision.share_domain);
		ck_assert_ptr_null(decision.domain);
		ck_assert(!decision.exclusive);
		ck_assert_int_eq(decision.overflow, POLICY_OVERFLOW_DROP);
	}
}
END_TEST

START_TEST(a_deny_wins_wherever_it_stands)
{
#define A NAMED("a", "allow", "\"users\": [1]", "\"d/*\"")
#define B NAMED("b", "allow", "\"users\": [1]", "\"d/s\"")
#define D NAMED("d", "deny", "\"users\": [1]", "\"*/s\"")
	static const char *const texts[] = {
		POLICY(D "," A "," B),
		POLICY(A "," D "," B),
		POLICY(A "," B "," D),
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(policy_unrefp) struct policy *policy = parse(texts[i]);
		struct policy_decision decision = decide(policy, 1, 1, "d/s");

		ck_assert_uint_eq(policy_size(policy), 3);
		ck_assert(!decision.allowed);
		ck_assert_str_eq(decision.rule, "d");
		ck_assert_ptr_null(decision.limits);
		decision = decide(policy, 1, 1, "d/t");
		ck_assert(decision.allowed);
		ck_assert_str_eq(decision.rule, "a");
	}
#undef A
#undef B
#undef D
}
END_TEST

START_TEST(the_first_matching_allow_supplies_limits_and_domain)
{
	_cleanup_(policy_unrefp) struct policy *policy = parse(POLICY(NAMED("other", "allow",
		"\"users\": [2]",
		"\"d/s\"") ",\n"
			   "{\"name\": \"first\", \"action\": \"allow\", \"match\": {\"users\": "
			   "[1]},\n"
			   " \"channels\": [\"x/y\", \"d/s\"], \"share_domain\": \"studio\",\n"
			   " \"limits\": {\"sessions\": 1, \"calls\": 2, \"timeout_ms\": 3, "
			   "\"buffers\": 4,\n"
			   "  \"bytes\": 5}}, "
			   "{\"name\": \"second\", \"action\": \"allow\", \"match\": {\"users\": "
			   "[1]},\n"
			   " \"channels\": [\"d/*\"], \"limits\": {\"sessions\": 99}}"));
	struct policy_decision decision = decide(policy, 1, 1, "d/s");

	ck_assert(decision.allowed);
	ck_assert_str_eq(decision.rule, "first");
	ck_assert_str_eq(decision.file, "t.json");
	ck_assert_uint_eq(decision.line, 2);
	ck_assert_str_eq(decision.share_domain, "studio");
	ck_assert_uint_eq(decision.limits->sessions, 1);
	ck_assert_uint_eq(decision.limits->calls, 2);
	ck_assert_uint_eq(decision.limits->timeout_ms, 3);
	ck_assert_uint_eq(decision.limits->buffers, 4);
	ck_assert_uint_eq(decision.limits->bytes, 5);

	decision = decide(policy, 1, 1, "d/t");
	ck_assert_str_eq(decision.rule, "second");
	ck_assert_uint_eq(decision.line, 5);
	ck_assert_ptr_null(decision.share_domain);
	ck_assert_uint_eq(decision.limits->sessions, 99);
	ck_assert_uint_eq(decision.limits->calls, 0);
	ck_assert_uint_eq(decision.limits->bytes, 0);
}
END_TEST

START_TEST(the_rule_that_allows_says_of_sharing_a_channel_and_of_its_queue)
{
	static const struct {
		const char *more;
		bool exclusive;
		enum policy_overflow overflow;
		uint32_t messages;
	} cases[] = {
		{"", false, POLICY_OVERFLOW_DROP, 0},
		{", \"exclusive\": true", true, POLICY_OVERFLOW_DROP, 0},
		{", \"exclusive\": false", false, POLICY_OVERFLOW_DROP, 0},
		{", \"overflow\": \"drop\"", false, POLICY_OVERFLOW_DROP, 0},
		{", \"overflow\": \"close\"", false, POLICY_OVERFLOW_CLOSE, 0},
		{", \"limits\": {\"messages\": 1}", false, POLICY_OVERFLOW_DROP, 1},
		{", \"limits\": {\"messages\": 65536}", false, POLICY_OVERFLOW_DROP, 65536},
		{", \"limits\": {\"messages\": 9}, \"overflow\": \"close\", \"exclusive\": true",
			true, POLICY_OVERFLOW_CLOSE, 9},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(policy_unrefp) struct policy *policy = NULL;
		struct policy_decision decision;
		char text[512];

		/* What the rule after it, or one that denies, would say does not matter. */
		snprintf(text, sizeof(text),
			POLICY(ALLOW("\"users\": [1]", "%s") "," NAMED("other", "allow",
				"\"users\": [1]",
				"\"d/*\"") "," NAMED("no", "deny", "\"users\": [2]", "\"d/s\"")),
			cases[i].more);
		policy = parse(text);
		decision = decide(policy, 1, 1, "d/s");
		ck_assert(decision.allowed);
		ck_assert(decision.exclusive == cases[i].exclusive);
		ck_assert_int_eq(decision.overflow, cases[i].overflow);
		ck_assert_uint_eq(decision.limits->messages, cases[i].messages);

		decision = decide(policy, 1, 1, "d/t");
		ck_assert_str_eq(decision.rule, "other");
		ck_assert(!decision.exclusive);
		ck_assert_int_eq(decision.overflow, POLICY_OVERFLOW_DROP);
		ck_assert_uint_eq(decision.limits->messages, 0);

		decision = decide(policy, 2, 2, "d/s");
		ck_assert(!decision.allowed && !decision.exclusive);
		ck_assert_int_eq(decision.overflow, POLICY_OVERFLOW_DROP);
	}
}
END_TEST

START_TEST(the_rule_that_allows_says_how_urgent_it_is_and_how_much_it_weighs)
{
	static const struct {
		const char *more;
		enum policy_priority priority;
		uint32_t weight;
	} cases[] = {
		{"", POLICY_PRIORITY_NORMAL, 100},
		{", \"priority\": \"high\"", POLICY_PRIORITY_HIGH, 100},
		{", \"priority\": \"normal\"", POLICY_PRIORITY_NORMAL, 100},
		{", \"priority\": \"low\"", POLICY_PRIORITY_LOW, 100},
		{", \"weight\": 1", POLICY_PRIORITY_NORMAL, 1},
		{", \"weight\": 1000", POLICY_PRIORITY_NORMAL, 1000},
		{", \"weight\": 7, \"priority\": \"low\"", POLICY_PRIORITY_LOW, 7},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(policy_unrefp) struct policy *policy = NULL;
		struct policy_decision decision;
		char text[512];

		/* The rule after it has nothing of that. */
		snprintf(text, sizeof(text),
			POLICY(ALLOW("\"users\": [1]", "%s") "," NAMED("other", "allow",
				"\"users\": [1]", "\"d/*\"")),
			cases[i].more);
		policy = parse(text);
		decision = decide(policy, 1, 1, "d/s");
		ck_assert_int_eq(decision.priority, cases[i].priority);
		ck_assert_uint_eq(decision.weight, cases[i].weight);
		decision = decide(policy, 1, 1, "d/t");
		ck_assert_int_eq(decision.priority, POLICY_PRIORITY_NORMAL);
		ck_assert_uint_eq(decision.weight, 100);
	}
}
END_TEST

START_TEST(all_keys_of_a_match_must_match_and_one_value_of_each)
{
	static const struct {
		const char *match;
		uid_t uid;
		gid_t gid;
		bool matches;
	} cases[] = {
		{"\"users\": [1, 2]", 1, 9, true},
		{"\"users\": [1, 2]", 2, 9, true},
		{"\"users\": [1, 2]", 3, 9, false},
		{"\"users\": [\"root\"]", 0, 9, true},
		{"\"users\": [\"root\"]", 1, 0, false},
		{"\"users\": [\"*\"]", 77, 9, true},
		{"\"users\": [5, \"*\"]", 77, 9, true},
		{"\"users\": [4294967294]", 4294967294, 9, true},
		{"\"groups\": [7, 8]", 1, 8, true},
		{"\"groups\": [7, 8]", 7, 9, false},
		{"\"groups\": [\"root\"]", 7, 0, true},
		{"\"groups\": [7, 50]", 1, 9, true}, /* 50 and 60 are supplementary */
		{"\"groups\": [60]", 1, 9, true},
		{"\"users\": [1], \"groups\": [60]", 1, 9, true},
		{"\"users\": [1], \"groups\": [61]", 1, 9, false},
		{"\"users\": [2], \"groups\": [60]", 1, 9, false},
		{"\"users\": [\"*\"], \"groups\": [61]", 1, 9, false},
		{"\"groups\": [9], \"users\": [\"*\"]", 1, 9, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[512];
		gid_t groups[] = {50, 60};
		struct identity who = {
			.uid = cases[i].uid,
			.gid = cases[i].gid,
			.groups = groups,
			.n_groups = 2,
		};
		_cleanup_(policy_unrefp) struct policy *policy = NULL;
		struct policy_decision decision;

		snprintf(text, sizeof(text), MATCH("%s"), cases[i].match);
		policy = parse(text);
		policy_decide(policy, &who, POLICY_OPEN, "d/s", &decision);
		ck_assert_msg(decision.allowed == cases[i].matches, "%s: uid %u gid %u",
			cases[i].match, who.uid, who.gid);
	}
}
END_TEST

START_TEST(an_unknown_name_in_an_allow_warns_and_matches_nobody)
{
	static const struct {
		const char *text, *says;
		bool root_allowed;
	} cases[] = {
		{MATCH("\"users\": [^\"" NOBODY "\"]"), "no user \"" NOBODY "\"", false},
		{MATCH("\"groups\": [^\"" NOBODY "\"]"), "no group \"" NOBODY "\"", false},
		{MATCH("\"groups\": [^\"*\"]"), "no group \"*\"", false},
		{MATCH("\"users\": [^\"" NOBODY "\", 0]"), "no user", true},
		{MATCH("\"users\": [^\"" NOBODY "\"], \"groups\": [0]"), "no user", false},
		{MATCH("\"users\": [^\"0\"]"), "no user \"0\"", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(policy_unrefp) struct policy *policy = NULL;
		_cleanup_(freep) char *text = strdup(cases[i].text);
		struct warnings warnings = {.n = 0};
		struct policy_note error;
		unsigned int line, column;

		unmark(text, &line, &column);
		ck_assert_int_eq(policy_parse(&policy, "t.json", text, strlen(text), &error,
					 count_warning, &warnings),
			0);
		ck_assert_uint_eq(warnings.n, 1);
		ck_assert_str_eq(warnings.last.file, "t.json");
		ck_assert_uint_eq(warnings.last.line, line);
		ck_assert_uint_eq(warnings.last.column, column);
		ck_assert_ptr_nonnull(strstr(warnings.last.text, cases[i].says));
		ck_assert(decide(policy, 0, 0, "d/s").allowed == cases[i].root_allowed);
	}
}
END_TEST

START_TEST(names_mean_what_the_user_database_says)
{
	const struct group *nogroup = getgrnam("nogroup");
	_cleanup_(policy_unrefp) struct policy *policy = parse(MATCH("\"groups\": [\"nogroup\"]"));

	ck_assert_ptr_nonnull(nogroup);
	ck_assert(decide(policy, 1, nogroup->gr_gid, "d/s").allowed);
	ck_assert(!decide(policy, 1, nogroup->gr_gid + 1, "d/s").allowed);
}
END_TEST

START_TEST(bytes_take_the_suffixes_k_m_and_g)
{
	static const struct {
		const char *value;
		uint64_t bytes;
	} cases[] = {
		{"1", 1},
		{"4096", 4096},
		{"1099511627776", 1ull << 40},
		{"\"1K\"", 1024},
		{"\"64M\"", 64ull << 20},
		{"\"064M\"", 64ull << 20},
		{"\"2G\"", 2ull << 30},
		{"\"1024G\"", 1ull << 40},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(policy_unrefp) struct policy *policy = NULL;
		char text[512];

		snprintf(text, sizeof(text), LIMIT("bytes", "%s"), cases[i].value);
		policy = parse(text);
		ck_assert_uint_eq(decide(policy, 1, 1, "d/s").limits->bytes, cases[i].bytes);
	}
}
END_TEST

START_TEST(a_budget_is_the_largest_among_the_allows_that_match_the_peer)
{
	_cleanup_(policy_unrefp) struct policy *policy =
		parse("{\"version\": 1, \"rules\": ["
		      "{\"name\": \"a\", \"action\": \"allow\", \"match\": {\"users\": [1, 2]},"
		      " \"channels\": [\"d/s\"], \"limits\": {\"bytes\": \"2M\", \"buffers\": 3}},"
		      "{\"name\": \"b\", \"action\": \"allow\", \"match\": {\"users\": [1]},"
		      " \"channels\": [\"d/t\"], \"limits\": {\"bytes\": \"3M\", \"calls\": 7,"
		      " \"messages\": 5}},"
		      "{\"name\": \"c\", \"action\": \"allow\", \"match\": {\"users\": [3]},"
		      " \"channels\": [\"d/t\"]},"
		      "{\"name\": \"d\", \"action\": \"deny\", \"match\": {\"users\": [1, 4]},"
		      " \"channels\": [\"*/*\"]}]}");
	static const struct {
		uid_t uid;
		bool allowed;
		uint64_t bytes;
		uint32_t buffers;
	} cases[] = {
		{1, true, 3 << 20, 3},
		{2, true, 2 << 20, 3},
		{3, true, 0, 0},
		{4, false, 0, 0},
		{5, false, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct identity who = {.uid = cases[i].uid};
		struct policy_limits limits;

		ck_assert(policy_budget(policy, &who, &limits) == cases[i].allowed);
		ck_assert_uint_eq(limits.bytes, cases[i].bytes);
		ck_assert_uint_eq(limits.buffers, cases[i].buffers);
	}
}
END_TEST

/* A list of @n numbers from @first on, each between these. */
static void write_list(char *out, size_t size, const char *before, unsigned int first,
	unsigned int n, const char *after)
{
	size_t used = 0;

	for (unsigned int i = 0; i < n; i++) {
		used += (size_t)snprintf(out + used, size - used, "%s%s%u%s", i ? ", " : "", before,
			first + i, after);
		ck_assert_uint_lt(used, size);
	}
}

START_TEST(a_rule_of_many_users_and_channels_is_found_by_each_of_them)
{
	static char text[65536], users[16384], channels[32768];
	_cleanup_(policy_unrefp) struct policy *policy = NULL;

	write_list(users, sizeof(users), "", 1000, 1024, "");
	write_list(channels, sizeof(channels), "\"cdsp/module-", 1000, 1024, "\"");
	snprintf(text, sizeof(text), POLICY(NAMED("r", "allow", "\"users\": [%s]", "%s")), users,
		channels);
	policy = parse(text);
	for (uid_t uid = 1000; uid < 1000 + 1024; uid += 31) {
		ck_assert(decide(policy, uid, 1, "cdsp/module-1000").allowed);
		ck_assert(decide(policy, uid, 1, "cdsp/module-2023").allowed);
		ck_assert(!decide(policy, uid, 1, "cdsp/module-2024").allowed);
		ck_assert(!decide(policy, uid, 1, "cdsp/module-").allowed);
	}
	ck_assert(!decide(policy, 999, 1, "cdsp/module-1000").allowed);
	ck_assert(!decide(policy, 2024, 1, "cdsp/module-1000").allowed);
}
END_TEST

START_TEST(a_peer_of_any_number_of_groups_is_found_by_each_of_them)
{
	_cleanup_(policy_unrefp) struct policy *policy =
		parse(POLICY(NAMED("a", "allow", "\"groups\": [100000, 165534, 1]",
			"\"d/a\"") "," NAMED("b", "allow", "\"groups\": [132000]",
			"\"d/b\"") "," NAMED("c", "allow", "\"groups\": [165535]", "\"d/*\"")));
	static gid_t groups[65536];
	struct identity who = {.uid = 1, .gid = 2, .groups = groups};
	static const struct {
		size_t n;
		bool a, b, c;
	} cases[] = {
		{0, false, false, false},
		{1, true, false, false},
		{32000, true, false, false},
		{32001, true, true, false},
		{65534, true, true, false},
		{65536, true, true, true},
	};

	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		struct policy_decision decision;
		const bool backwards = i >= ARRAY_SIZE(cases);

		who.n_groups = cases[i % ARRAY_SIZE(cases)].n;
		for (size_t k = 0; k < who.n_groups; k++)
			groups[backwards ? who.n_groups - 1 - k : k] = (gid_t)(100000 + k);
		policy_decide(policy, &who, POLICY_OPEN, "d/a", &decision);
		ck_assert(decision.allowed == cases[i % ARRAY_SIZE(cases)].a);
		policy_decide(policy, &who, POLICY_OPEN, "d/b", &decision);
		ck_assert(decision.allowed == cases[i % ARRAY_SIZE(cases)].b);
		policy_decide(policy, &who, POLICY_OPEN, "d/c", &decision);
		ck_assert(decision.allowed == cases[i % ARRAY_SIZE(cases)].c);
	}
}
END_TEST

START_TEST(a_fact_that_is_unknown_or_absent_matches_nothing_and_a_reason_says_which)
{
	static const struct {
		char *unit;
		bool allowed;
		enum policy_reason reason;
	} cases[] = {
		{"a.service", true, POLICY_MATCHES},
		{"a.scope", false, POLICY_OTHER_FACT},
		{"", false, POLICY_OTHER_FACT},
		{NULL, false, POLICY_UNKNOWN_FACT},
	};
	static const char *const globs[] = {"a.service", "*.service", "*"};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(globs); k++) {
			_cleanup_(policy_unrefp) struct policy *policy = NULL;
			struct identity who = {.facts = {[IDENTITY_UNIT] = cases[i].unit}};
			struct policy_candidate candidate;
			struct policy_decision decision;
			const bool any = k == 2 && cases[i].unit && cases[i].unit[0];
			char text[256];

			snprintf(text, sizeof(text), MATCH("\"units\": [\"%s\"]"), globs[k]);
			policy = parse(text);
			policy_decide(policy, &who, POLICY_OPEN, "d/s", &decision);
			ck_assert(decision.allowed == (cases[i].allowed || any));
			policy_explain(policy, &who, POLICY_OPEN, "d/s", keep_candidate,
				&candidate);
			ck_assert_int_eq(candidate.reason, any ? POLICY_MATCHES : cases[i].reason);
			if (candidate.reason != POLICY_MATCHES)
				ck_assert_int_eq(candidate.fact, IDENTITY_UNIT);
		}
	}
}
END_TEST

START_TEST(an_explanation_gives_the_first_thing_that_is_not_so)
{
	static const struct {
		const char *rule, *object;
		enum policy_verb verb;
		enum policy_reason reason;
	} cases[] = {
		{NAMED("r", "allow", "\"users\": [1]", "\"d/s\""), "d/s", POLICY_OPEN,
			POLICY_MATCHES},
		{NAMED("r", "allow", "\"users\": [2]", "\"d/t\""), "d/s", POLICY_KICK,
			POLICY_OTHER_VERB},
		{NAMED("r", "allow", "\"users\": [2]", "\"d/t\""), "d/s", POLICY_OPEN,
			POLICY_OTHER_OBJECT},
		{NAMED("r", "allow", "\"users\": [2], \"groups\": [9]", "\"d/s\""), "d/s",
			POLICY_OPEN, POLICY_OTHER_USER},
		{NAMED("r", "allow", "\"users\": [1], \"groups\": [9], \"snaps\": [\"a\"]",
			 "\"d/s\""),
			"d/s", POLICY_OPEN, POLICY_OTHER_GROUP},
		{NAMED("r", "deny", "\"users\": [1]", "\"e/s\""), "d", POLICY_START,
			POLICY_OTHER_OBJECT},
		{NAMED("r", "deny", "\"users\": [1]", "\"d/s\""), "d", POLICY_STOP, POLICY_MATCHES},
		{NAMED("r", "deny", "\"users\": [1]", "\"e/s\""), NULL, POLICY_RELOAD,
			POLICY_MATCHES},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(policy_unrefp) struct policy *policy = NULL;
		struct identity who = {.uid = 1, .gid = 1};
		struct policy_candidate candidate;
		char text[512];

		snprintf(text, sizeof(text), POLICY("%s"), cases[i].rule);
		policy = parse(text);
		policy_explain(policy, &who, cases[i].verb, cases[i].object, keep_candidate,
			&candidate);
		ck_assert_msg(candidate.reason == cases[i].reason, "%zu: %d", i, candidate.reason);
		ck_assert_str_eq(candidate.rule, "r");
		ck_assert_str_eq(candidate.file, "t.json");
		ck_assert_uint_eq(candidate.line, 1);
	}
}
END_TEST

START_TEST(the_names_of_verbs_go_both_ways)
{
	for (int verb = 0; verb < POLICY_VERBS; verb++)
		ck_assert_int_eq(policy_verb_from_name(policy_verb_name((enum policy_verb)verb)),
			verb);
	ck_assert_int_eq(policy_verb_from_name("open"), POLICY_OPEN);
	ck_assert_int_eq(policy_verb_from_name("reload"), POLICY_RELOAD);
	ck_assert_int_eq(policy_verb_from_name("Open"), -1);
	ck_assert_int_eq(policy_verb_from_name(""), -1);
}
END_TEST

START_TEST(a_policy_lives_until_its_last_reference_is_gone)
{
	struct policy *policy = parse(MATCH("\"users\": [1]"));
	struct policy *other = policy_ref(policy);

	ck_assert_ptr_eq(other, policy);
	ck_assert_ptr_null(policy_unref(policy));
	ck_assert(decide(other, 1, 1, "d/s").allowed);
	ck_assert_ptr_null(policy_unref(other));
	ck_assert_ptr_null(policy_ref(NULL));
	ck_assert_ptr_null(policy_unref(NULL));
}
END_TEST

START_TEST(a_budget_is_of_rules_that_open)
{
	_cleanup_(policy_unrefp) struct policy *policy =
		parse("{\"version\": 1, \"rules\": ["
		      "{\"name\": \"a\", \"action\": \"allow\", \"match\": {\"users\": [\"*\"]},"
		      " \"channels\": [\"d/s\"], \"verbs\": [\"list\"]},"
		      "{\"name\": \"b\", \"action\": \"allow\", \"match\": {\"users\": [1]},"
		      " \"channels\": [\"d/s\"], \"limits\": {\"buffers\": 1}},"
		      "{\"name\": \"d\", \"action\": \"allow\", \"match\": {\"snaps\": [\"s\"]},"
		      " \"channels\": [\"d/t\"], \"limits\": {\"buffers\": 7}}]}");
	struct policy_limits limits;
	struct identity who = {.uid = 1};

	ck_assert(policy_budget(policy, &who, &limits));
	ck_assert_uint_eq(limits.buffers, 1);
	who.uid = 3;
	ck_assert(!policy_budget(policy, &who, &limits));
	ck_assert_uint_eq(limits.buffers, 0);
	who.facts[IDENTITY_SNAP] = (char[]){"s"};
	ck_assert(policy_budget(policy, &who, &limits));
	ck_assert_uint_eq(limits.buffers, 7);
}
END_TEST

/* Two rules that match, in either order, for everybody or for a user. */
START_TEST(a_budget_is_counted_as_the_rules_count_that_give_it)
{
	static const struct {
		const char *one, *other;
		enum policy_per per;
	} cases[] = {
		{"\"per\": \"unit\", \"buffers\": 2", "\"buffers\": 1", POLICY_PER_UNIT},
		{"\"per\": \"unit\", \"buffers\": 1", "\"buffers\": 2", POLICY_PER_USER},
		{"\"per\": \"unit\", \"buffers\": 2", "\"buffers\": 2", POLICY_PER_UNIT},
		{"\"per\": \"unit\", \"sessions\": 9", "\"buffers\": 1", POLICY_PER_USER},
		{"\"per\": \"unit\", \"sessions\": 9", "\"sessions\": 1", POLICY_PER_USER},
		{"\"per\": \"unit\", \"bytes\": 9", "\"sessions\": 1", POLICY_PER_UNIT},
		{"\"per\": \"unit\", \"bytes\": 9", "\"buffers\": 1", POLICY_PER_USER},
		{"\"per\": \"unit\", \"bytes\": 9", "\"per\": \"unit\", \"buffers\": 1",
			POLICY_PER_UNIT},
	};
	static const char *const users[] = {"\"*\"", "1"};

	for (size_t i = 0; i < 4 * ARRAY_SIZE(cases); i++) {
		const bool swap = i & 1;
		const char *user = users[i / 2 % 2];
		const char *one = cases[i / 4].one, *other = cases[i / 4].other;
		_cleanup_(policy_unrefp) struct policy *policy = NULL;
		struct identity who = {.uid = 1};
		struct policy_limits limits;
		char text[512];

		snprintf(text, sizeof(text),
			"{\"version\": 1, \"rules\": ["
			"{\"name\": \"a\", \"action\": \"allow\", \"match\": {\"users\": [%s]},"
			" \"channels\": [\"d/s\"], \"limits\": {%s}},"
			"{\"name\": \"b\", \"action\": \"allow\", \"match\": {\"users\": [%s]},"
			" \"channels\": [\"d/t\"], \"limits\": {%s}}]}",
			user, swap ? other : one, user, swap ? one : other);
		policy = parse(text);
		ck_assert(policy_budget(policy, &who, &limits));
		ck_assert_msg(limits.per == cases[i / 4].per, "%s", text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy");
	TCase *tcase = tcase_create("decisions");

	tcase_add_test(tcase, nothing_matching_is_a_denial_by_the_default_rule);
	tcase_add_test(tcase, a_deny_wins_wherever_it_stands);
	tcase_add_test(tcase, the_first_matching_allow_supplies_limits_and_domain);
	tcase_add_test(tcase, the_rule_that_allows_says_of_sharing_a_channel_and_of_its_queue);
	tcase_add_test(tcase, the_rule_that_allows_says_how_urgent_it_is_and_how_much_it_weighs);
	tcase_add_test(tcase, all_keys_of_a_match_must_match_and_one_value_of_each);
	tcase_add_test(tcase, an_unknown_name_in_an_allow_warns_and_matches_nobody);
	tcase_add_test(tcase, names_mean_what_the_user_database_says);
	tcase_add_test(tcase, bytes_take_the_suffixes_k_m_and_g);
	tcase_add_test(tcase, a_budget_is_the_largest_among_the_allows_that_match_the_peer);
	tcase_add_test(tcase, a_rule_of_many_users_and_channels_is_found_by_each_of_them);
	tcase_add_test(tcase, a_peer_of_any_number_of_groups_is_found_by_each_of_them);
	tcase_add_test(tcase,
		a_fact_that_is_unknown_or_absent_matches_nothing_and_a_reason_says_which);
	tcase_add_test(tcase, an_explanation_gives_the_first_thing_that_is_not_so);
	tcase_add_test(tcase, the_names_of_verbs_go_both_ways);
	tcase_add_test(tcase, a_policy_lives_until_its_last_reference_is_gone);
	tcase_add_test(tcase, a_budget_is_of_rules_that_open);
	tcase_add_test(tcase, a_budget_is_counted_as_the_rules_count_that_give_it);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
