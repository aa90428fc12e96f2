// SPDX-License-Identifier: MIT
/* Many policies, peers and objects: policy/ decides as an evaluator does that is written down a
 * second time, in policy_model.c. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "policy/index.h"
#include "tests/suite.h"
#include "tests/unit/policy_model.h"

#define SEED      20240229u
#define SMALL     400 /* policies */
#define LARGE     8
#define PEERS     20 /* for each of them */
#define QUESTIONS 16 /* for each peer */

static size_t asked;
static size_t from_peers_alone; /* of them, decided by rules that are not indexed by channel */

struct question {
	const struct model_policy *model;
	const struct model_peer *peer;
	enum policy_verb verb;
	const char *object;
	size_t number;
};

static void check(bool fact, const struct question *question, const char *what)
{
	_cleanup_(freep) char *text = NULL;

	if (fact)
		return;
	text = model_text(question->model);
	ck_abort_msg("question %zu: %s\n%s\nuid %u gid %u, %zu groups, verb %d on %s",
		question->number, what, text, question->peer->uid, question->peer->gid,
		question->peer->n_groups, question->verb,
		question->object ? question->object : "nothing");
}

static void check_grant(const struct question *question, const struct model_rule *rule,
	const struct policy_decision *is)
{
	static const char *const directions[] = {"both", "send", "receive"};
	const char *direction = rule->direction ? rule->direction : "both";

	ck_assert_ptr_nonnull(is->limits);
	check(is->limits->sessions == rule->sessions, question, "sessions");
	check(is->limits->buffers == rule->buffers, question, "buffers");
	check(is->limits->bytes == rule->bytes, question, "bytes");
	check((is->limits->per == POLICY_PER_UNIT) == rule->per_unit, question, "per");
	check(strcmp(directions[is->direction], direction) == 0, question, "direction");
	check(is->n_methods == (rule->methods ? 2 : 0), question, "number of methods");
	if (is->n_methods == 0)
		return;
	check(is->methods[0].first == rule->methods, question, "first method");
	check(is->methods[0].last == rule->methods, question, "first method's end");
	check(is->methods[1].first == rule->methods + 2, question, "second method");
	check(is->methods[1].last == rule->methods + 5, question, "second method's end");
}

struct told {
	struct policy_candidate last;
	size_t n, n_matches;
};

static void listen(const struct policy_candidate *candidate, void *userdata)
{
	struct told *told = userdata;

	told->last = *candidate;
	told->n++;
	told->n_matches += candidate->reason == POLICY_MATCHES;
}

/* The explanation ends where the decision does. */
static void check_explanation(const struct policy *policy, const struct identity *who,
	const struct question *question, const struct policy_decision *is)
{
	struct told told = {.n = 0};

	policy_explain(policy, who, question->verb, question->object, listen, &told);
	check(told.n_matches == (is->file ? 1 : 0), question, "explanation: matches");
	if (!is->file) {
		check(told.n == policy_size(policy), question, "explanation: all were looked at");
		return;
	}
	check(told.last.reason == POLICY_MATCHES, question, "explanation: the last one decides");
	check(told.last.rule == is->rule, question, "explanation: rule");
	check(told.last.line == is->line, question, "explanation: line");
	check(told.last.allow == is->allowed, question, "explanation: action");
}

/* Is the deciding rule filed under its peers alone, since it would make too many pairs? Those of
 * POLICY_RELOAD always are. */
static bool is_from_peers_alone(const struct policy *policy, enum policy_verb verb,
	const struct policy_decision *is)
{
	const enum match_kind kind = match_kind(verb);
	const struct index_side *side = &policy->index->sides[is->allowed][kind];
	const struct policy_rule *rules = is->allowed ? policy->allows.items : policy->denies.items;

	if (kind == MATCH_NOTHING || !is->file)
		return false;
	for (size_t i = 0; i < side->n_entries; i++)
		if (rules[side->entries[i].rule].line == is->line)
			return side->entries[i].glob == INDEX_ANY_GLOB;
	return false;
}

