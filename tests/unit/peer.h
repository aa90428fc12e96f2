// SPDX-License-Identifier: MIT
/* Processes to be looked at, for test_facts.c and test_who.c. */
#ifndef DSP_TESTS_PEER_H
#define DSP_TESTS_PEER_H

#include <check.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "policy/facts.h"
#include "tests/emulated.h"

struct peer {
	pid_t pid;
	int pidfd;
	uid_t uid;
	gid_t gid;
};

/* Start one as that user; @prepare (may be NULL) is called before it becomes him, and returns
 * whether that went well. It stays until peer_end(). */
static inline void peer_start_as(struct peer *peer, uid_t uid, bool (*prepare)(const void *data),
	const void *data)
{
	int ready[2];
	char byte;

	*peer = (struct peer){.uid = uid, .gid = uid};
	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	peer->pid = fork();
	ck_assert_int_ge(peer->pid, 0);
	if (peer->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (prepare && !prepare(data))
			_exit(1);
		if (uid != geteuid() && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
						setresuid(uid, uid, uid) < 0))
			_exit(2);
		if (write(ready[1], "", 1) != 1)
			_exit(3);
		for (;;)
			pause();
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	peer->pidfd = (int)syscall(SYS_pidfd_open, peer->pid, 0);
	ck_assert_int_ge(peer->pidfd, 0);
}

static inline void peer_start(struct peer *peer, uid_t uid)
{
	peer_start_as(peer, uid, NULL, NULL);
}

/* It ends, but its pid stays its own until peer_end(). */
static inline void peer_kill(struct peer *peer)
{
	siginfo_t info;

	kill(peer->pid, SIGKILL);
	ck_assert_int_eq(waitid(P_PID, (id_t)peer->pid, &info, WEXITED | WNOWAIT), 0);
}

static inline void peer_end(struct peer *peer)
{
	kill(peer->pid, SIGKILL);
	waitpid(peer->pid, NULL, 0);
	close(peer->pidfd);
}

/* The path of this very program. */
static inline const char *peer_executable(void)
{
	static char path[4096];
	ssize_t n = readlink(emulated_exe(), path, sizeof(path) - 1);

	ck_assert_int_gt(n, 0);
	path[n] = '\0';
	return path;
}

#endif
