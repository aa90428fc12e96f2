// SPDX-License-Identifier: MIT
#include "policy/identity.h"

#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "protocol/util.h"

#define GROUPS_GUESS 32
#define LABEL_MAX    4096 /* bytes; SELinux allows no longer ones (PAGE_SIZE) */

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5, <asm-generic/socket.h> */
#endif

static const struct {
	const char *name, *key;
} facts[IDENTITY_FACTS] = {
	[IDENTITY_LABEL] = {"label", "labels"},
	[IDENTITY_UNIT] = {"unit", "units"},
	[IDENTITY_USER_UNIT] = {"user unit", "user_units"},
	[IDENTITY_SLICE] = {"slice", "slices"},
	[IDENTITY_EXECUTABLE] = {"executable", "executables"},
	[IDENTITY_FLATPAK] = {"Flatpak", "flatpaks"},
	[IDENTITY_SNAP] = {"snap", "snaps"},
};

const char *identity_fact_name(enum identity_fact fact)
{
	return facts[fact].name;
}

const char *identity_fact_key(enum identity_fact fact)
{
	return facts[fact].key;
}

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

/* The label that the peer had when it connected. Some modules count the NUL, some do not. */
static int get_label(int sock, struct identity *identity)
{
	char label[LABEL_MAX];
	socklen_t size = sizeof(label);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERSEC, label, &size) < 0)
		return 0; /* no security module that labels, or none of a peer of ours */
	identity->facts[IDENTITY_LABEL] = strndup(label, size);
	return identity->facts[IDENTITY_LABEL] ? 0 : -ENOMEM;
}

bool identity_has_peer_pidfd(void)
{
	int pair[2] = {-1, -1}, fd = -1;
	socklen_t size = sizeof(fd);
	bool has;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return false;
	has = getsockopt(pair[0], SOL_SOCKET, SO_PEERPIDFD, &fd, &size) == 0 ||
	      errno != ENOPROTOOPT;
	fd_close(fd);
	fd_close(pair[0]);
	fd_close(pair[1]);
	return has;
}

/* It may be the peer that is gone, about whom nothing is known then; or we could know, and have no
 * room for it: a rule that denies would not hold for that peer. */
static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM;
}

/* Before Linux 6.5 the kernel does not say it: then whoever has the pid now. Facts are read only of
 * one with the ids of the one that connected (facts.h); so if that one is gone, another process of
 * the same user can have been given its pid, and pass for it. Returns 0, with @identity->pidfd -1
 * where there is none; or -errno. */
static int get_pidfd(int sock, struct identity *identity)
{
	socklen_t size = sizeof(int);
	int fd = -1;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) < 0) {
		fd = -1;
		if (errno == ENOPROTOOPT && identity->pid > 0)
			fd = (int)syscall(SYS_pidfd_open, identity->pid, 0);
	}
	if (fd < 0 && is_shortage(errno))
		return -errno;
	identity->pidfd = fd;
	return 0;
}

int identity_init(struct identity *out, int sock)
{
	_cleanup_(identity_deinit) struct identity identity = {.pidfd = -1};
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
	if (r == 0)
		r = get_label(sock, &identity);
	if (r == 0)
		r = get_pidfd(sock, &identity);
	if (r < 0)
		return r;
	*out = identity;
	identity = (struct identity){.pidfd = -1};
	return 0;
}

void identity_deinit(struct identity *identity)
{
	free(TAKE_PTR(identity->groups));
	identity->n_groups = 0;
	for (int fact = 0; fact < IDENTITY_FACTS; fact++)
		free(TAKE_PTR(identity->facts[fact]));
	/* In a zeroed one it is 0, which never is one of ours. */
	if (identity->pidfd > 0)
		fd_close(identity->pidfd);
	identity->pidfd = -1;
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
