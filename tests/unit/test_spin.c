// SPDX-License-Identifier: MIT
/* Whether it pays to look: the real code, on a processor and with a clock of ours. */
#include <check.h>
#include <sched.h>
#include <unistd.h>

#include "protocol/clock.h"
#include "protocol/ring.h"
#include "protocol/util.h"
#include "tests/suite.h"

static struct {
	uint64_t now;
	uint64_t offer_ns;    /* how long others have it when it is offered */
	unsigned int offered; /* so often */
} processor;

static uint64_t processor_clock(void)
{
	return processor.now;
}

static int processor_offer(void)
{
	processor.offered++;
	processor.now += processor.offer_ns;
	return 0;
}

#define clock_ns    processor_clock
#define sched_yield processor_offer
#include "protocol/spin.c"
#undef clock_ns
#undef sched_yield

#define US UINT64_C(1000)

/* What a wake-up adds to a wait, where that is slept through. */
#define WAKE_UP (30 * US)

/* One who waits again and again, and what that costs. The clock is ours. */
struct side {
	struct spin spin;
	uint64_t now;
	uint64_t waits, looked,
		gained; /* waits; those looked at; those that were over in that time */
	uint64_t looked_ns;
	bool woke; /* whom it waits for has to be woken each time */
};

/* What is waited for comes in @ns. */
static void wait_for(struct side *side, uint64_t ns)
{
	uint64_t limit = spin_limit(&side->spin);
	uint64_t waited = ns <= limit ? ns : ns + WAKE_UP;

	side->now += waited;
	side->waits++;
	side->looked += limit > 0;
	side->gained += ns <= limit;
	side->looked_ns += MIN(ns, limit);
	spin_waited(&side->spin, side->now, waited, side->woke);
}

static void wait_until(struct side *side, uint64_t ns, uint64_t end)
{
	while (side->now < end)
		wait_for(side, ns);
}

static void forget_costs(struct side *side)
{
	side->waits = side->looked = side->gained = side->looked_ns = 0;
}

START_TEST(nobody_looks_before_the_first_wait_is_over)
{
	const struct spin spin = {};

	ck_assert_uint_eq(spin_limit(&spin), 0);
}
END_TEST

START_TEST(waits_that_only_sleeping_makes_long_are_looked_through_soon_and_for_ever)
{
	struct side side = {};

	wait_until(&side, 2 * US, 100 * MS);
	ck_assert_uint_gt(side.waits, 10000);
	ck_assert_uint_eq(side.gained, side.waits - 1);
}
END_TEST

START_TEST(long_waits_are_slept_through)
{
	struct side side = {};

	wait_until(&side, 1 * MS, 10000 * MS);
	ck_assert_uint_eq(side.looked, 0);
	wait_until(&side, 2 * US, 10001 * MS);
	forget_costs(&side);
	wait_until(&side, 1 * MS, 20000 * MS);
	ck_assert_uint_le(side.looked, 1); /* the first one might have been short again */
}
END_TEST

/* Each look at them is in vain: they are over by then, but that is no gain. */
START_TEST(looking_in_vain_takes_one_part_in_a_hundred_and_then_in_three_hundred)
{
	static const uint64_t lengths[] = {26 * US, 50 * US, 69 * US};
	struct side side = {};

	wait_until(&side, lengths[_i], 1000 * MS);
	ck_assert_uint_gt(side.looked, 0);
	ck_assert_uint_le(side.looked_ns, 1000 * MS / 100);
	forget_costs(&side);
	wait_until(&side, lengths[_i], 11000 * MS);
	ck_assert_uint_gt(side.looked, 0);
	ck_assert_uint_le(side.looked_ns, 10000 * MS / 300);
}
END_TEST

/* The same with pauses among them: these must not make it begin anew. */
START_TEST(pauses_do_not_make_looking_in_vain_more_frequent)
{
	static const unsigned int rhythms[] = {2, 3, 5, 7, 8, 9, 16, 100};
	struct side side = {};

	while (side.now < 10000 * MS)
		wait_for(&side, side.waits % rhythms[_i] ? 50 * US : 1000 * US);
	ck_assert_uint_gt(side.looked, 0);
	ck_assert_uint_le(side.looked_ns, side.now / 100);
}
END_TEST

