// SPDX-License-Identifier: MIT
/* What remoteproc.c and its lifecycle.c share, and nobody else sees. */
#ifndef DSP_REMOTEPROC_PRIVATE_H
#define DSP_REMOTEPROC_PRIVATE_H

#include "daemon/sysfs.h"
#include "daemon/transport/lifecycle.h"
#include "daemon/transport/remoteproc.h"
#include "protocol/util.h"
#include "protocol/wire.h"

/* Told from others by its place in sysfs: so it is the same again when its driver is loaded again,
 * whatever number the kernel gives it then. */
struct remoteproc {
	struct list link; /* remoteprocs->all */
	struct broker *broker;
	struct path device; /* resolved */

	bool present;
	/* As of the last time that it was: */
	char number[NAME_MAX + 1]; /* "remoteproc0" */
	char name[NAME_MAX + 1];
	ino_t id;

	enum dsp_device_state state;
	struct list devices;
	bool coredumps_due;  /* its core dumps are to be enabled, as soon as possible */
	bool coredumps_told; /* why that is not possible */
	struct lifecycle life;
};

/* One of its attributes. */
struct path remoteproc_attribute(const struct remoteproc *remoteproc, const char *attribute);
/* Tell its devices of its state, or that it could not be started. */
void remoteproc_tell(struct remoteproc *remoteproc);

/* What a state attribute says. Returns 0, or -ENOENT: the remote processor is gone. For any
 * thread. */
int remoteproc_read_state(const char *path, enum dsp_device_state *out);

/* It can be started, or attached. */
static inline bool remoteproc_is_down(enum dsp_device_state state)
{
	return state == DSP_STATE_OFFLINE || state == DSP_STATE_DETACHED;
}

static inline bool remoteproc_is_up(enum dsp_device_state state)
{
	return state == DSP_STATE_RUNNING || state == DSP_STATE_ATTACHED;
}

#endif
