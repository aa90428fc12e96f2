// SPDX-License-Identifier: MIT
/* Whole files: read, and replaced in one step, so that a file is the old one or the new one. */
#ifndef DSPCTL_FILE_H
#define DSPCTL_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/util.h"

/* Read the file @path, or standard input for "-", to its end. The caller owns *@out. Returns 0 or
 * -errno; -EFBIG from 4 GiB on. */
int dspctl_file_read(const char *path, unsigned char **out, uint32_t *out_length);

/* Copy the file @path, or standard input for "-", into a memfd that is sealed against writing,
 * growing and shrinking;
 * *@out is the caller's. Returns 0 or -errno; -ENODATA: it is empty; -EFBIG: more than @max bytes.
 */
int dspctl_file_seal(const char *path, size_t max, int *out);

/*
 * A file that takes another's place when it is complete. It is written beside that, and removed
 * should a signal end the program meanwhile. What is no regular file (a device, a pipe) is written
 * where it is. One at a time.
 */
struct dspctl_replacement {
	int fd;          /* to be written; stays ours */
	char *path;      /* to be replaced */
	char *temporary; /* NULL: nothing is to be renamed */
};

#define DSPCTL_REPLACEMENT_NONE ((struct dspctl_replacement){.fd = -1})

/* Begin to replace @path, which need not exist. Returns 0 or -errno. */
int dspctl_replace_begin(struct dspctl_replacement *out, const char *path);
/* Put what was written, all of it on disk, in its place. Returns 0 or -errno; the old file stays
 * then. */
int dspctl_replace_commit(struct dspctl_replacement *replacement);
/* Forget it, unless it was committed. Safe on DSPCTL_REPLACEMENT_NONE and twice. */
void dspctl_replace_end(struct dspctl_replacement *replacement);

/* Replace the file @path with these bytes, or write them to standard output for "-". */
int dspctl_file_write(const char *path, const void *bytes, size_t size);

#endif
