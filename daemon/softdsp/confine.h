// SPDX-License-Identifier: MIT
/*
 * What a protection domain may still do once its module is loaded: compute, use the memory it was
 * lent, wait, and talk over the descriptors it holds. No file, no network, no process, no code
 * that was not there. Anything else ends it with SIGSYS.
 */
#ifndef SOFTDSP_CONFINE_H
#define SOFTDSP_CONFINE_H

#include <linux/filter.h>

/* A compiled filter: made once, then used by every domain. Owns its instructions. */
struct confinement {
	struct sock_fprog program;
};

/* Compile the filter. Returns 0 or -errno. */
int confine_init(struct confinement *confinement);
void confine_deinit(struct confinement *confinement);

/* Confine this process with all of its threads, for good. It must have set no_new_privs before.
 * Returns 0 or -errno. */
int confine_enter(const struct confinement *confinement);

#endif
