// SPDX-License-Identifier: MIT
/*
 * Which process has a device node open? Each descriptor of each process is looked at, as /proc
 * shows them. Who has no more than a node's path (O_PATH) has not opened it.
 *
 * Not to be seen are processes outside of that /proc (of other pid namespaces that are not below
 * ours), what is only mapped, registered with an io_uring or on its way through a socket,
 * descriptors of a thread that has a table of its own, and a node that lies in somebody's FUSE,
 * where users cannot have any. So who wants to hide a node from us can; others are found.
 *
 * Looking takes time, and anybody may have millions of descriptors open. So that who has no right
 * to a node cannot keep it from being used, nobody's but root's must all be looked at: what a user
 * has beyond his part is taken for none.
 */
#ifndef DSP_WHO_HOLDER_H
#define DSP_WHO_HOLDER_H

#include <stdint.h>

#define HOLDER_NODES     2
#define HOLDER_OWN       2
#define HOLDER_NAME_SIZE 16 /* of a process, as the kernel has it, the closing NUL included */

/* Descriptors that one question looks at, each in some microseconds: root's, which must not be
 * more; each other user's, and theirs together. */
#define HOLDER_ROOT_MAX   (1u << 19)
#define HOLDER_USER_MAX   (1u << 16)
#define HOLDER_OTHERS_MAX (1u << 19)

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
 * says who, or that it is nobody; -EACCES: not every process may be looked at; -E2BIG: root has
 * too many descriptors open; or another -errno. Waits for no file system. */
int holder_find(int proc, const struct holder_wanted *wanted, struct holder *out);

#endif
