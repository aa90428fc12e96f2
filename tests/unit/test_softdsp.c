// SPDX-License-Identifier: MIT
/* softdsp as a program: its supervisor, and how domains begin and end. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/transport/softdsp.h"
#include "protocol/ring.h"
#include "protocol/util.h"
#include "protocol/wire.h"
#include "tests/fds.h"
#include "tests/suite.h"
#include "tests/unit/softdsp_rig.h"

static pid_t only_child_of(pid_t pid)
{
	char path[64], children[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(children, sizeof(children), file));
	fclose(file);
	return atoi(children);
}

static int run_by_hand(const char *argument)
{
	pid_t pid = fork();

	if (pid == 0) {
		close(STDOUT_FILENO);
		close(STDERR_FILENO);
		rig_exec(-1, (const char *const[]){argument, NULL});
	}
	return rig_exit_status(pid);
}

START_TEST(started_by_hand_it_says_so_and_exits_2)
{
	ck_assert_int_eq(run_by_hand("--modules=."), 2 << 8);
	ck_assert_int_eq(run_by_hand("--nonsense"), 2 << 8);
	ck_assert_int_eq(run_by_hand("--help"), 0);
	ck_assert_int_eq(run_by_hand("--version"), 0);
}
END_TEST

START_TEST(where_the_kernel_cannot_confine_it_it_does_not_start)
{
	rig_start_without_filters(NULL);
	rig_assert_closed(rig_supervisor.socket);
	ck_assert_int_eq(rig_exit_status(rig_supervisor.pid), EXIT_FAILURE << 8);
	close(rig_supervisor.socket);
}
END_TEST

START_TEST(where_the_kernel_cannot_confine_it_it_can_be_told_to_go_on)
{
	struct soft_message message;
	struct rig_domain domain;

	rig_start_without_filters("--allow-unconfined");
	rig_receive(rig_supervisor.socket, SOFT_READY, &message);
	rig_spawn_open(&domain, 1);
	ck_assert_uint_eq(rig_run(&domain, rig_call(NOP, 0, 0)).status, DSP_OK);
	rig_end(&domain);
	rig_teardown();
}
END_TEST

START_TEST(a_terminal_cannot_interrupt_it_and_sigterm_ends_it)
{
	struct rig_domain domain;

	kill(rig_supervisor.pid, SIGINT);
	kill(rig_supervisor.pid, SIGHUP);
	rig_spawn_open(&domain, 1);
	kill(rig_supervisor.pid, SIGTERM);
	rig_assert_closed(rig_supervisor.socket);
	rig_assert_closed(domain.socket);
	rig_forget(&domain);
}
END_TEST

START_TEST(the_end_of_the_brokers_socket_ends_every_domain)
{
	struct rig_domain busy, idle;

	rig_spawn_open(&busy, 1);
	rig_spawn_open(&idle, 2);
	rig_submit(&busy, &(struct dsp_entry){.op = DSP_OP_INVOKE, .method = SPIN}, NULL);
	shutdown(rig_supervisor.socket, SHUT_RDWR);
	rig_assert_closed(busy.socket);
	rig_assert_closed(idle.socket);
	rig_forget(&busy);
	rig_forget(&idle);
}
END_TEST

START_TEST(a_domain_does_not_outlive_a_killed_supervisor)
{
	struct rig_domain domain;

	rig_start(rig_built("modules"));
	rig_spawn_open(&domain, 1);
	rig_submit(&domain, &(struct dsp_entry){.op = DSP_OP_INVOKE, .method = SPIN}, NULL);
	kill(rig_supervisor.pid, SIGKILL);
	ck_assert_int_eq(rig_exit_status(rig_supervisor.pid), SIGKILL);
	rig_assert_closed(domain.socket);
	close(rig_supervisor.socket);
	rig_forget(&domain);
}
END_TEST

START_TEST(a_hundred_domains_later_the_supervisor_is_as_it_was)
{
	size_t fds = count_fds(rig_supervisor.pid);

	for (uint32_t id = 1; id <= 100; id++) {
		struct rig_domain domain;

		rig_spawn(&domain, id, "example");
		rig_send_kill(id);
		ck_assert_int_eq(rig_wait_exited(id), SIGKILL);
		rig_forget(&domain);
	}
	ck_assert_int_gt(fds, 0);
	ck_assert_uint_eq(count_fds(rig_supervisor.pid), fds);
}
END_TEST

static int oom_score_adj(pid_t pid)
{
	char path[64];
	FILE *file;
	int value;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%d", &value), 1);
	fclose(file);
	return value;
}

START_TEST(when_memory_is_short_a_domain_goes_before_the_broker)
{
	struct rig_domain domain;

	rig_spawn_open(&domain, 1);
	ck_assert_int_gt(oom_score_adj(only_child_of(rig_supervisor.pid)), oom_score_adj(getpid()));
	rig_forget(&domain);
}
END_TEST

START_TEST(a_domain_shows_nobody_its_descriptors_and_holds_five)
{
	struct rig_domain domain;
	char path[64];
	pid_t child;

	rig_spawn_open(&domain, 1);
	child = only_child_of(rig_supervisor.pid);
	if (geteuid() == 0) {
		/* Standard input, output and error; socket and notify. */
		ck_assert_uint_eq(count_fds(child), 5);
	} else {
		/* It is undumpable: not even its own user may look. */
		snprintf(path, sizeof(path), "/proc/%d/fd", child);
		ck_assert_int_eq(access(path, R_OK), -1);
	}
	rig_end(&domain);
}
END_TEST

