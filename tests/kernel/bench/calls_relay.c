// SPDX-License-Identifier: MIT
#include "tests/kernel/bench/calls.h"

static void serve(int doorbell, int notify, const void *driver)
{
	struct raw_caller raw;
	int epoll = relay_watch(doorbell);

	raw_caller_open(&raw, driver);
	for (;;) {
		relay_wait(epoll);
		raw.driver->call(&raw);
		relay_answer(notify);
	}
}

void call_relay_open(struct relay *relay, const struct raw_driver *driver)
{
	relay_open(relay, serve, driver);
}
