// SPDX-License-Identifier: MIT
/*
 * Several clients at the same time: what they get done together, and what one of them has left when
 * others take what they can.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/util.h"
#include "tests/bench/bench.h"
#include "tests/bench/crowd_client.h"
#include "tests/bench/party.h"
#include "tests/bench/sample.h"

#define CLIENTS 8

#define PIPELINED_TURNS 3
#define PIPELINED_MS    400

/* Of one run and one way to be flooded: 2,400 samples. */
#define VICTIM_TURNS       4
#define VICTIM_MS          600
#define VICTIM_INTERVAL_NS 1000000
#define VICTIM_SAMPLES     (2 * VICTIM_TURNS * VICTIM_MS) /* those that are late come in bursts */

#define FAIR_MS        1500
#define SHORT_WORK_NS  20000
#define MIDDLE_WORK_NS 50000
#define LONG_WORK_NS   200000

/* Users whom this file's policy tells apart. */
enum {
	UID_VICTIM = SERVICE_UID + 10,
	UID_FLOODER,
	UID_APART, /* it floods in a protection domain of its own */
	UID_WEIGHT_1,
	UID_WEIGHT_2,
	UID_WEIGHT_4,
};

/* A rule for each user who is not like the others; those share a domain. */
static const struct {
	uid_t uid;
	const char *keys;
} rules[] = {
	{UID_APART, ""},
	{UID_WEIGHT_1, ", \"share_domain\": \"weighted\", \"weight\": 100"},
	{UID_WEIGHT_2, ", \"share_domain\": \"weighted\", \"weight\": 200"},
	{UID_WEIGHT_4, ", \"share_domain\": \"weighted\", \"weight\": 400"},
};

static void write_policy(FILE *file)
{
	fputs("{ \"version\": 1, \"rules\": [\n", file);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		fprintf(file,
			"{ \"name\": \"user-%u\", \"action\": \"allow\", \"match\": { \"users\": "
			"[%u] }, \"channels\": [\"" CHANNEL_SHARED "\"]%s },\n",
			rules[i].uid, rules[i].uid, rules[i].keys);
	fputs("{ \"name\": \"others\", \"action\": \"allow\", \"match\": { \"users\": [\"*\"] }, "
	      "\"channels\": [\"" CHANNEL_SHARED "\"], \"share_domain\": \"others\" } ] }\n",
		file);
}

/* Pipelined. */

struct rate {
	uint64_t calls;
	double seconds;
};

static void add_turn(struct rate *rate, const struct service *service, int clients)
{
	const struct crowd_client role = {.service = service, .channel = CHANNEL_SHARED};
	struct work work[PARTY_MAX];
	struct party party;

	party_init(&party);
	for (int i = 0; i < clients; i++)
		party_add(&party, crowd_client_play, &role, 0);
	party_begin(&party);
	rate->seconds += party_watch(&party, PIPELINED_MS, work);
	party_end(&party);
	for (int i = 0; i < clients; i++)
		rate->calls += work[i].calls;
}

/* One and eight take turns, so that both see the same machine. */
static void measure_pipelined_8(const struct service *service, double *figures)
{
	struct rate one = {}, eight = {};

	for (int turn = 0; turn < PIPELINED_TURNS; turn++) {
		add_turn(&one, service, 1);
		add_turn(&eight, service, CLIENTS);
	}
	figures[PIPELINED_8_PER_SECOND] = (double)eight.calls / eight.seconds;
	figures[PIPELINED_8_OVER_1] =
		figures[PIPELINED_8_PER_SECOND] / ((double)one.calls / one.seconds);
}

/* Fair shares. */

/* Jain's index of how long each had the DSP: 1 when all had the same, 1/n when one had it alone. */
static double jain(const struct work *work, size_t n)
{
	double sum = 0, squares = 0;

	for (size_t i = 0; i < n; i++) {
		sum += (double)work[i].busy_ns;
		squares += (double)work[i].busy_ns * (double)work[i].busy_ns;
	}
	return sum * sum / ((double)n * squares);
}

/* Half of the clients make calls of that size, half of the other. */
static double jain_of(const struct service *service, uint32_t bytes, uint32_t other_bytes)
{
	const struct crowd_client roles[] = {
		{.service = service, .channel = CHANNEL_SHARED, .input_bytes = bytes},
		{.service = service, .channel = CHANNEL_SHARED, .input_bytes = other_bytes},
	};
	struct work work[PARTY_MAX];
	struct party party;

	party_init(&party);
	for (int i = 0; i < CLIENTS; i++)
		party_add(&party, crowd_client_play, &roles[i % 2], 0);
	party_begin(&party);
	party_watch(&party, FAIR_MS, work);
	party_end(&party);
	return jain(work, CLIENTS);
}

