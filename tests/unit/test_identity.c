// SPDX-License-Identifier: MIT
/* A peer is who the kernel says it was when it connected. */
#include <check.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "policy/identity.h"
#include "protocol/util.h"
#include "tests/suite.h"

#define MANY_GROUPS 5000 /* more than the first guess holds */

static char directory[] = "/tmp/test-identity-XXXXXX";
static struct sockaddr_un address;
static int listener = -1;

static void set_up(void)
{
	memcpy(directory + strlen(directory) - 6, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chmod(directory, 0711), 0);
	address = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", directory);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(listener, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(chmod(address.sun_path, 0666), 0);
	ck_assert_int_eq(listen(listener, 8), 0);
}

static void tear_down(void)
{
	listener = fd_close(listener);
	unlink(address.sun_path);
	rmdir(directory);
}

/* What a child makes of itself before it connects; nothing when @change is false. */
struct peer {
	bool change;
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t n_groups;
};

/* In the child. Its exit code tells which step failed. */
static int connect_as(const struct peer *peer)
{
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	char byte;

	if (sock < 0)
		return 1;
	if (peer->change && setgroups(peer->n_groups, peer->groups) < 0)
		return 2;
	if (peer->change && setresgid(peer->gid, peer->gid, peer->gid) < 0)
		return 3;
	if (peer->change && setresuid(peer->uid, peer->uid, peer->uid) < 0)
		return 4;
	if (connect(sock, (struct sockaddr *)&address, sizeof(address)) < 0)
		return 5;
	return recv(sock, &byte, 1, 0) == 0 ? 0 : 6; /* stays until it is accepted and let go */
}

/* Fill the identity of such a peer and its pid. */
static void identify(const struct peer *peer, struct identity *out, pid_t *pid)
{
	int sock, status, r;

	*pid = fork();
	ck_assert_int_ge(*pid, 0);
	if (*pid == 0)
		_exit(connect_as(peer));
	sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(sock, 0);
	r = identity_init(out, sock);
	fd_close(sock);
	ck_assert_int_eq(waitpid(*pid, &status, 0), *pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(r, 0);
}

static int compare_groups(const void *a, const void *b)
{
	gid_t x = *(const gid_t *)a, y = *(const gid_t *)b;

	return (x > y) - (x < y);
}

START_TEST(a_peer_is_this_very_user)
{
	_cleanup_(identity_deinit) struct identity identity = {0};
	static gid_t groups[NGROUPS_MAX];
	struct peer peer = {.change = false};
	int n = getgroups(NGROUPS_MAX, groups);
	pid_t pid;

	ck_assert_int_ge(n, 0);
	identify(&peer, &identity, &pid);
	ck_assert_uint_eq(identity.uid, geteuid());
	ck_assert_uint_eq(identity.gid, getegid());
	ck_assert_int_eq(identity.pid, pid);
	ck_assert_uint_eq(identity.n_groups, (size_t)n);
	for (int i = 0; i < n; i++)
		ck_assert(identity_in_group(&identity, groups[i]));
}
END_TEST

START_TEST(a_peer_is_whom_it_turned_into_before_it_connected)
{
	static const gid_t many_groups[] = {60010, 29, 1234567, 60003};
	static const struct peer peers[] = {
		{true, 60001, 60002, many_groups, 4},
		{true, 60001, 60002, many_groups, 1},
		{true, 60001, 60002, NULL, 0},
		{true, 0, 60002, many_groups, 2},
	};
	const struct peer *peer = &peers[_i];
	_cleanup_(identity_deinit) struct identity identity = {0};
	pid_t pid;

	identify(peer, &identity, &pid);
	ck_assert_uint_eq(identity.uid, peer->uid);
	ck_assert_uint_eq(identity.gid, peer->gid);
	ck_assert_int_eq(identity.pid, pid);
	ck_assert_uint_eq(identity.n_groups, peer->n_groups);
	for (size_t i = 0; i < peer->n_groups; i++)
		ck_assert(identity_in_group(&identity, peer->groups[i]));
	ck_assert(identity_in_group(&identity, peer->gid));
	ck_assert(!identity_in_group(&identity, 60099));
}
END_TEST

START_TEST(thousands_of_groups_are_all_there)
{
	_cleanup_(identity_deinit) struct identity identity = {0};
	gid_t groups[MANY_GROUPS];
	struct peer peer = {true, 60001, 60002, groups, MANY_GROUPS};
	pid_t pid;

	for (size_t i = 0; i < MANY_GROUPS; i++)
		groups[i] = (gid_t)(70000 + 3 * (MANY_GROUPS - i));
	identify(&peer, &identity, &pid);
	ck_assert_uint_eq(identity.n_groups, MANY_GROUPS);
	qsort(groups, MANY_GROUPS, sizeof(groups[0]), compare_groups);
	qsort(identity.groups, MANY_GROUPS, sizeof(groups[0]), compare_groups);
	ck_assert_mem_eq(identity.groups, groups, sizeof(groups));
}
END_TEST

START_TEST(what_has_no_peer_has_no_identity)
{
	_cleanup_(fd_closep) int lonely = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	_cleanup_(fd_closep) int inet = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct {
		int sock, error;
	} cases[] = {{lonely, -ENOTCONN}, {inet, -ENOTCONN}, {-1, -EBADF}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct identity identity = {.n_groups = 99};

		ck_assert_int_eq(identity_init(&identity, cases[i].sock), cases[i].error);
		ck_assert_ptr_null(identity.groups);
		ck_assert_uint_eq(identity.n_groups, 0);
	}
}
END_TEST

START_TEST(deinit_is_safe_twice)
{
	struct identity identity = {0};
	struct peer peer = {.change = false};
	pid_t pid;

	identity_deinit(&identity);
	identify(&peer, &identity, &pid);
	identity_deinit(&identity);
	identity_deinit(&identity);
	ck_assert_ptr_null(identity.groups);
	ck_assert_uint_eq(identity.n_groups, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("identity");
	TCase *tcase = tcase_create("peer");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_peer_is_this_very_user);
	tcase_add_test(tcase, what_has_no_peer_has_no_identity);
	tcase_add_test(tcase, deinit_is_safe_twice);
	if (geteuid() == 0) { /* only root may turn into others */
		tcase_add_loop_test(tcase, a_peer_is_whom_it_turned_into_before_it_connected, 0, 4);
		tcase_add_test(tcase, thousands_of_groups_are_all_there);
	}
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
