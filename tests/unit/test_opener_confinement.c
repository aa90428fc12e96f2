// SPDX-License-Identifier: MIT
/* The process that opens device nodes: what it can do beyond that, which is nothing. */
#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "daemon/confine/landlock.h"
#include "tests/fds.h"
#include "tests/suite.h"
#include "tests/unit/log_rig.h"
#include "tests/unit/opener_rig.h"
#include "tests/unit/tree.h"

/* What it is. */

static size_t fds_of_opener(void)
{
	return count_fds(opener_pid(opener));
}

START_TEST(it_has_its_sockets_and_stderr_and_the_folder_and_nothing_stays)
{
	/* As of the broker. */
	_cleanup_(fd_closep) int one = open("/dev/null", O_RDONLY), another = dup(one);
	size_t ours;
	pid_t pid;
	int fd;

	if (getuid() != 0)
		return; /* who may look into nobody */
	start();
	ours = count_fds(getpid());
	ck_assert_uint_eq(fds_of_opener(), OPENER_THREADS + 2);
	for (int i = 0; i < 100; i++) {
		fd = opener_open_as(opener, NODE, O_RDWR, &pid);
		fd_close(fd);
		opener_release(opener, pid);
	}
	tree_write("dev/rpmsg1", "");
	for (int i = 0; i < 100; i++)
		must_not_open("rpmsg1", O_RDWR, -ENODEV);
	ck_assert_uint_eq(fds_of_opener(), OPENER_THREADS + 2);
	ck_assert_uint_eq(count_fds(getpid()), ours);
	ck_assert_uint_eq(count_its_children(), 0);
	fd_close(another);
}
END_TEST

/* A field of /proc/PID/task/TASK/status. */
static unsigned long long status_of(pid_t pid, const char *task, const char *field)
{
	unsigned long long value = 0;
	char path[300], line[256];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/status", pid, task);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	while (!found && fgets(line, sizeof(line), file))
		found = strncmp(line, field, strlen(field)) == 0 &&
			sscanf(line + strlen(field), ": %llx", &value) == 1;
	fclose(file);
	ck_assert_msg(found, "%s", field);
	return value;
}

START_TEST(all_of_its_threads_are_confined)
{
	static const char *const none[] = {"CapInh", "CapPrm", "CapEff", "CapAmb"};
	const struct dirent *entry;
	char path[64];
	size_t n = 0;
	DIR *tasks;

	start();
	snprintf(path, sizeof(path), "/proc/%d/task", opener_pid(opener));
	tasks = opendir(path);
	ck_assert_ptr_nonnull(tasks);
	while ((entry = readdir(tasks))) {
		if (entry->d_name[0] == '.')
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(none); i++)
			ck_assert_uint_eq(status_of(opener_pid(opener), entry->d_name, none[i]), 0);
		ck_assert_uint_eq(status_of(opener_pid(opener), entry->d_name, "NoNewPrivs"), 1);
		ck_assert_uint_eq(status_of(opener_pid(opener), entry->d_name, "Seccomp"), 2);
		n++;
	}
	closedir(tasks);
	ck_assert_uint_ge(n, OPENER_THREADS);
}
END_TEST

START_TEST(nobody_of_its_user_looks_into_it_and_it_leaves_no_core_dump)
{
	const struct passwd *nobody = getpwnam("nobody");
	char path[64], line[256], soft[32] = "", hard[32] = "";
	struct stat st;
	FILE *limits;

	if (getuid() != 0 || !nobody)
		return; /* it is nobody else */
	options.user = "nobody";
	start();
	snprintf(path, sizeof(path), "/proc/%d/maps", opener_pid(opener));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_uid, 0); /* as proc(5) says of what cannot be dumped */
	snprintf(path, sizeof(path), "/proc/%d/limits", opener_pid(opener));
	limits = fopen(path, "re");
	ck_assert_ptr_nonnull(limits);
	while (fgets(line, sizeof(line), limits))
		sscanf(line, "Max core file size %31s %31s", soft, hard);
	fclose(limits);
	ck_assert_str_eq(soft, "0");
	ck_assert_str_eq(hard, "0");
}
END_TEST

