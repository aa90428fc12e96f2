// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/softdsp/supervisor.h"
#include "daemon/transport/softdsp.h"
#include "protocol/util.h"

#define EXIT_USAGE    2
#define OOM_SCORE_ADJ "500" /* of 1000, where the broker is at 0 */

static const char usage[] = "Usage: softdsp --modules DIR [--allow-unconfined]\n"
			    "\n"
			    "The software DSP of dspbroker. It is started by dspbrokerd, over "
			    "whose socket (descriptor 3)\n"
			    "it is told which modules to run; it is of no use by hand.\n"
			    "\n"
			    "      --modules DIR      where the modules lie, as libNAME_skel.so\n"
			    "      --allow-unconfined go on where the kernel cannot confine it\n"
			    "  -h, --help             show this text\n"
			    "  -V, --version          show the version\n";

static const struct option options[] = {
	{"modules", required_argument, NULL, 'm'},
	{"allow-unconfined", no_argument, NULL, 'u'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{},
};

static bool is_broker_socket(int fd)
{
	int type;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

/* Hold nothing that a domain could inherit: no descriptor of the broker's, and nothing to read or
 * print to. stderr stays, for diagnostics. */
static int clean_fds(void)
{
	_cleanup_(fd_closep) int null = -1;

	if (close_range(SOFT_SUPERVISOR_FD + 1, ~0U, 0) < 0)
		return -errno;
	if (fcntl(SOFT_SUPERVISOR_FD, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return -errno;
	if (dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		return -errno;
	return 0;
}

/* When memory is short the kernel ends a process, the largest one; a domain, then, before the
 * broker (proc(5), oom_score_adj). Where there is no /proc it decides by itself. */
static void step_forward(void)
{
	_cleanup_(fd_closep) int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, OOM_SCORE_ADJ, strlen(OOM_SCORE_ADJ)) < 0)
		fprintf(stderr, "softdsp: oom_score_adj: %s\n", strerror(errno));
}

static int fail(const char *what, int error)
{
	fprintf(stderr, "softdsp: %s: %s\n", what, strerror(-error));
	return EXIT_FAILURE;
}

static int run(const char *modules, bool may_lack)
{
	_cleanup_(confine_deinit) struct confinement confinement = {.files = LANDLOCK_NONE};
	int r;

	if (chdir(modules) < 0)
		return fail(modules, -errno);
	r = clean_fds();
	if (r < 0)
		return fail("cannot arrange its descriptors", r);
	step_forward();
	/* A further heap asks about the machine when it shrinks, which a domain may not. */
	mallopt(M_ARENA_MAX, 1);
	r = confine_init(&confinement, may_lack);
	if (r < 0)
		return EXIT_FAILURE;
	r = supervisor_run(SOFT_SUPERVISOR_FD, &confinement);
	return r < 0 ? fail("the supervisor ends", r) : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const char *modules = NULL;
	bool may_lack = false;
	int option;

	while ((option = getopt_long(argc, argv, "hV", options, NULL)) >= 0) {
		switch (option) {
		case 'm':
			modules = optarg;
			break;
		case 'u':
			may_lack = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		case 'V':
			puts("softdsp " DSP_VERSION);
			return EXIT_SUCCESS;
		default:
			return EXIT_USAGE;
		}
	}
	if (!is_broker_socket(SOFT_SUPERVISOR_FD)) {
		fputs("softdsp: it is started by dspbrokerd, not by hand (see --help)\n", stderr);
		return EXIT_USAGE;
	}
	if (!modules || optind < argc) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	return run(modules, may_lack);
}
