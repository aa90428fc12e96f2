// SPDX-License-Identifier: MIT
/*
 * Numbers for a peer's objects. An id is (generation, slot), so that an id which was freed does
 * not name the next object in its slot; 0 is never an id.
 */
#ifndef DSP_IDMAP_H
#define DSP_IDMAP_H

#include <stddef.h>
#include <stdint.h>

#define IDMAP_SLOTS_MAX (1u << 16)

struct idmap_slot {
	void *object; /* NULL: free */
	uint16_t generation;
	uint16_t next_free;
};

/* Zeroed: empty. */
struct idmap {
	struct idmap_slot *slots;
	uint32_t n; /* slots in use or used before */
	uint32_t allocated;
	uint32_t free_list; /* slot + 1; 0: none */
};

/* Returns 0, or -ENOMEM, -ENOSPC. */
int idmap_add(struct idmap *map, void *object, uint32_t *id);
/* NULL for what is no id of this map. */
void *idmap_get(const struct idmap *map, uint32_t id);
/* @id must be in the map. */
void idmap_remove(struct idmap *map, uint32_t id);
/* The object in the lowest used slot at or above *@slot, which is moved past it; NULL: none. */
void *idmap_next(const struct idmap *map, uint32_t *slot);
void idmap_deinit(struct idmap *map);

#endif
