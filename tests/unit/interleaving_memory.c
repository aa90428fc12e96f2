// SPDX-License-Identifier: MIT
/* The memory of interleaving.h. */
#include <string.h>

#include "tests/unit/interleaving_private.h"

/* Views. */

void model_join(struct view *into, const struct view *view)
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
	struct word *list = &world.words[word];

	model_assert(list->n < HISTORY);
	if (index < list->n) {
		for (size_t i = 0; i < world.n_threads; i++) {
			move_up(&world.threads[i].now, word, index);
			move_up(&world.threads[i].acquired, word, index);
			move_up(&world.threads[i].released, word, index);
		}
		for (size_t i = 0; i < MODEL_FDS; i++)
			move_up(&world.fds[i].view, word, index);
		for (size_t i = 0; i < N_WORDS; i++)
			for (uint32_t j = 0; j < world.words[i].n; j++)
				move_up(&world.words[i].stores[j].view, word, index);
		move_up(&world.fenced, word, index);
		move_up(&world.mutex, word, index);
	}
	memmove(&list->stores[index + 1], &list->stores[index],
		(list->n - index) * sizeof(list->stores[0]));
	list->n++;
}

void model_put(size_t word, uint32_t index, uint32_t value, bool release, bool glued)
{
	struct store *store = &world.words[word].stores[index];

	make_room(word, index);
	learn(&world.running->now, word, index);
	*store = (struct store){.value = value, .glued = glued};
	store->view = release && model_acquire_works ? world.running->now : world.running->released;
	learn(&store->view, word, index);
	if (glued)
		model_join(&store->view, &world.words[word].stores[index - 1].view);
}

uint32_t model_get(size_t word, uint32_t index, bool acquire)
{
	const struct store *store = &world.words[word].stores[index];

	learn(&world.running->now, word, index);
	model_join(acquire && model_acquire_works ? &world.running->now : &world.running->acquired,
		&store->view);
	return store->value;
}

/* Memory. */

size_t model_word_at(const void *word)
{
	size_t offset = (size_t)((const char *)word - world.memory);

	if (offset < LINES * DSP_CACHE_LINE) {
		model_assert(offset % DSP_CACHE_LINE < A_LINE * sizeof(uint32_t));
		return offset / DSP_CACHE_LINE * A_LINE +
		       offset % DSP_CACHE_LINE / sizeof(uint32_t);
	}
	offset = (offset - DSP_RING_ENTRIES_OFFSET) / sizeof(struct dsp_slot);
	model_assert(CLAIMS + offset < WRITTEN);
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
	model_step(LOAD, model_word_at(word), 0);
	return model_observe(model_get(world.running->word, model_chosen(), acquires(order)));
}

void model_store(void *word, uint32_t value, memory_order order)
{
	model_step(STORE, model_word_at(word), 0);
	model_put(world.running->word, model_chosen() + 1, value, releases(order), false);
}

static uint32_t exchange(uint32_t index, uint32_t value, memory_order order)
{
	uint32_t old = model_get(world.running->word, index, acquires(order));

	model_put(world.running->word, index + 1, value, releases(order), true);
	return old;
}

uint32_t model_exchange(void *word, uint32_t value, memory_order order)
{
	model_step(EXCHANGE, model_word_at(word), 0);
	return model_observe(exchange(model_chosen(), value, order));
}

bool model_compare_exchange(void *word, uint32_t *expected, uint32_t value, memory_order order)
{
	uint32_t index, found;

	model_step(COMPARE, model_word_at(word), *expected);
	index = model_chosen();
	found = model_observe(world.words[world.running->word].stores[index].value);
	if (found == *expected) {
		exchange(index, value, order);
		return true;
	}
	*expected = model_get(world.running->word, index, acquires(order));
	return false;
}

void model_full_fence(void)
{
	model_join(&world.running->now, &world.running->acquired);
	model_join(&world.running->now, &world.fenced);
	world.fenced = world.running->now;
	world.running->released = world.running->now;
}

void model_fence(void)
{
	model_step(GO, 0, 0);
	if (model_fences_work)
		model_full_fence();
}

static void access_thing(size_t word, bool known)
{
	if (!known && world.end == MODEL_FINE)
		world.end = MODEL_RACE;
	model_put(word, world.words[word].n, 0, false, false);
}

static bool knows_all(size_t word)
{
	return world.running->now.at[word] + 1u == world.words[word].n;
}

void model_write_word(void *word, uint32_t value)
{
	size_t at = model_word_at(word);

	if (!knows_all(at) && world.end == MODEL_FINE)
		world.end = MODEL_RACE;
	model_put(at, world.words[at].n, value, false, false);
}

void model_read(unsigned int thing)
{
	model_assert(thing < THINGS);
	access_thing(READ + thing, knows_all(WRITTEN + thing));
}

void model_write(unsigned int thing)
{
	model_assert(thing < THINGS);
	access_thing(WRITTEN + thing, knows_all(WRITTEN + thing) && knows_all(READ + thing));
}
