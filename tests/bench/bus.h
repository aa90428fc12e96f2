// SPDX-License-Identifier: MIT
/* A D-Bus message bus of our own, which nobody else uses, with no policy to speak of. */
#ifndef BENCH_BUS_H
#define BENCH_BUS_H

#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "tests/bench/service.h"

struct bus {
	pid_t pid;
	sd_bus *controller; /* dbus-broker: who tells it what to do; or NULL */
	char directory[FOLDER_BYTES];
	char socket[96];
};

struct bus_kind {
	const char *const *programs; /* in the order of preference; the build folder's have no '/'
				      * at the start, those without any are looked for in $PATH */
	int (*run)(struct bus *bus, const char *program);
};

extern const struct bus_kind bus_dbus_daemon, bus_dbus_broker;

/* Start one, which listens when this returns. Returns 0; -ENOENT when it is not on this machine; or
 * another errno, negative, when it does not run here: what it said of that is printed. */
int bus_start(struct bus *bus, const struct bus_kind *kind);
void bus_stop(struct bus *bus);
/* Be a peer on it; ends with sd_bus_flush_close_unref(). */
sd_bus *bus_connect(const struct bus *bus);

#endif
