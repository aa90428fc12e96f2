// SPDX-License-Identifier: MIT
/*
 *   /sys/class/misc/fastrpc-cdsp                      a node, which says nothing of its DSP but
 * this /sys/bus/rpmsg/drivers/qcom,fastrpc/DEVICE        a link to the rpmsg device of a DSP
 *   .../DEVICE/of_node/label                          "cdsp"
 *   .../DEVICE/...compute-cb@1                        a context bank
 */
#include "daemon/transport/fastrpc/scan.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/sysfs.h"
#include "daemon/transport/fastrpc/abi.h"
#include "daemon/transport/module_name.h"

/* Nodes, devices of the driver, and what is below a device: more than there can be. */
#define NODES_MAX    64
#define DEVICES_MAX  64
#define CHILDREN_MAX 256

static const char node_prefix[] = "fastrpc-", secure_suffix[] = "-secure";

static const struct {
	const char *label;
	uint32_t number;
} domains[] = FASTRPC_DOMAINS;

/* Devices. */

/* The label of an rpmsg device, a string of the device tree. False: it has none. */
static bool read_label(const char *device, char *out, size_t size)
{
	const struct path path = path_join("%s/of_node/label", device);
	_cleanup_(fd_closep) int fd = open(path.text, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, out, size);

	return n > 0 && memchr(out, '\0', (size_t)n);
}

static const char bank_driver[] = "qcom,fastrpc-cb";

/* Is a device bound to that driver? */
static bool has_driver(const char *device, const char *name)
{
	const struct path link = path_join("%s/driver", device);
	struct path driver;

	return sysfs_resolve(link.text, &driver) == 0 &&
	       strcmp(strrchr(driver.text, '/') + 1, name) == 0;
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

		if (read_label(device.text, name, sizeof(name)) && strcmp(name, label) == 0)
			return sysfs_resolve(device.text, out);
	}
	return n < 0 ? (int)n : -ENOENT;
}

/* Does an IOMMU translate what that very device accesses? A group of a device above it says nothing
 * of this one. */
static bool is_translated(const char *device)
{
	const struct path path = path_join("%s/iommu_group/type", device);
	char type[32];

	return sysfs_read(path.text, type, sizeof(type)) == 0 && strcmp(type, "identity") != 0;
}

/* As the device tree says. */
static bool is_coherent(const char *device)
{
	const struct path path = path_join("%s/of_node/dma-coherent", device);

	return sysfs_exists(path.text);
}

/* A domain's memory is accessed by way of its context bank only. With more of them than there can
 * be some may have been left out. Returns false when there is none: the driver makes them after the
 * nodes, so there will be. */
static bool scan_banks(struct fastrpc_found *found)
{
	_cleanup_(freep) struct sysfs_entry *entries = NULL;
	ssize_t n = sysfs_list(found->folder.text, "", &entries, CHILDREN_MAX);
	size_t banks = 0;

	found->isolated = found->coherent = n < CHILDREN_MAX;
	for (ssize_t i = 0; i < n; i++) {
		const struct path child = path_join("%s/%s", found->folder.text, entries[i].name);

		bool translated, coherent;

		/* Twice: one that comes has its group before its driver, and one that goes loses
		 * its driver before its group. */
		if (!has_driver(child.text, bank_driver))
			continue;
		translated = is_translated(child.text);
		coherent = is_coherent(child.text);
		if (!has_driver(child.text, bank_driver))
			continue;
		found->isolated &= translated;
		found->coherent &= coherent;
		banks++;
	}
	return banks > 0;
}

/* Nodes. */

/* Is it @label, or that with @suffix? */
static bool is_named(const char *name, const char *label, const char *suffix)
{
	size_t length = strlen(label);

	return strncmp(name, label, length) == 0 && strcmp(name + length, suffix) == 0;
}

