// SPDX-License-Identifier: MIT
/* What is read of real processes is so, and nothing is said of one that may be another. */
#include <sched.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "protocol/util.h"
#include "tests/fds.h"
#include "tests/suite.h"
#include "tests/unit/peer.h"
#include "tests/unit/tree.h"

#define ALICE 60711
#define BOB   60712
#define INFO  "[Application]\nname=org.example.Player\n"

static int proc;
static size_t fds;

static void set_up(void)
{
	tree_start();
	proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(proc, 0);
	fds = count_fds(getpid());
}

static void tear_down(void)
{
	ck_assert_uint_eq(count_fds(getpid()), fds);
	fd_close(proc);
	tree_stop();
}

static struct facts read_facts(const struct peer *peer)
{
	struct facts facts;

	facts_read(&facts, proc, peer->pid, peer->pidfd, peer->uid, peer->gid);
	return facts;
}

/* NULL: unknown. */
static const char *fact(const struct facts *facts, enum identity_fact fact)
{
	return facts->known & 1u << fact ? facts->text[fact] : NULL;
}

START_TEST(a_process_runs_its_program_and_is_no_flatpak)
{
	struct peer peer;
	struct facts facts;

	peer_start(&peer, getuid());
	facts = read_facts(&peer);
	ck_assert_str_eq(fact(&facts, IDENTITY_EXECUTABLE), peer_executable());
	ck_assert_str_eq(fact(&facts, IDENTITY_FLATPAK), "");
	ck_assert_ptr_null(fact(&facts, IDENTITY_LABEL));
	peer_end(&peer);
}
END_TEST

START_TEST(of_one_with_other_ids_nothing_is_known)
{
	struct peer peer;
	struct facts facts;

	peer_start(&peer, ALICE);
	ck_assert_uint_ne(read_facts(&peer).known, 0);
	facts_read(&facts, proc, peer.pid, peer.pidfd, BOB, peer.gid);
	ck_assert_uint_eq(facts.known, 0);
	facts_read(&facts, proc, peer.pid, peer.pidfd, peer.uid, BOB);
	ck_assert_uint_eq(facts.known, 0);
	peer_end(&peer);
}
END_TEST

