// SPDX-License-Identifier: MIT
#include "tests/kernel/bench/calls.h"

static void serve(int doorbell, int notify)
{
	struct raw_caller raw;
	int epoll = relay_watch(doorbell);

	raw_caller_open(&raw);
	for (;;) {
		relay_wait(epoll);
		raw_call(&raw);
		relay_answer(notify);
	}
}

void call_relay_open(struct relay *relay)
{
	relay_open(relay, serve);
}
