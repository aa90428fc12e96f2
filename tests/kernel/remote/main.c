// SPDX-License-Identifier: MIT
/*
 * remote: plays the remote processor for a guest kernel, as long as that one runs.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "protocol/util.h"
#include "tests/kernel/remote/control.h"
#include "tests/kernel/remote/dsp.h"
#include "tests/kernel/remote/iommu.h"
#include "tests/kernel/remote/loop.h"
#include "tests/kernel/remote/rpmsg.h"

#define CONTROL_FD 3 /* in the guest's process */

struct program {
	struct loop loop;
	struct rpmsg rpmsg;
	struct iommu iommu;
	struct control control;
	struct source signals;
	pid_t guest;
};

static void usage(FILE *file)
{
	fprintf(file,
		"usage: remote FOLDER COMMAND [ARGUMENT]...\n"
		"Serve rpmsg.sock and iommu.sock in FOLDER over vhost-user while COMMAND runs,\n"
		"and end as it does. It finds a control connection as its descriptor 3.\n");
}

static void run_guest(int control, char *const *command)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* Both may be the same; then only the flag has to go. */
	if (control == CONTROL_FD ? fcntl(control, F_SETFD, 0) == 0
				  : dup2(control, CONTROL_FD) >= 0)
		execvp(command[0], command);
	fprintf(stderr, "remote: %s: %s\n", command[0], strerror(errno));
	_exit(127);
}

static int start_guest(struct program *program, char *const *command)
{
	_cleanup_(fd_closep) int theirs = -1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	theirs = pair[1];
	program->guest = fork();
	if (program->guest == 0)
		run_guest(theirs, command);
	if (program->guest < 0) {
		fd_close(pair[0]);
		return -errno;
	}
	return control_init(&program->control, &program->loop, pair[0], &program->rpmsg,
		&program->iommu);
}

static void signals_ready(struct source *source)
{
	struct program *program = container_of(source, struct program, signals);
	struct signalfd_siginfo info;
	int status;

	if (read(source->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo != SIGCHLD)
		kill(program->guest, SIGTERM);
	else if (waitpid(program->guest, &status, WNOHANG) == program->guest)
		loop_exit(&program->loop,
			WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static int watch_signals(struct program *program)
{
	static const int wanted[] = {SIGCHLD, SIGHUP, SIGINT, SIGTERM};
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		sigaddset(&set, wanted[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	program->signals.ready = signals_ready;
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	return fd < 0 ? -errno : source_open(&program->signals, &program->loop, fd);
}

static int run(struct program *program, const char *folder, char *const *command)
{
	char path[4096];
	int r = loop_init(&program->loop);

	if (r >= 0) {
		snprintf(path, sizeof(path), "%s/rpmsg.sock", folder);
		r = rpmsg_init(&program->rpmsg, &program->loop, path);
	}
	if (r >= 0) {
		snprintf(path, sizeof(path), "%s/iommu.sock", folder);
		r = iommu_init(&program->iommu, &program->loop, path);
	}
	if (r >= 0)
		r = dsp_init(&program->loop, &program->iommu);
	if (r >= 0)
		r = watch_signals(program);
	if (r >= 0)
		r = start_guest(program, command);
	if (r >= 0)
		r = loop_run(&program->loop);
	return r;
}

int main(int argc, char **argv)
{
	static struct program program; /* lives as long as the process */
	int r;

	/* Who started us may be killed. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		puts("The control connection takes these lines:");
		control_help();
		return EXIT_SUCCESS;
	}
	if (argc < 3) {
		usage(stderr);
		return 2;
	}
	r = run(&program, argv[1], argv + 2);
	if (r < 0)
		fprintf(stderr, "remote: %s\n", strerror(-r));
	return r < 0 ? EXIT_FAILURE : r;
}
