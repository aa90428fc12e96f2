// SPDX-License-Identifier: MIT
/*
 *   /sys/class/accel/accel0             a node, /dev/accel/accel0
 *   /sys/class/drm/renderD128           the same as /dev/dri/renderD128, of kernels without accel
 *   .../accel0/device                   a link to the rpmsg device of a DSP
 *   .../device/DEVICE                   a context bank, if the device tree says so:
 *   .../DEVICE/of_node/compatible       "qcom,fastrpc-compute-cb"
 */
#include "daemon/transport/qda/scan.h"

#include <fcntl.h>
#include <string.h>

#include "daemon/broker.h"
#include "daemon/hotplug.h"
#include "daemon/log.h"
#include "daemon/transport/qda/candidate.h"

/* More than there can be; all kinds of drivers have such nodes. */
#define NODES_MAX 256
/* Of a device tree's list of names: more than there are. */
#define COMPATIBLE_MAX 512

static const char bank_suffix[] = "-cb";

/* Both are folders: of the class in sysfs, and below /dev. */
static const struct kind {
	const char *class, *dev, *prefix;
} accel = {"accel", "accel", "accel"}, render = {"drm", "dri", "renderD"};

/* The broker has one of it. */
static struct {
	struct broker *broker; /* NULL: there is none */
	void (*news)(void);
	struct hotplug_watch accel, drm;
	struct list candidates; /* those that have answered in the order in which they did */
} scanner;

/* Nodes. */

/* Is that a device of rpmsg's? Others have drivers to which being opened means something. */
static bool is_of_rpmsg(const struct path *device)
{
	const struct path link = path_join("%s/subsystem", device->text);
	struct path bus;

	return sysfs_resolve(link.text, &bus) == 0 &&
	       strcmp(strrchr(bus.text, '/') + 1, "rpmsg") == 0;
}

static bool is_number(const char *text)
{
	return *text && !text[strspn(text, "0123456789")];
}

static struct candidate *candidate_named(const char *name, uint64_t instance)
{
	struct candidate *candidate;

	list_for_each (candidate, &scanner.candidates, link)
		if (candidate->instance == instance && strcmp(candidate->name, name) == 0)
			return candidate;
	return NULL;
}

/* Is there a better node of that device? Those of accel are looked for first. */
static bool has_accel_node(const struct path *folder)
{
	const struct candidate *candidate;

	list_for_each (candidate, &scanner.candidates, link)
		if (candidate->there && strcmp(candidate->folder.text, folder->text) == 0 &&
			strncmp(candidate->name, accel.dev, strlen(accel.dev)) == 0)
			return true;
	return false;
}

/* It has answered. The first of several of one DSP is the one that answered first. */
static void known(struct candidate *candidate)
{
	list_remove(&candidate->link);
	list_append(&scanner.candidates, &candidate->link);
	scanner.news();
}

/* Returns 0 or -errno. */
static int add(const struct kind *kind, const struct sysfs_entry *entry, bool now)
{
	const struct path name = path_join("%s/%s", kind->dev, entry->name);
	const struct path node = path_join("%s/class/%s/%s", scanner.broker->options->sysfs,
		kind->class, entry->name);
	const struct path device = path_join("%s/device", node.text);
	struct candidate *candidate = candidate_named(name.text, entry->id);
	struct path folder;

	/* What goes away meanwhile is not there. */
	if (!is_number(entry->name + strlen(kind->prefix)) || strlen(name.text) >= NODE_NAME_SIZE ||
		sysfs_resolve(device.text, &folder) < 0 || !is_of_rpmsg(&folder) ||
		(kind == &render && has_accel_node(&folder)))
		return 0;
	if (!candidate) {
		candidate = candidate_new(scanner.broker, name.text);
		if (!candidate)
			return -ENOMEM;
		candidate->instance = entry->id;
		candidate->number = sysfs_device_number(node.text);
		candidate->folder = folder;
		candidate->known = known;
		list_append(&scanner.candidates, &candidate->link);
		if (now)
			candidate_ask_now(candidate);
		else
			candidate_ask(candidate);
	}
	candidate->there = true;
	return 0;
}

