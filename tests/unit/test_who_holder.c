// SPDX-License-Identifier: MIT
/* The broker asks its program which process has a device node open, and is told, or told that
 * nobody can tell. */
#include "tests/unit/who_rig.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "tests/fds.h"
#include "tests/fuse.h"
#include "tests/unit/own_processes.h"

#define NAME "holder of nodes"

/* A node that nobody has open but who is told to: the far side of a terminal of our own. */
struct terminal {
	int master;
	char path[64];
	struct holder_node number;
};

static struct terminal terminals[2];
static struct who_question questions[MANY];

static void terminal_open(struct terminal *terminal)
{
	struct stat stat_of;

	terminal->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(terminal->master, 0);
	ck_assert_int_eq(grantpt(terminal->master), 0);
	ck_assert_int_eq(unlockpt(terminal->master), 0);
	ck_assert_int_eq(ptsname_r(terminal->master, terminal->path, sizeof(terminal->path)), 0);
	ck_assert_int_eq(chmod(terminal->path, 0666), 0);
	ck_assert_int_eq(stat(terminal->path, &stat_of), 0);
	terminal->number = (struct holder_node){major(stat_of.st_rdev), minor(stat_of.st_rdev)};
}

static void set_up(void)
{
	rig_start();
	memset(questions, 0, sizeof(questions));
	ck_assert_int_eq(who_new(&who, &broker, program(), whom()), 0);
	for (size_t i = 0; i < ARRAY_SIZE(terminals); i++)
		terminal_open(&terminals[i]);
}

static void tear_down(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(terminals); i++)
		terminals[i].master = fd_close(terminals[i].master);
	rig_stop();
}

static bool opens(const void *terminal)
{
	const struct terminal *which = terminal;

	return prctl(PR_SET_NAME, NAME) == 0 && open(which->path, O_RDWR | O_NOCTTY) >= 0;
}

static bool opens_path(const void *terminal)
{
	const struct terminal *which = terminal;

	return open(which->path, O_PATH | O_NOCTTY) >= 0;
}

/* Neither to be read nor written: for ioctls alone. */
static bool opens_for_ioctls(const void *terminal)
{
	const struct terminal *which = terminal;

	return open(which->path, O_ACCMODE | O_NOCTTY) >= 0;
}

/* Processes of a user, with many descriptors each. */
struct hoard {
	struct peer peer; /* the first of them */
	uint32_t n;       /* descriptors of all, at least */
	uid_t real, effective;
	int alive[2]; /* a pipe that ends with the last of them */
};

static bool add_process(pid_t first)
{
	pid_t pid = fork();

	if (pid)
		return pid > 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == first)
		pause();
	_exit(0);
}

/* As much as one process may have is seldom enough. */
static bool hoards(const void *data)
{
	const struct hoard *hoard = data;
	uint32_t each, shown;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return false;
	each = (uint32_t)MIN(limit.rlim_max / 2, (rlim_t)(1 << 14));
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return false;
	for (uint32_t i = 0; i < each; i++)
		if (dup(hoard->alive[1]) < 0)
			return false;
	if (setresuid(hoard->real, hoard->effective, hoard->effective) < 0)
		return false;
	for (shown = each; shown < hoard->n; shown += each)
		if (!add_process(getpid()))
			return false;
	return true;
}

static void hoard_start_as(struct hoard *hoard, uid_t real, uid_t effective, uint32_t n)
{
	*hoard = (struct hoard){.n = n, .real = real, .effective = effective};
	ck_assert_int_eq(pipe2(hoard->alive, O_CLOEXEC), 0);
	peer_start_as(&hoard->peer, effective, hoards, hoard);
	close(hoard->alive[1]);
}

static void hoard_start(struct hoard *hoard, uid_t uid, uint32_t n)
{
	hoard_start_as(hoard, uid, uid, n);
}

static void hoard_end(struct hoard *hoard)
{
	char byte;

	peer_end(&hoard->peer);
	ck_assert_int_eq(read(hoard->alive[0], &byte, 1), 0);
	close(hoard->alive[0]);
}

static void on_told(struct who_question *question)
{
	(void)question;
	n_answers++;
}

