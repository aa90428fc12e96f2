// SPDX-License-Identifier: MIT
#include "tests/kernel/bench/bench.h"
#include "tests/kernel/bench/messages.h"

static void serve(int doorbell, int notify, const void *userdata)
{
	int endpoint = raw_endpoint("relay-echo", BENCH_ECHO_ADDRESS);
	int epoll = relay_watch(doorbell);

	(void)userdata;
	relay_watch_also(epoll, endpoint);
	for (;;) {
		if (relay_wait(epoll) == doorbell) {
			raw_put(endpoint);
		} else {
			raw_take(endpoint);
			relay_answer(notify);
		}
	}
}

void message_relay_open(struct relay *relay)
{
	relay_open(relay, serve, NULL);
}
