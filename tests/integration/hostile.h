// SPDX-License-Identifier: MIT
/*
 * What the tests of hostile peers share: an innocent client that must not notice, the state to
 * which the broker must return, and random numbers that can be had again.
 */
#ifndef DSP_HOSTILE_H
#define DSP_HOSTILE_H

#include "tests/integration/harness.h"
#include "tests/integration/raw.h"

#define INNOCENT ALICE
#define ATTACKER BOB

/* Run @attack(@harness) as another user against a fresh broker with that policy, while an innocent
 * client connects, makes calls and leaves, over and over. The broker must serve it all the time,
 * survive, and have given back all that the attacker cost it. */
void hostile_run(const char *policy, void (*attack)(void *harness));

/* Rounds that the innocent client has made. Attacks that could starve it go on until it has made
 * some more: it is served during the attack, not after. */
unsigned int innocent_rounds(void);
/* True until it has made @n more rounds since *@start, which is 0 at first. */
bool innocent_waits(unsigned int *start, unsigned int n);

/* An attack: so many connections that open a channel more often than the rule allows, all at once,
 * and leave before that is answered or after it, with and without closing in between. */
void storm_of_opens(const struct harness *harness, const char *channel, int connections);

/* Add a module of tests/integration/modules to those that are shipped, in this program's folder
 * alone. */
void hostile_add_module(const char *name);

/* A 64-bit random number. The sequence is that of DSP_SEED in the environment or else a new one;
 * it is printed at the first use. */
uint64_t random_next(void);
/* One below @n. */
uint32_t random_below(uint32_t n);
void random_fill(void *bytes, size_t size);

#endif
