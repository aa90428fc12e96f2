// SPDX-License-Identifier: MIT
/*
 * What the software DSP may still do, in three steps of which each takes away more:
 *
 *   supervisor  forks domains, kills them, waits; and all that follows, as whatever is forbidden
 *               here stays forbidden for those it forks
 *   loading     a domain: reads libraries, makes them executable
 *   loaded      a domain with its module: computes, uses the memory it was lent, waits, and talks
 *               over the descriptors it holds. No file, no network, no process, no code that was
 *               not there
 *
 * A system call beyond that ends the process with SIGSYS; a file is refused with EACCES.
 */
#ifndef SOFTDSP_CONFINE_H
#define SOFTDSP_CONFINE_H

#include <stdbool.h>

#include "daemon/confine/filter.h"
#include "daemon/confine/landlock.h"

/* Made once, then used by every domain. */
struct confinement {
	struct sock_fprog supervisor, loading, loaded;
	struct landlock files; /* of all three; fd -1 where the kernel has none */
	bool may_lack;         /* what cannot be had is no error */
};

/* Prepare all; the current directory is the module directory. Says what is wrong on stderr. Returns
 * 0 or -errno; the caller frees it with confine_deinit() in either case. */
int confine_init(struct confinement *confinement, bool may_lack);
void confine_deinit(struct confinement *confinement);

/* Confine this process with all of its threads, for good. What cannot be had is said on stderr, and
 * is an error unless it may lack. Returns 0 or -errno. */
int confine_supervisor(const struct confinement *confinement);

/* The same for a domain, which has to be forked by a confined supervisor; silent. */
int confine_loading(const struct confinement *confinement);
int confine_loaded(const struct confinement *confinement);

#endif
