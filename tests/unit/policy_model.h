// SPDX-License-Identifier: MIT
/*
 * Random policies, and what policy/README.md says that they mean: a second evaluator, as simple as
 * can be, which works on the values that the policy's text is written from and knows nothing of how
 * policy/ keeps them.
 */
#ifndef DSP_TEST_POLICY_MODEL_H
#define DSP_TEST_POLICY_MODEL_H

#include "policy/policy.h"

#define MODEL_LIST  4   /* entries of a list */
#define MODEL_RULES 512 /* of a policy */

/* Entries as they stand in the file, without quotes; n 0: the rule has no such key. */
struct model_list {
	const char *items[MODEL_LIST];
	size_t n;
};

struct model_rule {
	bool allow;
	struct model_list users, groups, facts[IDENTITY_FACTS], verbs, channels;
	unsigned int sessions, buffers; /* 0: does not say */
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

/* @n rules. With @plain, each has few conditions, so that rules often match and cover each other.
 */
void model_make_policy(struct model_policy *out, size_t n, bool plain, uint64_t *state);
void model_make_peer(struct model_peer *out, uint64_t *state);
/* For that verb: NULL for POLICY_RELOAD. Sometimes nothing that exists. */
const char *model_make_object(enum policy_verb verb, uint64_t *state);

/* Borrows from it. */
struct identity model_identity(const struct model_peer *peer);

/* As a file. The caller frees it. */
char *model_text(const struct model_policy *policy);

/* Does the rule match? */
bool model_matches(const struct model_rule *rule, const struct model_peer *peer,
	enum policy_verb verb, const char *object);
/* The number of the rule that decides, or -1. */
int model_decide(const struct model_policy *policy, const struct model_peer *peer,
	enum policy_verb verb, const char *object);
/* Can it open anything, and with how many buffers? @per_unit: is that counted by unit? */
bool model_budget(const struct model_policy *policy, const struct model_peer *peer,
	unsigned int *buffers, bool *per_unit);

#endif
