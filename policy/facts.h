// SPDX-License-Identifier: MIT
/* What /proc tells of a process: the facts of an identity that no socket option tells. */
#ifndef DSP_FACTS_H
#define DSP_FACTS_H

#include <stdint.h>
#include <sys/types.h>

#include "policy/identity.h"

#define FACT_SIZE 256 /* of one fact, the closing NUL included: what is longer is not known */

/* Each known one is a bit, 1 << enum identity_fact. */
struct facts {
	uint32_t known;
	char text[IDENTITY_FACTS][FACT_SIZE];
};

/*
 * Read them below @proc (an fd of /proc), as far as the caller may; the label is not among them.
 * Nothing is known unless the process of @pidfd still lives afterwards, has that pid, and its
 * effective ids are @uid and @gid: else it is not, or no longer, the one that connected. Can block
 * for as long as the peer's own file systems like.
 *
 * What they are worth against the peer's own user: the unit and the slice are those of the system's
 * systemd, which only root arranges. The user unit is what that user calls it. The executable is
 * the file of that path as the caller sees it, not one that a mount namespace puts there; but who
 * is the same user can run it with code of his own (LD_PRELOAD, a debugger), or connect and then
 * run it: that its ids are the same is all that is asked, and a program with file capabilities
 * keeps these. Whoever may make a user namespace can give himself a root with any .flatpak-info:
 * what runs inside a Flatpak cannot claim to be another, but its user can.
 */
void facts_read(struct facts *out, int proc, pid_t pid, int pidfd, uid_t uid, gid_t gid);
/* Give them to an identity, which has its label already: a label that a snap is confined by says
 * which, whatever its unit is called. Returns 0 or -ENOMEM. */
int facts_give(const struct facts *facts, struct identity *identity);

/* Who a running process is, as if it connected now: for tools. Returns 0, -ESRCH, or another
 * -errno. */
int identity_of_process(struct identity *out, pid_t pid);
/* Who a user is who runs nothing yet: uid, and groups of the user database, none if he has no
 * account; no fact is known. Returns 0 or -errno. */
int identity_of_user(struct identity *out, uid_t uid);

#endif
