// SPDX-License-Identifier: MIT
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "protocol/util.h"
#include "tests/suite.h"
#include "tests/unit/ring_rig.h"

/* Sleep and wake. */

START_TEST(whoever_announces_sleep_is_woken_once_and_by_news_alone)
{
	struct dsp_entry entry = ring_rig_entry(0, 0, 0), got;
	struct dsp_entry_fault fault;
	struct dsp_completion completion;

	ring_rig_submit(&entry);
	ck_assert(!ring_servicer_sleep(&servicer, DSP_ASLEEP));
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
	ck_assert_int_eq(ring_push(&requester, &entry, NULL), 0);
	ck_assert(!ring_submit(&requester));
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
	ck_assert(ring_servicer_sleep(&servicer, DSP_ASLEEP));
	ck_assert_int_eq(ring_push(&requester, &entry, NULL), 0);
	ck_assert(ring_submit(&requester));
	ck_assert(!ring_submit(&requester));

	ck_assert(ring_requester_sleep(&requester, DSP_ASLEEP));
	ring_requester_wake(&requester);
	ring_complete(&servicer, &(struct dsp_completion){});
	ck_assert(!ring_publish(&servicer));
	ck_assert(!ring_requester_sleep(&requester, DSP_ASLEEP));
	ck_assert_int_eq(ring_reap(&requester, &completion), 1);
	ck_assert(ring_requester_sleep(&requester, DSP_ASLEEP));
	ring_complete(&servicer, &(struct dsp_completion){});
	ck_assert(ring_publish(&servicer));
	ck_assert(!ring_publish(&servicer));
}
END_TEST

START_TEST(routine_wakes_nobody_who_sleeps_soundly_unless_there_is_no_room)
{
	struct dsp_entry entry = {.op = DSP_OP_INVOKE}, got;
	struct dsp_completion completion;
	struct dsp_entry_fault fault;

	ck_assert(ring_requester_sleep(&requester, DSP_SOUND_ASLEEP));
	ring_complete_routine(&servicer, &(struct dsp_completion){});
	ck_assert(!ring_publish(&servicer));
	/* It waits for room: now everything counts, again and again, until it has taken an entry.
	 */
	ck_assert_int_eq(ring_servicer_stall(&servicer, CQ_ENTRIES), true);
	ck_assert(ring_publish(&servicer));
	for (int i = 0; i < 2; i++) {
		while (ring_reap(&requester, &completion) == 1)
			continue;
		ck_assert(ring_requester_sleep(&requester, DSP_SOUND_ASLEEP));
		ring_complete_routine(&servicer, &(struct dsp_completion){});
		ck_assert(ring_publish(&servicer));
	}
	ck_assert_int_eq(ring_reap(&requester, &completion), 1);
	ck_assert_int_eq(ring_push(&requester, &entry, NULL), 0);
	ring_submit(&requester);
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
	ck_assert(ring_requester_sleep(&requester, DSP_SOUND_ASLEEP));
	ring_complete_routine(&servicer, &(struct dsp_completion){});
	ck_assert(!ring_publish(&servicer));
}
END_TEST

START_TEST(a_stalled_servicer_is_told_of_room)
{
	struct dsp_completion completion;

	for (unsigned int i = 0; i < CQ_ENTRIES - 2; i++)
		ring_complete(&servicer, &(struct dsp_completion){});
	ring_publish(&servicer);
	ck_assert_int_eq(ring_servicer_stall(&servicer, 1), false);
	ck_assert(!ring_room_wanted(&requester));
	ck_assert_int_eq(ring_servicer_stall(&servicer, 2), true);
	ck_assert_int_eq(ring_reap(&requester, &completion), 1);
	ring_reaped(&requester);
	ck_assert(ring_room_wanted(&requester));
	ck_assert(!ring_room_wanted(&requester));
	ck_assert_int_eq(ring_servicer_stall(&servicer, 2), false);
}
END_TEST

