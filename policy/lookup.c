// SPDX-License-Identifier: MIT
#include "policy/lookup.h"

#include <grp.h>
#include <pwd.h>

#include "protocol/util.h"

#define LOOKUP_BYTES_MIN 1024
#define LOOKUP_BYTES_MAX (1024 * 1024) /* of one record; that of a group names all members */

typedef int lookup_fn(const char *name, char *buffer, size_t size, uint32_t *id);

/* Both return a positive errno or 0, and set *@id only when there is a record. */
static int ask_user(const char *name, char *buffer, size_t size, uint32_t *id)
{
	struct passwd record, *found;
	int e = getpwnam_r(name, &record, buffer, size, &found);

	if (e == 0 && !found)
		return ENOENT;
	if (e == 0)
		*id = record.pw_uid;
	return e;
}

static int ask_group(const char *name, char *buffer, size_t size, uint32_t *id)
{
	struct group record, *found;
	int e = getgrnam_r(name, &record, buffer, size, &found);

	if (e == 0 && !found)
		return ENOENT;
	if (e == 0)
		*id = record.gr_gid;
	return e;
}

static int look_up(lookup_fn *ask, const char *name, uint32_t *id)
{
	_cleanup_(freep) char *buffer = NULL;
	int e = ERANGE;

	for (size_t size = LOOKUP_BYTES_MIN; e == ERANGE && size <= LOOKUP_BYTES_MAX; size *= 2) {
		free(TAKE_PTR(buffer));
		buffer = malloc(size);
		if (!buffer)
			return -ENOMEM;
		e = ask(name, buffer, size, id);
	}
	/* getpwnam(3): each of these has been seen to mean that there is no such name. */
	if (e == ESRCH || e == EBADF || e == EPERM)
		e = ENOENT;
	return -e;
}

int lookup_user(const char *name, uint32_t *id)
{
	return look_up(ask_user, name, id);
}

int lookup_group(const char *name, uint32_t *id)
{
	return look_up(ask_group, name, id);
}
