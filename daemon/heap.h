// SPDX-License-Identifier: MIT
/*
 * Who has the least key: a leftist heap. Its nodes are embedded in what they belong to, so nothing
 * is allocated and nothing can fail. Adding a node and taking any of them out costs O(log n).
 */
#ifndef DSP_HEAP_H
#define DSP_HEAP_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: in no heap. */
struct heap_node {
	struct heap_node *left, *right, *parent;
	uint64_t key;
	unsigned int
		rank; /* nodes on the way down to the right, this one included; 0: in no heap */
};

/* Zeroed: empty. */
struct heap {
	struct heap_node *root; /* of the least key; NULL: it is empty */
};

static inline bool heap_has(const struct heap_node *node)
{
	return node->rank;
}

/* Is there more than one? */
static inline bool heap_has_more(const struct heap *heap)
{
	return heap->root && heap->root->left;
}

/* Add one that is in no heap, under @key. Of equal keys the one that was there stays before. */
void heap_add(struct heap *heap, struct heap_node *node, uint64_t key);
/* Take out one that is in this heap. Its key stays as it is. */
void heap_remove(struct heap *heap, struct heap_node *node);

#endif
