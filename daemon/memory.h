// SPDX-License-Identifier: MIT
/*
 * Kinds of memory that a buffer can be made of. What takes time (the kernel clears it) is for
 * threads.
 */
#ifndef DSP_MEMORY_H
#define DSP_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

struct memory; /* the devices that give memory */

/* Opens /dev/dma_heap/system and /dev/udmabuf below @dev, with the rights that the broker was
 * started with; what is not there is said when it is asked for. Returns 0 or -ENOMEM. */
int memory_new(struct memory **out, const char *dev);
struct memory *memory_free(struct memory *memory);

/* A sealed memfd of @size bytes (whole pages). Returns 0 or -errno. Does not block. */
int memory_new_memfd(uint64_t size, int *out);
/* A dma-buf of the system heap. Blocks. Returns 0; -ENODEV: there is no heap here; or -errno. */
int memory_new_heap(const struct memory *memory, uint64_t size, int *out);
/* A dma-buf of the first @size bytes of a sealed memfd (whole pages), without a copy. Blocks.
 * Returns 0; -ENODEV: no /dev/udmabuf; -EINVAL: larger than its parameter size_limit_mb; or -errno.
 */
int memory_from_memfd(const struct memory *memory, int memfd, uint64_t size, int *out);

/* Is this a dma-buf? Asks nobody who could keep us waiting: any descriptor of a peer will do. @size
 * is its size in bytes. */
bool memory_is_dmabuf(int fd, uint64_t *size);

#endif
