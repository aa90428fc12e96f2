// SPDX-License-Identifier: MIT
#include "daemon/transport/fastrpc/find.h"

#include <string.h>

#include "daemon/broker.h"
#include "daemon/hotplug.h"
#include "daemon/limits.h"
#include "daemon/log.h"
#include "daemon/transport/fastrpc/device.h"
#include "daemon/transport/fastrpc/modules.h"
#include "daemon/transport/remoteproc.h"
#include "daemon/transport/transport.h"

#define DRIVERS_MAX 2

/* The broker has one of it. */
static struct {
	struct broker *broker; /* NULL: there is none */
	const struct fastrpc_driver
		*drivers[DRIVERS_MAX]; /* in the order in which they are asked */
	size_t n_drivers;
	struct hotplug_watch nodes, banks, processors;
} finder;

/* Devices. */

static bool is_ours(const struct device *device)
{
	for (size_t i = 0; i < finder.n_drivers; i++)
		if (device->ops == finder.drivers[i]->transport)
			return true;
	return false;
}

static struct fastrpc_device *device_labelled(const char *label)
{
	struct device *device;

	list_for_each (device, &finder.broker->devices, link)
		if (is_ours(device) && !strcmp(device->name, label))
			return fastrpc_device_of(device);
	return NULL;
}

/* The modules that its directories have; others can be opened as well, if the DSP has them. */
static void list_modules(struct fastrpc_device *device)
{
	_cleanup_(freep) char(*names)[DSP_CHANNEL_SIZE - DSP_DEVICE_SIZE] = NULL;
	size_t n_dirs, n = 0;
	const struct policy_dir *dirs = fastrpc_device_modules(device, &n_dirs);

	for (size_t i = 0; i < n_dirs; i++)
		fastrpc_scan_modules(dirs[i].path, &names, &n, LIMIT_DEVICE_CHANNELS);
	for (size_t i = 0; i < n; i++)
		if (!device_channel(&device->device, names[i]))
			device_add_channel(&device->device, names[i], DSP_KIND_CALL);
}

static struct fastrpc_device *device_new(const struct fastrpc_driver *driver, const char *label)
{
	struct fastrpc_device *device;
	uint32_t number;

	if (!found_number(label, &number))
		return NULL;
	device = fastrpc_device_new(finder.broker, driver, label, number);
	if (device)
		list_modules(device);
	return device;
}

/* What policy says. */

static const struct fastrpc_driver *driver_named(const char *transport)
{
	for (size_t i = 0; transport && i < finder.n_drivers; i++)
		if (!strcmp(finder.drivers[i]->transport->name, transport))
			return finder.drivers[i];
	return NULL;
}

/* Policy may want a remote processor started that has no nodes until then. */
static void declare_devices(void)
{
	const struct policy *all = finder.broker->device_policy;
	const struct fastrpc_driver *driver;
	const struct policy_device *policy;
	struct fastrpc_device *device;
	struct remoteproc *remoteproc;

	for (size_t i = 0; (policy = policy_device_at(all, i)); i++) {
		driver = driver_named(policy->transport);
		if (policy->lifecycle == POLICY_EXTERNAL || !driver ||
			device_labelled(policy->name))
			continue;
		remoteproc = remoteproc_by_name(finder.broker, policy->remoteproc);
		device = remoteproc ? device_new(driver, policy->name) : NULL;
		if (device)
			fastrpc_device_expect(device, remoteproc);
	}
}

/* A name that is none of a DSP would never be one of a device. */
static void check_names(const struct fastrpc_driver *driver)
{
	const struct policy_device *device;
	uint32_t number;

	for (size_t i = 0; (device = policy_device_at(finder.broker->device_policy, i)); i++)
		if (driver_named(device->transport) == driver &&
			!found_number(device->name, &number))
			log_warning("policy has a %s device %s, but DSPs are called adsp, mdsp, "
				    "sdsp, cdsp, cdsp1, gdsp0 and gdsp1",
				device->transport, device->name);
}

/* Finding. */

/* What each driver has. */
struct scan {
	struct fastrpc_found *found[DRIVERS_MAX];
	ssize_t n[DRIVERS_MAX];
};

