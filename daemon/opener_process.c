// SPDX-License-Identifier: MIT
#include "daemon/opener_process.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "daemon/become.h"
#include "daemon/confine/landlock.h"
#include "daemon/confine/least.h"
#include "protocol/sock.h"

/* Of a child, which makes a few system calls. */
#define CHILD_STACK_BYTES (16 * 1024)
#define CHILD_FLAGS       (CLONE_VM | CLONE_VFORK | CLONE_FILES)
/* What a node is opened with, whatever else was asked for. */
#define OPEN_FLAGS  (O_CLOEXEC | O_NOFOLLOW | O_NOCTTY)
#define ASKED_FLAGS (O_ACCMODE | O_NONBLOCK)

static const struct opener_place *place;
static int dev = -1;
static pid_t own_pid;

/* Nodes. */

#define DIGITS "0123456789"
/* Names are this, and then one or more of those characters, none of which is '/' or '.'. A folder
 * in a prefix is one of /dev, where nobody but root can put a link in its place; one that leads out
 * of /dev leads where Landlock lets nothing be opened. */
static const struct {
	const char *prefix, *rest;
	bool render; /* other drivers' as well: only if the broker was started to look at them */
} kinds[] = {
	{"fastrpc-", "abcdefghijklmnopqrstuvwxyz-" DIGITS, false},
	{"rpmsg_ctrl", DIGITS, false},
	{"rpmsg", DIGITS, false},
	{"remoteproc", DIGITS, false},
	{"accel/accel", DIGITS, false},
	{"dri/renderD", DIGITS, true},
};

static bool is_node(const char *name, bool render)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const size_t n = strlen(kinds[i].prefix);
		const char *rest = name + n;

		if ((render || !kinds[i].render) && strncmp(name, kinds[i].prefix, n) == 0 &&
			*rest && !rest[strspn(rest, kinds[i].rest)])
			return true;
	}
	return false;
}

static int open_node(int folder, const char *name, int flags, bool render)
{
	struct stat st;
	long fd;

	if (!is_node(name, render))
		return -EPERM;
	if ((flags & ~ASKED_FLAGS) ||
		((flags & O_ACCMODE) != O_RDONLY && (flags & O_ACCMODE) != O_RDWR))
		return -EINVAL;
	/* Nothing of the C library's that takes note of threads. */
	fd = syscall(SYS_openat, folder, name, flags | OPEN_FLAGS);
	if (fd < 0)
		return -errno;
	if (fstat((int)fd, &st) == 0 && S_ISCHR(st.st_mode))
		return (int)fd;
	close((int)fd);
	return -ENODEV;
}

int opener_process_open(int folder, const char *name, int flags)
{
	return open_node(folder, name, flags, false);
}

int opener_process_open_render(int folder, const char *name, int flags)
{
	return open_node(folder, name, flags, true);
}

/* Opening as another. */

struct opening {
	const struct opener_request *request;
	int result; /* the descriptor or -errno */
};

/* The child. Its memory is ours, errno too, and the thread that called clone() waits meanwhile. To
 * return ends it, and nothing of the C library's is run. While it lives the broker's sockets are
 * open, and it would not see that we have died, so it dies as well. */
static int open_for_us(void *userdata)
{
	struct opening *opening = userdata;

	if (syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL) == 0 && syscall(SYS_getppid) == own_pid)
		opening->result = place->open(dev, opening->request->name, opening->request->flags);
	return 0;
}

static void reap(pid_t pid)
{
	/* No other number means one process. */
	if (pid > 0)
		waitpid(pid, NULL, __WALL);
}

/* It tells nobody that it ended (no SIGCHLD), and is reaped by nobody who does not ask for it
 * (__WALL). All signals are blocked here, and so in it. Its number is *@pid if it has opened it. */
static int open_as_another(const struct opener_request *request, pid_t *pid)
{
	_Alignas(16) char stack[CHILD_STACK_BYTES];
	/* If something kills it. */
	struct opening opening = {request, -ECHILD};
	pid_t child = clone(open_for_us, stack + sizeof(stack), CHILD_FLAGS, &opening);

	if (child < 0)
		return -errno;
	if (opening.result < 0)
		reap(child);
	else
		*pid = child;
	return opening.result;
}

/* Requests. */

struct outcome {
	int result; /* 0 or -errno */
	int fd;     /* -1: none */
	pid_t pid;  /* 0: none */
};

