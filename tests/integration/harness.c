// SPDX-License-Identifier: MIT
#include "daemon/limits.h"
#include "tests/fds.h"
#include "tests/integration/process.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define LISTEN_FD 3 /* sd_listen_fds(3) */

static char stage[64];                /* holds programs, modules and the brokers' folders */
static const struct harness *running; /* whose log is of interest when the test fails */

/* Failure. */

static void show_log(void)
{
	char line[1024];
	FILE *file = running ? fopen(running->log, "re") : NULL;

	if (!file)
		return;
	fprintf(stderr, "The broker's log:\n");
	while (fgets(line, sizeof(line), file))
		fprintf(stderr, "  | %s", line);
	fclose(file);
}

noreturn void harness_fail(const char *file, int line, const char *format, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (process_link >= 0) {
		fprintf(stderr, "client %d: %s:%d: %s\n", getpid(), file, line, text);
		_exit(EXIT_FAILURE);
	}
	show_log();
	if (running && running->pid)
		kill(running->pid, SIGKILL);
	_ck_assert_failed(file, line, "Failed", "%s", text);
	abort(); /* not reached */
}

/* What all tests of a program share. */

bool harness_has_users(void)
{
	if (!process_is_root())
		fprintf(stderr, "SKIPPED: only root can run processes as several users\n");
	return process_is_root();
}

bool harness_has_files(void)
{
	struct rlimit files;

	require_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
	if (files.rlim_max >= 2 * LIMIT_USER_FDS + LIMIT_FDS_RESERVE)
		return true;
	fprintf(stderr, "SKIPPED: too few descriptors may be open\n");
	return false;
}

const char *harness_program(const char *name)
{
	static char paths[8][PATH_MAX];
	static unsigned int next;
	char *path = paths[next++ % ARRAY_SIZE(paths)];

	snprintf(path, sizeof(paths[0]), "%s/%s", stage, name);
	return path;
}

/* What a broker that a failed test left behind takes away first is gone as well. */
static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	(void)remove(path);
	return 0;
}

