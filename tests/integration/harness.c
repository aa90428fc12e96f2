// SPDX-License-Identifier: MIT
#include "tests/integration/harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#define LISTEN_FD    3 /* sd_listen_fds(3) */
#define TEXT_SIZE    (256 * 1024)
#define POLL_MS      5
#define CHILDREN_MAX 1024

static char stage[64];               /* holds programs, modules and the brokers' folders */
static int client_link = -1;         /* in a client: to its test; this tells a client from a test */
static pid_t children[CHILDREN_MAX]; /* brokers and clients of this test that run; 0: free */
static const struct harness *running; /* whose log is of interest when the test fails */

/* Provided by the run-time of the address sanitizer alone. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

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
	if (client_link >= 0) {
		fprintf(stderr, "client %d: %s:%d: %s\n", getpid(), file, line, text);
		_exit(EXIT_FAILURE);
	}
	show_log();
	if (running && running->pid)
		kill(running->pid, SIGKILL);
	_ck_assert_failed(file, line, "Failed", "%s", text);
	abort(); /* not reached */
}

#define must(r)                                                                          \
	({                                                                               \
		__typeof__(r) _r = (r);                                                  \
                                                                                         \
		if (_r < 0)                                                              \
			harness_fail(__FILE__, __LINE__, "%s: %s", #r, strerror(errno)); \
		_r;                                                                      \
	})

/* Waiting. */

bool harness_contains(const char *text, const char *part)
{
	return strstr(text, part);
}

uint64_t harness_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void harness_wait_a_little(const char *file, int line, const char *condition, uint64_t since_ms)
{
	if (harness_now_ms() - since_ms > HARNESS_PATIENCE_S * 1000)
		harness_fail(file, line, "it never came to this: %s", condition);
	poll(NULL, 0, POLL_MS);
}

static void await_input(int fd, const char *what)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	if (must(poll(&pollfd, 1, HARNESS_PATIENCE_S * 1000)) == 0)
		harness_fail(__FILE__, __LINE__, "waited in vain for %s", what);
}

/* Text of a file, up to TEXT_SIZE; "" when it cannot be read. Overwritten by the next call. */
static const char *read_text(const char *path)
{
	static char text[TEXT_SIZE];
	size_t n = 0;
	FILE *file = fopen(path, "re");

	if (file) {
		n = fread(text, 1, sizeof(text) - 1, file);
		fclose(file);
	}
	text[n] = '\0';
	return text;
}

/* What all tests of a program share. */

static bool is_root(void)
{
	return geteuid() == 0;
}

bool harness_has_users(void)
{
	if (!is_root())
		fprintf(stderr, "SKIPPED: only root can run processes as several users\n");
	return is_root();
}

const char *harness_program(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned int next;
	char *path = paths[next++ % ARRAY_SIZE(paths)];

	snprintf(path, sizeof(paths[0]), "%s/%s", stage, name);
	return path;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
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
	static const char *const names[] = {"dspbrokerd", "softdsp", "dspctl", "modules"};
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

/* Processes. */

/* In a child: become that user, who goes when the test goes. */
static void become(uid_t uid, const gid_t *groups, size_t n_groups)
{
	if (is_root()) {
		must(setgroups(n_groups, groups));
		must(setresgid(uid, uid, uid));
		must(setresuid(uid, uid, uid));
	}
	must(prctl(PR_SET_PDEATHSIG, SIGKILL));
	/* Or the leak check, which looks at its process from another, could not. */
	must(prctl(PR_SET_DUMPABLE, 1));
}

static pid_t *child_entry(pid_t pid)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (children[i] == pid)
			return &children[i];
	return NULL;
}

static void child_add(pid_t pid)
{
	pid_t *entry = child_entry(0);

	require(entry);
	*entry = pid;
}

static void child_remove(pid_t pid)
{
	*child_entry(pid) = 0;
}

/* "PID (NAME) STATE PPID ..." of proc(5). */
static bool read_stat(const char *pid, char *state, pid_t *parent)
{
	char path[64];
	const char *after_name;

	snprintf(path, sizeof(path), "/proc/%.16s/stat", pid);
	after_name = strrchr(read_text(path), ')');
	return after_name && sscanf(after_name, ") %c %d", state, parent) == 2;
}

/* Processes whose parent this is, with the pid of one; when it is ourselves, those that have ended
 * are taken away, and those that are known do not count. */
static size_t count_children(pid_t of, pid_t *one)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t n = 0;

	require(proc);
	while ((entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name), parent;
		char state;

		if (pid <= 0 || !read_stat(entry->d_name, &state, &parent) || parent != of)
			continue;
		if (of == getpid() && child_entry(pid))
			continue;
		if (of == getpid() && state == 'Z')
			waitpid(pid, NULL, 0);
		else if (state != 'Z')
			n++;
		if (one)
			*one = pid;
	}
	closedir(proc);
	return n;
}

/* The broker's life. */

