// SPDX-License-Identifier: MIT
#include "policy/keymap.h"

#include "protocol/util.h"

#define KEYMAP_SLOTS_MIN 16

void keymap_deinit(struct keymap *map)
{
	free(map->slots);
	*map = (struct keymap){0};
}

/* The slot that has the key, or the free one where it belongs. */
static struct keymap_slot *place(const struct keymap *map, uint64_t key)
{
	size_t i = key & (map->n_slots - 1);

	while (map->slots[i].key != 0 && map->slots[i].key != key)
		i = (i + 1) & (map->n_slots - 1);
	return &map->slots[i];
}

static int grow(struct keymap *map)
{
	struct keymap grown = {.n = map->n};

	grown.n_slots = MAX(map->n_slots * 2, (size_t)KEYMAP_SLOTS_MIN);
	grown.slots = calloc(grown.n_slots, sizeof(*grown.slots));
	if (!grown.slots)
		return -ENOMEM;
	for (size_t i = 0; i < map->n_slots; i++)
		if (map->slots[i].key != 0)
			*place(&grown, map->slots[i].key) = map->slots[i];
	free(map->slots);
	*map = grown;
	return 0;
}

uint64_t *keymap_add(struct keymap *map, uint64_t key)
{
	struct keymap_slot *slot;

	key += !key;
	slot = map->n ? place(map, key) : NULL;
	if (slot && slot->key == key)
		return &slot->value;
	if (map->n * 2 >= map->n_slots && grow(map) < 0)
		return NULL;
	slot = place(map, key);
	slot->key = key;
	map->n++;
	return &slot->value;
}
