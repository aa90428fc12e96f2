// SPDX-License-Identifier: MIT
#include "tests/bench/pin.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/sample.h"

/* What we may use, as it was at first. */
static cpu_set_t all;

static void find_out(void)
{
	if (CPU_COUNT(&all) == 0)
		must_errno(sched_getaffinity(0, sizeof(all), &all), "sched_getaffinity");
}

/* Processors of a place. */
static cpu_set_t processors(enum place place)
{
	int skip = place == PLACE_BROKER ? 0 : 1;
	cpu_set_t set;

	find_out();
	if (place == PLACE_ANY)
		return all;
	CPU_ZERO(&set);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &all) && skip-- == 0) {
			CPU_SET(cpu, &set);
			break;
		}
	}
	return set;
}

bool pin_possible(void)
{
	find_out();
	return CPU_COUNT(&all) > 1;
}

/* One that has ended meanwhile needs none. */
static void pin_thread(pid_t tid, enum place place)
{
	const cpu_set_t set = processors(place);

	if (pin_possible() && sched_setaffinity(tid, sizeof(set), &set) < 0 && errno != ESRCH)
		must(-errno, "sched_setaffinity");
}

void pin(enum place place)
{
	pin_thread(0, place);
}

/* Returns false when there is no such process. */
static bool pin_threads(pid_t pid, enum place place)
{
	struct dirent *entry;
	char path[64];
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	folder = opendir(path);
	if (!folder)
		return false;
	while ((entry = readdir(folder)))
		if (atoi(entry->d_name) > 0)
			pin_thread(atoi(entry->d_name), place);
	closedir(folder);
	return true;
}

void pin_process(pid_t pid, enum place place)
{
	must(pin_threads(pid, place) ? 0 : -errno, "/proc");
}

static pid_t parent_of(pid_t pid)
{
	pid_t parent = -1;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return -1;
	/* The name may hold anything, also ')', but neither of our programs' does. */
	if (fscanf(file, "%*d (%*[^)]) %*c %d", &parent) != 1)
		parent = -1;
	fclose(file);
	return parent;
}

void pin_descendants(pid_t pid, enum place place)
{
	struct dirent *entry;
	DIR *folder;

	folder = opendir("/proc");
	while (folder && (entry = readdir(folder))) {
		pid_t child = atoi(entry->d_name);

		if (child > 0 && parent_of(child) == pid) {
			pin_threads(child, place); /* unless it has ended meanwhile */
			pin_descendants(child, place);
		}
	}
	if (folder)
		closedir(folder);
}

void pin_broker_and_ends(pid_t broker)
{
	pin_process(broker, PLACE_BROKER);
	pin_descendants(broker, PLACE_ENDS);
	pin(PLACE_ENDS);
}

void unpin_broker_and_ends(pid_t broker)
{
	pin_process(broker, PLACE_ANY);
	pin_descendants(broker, PLACE_ANY);
	pin(PLACE_ANY);
}
