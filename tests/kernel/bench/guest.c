// SPDX-License-Identifier: MIT
/*
 * Measuring in a guest. The ways take turns, for moments each, so that whatever else the machine
 * does disturbs all of them alike.
 */
#include <stdio.h>

#include "client/dspbroker.h"
#include "protocol/util.h"
#include "tests/bench/sample.h"
#include "tests/bench/service.h"
#include "tests/kernel/bench/bench.h"
#include "tests/kernel/bench/way.h"

#define RTT_TURNS   20
#define RTT_A_TURN  100
#define RTT_SAMPLES (RTT_TURNS * RTT_A_TURN)
#define MANY_TURNS  10
#define MANY_A_TURN 2000
#define WARM_UP     200

static const char policy[] =
	"{ \"version\": 1, \"rules\": [\n"
	"  { \"name\": \"bench\", \"action\": \"allow\", \"match\": { \"users\": [\"*\"] },\n"
	"    \"channels\": [\"rpmsg0/*\"] } ] }\n";

struct ways {
	struct raw raw;
	struct relay relay;
	struct brokered brokered;
};

/* What is timed. */

static void raw_there_and_back(struct ways *ways)
{
	raw_round_trip(&ways->raw);
}

static void relayed(struct ways *ways)
{
	relay_round_trip(&ways->relay);
}

static void sent_and_received(struct ways *ways)
{
	brokered_round_trip(&ways->brokered);
}

static void submitted_and_received(struct ways *ways)
{
	brokered_round_trip_submitting(&ways->brokered);
}

static void raw_many_there_and_back(struct ways *ways)
{
	raw_echo(&ways->raw, MANY_A_TURN);
}

static void many_there_and_back(struct ways *ways)
{
	brokered_echo(&ways->brokered, MANY_A_TURN);
}

/* What the kernel has taken is there when a message that came later is back: all go one way. */
static void raw_many_there(struct ways *ways)
{
	raw_send(&ways->raw, MANY_A_TURN);
	raw_round_trip(&ways->raw);
}

static void many_there(struct ways *ways)
{
	brokered_send(&ways->brokered, MANY_A_TURN);
	raw_round_trip(&ways->raw);
}

/* To read the clock is a system call here; it is nothing of ours. */
static void nothing(struct ways *ways)
{
	(void)ways;
}

/* Figures. */

static void time_each(void (*what)(struct ways *ways), struct ways *ways, uint64_t *samples)
{
	for (int i = 0; i < RTT_A_TURN; i++) {
		uint64_t start = now_ns();

		what(ways);
		samples[i] = now_ns() - start;
	}
}

static void measure_round_trips(struct ways *ways, double *figures)
{
	static const struct {
		void (*trip)(struct ways *ways);
		enum figure_id p50;
	} kinds[] = {
		{raw_there_and_back, RAW_RTT_P50},
		{relayed, RELAY_RTT_P50},
		{sent_and_received, SEND_RTT_P50},
		{submitted_and_received, RTT_P50},
	};
	static uint64_t samples[ARRAY_SIZE(kinds)][RTT_SAMPLES], empty[RTT_SAMPLES];
	uint64_t clock;

	for (int first = 0; first < RTT_SAMPLES; first += RTT_A_TURN) {
		for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++)
			time_each(kinds[kind].trip, ways, &samples[kind][first]);
		time_each(nothing, ways, &empty[first]);
	}
	clock = percentile(empty, RTT_SAMPLES, 50);
	for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++)
		figures[kinds[kind].p50] =
			(double)(percentile(samples[kind], RTT_SAMPLES, 50) - clock) / 1000;
}

static void measure_throughput(struct ways *ways, double *figures)
{
	static const struct {
		void (*many)(struct ways *ways);
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

			kinds[kind].many(ways);
			taken[kind] += now_ns() - start;
		}
	}
	for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++)
		figures[kinds[kind].per_second] =
			MANY_TURNS * MANY_A_TURN / ((double)taken[kind] / 1e9);
}

static void measure(struct ways *ways, double figures[static FIGURES])
{
	for (int i = 0; i < WARM_UP; i++) {
		raw_there_and_back(ways);
		relayed(ways);
		submitted_and_received(ways);
	}
	measure_round_trips(ways, figures);
	measure_throughput(ways, figures);
	figures[RTT_OVER_RAW] = figures[RTT_P50] / figures[RAW_RTT_P50];
	figures[RTT_OVER_RELAY] = figures[RTT_P50] / figures[RELAY_RTT_P50];
	figures[RELAY_RTT_OVER_RAW] = figures[RELAY_RTT_P50] / figures[RAW_RTT_P50];
	figures[SEND_RTT_OVER_RAW] = figures[SEND_RTT_P50] / figures[RAW_RTT_P50];
	figures[THROUGHPUT_OVER_RAW] = figures[ECHO_PER_SECOND] / figures[RAW_ECHO_PER_SECOND];
	figures[SEND_OVER_RAW] = figures[SEND_PER_SECOND] / figures[RAW_SEND_PER_SECOND];
}

void guest_measure(int runs)
{
	struct ways ways;

	raw_open(&ways.raw);
	relay_open(&ways.relay);
	for (int run = 0; run < runs; run++) {
		double figures[FIGURES];
		struct service service;

		service_start(&service, policy, 0);
		brokered_open(&ways.brokered, service.socket);
		measure(&ways, figures);
		brokered_close(&ways.brokered);
		service_stop(&service);
		printf("run");
		for (int id = 0; id < FIGURES; id++)
			printf(" %.17g", figures[id]);
		putchar('\n');
		fflush(stdout);
	}
	relay_close(&ways.relay);
}
