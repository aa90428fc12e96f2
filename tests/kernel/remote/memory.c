// SPDX-License-Identifier: MIT
#include "tests/kernel/remote/memory.h"

#include <sys/mman.h>

#include "protocol/util.h"

int memory_add(struct memory *memory, const struct memory_region *region)
{
	_cleanup_(fd_closep) int fd = region->fd;
	uint64_t end;
	void *map;

	if (memory->n == MEMORY_REGIONS_MAX)
		return -E2BIG;
	if (region->size == 0 || __builtin_add_overflow(region->guest, region->size, &end) ||
		__builtin_add_overflow(region->user, region->size, &end))
		return -EINVAL;
	map = mmap(NULL, region->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		(off_t)region->offset);
	if (map == MAP_FAILED)
		return -errno;
	memory->regions[memory->n] = *region;
	memory->regions[memory->n].map = map;
	memory->regions[memory->n++].fd = TAKE_FD(fd);
	return 0;
}

void memory_clear(struct memory *memory)
{
	for (size_t i = 0; i < memory->n; i++) {
		munmap(memory->regions[i].map, memory->regions[i].size);
		fd_close(memory->regions[i].fd);
	}
	memory->n = 0;
}

static void *within(const struct memory_region *region, uint64_t start, uint64_t at, uint64_t size)
{
	if (at < start || at - start > region->size || size > region->size - (at - start))
		return NULL;
	return region->map + (at - start);
}

void *memory_at(const struct memory *memory, uint64_t guest, uint64_t size)
{
	const struct memory_region *region = memory_find(memory, guest, size);

	return region ? within(region, region->guest, guest, size) : NULL;
}

void *memory_at_user(const struct memory *memory, uint64_t user, uint64_t size)
{
	void *found = NULL;

	for (size_t i = 0; i < memory->n && !found; i++)
		found = within(&memory->regions[i], memory->regions[i].user, user, size);
	return found;
}

const struct memory_region *memory_find(const struct memory *memory, uint64_t guest, uint64_t size)
{
	for (size_t i = 0; i < memory->n; i++)
		if (within(&memory->regions[i], memory->regions[i].guest, guest, size))
			return &memory->regions[i];
	return NULL;
}
