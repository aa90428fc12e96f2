// SPDX-License-Identifier: MIT
/* Faults that the broker meets when it starts, or reads its policy again: what is missing, in the
 * way or not for it is named, and what was in force stays in force. */
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/confine/filter.h"
#include "tests/emulated.h"
#include "tests/integration/faults.h"
#include "tests/integration/process.h"

#define LONG_NAME                                                                                  \
	"a-name-that-no-address-has-room-for-since-it-is-longer-than-one-hundred-and-eight-bytes-" \
	"are"

static struct harness harness;

static void set_up(void)
{
	harness_prepare(&harness);
}

static void calls_once(void *data)
{
	struct dspbroker *broker = connect_to(data);

	require_eq(invoke_plain(open_channel(broker, EXAMPLE), EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

static void works(void)
{
	client_run(ALICE, calls_once, &harness);
}

static void must_be_logged(const char *text)
{
	if (!harness_logged(&harness, text))
		harness_fail(__FILE__, __LINE__, "its log does not say \"%s\"", text);
}

/* It must refuse to start, and say this. */
static void refuses(const struct harness_options *options, const char *text)
{
	harness_spawn(&harness, options);
	harness_expect_exit(&harness, EXIT_FAILURE);
	must_be_logged(text);
}

/* A path in its folder; static, overwritten by the second call after. */
static const char *in_folder(const char *name)
{
	static char paths[2][PATH_MAX];
	static unsigned int next;
	char *path = paths[next++ % ARRAY_SIZE(paths)];

	snprintf(path, sizeof(paths[0]), "%s/%s", harness.dir, name);
	return path;
}

static void make_file(const char *path, mode_t mode, const char *text)
{
	_cleanup_(fd_closep) int fd = must(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));

	require_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	must(fchmod(fd, mode));
}

/* Policy. */

#define FILE_NAME "policy.d/test.json"

static void make_folder(void)
{
	if (mkdir(harness.policy, 0755) < 0)
		require_eq(errno, EEXIST);
	unlink(in_folder(FILE_NAME));
}

static void hides_folder(void)
{
	make_folder();
	must(chmod(harness.policy, 0700));
}

static void hides_file(void)
{
	make_folder();
	make_file(in_folder(FILE_NAME), 0600, ALLOW_ALL);
}

static void puts_file_in_place_of_folder(void)
{
	make_folder();
	must(rmdir(harness.policy));
	make_file(harness.policy, 0644, ALLOW_ALL);
}

static void makes_fifo(void)
{
	make_folder();
	must(mkfifo(in_folder(FILE_NAME), 0666));
}

static void makes_socket(void)
{
	_cleanup_(fd_closep) int fd = must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	make_folder();
	snprintf(address.sun_path, sizeof(address.sun_path), "%.106s", in_folder(FILE_NAME));
	must(bind(fd, (struct sockaddr *)&address, sizeof(address)));
}

static void makes_folder_of_file(void)
{
	make_folder();
	must(mkdir(in_folder(FILE_NAME), 0755));
}

static void links_to_device(void)
{
	make_folder();
	must(symlink("/dev/zero", in_folder(FILE_NAME)));
}

static void links_to_itself(void)
{
	make_folder();
	must(symlink("test.json", in_folder(FILE_NAME)));
}

static void links_to_nothing(void)
{
	make_folder();
	must(symlink("/nonexistent", in_folder(FILE_NAME)));
}

static void takes_rights_of_folder_above(void)
{
	make_folder();
	must(chmod(harness.policy, 0000));
}

/* Each is of a kind that nobody can take for policy. */
static const struct {
	void (*make)(void);
	const char *text;
	bool for_others; /* root alone can hide something from the broker */
} unreadable[] = {
	{hides_folder, "policy.d: cannot open the directory: Permission denied", true},
	{hides_file, FILE_NAME ": cannot open: Permission denied", true},
	{takes_rights_of_folder_above, "policy.d: cannot open the directory: Permission denied",
		true},
	{puts_file_in_place_of_folder, "policy.d: cannot open the directory: Not a directory",
		false},
	{makes_fifo, FILE_NAME ": not a regular file", false},
	{makes_socket, FILE_NAME ": not a regular file", false},
	{makes_folder_of_file, FILE_NAME ": not a regular file", false},
	{links_to_device, FILE_NAME ": not a regular file", false},
	{links_to_itself, FILE_NAME ": cannot open: Too many levels of symbolic links", false},
	{links_to_nothing, FILE_NAME ": cannot open: No such file or directory", false},
};

START_TEST(a_policy_that_cannot_be_read_keeps_it_from_starting_and_is_named)
{
	if (unreadable[_i].for_others && !harness_has_users())
		return;
	unreadable[_i].make();
	refuses(&(struct harness_options){}, unreadable[_i].text);
}
END_TEST

/* As the broker's own user, who may. Data: the text that says why not; NULL: it is done. */
static void reloads(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	require_eq(dspbroker_reload(broker, NULL, NULL), data ? DSPBROKER_BAD_POLICY : 0);
	if (data)
		require_text(dspbroker_message(), data);
	dspbroker_free(broker);
}

START_TEST(a_policy_that_cannot_be_read_again_changes_nothing_and_is_named)
{
	if (unreadable[_i].for_others && !harness_has_users())
		return;
	harness_spawn(&harness, &(struct harness_options){.policy = ALLOW_ALL});
	harness_await_ready(&harness);
	unreadable[_i].make();
	/* It may be that it must not even look at what took the place of its folder. */
	client_run(BROKER_UID, reloads, "policy.d");
	must_be_logged("the old one stays");
	works();
	harness_stop(&harness);
}
END_TEST

START_TEST(without_a_policy_folder_it_starts_lets_nobody_in_and_says_where_rules_go)
{
	snprintf(harness.policy, sizeof(harness.policy), "%.80s/nowhere/policy.d", harness.dir);
	harness_spawn(&harness, &(struct harness_options){});
	harness_await_ready(&harness);
	must_be_logged("there is no policy rule, so nobody may open anything; put one into");
	must_be_logged("/nowhere/policy.d");
	harness_stop(&harness);
}
END_TEST

/* Are the broker's files confined? A sanitizer's reports want to be able to read all. */
static bool has_landlock(void)
{
	return !FILTER_SANITIZED && !emulated() &&
	       syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

START_TEST(a_link_out_of_the_policy_folder_is_followed_at_the_start_and_named_after_it)
{
	const bool confined = has_landlock();

	make_folder();
	make_file(in_folder("elsewhere"), 0644, ALLOW_ALL);
	must(symlink("../elsewhere", in_folder(FILE_NAME)));
	harness_spawn(&harness, &(struct harness_options){});
	harness_await_ready(&harness);
	works();
	client_run(BROKER_UID, reloads,
		confined ? "Permission denied; it is a symbolic link, and a broker that runs"
			 : NULL);
	works();
	harness_stop(&harness);
}
END_TEST

START_TEST(another_folder_in_the_place_of_its_policy_is_told_to_need_a_start)
{
	const bool confined = has_landlock();

	harness_spawn(&harness, &(struct harness_options){.policy = ALLOW_ALL});
	harness_await_ready(&harness);
	must(rename(harness.policy, in_folder("before")));
	make_folder();
	harness_set_policy(&harness, ALLOW_ALL);
	client_run(BROKER_UID, reloads, confined ? "must be started again" : NULL);
	works();
	harness_stop(&harness);
	harness_prepare(&harness);
}
END_TEST

/* The socket. */

START_TEST(what_is_in_the_place_of_the_socket_is_left_alone)
{
	must(_i ? symlink("/nonexistent", harness.socket) : mkdir(harness.socket, 0755));
	refuses(&(struct harness_options){.policy = ALLOW_ALL},
		"broker.sock is in use: another broker serves it, or it is no socket");
	must(_i ? unlink(harness.socket) : rmdir(harness.socket));
}
END_TEST

START_TEST(a_path_that_is_too_long_for_a_socket_is_named)
{
	refuses(&(struct harness_options){.policy = ALLOW_ALL,
			.socket = in_folder(LONG_NAME "-" LONG_NAME)},
		LONG_NAME ": File name too long");
}
END_TEST

START_TEST(a_folder_in_which_it_may_not_make_a_socket_is_named)
{
	if (!harness_has_users())
		return;
	must(mkdir(in_folder("others"), 0755));
	refuses(&(struct harness_options){.policy = ALLOW_ALL, .socket = in_folder("others/sock")},
		"others/sock: Permission denied");
}
END_TEST

START_TEST(a_full_disk_where_its_socket_goes_is_told)
{
	if (!faults_own_mounts())
		return;
	faults_make_disk(in_folder("disk"), 64, 2);
	make_file(in_folder("disk/last"), 0644, "");
	refuses(&(struct harness_options){.policy = ALLOW_ALL, .socket = in_folder("disk/sock")},
		"disk/sock: No space left on device");
}
END_TEST

/* What surrounds it. */

START_TEST(a_folder_for_core_dumps_that_finds_no_room_keeps_nobody_from_his_calls)
{
	if (!faults_own_mounts())
		return;
	faults_make_disk(in_folder("disk"), 64, 2);
	make_file(in_folder("disk/last"), 0644, "");
	harness_spawn(&harness, &(struct harness_options){.policy = ALLOW_ALL,
					.coredumps = in_folder("disk/coredumps")});
	harness_await_ready(&harness);
	works();
	harness_stop(&harness);
}
END_TEST

START_TEST(where_nothing_can_be_written_it_needs_its_own_folder_alone)
{
	struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
	struct mount_attr writable = {.attr_clr = MOUNT_ATTR_RDONLY};

	if (!faults_own_mounts())
		return;
	must(mkdir(harness.policy, 0755));
	harness_set_policy(&harness, ALLOW_ALL);
	must(mount(harness.dir, harness.dir, NULL, MS_BIND, NULL));
	must(mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &read_only, sizeof(read_only)));
	must(mount_setattr(AT_FDCWD, harness.dir, 0, &writable, sizeof(writable)));
	harness_spawn(&harness, &(struct harness_options){});
	harness_await_ready(&harness);
	works();
	harness_stop(&harness);
}
END_TEST

/* The test itself looks at processes. */
START_TEST(without_proc_it_says_what_it_misses_and_does_not_start)
{
	_cleanup_(fd_closep) int mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

	if (FILTER_SANITIZED || !faults_own_mounts())
		return; /* a sanitizer needs it, too */
	require(mounts >= 0);
	must(mount("none", "/proc", "tmpfs", 0, NULL));
	harness_spawn(&harness, &(struct harness_options){.policy = ALLOW_ALL});
	must(setns(mounts, CLONE_NEWNS));
	harness_expect_exit(&harness, EXIT_FAILURE);
	must_be_logged("cannot look at /proc/self/task: No such file or directory");
}
END_TEST

static bool is_null(int fd)
{
	char path[64], target[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", harness.pid, fd);
	return readlink(path, target, sizeof(target) - 1) > 0 && strcmp(target, "/dev/null") == 0;
}

START_TEST(streams_that_are_closed_do_not_become_something_else)
{
	faults_spawn_by(&harness, &(struct harness_options){.policy = ALLOW_ALL},
		_i ? "exec \"$@\" <&- >&- 2>&-" : "exec \"$@\" 2>&-");
	harness_await_ready(&harness);
	if (process_is_root()) { /* who may look */
		require(is_null(STDERR_FILENO));
		require(!_i || (is_null(STDIN_FILENO) && is_null(STDOUT_FILENO)));
	}
	works();
	/* It has something to say, to nobody. */
	harness_set_policy(&harness, "");
	client_run(BROKER_UID, reloads, "test.json");
	works();
	harness_stop(&harness);
}
END_TEST

/* What a service manager would not hand over: how it is told, and whether it starts. */
static const struct {
	const char *line, *text;
	bool starts;
} environments[] = {
	{"NOTIFY_SOCKET=/$(printf %05000d 0) exec \"$@\"", "the service manager will hear nothing",
		true},
	{"NOTIFY_SOCKET=nowhere exec \"$@\"", "NOTIFY_SOCKET is nowhere: Invalid argument", true},
	{"NOTIFY_SOCKET=/nonexistent exec \"$@\"",
		"NOTIFY_SOCKET is /nonexistent: No such file or directory", true},
	{"WATCHDOG_PID=$$ WATCHDOG_USEC=soon exec \"$@\"", "WATCHDOG_USEC is soon", true},
	{"LISTEN_PID=$$ LISTEN_FDS=many exec \"$@\"", "device soft0 (soft) is up", true},
	{FAULTS_NO_SOCKET "LISTEN_PID=$$ LISTEN_FDS=1000 exec \"$@\"",
		"(LISTEN_FDS) cannot be used: Bad file descriptor", false},
	{FAULTS_NO_SOCKET "LISTEN_PID=$$ LISTEN_FDS=many exec \"$@\"",
		"(LISTEN_FDS) cannot be used: Invalid argument", false},
	{FAULTS_NO_SOCKET "LISTEN_PID=$$ LISTEN_FDS=-1 exec \"$@\"",
		"(LISTEN_FDS) cannot be used: Invalid argument", false},
	{FAULTS_NO_SOCKET "LISTEN_PID=1 LISTEN_FDS=1 exec \"$@\"", "no socket: give --socket PATH",
		false},
	{FAULTS_NO_SOCKET "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\" 3</dev/null",
		"descriptor 3 (unknown) from systemd is no listening", false},
};

static bool is_reached(void)
{
	struct dspbroker *broker = NULL;
	int r = dspbroker_connect(&broker, harness.socket);

	dspbroker_free(broker);
	return r == 0;
}

START_TEST(an_absurd_environment_is_told_and_harms_nobody)
{
	faults_spawn_by(&harness, &(struct harness_options){.policy = ALLOW_ALL},
		environments[_i].line);
	if (environments[_i].starts) {
		require_soon(is_reached());
		works();
		harness_stop(&harness);
	} else {
		harness_expect_exit(&harness, EXIT_FAILURE);
	}
	must_be_logged(environments[_i].text);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("faults at the start");
	TCase *tcase = tcase_create("faults at the start");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_loop_test(tcase, a_policy_that_cannot_be_read_keeps_it_from_starting_and_is_named,
		0, ARRAY_SIZE(unreadable));
	tcase_add_loop_test(tcase, a_policy_that_cannot_be_read_again_changes_nothing_and_is_named,
		0, ARRAY_SIZE(unreadable));
	tcase_add_test(tcase,
		without_a_policy_folder_it_starts_lets_nobody_in_and_says_where_rules_go);
	tcase_add_test(tcase,
		a_link_out_of_the_policy_folder_is_followed_at_the_start_and_named_after_it);
	tcase_add_test(tcase, another_folder_in_the_place_of_its_policy_is_told_to_need_a_start);
	tcase_add_loop_test(tcase, what_is_in_the_place_of_the_socket_is_left_alone, 0, 2);
	tcase_add_test(tcase, a_path_that_is_too_long_for_a_socket_is_named);
	tcase_add_test(tcase, a_folder_in_which_it_may_not_make_a_socket_is_named);
	tcase_add_test(tcase, a_full_disk_where_its_socket_goes_is_told);
	tcase_add_test(tcase,
		a_folder_for_core_dumps_that_finds_no_room_keeps_nobody_from_his_calls);
	tcase_add_test(tcase, where_nothing_can_be_written_it_needs_its_own_folder_alone);
	tcase_add_test(tcase, without_proc_it_says_what_it_misses_and_does_not_start);
	tcase_add_loop_test(tcase, streams_that_are_closed_do_not_become_something_else, 0, 2);
	tcase_add_loop_test(tcase, an_absurd_environment_is_told_and_harms_nobody, 0,
		ARRAY_SIZE(environments));
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
