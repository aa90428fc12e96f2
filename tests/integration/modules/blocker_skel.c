// SPDX-License-Identifier: MIT
/* Makes all wake-ups blocking, and full, for whoever has them besides. */
#include "tests/integration/modules/domain_side.h"

static void make_full_and_blocking(int fd)
{
	uint64_t all = UINT64_MAX - 1;

	fcntl(fd, F_SETFL, 0);
	(void)!write(fd, &all, sizeof(all));
}

__attribute__((constructor)) static void block(void)
{
	make_full_and_blocking(NOTIFY_FD);
}

EXPORT int blocker_skel_handle_invoke(remote_handle64 handle, uint32_t scalars, remote_arg *args);

int blocker_skel_handle_invoke(remote_handle64 handle, uint32_t scalars, remote_arg *args)
{
	(void)handle;
	(void)args;
	return is_open_or_close(scalars) ? AEE_SUCCESS : AEE_EUNSUPPORTED;
}
