// SPDX-License-Identifier: MIT
/* Channels opened and closed again, one after the other; and connections. */
#include "tests/bench/bench.h"
#include "tests/bench/sample.h"

#define A_WHILE_NS 1000000000ull

static double open_close(struct dspbroker *broker, const char *channel)
{
	uint64_t start = now_ns(), elapsed = 0, n = 0;

	for (; elapsed < A_WHILE_NS; elapsed = now_ns() - start) {
		struct dspbroker_session *session;

		must(dspbroker_session_open(broker, &session, channel), "open");
		dspbroker_session_close(session);
		n++;
	}
	return (double)n * 1e9 / (double)elapsed;
}

static double connect_and_leave(const struct service *service)
{
	uint64_t start = now_ns(), elapsed = 0, n = 0;

	for (; elapsed < A_WHILE_NS; elapsed = now_ns() - start) {
		struct dspbroker *broker;

		must(dspbroker_connect(&broker, service->socket), "connect");
		dspbroker_free(broker);
		n++;
	}
	return (double)n * 1e9 / (double)elapsed;
}

void measure_open_close(const struct service *service, double *figures)
{
	struct dspbroker_session *keeps_domain;
	struct dspbroker *broker;

	must(dspbroker_connect(&broker, service->socket), "connect");
	must(dspbroker_session_open(broker, &keeps_domain, CHANNEL_SHARED), "open");
	figures[OPEN_CLOSE_PER_SECOND] = open_close(broker, CHANNEL_SHARED);
	figures[OPEN_CLOSE_PRIVATE_PER_SECOND] = open_close(broker, CHANNEL_PRIVATE);
	dspbroker_free(broker);
	figures[CONNECT_PER_SECOND] = connect_and_leave(service);
}
