// SPDX-License-Identifier: MIT
/* What the files of interleaving.h share. */
#ifndef DSP_TESTS_INTERLEAVING_PRIVATE_H
#define DSP_TESTS_INTERLEAVING_PRIVATE_H

#include <ucontext.h>

#include "protocol/ring.h"
#include "protocol/util.h"
#include "tests/unit/interleaving.h"

#define HISTORY 24

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

/* All that there is in a run. */
struct world {
	struct thread threads[MODEL_THREADS], *running;
	size_t n_threads;
	struct word words[N_WORDS];
	struct view fenced; /* what fences knew */
	struct view mutex;
	struct fd fds[MODEL_FDS];
	bool locked, spurious_left;
	enum model_end end;
	const struct model_program *program;
	char *memory;
};
extern struct world world;

/* interleaving.c */

/* Check's own asserts write to a file each time. */
void model_assert(bool fact);
/* The thread has got that. */
uint32_t model_observe(uint32_t value);
/* Let somebody go on; it returns when the running thread is chosen to make this step, with what it
 * has got in running->got. */
void model_step(enum op op, size_t word, uint32_t value);
/* The store that it has got. */
uint32_t model_chosen(void);

/* interleaving_memory.c */

void model_join(struct view *into, const struct view *view);
/* Store behind, or load, the store at that index of a word's list. */
void model_put(size_t word, uint32_t index, uint32_t value, bool release, bool glued);
uint32_t model_get(size_t word, uint32_t index, bool acquire);
size_t model_word_at(const void *word);
/* One that always works. */
void model_full_fence(void);

#endif
