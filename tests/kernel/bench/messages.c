// SPDX-License-Identifier: MIT
#include "tests/kernel/bench/messages.h"

#include "protocol/util.h"
#include "tests/bench/sample.h"
#include "tests/kernel/bench/bench.h"
#include "tests/kernel/bench/turns.h"

#define RTT_TURNS   20
#define RTT_A_TURN  100
#define MANY_TURNS  10
#define MANY_A_TURN 1000

/* What is timed. */

static void raw_there_and_back(void *messages)
{
	raw_round_trip(&((struct messages *)messages)->raw);
}

static void relayed(void *messages)
{
	relay_ask(&((struct messages *)messages)->relay);
}

static void sent_and_received(void *messages)
{
	brokered_round_trip(&((struct messages *)messages)->brokered);
}

static void submitted_and_received(void *messages)
{
	brokered_round_trip_submitting(&((struct messages *)messages)->brokered);
}

static void raw_many_there_and_back(struct messages *messages)
{
	raw_echo(&messages->raw, MANY_A_TURN);
}

static void many_there_and_back(struct messages *messages)
{
	brokered_echo(&messages->brokered, MANY_A_TURN);
}

/* What the kernel has taken is there when a message that came later is back: all go one way. */
static void raw_many_there(struct messages *messages)
{
	raw_send(&messages->raw, MANY_A_TURN);
	raw_round_trip(&messages->raw);
}

static void many_there(struct messages *messages)
{
	brokered_send(&messages->brokered, MANY_A_TURN);
	raw_round_trip(&messages->raw);
}

/* Figures. */

static void measure_round_trips(struct messages *messages, double *figures)
{
	static const struct way ways[] = {
		{raw_there_and_back, RAW_RTT_P50},
		{relayed, RELAY_RTT_P50},
		{sent_and_received, SEND_RTT_P50},
		{submitted_and_received, RTT_P50},
	};

	take_turns(ways, ARRAY_SIZE(ways), messages, RTT_TURNS, RTT_A_TURN, figures);
	figures[RTT_OVER_RAW] = figures[RTT_P50] / figures[RAW_RTT_P50];
	figures[RTT_OVER_RELAY] = figures[RTT_P50] / figures[RELAY_RTT_P50];
	figures[RELAY_RTT_OVER_RAW] = figures[RELAY_RTT_P50] / figures[RAW_RTT_P50];
	figures[SEND_RTT_OVER_RAW] = figures[SEND_RTT_P50] / figures[RAW_RTT_P50];
}

static void measure_throughput(struct messages *messages, double *figures)
{
	static const struct {
		void (*many)(struct messages *messages);
		enum figure_id per_second;
	} kinds[] = {
		{raw_many_there_and_back, RAW_ECHO_PER_SECOND},
		{many_there_and_back, ECHO_PER_SECOND},
		{raw_many_there, RAW_SEND_PER_SECOND},
		{many_there, SEND_PER_SECOND},
	};
	uint64_t taken[ARRAY_SIZE(kinds)] = {0};

	for (int turn = 0; turn < MANY_TURNS; turn++) {
		for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
			uint64_t start = now_ns();

			kinds[kind].many(messages);
			taken[kind] += now_ns() - start;
		}
	}
	for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++)
		figures[kinds[kind].per_second] =
			MANY_TURNS * MANY_A_TURN / ((double)taken[kind] / 1e9);
	figures[THROUGHPUT_OVER_RAW] = figures[ECHO_PER_SECOND] / figures[RAW_ECHO_PER_SECOND];
	figures[SEND_OVER_RAW] = figures[SEND_PER_SECOND] / figures[RAW_SEND_PER_SECOND];
}

void messages_open(struct messages *messages)
{
	raw_open(&messages->raw);
	message_relay_open(&messages->relay);
}

void messages_close(struct messages *messages)
{
	relay_close(&messages->relay);
}

void messages_measure(struct messages *messages, const char *socket, double *figures)
{
	brokered_open(&messages->brokered, socket);
	measure_round_trips(messages, figures);
	measure_throughput(messages, figures);
	brokered_close(&messages->brokered);
}
