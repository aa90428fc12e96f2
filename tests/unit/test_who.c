// SPDX-License-Identifier: MIT
/* The broker asks its program about peers, and gets an answer to each question, or none in time,
 * whatever a peer or the program does. */
#include "tests/unit/who_rig.h"

#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "tests/fds.h"
#include "tests/unit/own_processes.h"

#define BOB 60712

static void set_up(void)
{
	rig_start();
	ck_assert_int_eq(who_new(&who, &broker, program(), whom()), 0);
}

static size_t slots_taken(void)
{
	size_t n = 0;

	for (size_t i = 0; i < WHO_QUESTIONS; i++)
		n += who->slots[i].number != 0;
	return n;
}

/* Until all its threads have stopped, nothing is certain. */
static void stop_program(void)
{
	siginfo_t info;

	ck_assert_int_eq(kill(who->pid, SIGSTOP), 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)who->pid, &info, WSTOPPED | WNOWAIT), 0);
}

static void go_on(void)
{
	ck_assert_int_eq(kill(who->pid, SIGCONT), 0);
}

START_TEST(a_peer_is_looked_at)
{
	struct peer peer;

	peer_start(&peer, getuid());
	ask(&asked[0], &peer);
	ck_assert_uint_eq(n_answers, 0); /* not before it could be known */
	await_answers(1);
	assert_known(&asked[0], true);
	ck_assert_str_eq(asked[0].identity.facts[IDENTITY_FLATPAK], "");
	peer_end(&peer);
}
END_TEST

START_TEST(a_peer_of_another_user_is_looked_at_by_a_program_that_is_not_root)
{
	struct peer peer;

	peer_start(&peer, ALICE);
	ask(&asked[0], &peer);
	await_answers(1);
	assert_known(&asked[0], true);
	ck_assert_str_eq(asked[0].identity.facts[IDENTITY_FLATPAK], "");
	peer_end(&peer);
}
END_TEST

START_TEST(nothing_is_said_of_a_peer_that_has_ended)
{
	struct peer peer;

	peer_start(&peer, getuid());
	peer_kill(&peer);
	ask(&asked[0], &peer);
	await_answers(1);
	assert_known(&asked[0], false);
	peer_end(&peer);
	ask(&asked[1], &(struct peer){.pid = peer.pid, .pidfd = who->sock});
	await_answers(2);
	assert_known(&asked[1], false);
}
END_TEST

START_TEST(all_of_many_questions_of_one_user_are_answered)
{
	struct peer peer;
	size_t fds;

	peer_start(&peer, getuid());
	for (int i = 0; i < MANY; i++)
		ask(&asked[i], &peer);
	ck_assert_uint_le(slots_taken(), WHO_USER_QUESTIONS);
	await_answers(MANY);
	for (int i = 0; i < MANY; i++)
		assert_known(&asked[i], true);
	ck_assert_uint_eq(slots_taken(), 0);
	if (geteuid() == 0) {
		fds = count_fds(who->pid);
		for (int i = 0; i < MANY; i++)
			ask(&asked[i], &peer);
		await_answers(2 * MANY);
		ck_assert_uint_eq(count_fds(who->pid), fds);
	}
	peer_end(&peer);
}
END_TEST

START_TEST(a_question_without_a_process_or_a_program_is_answered_at_once)
{
	struct identity identity = {.pidfd = -1};
	struct peer peer;

	who_ask(who, &asked[0].question, &identity, on_answer);
	assert_known(&asked[0], false);
	peer_start(&peer, getuid());
	asked[1].identity.pidfd = -1;
	who_ask(NULL, &asked[1].question, &asked[1].identity, on_answer);
	assert_known(&asked[1], false);
	who_forget(NULL, &asked[1].question);
	peer_end(&peer);
}
END_TEST

