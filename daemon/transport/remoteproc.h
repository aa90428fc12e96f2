// SPDX-License-Identifier: MIT
/*
 * The remote processors that the kernel's remoteproc framework controls
 * (Documentation/ABI/testing/sysfs-class-remoteproc, <linux/remoteproc_cdev.h>): not a way to reach
 * a DSP, but what decides whether it runs. Watches their states, starts and stops them as policy
 * says, and saves the core dumps that they leave.
 *
 * The kernel announces no change of state. So the attribute is read when anything comes or goes
 * below the processor, then at growing intervals, and as long as clients are connected at least
 * every REMOTEPROC_POLL_MS.
 */
#ifndef DSP_REMOTEPROC_H
#define DSP_REMOTEPROC_H

#include <stdbool.h>

struct broker;
struct device;
struct remoteproc;
struct remoteprocs;

/* Before any transport's probe(), with the rights that the broker was started with. Returns 0 (also
 * when there are none) or -errno. */
int remoteprocs_init(struct broker *broker);
/* After all devices are removed. Closes what must be closed for processors to stop that policy
 * wants stopped, and waits for that. */
void remoteprocs_deinit(struct broker *broker);

/* A client has connected: keep an eye on them, until there is none any more. */
void remoteprocs_wake(struct broker *broker);

/* The remote processor that the device at that resolved path of sysfs belongs to: an ancestor of
 * it. NULL: none. It stays valid until remoteprocs_deinit(), also when the kernel's is gone. */
struct remoteproc *remoteproc_of_path(struct broker *broker, const char *path);
/* By the kernel's number, "remoteproc0", or by its name. */
struct remoteproc *remoteproc_by_name(struct broker *broker, const char *name);
/* "remoteproc0". */
const char *remoteproc_name(const struct remoteproc *remoteproc);
/* Where it is in sysfs, resolved, as a device (/sys/devices/platform/dsp): what it is isolated by,
 * and what lies below it. */
const char *remoteproc_device_path(const struct remoteproc *remoteproc);

/* From now on device->state follows (device_set_state()), device->remoteproc is set, and
 * device->policy says how it lives: nothing is done until then. Processors whose device is not
 * isolated (DSP_ISOLATION_REFUSED) are never started: device->isolation must be set before. */
void remoteproc_bind(struct remoteproc *remoteproc, struct device *device);
void remoteproc_unbind(struct device *device);

/* A session on one of its devices begins or ends. */
void remoteproc_use(struct remoteproc *remoteproc);
void remoteproc_unuse(struct remoteproc *remoteproc);

/* An administrator wants it to be started or stopped, whoever does that else; begins at once. What
 * policy says holds on, but that a stopped one stays so until an administrator starts it. */
void remoteproc_power(struct remoteproc *remoteproc, bool start);
/* Is it there now? */
bool remoteproc_is_present(const struct remoteproc *remoteproc);
/* The device that is not isolated, so that it must not be started; NULL: all is well. */
const struct device *remoteproc_refused_device(const struct remoteproc *remoteproc);

/* Somebody asks how it is: look. */
void remoteproc_refresh(struct remoteproc *remoteproc);

/* Are we stopping it at this moment? What is begun on it now would not last. */
bool remoteproc_is_stopping(const struct remoteproc *remoteproc);

/* Why it could not be started the last time, for people; "" when all is well. Transports look at it
 * in state_changed(), which is also called when a start has failed. */
const char *remoteproc_trouble(const struct remoteproc *remoteproc);

#endif
