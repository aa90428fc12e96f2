// SPDX-License-Identifier: MIT
/* Says that it has started before it has. */
#include "tests/integration/modules/domain_side.h"

__attribute__((constructor)) static void start_early(void)
{
	send_started(0);
}

EXPORT int early_skel_handle_invoke(remote_handle64 handle, uint32_t scalars, remote_arg *args);

int early_skel_handle_invoke(remote_handle64 handle, uint32_t scalars, remote_arg *args)
{
	(void)handle;
	(void)args;
	return is_open_or_close(scalars) ? AEE_SUCCESS : AEE_EUNSUPPORTED;
}