START_TEST(a_program_that_does_not_answer_is_not_waited_for_and_its_late_answers_are_ignored)
{
	struct peer peer;

	peer_start(&peer, getuid());
	stop_program();
	for (int i = 0; i < 5; i++)
		ask(&asked[i], &peer);
	ck_assert_uint_eq(slots_taken(), WHO_USER_QUESTIONS);
	await_answers(5);
	for (int i = 0; i < 5; i++)
		assert_known(&asked[i], false);
	/* Still at work, so that this user gets no more of it. */
	ck_assert_uint_eq(slots_taken(), WHO_USER_QUESTIONS);
	ask(&asked[5], &peer);
	ck_assert_uint_eq(slots_taken(), WHO_USER_QUESTIONS);
	go_on();
	await_answers(6);
	assert_known(&asked[5], true);
	assert_known(&asked[0], false);
	while (slots_taken())
		turn();
	peer_end(&peer);
}
END_TEST

START_TEST(a_forgotten_question_is_not_answered)
{
	struct peer peer;

	peer_start(&peer, getuid());
	stop_program();
	for (int i = 0; i < 4; i++)
		ask(&asked[i], &peer);
	who_forget(who, &asked[0].question); /* is asked */
	who_forget(who, &asked[3].question); /* waits */
	who_forget(who, &asked[3].question);
	go_on();
	await_answers(2);
	while (slots_taken())
		turn();
	ck_assert_uint_eq(asked[0].answers + asked[3].answers, 0);
	ck_assert_ptr_null(asked[0].identity.facts[IDENTITY_EXECUTABLE]);
	assert_known(&asked[1], true);
	assert_known(&asked[2], true);
	ck_assert_uint_eq(deadline_next(&broker.deadlines), UINT64_MAX);
	peer_end(&peer);
}
END_TEST

START_TEST(when_the_program_dies_all_are_unknown_from_then_on)
{
	struct peer peer;

	peer_start(&peer, getuid());
	stop_program();
	for (int i = 0; i < 5; i++)
		ask(&asked[i], &peer);
	ck_assert_int_eq(kill(who->pid, SIGKILL), 0);
	await_answers(5);
	ask(&asked[5], &peer);
	for (int i = 0; i < 6; i++)
		assert_known(&asked[i], false);
	ck_assert_uint_eq(deadline_next(&broker.deadlines), UINT64_MAX);
	peer_end(&peer);
}
END_TEST

START_TEST(a_program_that_is_not_there_or_is_another_does_not_start)
{
	struct who *none = NULL;

	ck_assert_int_lt(who_new(&none, &broker, "/nowhere", NULL), 0);
	ck_assert_int_lt(who_new(&none, &broker, "/bin/true", NULL), 0);
	ck_assert_int_lt(who_new(&none, &broker, program(), "no-such-user"), 0);
	ck_assert_ptr_null(none);
}
END_TEST

/* The value of a line of /proc/PID/status. */
static const char *status_of(pid_t pid, const char *name)
{
	static char line[256];
	char path[64];
	size_t size = strlen(name);
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file) && (strncmp(line, name, size) || line[size] != ':'))
		;
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	return line + size + 2;
}

