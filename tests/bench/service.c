// SPDX-License-Identifier: MIT
#include "tests/bench/service.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol/util.h"
#include "tests/bench/peer.h"

void service_built(char path[SERVICE_PATH_MAX], const char *file)
{
	const char *build = getenv("DSP_BUILD");

	snprintf(path, SERVICE_PATH_MAX, "%s/%s", build ? build : "build", file);
}

static void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

/* Folders that are there. */

static struct {
	pid_t maker;                 /* what it forks has the list, too, but not the folders */
	char paths[4][FOLDER_BYTES]; /* or "" */
} folders;

static void remove_policy(const char *folder)
{
	char path[128];
	struct dirent *entry;
	DIR *directory;

	snprintf(path, sizeof(path), "%s/policy", folder);
	directory = opendir(path);
	while (directory && (entry = readdir(directory)))
		unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
	rmdir(path);
}

static void remove_folder(char *folder)
{
	static const char *const files[] = {"socket", "notify", "bus", "bus.conf", "log", ""};
	char path[128];

	remove_policy(folder);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		remove(path);
	}
	*folder = '\0';
}

static void remove_folders(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(folders.paths) && getpid() == folders.maker; i++)
		if (*folders.paths[i])
			remove_folder(folders.paths[i]);
}

static void end(int number)
{
	if (getpid() != folders.maker)
		_exit(EXIT_FAILURE);
	exit(128 + number);
}

static void remove_folders_at_end(void)
{
	const struct sigaction action = {.sa_handler = end, .sa_flags = (int)SA_RESETHAND};

	memset(&folders, 0, sizeof(folders));
	folders.maker = getpid();
	atexit(remove_folders);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

void folder_make(char folder[FOLDER_BYTES])
{
	size_t i = 0;

	if (getpid() != folders.maker)
		remove_folders_at_end();
	while (i < ARRAY_SIZE(folders.paths) && *folders.paths[i])
		i++;
	errno = ENOSPC;
	snprintf(folder, FOLDER_BYTES, "/tmp/dspbroker-bench-XXXXXX");
	if (i == ARRAY_SIZE(folders.paths) || !mkdtemp(folder))
		die("cannot make a folder");
	memcpy(folders.paths[i], folder, FOLDER_BYTES);
}

void folder_remove(const char *folder)
{
	for (size_t i = 0; i < ARRAY_SIZE(folders.paths); i++)
		if (!strcmp(folders.paths[i], folder))
			remove_folder(folders.paths[i]);
}

void folder_print_log(const char *folder)
{
	char path[128], line[512];
	FILE *log;

	snprintf(path, sizeof(path), "%s/log", folder);
	log = fopen(path, "re");
	while (log && fgets(line, sizeof(line), log))
		fputs(line, stderr);
	if (log)
		fclose(log);
}

/* The broker. */

/* What the broker said is of interest when something goes wrong. */
static void die_of_broker(const struct service *service, const char *what)
{
	folder_print_log(service->directory);
	errno = ECHILD;
	die(what);
}

static void write_policy(const struct service *service, const char *policy)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/bench.json", service->policy);
	file = fopen(path, "we");
	if (!file || fputs(policy, file) < 0 || fclose(file) != 0)
		die(path);
}

/* In the child: its messages are not to stand in our table. */
static void redirect_messages(const struct service *service)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/log", service->directory);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
		die(path);
}

/* In the child: become that user, with the two capabilities that a service manager would leave for
 * the program that tells who clients are (capabilities(7)). */
static void become(uid_t uid)
{
	static const unsigned int kept[] = {CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH};
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	if (setgroups(0, NULL) < 0 || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ||
		setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		die("cannot become another user");
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		data[CAP_TO_INDEX(kept[i])].permitted |= CAP_TO_MASK(kept[i]);
	data[0].inheritable = data[0].permitted;
	/* Who is root in a container may lack them. */
	if (syscall(SYS_capset, &header, data) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, kept[i], 0, 0);
}

/* In the child: become the broker. */
static void exec_broker(const struct service *service, const char *notify, uid_t uid,
	pid_t benchmark)
{
	char program[SERVICE_PATH_MAX], modules[SERVICE_PATH_MAX], softdsp[SERVICE_PATH_MAX];
	char who[SERVICE_PATH_MAX];

	service_built(program, "dspbrokerd");
	service_built(modules, "modules");
	service_built(softdsp, "softdsp");
	service_built(who, "dspbroker-who");
	setenv("NOTIFY_SOCKET", notify, 1);
	if (geteuid() == 0 && uid != 0)
		become(uid);
	redirect_messages(service);
	peer_follow(benchmark); /* a change of user would undo it */
	execl(program, program, "--socket", service->socket, "--policy", service->policy,
		"--modules", modules, "--softdsp", softdsp, "--who", who, NULL);
	die(program);
}

/* sd_notify(3): the broker says READY=1 on a datagram socket. */
static void wait_ready(const struct service *service, int sock)
{
	char text[256] = "";

	while (!strstr(text, "READY=1")) {
		struct timeval second = {.tv_sec = 1};
		ssize_t n;

		setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
		n = recv(sock, text, sizeof(text) - 1, 0);
		if (n >= 0)
			text[n] = '\0';
		if (waitpid(service->pid, NULL, WNOHANG) != 0)
			die_of_broker(service, "the broker ended at start");
	}
}

void service_prepare(struct service *service, uid_t uid)
{
	folder_make(service->directory);
	snprintf(service->socket, sizeof(service->socket), "%s/socket", service->directory);
	snprintf(service->policy, sizeof(service->policy), "%s/policy", service->directory);
	if (chmod(service->directory, 0755) < 0 || mkdir(service->policy, 0755) < 0 ||
		(geteuid() == 0 && chown(service->directory, uid, uid) < 0))
		die(service->directory);
}

void service_run(struct service *service, uid_t uid)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	pid_t benchmark = getpid();
	int sock;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", service->directory);
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || bind(sock, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		chmod(address.sun_path, 0666) < 0)
		die(address.sun_path);
	service->pid = fork();
	if (service->pid < 0)
		die("cannot fork");
	if (service->pid == 0)
		exec_broker(service, address.sun_path, uid, benchmark);
	wait_ready(service, sock);
	fd_close(sock);
}

void service_start(struct service *service, const char *policy, uid_t uid)
{
	service_prepare(service, uid);
	write_policy(service, policy);
	service_run(service, uid);
}

void service_stop(struct service *service)
{
	int status;

	kill(service->pid, SIGTERM);
	if (waitpid(service->pid, &status, 0) < 0)
		die("cannot wait for the broker");
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		die_of_broker(service, "the broker did not end well");
	folder_remove(service->directory);
}

uint64_t service_rss(const struct service *service)
{
	char path[64], line[128];
	uint64_t kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", service->pid);
	file = fopen(path, "re");
	if (!file)
		die(path);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "VmRSS:", 6))
			kib = strtoull(line + 6, NULL, 10);
	fclose(file);
	return kib * 1024;
}
