// SPDX-License-Identifier: MIT
/*
 * Which process has a device node open? Each descriptor of each process is looked at, as /proc
 * shows them. Not to be seen are processes outside of that /proc (of other pid namespaces that are
 * not below ours), what is only mapped or on its way through a socket, and descriptors of a thread
 * that has a table of its own.
 */
#ifndef DSP_WHO_HOLDER_H
#define DSP_WHO_HOLDER_H

#include <stdint.h>

#define HOLDER_NODES     2
#define HOLDER_OWN       2
#define HOLDER_NAME_SIZE 16 /* of a process, as the kernel has it, the closing NUL included */

/* As sysfs says it: "261:0". */
struct holder_node {
	uint32_t major, minor;
};

struct holder_wanted {
	struct holder_node nodes[HOLDER_NODES];
	uint32_t n_nodes;
	int32_t own[HOLDER_OWN]; /* processes that do not count; 0: none */
};

struct holder {
	int32_t pid; /* 0: nobody */
	uint32_t uid;
	char name[HOLDER_NAME_SIZE]; /* whatever that process likes */
};

/* Look below @proc (an fd of /proc) for one that has any of the nodes open. Returns 0 when *@out
 * says who, or that it is nobody; -EACCES: not every process may be looked at; -E2BIG: there are
 * too many descriptors; or another -errno. Waits for no file system. */
int holder_find(int proc, const struct holder_wanted *wanted, struct holder *out);

#endif
