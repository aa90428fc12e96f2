// SPDX-License-Identifier: MIT
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/limits.h"
#include "daemon/log.h"
#include "daemon/quota.h"
#include "tests/suite.h"

static struct quota user, client, other;

static void setup(void)
{
	user = (struct quota){.owner = "user", .limit = {[QUOTA_BYTES] = 100}};
	client = (struct quota){
		.parent = &user, .owner = "connection", .limit = {[QUOTA_BYTES] = 80}};
	other = client;
}

START_TEST(a_charge_is_made_on_the_whole_chain)
{
	struct quota_refusal refusal;

	setup();
	ck_assert_int_eq(quota_charge(&client, QUOTA_BYTES, 80, &refusal), 0);
	ck_assert_uint_eq(client.used[QUOTA_BYTES], 80);
	ck_assert_uint_eq(user.used[QUOTA_BYTES], 80);
	quota_release(&client, QUOTA_BYTES, 80);
	ck_assert_uint_eq(client.used[QUOTA_BYTES], 0);
	ck_assert_uint_eq(user.used[QUOTA_BYTES], 0);
}
END_TEST

START_TEST(a_refused_charge_leaves_nothing_and_names_whose_limit_it_was)
{
	struct quota_refusal refusal;
	char text[128];

	setup();
	ck_assert_int_eq(quota_charge(&client, QUOTA_BYTES, 81, &refusal), -EDQUOT);
	ck_assert_str_eq(refusal.owner, "connection");
	ck_assert_uint_eq(refusal.limit, 80);
	ck_assert_int_eq(quota_charge(&client, QUOTA_BYTES, 60, &refusal), 0);
	ck_assert_int_eq(quota_charge(&other, QUOTA_BYTES, 60, &refusal), -EDQUOT);
	ck_assert_str_eq(refusal.owner, "user");
	ck_assert_uint_eq(refusal.limit, 100);
	ck_assert_uint_eq(other.used[QUOTA_BYTES], 0);
	ck_assert_uint_eq(user.used[QUOTA_BYTES], 60);
	quota_refusal_text(&refusal, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "user may have 100 bytes"));
}
END_TEST

START_TEST(a_huge_charge_does_not_wrap_around)
{
	struct quota_refusal refusal;

	setup();
	ck_assert_int_eq(quota_charge(&client, QUOTA_BYTES, 1, &refusal), 0);
	ck_assert_int_eq(quota_charge(&client, QUOTA_BYTES, UINT64_MAX, &refusal), -EDQUOT);
	ck_assert_uint_eq(client.used[QUOTA_BYTES], 1);
}
END_TEST

START_TEST(a_limit_that_shrank_below_what_is_used_refuses)
{
	struct quota_refusal refusal;

	setup();
	ck_assert_int_eq(quota_charge(&client, QUOTA_BYTES, 50, &refusal), 0);
	client.limit[QUOTA_BYTES] = 10;
	ck_assert_int_eq(quota_charge(&client, QUOTA_BYTES, 1, &refusal), -EDQUOT);
	ck_assert_int_eq(quota_charge(&client, QUOTA_BYTES, 0, &refusal), -EDQUOT);
}
END_TEST

START_TEST(a_user_can_log_a_burst_and_then_one_line_each_interval)
{
	struct log_bucket bucket = {};
	uint64_t now = 1000 * LOG_INTERVAL_US;
	unsigned int suppressed;

	for (int i = 0; i < LOG_BURST; i++) {
		ck_assert(log_allowed(&bucket, now, &suppressed));
		ck_assert_uint_eq(suppressed, 0);
	}
	for (int i = 0; i < 5; i++)
		ck_assert(!log_allowed(&bucket, now + LOG_INTERVAL_US - 1, &suppressed));
	ck_assert(log_allowed(&bucket, now + LOG_INTERVAL_US, &suppressed));
	ck_assert_uint_eq(suppressed, 5);
	ck_assert(!log_allowed(&bucket, now + LOG_INTERVAL_US, &suppressed));
	/* After a long silence there is a burst again, and not more than one. */
	now += 100 * LOG_BURST * LOG_INTERVAL_US;
	for (int i = 0; i < LOG_BURST; i++)
		ck_assert(log_allowed(&bucket, now, &suppressed));
	ck_assert(!log_allowed(&bucket, now, &suppressed));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("quota");
	TCase *tcase = tcase_create("quota");

	tcase_add_test(tcase, a_charge_is_made_on_the_whole_chain);
	tcase_add_test(tcase, a_refused_charge_leaves_nothing_and_names_whose_limit_it_was);
	tcase_add_test(tcase, a_huge_charge_does_not_wrap_around);
	tcase_add_test(tcase, a_limit_that_shrank_below_what_is_used_refuses);
	tcase_add_test(tcase, a_user_can_log_a_burst_and_then_one_line_each_interval);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
