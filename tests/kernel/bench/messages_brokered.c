// SPDX-License-Identifier: MIT
#include <errno.h>

#include "client/dspbroker.h"
#include "protocol/util.h"
#include "tests/bench/sample.h"
#include "tests/kernel/bench/bench.h"
#include "tests/kernel/bench/messages.h"

static const uint8_t message[MESSAGE_BYTES];

void brokered_open(struct brokered *brokered, const char *socket)
{
	must(dspbroker_connect(&brokered->broker, socket), "connect");
	must(dspbroker_session_open(brokered->broker, &brokered->echo, "rpmsg0/" BENCH_ECHO),
		BENCH_ECHO);
	must(dspbroker_session_open(brokered->broker, &brokered->sink, "rpmsg0/" BENCH_SINK),
		BENCH_SINK);
}

void brokered_close(struct brokered *brokered)
{
	dspbroker_free(brokered->broker);
}

static void take(struct dspbroker_session *session)
{
	uint8_t received[512];
	uint32_t dropped;
	size_t length;

	must(dspbroker_receive(session, received, sizeof(received), &length, &dropped, -1),
		"receive");
	must(length == MESSAGE_BYTES && dropped == 0 ? 0 : -EBADMSG, "what was received");
}

static void submit(struct dspbroker_session *session)
{
	must(dspbroker_submit_send(session, message, sizeof(message), NULL), "submit_send");
}

/* Those that are complete, or wait for one. Returns how many. */
static unsigned int reap(struct brokered *brokered, int timeout_ms)
{
	struct dspbroker_completion completions[MESSAGE_WINDOW];
	int n = dspbroker_reap(brokered->broker, completions, MESSAGE_WINDOW, timeout_ms);

	must(n < 0 ? n : 0, "reap");
	for (int i = 0; i < n; i++)
		must(completions[i].status, "a sent message");
	return (unsigned int)n;
}

void brokered_round_trip(struct brokered *brokered)
{
	must(dspbroker_send(brokered->echo, message, sizeof(message), -1), "send");
	take(brokered->echo);
}

void brokered_round_trip_submitting(struct brokered *brokered)
{
	submit(brokered->echo);
	take(brokered->echo);
	/* It has been sent if it came back. */
	must(reap(brokered, -1) == 1 ? 0 : -EBADMSG, "completion");
}

void brokered_echo(struct brokered *brokered, unsigned int count)
{
	unsigned int sent = 0, complete = 0;

	for (unsigned int received = 0; received < count; received++) {
		for (; sent < count && sent - received < MESSAGE_WINDOW; sent++)
			submit(brokered->echo);
		take(brokered->echo);
		complete += reap(brokered, 0);
	}
	while (complete < count)
		complete += reap(brokered, -1);
}

void brokered_send(struct brokered *brokered, unsigned int count)
{
	unsigned int sent = 0, complete = 0;

	while (complete < count) {
		for (; sent < count && sent - complete < MESSAGE_WINDOW; sent++)
			submit(brokered->sink);
		complete += reap(brokered, -1);
	}
}
