// SPDX-License-Identifier: MIT
#include "tests/integration/faults.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/process.h"

#define FDS_MAX 4096 /* numbers that are looked at */

/* Disks. */

bool faults_own_mounts(void)
{
	if (!harness_has_users())
		return false;
	if (unshare(CLONE_NEWNS) < 0) {
		fprintf(stderr, "SKIPPED: no mounts of its own: %s\n", strerror(errno));
		return false;
	}
	must(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	return true;
}

void faults_make_disk(const char *path, unsigned int kib, unsigned int files)
{
	char options[64];

	snprintf(options, sizeof(options), "size=%uk,nr_inodes=%u,mode=0777", kib, files);
	must(mkdir(path, 0755));
	must(mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options));
}

void faults_fill_disk(const char *file)
{
	_cleanup_(fd_closep) int fd =
		must(open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));

	while (write(fd, "\n", 1) > 0)
		;
	require_eq(errno, ENOSPC);
}

/* Starts. */

void faults_spawn_by(struct harness *harness, const struct harness_options *options,
	const char *line)
{
	static const char name[] = "DSP_BROKER_WRAPPER";
	const char *before = getenv(name);
	char path[sizeof(harness->dir) + 16], shell[1024];
	FILE *file;

	/* Whoever watches what the broker does is started by the line. */
	snprintf(path, sizeof(path), "%s/start", harness->dir);
	snprintf(shell, sizeof(shell), "#!/bin/sh\nset -- %s \"$@\"\n%s\n", before ? before : "",
		line);
	file = fopen(path, "we");
	require(file && fputs(shell, file) >= 0 && fclose(file) == 0);
	must(chmod(path, 0755));
	must(setenv(name, path, 1));
	harness_spawn(harness, options);
	if (before)
		must(setenv(name, before, 1));
	else
		must(unsetenv(name));
}

/* Limits. */

struct wish {
	pid_t pid;
	__rlimit_resource_t resource;
	rlim_t value;
};

/* Root may not everywhere (CAP_SYS_RESOURCE). */
static void set_limit_as_its_user(void *data)
{
	const struct wish *wish = data;
	struct rlimit limit;

	must(prlimit(wish->pid, wish->resource, NULL, &limit));
	limit.rlim_cur = MIN(wish->value, limit.rlim_max);
	must(prlimit(wish->pid, wish->resource, &limit, NULL));
}

static void set_limit(const struct harness *harness, __rlimit_resource_t resource, rlim_t value)
{
	struct wish wish = {harness->pid, resource, value};

	client_run(BROKER_UID, set_limit_as_its_user, &wish);
}

void faults_leave_fds(const struct harness *harness, unsigned int n)
{
	bool taken[FDS_MAX] = {false};
	const struct dirent *entry;
	unsigned int limit = 0, left = 0;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", harness->pid);
	dir = opendir(path);
	require(dir);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && atoi(entry->d_name) < FDS_MAX)
			taken[atoi(entry->d_name)] = true;
	closedir(dir);
	/* The limit is one of numbers, and there may be gaps. */
	while (limit < FDS_MAX - 1 && (left < n || taken[limit]))
		left += !taken[limit++];
	set_limit(harness, RLIMIT_NOFILE, limit);
}

void faults_leave_memory(const struct harness *harness, unsigned int kib)
{
	char path[64];
	const char *size;
	rlim_t used;

	snprintf(path, sizeof(path), "/proc/%d/status", harness->pid);
	size = strstr(process_read_text(path), "VmSize:");
	require(size && sscanf(size, "VmSize: %lu", &used) == 1);
	set_limit(harness, RLIMIT_AS, (used + kib) * 1024);
}

void faults_lift(const struct harness *harness)
{
	set_limit(harness, RLIMIT_NOFILE, RLIM_INFINITY);
	set_limit(harness, RLIMIT_AS, RLIM_INFINITY);
}

#define GROUP "dsptest-memory"

/* The first controller, and that of the unified hierarchy where it has it. */
static const struct {
	const char *root, *limit;
} groups[] = {
	{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
	{"/sys/fs/cgroup", "memory.max"},
};

static size_t group; /* which it is */
static char group_before[256];

static bool write_number(const char *folder, const char *file, unsigned long number)
{
	char path[PATH_MAX];
	FILE *out;
	bool ok;

	snprintf(path, sizeof(path), "%s/%s/%s", groups[group].root, folder, file);
	out = fopen(path, "we");
	ok = out && fprintf(out, "%lu", number) > 0;
	return out && fclose(out) == 0 && ok;
}

/* Which of its groups we are in, as a folder below its root. */
static void note_group(void)
{
	const char *text = process_read_text("/proc/self/cgroup");
	const char *line = strstr(text, group == 0 ? ":memory:" : "0::");

	require(line);
	line += group == 0 ? strlen(":memory:") : strlen("0::");
	snprintf(group_before, sizeof(group_before), "%.*s", (int)strcspn(line, "\n"), line);
}

static const char *group_path(void)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" GROUP, groups[group].root);
	return path;
}

bool faults_enter_memory_limit(unsigned int mib)
{
	for (group = 0; group < ARRAY_SIZE(groups); group++) {
		if (mkdir(group_path(), 0755) < 0 && errno != EEXIST)
			continue;
		note_group();
		if (write_number(GROUP, groups[group].limit, (unsigned long)mib << 20) &&
			write_number(GROUP, "cgroup.procs", (unsigned long)getpid()))
			return true;
		rmdir(group_path());
	}
	fprintf(stderr, "SKIPPED: no cgroup can limit memory here\n");
	return false;
}

void faults_leave_memory_limit(void)
{
	require(write_number(group_before, "cgroup.procs", (unsigned long)getpid()));
}

void faults_remove_memory_limit(void)
{
	require_soon(rmdir(group_path()) == 0);
}

/* Parts. */

void faults_kill_part(const struct harness *harness, const char *name)
{
	pid_t pid = 0;

	require_eq(process_count_children(harness->pid, name, &pid), 1);
	must(kill(pid, SIGKILL));
	require_soon(process_count_children(harness->pid, name, NULL) == 0);
}
