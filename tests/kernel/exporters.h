// SPDX-License-Identifier: MIT
/*
 * Memory that a client brings along: each makes that many bytes, whole pages, zeroed, and returns a
 * descriptor that is the caller's. For root, who may open what makes it. As in the harness, what
 * fails ends the test.
 */
#ifndef DSP_EXPORTERS_H
#define DSP_EXPORTERS_H

#include <stddef.h>

/* A memfd, sealed as the broker wants it. */
int export_memfd(size_t size);
/* dma-bufs of drivers/dma-buf/udmabuf.c, of drivers/dma-buf/heaps, and of drivers/gpu/drm/vgem. */
int export_udmabuf(size_t size);
int export_heap(size_t size);
int export_vgem(size_t size);

#endif
