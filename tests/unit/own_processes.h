// SPDX-License-Identifier: MIT
/* For tests that look at every process there is: a /proc that shows only ours. On a machine of
 * others, or in a sandbox, not even root may look at all of them. */
#ifndef DSP_TESTS_OWN_PROCESSES_H
#define DSP_TESTS_OWN_PROCESSES_H

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

/* At the start of main(): the rest of it runs in namespaces of its own. False: that cannot be had,
 * and nothing has changed. */
static inline bool own_processes(void)
{
	int status = EXIT_FAILURE;
	pid_t pid;

	if (geteuid() != 0 || unshare(CLONE_NEWPID | CLONE_NEWNS) < 0) {
		fprintf(stderr, "SKIPPED: no processes of our own alone can be had: not root\n");
		return false;
	}
	fflush(NULL);
	pid = fork();
	if (pid > 0)
		waitpid(pid, &status, 0);
	/* Without exit(), where a sanitizer needs a process: none can be made here. */
	if (pid)
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) {
		perror("/proc");
		exit(EXIT_FAILURE);
	}
	return true;
}

#endif
