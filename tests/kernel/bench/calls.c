// SPDX-License-Identifier: MIT
#include "tests/kernel/bench/calls.h"

#include <errno.h>
#include <string.h>

#include "protocol/util.h"
#include "tests/bench/sample.h"
#include "tests/kernel/bench/turns.h"

#define NULL_TURNS  20
#define NULL_A_TURN 75
#define COPY_TURNS  20
#define COPY_A_TURN 40
#define SUM_TURNS   20
#define SUM_A_TURN  20

/* What is timed. */

static void call_raw(void *calls)
{
	raw_call(&((struct calls *)calls)->raw);
}

static void call_relayed(void *calls)
{
	relay_ask(&((struct calls *)calls)->relay);
}

static void call_brokered(void *calls)
{
	brokered_call(&((struct calls *)calls)->brokered);
}

static uint8_t copy_in[CALL_INLINE], copy_out[CALL_INLINE];

static void copy_raw(void *calls)
{
	raw_copy(&((struct calls *)calls)->raw, copy_in, copy_out);
}

static void copy_brokered(void *calls)
{
	brokered_copy(&((struct calls *)calls)->brokered, copy_in, copy_out);
}

static void check_sum(const struct calls *calls, uint64_t sum)
{
	must(sum == calls->sum ? 0 : -EBADMSG, "what was added up");
}

static void sum_raw(void *userdata)
{
	const struct calls *calls = userdata;

	check_sum(calls, raw_sum(&calls->raw, &calls->plain));
}

static void sum_raw_mapped(void *userdata)
{
	const struct calls *calls = userdata;

	check_sum(calls, raw_sum(&calls->raw, &calls->mapped));
}

static void sum_brokered(void *userdata)
{
	const struct calls *calls = userdata;

	check_sum(calls, brokered_sum(&calls->brokered, calls->buffer));
}

/* Figures. */

static void measure_nothing(struct calls *calls, double *figures)
{
	static const struct way ways[] = {
		{call_raw, RAW_NULL_P50},
		{call_relayed, RELAY_NULL_P50},
		{call_brokered, NULL_P50},
	};

	take_turns(ways, ARRAY_SIZE(ways), calls, NULL_TURNS, NULL_A_TURN, figures);
	figures[NULL_OVER_RAW] = figures[NULL_P50] / figures[RAW_NULL_P50];
	figures[NULL_OVER_RELAY] = figures[NULL_P50] / figures[RELAY_NULL_P50];
	figures[RELAY_NULL_OVER_RAW] = figures[RELAY_NULL_P50] / figures[RAW_NULL_P50];
}

static void measure_copies(struct calls *calls, double *figures)
{
	static const struct way ways[] = {
		{copy_raw, RAW_4K_P50},
		{copy_brokered, CALL_4K_P50},
	};

	memset(copy_in, 0x5a, sizeof(copy_in));
	for (size_t way = 0; way < ARRAY_SIZE(ways); way++) {
		memset(copy_out, 0, sizeof(copy_out));
		ways[way].go(calls);
		must(memcmp(copy_in, copy_out, sizeof(copy_in)) ? -EBADMSG : 0, "what was copied");
	}
	take_turns(ways, ARRAY_SIZE(ways), calls, COPY_TURNS, COPY_A_TURN, figures);
	figures[CALL_4K_OVER_RAW] = figures[CALL_4K_P50] / figures[RAW_4K_P50];
}

static void measure_sums(struct calls *calls, double *figures)
{
	static const struct way ways[] = {
		{sum_raw, RAW_1M_P50},
		{sum_raw_mapped, RAW_MAPPED_1M_P50},
		{sum_brokered, CALL_1M_P50},
	};

	take_turns(ways, ARRAY_SIZE(ways), calls, SUM_TURNS, SUM_A_TURN, figures);
	figures[CALL_1M_OVER_RAW] = figures[CALL_1M_P50] / figures[RAW_1M_P50];
	figures[CALL_1M_OVER_RAW_MAPPED] = figures[CALL_1M_P50] / figures[RAW_MAPPED_1M_P50];
}

/* The same in each buffer. Returns the sum. */
static uint64_t fill(uint8_t *data)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < CALL_BUFFER; i++) {
		data[i] = (uint8_t)(i * 7 + i / 251);
		sum += data[i];
	}
	return sum;
}

void calls_open(struct calls *calls)
{
	uint64_t remote;

	raw_caller_open(&calls->raw);
	must(fastrpc_alloc(&calls->plain, CALL_BUFFER), "a buffer");
	must(fastrpc_alloc(&calls->mapped, CALL_BUFFER), "a buffer");
	must(fastrpc_map(&calls->raw.node, &calls->mapped, &remote), "a mapping");
	fill(calls->plain.data);
	calls->sum = fill(calls->mapped.data);
	call_relay_open(&calls->relay);
}

void calls_close(struct calls *calls)
{
	relay_close(&calls->relay);
	fastrpc_free(&calls->plain);
	fastrpc_free(&calls->mapped);
	raw_caller_close(&calls->raw);
}

void calls_measure(struct calls *calls, const char *socket, double *figures)
{
	void *data;

	brokered_caller_open(&calls->brokered, socket);
	must(dspbroker_buffer_alloc_from(calls->brokered.broker, &calls->buffer, CALL_BUFFER,
		     DSPBROKER_MEMORY_HEAP, NULL),
		"a buffer");
	must(dspbroker_buffer_map(calls->buffer, &data), "a mapping");
	fill(data);
	measure_nothing(calls, figures);
	measure_copies(calls, figures);
	measure_sums(calls, figures);
	brokered_caller_close(&calls->brokered);
}
