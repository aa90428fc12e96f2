// SPDX-License-Identifier: MIT
#include "tests/unit/interleaving.h"

#include <check.h>
#include <string.h>

#include "tests/unit/interleaving_private.h"

#define STEPS_MAX 1024
#define SEEN_SIZE (1u << 20)

bool model_fences_work = true, model_acquire_works = true;

struct world world;

static char stacks[MODEL_THREADS][128 * 1024];
static ucontext_t explorer;

/* The path being explored: at each step, the choice made and how many there were; whose move that
 * was, NULL if it was nobody's, and what he got. */
static struct {
	unsigned int choice, choices, got;
	struct thread *thread;
} path[STEPS_MAX];
static size_t length, given; /* of the path: so far, and as far as it is replayed */
static uint64_t seen[SEEN_SIZE];
static size_t n_seen;

void model_assert(bool fact)
{
	if (!fact)
		ck_abort_msg("the model is used wrongly, or too small");
}

uint64_t model_mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
	return hash ^ (hash >> 29);
}

uint32_t model_observe(uint32_t value)
{
	world.running->observed = model_mix(world.running->observed, value + 1ull);
	return value;
}

/* Steps. */

static bool choose(void);

/* Let go on who is chosen to: the explorer, when a path is at its end. */
static void go_on(ucontext_t *here)
{
	for (; choose(); length++) {
		if (!path[length].thread)
			continue; /* something just happened */
		world.running = path[length].thread;
		world.running->got = path[length].got;
		if (here != &world.running->context)
			swapcontext(here, &world.running->context);
		return;
	}
	if (here != &explorer)
		swapcontext(here, &explorer);
}

void model_step(enum op op, size_t word, uint32_t value)
{
	world.running->op = op;
	world.running->word = word;
	world.running->value = value;
	world.running->observed =
		model_mix(world.running->observed, (uint64_t)op << 40 | word << 32 | value);
	length++;
	go_on(&world.running->context);
}

/* The oldest store that it may read. To ask the kernel is a fence. */
static uint32_t oldest(const struct thread *thread)
{
	uint32_t index = thread->now.at[thread->word];

	if (thread->op != FUTEX)
		return index;
	return MAX(index, MAX(thread->acquired.at[thread->word], world.fenced.at[thread->word]));
}

static bool may_take(const struct thread *thread, uint32_t index)
{
	const struct word *word = &world.words[thread->word];
	bool free = index + 1 == word->n || !word->stores[index + 1].glued;

	if (thread->op == EXCHANGE || thread->op == STORE)
		return free;
	return thread->op != COMPARE || free || word->stores[index].value != thread->value;
}

static bool may_go_on(const struct thread *thread)
{
	if (thread->op == LOCK)
		return !world.locked;
	if (thread->op == NAP || thread->op == NOTIFIED)
		return thread->woken || thread->timed;
	if (thread->op == POLL)
		for (unsigned int i = 0; i < MODEL_FDS; i++)
			if (thread->value & 1u << i && world.fds[i].readable)
				return true;
	return thread->op != POLL || thread->timed;
}

/* How many choices there are for its next step; @nth: which store number @nth is. */
static unsigned int choices_of(const struct thread *thread, unsigned int nth, uint32_t *index)
{
	unsigned int n = 0;

	if (thread->done)
		return 0;
	if (thread->op == CHOOSE)
		return thread->value;
	if (thread->op == GO || thread->op >= LOCK)
		return may_go_on(thread);
	for (uint32_t i = world.words[thread->word].n; i-- > oldest(thread);)
		if (may_take(thread, i) && n++ == nth && index)
			*index = i;
	return n;
}

uint32_t model_chosen(void)
{
	uint32_t index = 0;

	choices_of(world.running, world.running->got, &index);
	return index;
}

/* For the threads. */

unsigned int model_self(void)
{
	return (unsigned int)(world.running - world.threads);
}

