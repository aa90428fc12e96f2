// SPDX-License-Identifier: MIT
/* What `dspctl policy explain` is asked, what it answers, and the two ways in which it says so. */
#ifndef DSPCTL_EXPLAIN_H
#define DSPCTL_EXPLAIN_H

#include "client/dspctl.h"
#include "policy/policy.h"

struct question {
	const struct identity *who;
	enum policy_verb verb;
	const char *object; /* NULL: the verb has none */
	bool has_method;
	uint32_t method;
};

struct answer {
	bool allowed;
	bool by_right;      /* no rule is needed: it is root who asks */
	bool method_denied; /* the rule allows it, but not that method */
	struct policy_decision decision;
};

void dspctl_explain_text(const struct policy *policy, const struct question *question,
	const struct answer *answer);
void dspctl_explain_json(const struct policy *policy, const struct question *question,
	const struct answer *answer);

/* Why a rule does not match, as a part of a sentence; "" when it does. */
#define DSPCTL_REASON_SIZE 512
void dspctl_explain_reason(char out[DSPCTL_REASON_SIZE], const struct question *question,
	const struct policy_candidate *candidate);
/* Why the broker may know more of who asks than is known here. */
enum gaps {
	GAPS_NONE,
	GAPS_OF_USER,   /* it is a user, not a process */
	GAPS_OF_RIGHTS, /* it is a process that this user may not look at */
};
enum gaps dspctl_explain_gaps(const struct identity *who);
/* "2-5, 7"; "" when there are none. */
#define DSPCTL_RANGES_SIZE 2048
void dspctl_explain_ranges(char out[DSPCTL_RANGES_SIZE], const struct policy_decision *decision);
/* A limit by number, for both: returns false when there is no such number. */
struct dspctl_limit {
	const char *name; /* as in the files */
	uint64_t value;   /* 0: the rule does not say */
};
bool dspctl_explain_limit(struct dspctl_limit *out, const struct policy_limits *limits, size_t i);

extern const char *const dspctl_direction_names[];

#endif
