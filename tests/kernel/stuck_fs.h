// SPDX-License-Identifier: MIT
/* A file system (FUSE) with nothing in it but its root, which can be entered; but whoever looks up
 * a name there waits for as long as it is served. */
#ifndef DSP_STUCK_FS_H
#define DSP_STUCK_FS_H

#include "tests/integration/harness.h"

struct stuck_fs {
	char path[128];
	struct client server;
};

/* Mount it at @path, a folder that this makes. */
void stuck_fs_start(struct stuck_fs *fs, const char *path);
/* Wait until somebody waits there. Once for each who does. */
void stuck_fs_await(struct stuck_fs *fs);
/* It is gone, and who waited gets an error. */
void stuck_fs_end(struct stuck_fs *fs);

#endif
