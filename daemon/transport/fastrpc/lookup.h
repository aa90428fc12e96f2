// SPDX-License-Identifier: MIT
/*
 * Where a name lies that a DSP uses: beneath one of some directories, never through a symbolic link
 * or ".." (beneath.h). files.h is what is done with it. For one thread.
 *
 * Functions return 0 or a descriptor, or -errno: -EINVAL for what cannot be a name, -EACCES where
 * there is no directory for it, -ENOENT or -ENOTDIR when it is in none; others of beneath.h.
 */
#ifndef DSP_FASTRPC_LOOKUP_H
#define DSP_FASTRPC_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/transport/fastrpc/files.h"
#include "protocol/util.h"

/* Without empty and "." parts; NUL-terminated. */
struct lookup_name {
	char text[FILES_NAME_MAX + 1];
};

/* @name need not be terminated; it is checked here. */
int lookup_parse(struct lookup_name *out, const char *name, size_t size);
const char *lookup_last_part(const char *name);

struct lookup_directory {
	char *path; /* without a '/' at its end */
	int fd;     /* O_PATH */
	bool writable;
};

/* Zeroed: none. */
struct lookup {
	struct lookup_directory *dirs; /* in the order of searching */
	size_t n_dirs;
};

/* Open a directory, once, to be the one at index @at. */
int lookup_insert(struct lookup *lookup, size_t at, const char *path, bool writable,
	bool through_links);
void lookup_deinit(struct lookup *lookup);

/* Open a parsed name, with the flags of open(2), in the first directory that has it; only those for
 * writing count when @writing. O_CREAT makes it where its folder is. Returns a descriptor. */
int lookup_open(const struct lookup *lookup, const char *name, int flags, bool writing);

/* Where a name is written, so that it can be made, removed or changed. */
struct lookup_place {
	const struct lookup_directory *dir;
	int folder;       /* owned; -1: nowhere */
	const char *last; /* part of the name that was asked for */
};

/* The place of a parsed name in the first directory for writing where it is or, with @is_new, could
 * be. */
int lookup_place(const struct lookup *lookup, const char *name, bool is_new,
	struct lookup_place *out);
/* The same in a certain directory; -EXDEV: it lies elsewhere. */
int lookup_place_in(const struct lookup_directory *dir, const char *name, struct lookup_place *out);
/* 0 when there is a regular file or a folder, -ENOENT when there is nothing, -EACCES otherwise. */
int lookup_check(const struct lookup_place *place);

static inline void lookup_place_closep(struct lookup_place *place)
{
	place->folder = fd_close(place->folder);
}

#endif
