// SPDX-License-Identifier: MIT
/*
 * FastRPC as the kernel offers it, without a broker: what a program of one's own would do, for
 * tests and to measure against. Nothing in here needs the test harness.
 *
 * Where an int is returned it is what the ioctl says: 0; the kernel's -errno; or, raw, what the DSP
 * returned, which is positive or below -4095.
 */
#ifndef DSP_TESTS_FASTRPC_H
#define DSP_TESTS_FASTRPC_H

#include <misc/fastrpc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FASTRPC_NODE        "/dev/fastrpc-cdsp"
#define FASTRPC_NODE_SECURE "/dev/fastrpc-cdsp-secure"

/* An open node: one of the kernel's sessions. The DSP knows it by the process that opened it. */
struct fastrpc_node {
	int fd;
	pid_t opener; /* a process that ended; 0: it was this one */
};

int fastrpc_open(struct fastrpc_node *node, const char *path);
/* The same by a process of its own, of which only the number remains until it is closed. */
int fastrpc_open_by_another(struct fastrpc_node *node, const char *path);
void fastrpc_close(struct fastrpc_node *node);

/* Memory of the system's heap, a dma-buf, mapped whole. */
struct fastrpc_memory {
	int fd;
	uint8_t *data;
	size_t size;
};

int fastrpc_alloc(struct fastrpc_memory *memory, size_t size);
void fastrpc_free(struct fastrpc_memory *memory);

/* Become a domain: the DSP's own, or a new one that begins from a shell file. */
int fastrpc_attach(const struct fastrpc_node *node);
int fastrpc_create(const struct fastrpc_node *node, uint32_t attributes);
/* The same from a file with that content. */
int fastrpc_create_from(const struct fastrpc_node *node, uint32_t attributes, const void *shell,
	size_t size);

/* Arguments of calls: bytes that the kernel copies, or a part of shared memory. */
struct fastrpc_invoke_args fastrpc_inline(const void *data, size_t size);
struct fastrpc_invoke_args fastrpc_shared(const struct fastrpc_memory *memory, size_t offset,
	size_t size);

/* The scalars say how many @args there are, inputs before outputs. */
int fastrpc_call(const struct fastrpc_node *node, uint32_t handle, uint32_t scalars,
	const struct fastrpc_invoke_args *args);

/* A module by its name ("bench"), in the calling domain. */
int fastrpc_open_module(const struct fastrpc_node *node, const char *name, uint32_t *handle);
int fastrpc_close_module(const struct fastrpc_node *node, uint32_t handle);

/* Map all of the memory into the domain, to stay. *@remote is its address there. */
int fastrpc_map(const struct fastrpc_node *node, const struct fastrpc_memory *memory,
	uint64_t *remote);
int fastrpc_unmap(const struct fastrpc_node *node, const struct fastrpc_memory *memory,
	uint64_t remote);

#endif
