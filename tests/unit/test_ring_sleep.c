// SPDX-License-Identifier: MIT
/*
 * Every interleaving of the sleep/wake protocol, on a memory that is as weak as arm64's where it
 * matters: a store becomes visible to the other side at any later time, a relaxed one even before
 * earlier stores to other words. ring.c itself is compiled in here, with its atomics replaced.
 *
 * The two sides are coroutines. Each atomic operation hands over to the explorer, which goes
 * through all choices of who moves next and which store becomes visible next, replaying the
 * program from its start for each path, and cutting a path off where it meets a known state.
 */
#define ring_size                    model_ring_size
#define ring_create                  model_ring_create
#define ring_map                     model_ring_map
#define ring_unmap                   model_ring_unmap
#define ring_push                    model_ring_push
#define ring_submit                  model_ring_submit
#define ring_revoke                  model_ring_revoke
#define ring_reap                    model_ring_reap
#define ring_requester_sleep         model_ring_requester_sleep
#define ring_requester_wake          model_ring_requester_wake
#define ring_requester_sleep_soundly model_ring_requester_sleep_soundly
#define ring_room_wanted             model_ring_room_wanted
#define ring_fetch                   model_ring_fetch
#define ring_unreaped                model_ring_unreaped
#define ring_complete                model_ring_complete
#define ring_complete_routine        model_ring_complete_routine
#define ring_publish                 model_ring_publish
#define ring_servicer_sleep          model_ring_servicer_sleep
#define ring_servicer_wake           model_ring_servicer_wake
#define ring_servicer_stall          model_ring_servicer_stall
#define ring_arg_offset              model_ring_arg_offset
#define ring_kick                    model_ring_kick

#include "protocol/ring.h"
#include "tests/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_exchange_explicit
#undef atomic_compare_exchange_strong_explicit
#undef atomic_thread_fence
#define atomic_load_explicit(word, order)            model_load((uint32_t *)(word))
#define atomic_store_explicit(word, value, order)    model_store((uint32_t *)(word), value, order)
#define atomic_exchange_explicit(word, value, order) model_exchange((uint32_t *)(word), value)
#define atomic_compare_exchange_strong_explicit(word, expected, value, success, failure) \
	model_compare_exchange((uint32_t *)(word), expected, value)
#define atomic_thread_fence(order) model_fence()

static uint32_t model_load(const uint32_t *word);
static void model_store(uint32_t *word, uint32_t value, memory_order order);
static uint32_t model_exchange(uint32_t *word, uint32_t value);
static bool model_compare_exchange(uint32_t *word, uint32_t *expected, uint32_t value);
static void model_fence(void);

#include "protocol/ring.c"

#define ITEMS       2
#define ENTRIES     DSP_RING_SQ_MIN
#define PENDING_MAX 8
#define STEPS_MAX   512
#define SEEN_SIZE   (1u << 20)

struct store {
	uint32_t *word;
	uint32_t value;
	bool release;
};

/* One side of the ring. */
struct actor {
	ucontext_t context;
	char stack[128 * 1024];
	struct dsp_ring ring;
	struct store pending[PENDING_MAX]; /* its own stores that nobody else sees yet */
	size_t n_pending;
	uint32_t kicks;    /* its eventfd */
	uint64_t observed; /* hash of all that it has read: with it, its state is fixed */
	bool waiting, done;
};

static struct actor actors[2], *running;
static ucontext_t explorer;
static bool fences_work;

/* The path being explored: at each step, the choice made and how many there were. */
static struct {
	unsigned int choice, choices;
} path[STEPS_MAX];
static uint64_t seen[SEEN_SIZE];
static size_t n_seen;

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
	return hash ^ (hash >> 29);
}

/* The memory model. */

static void step(void)
{
	running->observed = mix(running->observed, 0);
	swapcontext(&running->context, &explorer);
}

static uint32_t observe(uint32_t value)
{
	running->observed = mix(running->observed, value + 1ull);
	return value;
}

