// SPDX-License-Identifier: MIT
/* An explanation for machines. */
#include <ctype.h>
#include <stdio.h>

#include "client/dspctl_explain.h"

static void add_text(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, value ? json_object_new_string(value) : NULL);
}

static void add_number(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

/* "user unit" is a word for people. */
static void add_fact(struct json_object *object, enum identity_fact fact, const char *value)
{
	char key[32];

	snprintf(key, sizeof(key), "%s", identity_fact_name(fact));
	for (char *c = key; *c; c++)
		*c = *c == ' ' ? '_' : (char)tolower((unsigned char)*c);
	add_text(object, key, value);
}

static struct json_object *who_json(const struct identity *who)
{
	struct json_object *object = json_object_new_object(), *groups = json_object_new_array();

	add_number(object, "uid", who->uid);
	add_number(object, "gid", who->gid);
	for (size_t i = 0; i < who->n_groups; i++)
		json_object_array_add(groups, json_object_new_uint64(who->groups[i]));
	json_object_object_add(object, "groups", groups);
	for (int i = 0; i < IDENTITY_FACTS; i++)
		add_fact(object, (enum identity_fact)i, who->facts[i]);
	return object;
}

struct telling {
	const struct question *question;
	struct json_object *list;
};

static void tell(const struct policy_candidate *candidate, void *userdata)
{
	const struct telling *telling = userdata;
	struct json_object *object = json_object_new_object();
	char reason[DSPCTL_REASON_SIZE];

	dspctl_explain_reason(reason, telling->question, candidate);
	add_text(object, "rule", candidate->rule);
	add_text(object, "file", candidate->file);
	add_number(object, "line", candidate->line);
	add_text(object, "effect", candidate->allow ? "allow" : "deny");
	json_object_object_add(object, "matches",
		json_object_new_boolean(candidate->reason == POLICY_MATCHES));
	add_text(object, "why_not", *reason ? reason : NULL);
	json_object_array_add(telling->list, object);
}

static struct json_object *limits_json(const struct policy_limits *limits)
{
	struct json_object *object = json_object_new_object();
	struct dspctl_limit limit;

	add_text(object, "per", limits->per == POLICY_PER_UNIT ? "unit" : "user");
	for (size_t i = 0; dspctl_explain_limit(&limit, limits, i); i++)
		if (limit.value)
			add_number(object, limit.name, limit.value);
	return object;
}

static struct json_object *grant_json(const struct policy_decision *decision)
{
	struct json_object *object = json_object_new_object();
	char ranges[DSPCTL_RANGES_SIZE];

	dspctl_explain_ranges(ranges, decision);
	add_text(object, "methods", *ranges ? ranges : NULL);
	add_text(object, "direction", dspctl_direction_names[decision->direction]);
	json_object_object_add(object, "limits", limits_json(decision->limits));
	add_text(object, "domain", decision->domain->name);
	add_text(object, "share_domain", decision->share_domain);
	json_object_object_add(object, "exclusive", json_object_new_boolean(decision->exclusive));
	return object;
}

void dspctl_explain_json(const struct policy *policy, const struct question *question,
	const struct answer *answer)
{
	_cleanup_(dspctl_jsonp) struct json_object *root = json_object_new_object();
	const struct policy_decision *decision = &answer->decision;
	struct telling telling = {question, json_object_new_array()};

	policy_explain(policy, question->who, question->verb, question->object, tell, &telling);
	json_object_object_add(root, "allowed", json_object_new_boolean(answer->allowed));
	add_text(root, "verb", policy_verb_name(question->verb));
	add_text(root, "object", question->object);
	json_object_object_add(root, "method",
		question->has_method ? json_object_new_uint64(question->method) : NULL);
	add_text(root, "rule", answer->by_right ? "(administrator)" : decision->rule);
	add_text(root, "file", answer->by_right ? NULL : decision->file);
	add_number(root, "line", answer->by_right ? 0 : decision->line);
	json_object_object_add(root, "grants",
		decision->allowed && question->verb == POLICY_OPEN ? grant_json(decision) : NULL);
	json_object_object_add(root, "who", who_json(question->who));
	json_object_object_add(root, "broker_may_know_more",
		json_object_new_boolean(dspctl_explain_gaps(question->who) != GAPS_NONE));
	json_object_object_add(root, "candidates", telling.list);
	dspctl_print_json(root);
}