void model_require(bool fact)
{
	if (!fact && world.end == MODEL_FINE)
		world.end = MODEL_WRONG;
}

void model_at(uint64_t where)
{
	world.running->observed = model_mix(1, where);
}

unsigned int model_choose(unsigned int n)
{
	model_step(CHOOSE, 0, n);
	return model_observe(world.running->got);
}

void model_memory(void *base)
{
	world.memory = base;
}

/* The explorer. */

static void run(unsigned int self)
{
	world.program->threads[self]();
	world.running->done = true;
	length++;
	go_on(&world.running->context);
}

static void restart_thread(unsigned int self)
{
	struct thread *thread = &world.threads[self];

	*thread = (struct thread){.observed = 1};
	getcontext(&thread->context);
	thread->context.uc_stack.ss_sp = stacks[self];
	thread->context.uc_stack.ss_size = sizeof(stacks[self]);
	makecontext(&thread->context, (void (*)(void))run, 1, self);
}

/* The words begin as what is in the memory. */
static void restart(void)
{
	memset(&world.fenced, 0, sizeof(world.fenced));
	memset(&world.mutex, 0, sizeof(world.mutex));
	memset(world.fds, 0, sizeof(world.fds));
	world.locked = false;
	world.spurious_left = world.program->spurious;
	world.end = MODEL_FINE;
	world.program->start();
	for (size_t i = 0; i < N_WORDS; i++) {
		world.words[i].n = 1;
		world.words[i].stores[0] = (struct store){};
		if (i < CLAIMS)
			memcpy(&world.words[i].stores[0].value,
				world.memory + i / A_LINE * DSP_CACHE_LINE +
					i % A_LINE * sizeof(uint32_t),
				sizeof(uint32_t));
	}
	for (world.n_threads = 0;
		world.n_threads < MODEL_THREADS && world.program->threads[world.n_threads];
		world.n_threads++)
		restart_thread((unsigned int)world.n_threads);
}

/* What a thread knows, as far as it matters: who waits for the mutex will know by then what is
 * known there now, and who is done all that anybody knows. */
static struct view knowledge(const struct thread *thread)
{
	struct view view = thread->now;

	if (thread->op == LOCK || thread->op == NOTIFIED)
		model_join(&view, &world.mutex);
	if (thread->done)
		memset(&view, UINT8_MAX, sizeof(view));
	return view;
}

/* What nobody can read any more, and who knows of it, makes no difference: states are told apart
 * from the oldest store on that somebody may read. */
static struct view oldest_stores(void)
{
	struct view oldest, other;

	for (size_t i = 0; i < N_WORDS; i++)
		oldest.at[i] = (uint8_t)(world.words[i].n - 1);
	for (size_t i = 0; i < world.n_threads; i++) {
		other = knowledge(&world.threads[i]);
		for (size_t j = 0; j < N_WORDS; j++)
			oldest.at[j] = MIN(oldest.at[j], other.at[j]);
	}
	return oldest;
}

static uint64_t mix_view(uint64_t hash, const struct view *view, const struct view *from)
{
	uint8_t part[sizeof(uint64_t)];
	uint64_t number;

	for (size_t i = 0; i < N_WORDS; i += sizeof(part)) {
		for (size_t j = 0; j < sizeof(part); j++)
			part[j] =
				(uint8_t)(MAX(view->at[i + j], from->at[i + j]) - from->at[i + j]);
		memcpy(&number, part, sizeof(number));
		hash = model_mix(hash, number);
	}
	return hash;
}
static_assert(N_WORDS % sizeof(uint64_t) == 0, "views are hashed by the word");

static uint64_t mix_word(uint64_t hash, size_t word, const struct view *from)
{
	for (uint32_t i = from->at[word]; i < world.words[word].n; i++) {
		const struct store *store = &world.words[word].stores[i];

		hash = model_mix(hash, store->value);
		hash = mix_view(model_mix(hash, store->glued), &store->view, from);
	}
	return model_mix(hash, word);
}