START_TEST(every_spawn_that_cannot_be_ends_with_exited)
{
	static const char *const names[] = {"", "../example", "ex/ample", "ex.ample",
		"a_name_that_takes_every_byte_of_its_field_and_so_has_no_end_____"};
	struct rig_domain domain;

	for (uint32_t i = 0; i < ARRAY_SIZE(names); i++) {
		rig_spawn(&domain, i, names[i]);
		ck_assert_int_eq(rig_wait_exited(i), 127 << 8);
		rig_forget(&domain);
	}
	rig_send_spawn(7, "example", (int[]){STDERR_FILENO, STDERR_FILENO}, 2);
	ck_assert_int_eq(rig_wait_exited(7), 127 << 8);
}
END_TEST

START_TEST(a_kill_for_a_domain_that_is_gone_is_ignored)
{
	struct rig_domain domain;

	rig_send_kill(99);
	rig_spawn_open(&domain, 1);
	rig_end(&domain);
	rig_send_kill(1);
	rig_spawn_open(&domain, 2);
	rig_end(&domain);
}
END_TEST

START_TEST(no_exit_is_lost_on_a_broker_that_does_not_read)
{
	const uint32_t n = 5000;

	for (uint32_t id = 0; id < n; id++)
		rig_send_spawn(id, "", NULL, 0);
	for (uint32_t id = 0; id < n; id++)
		ck_assert_int_eq(rig_wait_exited(id), 127 << 8);
}
END_TEST

/* Loading. */

START_TEST(a_module_that_cannot_be_loaded_is_explained)
{
	char dir[] = "/tmp/softdsp-test-XXXXXX", path[4096], example[4096];
	static const struct {
		const char *name;
		int error;
		const char *text;
	} cases[] = {
		{"missing", -ENOENT, "libmissing_skel.so"},
		{"garbage", -ELIBBAD, "libgarbage_skel.so"},
		{"other", -ELIBBAD, "other_skel_handle_invoke"},
	};
	FILE *file;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_ptr_nonnull(realpath(rig_built("modules/libexample_skel.so"), example));
	snprintf(path, sizeof(path), "%s/libother_skel.so", dir);
	ck_assert_int_eq(symlink(example, path), 0);
	snprintf(path, sizeof(path), "%s/libgarbage_skel.so", dir);
	file = fopen(path, "we");
	fputs("this is no library", file);
	fclose(file);

	rig_start(dir);
	for (uint32_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct soft_message message;
		struct rig_domain domain;

		rig_spawn(&domain, i, cases[i].name);
		rig_receive(domain.socket, SOFT_STARTED, &message);
		ck_assert_int_eq(message.value, cases[i].error);
		ck_assert_ptr_nonnull(strstr(message.text, cases[i].text));
		ck_assert_int_eq(rig_wait_exited(i), EXIT_FAILURE << 8);
		rig_forget(&domain);
	}
	unlink(path);
	snprintf(path, sizeof(path), "%s/libother_skel.so", dir);
	unlink(path);
	rmdir(dir);
	rig_teardown();
}
END_TEST

static TCase *program_cases(void)
{
	TCase *tcase = tcase_create("program");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, started_by_hand_it_says_so_and_exits_2);
	tcase_add_test(tcase, where_the_kernel_cannot_confine_it_it_does_not_start);
	tcase_add_test(tcase, where_the_kernel_cannot_confine_it_it_can_be_told_to_go_on);
	tcase_add_test(tcase, a_domain_does_not_outlive_a_killed_supervisor);
	tcase_add_test(tcase, a_module_that_cannot_be_loaded_is_explained);
	return tcase;
}

static TCase *supervisor_cases(void)
{
	TCase *tcase = tcase_create("supervisor");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, rig_setup, rig_teardown);
	tcase_add_test(tcase, a_terminal_cannot_interrupt_it_and_sigterm_ends_it);
	tcase_add_test(tcase, the_end_of_the_brokers_socket_ends_every_domain);
	tcase_add_test(tcase, a_hundred_domains_later_the_supervisor_is_as_it_was);
	tcase_add_test(tcase, when_memory_is_short_a_domain_goes_before_the_broker);
	tcase_add_test(tcase, a_domain_shows_nobody_its_descriptors_and_holds_five);
	tcase_add_test(tcase, every_spawn_that_cannot_be_ends_with_exited);
	tcase_add_test(tcase, a_kill_for_a_domain_that_is_gone_is_ignored);
	tcase_add_test(tcase, no_exit_is_lost_on_a_broker_that_does_not_read);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("softdsp");

	suite_add_tcase(suite, program_cases());
	suite_add_tcase(suite, supervisor_cases());
	return suite_run(suite);
}
