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