static uint64_t mix_thread(uint64_t hash, const struct thread *thread, const struct view *from)
{
	const struct view now = knowledge(thread);

	if (thread->done)
		return model_mix(hash, 1);
	hash = model_mix(model_mix(hash, thread->observed), thread->woken);
	hash = mix_view(hash, &now, from);
	hash = mix_view(hash, &thread->acquired, &now);
	return mix_view(hash, &thread->released, from);
}

static uint64_t state(void)
{
	uint64_t hash = model_mix(world.locked, world.program->state ? world.program->state() : 0);
	const struct view from = oldest_stores();

	hash = model_mix(hash, world.spurious_left);
	hash = mix_view(mix_view(hash, &world.mutex, &from), &world.fenced, &from);
	for (size_t i = 0; i < world.n_threads; i++)
		hash = mix_thread(hash, &world.threads[i], &from);
	for (size_t i = 0; i < MODEL_FDS; i++)
		hash = mix_view(model_mix(hash, world.fds[i].readable), &world.fds[i].view, &from);
	for (size_t i = 0; i < N_WORDS; i++)
		hash = mix_word(hash, i, &from);
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
	model_assert(++n_seen < SEEN_SIZE / 2);
	return true;
}

/* Find out whose move number @choice of those possible now is; returns how many there are. */
static unsigned int find_move(unsigned int choice)
{
	unsigned int n = 0, choices;

	path[length].thread = NULL;
	for (size_t i = 0; i < world.n_threads; i++) {
		choices = choices_of(&world.threads[i], 0, NULL);
		if (choice - n < choices) {
			path[length].thread = &world.threads[i];
			path[length].got = choice - n;
		}
		n += choices;
	}
	return n;
}

/* The same for those that need not happen, and are made at once. */
static unsigned int move_by_chance(unsigned int choice)
{
	unsigned int n = 0;

	for (size_t i = 0; world.spurious_left && i < world.n_threads; i++) {
		if (world.threads[i].op != NAP || may_go_on(&world.threads[i]) || n++ != choice)
			continue;
		world.spurious_left = false;
		world.threads[i].woken = true;
	}
	return n;
}

static bool all_done(void)
{
	for (size_t i = 0; i < world.n_threads; i++)
		if (!world.threads[i].done)
			return false;
	return true;
}

static enum model_end end_of_path(void)
{
	if (!all_done())
		return MODEL_STUCK;
	return world.program->is_right && !world.program->is_right() ? MODEL_WRONG : MODEL_FINE;
}

/* Choose what comes next. False: the path ends here. */
static bool choose(void)
{
	unsigned int moves;

	model_assert(length < STEPS_MAX);
	if (world.end != MODEL_FINE || (length < given && path[length].thread))
		return world.end == MODEL_FINE;
	moves = find_move(UINT32_MAX);
	if (length >= given) {
		if (!moves)
			world.end = end_of_path();
		if (world.end != MODEL_FINE || !is_new(state()))
			return false;
		path[length].choice = 0;
		path[length].choices = moves + move_by_chance(UINT32_MAX);
	}
	find_move(path[length].choice);
	if (!path[length].thread)
		move_by_chance(path[length].choice - moves);
	return path[length].choices > 0;
}

enum model_end model_explore(const struct model_program *of, size_t *n_states)
{
	world.program = of;
	memset(seen, 0, sizeof(seen));
	n_seen = 0;
	given = 0;
	do {
		restart();
		length = 0;
		go_on(&explorer);
		while (length && path[length - 1].choice + 1 >= path[length - 1].choices)
			length--;
		given = length;
		if (length)
			path[length - 1].choice++;
		if (length)
			path[length - 1].thread = NULL;
	} while (length && world.end == MODEL_FINE);
	if (n_states)
		*n_states = n_seen;
	return world.end;
}
