// SPDX-License-Identifier: MIT
#include "tests/unit/interleaving.h"

#include <check.h>
#include <errno.h>
#include <string.h>
#include <ucontext.h>

#include "protocol/ring.h"
#include "protocol/util.h"

#define HISTORY   24
#define STEPS_MAX 1024
#define SEEN_SIZE (1u << 20)

/* Words: the first of each cache line of the ring's head, four a line; the claims of the first
 * slots; for each thing a word that stands for writing it, and one for reading it. */
#define LINES   7
#define A_LINE  4
#define CLAIMS  (LINES * A_LINE)
#define THINGS  8
#define WRITTEN (CLAIMS + 4)
#define READ    (WRITTEN + THINGS)
#define N_WORDS (READ + THINGS)

struct view {
	uint8_t at[N_WORDS]; /* index in the word's list */
};

struct store {
	uint32_t value;
	bool glued; /* to the one before it: nothing comes between an exchange and what it read */
	struct view view;
};

struct word {
	uint32_t n;
	struct store stores[HISTORY];
};

enum op {
	GO,
	LOAD,
	STORE,
	EXCHANGE,
	COMPARE,
	CHOOSE,
	FUTEX,
	LOCK,
	POLL,
	NAP,
	NOTIFIED
};

struct thread {
	ucontext_t context;
	struct view now;      /* what it knows */
	struct view acquired; /* what it will know after a fence */
	struct view released; /* what it knew at its last fence */
	uint64_t observed;    /* hash of all that it got: with it, its state is fixed */
	enum op op;           /* that it is about to do */
	size_t word;
	uint32_t value;   /* what COMPARE expects; the limit of CHOOSE; the mask of POLL */
	unsigned int got; /* the choice made for it */
	bool timed, woken, done;
};

struct fd {
	bool readable;
	struct view view;
};

bool model_fences_work = true, model_acquire_works = true;

static struct thread threads[MODEL_THREADS], *running;
static char stacks[MODEL_THREADS][128 * 1024];
static size_t n_threads;
static struct word words[N_WORDS];
static struct view fenced, mutex;
static struct fd fds[MODEL_FDS];
static bool locked, spurious_left;
static enum model_end end;
static const struct model_program *program;
static char *memory;
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

/* Check's own asserts write to a file each time. */
static void require(bool fact)
{
	if (!fact)
		ck_abort_msg("the model is used wrongly, or too small");
}

uint64_t model_mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
	return hash ^ (hash >> 29);
}

static uint32_t observe(uint32_t value)
{
	running->observed = model_mix(running->observed, value + 1ull);
	return value;
}

/* Views. */

static void join(struct view *into, const struct view *view)
{
	for (size_t i = 0; i < N_WORDS; i++)
		into->at[i] = MAX(into->at[i], view->at[i]);
}

static void learn(struct view *into, size_t word, uint32_t index)
{
	into->at[word] = (uint8_t)MAX(into->at[word], index);
}

static void move_up(struct view *view, size_t word, uint32_t index)
{
	view->at[word] += view->at[word] >= index;
}

/* Make room in a word's list: what was at @index or after it is one further on. */
static void make_room(size_t word, uint32_t index)
{
	struct word *list = &words[word];

	require(list->n < HISTORY);
	if (index < list->n) {
		for (size_t i = 0; i < n_threads; i++) {
			move_up(&threads[i].now, word, index);
			move_up(&threads[i].acquired, word, index);
			move_up(&threads[i].released, word, index);
		}
		for (size_t i = 0; i < MODEL_FDS; i++)
			move_up(&fds[i].view, word, index);
		for (size_t i = 0; i < N_WORDS; i++)
			for (uint32_t j = 0; j < words[i].n; j++)
				move_up(&words[i].stores[j].view, word, index);
		move_up(&fenced, word, index);
		move_up(&mutex, word, index);
	}
	memmove(&list->stores[index + 1], &list->stores[index],
		(list->n - index) * sizeof(list->stores[0]));
	list->n++;
}

static void put(size_t word, uint32_t index, uint32_t value, bool release, bool glued)
{
	struct store *store = &words[word].stores[index];

	make_room(word, index);
	learn(&running->now, word, index);
	*store = (struct store){.value = value, .glued = glued};
	store->view = release && model_acquire_works ? running->now : running->released;
	learn(&store->view, word, index);
	if (glued)
		join(&store->view, &words[word].stores[index - 1].view);
}

