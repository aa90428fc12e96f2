// SPDX-License-Identifier: MIT
#include "tests/emulated.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "protocol/util.h"

/* What qemu 7.2 does not do, or does another way than the kernel. */
#define SECCOMP  "qemu has no seccomp(2)"
#define LANDLOCK "qemu has no Landlock"
#define CLONE    "of clone(2), qemu knows forks and threads alone"
#define IOCTL    "an ioctl(2) that qemu does not know is ENOSYS"
#define REAPER   "qemu does not know PR_SET_CHILD_SUBREAPER"
#define MOUNTS   "qemu has no mount_setattr(2)"
#define PROC     "qemu itself needs /proc"
#define RESIDENT "what is resident of a process is qemu's, too"
#define GROUPS   "qemu does not know SO_PEERGROUPS"
#define PROGRAM  "to the kernel qemu is the program of every process"
#define THREADS  "qemu has threads, so it cannot enter a user namespace"
#define SIGNALS  "qemu blocks no signal that it needs itself"
#define MEMORY   "qemu ignores RLIMIT_DATA"
#define TIME     "it takes minutes"

/* What is not run for that. A row without a test is for all of the program. */
static const struct {
	const char *program, *test, *reason;
} rows[] = {
	{"integration/test_administration",
		"dspctl_status_tells_everybody_how_the_broker_is_confined", SECCOMP},
	{"integration/test_administration",
		"how_much_others_use_a_broker_only_administrators_learn", SECCOMP},
	{"integration/test_administration", "dspctl_status_tells_of_policy_files_that_are_wrong",
		SECCOMP},
	{"unit/test_breakout", NULL, SECCOMP},
	{"unit/test_breakout_broker", NULL, SECCOMP},
	{"integration/test_breakout_domain", "no_module_gets_out_of_its_protection_domain",
		SECCOMP},
	{"integration/test_breakout_domain", "a_module_has_no_more_memory_of_its_own_than_256_mib",
		MEMORY},
	{"integration/test_calls", "a_forbidden_system_call_ends_the_domain_alone_and_is_named",
		SECCOMP},
	{"unit/test_client_buffers", "what_is_no_memfd_is_the_kernels_to_prepare", IOCTL},
	{"unit/test_facts", "a_program_whose_file_is_gone_or_another_is_not_known", PROGRAM},
	{"unit/test_facts", "a_program_that_lies_over_anothers_path_for_itself_alone_is_not_known",
		PROGRAM},
	{"unit/test_fair", "shares_are_as_the_weights_whatever_calls_cost", TIME},
	{"unit/test_fastrpc_node", "an_open_node_is_ours_and_was_opened_by_another", CLONE},
	{"unit/test_fastrpc_node", "what_cannot_be_opened_leaves_nothing", CLONE},
	{"unit/test_fastrpc_node", "a_node_outlives_the_process_that_opens_nodes", CLONE},
	{"unit/test_fastrpc_node",
		"a_result_is_the_kernels_if_it_has_such_an_error_and_the_dsps_otherwise", SECCOMP},
	{"unit/test_fastrpc_node", "what_is_no_such_node_fails", IOCTL},
	{"unit/test_filter", NULL, SECCOMP},
	{"integration/test_faults_start",
		"where_nothing_can_be_written_it_needs_its_own_folder_alone", MOUNTS},
	{"integration/test_faults_start", "without_proc_it_says_what_it_misses_and_does_not_start",
		PROC},
	{"integration/test_hostile_control",
		"every_opcode_in_every_wrong_form_has_the_promised_outcome_and_leaks_no_descriptor",
		RESIDENT},
	{"integration/test_hostile_ring",
		"a_thread_that_scribbles_over_the_ring_while_calls_run_hurts_nobody_else", TIME},
	{"integration/test_identity", "a_flatpak_is_told_by_its_root", THREADS},
	{"unit/test_identity", "a_peer_is_whom_it_turned_into_before_it_connected", GROUPS},
	{"integration/test_identity", "an_executable_is_told_of_any_user", PROGRAM},
	{"unit/test_identity", "thousands_of_groups_are_all_there", GROUPS},
	{"integration/test_identity_socket",
		"clients_are_known_by_a_program_that_the_broker_did_not_start", PROGRAM},
	{"unit/test_landlock", NULL, LANDLOCK},
	{"unit/test_memory", "a_device_that_is_another_gives_an_error_and_nothing_else", IOCTL},
	{"unit/test_opener", "a_name_that_is_no_nodes_is_refused_whatever_there_is", CLONE},
	{"unit/test_opener", "what_is_no_character_device_is_not_handed_out", CLONE},
	{"unit/test_opener", "it_ends_with_the_broker_even_if_it_is_stopped", REAPER},
	{"unit/test_opener", "without_room_for_a_node_it_is_an_error_and_the_next_one_is_opened",
		CLONE},
	{"unit/test_opener", "a_node_that_is_opened_as_another_belongs_to_a_process_that_ended",
		CLONE},
	{"unit/test_opener", "its_number_is_nobodys_until_it_is_given_back", CLONE},
	{"unit/test_opener", "a_number_that_was_never_given_is_nothing_to_give_back", CLONE},
	{"unit/test_opener", "a_process_that_may_not_be_made_is_an_error", CLONE},
	{"unit/test_opener", "threads_that_get_signals_open_side_by_side", CLONE},
	{"unit/test_opener", "a_node_that_does_not_open_keeps_no_other_from_it", CLONE},
	{"unit/test_opener", "more_than_there_are_threads_wait_for_one", CLONE},
	{"unit/test_opener", "after_its_death_nothing_is_opened_and_one_line_says_so", CLONE},
	{"unit/test_opener", "who_waits_for_it_when_it_dies_waits_no_longer", CLONE},
	{"unit/test_opener_confinement", NULL, SECCOMP},
	{"unit/test_qda_call", NULL, CLONE},
	{"unit/test_qda_node", NULL, CLONE},
	{"integration/test_sandbox", "the_system_calls_that_the_header_names_are_enough", SECCOMP},
	{"unit/test_softdsp_calls", "a_module_that_breaks_out_is_killed", SECCOMP},
	{"unit/test_policy_lint", "no_rule_that_is_said_to_be_never_decisive_ever_decides", TIME},
	{"unit/test_policy_matrix", NULL, TIME},
	{"unit/test_who_socket", "it_is_looked_for_once_a_second_and_until_then_nothing_is_known",
		SECCOMP},
	{"unit/test_worker", "no_signal_of_the_process_goes_to_a_thread", SIGNALS},
};

