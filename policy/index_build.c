// SPDX-License-Identifier: MIT
#include <string.h>

#include "policy/index.h"
#include "policy/policy_index.h"

/* A rule is filed under each of its peers with each of its objects. If that makes more pairs than
 * these, and more than it has of both, then under its peers alone: so memory stays in proportion to
 * the files. */
#define PAIRS_MAX 256

/* Keys that a rule could be filed under, at most one for each entry of one list of it. */
struct keys {
	enum keys_about about;
	struct key keys[POLICY_LIST_MAX];
	uint32_t from[POLICY_LIST_MAX]; /* the entry: an id, or the offset of a glob */
	size_t n;
	uint64_t cost; /* how many rules could be filed under the key that most of them could be */
};

struct item {
	uint64_t pair;
	struct index_entry entry;
};

struct builder {
	struct policy *policy;
	struct policy_index *index;
	struct keymap counts;         /* key -> how many rules could be filed under it */
	struct keys lists[3];         /* of the rule at hand: */
	struct keys *peers, *objects; /* what it is filed under */
	struct keys *other;           /* what it could be filed under instead of peers */
	struct item *items;           /* of the side at hand */
	size_t n_items, items_room;
};

/* Count how many rules have a key. */

static int count_key(struct builder *builder, uint64_t key)
{
	uint64_t *count = keymap_add(&builder->counts, key);

	if (!count)
		return -ENOMEM;
	++*count;
	return 0;
}

static int count_ids(struct builder *builder, enum keys_about about, struct policy_span span)
{
	int r = 0;

	for (uint32_t i = 0; i < span.n && r == 0; i++)
		r = count_key(builder, keys_of_id(about, builder->policy->ids[span.first + i]));
	return r;
}

static int count_globs(struct builder *builder, enum keys_about about, struct policy_span span)
{
	const char *glob = builder->policy->texts + span.first;
	struct key keys[KEYS_PER_GLOB];
	int r = 0;

	for (uint32_t i = 0; i < span.n && r == 0; i++, glob += strlen(glob) + 1) {
		const size_t n = keys_of_glob(about, glob, strlen(glob), keys);

		for (size_t k = 0; k < n && r == 0; k++)
			r = count_key(builder, keys[k].hash);
	}
	return r;
}

static int count_rule(struct builder *builder, const struct policy_rule *rule)
{
	int r = count_ids(builder, KEYS_USER, rule->users);

	if (r == 0)
		r = count_ids(builder, KEYS_GROUP, rule->groups);
	for (int fact = 0; fact < IDENTITY_FACTS && r == 0; fact++)
		r = count_globs(builder, KEYS_FACT + fact, rule->facts[fact]);
	if (r == 0)
		r = count_globs(builder, KEYS_OBJECT, rule->channels);
	return r;
}

static int count_rules(struct builder *builder, const struct policy_rules *rules)
{
	int r = 0;

	for (size_t i = 0; i < rules->n && r == 0; i++)
		r = count_rule(builder, &rules->items[i]);
	return r;
}

/* Choose what a rule is filed under. */

static uint64_t count_of(const struct builder *builder, uint64_t key)
{
	const uint64_t *count = keymap_find(&builder->counts, key);

	return count ? *count : 0;
}

static void add_key(const struct builder *builder, struct keys *keys, struct key key, uint32_t from)
{
	assert(keys->n < POLICY_LIST_MAX);
	keys->keys[keys->n] = key;
	keys->from[keys->n++] = from;
	keys->cost = MAX(keys->cost, count_of(builder, key.hash));
}

static void start_keys(struct keys *keys, enum keys_about about)
{
	keys->about = about;
	keys->n = 0;
	keys->cost = 0;
}

static void key_ids(const struct builder *builder, enum keys_about about, struct policy_span span,
	struct keys *out)
{
	start_keys(out, about);
	for (uint32_t i = 0; i < span.n; i++) {
		const uint32_t id = builder->policy->ids[span.first + i];
		const struct key key = {keys_of_id(about, id), KEYS_NOTHING};

		add_key(builder, out, key, id);
	}
}

