// SPDX-License-Identifier: MIT
/*
 * What dspbroker-who may still do: read files, and talk over the socket that it holds. It writes
 * nothing, runs nothing, and nobody looks into it.
 *
 * Landlock is not for it: who is in a Landlock domain may not look at processes outside of that
 * domain (landlock(7), ptrace restrictions), and to look at others is all that it does.
 */
#ifndef DSP_WHO_CONFINE_H
#define DSP_WHO_CONFINE_H

#include <stdbool.h>

#include "daemon/confine/filter.h"

/* The system calls that it may make. */
struct filter_table confine_calls(void);

/* Confine this process, which has one thread, for good; the threads that it starts are confined as
 * well. What cannot be had is said on stderr, and is an error unless it may lack. Returns 0 or
 * -errno. */
int confine(bool may_lack);

#endif
