// SPDX-License-Identifier: MIT
/*
 * Whether to look for a while before sleeping. Each side of a ring keeps one of these for what it
 * waits for, tells it how long each wait took, and asks it before the next.
 *
 * To sleep and to be woken costs both sides some microseconds of work, and the one who waits tens
 * of them until it runs again. So it pays to look while waits are shorter than that. But when
 * everybody sleeps, waits are long for that alone: so where one was not much longer than such
 * wake-ups take, a few of the next ones are tried by looking. That makes them short only if the
 * others look as well; so whoever has tried in vain waits for the next multiple of a period of the
 * clock, where all who wait like that try together. Each failure doubles the period, and much
 * success halves it.
 *
 * On a machine with one processor nobody may look: who does keeps everybody else from working. A
 * ring says how many there are (ring.h). Not thread-safe.
 */
#ifndef DSP_SPIN_H
#define DSP_SPIN_H

#include <stdbool.h>
#include <stdint.h>

#define SPIN_SHORT_NS 25000  /* a wait that is worth looking through */
#define SPIN_LONG_NS  250000 /* one that would not be short if nobody had slept */
#define SPIN_LOST_NS  500000 /* between two looks: others have the processor */

/* Zeroed: sleeps, until a wait was not long. */
struct spin {
	uint32_t credit;   /* waits that may be looked through */
	uint32_t wins;     /* short waits since the period was halved */
	uint32_t failures; /* the period is 2 to the power of this, milliseconds */
	uint64_t again_ns; /* no trial before */
	uint32_t looks;    /* so far */
	bool alone;        /* nobody else wanted this processor when it was last offered */
};

/* How long to look before sleeping, nanoseconds; 0: not at all. */
uint64_t spin_limit(const struct spin *spin);
/* A wait is over at this time (CLOCK_MONOTONIC) that took so long, looking or sleeping. @woke: the
 * other side had to be woken first, which is no sign of a busy one. */
void spin_waited(struct spin *spin, uint64_t now_ns, uint64_t waited_ns, bool woke);
/* More than SPIN_LOST_NS went by between two looks: somebody else had the processor, who would have
 * been interrupted for us if we had slept. So it counts as a trial that failed. */
void spin_lost(struct spin *spin, uint64_t now_ns);

/* Processors of this machine. The first time it reads a file, or some. */
unsigned int spin_processors(void);

/* Between two looks. @give_way: who is waited for may need this processor. */
void spin_pause(bool give_way);
/* The same for who cannot know: others get the processor if they want it, each time as long as they
 * do, else now and then. @now_ns: the time before. Returns the time after. */
uint64_t spin_step(struct spin *spin, uint64_t now_ns);

#endif
