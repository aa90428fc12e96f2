// SPDX-License-Identifier: MIT
/* The nodes of the kernel's FastRPC driver, /dev/fastrpc-*: every ioctl that the broker makes on
 * one, and no other code makes any. */
#ifndef DSP_FASTRPC_MISC_NODE_H
#define DSP_FASTRPC_MISC_NODE_H

#include "daemon/transport/fastrpc/driver.h"

extern const struct fastrpc_driver misc_driver;

/* Its system calls: the table that the requests are made from. */
extern const struct filter_table misc_calls;

/* As transport_ops.memory_alloc. */
int misc_alloc(int fd, uint64_t size, int *dmabuf);

#endif
