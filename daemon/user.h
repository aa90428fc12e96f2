// SPDX-License-Identifier: MIT
/*
 * One uid as the broker knows it: what all of its connections use together. Buffers are counted in
 * between: where policy counts by unit, those of the user's programs in one unit of the system's
 * systemd, else those of all its other programs.
 */
#ifndef DSP_USER_H
#define DSP_USER_H

#include <sys/types.h>

#include "daemon/log.h"
#include "daemon/quota.h"
#include "policy/policy.h"

struct broker;

/* What policy grants of buffers. */
struct budget {
	uint64_t buffers, bytes;
};

struct user {
	struct list link; /* broker->users */
	uid_t uid;
	unsigned int refs;       /* connections, and protection domains */
	struct quota quota;      /* of buffers as much as its own budget and those of its units */
	struct budget own, next; /* now, and under a policy that is taking over */
	struct list units;       /* struct unit */
	struct log_bucket log;
	struct log_shared dsp_log; /* for what its protection domains say, in threads of theirs */
	struct list accounts;      /* struct account: what it uses under each rule */
	struct list sessions;      /* by number */
};

struct unit {
	struct list link; /* user->units */
	struct user *user;
	char *name;         /* "player.service", owned; "": counted by user */
	unsigned int refs;  /* connections */
	struct quota quota; /* limits buffers only */
	struct budget next; /* under a policy that is taking over */
};

/* Find or make the user and take a reference. Returns 0 or -ENOMEM. */
int user_get(struct user **out, struct broker *broker, uid_t uid);
struct user *user_ref(struct user *user);
struct user *user_put(struct user *user);
/* The broker ends; nobody holds a user any more. */
void user_forget_all(struct broker *broker);

/* The same for a unit of a user, who must be held as long. */
int unit_get(struct unit **out, struct user *user, const char *name);
struct unit *unit_put(struct unit *unit);

/* What policy grants a connection in that unit; the most generous of them counts for all. */
void unit_grant(struct unit *unit, const struct policy_limits *budget);

/* Another policy takes over: what is granted in between holds from the end on, and nothing else. */
void user_begin_budgets(struct broker *broker);
void user_end_budgets(struct broker *broker);

#endif
