// SPDX-License-Identifier: MIT
/* One uid as the broker knows it, or, where policy counts so, one uid in one unit of the system's
 * systemd: what all of its connections use together. */
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
	char *unit;        /* owned; "": the uid's connections that are not counted by unit */
	unsigned int refs; /* connections, and protection domains */
	struct quota quota;
	struct log_bucket log;
	struct log_shared dsp_log; /* for what its protection domains say, in threads of theirs */
	struct list accounts;      /* struct account: what it uses under each rule */
	struct list sessions;      /* by number */
	uint64_t next_buffers, next_bytes; /* limits under a policy that is taking over */
};

/* Find or make the user and take a reference. Returns 0 or -ENOMEM. */
int user_get(struct user **out, struct broker *broker, uid_t uid, const char *unit);
struct user *user_ref(struct user *user);
struct user *user_put(struct user *user);
/* The broker ends; nobody holds a user any more. */
void user_forget_all(struct broker *broker);

/* What policy grants this user's connections; the most generous of them counts for all. */
void user_set_budget(struct user *user, const struct policy_limits *budget);

/* Another policy takes over: what it grants is gathered beside what holds, and then holds. */
void user_begin_budgets(struct broker *broker);
void user_next_budget(struct user *user, const struct policy_limits *budget);
void user_end_budgets(struct broker *broker);

#endif
