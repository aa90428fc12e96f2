// SPDX-License-Identifier: MIT
#include <check.h>
#include <stdlib.h>

#include "daemon/deadline.h"
#include "protocol/util.h"
#include "tests/suite.h"

#define MANY 500

struct item {
	struct deadline deadline;
	bool expired;
};

static uint64_t last_expired_us;

static void on_expired(struct deadline *deadline)
{
	struct item *item = container_of(deadline, struct item, deadline);

	ck_assert(!item->expired);
	ck_assert_uint_ge(deadline->when_us, last_expired_us);
	last_expired_us = deadline->when_us;
	item->expired = true;
}

static void set_up(void)
{
	last_expired_us = 0;
	srandom(1);
}

START_TEST(deadlines_expire_in_order_and_only_when_due)
{
	static struct item items[MANY];
	struct deadline_heap heap = {};
	uint64_t middle = 1000;
	size_t due = 0;

	for (size_t i = 0; i < MANY; i++) {
		uint64_t when = 1 + (uint64_t)random() % 2000;

		due += when <= middle;
		deadline_set(&heap, &items[i].deadline, when, on_expired);
	}
	deadline_run(&heap, middle);
	for (size_t i = 0; i < MANY; i++)
		due -= items[i].expired;
	ck_assert_uint_eq(due, 0);
	ck_assert_uint_gt(deadline_next(&heap), middle);
	deadline_run(&heap, UINT64_MAX - 1);
	for (size_t i = 0; i < MANY; i++)
		ck_assert(items[i].expired);
	ck_assert_uint_eq(deadline_next(&heap), UINT64_MAX);
}
END_TEST

START_TEST(a_cleared_deadline_never_expires)
{
	static struct item items[MANY];
	struct deadline_heap heap = {};

	for (size_t i = 0; i < MANY; i++)
		deadline_set(&heap, &items[i].deadline, (uint64_t)random() % 1000, on_expired);
	for (size_t i = 0; i < MANY; i += 2)
		deadline_clear(&heap, &items[i].deadline);
	deadline_clear(&heap, &items[0].deadline); /* twice is harmless */
	deadline_run(&heap, 1000);
	for (size_t i = 0; i < MANY; i++)
		ck_assert(items[i].expired == (i % 2 != 0));
}
END_TEST

START_TEST(a_deadline_set_again_is_moved)
{
	struct item early = {}, moved = {};
	struct deadline_heap heap = {};

	deadline_set(&heap, &moved.deadline, 10, on_expired);
	deadline_set(&heap, &early.deadline, 20, on_expired);
	deadline_set(&heap, &moved.deadline, 30, on_expired);
	ck_assert_uint_eq(deadline_next(&heap), 20);
	deadline_run(&heap, 25);
	ck_assert(early.expired && !moved.expired);
	deadline_run(&heap, 30);
	ck_assert(moved.expired);
}
END_TEST

/* As those of calls are: set in the order in which they are due, and cleared from the front. */
START_TEST(deadlines_in_order_touch_no_others)
{
	static struct item items[MANY];
	struct deadline_heap heap = {};

	for (uint64_t i = 0; i < 4 * MANY; i++) {
		deadline_set(&heap, &items[i % MANY].deadline, 1000 + i / 3, on_expired);
		ck_assert(deadline_is_set(&items[i % MANY].deadline));
		if (i >= 7) {
			deadline_clear(&heap, &items[(i - 7) % MANY].deadline);
			ck_assert_uint_eq(deadline_next(&heap), 1000 + (i - 6) / 3);
		}
		ck_assert_ptr_null(heap.others.root); /* this is where it would cost something */
	}
	for (size_t i = 0; i < MANY; i++)
		deadline_clear(&heap, &items[i].deadline);
	ck_assert_uint_eq(deadline_next(&heap), UINT64_MAX);
	deadline_run(&heap, UINT64_MAX - 1);
	for (size_t i = 0; i < MANY; i++)
		ck_assert(!items[i].expired && !deadline_is_set(&items[i].deadline));
}
END_TEST

/* Against a table that is searched from end to end. */
START_TEST(setting_moving_and_clearing_in_any_order_loses_none)
{
	static struct item items[MANY];
	static uint64_t when[MANY]; /* 0: not set */
	struct deadline_heap heap = {};
	uint64_t now = 1;

	for (int step = 0; step < 20000; step++) {
		size_t i = (size_t)random() % MANY;
		uint64_t first = UINT64_MAX;

		if (random() % 3) {
			when[i] = now + 1 + (random() % 4 ? 300 : (uint64_t)random() % 600);
			deadline_set(&heap, &items[i].deadline, when[i], on_expired);
		} else {
			when[i] = 0;
			deadline_clear(&heap, &items[i].deadline);
		}
		now += (uint64_t)random() % 3;
		deadline_run(&heap, now);
		for (i = 0; i < MANY; i++) {
			bool due = when[i] && when[i] <= now;

			if (items[i].expired != due ||
				deadline_is_set(&items[i].deadline) != (when[i] > now))
				ck_abort_msg("one expired too soon, or not at all");
			items[i].expired = false;
			when[i] = due ? 0 : when[i];
			first = when[i] ? MIN(first, when[i]) : first;
		}
		if (deadline_next(&heap) != first)
			ck_abort_msg("another is the next");
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("deadline");
	TCase *tcase = tcase_create("deadline");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, deadlines_expire_in_order_and_only_when_due);
	tcase_add_test(tcase, a_cleared_deadline_never_expires);
	tcase_add_test(tcase, a_deadline_set_again_is_moved);
	tcase_add_test(tcase, deadlines_in_order_touch_no_others);
	tcase_add_test(tcase, setting_moving_and_clearing_in_any_order_loses_none);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
