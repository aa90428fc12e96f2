// SPDX-License-Identifier: MIT
#include "policy/policy_index.h"

#include "policy/index.h"

#define NO_RULE      UINT32_MAX
#define GROUPS_A_FEW 64 /* are looked up one by one */

/* Is it more to be given this much, counted so? One that gives nothing gives no way to count. */
static bool is_more(uint64_t value, enum policy_per per, uint64_t than, enum policy_per than_per)
{
	return value > than || (value && value == than && per > than_per);
}

void index_add_limits(struct index_budget *out, const struct policy_limits *limits)
{
	if (is_more(limits->buffers, limits->per, out->buffers, out->buffers_per)) {
		out->buffers = limits->buffers;
		out->buffers_per = limits->per;
	}
	if (is_more(limits->bytes, limits->per, out->bytes, out->bytes_per)) {
		out->bytes = limits->bytes;
		out->bytes_per = limits->per;
	}
}

bool index_is_within(const struct policy_limits *limits, const struct policy_limits *other)
{
	return !is_more(limits->buffers, limits->per, other->buffers, other->per) &&
	       !is_more(limits->bytes, limits->per, other->bytes, other->per);
}

/* Both are counted in one way: by unit if nothing that is given is counted by user. */
static struct policy_limits limits_of(const struct index_budget *budget)
{
	const bool any = budget->buffers || budget->bytes;
	const bool by_user = (budget->buffers && budget->buffers_per == POLICY_PER_USER) ||
			     (budget->bytes && budget->bytes_per == POLICY_PER_USER);

	return (struct policy_limits){
		.per = any && !by_user ? POLICY_PER_UNIT : POLICY_PER_USER,
		.buffers = budget->buffers,
		.bytes = budget->bytes,
	};
}

/* A search in progress. */
struct search {
	const struct match *match;
	const struct index_side *side;
	const struct policy_rule *rules;
	/* What to do with a list of rules. */
	void (*look)(struct search *search, const struct index_entry *entry,
		const struct index_entry *end);
	uint32_t found;                /* the lowest number of a rule that matches */
	struct index_budget *budget;   /* of all rules that match */
	uint64_t shapes;               /* that the object's keys have */
	uint64_t objects[KEYS_SHAPES]; /* these keys, by shape */
};

static bool is_for_peer(const struct search *search, const struct index_entry *entry)
{
	const struct policy_rule *rule = &search->rules[entry->rule];

	return match_verb(search->match, rule) && match_peer(search->match, rule);
}

static bool is_for_object(const struct match *match, const struct policy_rule *rule, uint32_t glob)
{
	return glob == INDEX_ANY_GLOB ? match_channels(match, rule)
				      : match_object(match, match->policy->texts + glob);
}

static void look_for_first(struct search *search, const struct index_entry *entry,
	const struct index_entry *end)
{
	for (; entry < end && entry->rule < search->found; entry++)
		if (is_for_peer(search, entry) &&
			is_for_object(search->match, &search->rules[entry->rule], entry->glob))
			search->found = entry->rule;
}

static void look_for_limits(struct search *search, const struct index_entry *entry,
	const struct index_entry *end)
{
	for (; entry < end; entry++) {
		if (!is_for_peer(search, entry))
			continue;
		search->found = entry->rule;
		index_add_limits(search->budget, &search->rules[entry->rule].limits);
	}
}

/* The peer has this key: what is filed under it and any of the object's? */
static void try_peer(struct search *search, uint64_t key)
{
	const struct index_side *side = search->side;
	const uint64_t *shapes = keymap_find(&side->peers, key);
	const uint64_t *list;

	if (!shapes)
		return;
	for (uint64_t left = *shapes & search->shapes; left; left &= left - 1) {
		list = keymap_find(&side->pairs,
			keys_of_pair(key, search->objects[__builtin_ctzll(left)]));
		if (list)
			search->look(search, side->entries + (*list >> 32),
				side->entries + (*list >> 32) + (uint32_t)*list);
	}
}

