// SPDX-License-Identifier: MIT
#include "daemon/confine/least.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "daemon/confine/filter.h"
#include "protocol/util.h"

int least_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
	struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3];

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_capget, &header, now) < 0)
		return -errno;
	/* A service manager that gave none may not let us ask for fewer, either. */
	if (memcmp(now, none, sizeof(now)) == 0)
		return 0;
	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

int least_memory(void)
{
	const struct rlimit none = {};

	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return -errno;
	/* A sanitizer that looks for leaks stops the others as a debugger does. */
	return !FILTER_SANITIZED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int least_descriptors(int *fds, size_t n)
{
	unsigned int next = 0;

	qsort(fds, n, sizeof(*fds), by_number);
	for (size_t i = 0; i <= n; i++) {
		const unsigned int kept = i < n ? (unsigned int)fds[i] : ~0u;

		if (next < kept && syscall(SYS_close_range, next, kept - 1, 0) < 0)
			return -errno;
		next = kept + 1;
	}
	return 0;
}