/* As that user, open the memory of a process. Returns 0 or an errno. */
static int read_memory_as(uid_t uid, pid_t of)
{
	char path[64];
	int status;
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/%d/mem", of);
	pid = fork();
	if (pid == 0)
		_exit(setresuid(uid, uid, uid) < 0 ? EINVAL : open(path, O_RDONLY) < 0 ? errno : 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(the_program_may_look_and_nothing_else)
{
	const struct {
		const char *name, *value;
	} expected[] = {
		{"CapPrm", "0000000000080004"}, /* CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH */
		{"CapEff", "0000000000080004"},
		{"CapBnd", "0000000000080004"},
		{"CapInh", "0000000000000000"},
		{"CapAmb", "0000000000000000"},
		{"NoNewPrivs", "1"},
		{"Uid", "65534\t65534\t65534\t65534"},
		{"Gid", "65534\t65534\t65534\t65534"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		ck_assert_str_eq(status_of(who->pid, expected[i].name), expected[i].value);
	/* Its standard streams, the socket, and /proc. */
	ck_assert_uint_eq(count_fds(who->pid), 5);
	/* Nobody without such rights looks back, not even its own user. */
	ck_assert_int_eq(read_memory_as(65534, who->pid), EACCES);
}
END_TEST

/* A file system that lets itself be entered, and never says what is in it. */

static void fuse_answer(int device, uint64_t unique, int error, const void *body, size_t size)
{
	const struct fuse_out_header header = {
		.len = (uint32_t)(sizeof(header) + size), .error = error, .unique = unique};
	char reply[sizeof(header) + 512];

	memcpy(reply, &header, sizeof(header));
	memcpy(reply + sizeof(header), body, size);
	if (write(device, reply, header.len) < 0)
		_exit(EXIT_FAILURE);
}

/* For @valid seconds the kernel may go without asking what the folder is. */
static void fuse_serve(int device, uint64_t valid)
{
	static _Alignas(struct fuse_in_header) char bytes[64 * 1024];
	const struct fuse_in_header *request = (const struct fuse_in_header *)bytes;
	const struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_write = 4096};
	const struct fuse_attr_out attr = {
		.attr_valid = valid, .attr = {.ino = 1, .mode = S_IFDIR | 0755, .nlink = 2}};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(device, bytes, sizeof(bytes)) > 0) {
		if (request->opcode == FUSE_INIT)
			fuse_answer(device, request->unique, 0, &init, sizeof(init));
		else if (request->opcode == FUSE_GETATTR)
			fuse_answer(device, request->unique, 0, &attr, sizeof(attr));
		else if (request->opcode == FUSE_ACCESS)
			fuse_answer(device, request->unique, -ENOSYS, "", 0);
	}
	_exit(EXIT_SUCCESS);
}

/* Returns its server, or -1 where there is none. */
static pid_t fuse_mount(uint64_t valid)
{
	int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[128];
	pid_t server;

	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
		device);
	if (device < 0 || mount("test", tree_path(""), "fuse", MS_NOSUID | MS_NODEV, options) < 0) {
		fprintf(stderr, "SKIPPED: no file system in user space here: %m\n");
		fd_close(device);
		return -1;
	}
	server = fork();
	if (server == 0)
		fuse_serve(device, valid);
	fd_close(device);
	return server;
}

static bool in_root(const void *data)
{
	return chroot(data) == 0;
}

START_TEST(a_peer_whose_root_never_answers_delays_only_its_own_user)
{
	struct peer stuck, friend, other;
	pid_t server = fuse_mount(3600);

	if (server < 0)
		return;
	peer_start_as(&stuck, ALICE, in_root, tree_path(""));
	peer_start(&friend, ALICE);
	peer_start(&other, BOB);
	for (int i = 0; i < 3; i++)
		ask(&asked[i], &stuck);
	ask(&asked[3], &friend);
	ask(&asked[4], &other);
	await_answers(1);
	assert_known(&asked[4], true);
	ck_assert_uint_eq(n_answers, 1);
	await_answers(5);
	for (int i = 0; i < 4; i++)
		assert_known(&asked[i], false);
	/* It is at work for Alice for ever, but for nobody else. */
	ask(&asked[5], &other);
	await_answers(6);
	assert_known(&asked[5], true);
	ck_assert_uint_eq(slots_taken(), WHO_USER_QUESTIONS);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	while (slots_taken())
		turn();
	ask(&asked[6], &friend);
	await_answers(7);
	assert_known(&asked[6], true);
	peer_end(&stuck);
	peer_end(&friend);
	peer_end(&other);
	umount2(tree_path(""), MNT_DETACH);
}
END_TEST

static void on_answer_of_holder(struct who_question *question)
{
	(void)question;
	n_answers++;
}

static bool has_root_of(const void *path)
{
	return open(path, O_PATH | O_DIRECTORY) >= 0;
}

/* Who has a node open is asked of each descriptor there is, those of strangers' files as well. */
START_TEST(a_file_system_that_never_answers_does_not_keep_from_finding_who_has_a_node_open)
{
	const struct holder_node none = {.major = 261, .minor = 1048575};
	struct peer stuck;
	pid_t server = fuse_mount(0);
	struct who_question question = {};

	if (server < 0)
		return;
	peer_start_as(&stuck, ALICE, has_root_of, tree_path(""));
	ck_assert_int_eq(kill(server, SIGSTOP), 0);
	who_ask_holder(who, &question, &none, 1, 0, on_answer_of_holder);
	await_answers(1);
	ck_assert_int_eq(question.error, 0);
	ck_assert_int_eq(question.holder.pid, 0);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	/* Nor does one that is dead. */
	who_ask_holder(who, &question, &none, 1, 0, on_answer_of_holder);
	await_answers(2);
	ck_assert_int_eq(question.error, 0);
	peer_end(&stuck);
	umount2(tree_path(""), MNT_DETACH);
}
END_TEST

START_TEST(the_program_ends_with_the_broker)
{
	pid_t pid = who->pid;

	/* Without a signal. */
	loop_remove(&who->source);
	who->sock = fd_close(who->sock);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	who->pid = 0;
}
END_TEST

START_TEST(the_broker_ends_even_while_the_program_cannot)
{
	struct peer stuck;
	pid_t server = fuse_mount(3600), pid = who->pid;

	if (server < 0)
		return;
	peer_start_as(&stuck, ALICE, in_root, tree_path(""));
	ask(&asked[0], &stuck);
	await_answers(1); /* so the file system has been asked */
	who = who_free(who);
	ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), 0);
	peer_end(&stuck);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	umount2(tree_path(""), MNT_DETACH);
}
END_TEST

