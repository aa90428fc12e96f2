// SPDX-License-Identifier: MIT
#include "tests/unit/tree.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "protocol/util.h"

static char root[64];

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void tree_start(void)
{
	strcpy(root, "/tmp/test-tree-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
}

void tree_stop(void)
{
	tree_remove("");
}

const char *tree_path(const char *path)
{
	static char paths[8][512];
	static unsigned int next;
	char *out = paths[next++ % ARRAY_SIZE(paths)];
	int size = snprintf(out, sizeof(paths[0]), "%s%s%s", root, *path ? "/" : "", path);

	ck_assert_int_lt(size, (int)sizeof(paths[0]));
	return out;
}

void tree_make_folder(const char *path)
{
	ck_assert_int_eq(mkdir(tree_path(path), 0755), 0);
}

void tree_write(const char *path, const char *text)
{
	_cleanup_(fd_closep) int fd =
		open(tree_path(path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

void tree_link(const char *path, const char *target)
{
	ck_assert_int_eq(symlink(target, tree_path(path)), 0);
}

void tree_remove(const char *path)
{
	ck_assert_int_eq(nftw(tree_path(path), remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

bool tree_has(const char *path)
{
	struct stat info;

	return lstat(tree_path(path), &info) == 0;
}

const char *tree_read(const char *path)
{
	static char text[4096];
	_cleanup_(fd_closep) int fd = open(tree_path(path), O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0)
		return NULL;
	text[n] = '\0';
	return text;
}
