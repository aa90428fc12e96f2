// SPDX-License-Identifier: MIT
#include "daemon/transport/fastrpc/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "protocol/util.h"

#define MODE 0600 /* of files that are made here */

/* What is mounted is not asked for anything: whoever serves it might not answer. */
static int check(int fd, bool across)
{
	struct statx info;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &info) < 0)
		return -errno;
	if (S_ISLNK(info.stx_mode))
		return -ELOOP;
	if (across)
		return 0;
	if (!(info.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
		return -ENOSYS;
	return info.stx_attributes & (STATX_ATTR_MOUNT_ROOT | STATX_ATTR_AUTOMOUNT) ? -EXDEV : 0;
}

/* An O_PATH descriptor, which opens nothing yet. */
static int find(int dir, const char *part, bool across)
{
	_cleanup_(fd_closep) int fd = openat(dir, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = check(fd, across);
	return r < 0 ? r : TAKE_FD(fd);
}

/* Of a path, up to the slash that is there. */
static int find_folder(int dir, const char *part, const char *slash, bool across)
{
	const size_t length = (size_t)(slash - part);
	char name[NAME_MAX + 1];

	if (length > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, part, length);
	name[length] = '\0';
	return find(dir, name, across);
}

static int open_last(int dir, const char *name, int flags, bool across)
{
	_cleanup_(fd_closep) int found = -1;
	int fd;

	if (*name == '\0') {
		name = ".";
	} else {
		found = find(dir, name, across);
		if (found < 0 && !(found == -ENOENT && flags & O_CREAT))
			return found;
	}
	fd = openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC, MODE);
	return fd < 0 ? -errno : fd;
}

static int walk(int dir, const char *path, int flags, bool across)
{
	_cleanup_(fd_closep) int folder = -1;
	const char *slash;

	for (; (slash = strchr(path, '/')); path = slash + 1) {
		int next = find_folder(folder >= 0 ? folder : dir, path, slash, across);

		if (next < 0)
			return next;
		fd_close(folder);
		folder = next;
	}
	return open_last(folder >= 0 ? folder : dir, path, flags, across);
}

int beneath_open(int dir, const char *path, int flags)
{
	return walk(dir, path, flags, false);
}

int beneath_open_directory(const char *path)
{
	_cleanup_(fd_closep) int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return -errno;
	return walk(root, path + (*path == '/'), O_PATH | O_DIRECTORY, true);
}