START_TEST(who_sleeps_is_woken_the_way_it_said_whatever_it_said)
{
	static const struct {
		uint32_t how;
		bool rung;
	} cases[] = {
		{DSP_AWAKE, false},
		{DSP_ASLEEP, true},
		{DSP_SOUND_ASLEEP, true},
		{DSP_AT_FUTEX, false},
		{DSP_ASLEEP | DSP_AT_FUTEX, false},
		{DSP_SOUND_ASLEEP | DSP_AT_FUTEX, false},
		{8, true},
		{0xfffffff8, true},
		{UINT32_MAX, false},
	};
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t count;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		atomic_store(&servicer.shared->servicer_sleeps, cases[i].how);
		atomic_store(&servicer.shared->requester_sleeps, cases[i].how);
		ring_complete(&servicer, &(struct dsp_completion){});
		ck_assert_uint_eq(ring_submit(&requester), cases[i].how);
		ck_assert_uint_eq(ring_publish(&servicer), cases[i].how);
		ck_assert_uint_eq(atomic_load(&servicer.shared->servicer_sleeps), DSP_AWAKE);
		ck_assert_uint_eq(atomic_load(&servicer.shared->requester_sleeps), DSP_AWAKE);
		ring_wake_servicer(&requester, cases[i].how, -1);
		ring_wake_servicer(&requester, cases[i].how, fd);
		ck_assert_int_eq(read(fd, &count, sizeof(count)), cases[i].rung ? 8 : -1);
		ring_wake_requester(&servicer, cases[i].how, fd);
		ck_assert_int_eq(read(fd, &count, sizeof(count)), cases[i].rung ? 8 : -1);
	}
	fd_close(fd);
}
END_TEST

START_TEST(a_nap_ends_at_once_when_the_word_is_another_and_with_the_time_otherwise)
{
	const uint32_t how = DSP_ASLEEP | DSP_AT_FUTEX;

	ck_assert_int_eq(ring_requester_nap(&requester, how, -1), 0);
	ck_assert_int_eq(ring_servicer_nap(&servicer, how), 0);
	ck_assert(ring_requester_sleep(&requester, how));
	ck_assert_int_eq(ring_requester_nap(&requester, how, 0), -ETIMEDOUT);
	ck_assert_int_eq(ring_requester_nap(&requester, how, 1000), -ETIMEDOUT);
	ck_assert_int_eq(ring_requester_nap(&requester, how | DSP_SOUND_ASLEEP, -1), 0);
	ring_requester_wake(&requester);
	ck_assert_int_eq(ring_requester_nap(&requester, how, INT64_MAX), 0);
}
END_TEST

/* Where one side says to be, so the other sees it there, and nowhere else. */
START_TEST(each_side_knows_whether_the_other_ran_on_its_own_processor)
{
	cpu_set_t set, old;
	uint32_t cpu;

	ck_assert(!ring_requester_is_here(&servicer));
	ck_assert(!ring_servicer_is_here(&requester));
	ck_assert_int_eq(sched_getaffinity(0, sizeof(old), &old), 0);
	for (cpu = 0; !CPU_ISSET(cpu, &old); cpu++)
		continue;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(set), &set), 0);
	ring_requester_here(&requester);
	ck_assert_uint_eq(atomic_load(&servicer.shared->requester_cpu), cpu + 1);
	ck_assert(!ring_requester_is_here(&servicer));
	ring_servicer_here(&servicer);
	ck_assert_uint_eq(atomic_load(&servicer.shared->servicer_cpu), cpu + 1);
	ck_assert(ring_requester_is_here(&servicer));
	ck_assert(ring_servicer_is_here(&requester));
	atomic_store(&servicer.shared->requester_cpu, cpu + 2);
	atomic_store(&servicer.shared->servicer_cpu, 0);
	ck_assert(!ring_requester_is_here(&servicer));
	ck_assert(!ring_servicer_is_here(&requester));
	ck_assert_int_eq(sched_setaffinity(0, sizeof(old), &old), 0);
}
END_TEST

#define STRESS_CALLS 200000

