// SPDX-License-Identifier: MIT
/* dspbrokerd: options in, exit code out. */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <systemd/sd-daemon.h>

#include "daemon/broker.h"
#include "daemon/log.h"
#include "protocol/util.h"

#define EXIT_USAGE    2
#define COREDUMPS_DIR "/var/lib/dspbroker/coredumps"

static const char usage[] =
	"Usage: dspbrokerd [OPTIONS]\n"
	"Broker the DSPs of this machine to programs that have no rights on them.\n"
	"\n"
	"  --socket PATH      listen on PATH; without it systemd must hand over a socket\n"
	"  --policy DIR       read policy from DIR alone, instead of\n"
	"                     " POLICY_DIR_VENDOR " and " POLICY_DIR_ADMIN "\n"
	"  --modules DIR      modules of the software DSP [" DSP_MODULES_DIR "]\n"
	"  --softdsp PROGRAM  the software DSP itself [" DSP_SOFTDSP_PATH "]\n"
	"  --coredumps DIR    where core dumps of remote processors go\n"
	"                     [" COREDUMPS_DIR "]\n"
	"  --user USER        become USER once everything is set up\n"
	"  --who PATH         program that tells who a client is [" DSP_WHO_PATH "]\n"
	"  --who-socket PATH  where that program listens already, instead of starting it\n"
	"  --allow-unconfined go on, with a warning, where the kernel cannot confine the broker\n"
	"  --watch-policy     read the policy again when its files change\n"
	"  --drm-render-nodes look for DSPs at DRM's render nodes, too, for kernels without\n"
	"                     /dev/accel\n"
	"  --help, --version\n"
	"\n"
	"It stays in the foreground. SIGTERM and SIGINT end it, after calls that run; SIGHUP has "
	"it\n"
	"read the policy again.\n"
	"Exit codes: 0 ended on request, 1 failed, 2 wrong usage. See dspbrokerd(8).\n";

static const struct option long_options[] = {
	{"socket", required_argument, NULL, 's'},
	{"policy", required_argument, NULL, 'p'},
	{"modules", required_argument, NULL, 'm'},
	{"softdsp", required_argument, NULL, 'd'},
	{"coredumps", required_argument, NULL, 'c'},
	{"user", required_argument, NULL, 'u'},
	{"who", required_argument, NULL, 'w'},
	{"who-socket", required_argument, NULL, 'S'},
	{"allow-unconfined", no_argument, NULL, 'U'},
	{"watch-policy", no_argument, NULL, 'W'},
	{"drm-render-nodes", no_argument, NULL, 'R'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{},
};

/* Returns -1 to go on, or an exit code. */
static int parse(struct broker_options *options, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
		switch (c) {
		case 's':
			options->socket = optarg;
			break;
		case 'p':
			options->policy_dir = optarg;
			break;
		case 'm':
			options->modules = optarg;
			break;
		case 'd':
			options->softdsp = optarg;
			break;
		case 'c':
			options->coredumps = optarg;
			break;
		case 'u':
			options->user = optarg;
			break;
		case 'w':
			options->who = optarg;
			break;
		case 'S':
			options->who_socket = optarg;
			break;
		case 'U':
			options->allow_unconfined = true;
			break;
		case 'W':
			options->watch_policy = true;
			break;
		case 'R':
			options->drm_render_nodes = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		case 'V':
			puts("dspbrokerd " DSP_VERSION);
			return EXIT_SUCCESS;
		default:
			fputs("Try 'dspbrokerd --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "dspbrokerd: unexpected argument '%s'\n", argv[optind]);
		return EXIT_USAGE;
	}
	return -1;
}

/* What we open must not become a standard stream that whoever started us has closed: messages would
 * go there. */
static void hold_standard_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			open("/", O_RDONLY | O_DIRECTORY);
}

/* What the service manager does not hand over is nobody's here. */
static void drop_others(void)
{
	const int n = sd_listen_fds(0);

	syscall(SYS_close_range, SD_LISTEN_FDS_START + (unsigned int)MAX(n, 0), ~0u, 0);
}

int main(int argc, char **argv)
{
	struct broker_options options = {
		.modules = DSP_MODULES_DIR,
		.softdsp = DSP_SOFTDSP_PATH,
		.who = DSP_WHO_PATH,
		.coredumps = COREDUMPS_DIR,
		.sysfs = "/sys",
		.dev = "/dev",
	};
	struct broker broker;
	int code;

	hold_standard_streams();
	drop_others();
	code = parse(&options, argc, argv);
	if (code >= 0)
		return code;
	log_init();
	code = EXIT_FAILURE;
	if (broker_init(&broker, &options) >= 0)
		code = broker_run(&broker);
	broker_deinit(&broker);
	return code;
}
