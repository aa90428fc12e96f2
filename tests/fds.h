// SPDX-License-Identifier: MIT
/* How many descriptors a process holds, to see that none was left behind. */
#ifndef TESTS_FDS_H
#define TESTS_FDS_H

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

/* Of a process that we may look at. The one for counting is not among them. */
static inline size_t count_fds(pid_t pid)
{
	const struct dirent *entry;
	char path[64];
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n - (pid == getpid());
}

#endif
