// SPDX-License-Identifier: MIT
#include "tests/bench/pipeline.h"

#include "tests/bench/bench.h"
#include "tests/bench/pin.h"
#include "tests/bench/sample.h"

/* The clock is read once for each lot of completions. Returns calls per second. */
static double keep_full(const struct pipeline *pipeline, uint64_t ns)
{
	uint64_t start = now_ns(), elapsed = 0, completed = 0;
	unsigned int in_flight = 0, n;

	while (elapsed < ns) {
		in_flight += pipeline->submit(pipeline->data, PIPELINE_DEPTH - in_flight);
		n = pipeline->reap(pipeline->data);
		in_flight -= n;
		completed += n;
		elapsed = now_ns() - start;
	}
	while (in_flight)
		in_flight -= pipeline->reap(pipeline->data);
	return (double)completed * 1e9 / (double)elapsed;
}

double pipeline_per_second(const struct pipeline *pipeline)
{
	keep_full(pipeline, PIPELINE_WARM_UP);
	return keep_full(pipeline, PIPELINE_NS);
}

/* As a program does that has the library. */

struct library {
	struct dspbroker *broker;
	struct dspbroker_session *session;
};

static unsigned int library_submit(void *data, unsigned int n)
{
	static const struct dspbroker_call call = {.method = METHOD_NOP};
	struct library *library = data;

	for (unsigned int i = 0; i < n; i++)
		must(dspbroker_submit(library->session, &call), "submit");
	return n;
}

static unsigned int library_reap(void *data)
{
	struct dspbroker_completion completions[PIPELINE_DEPTH];
	struct library *library = data;
	int n;

	n = dspbroker_reap(library->broker, completions, PIPELINE_DEPTH, -1);
	must(n < 0 ? n : 0, "reap");
	for (int i = 0; i < n; i++)
		must(completions[i].status, "pipelined call");
	return (unsigned int)n;
}

void measure_pipelined(const struct service *service, double *figures)
{
	struct library library;
	const struct pipeline pipeline = {library_submit, library_reap, &library};

	must(dspbroker_connect(&library.broker, service->socket), "connect");
	must(dspbroker_session_open(library.broker, &library.session, CHANNEL_SHARED), "open");
	figures[PIPELINED_PER_SECOND] = pipeline_per_second(&pipeline);
	figures[PIPELINED_OVER_DIRECT] = figures[PIPELINED_PER_SECOND] / figures[DIRECT_PER_SECOND];
	if (pin_possible()) {
		pin_broker_and_ends(service->pid);
		figures[PIPELINED_PINNED_PER_SECOND] = pipeline_per_second(&pipeline);
		unpin_broker_and_ends(service->pid);
		figures[PIPELINED_PINNED_OVER_DIRECT] =
			figures[PIPELINED_PINNED_PER_SECOND] / figures[DIRECT_PINNED_PER_SECOND];
	} else {
		figure_absent(PIPELINED_PINNED_PER_SECOND, PIN_IMPOSSIBLE);
		figure_absent(PIPELINED_PINNED_OVER_DIRECT, PIN_IMPOSSIBLE);
	}
	dspbroker_free(library.broker);
}
