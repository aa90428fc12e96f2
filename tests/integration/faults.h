// SPDX-License-Identifier: MIT
/* Faults of the machine, made for one test alone. */
#ifndef DSP_FAULTS_H
#define DSP_FAULTS_H

#include "tests/integration/harness.h"

/* From here on this test and its children have mounts of their own. False, and said to be so: that
 * cannot be had here. */
bool faults_own_mounts(void);
/* Make a folder that is a disk of its own, for everybody: of that many KiB, and of that many files
 * (the folder is one). */
void faults_make_disk(const char *path, unsigned int kib, unsigned int files);
/* Let a file grow until its disk is full. */
void faults_fill_disk(const char *file);

/* harness_spawn() by a line of shell, to which "$@" is the broker's command line. */
void faults_spawn_by(struct harness *harness, const struct harness_options *options,
	const char *line);
/* The same without --socket: it is for the service manager to hand one over. */
#define FAULTS_NO_SOCKET                                                            \
	"n=$#; i=0; for word; do shift; i=$((i+1)); [ $i -gt $((n-2)) ] || set -- " \
	"\"$@\" \"$word\"; done; "

/* Leave the broker room for that many more descriptors. */
void faults_leave_fds(const struct harness *harness, unsigned int n);
/* Leave it that much address space. */
void faults_leave_memory(const struct harness *harness, unsigned int kib);
/* Take these limits away. */
void faults_lift(const struct harness *harness);

/* Put ourselves, and whatever is started from now on, under a limit of memory that the kernel
 * enforces by killing (the memory controller of cgroups). False, and said to be so: that cannot be
 * had here. */
bool faults_enter_memory_limit(unsigned int mib);
/* Ourselves, but what was started stays there. */
void faults_leave_memory_limit(void);
/* What was started there has ended. */
void faults_remove_memory_limit(void);

/* End one of its processes, by the name that ps(1) shows. */
void faults_kill_part(const struct harness *harness, const char *name);

#endif