static void run_program(const char *const *argv)
{
	int status;
	pid_t pid = must(fork());

	if (pid == 0) {
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	must(waitpid(pid, &status, 0));
	if (status) {
		fprintf(stderr, "%s failed\n", argv[0]);
		exit(EXIT_FAILURE);
	}
}

/* A build may lie where the other users must not look, so copy what they run. */
static void make_stage(void)
{
	static const char *const names[] = {
		"dspbrokerd", "dspbroker-who", "softdsp", "dspctl", "modules"};
	const char *build = getenv("DSP_BUILD"), *copy[ARRAY_SIZE(names) + 5] = {"cp", "-r", "--"};
	char paths[ARRAY_SIZE(names)][PATH_MAX];

	if (!build) {
		fprintf(stderr, "DSP_BUILD must name the build folder\n");
		exit(EXIT_FAILURE);
	}
	strcpy(stage, "/tmp/dspbroker-test.XXXXXX");
	if (!mkdtemp(stage) || chmod(stage, 0755) < 0) {
		perror(stage);
		exit(EXIT_FAILURE);
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/%s", build, names[i]);
		copy[3 + i] = paths[i];
	}
	copy[3 + ARRAY_SIZE(names)] = stage;
	run_program(copy);
	run_program((const char *const[]){"chmod", "-R", "a+rX", stage, NULL});
}

int harness_main(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	umask(022);
	make_stage();
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	nftw(stage, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* The broker's life. */

void harness_prepare(struct harness *harness)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*harness = (struct harness){.notify = -1};
	snprintf(harness->dir, sizeof(harness->dir), "%s/XXXXXX", stage);
	require(mkdtemp(harness->dir));
	must(chmod(harness->dir, 0755));
	if (process_is_root())
		must(chown(harness->dir, BROKER_UID, BROKER_UID));
	snprintf(harness->socket, sizeof(harness->socket), "%.90s/broker.sock", harness->dir);
	snprintf(harness->policy, sizeof(harness->policy), "%s/policy.d", harness->dir);
	snprintf(harness->log, sizeof(harness->log), "%s/log", harness->dir);
	snprintf(harness->coredumps, sizeof(harness->coredumps), "%s/coredumps", harness->dir);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", harness->dir);
	harness->notify = must(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	must(bind(harness->notify, (struct sockaddr *)&address, sizeof(address)));
	must(chmod(address.sun_path, 0666));
	/* What a broker leaves behind becomes our child, and is found. qemu 7.2 does not know how.
	 */
	if (!emulated())
		must(prctl(PR_SET_CHILD_SUBREAPER, 1));
}

void harness_set_policy(const struct harness *harness, const char *policy)
{
	char path[sizeof(harness->policy) + 16], fresh[sizeof(path) + 8];
	FILE *file;

	snprintf(path, sizeof(path), "%s/test.json", harness->policy);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	file = fopen(fresh, "we");
	require(file && fputs(policy, file) >= 0 && fclose(file) == 0);
	must(rename(fresh, path));
}

/* Once: a broker that is started again finds what is there. */
static void write_policy(const struct harness *harness, const char *policy)
{
	if (mkdir(harness->policy, 0755) == 0 && policy)
		harness_set_policy(harness, policy);
}

/* In the child: what sd_listen_fds(3) and sd_watchdog_enabled(3) expect. */
static void set_number(const char *name, unsigned int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	must(setenv(name, text, 1));
}

static void hand_over(const struct harness_options *options)
{
	/* Out of the way of each other. */
	const int fds[] = {must(fcntl(options->activated, F_DUPFD_CLOEXEC, LISTEN_FD + 2)),
		options->uevent ? must(fcntl(options->uevent, F_DUPFD_CLOEXEC, LISTEN_FD + 2))
				: -1};
	int n = options->uevent ? 2 : 1;

	for (int i = 0; i < n; i++)
		must(dup2(fds[i], LISTEN_FD + i));
	set_number("LISTEN_FDS", (unsigned int)n);
	set_number("LISTEN_PID", (unsigned int)getpid());
	if (options->uevent)
		must(setenv("LISTEN_FDNAMES", "clients:uevent", 1));
}

static void watch(unsigned int us)
{
	if (!us)
		return;
	set_number("WATCHDOG_USEC", us);
	set_number("WATCHDOG_PID", (unsigned int)getpid());
}

static const char *either(const char *given, const char *otherwise)
{
	return given ? given : otherwise;
}

/* The program that is to start the broker in its place, as its own process; NULL: none. */
static const char *wrapper(void)
{
	return getenv("DSP_BROKER_WRAPPER");
}

/* In the child. */
static void exec_broker(const struct harness *harness, const struct harness_options *options)
{
	const char *all[24] = {wrapper(), harness_program("dspbrokerd"), "--policy",
		harness->policy, "--modules", either(options->modules, harness_program("modules")),
		"--softdsp", either(options->softdsp, harness_program("softdsp")), "--coredumps",
		either(options->coredumps, harness->coredumps), "--who",
		harness_program("dspbroker-who")};
	const char **argv = all + 1;
	char address[PATH_MAX];
	size_t n = 11;
	int log = must(open(harness->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));

	must(dup2(log, STDOUT_FILENO));
	must(dup2(log, STDERR_FILENO));
	snprintf(address, sizeof(address), "%s/notify", harness->dir);
	must(setenv("NOTIFY_SOCKET", address, 1));
	if (options->user) {
		argv[n++] = "--user";
		argv[n++] = options->user;
	} else {
		process_become(BROKER_UID, NULL, 0);
	}
	if (options->watch_policy)
		argv[n++] = "--watch-policy";
	if (options->who_socket) {
		argv[n++] = "--who-socket";
		argv[n++] = options->who_socket;
	}
	if (options->option)
		argv[n++] = options->option;
	if (emulated())
		argv[n++] = "--allow-unconfined";
	watch(options->watchdog_us);
	if (options->activated) {
		hand_over(options);
	} else {
		argv[n++] = "--socket";
		argv[n++] = either(options->socket, harness->socket);
	}
	must(chdir("/"));
	argv = all[0] ? all : all + 1;
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

void harness_spawn(struct harness *harness, const struct harness_options *options)
{
	pid_t pid;

	write_policy(harness, options->policy);
	running = harness;
	pid = must(fork());
	if (pid == 0)
		exec_broker(harness, options);
	harness->pid = pid;
	process_add(pid);
}

void harness_start(struct harness *harness, const char *policy)
{
	harness_prepare(harness);
	harness_spawn(harness, &(struct harness_options){.policy = policy});
	harness_await_ready(harness);
}

/* Its exit status in *@status, if it has ended. */
static bool has_ended(struct harness *harness, int *status)
{
	if (harness->pid && must(waitpid(harness->pid, status, WNOHANG)) > 0) {
		process_remove(harness->pid);
		harness->pid = 0;
	}
	return !harness->pid;
}

/* What became of it is in the caller's hands; here is what must hold however it ended. */
static void take_down(struct harness *harness, int *status)
{
	const char *log;

	require_soon(has_ended(harness, status));
	/* A wrapper's own process may be there as long as any broker is. */
	require_soon(wrapper() || process_count_children(getpid(), NULL, NULL) == 0);
	log = process_read_text(harness->log);
	require(!strstr(log, "Sanitizer") && !strstr(log, "runtime error"));
	harness->notify = fd_close(harness->notify);
}

void harness_expect_exit(struct harness *harness, int code)
{
	int status = -1;

	take_down(harness, &status);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
		harness_fail(__FILE__, __LINE__,
			"the broker ended with wait status 0x%x, not code %d", (unsigned int)status,
			code);
	running = NULL;
}

void harness_kill(struct harness *harness)
{
	int status;

	must(kill(harness->pid, SIGKILL));
	take_down(harness, &status);
	running = NULL;
}

void harness_stop(struct harness *harness)
{
	if (!harness->pid)
		return;
	must(kill(harness->pid, SIGTERM));
	harness_expect_exit(harness, EXIT_SUCCESS);
}

/* Take one message of the broker to its service manager, if there is one. */
static bool take_notification(struct harness *harness)
{
	size_t used = strlen(harness->notified), room = sizeof(harness->notified) - used;
	ssize_t n;

	require(room > 1);
	n = recv(harness->notify, harness->notified + used, room - 2, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return false;
	harness->notified[used + (size_t)must(n)] = '\n';
	return true;
}

void harness_await_notification(struct harness *harness, const char *text)
{
	uint64_t since = harness_now_ms();
	int status = 0;

	while (!strstr(harness->notified, text)) {
		if (take_notification(harness))
			continue;
		if (has_ended(harness, &status))
			harness_fail(__FILE__, __LINE__, "it ended (0x%x) before it said %s",
				(unsigned int)status, text);
		harness_wait_a_little(__FILE__, __LINE__, text, since);
	}
}

void harness_await_ready(struct harness *harness)
{
	harness_await_notification(harness, "READY=1");
}

/* Looking at it. */

bool harness_logged(const struct harness *harness, const char *text)
{
	return strstr(process_read_text(harness->log), text);
}

size_t harness_fds(const struct harness *harness)
{
	return count_fds(harness->pid);
}

size_t harness_mappings(const struct harness *harness, const char *text)
{
	char path[64], line[PATH_MAX + 128];
	size_t n = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", harness->pid);
	maps = fopen(path, "re");
	require(maps);
	while (fgets(line, sizeof(line), maps))
		n += strstr(line, text) != NULL;
	fclose(maps);
	return n;
}

size_t harness_rss_kib(const struct harness *harness)
{
	char path[64];
	const char *rss;
	size_t kib;

	snprintf(path, sizeof(path), "/proc/%d/status", harness->pid);
	rss = strstr(process_read_text(path), "VmRSS:");
	require(rss && sscanf(rss, "VmRSS: %zu", &kib) == 1);
	return kib;
}

pid_t harness_supervisor(const struct harness *harness)
{
	pid_t pid = 0;

	require_eq(process_count_children(harness->pid, "softdsp", &pid), 1);
	return pid;
}

size_t harness_domains(const struct harness *harness)
{
	return process_count_children(harness_supervisor(harness), NULL, NULL);
}

int harness_run_program(const char *program, uid_t uid, const char **output,
	const char *const *args)
{
	const char *argv[32] = {harness_program(program)};
	char path[] = "/tmp/dspbroker-output.XXXXXX";
	int fd = must(mkstemp(path)), status;
	pid_t pid;

	for (size_t i = 1; *args; i++) {
		require(i + 1 < ARRAY_SIZE(argv));
		argv[i] = *args++;
	}
	pid = must(fork());
	if (pid == 0) {
		must(dup2(fd, STDOUT_FILENO));
		must(dup2(fd, STDERR_FILENO));
		process_become(uid, NULL, 0);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	must(waitpid(pid, &status, 0));
	fd_close(fd);
	*output = process_read_text(path);
	unlink(path);
	require(WIFEXITED(status));
	return WEXITSTATUS(status);
}
