// SPDX-License-Identifier: MIT
/* A program that uses the broker, as one of several at the same time. */
#ifndef BENCH_CROWD_CLIENT_H
#define BENCH_CROWD_CLIENT_H

#include "tests/bench/party.h"
#include "tests/bench/service.h"

struct crowd_client {
	const struct service *service;
	const char *channel;
	uint64_t interval_ns; /* one call each time, and each is timed; 0: always as many calls in
			       * flight as a session may have, which are not */
	uint32_t input_bytes; /* what a call has the DSP add up; 0: it does nothing */
};

/* For party_add(): @role is a struct crowd_client. */
void crowd_client_play(struct member *me, const void *role);

/* How much a call must add up, on a channel of the example module, to keep the DSP for that long.
 */
uint32_t crowd_client_bytes(const struct service *service, const char *channel, uint64_t busy_ns);

#endif
