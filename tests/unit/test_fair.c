// SPDX-License-Identifier: MIT
/* Whose turn it is, with costs and a clock of the test's own. */
#include <check.h>
#include <stdlib.h>

#include "daemon/fair.h"
#include "daemon/limits.h"
#include "protocol/util.h"
#include "tests/suite.h"

#define MANY 64
#define MS   1000000ull

enum {
	HIGH,
	NORMAL,
	LOW
};

/* Somebody who uses what is shared. */
struct user {
	struct fair_node node;
	uint64_t used_ns;
	uint64_t least_ns, most_ns; /* what one turn costs */
};

static struct fair fair;
static struct user users[MANY];
static uint64_t now;

static void set_up(void)
{
	fair = (struct fair){};
	now = 1;
	srandom(1);
}

static struct user *begin(size_t i, unsigned int priority, uint32_t weight, uint64_t cost_ns)
{
	users[i] = (struct user){.least_ns = cost_ns, .most_ns = cost_ns};
	fair_node_init(&users[i].node, priority, weight);
	fair_add(&fair, &users[i].node, now);
	return &users[i];
}

static struct user *pick(void)
{
	struct fair_node *node = fair_pick(&fair, now);

	return node ? container_of(node, struct user, node) : NULL;
}

/* One turn, which takes as long as it costs; estimated by @guess_ns before. */
static struct user *turn_guessed(uint64_t guess_ns)
{
	struct user *user = pick();
	uint64_t cost;

	if (!user) /* often: each assertion costs as much as some turns */
		ck_abort_msg("nobody waits");
	cost = user->least_ns + (uint64_t)random() % (user->most_ns - user->least_ns + 1);
	fair_serve(&fair, &user->node, guess_ns, now);
	now += cost;
	fair_charge(&fair, &user->node, (int64_t)(cost - guess_ns));
	user->used_ns += cost;
	return user;
}

static struct user *turn(void)
{
	return turn_guessed(COST_GUESS_NS);
}

static void turns(unsigned int n)
{
	while (n--)
		turn();
}

static void assert_within(uint64_t value, uint64_t expected, uint64_t percent)
{
	ck_assert_uint_ge(value * 100, expected * (100 - percent));
	ck_assert_uint_le(value * 100, expected * (100 + percent));
}

/* Shares. */

START_TEST(shares_are_as_the_weights_whatever_calls_cost)
{
	static const uint32_t weights[] = {100, 200, 400};
	static const uint64_t most[] = {200, 2 * MS, 50000};
	uint64_t begun = now;

	for (size_t i = 0; i < ARRAY_SIZE(weights); i++) {
		begin(i, NORMAL, weights[i], COST_MIN_NS);
		users[i].most_ns = most[i];
	}
	while (now - begun < 10000 * MS)
		turn();
	for (size_t i = 0; i < ARRAY_SIZE(weights); i++)
		assert_within(users[i].used_ns, (now - begun) / 7 * weights[i] / 100, 1);
}
END_TEST

START_TEST(weights_hold_at_both_ends_of_their_range)
{
	begin(0, NORMAL, 1, COST_MIN_NS);
	begin(1, NORMAL, 1000, COST_MIN_NS);
	begin(2, NORMAL, 999, COST_MIN_NS + 7);
	turns(500000);
	assert_within(users[1].used_ns, users[0].used_ns * 1000, 1);
	assert_within(users[2].used_ns, users[0].used_ns * 999, 1);
}
END_TEST

START_TEST(equal_users_take_turns)
{
	for (size_t i = 0; i < 8; i++)
		begin(i, NORMAL, 100, FAIR_QUANTUM_NS);
	for (uint64_t round = 1; round <= 100; round++) {
		turns(8);
		for (size_t i = 0; i < 8; i++)
			ck_assert_uint_eq(users[i].used_ns, round * FAIR_QUANTUM_NS);
	}
}
END_TEST

START_TEST(who_has_short_calls_has_several_in_a_row_but_no_more_time)
{
	const struct user *last = NULL;
	unsigned int changes = 0;

	for (size_t i = 0; i < 4; i++)
		begin(i, NORMAL, 100, FAIR_QUANTUM_NS / 10);
	for (int i = 0; i < 4000; i++) {
		const struct user *user = turn();

		changes += user != last;
		last = user;
		for (size_t k = 0; k < 4; k++)
			ck_assert_uint_le(users[k].used_ns, now / 4 + 4 * FAIR_QUANTUM_NS);
	}
	ck_assert_uint_le(changes, 800);
}
END_TEST

/* What is charged too much at first is given back, even to one that goes on waiting all the time.
 */
START_TEST(a_bad_guess_changes_nothing_in_the_end)
{
	begin(0, NORMAL, 100, 500);
	begin(1, NORMAL, 100, 80000);
	for (int i = 0; i < 200000; i++)
		turn_guessed(i % 3 ? 10 * MS : 1);
	assert_within(users[0].used_ns, users[1].used_ns, 1);
}
END_TEST

