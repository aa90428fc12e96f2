// SPDX-License-Identifier: MIT
#include "policy/policy.h"

#include <string.h>

#include "policy/compiled.h"

int policy_new(struct policy **out)
{
	_cleanup_(policy_freep) struct policy *policy = calloc(1, sizeof(*policy));
	uint32_t offset;
	int r;

	if (!policy)
		return -ENOMEM;
	r = policy_add_text(policy, "", &offset);
	if (r < 0)
		return r;
	*out = TAKE_PTR(policy);
	return 0;
}

struct policy *policy_free(struct policy *policy)
{
	if (!policy)
		return NULL;
	free(policy->denies.items);
	free(policy->allows.items);
	free(policy->devices);
	free(policy->services);
	free(policy->domains);
	free(policy->dirs);
	free(policy->dir_paths);
	free(policy->ids);
	free(policy->texts);
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

void policy_seal(struct policy *policy)
{
	for (size_t i = 0; i < policy->n_dirs; i++)
		policy->dirs[i].path = policy->texts + policy->dir_paths[i];
	policy_seal_devices(policy);
	policy_seal_domains(policy);
}

size_t policy_size(const struct policy *policy)
{
	return policy->denies.n + policy->allows.n;
}

bool policy_glob(const char *glob, const char *channel)
{
	const char *after_star = NULL; /* of the last star, the only one worth going back to */
	const char *taken = NULL;      /* where what that star stands for ends */

	for (;;) {
		if (*glob == '*') {
			after_star = ++glob;
			taken = channel;
		} else if (*channel && (*glob == *channel || (*glob == '?' && *channel != '/'))) {
			glob++;
			channel++;
		} else if (!*glob && !*channel) {
			return true;
		} else if (after_star && *taken && *taken != '/') {
			glob = after_star;
			channel = ++taken;
		} else {
			return false;
		}
	}
}

static bool user_matches(const struct policy *policy, const struct policy_rule *rule, uid_t uid)
{
	for (uint32_t i = 0; i < rule->users.n; i++)
		if (policy->ids[rule->users.first + i] == uid)
			return true;
	return rule->any_user;
}

static bool group_matches(const struct policy *policy, const struct policy_rule *rule,
	const struct identity *who)
{
	for (uint32_t i = 0; i < rule->groups.n; i++)
		if (identity_in_group(who, policy->ids[rule->groups.first + i]))
			return true;
	return rule->any_group;
}

static bool peer_matches(const struct policy *policy, const struct policy_rule *rule,
	const struct identity *who)
{
	return user_matches(policy, rule, who->uid) && group_matches(policy, rule, who);
}

static bool channel_matches(const struct policy *policy, const struct policy_rule *rule,
	const char *channel)
{
	const char *glob = policy->texts + rule->channels.first;

	for (uint32_t i = 0; i < rule->channels.n; i++, glob += strlen(glob) + 1)
		if (policy_glob(glob, channel))
			return true;
	return false;
}

/* The first rule that matches, or NULL. */
static const struct policy_rule *find(const struct policy *policy, const struct policy_rules *rules,
	const struct identity *who, const char *channel)
{
	for (size_t i = 0; i < rules->n; i++) {
		const struct policy_rule *rule = &rules->items[i];

		if (peer_matches(policy, rule, who) && channel_matches(policy, rule, channel))
			return rule;
	}
	return NULL;
}

void policy_decide(const struct policy *policy, const struct identity *who, const char *channel,
	struct policy_decision *out)
{
	const struct policy_rule *rule = find(policy, &policy->denies, who, channel);
	bool denied = rule;

	*out = (struct policy_decision){.rule = "(default)"};
	if (!rule)
		rule = find(policy, &policy->allows, who, channel);
	if (!rule)
		return;
	out->rule = policy->texts + rule->name;
	out->file = policy->texts + rule->file;
	out->line = rule->line;
	if (denied)
		return;
	out->allowed = true;
	out->limits = &rule->limits;
	out->exclusive = rule->exclusive;
	out->overflow = rule->overflow;
	out->priority = rule->priority;
	out->weight = rule->weight;
	if (rule->share_domain.name)
		out->share_domain = policy->texts + rule->share_domain.name;
	out->domain = rule->domain_number ? &policy->domains[rule->domain_number - 1].domain
					  : &POLICY_DOMAIN_DEFAULT;
}

bool policy_budget(const struct policy *policy, const struct identity *who,
	struct policy_limits *out)
{
	bool matched = false;

	*out = (struct policy_limits){0};
	for (size_t i = 0; i < policy->allows.n; i++) {
		const struct policy_rule *rule = &policy->allows.items[i];
		const struct policy_limits *limits = &rule->limits;

		if (!peer_matches(policy, rule, who))
			continue;
		matched = true;
		out->sessions = MAX(out->sessions, limits->sessions);
		out->calls = MAX(out->calls, limits->calls);
		out->timeout_ms = MAX(out->timeout_ms, limits->timeout_ms);
		out->buffers = MAX(out->buffers, limits->buffers);
		out->bytes = MAX(out->bytes, limits->bytes);
		out->messages = MAX(out->messages, limits->messages);
	}
	return matched;
}
