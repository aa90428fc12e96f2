// SPDX-License-Identifier: MIT
/* Files by Landlock, as the kernel understands it: each case is a process that enters it. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "daemon/confine/landlock.h"
#include "protocol/util.h"
#include "tests/suite.h"
#include "tests/unit/tree.h"

/* What a child reports of one of its attempts. */
static int result(int r)
{
	return r < 0 ? errno : 0;
}

static int opened(const char *path, int flags)
{
	_cleanup_(fd_closep) int fd = open(path, flags | O_CLOEXEC, 0600);

	return result(fd);
}

/* A child's exit status; 255 for one that could not be confined. */
static int in_child(int (*attempt)(void), const char *path, unsigned int rights)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct landlock landlock;

		if (landlock_init(&landlock) < 0 ||
			(path && landlock_allow(&landlock, path, rights) < 0) ||
			prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || landlock_enter(&landlock) < 0)
			_exit(255);
		_exit(attempt());
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Version of the kernel's Landlock, 0 without. */
static int abi(void)
{
	struct landlock landlock;
	int r = landlock_init(&landlock), version = landlock.abi;

	landlock_deinit(&landlock);
	if (r == -EOPNOTSUPP)
		return 0;
	ck_assert_int_eq(r, 0);
	return version;
}

static bool has_abi(int needed)
{
	if (abi() < needed)
		fprintf(stderr, "SKIPPED: Landlock is %d here, not %d\n", abi(), needed);
	return abi() >= needed;
}

static int read_file(void)
{
	return opened(tree_path("in/file"), O_RDONLY);
}

static int read_file_by_link(void)
{
	return opened(tree_path("out/link"), O_RDONLY);
}

static int read_other(void)
{
	return opened(tree_path("out/file"), O_RDONLY);
}

static int read_other_by_link(void)
{
	return opened(tree_path("in/link"), O_RDONLY);
}

static int read_other_through_parent(void)
{
	return opened(tree_path("in/../out/file"), O_RDONLY);
}

static int list(void)
{
	return opened(tree_path("in"), O_RDONLY | O_DIRECTORY);
}

static int write_file(void)
{
	return opened(tree_path("in/file"), O_WRONLY);
}

static int cut_file(void)
{
	return result(truncate(tree_path("in/file"), 0));
}

static int make_file(void)
{
	return result(mknod(tree_path("in/new"), S_IFREG | 0600, 0));
}

static int remove_file(void)
{
	return result(unlink(tree_path("in/file")));
}

static int make_folder(void)
{
	return result(mkdir(tree_path("in/folder2"), 0700));
}

static int make_link(void)
{
	return result(symlink("/", tree_path("in/new")));
}

static int make_socket(void)
{
	return result(mknod(tree_path("in/new"), S_IFSOCK | 0600, 0));
}

static int move_file(void)
{
	return result(rename(tree_path("in/file"), tree_path("in/folder/file")));
}

static int run_file(void)
{
	execl(tree_path("in/program"), "program", NULL);
	return errno;
}

static void start(void)
{
	tree_start();
	tree_make_folder("in");
	tree_make_folder("in/folder");
	tree_make_folder("out");
	tree_write("in/file", "text");
	tree_write("out/file", "text");
	tree_write("in/program", "#!/bin/true\n");
	ck_assert_int_eq(chmod(tree_path("in/program"), 0755), 0);
	tree_link("in/link", tree_path("out/file"));
	tree_link("out/link", tree_path("in/file"));
}

/* Each on a tree of its own. */
#define TRY(attempt, path, rights)                                 \
	({                                                         \
		int _r;                                            \
		start();                                           \
		_r = in_child(attempt, tree_path(path), (rights)); \
		tree_stop();                                       \
		_r;                                                \
	})

