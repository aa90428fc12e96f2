// SPDX-License-Identifier: MIT
/* Waiting for what comes, until the time is up or somebody has had enough of it. */
#ifndef DSPCTL_WAIT_H
#define DSPCTL_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/* From now on SIGINT and SIGTERM end a wait and not the program; the second one of a kind ends the
 * program, should it be stuck elsewhere. Where they are ignored they stay so. Returns 0 or
 * -errno. */
int dspctl_wait_catch(void);
/* One of them has come. */
bool dspctl_wait_ended(void);

/* When a wait that begins now is over, in milliseconds of CLOCK_MONOTONIC; 0: never. */
int64_t dspctl_wait_deadline(int64_t timeout_ms);

/*
 * Wait until @fd is readable. Returns 1; 0 when the time is up; -EINTR when a signal came that was
 * to be caught; -EPIPE when nobody will read our standard output any more; or another -errno.
 */
int dspctl_wait(int fd, int64_t deadline_ms);

#endif
