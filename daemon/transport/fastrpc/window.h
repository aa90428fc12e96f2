// SPDX-License-Identifier: MIT
/* Addresses and memory as the kernel's FastRPC wants to have them. */
#ifndef DSP_FASTRPC_WINDOW_H
#define DSP_FASTRPC_WINDOW_H

#include <stddef.h>
#include <stdint.h>

/* Memory for the outputs of calls of the broker's own, with memory behind it that nobody can write.
 * It begins at a multiple of 8 bytes and ends, rounded up to such a one, where that begins. */
struct guarded {
	void *data;
	size_t size;
	void *map; /* NULL: none */
	size_t map_size;
};
/* Returns 0 or -errno. */
int guarded_new(struct guarded *out, size_t size);
void guarded_free(struct guarded *memory);

/*
 * Addresses for a buffer of @size bytes that the kernel can take for a mapping of it: it computes
 * where an argument lies in a dma-buf from the distance to the start of the mapping
 * (vm_area_struct) that holds the argument's address, whatever that is a mapping of. So nothing of
 * the buffer needs to be mapped here, and nothing can be read or written there. Returns NULL when
 * there is no room.
 */
void *node_window(uint64_t size);
void node_window_free(void *window, uint64_t size);

#endif