/* That of its keys which the fewest rules have. */
static struct key best_key(const struct builder *builder, enum keys_about about, const char *glob,
	size_t size)
{
	struct key keys[KEYS_PER_GLOB];
	const size_t n = keys_of_glob(about, glob, size, keys);
	size_t best = 0;

	for (size_t i = 1; i < n; i++)
		if (count_of(builder, keys[i].hash) < count_of(builder, keys[best].hash))
			best = i;
	return keys[best];
}

/* @kind: how much of a glob matters. */
static void key_globs(const struct builder *builder, enum keys_about about, struct policy_span span,
	enum match_kind kind, struct keys *out)
{
	const char *texts = builder->policy->texts, *glob = texts + span.first;

	start_keys(out, about);
	for (uint32_t i = 0; i < span.n; i++, glob += strlen(glob) + 1) {
		const size_t n = kind == MATCH_DEVICE ? strcspn(glob, "/") : strlen(glob);

		add_key(builder, out, best_key(builder, about, glob, n), (uint32_t)(glob - texts));
	}
}

static void key_anybody(const struct builder *builder, struct keys *out)
{
	const struct key key = {keys_of_id(KEYS_ANYBODY, 0), KEYS_NOTHING};

	start_keys(out, KEYS_ANYBODY);
	add_key(builder, out, key, 0);
}

static void key_any_object(const struct builder *builder, struct keys *out)
{
	struct key keys[KEYS_PER_GLOB];

	start_keys(out, KEYS_OBJECT);
	keys_of_glob(KEYS_OBJECT, "*", 1, keys);
	add_key(builder, out, keys[0], INDEX_ANY_GLOB);
}

/* Another list of the rule's: is it better than what we have? @first: there is nothing yet. */
static void offer_peers(struct builder *builder, bool *first)
{
	struct keys *had = builder->peers;

	if (!*first && builder->other->cost >= had->cost)
		return;
	builder->peers = builder->other;
	builder->other = had;
	*first = false;
}

static void choose_peers(struct builder *builder, const struct policy_rule *rule)
{
	bool first = true;

	if (!rule->any_user) {
		key_ids(builder, KEYS_USER, rule->users, builder->other);
		offer_peers(builder, &first);
	}
	for (int fact = 0; fact < IDENTITY_FACTS; fact++) {
		if (rule->facts[fact].n == 0)
			continue;
		key_globs(builder, KEYS_FACT + fact, rule->facts[fact], MATCH_CHANNEL,
			builder->other);
		offer_peers(builder, &first);
	}
	if (!rule->any_group) {
		key_ids(builder, KEYS_GROUP, rule->groups, builder->other);
		offer_peers(builder, &first);
	}
	if (first)
		key_anybody(builder, builder->peers);
}

static void choose_objects(struct builder *builder, const struct policy_rule *rule,
	enum match_kind kind)
{
	size_t n, m;

	key_globs(builder, KEYS_OBJECT, rule->channels, kind, builder->objects);
	n = builder->peers->n;
	m = builder->objects->n;
	if (kind == MATCH_NOTHING || n * m > MAX(PAIRS_MAX, n + m))
		key_any_object(builder, builder->objects);
}

/* File it. */

static int note_peer(struct builder *builder, struct index_side *side, size_t i)
{
	const struct keys *peers = builder->peers;
	uint32_t *groups;

	if (peers->about >= KEYS_FACT)
		side->facts[peers->about - KEYS_FACT] |= 1ull << peers->keys[i].shape;
	if (peers->about != KEYS_GROUP)
		return 0;
	groups = policy_reserve(side->groups, &side->groups_room, side->n_groups + 1,
		sizeof(*groups));
	if (!groups)
		return -ENOMEM;
	side->groups = groups;
	groups[side->n_groups++] = peers->from[i];
	return 0;
}