static void make_visible(struct actor *actor, size_t i)
{
	*actor->pending[i].word = actor->pending[i].value;
	actor->n_pending--;
	memmove(&actor->pending[i], &actor->pending[i + 1],
		(actor->n_pending - i) * sizeof(actor->pending[0]));
}

/* A release store waits for all stores before it, any store for those to the same word. */
static bool may_become_visible(const struct actor *actor, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (actor->pending[i].release || actor->pending[j].word == actor->pending[i].word)
			return false;
	return true;
}

static void make_all_visible(struct actor *actor)
{
	while (actor->n_pending)
		make_visible(actor, 0);
}

static uint32_t model_load(const uint32_t *word)
{
	uint32_t value;

	step();
	value = *word;
	for (size_t i = 0; i < running->n_pending; i++)
		if (running->pending[i].word == word)
			value = running->pending[i].value;
	return observe(value);
}

static void model_store(uint32_t *word, uint32_t value, memory_order order)
{
	step();
	ck_assert_uint_lt(running->n_pending, PENDING_MAX);
	running->pending[running->n_pending++] =
		(struct store){word, value, order == memory_order_release};
}

static uint32_t model_exchange(uint32_t *word, uint32_t value)
{
	uint32_t old;

	step();
	for (size_t i = running->n_pending; i-- > 0;) {
		if (running->pending[i].word != word)
			continue;
		for (size_t j = 0; j <= i; j++)
			make_visible(running, 0);
		break;
	}
	old = *word;
	*word = value;
	return observe(old);
}

static bool model_compare_exchange(uint32_t *word, uint32_t *expected, uint32_t value)
{
	step();
	make_all_visible(running);
	if (observe(*word) != *expected) {
		*expected = *word;
		return false;
	}
	*word = value;
	return true;
}

static void model_fence(void)
{
	step();
	if (fences_work)
		make_all_visible(running);
}

/* The eventfd: to write it is a system call, which orders what went before. */
static void kick(struct actor *other)
{
	step();
	make_all_visible(running);
	other->kicks++;
}

static void wait_for_kick(void)
{
	running->waiting = true;
	step();
	running->waiting = false;
	running->kicks = 0;
}

/* The programs. */

static void submit_items(void)
{
	struct dsp_entry entry = {.op = DSP_OP_INVOKE};

	for (unsigned int i = 0; i < ITEMS; i++) {
		ring_push(&running->ring, &entry, NULL);
		if (ring_submit(&running->ring))
			kick(&actors[1]);
	}
}

static void fetch_items(void)
{
	struct dsp_entry_fault fault;
	struct dsp_entry entry;

	for (unsigned int i = 0; i < ITEMS;) {
		if (ring_fetch(&running->ring, &entry, &fault) == 1) {
			i++;
		} else if (ring_servicer_sleep(&running->ring)) {
			wait_for_kick();
			ring_servicer_wake(&running->ring);
		}
	}
}

static void reap_items(void)
{
	struct dsp_completion completion;

	for (unsigned int i = 0; i < ITEMS;) {
		if (ring_reap(&running->ring, &completion) == 1) {
			i++;
		} else if (ring_requester_sleep(&running->ring)) {
			wait_for_kick();
			ring_requester_wake(&running->ring);
		}
	}
}

static void publish_items(void)
{
	for (unsigned int i = 0; i < ITEMS; i++) {
		ring_complete(&running->ring, &(struct dsp_completion){});
		if (ring_publish(&running->ring))
			kick(&actors[0]);
	}
}

/* Who sleeps soundly is woken by the last, which is news. */
static void reap_items_with_the_news(void)
{
	struct dsp_completion completion;

	for (unsigned int i = 0; i < ITEMS;) {
		if (ring_reap(&running->ring, &completion) == 1) {
			i++;
		} else if (ring_requester_sleep(&running->ring)) {
			ring_requester_sleep_soundly(&running->ring);
			wait_for_kick();
			ring_requester_wake(&running->ring);
		}
	}
}

