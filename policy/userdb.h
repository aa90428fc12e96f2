// SPDX-License-Identifier: MIT
/* Names in the user database -> ids, each asked for once: it may be far away. */
#ifndef DSP_USERDB_H
#define DSP_USERDB_H

#include <stdint.h>

struct json_object;

#define USERDB_NAME_SIZE 256 /* bytes of a name, its end included; utmp(5) has 32 */

enum userdb_kind {
	USERDB_USER,
	USERDB_GROUP,
};

/* Ask the C library. Returns 0, -ENOENT when there is no such name, or another -errno when that
 * cannot be told. */
int userdb_ask(enum userdb_kind kind, const char *name, uint32_t *id);
/* Who is asked from now on, by all threads; NULL: userdb_ask(). It returns what that does. */
typedef int userdb_source_fn(enum userdb_kind kind, const char *name, uint32_t *id, void *userdata);
void userdb_set_source(userdb_source_fn *source, void *userdata);

/* What is known already: name -> id, or null where there is no such name. */
struct userdb {
	struct json_object *users, *groups; /* owned */
};

/* Returns 0 or -ENOMEM; in either case give it to userdb_deinit(), which is safe on a zeroed one.
 */
int userdb_init(struct userdb *out);
void userdb_deinit(struct userdb *userdb);

/* Return 0, -ENOENT when there is no such name, or another -errno when that cannot be told. */
int userdb_user(struct userdb *userdb, const char *name, uint32_t *id);
int userdb_group(struct userdb *userdb, const char *name, uint32_t *id);

#endif
