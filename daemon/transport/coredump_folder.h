// SPDX-License-Identifier: MIT
/*
 * The folder of core dumps. Its files are named DEVICE-20240229T235959Z-7.core: when it was saved,
 * in UTC, and a number that is higher for each one of the device, so that the oldest is known even
 * if the clock was wrong. One that was cut off ends in .truncated.core. Other files are not ours
 * and are left alone.
 */
#ifndef DSP_COREDUMP_FOLDER_H
#define DSP_COREDUMP_FOLDER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define COREDUMP_NAME_SIZE (NAME_MAX + 1)

/* Open it, and make it if it is not there. Returns a descriptor; -EPERM when others than we may
 * write to it; or another -errno. */
int coredump_folder_open(const char *path);

/* Begin a file under a name that is not to be seen, which *@name becomes. Returns its descriptor or
 * -errno. */
int coredump_folder_create(int folder, char name[COREDUMP_NAME_SIZE]);
/* It is complete: give it its name, which *@name becomes. Returns 0 or -errno. */
int coredump_folder_publish(int folder, char name[COREDUMP_NAME_SIZE], const char *device,
	bool truncated);
/* Remove the oldest files of that device, until there are @keep. Returns 0 or -errno. */
int coredump_folder_prune(int folder, const char *device, uint32_t keep);

/* Remove what was begun and never published, if there is such a folder. */
void coredump_folder_clean(const char *path);

#endif
