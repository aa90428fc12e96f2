// SPDX-License-Identifier: MIT
#include "daemon/transport/fastrpc/window.h"

#include <errno.h>
#include <sys/mman.h>

#include "protocol/util.h"

/* An output may be written up to whole words of that size. */
#define WORD_BYTES 8

/* Rounds up to a power of two. Returns false when that is too much. */
static bool round_up(size_t value, size_t to, size_t *out)
{
	if (__builtin_add_overflow(value, to - 1, out))
		return false;
	*out &= ~(to - 1);
	return true;
}

int guarded_new(struct guarded *out, size_t size)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t words, writable, all;
	char *map;

	*out = (struct guarded){};
	if (!round_up(size, WORD_BYTES, &words) || !round_up(words, page, &writable) ||
		__builtin_add_overflow(writable, page, &all))
		return -ENOMEM;
	map = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return -errno;
	if (writable && mprotect(map, writable, PROT_READ | PROT_WRITE) < 0) {
		int error = -errno;

		munmap(map, all);
		return error;
	}
	*out = (struct guarded){
		.data = map + writable - words, .size = size, .map = map, .map_size = all};
	return 0;
}

void guarded_free(struct guarded *memory)
{
	if (memory->map)
		munmap(memory->map, memory->map_size);
	*memory = (struct guarded){};
}

/* Mappings that lie side by side stay two if their files differ. */
void *node_window(uint64_t size)
{
	_cleanup_(fd_closep) int file = -1;
	void *window;

	if (size > SIZE_MAX)
		return NULL;
	file = memfd_create("dspbroker-window", MFD_CLOEXEC);
	if (file < 0)
		return NULL;
	window = mmap(NULL, (size_t)size, PROT_NONE, MAP_SHARED, file, 0);
	return window == MAP_FAILED ? NULL : window;
}

void node_window_free(void *window, uint64_t size)
{
	if (window)
		munmap(window, (size_t)size);
}
