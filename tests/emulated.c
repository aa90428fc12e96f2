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

/* What qemu 7.2 does not do, or does another way than the kernel. A row without a test is for all
 * of the program. */
static const struct {
	const char *program, *test, *reason;
} rows[] = {
	{"test_breakout", NULL, "qemu has no seccomp(2)"},
	{"test_breakout_domain", "no_module_gets_out_of_its_protection_domain",
		"qemu has no seccomp(2)"},
	{"test_breakout_domain", "a_module_has_no_more_memory_of_its_own_than_256_mib",
		"qemu ignores RLIMIT_DATA"},
	{"test_filter", NULL, "qemu has no seccomp(2)"},
	{"test_landlock", NULL, "qemu has no Landlock"},
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
	return strcmp(rows[row].program, program_invocation_short_name) == 0;
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
