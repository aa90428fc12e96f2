// SPDX-License-Identifier: MIT
/*
 * What the two sides of the opener (opener.h) say to each other, and the side that opens. Each of
 * the sockets between them has a thread there; on each there is one request at a time, and one
 * reply to it.
 */
#ifndef DSP_OPENER_PROCESS_H
#define DSP_OPENER_PROCESS_H

#include <stdnoreturn.h>

#include "daemon/confine/filter.h"
#include "daemon/limits.h"
#include "daemon/opener.h"

enum opener_op {
	OPENER_OPEN,
	OPENER_OPEN_AS,
	OPENER_RELEASE,
};

struct opener_request {
	uint32_t op; /* enum opener_op */
	int32_t flags;
	int32_t pid; /* to be released */
	char name[64];
};

/* If a node was opened, one with the descriptor; in any case, one without. That comes when this
 * side has closed the node, so that it is closed for good when the other one closes it, and not
 * later. */
struct opener_reply {
	int32_t error; /* 0 or -errno */
	int32_t pid;   /* 0: none */
};

/* On the first socket, before anything is asked. */
struct opener_ready {
	int32_t error;      /* 0, or -errno: it does not start */
	int32_t unconfined; /* 0, or -errno of the first thing that could not be had, */
	char missing[64];   /* which is to ... */
};

/* What such a process is. */
struct opener_place {
	const char *dev, *user;
	bool confined;
	/* Open a node in the folder @dev; @name may be anything. Returns a descriptor or -errno. It
	 * makes system calls and nothing else, since it may run where the memory is another's. */
	int (*open)(int dev, const char *name, int flags);
};

/* Fork a process that is like that: opener_new() has its own kind, and a machine of files another.
 */
int opener_start(struct opener **out, const struct opener_place *place, bool allow_unconfined);

/* Be it, until a socket is closed. It keeps no other descriptor but stderr. */
noreturn void opener_process_run(const struct opener_place *place, const int *sockets);
/* How the real one opens: nothing but what is named and made like a node of a DSP. */
int opener_process_open(int dev, const char *name, int flags);
/* The same, with DRM's render nodes, which are not of DSPs alone. */
int opener_process_open_render(int dev, const char *name, int flags);
/* Its system calls. */
void opener_process_tables(const struct filter_table **out, size_t *n);

#endif