static void ask(const struct policy *policy, const struct question *question)
{
	const struct identity who = model_identity(question->peer);
	const int expected =
		model_decide(question->model, question->peer, question->verb, question->object);
	const struct model_rule *rule = expected < 0 ? NULL : &question->model->rules[expected];
	struct policy_decision is;
	char name[16];

	snprintf(name, sizeof(name), "r%d", expected);
	policy_decide(policy, &who, question->verb, question->object, &is);
	check(strcmp(is.rule, rule ? name : "(default)") == 0, question, is.rule);
	check(is.allowed == (rule && rule->allow), question, "action");
	check(is.line == (unsigned int)(rule ? expected + 2 : 0), question, "line");
	if (is.allowed)
		check_grant(question, rule, &is);
	check_explanation(policy, &who, question, &is);
	asked++;
	from_peers_alone += is_from_peers_alone(policy, question->verb, &is);
}

static void ask_budget(const struct policy *policy, const struct question *question)
{
	const struct identity who = model_identity(question->peer);
	struct policy_limits limits;
	struct model_budget budget;
	const bool any = model_budget(question->model, question->peer, &budget);

	check(policy_budget(policy, &who, &limits) == any, question, "budget");
	check(limits.buffers == budget.buffers, question, "buffers of the budget");
	check(limits.bytes == budget.bytes, question, "bytes of the budget");
	check((limits.per == POLICY_PER_UNIT) == budget.per_unit, question, "budget per");
}

static void ask_all(const struct policy *policy, const struct model_policy *model, uint64_t *state)
{
	static struct model_peer peer;

	for (size_t i = 0; i < PEERS; i++) {
		struct question question = {.model = model, .peer = &peer};

		model_make_peer(&peer, state);
		ask_budget(policy, &question);
		for (size_t k = 0; k < QUESTIONS; k++) {
			question.number = asked;
			question.verb = (enum policy_verb)model_random(state, POLICY_VERBS);
			if (k % 2)
				question.verb = POLICY_OPEN;
			question.object = model_make_object(question.verb, state);
			ask(policy, &question);
		}
	}
}

static void check_policy(size_t n_rules, enum model_kind kind, uint64_t *state)
{
	static struct model_policy model;
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	_cleanup_(freep) char *text = NULL;

	model_make_policy(&model, n_rules, kind, state);
	text = model_text(&model);
	policy = model_parse(text);
	ck_assert_uint_eq(policy_size(policy), n_rules);
	ask_all(policy, &model, state);
}

START_TEST(every_decision_is_that_of_a_second_simple_evaluator)
{
	uint64_t state = SEED;

	asked = from_peers_alone = 0;
	for (size_t i = 0; i < SMALL; i++)
		check_policy(model_random(&state, 24), i % MODEL_KINDS, &state);
	for (size_t i = 0; i < LARGE; i++)
		check_policy(MODEL_RULES, i % MODEL_KINDS, &state);
	ck_assert_uint_ge(asked, 100000);
	ck_assert_uint_ge(from_peers_alone, asked / 50);
}
END_TEST

/* Else the comparison would be of refusals only. */
START_TEST(the_questions_are_decided_by_rules_of_either_kind_and_by_none)
{
	static struct model_policy model;
	static struct model_peer peer;
	size_t n[3] = {0};
	uint64_t state = SEED;

	for (size_t i = 0; i < SMALL; i++) {
		model_make_policy(&model, model_random(&state, 24), i % MODEL_KINDS, &state);
		for (size_t k = 0; k < PEERS; k++) {
			const char *object = model_make_object(POLICY_OPEN, &state);
			int rule;

			model_make_peer(&peer, &state);
			rule = model_decide(&model, &peer, POLICY_OPEN, object);
			n[rule < 0 ? 2 : model.rules[rule].allow]++;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(n); i++)
		ck_assert_msg(n[i] * 20 >= SMALL * PEERS, "%zu: %zu of %d", i, n[i], SMALL * PEERS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy matrix");
	TCase *tcase = tcase_create("matrix");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, every_decision_is_that_of_a_second_simple_evaluator);
	tcase_add_test(tcase, the_questions_are_decided_by_rules_of_either_kind_and_by_none);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
