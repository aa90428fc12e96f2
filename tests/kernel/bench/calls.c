// SPDX-License-Identifier: MIT
#include "tests/kernel/bench/calls.h"

#include <errno.h>
#include <string.h>

#include "protocol/util.h"
#include "tests/bench/sample.h"
#include "tests/kernel/bench/bench.h"
#include "tests/kernel/bench/turns.h"

#define NULL_TURNS  20
#define NULL_A_TURN 75
#define COPY_TURNS  20
#define COPY_A_TURN 40
#define SUM_TURNS   20
#define SUM_A_TURN  20

/* What is timed. */

static void call_raw(void *userdata)
{
	const struct raw_caller *raw = &((const struct calls *)userdata)->raw;

	raw->driver->call(raw);
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

static void copy_raw(void *userdata)
{
	const struct raw_caller *raw = &((const struct calls *)userdata)->raw;

	raw->driver->copy(raw, copy_in, copy_out);
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

	check_sum(calls, calls->raw.driver->sum(&calls->raw, &calls->plain));
}

static void sum_raw_kept(void *userdata)
{
	const struct calls *calls = userdata;

	check_sum(calls, calls->raw.driver->sum(&calls->raw, &calls->kept));
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
		{sum_raw_kept, RAW_1M_P50},
		{sum_brokered, CALL_1M_P50},
	};

	take_turns(ways, ARRAY_SIZE(ways), calls, SUM_TURNS, SUM_A_TURN, figures);
	figures[CALL_1M_OVER_RAW] = figures[CALL_1M_P50] / figures[RAW_1M_P50];
}

/* The same where it makes a difference whether memory was mapped once. */
static void measure_sums_both_ways(struct calls *calls, double *figures)
{
	static const struct way ways[] = {
		{sum_raw, RAW_1M_P50},
		{sum_raw_kept, RAW_MAPPED_1M_P50},
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

void calls_open(struct calls *calls, const struct raw_driver *driver)
{
	raw_caller_open(&calls->raw, driver);
	must(fastrpc_alloc(&calls->plain, CALL_BUFFER), "a buffer");
	must(fastrpc_alloc(&calls->kept, CALL_BUFFER), "a buffer");
	driver->keep(&calls->raw, &calls->kept);
	fill(calls->plain.data);
	calls->sum = fill(calls->kept.data);
	call_relay_open(&calls->relay, driver);
}

void calls_close(struct calls *calls)
{
	relay_close(&calls->relay);
	fastrpc_free(&calls->plain);
	fastrpc_free(&calls->kept);
	calls->raw.driver->close(&calls->raw);
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
	if (calls->raw.driver->maps_for_calls)
		measure_sums_both_ways(calls, figures);
	else
		measure_sums(calls, figures);
	brokered_caller_close(&calls->brokered);
}
