// SPDX-License-Identifier: MIT
/* Inside of policy/ only: a hash map from keys, which are hashes already, to numbers. */
#ifndef DSP_KEYMAP_H
#define DSP_KEYMAP_H

#include <stddef.h>
#include <stdint.h>

struct keymap_slot {
	uint64_t key; /* 0: free */
	uint64_t value;
};

/* A zeroed one is empty. Looking up may be done by any number of threads. */
struct keymap {
	struct keymap_slot *slots; /* a power of two of them, at least half of them free */
	size_t n_slots, n;
};

void keymap_deinit(struct keymap *map);

/* The key's value, 0 if it is new, or NULL: out of memory, which cannot be if it is not new. Valid
 * until the next new one is added. */
uint64_t *keymap_add(struct keymap *map, uint64_t key);

/* The key's value, or NULL. */
static inline const uint64_t *keymap_find(const struct keymap *map, uint64_t key)
{
	key += !key;
	if (map->n == 0)
		return NULL;
	for (size_t i = key & (map->n_slots - 1);; i = (i + 1) & (map->n_slots - 1)) {
		if (map->slots[i].key == key)
			return &map->slots[i].value;
		if (map->slots[i].key == 0)
			return NULL;
	}
}

#endif
