// SPDX-License-Identifier: MIT
#include "daemon/confine.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/broker.h"
#include "daemon/confine/landlock.h"
#include "daemon/confine/least.h"
#include "daemon/log.h"
#include "daemon/sysfs.h"
#include "daemon/transport/coredump_folder.h"
#include "daemon/transport/transport.h"
#include "policy/policy.h"
#include "protocol/wire.h"

/* Of the C library, for threads to share. */
#define HEAPS_MAX 8

/* Each part of the confinement: 0, -EOPNOTSUPP where the kernel has no such thing and that is no
 * error, or another -errno. */

static int leave_root(struct broker *broker)
{
	(void)broker;
	/* That is for whoever starts it to say. */
	return geteuid() == 0 ? -EOPNOTSUPP : 0;
}

/* Capabilities and Landlock are a thread's own: one that runs already would be without. */
static int require_one_thread(void)
{
	_cleanup_(closedirp) DIR *tasks = opendir("/proc/self/task");
	const struct dirent *entry;
	size_t n = 0;

	if (!tasks) {
		int r = -errno;

		log_error("cannot look at /proc/self/task: %s", strerror(-r));
		return r;
	}
	while ((entry = readdir(tasks)))
		n += entry->d_name[0] != '.';
	/* That of a sanitizer is nobody's way out. */
	return n == 1 || FILTER_SANITIZED ? 0 : -EBUSY;
}

static int drop_capabilities(struct broker *broker)
{
	int r = require_one_thread();

	(void)broker;
	return r < 0 ? r : least_capabilities();
}

static int hide_memory(struct broker *broker)
{
	(void)broker;
	return least_memory();
}

/* What is not there cannot be allowed, and need not be. */
static int allow(struct landlock *landlock, const char *path, unsigned int rights)
{
	int r = landlock_allow(landlock, path, rights);

	if (r < 0 && r != -ENOENT && r != -ENOTDIR && r != -EACCES)
		log_error("cannot go on having access to %s: %s", path, strerror(-r));
	else
		r = 0;
	return r;
}

/* What does not depend on options or policy. Those of policy may be replaced as a whole. */
static const struct {
	const char *path;
	unsigned int rights;
} places[] = {
	{"/etc/dspbroker", LANDLOCK_READ},
	{"/usr/share/dspbroker", LANDLOCK_READ},
};

static int allow_dirs(struct landlock *landlock, const struct policy_dir *dirs, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = allow(landlock, dirs[i].path,
			dirs[i].writable ? LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_MAKE
					 : LANDLOCK_READ);
	return r;
}

static void warn_of_missing(const struct policy_dir *dirs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!sysfs_exists(dirs[i].path))
			log_warning("policy names %s, which is not there: what is put there "
				    "later is out of reach until the broker starts again",
				dirs[i].path);
}

/* Folders of DSPs: those that policy names, and those where distributions have them. */
static int allow_folders(struct landlock *landlock, const struct broker *broker)
{
	size_t n;
	const struct policy_dir *dirs = policy_dirs(broker->device_policy, &n);
	int r = allow_dirs(landlock, dirs, n);

	warn_of_missing(dirs, n);
	for (size_t i = 0; transports[i] && r == 0; i++) {
		n = 0;
		dirs = transports[i]->dirs ? transports[i]->dirs(&n) : NULL;
		r = allow_dirs(landlock, dirs, n);
	}
	return r;
}

static int allow_options(struct landlock *landlock, const struct broker_options *options)
{
	const struct path devices = path_join("%s/devices", options->sysfs);
	_cleanup_(fd_closep) int coredumps = coredump_folder_open(options->coredumps);
	int r = 0;

	if (options->policy_dir)
		r = allow(landlock, options->policy_dir, LANDLOCK_READ);
	if (r == 0)
		r = allow(landlock, options->sysfs, LANDLOCK_READ);
	/* States of remote processors are written there, and core dumps released. */
	if (r == 0)
		r = allow(landlock, devices.text, LANDLOCK_READ | LANDLOCK_WRITE);
	if (r == 0 && coredumps >= 0)
		r = allow(landlock, options->coredumps,
			LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_MAKE);
	return r;
}

