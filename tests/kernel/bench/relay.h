// SPDX-License-Identifier: MIT
/*
 * The least that a process in between can do: it waits for several things at once, does something
 * for somebody else, and wakes him. What this costs, every broker costs.
 */
#ifndef KERNEL_BENCH_RELAY_H
#define KERNEL_BENCH_RELAY_H

#include <stdint.h>
#include <sys/types.h>

struct relay {
	pid_t pid;
	int doorbell, notify;
};

/* Start one: in a process of its own, @serve is called, and must not return. It is asked by the
 * doorbell, an eventfd to be watched for edges, and answers by relay_answer() on @notify. */
void relay_open(struct relay *relay, void (*serve)(int doorbell, int notify, const void *userdata),
	const void *userdata);
void relay_close(struct relay *relay);
/* Ask it, and wait for its answer. */
void relay_ask(struct relay *relay);

/* In the relay. */
int relay_watch(int doorbell); /* an epoll descriptor */
void relay_watch_also(int epoll, int fd);
/* Returns the descriptor at which there is something. */
int relay_wait(int epoll);
void relay_answer(int notify);

#endif
