// SPDX-License-Identifier: MIT
#include "tests/unit/opener_rig.h"

#include <check.h>
#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/emulated.h"
#include "tests/fds.h"

struct opener *opener;
struct broker_options options;
static size_t fds_before;

void opener_set_up(void)
{
	if (!nodes_start())
		exit(EXIT_SUCCESS);
	options = (struct broker_options){.dev = nodes_dev(), .allow_unconfined = emulated()};
	fds_before = count_fds(getpid());
}

void start(void)
{
	ck_assert_int_eq(opener_new(&opener, &options), 0);
}

void opener_tear_down(void)
{
	pid_t pid = opener ? opener_pid(opener) : 0;

	opener = opener_free(opener);
	if (pid)
		waitpid(pid, NULL, 0);
	ck_assert_uint_eq(count_fds(getpid()), fds_before);
	nodes_stop();
}

size_t count_its_children(void)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	size_t n = 0;

	ck_assert_ptr_nonnull(proc);
	while ((entry = readdir(proc)))
		n += atoi(entry->d_name) > 0 &&
		     nodes_parent(atoi(entry->d_name)) == opener_pid(opener);
	closedir(proc);
	return n;
}

static int open_any(int dev, const char *name, int flags)
{
	long fd = syscall(SYS_openat, dev, name, flags);

	return fd < 0 ? -errno : (int)fd;
}

void start_taken_over(bool confined)
{
	const struct opener_place place = {
		.dev = nodes_dev(), .confined = confined, .open = open_any};

	ck_assert_int_eq(opener_start(&opener, &place, emulated()), 0);
}

void must_not_open(const char *name, int flags, int error)
{
	pid_t pid = 1;

	ck_assert_msg(opener_open(opener, name, flags) == error, "%s", name);
	ck_assert_msg(opener_open_as(opener, name, flags, &pid) == error, "%s", name);
	ck_assert_int_eq(pid, 0);
}
