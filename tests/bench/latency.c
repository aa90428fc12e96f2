// SPDX-License-Identifier: MIT
/* How long a call takes, one in flight: one that does nothing, and one that passes a buffer. */
#include <string.h>

#include "protocol/util.h"
#include "tests/bench/bench.h"
#include "tests/bench/pin.h"
#include "tests/bench/sample.h"

#define CALLS        100000
#define BUFFER_CALLS 5000
#define SMALL        (4u << 10)
#define LARGE        (64u << 20)

static void call_nothing(void *session)
{
	static const struct dspbroker_call call = {.method = METHOD_NOP};

	must(dspbroker_invoke(session, &call, NULL), "null call");
}

void measure_null_call(const struct service *service, double *figures)
{
	static uint64_t samples[CALLS];
	struct dspbroker_session *session;
	struct dspbroker *broker;

	must(dspbroker_connect(&broker, service->socket), "connect");
	must(dspbroker_session_open(broker, &session, CHANNEL_SHARED), "open");
	sample_each(call_nothing, session, samples, CALLS);
	figures[NULL_CALL_P50] = percentile_us(samples, CALLS, 50);
	figures[NULL_CALL_P99] = percentile_us(samples, CALLS, 99);
	/* Whether a wake-up crosses processors is chance, and makes the socket 20 times slower: so
	 * beside the best it can be. (This MIN of NAN and a number is the number.) */
	figures[NULL_CALL_OVER_SOCKET] =
		figures[NULL_CALL_P50] / MIN(figures[SOCKET_PINNED_P50], figures[SOCKET_P50]);
	figures[NULL_CALL_OVER_MEMORY_RELAYED] =
		figures[NULL_CALL_P50] / figures[MEMORY_RELAYED_P50];
	if (pin_possible()) {
		pin_broker_and_ends(service->pid);
		sample_each(call_nothing, session, samples, CALLS);
		unpin_broker_and_ends(service->pid);
		figures[NULL_CALL_PINNED_P50] = percentile_us(samples, CALLS, 50);
		figures[NULL_CALL_PINNED_P99] = percentile_us(samples, CALLS, 99);
		figures[NULL_CALL_PINNED_OVER_SOCKET] =
			figures[NULL_CALL_PINNED_P50] / figures[SOCKET_PINNED_P50];
	} else {
		figure_absent(NULL_CALL_OVER_MEMORY_RELAYED, PIN_IMPOSSIBLE);
		figure_absent(NULL_CALL_PINNED_P50, PIN_IMPOSSIBLE);
		figure_absent(NULL_CALL_PINNED_P99, PIN_IMPOSSIBLE);
		figure_absent(NULL_CALL_PINNED_OVER_SOCKET, PIN_IMPOSSIBLE);
	}
	dspbroker_free(broker);
}

/* Zero copy. */

static void touch(struct dspbroker_session *session, struct dspbroker_buffer *buffer,
	uint64_t *sample)
{
	struct dspbroker_arg args[2] = {
		{.buffer = buffer, .length = (uint32_t)dspbroker_buffer_size(buffer)},
		{.buffer = buffer, .length = (uint32_t)dspbroker_buffer_size(buffer)},
	};
	const struct dspbroker_call call = {
		.method = METHOD_TOUCH, .n_in = 1, .n_out = 1, .args = args};
	uint64_t start = now_ns();

	must(dspbroker_invoke(session, &call, NULL), "touch");
	*sample = now_ns() - start;
}

/* Small and large alternate, so that both see the same machine. */
static void touch_both(struct dspbroker_session *session, struct dspbroker_buffer *small,
	struct dspbroker_buffer *large, double *figures)
{
	static uint64_t times_small[BUFFER_CALLS], times_large[BUFFER_CALLS];

	warm_up(call_nothing, session);
	for (int i = 0; i < BUFFER_CALLS; i++) {
		touch(session, small, &times_small[i]);
		touch(session, large, &times_large[i]);
	}
	figures[ZERO_COPY_4K_P50] = percentile_us(times_small, BUFFER_CALLS, 50);
	figures[ZERO_COPY_64M_P50] = percentile_us(times_large, BUFFER_CALLS, 50);
	figures[ZERO_COPY_64M_OVER_4K] = figures[ZERO_COPY_64M_P50] / figures[ZERO_COPY_4K_P50];
}

void measure_zero_copy(const struct service *service, double *figures)
{
	struct dspbroker_buffer *small, *large;
	struct dspbroker_session *session;
	struct dspbroker *broker;
	void *memory;

	must(dspbroker_connect(&broker, service->socket), "connect");
	must(dspbroker_session_open(broker, &session, CHANNEL_SHARED), "open");
	must(dspbroker_buffer_alloc(broker, &small, SMALL), "4 KiB buffer");
	must(dspbroker_buffer_alloc(broker, &large, LARGE), "64 MiB buffer");
	must(dspbroker_buffer_map(large, &memory), "map");
	memset(memory, 1, LARGE); /* every page is there: no sparse memory helps */
	touch_both(session, small, large, figures);
	dspbroker_free(broker);
}
