// SPDX-License-Identifier: MIT
#include "daemon/transport/remoteproc.h"

#include <string.h>

#include "daemon/broker.h"
#include "daemon/device.h"
#include "daemon/hotplug.h"
#include "daemon/limits.h"
#include "daemon/log.h"
#include "daemon/transport/coredump.h"
#include "daemon/transport/remoteproc_private.h"

/* The kernel has no more (NUM_RPROC_DEVICES). */
#define REMOTEPROCS_MAX 64

/* How soon states are read again when something has happened; then half as often each time. */
#define POLL_FIRST_US (10ull * 1000)
#define POLL_LAST_US  (REMOTEPROC_POLL_MS * 1000ull)

/* News of these are a reason to look: remote processors, what lies below them, and their dumps. */
static const char *const subsystems[] = {"remoteproc", "rpmsg", "devcoredump"};

struct watch {
	struct hotplug_watch watch;
	struct remoteprocs *owner;
};

struct remoteprocs {
	struct broker *broker;
	struct list all;
	struct coredumps *coredumps;
	struct watch watches[ARRAY_SIZE(subsystems)];
	struct deadline poll;
	uint64_t poll_us; /* the interval that runs, or has run last */
};

/* Looking at one. */

struct path remoteproc_attribute(const struct remoteproc *remoteproc, const char *attribute)
{
	return path_join("%s/class/remoteproc/%s/%s", remoteproc->broker->options->sysfs,
		remoteproc->number, attribute);
}

int remoteproc_read_state(const char *path, enum dsp_device_state *out)
{
	char word[32];
	int r = sysfs_read(path, word, sizeof(word));

	if (r == -ENOENT || r == -ENODEV)
		return -ENOENT;
	if (r < 0)
		*out = DSP_STATE_UNKNOWN;
	else if (strcmp(word, "deleted") == 0)
		*out = DSP_STATE_OFFLINE;
	else
		*out = wire_state_from_name(word);
	return 0;
}

void remoteproc_tell(struct remoteproc *remoteproc)
{
	struct device *device, *following;

	list_for_each_safe (device, following, &remoteproc->devices, of_remoteproc)
		device_set_state(device, remoteproc->state);
}

static bool wants_coredumps(const struct remoteproc *remoteproc)
{
	const struct device *device;

	list_for_each (device, &remoteproc->devices, of_remoteproc)
		if (device->policy->coredumps > 0)
			return true;
	return false;
}

/* The kernel makes none unless it is told to. */
static void enable_coredumps(struct remoteproc *remoteproc)
{
	struct path path = remoteproc_attribute(remoteproc, "coredump");
	char word[32];
	int r;

	if (!remoteproc->coredumps_due || !remoteproc->present || !wants_coredumps(remoteproc))
		return;
	r = sysfs_read(path.text, word, sizeof(word));
	if (r == 0 && strcmp(word, "disabled") == 0)
		r = sysfs_write(path.text, "enabled");
	/* Busy: not between its crash and its recovery. */
	remoteproc->coredumps_due = r == -EBUSY;
	if (r == 0 || r == -EBUSY || remoteproc->coredumps_told)
		return;
	remoteproc->coredumps_told = true;
	log_notice("%s leaves no core dumps, because %s cannot be set to \"enabled\": %s; let a "
		   "udev "
		   "rule do it",
		remoteproc->number, path.text, strerror(-r));
}

static void lose(struct remoteproc *remoteproc)
{
	remoteproc->present = false;
	lifecycle_replaced(remoteproc);
}

/* Read its state, and act on it. True: it is another. */
static bool look_at(struct remoteproc *remoteproc)
{
	struct path path = remoteproc_attribute(remoteproc, "state");
	enum dsp_device_state state = DSP_STATE_OFFLINE;
	bool changed;

	if (remoteproc->present && remoteproc_read_state(path.text, &state) < 0)
		lose(remoteproc);
	changed = state != remoteproc->state;
	remoteproc->state = state;
	if (changed) {
		lifecycle_state_changed(remoteproc);
		remoteproc_tell(remoteproc);
	}
	enable_coredumps(remoteproc);
	lifecycle_decide(remoteproc);
	return changed;
}

