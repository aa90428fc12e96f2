// SPDX-License-Identifier: MIT
/*
 * Every interleaving of two sides of a ring that sleep and wake each other, see interleaving.h.
 * What runs is ring.c itself. Each program is run once more without what it is built on, full
 * fences, or acquire and release, which shows that the model would have noticed.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "protocol/util.h"
#include "tests/suite.h"
#include "tests/unit/model_ring.h"

#define ITEMS   3
#define ENTRIES 2 /* of a queue that becomes full */

/* Masks of descriptors. */
#define NOTIFY   1u
#define DOORBELL 2u

#define AT_FUTEX (DSP_ASLEEP | DSP_AT_FUTEX)

static struct dsp_ring rings[MODEL_THREADS];

static struct dsp_ring *ring(void)
{
	return &rings[model_self()];
}

/* At the head of a loop that nothing else matters for. */
static void here(uint64_t n)
{
	model_ring_at(ring(), n, 0);
}

static void wake_servicer(uint32_t how)
{
	if (how & DSP_AT_FUTEX)
		ring_wake_servicer(ring(), how, -1);
	else if (how)
		model_kick(DOORBELL);
}

static void wake_requester(uint32_t how)
{
	if (how & DSP_AT_FUTEX)
		ring_wake_requester(ring(), how, -1);
	else if (how)
		model_kick(NOTIFY);
}

static void wait_for(unsigned int fd)
{
	model_poll(fd, 0, true);
	model_drain(fd);
}

/* Submitting and taking. */

static void submit_items(void)
{
	struct dsp_entry entry = {.op = DSP_OP_INVOKE};

	for (; entry.user_data < ITEMS; entry.user_data++) {
		here(entry.user_data);
		ring_push(ring(), &entry, NULL);
		wake_servicer(ring_submit(ring()));
	}
}

static uint64_t fetched;

static bool fetch(void)
{
	struct dsp_entry_fault fault;
	struct dsp_entry entry;
	int r = ring_fetch(ring(), &entry, &fault);

	model_require(r >= 0);
	if (r > 0)
		model_require(entry.user_data == fetched++ && !entry.revoked);
	return r > 0;
}

static void fetch_items_by(uint32_t how)
{
	for (; fetched < ITEMS; here(fetched)) {
		if (fetch() || !ring_servicer_sleep(ring(), how))
			continue;
		if (how & DSP_AT_FUTEX)
			ring_servicer_nap(ring(), how);
		else
			wait_for(DOORBELL);
		ring_servicer_wake(ring());
	}
}

static void fetch_items(void)
{
	fetch_items_by(DSP_ASLEEP);
}

static void fetch_items_at_the_futex(void)
{
	fetch_items_by(AT_FUTEX);
}

/* Completing and reaping. */

static uint64_t reaped;

static bool reap(void)
{
	struct dsp_completion completion;
	int r = ring_reap(ring(), &completion);

	model_require(r >= 0);
	if (r > 0)
		model_require(completion.user_data == reaped++);
	return r > 0;
}

static void reap_items_by(uint32_t how)
{
	for (; reaped < ITEMS; here(reaped)) {
		if (reap() || !ring_requester_sleep(ring(), how))
			continue;
		if (how & DSP_AT_FUTEX)
			ring_requester_nap(ring(), how, -1);
		else
			wait_for(NOTIFY);
		ring_requester_wake(ring());
	}
}

static void reap_items(void)
{
	reap_items_by(DSP_ASLEEP);
}

static void reap_items_at_the_futex(void)
{
	reap_items_by(AT_FUTEX);
}

/* Who sleeps soundly is woken by the last, which is news. */
static void reap_items_with_the_news(void)
{
	reap_items_by(DSP_SOUND_ASLEEP);
}

static void reap_items_with_the_news_at_the_futex(void)
{
	reap_items_by(DSP_SOUND_ASLEEP | DSP_AT_FUTEX);
}

/* Who has slept soundly, and then sleeps as usual, misses no routine. */
static void reap_after_sound_sleep(void)
{
	ring_requester_sleep(ring(), DSP_SOUND_ASLEEP);
	reap_items();
}

/* At the futex for a while, and then where it sees everything. */
static void nap_and_sleep(void)
{
	for (; reaped < ITEMS; here(reaped)) {
		if (reap() || !ring_requester_sleep(ring(), AT_FUTEX))
			continue;
		if (ring_requester_nap(ring(), AT_FUTEX, 1) == -ETIMEDOUT &&
			ring_requester_sleep(ring(), DSP_ASLEEP))
			wait_for(NOTIFY);
		ring_requester_wake(ring());
	}
}

