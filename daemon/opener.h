// SPDX-License-Identifier: MIT
/*
 * The opener: a process that opens device nodes for the broker, which may not open any once it is
 * confined.
 *
 * It is forked off before there are threads, clients or anything of theirs, and hears of nothing
 * but names of nodes. These must be of a kind that a transport asks for (the table in
 * opener_process.c); it looks for them in /dev alone, or where the kind says so in one folder there
 * ("accel/accel0"). It has a filter of system calls and Landlock rules of its own.
 *
 * A FastRPC driver tells domains by the process that opened the node (until Linux 6.14), so such a
 * node is opened by a child of its own, which stays as a zombie until opener_release(): nobody else
 * gets its number meanwhile.
 *
 * Functions but opener_new() and opener_free() may be called from any thread. They wait for the
 * driver's open(), which is what the caller would wait for without it. Nodes are opened side by
 * side, at most OPENER_THREADS at a time; who comes then waits for one of those.
 */
#ifndef DSP_OPENER_H
#define DSP_OPENER_H

#include <stdbool.h>
#include <sys/types.h>

#include "protocol/util.h"

struct broker_options;
struct opener;

/* Start it for nodes below options->dev. It becomes options->user, and ends with the calling thread
 * or when it is freed. What of its confinement cannot be had is an error, or with
 * options->allow_unconfined a warning; a kernel without Landlock is neither. Logs what fails;
 * returns 0 or -errno. */
int opener_new(struct opener **out, const struct broker_options *options);
/* Nobody is opening anything any more. It ends, soon, and is not reaped: that is for whoever wants
 * to live longer. NULL-safe; returns NULL. */
struct opener *opener_free(struct opener *opener);
DEFINE_CLEANUP(struct opener *, opener_free);

/* Open @name, a path below /dev, with @flags: O_RDONLY or O_RDWR, and O_NONBLOCK. Returns the
 * descriptor, which is the caller's and CLOEXEC, or -errno: -EPERM for a name that is of no known
 * kind, -ELOOP for a symbolic link, -ENODEV for what is no character device, -EINVAL for other
 * flags, -ESHUTDOWN when the opener is gone, which is logged once. */
int opener_open(struct opener *opener, const char *name, int flags);

/* The same by a process of its own, whose number is *@pid, 0 after an error, until it is given back
 * with opener_release(). If the opener is gone so is what kept that number. */
int opener_open_as(struct opener *opener, const char *name, int flags, pid_t *pid);
void opener_release(struct opener *opener, pid_t pid);

/* Its number, to look at it and to reap it. */
pid_t opener_pid(const struct opener *opener);

#endif