static int doorbell = -1, notify = -1;
static bool at_futex; /* both sleep there */

static uint32_t sleep_how(void)
{
	return at_futex ? DSP_ASLEEP | DSP_AT_FUTEX : DSP_ASLEEP;
}

static void wait_for_kick(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	uint64_t count;

	if (poll(&pollfd, 1, -1) != 1 || read(fd, &count, sizeof(count)) != sizeof(count))
		ck_abort_msg("an eventfd does not work");
}

/* Answers each call at once, and sleeps whenever it has to. */
static void *serve(void *unused)
{
	struct dsp_entry_fault fault;
	struct dsp_entry entry;
	uint32_t served = 0;

	while (served < STRESS_CALLS) {
		if (ring_unreaped(&servicer) == CQ_ENTRIES) {
			if (ring_servicer_stall(&servicer, 0))
				wait_for_kick(doorbell);
		} else if (ring_fetch(&servicer, &entry, &fault) == 1) {
			served++;
			ring_complete(&servicer,
				&(struct dsp_completion){.user_data = entry.user_data});
			if (served % 3 == 0 || entry.n_in)
				ring_wake_requester(&servicer, ring_publish(&servicer), notify);
		} else {
			ring_wake_requester(&servicer, ring_publish(&servicer), notify);
			if (!ring_servicer_sleep(&servicer, sleep_how()))
				continue;
			if (at_futex)
				ring_servicer_nap(&servicer, sleep_how());
			else
				wait_for_kick(doorbell);
			ring_servicer_wake(&servicer);
		}
	}
	ring_wake_requester(&servicer, ring_publish(&servicer), notify);
	return unused;
}

static uint32_t submit_some(uint32_t sent, unsigned int n)
{
	uint32_t first = sent;

	for (; sent < STRESS_CALLS && sent - first < n; sent++) {
		struct dsp_entry entry = ring_rig_entry(sent % 4, sent % 3, sent);

		entry.user_data = sent;
		if (ring_push(&requester, &entry, NULL) < 0)
			break;
	}
	ring_wake_servicer(&requester, ring_submit(&requester), doorbell);
	return sent;
}

/* A lost wake-up in either direction leaves both sides asleep until the test's time is up. */
START_TEST(no_wake_up_is_lost_while_both_sides_sleep_at_every_chance)
{
	struct dsp_completion completion;
	uint32_t sent = 0, reaped = 0;
	unsigned int seed = 1;
	pthread_t thread;

	at_futex = _i;
	ring_rig_start_at(UINT32_MAX - STRESS_CALLS / 2);
	doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ck_assert_int_eq(pthread_create(&thread, NULL, serve, NULL), 0);
	while (reaped < STRESS_CALLS) {
		/* Reap all or nothing, so that at times the completion queue runs full. */
		sent = submit_some(sent, 1 + (unsigned int)rand_r(&seed) % (2 * SQ_SLOTS));
		if (sent - reaped < CQ_ENTRIES && sent < STRESS_CALLS && rand_r(&seed) % 4)
			continue;
		while (ring_reap(&requester, &completion) == 1)
			if (completion.user_data != reaped++)
				ck_abort_msg("a completion is lost or came twice");
		if (ring_room_wanted(&requester))
			ring_kick(doorbell);
		if (reaped == sent || !ring_requester_sleep(&requester, sleep_how()))
			continue;
		if (at_futex)
			ring_requester_nap(&requester, sleep_how(), -1);
		else
			wait_for_kick(notify);
		ring_requester_wake(&requester);
	}
	pthread_join(thread, NULL);
	fd_close(doorbell);
	fd_close(notify);
}
END_TEST

/* Claim and revoke. */

