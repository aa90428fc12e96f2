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
static struct user *find(struct broker *broker, uid_t uid)
{
	struct user *user, *following, *found = NULL;

	list_for_each_safe (user, following, &broker->users, link) {
		if (user->uid == uid)
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
		.owner = "user",
		.limit =
			{
				[QUOTA_CLIENTS] = LIMIT_USER_CLIENTS,
				[QUOTA_SESSIONS] = LIMIT_USER_SESSIONS,
				[QUOTA_FDS] = MIN(LIMIT_USER_FDS, parent->limit[QUOTA_FDS] / 2),
				[QUOTA_CALLS] = LIMIT_USER_CALLS,
				[QUOTA_BUFFERS] = UINT64_MAX,
				[QUOTA_BYTES] = UINT64_MAX,
			},
	};
}

int user_get(struct user **out, struct broker *broker, uid_t uid)
{
	struct user *user = find(broker, uid);

	if (user) {
		*out = user_ref(user);
		return 0;
	}
	user = calloc(1, sizeof(*user));
	if (!user)
		return -ENOMEM;
	user->uid = uid;
	user->refs = 1;
	user->dsp_log = LOG_SHARED_INIT;
	init_quota(user, &broker->quota);
	list_init(&user->units);
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

/* Units. */

static struct unit *find_unit(struct user *user, const char *name)
{
	struct unit *unit;

	list_for_each (unit, &user->units, link)
		if (strcmp(unit->name, name) == 0)
			return unit;
	return NULL;
}

int unit_get(struct unit **out, struct user *user, const char *name)
{
	struct unit *unit = find_unit(user, name);

	if (!unit) {
		unit = calloc(1, sizeof(*unit));
		if (!unit)
			return -ENOMEM;
		unit->name = strdup(name);
		if (!unit->name) {
			free(unit);
			return -ENOMEM;
		}
		unit->user = user;
		unit->quota =
			(struct quota){.parent = &user->quota, .owner = *name ? "unit" : "user"};
		for (int kind = 0; kind < QUOTA_KINDS; kind++)
			if (kind != QUOTA_BUFFERS && kind != QUOTA_BYTES)
				unit->quota.limit[kind] = UINT64_MAX;
		list_append(&user->units, &unit->link);
	}
	unit->refs++;
	*out = unit;
	return 0;
}

struct unit *unit_put(struct unit *unit)
{
	if (!unit || --unit->refs)
		return NULL;
	list_remove(&unit->link);
	free(unit->name);
	free(unit);
	return NULL;
}

/* Budgets. */

static void widen(struct budget *budget, const struct policy_limits *granted)
{
	budget->buffers = MAX(budget->buffers,
		granted->buffers ? (uint64_t)granted->buffers : LIMIT_USER_BUFFERS);
	budget->bytes = MAX(budget->bytes, granted->bytes ? granted->bytes : LIMIT_USER_BYTES);
}

static void set_budget(struct unit *unit, struct budget budget)
{
	unit->quota.limit[QUOTA_BUFFERS] = budget.buffers;
	unit->quota.limit[QUOTA_BYTES] = budget.bytes;
}

void unit_grant(struct unit *unit, const struct policy_limits *budget)
{
	struct budget now = {unit->quota.limit[QUOTA_BUFFERS], unit->quota.limit[QUOTA_BYTES]};

	widen(&now, budget);
	set_budget(unit, now);
	widen(&unit->next, budget);
}

void user_begin_budgets(struct broker *broker)
{
	struct user *user;
	struct unit *unit;

	list_for_each (user, &broker->users, link)
		list_for_each (unit, &user->units, link)
			unit->next = (struct budget){};
}

void user_end_budgets(struct broker *broker)
{
	struct user *user;
	struct unit *unit;

	list_for_each (user, &broker->users, link)
		list_for_each (unit, &user->units, link)
			set_budget(unit, unit->next);
}
