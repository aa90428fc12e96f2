// SPDX-License-Identifier: MIT
/*
 * A virtio IOMMU. The remote processor reaches the guest's memory only through it: a stream (an
 * endpoint in virtio's words) is attached to a domain, and a domain is a window, in which what the
 * guest mapped lies at its I/O address. So a buffer of many pages is contiguous here as well.
 */
#ifndef DSP_REMOTE_IOMMU_H
#define DSP_REMOTE_IOMMU_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/util.h"
#include "tests/kernel/remote/loop.h"
#include "tests/kernel/remote/vhost_user.h"

/* As many as FastRPC has sessions, 14, and a few more. */
#define IOMMU_STREAMS_MAX 32

struct iommu_domain;
struct iommu_window;

struct iommu {
	struct vu_device device;
	struct list domains;
	struct iommu_domain *streams[IOMMU_STREAMS_MAX]; /* by id; NULL: attached to none */
	uint64_t faults;                                 /* that there were */
};

int iommu_init(struct iommu *iommu, struct loop *loop, const char *path);

/* @size bytes at an I/O address, valid until the guest is served again. NULL when the guest has not
 * mapped all of them so: that is a fault, which it is told. */
void *iommu_at(struct iommu *iommu, uint32_t stream, uint64_t address, uint64_t size, bool write);

/*
 * For threads, which touch memory while the guest is served: nothing else ever comes to lie where a
 * window was as long as that is held. What the guest unmaps can only not be reached there any more,
 * so who touches it gets a SIGSEGV. All functions are the loop's, except iommu_window_at().
 */
struct iommu_window *iommu_hold(struct iommu *iommu, uint32_t stream); /* NULL: not attached */
struct iommu_window *iommu_release(struct iommu_window *window);       /* NULL is fine */
/* Does @pointer point into it? Then *@address is the I/O address there. */
bool iommu_window_at(const struct iommu_window *window, const void *pointer, uint64_t *address);
/* Tell the guest of a fault. */
void iommu_fault(struct iommu *iommu, uint32_t stream, uint64_t address, bool write);

#endif
