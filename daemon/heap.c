// SPDX-License-Identifier: MIT
#include "daemon/heap.h"

#include <stddef.h>

static unsigned int rank(const struct heap_node *node)
{
	return node ? node->rank : 0;
}

/* The way down to the right is never longer than that to the left: so it has at most log2(n + 1)
 * nodes. */
static void lean_left(struct heap_node *node)
{
	struct heap_node *left = node->left;

	if (rank(left) < rank(node->right)) {
		node->left = node->right;
		node->right = left;
	}
	node->rank = rank(node->right) + 1;
}

/* One heap of two, of which the first stays in front where keys are equal. Goes down on the right
 * only. */
static struct heap_node *merge(struct heap_node *a, struct heap_node *b)
{
	if (!a || !b)
		return a ? a : b;
	if (b->key < a->key) {
		struct heap_node *less = b;

		b = a;
		a = less;
	}
	a->right = merge(a->right, b);
	a->right->parent = a;
	lean_left(a);
	return a;
}

void heap_add(struct heap *heap, struct heap_node *node, uint64_t key)
{
	*node = (struct heap_node){.key = key, .rank = 1};
	heap->root = merge(heap->root, node);
	heap->root->parent = NULL;
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
	struct heap_node *parent = node->parent, *rest = merge(node->left, node->right);
	unsigned int before;

	if (rest)
		rest->parent = parent;
	if (!parent)
		heap->root = rest;
	else if (parent->left == node)
		parent->left = rest;
	else
		parent->right = rest;
	for (; parent; parent = parent->parent) {
		before = parent->rank;
		lean_left(parent);
		if (parent->rank == before)
			break;
	}
	*node = (struct heap_node){.key = node->key};
}
