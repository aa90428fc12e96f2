// SPDX-License-Identifier: MIT
/* The guest's memory, as one vhost-user connection handed it over. */
#ifndef DSP_REMOTE_MEMORY_H
#define DSP_REMOTE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#define MEMORY_REGIONS_MAX 8

struct memory_region {
	uint64_t guest; /* its physical address */
	uint64_t user;  /* its address in the process that sent it; rings are named by this one */
	uint64_t size;
	uint64_t offset; /* in @fd */
	int fd;
	uint8_t *map;
};

struct memory {
	size_t n;
	struct memory_region regions[MEMORY_REGIONS_MAX];
};

/* Map one more region; its @fd is taken, also on failure. */
int memory_add(struct memory *memory, const struct memory_region *region);
void memory_clear(struct memory *memory);

/* @size bytes at a physical, or at the sender's, address; NULL when not all of them exist. */
void *memory_at(const struct memory *memory, uint64_t guest, uint64_t size);
void *memory_at_user(const struct memory *memory, uint64_t user, uint64_t size);
/* The region that holds these bytes, all of them; NULL when none does. */
const struct memory_region *memory_find(const struct memory *memory, uint64_t guest, uint64_t size);

#endif