START_TEST(what_no_rule_names_is_refused_by_whatever_path)
{
	if (!has_abi(1))
		return;
	ck_assert_int_eq(TRY(read_file, "in", LANDLOCK_READ), 0);
	ck_assert_int_eq(TRY(read_file_by_link, "in", LANDLOCK_READ), 0);
	ck_assert_int_eq(TRY(read_other, "in", LANDLOCK_READ), EACCES);
	ck_assert_int_eq(TRY(read_other_by_link, "in", LANDLOCK_READ), EACCES);
	ck_assert_int_eq(TRY(read_other_through_parent, "in", LANDLOCK_READ), EACCES);
	start();
	ck_assert_int_eq(in_child(read_file, NULL, 0), EACCES);
	tree_stop();
}
END_TEST

static int (*const attempts[])(void) = {read_file, list, write_file, cut_file, make_file,
	remove_file, make_folder, move_file, make_link, make_socket, run_file};

/* In the order above. */
static const struct {
	unsigned int rights;
	bool allowed[ARRAY_SIZE(attempts)];
} given[] = {
	{0, {}},
	{LANDLOCK_READ, {1, 1}},
	{LANDLOCK_WRITE, {0, 0, 1, 1}},
	{LANDLOCK_MAKE, {0, 0, 0, 0, 1, 1, 1, 1}},
	{LANDLOCK_DEVICE, {}},
	{LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_MAKE | LANDLOCK_DEVICE,
		{1, 1, 1, 1, 1, 1, 1, 1}},
};

START_TEST(a_right_is_what_it_says_and_nothing_else)
{
	if (!has_abi(3)) /* files can be cut before, and not moved */
		return;
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		int r = TRY(attempts[i], "in", given[_i].rights);

		if (given[_i].allowed[i])
			ck_assert_int_eq(r, 0);
		else
			ck_assert(r == EACCES || (r == EXDEV && attempts[i] == move_file));
	}
}
END_TEST

START_TEST(a_rule_may_name_a_file)
{
	const unsigned int all = LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_MAKE | LANDLOCK_DEVICE;

	if (!has_abi(3))
		return;
	ck_assert_int_eq(TRY(read_file, "in/file", all), 0);
	ck_assert_int_eq(TRY(cut_file, "in/file", all), 0);
	ck_assert_int_eq(TRY(remove_file, "in/file", all), EACCES);
	ck_assert_int_eq(TRY(list, "in/file", all), EACCES);
	ck_assert_int_eq(TRY(read_file, "in/program", all), EACCES);
	/* Nothing of a folder's rights is left for a file. */
	ck_assert_int_eq(TRY(read_file, "in/file", LANDLOCK_MAKE), EACCES);
}
END_TEST

START_TEST(a_rule_for_what_is_not_there_is_an_error)
{
	struct landlock landlock;

	if (!has_abi(1))
		return;
	ck_assert_int_eq(landlock_init(&landlock), 0);
	ck_assert_int_eq(landlock_allow(&landlock, "/no such folder", LANDLOCK_READ), -ENOENT);
	landlock_deinit(&landlock);
	ck_assert_int_eq(landlock.fd, -1);
}
END_TEST

/* /dev/ptmx, whose ioctl()s are a device's own. */
static int ask_device(void)
{
	_cleanup_(fd_closep) int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	unsigned int number;

	return fd < 0 ? 255 : result(ioctl(fd, TIOCGPTN, &number));
}

START_TEST(a_device_obeys_only_where_that_is_allowed)
{
	const unsigned int rights = LANDLOCK_READ | LANDLOCK_WRITE;

	if (!has_abi(5))
		return;
	ck_assert_int_eq(in_child(ask_device, "/dev", rights | LANDLOCK_DEVICE), 0);
	ck_assert_int_eq(in_child(ask_device, "/dev", rights), EACCES);
}
END_TEST

static int listener, port;

static int connect_tcp(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port)};
	_cleanup_(fd_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return result(connect(fd, (struct sockaddr *)&address, sizeof(address)));
}