static uint32_t get(size_t word, uint32_t index, bool acquire)
{
	const struct store *store = &words[word].stores[index];

	learn(&running->now, word, index);
	join(acquire && model_acquire_works ? &running->now : &running->acquired, &store->view);
	return store->value;
}

/* Steps. */

static bool choose(void);

/* Let go on who is chosen to: the explorer, when a path is at its end. */
static void go_on(ucontext_t *here)
{
	for (; choose(); length++) {
		if (!path[length].thread)
			continue; /* something just happened */
		running = path[length].thread;
		running->got = path[length].got;
		if (here != &running->context)
			swapcontext(here, &running->context);
		return;
	}
	if (here != &explorer)
		swapcontext(here, &explorer);
}

static void step(enum op op, size_t word, uint32_t value)
{
	running->op = op;
	running->word = word;
	running->value = value;
	running->observed = model_mix(running->observed, (uint64_t)op << 40 | word << 32 | value);
	length++;
	go_on(&running->context);
}

/* The oldest store that it may read. To ask the kernel is a fence. */
static uint32_t oldest(const struct thread *thread)
{
	uint32_t index = thread->now.at[thread->word];

	if (thread->op != FUTEX)
		return index;
	return MAX(index, MAX(thread->acquired.at[thread->word], fenced.at[thread->word]));
}

static bool may_take(const struct thread *thread, uint32_t index)
{
	const struct word *word = &words[thread->word];
	bool free = index + 1 == word->n || !word->stores[index + 1].glued;

	if (thread->op == EXCHANGE || thread->op == STORE)
		return free;
	return thread->op != COMPARE || free || word->stores[index].value != thread->value;
}

static bool may_go_on(const struct thread *thread)
{
	if (thread->op == LOCK)
		return !locked;
	if (thread->op == NAP || thread->op == NOTIFIED)
		return thread->woken || thread->timed;
	if (thread->op == POLL)
		for (unsigned int i = 0; i < MODEL_FDS; i++)
			if (thread->value & 1u << i && fds[i].readable)
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
	for (uint32_t i = words[thread->word].n; i-- > oldest(thread);)
		if (may_take(thread, i) && n++ == nth && index)
			*index = i;
	return n;
}

static uint32_t chosen(void)
{
	uint32_t index = 0;

	choices_of(running, running->got, &index);
	return index;
}

/* Memory. */

static size_t word_at(const void *word)
{
	size_t offset = (size_t)((const char *)word - memory);

	if (offset < LINES * DSP_CACHE_LINE) {
		require(offset % DSP_CACHE_LINE < A_LINE * sizeof(uint32_t));
		return offset / DSP_CACHE_LINE * A_LINE +
		       offset % DSP_CACHE_LINE / sizeof(uint32_t);
	}
	offset = (offset - DSP_RING_ENTRIES_OFFSET) / sizeof(struct dsp_slot);
	require(CLAIMS + offset < WRITTEN);
	return CLAIMS + offset;
}

static bool acquires(memory_order order)
{
	return order == memory_order_acquire || order == memory_order_acq_rel;
}

static bool releases(memory_order order)
{
	return order == memory_order_release || order == memory_order_acq_rel;
}

uint32_t model_load(const void *word, memory_order order)
{
	step(LOAD, word_at(word), 0);
	return observe(get(running->word, chosen(), acquires(order)));
}

void model_store(void *word, uint32_t value, memory_order order)
{
	step(STORE, word_at(word), 0);
	put(running->word, chosen() + 1, value, releases(order), false);
}

static uint32_t exchange(uint32_t index, uint32_t value, memory_order order)
{
	uint32_t old = get(running->word, index, acquires(order));

	put(running->word, index + 1, value, releases(order), true);
	return old;
}

uint32_t model_exchange(void *word, uint32_t value, memory_order order)
{
	step(EXCHANGE, word_at(word), 0);
	return observe(exchange(chosen(), value, order));
}

