// SPDX-License-Identifier: MIT
/* What a policy says of devices. */
#include <string.h>

#include "policy/compiled.h"
#include "policy/policy.h"

const struct policy_device POLICY_DEVICE_DEFAULT = {
	.name = "",
	.lifecycle = POLICY_EXTERNAL,
	.idle_ms = 10000,
	.stop_with_broker = true,
	.coredumps = 4,
	.coredump_bytes = 64ull << 20,
	.queue_ms = 2000,
	.domain_idle_ms = 1000,
};

int policy_add_device(struct policy *policy, const struct policy_device_entry *device)
{
	struct policy_device_entry *devices = policy_reserve(policy->devices, &policy->devices_room,
		policy->n_devices + 1, sizeof(*devices));

	if (!devices)
		return -ENOMEM;
	policy->devices = devices;
	devices[policy->n_devices++] = *device;
	return 0;
}

int policy_add_service(struct policy *policy, const char *name, uint32_t address)
{
	struct policy_service *services = policy_reserve(policy->services, &policy->services_room,
		policy->n_services + 1, sizeof(*services));
	uint32_t offset;

	if (!services)
		return -ENOMEM;
	policy->services = services;
	services[policy->n_services++] = (struct policy_service){.address = address};
	return policy_add_text(policy, name, &offset);
}

static void seal_services(struct policy *policy, const struct policy_device_entry *entry)
{
	const char *name = policy->texts + entry->service_names;

	for (size_t i = 0; i < entry->device.n_services; i++, name += strlen(name) + 1)
		policy->services[entry->services + i].name = name;
}

void policy_seal_devices(struct policy *policy)
{
	for (size_t i = 0; i < policy->n_devices; i++) {
		struct policy_device_entry *entry = &policy->devices[i];
		struct policy_device *device = &entry->device;

		device->name = policy->texts + entry->name;
		if (entry->remoteproc)
			device->remoteproc = policy->texts + entry->remoteproc;
		if (device->n_services)
			device->services = policy->services + entry->services;
		device->n_shells = entry->shells.n;
		if (device->n_shells)
			device->shells = policy->dirs + entry->shells.first;
		device->n_modules = entry->modules.n;
		if (device->n_modules)
			device->modules = policy->dirs + entry->modules.first;
		seal_services(policy, entry);
	}
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_dirs(const struct policy_dir *a, size_t n_a, const struct policy_dir *b,
	size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (strcmp(a[i].path, b[i].path) != 0)
			return false;
	return true;
}

static bool same_services(const struct policy_device *a, const struct policy_device *b)
{
	if (a->n_services != b->n_services)
		return false;
	for (size_t i = 0; i < a->n_services; i++)
		if (a->services[i].address != b->services[i].address ||
			strcmp(a->services[i].name, b->services[i].name) != 0)
			return false;
	return true;
}

static bool same_device(const struct policy_device *a, const struct policy_device *b)
{
	return same_text(a->transport, b->transport) && same_text(a->remoteproc, b->remoteproc) &&
	       a->lifecycle == b->lifecycle && a->idle_ms == b->idle_ms &&
	       a->stop_with_broker == b->stop_with_broker &&
	       a->accept_no_iommu == b->accept_no_iommu && a->mtu == b->mtu &&
	       a->calls == b->calls && a->coredumps == b->coredumps &&
	       a->coredump_bytes == b->coredump_bytes && a->queue_ms == b->queue_ms &&
	       a->domain_idle_ms == b->domain_idle_ms && a->exclusive == b->exclusive &&
	       same_services(a, b) && same_dirs(a->shells, a->n_shells, b->shells, b->n_shells) &&
	       same_dirs(a->modules, a->n_modules, b->modules, b->n_modules);
}

bool policy_devices_equal(const struct policy *a, const struct policy *b)
{
	if (a->n_devices != b->n_devices)
		return false;
	for (size_t i = 0; i < a->n_devices; i++) {
		const struct policy_device *device = &a->devices[i].device;
		const struct policy_device *other = policy_device(b, device->name);

		if (other == &POLICY_DEVICE_DEFAULT || !same_device(device, other))
			return false;
	}
	return true;
}

const struct policy_device *policy_device_at(const struct policy *policy, size_t i)
{
	return i < policy->n_devices ? &policy->devices[i].device : NULL;
}

const struct policy_device *policy_device(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n_devices; i++)
		if (strcmp(policy->devices[i].device.name, name) == 0)
			return &policy->devices[i].device;
	return &POLICY_DEVICE_DEFAULT;
}

const struct policy_dir *policy_dirs(const struct policy *policy, size_t *n)
{
	*n = policy->n_dirs;
	return policy->dirs;
}

static bool is_reached(const struct policy_dir *dir, const struct policy *settled)
{
	for (size_t i = 0; i < settled->n_dirs; i++)
		if (strcmp(settled->dirs[i].path, dir->path) == 0 &&
			(settled->dirs[i].writable || !dir->writable))
			return true;
	return false;
}

const struct policy_dir *policy_dir_beyond(const struct policy *policy,
	const struct policy *settled)
{
	for (size_t i = 0; i < policy->n_dirs; i++)
		if (!is_reached(&policy->dirs[i], settled))
			return &policy->dirs[i];
	return NULL;
}
