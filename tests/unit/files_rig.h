// SPDX-License-Identifier: MIT
/*
 * Files of a domain, in a temporary folder: directories for reading, for writing and of modules,
 * and things beside them that are nobody's business.
 */
#ifndef DSP_TESTS_FILES_RIG_H
#define DSP_TESTS_FILES_RIG_H

#include <check.h>
#include <string.h>

#include "daemon/transport/fastrpc/files.h"
#include "protocol/util.h"
#include "tests/fds.h"
#include "tests/unit/tree.h"

#define FILES      4
#define FILE_BYTES 16

static struct policy_dir dirs[3];
static struct policy_domain policy;
static struct files *files;
static size_t fds;

static inline void set_up(void)
{
	static const char *const folders[] = {
		"read", "read/sub", "read-more", "write", "write/sub", "also", "modules"};

	tree_start();
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		tree_make_folder(folders[i]);
	tree_write("secret", "secret");
	tree_write("read-more/secret", "secret");
	tree_write("read/data", "data");
	tree_write("read/sub/deep", "deep");
	tree_write("write/old", "old");
	tree_write("modules/lib.so", "module");
	dirs[0] = (struct policy_dir){strdup(tree_path("read")), false};
	dirs[1] = (struct policy_dir){strdup(tree_path("write")), true};
	dirs[2] = (struct policy_dir){strdup(tree_path("also")), true};
	policy = (struct policy_domain){.name = "test",
		.dirs = dirs,
		.n_dirs = ARRAY_SIZE(dirs),
		.files = FILES,
		.file_bytes = FILE_BYTES};
	fds = count_fds(getpid());
	ck_assert_int_eq(files_new(&files, &policy), 0);
	ck_assert_int_eq(files_add_directory(files, tree_path("modules")), 0);
}

/* However a test ends, nothing stays open. */
static inline void tear_down(void)
{
	files = files_free(files);
	ck_assert_uint_eq(count_fds(getpid()), fds);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		free((char *)dirs[i].path);
	tree_stop();
}

static inline int open_file(const char *name, enum files_mode mode)
{
	return files_open(files, name, strlen(name), mode);
}

static inline int open_folder(const char *name)
{
	return files_open_folder(files, name, strlen(name));
}

static inline int stat_of(const char *name, struct stat *out)
{
	return files_stat(files, name, strlen(name), out);
}

static inline int remove_file(const char *name)
{
	return files_remove(files, name, strlen(name));
}

static inline int remove_folder(const char *name)
{
	return files_remove_folder(files, name, strlen(name));
}

static inline int make_folder(const char *name)
{
	return files_make_folder(files, name, strlen(name));
}

static inline int rename_file(const char *from, const char *to)
{
	return files_rename(files, from, strlen(from), to, strlen(to));
}

#endif