/* Which ones there are. */

static struct remoteproc *find_number(struct remoteprocs *remoteprocs, const char *number)
{
	struct remoteproc *remoteproc;

	list_for_each (remoteproc, &remoteprocs->all, link)
		if (remoteproc->present && strcmp(remoteproc->number, number) == 0)
			return remoteproc;
	return NULL;
}

/* One at that place that is not there at present. */
static struct remoteproc *find_absent(struct remoteprocs *remoteprocs, const char *device)
{
	struct remoteproc *remoteproc;

	list_for_each (remoteproc, &remoteprocs->all, link)
		if (!remoteproc->present && strcmp(remoteproc->device.text, device) == 0)
			return remoteproc;
	return NULL;
}

/* Returns NULL when memory is short. */
static struct remoteproc *make(struct remoteprocs *remoteprocs, const struct path *device)
{
	_cleanup_(freep) struct remoteproc *remoteproc = calloc(1, sizeof(*remoteproc));

	if (!remoteproc)
		return NULL;
	remoteproc->broker = remoteprocs->broker;
	remoteproc->device = *device;
	remoteproc->state = DSP_STATE_OFFLINE;
	list_init(&remoteproc->devices);
	lifecycle_init(remoteproc);
	list_append(&remoteprocs->all, &remoteproc->link);
	return TAKE_PTR(remoteproc);
}

/* It came, or came again. */
static void meet(struct remoteprocs *remoteprocs, const struct sysfs_entry *entry)
{
	struct path link = path_join("%s/class/remoteproc/%s/device",
		remoteprocs->broker->options->sysfs, entry->name);
	struct path device;
	struct remoteproc *remoteproc;

	if (sysfs_resolve(link.text, &device) < 0)
		return; /* it is gone already */
	remoteproc = find_absent(remoteprocs, device.text);
	if (!remoteproc)
		remoteproc = make(remoteprocs, &device);
	if (!remoteproc) {
		log_error("out of memory, %s is left alone", entry->name);
		return;
	}
	memcpy(remoteproc->number, entry->name, sizeof(remoteproc->number));
	remoteproc->id = entry->id;
	remoteproc->present = remoteproc->coredumps_due = true;
	if (sysfs_read(remoteproc_attribute(remoteproc, "name").text, remoteproc->name,
		    sizeof(remoteproc->name)) < 0)
		remoteproc->name[0] = '\0';
	log_debug("%s is %s at %s", remoteproc->number, remoteproc->name, device.text);
}

static const struct sysfs_entry *find_entry(const struct sysfs_entry *entries, size_t n,
	const struct remoteproc *remoteproc)
{
	for (size_t i = 0; i < n; i++)
		if (entries[i].id == remoteproc->id &&
			strcmp(entries[i].name, remoteproc->number) == 0)
			return &entries[i];
	return NULL;
}

/* Bring the list up to date. Their states are read after that. */
static void search(struct remoteprocs *remoteprocs)
{
	struct path folder = path_join("%s/class/remoteproc", remoteprocs->broker->options->sysfs);
	_cleanup_(freep) struct sysfs_entry *entries = NULL;
	struct remoteproc *remoteproc;
	ssize_t n = sysfs_list(folder.text, "remoteproc", &entries, REMOTEPROCS_MAX);

	if (n < 0) {
		log_warning("cannot read %s: %s", folder.text, strerror((int)-n));
		return;
	}
	list_for_each (remoteproc, &remoteprocs->all, link)
		if (remoteproc->present && !find_entry(entries, (size_t)n, remoteproc))
			lose(remoteproc);
	for (ssize_t i = 0; i < n; i++)
		if (!find_number(remoteprocs, entries[i].name))
			meet(remoteprocs, &entries[i]);
}

