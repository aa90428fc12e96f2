// SPDX-License-Identifier: MIT
#include "tests/unit/nodes_rig.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "protocol/util.h"
#include "tests/unit/tree.h"

static bool mounts; /* devices are mounted on files, since they cannot be made */

static bool can_make(void)
{
	const char *path = nodes_path("probe");
	_cleanup_(fd_closep) int fd = -1;
	struct stat null;

	if (stat("/dev/null", &null) < 0 || mknod(path, S_IFCHR | 0666, null.st_rdev) < 0)
		return false;
	/* There may be no devices on this file system. */
	fd = open(path, O_RDWR | O_CLOEXEC);
	unlink(path);
	return fd >= 0;
}

static bool can_mount(void)
{
	return (unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

bool nodes_start(void)
{
	tree_start();
	/* Others come by. */
	ck_assert_int_eq(chmod(tree_path(""), 0755), 0);
	tree_make_folder("dev");
	ck_assert_int_eq(chmod(nodes_dev(), 0755), 0);
	if (!can_make()) {
		mounts = can_mount();
		if (!mounts) {
			fprintf(stderr, "SKIPPED: nobody here may make device nodes\n");
			return false;
		}
	}
	nodes_make("fastrpc-null");
	return true;
}

static int unmount(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)at;
	if (type == FTW_F)
		umount2(path, MNT_DETACH);
	return 0;
}

void nodes_stop(void)
{
	if (mounts)
		nftw(nodes_dev(), unmount, 8, FTW_PHYS);
	tree_stop();
}

const char *nodes_dev(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "%.60s", tree_path("dev"));
	return path;
}

const char *nodes_path(const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "dev/%s", name);
	return tree_path(path);
}

void nodes_make(const char *name)
{
	const char *path = nodes_path(name);
	_cleanup_(fd_closep) int fd = -1;
	struct stat null;

	ck_assert_int_eq(stat("/dev/null", &null), 0);
	if (!mounts) {
		ck_assert_int_eq(mknod(path, S_IFCHR | 0666, null.st_rdev), 0);
		ck_assert_int_eq(chmod(path, 0666), 0);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(mount("/dev/null", path, NULL, MS_BIND, NULL), 0);
}

/* Of "PID (NAME) STATE PARENT ...". */
static char read_stat(pid_t pid, pid_t *parent)
{
	char path[64], text[512], state = 0;
	_cleanup_(fd_closep) int fd = -1;
	const char *rest;
	ssize_t n;

	*parent = 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return 0;
	text[n] = '\0';
	rest = strrchr(text, ')');
	ck_assert_ptr_nonnull(rest);
	ck_assert_int_eq(sscanf(rest, ") %c %d", &state, parent), 2);
	return state;
}

char nodes_state(pid_t pid)
{
	pid_t parent;

	return read_stat(pid, &parent);
}

pid_t nodes_parent(pid_t pid)
{
	pid_t parent;

	read_stat(pid, &parent);
	return parent;
}

void nodes_await_end(pid_t pid)
{
	/* A test that waits for too long is ended. */
	for (char state = 'R'; state && state != 'Z'; state = nodes_state(pid))
		sched_yield();
}