START_TEST(a_node_that_is_not_its_users_is_not_opened)
{
	if (getuid() != 0 || !getpwnam("nobody"))
		return; /* to root all are */
	options.user = "nobody";
	nodes_make("rpmsg0");
	ck_assert_int_eq(chmod(nodes_path("rpmsg0"), 0600), 0);
	start();
	must_not_open("rpmsg0", O_RDWR, -EACCES);
	ck_assert_int_eq(chown(nodes_path("rpmsg0"), getpwnam("nobody")->pw_uid, 0), 0);
	ck_assert_int_eq(fd_close(opener_open(opener, "rpmsg0", O_RDWR)), -1);
	must_not_open("rpmsg1", O_RDWR, -ENOENT);
}
END_TEST

START_TEST(without_its_user_or_its_folder_it_does_not_start)
{
	log_rig_begin();
	if (getuid() == 0) {
		options.user = "nobody-of-that-name";
		ck_assert_int_lt(opener_new(&opener, &options), 0);
		ck_assert_ptr_null(opener);
		ck_assert_uint_gt(log_rig_lines(), 0);
	}
	options = (struct broker_options){.dev = "/nowhere"};
	ck_assert_int_eq(opener_new(&opener, &options), -ENOENT);
	ck_assert_ptr_null(opener);
	ck_assert_ptr_nonnull(strstr(log_rig_line(log_rig_lines() - 1), "does not start"));
	log_rig_end();
}
END_TEST

static void forbid_filters(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(seccomp), 0), 0);
	ck_assert_int_eq(seccomp_load(filter), 0);
	seccomp_release(filter);
}

START_TEST(a_kernel_that_cannot_confine_it_is_an_error_unless_that_is_allowed)
{
	int fd;

	forbid_filters();
	log_rig_begin();
	ck_assert_int_eq(opener_new(&opener, &options), -ENOSYS);
	ck_assert_ptr_null(opener);
	ck_assert_ptr_nonnull(strstr(log_rig_line(0), "cannot limit its system calls"));
	options.allow_unconfined = true;
	start();
	ck_assert_ptr_nonnull(strstr(log_rig_line(2), "UNCONFINED"));
	ck_assert_uint_eq(log_rig_lines(), 3);
	log_rig_end();
	fd = opener_open(opener, NODE, O_RDWR);
	ck_assert_int_ge(fd, 0);
	fd_close(fd);
}
END_TEST

/* From inside: it is somebody else's. */

START_TEST(files_elsewhere_are_out_of_its_reach)
{
	static const char *const names[] = {
		"/etc/passwd", "/proc/self/status", "../secret", "/dev/null", "/", ".."};
	struct landlock landlock;
	int fd;

	if (landlock_init(&landlock) == -EOPNOTSUPP)
		return; /* this kernel has nothing for that */
	landlock_deinit(&landlock);
	tree_write("secret", "text");
	start_taken_over(true);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		must_not_open(names[i], O_RDONLY, -EACCES);
	fd = opener_open(opener, NODE, O_RDWR);
	ck_assert_int_ge(fd, 0);
	fd_close(fd);
}
END_TEST

/* Only the last part of a name must not be a link. */
START_TEST(a_folder_that_leads_elsewhere_leads_nowhere)
{
	struct landlock landlock;
	int fd;

	if (landlock_init(&landlock) == -EOPNOTSUPP)
		return;
	landlock_deinit(&landlock);
	tree_make_folder("elsewhere");
	nodes_make("../elsewhere/accel0");
	tree_link("dev/accel", "../elsewhere");
	start();
	must_not_open("accel/accel0", O_RDWR, -EACCES);
	fd = opener_open(opener, NODE, O_RDWR);
	ck_assert_int_ge(fd, 0);
	fd_close(fd);
}
END_TEST

START_TEST(to_make_a_file_is_its_end)
{
	start_taken_over(true);
	log_rig_begin();
	ck_assert_int_eq(opener_open(opener, "file", O_RDWR | O_CREAT), -ESHUTDOWN);
	log_rig_end();
	nodes_await_end(opener_pid(opener));
	ck_assert(!tree_has("dev/file"));
}
END_TEST

static void confine_as_it(void)
{
	const struct filter_table *tables;
	struct sock_fprog filter;
	size_t n;

	opener_process_tables(&tables, &n);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || filter_init(&filter, tables, n) < 0 ||
		filter_enter(&filter) < 0)
		_exit(EXIT_FAILURE);
}

