// SPDX-License-Identifier: MIT
/* Units of the system's systemd, as far as a process's cgroup tells: dsptest.slice/NAME. */
#ifndef DSP_CGROUP_H
#define DSP_CGROUP_H

#include <stdbool.h>
#include <sys/types.h>

#define CGROUP_SLICE "dsptest.slice"

/* False, and said to be so: none can be made here. */
bool cgroup_make(const char *unit);
/* Its processes have ended. */
void cgroup_remove(const char *unit);
void cgroup_enter(const char *unit, pid_t pid);

#endif
