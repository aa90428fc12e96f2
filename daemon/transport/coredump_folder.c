// SPDX-License-Identifier: MIT
#include "daemon/transport/coredump_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "protocol/clock.h"
#include "protocol/util.h"

/* As long as it is being written its name is this, a number, and SUFFIX. */
#define UNFINISHED    ".new-"
#define SUFFIX        ".core"
#define SUFFIX_CUT    ".truncated.core"
#define STAMP_FORMAT  "%Y%m%dT%H%M%SZ"
#define STAMP_PATTERN "00000000T000000Z" /* 0: any digit */

/* Of a number in a name. */
#define DIGITS_MAX 15
/* Names that are tried until one is free. */
#define NAMES_MAX 100

/* Names. */

/* What comes behind @prefix in @text; NULL: it begins otherwise, or there is none. */
static const char *behind(const char *text, const char *prefix)
{
	size_t length = strlen(prefix);

	return text && strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

static const char *behind_stamp(const char *text)
{
	for (const char *pattern = STAMP_PATTERN; text && *pattern; pattern++, text++)
		if (*pattern == '0' ? *text < '0' || *text > '9' : *text != *pattern)
			return NULL;
	return text;
}

static const char *behind_number(const char *text, uint64_t *number)
{
	size_t n = text ? strspn(text, "0123456789") : 0;

	if (n == 0 || n > DIGITS_MAX || text[0] == '0')
		return NULL;
	*number = strtoull(text, NULL, 10);
	return text + n;
}

static bool is(const char *text, const char *expected)
{
	return text && strcmp(text, expected) == 0;
}

/* Is that a file of @device? */
static bool parse_name(const char *name, const char *device, uint64_t *number)
{
	const char *rest = behind(behind(name, device), "-");

	rest = behind_number(behind(behind_stamp(rest), "-"), number);
	return is(rest, SUFFIX) || is(rest, SUFFIX_CUT);
}

static bool is_unfinished(const char *name)
{
	uint64_t number;

	return is(behind_number(behind(name, UNFINISHED), &number), SUFFIX);
}

/* The folder. */

/* A DIR of its own, so that @folder can be listed again. */
static DIR *list(int folder)
{
	_cleanup_(fd_closep) int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir)
		TAKE_FD(fd);
	return dir;
}

struct survey {
	uint32_t n; /* files of the device */
	uint64_t highest, lowest;
	char oldest[COREDUMP_NAME_SIZE];
};

static int survey(int folder, const char *device, struct survey *out)
{
	_cleanup_(closedirp) DIR *dir = list(folder);
	const struct dirent *entry;
	uint64_t number;

	*out = (struct survey){};
	if (!dir)
		return -errno;
	while (errno = 0, (entry = readdir(dir))) {
		if (!parse_name(entry->d_name, device, &number))
			continue;
		out->highest = MAX(out->highest, number);
		if (out->n++ && number >= out->lowest)
			continue;
		out->lowest = number;
		snprintf(out->oldest, sizeof(out->oldest), "%s", entry->d_name);
	}
	return -errno;
}

int coredump_folder_open(const char *path)
{
	_cleanup_(fd_closep) int fd = -1;
	struct stat st;

	if (mkdirat(AT_FDCWD, path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH))
		return -EPERM;
	return TAKE_FD(fd);
}

int coredump_folder_create(int folder, char name[COREDUMP_NAME_SIZE])
{
	int fd = -1;

	for (int i = 1; i <= NAMES_MAX && fd < 0; i++) {
		snprintf(name, COREDUMP_NAME_SIZE, UNFINISHED "%d" SUFFIX, i);
		fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0600);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	return fd < 0 ? -errno : fd;
}

/* Rename it, but never over another file. */
static int rename_new(int folder, const char *from, const char *to)
{
	struct stat st;

	if (renameat2(folder, from, folder, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	/* Not every file system can promise that (NFS); but nobody else writes here. */
	if (fstatat(folder, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return renameat2(folder, from, folder, to, 0) < 0 ? -errno : 0;
}

int coredump_folder_publish(int folder, char name[COREDUMP_NAME_SIZE], const char *device,
	bool truncated)
{
	const char *suffix = truncated ? SUFFIX_CUT : SUFFIX;
	char stamp[sizeof(STAMP_PATTERN)], to[COREDUMP_NAME_SIZE];
	const time_t now = (time_t)(clock_real_us() / 1000000);
	struct survey found;
	struct tm utc;
	int r;

	if (!gmtime_r(&now, &utc) || !strftime(stamp, sizeof(stamp), STAMP_FORMAT, &utc))
		return -EOVERFLOW;
	r = survey(folder, device, &found);
	if (r < 0)
		return r;
	r = -EEXIST;
	for (int i = 1; i <= NAMES_MAX && r == -EEXIST; i++) {
		snprintf(to, sizeof(to), "%s-%s-%llu%s", device, stamp,
			(unsigned long long)found.highest + (unsigned int)i, suffix);
		r = rename_new(folder, name, to);
	}
	if (r == 0)
		memcpy(name, to, sizeof(to));
	return r;
}

int coredump_folder_prune(int folder, const char *device, uint32_t keep)
{
	struct survey found;
	int r;

	while ((r = survey(folder, device, &found)) == 0 && found.n > keep)
		if (unlinkat(folder, found.oldest, 0) < 0)
			return -errno;
	return r;
}

void coredump_folder_clean(const char *path)
{
	_cleanup_(fd_closep) int folder =
		open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_(closedirp) DIR *dir = folder < 0 ? NULL : list(folder);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (is_unfinished(entry->d_name))
			unlinkat(folder, entry->d_name, 0);
}
