// SPDX-License-Identifier: MIT
/*
 * Inside of policy/ only: which rules may match a question, without asking all of them.
 *
 * A rule is filed under pairs of keys (keys.h): one of the peer, by the one condition of the rule
 * that the fewest rules have in common with it, and one of the object. To find rules, the pairs
 * that the peer and the object have are looked up, and what is filed there is asked whether it
 * matches. So an answer never depends on the index, only the time that it takes.
 */
#ifndef DSP_POLICY_INDEX_H
#define DSP_POLICY_INDEX_H

#include "policy/match.h"

/* Of a policy to which nothing more is added. Returns 0, and policy->index, or -ENOMEM. */
int policy_index_new(struct policy *policy);
/* NULL-safe. Returns NULL. */
struct policy_index *policy_index_free(struct policy_index *index);

/* The first denying or the first allowing rule that matches, or NULL. */
const struct policy_rule *policy_index_find(const struct match *match, bool allow);

/* All that policy_budget() is about. */
bool policy_index_budget(const struct match *match, struct policy_limits *out);

#endif