void harness_prepare(struct harness *harness)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*harness = (struct harness){.notify = -1};
	snprintf(harness->dir, sizeof(harness->dir), "%s/XXXXXX", stage);
	require(mkdtemp(harness->dir));
	must(chmod(harness->dir, 0755));
	if (is_root())
		must(chown(harness->dir, BROKER_UID, BROKER_UID));
	snprintf(harness->socket, sizeof(harness->socket), "%.90s/broker.sock", harness->dir);
	snprintf(harness->policy, sizeof(harness->policy), "%s/policy.d", harness->dir);
	snprintf(harness->log, sizeof(harness->log), "%s/log", harness->dir);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", harness->dir);
	harness->notify = must(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	must(bind(harness->notify, (struct sockaddr *)&address, sizeof(address)));
	must(chmod(address.sun_path, 0666));
	/* What a broker leaves behind becomes our child, and is found. */
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
}

/* Once: a broker that is started again finds what is there. */
static void write_policy(const struct harness *harness, const char *policy)
{
	char path[sizeof(harness->policy) + 16];
	FILE *file;

	if (mkdir(harness->policy, 0755) < 0 || !policy)
		return;
	snprintf(path, sizeof(path), "%s/test.json", harness->policy);
	file = fopen(path, "we");
	require(file && fputs(policy, file) >= 0 && fclose(file) == 0);
}

/* In the child: what sd_listen_fds(3) expects. */
static void hand_over(int socket)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	must(setenv("LISTEN_FDS", "1", 1));
	must(setenv("LISTEN_PID", pid, 1));
	must(dup2(socket, LISTEN_FD));
	must(fcntl(LISTEN_FD, F_SETFD, 0));
}

static const char *either(const char *given, const char *otherwise)
{
	return given ? given : otherwise;
}

/* In the child. */
static void exec_broker(const struct harness *harness, const struct harness_options *options)
{
	const char *argv[12] = {harness_program("dspbrokerd"), "--policy", harness->policy,
		"--modules", either(options->modules, harness_program("modules")), "--softdsp",
		either(options->softdsp, harness_program("softdsp"))};
	char address[PATH_MAX];
	size_t n = 7;
	int log = must(open(harness->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));

	must(dup2(log, STDOUT_FILENO));
	must(dup2(log, STDERR_FILENO));
	snprintf(address, sizeof(address), "%s/notify", harness->dir);
	must(setenv("NOTIFY_SOCKET", address, 1));
	if (options->user) {
		argv[n++] = "--user";
		argv[n++] = options->user;
	} else {
		become(BROKER_UID, NULL, 0);
	}
	if (options->activated) {
		hand_over(options->activated);
	} else {
		argv[n++] = "--socket";
		argv[n++] = either(options->socket, harness->socket);
	}
	must(chdir("/"));
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
	child_add(pid);
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
		child_remove(harness->pid);
		harness->pid = 0;
	}
	return !harness->pid;
}

/* What became of it is in the caller's hands; here is what must hold however it ended. */
static void take_down(struct harness *harness, int *status)
{
	const char *log;

	require_soon(has_ended(harness, status));
	require_soon(count_children(getpid(), NULL) == 0);
	log = read_text(harness->log);
	require(!strstr(log, "Sanitizer") && !strstr(log, "runtime error"));
	harness->notify = fd_close(harness->notify);
}