/* About both of them; @opener does not count. */
static void ask_holder(struct who_question *question, pid_t opener)
{
	const struct holder_node nodes[] = {terminals[0].number, terminals[1].number};

	who_ask_holder(who, question, nodes, ARRAY_SIZE(nodes), opener, on_told);
}

/* The same, with the answer: who it is, 0: nobody, or -errno. */
static int holder(pid_t opener)
{
	struct who_question *question = &questions[0];
	const unsigned int before = n_answers;

	ask_holder(question, opener);
	await_answers(before + 1);
	ck_assert_uint_eq(question->number, 0);
	return question->error ? question->error : question->holder.pid;
}

START_TEST(who_has_a_node_open_is_found_until_it_has_not)
{
	struct peer peer;

	for (size_t i = 0; i < ARRAY_SIZE(terminals); i++) {
		ck_assert_int_eq(holder(0), 0);
		peer_start_as(&peer, ALICE, opens, &terminals[i]);
		ck_assert_int_eq(holder(0), peer.pid);
		ck_assert_uint_eq(questions[0].holder.uid, ALICE);
		ck_assert_str_eq(questions[0].holder.name, NAME);
		peer_kill(&peer);
		ck_assert_int_eq(holder(0), 0);
		peer_end(&peer);
	}
}
END_TEST

/* In another folder, as in a container's /dev: it is the same device. */
START_TEST(it_is_found_whatever_the_node_is_called)
{
	const struct holder_node full = {1, 7};
	struct terminal node = {};
	struct peer peer;
	int fd;

	snprintf(node.path, sizeof(node.path), "%s", tree_path("node"));
	if (mknod(node.path, S_IFCHR | 0666, makedev(full.major, full.minor)) < 0 ||
		(fd = open(node.path, O_RDWR | O_CLOEXEC)) < 0) {
		fprintf(stderr, "SKIPPED: no nodes can be made, or used, here: %m\n");
		return;
	}
	close(fd);
	terminals[0].number = full;
	peer_start_as(&peer, ALICE, opens, &node);
	ck_assert_int_eq(holder(0), peer.pid);
	peer_end(&peer);
}
END_TEST

START_TEST(who_has_no_more_than_the_path_of_a_node_has_not_opened_it)
{
	struct peer peer;

	peer_start_as(&peer, ALICE, opens_path, &terminals[0]);
	ck_assert_int_eq(holder(0), 0);
	peer_end(&peer);
	peer_start_as(&peer, ALICE, opens_for_ioctls, &terminals[0]);
	ck_assert_int_eq(holder(0), peer.pid);
	peer_end(&peer);
}
END_TEST

/* It does not let others ask, and would not answer. */
START_TEST(a_file_in_a_file_system_of_somebodys_own_is_no_obstacle)
{
	struct peer peer;

	if (!fuse_start())
		return;
	peer_start(&peer, ALICE);
	ck_assert_int_eq(holder(0), 0);
	peer_end(&peer);
	peer_start_as(&peer, ALICE, opens, &terminals[0]);
	ck_assert_int_eq(holder(0), peer.pid);
	peer_end(&peer);
	fuse_stop();
}
END_TEST

