// SPDX-License-Identifier: MIT
#include "daemon/who/holder.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/facts_parse.h"
#include "protocol/util.h"

/* Users are told apart by their ids' remainders: who shares one shares a user's part. */
#define USERS 1024
/* The lines that matter stand at the start. */
#define STATUS_BYTES 2048
#define FDINFO_BYTES 256

#define FOUND  1
#define ENOUGH 2 /* that user's part is used up */

struct search {
	const struct holder_wanted *wanted;
	uint32_t uid;                /* whose process is looked at */
	uint32_t of_root, of_others; /* descriptors that were looked at */
	uint32_t of_user[USERS];     /* of the latter */
	struct holder *out;
};

/* Returns 0, FOUND, ENOUGH or -errno. */
typedef int visit_fn(struct search *search, int folder, const char *name);

/* Has it ended, or been closed, since its name was read? */
static bool is_gone(int error)
{
	return error == -ENOENT || error == -ESRCH;
}

/* Visit all numbers that a folder holds, until one is not 0. */
static int visit_numbers(struct search *search, int folder, visit_fn *visit)
{
	_Alignas(struct dirent64) char entries[4096];
	ssize_t n;
	int r;

	while ((n = getdents64(folder, entries, sizeof(entries))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *entry = (const struct dirent64 *)(entries + at);

			r = isdigit((unsigned char)entry->d_name[0])
				    ? visit(search, folder, entry->d_name)
				    : 0;
			if (r)
				return r;
			at += entry->d_reclen;
		}
	}
	return n < 0 ? -errno : 0;
}

static bool is_wanted(const struct holder_wanted *wanted, const struct statx *status)
{
	if (!S_ISCHR(status->stx_mode))
		return false;
	for (size_t i = 0; i < MIN(wanted->n_nodes, (uint32_t)HOLDER_NODES); i++)
		if (wanted->nodes[i].major == status->stx_rdev_major &&
			wanted->nodes[i].minor == status->stx_rdev_minor)
			return true;
	return false;
}

static ssize_t read_start(int process, const char *name, char *out, size_t size)
{
	_cleanup_(fd_closep) int fd = openat(process, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, out, size);

	return n < 0 ? -errno : n;
}

/* By its path alone a node can be held without any right, and to no effect (O_PATH). */
static int look_if_open(int folder, const char *name)
{
	static const char key[] = "\nflags:\t";
	char path[64], info[FDINFO_BYTES];
	const char *flags;
	ssize_t n;

	snprintf(path, sizeof(path), "../fdinfo/%.20s", name);
	n = read_start(folder, path, info, sizeof(info) - 1);
	if (n < 0)
		return is_gone((int)n) ? 0 : (int)n;
	info[n] = '\0';
	flags = strstr(info, key);
	if (!flags)
		return -EBADMSG;
	return strtoul(flags + strlen(key), NULL, 8) & O_PATH ? 0 : FOUND;
}

static bool is_used_up(const struct search *search)
{
	return search->uid != 0 && (search->of_others >= HOLDER_OTHERS_MAX ||
					   search->of_user[search->uid % USERS] >= HOLDER_USER_MAX);
}

/* May one more be looked at? */
static int count(struct search *search)
{
	if (search->uid == 0)
		return search->of_root++ < HOLDER_ROOT_MAX ? 0 : -E2BIG;
	if (is_used_up(search))
		return ENOUGH;
	search->of_others++;
	search->of_user[search->uid % USERS]++;
	return 0;
}

/* Its file system is not asked: it may be one of a user's, which never answers, and would not let
 * us ask (FUSE) if we wanted to know anything (hence no mask). What cannot be looked at since its
 * file system is gone is no device node that could be open. */
static int look_at_descriptor(struct search *search, int folder, const char *name)
{
	struct statx status;
	int r = count(search);

	if (r)
		return r;
	if (statx(folder, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0, &status) < 0)
		return errno == EACCES || errno == EPERM || errno == ENOMEM ? -errno : 0;
	return is_wanted(search->wanted, &status) ? look_if_open(folder, name) : 0;
}

/* The real uid: a program that runs with its owner's rights, as su does, and what it was handed, is
 * of who started it. */
static int read_user(int process, uint32_t *out)
{
	static const char key[] = "\nUid:\t";
	char status[STATUS_BYTES];
	const char *uid;
	ssize_t n;

	n = read_start(process, "status", status, sizeof(status) - 1);
	if (n < 0)
		return (int)n;
	status[n] = '\0';
	uid = strstr(status, key);
	if (!uid)
		return -EBADMSG;
	*out = (uint32_t)strtoul(uid + strlen(key), NULL, 10);
	return 0;
}

/* Who is it? That folder stays that process's whoever gets the number next. */
static int describe(int process, pid_t pid, struct holder *out)
{
	struct holder holder = {.pid = pid};
	struct facts_ids ids;
	char status[STATUS_BYTES];
	ssize_t n;

	n = read_start(process, "status", status, sizeof(status));
	if (n < 0)
		return (int)n;
	if (facts_parse_status(status, (size_t)n, &ids, false) < 0)
		return -EBADMSG;
	holder.uid = ids.uid;
	n = read_start(process, "comm", holder.name, sizeof(holder.name) - 1);
	if (n < 0)
		return (int)n;
	holder.name[strcspn(holder.name, "\n")] = '\0';
	*out = holder;
	return FOUND;
}

static bool is_own(const struct holder_wanted *wanted, pid_t pid)
{
	for (size_t i = 0; i < HOLDER_OWN; i++)
		if (wanted->own[i] == pid)
			return true;
	return false;
}

static int search_process(struct search *search, int process, pid_t pid)
{
	_cleanup_(fd_closep) int fds = -1;
	int r;

	r = read_user(process, &search->uid);
	if (r < 0)
		return r;
	/* Not even its folder is opened, which would take time. */
	if (is_used_up(search))
		return 0;
	fds = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fds < 0)
		return -errno;
	r = visit_numbers(search, fds, look_at_descriptor);
	return r == FOUND ? describe(process, pid, search->out) : r == ENOUGH ? 0 : r;
}

static int look_at_process(struct search *search, int folder, const char *name)
{
	_cleanup_(fd_closep) int process = -1;
	const pid_t pid = (pid_t)strtol(name, NULL, 10);
	int r;

	if (is_own(search->wanted, pid))
		return 0;
	process = openat(folder, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = process < 0 ? -errno : search_process(search, process, pid);
	return is_gone(r) ? 0 : r;
}

int holder_find(int proc, const struct holder_wanted *wanted, struct holder *out)
{
	struct search search = {.wanted = wanted, .out = out};
	_cleanup_(fd_closep) int folder = -1;
	struct stat first;
	int r;

	*out = (struct holder){};
	/* Where it is not shown, others may not be, either (hidepid=, see proc(5)). */
	if (fstatat(proc, "1", &first, 0) < 0)
		return -EACCES;
	folder = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return -errno;
	r = visit_numbers(&search, folder, look_at_process);
	return r == FOUND ? 0 : r;
}
