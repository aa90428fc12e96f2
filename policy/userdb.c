// SPDX-License-Identifier: MIT
#include "policy/userdb.h"

#include <grp.h>
#include <json-c/json.h>
#include <pwd.h>

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

int userdb_ask(enum userdb_kind kind, const char *name, uint32_t *id)
{
	static userdb_fn *const asks[] = {[USERDB_USER] = ask_user, [USERDB_GROUP] = ask_group};
	_cleanup_(freep) char *buffer = NULL;
	int e = ERANGE;

	if ((unsigned int)kind >= ARRAY_SIZE(asks))
		return -EINVAL;
	for (size_t size = USERDB_BYTES_MIN; e == ERANGE && size <= USERDB_BYTES_MAX; size *= 2) {
		free(TAKE_PTR(buffer));
		buffer = malloc(size);
		if (!buffer)
			return -ENOMEM;
		e = asks[kind](name, buffer, size, id);
	}
	/* getpwnam(3): each of these has been seen to mean that there is no such name. */
	if (e == ESRCH || e == EBADF || e == EPERM)
		e = ENOENT;
	return -e;
}

static int ask_library(enum userdb_kind kind, const char *name, uint32_t *id, void *unused)
{
	(void)unused;
	return userdb_ask(kind, name, id);
}

static struct {
	userdb_source_fn *ask;
	void *userdata;
} source = {ask_library, NULL};

void userdb_set_source(userdb_source_fn *ask, void *userdata)
{
	source.ask = ask ? ask : ask_library;
	source.userdata = userdata;
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

static int look_up(struct json_object *known, enum userdb_kind kind, const char *name, uint32_t *id)
{
	struct json_object *number;
	int r, kept;

	if (json_object_object_get_ex(known, name, &number)) {
		*id = (uint32_t)json_object_get_int64(number);
		return number ? 0 : -ENOENT;
	}
	*id = 0;
	r = source.ask(kind, name, id, source.userdata);
	if (r < 0 && r != -ENOENT)
		return r;
	kept = remember(known, name, r == 0, *id);
	return kept < 0 ? kept : r;
}

int userdb_user(struct userdb *userdb, const char *name, uint32_t *id)
{
	return look_up(userdb->users, USERDB_USER, name, id);
}

int userdb_group(struct userdb *userdb, const char *name, uint32_t *id)
{
	return look_up(userdb->groups, USERDB_GROUP, name, id);
}
