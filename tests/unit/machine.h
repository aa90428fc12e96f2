// SPDX-License-Identifier: MIT
/*
 * A machine whose sysfs and device folder are files of a temporary folder, and a broker that looks
 * at them: for what a real kernel cannot easily be brought to show. What must not fail is checked
 * here.
 */
#ifndef DSP_TESTS_MACHINE_H
#define DSP_TESTS_MACHINE_H

#include "daemon/broker.h"
#include "daemon/device.h"
#include "daemon/sysfs.h"
#include "daemon/transport/remoteproc.h"
#include "daemon/transport/transport.h"

/* Its nodes are files and links to files, so what opens them is a process as the broker's own is
 * (daemon/opener.h), but one that opens whatever there is. */
struct machine {
	char root[64];
	struct path sysfs, dev, coredumps;
	struct broker_options options;
	struct broker broker; /* remoteprocs_init() is the test's to call */
};

/* Nobody is root on it, so that rights count. */
void machine_start(struct machine *machine);
void machine_stop(struct machine *machine);
/* The broker's end comes first; whether its threads end before that must make no difference. */
void machine_end_broker(struct machine *machine, bool threads_first);

/* One turn of the broker's loop: waits for an event or a deadline. */
void machine_turn(struct machine *machine);
#define machine_await(machine, condition)      \
	do {                                   \
		while (!(condition))           \
			machine_turn(machine); \
	} while (0)

/* Files; the path is that below the machine's root. What was read is overwritten by the next call;
 * "" when it cannot be read. */
struct path machine_path(const struct machine *machine, const char *path);
void machine_write(const struct machine *machine, const char *path, const char *text);
const char *machine_read(const struct machine *machine, const char *path);
bool machine_has(const struct machine *machine, const char *path);
void machine_make_folder(const struct machine *machine, const char *path); /* parents, too */
void machine_link(const struct machine *machine, const char *path, const char *target);
void machine_remove(const struct machine *machine, const char *path); /* with all below it */

/* A remote processor at sys/devices/PLACE, as remoteprocN. Its character device is another name of
 * its attribute `state`, so what the kernel is told to do can be read there. */
void machine_add_remoteproc(const struct machine *machine, int n, const char *name,
	const char *place, const char *state);
void machine_remove_remoteproc(const struct machine *machine, int n, const char *place);
struct path machine_attribute(int n, const char *attribute);

/* A device that is bound to one; not isolated unless the test sets that before. */
struct machine_device {
	struct device device;
	unsigned int told; /* how often, of its state */
};
void machine_bind(struct machine *machine, struct machine_device *device, const char *name,
	const struct policy_device *policy, const char *remoteproc);

#endif
