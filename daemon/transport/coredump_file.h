// SPDX-License-Identifier: MIT
/* From the kernel into a file: what of saving a core dump takes time, and so runs in a thread. */
#ifndef DSP_COREDUMP_FILE_H
#define DSP_COREDUMP_FILE_H

#include "daemon/sysfs.h"
#include "daemon/transport/coredump_folder.h"
#include "protocol/wire.h"

struct coredump_order {
	struct path dump;             /* its folder in sysfs */
	struct path folder;           /* where the file goes */
	char device[DSP_DEVICE_SIZE]; /* whose it is */
	uint64_t bytes;               /* at most */
	uint32_t keep;                /* files of that device, the new one among them */
};

struct coredump_file {
	char name[COREDUMP_NAME_SIZE];
	uint64_t size; /* bytes */
	bool truncated;
	const char *failed; /* to do what; static */
	int error;          /* -errno */
};

/* Save it, and release it in the kernel whether that has worked or not; then remove files that are
 * too many. Returns true when it was saved, also if something failed after that; otherwise nothing
 * of it is left here. */
bool coredump_save(const struct coredump_order *order, struct coredump_file *out);

#endif
