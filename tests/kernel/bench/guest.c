// SPDX-License-Identifier: MIT
/* Measuring in a guest. */
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

static const char policy[] =
	"{ \"version\": 1,\n"
	"  \"devices\": [\n"
	"    { \"name\": \"cdsp\", \"transport\": \"fastrpc\", \"shells\": [\"" BENCH_SHELLS
	"\"] } ],\n"
	"  \"rules\": [\n"
	"    { \"name\": \"bench\", \"action\": \"allow\", \"match\": { \"users\": [\"*\"] },\n"
	"      \"channels\": [\"rpmsg0/*\", \"cdsp/bench\"] } ] }\n";

/* A device node comes some time after what it stands for. */
static void await_node(const char *path)
{
	_cleanup_(fd_closep) int watch = inotify_init1(IN_CLOEXEC);
	char events[sizeof(struct inotify_event) + NAME_MAX + 1];

	must(inotify_add_watch(watch, "/dev", IN_CREATE) < 0 ? -errno : 0, "inotify");
	while (access(path, F_OK) < 0)
		must(read(watch, events, sizeof(events)) < 0 ? -errno : 0, path);
}

static void exec_serve(void)
{
	char echo[16], sink[16], fastrpc[16];

	snprintf(echo, sizeof(echo), "%d", BENCH_ECHO_ADDRESS);
	snprintf(sink, sizeof(sink), "%d", BENCH_SINK_ADDRESS);
	snprintf(fastrpc, sizeof(fastrpc), "%d", BENCH_FASTRPC_ADDRESS);
	execl(SERVE, SERVE, echo, BENCH_ECHO, sink, BENCH_SINK, fastrpc, BENCH_SHELLS, NULL);
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
	await_node(FASTRPC_NODE);
}

static void print(const double *figures)
{
	printf("run");
	for (int id = 0; id < FIGURES; id++)
		printf(" %.17g", figures[id]);
	putchar('\n');
	fflush(stdout);
}

void guest_measure(int runs)
{
	struct messages messages;
	struct calls calls;

	serve();
	messages_open(&messages);
	calls_open(&calls);
	for (int run = 0; run < runs; run++) {
		double figures[FIGURES];
		struct service service;

		service_start(&service, policy, 0);
		messages_measure(&messages, service.socket, figures);
		calls_measure(&calls, service.socket, figures);
		service_stop(&service);
		clients_measure(policy, figures);
		print(figures);
	}
	calls_close(&calls);
	messages_close(&messages);
}