static int add_all(const struct kind *kind, bool now)
{
	_cleanup_(freep) struct sysfs_entry *entries = NULL;
	const struct path class =
		path_join("%s/class/%s", scanner.broker->options->sysfs, kind->class);
	ssize_t n = sysfs_list(class.text, kind->prefix, &entries, NODES_MAX);
	int r = (int)MIN(n, 0);

	for (ssize_t i = 0; i < n && r == 0; i++)
		r = add(kind, &entries[i], now);
	return r;
}

/* Ask nodes that are new, @now or in threads, and forget those that went. Returns 0 or -errno. */
static int refresh(bool now)
{
	struct candidate *candidate, *following;
	int r;

	list_for_each (candidate, &scanner.candidates, link)
		candidate->there = false;
	r = add_all(&accel, now);
	if (r == 0 && scanner.broker->options->drm_render_nodes)
		r = add_all(&render, now);
	if (r < 0)
		return r;
	list_for_each_safe (candidate, following, &scanner.candidates, link)
		if (!candidate->there)
			candidate_drop(candidate);
	return 0;
}

/* DSPs. */

/* By one of the names that the device tree has for it. */
static bool is_bank(const char *device)
{
	const struct path path = path_join("%s/of_node/compatible", device);
	_cleanup_(fd_closep) int fd = open(path.text, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char names[COMPATIBLE_MAX];
	ssize_t n = fd < 0 ? 0 : read(fd, names, sizeof(names));
	const char *name = names, *end;

	for (; n > 0 && (end = memchr(name, '\0', (size_t)n));
		n -= end + 1 - name, name = end + 1) {
		const size_t length = (size_t)(end - name), suffix = strlen(bank_suffix);

		if (length > suffix && strcmp(end - suffix, bank_suffix) == 0)
			return true;
	}
	return false;
}

/* Has another node been taken for that DSP? */
static bool is_taken(struct candidate *candidate, const struct fastrpc_found *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(all[i].label, candidate->label) != 0)
			continue;
		if (!candidate->told)
			log_warning("%s is left alone: it belongs to %s, as %s does",
				candidate->name, candidate->label, all[i].plain);
		candidate->told = true;
		return true;
	}
	return false;
}

/* Fill it in; false: no domain could be had there. */
static bool describe(struct fastrpc_found *found, const struct candidate *candidate)
{
	*found = (struct fastrpc_found){
		.instance = candidate->instance,
		.plain_number = candidate->number,
		.folder = candidate->folder,
	};
	wire_string_set(found->label, sizeof(found->label), candidate->label);
	wire_string_set(found->plain, sizeof(found->plain), candidate->name);
	return found_number(found->label, &found->number) && found_scan_banks(found, is_bank);
}

ssize_t qda_scan(struct broker *broker, struct fastrpc_found **out)
{
	struct candidate *candidate;
	struct fastrpc_found *all;
	size_t max = 0, n = 0;
	int r = refresh(false);

	(void)broker;
	*out = NULL;
	if (r < 0)
		return r;
	list_for_each (candidate, &scanner.candidates, link)
		max += *candidate->label != '\0';
	if (max == 0)
		return 0;
	all = calloc(max, sizeof(*all));
	if (!all)
		return -ENOMEM;
	list_for_each (candidate, &scanner.candidates, link)
		if (*candidate->label && !is_taken(candidate, all, n))
			n += describe(&all[n], candidate);
	found_sort(all, n);
	*out = all;
	return (ssize_t)n;
}

/* Its life. */

static void changed(struct hotplug_watch *watch)
{
	(void)watch;
	scanner.news();
}

static void watch(struct hotplug_watch *watch, const char *subsystem)
{
	*watch = (struct hotplug_watch){.subsystem = subsystem, .changed = changed};
	hotplug_add(scanner.broker->hotplug, watch);
}

void qda_scan_start(struct broker *broker, void (*news)(void))
{
	int r;

	scanner.broker = broker;
	scanner.news = news;
	list_init(&scanner.candidates);
	watch(&scanner.accel, "accel");
	if (broker->options->drm_render_nodes)
		watch(&scanner.drm, "drm");
	r = refresh(true);
	if (r < 0)
		log_warning("cannot look for nodes of the DRM accel driver: %s", strerror(-r));
}

void qda_scan_stop(void)
{
	struct candidate *candidate, *following;

	if (!scanner.broker)
		return;
	hotplug_remove(&scanner.accel);
	hotplug_remove(&scanner.drm);
	list_for_each_safe (candidate, following, &scanner.candidates, link)
		candidate_drop(candidate);
	scanner.broker = NULL;
}
