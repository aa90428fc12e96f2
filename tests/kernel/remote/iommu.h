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

#define IOMMU_STREAMS_MAX 16

struct iommu_domain;

struct iommu {
	struct vu_device device;
	struct list domains;
	struct iommu_domain *streams[IOMMU_STREAMS_MAX]; /* by id; NULL: attached to none */
};

int iommu_init(struct iommu *iommu, struct loop *loop, const char *path);

/* @size bytes at an I/O address, valid until the guest is served again. NULL when the guest has not
 * mapped all of them so: that is a fault, which it is told. */
void *iommu_at(struct iommu *iommu, uint32_t stream, uint64_t address, uint64_t size, bool write);

#endif