START_TEST(of_one_that_has_ended_nothing_is_known_before_and_after_its_pid_is_free)
{
	struct peer peer;
	pid_t pid;

	peer_start(&peer, getuid());
	pid = peer.pid;
	peer_kill(&peer);
	ck_assert_uint_eq(read_facts(&peer).known, 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_uint_eq(read_facts(&peer).known, 0);
	fd_close(peer.pidfd);
}
END_TEST

START_TEST(of_a_pid_that_is_not_the_pidfds_nothing_is_known)
{
	const pid_t nobody[] = {0, -1, INT32_MAX};
	struct peer peer, other;
	struct facts facts;

	peer_start(&peer, getuid());
	peer_start(&other, getuid());
	facts_read(&facts, proc, other.pid, peer.pidfd, peer.uid, peer.gid);
	ck_assert_uint_eq(facts.known, 0);
	facts_read(&facts, proc, peer.pid, -1, peer.uid, peer.gid);
	ck_assert_uint_eq(facts.known, 0);
	facts_read(&facts, proc, peer.pid, proc, peer.uid, peer.gid);
	ck_assert_uint_eq(facts.known, 0);
	for (size_t i = 0; i < ARRAY_SIZE(nobody); i++) {
		facts_read(&facts, proc, nobody[i], peer.pidfd, peer.uid, peer.gid);
		ck_assert_uint_eq(facts.known, 0);
	}
	peer_end(&peer);
	peer_end(&other);
}
END_TEST

static bool in_root(const void *data)
{
	return chroot(data) == 0;
}

static const char *flatpak_in_root(void)
{
	static struct facts facts;
	struct peer peer;

	peer_start_as(&peer, ALICE, in_root, tree_path(""));
	facts = read_facts(&peer);
	peer_end(&peer);
	ck_assert_str_eq(fact(&facts, IDENTITY_EXECUTABLE), peer_executable());
	return fact(&facts, IDENTITY_FLATPAK);
}

START_TEST(a_flatpak_is_told_by_the_file_in_its_root)
{
	tree_write(".flatpak-info", INFO);
	ck_assert_str_eq(flatpak_in_root(), "org.example.Player");
}
END_TEST

START_TEST(a_root_without_that_file_is_no_flatpak)
{
	ck_assert_str_eq(flatpak_in_root(), "");
}
END_TEST

/* Whatever lies there instead is not opened, and nothing outside of its root is. */
static void make_nothing(void)
{
	tree_make_folder(".flatpak-info");
}

static void make_fifo(void)
{
	ck_assert_int_eq(mkfifo(tree_path(".flatpak-info"), 0666), 0);
}

static void make_device(void)
{
	ck_assert_int_eq(mknod(tree_path(".flatpak-info"), S_IFCHR | 0666, 1 << 8 | 5), 0);
}

static void make_link(void)
{
	tree_write("real", INFO);
	tree_link(".flatpak-info", "real");
}

static void make_link_out(void)
{
	tree_link(".flatpak-info", "/etc/passwd");
}

static void make_link_to_nowhere(void)
{
	tree_link(".flatpak-info", "nowhere");
}

static void make_huge(void)
{
	tree_write(".flatpak-info", INFO);
	ck_assert_int_eq(truncate(tree_path(".flatpak-info"), 1LL << 40), 0);
}

static void make_dots(void)
{
	tree_write(".flatpak-info", "[Application]\nname=../../x\n");
}

static void (*const strange[])(void) = {make_nothing, make_fifo, make_device, make_link,
	make_link_out, make_link_to_nowhere, make_huge, make_dots};

START_TEST(of_a_root_with_something_else_it_is_not_known)
{
	strange[_i]();
	ck_assert_ptr_null(flatpak_in_root());
}
END_TEST

/* A copy of this program where it can be run and taken away. */
static const char *copy_of_this(void)
{
	static char copy[4096];
	struct stat st;
	int from, to;

	snprintf(copy, sizeof(copy), "%s", tree_path("player"));
	from = open(peer_executable(), O_RDONLY | O_CLOEXEC);
	to = open(copy, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	ck_assert(from >= 0 && to >= 0 && fstat(from, &st) == 0);
	ck_assert_int_eq(sendfile(to, from, NULL, (size_t)st.st_size), st.st_size);
	close(from);
	close(to);
	return copy;
}

/* Lay a file over another, where only this process sees that. */
static bool lay_over(const char *file, const char *over)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount(file, over, NULL, MS_BIND, NULL) == 0;
}

/* Run it, from its own path or from that of another; it tells with a byte that it is there. */
static void run_copy(struct peer *peer, const char *path, const char *over)
{
	char byte, fd[16];
	int ready[2];

	*peer = (struct peer){.uid = getuid(), .gid = getgid()};
	ck_assert_int_eq(pipe(ready), 0);
	snprintf(fd, sizeof(fd), "%d", ready[1]);
	peer->pid = fork();
	if (peer->pid == 0) {
		if (!over || lay_over(path, over))
			execl(over ? over : path, path, "--wait", fd, NULL);
		_exit(127);
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	peer->pidfd = (int)syscall(SYS_pidfd_open, peer->pid, 0);
	ck_assert_int_ge(peer->pidfd, 0);
}

START_TEST(a_program_whose_file_is_gone_or_another_is_not_known)
{
	const char *copy = copy_of_this();
	struct facts facts;
	struct peer peer;

	run_copy(&peer, copy, NULL);
	facts = read_facts(&peer);
	ck_assert_str_eq(fact(&facts, IDENTITY_EXECUTABLE), copy);
	ck_assert_int_eq(rename(copy, tree_path("elsewhere")), 0);
	facts = read_facts(&peer);
	ck_assert_str_eq(fact(&facts, IDENTITY_EXECUTABLE), tree_path("elsewhere"));
	tree_remove("elsewhere");
	facts = read_facts(&peer);
	ck_assert_ptr_null(fact(&facts, IDENTITY_EXECUTABLE));
	tree_write("elsewhere", "another");
	tree_write("elsewhere (deleted)", "another");
	facts = read_facts(&peer);
	ck_assert_ptr_null(fact(&facts, IDENTITY_EXECUTABLE));
	peer_end(&peer);
}
END_TEST

START_TEST(a_program_that_lies_over_anothers_path_for_itself_alone_is_not_known)
{
	char link[64], target[4096] = "";
	struct facts facts;
	struct peer peer;

	run_copy(&peer, copy_of_this(), "/bin/cat");
	snprintf(link, sizeof(link), "/proc/%d/exe", peer.pid);
	ck_assert_int_gt(readlink(link, target, sizeof(target) - 1), 0);
	ck_assert_ptr_nonnull(strstr(target, "bin/cat")); /* so the kernel says */
	facts = read_facts(&peer);
	ck_assert_ptr_null(fact(&facts, IDENTITY_EXECUTABLE));
	ck_assert_str_eq(fact(&facts, IDENTITY_FLATPAK), "");
	peer_end(&peer);
}
END_TEST

/* For tools. */

START_TEST(a_running_process_is_identified_as_if_it_connected)
{
	_cleanup_(identity_deinit) struct identity identity = {};
	struct peer peer;

	peer_start(&peer, getuid());
	ck_assert_int_eq(identity_of_process(&identity, peer.pid), 0);
	ck_assert_uint_eq(identity.uid, geteuid());
	ck_assert_uint_eq(identity.gid, getegid());
	ck_assert_int_eq(identity.pid, peer.pid);
	ck_assert_int_ge(identity.pidfd, 0);
	ck_assert_int_eq((int)identity.n_groups, getgroups(0, NULL));
	ck_assert_str_eq(identity.facts[IDENTITY_EXECUTABLE], peer_executable());
	ck_assert_str_eq(identity.facts[IDENTITY_FLATPAK], "");
	peer_end(&peer);
}
END_TEST

static bool in_many_groups(const void *data)
{
	static gid_t groups[5000];

	(void)data;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		groups[i] = (gid_t)(70000 + i);
	return setgroups(ARRAY_SIZE(groups), groups) == 0;
}

START_TEST(thousands_of_groups_are_all_read)
{
	_cleanup_(identity_deinit) struct identity identity = {};
	struct peer peer;

	peer_start_as(&peer, getuid(), in_many_groups, NULL);
	ck_assert_int_eq(identity_of_process(&identity, peer.pid), 0);
	ck_assert_uint_eq(identity.n_groups, 5000);
	ck_assert(identity_in_group(&identity, 70000) && identity_in_group(&identity, 74999));
	peer_end(&peer);
}
END_TEST

START_TEST(nobody_runs_under_a_pid_that_is_free)
{
	struct identity identity;
	struct peer peer;

	peer_start(&peer, getuid());
	peer_end(&peer);
	ck_assert_int_eq(identity_of_process(&identity, peer.pid), -ESRCH);
	ck_assert_int_eq(identity_of_process(&identity, 0), -ESRCH);
	ck_assert_int_eq(identity_of_process(&identity, -1), -ESRCH);
	ck_assert_int_eq(identity.pidfd, -1);
}
END_TEST

START_TEST(a_user_is_known_by_his_account_and_runs_nothing)
{
	_cleanup_(identity_deinit) struct identity root = {}, nobody = {};

	ck_assert_int_eq(identity_of_user(&root, 0), 0);
	ck_assert_uint_eq(root.uid, 0);
	ck_assert_uint_eq(root.gid, 0);
	ck_assert(identity_in_group(&root, 0));
	ck_assert_int_eq(root.pidfd, -1);
	for (int i = 0; i < IDENTITY_FACTS; i++)
		ck_assert_ptr_null(root.facts[i]);
	ck_assert_int_eq(identity_of_user(&nobody, 4000000001u), 0);
	ck_assert_uint_eq(nobody.uid, 4000000001u);
	ck_assert_uint_eq(nobody.gid, (gid_t)-1);
	ck_assert_uint_eq(nobody.n_groups, 0);
}
END_TEST

/* What run_copy() runs. */
static int wait_for_end(const char *fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(atoi(fd), "", 1) != 1)
		return EXIT_FAILURE;
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	Suite *suite = suite_create("facts");
	TCase *tcase = tcase_create("processes");

	if (argc == 3 && !strcmp(argv[1], "--wait"))
		return wait_for_end(argv[2]);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_process_runs_its_program_and_is_no_flatpak);
	tcase_add_test(tcase,
		of_one_that_has_ended_nothing_is_known_before_and_after_its_pid_is_free);
	tcase_add_test(tcase, of_a_pid_that_is_not_the_pidfds_nothing_is_known);
	tcase_add_test(tcase, a_program_whose_file_is_gone_or_another_is_not_known);
	tcase_add_test(tcase, a_running_process_is_identified_as_if_it_connected);
	tcase_add_test(tcase, nobody_runs_under_a_pid_that_is_free);
	tcase_add_test(tcase, a_user_is_known_by_his_account_and_runs_nothing);
	if (geteuid() == 0) {
		tcase_add_test(tcase, of_one_with_other_ids_nothing_is_known);
		tcase_add_test(tcase, a_flatpak_is_told_by_the_file_in_its_root);
		tcase_add_test(tcase, a_root_without_that_file_is_no_flatpak);
		tcase_add_loop_test(tcase, of_a_root_with_something_else_it_is_not_known, 0,
			ARRAY_SIZE(strange));
		tcase_add_test(tcase, thousands_of_groups_are_all_read);
		tcase_add_test(tcase,
			a_program_that_lies_over_anothers_path_for_itself_alone_is_not_known);
	}
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
