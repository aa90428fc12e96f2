// SPDX-License-Identifier: MIT
/* One function for each group of figures. All of one run, on one broker, one after the other. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol/util.h"
#include "tests/bench/bench.h"
#include "tests/bench/sample.h"

#define LATENCY_CALLS   4000
#define SOCKET_BYTES    64
#define PIPELINE_DEPTH  64
#define PIPELINE_CALLS  100000
#define ZERO_COPY_CALLS 1000
#define OPENS_PRIVATE   100
#define OPENS_SHARED    2000
#define IDLE_SESSIONS   200

/* Methods of the example module. */
#define METHOD_NOP   9
#define METHOD_TOUCH 10

/* A bare round trip between two processes. */
static void measure_socket(double *figures)
{
	static uint64_t samples[LATENCY_CALLS];
	char packet[SOCKET_BYTES] = "";
	int pair[2];
	pid_t pid;

	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), "socketpair");
	pid = fork();
	must(pid < 0, "fork");
	if (pid == 0) {
		ssize_t n;

		close(pair[0]);
		while ((n = recv(pair[1], packet, sizeof(packet), 0)) > 0)
			must(send(pair[1], packet, (size_t)n, 0) != n, "send");
		_exit(EXIT_SUCCESS);
	}
	close(pair[1]);
	for (size_t i = 0; i < LATENCY_CALLS; i++) {
		uint64_t start = now_ns();

		must(send(pair[0], packet, sizeof(packet), 0) != sizeof(packet), "send");
		must(recv(pair[0], packet, sizeof(packet), 0) != sizeof(packet), "recv");
		samples[i] = now_ns() - start;
	}
	close(pair[0]);
	waitpid(pid, NULL, 0);
	figures[SOCKET_P50] = (double)percentile(samples, LATENCY_CALLS, 50) / 1000;
}

static void measure_null_call(struct dspbroker_session *session, double *figures)
{
	static uint64_t samples[LATENCY_CALLS];
	const struct dspbroker_call call = {.method = METHOD_NOP};

	for (size_t i = 0; i < LATENCY_CALLS; i++) {
		uint64_t start = now_ns();

		must(dspbroker_invoke(session, &call, NULL), "null call");
		samples[i] = now_ns() - start;
	}
	figures[NULL_CALL_P50] = (double)percentile(samples, LATENCY_CALLS, 50) / 1000;
	figures[NULL_CALL_P99] = (double)percentile(samples, LATENCY_CALLS, 99) / 1000;
	figures[NULL_CALL_OVER_SOCKET] = figures[NULL_CALL_P50] / figures[SOCKET_P50];
}

static void measure_pipelined(struct dspbroker *broker, struct dspbroker_session *session,
	double *figures)
{
	const struct dspbroker_call call = {.method = METHOD_NOP};
	struct dspbroker_completion completions[PIPELINE_DEPTH];
	unsigned int submitted = 0, completed = 0;
	uint64_t start = now_ns();

	while (completed < PIPELINE_CALLS) {
		int n;

		while (submitted < PIPELINE_CALLS && submitted - completed < PIPELINE_DEPTH) {
			must(dspbroker_submit(session, &call), "submit");
			submitted++;
		}
		n = dspbroker_reap(broker, completions, PIPELINE_DEPTH, -1);
		must(n < 0 ? n : 0, "reap");
		for (int i = 0; i < n; i++)
			must(completions[i].status, "pipelined call");
		completed += (unsigned int)n;
	}
	figures[PIPELINED_PER_SECOND] = PIPELINE_CALLS / ((double)(now_ns() - start) / 1e9);
}

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
static void measure_zero_copy(struct dspbroker *broker, struct dspbroker_session *session,
	double *figures)
{
	static uint64_t small[ZERO_COPY_CALLS], large[ZERO_COPY_CALLS];
	struct dspbroker_buffer *b4k, *b64m;
	void *memory;

	must(dspbroker_buffer_alloc(broker, &b4k, 4096), "4 KiB buffer");
	must(dspbroker_buffer_alloc(broker, &b64m, 64 << 20), "64 MiB buffer");
	must(dspbroker_buffer_map(b64m, &memory), "map");
	memset(memory, 1, 64 << 20); /* every page is there: no sparse memory helps */
	for (int i = 0; i < ZERO_COPY_CALLS; i++) {
		touch(session, b4k, &small[i]);
		touch(session, b64m, &large[i]);
	}
	figures[ZERO_COPY_4K_P50] = (double)percentile(small, ZERO_COPY_CALLS, 50) / 1000;
	figures[ZERO_COPY_64M_P50] = (double)percentile(large, ZERO_COPY_CALLS, 50) / 1000;
	figures[ZERO_COPY_64M_OVER_4K] = figures[ZERO_COPY_64M_P50] / figures[ZERO_COPY_4K_P50];
	dspbroker_buffer_free(b64m);
	dspbroker_buffer_free(b4k);
}

static double open_close(struct dspbroker *broker, const char *channel, unsigned int n)
{
	uint64_t start = now_ns();

	for (unsigned int i = 0; i < n; i++) {
		struct dspbroker_session *session;

		must(dspbroker_session_open(broker, &session, channel), "open");
		dspbroker_session_close(session);
	}
	return n / ((double)(now_ns() - start) / 1e9);
}

static void measure_rss(const struct service *service, struct dspbroker *broker, double *figures)
{
	struct dspbroker_session *sessions[IDLE_SESSIONS];
	uint64_t before = service_rss(service);

	for (int i = 0; i < IDLE_SESSIONS; i++)
		must(dspbroker_session_open(broker, &sessions[i], "soft0/denoise"), "open");
	figures[RSS_PER_SESSION_KIB] =
		(double)(int64_t)(service_rss(service) - before) / 1024 / IDLE_SESSIONS;
	for (int i = 0; i < IDLE_SESSIONS; i++)
		dspbroker_session_close(sessions[i]);
}

void measure(const struct service *service, double figures[static FIGURES])
{
	struct dspbroker_session *session;
	struct dspbroker *broker;

	measure_socket(figures);
	must(dspbroker_connect(&broker, service->socket), "connect");
	measure_rss(service, broker, figures);
	must(dspbroker_session_open(broker, &session, "soft0/example"), "open");
	measure_null_call(session, figures);
	measure_pipelined(broker, session, figures);
	measure_zero_copy(broker, session, figures);
	figures[OPEN_CLOSE_PER_SECOND] = open_close(broker, "soft0/example", OPENS_SHARED);
	figures[OPEN_CLOSE_PRIVATE_PER_SECOND] = open_close(broker, "soft0/denoise", OPENS_PRIVATE);
	dspbroker_session_close(session);
	dspbroker_free(broker);
}
