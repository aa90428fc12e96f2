// SPDX-License-Identifier: MIT
/*
 * Memory that the broker writes and a DSP reads, or the reverse: a dma-buf that is mapped here. Not
 * of a driver's own: such mappings go with its device, and who touches one then gets SIGBUS. For
 * threads; one at a time.
 */
#ifndef DSP_FASTRPC_STAGING_H
#define DSP_FASTRPC_STAGING_H

#include <stddef.h>
#include <stdint.h>

struct memory;

struct staging {
	uint8_t *data; /* mapped; NULL: none */
	size_t size;   /* bytes; whole pages */
	int dmabuf;
	int memfd; /* what the dma-buf is made of, which must live as long as it; -1: the heap */
};
#define STAGING_NONE ((struct staging){.dmabuf = -1, .memfd = -1})

/* At least @size bytes, zeroed, of the system heap, else of a memfd. Returns 0; -EOPNOTSUPP: there
 * is neither a heap nor /dev/udmabuf for us; or -errno. */
int staging_new(struct staging *out, const struct memory *memory, size_t size);
/* The same of a dma-buf, which is the staging's from then on, also after an error. */
int staging_of(struct staging *out, int dmabuf, size_t size);
void staging_free(struct staging *staging);

/* Our caches and the DSP's view of it: before we write there, and after; before we read there, and
 * after. Not every exporter has something to do then. */
void staging_begin(const struct staging *staging);
void staging_end(const struct staging *staging);

#endif
