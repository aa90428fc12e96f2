// SPDX-License-Identifier: MIT
/* Inside of policy/ only: a loaded policy -> JSON. */
#ifndef DSP_SHOW_H
#define DSP_SHOW_H

#include <json-c/json.h>

#include "policy/compiled.h"

/* What is being written. Memory that runs out is remembered, and looked at once, at the end. */
struct show {
	const struct policy *policy;
	bool failed;
};

/* Give @child, NULL when there was no memory for it, to @parent. Each returns it, or NULL. */
struct json_object *show_put(struct show *show, struct json_object *parent, const char *key,
	struct json_object *child);
struct json_object *show_append(struct show *show, struct json_object *list,
	struct json_object *child);
/* A text at that offset. */
void show_text(struct show *show, struct json_object *parent, const char *key, uint32_t offset);
/* Where it stands: the one thing that a file need not say. Who reads what is shown passes it over.
 */
void show_place(struct show *show, struct json_object *parent, uint32_t file, uint32_t line);

void show_rule(struct show *show, struct json_object *list, const struct policy_rule *rule,
	bool allow);
void show_device(struct show *show, struct json_object *list,
	const struct policy_device_entry *entry);
void show_domain(struct show *show, struct json_object *list,
	const struct policy_domain_entry *entry);

#endif
