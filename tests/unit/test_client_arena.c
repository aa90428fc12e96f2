// SPDX-License-Identifier: MIT
#include <check.h>
#include <string.h>

#include "client/arena.h"
#include "protocol/util.h"
#include "tests/suite.h"

#define SIZE   (64 * ARENA_ALIGN)
#define RANGES 16

static struct arena arena;

static void set_up(void)
{
	ck_assert_int_eq(arena_init(&arena, SIZE, RANGES), 0);
}

/* Whatever a test did, what is free is one piece again. */
static void tear_down(void)
{
	uint32_t offset;

	ck_assert_int_eq(arena_alloc(&arena, SIZE, &offset), 0);
	ck_assert_uint_eq(offset, 0);
	arena_deinit(&arena);
	arena_deinit(&arena);
}

START_TEST(an_exhausted_arena_says_so_and_recovers)
{
	uint32_t offsets[RANGES], one;

	for (unsigned int i = 0; i < RANGES; i++)
		ck_assert_int_eq(arena_alloc(&arena, SIZE / RANGES, &offsets[i]), 0);
	ck_assert_int_eq(arena_alloc(&arena, 1, &one), -EAGAIN);
	arena_free(&arena, offsets[3], SIZE / RANGES);
	ck_assert_int_eq(arena_alloc(&arena, SIZE / RANGES + 1, &one), -EAGAIN);
	ck_assert_int_eq(arena_alloc(&arena, SIZE / RANGES, &one), 0);
	ck_assert_uint_eq(one, offsets[3]);
	for (unsigned int i = 0; i < RANGES; i++)
		arena_free(&arena, offsets[i], SIZE / RANGES);
}
END_TEST

/* Three neighbours, given back in each of the six orders. */
START_TEST(neighbours_that_are_given_back_become_one_gap)
{
	static const int orders[][3] = {
		{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	uint32_t offsets[3], rest, all;

	for (unsigned int i = 0; i < 3; i++)
		ck_assert_int_eq(arena_alloc(&arena, ARENA_ALIGN, &offsets[i]), 0);
	ck_assert_int_eq(arena_alloc(&arena, SIZE - 3 * ARENA_ALIGN, &rest), 0);
	for (unsigned int i = 0; i < 3; i++)
		arena_free(&arena, offsets[orders[_i][i]], ARENA_ALIGN);
	ck_assert_uint_eq(arena.n_gaps, 1);
	ck_assert_int_eq(arena_alloc(&arena, 3 * ARENA_ALIGN, &all), 0);
	ck_assert_uint_eq(all, offsets[0]);
	arena_free(&arena, all, 3 * ARENA_ALIGN);
	arena_free(&arena, rest, SIZE - 3 * ARENA_ALIGN);
}
END_TEST

START_TEST(sizes_are_rounded_up_so_that_ranges_are_aligned)
{
	uint32_t first, second;

	ck_assert_int_eq(arena_alloc(&arena, 1, &first), 0);
	ck_assert_int_eq(arena_alloc(&arena, ARENA_ALIGN + 1, &second), 0);
	ck_assert_uint_eq(first % ARENA_ALIGN, 0);
	ck_assert_uint_eq(second % ARENA_ALIGN, 0);
	ck_assert_uint_ge(second, first + ARENA_ALIGN);
	arena_free(&arena, first, 1);
	arena_free(&arena, second, ARENA_ALIGN + 1);
}
END_TEST

START_TEST(an_arena_of_odd_size_gives_no_byte_beyond_its_end)
{
	struct arena odd;
	uint32_t offset;

	ck_assert_int_eq(arena_init(&odd, 2 * ARENA_ALIGN - 1, 4), 0);
	ck_assert_int_eq(arena_alloc(&odd, ARENA_ALIGN + 1, &offset), -EAGAIN);
	ck_assert_int_eq(arena_alloc(&odd, ARENA_ALIGN, &offset), 0);
	ck_assert_int_eq(arena_alloc(&odd, 1, &offset), -EAGAIN);
	arena_deinit(&odd);
}
END_TEST

/* Each range is painted with a colour of its own, and has it to the end. */
START_TEST(ranges_never_overlap)
{
	struct {
		uint32_t offset, size;
	} ranges[RANGES] = {};
	unsigned char memory[SIZE] = {};
	unsigned int random = 1;

	for (unsigned int i = 0; i < 20000 + RANGES; i++) {
		unsigned int slot = i % RANGES;
		unsigned char colour = (unsigned char)(slot + 1);

		random = random * 1103515245 + 12345;
		for (uint32_t b = 0; b < ranges[slot].size; b++)
			if (memory[ranges[slot].offset + b] != colour)
				ck_abort_msg("a range lost its colour");
		if (ranges[slot].size)
			arena_free(&arena, ranges[slot].offset, ranges[slot].size);
		ranges[slot].size = 0;
		if (i >= 20000)
			continue;
		ranges[slot].size = 1 + (random >> 16) % (SIZE / 8);
		if (arena_alloc(&arena, ranges[slot].size, &ranges[slot].offset) < 0)
			ranges[slot].size = 0;
		memset(memory + ranges[slot].offset, colour, ranges[slot].size);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("client arena");
	TCase *tcase = tcase_create("arena");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, an_exhausted_arena_says_so_and_recovers);
	tcase_add_loop_test(tcase, neighbours_that_are_given_back_become_one_gap, 0, 6);
	tcase_add_test(tcase, sizes_are_rounded_up_so_that_ranges_are_aligned);
	tcase_add_test(tcase, an_arena_of_odd_size_gives_no_byte_beyond_its_end);
	tcase_add_test(tcase, ranges_never_overlap);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
