// SPDX-License-Identifier: MIT
/* How the user database is asked: this program's own getpwnam_r() and getgrnam_r() take the place
 * of the library's, and tell. */
#include <check.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>

#include "policy/policy.h"
#include "policy/userdb.h"
#include "protocol/util.h"
#include "tests/suite.h"

static sigset_t during;
static size_t asked;

static void look_around(void)
{
	pthread_sigmask(SIG_BLOCK, NULL, &during);
	asked++;
}

int getpwnam_r(const char *name, struct passwd *record, char *buffer, size_t size,
	struct passwd **found)
{
	(void)buffer;
	(void)size;
	look_around();
	*record = (struct passwd){.pw_uid = 77};
	*found = strcmp(name, "somebody") == 0 ? record : NULL;
	return 0;
}

int getgrnam_r(const char *name, struct group *record, char *buffer, size_t size,
	struct group **found)
{
	(void)buffer;
	look_around();
	*record = (struct group){.gr_gid = 78};
	*found = strcmp(name, "some") == 0 ? record : NULL;
	return size < 8192 ? ERANGE : 0;
}

static void check_undisturbed(size_t expected)
{
	sigset_t after;

	ck_assert_uint_eq(asked, expected);
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	ck_assert_int_eq(sigismember(&during, POLICY_LOAD_SIGNAL), 1);
	ck_assert_int_eq(sigismember(&after, POLICY_LOAD_SIGNAL), 0);
	/* Who asks by hand may want to give up. */
	ck_assert_int_eq(sigismember(&during, SIGINT), 0);
	ck_assert_int_eq(sigismember(&during, SIGUSR1), 1); /* it was before */
	ck_assert_int_eq(sigismember(&after, SIGUSR1), 1);
	asked = 0;
	sigemptyset(&during);
}

START_TEST(what_interrupts_who_loads_does_not_interrupt_the_user_database)
{
	struct userdb userdb;
	sigset_t one;
	uint32_t id;

	sigemptyset(&one);
	sigaddset(&one, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &one, NULL);
	ck_assert_int_eq(userdb_init(&userdb), 0);
	ck_assert_int_eq(userdb_user(&userdb, "somebody", &id), 0);
	ck_assert_uint_eq(id, 77);
	check_undisturbed(1);
	ck_assert_int_eq(userdb_user(&userdb, "nobody-at-all", &id), -ENOENT);
	check_undisturbed(1);
	ck_assert_int_eq(userdb_group(&userdb, "some", &id), 0);
	ck_assert_uint_eq(id, 78);
	check_undisturbed(4); /* until the buffer is large enough */
	userdb_deinit(&userdb);
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

int main(void)
{
	Suite *suite = suite_create("policy userdb");
	TCase *tcase = tcase_create("userdb");

	tcase_add_test(tcase, what_interrupts_who_loads_does_not_interrupt_the_user_database);
	tcase_add_test(tcase, a_name_is_asked_for_once);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
