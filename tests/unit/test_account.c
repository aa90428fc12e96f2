// SPDX-License-Identifier: MIT
/* What a user uses under a rule: sessions, calls in flight, and calls a second. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "daemon/account.h"
#include "daemon/limits.h"
#include "daemon/user.h"
#include "tests/suite.h"

#define SECOND 1000000000ull

static struct user user;
static struct policy_limits limits;
static const struct policy_decision decision = {
	.allowed = true,
	.rule = "studio",
	.limits = &limits,
};
static const struct policy_decision other_rule = {
	.allowed = true,
	.rule = "other",
	.limits = &limits,
};
static uint64_t now; /* nanoseconds */

static void set_up(void)
{
	user = (struct user){};
	list_init(&user.accounts);
	limits = (struct policy_limits){};
	now = 1000 * SECOND;
}

static void tear_down(void)
{
	account_forget_all(&user);
}

static struct account *open_account(const struct policy_decision *of)
{
	struct account *account;
	uint32_t limit;

	ck_assert_int_eq(account_open(&account, &user, NULL, of, now, &limit), 0);
	return account;
}

/* Calls that may begin now, one after the other, each ended at once. */
static unsigned int calls_now(struct account *account, unsigned int most)
{
	enum dsp_limit refused = DSP_LIMIT_NONE;
	unsigned int n;
	uint32_t limit;

	for (n = 0; n < most; n++) {
		refused = account_call(account, now, &limit);
		if (refused)
			break;
		account_call_done(account);
	}
	if (n < most) {
		ck_assert_int_eq(refused, DSP_LIMIT_RULE_RATE);
		ck_assert_uint_eq(limit, limits.calls_per_s);
	}
	return n;
}

START_TEST(sessions_are_counted_by_rule_and_the_limit_is_told)
{
	struct account *account, *refused;
	uint32_t limit;

	limits.sessions = 2;
	account = open_account(&decision);
	ck_assert_ptr_eq(open_account(&decision), account);
	ck_assert_int_eq(account_open(&refused, &user, NULL, &decision, now, &limit), -EDQUOT);
	ck_assert_uint_eq(limit, 2);
	account_close(open_account(&other_rule));
	account_close(account);
	ck_assert_ptr_eq(open_account(&decision), account);
	account_close(account);
	account_close(account);
}
END_TEST

START_TEST(a_rule_without_a_limit_has_the_usual_one)
{
	struct account *account = open_account(&decision), *refused;
	uint32_t limit;

	for (int i = 1; i < LIMIT_RULE_SESSIONS; i++)
		open_account(&decision);
	ck_assert_int_eq(account_open(&refused, &user, NULL, &decision, now, &limit), -EDQUOT);
	ck_assert_uint_eq(limit, LIMIT_RULE_SESSIONS);
	ck_assert_uint_eq(calls_now(account, 100000), 100000);
	for (int i = 0; i < LIMIT_RULE_SESSIONS; i++)
		account_close(account);
}
END_TEST

START_TEST(calls_in_flight_are_those_of_all_sessions_under_the_rule)
{
	struct account *account;
	uint32_t limit;

	limits.calls_total = 2;
	account = open_account(&decision);
	ck_assert_int_eq(account_call(account, now, &limit), DSP_LIMIT_NONE);
	ck_assert_int_eq(account_call(account, now, &limit), DSP_LIMIT_NONE);
	ck_assert_int_eq(account_call(account, now, &limit), DSP_LIMIT_RULE_CALLS);
	ck_assert_uint_eq(limit, 2);
	account_call_done(account);
	ck_assert_int_eq(account_call(account, now, &limit), DSP_LIMIT_NONE);
	account_call_done(account);
	account_call_done(account);
	account_close(account);
}
END_TEST

START_TEST(a_rested_client_has_its_burst_and_then_the_rate)
{
	struct account *account;

	limits.calls_per_s = 100;
	limits.burst = 10;
	account = open_account(&decision);
	ck_assert_uint_eq(calls_now(account, 1000), 10);
	now += SECOND / 100 - 1;
	ck_assert_uint_eq(calls_now(account, 1000), 0);
	now += 1;
	ck_assert_uint_eq(calls_now(account, 1000), 1);
	now += SECOND / 20;
	ck_assert_uint_eq(calls_now(account, 1000), 5);
	now += 100 * SECOND; /* a long rest earns no more than the burst */
	ck_assert_uint_eq(calls_now(account, 1000), 10);
	account_close(account);
}
END_TEST

START_TEST(without_a_burst_a_second_s_calls_may_come_at_once)
{
	struct account *account;

	limits.calls_per_s = 7;
	account = open_account(&decision);
	ck_assert_uint_eq(calls_now(account, 1000), 7);
	now += SECOND;
	ck_assert_uint_ge(calls_now(account, 1000), 6); /* the interval is rounded down */
	account_close(account);
}
END_TEST

START_TEST(who_closes_and_opens_again_gets_no_new_burst)
{
	struct account *account;

	limits.calls_per_s = 10;
	limits.burst = 5;
	account = open_account(&decision);
	ck_assert_uint_eq(calls_now(account, 1000), 5);
	account_close(account);
	ck_assert(!account_forget(&user, now));
	account = open_account(&decision);
	ck_assert_uint_eq(calls_now(account, 1000), 0);
	account_close(account);
	now += SECOND;
	ck_assert(account_forget(&user, now));
}
END_TEST

START_TEST(limits_that_change_hold_from_then_on)
{
	struct account *account, *refused;
	uint32_t limit;

	limits.sessions = 3;
	account = open_account(&decision);
	open_account(&decision);
	limits.sessions = 1;
	limits.calls_total = 1;
	ck_assert_int_eq(account_move(&account, &user, NULL, &decision, now), 0);
	ck_assert_uint_eq(account->sessions, 3);
	ck_assert_int_eq(account_open(&refused, &user, NULL, &decision, now, &limit), -EDQUOT);
	ck_assert_uint_eq(limit, 1);
	ck_assert_int_eq(account_call(account, now, &limit), DSP_LIMIT_NONE);
	ck_assert_int_eq(account_call(account, now, &limit), DSP_LIMIT_RULE_CALLS);
	account_call_done(account);
	for (int i = 0; i < 3; i++)
		account_close(account);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("account");
	TCase *tcase = tcase_create("account");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, sessions_are_counted_by_rule_and_the_limit_is_told);
	tcase_add_test(tcase, a_rule_without_a_limit_has_the_usual_one);
	tcase_add_test(tcase, calls_in_flight_are_those_of_all_sessions_under_the_rule);
	tcase_add_test(tcase, a_rested_client_has_its_burst_and_then_the_rate);
	tcase_add_test(tcase, without_a_burst_a_second_s_calls_may_come_at_once);
	tcase_add_test(tcase, who_closes_and_opens_again_gets_no_new_burst);
	tcase_add_test(tcase, limits_that_change_hold_from_then_on);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
