// SPDX-License-Identifier: MIT
/* What the number of rules costs: to load them, to decide by them, and to open a session. */
#include <stdlib.h>

#include "policy/policy.h"
#include "protocol/util.h"
#include "tests/bench/bench.h"
#include "tests/bench/pin.h"
#include "tests/bench/policy_rules.h"
#include "tests/bench/sample.h"

#define MANY      10000
#define SOME      100
#define FEW       10
#define LOADS     7
#define QUERIES   4096
#define DECISIONS 50000
#define OPENS     250 /* in a row */
#define TURNS     16
#define STRIDE    2654435761u /* so that one query tells the caches nothing about the next */

static struct policy *load(const char *directory)
{
	struct policy_note error = {};
	struct policy *policy;

	must(policy_load(&policy, &directory, 1, &error, NULL, NULL), error.text);
	return policy;
}

static double load_ms(const char *directory)
{
	uint64_t samples[LOADS];

	for (int i = 0; i < LOADS; i++) {
		uint64_t start = now_ns();
		struct policy *policy = load(directory);

		samples[i] = now_ns() - start;
		policy_unref(policy);
	}
	return percentile_us(samples, LOADS, 50) / 1000;
}

/* Deciding. */

struct asking {
	struct policy *policy;
	struct policy_query *queries;
	uint32_t next;
	unsigned int allowed;
};

static void decide(void *data)
{
	struct asking *asking = data;
	const struct policy_query *query = &asking->queries[asking->next++ * STRIDE % QUERIES];
	struct policy_decision decision;

	policy_decide(asking->policy, &query->who, POLICY_OPEN, query->channel, &decision);
	asking->allowed += decision.allowed;
}

static double decision_us(const char *directory, uint32_t n_rules)
{
	static uint64_t samples[DECISIONS];
	struct asking asking = {.policy = load(directory)};

	asking.queries = calloc(QUERIES, sizeof(*asking.queries));
	must(asking.queries ? 0 : -ENOMEM, "queries");
	for (uint32_t i = 0; i < QUERIES; i++)
		policy_query_make(&asking.queries[i], i * STRIDE % n_rules);
	sample_each(decide, &asking, samples, DECISIONS);
	/* Else the rules and the queries do not fit together, and nothing is measured. */
	must(asking.allowed > DECISIONS / 4 ? 0 : -EPROTO, "decisions");
	free(asking.queries);
	policy_unref(asking.policy);
	return percentile_us(samples, DECISIONS, 50);
}

/* Opening. */

struct opener {
	struct service service;
	struct dspbroker *broker;
	struct dspbroker_session *keeps_domain;
	uint64_t samples[TURNS * OPENS];
	size_t n;
};

static void open_once(void *data)
{
	struct opener *opener = data;
	struct dspbroker_session *session;

	must(dspbroker_session_open(opener->broker, &session, CHANNEL_SHARED), "open");
	dspbroker_session_close(session);
}

static void opener_start(struct opener *opener, uint32_t n_rules)
{
	service_prepare(&opener->service, SERVICE_UID);
	policy_rules_write(opener->service.policy, n_rules);
	service_run(&opener->service, SERVICE_UID);
	must(dspbroker_connect(&opener->broker, opener->service.socket), "connect");
	must(dspbroker_session_open(opener->broker, &opener->keeps_domain, CHANNEL_SHARED), "open");
	opener->n = 0;
}

static void opener_turn(struct opener *opener)
{
	for (int i = 0; i < OPENS; i++) {
		uint64_t start = now_ns();

		open_once(opener);
		opener->samples[opener->n++] = now_ns() - start;
	}
}

static double opener_stop(struct opener *opener)
{
	dspbroker_free(opener->broker);
	service_stop(&opener->service);
	return percentile_us(opener->samples, opener->n, 50);
}

static void measure_open(struct opener *few, struct opener *many, double *figures)
{
	/* Else chance places the two brokers differently, which is worth more than the rules. */
	pin_broker_and_ends(few->service.pid);
	pin_broker_and_ends(many->service.pid);
	warm_up(open_once, few);
	warm_up(open_once, many);
	for (int turn = 0; turn < TURNS; turn++) {
		opener_turn(few);
		opener_turn(many);
	}
	pin(PLACE_ANY);
	figures[POLICY_OPEN_10] = opener_stop(few);
	figures[POLICY_OPEN_10K] = opener_stop(many);
	figures[POLICY_OPEN_10K_OVER_10] = figures[POLICY_OPEN_10K] / figures[POLICY_OPEN_10];
}

void measure_policy(const struct service *service, double *figures)
{
	static struct opener few, many;
	struct service some;

	(void)service; /* has another policy */
	opener_start(&few, FEW);
	opener_start(&many, MANY);
	service_prepare(&some, SERVICE_UID);
	policy_rules_write(some.policy, SOME);
	figures[POLICY_LOAD_10K_MS] = load_ms(many.service.policy);
	figures[POLICY_DECISION_10K_US] = decision_us(many.service.policy, MANY);
	figures[POLICY_DECISION_100_US] = decision_us(some.policy, SOME);
	folder_remove(some.directory);
	measure_open(&few, &many, figures);
}
