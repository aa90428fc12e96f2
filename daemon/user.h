// SPDX-License-Identifier: MIT
/* One uid as the broker knows it: what all of its connections use together. */
#ifndef DSP_USER_H
#define DSP_USER_H

#include <sys/types.h>

#include "daemon/log.h"
#include "daemon/quota.h"
#include "policy/policy.h"

struct broker;

struct user {
	struct list link; /* broker->users */
	uid_t uid;
	unsigned int refs; /* connections, and protection domains */
	struct quota quota;
	struct log_bucket log;
	struct log_shared dsp_log; /* for what its protection domains say, in threads of theirs */
	struct list rules;         /* struct rule_use: sessions counted by rule */
	struct list sessions;      /* by number */
};

/* Find or make the user and take a reference. Returns 0 or -ENOMEM. */
int user_get(struct user **out, struct broker *broker, uid_t uid);
struct user *user_put(struct user *user);
/* The broker ends; nobody holds a user any more. */
void user_forget_all(struct broker *broker);

/* What policy grants this user's connections; the most generous of them counts for all. */
void user_set_budget(struct user *user, const struct policy_limits *budget);

/* Count a session under a rule. Returns 0, -EDQUOT when @limit is reached, -ENOMEM. */
int user_rule_charge(struct user *user, const char *rule, uint32_t limit);
void user_rule_release(struct user *user, const char *rule);

#endif