/* Not announced, a look is only a look, however often it is done. */
static void look_and_sleep(void)
{
	for (; reaped < ITEMS; here(reaped)) {
		if (ring_can_reap(ring()))
			reap();
		else if (model_choose(2) && ring_requester_sleep(ring(), DSP_ASLEEP)) {
			wait_for(NOTIFY);
			ring_requester_wake(ring());
		}
	}
}

static void publish(uint32_t n, uint32_t routine)
{
	for (uint32_t i = 0; i < n; i++) {
		here(i);
		model_ring_put(ring(), i < routine);
		wake_requester(ring_publish(ring()));
	}
}

static void publish_items(void)
{
	publish(ITEMS, 0);
}

static void publish_routine_and_news(void)
{
	publish(ITEMS, ITEMS - 1);
}

static void publish_routine(void)
{
	publish(ITEMS, ITEMS);
}

static void publish_at_once(void)
{
	for (int i = 0; i < ITEMS; i++)
		model_ring_put(ring(), false);
	wake_requester(ring_publish(ring()));
}

/* Room in the completion queue. */

/* However soundly it sleeps, it is woken to make room; all but one place is for what is in flight.
 */
static void reap_and_make_room(void)
{
	for (; reaped < ENTRIES; here(reaped)) {
		if (reap()) {
			if (ring_room_wanted(ring()))
				model_kick(DOORBELL);
		} else if (ring_requester_sleep(ring(), DSP_SOUND_ASLEEP)) {
			wait_for(NOTIFY);
		}
	}
}

static void publish_when_there_is_room(void)
{
	publish(1, 1);
	while (ring_servicer_stall(ring(), ENTRIES - 1)) {
		wake_requester(ring_publish(ring()));
		wait_for(DOORBELL);
	}
	publish(1, 0);
}

/* Here the completion queue is full at the start; it is reaped one by one, or as one. */
static void make_room(void)
{
	for (unsigned int i = 0; i < ENTRIES; i++) {
		reap();
		ring_reaped(ring());
		if (ring_room_wanted(ring()))
			model_kick(DOORBELL);
	}
}

static void make_room_at_once(void)
{
	for (unsigned int i = 0; i < ENTRIES; i++)
		reap();
	if (ring_room_wanted(ring()))
		model_kick(DOORBELL);
}

static void wait_for_room(void)
{
	for (unsigned int i = 0; i < ENTRIES;) {
		if (ring_has_room(ring(), 0)) {
			model_ring_put(ring(), false);
			i++;
		} else if (ring_servicer_stall(ring(), 0)) {
			wait_for(DOORBELL);
		}
	}
}

/* Both ways, through queues that hold less than there is to do. The requester does not look how
 * many completions there is room for. What the servicer has taken it shows before the completions:
 * so who has found no room tries again when it has reaped something, and before it sleeps. */

static void call(void)
{
	struct dsp_entry entry = {.op = DSP_OP_INVOKE};

	while (reaped < ITEMS) {
		uint64_t before = reaped;

		here(entry.user_data * ITEMS + reaped);
		while (entry.user_data < ITEMS && ring_push(ring(), &entry, NULL) == 0)
			entry.user_data++;
		wake_servicer(ring_submit(ring()));
		model_ring_at(ring(), entry.user_data * ITEMS + reaped, 1);
		while (reap())
			continue;
		if (ring_room_wanted(ring()))
			model_kick(DOORBELL);
		if (reaped > before || !ring_requester_sleep(ring(), DSP_ASLEEP))
			continue;
		wait_for(NOTIFY);
		ring_requester_wake(ring());
	}
}

/* One that is slow: it takes some of what is there, and completes only when all have room. */
static void serve(void)
{
	uint32_t in_flight = 0;

	while (fetched < ITEMS || in_flight) {
		bool room;

		here(fetched * ITEMS + in_flight);
		room = ring_has_room(ring(), in_flight);
		if (room && fetched < ITEMS && fetch()) {
			in_flight++;
			continue;
		}
		ring_fetched(ring());
		model_ring_at(ring(), fetched * ITEMS + in_flight, 3 + room);
		if (in_flight) {
			model_ring_put(ring(), false);
			in_flight--;
			wake_requester(ring_publish(ring()));
			continue;
		}
		if (room ? ring_servicer_sleep(ring(), DSP_ASLEEP) : ring_servicer_stall(ring(), 0))
			wait_for(DOORBELL);
	}
}

/* A race for an entry, whose slot another one may take, while the servicer shows late what it has
 * taken. */

static bool revoked[ENTRIES], taken_back[ENTRIES + 1];

