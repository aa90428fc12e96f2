// SPDX-License-Identifier: MIT
/* A decision told step by step: the rules in their order, without the index. */
#include "policy/match.h"

struct telling {
	struct match match;
	void (*tell)(const struct policy_candidate *candidate, void *userdata);
	void *userdata;
};

/* Returns whether one of them decides. */
static bool tell_rules(const struct telling *telling, bool allow)
{
	const struct policy *policy = telling->match.policy;
	const struct policy_rules *rules = allow ? &policy->allows : &policy->denies;

	for (size_t i = 0; i < rules->n; i++) {
		const struct policy_rule *rule = &rules->items[i];
		struct policy_candidate candidate = {
			.rule = policy->texts + rule->name,
			.file = policy->texts + rule->file,
			.line = rule->line,
			.allow = allow,
		};

		candidate.reason = match_rule(&telling->match, rule, &candidate.fact);
		telling->tell(&candidate, telling->userdata);
		if (candidate.reason == POLICY_MATCHES)
			return true;
	}
	return false;
}

void policy_explain(const struct policy *policy, const struct identity *who, enum policy_verb verb,
	const char *object, void (*tell)(const struct policy_candidate *candidate, void *userdata),
	void *userdata)
{
	struct telling telling = {.tell = tell, .userdata = userdata};

	match_init(&telling.match, policy, who, verb, object);
	if (!tell_rules(&telling, false))
		tell_rules(&telling, true);
}
