// SPDX-License-Identifier: MIT
/* Inside of the harness only: processes, and waiting for them. */
#ifndef DSP_PROCESS_H
#define DSP_PROCESS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>

#include "tests/integration/harness.h"

/* In a client: the socket to its test. -1 in a test. */
extern int process_link;

/* A system call that has to succeed. */
#define must(r)                                                                          \
	({                                                                               \
		__typeof__(r) _r = (r);                                                  \
                                                                                         \
		if (_r < 0)                                                              \
			harness_fail(__FILE__, __LINE__, "%s: %s", #r, strerror(errno)); \
		_r;                                                                      \
	})

bool process_is_root(void);
/* In a child: become that user, and go when the test goes. */
void process_become(uid_t uid, const gid_t *groups, size_t n_groups);

/* Children of this test that are meant to be there: brokers and clients that run. */
void process_add(pid_t pid);
void process_remove(pid_t pid);
/* Processes whose parent this is, those called @name or (NULL) all, with the pid of one (may be
 * NULL). When it is ourselves, those
 * that have ended are taken away, and those that are meant to be there do not count. */
size_t process_count_children(pid_t of, const char *name, pid_t *one);

/* @what is for the message when nothing comes. */
void process_await_input(int fd, const char *what);
/* Text of a file, up to 256 KiB; "" when it cannot be read. Overwritten by the next call. */
const char *process_read_text(const char *path);

#endif