/* When to look. */

static bool any_bound(const struct remoteprocs *remoteprocs)
{
	const struct remoteproc *remoteproc;

	list_for_each (remoteproc, &remoteprocs->all, link)
		if (!list_empty(&remoteproc->devices))
			return true;
	return false;
}

static void on_poll(struct deadline *deadline);

/* Look again after @in_us. Less and less often when nothing happens; and not at all when besides
 * nobody is there to see it. */
static void look_in(struct remoteprocs *remoteprocs, uint64_t in_us)
{
	struct broker *broker = remoteprocs->broker;

	deadline_clear(&broker->deadlines, &remoteprocs->poll);
	remoteprocs->poll_us = MIN(in_us, POLL_LAST_US);
	if (any_bound(remoteprocs) && (in_us < POLL_LAST_US || !list_empty(&broker->clients)))
		broker_deadline(broker, &remoteprocs->poll, remoteprocs->poll_us, on_poll);
}

/* True: something has changed. */
static bool look(struct remoteprocs *remoteprocs)
{
	struct remoteproc *remoteproc;
	bool changed = false;

	search(remoteprocs);
	/* In what this calls nothing leaves that list. */
	list_for_each (remoteproc, &remoteprocs->all, link)
		if (look_at(remoteproc))
			changed = true;
	coredumps_look(remoteprocs->coredumps);
	return changed;
}

static void on_poll(struct deadline *deadline)
{
	struct remoteprocs *remoteprocs = container_of(deadline, struct remoteprocs, poll);
	bool changed = look(remoteprocs);

	look_in(remoteprocs, changed ? POLL_FIRST_US : 2 * remoteprocs->poll_us);
}

/* Something has happened, and more may follow that is not announced. */
static void look_closely(struct remoteprocs *remoteprocs)
{
	look(remoteprocs);
	look_in(remoteprocs, POLL_FIRST_US);
}

static void on_news(struct hotplug_watch *watch)
{
	look_closely(container_of(watch, struct watch, watch)->owner);
}

void remoteprocs_wake(struct broker *broker)
{
	struct remoteprocs *remoteprocs = broker->remoteprocs;

	/* If that is set, somebody was there before. */
	if (remoteprocs && !deadline_is_set(&remoteprocs->poll) && any_bound(remoteprocs))
		look_closely(remoteprocs);
}

void remoteproc_refresh(struct remoteproc *remoteproc)
{
	if (look_at(remoteproc))
		look_closely(remoteproc->broker->remoteprocs);
	else
		remoteprocs_wake(remoteproc->broker);
}

/* For transports. */

struct remoteproc *remoteproc_of_path(struct broker *broker, const char *path)
{
	struct remoteproc *remoteproc, *best = NULL;

	if (!broker->remoteprocs)
		return NULL;
	/* The nearest one; and rather one that is there. */
	list_for_each (remoteproc, &broker->remoteprocs->all, link) {
		size_t length = strlen(remoteproc->device.text);

		if (!sysfs_is_below(path, remoteproc->device.text))
			continue;
		if (!best || length > strlen(best->device.text) ||
			(length == strlen(best->device.text) && !best->present))
			best = remoteproc;
	}
	return best;
}

struct remoteproc *remoteproc_by_name(struct broker *broker, const char *name)
{
	struct remoteproc *remoteproc, *best = NULL;

	if (!broker->remoteprocs)
		return NULL;
	list_for_each (remoteproc, &broker->remoteprocs->all, link) {
		if (strcmp(remoteproc->number, name) != 0 && strcmp(remoteproc->name, name) != 0)
			continue;
		if (!best || !best->present)
			best = remoteproc;
	}
	return best;
}

const char *remoteproc_name(const struct remoteproc *remoteproc)
{
	return remoteproc->number;
}

