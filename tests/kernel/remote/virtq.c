// SPDX-License-Identifier: MIT
#include "tests/kernel/remote/virtq.h"

#include <stdatomic.h>

#include "protocol/util.h"

void virtq_init(struct virtq *queue, const struct memory *memory)
{
	*queue = (struct virtq){.memory = memory, .call = -1};
}

void virtq_reset(struct virtq *queue)
{
	fd_close(queue->call);
	virtq_init(queue, queue->memory);
}

int virtq_set_size(struct virtq *queue, unsigned int size)
{
	if (size == 0 || size > VIRTQ_SIZE_MAX || (size & (size - 1)))
		return -EINVAL;
	queue->size = size;
	return 0;
}

int virtq_set_rings(struct virtq *queue, uint64_t desc, uint64_t avail, uint64_t used)
{
	size_t n = queue->size;

	if (n == 0 || desc % VRING_DESC_ALIGN_SIZE || avail % VRING_AVAIL_ALIGN_SIZE ||
		used % VRING_USED_ALIGN_SIZE)
		return -EINVAL;
	queue->desc = memory_at_user(queue->memory, desc, n * sizeof(*queue->desc));
	queue->avail = memory_at_user(queue->memory, avail,
		sizeof(*queue->avail) + n * sizeof(queue->avail->ring[0]));
	queue->used = memory_at_user(queue->memory, used,
		sizeof(*queue->used) + n * sizeof(queue->used->ring[0]));
	if (!queue->desc || !queue->avail || !queue->used) {
		queue->used = NULL;
		return -EFAULT;
	}
	queue->next_used = __atomic_load_n(&queue->used->idx, __ATOMIC_RELAXED);
	return 0;
}

/* Add one descriptor's memory to a chain: all that we may read comes before what we may write. */
static int chain_add(const struct virtq *queue, struct virtq_chain *chain,
	const struct vring_desc *desc)
{
	struct iovec area = {memory_at(queue->memory, desc->addr, desc->len), desc->len};
	bool in = desc->flags & VRING_DESC_F_WRITE;

	if (!area.iov_base || desc->flags & VRING_DESC_F_INDIRECT)
		return -EFAULT;
	if (chain->n_out + chain->n_in == VIRTQ_CHAIN_MAX || (!in && chain->n_in > 0))
		return -EPROTO;
	if (in)
		chain->in[chain->n_in++] = area;
	else
		chain->out[chain->n_out++] = area;
	return 0;
}

static int walk(const struct virtq *queue, struct virtq_chain *chain)
{
	struct vring_desc desc;
	unsigned int index = chain->head;

	/* chain_add() bounds how far a chain can go, so that one in a circle ends too. */
	do {
		int r;

		if (index >= queue->size)
			return -ERANGE;
		desc = *(const volatile struct vring_desc *)&queue->desc[index];
		r = chain_add(queue, chain, &desc);
		if (r < 0)
			return r;
		index = desc.next;
	} while (desc.flags & VRING_DESC_F_NEXT);
	return 0;
}

int virtq_pop(struct virtq *queue, struct virtq_chain *chain)
{
	uint16_t idx;
	int r;

	if (!queue->enabled || queue->broken || !queue->used)
		return 0;
	idx = __atomic_load_n(&queue->avail->idx, __ATOMIC_ACQUIRE);
	if (idx == queue->next_avail)
		return 0;
	*chain = (struct virtq_chain){
		.head = queue->avail->ring[queue->next_avail & (queue->size - 1)],
	};
	if ((uint16_t)(idx - queue->next_avail) > queue->size)
		r = -ERANGE;
	else
		r = walk(queue, chain);
	if (r < 0) {
		queue->broken = true;
		return r;
	}
	queue->next_avail++;
	return 1;
}

void virtq_push(struct virtq *queue, uint16_t head, uint32_t written)
{
	struct vring_used_elem *element = &queue->used->ring[queue->next_used & (queue->size - 1)];

	*element = (struct vring_used_elem){.id = head, .len = written};
	__atomic_store_n(&queue->used->idx, ++queue->next_used, __ATOMIC_RELEASE);
}

void virtq_notify(struct virtq *queue)
{
	static const uint64_t one = 1;

	if (!queue->used || queue->call < 0)
		return;
	/* The guest enables interrupts, then looks at the index: do it the other way round. */
	atomic_thread_fence(memory_order_seq_cst);
	if (__atomic_load_n(&queue->avail->flags, __ATOMIC_RELAXED) & VRING_AVAIL_F_NO_INTERRUPT)
		return;
	/* A full pipe holds interrupts enough; a closed one belongs to a guest that has gone. */
	if (write(queue->call, &one, sizeof(one)) < 0)
		return;
}
