// SPDX-License-Identifier: MIT
#include "daemon/become.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "daemon/log.h"

int become(const char *name)
{
	struct passwd *user;

	if (!name)
		return 0;
	errno = 0;
	user = getpwnam(name);
	if (!user) {
		log_error("there is no user %s", name);
		return errno ? -errno : -ENOENT;
	}
	if (initgroups(user->pw_name, user->pw_gid) < 0 ||
		setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
		setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0) {
		int r = -errno;

		log_error("cannot become user %s: %s", name, strerror(-r));
		return r;
	}
	return 0;
}