const char *remoteproc_device_path(const struct remoteproc *remoteproc)
{
	return remoteproc->device.text;
}

bool remoteproc_is_stopping(const struct remoteproc *remoteproc)
{
	return remoteproc->life.busy && remoteproc->life.job.step == LIFECYCLE_STOP;
}

const char *remoteproc_trouble(const struct remoteproc *remoteproc)
{
	return remoteproc->life.trouble;
}

void remoteproc_bind(struct remoteproc *remoteproc, struct device *device)
{
	device->remoteproc = remoteproc;
	list_append(&remoteproc->devices, &device->of_remoteproc);
	remoteproc->coredumps_due = true;
	remoteproc_refresh(remoteproc);
	device_set_state(device, remoteproc->state);
}

void remoteproc_unbind(struct device *device)
{
	struct remoteproc *remoteproc = device->remoteproc;

	if (!remoteproc)
		return;
	list_remove(&device->of_remoteproc);
	device->remoteproc = NULL;
	lifecycle_decide(remoteproc);
}

void remoteproc_use(struct remoteproc *remoteproc)
{
	lifecycle_use(remoteproc);
	remoteproc_refresh(remoteproc);
}

void remoteproc_unuse(struct remoteproc *remoteproc)
{
	lifecycle_unuse(remoteproc);
	lifecycle_decide(remoteproc);
}

void remoteproc_power(struct remoteproc *remoteproc, bool start)
{
	lifecycle_command(remoteproc, start ? LIFECYCLE_BE_STARTED : LIFECYCLE_BE_STOPPED);
	remoteproc_refresh(remoteproc);
}

bool remoteproc_is_present(const struct remoteproc *remoteproc)
{
	return remoteproc->present;
}

const struct device *remoteproc_refused_device(const struct remoteproc *remoteproc)
{
	const struct device *device;

	list_for_each (device, &remoteproc->devices, of_remoteproc)
		if (device->isolation == DSP_ISOLATION_REFUSED)
			return device;
	return NULL;
}

/* Begin and end. */

DEFINE_CLEANUP(struct coredumps *, coredumps_free);

int remoteprocs_init(struct broker *broker)
{
	_cleanup_(freep) struct remoteprocs *remoteprocs = calloc(1, sizeof(*remoteprocs));
	_cleanup_(coredumps_freep) struct coredumps *coredumps = NULL;
	int r;

	if (!remoteprocs)
		return -ENOMEM;
	r = coredumps_new(&coredumps, broker);
	if (r < 0)
		return r;
	list_init(&remoteprocs->all);
	remoteprocs->broker = broker;
	remoteprocs->coredumps = TAKE_PTR(coredumps);
	for (size_t i = 0; i < ARRAY_SIZE(subsystems); i++) {
		struct watch *watch = &remoteprocs->watches[i];

		watch->owner = remoteprocs;
		watch->watch.subsystem = subsystems[i];
		watch->watch.changed = on_news;
		hotplug_add(broker->hotplug, &watch->watch);
	}
	broker->remoteprocs = TAKE_PTR(remoteprocs);
	look(broker->remoteprocs);
	return 0;
}

void remoteprocs_deinit(struct broker *broker)
{
	struct remoteprocs *remoteprocs = broker->remoteprocs;
	struct remoteproc *remoteproc, *following;

	if (!remoteprocs)
		return;
	broker->remoteprocs = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(subsystems); i++)
		hotplug_remove(&remoteprocs->watches[i].watch);
	deadline_clear(&broker->deadlines, &remoteprocs->poll);
	list_for_each_safe (remoteproc, following, &remoteprocs->all, link) {
		list_remove(&remoteproc->link);
		if (lifecycle_deinit(remoteproc))
			free(remoteproc);
	}
	coredumps_free(remoteprocs->coredumps);
	free(remoteprocs);
}
