// SPDX-License-Identifier: MIT
/* What a policy says of protection domains, and which rule means which. */
#include <json-c/json.h>
#include <string.h>

#include "policy/compiled.h"
#include "policy/policy.h"
#include "policy/reader.h"

const struct policy_domain POLICY_DOMAIN_DEFAULT = {
	.name = "(default)",
	.kind = POLICY_DOMAIN_USER,
	.hang = POLICY_HANG_TEARDOWN,
	.files = 32,
	.file_bytes = 16ull << 20,
	.memory = 64ull << 20,
};

int policy_add_domain(struct policy *policy, const struct policy_domain_entry *domain)
{
	struct policy_domain_entry *domains = policy_reserve(policy->domains, &policy->domains_room,
		policy->n_domains + 1, sizeof(*domains));

	if (!domains)
		return -ENOMEM;
	policy->domains = domains;
	domains[policy->n_domains++] = *domain;
	return 0;
}

static bool same_dirs(const struct policy_domain *a, const struct policy_domain *b)
{
	if (a->n_dirs != b->n_dirs)
		return false;
	for (size_t i = 0; i < a->n_dirs; i++)
		if (a->dirs[i].writable != b->dirs[i].writable ||
			strcmp(a->dirs[i].path, b->dirs[i].path) != 0)
			return false;
	return true;
}

bool policy_domain_equal(const struct policy_domain *a, const struct policy_domain *b)
{
	return a == b || (strcmp(a->name, b->name) == 0 && a->kind == b->kind &&
				 a->is_signed == b->is_signed && a->own_modules == b->own_modules &&
				 a->device_memory == b->device_memory && a->hang == b->hang &&
				 a->files == b->files && a->file_bytes == b->file_bytes &&
				 a->memory == b->memory && same_dirs(a, b));
}

uint32_t policy_find_domain(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n_domains; i++)
		if (strcmp(policy->texts + policy->domains[i].name, name) == 0)
			return (uint32_t)i + 1;
	return 0;
}

static int find_own(const struct policy *policy, struct policy_rule *rule,
	struct policy_note *error)
{
	const char *name = policy->texts + rule->domain.name;

	if (!rule->domain.name)
		return 0;
	rule->domain_number = policy_find_domain(policy, name);
	if (rule->domain_number)
		return 0;
	policy_note(error, policy->texts + rule->file, rule->domain.line, rule->domain.column,
		"there is no domain \"%s\"", name);
	return -EINVAL;
}

/* Sessions that share a domain must agree on what it is. @firsts knows by each name of a shared
 * domain the first rule that has it. */
static int check_sharing(const struct policy *policy, const struct policy_rule *rule,
	struct json_object *firsts, struct policy_note *error)
{
	const char *texts = policy->texts, *name = texts + rule->share_domain.name;
	const struct policy_rule *first;
	struct json_object *index;

	if (!rule->share_domain.name)
		return 0;
	if (!json_object_object_get_ex(firsts, name, &index)) {
		index = json_object_new_int64(rule - policy->allows.items);
		if (index && json_object_object_add(firsts, name, index) == 0)
			return 0;
		json_object_put(index);
		return -ENOMEM;
	}
	first = &policy->allows.items[json_object_get_int64(index)];
	if (rule->domain_number == first->domain_number)
		return 0;
	policy_note(error, texts + rule->file, rule->share_domain.line, rule->share_domain.column,
		"rule %s cannot share this with rule %s, whose \"domain\" is another (%s:%u)",
		texts + rule->name, texts + first->name, texts + first->file, first->line);
	return -EINVAL;
}

int policy_resolve(struct policy *policy, struct policy_note *error)
{
	struct json_object *firsts = json_object_new_object();
	int r = firsts ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < policy->allows.n; i++) {
		struct policy_rule *rule = &policy->allows.items[i];

		r = find_own(policy, rule, error);
		if (r == 0)
			r = check_sharing(policy, rule, firsts, error);
	}
	json_object_put(firsts);
	return r;
}

void policy_seal_domains(struct policy *policy)
{
	for (size_t i = 0; i < policy->n_domains; i++) {
		const struct policy_domain_entry *entry = &policy->domains[i];
		struct policy_domain *domain = &policy->domains[i].domain;

		domain->name = policy->texts + entry->name;
		domain->n_dirs = entry->dirs.n;
		if (domain->n_dirs)
			domain->dirs = policy->dirs + entry->dirs.first;
	}
}
