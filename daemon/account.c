// SPDX-License-Identifier: MIT
#include "daemon/account.h"

#include <assert.h>
#include <string.h>

#include "daemon/limits.h"
#include "daemon/user.h"

#define SECOND_NS 1000000000ull

static void drop(struct account *account)
{
	list_remove(&account->link);
	free(account->unit);
	free(account);
}

/* Nothing would be lost with it. */
static bool is_new(const struct account *account, uint64_t now_ns)
{
	return !account->sessions && !account->calls && account->next_ns <= now_ns;
}

bool account_forget(struct user *user, uint64_t now_ns)
{
	struct account *account, *following;

	list_for_each_safe (account, following, &user->accounts, link)
		if (is_new(account, now_ns))
			drop(account);
	return list_empty(&user->accounts);
}

void account_forget_all(struct user *user)
{
	struct account *account, *following;

	list_for_each_safe (account, following, &user->accounts, link) {
		assert(!account->sessions);
		drop(account);
	}
}

static struct account *find(struct user *user, const char *rule, const char *unit)
{
	struct account *account;

	list_for_each (account, &user->accounts, link)
		if (strcmp(account->rule, rule) == 0 && strcmp(account->unit, unit) == 0)
			return account;
	return NULL;
}

static void set_limits(struct account *account, const struct policy_limits *limits, uint64_t now_ns)
{
	uint32_t rate = limits->calls_per_s, burst = limits->burst ? limits->burst : rate;

	account->sessions_max = limits->sessions ? limits->sessions : LIMIT_RULE_SESSIONS;
	account->calls_max = limits->calls_total;
	account->calls_per_s = rate;
	account->interval_ns = rate ? SECOND_NS / rate : 0;
	account->burst_ns = burst ? (burst - 1) * account->interval_ns : 0;
	/* What was spent at another rate is no more than a burst of this one. */
	account->next_ns = MIN(account->next_ns, now_ns + account->burst_ns + account->interval_ns);
}

static int make(struct account **out, struct user *user, const char *rule, const char *unit)
{
	struct account *account = calloc(1, sizeof(*account));

	if (!account)
		return -ENOMEM;
	account->unit = strdup(unit);
	if (!account->unit) {
		free(account);
		return -ENOMEM;
	}
	wire_string_set(account->rule, sizeof(account->rule), rule);
	list_append(&user->accounts, &account->link);
	*out = account;
	return 0;
}

/* Find or make it. Returns 0 or -ENOMEM. */
static int get(struct account **out, struct user *user, const char *unit,
	const struct policy_decision *decision, uint64_t now_ns)
{
	const char *payer = decision->limits->per == POLICY_PER_UNIT && unit ? unit : "";
	int r = 0;

	account_forget(user, now_ns);
	*out = find(user, decision->rule, payer);
	if (!*out)
		r = make(out, user, decision->rule, payer);
	if (r == 0)
		set_limits(*out, decision->limits, now_ns);
	return r;
}

int account_open(struct account **out, struct user *user, const char *unit,
	const struct policy_decision *decision, uint64_t now_ns, uint32_t *limit)
{
	struct account *account;
	int r = get(&account, user, unit, decision, now_ns);

	if (r < 0)
		return r;
	*limit = account->sessions_max;
	if (account->sessions >= account->sessions_max)
		return -EDQUOT;
	account->sessions++;
	*out = account;
	return 0;
}

int account_move(struct account **out, struct user *user, const char *unit,
	const struct policy_decision *decision, uint64_t now_ns)
{
	int r = get(out, user, unit, decision, now_ns);

	if (r == 0)
		(*out)->sessions++;
	return r;
}

void account_close(struct account *account)
{
	assert(account->sessions);
	account->sessions--;
}

enum dsp_limit account_call(struct account *account, uint64_t now_ns, uint32_t *limit)
{
	if (account->calls_max && account->calls >= account->calls_max) {
		*limit = account->calls_max;
		return DSP_LIMIT_RULE_CALLS;
	}
	if (account->calls_per_s) {
		uint64_t next = MAX(account->next_ns, now_ns);

		if (next - now_ns > account->burst_ns) {
			*limit = account->calls_per_s;
			return DSP_LIMIT_RULE_RATE;
		}
		account->next_ns = next + account->interval_ns;
	}
	account->calls++;
	return DSP_LIMIT_NONE;
}

void account_call_done(struct account *account)
{
	assert(account->calls);
	account->calls--;
}
