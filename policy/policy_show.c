// SPDX-License-Identifier: MIT
#include "policy/policy.h"
#include "policy/show.h"

struct json_object *show_put(struct show *show, struct json_object *parent, const char *key,
	struct json_object *child)
{
	if (parent && child && json_object_object_add(parent, key, child) == 0)
		return child;
	json_object_put(child);
	show->failed = true;
	return NULL;
}

struct json_object *show_append(struct show *show, struct json_object *list,
	struct json_object *child)
{
	if (list && child && json_object_array_add(list, child) == 0)
		return child;
	json_object_put(child);
	show->failed = true;
	return NULL;
}

void show_text(struct show *show, struct json_object *parent, const char *key, uint32_t offset)
{
	show_put(show, parent, key, json_object_new_string(show->policy->texts + offset));
}

void show_place(struct show *show, struct json_object *parent, uint32_t file, uint32_t line)
{
	show_text(show, parent, "file", file);
	show_put(show, parent, "line", json_object_new_int64(line));
}

static void show_rules(struct show *show, struct json_object *list,
	const struct policy_rules *rules, bool allow)
{
	for (size_t i = 0; !show->failed && i < rules->n; i++)
		show_rule(show, list, &rules->items[i], allow);
}

struct json_object *policy_show(const struct policy *policy)
{
	struct show show = {.policy = policy};
	struct json_object *root = json_object_new_object(), *rules, *devices, *domains;

	show_put(&show, root, "version", json_object_new_int64(1));
	rules = show_put(&show, root, "rules", json_object_new_array());
	show_rules(&show, rules, &policy->denies, false);
	show_rules(&show, rules, &policy->allows, true);
	devices = show_put(&show, root, "devices", json_object_new_array());
	for (size_t i = 0; i < policy->n_devices; i++)
		show_device(&show, devices, &policy->devices[i]);
	domains = show_put(&show, root, "domains", json_object_new_array());
	for (size_t i = 0; i < policy->n_domains; i++)
		show_domain(&show, domains, &policy->domains[i]);
	if (!show.failed)
		return root;
	json_object_put(root);
	return NULL;
}
