// SPDX-License-Identifier: MIT
#include "daemon/user.h"

#include <string.h>

#include "daemon/account.h"
#include "daemon/audit.h"
#include "daemon/broker.h"
#include "daemon/limits.h"

static void forget(struct user *user)
{
	audit_forgotten(user);
	list_remove(&user->link);
	account_forget_all(user);
	free(user->unit);
	free(user);
}

/* Is there nothing to remember about it? */
static bool is_quiet(struct user *user, struct loop *loop)
{
	uint64_t now = loop_now(loop);

	return !user->refs && log_quiet(&user->log, now) && log_quiet(&user->dsp_log.bucket, now) &&
	       account_forget(user, loop_now_ns(loop));
}

/* Users who left are kept while there is something to remember about them: else one who connects
 * again and again could cause log lines without end. */
static struct user *find(struct broker *broker, uid_t uid, const char *unit)
{
	struct user *user, *following, *found = NULL;

	list_for_each_safe (user, following, &broker->users, link) {
		if (user->uid == uid && strcmp(user->unit, unit) == 0)
			found = user;
		else if (is_quiet(user, broker->loop))
			forget(user);
	}
	return found;
}

static void init_quota(struct user *user, struct quota *parent)
{
	user->quota = (struct quota){
		.parent = parent,
		.owner = *user->unit ? "unit" : "user",
		.limit =
			{
				[QUOTA_CLIENTS] = LIMIT_USER_CLIENTS,
				[QUOTA_SESSIONS] = LIMIT_USER_SESSIONS,
				[QUOTA_FDS] = MIN(LIMIT_USER_FDS, parent->limit[QUOTA_FDS] / 2),
				[QUOTA_CALLS] = LIMIT_USER_CALLS,
			},
	};
}

int user_get(struct user **out, struct broker *broker, uid_t uid, const char *unit)
{
	struct user *user = find(broker, uid, unit);

	if (user) {
		*out = user_ref(user);
		return 0;
	}
	user = calloc(1, sizeof(*user));
	if (!user)
		return -ENOMEM;
	user->unit = strdup(unit);
	if (!user->unit) {
		free(user);
		return -ENOMEM;
	}
	user->uid = uid;
	user->refs = 1;
	user->dsp_log = LOG_SHARED_INIT;
	init_quota(user, &broker->quota);
	list_init(&user->accounts);
	list_init(&user->sessions);
	list_append(&broker->users, &user->link);
	*out = user;
	return 0;
}

struct user *user_ref(struct user *user)
{
	user->refs++;
	return user;
}

struct user *user_put(struct user *user)
{
	if (user)
		user->refs--;
	return NULL;
}

void user_forget_all(struct broker *broker)
{
	struct user *user, *following;

	list_for_each_safe (user, following, &broker->users, link)
		forget(user);
}

static uint64_t buffers_of(const struct policy_limits *budget)
{
	return budget->buffers ? (uint64_t)budget->buffers : LIMIT_USER_BUFFERS;
}

static uint64_t bytes_of(const struct policy_limits *budget)
{
	return budget->bytes ? budget->bytes : LIMIT_USER_BYTES;
}

void user_next_budget(struct user *user, const struct policy_limits *budget)
{
	user->next_buffers = MAX(user->next_buffers, buffers_of(budget));
	user->next_bytes = MAX(user->next_bytes, bytes_of(budget));
}

void user_set_budget(struct user *user, const struct policy_limits *budget)
{
	uint64_t *limit = user->quota.limit;

	limit[QUOTA_BUFFERS] = MAX(limit[QUOTA_BUFFERS], buffers_of(budget));
	limit[QUOTA_BYTES] = MAX(limit[QUOTA_BYTES], bytes_of(budget));
	user_next_budget(user, budget);
}

void user_begin_budgets(struct broker *broker)
{
	struct user *user;

	list_for_each (user, &broker->users, link)
		user->next_buffers = user->next_bytes = 0;
}

void user_end_budgets(struct broker *broker)
{
	struct user *user;

	list_for_each (user, &broker->users, link) {
		user->quota.limit[QUOTA_BUFFERS] = user->next_buffers;
		user->quota.limit[QUOTA_BYTES] = user->next_bytes;
	}
}
