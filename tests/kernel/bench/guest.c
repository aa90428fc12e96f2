// SPDX-License-Identifier: MIT
/* Measuring in a guest, whose DSP two drivers serve; a broker uses the one that its policy names.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol/util.h"
#include "tests/bench/sample.h"
#include "tests/bench/service.h"
#include "tests/kernel/bench/bench.h"
#include "tests/kernel/bench/calls.h"
#include "tests/kernel/bench/clients.h"
#include "tests/kernel/bench/messages.h"

#define SERVE "tests/kernel/bench/serve"

#define POLICY(transport)                                                                        \
	"{ \"version\": 1,\n"                                                                    \
	"  \"devices\": [\n"                                                                     \
	"    { \"name\": \"cdsp\", \"transport\": \"" transport "\",\n"                          \
	"      \"shells\": [\"" BENCH_SHELLS "\"] } ],\n"                                        \
	"  \"rules\": [\n"                                                                       \
	"    { \"name\": \"bench\", \"action\": \"allow\", \"match\": { \"users\": [\"*\"] },\n" \
	"      \"channels\": [\"rpmsg0/*\", \"cdsp/bench\"] } ] }\n"

static const struct way_in {
	const struct raw_driver *driver;
	const char *policy;
	enum figure_id figures; /* the first of them */
} ways_in[] = {
	{&raw_fastrpc, POLICY("fastrpc"), FASTRPC_FIGURES},
	{&raw_qda, POLICY("qda"), QDA_FIGURES},
};

static bool has_fastrpc(void)
{
	return access(FASTRPC_NODE, F_OK) == 0;
}

static bool has_qda(void)
{
	char path[64];

	return qda_find(path, sizeof(path));
}

/* A device node comes some time after what it stands for, and its folder with it. */
static void await_node(bool (*is_there)(void))
{
	_cleanup_(fd_closep) int watch = inotify_init1(IN_CLOEXEC);
	char events[sizeof(struct inotify_event) + NAME_MAX + 1];

	must(inotify_add_watch(watch, "/dev", IN_CREATE) < 0 ? -errno : 0, "inotify");
	for (;;) {
		if (inotify_add_watch(watch, "/dev/accel", IN_CREATE) < 0 && errno != ENOENT)
			must(-errno, "inotify");
		if (is_there())
			return;
		must(read(watch, events, sizeof(events)) < 0 ? -errno : 0, "inotify");
	}
}

static void exec_serve(void)
{
	char echo[16], sink[16], fastrpc[16], qda[16];

	snprintf(echo, sizeof(echo), "%d", BENCH_ECHO_ADDRESS);
	snprintf(sink, sizeof(sink), "%d", BENCH_SINK_ADDRESS);
	snprintf(fastrpc, sizeof(fastrpc), "%d", BENCH_FASTRPC_ADDRESS);
	snprintf(qda, sizeof(qda), "%d", BENCH_QDA_ADDRESS);
	execl(SERVE, SERVE, echo, BENCH_ECHO, sink, BENCH_SINK, fastrpc, qda, BENCH_SHELLS, NULL);
	must(-errno, SERVE);
}

/* What the remote processor is to do. */
static void serve(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		exec_serve();
	must(pid < 0 || waitpid(pid, &status, 0) < 0 ? -errno : 0, SERVE);
	must(status ? -ECHILD : 0, SERVE);
	await_node(has_fastrpc);
	await_node(has_qda);
}

static void print(const double *figures)
{
	printf("run");
	for (int id = 0; id < FIGURES; id++)
		printf(" %.17g", figures[id]);
	putchar('\n');
	fflush(stdout);
}

static void measure_messages(struct messages *messages, double *figures)
{
	struct service service;

	service_start(&service, ways_in[0].policy, 0);
	messages_measure(messages, service.socket, figures);
	service_stop(&service);
}

static void measure_calls(const struct way_in *way_in, struct calls *calls, double *figures)
{
	struct service service;

	service_start(&service, way_in->policy, 0);
	calls_measure(calls, service.socket, figures);
	service_stop(&service);
	clients_measure(way_in->driver, way_in->policy, figures);
}

void guest_measure(int runs)
{
	struct calls calls[ARRAY_SIZE(ways_in)];
	struct messages messages;

	serve();
	messages_open(&messages);
	for (size_t i = 0; i < ARRAY_SIZE(ways_in); i++)
		calls_open(&calls[i], ways_in[i].driver);
	for (int run = 0; run < runs; run++) {
		double figures[FIGURES];

		measure_messages(&messages, figures);
		for (size_t i = 0; i < ARRAY_SIZE(ways_in); i++)
			measure_calls(&ways_in[i], &calls[i], &figures[ways_in[i].figures]);
		print(figures);
	}
	for (size_t i = 0; i < ARRAY_SIZE(ways_in); i++)
		calls_close(&calls[i]);
	messages_close(&messages);
}
