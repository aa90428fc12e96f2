// SPDX-License-Identifier: MIT
/*
 * The supervisor: a small, single-threaded process that becomes a protection domain by fork
 * whenever the broker asks, ends domains, and tells of their ends.
 */
#ifndef SOFTDSP_SUPERVISOR_H
#define SOFTDSP_SUPERVISOR_H

#include "daemon/softdsp/confine.h"

/*
 * Confine this process, and serve the broker at @socket (borrowed) until it closes it or SIGTERM
 * comes; then kill all domains and wait for them. The current directory is the module directory.
 * Changes the process's signal mask and dispositions. Returns 0 or -errno.
 */
int supervisor_run(int socket, const struct confinement *confinement);

#endif