static int bind_tcp(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	_cleanup_(fd_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return result(bind(fd, (struct sockaddr *)&address, sizeof(address)));
}

START_TEST(tcp_is_refused)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);

	if (!has_abi(4))
		return;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	port = ntohs(address.sin_port);
	ck_assert_int_eq(connect_tcp(), 0);
	ck_assert_int_eq(in_child(connect_tcp, NULL, 0), EACCES);
	ck_assert_int_eq(in_child(bind_tcp, NULL, 0), EACCES);
	close(listener);
}
END_TEST

static struct sockaddr_un abstract;
static socklen_t abstract_size = sizeof(sa_family_t);

static int connect_abstract(void)
{
	_cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return result(connect(fd, (struct sockaddr *)&abstract, abstract_size));
}

START_TEST(unix_sockets_without_a_path_are_refused)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	if (!has_abi(6))
		return;
	abstract.sun_family = AF_UNIX; /* and nothing else: the kernel gives it a name */
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&abstract, abstract_size), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	abstract_size = sizeof(abstract);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&abstract, &abstract_size), 0);
	ck_assert_int_eq(connect_abstract(), 0);
	ck_assert_int_eq(in_child(connect_abstract, NULL, 0), EPERM);
	close(fd);
}
END_TEST

static int signal_parent(void)
{
	return result(kill(getppid(), 0));
}

static int signal_child(void)
{
	pid_t pid = fork();
	int r;

	if (pid == 0)
		pause();
	r = result(kill(pid, SIGKILL));
	if (r == 0)
		waitpid(pid, NULL, 0);
	return r;
}

START_TEST(nobody_outside_is_sent_a_signal)
{
	if (!has_abi(6))
		return;
	ck_assert_int_eq(in_child(signal_parent, NULL, 0), EPERM);
	ck_assert_int_eq(in_child(signal_child, NULL, 0), 0);
}
END_TEST

/* As a kernel without Landlock, or with it switched off, would say. */
START_TEST(a_kernel_without_landlock_says_so)
{
	static const int errors[] = {ENOSYS, EOPNOTSUPP};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	struct landlock landlock;

	ck_assert_ptr_nonnull(filter);
	ck_assert_int_eq(seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint16_t)errors[_i]),
				 SCMP_SYS(landlock_create_ruleset), 0),
		0);
	ck_assert_int_eq(seccomp_load(filter), 0); /* Check gives each test a process */
	seccomp_release(filter);
	ck_assert_int_eq(landlock_init(&landlock), -EOPNOTSUPP);
	ck_assert_int_eq(landlock.fd, -1);
	landlock_deinit(&landlock);
}
END_TEST

/* A version 1 is masked by its number alone: nothing that came later is asked of it. */
START_TEST(an_old_landlock_is_not_asked_for_what_came_later)
{
	struct landlock landlock;

	if (!has_abi(1))
		return;
	ck_assert_int_eq(landlock_init(&landlock), 0);
	landlock.abi = 1;
	/* All that this right is came with version 5, so that there is no rule. */
	ck_assert_int_eq(landlock_allow(&landlock, "/dev/null", LANDLOCK_DEVICE), 0);
	ck_assert_int_eq(landlock_allow(&landlock, "/", LANDLOCK_MAKE | LANDLOCK_WRITE), 0);
	landlock_deinit(&landlock);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("landlock");
	TCase *tcase = tcase_create("landlock");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, what_no_rule_names_is_refused_by_whatever_path);
	tcase_add_loop_test(tcase, a_right_is_what_it_says_and_nothing_else, 0, ARRAY_SIZE(given));
	tcase_add_test(tcase, a_rule_may_name_a_file);
	tcase_add_test(tcase, a_rule_for_what_is_not_there_is_an_error);
	tcase_add_test(tcase, a_device_obeys_only_where_that_is_allowed);
	tcase_add_test(tcase, tcp_is_refused);
	tcase_add_test(tcase, unix_sockets_without_a_path_are_refused);
	tcase_add_test(tcase, nobody_outside_is_sent_a_signal);
	tcase_add_loop_test(tcase, a_kernel_without_landlock_says_so, 0, 2);
	tcase_add_test(tcase, an_old_landlock_is_not_asked_for_what_came_later);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