static void publish_routine_and_news(void)
{
	for (unsigned int i = 0; i < ITEMS; i++) {
		if (i + 1 < ITEMS)
			ring_complete_routine(&running->ring, &(struct dsp_completion){});
		else
			ring_complete(&running->ring, &(struct dsp_completion){});
		if (ring_publish(&running->ring))
			kick(&actors[0]);
	}
}

/* Who has slept soundly, and then sleeps as usual, misses no routine. */
static void reap_after_sound_sleep(void)
{
	if (ring_requester_sleep(&running->ring))
		ring_requester_sleep_soundly(&running->ring);
	reap_items();
}

static void publish_routine(void)
{
	for (unsigned int i = 0; i < ITEMS; i++) {
		ring_complete_routine(&running->ring, &(struct dsp_completion){});
		if (ring_publish(&running->ring))
			kick(&actors[0]);
	}
}

/* However soundly it sleeps, it is woken to make room; all but one place is for what is in flight.
 */
static void reap_and_make_room(void)
{
	struct dsp_completion completion;

	for (unsigned int i = 0; i < ITEMS;) {
		if (ring_reap(&running->ring, &completion) == 1) {
			i++;
			if (ring_room_wanted(&running->ring))
				kick(&actors[1]);
		} else if (ring_requester_sleep(&running->ring)) {
			ring_requester_sleep_soundly(&running->ring);
			wait_for_kick();
		}
	}
}

static void publish_when_there_is_room(void)
{
	ring_complete_routine(&running->ring, &(struct dsp_completion){});
	if (ring_publish(&running->ring))
		kick(&actors[0]);
	while (ring_servicer_stall(&running->ring, ENTRIES - 1)) {
		if (ring_publish(&running->ring))
			kick(&actors[0]);
		wait_for_kick();
	}
	ring_complete(&running->ring, &(struct dsp_completion){});
	if (ring_publish(&running->ring))
		kick(&actors[0]);
}

/* Here the completion queue is full at the start. */
static void make_room(void)
{
	struct dsp_completion completion;

	for (unsigned int i = 0; i < ITEMS; i++) {
		ring_reap(&running->ring, &completion);
		if (ring_room_wanted(&running->ring))
			kick(&actors[1]);
	}
}

static void wait_for_room(void)
{
	for (unsigned int i = 0; i < ITEMS;) {
		if (ring_unreaped(&running->ring) < ENTRIES) {
			ring_complete(&running->ring, &(struct dsp_completion){});
			i++;
		} else if (ring_servicer_stall(&running->ring, 0)) {
			wait_for_kick();
		}
	}
}

static const struct program {
	void (*sides[2])(void);
	uint32_t unreaped; /* completions in the queue at the start */
} programs[] = {
	{{submit_items, fetch_items}, 0},
	{{reap_items, publish_items}, 0},
	{{reap_items_with_the_news, publish_routine_and_news}, 0},
	{{reap_after_sound_sleep, publish_routine}, 0},
	{{make_room, wait_for_room}, ENTRIES},
	{{reap_and_make_room, publish_when_there_is_room}, 0},
};

/* The explorer. */

static void run_side(unsigned int side, unsigned int program)
{
	programs[program].sides[side]();
	running->done = true;
	step();
}

static void restart_side(unsigned int side, unsigned int program, void *memory)
{
	struct actor *actor = &actors[side];

	actor->n_pending = 0;
	actor->kicks = 0;
	actor->observed = 1;
	actor->waiting = actor->done = false;
	actor->ring = (struct dsp_ring){
		.shared = memory,
		.sq = (void *)((char *)memory + DSP_RING_ENTRIES_OFFSET),
		.cq = (void *)((char *)memory + ring_size(ENTRIES, 0)),
		.sq_slots = ENTRIES,
		.cq_entries = ENTRIES,
		.cq_tail = programs[program].unreaped,
	};
	getcontext(&actor->context);
	actor->context.uc_stack.ss_sp = actor->stack;
	actor->context.uc_stack.ss_size = sizeof(actor->stack);
	makecontext(&actor->context, (void (*)(void))run_side, 2, side, program);
}

