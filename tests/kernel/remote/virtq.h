// SPDX-License-Identifier: MIT
/*
 * The device's side of a split virtqueue. Everything in it is written by the guest: indices,
 * addresses and lengths are checked before use, and a queue that breaks the rules is stopped.
 */
#ifndef DSP_REMOTE_VIRTQ_H
#define DSP_REMOTE_VIRTQ_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "tests/kernel/remote/memory.h"

#define VIRTQ_SIZE_MAX  256
#define VIRTQ_CHAIN_MAX 8

struct virtq {
	const struct memory *memory;
	unsigned int size; /* a power of two; 0: not told yet */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t next_avail, next_used;
	int call; /* written to interrupt the guest; -1: none; owned */
	bool enabled;
	bool broken;
};

/* A buffer of the guest: what it wrote for us, then what we may write. */
struct virtq_chain {
	uint16_t head;
	size_t n_out, n_in;
	struct iovec out[VIRTQ_CHAIN_MAX], in[VIRTQ_CHAIN_MAX];
};

void virtq_init(struct virtq *queue, const struct memory *memory);
/* Forget all that was told. */
void virtq_reset(struct virtq *queue);
int virtq_set_size(struct virtq *queue, unsigned int size);
/* These are addresses in the guest's process. */
int virtq_set_rings(struct virtq *queue, uint64_t desc, uint64_t avail, uint64_t used);

/* Take the next buffer: 1, 0 when there is none (or the queue is not ready), or a negative errno
 * when the guest broke the rules; the queue is dead then. */
int virtq_pop(struct virtq *queue, struct virtq_chain *chain);
/* Give a buffer back, into which @written bytes went. */
void virtq_push(struct virtq *queue, uint16_t head, uint32_t written);
/* Interrupt the guest, if it wants to be, for what was pushed since. */
void virtq_notify(struct virtq *queue);

#endif