START_TEST(idling_earns_nothing)
{
	struct user *busy = begin(0, NORMAL, 100, 1000), *idler = begin(1, NORMAL, 100, 1000);
	uint64_t before;

	fair_remove(&fair, &idler->node);
	turns(100000);
	before = busy->used_ns;
	fair_add(&fair, &idler->node, now);
	turns(1000);
	assert_within(idler->used_ns, busy->used_ns - before, 1);
}
END_TEST

/* Whose call was expected to take long is given that back when it was short; but not to save it. */
START_TEST(what_was_given_back_while_idle_is_not_saved)
{
	struct user *busy = begin(0, NORMAL, 100, 1000), *idler = begin(1, NORMAL, 100, 1000);
	uint64_t before;

	fair_remove(&fair, &idler->node);
	turns(1000);
	fair_serve(&fair, &idler->node, 100 * MS, now);
	turns(200000); /* more than that */
	before = busy->used_ns;
	fair_add(&fair, &idler->node, now);
	fair_charge(&fair, &idler->node, -(int64_t)(100 * MS - 1000));
	turns(1000);
	assert_within(idler->used_ns, busy->used_ns - before, 1);
}
END_TEST

START_TEST(what_is_used_while_nobody_waits_counts_against_nobody)
{
	struct user *first = begin(0, NORMAL, 100, 1000), *second;

	fair_serve(&fair, &first->node, COST_GUESS_NS, now);
	fair_remove(&fair, &first->node);
	fair_charge(&fair, &first->node, 5000 * MS);
	second = begin(1, NORMAL, 100, 1000);
	fair_add(&fair, &first->node, now);
	turns(1000);
	assert_within(first->used_ns, second->used_ns, 1);
}
END_TEST

/* Waiting. */

START_TEST(who_comes_waits_for_one_turn_of_each_other_at_most)
{
	struct user *late;
	unsigned int waited[8] = {};

	for (size_t i = 0; i < 8; i++)
		begin(i, NORMAL, 10u << i, FAIR_QUANTUM_NS * (i + 1));
	turns(12345);
	late = begin(8, NORMAL, 1, 10 * MS);
	for (struct user *user; (user = turn()) != late;)
		ck_assert_uint_le(++waited[user - users], 1);
}
END_TEST

START_TEST(a_more_urgent_class_goes_first)
{
	struct user *low = begin(0, LOW, 1000, 1000), *normal = begin(1, NORMAL, 1, 1000);
	struct user *high = begin(2, HIGH, 1, 1000);

	for (int i = 0; i < 100; i++)
		ck_assert_ptr_eq(turn(), high);
	fair_remove(&fair, &high->node);
	for (int i = 0; i < 100; i++)
		ck_assert_ptr_eq(turn(), normal);
	fair_add(&fair, &high->node, now);
	ck_assert_ptr_eq(turn(), high);
	fair_remove(&fair, &high->node);
	fair_remove(&fair, &normal->node);
	ck_assert_ptr_eq(turn(), low);
	ck_assert_uint_eq(fair_priority(&fair), LOW);
	fair_remove(&fair, &low->node);
	ck_assert_uint_eq(fair_priority(&fair), FAIR_PRIORITIES);
	ck_assert_ptr_null(pick());
}
END_TEST

/* The longest that one waited between two turns, or from @begun to the first. */
static void check_gaps(struct user *(*next)(void), unsigned int n, uint64_t most_ns)
{
	uint64_t last[3] = {now, now, now};
	unsigned int gone[3] = {};

	while (n--) {
		uint64_t begins = now;
		struct user *user = next();
		size_t i = (size_t)(user - users);

		if (begins - last[i] > most_ns)
			ck_abort_msg("one waited too long");
		last[i] = begins;
		gone[i]++;
	}
	ck_assert(gone[0] && gone[1] && gone[2]);
}

START_TEST(no_class_starves)
{
	begin(0, LOW, 100, 30000);
	begin(1, NORMAL, 100, 30000);
	begin(2, HIGH, 100, 30000);
	check_gaps(turn, 100000, SCHED_PATIENCE_NS + 3ull * 30000);
	/* And that is all they get. */
	ck_assert_uint_le(users[0].used_ns, now / SCHED_PATIENCE_NS * 30000 + 30000);
	ck_assert_uint_le(users[1].used_ns, now / SCHED_PATIENCE_NS * 30000 + 30000);
}
END_TEST

START_TEST(no_class_starves_where_calls_are_longer_than_anybody_s_patience)
{
	begin(0, LOW, 100, 2 * SCHED_PATIENCE_NS);
	begin(1, NORMAL, 100, 3 * SCHED_PATIENCE_NS);
	begin(2, HIGH, 100, 5 * SCHED_PATIENCE_NS);
	check_gaps(turn, 3000, 10 * SCHED_PATIENCE_NS);
}
END_TEST

/* A class that nobody was in had nobody who waited. */
START_TEST(patience_begins_with_who_waits_first)
{
	struct user *high = begin(0, HIGH, 100, MS), *low;

	turns(1000);
	low = begin(1, LOW, 100, MS);
	for (uint64_t i = 0; i < SCHED_PATIENCE_NS / MS; i++)
		ck_assert_ptr_eq(turn(), high);
	ck_assert_ptr_eq(turn(), low);
	ck_assert_ptr_eq(turn(), high);
}
END_TEST