static bool used[ARRAY_SIZE(rows)];

bool emulated(void)
{
	if (!getenv("DSP_EMULATED"))
		return false;
	/* Any kernel that has seccomp(2) answers; qemu lets nobody ask. */
	if (prctl(PR_GET_SECCOMP) >= 0) {
		fprintf(stderr, "DSP_EMULATED is set, but this is no emulator\n");
		exit(EXIT_FAILURE);
	}
	return true;
}

const char *emulated_exe(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", emulated() ? getppid() : getpid());
	return path;
}

static bool is_of_this_program(size_t row)
{
	const char *program = rows[row].program;
	size_t length = strlen(program_invocation_name), n = strlen(program);

	return length > n && strcmp(program_invocation_name + length - n, program) == 0;
}

/* Why that test is not run; NULL: it is. */
static const char *reason_for(const char *test)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!is_of_this_program(i) || (rows[i].test && strcmp(rows[i].test, test) != 0))
			continue;
		used[i] = true;
		return rows[i].reason;
	}
	return NULL;
}

/* The linker lets these two stand before those of Check (ld(1), --wrap), in every test program. */
void __wrap__tcase_add_test(TCase *tcase, const TTest *test, int signal, int exit_value, int start,
	int end);
void __real__tcase_add_test(TCase *tcase, const TTest *test, int signal, int exit_value, int start,
	int end);
void __wrap_srunner_run_all(SRunner *runner, enum print_output output);
void __real_srunner_run_all(SRunner *runner, enum print_output output);

void __wrap__tcase_add_test(TCase *tcase, const TTest *test, int signal, int exit_value, int start,
	int end)
{
	const char *reason = emulated() ? reason_for(test->name) : NULL;

	if (!reason) {
		__real__tcase_add_test(tcase, test, signal, exit_value, start, end);
		return;
	}
	for (int i = start; i < end; i++)
		printf("not run: %s:%d: %s\n", test->name, i, reason);
}

/* A row that is for nothing would hide that its test has another name by now. */
void __wrap_srunner_run_all(SRunner *runner, enum print_output output)
{
	for (size_t i = 0; emulated() && i < ARRAY_SIZE(rows); i++) {
		if (used[i] || !is_of_this_program(i))
			continue;
		fprintf(stderr, "tests/emulated.c: there is no test %s\n", rows[i].test);
		exit(EXIT_FAILURE);
	}
	fflush(stdout);
	__real_srunner_run_all(runner, output);
}
