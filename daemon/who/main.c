// SPDX-License-Identifier: MIT
/* dspbroker-who: looks at programs that connect to the broker; see daemon/who.h. */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "daemon/who/confine.h"
#include "daemon/who/look.h"
#include "daemon/who/question.h"
#include "protocol/util.h"

#define EXIT_USAGE 2

static const char usage[] =
	"Usage: dspbroker-who [--allow-unconfined]\n"
	"\n"
	"Looks at programs that connect to dspbrokerd. It is started by it, or by systemd "
	"for it,\n"
	"and asked over the socket that is descriptor 3; it is of no use by hand.\n"
	"\n"
	"      --allow-unconfined  go on where the kernel cannot confine it\n"
	"  -h, --help              show this text\n"
	"  -V, --version           show the version\n";

static const struct option options[] = {
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

static int fail(const char *what, int error)
{
	fprintf(stderr, "dspbroker-who: %s: %s\n", what, strerror(-error));
	return EXIT_FAILURE;
}

/* What a terminal sends to the broker as well is the broker's to act upon. */
static void ignore_signals(void)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
}

static int run(bool may_lack)
{
	_cleanup_(fd_closep) int proc = -1;
	int r;

	ignore_signals();
	/* Which flags the socket has depends on who has started this. */
	if (close_range(WHO_FD + 1, ~0U, 0) < 0 || fcntl(WHO_FD, F_SETFD, FD_CLOEXEC) < 0 ||
		fcntl(WHO_FD, F_SETFL, 0) < 0)
		return fail("cannot arrange its descriptors", -errno);
	proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return fail("/proc", -errno);
	r = confine(may_lack);
	if (r < 0)
		return EXIT_FAILURE;
	r = look_run(WHO_FD, proc);
	return r < 0 ? fail("the link to the broker failed", r) : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	bool may_lack = false;
	int option;

	while ((option = getopt_long(argc, argv, "hV", options, NULL)) >= 0) {
		switch (option) {
		case 'u':
			may_lack = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		case 'V':
			puts("dspbroker-who " DSP_VERSION);
			return EXIT_SUCCESS;
		default:
			return EXIT_USAGE;
		}
	}
	if (!is_broker_socket(WHO_FD)) {
		fputs("dspbroker-who: it is started by dspbrokerd, not by hand (see --help)\n",
			stderr);
		return EXIT_USAGE;
	}
	if (optind < argc) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	return run(may_lack);
}
