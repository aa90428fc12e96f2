// SPDX-License-Identifier: MIT
/*
 * A folder with real character devices in the place of /dev, named as nodes of DSPs are, for the
 * process that opens them.
 */
#ifndef DSP_TESTS_NODES_RIG_H
#define DSP_TESTS_NODES_RIG_H

#include <stdbool.h>
#include <sys/types.h>

/* False, after a word about it: nobody here may make devices, so there is nothing to be tried. To
 * be stopped in either case. */
bool nodes_start(void);
void nodes_stop(void);

/* The folder, and a path in it (tree.h). */
const char *nodes_dev(void);
const char *nodes_path(const char *name);
/* Another name of /dev/null, which everybody may open; its folder is there. */
void nodes_make(const char *name);

/* What /proc says of a process: its state; 0: there is no such process. Its parent. */
char nodes_state(pid_t pid);
pid_t nodes_parent(pid_t pid);
/* It ends, in time, or has. */
void nodes_await_end(pid_t pid);

#endif
