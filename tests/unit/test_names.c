// SPDX-License-Identifier: MIT
/* Names of users are looked up by a process of its own, which may do nothing else. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/names.h"
#include "policy/userdb.h"
#include "protocol/util.h"
#include "tests/suite.h"

static struct names *names;
static struct userdb userdb;

static void set_up(void)
{
	ck_assert_int_eq(names_new(&names, NULL), 0);
	ck_assert_int_eq(userdb_init(&userdb), 0);
}

static void tear_down(void)
{
	userdb_deinit(&userdb);
	names = names_free(names);
}

/* The number of our only child. */
static pid_t child(void)
{
	FILE *list;
	char path[64];
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	list = fopen(path, "re");
	ck_assert_ptr_nonnull(list);
	ck_assert_int_eq(fscanf(list, "%d", &pid), 1);
	fclose(list);
	return pid;
}

/* A number that its status says. */
static long status_of(pid_t pid, const char *name)
{
	char path[64], line[256];
	long value = -1;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	status = fopen(path, "re");
	ck_assert_ptr_nonnull(status);
	while (fgets(line, sizeof(line), status))
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtol(line + strlen(name), NULL, 16);
	fclose(status);
	return value;
}

START_TEST(it_answers_as_the_user_database_does)
{
	uint32_t id = 1;

	ck_assert_int_eq(userdb_user(&userdb, "root", &id), 0);
	ck_assert_uint_eq(id, 0);
	ck_assert_int_eq(userdb_group(&userdb, "root", &id), 0);
	ck_assert_uint_eq(id, 0);
	ck_assert_int_eq(userdb_user(&userdb, "no-such-user-anywhere", &id), -ENOENT);
}
END_TEST

START_TEST(a_name_that_is_longer_than_names_are_is_nobodys)
{
	char name[2 * USERDB_NAME_SIZE];
	uint32_t id;

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(userdb_user(&userdb, name, &id), -ENOENT);
	ck_assert_int_eq(userdb_user(&userdb, "root", &id), 0);
}
END_TEST

START_TEST(it_has_no_rights_and_none_of_our_descriptors)
{
	const pid_t pid = child();
	const struct dirent *entry;
	unsigned int fds = 0;
	uint32_t id;
	char path[64];
	DIR *dir;

	ck_assert_int_eq(userdb_user(&userdb, "root", &id), 0); /* it has begun */
	ck_assert_int_eq(status_of(pid, "CapPrm:"), 0);
	ck_assert_int_eq(status_of(pid, "CapEff:"), 0);
	ck_assert_int_eq(status_of(pid, "NoNewPrivs:"), 1);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir) /* it is undumpable, and we are nobody special */
		return;
	while ((entry = readdir(dir)))
		fds += entry->d_name[0] != '.';
	closedir(dir);
	ck_assert_uint_eq(fds, 2); /* stderr and its socket */
}
END_TEST

START_TEST(without_it_no_name_is_known_and_nobody_waits)
{
	const pid_t pid = child();
	uint32_t id;

	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(userdb_user(&userdb, "root", &id), -ESHUTDOWN);
	ck_assert_int_eq(userdb_group(&userdb, "root", &id), -ESHUTDOWN);
}
END_TEST

START_TEST(it_ends_with_who_asks)
{
	const pid_t pid = child();

	names = names_free(names);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("names");
	TCase *tcase = tcase_create("names");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, it_answers_as_the_user_database_does);
	tcase_add_test(tcase, a_name_that_is_longer_than_names_are_is_nobodys);
	tcase_add_test(tcase, it_has_no_rights_and_none_of_our_descriptors);
	tcase_add_test(tcase, without_it_no_name_is_known_and_nobody_waits);
	tcase_add_test(tcase, it_ends_with_who_asks);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
