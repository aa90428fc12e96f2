// SPDX-License-Identifier: MIT
/* What every process of ours gives up first, whatever else confines it. Return 0 or -errno. */
#ifndef DSP_CONFINE_LEAST_H
#define DSP_CONFINE_LEAST_H

#include <stddef.h>

/* All capabilities, and every way to get some (no_new_privs). */
int least_capabilities(void);
/* That anybody of its user looks into its memory, by ptrace() or a core dump. */
int least_memory(void);
/* All descriptors but these, which get sorted. */
int least_descriptors(int *fds, size_t n);

#endif
