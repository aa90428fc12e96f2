// SPDX-License-Identifier: MIT
/* A method call that does nothing, over D-Bus: client and service use sd-bus, the bus is in
 * between. */
#include <errno.h>
#include <unistd.h>

#include "protocol/util.h"
#include "tests/bench/bench.h"
#include "tests/bench/bus.h"
#include "tests/bench/peer.h"
#include "tests/bench/pin.h"
#include "tests/bench/sample.h"

#define CALLS     2000
#define NAME      "org.dspbroker.Bench"
#define PATH      "/bench"
#define INTERFACE "org.dspbroker.Bench"
#define METHOD    "Nothing"

/* The service. */

static int do_nothing(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	(void)userdata;
	(void)error;
	return sd_bus_reply_method_return(message, NULL);
}

static const sd_bus_vtable methods[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD(METHOD, NULL, NULL, do_nothing, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

struct server {
	const struct bus *bus;
	int ready; /* a byte goes in when it has its name */
};

static void serve(void *data)
{
	const struct server *server = data;
	sd_bus *bus = bus_connect(server->bus);

	must(MIN(sd_bus_add_object_vtable(bus, NULL, PATH, INTERFACE, methods, NULL), 0), "object");
	must(MIN(sd_bus_request_name(bus, NAME, 0), 0), NAME);
	must(write(server->ready, "", 1) == 1 ? 0 : -errno, "write");
	for (;;) {
		int r = sd_bus_process(bus, NULL);

		must(MIN(r, 0), "service");
		if (r == 0)
			must(MIN(sd_bus_wait(bus, UINT64_MAX), 0), "service");
	}
}

static pid_t start_service(const struct bus *bus)
{
	int ready[2];
	char byte;
	pid_t pid;

	must_errno(pipe(ready), "pipe");
	pid = peer_start(serve, &(struct server){bus, ready[1]});
	close(ready[1]);
	must(read(ready[0], &byte, 1) == 1 ? 0 : -ECHILD, "service");
	close(ready[0]);
	return pid;
}

/* The client. */

static void call_nothing(void *bus)
{
	sd_bus_message *message, *reply;

	must(MIN(sd_bus_message_new_method_call(bus, &message, NAME, PATH, INTERFACE, METHOD), 0),
		"message");
	must(MIN(sd_bus_call(bus, message, 0, NULL, &reply), 0), "call over D-Bus");
	sd_bus_message_unref(reply);
	sd_bus_message_unref(message);
}

/* Figures. */

struct peer {
	const struct bus_kind *kind;
	enum figure_id p50, over_null_call, pinned_p50, pinned_over_null_call;
	const char *absent, *failed; /* why nothing was measured */
};

static const struct peer peers[] = {
	{&bus_dbus_daemon, DBUS_P50, DBUS_OVER_NULL_CALL, DBUS_PINNED_P50,
		DBUS_PINNED_OVER_NULL_CALL, "there is no dbus-daemon on this machine",
		"dbus-daemon does not run on this machine"},
	{&bus_dbus_broker, DBUS_BROKER_P50, DBUS_BROKER_OVER_NULL_CALL, DBUS_BROKER_PINNED_P50,
		DBUS_BROKER_PINNED_OVER_NULL_CALL, "there is no dbus-broker on this machine",
		"dbus-broker does not run on this machine"},
};

static void measure_peer(const struct peer *peer, const struct bus *bus, double *figures)
{
	static uint64_t samples[CALLS];
	pid_t service = start_service(bus);
	sd_bus *client = bus_connect(bus);

	sample_each(call_nothing, client, samples, CALLS);
	figures[peer->p50] = percentile_us(samples, CALLS, 50);
	figures[peer->over_null_call] = figures[peer->p50] / figures[NULL_CALL_P50];
	if (pin_possible()) {
		/* All sleep, so this is best for them: nobody is woken across processors. */
		pin(PLACE_ENDS);
		pin_process(service, PLACE_ENDS);
		pin_process(bus->pid, PLACE_ENDS);
		sample_each(call_nothing, client, samples, CALLS);
		pin(PLACE_ANY);
		figures[peer->pinned_p50] = percentile_us(samples, CALLS, 50);
		figures[peer->pinned_over_null_call] =
			figures[peer->pinned_p50] / figures[NULL_CALL_PINNED_P50];
	} else {
		figure_absent(peer->pinned_p50, PIN_IMPOSSIBLE);
		figure_absent(peer->pinned_over_null_call, PIN_IMPOSSIBLE);
	}
	sd_bus_flush_close_unref(client);
	peer_stop(service);
}

static void miss_peer(const struct peer *peer, const char *why)
{
	figure_absent(peer->p50, why);
	figure_absent(peer->over_null_call, why);
	figure_absent(peer->pinned_p50, why);
	figure_absent(peer->pinned_over_null_call, why);
}

void measure_dbus(const struct service *service, double *figures)
{
	(void)service;
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		const struct peer *peer = &peers[i];
		struct bus bus;
		int r = bus_start(&bus, peer->kind);

		if (r < 0) {
			miss_peer(peer, r == -ENOENT ? peer->absent : peer->failed);
			continue;
		}
		measure_peer(peer, &bus, figures);
		bus_stop(&bus);
	}
}