static void scan_deinit(struct scan *scan)
{
	for (size_t i = 0; i < DRIVERS_MAX; i++)
		free(scan->found[i]);
}

static const struct fastrpc_found *found_by(const struct scan *scan, size_t driver,
	const char *label)
{
	for (ssize_t i = 0; i < scan->n[driver]; i++)
		if (!strcmp(scan->found[driver][i].label, label))
			return &scan->found[driver][i];
	return NULL;
}

/* May it be reached that way? Unless policy says how, by whichever way it can. */
static bool is_allowed(const struct fastrpc_driver *driver, const char *label)
{
	const char *transport = policy_device(finder.broker->device_policy, label)->transport;

	return !transport || !strcmp(driver->transport->name, transport);
}

/* The index of the driver by which a DSP is reached from now on; n_drivers: by none. */
static size_t choose(const struct scan *scan, const struct fastrpc_device *device,
	const char *label)
{
	size_t chosen = finder.n_drivers;

	for (size_t i = finder.n_drivers; i-- > 0;) {
		if (!found_by(scan, i, label) || !is_allowed(finder.drivers[i], label))
			continue;
		/* Which reaches it already, or is first. */
		if (chosen == finder.n_drivers || !device || !device->there ||
			device->driver != finder.drivers[chosen])
			chosen = i;
	}
	return chosen;
}

static bool is_served_twice(const struct scan *scan, const char *label)
{
	size_t n = 0;

	for (size_t i = 0; i < finder.n_drivers; i++)
		n += found_by(scan, i, label) && is_allowed(finder.drivers[i], label);
	return n > 1;
}

static void settle(const struct scan *scan, const char *label)
{
	struct fastrpc_device *device = device_labelled(label);
	const size_t chosen = choose(scan, device, label);
	const struct fastrpc_driver *driver;

	if (chosen == finder.n_drivers) {
		if (device)
			fastrpc_device_lost(device);
		return;
	}
	driver = finder.drivers[chosen];
	if (!device)
		device = device_new(driver, label);
	if (!device)
		return;
	if (!device->told && is_served_twice(scan, label)) {
		device->told = true;
		log_warning("%s is served by two drivers: it is reached by %s; policy can say "
			    "which, "
			    "by \"transport\" of the device",
			label, driver->name);
	}
	fastrpc_device_found(device, driver, found_by(scan, chosen, label));
}

void fastrpc_find_again(void)
{
	_cleanup_(scan_deinit) struct scan scan = {};
	const char *label;

	if (!finder.broker)
		return;
	declare_devices();
	for (size_t i = 0; i < finder.n_drivers; i++) {
		scan.n[i] = finder.drivers[i]->scan(finder.broker, &scan.found[i]);
		if (scan.n[i] < 0) {
			log_warning("cannot look for DSPs of %s: %s", finder.drivers[i]->name,
				strerror((int)-scan.n[i]));
			return;
		}
	}
	for (size_t i = 0; (label = found_label_at(i)); i++)
		settle(&scan, label);
}

static void changed(struct hotplug_watch *watch)
{
	(void)watch;
	fastrpc_find_again();
}

static void watch(struct hotplug_watch *watch, const char *subsystem)
{
	*watch = (struct hotplug_watch){.subsystem = subsystem, .changed = changed};
	list_init(&watch->link);
	hotplug_add(finder.broker->hotplug, watch);
}

int fastrpc_find(struct broker *broker, const struct fastrpc_driver *driver)
{
	if (!finder.broker) {
		finder.broker = broker;
		watch(&finder.nodes, "misc");
		watch(&finder.banks, "platform");
		watch(&finder.processors, "remoteproc");
	}
	finder.drivers[finder.n_drivers++] = driver;
	check_names(driver);
	fastrpc_find_again();
	return 0;
}

void fastrpc_find_no_more(struct broker *broker)
{
	(void)broker;
	if (!finder.broker)
		return;
	hotplug_remove(&finder.nodes);
	hotplug_remove(&finder.banks);
	hotplug_remove(&finder.processors);
	finder.broker = NULL;
	finder.n_drivers = 0;
}
