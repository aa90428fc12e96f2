// SPDX-License-Identifier: MIT
#include "tests/integration/process.h"

#include <dirent.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TEXT_SIZE    (256 * 1024)
#define POLL_MS      5
#define CHILDREN_MAX 1024

int process_link = -1;

static pid_t children[CHILDREN_MAX]; /* 0: free */

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

void process_await_input(int fd, const char *what)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	if (must(poll(&pollfd, 1, HARNESS_PATIENCE_S * 1000)) == 0)
		harness_fail(__FILE__, __LINE__, "waited in vain for %s", what);
}

const char *process_read_text(const char *path)
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

bool process_is_root(void)
{
	return geteuid() == 0;
}

void process_become(uid_t uid, const gid_t *groups, size_t n_groups)
{
	if (process_is_root()) {
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

void process_add(pid_t pid)
{
	pid_t *entry = child_entry(0);

	require(entry);
	*entry = pid;
}

void process_remove(pid_t pid)
{
	*child_entry(pid) = 0;
}

/* "PID (NAME) STATE PPID ..." of proc(5). */
static bool read_stat(const char *pid, char *state, pid_t *parent)
{
	char path[64];
	const char *after_name;

	snprintf(path, sizeof(path), "/proc/%.16s/stat", pid);
	after_name = strrchr(process_read_text(path), ')');
	return after_name && sscanf(after_name, ") %c %d", state, parent) == 2;
}

/* The kernel's short name of it. */
static bool has_name(const char *process, const char *name)
{
	char path[300], comm[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/comm", process);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(comm, sizeof(comm), file))
		*comm = '\0';
	fclose(file);
	comm[strcspn(comm, "\n")] = '\0';
	return strcmp(comm, name) == 0;
}

size_t process_count_children(pid_t of, const char *name, pid_t *one)
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
		if (name && !has_name(entry->d_name, name))
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
