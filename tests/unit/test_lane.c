// SPDX-License-Identifier: MIT
/* What a lane's time went to, by a clock of the test's own and whatever its domain says. */
#include <check.h>

#include "daemon/lane.h"
#include "daemon/limits.h"
#include "protocol/util.h"
#include "tests/suite.h"

#define US 1000ull
#define MS (1000 * US)

/* Never looked into. */
static char places[2];
#define HONEST ((struct session *)&places[0])
#define LIAR   ((struct session *)&places[1])

static struct lane lane;
static uint64_t now;

static void set_up(void)
{
	lane_init(&lane, NULL, 16);
	now = 1000 * MS;
	lane_begins(&lane, now);
}

/* A call of that session ends, after so long, and its domain says that it took @busy_ns. Looked at
 * all the time. */
static uint64_t cost(struct session *session, uint64_t after_ns, uint64_t busy_ns)
{
	now += after_ns;
	return lane_cost(&lane, session, busy_ns, now);
}

/* The same, when we slept until it was over. What it is charged in all. */
static uint64_t cost_asleep(struct session *session, uint64_t after_ns, uint64_t busy_ns)
{
	uint64_t charged;

	lane_seen(&lane, now + after_ns);
	charged = cost(session, after_ns, busy_ns);
	ck_assert_ptr_eq(lane.first, session);
	return charged + lane_unclaimed(&lane);
}

START_TEST(a_call_costs_what_its_domain_says_if_that_may_be)
{
	ck_assert_uint_eq(cost(HONEST, 40 * US, 30 * US), 30 * US);
	ck_assert_uint_eq(cost(HONEST, 40 * US, 40 * US), 40 * US);
	ck_assert_uint_eq(lane_unclaimed(&lane), 0);
	ck_assert_uint_eq(cost_asleep(HONEST, 40 * US, 10 * US), 10 * US);
	ck_assert_uint_eq(cost_asleep(HONEST, 400 * MS, 400 * MS), 400 * MS);
}
END_TEST

START_TEST(a_call_costs_something_in_any_case)
{
	ck_assert_uint_eq(cost(HONEST, 10 * US, 0), COST_MIN_NS);
	ck_assert_uint_eq(cost(HONEST, 0, 50), COST_MIN_NS);
}
END_TEST

START_TEST(none_costs_more_than_the_time_that_the_lane_was_at_work)
{
	ck_assert_uint_eq(cost(LIAR, 40 * US, UINT64_MAX), 40 * US);
	ck_assert_uint_eq(cost(LIAR, 10 * US, 40 * US), 10 * US);
	/* Those that end at the same time share it. */
	ck_assert_uint_eq(cost(HONEST, 100 * US, 60 * US), 60 * US);
	ck_assert_uint_eq(cost(HONEST, 0, 60 * US), 40 * US);
	ck_assert_uint_eq(cost(HONEST, 0, 60 * US), COST_MIN_NS);
	/* It was idle for a while. */
	now += 1000 * MS;
	lane_begins(&lane, now);
	ck_assert_uint_eq(cost(LIAR, 5 * US, MS), 5 * US);
}
END_TEST

START_TEST(a_liar_who_says_nothing_is_charged_what_elapsed)
{
	for (int i = 0; i < 10; i++)
		ck_assert_uint_ge(cost_asleep(LIAR, 10 * MS, 0), 10 * MS);
	ck_assert_uint_ge(cost_asleep(LIAR, 10 * MS, MS), 10 * MS);
}
END_TEST

START_TEST(wakeups_that_take_long_are_not_held_against_anybody)
{
	/* Ours, when we are told. */
	for (int i = 0; i < 100; i++)
		ck_assert_uint_eq(cost_asleep(HONEST, 20 * US + LANE_TRUST_NS / 2, 20 * US),
			20 * US);
	/* And all that went by when we were awake, and had no processor. */
	ck_assert_uint_eq(cost(HONEST, 50 * MS, 20 * US), 20 * US);
	ck_assert_uint_eq(lane_unclaimed(&lane), 0);
}
END_TEST

START_TEST(what_nobody_accounts_for_is_charged_once_and_to_whose_call_came_first)
{
	lane_seen(&lane, now + 10 * MS);
	ck_assert_uint_eq(cost(LIAR, 10 * MS, 0), COST_MIN_NS);
	ck_assert_uint_eq(cost(HONEST, 0, MS), MS);
	ck_assert_ptr_eq(lane.first, LIAR);
	ck_assert_uint_eq(lane_unclaimed(&lane), 9 * MS);
	ck_assert_uint_eq(lane_unclaimed(&lane), 0);
	/* What was not settled in time is nobody's. */
	cost(LIAR, 10 * MS, 0);
	ck_assert_uint_eq(cost(HONEST, 10 * US, MS), 10 * US);
	ck_assert_uint_eq(lane_unclaimed(&lane), 0);
}
END_TEST

START_TEST(what_a_lane_as_a_whole_has_used_is_for_the_clock_to_say)
{
	uint64_t begun = now, sum = 0;

	for (unsigned int i = 0; i < 1000; i++) {
		now += i % 3 ? i : 0; /* some end at the same time */
		sum += lane_elapsed(&lane, now);
		lane_cost(&lane, LIAR, i % 2 ? 0 : UINT64_MAX, now);
	}
	ck_assert_uint_eq(sum, now - begun);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lane");
	TCase *tcase = tcase_create("lane");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, a_call_costs_what_its_domain_says_if_that_may_be);
	tcase_add_test(tcase, a_call_costs_something_in_any_case);
	tcase_add_test(tcase, none_costs_more_than_the_time_that_the_lane_was_at_work);
	tcase_add_test(tcase, a_liar_who_says_nothing_is_charged_what_elapsed);
	tcase_add_test(tcase, wakeups_that_take_long_are_not_held_against_anybody);
	tcase_add_test(tcase,
		what_nobody_accounts_for_is_charged_once_and_to_whose_call_came_first);
	tcase_add_test(tcase, what_a_lane_as_a_whole_has_used_is_for_the_clock_to_say);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
