// SPDX-License-Identifier: MIT
/*
 * The kinds of clients take turns: the kernel has not enough sessions for all of them at once, so
 * those of each turn are opened for it and closed after it, which is not timed. That the broker has
 * given its own back is certain when it has ended: so it, too, is started for each turn.
 */
#include "tests/kernel/bench/clients.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol/util.h"
#include "tests/bench/sample.h"
#include "tests/bench/service.h"
#include "tests/kernel/bench/bench.h"
#include "tests/kernel/bench/calls.h"

#define CLIENTS 8
#define TURNS   5
#define A_TURN  60 /* calls of each client */
#define WARM_UP 10

union caller {
	struct raw_caller raw;
	struct relay relay;
	struct brokered_caller brokered;
};

/* Where the DSP is: raw, and by the broker that was started for a turn. */
struct place {
	const struct raw_driver *driver;
	const char *socket;
};

struct kind {
	void (*open)(union caller *caller, const struct place *place);
	void (*call)(union caller *caller);
	void (*close)(union caller *caller);
	bool brokered;
	enum call_figure per_second;
};

/* A process; it tells when it is ready, and when it is done. */
struct client {
	pid_t pid;
	int told;
};

static void open_raw(union caller *caller, const struct place *place)
{
	raw_caller_open(&caller->raw, place->driver);
}

static void call_raw(union caller *caller)
{
	caller->raw.driver->call(&caller->raw);
}

static void close_raw(union caller *caller)
{
	caller->raw.driver->close(&caller->raw);
}

static void open_relay(union caller *caller, const struct place *place)
{
	call_relay_open(&caller->relay, place->driver);
}

static void call_relayed(union caller *caller)
{
	relay_ask(&caller->relay);
}

static void close_relay(union caller *caller)
{
	relay_close(&caller->relay);
}

static void open_brokered(union caller *caller, const struct place *place)
{
	brokered_caller_open(&caller->brokered, place->socket);
}

static void call_brokered(union caller *caller)
{
	brokered_call(&caller->brokered);
}

static void close_brokered(union caller *caller)
{
	brokered_caller_close(&caller->brokered);
}

/* In a client. */

static void tell(int parent)
{
	must(write(parent, "", 1) == 1 ? 0 : -errno, "a pipe");
}

/* @go is readable, and at its end, when all may begin. */
static void be_client(const struct kind *kind, const struct place *place, int parent, int go)
{
	union caller caller;
	char nothing;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	kind->open(&caller, place);
	for (int i = 0; i < WARM_UP; i++)
		kind->call(&caller);
	tell(parent);
	must(read(go, &nothing, 1) == 0 ? 0 : -errno, "a pipe");
	for (int i = 0; i < A_TURN; i++)
		kind->call(&caller);
	tell(parent);
	kind->close(&caller);
	_exit(EXIT_SUCCESS);
}

/* In their parent. */

static void start(struct client *client, const struct kind *kind, const struct place *place,
	const int go[2])
{
	int told[2];

	must(pipe2(told, O_CLOEXEC) < 0 ? -errno : 0, "pipe");
	client->pid = fork();
	must(client->pid < 0 ? -errno : 0, "fork");
	if (client->pid == 0) {
		close(go[1]);
		be_client(kind, place, told[1], go[0]);
	}
	close(told[1]);
	client->told = told[0];
}

/* One that failed tells nothing, and has said why. */
static void await(const struct client *clients)
{
	char nothing;

	for (size_t i = 0; i < CLIENTS; i++)
		must(read(clients[i].told, &nothing, 1) == 1 ? 0 : -ECHILD, "a client");
}

static void end(struct client *client)
{
	int status;

	must(waitpid(client->pid, &status, 0) < 0 ? -errno : 0, "a client");
	must(status == 0 ? 0 : -ECHILD, "a client");
	close(client->told);
}

/* Returns the time that they took for their calls, in nanoseconds. */
static uint64_t run_together(const struct kind *kind, const struct place *place)
{
	struct client clients[CLIENTS];
	uint64_t begun, taken;
	int go[2];

	must(pipe2(go, O_CLOEXEC) < 0 ? -errno : 0, "pipe");
	for (size_t i = 0; i < CLIENTS; i++)
		start(&clients[i], kind, place, go);
	await(clients);
	begun = now_ns();
	close(go[1]);
	await(clients);
	taken = now_ns() - begun;
	for (size_t i = 0; i < CLIENTS; i++)
		end(&clients[i]);
	close(go[0]);
	return taken;
}

static uint64_t run_kind(const struct kind *kind, const struct raw_driver *driver,
	const char *policy)
{
	struct place place = {.driver = driver};
	struct service service;
	uint64_t taken;

	if (!kind->brokered)
		return run_together(kind, &place);
	service_start(&service, policy, 0);
	place.socket = service.socket;
	taken = run_together(kind, &place);
	service_stop(&service);
	return taken;
}

void clients_measure(const struct raw_driver *driver, const char *policy, double *figures)
{
	static const struct kind kinds[] = {
		{open_raw, call_raw, close_raw, false, RAWS_PER_SECOND},
		{open_relay, call_relayed, close_relay, false, RELAYS_PER_SECOND},
		{open_brokered, call_brokered, close_brokered, true, CLIENTS_PER_SECOND},
	};
	uint64_t taken[ARRAY_SIZE(kinds)] = {0};

	for (int turn = 0; turn < TURNS; turn++)
		for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++)
			taken[kind] += run_kind(&kinds[kind], driver, policy);
	for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++)
		figures[kinds[kind].per_second] =
			TURNS * A_TURN * CLIENTS / ((double)taken[kind] / 1e9);
	figures[CLIENTS_OVER_RAWS] = figures[CLIENTS_PER_SECOND] / figures[RAWS_PER_SECOND];
	figures[RELAYS_OVER_RAWS] = figures[RELAYS_PER_SECOND] / figures[RAWS_PER_SECOND];
	figures[CLIENTS_OVER_RELAYS] = figures[CLIENTS_PER_SECOND] / figures[RELAYS_PER_SECOND];
}