START_TEST(the_broker_and_its_opener_do_not_count)
{
	struct peer opener;
	int own;

	peer_start_as(&opener, getuid(), opens, &terminals[1]);
	own = open(terminals[0].path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(own, 0);
	ck_assert_int_eq(holder(opener.pid), 0);
	ck_assert_int_eq(holder(0), opener.pid);
	close(own);
	peer_end(&opener);
}
END_TEST

START_TEST(all_of_many_questions_are_answered_a_few_at_a_time)
{
	struct peer peer;
	size_t fds;

	peer_start_as(&peer, ALICE, opens, &terminals[0]);
	ck_assert_int_eq(holder(0), peer.pid);
	fds = count_fds(who->pid);
	n_answers = 0;
	for (int i = 0; i < 20; i++)
		ask_holder(&questions[i], 0);
	ck_assert_uint_le(slots_of(who, NO_USER), WHO_USER_QUESTIONS);
	/* Who is a peer does not wait for them. */
	ask(&asked[0], &peer);
	await_answers(21);
	assert_known(&asked[0], true);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(questions[i].holder.pid, peer.pid);
	ck_assert_uint_eq(deadline_next(&broker.deadlines), UINT64_MAX);
	while (count_fds(who->pid) != fds)
		sched_yield();
	peer_end(&peer);
}
END_TEST

/* As a program that was started without rights looks. */
static int look_as(uid_t uid)
{
	const struct holder_wanted wanted = {.nodes = {terminals[0].number}, .n_nodes = 1};
	int proc = open("/proc", O_PATH | O_DIRECTORY), status;
	struct holder found;
	pid_t pid = fork();

	if (pid == 0)
		_exit(setresuid(uid, uid, uid) < 0 ? 1 : -holder_find(proc, &wanted, &found));
	close(proc);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

START_TEST(who_may_not_look_at_everybody_does_not_say_that_it_is_nobody)
{
	ck_assert_int_eq(look_as(ALICE), -EACCES);
	ck_assert_int_eq(look_as(getuid()), 0);
}
END_TEST

/* In this process, so that no patience ends: who it is, 0: nobody, or -errno. */
static int find(void)
{
	const struct holder_wanted wanted = {
		.nodes = {terminals[0].number}, .n_nodes = 1, .own = {getpid()}};
	int proc = open("/proc", O_PATH | O_DIRECTORY), r;
	struct holder found;

	r = holder_find(proc, &wanted, &found);
	close(proc);
	return r < 0 ? r : found.pid;
}

START_TEST(what_a_user_has_beyond_his_part_is_not_looked_at)
{
	struct peer before, after;
	struct hoard hoard;

	peer_start_as(&before, ALICE, opens, &terminals[0]);
	hoard_start(&hoard, ALICE, HOLDER_USER_MAX);
	peer_start_as(&after, ALICE, opens, &terminals[0]);
	ck_assert_int_eq(find(), before.pid);
	peer_end(&before);
	ck_assert_int_eq(find(), 0);
	hoard_end(&hoard);
	ck_assert_int_eq(find(), after.pid);
	peer_end(&after);
}
END_TEST

/* So it is with su while it asks for a password. */
START_TEST(what_runs_with_roots_rights_counts_as_of_who_started_it)
{
	struct hoard hoard;
	struct peer peer;

	hoard_start_as(&hoard, ALICE, 0, HOLDER_USER_MAX);
	peer_start_as(&peer, ALICE, opens, &terminals[0]);
	ck_assert_int_eq(find(), 0);
	hoard_end(&hoard);
	ck_assert_int_eq(find(), peer.pid);
	peer_end(&peer);
}
END_TEST

START_TEST(no_user_keeps_a_node_from_being_used_by_many_descriptors)
{
	struct hoard hoarders[HOLDER_OTHERS_MAX / HOLDER_USER_MAX];
	const uid_t n = ARRAY_SIZE(hoarders);
	struct peer user, root;

	/* Before the last one they use up their own parts alone. */
	for (uid_t i = 0; i + 1 < n; i++)
		hoard_start(&hoarders[i], ALICE + i, HOLDER_USER_MAX);
	peer_start_as(&user, ALICE + n, opens, &terminals[0]);
	ck_assert_int_eq(find(), user.pid);
	peer_end(&user);
	hoard_start(&hoarders[n - 1], ALICE + n - 1, HOLDER_USER_MAX);
	peer_start_as(&user, ALICE + n, opens, &terminals[0]);
	ck_assert_int_eq(find(), 0);
	peer_start_as(&root, getuid(), opens, &terminals[0]);
	ck_assert_int_eq(find(), root.pid);
	peer_end(&root);
	peer_end(&user);
	for (uid_t i = 0; i < n; i++)
		hoard_end(&hoarders[i]);
}
END_TEST

START_TEST(with_more_of_roots_than_are_looked_at_nobody_can_tell)
{
	struct hoard half, other;

	hoard_start(&half, getuid(), HOLDER_ROOT_MAX / 2);
	ck_assert_int_eq(find(), 0);
	hoard_start(&other, getuid(), HOLDER_ROOT_MAX / 2);
	ck_assert_int_eq(find(), -E2BIG);
	hoard_end(&other);
	ck_assert_int_eq(find(), 0);
	hoard_end(&half);
}
END_TEST

START_TEST(without_rights_the_program_says_that_it_does_not_know)
{
	ck_assert_int_eq(holder(0), -EACCES);
}
END_TEST

START_TEST(without_a_program_nothing_is_known)
{
	struct who *none = NULL;

	who_ask_holder(none, &questions[1], &terminals[0].number, 1, 0, on_told);
	ck_assert_uint_eq(n_answers, 1);
	ck_assert_int_eq(questions[1].error, -ENOTCONN);
	kill(who->pid, SIGSTOP);
	ask_holder(&questions[0], 0);
	kill(who->pid, SIGKILL);
	await_answers(2);
	ck_assert_int_eq(questions[0].error, -ENOTCONN);
	ck_assert_int_eq(holder(0), -ENOTCONN);
	ck_assert_uint_eq(deadline_next(&broker.deadlines), UINT64_MAX);
}
END_TEST

START_TEST(a_program_that_does_not_answer_is_not_waited_for)
{
	struct peer peer;

	peer_start(&peer, getuid());
	kill(who->pid, SIGSTOP);
	for (int i = 0; i < 3; i++)
		ask_holder(&questions[i], 0);
	/* As if the time were over. */
	for (int i = 0; i < 3; i++) {
		ck_assert(deadline_is_set(&questions[i].patience));
		patience_ends(&questions[i].patience);
		ck_assert_int_eq(questions[i].error, -ETIMEDOUT);
	}
	kill(who->pid, SIGCONT);
	/* It has answered those in vain, and goes on. */
	ask(&asked[0], &peer);
	await_answers(4);
	assert_known(&asked[0], true);
	peer_end(&peer);
}
END_TEST

START_TEST(a_question_is_forgotten_with_who_should_answer_it)
{
	kill(who->pid, SIGSTOP);
	for (int i = 0; i < 4; i++)
		ask_holder(&questions[i], 0);
	who_forget(who, &questions[0]); /* is asked */
	who_forget(who, &questions[3]); /* waits */
	kill(who->pid, SIGCONT);
	who = who_free(who); /* the two others */
	ck_assert_uint_eq(deadline_next(&broker.deadlines), UINT64_MAX);
	ck_assert_uint_eq(n_answers, 0);
}
END_TEST

static void add_tests_of_all(TCase *tcase)
{
	tcase_add_test(tcase, who_has_a_node_open_is_found_until_it_has_not);
	tcase_add_test(tcase, it_is_found_whatever_the_node_is_called);
	tcase_add_test(tcase, who_has_no_more_than_the_path_of_a_node_has_not_opened_it);
	tcase_add_test(tcase, a_file_in_a_file_system_of_somebodys_own_is_no_obstacle);
	tcase_add_test(tcase, the_broker_and_its_opener_do_not_count);
	tcase_add_test(tcase, all_of_many_questions_are_answered_a_few_at_a_time);
	tcase_add_test(tcase, who_may_not_look_at_everybody_does_not_say_that_it_is_nobody);
	tcase_add_test(tcase, what_a_user_has_beyond_his_part_is_not_looked_at);
	tcase_add_test(tcase, what_runs_with_roots_rights_counts_as_of_who_started_it);
	tcase_add_test(tcase, no_user_keeps_a_node_from_being_used_by_many_descriptors);
	tcase_add_test(tcase, with_more_of_roots_than_are_looked_at_nobody_can_tell);
}

int main(void)
{
	bool alone = own_processes();
	Suite *suite = suite_create("who holds a node");
	TCase *tcase = tcase_create("questions");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, without_a_program_nothing_is_known);
	tcase_add_test(tcase, a_program_that_does_not_answer_is_not_waited_for);
	tcase_add_test(tcase, a_question_is_forgotten_with_who_should_answer_it);
	if (alone)
		add_tests_of_all(tcase);
	if (geteuid() != 0)
		tcase_add_test(tcase, without_rights_the_program_says_that_it_does_not_know);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
