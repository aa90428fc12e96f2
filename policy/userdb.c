// SPDX-License-Identifier: MIT
#include "policy/userdb.h"

#include <grp.h>
#include <json-c/json.h>
#include <pwd.h>
#include <signal.h>

#include "policy/policy.h"
#include "protocol/util.h"

#define USERDB_BYTES_MIN 1024
#define USERDB_BYTES_MAX (1024 * 1024) /* of one record; that of a group names all members */

typedef int userdb_fn(const char *name, char *buffer, size_t size, uint32_t *id);

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

/* Modules of the database talk to servers, and may not expect that a signal interrupts them; one
 * comes all the time while the broker reads its policy again. */
static int ask_undisturbed(userdb_fn *ask, const char *name, char *buffer, size_t size,
	uint32_t *id)
{
	sigset_t ticks, before;
	int e;

	sigemptyset(&ticks);
	sigaddset(&ticks, POLICY_LOAD_SIGNAL);
	pthread_sigmask(SIG_BLOCK, &ticks, &before);
	e = ask(name, buffer, size, id);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return e;
}

static int ask_database(userdb_fn *ask, const char *name, uint32_t *id)
{
	_cleanup_(freep) char *buffer = NULL;
	int e = ERANGE;

	for (size_t size = USERDB_BYTES_MIN; e == ERANGE && size <= USERDB_BYTES_MAX; size *= 2) {
		free(TAKE_PTR(buffer));
		buffer = malloc(size);
		if (!buffer)
			return -ENOMEM;
		e = ask_undisturbed(ask, name, buffer, size, id);
	}
	/* getpwnam(3): each of these has been seen to mean that there is no such name. */
	if (e == ESRCH || e == EBADF || e == EPERM)
		e = ENOENT;
	return -e;
}

int userdb_init(struct userdb *out)
{
	*out = (struct userdb){json_object_new_object(), json_object_new_object()};
	return out->users && out->groups ? 0 : -ENOMEM;
}

void userdb_deinit(struct userdb *userdb)
{
	json_object_put(TAKE_PTR(userdb->users));
	json_object_put(TAKE_PTR(userdb->groups));
}

/* Returns 0 or -ENOMEM. */
static int remember(struct json_object *known, const char *name, bool exists, uint32_t id)
{
	struct json_object *number = exists ? json_object_new_int64(id) : NULL;

	if (exists && !number)
		return -ENOMEM;
	if (json_object_object_add(known, name, number) == 0)
		return 0;
	json_object_put(number);
	return -ENOMEM;
}

static int look_up(struct json_object *known, userdb_fn *ask, const char *name, uint32_t *id)
{
	struct json_object *number;
	int r, kept;

	if (json_object_object_get_ex(known, name, &number)) {
		*id = (uint32_t)json_object_get_int64(number);
		return number ? 0 : -ENOENT;
	}
	*id = 0;
	r = ask_database(ask, name, id);
	if (r < 0 && r != -ENOENT)
		return r;
	kept = remember(known, name, r == 0, *id);
	return kept < 0 ? kept : r;
}

int userdb_user(struct userdb *userdb, const char *name, uint32_t *id)
{
	return look_up(userdb->users, ask_user, name, id);
}

int userdb_group(struct userdb *userdb, const char *name, uint32_t *id)
{
	return look_up(userdb->groups, ask_group, name, id);
}