START_TEST(who_changes_class_keeps_what_it_is_ahead)
{
	struct user *one = begin(0, NORMAL, 100, 1000), *other = begin(1, NORMAL, 100, 1000);
	struct user *low = begin(2, LOW, 100, 1000);
	uint64_t before;

	turns(100000);
	/* In another class's time it would wait for ever, or never. */
	fair_remove(&fair, &other->node);
	fair_charge(&fair, &one->node, 50000);
	fair_change(&fair, &one->node, LOW, 200, now);
	ck_assert(fair_waits(&one->node));
	before = one->used_ns;
	for (int i = 0; i < 45; i++)
		ck_assert_ptr_eq(turn(), low);
	turns(30000);
	assert_within(one->used_ns - before, low->used_ns * 2, 2);
}
END_TEST

/* Coming and going. */

START_TEST(whoever_leaves_at_whatever_time_is_not_picked_and_the_others_are)
{
	bool waits[MANY] = {};

	for (size_t i = 0; i < MANY; i++) {
		begin(i, (unsigned int)random() % FAIR_PRIORITIES, 1 + (uint32_t)random() % 1000,
			COST_MIN_NS);
		users[i].most_ns = 100000;
		waits[i] = true;
	}
	for (int step = 0; step < 200000; step++) {
		size_t i = (size_t)random() % MANY;

		if (waits[i])
			fair_remove(&fair, &users[i].node);
		else
			fair_add(&fair, &users[i].node, now);
		waits[i] = !waits[i];
		fair_remove(&fair, &users[step % MANY].node); /* it may not be there */
		waits[step % MANY] = false;
		if (pick() && !waits[turn() - users])
			ck_abort_msg("one went that had left");
		if (fair_waits(&users[i].node) != waits[i])
			ck_abort_msg("it does not know who waits");
	}
	for (struct user *user; (user = pick());) {
		ck_assert(waits[user - users]);
		fair_remove(&fair, &user->node);
		waits[user - users] = false;
	}
	for (size_t i = 0; i < MANY; i++)
		ck_assert(!waits[i]);
}
END_TEST

/* The heap underneath. */

static unsigned int depth(const struct heap_node *node)
{
	return node ? depth(node->right) + 1 : 0;
}

static size_t check_heap(const struct heap_node *node, const struct heap_node *parent)
{
	if (!node)
		return 0;
	if (node->parent != parent || (parent && parent->key > node->key) ||
		node->rank != depth(node) || depth(node->right) > depth(node->left))
		ck_abort_msg("it is no leftist heap");
	return 1 + check_heap(node->left, node) + check_heap(node->right, node);
}

START_TEST(the_heap_stays_in_order_and_leans_left)
{
	static struct heap_node nodes[512];
	struct heap heap = {};
	size_t n = 0;

	for (int step = 0; step < 20000; step++) {
		struct heap_node *node = &nodes[random() % (long)ARRAY_SIZE(nodes)];

		if (heap_has(node))
			heap_remove(&heap, node);
		else
			heap_add(&heap, node, (uint64_t)random() % 100);
		n = heap_has(node) ? n + 1 : n - 1;
		if (step % 64 == 0)
			ck_assert_uint_eq(check_heap(heap.root, NULL), n);
	}
	for (uint64_t last = 0; heap.root; n--) {
		ck_assert_uint_ge(heap.root->key, last);
		last = heap.root->key;
		heap_remove(&heap, heap.root);
	}
	ck_assert_uint_eq(n, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fair");
	TCase *tcase = tcase_create("fair");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, shares_are_as_the_weights_whatever_calls_cost);
	tcase_add_test(tcase, weights_hold_at_both_ends_of_their_range);
	tcase_add_test(tcase, equal_users_take_turns);
	tcase_add_test(tcase, who_has_short_calls_has_several_in_a_row_but_no_more_time);
	tcase_add_test(tcase, a_bad_guess_changes_nothing_in_the_end);
	tcase_add_test(tcase, idling_earns_nothing);
	tcase_add_test(tcase, what_was_given_back_while_idle_is_not_saved);
	tcase_add_test(tcase, what_is_used_while_nobody_waits_counts_against_nobody);
	tcase_add_test(tcase, who_comes_waits_for_one_turn_of_each_other_at_most);
	tcase_add_test(tcase, a_more_urgent_class_goes_first);
	tcase_add_test(tcase, no_class_starves);
	tcase_add_test(tcase, no_class_starves_where_calls_are_longer_than_anybody_s_patience);
	tcase_add_test(tcase, patience_begins_with_who_waits_first);
	tcase_add_test(tcase, who_changes_class_keeps_what_it_is_ahead);
	tcase_add_test(tcase, whoever_leaves_at_whatever_time_is_not_picked_and_the_others_are);
	tcase_add_test(tcase, the_heap_stays_in_order_and_leans_left);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
