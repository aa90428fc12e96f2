// SPDX-License-Identifier: MIT
/* Devices and protection domains as JSON: what holds, also where no file says it; but not what is
 * for other kinds of them. */
#include <string.h>

#include "policy/show.h"
#include "policy/words.h"

static void show_string(struct show *show, struct json_object *object, const char *key,
	const char *text)
{
	if (text)
		show_put(show, object, key, json_object_new_string(text));
}

static void show_number(struct show *show, struct json_object *object, const char *key,
	uint64_t number)
{
	show_put(show, object, key, json_object_new_int64((int64_t)number));
}

static void show_bool(struct show *show, struct json_object *object, const char *key, bool truth)
{
	show_put(show, object, key, json_object_new_boolean(truth));
}

/* Those of them that are for writing, or not. */
static void show_dirs(struct show *show, struct json_object *object, const char *key,
	const struct policy_dir *dirs, size_t n, bool writable)
{
	struct json_object *list = NULL;

	for (size_t i = 0; i < n; i++) {
		if (dirs[i].writable != writable)
			continue;
		if (!list)
			list = show_put(show, object, key, json_object_new_array());
		show_append(show, list, json_object_new_string(dirs[i].path));
	}
}

/* Devices. */

static void show_lifecycle(struct show *show, struct json_object *object,
	const struct policy_device *device)
{
	show_string(show, object, "lifecycle", words_lifecycle[device->lifecycle]);
	if (device->lifecycle == POLICY_ON_DEMAND)
		show_number(show, object, "idle_ms", device->idle_ms);
	if (device->lifecycle != POLICY_EXTERNAL)
		show_bool(show, object, "stop_with_broker", device->stop_with_broker);
}

static void show_coredumps(struct show *show, struct json_object *object,
	const struct policy_device *device)
{
	struct json_object *dumps = show_put(show, object, "coredumps", json_object_new_object());

	show_number(show, dumps, "count", device->coredumps);
	show_number(show, dumps, "bytes", device->coredump_bytes);
}

static void show_services(struct show *show, struct json_object *object,
	const struct policy_device *device)
{
	struct json_object *services = show_put(show, object, "services", json_object_new_object());

	for (size_t i = 0; i < device->n_services; i++)
		show_number(show, services, device->services[i].name, device->services[i].address);
}

static void show_fastrpc(struct show *show, struct json_object *object,
	const struct policy_device *device)
{
	if (device->transport && !words_speaks_fastrpc(device->transport))
		return;
	show_dirs(show, object, "shells", device->shells, device->n_shells, false);
	show_dirs(show, object, "modules", device->modules, device->n_modules, false);
	show_number(show, object, "queue_ms", device->queue_ms);
	show_number(show, object, "domain_idle_ms", device->domain_idle_ms);
	show_bool(show, object, "exclusive", device->exclusive);
}

void show_device(struct show *show, struct json_object *list,
	const struct policy_device_entry *entry)
{
	const struct policy_device *device = &entry->device;
	struct json_object *object = show_append(show, list, json_object_new_object());

	show_string(show, object, "name", device->name);
	show_string(show, object, "transport", device->transport);
	show_string(show, object, "remoteproc", device->remoteproc);
	show_lifecycle(show, object, device);
	show_string(show, object, "without_iommu", words_without_iommu[device->accept_no_iommu]);
	if (device->mtu)
		show_number(show, object, "mtu", device->mtu);
	if (device->calls)
		show_number(show, object, "calls", device->calls);
	show_coredumps(show, object, device);
	show_services(show, object, device);
	show_fastrpc(show, object, device);
	show_place(show, object, entry->file, entry->line);
}

/* Domains. */

void show_domain(struct show *show, struct json_object *list,
	const struct policy_domain_entry *entry)
{
	const struct policy_domain *domain = &entry->domain;
	struct json_object *object = show_append(show, list, json_object_new_object());

	show_string(show, object, "name", domain->name);
	show_string(show, object, "kind", words_kind[domain->kind]);
	if (domain->kind == POLICY_DOMAIN_USER)
		show_bool(show, object, "signed", domain->is_signed);
	if (domain->kind == POLICY_DOMAIN_USER && !domain->is_signed)
		show_bool(show, object, "own_modules", domain->own_modules);
	show_bool(show, object, "device_memory", domain->device_memory);
	show_string(show, object, "on_hang", words_hang[domain->hang]);
	show_dirs(show, object, "read", domain->dirs, domain->n_dirs, false);
	show_dirs(show, object, "write", domain->dirs, domain->n_dirs, true);
	show_number(show, object, "files", domain->files);
	show_number(show, object, "file_bytes", domain->file_bytes);
	show_number(show, object, "memory", domain->memory);
	show_place(show, object, entry->file, entry->line);
}