/* Quick answers of one who sleeps each time are no sign that he would be there to be looked at. */
START_TEST(who_must_be_woken_each_time_is_hardly_looked_at)
{
	struct side side = {.woke = true};

	wait_until(&side, 5 * US, 10000 * MS);
	ck_assert_uint_gt(side.looked, 0);
	ck_assert_uint_le(side.looked_ns, side.now / 300);
}
END_TEST

START_TEST(who_lost_the_processor_while_looking_sleeps_for_a_while_and_then_tries_again)
{
	struct side side = {};

	wait_until(&side, 2 * US, 100 * MS + 1);
	ck_assert_uint_gt(spin_limit(&side.spin), 0);
	spin_lost(&side.spin, side.now);
	forget_costs(&side);
	wait_until(&side, 2 * US, 102 * MS - 1);
	ck_assert_uint_eq(side.looked, 0);
	wait_until(&side, 2 * US, 103 * MS);
	ck_assert_uint_gt(side.gained, 100);
}
END_TEST

/* However long looking was in vain. */
START_TEST(waits_that_become_short_are_found_out_within_a_third_of_a_second)
{
	struct side side = {};

	wait_until(&side, 50 * US, 60000 * MS);
	forget_costs(&side);
	wait_until(&side, 2 * US, 60300 * MS);
	ck_assert_uint_gt(side.gained, 0);
	ck_assert_uint_gt(spin_limit(&side.spin), 0);
}
END_TEST

/* All sides of a chain have to look for any of them to gain: so those who have failed try at the
 * same time, whenever it was that they failed. */
START_TEST(who_failed_at_different_times_tries_again_at_the_same)
{
	struct side sides[2] = {{}, {.now = 137 * US}};

	for (int i = 0; i < 2; i++) {
		wait_until(&sides[i], 50 * US, 1000 * MS);
		/* Until the next trial begins. */
		while (spin_limit(&sides[i].spin))
			wait_for(&sides[i], 50 * US);
		while (!spin_limit(&sides[i].spin))
			wait_for(&sides[i], 50 * US);
	}
	ck_assert_uint_lt(sides[0].now, sides[1].now + 100 * US);
	ck_assert_uint_lt(sides[1].now, sides[0].now + 100 * US);
}
END_TEST

START_TEST(success_makes_trials_frequent_again)
{
	struct side side = {};
	uint64_t begin;

	wait_until(&side, 50 * US, 2000 * MS);
	wait_until(&side, 2 * US, 3000 * MS);
	while (spin_limit(&side.spin))
		wait_for(&side, 50 * US);
	begin = side.now;
	while (!spin_limit(&side.spin))
		wait_for(&side, 50 * US);
	ck_assert_uint_le(side.now, begin + 3 * MS);
}
END_TEST

START_TEST(a_longer_wait_among_short_ones_changes_nothing)
{
	struct side side = {};

	wait_for(&side, 2 * US);
	forget_costs(&side);
	for (unsigned int i = 0; i < 8000; i++)
		wait_for(&side, i % 8 ? 2 * US : 45 * US);
	ck_assert_uint_eq(side.gained, side.waits);
}
END_TEST

/* Whatever comes, the looks that gain nothing are no more than the work of sleeping would be. */
START_TEST(no_mixture_of_waits_makes_anybody_look_for_more_than_half_the_time)
{
	static const uint64_t lengths[] = {
		1 * US, 24 * US, 26 * US, 50 * US, 99 * US, 101 * US, 5000 * US};
	struct side side = {};
	uint64_t random = 1;

	for (unsigned int i = 0; i < 300000; i++) {
		random = random * 6364136223846793005ull + 1442695040888963407ull;
		side.woke = random >> 63;
		wait_for(&side, lengths[(random >> 33) % ARRAY_SIZE(lengths)]);
		if (spin_limit(&side.spin) > SPIN_LONG_NS)
			ck_abort_msg("that is too long");
	}
	ck_assert_uint_le(side.looked_ns, side.now / 2);
}
END_TEST

/* Steps of who looks. */

#define NOBODY   (ALONE_NS / 3) /* what offering the processor takes, where nobody takes it */
#define SOMEBODY (5 * US)

/* Returns how often the processor was offered meanwhile. */
static unsigned int step(struct spin *spin, unsigned int steps, uint64_t offer_ns)
{
	unsigned int before = processor.offered;

	processor.offer_ns = offer_ns;
	for (unsigned int i = 0; i < steps; i++)
		ck_assert_uint_eq(spin_step(spin, processor.now), processor.now);
	return processor.offered - before;
}

