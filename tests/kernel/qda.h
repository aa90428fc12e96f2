// SPDX-License-Identifier: MIT
/*
 * QDA, the DRM accel driver that was proposed for DSPs, as the test kernel has it
 * (modules/qda_sim.h), without a broker: what a program of one's own would do, for tests and to
 * measure against. The counterpart of fastrpc.h, and as there nothing in here needs the test
 * harness. Numbers and layouts are a reading of their own.
 *
 * Where an int is returned it is what the ioctl says: 0; the kernel's -errno; or, raw, what the DSP
 * returned.
 */
#ifndef DSP_TESTS_QDA_H
#define DSP_TESTS_QDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/kernel/fastrpc.h"

/* The node that is there, "/dev/accel/accelN", or that of the same device "/dev/dri/renderDN".
 * False: there is none. */
bool qda_find(char *path, size_t size);
bool qda_find_render(char *path, size_t size);

/* A node is opened and closed as one of FastRPC's. Its context bank is that of the thread that
 * opened it. */

/* The DSP's name, of at most 16 bytes with its end. */
int qda_query(const struct fastrpc_node *node, char name[16]);

/* A buffer of the driver's own, mapped whole, and as a dma-buf, which is what it is freed by. */
struct qda_buffer {
	struct fastrpc_memory memory;
	uint32_t handle;
};

int qda_alloc(const struct fastrpc_node *node, struct qda_buffer *buffer, size_t size);
void qda_free(const struct fastrpc_node *node, struct qda_buffer *buffer);

/* The node's handle of a dma-buf. There is one, however often it is asked for, until it is dropped.
 */
int qda_import(const struct fastrpc_node *node, int fd, uint32_t *handle);
int qda_drop(const struct fastrpc_node *node, uint32_t handle);
/* Drop what a call by descriptor left behind. */
int qda_forget(const struct fastrpc_node *node, int fd);

/* Begin a domain from a shell file, and from one with that content. */
int qda_create(const struct fastrpc_node *node, uint32_t attributes);
int qda_create_from(const struct fastrpc_node *node, uint32_t attributes, const void *shell,
	size_t size);
/* With all that the ioctl takes; @file is to be 0. */
int qda_create_raw(const struct fastrpc_node *node, int fd, uint32_t size, uint32_t attributes,
	uint64_t file);

/* Arguments of calls: bytes that the kernel copies, or a part of a dma-buf that is mapped. */
struct qda_argument {
	uint64_t address, length;
	int32_t fd;
	uint32_t attributes;
};
struct qda_argument qda_inline(const void *data, size_t size);
struct qda_argument qda_shared(const struct fastrpc_memory *memory, size_t offset, size_t size);

/* The scalars say how many @args there are, inputs before outputs. */
int qda_call(const struct fastrpc_node *node, uint32_t handle, uint32_t scalars,
	const struct qda_argument *args);

/* A module by its name ("bench"), in the node's domain. */
int qda_open_module(const struct fastrpc_node *node, const char *name, uint32_t *handle);
int qda_close_module(const struct fastrpc_node *node, uint32_t handle);

/* Map all of the memory into the domain, to stay. *@remote is its address there. */
int qda_map(const struct fastrpc_node *node, const struct fastrpc_memory *memory, uint64_t *remote);
int qda_unmap(const struct fastrpc_node *node, const struct fastrpc_memory *memory,
	uint64_t remote);
/* Let the domain's heap grow by memory of the kernel's, and shrink again. */
int qda_grow(const struct fastrpc_node *node, uint64_t size, uint64_t *remote);
int qda_shrink(const struct fastrpc_node *node, uint64_t size, uint64_t remote);

/* What the driver counts: "late_answers", "refused", "sessions", "banks", "contexts", "handles",
 * "objects". UINT64_MAX: there is no such thing. */
uint64_t qda_count(const char *name);

#endif
