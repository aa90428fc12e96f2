// SPDX-License-Identifier: MIT
#include "daemon/transport/qda/candidate.h"

#include <fcntl.h>
#include <string.h>

#include "daemon/broker.h"
#include "daemon/log.h"
#include "daemon/opener.h"
#include "daemon/transport/fastrpc/found.h"
#include "daemon/transport/qda/posted.h"

#define AGAIN_MIN_US (50 * 1000)
#define AGAIN_MAX_US (5 * 1000 * 1000)

/* Asking, in a thread. */

static void run(struct job *job)
{
	struct candidate *candidate = container_of(job, struct candidate, job);
	_cleanup_(fd_closep) int fd =
		opener_open(candidate->broker->opener, candidate->name, O_RDWR);
	int r;

	candidate->open_error = MIN(fd, 0);
	candidate->error = 0;
	candidate->answer[0] = '\0';
	if (fd < 0)
		return;
	r = posted_is_driver(fd);
	if (r > 0)
		r = posted_query(fd, candidate->answer);
	candidate->answer[sizeof(candidate->answer) - 1] = '\0';
	candidate->error = MIN(r, 0);
}

/* The answer. */

static void ask_again(struct deadline *deadline)
{
	struct candidate *candidate = container_of(deadline, struct candidate, again);

	candidate_ask(candidate);
}

/* If there is no answer yet, ask again later. The driver of a node that has just gone says ENODEV,
 * and sysfs shows it soon. One that cannot be opened after a while is somebody's mistake. */
static bool is_put_off(struct candidate *candidate)
{
	const uint64_t delay_us = candidate->delay_us;

	if (candidate->open_error == -ESHUTDOWN ||
		(candidate->open_error == 0 && candidate->error != -ENODEV))
		return false;
	candidate->delay_us = MIN(2 * delay_us, (uint64_t)AGAIN_MAX_US);
	if (delay_us != AGAIN_MAX_US && candidate->delay_us == AGAIN_MAX_US &&
		candidate->open_error)
		log_warning("cannot open %s, which may be a DSP's: %s; it is tried again",
			candidate->name, strerror(-candidate->open_error));
	broker_deadline(candidate->broker, &candidate->again, delay_us, ask_again);
	return true;
}

/* What a node says is looked at here, and nowhere else. */
static void settle(struct candidate *candidate)
{
	uint32_t number;

	if (candidate->error < 0)
		log_warning("%s does not say which DSP it belongs to: %s", candidate->name,
			strerror(-candidate->error));
	else if (found_number(candidate->answer, &number))
		wire_string_set(candidate->label, sizeof(candidate->label), candidate->answer);
	else if (*candidate->answer)
		log_warning("%s belongs to a DSP of an unknown name: %s", candidate->name,
			candidate->answer);
}

static void done(struct job *job)
{
	struct candidate *candidate = container_of(job, struct candidate, job);

	candidate->asking = false;
	if (candidate->gone) {
		free(candidate);
		return;
	}
	if (is_put_off(candidate))
		return;
	settle(candidate);
	candidate->known(candidate);
}

void candidate_ask_now(struct candidate *candidate)
{
	run(&candidate->job);
	if (!is_put_off(candidate))
		settle(candidate);
}

void candidate_ask(struct candidate *candidate)
{
	candidate->asking = true;
	workers_run(candidate->broker->workers, &candidate->job);
}

/* Its life. */

struct candidate *candidate_new(struct broker *broker, const char *name)
{
	struct candidate *candidate = calloc(1, sizeof(*candidate));

	if (!candidate)
		return NULL;
	list_init(&candidate->link);
	wire_string_set(candidate->name, sizeof(candidate->name), name);
	candidate->broker = broker;
	candidate->job = (struct job){.run = run, .done = done};
	candidate->delay_us = AGAIN_MIN_US;
	return candidate;
}

void candidate_drop(struct candidate *candidate)
{
	list_remove(&candidate->link);
	deadline_clear(&candidate->broker->deadlines, &candidate->again);
	if (candidate->asking && !workers_cancel(candidate->broker->workers, &candidate->job))
		candidate->gone = true;
	else
		free(candidate);
}
