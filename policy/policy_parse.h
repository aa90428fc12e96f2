// SPDX-License-Identifier: MIT
/* Inside of policy/ only: texts -> rules of a policy that is being built. */
#ifndef DSP_POLICY_PARSE_H
#define DSP_POLICY_PARSE_H

#include "policy/policy.h"
#include "policy/userdb.h"

struct json_object;

struct policy_builder {
	struct policy *policy;     /* owned until it is taken */
	struct json_object *names; /* owned: each rule's name -> "FILE:LINE", of all files so far */
	struct userdb userdb;      /* for all files */
	struct policy_note *error;
	void (*warn)(const struct policy_note *note, void *userdata); /* may be NULL */
	void *userdata;
};

/* Begin with an empty policy and an empty *@error. Returns 0 or -ENOMEM; in either case the
 * builder must be given to policy_builder_end(). */
int policy_builder_begin(struct policy_builder *out, struct policy_note *error,
	void (*warn)(const struct policy_note *note, void *userdata), void *userdata);

/* Add what is in one file. Returns 0, -EINVAL with the error filled, or another -errno. */
int policy_builder_add(struct policy_builder *builder, const char *file, const char *text,
	size_t size);

/* Free what is left. When @r is 0, and what rules refer to is there, the policy goes to *@out; else
 * the error gets a text, if it has none yet. Returns @r, or what is wrong with the whole. */
int policy_builder_end(struct policy_builder *builder, int r, struct policy **out);

#endif
