// SPDX-License-Identifier: MIT
/*
 * Random policies, and what policy/README.md says that they mean: a second evaluator, as simple as
 * can be, which works on the values that the policy's text is written from and knows nothing of how
 * policy/ keeps them.
 */
#ifndef DSP_TEST_POLICY_MODEL_H
#define DSP_TEST_POLICY_MODEL_H

#include "policy/policy.h"

#define MODEL_FEW   3   /* different entries of a list */
#define MODEL_MANY  32  /* entries of a list, where they are repeated */
#define MODEL_RULES 512 /* of a policy */

/* Entries as they stand in the file, without quotes; n 0: the rule has no such key. */
struct model_list {
	const char *items[MODEL_MANY];
	size_t n;
};

struct model_rule {
	bool allow;
	struct model_list users, groups, facts[IDENTITY_FACTS], verbs, channels;
	unsigned int sessions, buffers, bytes; /* 0: does not say */
	bool per_unit;
	unsigned int methods;  /* 0: does not say; else "methods": [N, "N+2-N+5"] */
	const char *direction; /* NULL: does not say */
};

struct model_policy {
	struct model_rule rules[MODEL_RULES]; /* rule i is called "rI" and stands in line i + 2 */
	size_t n;
};

struct model_peer {
	uid_t uid;
	gid_t gid;
	gid_t groups[4096];
	size_t n_groups;
	const char *facts[IDENTITY_FACTS];
};

/* Pseudo-random numbers below @n. */
unsigned int model_random(uint64_t *state, unsigned int n);

enum model_kind {
	MODEL_MIXED,
	MODEL_PLAIN, /* few conditions, so that rules often match and cover each other */
	MODEL_LONG,  /* long lists, of the same entries again and again */
	MODEL_KINDS,
};

/* @n rules. */
void model_make_policy(struct model_policy *out, size_t n, enum model_kind kind, uint64_t *state);
void model_make_peer(struct model_peer *out, uint64_t *state);
/* For that verb: NULL for POLICY_RELOAD. Sometimes nothing that exists. */
const char *model_make_object(enum policy_verb verb, uint64_t *state);

/* Borrows from it. */
struct identity model_identity(const struct model_peer *peer);

/* As a file. The caller frees it. */
char *model_text(const struct model_policy *policy);
/* Parse such a file. A rule that denies by what is read of processes gives a warning. */
struct policy *model_parse(const char *text);

/* Does the rule match? */
bool model_matches(const struct model_rule *rule, const struct model_peer *peer,
	enum policy_verb verb, const char *object);
/* The number of the rule that decides, or -1. */
int model_decide(const struct model_policy *policy, const struct model_peer *peer,
	enum policy_verb verb, const char *object);
/* Can it open anything, and with how much memory? */
struct model_budget {
	unsigned int buffers, bytes;
	bool per_unit;
};
bool model_budget(const struct model_policy *policy, const struct model_peer *peer,
	struct model_budget *out);

#endif