static struct outcome handle(const struct opener_request *request)
{
	struct outcome outcome = {.fd = -1};

	switch (request->op) {
	case OPENER_OPEN:
		outcome.fd = place->open(dev, request->name, request->flags);
		break;
	case OPENER_OPEN_AS:
		outcome.fd = open_as_another(request, &outcome.pid);
		break;
	case OPENER_RELEASE:
		reap(request->pid);
		return outcome;
	default:
		outcome.fd = -EINVAL;
	}
	outcome.result = MIN(outcome.fd, 0);
	return outcome;
}

/* A descriptor of it is closed. */
static int answer(int socket, struct outcome *outcome)
{
	const struct opener_reply reply = {outcome->result, outcome->pid};
	int r = 0;

	if (outcome->fd >= 0)
		r = sock_send(socket, &reply, sizeof(reply), &outcome->fd, 1, 0);
	outcome->fd = fd_close(outcome->fd);
	return r < 0 ? r : sock_send(socket, &reply, sizeof(reply), NULL, 0, 0);
}

/* False: the broker is gone, or not what it was. */
static bool serve_one(int socket)
{
	_cleanup_(sock_fds_close) struct sock_fds fds = {};
	struct opener_request request;
	struct outcome outcome;
	int r;

	if (sock_receive(socket, &request, sizeof(request), &fds, 0) != sizeof(request) || fds.n)
		return false;
	request.name[sizeof(request.name) - 1] = '\0';
	outcome = handle(&request);
	r = answer(socket, &outcome);
	if (r == 0)
		return true;
	/* The kernel limits how many descriptors are on their way. */
	reap(outcome.pid);
	outcome = (struct outcome){.result = r, .fd = -1};
	return answer(socket, &outcome) == 0;
}

static noreturn void serve(int socket)
{
	while (serve_one(socket))
		;
	/* All of it. */
	_exit(EXIT_SUCCESS);
}

/* Starting. */

static int keep_descriptors(const int *sockets)
{
	int kept[OPENER_THREADS + 1] = {STDERR_FILENO};

	memcpy(kept + 1, sockets, OPENER_THREADS * sizeof(*kept));
	return least_descriptors(kept, ARRAY_SIZE(kept));
}

static int open_folder(void)
{
	dev = open(place->dev, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dev < 0)
		return -errno;
	/* What the C library writes there must not arrive at a node that got its number. */
	if (fcntl(STDERR_FILENO, F_GETFD) < 0 && dup2(dev, STDERR_FILENO) < 0)
		return -errno;
	return 0;
}

/* Confinement. */

static const struct filter_rule rules[] = {
	{SCMP_SYS(recvmsg), "requests", {}, 0},
	{SCMP_SYS(sendmsg), "answers, with descriptors", {}, 0},
	{SCMP_SYS(openat), "a node; nothing is made or cut",
		FILTER_WITHOUT(2, ~(uint32_t)(ASKED_FLAGS | OPEN_FLAGS)), 0},
	{SCMP_SYS(fstat), "is it a device?", {}, 0},
	{SCMP_SYS(newfstatat), "the same, in other C libraries", FILTER_INT_IS(3, AT_EMPTY_PATH),
		0},
	{SCMP_SYS(close), "what was handed on", {}, 0},
	{SCMP_SYS(clone), "a child that opens one", FILTER_INT_IS(0, CHILD_FLAGS), 0},
	{SCMP_SYS(prctl), "it ends with us", FILTER_INT_IS(0, PR_SET_PDEATHSIG), 0},
	{SCMP_SYS(getppid), "has that come too late?", {}, 0},
	{SCMP_SYS(exit), "its end", {}, 0},
	{SCMP_SYS(wait4), "its number is given back", {}, 0},
	{SCMP_SYS(futex), "the last of a thread's start", {}, 0},
	{SCMP_SYS(exit_group), "the end", {}, 0},
};

