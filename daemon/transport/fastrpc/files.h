// SPDX-License-Identifier: MIT
/*
 * Files as one protection domain may have them: names are looked up beneath the directories that
 * policy names, never through a symbolic link or "..", and read only unless the directory is for
 * writing. How many are open and how large each grows is bounded; how many are made is not. For one
 * thread.
 */
#ifndef DSP_FASTRPC_FILES_H
#define DSP_FASTRPC_FILES_H

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "policy/policy.h"

/* Bytes of a name that a DSP may use. */
#define FILES_NAME_MAX 255

struct files;

/* How to open. */
enum files_mode {
	FILES_READ,
	FILES_WRITE,  /* made if it is not there, emptied if it is */
	FILES_APPEND, /* made if it is not there; what is written goes to its end */
	FILES_UPDATE, /* read and written; it is there */
};

/* Directories are opened once, here, and stay. One that cannot be opened is left out; that is
 * logged.
 * @dirs and what it points to outlive it. Returns 0 or -ENOMEM. */
int files_new(struct files **out, const struct policy_domain *policy);
struct files *files_free(struct files *files);

/* One more directory, for reading, before or after the others? Those that were added are looked in
 * first, in the order of adding. Returns 0 or -errno. */
int files_add_directory(struct files *files, const char *path);
/* A file that lies nowhere: @fd is duplicated and read by the name @name, which then means this
 * one. */
int files_add_file(struct files *files, const char *name, int fd);

/*
 * A name is relative, or absolute and then below one of the directories. Functions return 0 or a
 * number of a file (from 1), or -errno: -ENOENT; -EACCES (not beneath a directory, or not for
 * writing); -EMFILE (policy->files); -EFBIG (policy->file_bytes); -EBADF; -EINVAL (a name that
 * cannot be right: empty, too long, control characters); others of open(2), read(2), write(2).
 */
int files_open(struct files *files, const char *name, size_t size, enum files_mode mode);
int files_close(struct files *files, int file);
ssize_t files_read(struct files *files, int file, void *out, size_t size);
ssize_t files_write(struct files *files, int file, const void *data, size_t size);
int files_sync(struct files *files, int file);
/* @whence as lseek(2). */
int64_t files_seek(struct files *files, int file, int64_t offset, int whence);
int64_t files_length(struct files *files, int file);
int files_truncate(struct files *files, int file, uint64_t size);
int files_stat(struct files *files, const char *name, size_t size, struct stat *out);
/* Below a directory for writing. */
int files_remove(struct files *files, const char *name, size_t size);
int files_rename(struct files *files, const char *from, size_t from_size, const char *to,
	size_t to_size);
int files_make_folder(struct files *files, const char *name, size_t size);
int files_remove_folder(struct files *files, const char *name, size_t size);
/* Folders count as files that are open. *@entry is valid until the next call; NULL: no more. */
int files_open_folder(struct files *files, const char *name, size_t size);
int files_read_folder(struct files *files, int folder, const struct dirent **entry);
int files_close_folder(struct files *files, int folder);

#endif
