// SPDX-License-Identifier: MIT
/*
 * Closing what came from peers. close(2) may take as long as a peer likes: a socket lingers, a file
 * system in user space does not answer, and a Unix socket closes whatever was sent to it and not
 * received. So it is done by threads, which share nothing else with the loop.
 */
#ifndef DSP_CLOSER_H
#define DSP_CLOSER_H

/* Take @fd over and close it soon. -1 is none. */
void closer_close(int fd);

#endif
