// SPDX-License-Identifier: MIT
#include "policy/identity.h"

#include <limits.h>
#include <sys/socket.h>

#include "protocol/util.h"

#define GROUPS_GUESS 32

/* Ask once, with room for *@size bytes. Returns 0, -ERANGE with *@size set to what it takes, or
 * another -errno. The caller frees *@out in each case. */
static int ask_groups(int sock, gid_t **out, socklen_t *size)
{
	*out = malloc(*size);
	if (!*out)
		return -ENOMEM;
	return getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, *out, size) < 0 ? -errno : 0;
}

static int get_groups(int sock, struct identity *identity)
{
	_cleanup_(freep) gid_t *groups = NULL;
	socklen_t size = GROUPS_GUESS * sizeof(gid_t);
	int r = ask_groups(sock, &groups, &size);

	/* The groups were fixed when the peer connected: what the kernel asks for now, fits. */
	if (r == -ERANGE && size <= NGROUPS_MAX * sizeof(gid_t)) {
		free(TAKE_PTR(groups));
		r = ask_groups(sock, &groups, &size);
	}
	if (r < 0)
		return r;
	identity->n_groups = size / sizeof(gid_t);
	identity->groups = TAKE_PTR(groups);
	return 0;
}

int identity_init(struct identity *out, int sock)
{
	struct identity identity = {0};
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int r;

	*out = identity;
	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	/* What the kernel says of a socket that has no peer, or is no Unix socket. */
	if (size != sizeof(peer) || peer.uid == (uid_t)-1 || peer.gid == (gid_t)-1)
		return -ENOTCONN;
	identity.uid = peer.uid;
	identity.gid = peer.gid;
	identity.pid = peer.pid;
	r = get_groups(sock, &identity);
	if (r < 0)
		return r;
	*out = identity;
	return 0;
}

void identity_deinit(struct identity *identity)
{
	free(TAKE_PTR(identity->groups));
	identity->n_groups = 0;
}

bool identity_in_group(const struct identity *identity, gid_t group)
{
	if (identity->gid == group)
		return true;
	for (size_t i = 0; i < identity->n_groups; i++)
		if (identity->groups[i] == group)
			return true;
	return false;
}
