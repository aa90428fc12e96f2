// SPDX-License-Identifier: MIT
/* Names in the user database -> ids, each asked for once: it may be far away. */
#ifndef DSP_USERDB_H
#define DSP_USERDB_H

#include <stdint.h>

struct json_object;

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