void harness_expect_exit(struct harness *harness, int code)
{
	int status = -1;

	take_down(harness, &status);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
		harness_fail(__FILE__, __LINE__,
			"the broker ended with wait status 0x%x, not code %d",
			(unsigned int)status, code);
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

void harness_await_notification(struct harness *harness, const char *text)
{
	while (!strstr(harness->notified, text)) {
		struct pollfd pollfd = {.fd = harness->notify, .events = POLLIN};
		size_t n = strlen(harness->notified);
		uint64_t since = harness_now_ms();
		int status;

		while (must(poll(&pollfd, 1, POLL_MS)) == 0) {
			if (has_ended(harness, &status))
				harness_fail(__FILE__, __LINE__, "it ended (0x%x) before %s",
					(unsigned int)status, text);
			harness_wait_a_little(__FILE__, __LINE__, text, since);
		}
		require(n + 1 < sizeof(harness->notified));
		n += (size_t)must(recv(harness->notify, harness->notified + n,
			sizeof(harness->notified) - n - 2, 0));
		harness->notified[n] = '\n';
	}
}

void harness_await_ready(struct harness *harness)
{
	harness_await_notification(harness, "READY=1");
}

/* Looking at it. */

bool harness_logged(const struct harness *harness, const char *text)
{
	return strstr(read_text(harness->log), text);
}

size_t harness_fds(const struct harness *harness)
{
	char path[64];
	struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", harness->pid);
	dir = opendir(path);
	require(dir);
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
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
	rss = strstr(read_text(path), "VmRSS:");
	require(rss && sscanf(rss, "VmRSS: %zu", &kib) == 1);
	return kib;
}

pid_t harness_supervisor(const struct harness *harness)
{
	pid_t pid = 0;

	require_eq(count_children(harness->pid, &pid), 1);
	return pid;
}

size_t harness_domains(const struct harness *harness)
{
	return count_children(harness_supervisor(harness), NULL);
}

int harness_run_program(
	const char *program, uid_t uid, const char **output, const char *const *args)
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
		become(uid, NULL, 0);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	must(waitpid(pid, &status, 0));
	fd_close(fd);
	*output = read_text(path);
	unlink(path);
	require(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Clients. */

static noreturn void client_main(void (*run)(void *data), void *data)
{
	alarm(HARNESS_TIMEOUT_S);
	run(data);
	if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check())
		_exit(EXIT_FAILURE);
	_exit(EXIT_SUCCESS);
}

static void start(struct client *client, uid_t uid, const gid_t *groups, size_t n_groups,
	void (*run)(void *data), void *data)
{
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	fflush(NULL);
	client->pid = must(fork());
	if (client->pid == 0) {
		fd_close(pair[0]);
		client_link = pair[1];
		become(uid, groups, n_groups);
		client_main(run, data);
	}
	fd_close(pair[1]);
	client->link = pair[0];
	child_add(client->pid);
}

void client_start(struct client *client, uid_t uid, void (*run)(void *data), void *data)
{
	start(client, uid, NULL, 0, run, data);
}

void client_start_in(
	struct client *client, uid_t uid, gid_t group, void (*run)(void *data), void *data)
{
	start(client, uid, &group, 1, run, data);
}

/* Returns its wait status. */
static int take(struct client *client)
{
	int status;

	must(waitpid(client->pid, &status, 0));
	child_remove(client->pid);
	client->pid = 0;
	client->link = fd_close(client->link);
	return status;
}

void client_end(struct client *client)
{
	int status;

	if (!client->pid)
		return;
	status = take(client);
	if (status)
		harness_fail(__FILE__, __LINE__, "a client failed, with wait status 0x%x",
			(unsigned int)status);
}

int client_signal(struct client *client)
{
	int status = take(client);

	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

void client_kill(struct client *client)
{
	must(kill(client->pid, SIGKILL));
	take(client);
}

void client_run(uid_t uid, void (*run)(void *data), void *data)
{
	struct client client;

	client_start(&client, uid, run, data);
	client_end(&client);
}

/* Steps. */

static void await_step(int link, char step)
{
	char text[] = "step '?'", reached;

	text[6] = step;
	await_input(link, text);
	if (must(read(link, &reached, 1)) == 0)
		harness_fail(__FILE__, __LINE__, "the other side ended before %s", text);
	require_eq(reached, step);
}

void client_await(struct client *client, char step)
{
	await_step(client->link, step);
}

void client_go(struct client *client, char step)
{
	must(send(client->link, &step, 1, MSG_NOSIGNAL));
}

void step_reached(char step)
{
	must(send(client_link, &step, 1, MSG_NOSIGNAL));
}

void step_await(char step)
{
	await_step(client_link, step);
}

/* What clients do. */

struct dspbroker *connect_to(const struct harness *harness)
{
	struct dspbroker *broker;

	require_eq(dspbroker_connect(&broker, harness->socket), 0);
	return broker;
}

struct dspbroker_session *open_channel(struct dspbroker *broker, const char *channel)
{
	struct dspbroker_session *session;

	require_eq(dspbroker_session_open(broker, &session, channel), 0);
	return session;
}

struct dspbroker_buffer *alloc_buffer(struct dspbroker *broker, size_t size)
{
	struct dspbroker_buffer *buffer;

	require_eq(dspbroker_buffer_alloc(broker, &buffer, size), 0);
	return buffer;
}

int invoke_plain(struct dspbroker_session *session, uint32_t method)
{
	return dspbroker_invoke(session, &(struct dspbroker_call){.method = method}, NULL);
}

int submit_plain(struct dspbroker_session *session, uint32_t method, uintptr_t user)
{
	return dspbroker_submit(
		session, &(struct dspbroker_call){.method = method, .user = (void *)user});
}

int submit_sleep(struct dspbroker_session *session, uint32_t us, uintptr_t user)
{
	struct dspbroker_arg arg = {.data = &us, .length = sizeof(us)};

	return dspbroker_submit(session,
		&(struct dspbroker_call){
			.method = EXAMPLE_SLEEP, .n_in = 1, .args = &arg, .user = (void *)user});
}

struct dspbroker_completion reap_one(struct dspbroker *broker)
{
	struct dspbroker_completion completion;

	require_eq(dspbroker_reap(broker, &completion, 1, HARNESS_PATIENCE_S * 1000), 1);
	return completion;
}

struct dspbroker_event next_event(struct dspbroker *broker)
{
	struct dspbroker_event event;
	int r;

	while ((r = dspbroker_next_event(broker, &event)) == 0)
		await_input(dspbroker_fd(broker), "an event");
	require_eq(r, 1);
	return event;
}
