// SPDX-License-Identifier: MIT
#include "tests/bench/service.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol/util.h"

static void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void write_policy(const struct service *service, const char *policy)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/policy", service->directory);
	if (mkdir(path, 0755) < 0)
		die(path);
	snprintf(path, sizeof(path), "%s/policy/bench.json", service->directory);
	file = fopen(path, "we");
	if (!file || fputs(policy, file) < 0 || fclose(file) != 0)
		die(path);
}

/* In the child: become the broker. */
static void exec_broker(const struct service *service, const char *notify, uid_t uid)
{
	const char *build = getenv("DSP_BUILD");
	char program[PATH_MAX], modules[PATH_MAX], softdsp[PATH_MAX], directory[128];

	if (!build)
		build = "build";
	snprintf(program, sizeof(program), "%s/dspbrokerd", build);
	snprintf(modules, sizeof(modules), "%s/modules", build);
	snprintf(softdsp, sizeof(softdsp), "%s/softdsp", build);
	snprintf(directory, sizeof(directory), "%s/policy", service->directory);
	setenv("NOTIFY_SOCKET", notify, 1);
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
				      setresuid(uid, uid, uid) < 0))
		die("cannot become another user");
	execl(program, program, "--socket", service->socket, "--policy", directory, "--modules",
		modules, "--softdsp", softdsp, NULL);
	die(program);
}

/* sd_notify(3): the broker says READY=1 on a datagram socket. */
static void wait_ready(int sock, pid_t pid)
{
	char text[256] = "";

	while (!strstr(text, "READY=1")) {
		struct timeval second = {.tv_sec = 1};
		ssize_t n;

		setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
		n = recv(sock, text, sizeof(text) - 1, 0);
		if (n >= 0)
			text[n] = '\0';
		if (waitpid(pid, NULL, WNOHANG) != 0) {
			errno = ECHILD;
			die("the broker ended at start");
		}
	}
}

void service_start(struct service *service, const char *policy, uid_t uid)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int sock;

	snprintf(service->directory, sizeof(service->directory), "/tmp/dspbroker-bench-XXXXXX");
	if (!mkdtemp(service->directory))
		die("cannot make a directory");
	if (chmod(service->directory, 0755) < 0 ||
		(geteuid() == 0 && chown(service->directory, uid, uid) < 0))
		die(service->directory);
	snprintf(service->socket, sizeof(service->socket), "%s/socket", service->directory);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", service->directory);
	write_policy(service, policy);
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || bind(sock, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		chmod(address.sun_path, 0666) < 0)
		die(address.sun_path);
	service->pid = fork();
	if (service->pid < 0)
		die("cannot fork");
	if (service->pid == 0)
		exec_broker(service, address.sun_path, uid);
	wait_ready(sock, service->pid);
	fd_close(sock);
}

void service_stop(struct service *service)
{
	static const char *const files[] = {"socket", "notify", "policy/bench.json", "policy", ""};
	char path[128];
	int status;

	kill(service->pid, SIGTERM);
	if (waitpid(service->pid, &status, 0) < 0)
		die("cannot wait for the broker");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", service->directory, files[i]);
		remove(path);
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		errno = ECHILD;
		die("the broker did not end well");
	}
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
