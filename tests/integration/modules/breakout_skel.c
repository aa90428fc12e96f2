// SPDX-License-Identifier: MIT
#include "tests/integration/modules/breakout.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/integration/attempts.h"
#include "tests/integration/modules/domain_side.h"

static int attempt(const remote_buf *in)
{
	struct breakout_attempt what;

	if (in->nLen != sizeof(what))
		return AEE_EBADPARM;
	memcpy(&what, in->pv, sizeof(what));
	if (what.number >= attempts_n)
		return AEE_EBADPARM;
	attempts_victim = what.victim;
	return -attempts[what.number].make();
}

static int take(const remote_buf *in)
{
	struct breakout_take what;
	size_t size;
	char *memory;

	if (in->nLen != sizeof(what))
		return AEE_EBADPARM;
	memcpy(&what, in->pv, sizeof(what));
	size = (size_t)what.mib << 20;
	if (!what.flags) {
		memory = malloc(size);
	} else {
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE, (int)what.flags, -1, 0);
		if (memory == MAP_FAILED)
			memory = NULL;
	}
	if (!memory)
		return errno;
	/* It is there to be used. */
	*(volatile char *)memory = 1;
	((volatile char *)memory)[size - 1] = 1;
	if (what.flags)
		munmap(memory, size);
	else
		free(memory);
	return AEE_SUCCESS;
}

EXPORT int breakout_skel_handle_invoke(remote_handle64 handle, uint32_t scalars, remote_arg *args);

int breakout_skel_handle_invoke(remote_handle64 handle, uint32_t scalars, remote_arg *args)
{
	(void)handle;
	if (is_open_or_close(scalars))
		return AEE_SUCCESS;
	switch (scalars) {
	case REMOTE_SCALARS_MAKE(BREAKOUT_ATTEMPT, 1, 0):
		return attempt(&args[0].buf);
	case REMOTE_SCALARS_MAKE(BREAKOUT_TAKE, 1, 0):
		return take(&args[0].buf);
	default:
		return AEE_EUNSUPPORTED;
	}
}
