// SPDX-License-Identifier: MIT
/* How the user database is asked: this program's own getpwnam_r() and getgrnam_r() take the place
 * of the library's, and count. */
#include <check.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "policy/userdb.h"
#include "protocol/util.h"
#include "tests/suite.h"

static size_t asked;

int getpwnam_r(const char *name, struct passwd *record, char *buffer, size_t size,
	struct passwd **found)
{
	(void)buffer;
	(void)size;
	asked++;
	*record = (struct passwd){.pw_uid = 77};
	*found = strcmp(name, "somebody") == 0 ? record : NULL;
	return 0;
}

int getgrnam_r(const char *name, struct group *record, char *buffer, size_t size,
	struct group **found)
{
	(void)buffer;
	asked++;
	*record = (struct group){.gr_gid = 78};
	*found = strcmp(name, "some") == 0 ? record : NULL;
	return size < 8192 ? ERANGE : 0;
}

START_TEST(a_record_may_be_as_long_as_it_is)
{
	uint32_t id;

	ck_assert_int_eq(userdb_ask(USERDB_USER, "somebody", &id), 0);
	ck_assert_uint_eq(id, 77);
	ck_assert_uint_eq(asked, 1);
	ck_assert_int_eq(userdb_ask(USERDB_GROUP, "some", &id), 0);
	ck_assert_uint_eq(id, 78);
	ck_assert_uint_eq(asked, 1 + 4); /* until the buffer is large enough */
	ck_assert_int_eq(userdb_ask(USERDB_GROUP, "none", &id), -ENOENT);
	ck_assert_int_eq(userdb_ask(USERDB_GROUP + 1, "some", &id), -EINVAL);
}
END_TEST

START_TEST(a_name_is_asked_for_once)
{
	struct userdb userdb;
	uint32_t id;

	ck_assert_int_eq(userdb_init(&userdb), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(userdb_user(&userdb, "somebody", &id), 0);
		ck_assert_uint_eq(id, 77);
		ck_assert_int_eq(userdb_user(&userdb, "nobody-at-all", &id), -ENOENT);
	}
	ck_assert_uint_eq(asked, 2);
	userdb_deinit(&userdb);
}
END_TEST

static int other(enum userdb_kind kind, const char *name, uint32_t *id, void *userdata)
{
	*id = *(uint32_t *)userdata + kind;
	return strcmp(name, "unsaid") == 0 ? -EIO : 0;
}

START_TEST(somebody_else_may_be_asked_instead)
{
	struct userdb userdb;
	uint32_t base = 500, id;

	ck_assert_int_eq(userdb_init(&userdb), 0);
	userdb_set_source(other, &base);
	ck_assert_int_eq(userdb_user(&userdb, "nobody-at-all", &id), 0);
	ck_assert_uint_eq(id, 500 + USERDB_USER);
	ck_assert_int_eq(userdb_group(&userdb, "none", &id), 0);
	ck_assert_uint_eq(id, 500 + USERDB_GROUP);
	ck_assert_int_eq(userdb_group(&userdb, "unsaid", &id), -EIO);
	ck_assert_uint_eq(asked, 0);
	userdb_set_source(NULL, NULL);
	ck_assert_int_eq(userdb_group(&userdb, "unsaid", &id), -ENOENT); /* it was not kept */
	userdb_deinit(&userdb);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy userdb");
	TCase *tcase = tcase_create("userdb");

	tcase_add_test(tcase, a_record_may_be_as_long_as_it_is);
	tcase_add_test(tcase, a_name_is_asked_for_once);
	tcase_add_test(tcase, somebody_else_may_be_asked_instead);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
