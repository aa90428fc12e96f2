// SPDX-License-Identifier: MIT
#include "daemon/idmap.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "protocol/util.h"

static int take_slot(struct idmap *map, uint32_t *out)
{
	if (map->free_list) {
		*out = map->free_list - 1;
		map->free_list = map->slots[*out].next_free;
		return 0;
	}
	if (map->n == map->allocated) {
		/* The last slot is left out, so that slot + 1 fits next_free. */
		uint32_t allocated = MIN(MAX(map->allocated * 2, 8u), IDMAP_SLOTS_MAX - 1);
		struct idmap_slot *slots;

		if (allocated == map->allocated)
			return -ENOSPC;
		slots = realloc(map->slots, allocated * sizeof(*slots));
		if (!slots)
			return -ENOMEM;
		map->slots = slots;
		map->allocated = allocated;
	}
	map->slots[map->n] = (struct idmap_slot){.generation = 1};
	*out = map->n++;
	return 0;
}

int idmap_add(struct idmap *map, void *object, uint32_t *id)
{
	uint32_t slot;
	int r;

	r = take_slot(map, &slot);
	if (r < 0)
		return r;
	map->slots[slot].object = object;
	*id = (uint32_t)map->slots[slot].generation << 16 | slot;
	return 0;
}

void *idmap_get(const struct idmap *map, uint32_t id)
{
	uint32_t slot = id & (IDMAP_SLOTS_MAX - 1);

	if (slot >= map->n || map->slots[slot].generation != id >> 16)
		return NULL;
	return map->slots[slot].object;
}

void idmap_remove(struct idmap *map, uint32_t id)
{
	struct idmap_slot *slot = &map->slots[id & (IDMAP_SLOTS_MAX - 1)];

	assert(idmap_get(map, id));
	slot->object = NULL;
	if (++slot->generation == 0)
		slot->generation = 1;
	slot->next_free = (uint16_t)map->free_list;
	map->free_list = (id & (IDMAP_SLOTS_MAX - 1)) + 1;
}

void *idmap_next(const struct idmap *map, uint32_t *slot)
{
	while (*slot < map->n) {
		void *object = map->slots[(*slot)++].object;

		if (object)
			return object;
	}
	return NULL;
}

void idmap_deinit(struct idmap *map)
{
	free(map->slots);
	*map = (struct idmap){};
}
