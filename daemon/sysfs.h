// SPDX-License-Identifier: MIT
/*
 * Reading sysfs. All paths begin with the folder where sysfs is mounted, which tests may replace by
 * one of theirs. Nothing here waits, except for the kernel in an attribute's own function.
 */
#ifndef DSP_SYSFS_H
#define DSP_SYSFS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/util.h"

/* A path, put together; one that is too long is "", which opens nothing. */
struct path {
	char text[PATH_MAX];
};
struct path path_join(const char *format, ...) _printf_(1, 2);

/* Read an attribute of one line, without its end. Returns 0; -E2BIG when it is longer than @size
 * allows, or not text (it holds a NUL); another -errno. */
int sysfs_read(const char *path, char *out, size_t size);
/* Write an attribute. Returns 0 or -errno. */
int sysfs_write(const char *path, const char *text);
/* A decimal number, or one in hexadecimal with 0x. Returns 0; -EINVAL; -ERANGE; another -errno. */
int sysfs_read_u32(const char *path, uint32_t *out);
/* The number of the node of the device at @path, as its attribute "dev" says it; 0: it has none, or
 * it is not known. */
dev_t sysfs_device_number(const char *path);

/* What a folder holds whose names begin with @prefix, sorted by name as numbers are (rpmsg2 before
 * rpmsg10), at most @max. @id tells two things apart that had the same name one after the other. */
struct sysfs_entry {
	char name[NAME_MAX + 1];
	ino_t id;
};
/* Returns how many there are, which *@out holds, to be freed; 0 when there is no such folder; or
 * -errno. */
ssize_t sysfs_list(const char *folder, const char *prefix, struct sysfs_entry **out, size_t max);

/* Does the path lead to something? */
bool sysfs_exists(const char *path);
/* Where the links in a path lead, as an absolute path. Returns 0 or -errno. */
int sysfs_resolve(const char *path, struct path *out);
/* Is @path, resolved, that of @ancestor, or below it? Both are resolved paths. */
bool sysfs_is_below(const char *path, const char *ancestor);

/* The IOMMU group of the device at that resolved path, or of the nearest ancestor that has one: its
 * number; -ENOENT when there is none up to @root, the folder where sysfs is mounted; or another
 * -errno. */
int sysfs_iommu_group(const char *path, const char *root);

#endif
