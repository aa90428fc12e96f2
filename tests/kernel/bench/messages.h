// SPDX-License-Identifier: MIT
/*
 * Messages: the ways to the remote processor that are compared, each as a program of its kind would
 * be written: one that owns the devices, and one that has the broker, both with an echo and a sink;
 * and between them one with the least of all brokers. What fails ends the benchmark.
 */
#ifndef KERNEL_BENCH_MESSAGES_H
#define KERNEL_BENCH_MESSAGES_H

#include <stdint.h>

#include "tests/kernel/bench/relay.h"

#define MESSAGE_BYTES  64
#define MESSAGE_WINDOW 32 /* in flight where there may be several */

/* Endpoint devices, read and written by calls that wait. */
struct raw {
	int echo, sink;
};

void raw_open(struct raw *raw);
/* A message there and back. */
void raw_round_trip(struct raw *raw);
/* So many there and back, MESSAGE_WINDOW of them in flight. */
void raw_echo(struct raw *raw, unsigned int count);
/* So many there. */
void raw_send(struct raw *raw, unsigned int count);
/* An endpoint device of its own to that address, and a message to it and from it. */
int raw_endpoint(const char *name, uint32_t address);
void raw_put(int fd);
void raw_take(int fd);

/* A process that hands on each message. */
void message_relay_open(struct relay *relay);

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

/* What is had for all runs; and take the figures of a run. */
struct messages {
	struct raw raw;
	struct relay relay;
	struct brokered brokered;
};

void messages_open(struct messages *messages);
void messages_close(struct messages *messages);
void messages_measure(struct messages *messages, const char *socket, double *figures);

#endif