#define IN_SANITIZERS true
static const struct {
	const char *what;
	long number, a, b, c, d;
	bool in_sanitizers; /* a build with sanitizers may, or is only refused */
} attempts[] = {
	{"run a program", SYS_execve, 0, 0, 0, 0, false},
	{"run a program by a descriptor", SYS_execveat, -1, 0, 0, 0, false},
	{"look into a process", SYS_ptrace, 16, 1, 0, 0, false},
	{"the same by its memory", SYS_process_vm_readv, 1, 0, 0, 0, false},
	{"a signal to init", SYS_kill, 1, 0, 0, 0, false},
	{"a signal to a thread", SYS_tgkill, 1, 1, 0, 0, false},
	{"a process", SYS_clone, SIGCHLD, 0, 0, 0, false},
	{"a thread", SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, 0, 0, 0, false},
	{"a process by other means", SYS_clone3, 0, 0, 0, 0, false},
	{"a user namespace", SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, false},
	{"a user namespace of its own", SYS_unshare, CLONE_NEWUSER, 0, 0, 0, false},
	{"a mount", SYS_mount, 0, 0, 0, 0, false},
	{"a socket", SYS_socket, AF_INET, SOCK_STREAM, 0, 0, false},
	{"a local socket", SYS_socket, AF_UNIX, SOCK_STREAM, 0, 0, false},
	{"a file", SYS_openat, AT_FDCWD, (long)"/tmp/x", O_RDWR | O_CREAT, 0600, false},
	{"a file that is emptied", SYS_openat, AT_FDCWD, (long)"/tmp/x", O_RDWR | O_TRUNC, 0,
		false},
	{"a file without a name", SYS_openat, AT_FDCWD, (long)"/tmp", O_RDWR | O_TMPFILE, 0600,
		false},
	{"a file by other means", SYS_openat2, AT_FDCWD, 0, 0, 0, false},
	{"what a name means", SYS_newfstatat, AT_FDCWD, (long)"/etc", 0, 0, false},
	{"a request to a device", SYS_ioctl, 0, 0, 0, 0, IN_SANITIZERS},
	{"what is in a file", SYS_read, 0, 0, 0, 0, false},
	{"what is to be in a file", SYS_write, 1, 0, 0, 0, IN_SANITIZERS},
	{"memory with code", SYS_mmap, 0, 4096, 7, 0x22, IN_SANITIZERS},
	{"code in memory", SYS_mprotect, 0, 0, 7, 0, IN_SANITIZERS},
	{"rings of the kernel's", SYS_io_uring_setup, 1, 0, 0, 0, false},
	{"keys", SYS_keyctl, 0, 0, 0, 0, false},
	{"programs in the kernel", SYS_bpf, 0, 0, 0, 0, false},
	{"counters of the kernel's", SYS_perf_event_open, 0, 0, 0, 0, false},
	{"another user", SYS_setresuid, 0, 0, 0, 0, false},
	{"to be dumped", SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, false},
};

START_TEST(what_it_need_not_do_ends_it)
{
	int status;
	pid_t pid;

	if (FILTER_SANITIZED && attempts[_i].in_sanitizers)
		return;
	pid = fork();
	if (pid == 0) {
		confine_as_it();
		syscall(attempts[_i].number, attempts[_i].a, attempts[_i].b, attempts[_i].c,
			attempts[_i].d, -1, 0);
		syscall(SYS_exit_group, EXIT_SUCCESS);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s", attempts[_i].what);
}
END_TEST

/* Or all of that would have shown nothing. */
START_TEST(an_end_is_among_what_it_may_do)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		confine_as_it();
		syscall(SYS_exit_group, 42);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, opener_set_up, opener_tear_down);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static Suite *suite(void)
{
	Suite *suite = suite_create("the opener's confinement");
	TCase *outside, *inside;

	outside = add_case(suite, "from outside");
	tcase_add_test(outside, it_has_its_sockets_and_stderr_and_the_folder_and_nothing_stays);
	tcase_add_test(outside, all_of_its_threads_are_confined);
	tcase_add_test(outside, nobody_of_its_user_looks_into_it_and_it_leaves_no_core_dump);
	tcase_add_test(outside, a_node_that_is_not_its_users_is_not_opened);
	tcase_add_test(outside, without_its_user_or_its_folder_it_does_not_start);
	tcase_add_test(outside, a_kernel_that_cannot_confine_it_is_an_error_unless_that_is_allowed);
	tcase_add_test(outside, a_folder_that_leads_elsewhere_leads_nowhere);
	inside = add_case(suite, "from inside");
	tcase_add_test(inside, files_elsewhere_are_out_of_its_reach);
	tcase_add_test(inside, to_make_a_file_is_its_end);
	tcase_add_test(inside, an_end_is_among_what_it_may_do);
	tcase_add_loop_test(inside, what_it_need_not_do_ends_it, 0, ARRAY_SIZE(attempts));
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