START_TEST(a_revoked_entry_is_fetched_as_revoked_and_a_fetched_one_cannot_be_revoked)
{
	struct dsp_entry entry = ring_rig_entry(3, 0, 0), got;
	struct dsp_entry_fault fault;
	uint32_t first, second;

	ring_rig_start_at(UINT32_MAX - 2);
	ck_assert_int_eq(ring_push(&requester, &entry, &first), 0);
	ck_assert_int_eq(ring_push(&requester, &entry, &second), 0);
	ring_submit(&requester);
	ck_assert(!ring_revoke(&requester, requester.sq_tail));
	ck_assert(ring_revoke(&requester, second));
	ck_assert(!ring_revoke(&requester, second));
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
	ck_assert(!got.revoked);
	ck_assert(!ring_revoke(&requester, first));
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
	ck_assert(got.revoked);
}
END_TEST

START_TEST(an_old_position_does_not_revoke_the_entry_that_took_its_slot)
{
	struct dsp_entry entry = ring_rig_entry(0, 0, 0), got;
	struct dsp_entry_fault fault;
	uint32_t position;

	ck_assert_int_eq(ring_push(&requester, &entry, &position), 0);
	ring_submit(&requester);
	ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
	for (unsigned int i = 0; i < SQ_SLOTS; i++)
		ring_rig_submit(&entry);
	ck_assert(!ring_revoke(&requester, position));
	for (unsigned int i = 0; i < SQ_SLOTS; i++) {
		ck_assert_int_eq(ring_fetch(&servicer, &got, &fault), 1);
		ck_assert(!got.revoked);
	}
}
END_TEST

#define RACES 100000

static bool was_revoked[RACES];

static void *fetch_all(void *unused)
{
	struct dsp_entry_fault fault;
	struct dsp_entry entry;
	uint32_t fetched = 0;

	while (fetched < RACES) {
		if (ring_fetch(&servicer, &entry, &fault) != 1)
			continue;
		if (entry.user_data != fetched)
			ck_abort_msg("an entry is lost or came twice");
		was_revoked[fetched++] = entry.revoked;
	}
	return unused;
}

START_TEST(of_fetch_and_revoke_exactly_one_wins)
{
	struct dsp_entry entry = {.op = DSP_OP_INVOKE};
	bool *revoked = calloc(RACES, sizeof(*revoked));
	uint32_t position, won = 0;
	pthread_t thread;

	ck_assert_ptr_nonnull(revoked);
	ck_assert_int_eq(pthread_create(&thread, NULL, fetch_all, NULL), 0);
	for (uint32_t i = 0; i < RACES; i++) {
		entry.user_data = i;
		while (ring_push(&requester, &entry, &position) == -EAGAIN)
			;
		ring_submit(&requester);
		if (i % 3)
			revoked[i] = ring_revoke(&requester, position);
	}
	pthread_join(thread, NULL);
	for (uint32_t i = 0; i < RACES; i++)
		won += revoked[i];
	ck_assert_mem_eq(revoked, was_revoked, sizeof(was_revoked));
	ck_assert_uint_gt(won, 0);
	free(revoked);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("ring_wake");
	TCase *tcase = tcase_create("ring_wake");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, ring_rig_set_up, ring_rig_tear_down);
	tcase_add_test(tcase, whoever_announces_sleep_is_woken_once_and_by_news_alone);
	tcase_add_test(tcase, routine_wakes_nobody_who_sleeps_soundly_unless_there_is_no_room);
	tcase_add_test(tcase, a_stalled_servicer_is_told_of_room);
	tcase_add_test(tcase, who_sleeps_is_woken_the_way_it_said_whatever_it_said);
	tcase_add_test(tcase, each_side_knows_whether_the_other_ran_on_its_own_processor);
	tcase_add_loop_test(tcase, no_wake_up_is_lost_while_both_sides_sleep_at_every_chance, 0, 2);
	tcase_add_test(tcase,
		a_nap_ends_at_once_when_the_word_is_another_and_with_the_time_otherwise);
	tcase_add_test(tcase,
		a_revoked_entry_is_fetched_as_revoked_and_a_fetched_one_cannot_be_revoked);
	tcase_add_test(tcase, an_old_position_does_not_revoke_the_entry_that_took_its_slot);
	tcase_add_test(tcase, of_fetch_and_revoke_exactly_one_wins);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
