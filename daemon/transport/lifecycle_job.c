// SPDX-License-Identifier: MIT
#include "daemon/transport/lifecycle_job.h"

#include <fcntl.h>
#include <linux/remoteproc_cdev.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "daemon/opener.h"
#include "daemon/transport/remoteproc_private.h"

/* Milliseconds that they get. */
#define FINISH_MS 20

static enum dsp_device_state state_of(const struct lifecycle_job *job)
{
	enum dsp_device_state state = DSP_STATE_OFFLINE;

	remoteproc_read_state(job->state.text, &state);
	return state;
}

static int fail(struct lifecycle_job *job, enum lifecycle_failure failure, int r)
{
	job->failure = failure;
	return r;
}

static int open_node(struct lifecycle_job *job)
{
	int fd;

	if (job->fd >= 0)
		return 0;
	fd = opener_open(job->opener, job->node, O_RDWR);
	if (fd < 0)
		return fail(job, LIFECYCLE_FAILED_OPEN, fd);
	job->fd = fd;
	return 0;
}

static int stop_on_release(const struct lifecycle_job *job, bool stop)
{
	int32_t on = stop;

	return ioctl(job->fd, RPROC_SET_SHUTDOWN_ON_RELEASE, &on) < 0 ? -errno : 0;
}

/* The kernel keeps that switch for the remote processor and not for who opened it, so it is still
 * as somebody left it: whoever closes must turn it off. */
static void let_go(struct lifecycle_job *job)
{
	if (job->fd >= 0)
		stop_on_release(job, false);
	job->fd = fd_close(job->fd);
}

static int command(struct lifecycle_job *job, const char *word)
{
	ssize_t n;

	/* EINTR comes from waiting for the kernel's lock: nothing was done yet. */
	do
		n = write(job->fd, word, strlen(word));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(job, LIFECYCLE_FAILED_COMMAND, -errno);
	return 0;
}

/*
 * A start of ours counts, and still it does not run. The kernel may be about to bring it back after
 * a crash; another start would count twice, and later one stop would not stop it. Or somebody else
 * has stopped it: then ours counts no more. What tells is its state when no such work is going on,
 * and the command "detach" waits for that end; it is refused unless the remote processor was only
 * attached, and then it takes ours back.
 */
static bool came_back(struct lifecycle_job *job)
{
	if (command(job, "detach") == 0)
		job->counted = false;
	if (!remoteproc_is_down(state_of(job)))
		return true;
	job->counted = false;
	return false;
}

static int start_it(struct lifecycle_job *job)
{
	int r;

	if (job->counted && came_back(job))
		return 0;
	job->attached = state_of(job) == DSP_STATE_DETACHED;
	r = command(job, "start");
	if (r < 0)
		return r;
	job->counted = true;
	/* After a failed recovery the kernel takes it for started, whatever is asked of it. */
	return remoteproc_is_down(state_of(job)) ? fail(job, LIFECYCLE_FAILED_STAYS, -EIO) : 0;
}

static int start(struct lifecycle_job *job)
{
	int r = open_node(job);

	if (r < 0)
		return r;
	/* Before it runs: from now on the broker may die at any time. */
	r = stop_on_release(job, job->keep);
	if (r < 0 && job->keep)
		fail(job, LIFECYCLE_FAILED_PREPARE, r);
	else
		r = start_it(job);
	if (!job->keep || !job->counted)
		let_go(job);
	return r;
}

/*
 * Drivers above it put away what their last users left behind in work items of the kernel's, and up
 * to Linux 6.1 at least FastRPC's crashes the kernel when that is done after its devices have gone
 * (tests/kernel/README.md). Nothing lets us wait for it, so it gets time.
 */
static void let_drivers_finish(void)
{
	poll(NULL, 0, FINISH_MS);
}

static int stop(struct lifecycle_job *job)
{
	int r = open_node(job);

	if (r < 0)
		return r;
	let_drivers_finish();
	r = command(job, job->attached ? "detach" : "stop");
	/* One that was attached has crashed since, and runs firmware that the kernel gave it. */
	if (r == -EINVAL && job->attached && state_of(job) != DSP_STATE_ATTACHED)
		r = command(job, "stop");
	/* Somebody else was faster. */
	if (r == -EINVAL && remoteproc_is_down(state_of(job)))
		r = 0;
	if (r == 0)
		job->counted = job->attached = false;
	if (!job->counted || !job->keep)
		let_go(job);
	return r;
}

static int drop(struct lifecycle_job *job)
{
	let_drivers_finish();
	/* If it still runs, this stops it. */
	job->fd = fd_close(job->fd);
	job->counted = false;
	return 0;
}

void lifecycle_job_run(struct job *base)
{
	static int (*const steps[])(struct lifecycle_job * job) = {
		[LIFECYCLE_START] = start,
		[LIFECYCLE_STOP] = stop,
		[LIFECYCLE_DROP] = drop,
	};
	struct lifecycle_job *job = container_of(base, struct lifecycle_job, job);

	job->r = steps[job->step](job);
	job->ran = true;
}
