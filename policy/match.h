// SPDX-License-Identifier: MIT
/* Inside of policy/ only: does this rule match that question? */
#ifndef DSP_MATCH_H
#define DSP_MATCH_H

#include "policy/compiled.h"

/* What the object of a verb is, and so what of a rule's channel globs it is compared with. */
enum match_kind {
	MATCH_CHANNEL, /* all of them */
	MATCH_DEVICE,  /* what stands before their '/' */
	MATCH_NOTHING, /* nothing: channels do not count */
	MATCH_KINDS,
};

enum match_kind match_kind(enum policy_verb verb);

/* A question to a policy. Borrows all that it points to. */
struct match {
	const struct policy *policy;
	const struct identity *who;
	enum policy_verb verb;
	const char *object; /* never NULL */
	bool ascending;     /* the peer's supplementary groups are, so they can be searched */
};

/* @object may be NULL. */
void match_init(struct match *out, const struct policy *policy, const struct identity *who,
	enum policy_verb verb, const char *object);

/* Sort what is searched here. Each rule's lists, when nothing more is added to the policy. */
void match_seal(struct policy *policy);

/* All of the rule, and if it does not match, why: the first thing that is not so. @fact, if it is a
 * fact, tells which. */
enum policy_reason match_rule(const struct match *match, const struct policy_rule *rule,
	enum identity_fact *fact);

/* Parts of it. Is the rule for such a peer? */
bool match_peer(const struct match *match, const struct policy_rule *rule);
/* For that verb? */
bool match_verb(const struct match *match, const struct policy_rule *rule);
/* With that object? */
bool match_channels(const struct match *match, const struct policy_rule *rule);
/* With this one of its channel globs? */
bool match_object(const struct match *match, const char *glob);

#endif
