// SPDX-License-Identifier: MIT
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "daemon/idmap.h"
#include "tests/suite.h"

static int objects[IDMAP_SLOTS_MAX];

START_TEST(an_id_names_its_object_and_no_other_number_does)
{
	struct idmap map = {};
	uint32_t a, b;

	ck_assert_int_eq(idmap_add(&map, &objects[0], &a), 0);
	ck_assert_int_eq(idmap_add(&map, &objects[1], &b), 0);
	ck_assert_uint_ne(a, 0);
	ck_assert_uint_ne(b, 0);
	ck_assert_ptr_eq(idmap_get(&map, a), &objects[0]);
	ck_assert_ptr_eq(idmap_get(&map, b), &objects[1]);
	for (uint32_t id = 0; id < 1u << 18; id++)
		if (id != a && id != b)
			ck_assert_ptr_null(idmap_get(&map, id));
	idmap_deinit(&map);
}
END_TEST

START_TEST(a_freed_id_does_not_name_its_successor)
{
	struct idmap map = {};
	uint32_t first, id;

	ck_assert_int_eq(idmap_add(&map, &objects[0], &first), 0);
	/* Up to the point where the generation comes around. */
	id = first;
	for (int i = 0; i < UINT16_MAX - 1; i++) {
		idmap_remove(&map, id);
		ck_assert_ptr_null(idmap_get(&map, id));
		ck_assert_int_eq(idmap_add(&map, &objects[1], &id), 0);
		ck_assert_uint_ne(id, first);
		ck_assert_ptr_null(idmap_get(&map, first));
	}
	idmap_deinit(&map);
}
END_TEST

START_TEST(a_full_map_says_so_and_takes_again_what_is_freed)
{
	struct idmap map = {};
	uint32_t n = 0, id, last = 0, slot = 0;
	size_t seen = 0;
	int r;

	while ((r = idmap_add(&map, &objects[n], &id)) == 0) {
		last = id;
		n++;
	}
	ck_assert_int_eq(r, -ENOSPC);
	ck_assert_uint_ge(n, IDMAP_SLOTS_MAX - 1);
	while (idmap_next(&map, &slot))
		seen++;
	ck_assert_uint_eq(seen, n);
	idmap_remove(&map, last);
	ck_assert_int_eq(idmap_add(&map, &objects[0], &id), 0);
	ck_assert_int_eq(idmap_add(&map, &objects[0], &id), -ENOSPC);
	idmap_deinit(&map);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("idmap");
	TCase *tcase = tcase_create("idmap");

	tcase_add_test(tcase, an_id_names_its_object_and_no_other_number_does);
	tcase_add_test(tcase, a_freed_id_does_not_name_its_successor);
	tcase_add_test(tcase, a_full_map_says_so_and_takes_again_what_is_freed);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
