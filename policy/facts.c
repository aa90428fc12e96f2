// SPDX-License-Identifier: MIT
#include "policy/facts.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "policy/facts_parse.h"
#include "protocol/util.h"

/* Bytes of what is read at most; what is longer is not what it should be. */
#define CGROUP_BYTES  (64 * 1024)
#define STATUS_BYTES  (1024 * 1024) /* with as many groups as there can be, NGROUPS_MAX */
#define FLATPAK_BYTES (32 * 1024)
#define FDINFO_BYTES  4096
#define GROUPS_GUESS  64

/* Read a file from an fd, all of it. Returns its bytes, for free(), and their number in *@size, or
 * NULL with errno set. */
static char *read_all(int fd, size_t max, size_t *size)
{
	_cleanup_(freep) char *text = malloc(max + 1);
	size_t n = 0;

	if (!text)
		return NULL;
	while (n <= max) {
		ssize_t r = read(fd, text + n, max + 1 - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return NULL;
		if (r == 0) {
			*size = n;
			return TAKE_PTR(text);
		}
		n += (size_t)r;
	}
	errno = EFBIG;
	return NULL;
}

static char *read_file(int dir, const char *path, size_t max, size_t *size)
{
	_cleanup_(fd_closep) int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? NULL : read_all(fd, max, size);
}

static void read_cgroup(struct facts *out, int process, uid_t uid)
{
	_cleanup_(freep) char *text = NULL;
	size_t size;

	text = read_file(process, "cgroup", CGROUP_BYTES, &size);
	if (text)
		facts_parse_cgroup(out, text, size, uid);
}

/* Is the program that runs the file which lies at this path for us? In a mount namespace of its
 * own a peer can lay any file there. */
static bool is_our_file(int process, const char *path)
{
	struct stat theirs, ours;

	return fstatat(process, "exe", &theirs, 0) == 0 && stat(path, &ours) == 0 &&
	       theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

static void read_executable(struct facts *out, int process)
{
	char path[PATH_MAX];
	ssize_t n = readlinkat(process, "exe", path, sizeof(path) - 1);

	if (n <= 0)
		return;
	path[n] = '\0';
	if (is_our_file(process, path))
		facts_parse_executable(out, path, (size_t)n);
}

/* Open what such a descriptor stands for, now that it is known to be a file: to open a device or a
 * FIFO can have effects. */
static int open_found(int proc, int found)
{
	char path[64];
	struct stat stat;

	if (fstat(found, &stat) < 0 || !S_ISREG(stat.st_mode))
		return -1;
	snprintf(path, sizeof(path), "self/fd/%d", found);
	return openat(proc, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static void read_flatpak(struct facts *out, int proc, int process)
{
	_cleanup_(fd_closep) int root = openat(process, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(fd_closep) int found = -1, fd = -1;
	_cleanup_(freep) char *text = NULL;
	size_t size;

	if (root < 0)
		return;
	/* No link leads out of that root: one is found itself, and is no file. */
	found = openat(root, ".flatpak-info", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (found < 0 && errno == ENOENT)
		facts_no_flatpak(out);
	if (found < 0)
		return;
	fd = open_found(proc, found);
	if (fd < 0)
		return;
	text = read_all(fd, FLATPAK_BYTES, &size);
	if (text)
		facts_parse_flatpak(out, text, size);
}

static bool has_ids(int process, uid_t uid, gid_t gid)
{
	_cleanup_(freep) char *text = NULL;
	struct facts_ids ids;
	size_t size;

	text = read_file(process, "status", STATUS_BYTES, &size);
	return text && facts_parse_status(text, size, &ids, false) == 0 && ids.uid == uid &&
	       ids.gid == gid;
}

/* Does it live, and is it the one of that pid? Then it always was since that pidfd exists: a pid
 * is not given to another before its process is gone. */
static bool is_alive(int proc, pid_t pid, int pidfd)
{
	struct pollfd ended = {.fd = pidfd, .events = POLLIN};
	_cleanup_(freep) char *text = NULL;
	char path[64];
	size_t size;

	snprintf(path, sizeof(path), "self/fdinfo/%d", pidfd);
	text = read_file(proc, path, FDINFO_BYTES, &size);
	return text && facts_parse_fdinfo(text, size) == pid && poll(&ended, 1, 0) == 0;
}

/* The folder of a process in /proc; it stays that process's whoever gets the pid next. */
static int open_process(int proc, pid_t pid)
{
	char path[16];

	snprintf(path, sizeof(path), "%d", pid);
	return openat(proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void facts_read(struct facts *out, int proc, pid_t pid, int pidfd, uid_t uid, gid_t gid)
{
	_cleanup_(fd_closep) int process = -1;
	struct facts facts = {};

	*out = facts;
	process = open_process(proc, pid);
	if (pid <= 0 || process < 0)
		return;
	read_cgroup(&facts, process, uid);
	read_executable(&facts, process);
	read_flatpak(&facts, proc, process);
	if (has_ids(process, uid, gid) && is_alive(proc, pid, pidfd))
		*out = facts;
}

/* Unless label and unit contradict each other. */
static void judge_snap(struct facts *facts, const char *label)
{
	const uint32_t known = 1u << IDENTITY_SNAP;
	char *snap = facts->text[IDENTITY_SNAP], name[FACT_SIZE];
	int r = label ? facts_parse_label(label, name) : 0;

	if (r == 0)
		return;
	if (r < 0 || (facts->known & known && *snap && strcmp(snap, name) != 0)) {
		facts->known &= ~known;
		return;
	}
	memcpy(snap, name, sizeof(name));
	facts->known |= known;
}

int facts_give(const struct facts *facts, struct identity *identity)
{
	struct facts judged = *facts;

	for (int fact = 0; fact < IDENTITY_FACTS; fact++)
		judged.text[fact][FACT_SIZE - 1] = '\0';
	judge_snap(&judged, identity->facts[IDENTITY_LABEL]);
	judged.known &= ~(1u << IDENTITY_LABEL);
	for (int fact = 0; fact < IDENTITY_FACTS; fact++) {
		if (!(judged.known & 1u << fact))
			continue;
		free(identity->facts[fact]);
		identity->facts[fact] = strdup(judged.text[fact]);
		if (!identity->facts[fact])
			return -ENOMEM;
	}
	return 0;
}

/* For tools. */

static int read_ids(int process, struct identity *identity)
{
	_cleanup_(freep) char *text = NULL;
	struct facts_ids ids;
	size_t size;
	int r;

	text = read_file(process, "status", STATUS_BYTES, &size);
	if (!text)
		return errno == ENOENT ? -ESRCH : -errno;
	r = facts_parse_status(text, size, &ids, true);
	if (r < 0)
		return r;
	identity->uid = ids.uid;
	identity->gid = ids.gid;
	identity->groups = ids.groups;
	identity->n_groups = ids.n_groups;
	return 0;
}

/* Without a module that labels there is no such file, or nothing in it. */
static int read_label(int process, struct identity *identity)
{
	_cleanup_(freep) char *text = NULL;
	size_t size;

	text = read_file(process, "attr/current", CGROUP_BYTES, &size);
	if (!text || !size)
		return 0;
	if (text[size - 1] == '\n')
		size--;
	identity->facts[IDENTITY_LABEL] = strndup(text, size);
	return identity->facts[IDENTITY_LABEL] ? 0 : -ENOMEM;
}

int identity_of_process(struct identity *out, pid_t pid)
{
	_cleanup_(identity_deinit) struct identity identity = {.pid = pid, .pidfd = -1};
	_cleanup_(fd_closep) int proc = -1, process = -1;
	struct facts facts;
	int r;

	*out = (struct identity){.pidfd = -1};
	if (pid <= 0)
		return -ESRCH;
	identity.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (identity.pidfd < 0)
		return -errno;
	proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return -errno;
	process = open_process(proc, pid);
	if (process < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	r = read_ids(process, &identity);
	if (r == 0)
		r = read_label(process, &identity);
	if (r < 0)
		return r;
	facts_read(&facts, proc, pid, identity.pidfd, identity.uid, identity.gid);
	r = facts_give(&facts, &identity);
	if (r < 0)
		return r;
	if (!is_alive(proc, pid, identity.pidfd))
		return -ESRCH;
	*out = identity;
	identity = (struct identity){.pidfd = -1};
	return 0;
}

static int read_groups(struct identity *identity, const struct passwd *user)
{
	int n = GROUPS_GUESS, room;

	do {
		room = n;
		free(TAKE_PTR(identity->groups));
		identity->groups = calloc((size_t)room, sizeof(gid_t));
		if (!identity->groups)
			return -ENOMEM;
	} while (getgrouplist(user->pw_name, user->pw_gid, identity->groups, &n) < 0 && n > room);
	identity->n_groups = (size_t)MIN(n, room);
	return 0;
}

int identity_of_user(struct identity *out, uid_t uid)
{
	_cleanup_(identity_deinit) struct identity identity = {.uid = uid, .pidfd = -1};
	const struct passwd *user;
	int r;

	*out = (struct identity){.pidfd = -1};
	errno = 0;
	user = getpwuid(uid);
	if (!user && errno && errno != ENOENT && errno != ESRCH)
		return -errno;
	identity.gid = user ? user->pw_gid : (gid_t)-1;
	r = user ? read_groups(&identity, user) : 0;
	if (r < 0)
		return r;
	*out = identity;
	identity = (struct identity){.pidfd = -1};
	return 0;
}
