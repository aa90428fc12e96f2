// SPDX-License-Identifier: MIT
#include "tests/integration/cgroup.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/process.h"

/* Of what is below the hierarchy that systemd would manage; static. NULL: there is none. */
static const char *path_of(const char *below, const char *file)
{
	static char path[256];
	static const char *const roots[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};

	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		snprintf(path, sizeof(path), "%s/cgroup.procs", roots[i]);
		if (access(path, W_OK) < 0)
			continue;
		snprintf(path, sizeof(path), "%s/" CGROUP_SLICE "%s%s", roots[i], below, file);
		return path;
	}
	return NULL;
}

static const char *unit_path(const char *unit, const char *file)
{
	char below[128];

	snprintf(below, sizeof(below), "/%s", unit);
	return path_of(below, file);
}

bool cgroup_make(const char *unit)
{
	const char *slice = path_of("", "");

	if (!slice || (mkdir(slice, 0755) < 0 && errno != EEXIST)) {
		fprintf(stderr, "SKIPPED: no cgroup can be made here\n");
		return false;
	}
	require(mkdir(unit_path(unit, ""), 0755) == 0 || errno == EEXIST);
	return true;
}

void cgroup_remove(const char *unit)
{
	require_soon(rmdir(unit_path(unit, "")) == 0 || errno == ENOENT);
	rmdir(path_of("", "")); /* unless it has others */
}

void cgroup_enter(const char *unit, pid_t pid)
{
	FILE *procs = fopen(unit_path(unit, "/cgroup.procs"), "we");

	require(procs && fprintf(procs, "%d", pid) > 0 && fclose(procs) == 0);
}
