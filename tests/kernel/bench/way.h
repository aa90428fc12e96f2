// SPDX-License-Identifier: MIT
/*
 * The ways to the remote processor that are compared, each as a program of its kind would be
 * written: one that owns the devices, and one that has the broker, both with an echo and a sink;
 * and between them one with the least of all brokers. What fails ends the benchmark.
 */
#ifndef KERNEL_BENCH_WAY_H
#define KERNEL_BENCH_WAY_H

#include <stdint.h>
#include <sys/types.h>

/* Endpoint devices, read and written by calls that wait. */
struct raw {
	int echo, sink;
};

void raw_open(struct raw *raw);
/* A message there and back. */
void raw_round_trip(struct raw *raw);
/* So many there and back, BENCH_WINDOW of them in flight. */
void raw_echo(struct raw *raw, unsigned int count);
/* So many there. */
void raw_send(struct raw *raw, unsigned int count);
/* An endpoint device of its own to that address, and a message to it and from it. */
int raw_endpoint(const char *name, uint32_t address);
void raw_put(int fd);
void raw_take(int fd);

/* A process that does nothing but hand on what it gets. */
struct relay {
	pid_t pid;
	int doorbell, notify;
};

void relay_open(struct relay *relay);
void relay_close(struct relay *relay);
void relay_round_trip(struct relay *relay);

struct brokered {
	struct dspbroker *broker;
	struct dspbroker_session *echo, *sink;
};

void brokered_open(struct brokered *brokered, const char *socket);
void brokered_close(struct brokered *brokered);
/* With dspbroker_send(), which waits until the kernel has the message. */
void brokered_round_trip(struct brokered *brokered);
/* With dspbroker_submit_send(), which does not. */
void brokered_round_trip_submitting(struct brokered *brokered);
void brokered_echo(struct brokered *brokered, unsigned int count);
void brokered_send(struct brokered *brokered, unsigned int count);

#endif
