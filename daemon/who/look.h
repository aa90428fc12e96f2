// SPDX-License-Identifier: MIT
/* Answer the broker's questions, each in a thread of its own: a peer's file system may make it wait
 * for ever. */
#ifndef DSP_WHO_LOOK_H
#define DSP_WHO_LOOK_H

/* Say that we are ready, then answer, looking below @proc (an fd of /proc), until the broker closes
 * @sock. Returns 0 or -errno. */
int look_run(int sock, int proc);

#endif