/* What it takes to print a report, and what a sanitizer's own thread does. */
static const struct filter_rule sanitizer_rules[] = {
	{SCMP_SYS(write), "the report", {}, 0},
	{SCMP_SYS(mmap), "memory", {}, 0},
	{SCMP_SYS(munmap), "the reverse", {}, 0},
	{SCMP_SYS(madvise), "memory that is given back", {}, 0},
	{SCMP_SYS(mprotect), "memory", {}, 0},
	{SCMP_SYS(getpid), "head of the report", {}, 0},
	{SCMP_SYS(gettid), "head of the report", {}, 0},
	{SCMP_SYS(sched_yield), "locks", {}, 0},
	{SCMP_SYS(nanosleep), "its own thread", {}, 0},
	{SCMP_SYS(clock_nanosleep), "its own thread", {}, 0},
	{SCMP_SYS(clock_gettime), "its own thread", {}, 0},
	{SCMP_SYS(sigaltstack), "the stack's bounds", {}, 0},
	{SCMP_SYS(rt_sigprocmask), "quiet while it reports", {}, 0},
	{SCMP_SYS(ioctl), "is stderr a terminal, for colours", {}, EPERM},
	{SCMP_SYS(open), "memory map and symbols", {}, EPERM},
	{SCMP_SYS(readlink), "name of the program", {}, EPERM},
	{SCMP_SYS(stat), "is there a symbolizer", {}, EPERM},
	{SCMP_SYS(pipe2), "to the symbolizer", {}, EPERM},
};

void opener_process_tables(const struct filter_table **out, size_t *n)
{
	static const struct filter_table tables[] = {
		FILTER_TABLE(rules),
		FILTER_TABLE(sanitizer_rules),
	};

	*out = tables;
	*n = FILTER_SANITIZED ? 2 : 1;
}

static int limit_files(void)
{
	_cleanup_(landlock_deinit) struct landlock landlock = LANDLOCK_NONE;
	int r = landlock_init(&landlock);

	/* ioctl(): what is opened here is used there, with the rights that it had here. */
	if (r == 0)
		r = landlock_allow(&landlock, place->dev,
			LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_DEVICE);
	if (r == 0)
		r = landlock_enter(&landlock);
	return r == -EOPNOTSUPP ? 0 : r;
}

static int limit_calls(void)
{
	const struct filter_table *tables;
	struct sock_fprog filter;
	size_t n;
	int r;

	opener_process_tables(&tables, &n);
	r = filter_init(&filter, tables, n);
	if (r == 0)
		r = filter_enter(&filter);
	filter_deinit(&filter);
	return r;
}

/* Go on if it cannot be had: whether that will do is decided by who reads it. */
static void confine(struct opener_ready *ready, int (*enter)(void), const char *what)
{
	int r = place->confined && !ready->unconfined ? enter() : 0;

	if (r == 0)
		return;
	ready->unconfined = r;
	strncpy(ready->missing, what, sizeof(ready->missing) - 1);
}

/* Threads. */

static sem_t started;

static void *run_thread(void *socket)
{
	const int own = *(const int *)socket;

	sem_post(&started);
	serve(own);
}

/* When it returns they have begun, so that none has anything to do that the filter forbids. */
static int start_threads(const int *sockets)
{
	int r = sem_init(&started, 0, 0) < 0 ? -errno : 0;

	for (size_t i = 1; i < OPENER_THREADS && r == 0; i++) {
		pthread_t thread;

		r = -pthread_create(&thread, NULL, run_thread, (void *)&sockets[i]);
	}
	for (size_t i = 1; i < OPENER_THREADS && r == 0; i++)
		while (sem_wait(&started) < 0)
			;
	return r;
}

static int begin(const int *sockets)
{
	sigset_t all;
	int r;

	sigfillset(&all);
	if (sigprocmask(SIG_SETMASK, &all, NULL) < 0)
		return -errno;
	prctl(PR_SET_NAME, "dspbroker-open");
	r = become(place->user);
	if (r < 0)
		return r;
	/* Whoever becomes another user is asked that again. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	r = keep_descriptors(sockets);
	return r < 0 ? r : open_folder();
}

void opener_process_run(const struct opener_place *what, const int *sockets)
{
	struct opener_ready ready = {};

	place = what;
	own_pid = getpid();
	ready.error = begin(sockets);
	if (ready.error == 0) {
		confine(&ready, least_capabilities, "give up all capabilities");
		confine(&ready, least_memory, "hide its memory");
		confine(&ready, limit_files, "limit which files it may open (Landlock)");
		/* Which take the rules along. */
		ready.error = start_threads(sockets);
	}
	if (ready.error == 0)
		confine(&ready, limit_calls, "limit its system calls (seccomp)");
	if (sock_send(sockets[0], &ready, sizeof(ready), NULL, 0, 0) < 0 || ready.error)
		_exit(EXIT_FAILURE);
	serve(sockets[0]);
}
