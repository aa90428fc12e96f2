// SPDX-License-Identifier: MIT
/*
 * A node of DRM's that may be one of a DSP: whose driver's, and which DSP's? That takes opening it,
 * which may block, so it happens in a thread. udev has not given a new node to the broker's user
 * yet, so one that does not open is tried again. For the loop.
 */
#ifndef DSP_QDA_CANDIDATE_H
#define DSP_QDA_CANDIDATE_H

#include "daemon/deadline.h"
#include "daemon/sysfs.h"
#include "daemon/transport/qda/posted.h"
#include "daemon/worker.h"
#include "protocol/wire.h"

struct candidate {
	struct list link; /* its owner's, as are these: */
	struct path folder;
	uint64_t instance;
	dev_t number; /* of the node; 0: not known */
	bool there, told;
	void (*known)(struct candidate
			*candidate); /* it has answered; not for candidate_ask_now() */

	char name[NODE_NAME_SIZE];   /* below /dev: "accel/accel0" */
	char label[DSP_DEVICE_SIZE]; /* "cdsp"; "": not known, or it is no DSP's of ours */

	/* Its own: */
	struct broker *broker;
	struct job job;
	struct deadline again;
	uint64_t delay_us; /* until it is tried again */
	bool asking;       /* the job is on its way */
	bool gone;         /* nobody wants to know any more: it is freed when the job is done */
	/* The job's, and what came of it: */
	char answer[POSTED_NAME_SIZE];
	int open_error; /* 0 or -errno */
	int error;      /* the same, of what was asked */
};

/* Returns NULL when there is no memory. */
struct candidate *candidate_new(struct broker *broker, const char *name);
/* Ask it here and now. If it cannot be opened it is asked again as below. */
void candidate_ask_now(struct candidate *candidate);
/* Ask it in a thread, until it has answered. */
void candidate_ask(struct candidate *candidate);
/* It is not to be used any more. */
void candidate_drop(struct candidate *candidate);

#endif
