// SPDX-License-Identifier: MIT
/*
 * What dspbroker-who may still do: read files, and talk over the socket that it holds. It writes
 * nothing, runs nothing, and nobody looks into it.
 */
#ifndef DSP_WHO_CONFINE_H
#define DSP_WHO_CONFINE_H

/* Confine this process, which has one thread, for good; the threads that it starts are confined as
 * well. Returns 0 or -errno. */
int confine(void);

#endif