static void restart(unsigned int program, void *memory)
{
	memset(memory, 0, ring_size(ENTRIES, ENTRIES));
	for (unsigned int side = 0; side < ARRAY_SIZE(actors); side++)
		restart_side(side, program, memory);
	*(uint32_t *)&actors[0].ring.shared->cq_tail = programs[program].unreaped;
}

static uint64_t state(void)
{
	const struct dsp_ring_shared *shared = actors[0].ring.shared;
	uint64_t hash = 1;

	for (size_t i = 0; i < sizeof(*shared); i += DSP_CACHE_LINE)
		hash = mix(hash, *(const uint32_t *)((const char *)shared + i));
	for (size_t a = 0; a < ARRAY_SIZE(actors); a++) {
		hash = mix(hash, actors[a].observed);
		hash = mix(hash, actors[a].kicks * 4ull + actors[a].waiting * 2 + actors[a].done);
		hash = mix(hash, actors[a].n_pending);
		for (size_t i = 0; i < actors[a].n_pending; i++) {
			hash = mix(hash, (uintptr_t)actors[a].pending[i].word);
			hash = mix(hash, actors[a].pending[i].value);
		}
	}
	return hash;
}

/* True the first time. */
static bool is_new(uint64_t hash)
{
	size_t i = hash % SEEN_SIZE;

	for (; seen[i]; i = (i + 1) % SEEN_SIZE)
		if (seen[i] == hash)
			return false;
	seen[i] = hash;
	ck_assert_uint_lt(++n_seen, SEEN_SIZE / 2);
	return true;
}

/* Make move number @choice of those possible now, or with a larger one only count them. */
static unsigned int move(unsigned int choice)
{
	unsigned int n = 0;

	for (size_t a = 0; a < ARRAY_SIZE(actors); a++) {
		struct actor *actor = &actors[a];

		if (!actor->done && (!actor->waiting || actor->kicks) && n++ == choice) {
			running = actor;
			swapcontext(&explorer, &actor->context);
			return n;
		}
		for (size_t i = 0; i < actor->n_pending; i++)
			if (may_become_visible(actor, i) && n++ == choice) {
				make_visible(actor, i);
				return n;
			}
	}
	return n;
}

/* Follow the path as far as it is given, then first choices; returns its length. */
static size_t follow(unsigned int program, void *memory, size_t given)
{
	size_t length;

	restart(program, memory);
	for (length = 0;; length++) {
		ck_assert_uint_lt(length, STEPS_MAX);
		if (length >= given) {
			path[length].choice = 0;
			path[length].choices = is_new(state()) ? move(UINT32_MAX) : 0;
			if (!path[length].choices)
				return length;
		}
		move(path[length].choice);
	}
}

/* True if there is an interleaving after which somebody waits for ever. */
static bool loses_a_wake_up(unsigned int program)
{
	void *memory = aligned_alloc(DSP_CACHE_LINE, ring_size(ENTRIES, ENTRIES));
	size_t length = 0;
	bool lost = false;

	ck_assert_ptr_nonnull(memory);
	memset(seen, 0, sizeof(seen));
	n_seen = 0;
	do {
		length = follow(program, memory, length);
		if (!move(UINT32_MAX))
			lost = !actors[0].done || !actors[1].done;
		while (length && path[length - 1].choice + 1 == path[length - 1].choices)
			length--;
		if (length)
			path[length - 1].choice++;
	} while (length && !lost);
	free(memory);
	return lost;
}

START_TEST(no_interleaving_loses_a_wake_up)
{
	fences_work = true;
	ck_assert(!loses_a_wake_up((unsigned int)_i));
	ck_assert_uint_gt(n_seen, 100);
}
END_TEST

/* And the explorer would have found one. */
START_TEST(without_the_fences_a_wake_up_is_lost)
{
	fences_work = false;
	ck_assert(loses_a_wake_up((unsigned int)_i));
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("ring_sleep");
	TCase *tcase = tcase_create("ring_sleep");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, no_interleaving_loses_a_wake_up, 0, ARRAY_SIZE(programs));
	tcase_add_loop_test(tcase, without_the_fences_a_wake_up_is_lost, 0, ARRAY_SIZE(programs));
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