static void submit_and_revoke(void)
{
	struct dsp_entry entry = {.op = DSP_OP_INVOKE};
	unsigned int which = model_choose(ENTRIES);
	uint32_t positions[ENTRIES];
	bool third;

	for (uint32_t i = 0; i < ENTRIES; i++)
		ring_push(ring(), &entry, &positions[i]);
	wake_servicer(ring_submit(ring()));
	third = ring_push(ring(), &entry, NULL) == 0;
	revoked[which] = ring_revoke(ring(), positions[which]);
	while (!third) {
		here(which * 2 + revoked[which]);
		third = ring_push(ring(), &entry, NULL) == 0;
	}
	wake_servicer(ring_submit(ring()));
}

static void take_what_is_there(void)
{
	struct dsp_entry_fault fault;
	struct dsp_entry entry;

	for (fetched = 0; fetched <= ENTRIES;) {
		model_ring_at(ring(), fetched, taken_back[0] * 2 + taken_back[1]);
		if (ring_fetch(ring(), &entry, &fault) == 1)
			taken_back[fetched++] = entry.revoked;
		else if (ring_servicer_sleep(ring(), AT_FUTEX))
			ring_servicer_nap(ring(), AT_FUTEX);
	}
}

static bool one_has_won(void)
{
	return revoked[0] == taken_back[0] && revoked[1] == taken_back[1] && !taken_back[ENTRIES];
}

static const struct {
	void (*sides[2])(void);
	uint32_t entries;
	uint32_t unreaped; /* completions in the queue at the start */
	bool spurious;
	bool (*is_right)(void);
} programs[] = {
	{{submit_items, fetch_items}, .entries = 4},
	{{submit_items, fetch_items_at_the_futex}, .entries = 4, .spurious = true},
	{{reap_items, publish_items}, .entries = 4},
	{{reap_items_at_the_futex, publish_items}, .entries = 4, .spurious = true},
	{{reap_items, publish_at_once}, .entries = 4},
	{{reap_items_with_the_news, publish_routine_and_news}, .entries = 4},
	{{reap_items_with_the_news_at_the_futex, publish_routine_and_news}, .entries = 4,
		.spurious = true},
	{{reap_after_sound_sleep, publish_routine}, .entries = 4},
	{{nap_and_sleep, publish_items}, .entries = 4, .spurious = true},
	{{look_and_sleep, publish_items}, .entries = 4},
	{{make_room, wait_for_room}, .entries = ENTRIES, .unreaped = ENTRIES},
	{{make_room_at_once, wait_for_room}, .entries = ENTRIES, .unreaped = ENTRIES},
	{{reap_and_make_room, publish_when_there_is_room}, .entries = ENTRIES},
	{{call, serve}, .entries = ENTRIES},
	{{submit_and_revoke, take_what_is_there}, .entries = ENTRIES, .is_right = one_has_won},
};

static int current;

static void start(void)
{
	uint32_t unreaped = programs[current].unreaped;

	model_ring_start(rings, MODEL_THREADS, programs[current].entries, unreaped);
	rings[1].cq_tail = unreaped;
	fetched = reaped = 0;
	memset(revoked, 0, sizeof(revoked));
	memset(taken_back, 0, sizeof(taken_back));
}

static enum model_end explore(int i, size_t *n_states)
{
	const struct model_program program = {
		.threads = {programs[i].sides[0], programs[i].sides[1]},
		.start = start,
		.is_right = programs[i].is_right,
		.spurious = programs[i].spurious,
	};

	current = i;
	return model_explore(&program, n_states);
}

START_TEST(no_interleaving_loses_a_wake_up)
{
	size_t n_states;

	model_fences_work = model_acquire_works = true;
	ck_assert_int_eq(explore(_i, &n_states), MODEL_FINE);
	ck_assert_uint_gt(n_states, 50);
}
END_TEST

/* And the explorer would have found one. */
START_TEST(without_the_fences_a_wake_up_is_lost)
{
	model_fences_work = false;
	model_acquire_works = true;
	ck_assert_int_eq(explore(_i, NULL), MODEL_STUCK);
}
END_TEST

START_TEST(without_acquire_and_release_an_entry_is_read_before_it_is_there)
{
	model_fences_work = true;
	model_acquire_works = false;
	ck_assert_int_eq(explore(_i, NULL), MODEL_RACE);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("ring_sleep");
	TCase *tcase = tcase_create("ring_sleep");

	tcase_set_timeout(tcase, 240);
	tcase_add_loop_test(tcase, no_interleaving_loses_a_wake_up, 0, ARRAY_SIZE(programs));
	tcase_add_loop_test(tcase, without_the_fences_a_wake_up_is_lost, 0, ARRAY_SIZE(programs));
	tcase_add_loop_test(tcase, without_acquire_and_release_an_entry_is_read_before_it_is_there,
		0, ARRAY_SIZE(programs));
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
