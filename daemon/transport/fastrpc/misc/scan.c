// SPDX-License-Identifier: MIT
/*
 *   /sys/class/misc/fastrpc-cdsp                   a node, which says nothing of its DSP but this
 *   /sys/bus/rpmsg/drivers/qcom,fastrpc/DEVICE     a link to the rpmsg device of a DSP
 *   .../DEVICE/of_node/label                       "cdsp"
 *   .../DEVICE/...compute-cb@1                     a context bank
 */
#include "daemon/transport/fastrpc/misc/scan.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/broker.h"

/* Nodes, and devices of the driver: more than there can be. */
#define NODES_MAX   64
#define DEVICES_MAX 64

static const char node_prefix[] = "fastrpc-", secure_suffix[] = "-secure";

/* Devices. */

/* Is a context bank bound to its driver? */
static bool is_bank(const char *device)
{
	const struct path link = path_join("%s/driver", device);
	struct path driver;

	return sysfs_resolve(link.text, &driver) == 0 &&
	       strcmp(strrchr(driver.text, '/') + 1, "qcom,fastrpc-cb") == 0;
}

/* Where is the rpmsg device of a DSP? Returns 0 or -errno. */
static int find_folder(const char *sysfs, const char *label, struct path *out)
{
	_cleanup_(freep) struct sysfs_entry *entries = NULL;
	const struct path driver = path_join("%s/bus/rpmsg/drivers/qcom,fastrpc", sysfs);
	ssize_t n = sysfs_list(driver.text, "", &entries, DEVICES_MAX);

	/* Beside links to devices there are attributes of the driver's. */
	for (ssize_t i = 0; i < n; i++) {
		const struct path device = path_join("%s/%s", driver.text, entries[i].name);
		char name[DSP_DEVICE_SIZE];

		if (found_label(device.text, name, sizeof(name)) && strcmp(name, label) == 0)
			return sysfs_resolve(device.text, out);
	}
	return n < 0 ? (int)n : -ENOENT;
}

/* Nodes. */

/* Is it @label, or that with @suffix? */
static bool is_named(const char *name, const char *label, const char *suffix)
{
	size_t length = strlen(label);

	return strncmp(name, label, length) == 0 && strcmp(name + length, suffix) == 0;
}

/* Add a node that belongs to that DSP. */
static void add_node(struct fastrpc_found *found, const char *sysfs, const char *dev,
	const struct sysfs_entry *entry)
{
	const char *name = entry->name + strlen(node_prefix);
	const struct path path = path_join("%s/%s", dev, entry->name);
	const struct path device = path_join("%s/class/misc/%s", sysfs, entry->name);
	const bool plain = is_named(name, found->label, "");

	if ((!plain && !is_named(name, found->label, secure_suffix)) || !sysfs_exists(path.text))
		return;
	wire_string_set(plain ? found->plain : found->secure, NODE_NAME_SIZE, entry->name);
	*(plain ? &found->plain_number : &found->secure_number) = sysfs_device_number(device.text);
	/* The secure one of two is the first that comes and the last that goes. */
	if (!plain || !*found->secure)
		found->instance = entry->id;
}

/* Fill it in; false: that DSP has no nodes, or no domain could be had there. */
static bool scan_domain(struct fastrpc_found *found, const char *sysfs, const char *dev,
	const struct sysfs_entry *entries, ssize_t n)
{
	for (ssize_t i = 0; i < n; i++)
		add_node(found, sysfs, dev, &entries[i]);
	if (!*found->plain && !*found->secure)
		return false;
	if (find_folder(sysfs, found->label, &found->folder) == 0)
		return found_scan_banks(found, is_bank);
	found->folder.text[0] = '\0';
	return true;
}

ssize_t misc_scan(struct broker *broker, struct fastrpc_found **out)
{
	const struct broker_options *options = broker->options;
	_cleanup_(freep) struct sysfs_entry *entries = NULL;
	const struct path class = path_join("%s/class/misc", options->sysfs);
	ssize_t n = sysfs_list(class.text, node_prefix, &entries, NODES_MAX), found = 0;
	struct fastrpc_found *all = NULL;
	const char *label;

	*out = NULL;
	for (size_t i = 0; n > 0 && (label = found_label_at(i)); i++) {
		struct fastrpc_found *more = reallocarray(all, (size_t)found + 1, sizeof(*all));

		if (!more) {
			free(all);
			return -ENOMEM;
		}
		all = more;
		all[found] = (struct fastrpc_found){};
		strcpy(all[found].label, label);
		found_number(label, &all[found].number);
		found += scan_domain(&all[found], options->sysfs, options->dev, entries, n);
	}
	if (found)
		found_sort(all, (size_t)found);
	*out = all;
	return n < 0 ? n : found;
}