/* A socket of ours goes when we do. */
static int allow_socket(struct landlock *landlock, const char *socket)
{
	_cleanup_(freep) char *folder = socket ? strdup(socket) : NULL;
	char *slash = folder ? strrchr(folder, '/') : NULL;

	if (!socket)
		return 0;
	if (!folder)
		return -ENOMEM;
	if (slash)
		slash[slash == folder] = '\0';
	return allow(landlock, slash ? folder : ".", LANDLOCK_REMOVE);
}

/* Of a folder in /proc the kernel forgets which it was, and the rule with it, when it wants memory;
 * not while it is open, which this one is for good. */
static int allow_descriptors(struct landlock *landlock)
{
	static const char path[] = "/proc/self/fdinfo"; /* is a descriptor a dma-buf? */

	if (open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) < 0)
		return errno == ENOENT ? 0 : -errno;
	return allow(landlock, path, LANDLOCK_READ);
}

static int allow_all(struct landlock *landlock, const struct broker *broker)
{
	int r = allow_options(landlock, broker->options);

	for (size_t i = 0; i < ARRAY_SIZE(places) && r == 0; i++)
		r = allow(landlock, places[i].path, places[i].rights);
	if (r == 0)
		r = allow_descriptors(landlock);
	if (r == 0)
		r = allow_folders(landlock, broker);
	if (r == 0)
		r = allow_socket(landlock, broker->options->socket);
	/* Reports have names of functions. */
	if (r == 0 && FILTER_SANITIZED)
		r = allow(landlock, "/", LANDLOCK_READ);
	return r;
}

static int limit_files(struct broker *broker)
{
	_cleanup_(landlock_deinit) struct landlock landlock = LANDLOCK_NONE;
	int r;

	r = landlock_init(&landlock);
	if (r == 0)
		broker->landlock_abi = (uint32_t)landlock.abi;
	if (r == 0)
		r = allow_all(&landlock, broker);
	if (r == 0)
		r = landlock_enter(&landlock);
	return r;
}

static int compare_bytes(const void *a, const void *b)
{
	return *(const char *)a - *(const char *)b;
}

/* What the C library asks for once, when it first needs it, is asked for now: which time zone this
 * is, how much memory there is (qsort() of more than 1 KiB, before glibc 2.37), and how many
 * processors there are (which says how many heaps threads have at most: so many, then). The socket
 * to the journal is opened with the first line. */
static void settle_library(void)
{
	char some[2048] = "";

	log_info("this is dspbrokerd " DSP_VERSION);
	tzset();
	qsort(some, sizeof(some), 1, compare_bytes);
	mallopt(M_ARENA_MAX, HEAPS_MAX);
}

static int limit_calls(struct broker *broker)
{
	struct confine_tables all;
	struct sock_fprog filter;
	int r;

	settle_library();
	confine_tables(&all, broker->options);
	r = filter_init(&filter, all.tables, all.n);
	if (r < 0)
		return r;
	r = filter_enter(&filter);
	filter_deinit(&filter);
	if (r == 0)
		broker->system_calls = confine_count_calls(&all);
	return r;
}

/* In this order: the last one forbids what the others do. */
static const struct part {
	enum dsp_confinement bit;
	const char *what;
	int (*enter)(struct broker *broker);
} parts[] = {
	{DSP_CONFINED_USER, "run as another user than root, which is for --user to name",
		leave_root},
	{DSP_CONFINED_CAPABILITIES, "give up all capabilities", drop_capabilities},
	{DSP_CONFINED_UNDUMPABLE, "hide its memory", hide_memory},
	{DSP_CONFINED_FILES, "limit which files it may open (Landlock)", limit_files},
	{DSP_CONFINED_CALLS, "limit its system calls (seccomp)", limit_calls},
};

int confine_broker(struct broker *broker)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		int r = parts[i].enter(broker);

		if (r == 0) {
			broker->confinement |= parts[i].bit;
		} else if (r == -EOPNOTSUPP) {
			log_warning("this broker does not %s", parts[i].what);
		} else if (broker->options->allow_unconfined) {
			log_warning("UNCONFINED: the broker cannot %s: %s", parts[i].what,
				strerror(-r));
		} else {
			log_error("the broker cannot %s: %s; --allow-unconfined lets it run "
				  "all the same",
				parts[i].what, strerror(-r));
			return r;
		}
	}
	return 0;
}
