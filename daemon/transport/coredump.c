// SPDX-License-Identifier: MIT
#include "daemon/transport/coredump.h"

#include <string.h>

#include "daemon/broker.h"
#include "daemon/device.h"
#include "daemon/log.h"
#include "daemon/transport/coredump_file.h"
#include "daemon/transport/remoteproc_private.h"
#include "daemon/worker.h"

/* The kernel keeps one per device, for five minutes. */
#define DUMPS_MAX 64

/* One at a time, so that saving leaves threads for others and files come in order. */
struct save_job {
	struct job job;
	struct coredump_order order;
	struct coredump_file file;
	bool ran, saved;
};

struct coredumps {
	struct broker *broker;
	struct save_job job;
	bool busy;          /* the job belongs to a thread */
	bool over;          /* there are no threads any more */
	bool abandoned;     /* nobody but the job needs this any more */
	uint64_t device_id; /* whose dump the job saves; it may be gone by then */

	ino_t tried[DUMPS_MAX]; /* those that are to be left alone from now on */
	size_t n_tried;
};

static void run(struct job *base)
{
	struct save_job *job = container_of(base, struct save_job, job);

	job->saved = coredump_save(&job->order, &job->file);
	job->ran = true;
}

static void count(const struct coredumps *coredumps)
{
	struct device *device;

	list_for_each (device, &coredumps->broker->devices, link)
		if (device->id == coredumps->device_id)
			device->coredumps++;
}

/* What an administrator can do about it. */
static const char *advice(const struct save_job *job)
{
	if (!job->saved && job->file.error == -EACCES)
		return "; a udev rule must let the broker open the data of core dumps";
	if (!job->saved && job->file.error == -EPERM)
		return "; the folder must be the broker's alone";
	return "";
}

static void report(const struct save_job *job)
{
	const struct coredump_order *order = &job->order;
	const struct coredump_file *file = &job->file;

	if (job->saved)
		log_notice("core dump of %s: %s/%s, %llu bytes%s", order->device,
			order->folder.text, file->name, (unsigned long long)file->size,
			file->truncated ? ", cut off" : "");
	if (file->failed)
		log_error("core dump of %s, from %s to %s: cannot %s: %s%s", order->device,
			order->dump.text, order->folder.text, file->failed, strerror(-file->error),
			advice(job));
}

static void done(struct job *base)
{
	struct coredumps *coredumps = container_of(base, struct coredumps, job.job);

	if (coredumps->job.ran)
		report(&coredumps->job);
	if (coredumps->abandoned) {
		free(coredumps);
		return;
	}
	if (coredumps->job.saved)
		count(coredumps);
	coredumps->busy = false;
	coredumps->over = !coredumps->job.ran;
	coredumps_look(coredumps);
}

/* Finding them. */

/* The device whose policy wants that dump; NULL: it is to be left alone. */
static struct device *owner_of(const struct coredumps *coredumps, const struct path *dump)
{
	struct remoteproc *remoteproc;
	struct path failing;
	struct device *device;

	if (sysfs_resolve(path_join("%s/failing_device", dump->text).text, &failing) < 0)
		return NULL;
	remoteproc = remoteproc_of_path(coredumps->broker, failing.text);
	if (!remoteproc)
		return NULL;
	list_for_each (device, &remoteproc->devices, of_remoteproc)
		if (device->policy->coredumps > 0)
			return device;
	return NULL;
}

static void save(struct coredumps *coredumps, const struct device *device, const struct path *dump)
{
	const struct broker *broker = coredumps->broker;
	struct save_job *job = &coredumps->job;

	*job = (struct save_job){
		.job = {.run = run, .done = done},
		.order =
			{
				.dump = *dump,
				.folder = path_join("%s", broker->options->coredumps),
				.bytes = device->policy->coredump_bytes,
				.keep = device->policy->coredumps,
			},
	};
	memcpy(job->order.device, device->name, sizeof(job->order.device));
	coredumps->device_id = device->id;
	coredumps->busy = true;
	workers_run(broker->workers, &job->job);
}

static bool is_among(ino_t id, const ino_t *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}

/* Forget those that are gone. */
static void forget(struct coredumps *coredumps, const struct sysfs_entry *entries, size_t n)
{
	ino_t tried[DUMPS_MAX];
	size_t n_tried = 0;

	for (size_t i = 0; i < n; i++)
		if (is_among(entries[i].id, coredumps->tried, coredumps->n_tried))
			tried[n_tried++] = entries[i].id;
	memcpy(coredumps->tried, tried, n_tried * sizeof(*tried));
	coredumps->n_tried = n_tried;
}

void coredumps_look(struct coredumps *coredumps)
{
	const char *sysfs = coredumps->broker->options->sysfs;
	_cleanup_(freep) struct sysfs_entry *entries = NULL;
	ssize_t n;

	if (coredumps->busy || coredumps->over)
		return;
	n = sysfs_list(path_join("%s/class/devcoredump", sysfs).text, "devcd", &entries, DUMPS_MAX);
	forget(coredumps, entries, n < 0 ? 0 : (size_t)n);
	for (ssize_t i = 0; i < n && !coredumps->busy; i++) {
		struct path dump = path_join("%s/class/devcoredump/%s", sysfs, entries[i].name);
		struct device *device;

		if (is_among(entries[i].id, coredumps->tried, coredumps->n_tried))
			continue;
		device = owner_of(coredumps, &dump);
		if (!device)
			continue;
		coredumps->tried[coredumps->n_tried++] = entries[i].id;
		save(coredumps, device, &dump);
	}
}

/* Begin and end. */

int coredumps_new(struct coredumps **out, struct broker *broker)
{
	struct coredumps *coredumps = calloc(1, sizeof(*coredumps));

	if (!coredumps)
		return -ENOMEM;
	coredumps->broker = broker;
	coredump_folder_clean(broker->options->coredumps);
	*out = coredumps;
	return 0;
}

struct coredumps *coredumps_free(struct coredumps *coredumps)
{
	if (!coredumps)
		return NULL;
	coredumps->abandoned = true;
	if (!coredumps->busy)
		free(coredumps);
	return NULL;
}
