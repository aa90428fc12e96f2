// SPDX-License-Identifier: MIT
/* The one event loop of the remote processor program. */
#ifndef DSP_REMOTE_LOOP_H
#define DSP_REMOTE_LOOP_H

#include <stdbool.h>

struct loop {
	int epoll;
	int exit_code; /* -1 while it is to go on */
};

/* A descriptor that is waited for. It is embedded in what it belongs to; @ready may remove it. */
struct source {
	int fd; /* -1: closed; owned */
	struct loop *loop;
	void (*ready)(struct source *source);
};

int loop_init(struct loop *loop);
/* Run until loop_exit(), and return its code, or a negative errno. */
int loop_run(struct loop *loop);
void loop_exit(struct loop *loop, int code);

/* Wait for input or the end of @fd, which is taken, also on failure. */
int source_open(struct source *source, struct loop *loop, int fd);
/* Does nothing when it is closed. */
void source_close(struct source *source);

#endif
