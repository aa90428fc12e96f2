// SPDX-License-Identifier: MIT
#include "policy/policy.h"

#include <stdatomic.h>
#include <string.h>

#include "policy/compiled.h"
#include "policy/match.h"
#include "policy/policy_index.h"

int policy_new(struct policy **out)
{
	_cleanup_(policy_unrefp) struct policy *policy = calloc(1, sizeof(*policy));
	uint32_t offset;
	int r;

	if (!policy)
		return -ENOMEM;
	policy->refs = 1;
	r = policy_add_text(policy, "", &offset);
	if (r < 0)
		return r;
	*out = TAKE_PTR(policy);
	return 0;
}

struct policy *policy_ref(struct policy *policy)
{
	if (policy)
		atomic_fetch_add_explicit(&policy->refs, 1, memory_order_relaxed);
	return policy;
}

struct policy *policy_unref(struct policy *policy)
{
	if (!policy || atomic_fetch_sub_explicit(&policy->refs, 1, memory_order_acq_rel) != 1)
		return NULL;
	free(policy->denies.items);
	free(policy->allows.items);
	free(policy->devices);
	free(policy->services);
	free(policy->domains);
	free(policy->dirs);
	free(policy->dir_paths);
	free(policy->ids);
	free(policy->ranges);
	free(policy->texts);
	policy_index_free(policy->index);
	free(policy);
	return NULL;
}

void *policy_reserve(void *array, size_t *room, size_t n, size_t item_size)
{
	size_t wanted = *room ? *room : 16;
	void *grown;

	if (n <= *room)
		return array;
	while (wanted < n)
		wanted *= 2;
	grown = reallocarray(array, wanted, item_size);
	if (grown)
		*room = wanted;
	return grown;
}

int policy_add_text(struct policy *policy, const char *text, uint32_t *offset)
{
	size_t size = strlen(text) + 1;
	char *texts = policy_reserve(policy->texts, &policy->texts_room, policy->n_texts + size, 1);

	if (!texts)
		return -ENOMEM;
	policy->texts = texts;
	*offset = (uint32_t)policy->n_texts;
	memcpy(texts + policy->n_texts, text, size);
	policy->n_texts += size;
	return 0;
}

int policy_add_id(struct policy *policy, uint32_t id)
{
	uint32_t *ids =
		policy_reserve(policy->ids, &policy->ids_room, policy->n_ids + 1, sizeof(*ids));

	if (!ids)
		return -ENOMEM;
	policy->ids = ids;
	ids[policy->n_ids++] = id;
	return 0;
}

int policy_add_dir(struct policy *policy, const char *path)
{
	const size_t n = policy->n_dirs + 1;
	struct policy_dir *dirs =
		policy_reserve(policy->dirs, &policy->dirs_room, n, sizeof(*dirs));
	uint32_t *paths;
	int r;

	if (!dirs)
		return -ENOMEM;
	policy->dirs = dirs;
	paths = policy_reserve(policy->dir_paths, &policy->dir_paths_room, n, sizeof(*paths));
	if (!paths)
		return -ENOMEM;
	policy->dir_paths = paths;
	r = policy_add_text(policy, path, &paths[n - 1]);
	if (r < 0)
		return r;
	dirs[n - 1] = (struct policy_dir){.writable = false};
	policy->n_dirs = n;
	return 0;
}

int policy_add_rule(struct policy *policy, bool allow, const struct policy_rule *rule)
{
	struct policy_rules *rules = allow ? &policy->allows : &policy->denies;
	struct policy_rule *items =
		policy_reserve(rules->items, &rules->room, rules->n + 1, sizeof(*items));

	if (!items)
		return -ENOMEM;
	rules->items = items;
	items[rules->n++] = *rule;
	return 0;
}

int policy_seal(struct policy *policy)
{
	for (size_t i = 0; i < policy->n_dirs; i++)
		policy->dirs[i].path = policy->texts + policy->dir_paths[i];
	policy_seal_devices(policy);
	policy_seal_domains(policy);
	match_seal(policy);
	return policy_index_new(policy);
}

size_t policy_size(const struct policy *policy)
{
	return policy->denies.n + policy->allows.n;
}

static const char *const verb_names[] = {
	[POLICY_OPEN] = "open",
	[POLICY_LIST] = "list",
	[POLICY_KICK] = "kick",
	[POLICY_START] = "start",
	[POLICY_STOP] = "stop",
	[POLICY_RELOAD] = "reload",
};
static_assert(ARRAY_SIZE(verb_names) == POLICY_VERBS, "one for each verb");

const char *policy_verb_name(enum policy_verb verb)
{
	return verb_names[verb];
}

int policy_verb_from_name(const char *name)
{
	for (int verb = 0; verb < POLICY_VERBS; verb++)
		if (strcmp(verb_names[verb], name) == 0)
			return verb;
	return -1;
}

static void grant(const struct policy *policy, const struct policy_rule *rule,
	struct policy_decision *out)
{
	out->allowed = true;
	out->limits = &rule->limits;
	out->n_methods = rule->methods.n;
	if (rule->methods.n)
		out->methods = policy->ranges + rule->methods.first;
	out->direction = rule->direction;
	if (rule->share_domain.name)
		out->share_domain = policy->texts + rule->share_domain.name;
	out->domain = rule->domain_number ? &policy->domains[rule->domain_number - 1].domain
					  : &POLICY_DOMAIN_DEFAULT;
	out->exclusive = rule->exclusive;
	out->overflow = rule->overflow;
	out->priority = rule->priority;
	out->weight = rule->weight;
}

void policy_decide(const struct policy *policy, const struct identity *who, enum policy_verb verb,
	const char *object, struct policy_decision *out)
{
	const struct policy_rule *denies, *rule;
	struct match match;

	*out = (struct policy_decision){.rule = "(default)"};
	match_init(&match, policy, who, verb, object);
	denies = policy_index_find(&match, false);
	rule = denies ? denies : policy_index_find(&match, true);
	if (!rule)
		return;
	out->rule = policy->texts + rule->name;
	out->file = policy->texts + rule->file;
	out->line = rule->line;
	if (!denies)
		grant(policy, rule, out);
}

bool policy_budget(const struct policy *policy, const struct identity *who,
	struct policy_limits *out)
{
	struct match match;

	match_init(&match, policy, who, POLICY_OPEN, NULL);
	return policy_index_budget(&match, out);
}

bool policy_allows_method(const struct policy_range *ranges, size_t n, uint32_t method)
{
	if (method > POLICY_METHOD_PLAIN)
		return !n || (ranges[n - 1].last == UINT32_MAX &&
				     ranges[n - 1].first <= POLICY_METHOD_PLAIN + 1);
	for (size_t i = 0; i < n; i++)
		if (method <= ranges[i].last)
			return method >= ranges[i].first;
	return !n;
}