static void measure_jain(const struct service *service, double *figures)
{
	uint32_t middle = crowd_client_bytes(service, CHANNEL_SHARED, MIDDLE_WORK_NS);
	uint32_t small = crowd_client_bytes(service, CHANNEL_SHARED, SHORT_WORK_NS);
	uint32_t large = crowd_client_bytes(service, CHANNEL_SHARED, LONG_WORK_NS);

	figures[JAIN_8] = jain_of(service, middle, middle);
	figures[JAIN_8_MIXED] = jain_of(service, small, large);
}

static void measure_weights(const struct service *service, double *figures)
{
	static const struct {
		uid_t uid;
		double share;
	} users[] = {
		{UID_WEIGHT_1, 1.0 / 7},
		{UID_WEIGHT_2, 2.0 / 7},
		{UID_WEIGHT_4, 4.0 / 7},
	};
	const struct crowd_client role = {
		.service = service,
		.channel = CHANNEL_SHARED,
		.input_bytes = crowd_client_bytes(service, CHANNEL_SHARED, MIDDLE_WORK_NS),
	};
	double total = 0, worst = 0;
	struct work work[PARTY_MAX];
	struct party party;

	party_init(&party);
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		party_add(&party, crowd_client_play, &role, users[i].uid);
	party_begin(&party);
	party_watch(&party, FAIR_MS, work);
	party_end(&party);
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		total += (double)work[i].busy_ns;
	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		double error = fabs((double)work[i].busy_ns / total / users[i].share - 1);

		worst = MAX(worst, error);
	}
	figures[WEIGHTS_1_2_4_ERROR] = worst;
}

/* One who is in nobody's way, and one who floods. */

struct samples {
	uint64_t ns[VICTIM_SAMPLES];
	size_t n;
};

/* @flooder: the user who floods, or 0: nobody does. */
static void add_victim(struct samples *samples, const struct service *service, uid_t flooder)
{
	const struct crowd_client victim = {
		.service = service, .channel = CHANNEL_SHARED, .interval_ns = VICTIM_INTERVAL_NS};
	const struct crowd_client flood = {.service = service, .channel = CHANNEL_SHARED};
	struct work work[PARTY_MAX];
	struct party party;
	size_t n;

	party_init(&party);
	party_add(&party, crowd_client_play, &victim, UID_VICTIM);
	if (flooder)
		party_add(&party, crowd_client_play, &flood, flooder);
	party_begin(&party);
	party_watch(&party, VICTIM_MS, work);
	n = MIN(work[0].calls, VICTIM_SAMPLES - samples->n);
	memcpy(samples->ns + samples->n, party.members[0].samples + work[0].first,
		n * sizeof(*samples->ns));
	samples->n += n;
	party_end(&party);
}

static double p99_us(struct samples *samples)
{
	return percentile_us(samples->ns, samples->n, 99);
}

/* Alone, beside a flood in the same protection domain, and beside one in another. */
static void measure_victim(const struct service *service, double *figures)
{
	static const uid_t flooders[] = {0, UID_FLOODER, UID_APART};
	static struct samples samples[ARRAY_SIZE(flooders)];
	double same_domain, other_domain;

	memset(samples, 0, sizeof(samples));
	for (int turn = 0; turn < VICTIM_TURNS; turn++)
		for (size_t i = 0; i < ARRAY_SIZE(flooders); i++)
			add_victim(&samples[i], service, flooders[i]);
	same_domain = p99_us(&samples[1]);
	other_domain = p99_us(&samples[2]);
	figures[VICTIM_P99_ALONE] = p99_us(&samples[0]);
	if (!isnan(same_domain)) /* (this MAX of a number and NAN is NAN) */
		figures[VICTIM_P99_FLOODED] = MAX(same_domain, other_domain);
	figures[VICTIM_P99_OVER_ALONE] = figures[VICTIM_P99_FLOODED] / figures[VICTIM_P99_ALONE];
}

/* On a broker that tells users apart. */
static void measure_users(double *figures)
{
	_cleanup_(freep) char *policy = NULL;
	struct service service;
	size_t size;
	FILE *file;

	file = open_memstream(&policy, &size);
	must(file ? 0 : -errno, "policy");
	write_policy(file);
	fclose(file);
	service_start(&service, policy, SERVICE_UID);
	measure_victim(&service, figures);
	measure_weights(&service, figures);
	service_stop(&service);
}

static void miss_users(void)
{
	static const enum figure_id ids[] = {
		VICTIM_P99_ALONE, VICTIM_P99_FLOODED, VICTIM_P99_OVER_ALONE, WEIGHTS_1_2_4_ERROR};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		figure_absent(ids[i], "needs clients of several users: run it as root");
}

void measure_crowd(const struct service *service, double *figures)
{
	measure_pipelined_8(service, figures);
	measure_jain(service, figures);
	if (geteuid() == 0)
		measure_users(figures);
	else
		miss_users();
}
