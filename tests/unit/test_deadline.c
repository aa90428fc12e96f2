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

static void heap_init(struct deadline_heap *heap, size_t places)
{
	*heap = (struct deadline_heap){};
	last_expired_us = 0;
	for (size_t i = 0; i < places; i++)
		ck_assert_int_eq(deadline_reserve(heap), 0);
}

static void heap_end(struct deadline_heap *heap, size_t places)
{
	for (size_t i = 0; i < places; i++)
		deadline_unreserve(heap);
	deadline_heap_deinit(heap);
}

START_TEST(deadlines_expire_in_order_and_only_when_due)
{
	static struct item items[MANY];
	struct deadline_heap heap;
	uint64_t middle = 1000;
	size_t due = 0;

	heap_init(&heap, MANY);
	srandom(1);
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
	heap_end(&heap, MANY);
}
END_TEST

START_TEST(a_cleared_deadline_never_expires)
{
	static struct item items[MANY];
	struct deadline_heap heap;

	heap_init(&heap, MANY);
	srandom(2);
	for (size_t i = 0; i < MANY; i++)
		deadline_set(&heap, &items[i].deadline, (uint64_t)random() % 1000, on_expired);
	for (size_t i = 0; i < MANY; i += 2)
		deadline_clear(&heap, &items[i].deadline);
	deadline_clear(&heap, &items[0].deadline); /* twice is harmless */
	deadline_run(&heap, 1000);
	for (size_t i = 0; i < MANY; i++)
		ck_assert(items[i].expired == (i % 2 != 0));
	heap_end(&heap, MANY);
}
END_TEST

START_TEST(a_deadline_set_again_is_moved)
{
	struct item early = {}, moved = {};
	struct deadline_heap heap;

	heap_init(&heap, 2);
	deadline_set(&heap, &moved.deadline, 10, on_expired);
	deadline_set(&heap, &early.deadline, 20, on_expired);
	deadline_set(&heap, &moved.deadline, 30, on_expired);
	ck_assert_uint_eq(deadline_next(&heap), 20);
	deadline_run(&heap, 25);
	ck_assert(early.expired && !moved.expired);
	deadline_run(&heap, 30);
	ck_assert(moved.expired);
	heap_end(&heap, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("deadline");
	TCase *tcase = tcase_create("deadline");

	tcase_add_test(tcase, deadlines_expire_in_order_and_only_when_due);
	tcase_add_test(tcase, a_cleared_deadline_never_expires);
	tcase_add_test(tcase, a_deadline_set_again_is_moved);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