START_TEST(who_looks_offers_the_processor_at_each_step_while_others_want_it)
{
	struct spin spin = {};

	ck_assert_uint_eq(step(&spin, 1000, SOMEBODY), 1000);
}
END_TEST

START_TEST(who_looks_offers_the_processor_now_and_then_while_nobody_wants_it)
{
	struct spin spin = {};

	ck_assert_uint_eq(step(&spin, 1, NOBODY), 1); /* nothing is known yet */
	ck_assert_uint_eq(step(&spin, 100 * LOOKS_ALONE, NOBODY), 100);
}
END_TEST

/* The time that a step takes says so, once the processor was offered. */
START_TEST(others_who_come_and_go_are_noticed_by_the_next_offer)
{
	struct spin spin = {};

	for (int i = 0; i < 10; i++) {
		step(&spin, 1, NOBODY);
		ck_assert_uint_gt(step(&spin, LOOKS_ALONE, SOMEBODY), 0);
		ck_assert_uint_eq(step(&spin, 100, SOMEBODY), 100);
	}
}
END_TEST

/* An interrupt at a step that offered nothing is no sign of others. */
START_TEST(a_step_that_offers_nothing_and_takes_long_changes_nothing)
{
	struct spin spin = {};

	step(&spin, 1, NOBODY);
	ck_assert_uint_eq(step(&spin, 1, NOBODY), 0);
	ck_assert_uint_eq(spin_step(&spin, processor.now - SOMEBODY), processor.now);
	ck_assert_uint_eq(step(&spin, LOOKS_ALONE - 3, NOBODY), 0);
	ck_assert_uint_eq(step(&spin, 1, NOBODY), 1);
}
END_TEST

/* What its maker's machine has, the ring tells whoever maps it. */
START_TEST(on_a_machine_with_one_processor_nobody_may_look)
{
	static const struct {
		uint32_t processors;
		bool may_look;
	} cases[] = {{0, false}, {1, false}, {2, true}, {UINT32_MAX, true}};
	struct dsp_ring ring, mapped;
	int fd;

	ck_assert_uint_eq(spin_processors(), (unsigned int)sysconf(_SC_NPROCESSORS_ONLN));
	ck_assert_int_eq(ring_create(&ring, &fd, 16, 32), 0);
	ck_assert_int_eq(ring.may_look, spin_processors() > 1);
	ck_assert_uint_eq(atomic_load(&ring.shared->processors), spin_processors());
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		atomic_store(&ring.shared->processors, cases[i].processors);
		ck_assert_int_eq(ring_map(&mapped, fd, 16, 32), 0);
		ck_assert_int_eq(mapped.may_look, cases[i].may_look);
		ring_unmap(&mapped);
	}
	ring_unmap(&ring);
	fd_close(fd);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("spin");
	TCase *tcase = tcase_create("spin");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, nobody_looks_before_the_first_wait_is_over);
	tcase_add_test(tcase,
		waits_that_only_sleeping_makes_long_are_looked_through_soon_and_for_ever);
	tcase_add_test(tcase, long_waits_are_slept_through);
	tcase_add_loop_test(tcase,
		looking_in_vain_takes_one_part_in_a_hundred_and_then_in_three_hundred, 0, 3);
	tcase_add_loop_test(tcase, pauses_do_not_make_looking_in_vain_more_frequent, 0, 8);
	tcase_add_test(tcase, who_must_be_woken_each_time_is_hardly_looked_at);
	tcase_add_test(tcase,
		who_lost_the_processor_while_looking_sleeps_for_a_while_and_then_tries_again);
	tcase_add_test(tcase, waits_that_become_short_are_found_out_within_a_third_of_a_second);
	tcase_add_test(tcase, who_failed_at_different_times_tries_again_at_the_same);
	tcase_add_test(tcase, success_makes_trials_frequent_again);
	tcase_add_test(tcase, a_longer_wait_among_short_ones_changes_nothing);
	tcase_add_test(tcase, no_mixture_of_waits_makes_anybody_look_for_more_than_half_the_time);
	tcase_add_test(tcase, who_looks_offers_the_processor_at_each_step_while_others_want_it);
	tcase_add_test(tcase, who_looks_offers_the_processor_now_and_then_while_nobody_wants_it);
	tcase_add_test(tcase, others_who_come_and_go_are_noticed_by_the_next_offer);
	tcase_add_test(tcase, a_step_that_offers_nothing_and_takes_long_changes_nothing);
	tcase_add_test(tcase, on_a_machine_with_one_processor_nobody_may_look);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