/* As a service manager starts a broker that is not root. */
static void drop_ambient(void)
{
	const uint64_t two = 1ull << CAP_SYS_PTRACE | 1ull << CAP_DAC_READ_SEARCH;
	uint64_t permitted = 1, inheritable;

	if (keep_capabilities(WHO) < 0 || get_capabilities(&permitted, &inheritable) < 0 ||
		permitted != two)
		_exit(1);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_SYS_PTRACE, 0, 0) != 1)
		_exit(2);
	if (who_drop_capabilities() < 0 || get_capabilities(&permitted, &inheritable) < 0 ||
		permitted)
		_exit(3);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_SYS_PTRACE, 0, 0) != 0)
		_exit(4);
	_exit(0);
}

START_TEST(a_broker_that_was_lent_the_rights_gives_them_up)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		drop_ambient();
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

static void add_root_tests(TCase *tcase)
{
	tcase_add_test(tcase, a_peer_of_another_user_is_looked_at_by_a_program_that_is_not_root);
	tcase_add_test(tcase, the_program_may_look_and_nothing_else);
	tcase_add_test(tcase, a_peer_whose_root_never_answers_delays_only_its_own_user);
	tcase_add_test(tcase, the_broker_ends_even_while_the_program_cannot);
	tcase_add_test(tcase, a_broker_that_was_lent_the_rights_gives_them_up);
}

int main(void)
{
	bool alone = own_processes();
	Suite *suite = suite_create("who");
	TCase *tcase = tcase_create("questions");

	tcase_add_checked_fixture(tcase, set_up, rig_stop);
	tcase_add_test(tcase, a_peer_is_looked_at);
	tcase_add_test(tcase, nothing_is_said_of_a_peer_that_has_ended);
	tcase_add_test(tcase, all_of_many_questions_of_one_user_are_answered);
	tcase_add_test(tcase, a_question_without_a_process_or_a_program_is_answered_at_once);
	tcase_add_test(tcase,
		a_program_that_does_not_answer_is_not_waited_for_and_its_late_answers_are_ignored);
	tcase_add_test(tcase, a_forgotten_question_is_not_answered);
	tcase_add_test(tcase, when_the_program_dies_all_are_unknown_from_then_on);
	tcase_add_test(tcase, a_program_that_is_not_there_or_is_another_does_not_start);
	tcase_add_test(tcase, the_program_ends_with_the_broker);
	if (geteuid() == 0)
		add_root_tests(tcase);
	if (alone)
		tcase_add_test(tcase,
			a_file_system_that_never_answers_does_not_keep_from_finding_who_has_a_node_open);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
