// SPDX-License-Identifier: MIT
/*
 * Tests under user-mode emulation of another machine (tests/emulate), which is no kernel: the table
 * in emulated.c says what is not run there, and why.
 */
#ifndef TESTS_EMULATED_H
#define TESTS_EMULATED_H

#include <stdbool.h>

/* Is this process emulated? Then it cannot be confined either: qemu has neither seccomp(2) nor
 * Landlock. Ends the process when it is told so and it is not true. */
bool emulated(void);

/* A link to what the kernel takes for the program of this process. Under emulation that is qemu,
 * and it answers for /proc/self itself; so it is that of the parent, which must be such a process.
 */
const char *emulated_exe(void);

#endif
