// SPDX-License-Identifier: MIT
/*
 * Every interleaving of a few threads on a memory as weak as C11 lets it be: a store that nothing
 * orders may come to another thread late, or never, and before or after others; a load may return
 * what the word held before. (Two things C11 allows besides are left out: that a load sees a store
 * made because of it, and sequentially consistent loads and stores, which nobody uses.)
 *
 * Each word has the list of all that was stored in it, in the order that all threads agree upon,
 * and each thread a view: the oldest store that it may still read, of each word. To read a store
 * with acquire that was made with release is to take over the view that went with it; a full fence
 * takes over what all fences before it knew.
 *
 * The threads are coroutines. Each step of a thread hands over to the explorer, which goes through
 * all choices of who moves next, and of what a load returns, replaying the program from its start
 * for each path, and cutting a path off where it meets a known state. A thread must be determined
 * by what it got from the functions here.
 */
#ifndef DSP_TESTS_INTERLEAVING_H
#define DSP_TESTS_INTERLEAVING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_THREADS 3

struct model_program {
	void (*threads[MODEL_THREADS])(void); /* NULL at the end */
	void (*start)(void);                  /* before each run */
	uint64_t (*state)(void);              /* hash of what the mutex guards; may be NULL */
	bool (*is_right)(void);               /* when all are done; may be NULL */
	bool spurious;                        /* a thread at a futex may be woken by chance, once */
};

enum model_end {
	MODEL_FINE,
	MODEL_STUCK, /* a thread waits for ever */
	MODEL_RACE,  /* what is no atomic word was read or written before somebody was done with it
		      */
	MODEL_WRONG, /* model_require(), or is_right() */
};

/* What of C's orders works: it takes no effect where these are false. */
extern bool model_fences_work, model_acquire_works;

/* All runs, until one does not end well. *@n_states, if given: how many states there were. */
enum model_end model_explore(const struct model_program *program, size_t *n_states);

/* For the threads. */

unsigned int model_self(void);
void model_require(bool fact);
/* From here on the thread is determined by this, and by what it gets from now on: so loops become
 * finite, and runs that differ only in the past the same. */
void model_at(uint64_t where);
/* Any number below @n. */
unsigned int model_choose(unsigned int n);

/* Words of the ring, the name for what they are is their offset in it. */
void model_memory(void *memory);
uint32_t model_load(const void *word, memory_order order);
void model_store(void *word, uint32_t value, memory_order order);
uint32_t model_exchange(void *word, uint32_t value, memory_order order);
bool model_compare_exchange(void *word, uint32_t *expected, uint32_t value, memory_order order);
void model_fence(void);
/* Somebody reads, or writes, a thing that is no atomic word: a slot, a completion. */
void model_read(unsigned int thing);
void model_write(unsigned int thing);
/* Write a word as if it were none, no step of its own. */
void model_write_word(void *word, uint32_t value);

/* Sleep while the word is that. @timed: or until the time is over, which may be at any time.
 * Returns 0 or a negative errno. */
int model_futex_wait(void *word, uint32_t value, bool timed);
void model_futex_wake(void *word);

/* Descriptors, numbered, in masks. */
#define MODEL_FDS 6
/* Make these readable, as one step. */
void model_kick(unsigned int mask);
/* Wait until one of @mask is readable, or not, if @wait is false. Returns those that are; those of
 * @edges are not again until they are kicked again. */
unsigned int model_poll(unsigned int mask, unsigned int edges, bool wait);
/* Read them empty. */
void model_drain(unsigned int mask);

/* One mutex and one condition. */
void model_lock(void);
void model_unlock(void);
void model_wait(void);
void model_broadcast(void);

uint64_t model_mix(uint64_t hash, uint64_t value);

#endif
