// SPDX-License-Identifier: MIT
/* The life of a protection domain, from the fork that made it to its end. */
#ifndef SOFTDSP_DOMAIN_H
#define SOFTDSP_DOMAIN_H

#include <stdnoreturn.h>
#include <sys/types.h>

#include "daemon/softdsp/confine.h"
#include "daemon/transport/softdsp.h"
#include "protocol/sock.h"

/* In the order of SOFT_SPAWN. */
enum domain_fd {
	DOMAIN_SOCKET,
	DOMAIN_RING,
	DOMAIN_NOTIFY,
};

/*
 * To be called in the child of a fork: isolate this process, load the module, confine it, tell the
 * broker, and serve the ring until it is killed.
 */
noreturn void domain_run(const struct soft_message *spawn, const struct sock_fds *fds,
	const struct confinement *confinement, pid_t supervisor);

#endif
