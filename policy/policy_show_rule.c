// SPDX-License-Identifier: MIT
/* Rules as JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "policy/show.h"
#include "policy/words.h"

/* No account can have this name: for a list of names of which none exists. */
#define NO_ACCOUNT "(unknown)"

/* Whom. */

static void show_ids(struct show *show, struct json_object *match, const char *key,
	struct policy_span ids)
{
	struct json_object *list = show_put(show, match, key, json_object_new_array());

	for (uint32_t i = 0; i < ids.n; i++)
		show_append(show, list, json_object_new_int64(show->policy->ids[ids.first + i]));
	if (ids.n == 0)
		show_append(show, list, json_object_new_string(NO_ACCOUNT));
}

static void show_globs(struct show *show, struct json_object *parent, const char *key,
	struct policy_span globs)
{
	struct json_object *list = show_put(show, parent, key, json_object_new_array());
	const char *glob = show->policy->texts + globs.first;

	for (uint32_t i = 0; i < globs.n; i++, glob += strlen(glob) + 1)
		show_append(show, list, json_object_new_string(glob));
}

static void show_anybody(struct show *show, struct json_object *match)
{
	struct json_object *list = show_put(show, match, "users", json_object_new_array());

	show_append(show, list, json_object_new_string("*"));
}

static void show_match(struct show *show, struct json_object *object,
	const struct policy_rule *rule)
{
	struct json_object *match = show_put(show, object, "match", json_object_new_object());

	if (!rule->any_user)
		show_ids(show, match, "users", rule->users);
	if (!rule->any_group)
		show_ids(show, match, "groups", rule->groups);
	for (int fact = 0; fact < IDENTITY_FACTS; fact++)
		if (rule->facts[fact].n)
			show_globs(show, match, identity_fact_key((enum identity_fact)fact),
				rule->facts[fact]);
	if (match && json_object_object_length(match) == 0)
		show_anybody(show, match);
}

/* What. */

static void show_verbs(struct show *show, struct json_object *object,
	const struct policy_rule *rule)
{
	struct json_object *list = show_put(show, object, "verbs", json_object_new_array());

	for (int verb = 0; verb < POLICY_VERBS; verb++)
		if (rule->verbs & 1u << verb)
			show_append(show, list,
				json_object_new_string(policy_verb_name((enum policy_verb)verb)));
}

static struct json_object *range(const struct policy_range *range)
{
	char text[POLICY_RANGE_TEXT_MAX + 1];

	if (range->first == range->last)
		return json_object_new_int64(range->first);
	snprintf(text, sizeof(text), "%" PRIu32 "-%" PRIu32, range->first, range->last);
	return json_object_new_string(text);
}

static void show_methods(struct show *show, struct json_object *object,
	const struct policy_rule *rule)
{
	struct json_object *list;

	if (!rule->methods.n)
		return;
	list = show_put(show, object, "methods", json_object_new_array());
	for (uint32_t i = 0; i < rule->methods.n; i++)
		show_append(show, list, range(&show->policy->ranges[rule->methods.first + i]));
}

/* How much. */

static void show_limit(struct show *show, struct json_object *limits, const char *key,
	uint64_t value)
{
	if (value)
		show_put(show, limits, key, json_object_new_int64((int64_t)value));
}

static void show_limits(struct show *show, struct json_object *object,
	const struct policy_limits *from)
{
	struct json_object *limits = show_put(show, object, "limits", json_object_new_object());

	show_put(show, limits, "per", json_object_new_string(words_per[from->per]));
	show_limit(show, limits, "sessions", from->sessions);
	show_limit(show, limits, "calls", from->calls);
	show_limit(show, limits, "calls_total", from->calls_total);
	show_limit(show, limits, "calls_per_s", from->calls_per_s);
	show_limit(show, limits, "burst", from->burst);
	show_limit(show, limits, "timeout_ms", from->timeout_ms);
	show_limit(show, limits, "buffers", from->buffers);
	show_limit(show, limits, "bytes", from->bytes);
	show_limit(show, limits, "messages", from->messages);
}

static void show_open(struct show *show, struct json_object *object, const struct policy_rule *rule)
{
	show_methods(show, object, rule);
	show_put(show, object, "direction",
		json_object_new_string(words_direction[rule->direction]));
	if (rule->share_domain.name)
		show_text(show, object, "share_domain", rule->share_domain.name);
	if (rule->domain.name)
		show_text(show, object, "domain", rule->domain.name);
	show_put(show, object, "exclusive", json_object_new_boolean(rule->exclusive));
	show_put(show, object, "overflow", json_object_new_string(words_overflow[rule->overflow]));
	show_put(show, object, "priority", json_object_new_string(words_priority[rule->priority]));
	show_put(show, object, "weight", json_object_new_int64(rule->weight));
	show_limits(show, object, &rule->limits);
}

void show_rule(struct show *show, struct json_object *list, const struct policy_rule *rule,
	bool allow)
{
	struct json_object *object = show_append(show, list, json_object_new_object());

	show_text(show, object, "name", rule->name);
	show_put(show, object, "action", json_object_new_string(allow ? "allow" : "deny"));
	show_match(show, object, rule);
	show_verbs(show, object, rule);
	show_globs(show, object, "channels", rule->channels);
	if (allow && (rule->verbs & 1u << POLICY_OPEN))
		show_open(show, object, rule);
	show_place(show, object, rule->file, rule->line);
}