bool model_compare_exchange(void *word, uint32_t *expected, uint32_t value, memory_order order)
{
	uint32_t index, found;

	step(COMPARE, word_at(word), *expected);
	index = chosen();
	found = observe(words[running->word].stores[index].value);
	if (found == *expected) {
		exchange(index, value, order);
		return true;
	}
	*expected = get(running->word, index, acquires(order));
	return false;
}

static void fence(void)
{
	join(&running->now, &running->acquired);
	join(&running->now, &fenced);
	fenced = running->now;
	running->released = running->now;
}

void model_fence(void)
{
	step(GO, 0, 0);
	if (model_fences_work)
		fence();
}

static void access_thing(size_t word, bool known)
{
	if (!known && end == MODEL_FINE)
		end = MODEL_RACE;
	put(word, words[word].n, 0, false, false);
}

static bool knows_all(size_t word)
{
	return running->now.at[word] + 1u == words[word].n;
}

void model_write_word(void *word, uint32_t value)
{
	size_t at = word_at(word);

	if (!knows_all(at) && end == MODEL_FINE)
		end = MODEL_RACE;
	put(at, words[at].n, value, false, false);
}

void model_read(unsigned int thing)
{
	require(thing < THINGS);
	access_thing(READ + thing, knows_all(WRITTEN + thing));
}

void model_write(unsigned int thing)
{
	require(thing < THINGS);
	access_thing(WRITTEN + thing, knows_all(WRITTEN + thing) && knows_all(READ + thing));
}

/* The kernel. */

int model_futex_wait(void *word, uint32_t value, bool timed)
{
	step(FUTEX, word_at(word), 0);
	fence();
	if (observe(get(running->word, chosen(), false)) != value)
		return -EAGAIN;
	running->woken = false;
	running->timed = timed;
	step(NAP, running->word, 0);
	running->timed = false;
	return observe(running->woken) ? 0 : -ETIMEDOUT;
}

void model_futex_wake(void *word)
{
	step(GO, 0, 0);
	fence();
	for (size_t i = 0; i < n_threads; i++) {
		struct thread *thread = &threads[i];

		if (thread->op != NAP || thread->woken || thread->word != word_at(word))
			continue;
		thread->woken = true;
		join(&thread->now, &running->now);
		return;
	}
}

void model_kick(unsigned int mask)
{
	step(GO, 0, 0);
	for (unsigned int i = 0; i < MODEL_FDS; i++) {
		if (!(mask & 1u << i))
			continue;
		fds[i].readable = true;
		join(&fds[i].view, &running->now);
	}
}

unsigned int model_poll(unsigned int mask, unsigned int edges, bool wait)
{
	unsigned int ready = 0;

	running->timed = !wait;
	step(POLL, 0, mask);
	running->timed = false;
	for (unsigned int i = 0; i < MODEL_FDS; i++) {
		if (!(mask & 1u << i) || !fds[i].readable)
			continue;
		ready |= 1u << i;
		join(&running->now, &fds[i].view);
		if (edges & 1u << i)
			fds[i] = (struct fd){.readable = false};
	}
	return observe(ready);
}

void model_drain(unsigned int mask)
{
	step(GO, 0, 0);
	for (unsigned int i = 0; i < MODEL_FDS; i++) {
		if (!(mask & 1u << i))
			continue;
		join(&running->now, &fds[i].view);
		fds[i] = (struct fd){.readable = false};
	}
}

void model_lock(void)
{
	uint64_t state;

	step(LOCK, 0, 0);
	locked = true;
	join(&running->now, &mutex);
	state = program->state ? program->state() : 0;
	running->observed = model_mix(running->observed, state);
}

void model_unlock(void)
{
	require(locked);
	locked = false;
	join(&mutex, &running->now);
}

void model_wait(void)
{
	running->woken = false;
	model_unlock();
	step(NOTIFIED, 0, 0);
	model_lock();
}

void model_broadcast(void)
{
	for (size_t i = 0; i < n_threads; i++)
		if (threads[i].op == NOTIFIED)
			threads[i].woken = true;
}

/* For the threads. */

unsigned int model_self(void)
{
	return (unsigned int)(running - threads);
}

void model_require(bool fact)
{
	if (!fact && end == MODEL_FINE)
		end = MODEL_WRONG;
}

void model_at(uint64_t where)
{
	running->observed = model_mix(1, where);
}

unsigned int model_choose(unsigned int n)
{
	step(CHOOSE, 0, n);
	return observe(running->got);
}

