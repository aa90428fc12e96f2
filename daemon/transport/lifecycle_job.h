// SPDX-License-Identifier: MIT
/* One step of a remote processor's life: the part that waits for the kernel, in a thread. */
#ifndef DSP_LIFECYCLE_JOB_H
#define DSP_LIFECYCLE_JOB_H

#include "daemon/sysfs.h"
#include "daemon/worker.h"

enum lifecycle_step {
	LIFECYCLE_START, /* or attach */
	LIFECYCLE_STOP,  /* or detach */
	LIFECYCLE_DROP,  /* it is gone: close */
};

/* Where a step failed. */
enum lifecycle_failure {
	LIFECYCLE_FAILED_OPEN,    /* the character device */
	LIFECYCLE_FAILED_PREPARE, /* the promise that it stops when the broker ends */
	LIFECYCLE_FAILED_COMMAND, /* the kernel's work */
	LIFECYCLE_FAILED_STAYS,   /* the kernel said that it is done, and it is not */
};

/* It touches nothing else, and nobody else touches it, while it runs. */
struct lifecycle_job {
	struct job job;
	/* In: */
	enum lifecycle_step step;
	bool keep; /* the kernel shall stop it when the broker ends, in whatever way */
	struct opener *opener;
	char node[NAME_MAX + 1]; /* the name of the character device */
	struct path state;
	/* What there is; the job brings it up to date: */
	int fd;        /* the character device, as long as its end must stop it; or -1 */
	bool counted;  /* a start of ours counts */
	bool attached; /* that start found it running, so it only attached */
	/* Out: */
	bool ran;
	int r; /* 0 or -errno */
	enum lifecycle_failure failure;
};

/* Its job.run; safe to be called directly. */
void lifecycle_job_run(struct job *job);

#endif
