// SPDX-License-Identifier: MIT
/*
 * What one user (or one unit of the system, where policy counts so) uses under one rule: sessions,
 * calls in flight, and calls begun in a second. Sessions hold it, so that a call finds it at once;
 * and it is remembered without any until its bucket is full again, so that who closes and opens
 * again earns nothing by that.
 */
#ifndef DSP_ACCOUNT_H
#define DSP_ACCOUNT_H

#include "policy/policy.h"
#include "protocol/util.h"
#include "protocol/wire.h"

struct user;

struct account {
	struct list link; /* user->accounts */
	char rule[DSP_RULE_SIZE];
	char *unit;               /* owned; "": the rule counts by user */
	uint32_t sessions, calls; /* now */
	uint32_t sessions_max;
	uint32_t calls_max;   /* in flight; 0: no limit but those of its sessions */
	uint32_t calls_per_s; /* 0: no limit */
	uint64_t interval_ns; /* between two calls at that rate */
	uint64_t burst_ns;    /* how far ahead of that rate a call may come */
	uint64_t next_ns;     /* when the next one would come at that rate */
};

/* Find or make the account under that rule, of somebody in that unit (NULL: not known), which has
 * those limits from now on, and count a session. Returns 0, -EDQUOT with *@limit set to how many it
 * may have, or -ENOMEM. */
int account_open(struct account **out, struct user *user, const char *unit,
	const struct policy_decision *decision, uint64_t now_ns, uint32_t *limit);
/* The same for a session that is open, whatever the limit. Returns 0 or -ENOMEM. */
int account_move(struct account **out, struct user *user, const char *unit,
	const struct policy_decision *decision, uint64_t now_ns);
void account_close(struct account *account);

/* A call begins. Returns DSP_LIMIT_NONE with the call counted, or which limit it would break, with
 * *@limit set to its value. */
enum dsp_limit account_call(struct account *account, uint64_t now_ns, uint32_t *limit);
/* And ends. */
void account_call_done(struct account *account);

/* Forget those of a user that are as new. True: that were all. */
bool account_forget(struct user *user, uint64_t now_ns);
/* Forget them all; no session holds one. */
void account_forget_all(struct user *user);

#endif
