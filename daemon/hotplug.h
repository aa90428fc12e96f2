// SPDX-License-Identifier: MIT
/*
 * News of devices, from the kernel itself (NETLINK_KOBJECT_UEVENT, see kobject_uevent.c), so that
 * it works without udev. An event is a hint and nothing more: whoever gets it looks at sysfs for
 * what is there now. So an event lost, doubled or forged does no harm.
 */
#ifndef DSP_HOTPLUG_H
#define DSP_HOTPLUG_H

#include <systemd/sd-event.h>

#include "protocol/util.h"

/* What a service manager calls the socket for them (FileDescriptorName=) that it hands over. */
#define HOTPLUG_FD_NAME "uevent"

struct hotplug;

/* Embedded in who wants to know. */
struct hotplug_watch {
	struct list link;
	const char *subsystem; /* "rpmsg"; static */
	/* Something of that subsystem came, went or changed; called once for many events. */
	void (*changed)(struct hotplug_watch *watch);
};

/* By the socket that the service manager hands over, or else by one of our own. Returns 0, or
 * -errno: then there are no news. */
int hotplug_new(struct hotplug **out, sd_event *event);
/* NULL-safe; returns NULL. Nobody may watch any more. */
struct hotplug *hotplug_free(struct hotplug *hotplug);

/* NULL-safe as to @hotplug. */
void hotplug_add(struct hotplug *hotplug, struct hotplug_watch *watch);
/* Safe when it was never added, if it is zeroed or list_init()ed. */
void hotplug_remove(struct hotplug_watch *watch);

/* The subsystem that a message from the kernel is about, which points into it; NULL: of none. */
const char *hotplug_subsystem(const char *message, size_t size);

/* Is that a socket for such news? */
bool hotplug_is_socket(int fd);

#endif
