// SPDX-License-Identifier: MIT
#include "daemon/transport/lifecycle.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/broker.h"
#include "daemon/device.h"
#include "daemon/log.h"
#include "daemon/transport/remoteproc_private.h"

/* Between attempts, after one that failed. */
#define RETRY_FIRST_US (1000ull * 1000)
#define RETRY_MOST_US  (60 * RETRY_FIRST_US)

/* Among the devices of a remote processor the one whose policy does most for it; NULL: none. */
static const struct device *governor(const struct remoteproc *remoteproc)
{
	const struct device *device, *best = NULL;

	list_for_each (device, &remoteproc->devices, of_remoteproc)
		if (!best || device->policy->lifecycle > best->policy->lifecycle)
			best = device;
	return best;
}

/* Why it does not run. */
static void _printf_(2, 0) explain(struct remoteproc *remoteproc, const char *format, va_list ap)
{
	vsnprintf(remoteproc->life.trouble, sizeof(remoteproc->life.trouble), format, ap);
}

/* Say why. Once: what is tried again and again fails in the same way. */
static void _printf_(2, 3) complain(struct remoteproc *remoteproc, const char *format, ...)
{
	char before[sizeof(remoteproc->life.trouble)];
	va_list ap;

	memcpy(before, remoteproc->life.trouble, sizeof(before));
	va_start(ap, format);
	explain(remoteproc, format, ap);
	va_end(ap);
	if (strcmp(before, remoteproc->life.trouble) != 0)
		log_error("%s", remoteproc->life.trouble);
}

/* The same, where nothing is wrong: only who needs it hears of it. */
static void _printf_(2, 3) remark(struct remoteproc *remoteproc, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	explain(remoteproc, format, ap);
	va_end(ap);
}

static void complain_of_start(struct remoteproc *remoteproc)
{
	const struct lifecycle_job *job = &remoteproc->life.job;
	const struct path path =
		path_join("%s/%s", remoteproc->broker->options->dev, remoteproc->number);
	const char *number = remoteproc->number, *node = path.text;
	const char *error = strerror(-job->r);
	char firmware[128];

	if (job->failure == LIFECYCLE_FAILED_OPEN && job->r == -EACCES)
		complain(remoteproc,
			"cannot start %s: %s (a udev rule must let the broker open %s)", number,
			error, node);
	else if (job->failure == LIFECYCLE_FAILED_OPEN)
		complain(remoteproc, "cannot start %s: %s (%s, of CONFIG_REMOTEPROC_CDEV)", number,
			error, node);
	else if (job->failure == LIFECYCLE_FAILED_PREPARE)
		complain(remoteproc, "cannot start %s: %s would not stop it with the broker: %s",
			number, node, error);
	else if (job->failure == LIFECYCLE_FAILED_STAYS)
		complain(remoteproc, "cannot start %s: the kernel did, and still it does not run",
			number);
	else if (sysfs_read(remoteproc_attribute(remoteproc, "firmware").text, firmware,
			 sizeof(firmware)) == 0)
		complain(remoteproc, "cannot start %s: %s (firmware %s)", number, error, firmware);
	else
		complain(remoteproc, "cannot start %s: %s", number, error);
}

/* Not at once again. */
static void back_off(struct remoteproc *remoteproc, bool longer)
{
	struct lifecycle *life = &remoteproc->life;

	life->delay_us = longer ? MIN(2 * life->delay_us, RETRY_MOST_US) : 0;
	life->delay_us = MAX(life->delay_us, RETRY_FIRST_US);
	life->not_before_us = broker_now(remoteproc->broker) + life->delay_us;
}

static void start_failed(struct remoteproc *remoteproc)
{
	const struct device *device = governor(remoteproc);
	const bool always = device && device->policy->lifecycle == POLICY_ALWAYS;

	complain_of_start(remoteproc);
	/* Who opens a session then is not to wait long for the next attempt. */
	back_off(remoteproc, always);
	remoteproc->life.gave_up = !always;
	remoteproc_tell(remoteproc);
}

static void stop_failed(struct remoteproc *remoteproc)
{
	if (!remoteproc->life.delay_us)
		log_error("cannot stop %s: %s", remoteproc->number,
			strerror(-remoteproc->life.job.r));
	back_off(remoteproc, true);
}

/* Steps. */

