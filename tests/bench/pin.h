// SPDX-License-Identifier: MIT
/*
 * Pinning to processors. There are two places: the first two processors that this program may use
 * (taskset(1) chooses others). Not pinned is where it was at first: all of them.
 *
 *   PLACE_BROKER  the broker, or who else stands between two others
 *   PLACE_ENDS    client and protection domain; they seldom have something to do at once
 */
#ifndef BENCH_PIN_H
#define BENCH_PIN_H

#include <stdbool.h>
#include <sys/types.h>

enum place {
	PLACE_ANY,
	PLACE_BROKER,
	PLACE_ENDS
};

#define PIN_IMPOSSIBLE "there is only one processor"

/* Are there two? If not, pin() and the like do nothing. */
bool pin_possible(void);
/* Pin this thread; what it starts from then on inherits it. */
void pin(enum place place);
/* Pin every thread of another process. */
void pin_process(pid_t pid, enum place place);
/* Pin all that it started, and what these started, which are there now. */
void pin_descendants(pid_t pid, enum place place);
/* A broker to its place, this thread and the broker's protection domains to theirs; and undo it. */
void pin_broker_and_ends(pid_t broker);
void unpin_broker_and_ends(pid_t broker);

#endif
