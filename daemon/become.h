// SPDX-License-Identifier: MIT
#ifndef DSP_BECOME_H
#define DSP_BECOME_H

/* Become another user, for good: user, groups and all. NULL: stay. Logs what fails; 0 or -errno. */
int become(const char *user);

#endif