/* The last one: stop it if we have promised that. */
static void finish(struct remoteproc *remoteproc)
{
	struct lifecycle_job *job = &remoteproc->life.job;
	char recovery[16] = "";

	if (job->fd < 0)
		return;
	job->step = remoteproc->life.replaced ? LIFECYCLE_DROP : LIFECYCLE_STOP;
	/* Somebody wants to see how it crashed, so it stays as it is. */
	sysfs_read(remoteproc_attribute(remoteproc, "recovery").text, recovery, sizeof(recovery));
	remoteproc_read_state(job->state.text, &remoteproc->state);
	if (remoteproc->state == DSP_STATE_CRASHED && strcmp(recovery, "disabled") == 0)
		job->step = LIFECYCLE_DROP;
	if (job->step == LIFECYCLE_STOP)
		log_info("stopping %s with the broker", remoteproc->number);
	lifecycle_job_run(&job->job);
	if (job->r < 0)
		log_error("cannot stop %s: %s", remoteproc->number, strerror(-job->r));
	job->fd = fd_close(job->fd);
}

static void on_done(struct job *base)
{
	struct lifecycle *life = container_of(base, struct lifecycle, job.job);
	struct remoteproc *remoteproc = container_of(life, struct remoteproc, life);
	const struct lifecycle_job *job = &life->job;

	if (life->over) {
		finish(remoteproc);
		free(remoteproc);
		return;
	}
	remoteproc_refresh(remoteproc);
	life->busy = false;
	life->over = !job->ran; /* there are no threads any more */
	if (job->r == 0)
		life->delay_us = 0;
	else if (job->step == LIFECYCLE_START && !remoteproc_is_up(remoteproc->state))
		start_failed(remoteproc);
	else if (job->step == LIFECYCLE_STOP && !remoteproc_is_down(remoteproc->state))
		stop_failed(remoteproc);
	lifecycle_decide(remoteproc);
}

static void begin(struct remoteproc *remoteproc, enum lifecycle_step step)
{
	struct lifecycle *life = &remoteproc->life;
	struct lifecycle_job *job = &life->job;

	job->step = step;
	job->opener = remoteproc->broker->opener;
	strcpy(job->node, remoteproc->number);
	job->state = remoteproc_attribute(remoteproc, "state");
	job->r = 0;
	job->ran = false;
	life->busy = true;
	workers_run(remoteproc->broker->workers, &job->job);
}

/* Decisions. */

static void on_next(struct deadline *deadline)
{
	struct lifecycle *life = container_of(deadline, struct lifecycle, next);

	remoteproc_refresh(container_of(life, struct remoteproc, life));
}

/* Is it time? If not, it will be. */
static bool is_time(struct remoteproc *remoteproc, uint64_t when_us)
{
	struct lifecycle *life = &remoteproc->life;

	when_us = MAX(when_us, life->not_before_us);
	if (broker_now(remoteproc->broker) >= when_us)
		return true;
	deadline_set(&remoteproc->broker->deadlines, &life->next, when_us, on_next);
	return false;
}

/* Not at once: who has just opened a session hears of it like of any other start that failed. */
static void on_refused(struct deadline *deadline)
{
	struct lifecycle *life = container_of(deadline, struct lifecycle, next);
	struct remoteproc *remoteproc = container_of(life, struct remoteproc, life);

	life->gave_up = true;
	remoteproc_tell(remoteproc);
}

static void consider_start(struct remoteproc *remoteproc, const struct policy_device *policy)
{
	struct lifecycle *life = &remoteproc->life;
	const struct device *device = remoteproc_refused_device(remoteproc);

	if (life->gave_up && (device || life->held || policy->lifecycle == POLICY_ON_DEMAND))
		return;
	if (life->held) {
		remark(remoteproc, "an administrator has stopped %s and must start it again",
			remoteproc->number);
		broker_deadline(remoteproc->broker, &life->next, 0, on_refused);
	} else if (device) {
		complain(remoteproc,
			"%s is not started: no IOMMU isolates device %s, and policy does not "
			"accept that",
			remoteproc->number, device->name);
		broker_deadline(remoteproc->broker, &life->next, 0, on_refused);
	} else if (is_time(remoteproc, 0)) {
		/* After a crash the kernel is about to do that. */
		if (!life->job.counted)
			log_info("starting %s", remoteproc->number);
		life->job.keep = policy->stop_with_broker;
		begin(remoteproc, LIFECYCLE_START);
	}
}

