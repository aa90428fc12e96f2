// SPDX-License-Identifier: MIT
/*
 * The driver's own ioctls as they were posted for the kernel on 2026-05-19: their numbers, layouts
 * and names stand in posted.c, and nowhere else. To the broker an argument is a range of a buffer
 * object, which is what the driver's reviewers ask for; the posted driver wants a descriptor and an
 * address instead.
 *
 * For threads; what needs the DSP blocks.
 */
#ifndef DSP_QDA_POSTED_H
#define DSP_QDA_POSTED_H

#include "daemon/transport/fastrpc/driver.h"

#define POSTED_NAME_SIZE 17 /* of a DSP; 16 bytes and a NUL */

/* The ioctls on a node, libdrm's included: the table that the driver's own are made from. */
extern const struct filter_table qda_calls;

/* An argument of a call: @length bytes of a buffer object from @offset on. Only its own object need
 * be named; one without bytes needs none. */
struct posted_arg {
	const struct node_buffer *object;
	uint64_t offset, length;
};

/* Is that a node of this driver? Returns 1, 0, or -errno when it does not say. */
int posted_is_driver(int fd);
/* Which DSP is it? Returns 0 or -errno: -ENODEV when it is gone. */
int posted_query(int fd, char name[POSTED_NAME_SIZE]);

/* Become a domain; @shell as in fastrpc_driver.create. */
struct node_result posted_create(int fd, int shell, uint32_t size, uint32_t attributes);

/*
 * Call a method, once. Handles, scalars and ranges that are not to be, the kernel never sees:
 * -EINVAL. Of the handles that are there without being opened, the broker calls four, and none for
 * a client; the kernel's own (FASTRPC_KERNEL) would end other domains.
 *
 * No argument is copied by the kernel, so none can lie within the addresses of another's buffer,
 * which would make the posted driver write before its own memory. Ranges of one buffer may overlap,
 * as a client may call a method in place: to the driver these are only addresses.
 */
struct node_result posted_invoke(int fd, uint32_t handle, uint32_t scalars,
	const struct posted_arg *args);

/* The domain's heap. */
struct node_result posted_grow(int fd, uint64_t size, uint64_t *remote);
struct node_result posted_shrink(int fd, uint64_t remote, uint64_t size);

#endif