static void try_fact(struct search *search, enum identity_fact fact)
{
	const char *text = search->match->who->facts[fact];
	const uint64_t shapes = search->side->facts[fact];
	uint64_t keys[KEYS_SHAPES], has;

	if (!shapes || !text || !text[0])
		return;
	has = keys_of_text(KEYS_FACT + fact, text, shapes, keys);
	for (; has; has &= has - 1)
		try_peer(search, keys[__builtin_ctzll(has)]);
}

/* The first of @n ascending numbers that is not below @least. Takes few steps if it is near. */
static size_t gallop(const uint32_t *numbers, size_t n, uint32_t least)
{
	size_t first = 0, step = 1;

	while (step < n && numbers[step] < least) {
		first = step;
		step *= 2;
	}
	n = MIN(n, step + 1);
	while (first < n) {
		const size_t middle = first + (n - first) / 2;

		if (numbers[middle] < least)
			first = middle + 1;
		else
			n = middle;
	}
	return first;
}

/* A peer can be in tens of thousands of groups, of which policy names hardly any: jump from what
 * both have to what both have. */
static void try_common_groups(struct search *search)
{
	const struct identity *who = search->match->who;
	const struct index_side *side = search->side;
	size_t i = 0, k = 0;

	while (i < side->n_groups && k < who->n_groups) {
		i += gallop(side->groups + i, side->n_groups - i, who->groups[k]);
		if (i == side->n_groups)
			return;
		if (side->groups[i] == who->groups[k])
			try_peer(search, keys_of_id(KEYS_GROUP, side->groups[i++]));
		else
			k += gallop(who->groups + k, who->n_groups - k, side->groups[i]);
	}
}

static void try_groups(struct search *search)
{
	const struct identity *who = search->match->who;

	if (search->side->n_groups == 0)
		return;
	try_peer(search, keys_of_id(KEYS_GROUP, who->gid));
	if (who->n_groups > GROUPS_A_FEW && search->match->ascending) {
		try_common_groups(search);
		return;
	}
	for (size_t i = 0; i < who->n_groups; i++)
		try_peer(search, keys_of_id(KEYS_GROUP, who->groups[i]));
}

static void run(struct search *search)
{
	try_peer(search, keys_of_id(KEYS_ANYBODY, 0));
	try_peer(search, keys_of_id(KEYS_USER, search->match->who->uid));
	try_groups(search);
	for (int fact = 0; fact < IDENTITY_FACTS; fact++)
		try_fact(search, (enum identity_fact)fact);
}

const struct policy_rule *policy_index_find(const struct match *match, bool allow)
{
	const struct policy *policy = match->policy;
	const struct policy_rules *rules = allow ? &policy->allows : &policy->denies;
	struct search search;

	search.match = match;
	search.side = &policy->index->sides[allow][match_kind(match->verb)];
	search.rules = rules->items;
	search.look = look_for_first;
	search.found = NO_RULE;
	search.budget = NULL;
	if (search.side->n_entries == 0)
		return NULL;
	search.shapes =
		keys_of_text(KEYS_OBJECT, match->object, search.side->objects, search.objects);
	run(&search);
	return search.found == NO_RULE ? NULL : &rules->items[search.found];
}

bool policy_index_budget(const struct match *match, struct policy_limits *out)
{
	const struct policy_index *index = match->policy->index;
	struct index_budget budget = index->everyone;
	struct search search = {
		.match = match,
		.side = &index->budget,
		.rules = match->policy->allows.items,
		.look = look_for_limits,
		.found = NO_RULE,
		.budget = &budget,
	};

	search.shapes = keys_of_text(KEYS_OBJECT, "", index->budget.objects, search.objects);
	run(&search);
	*out = limits_of(&budget);
	return index->has_everyone || search.found != NO_RULE;
}
