// SPDX-License-Identifier: MIT
/* Who is at the other end of a socket: told by the kernel, fixed when the peer connected. */
#ifndef DSP_IDENTITY_H
#define DSP_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct identity {
	uid_t uid;
	gid_t gid;     /* primary group */
	pid_t pid;     /* for display only: it may have been reused since */
	gid_t *groups; /* supplementary; owned */
	size_t n_groups;
};

/* Ask the kernel about the peer of a connected Unix socket (SO_PEERCRED, SO_PEERGROUPS; unix(7),
 * socket(7)). Returns 0 or -errno; free with identity_deinit(). */
int identity_init(struct identity *out, int sock);
/* Safe on a zeroed identity and twice. */
void identity_deinit(struct identity *identity);

bool identity_in_group(const struct identity *identity, gid_t group);

#endif
