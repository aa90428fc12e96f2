// SPDX-License-Identifier: MIT
#include "tests/bench/proc.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/sample.h"

/* Add up what @count reads in that file of each thread. Returns false where there is none. */
static bool add_threads(pid_t pid, const char *name, uint64_t (*count)(FILE *file), uint64_t *sum)
{
	char path[300];
	struct dirent *entry;
	bool found = false;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	*sum = 0;
	if (!tasks)
		return false;
	while ((entry = readdir(tasks))) {
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/task/%s/%s", pid, entry->d_name, name);
		file = *entry->d_name == '.' ? NULL : fopen(path, "re");
		if (!file)
			continue; /* or the thread is gone */
		*sum += count(file);
		found = true;
		fclose(file);
	}
	closedir(tasks);
	return found;
}

/* The first number of "schedstat" is the time on a processor, ns. */
static uint64_t read_schedstat(FILE *file)
{
	char line[128] = "";

	return fgets(line, sizeof(line), file) ? strtoull(line, NULL, 10) : 0;
}

/* Fields 14 and 15 of "stat", in ticks; 2 is a name in brackets that may hold anything. */
static uint64_t read_stat(FILE *file)
{
	unsigned long long user = 0, kernel = 0;
	char line[1024] = "";
	const char *rest;

	rest = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	if (!rest || sscanf(rest + 1, " %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu",
			     &user, &kernel) != 2)
		return 0;
	return (user + kernel) * (1000000000 / (uint64_t)sysconf(_SC_CLK_TCK));
}

static uint64_t read_switches(FILE *file)
{
	static const char *const keys[] = {
		"voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"};
	uint64_t sum = 0;
	char line[256];

	while (fgets(line, sizeof(line), file))
		for (int i = 0; i < 2; i++)
			if (!strncmp(line, keys[i], strlen(keys[i])))
				sum += strtoull(line + strlen(keys[i]), NULL, 10);
	return sum;
}

uint64_t proc_cpu_ns(pid_t pid)
{
	uint64_t ns;

	/* A kernel may be built without the first. */
	if (!add_threads(pid, "schedstat", read_schedstat, &ns))
		must(add_threads(pid, "stat", read_stat, &ns) ? 0 : -ENOENT, "/proc");
	return ns;
}

uint64_t proc_switches(pid_t pid)
{
	uint64_t switches;

	must(add_threads(pid, "status", read_switches, &switches) ? 0 : -ENOENT, "/proc");
	return switches;
}
