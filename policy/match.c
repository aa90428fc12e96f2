// SPDX-License-Identifier: MIT
#include "policy/match.h"

#include <string.h>

enum match_kind match_kind(enum policy_verb verb)
{
	static const enum match_kind kinds[] = {
		[POLICY_OPEN] = MATCH_CHANNEL,
		[POLICY_LIST] = MATCH_CHANNEL,
		[POLICY_KICK] = MATCH_CHANNEL,
		[POLICY_START] = MATCH_DEVICE,
		[POLICY_STOP] = MATCH_DEVICE,
		[POLICY_RELOAD] = MATCH_NOTHING,
	};

	static_assert(ARRAY_SIZE(kinds) == POLICY_VERBS, "one for each verb");
	return kinds[verb];
}

static bool is_ascending(const gid_t *groups, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (groups[i] < groups[i - 1])
			return false;
	return true;
}

void match_init(struct match *out, const struct policy *policy, const struct identity *who,
	enum policy_verb verb, const char *object)
{
	*out = (struct match){
		.policy = policy,
		.who = who,
		.verb = verb,
		.object = object ? object : "",
		.ascending = is_ascending(who->groups, who->n_groups),
	};
}

static int compare_ids(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void seal_rules(struct policy *policy, const struct policy_rules *rules)
{
	for (size_t i = 0; i < rules->n; i++) {
		const struct policy_span users = rules->items[i].users;
		const struct policy_span groups = rules->items[i].groups;

		if (users.n > 1)
			qsort(policy->ids + users.first, users.n, sizeof(uint32_t), compare_ids);
		if (groups.n > 1)
			qsort(policy->ids + groups.first, groups.n, sizeof(uint32_t), compare_ids);
	}
}

void match_seal(struct policy *policy)
{
	seal_rules(policy, &policy->denies);
	seal_rules(policy, &policy->allows);
}

/* Is it among these, which ascend? */
static bool has_id(const uint32_t *ids, size_t n, uint32_t id)
{
	size_t first = 0;

	while (n > 0) {
		const size_t half = n / 2;

		if (ids[first + half] < id) {
			first += half + 1;
			n -= half + 1;
		} else if (ids[first + half] > id) {
			n = half;
		} else {
			return true;
		}
	}
	return false;
}

/* The same of a rule's list. */
static bool list_has(const struct policy *policy, struct policy_span list, uint32_t id)
{
	return list.n > 0 && has_id(policy->ids + list.first, list.n, id);
}

static bool user_matches(const struct match *match, const struct policy_rule *rule)
{
	return rule->any_user || list_has(match->policy, rule->users, match->who->uid);
}

/* A peer may be in tens of thousands of groups, and a rule may name a thousand: go through the
 * fewer ones. */
static bool group_matches(const struct match *match, const struct policy_rule *rule)
{
	const struct policy *policy = match->policy;
	const struct identity *who = match->who;
	const struct policy_span list = rule->groups;

	if (rule->any_group || list_has(policy, list, who->gid))
		return true;
	if (match->ascending && list.n < who->n_groups) {
		for (uint32_t i = 0; i < list.n; i++)
			if (has_id(who->groups, who->n_groups, policy->ids[list.first + i]))
				return true;
		return false;
	}
	for (size_t i = 0; i < who->n_groups; i++)
		if (list_has(policy, list, who->groups[i]))
			return true;
	return false;
}

/* What the peer does not have, or is not known to have, matches nothing. */
static bool fact_matches(const struct match *match, const struct policy_span *globs,
	const char *fact)
{
	const char *glob = match->policy->texts + globs->first;

	if (!fact || !fact[0])
		return globs->n == 0;
	for (uint32_t i = 0; i < globs->n; i++, glob += strlen(glob) + 1)
		if (policy_glob(glob, fact))
			return true;
	return globs->n == 0;
}

static bool facts_match(const struct match *match, const struct policy_rule *rule,
	enum identity_fact *other)
{
	for (*other = 0; *other < IDENTITY_FACTS; ++*other)
		if (!fact_matches(match, &rule->facts[*other], match->who->facts[*other]))
			return false;
	return true;
}

bool match_peer(const struct match *match, const struct policy_rule *rule)
{
	enum identity_fact other;

	return user_matches(match, rule) && group_matches(match, rule) &&
	       facts_match(match, rule, &other);
}

bool match_verb(const struct match *match, const struct policy_rule *rule)
{
	return rule->verbs & 1u << match->verb;
}

/* The glob's device, as a glob of its own. */
static bool device_matches(const char *glob, const char *device)
{
	char part[POLICY_GLOB_MAX + 1];
	const size_t n = strcspn(glob, "/");

	if (n >= sizeof(part))
		return false;
	memcpy(part, glob, n);
	part[n] = '\0';
	return policy_glob(part, device);
}

bool match_object(const struct match *match, const char *glob)
{
	switch (match_kind(match->verb)) {
	case MATCH_CHANNEL:
		return policy_glob(glob, match->object);
	case MATCH_DEVICE:
		return device_matches(glob, match->object);
	default:
		return true;
	}
}

bool match_channels(const struct match *match, const struct policy_rule *rule)
{
	const char *glob = match->policy->texts + rule->channels.first;

	for (uint32_t i = 0; i < rule->channels.n; i++, glob += strlen(glob) + 1)
		if (match_object(match, glob))
			return true;
	return match_kind(match->verb) == MATCH_NOTHING;
}

enum policy_reason match_rule(const struct match *match, const struct policy_rule *rule,
	enum identity_fact *fact)
{
	if (!match_verb(match, rule))
		return POLICY_OTHER_VERB;
	if (!match_channels(match, rule))
		return POLICY_OTHER_OBJECT;
	if (!user_matches(match, rule))
		return POLICY_OTHER_USER;
	if (!group_matches(match, rule))
		return POLICY_OTHER_GROUP;
	if (facts_match(match, rule, fact))
		return POLICY_MATCHES;
	return match->who->facts[*fact] ? POLICY_OTHER_FACT : POLICY_UNKNOWN_FACT;
}