static void consider_stop(struct remoteproc *remoteproc, const struct policy_device *policy)
{
	struct lifecycle *life = &remoteproc->life;

	if (is_time(remoteproc, life->idle_from_us + policy->idle_ms * 1000ull)) {
		if (!remoteproc_is_down(remoteproc->state))
			log_info("stopping %s, which nobody has used for %u ms", remoteproc->number,
				policy->idle_ms);
		begin(remoteproc, LIFECYCLE_STOP);
	}
}

/* Begin what an administrator wants. False: it is so already. */
static bool obey(struct remoteproc *remoteproc, const struct policy_device *policy)
{
	const bool down = remoteproc_is_down(remoteproc->state);
	struct lifecycle *life = &remoteproc->life;
	enum lifecycle_order order = life->order;

	life->order = LIFECYCLE_NO_ORDER;
	if (order == LIFECYCLE_BE_STARTED && down && !remoteproc_refused_device(remoteproc)) {
		life->job.keep = policy->lifecycle != POLICY_EXTERNAL && policy->stop_with_broker;
		begin(remoteproc, LIFECYCLE_START);
	} else if (order == LIFECYCLE_BE_STOPPED && !down) {
		begin(remoteproc, LIFECYCLE_STOP);
	} else {
		return false;
	}
	return true;
}

void lifecycle_decide(struct remoteproc *remoteproc)
{
	struct lifecycle *life = &remoteproc->life;
	const struct device *device = governor(remoteproc);
	const struct policy_device *policy = device ? device->policy : &POLICY_DEVICE_DEFAULT;
	const bool on_demand = policy->lifecycle == POLICY_ON_DEMAND;
	const bool down = remoteproc_is_down(remoteproc->state);

	if (life->busy || life->over || remoteproc->broker->stopping)
		return;
	deadline_clear(&remoteproc->broker->deadlines, &life->next);
	if (life->replaced) {
		life->replaced = false;
		begin(remoteproc, LIFECYCLE_DROP);
	} else if (!remoteproc->present || obey(remoteproc, policy) ||
		   policy->lifecycle == POLICY_EXTERNAL) {
		return;
	} else if (down && (!on_demand || life->uses)) {
		consider_start(remoteproc, policy);
	} else if ((down || remoteproc_is_up(remoteproc->state)) && on_demand && !life->uses &&
		   life->job.counted) {
		consider_stop(remoteproc, policy);
	}
}

/* What happens to it. */

void lifecycle_init(struct remoteproc *remoteproc)
{
	struct lifecycle *life = &remoteproc->life;

	life->job.job.run = lifecycle_job_run;
	life->job.job.done = on_done;
	life->job.fd = -1;
}

bool lifecycle_deinit(struct remoteproc *remoteproc)
{
	struct lifecycle *life = &remoteproc->life;

	life->over = true;
	deadline_clear(&remoteproc->broker->deadlines, &life->next);
	if (life->busy)
		return false;
	finish(remoteproc);
	return true;
}

void lifecycle_command(struct remoteproc *remoteproc, enum lifecycle_order order)
{
	struct lifecycle *life = &remoteproc->life;
	const struct device *device = governor(remoteproc);

	life->order = order;
	life->held = order == LIFECYCLE_BE_STOPPED && device &&
		     device->policy->lifecycle != POLICY_EXTERNAL;
	life->gave_up = false;
	life->trouble[0] = '\0';
	life->delay_us = life->not_before_us = 0;
	lifecycle_decide(remoteproc);
}

void lifecycle_use(struct remoteproc *remoteproc)
{
	remoteproc->life.uses++;
	remoteproc->life.gave_up = false;
}

void lifecycle_unuse(struct remoteproc *remoteproc)
{
	if (--remoteproc->life.uses == 0)
		remoteproc->life.idle_from_us = broker_now(remoteproc->broker);
}

void lifecycle_state_changed(struct remoteproc *remoteproc)
{
	struct lifecycle *life = &remoteproc->life;

	if (!remoteproc_is_up(remoteproc->state))
		return;
	life->trouble[0] = '\0';
	life->gave_up = false;
	life->delay_us = life->not_before_us = 0;
	/* Who started it without a session has as much time to open one as after the last. */
	if (!life->uses)
		life->idle_from_us = broker_now(remoteproc->broker);
}

void lifecycle_replaced(struct remoteproc *remoteproc)
{
	struct lifecycle *life = &remoteproc->life;

	if (life->busy || life->job.fd >= 0)
		life->replaced = true;
	else
		life->job.counted = false;
}
