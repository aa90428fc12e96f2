// SPDX-License-Identifier: MIT
/*
 * Core dumps that remote processors leave (/sys/class/devcoredump, drivers/base/devcoredump.c):
 * they are written to files, one after the other, and then released in the kernel, which makes no
 * other one of a remote processor before that.
 */
#ifndef DSP_COREDUMP_H
#define DSP_COREDUMP_H

struct broker;
struct coredumps;

/* Removes what an earlier life has left unfinished. Returns 0 or -ENOMEM. */
int coredumps_new(struct coredumps **out, struct broker *broker);
/* One that is being saved is saved, and then the rest is freed. NULL-safe; returns NULL. */
struct coredumps *coredumps_free(struct coredumps *coredumps);

/* Save those that are there and belong to a device whose policy wants it. */
void coredumps_look(struct coredumps *coredumps);

#endif