/* Add a node that belongs to that DSP. */
static void add_node(struct fastrpc_found *found, const char *dev, const struct sysfs_entry *entry)
{
	const char *name = entry->name + strlen(node_prefix);
	const struct path path = path_join("%s/%s", dev, entry->name);
	const bool plain = is_named(name, found->label, "");

	if ((!plain && !is_named(name, found->label, secure_suffix)) || !sysfs_exists(path.text))
		return;
	wire_string_set(found->node[plain ? 0 : 1], FASTRPC_NODE_SIZE, entry->name);
	if (plain)
		found->plain = true;
	else
		found->secure = true;
	/* The secure one of two is the first that comes and the last that goes. */
	if (!plain || !found->secure)
		found->instance = entry->id;
}

/* Fill it in; false: that DSP has no nodes, or no domain could be had there. */
static bool scan_domain(struct fastrpc_found *found, const char *sysfs, const char *dev,
	const struct sysfs_entry *entries, ssize_t n)
{
	for (ssize_t i = 0; i < n; i++)
		add_node(found, dev, &entries[i]);
	if (!found->plain && !found->secure)
		return false;
	if (find_folder(sysfs, found->label, &found->folder) == 0)
		return scan_banks(found);
	found->folder.text[0] = '\0';
	return true;
}

static int by_label(const void *a, const void *b)
{
	const struct fastrpc_found *left = a, *right = b;

	return strcmp(left->label, right->label);
}

ssize_t fastrpc_scan(const char *sysfs, const char *dev, struct fastrpc_found **out)
{
	_cleanup_(freep) struct sysfs_entry *entries = NULL;
	const struct path class = path_join("%s/class/misc", sysfs);
	ssize_t n = sysfs_list(class.text, node_prefix, &entries, NODES_MAX), found = 0;
	struct fastrpc_found *all;

	*out = NULL;
	if (n <= 0)
		return n;
	all = calloc(ARRAY_SIZE(domains), sizeof(*all));
	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
		all[found] = (struct fastrpc_found){.number = domains[i].number};
		strcpy(all[found].label, domains[i].label);
		found += scan_domain(&all[found], sysfs, dev, entries, n);
	}
	qsort(all, (size_t)found, sizeof(*all), by_label);
	*out = all;
	return found;
}

bool fastrpc_number(const char *label, uint32_t *number)
{
	for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
		if (strcmp(domains[i].label, label) == 0) {
			*number = domains[i].number;
			return true;
		}
	}
	return false;
}

/* Modules. */

bool fastrpc_is_module(const char *name)
{
	return module_name_is_valid(name);
}

static int is_library(const struct dirent *entry)
{
	char name[NAME_MAX + 1];

	return module_name(entry->d_name, name, sizeof(name));
}

static bool is_listed(const char *name, char (*modules)[DSP_CHANNEL_SIZE - DSP_DEVICE_SIZE],
	size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(modules[i], name) == 0)
			return true;
	return false;
}

/* Add those of @entries that are new. Returns 0 or -errno. */
static int add_modules(struct dirent **entries, size_t n_entries,
	char (**out)[DSP_CHANNEL_SIZE - DSP_DEVICE_SIZE], size_t *n, size_t max)
{
	char(*modules)[DSP_CHANNEL_SIZE - DSP_DEVICE_SIZE];
	const size_t room = max > *n ? MIN(max - *n, n_entries) : 0;

	if (!room)
		return 0;
	modules = reallocarray(*out, *n + room, sizeof(*modules));
	if (!modules)
		return -ENOMEM;
	*out = modules;
	for (size_t i = 0; i < n_entries && *n < max; i++) {
		char name[sizeof(*modules)];

		if (module_name(entries[i]->d_name, name, sizeof(name)) &&
			!is_listed(name, modules, *n))
			strcpy(modules[(*n)++], name);
	}
	return 0;
}

int fastrpc_scan_modules(const char *directory, char (**out)[DSP_CHANNEL_SIZE - DSP_DEVICE_SIZE],
	size_t *n, size_t max)
{
	struct dirent **entries;
	int found = scandir(directory, &entries, is_library, alphasort), r;

	if (found < 0)
		return -errno;
	r = add_modules(entries, (size_t)found, out, n, max);
	for (int i = 0; i < found; i++)
		free(entries[i]);
	free(entries);
	return r;
}