static int file_pair(struct builder *builder, struct index_side *side, uint32_t rule, size_t peer,
	size_t object)
{
	const struct key one = builder->peers->keys[peer];
	const struct key other = builder->objects->keys[object];
	uint64_t *shapes = keymap_add(&side->peers, one.hash);
	struct item *items = policy_reserve(builder->items, &builder->items_room,
		builder->n_items + 1, sizeof(*items));

	if (items)
		builder->items = items;
	if (!shapes || !items)
		return -ENOMEM;
	*shapes |= 1ull << other.shape;
	side->objects |= 1ull << other.shape;
	items[builder->n_items++] = (struct item){
		.pair = keys_of_pair(one.hash, other.hash),
		.entry = {rule, builder->objects->from[object]},
	};
	return 0;
}

/* Under all that is chosen. */
static int file_rule(struct builder *builder, struct index_side *side, size_t number)
{
	int r = 0;

	for (size_t i = 0; i < builder->peers->n && r == 0; i++) {
		r = note_peer(builder, side, i);
		for (size_t k = 0; k < builder->objects->n && r == 0; k++)
			r = file_pair(builder, side, (uint32_t)number, i, k);
	}
	return r;
}

static int compare_ids(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Make a list of the items of each pair, in the order in which they were filed. */
static int close_side(struct builder *builder, struct index_side *side)
{
	uint64_t first = 0, *list;

	if (side->n_groups)
		qsort(side->groups, side->n_groups, sizeof(*side->groups), compare_ids);
	side->n_entries = builder->n_items;
	side->entries = calloc(MAX(side->n_entries, (size_t)1), sizeof(*side->entries));
	if (!side->entries)
		return -ENOMEM;
	for (size_t i = 0; i < builder->n_items; i++) {
		list = keymap_add(&side->pairs, builder->items[i].pair);
		if (!list)
			return -ENOMEM;
		++*list;
	}
	for (size_t i = 0; i < side->pairs.n_slots; i++) {
		const uint64_t n = side->pairs.slots[i].value;

		side->pairs.slots[i].value = first << 32;
		first += n;
	}
	for (size_t i = 0; i < builder->n_items; i++) {
		list = keymap_add(&side->pairs, builder->items[i].pair);
		side->entries[(*list >> 32) + (uint32_t)*list] = builder->items[i].entry;
		++*list;
	}
	builder->n_items = 0;
	return 0;
}

/* Bits of the verbs with that kind of object. */
static uint32_t verbs_of(enum match_kind kind)
{
	uint32_t verbs = 0;

	for (int verb = 0; verb < POLICY_VERBS; verb++)
		if (match_kind((enum policy_verb)verb) == kind)
			verbs |= 1u << verb;
	return verbs;
}

static int build_side(struct builder *builder, bool allow, enum match_kind kind)
{
	const struct policy_rules *rules =
		allow ? &builder->policy->allows : &builder->policy->denies;
	struct index_side *side = &builder->index->sides[allow][kind];
	const uint32_t verbs = verbs_of(kind);
	int r = 0;

	for (size_t i = 0; i < rules->n && r == 0; i++) {
		if (!(rules->items[i].verbs & verbs))
			continue;
		choose_peers(builder, &rules->items[i]);
		choose_objects(builder, &rules->items[i], kind);
		r = file_rule(builder, side, i);
	}
	return r < 0 ? r : close_side(builder, side);
}

static bool is_for_everyone(const struct policy_rule *rule)
{
	for (int fact = 0; fact < IDENTITY_FACTS; fact++)
		if (rule->facts[fact].n)
			return false;
	return rule->any_user && rule->any_group;
}

/* Do both ask the same of the peer? */
static bool ask_the_same(const struct policy *policy, const struct policy_rule *a,
	const struct policy_rule *b)
{
	bool same = a->any_user == b->any_user && a->any_group == b->any_group &&
		    a->users.n == b->users.n && a->groups.n == b->groups.n;

	for (uint32_t i = 0; i < a->users.n && same; i++)
		same = policy->ids[a->users.first + i] == policy->ids[b->users.first + i];
	for (uint32_t i = 0; i < a->groups.n && same; i++)
		same = policy->ids[a->groups.first + i] == policy->ids[b->groups.first + i];
	for (int fact = 0; fact < IDENTITY_FACTS && same; fact++) {
		const char *x = policy->texts + a->facts[fact].first;
		const char *y = policy->texts + b->facts[fact].first;

		same = a->facts[fact].n == b->facts[fact].n;
		for (uint32_t i = 0; i < a->facts[fact].n && same; i++) {
			same = strcmp(x, y) == 0;
			x += strlen(x) + 1;
			y += strlen(y) + 1;
		}
	}
	return same;
}

/* A user with ten thousand rules, one for each channel, has one budget: so a rule that would add
 * nothing to the one before it is left out. @before: a peer's key -> the rule before it, from 1. */
static int file_budget(struct builder *builder, size_t number, struct keymap *before)
{
	const struct policy_rule *rules = builder->policy->allows.items;
	uint64_t *last;

	choose_peers(builder, &rules[number]);
	if (builder->peers->n == 0)
		return 0;
	key_any_object(builder, builder->objects);
	last = keymap_add(before, builder->peers->keys[0].hash);
	if (!last)
		return -ENOMEM;
	if (*last && ask_the_same(builder->policy, &rules[*last - 1], &rules[number]) &&
		index_is_within(&rules[number].limits, &rules[*last - 1].limits))
		return 0;
	*last = number + 1;
	return file_rule(builder, &builder->index->budget, number);
}

static int build_budget(struct builder *builder)
{
	const struct policy_rules *rules = &builder->policy->allows;
	struct policy_index *index = builder->index;
	struct keymap before = {.n = 0};
	int r = 0;

	for (size_t i = 0; i < rules->n && r == 0; i++) {
		if (!(rules->items[i].verbs & 1u << POLICY_OPEN))
			continue;
		if (is_for_everyone(&rules->items[i])) {
			index->has_everyone = true;
			index_add_limits(&index->everyone, &rules->items[i].limits);
		} else {
			r = file_budget(builder, i, &before);
		}
	}
	keymap_deinit(&before);
	return r < 0 ? r : close_side(builder, &index->budget);
}

static int build(struct builder *builder)
{
	int r = count_rules(builder, &builder->policy->denies);

	if (r == 0)
		r = count_rules(builder, &builder->policy->allows);
	for (int kind = 0; kind < MATCH_KINDS && r == 0; kind++) {
		r = build_side(builder, false, (enum match_kind)kind);
		if (r == 0)
			r = build_side(builder, true, (enum match_kind)kind);
	}
	return r < 0 ? r : build_budget(builder);
}

int policy_index_new(struct policy *policy)
{
	struct builder *builder = calloc(1, sizeof(*builder));
	int r;

	if (!builder)
		return -ENOMEM;
	policy->index = calloc(1, sizeof(*policy->index));
	builder->policy = policy;
	builder->index = policy->index;
	builder->peers = &builder->lists[0];
	builder->objects = &builder->lists[1];
	builder->other = &builder->lists[2];
	r = policy->index ? build(builder) : -ENOMEM;
	keymap_deinit(&builder->counts);
	free(builder->items);
	free(builder);
	return r;
}

static void side_deinit(struct index_side *side)
{
	keymap_deinit(&side->peers);
	keymap_deinit(&side->pairs);
	free(side->entries);
	free(side->groups);
}

struct policy_index *policy_index_free(struct policy_index *index)
{
	if (!index)
		return NULL;
	for (int kind = 0; kind < MATCH_KINDS; kind++) {
		side_deinit(&index->sides[false][kind]);
		side_deinit(&index->sides[true][kind]);
	}
	side_deinit(&index->budget);
	free(index);
	return NULL;
}
