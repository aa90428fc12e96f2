// SPDX-License-Identifier: MIT
/* Who is at the other end of a socket: told by the kernel, fixed when the peer connected. */
#ifndef DSP_IDENTITY_H
#define DSP_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What is known of the peer's process besides its ids. */
enum identity_fact {
	IDENTITY_LABEL,      /* its security label (SELinux, Smack, AppArmor), SO_PEERSEC */
	IDENTITY_UNIT,       /* systemd's system unit that it runs in, "player.service" */
	IDENTITY_USER_UNIT,  /* the unit of its user's systemd, "app-player.scope" */
	IDENTITY_SLICE,      /* the innermost slice of the system's around that, "system.slice" */
	IDENTITY_EXECUTABLE, /* path of its program as the kernel shows it, "/usr/bin/player" */
	IDENTITY_FLATPAK,    /* id of the Flatpak application, "org.example.Player" */
	IDENTITY_SNAP,       /* name of the snap, "player" */
	IDENTITY_FACTS,
};

struct identity {
	uid_t uid;
	gid_t gid;     /* primary group */
	pid_t pid;     /* for display only: it may have been reused since */
	int pidfd;     /* the process that connected, owned; -1: gone, or the kernel cannot say */
	gid_t *groups; /* supplementary; owned */
	size_t n_groups;
	/* Owned. NULL: could not be established, so no rule that asks for it matches; "": it is
	 * established that the peer has none. */
	char *facts[IDENTITY_FACTS];
};

/* Does the kernel hold on to the process that connected, so that no number has to be asked for? */
bool identity_has_peer_pidfd(void);

/* Ask the kernel about the peer of a connected Unix socket (SO_PEERCRED, SO_PEERGROUPS,
 * SO_PEERSEC, SO_PEERPIDFD; unix(7), socket(7)). The other facts stay NULL until somebody who may
 * look sets them (facts.h). Returns 0 or -errno; free with identity_deinit(). */
int identity_init(struct identity *out, int sock);
/* Safe on a zeroed identity and twice. */
void identity_deinit(struct identity *identity);

/* What a policy calls it, "unit", and the key of a rule's match that asks for it, "units". */
const char *identity_fact_name(enum identity_fact fact);
const char *identity_fact_key(enum identity_fact fact);

bool identity_in_group(const struct identity *identity, gid_t group);

#endif
