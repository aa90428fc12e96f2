// SPDX-License-Identifier: MIT
#include "daemon/user.h"

#include <assert.h>
#include <string.h>

#include "daemon/broker.h"
#include "daemon/limits.h"
#include "protocol/wire.h"

struct rule_use {
	struct list link; /* user->rules */
	char rule[DSP_RULE_SIZE];
	uint32_t sessions;
};

static void forget(struct user *user)
{
	list_remove(&user->link);
	free(user);
}

/* Users who left are kept while there is something to remember about them: else one who connects
 * again and again could cause log lines without end. */
static struct user *find(struct broker *broker, uid_t uid)
{
	struct user *user, *following, *found = NULL;

	list_for_each_safe (user, following, &broker->users, link) {
		if (user->uid == uid)
			found = user;
		else if (!user->refs && log_quiet(&user->log, broker_now(broker)) &&
			 log_quiet(&user->dsp_log.bucket, broker_now(broker)))
			forget(user);
	}
	return found;
}

int user_get(struct user **out, struct broker *broker, uid_t uid)
{
	struct user *user = find(broker, uid);

	if (user) {
		user->refs++;
		*out = user;
		return 0;
	}
	user = calloc(1, sizeof(*user));
	if (!user)
		return -ENOMEM;
	user->uid = uid;
	user->refs = 1;
	user->dsp_log = LOG_SHARED_INIT;
	user->quota = (struct quota){
		.parent = &broker->quota,
		.owner = "user",
		.limit =
			{
				[QUOTA_CLIENTS] = LIMIT_USER_CLIENTS,
				[QUOTA_SESSIONS] = LIMIT_USER_SESSIONS,
				[QUOTA_FDS] =
					MIN(LIMIT_USER_FDS, broker->quota.limit[QUOTA_FDS] / 2),
				[QUOTA_CALLS] = LIMIT_USER_CALLS,
			},
	};
	list_init(&user->rules);
	list_init(&user->sessions);
	list_append(&broker->users, &user->link);
	*out = user;
	return 0;
}

struct user *user_put(struct user *user)
{
	if (!user || --user->refs)
		return NULL;
	assert(list_empty(&user->rules));
	return NULL;
}

void user_forget_all(struct broker *broker)
{
	struct user *user, *following;

	list_for_each_safe (user, following, &broker->users, link)
		forget(user);
}

void user_set_budget(struct user *user, const struct policy_limits *budget)
{
	uint64_t *limit = user->quota.limit;

	limit[QUOTA_BUFFERS] = MAX(limit[QUOTA_BUFFERS],
		budget->buffers ? (uint64_t)budget->buffers : LIMIT_USER_BUFFERS);
	limit[QUOTA_BYTES] =
		MAX(limit[QUOTA_BYTES], budget->bytes ? budget->bytes : LIMIT_USER_BYTES);
}

static struct rule_use *rule_find(struct user *user, const char *rule)
{
	struct rule_use *use;

	list_for_each (use, &user->rules, link)
		if (strncmp(use->rule, rule, sizeof(use->rule) - 1) == 0)
			return use;
	return NULL;
}

int user_rule_charge(struct user *user, const char *rule, uint32_t limit)
{
	struct rule_use *use = rule_find(user, rule);

	if (!use) {
		use = calloc(1, sizeof(*use));
		if (!use)
			return -ENOMEM;
		wire_string_set(use->rule, sizeof(use->rule), rule);
		list_append(&user->rules, &use->link);
	}
	if (use->sessions >= limit)
		return -EDQUOT;
	use->sessions++;
	return 0;
}

void user_rule_release(struct user *user, const char *rule)
{
	struct rule_use *use = rule_find(user, rule);

	assert(use && use->sessions);
	if (--use->sessions)
		return;
	list_remove(&use->link);
	free(use);
}
