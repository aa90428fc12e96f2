// SPDX-License-Identifier: MIT
#include "tests/bench/peer.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/sample.h"

void peer_follow(pid_t benchmark)
{
	must_errno(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
	if (getppid() != benchmark) /* it ended before it could be noticed */
		_exit(EXIT_FAILURE);
}

pid_t peer_start(void (*serve)(void *data), void *data)
{
	pid_t benchmark = getpid(), pid;

	pid = must_errno(fork(), "fork");
	if (pid == 0) {
		peer_follow(benchmark);
		serve(data);
		_exit(EXIT_SUCCESS);
	}
	return pid;
}

void peer_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	must_errno(waitpid(pid, NULL, 0), "waitpid");
}