void model_memory(void *base)
{
	memory = base;
}

/* The explorer. */

static void run(unsigned int self)
{
	program->threads[self]();
	running->done = true;
	length++;
	go_on(&running->context);
}

static void restart_thread(unsigned int self)
{
	struct thread *thread = &threads[self];

	*thread = (struct thread){.observed = 1};
	getcontext(&thread->context);
	thread->context.uc_stack.ss_sp = stacks[self];
	thread->context.uc_stack.ss_size = sizeof(stacks[self]);
	makecontext(&thread->context, (void (*)(void))run, 1, self);
}

/* The words begin as what is in the memory. */
static void restart(void)
{
	memset(&fenced, 0, sizeof(fenced));
	memset(&mutex, 0, sizeof(mutex));
	memset(fds, 0, sizeof(fds));
	locked = false;
	spurious_left = program->spurious;
	end = MODEL_FINE;
	program->start();
	for (size_t i = 0; i < N_WORDS; i++) {
		words[i].n = 1;
		words[i].stores[0] = (struct store){};
		if (i < CLAIMS)
			memcpy(&words[i].stores[0].value,
				memory + i / A_LINE * DSP_CACHE_LINE +
					i % A_LINE * sizeof(uint32_t),
				sizeof(uint32_t));
	}
	for (n_threads = 0; n_threads < MODEL_THREADS && program->threads[n_threads]; n_threads++)
		restart_thread((unsigned int)n_threads);
}

/* What a thread knows, as far as it matters: who waits for the mutex will know by then what is
 * known there now, and who is done all that anybody knows. */
static struct view knowledge(const struct thread *thread)
{
	struct view view = thread->now;

	if (thread->op == LOCK || thread->op == NOTIFIED)
		join(&view, &mutex);
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
		oldest.at[i] = (uint8_t)(words[i].n - 1);
	for (size_t i = 0; i < n_threads; i++) {
		other = knowledge(&threads[i]);
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
	for (uint32_t i = from->at[word]; i < words[word].n; i++) {
		const struct store *store = &words[word].stores[i];

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
	uint64_t hash = model_mix(locked, program->state ? program->state() : 0);
	const struct view from = oldest_stores();

	hash = model_mix(hash, spurious_left);
	hash = mix_view(mix_view(hash, &mutex, &from), &fenced, &from);
	for (size_t i = 0; i < n_threads; i++)
		hash = mix_thread(hash, &threads[i], &from);
	for (size_t i = 0; i < MODEL_FDS; i++)
		hash = mix_view(model_mix(hash, fds[i].readable), &fds[i].view, &from);
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
	require(++n_seen < SEEN_SIZE / 2);
	return true;
}

/* Find out whose move number @choice of those possible now is; returns how many there are. */
static unsigned int find_move(unsigned int choice)
{
	unsigned int n = 0, choices;

	path[length].thread = NULL;
	for (size_t i = 0; i < n_threads; i++) {
		choices = choices_of(&threads[i], 0, NULL);
		if (choice - n < choices) {
			path[length].thread = &threads[i];
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

	for (size_t i = 0; spurious_left && i < n_threads; i++) {
		if (threads[i].op != NAP || may_go_on(&threads[i]) || n++ != choice)
			continue;
		spurious_left = false;
		threads[i].woken = true;
	}
	return n;
}

static bool all_done(void)
{
	for (size_t i = 0; i < n_threads; i++)
		if (!threads[i].done)
			return false;
	return true;
}

static enum model_end end_of_path(void)
{
	if (!all_done())
		return MODEL_STUCK;
	return program->is_right && !program->is_right() ? MODEL_WRONG : MODEL_FINE;
}

/* Choose what comes next. False: the path ends here. */
static bool choose(void)
{
	unsigned int moves;

	require(length < STEPS_MAX);
	if (end != MODEL_FINE || (length < given && path[length].thread))
		return end == MODEL_FINE;
	moves = find_move(UINT32_MAX);
	if (length >= given) {
		if (!moves)
			end = end_of_path();
		if (end != MODEL_FINE || !is_new(state()))
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
	program = of;
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
	} while (length && end == MODEL_FINE);
	if (n_states)
		*n_states = n_seen;
	return end;
}
