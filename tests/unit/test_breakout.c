// SPDX-License-Identifier: MIT
/*
 * Somebody who has taken over the software DSP's supervisor, a domain that still loads, or
 * dspbroker-who, tries to get out. Each attempt is made by a process of its own, which confines
 * itself as these programs do. (A loaded domain's are made in the real one, and the broker's too:
 * tests/integration.)
 */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "daemon/confine/filter.h"
#include "daemon/softdsp/confine.h"
#include "daemon/who/confine.h"
#include "protocol/util.h"
#include "tests/integration/attempts.h"
#include "tests/suite.h"
#include "tests/unit/tree.h"

static const struct attempt *find(const char *name)
{
	for (size_t i = 0; i < attempts_n; i++)
		if (strcmp(attempts[i].name, name) == 0)
			return &attempts[i];
	ck_abort_msg("no attempt is named %s", name);
}

/* Without any confinement: they are attempts, and the kernel is asked. */
START_TEST(nothing_stops_an_attempt_but_what_is_tested_here)
{
	static const char *const succeed[] = {"run a program", "run a program out of memory",
		"fork", "start a thread", "signal the parent", "read /etc/passwd", "open /dev/null",
		"unix socket", "inet socket", "map executable memory", "make memory executable",
		"memfd_create", "become dumpable", "change a limit"};

	for (size_t i = 0; i < attempts_n; i++) {
		int outcome = attempt_in_child(&attempts[i], NULL, NULL);

		if (outcome >= ATTEMPT_KILLED)
			ck_abort_msg("%s: %s", attempts[i].name, attempt_outcome_name(outcome));
	}
	for (size_t i = 0; i < ARRAY_SIZE(succeed); i++)
		ck_assert_int_eq(attempt_in_child(find(succeed[i]), NULL, NULL), ATTEMPT_THROUGH);
}
END_TEST

static void try_all(int (*enter)(void *data), void *data, const struct attempt_outcome *others,
	size_t n)
{
	int wrong = 0;

	for (size_t i = 0; i < attempts_n; i++)
		wrong += attempt_judge(&attempts[i], attempt_in_child(&attempts[i], enter, data),
			others, n);
	ck_assert_int_eq(wrong, 0);
}

static bool confined_here(void)
{
	if (FILTER_SANITIZED)
		fprintf(stderr, "SKIPPED: a sanitizer's report is beyond any list\n");
	return !FILTER_SANITIZED;
}

static int enter_supervisor(void *data)
{
	return confine_supervisor(data);
}

static int enter_loading(void *data)
{
	int r = confine_supervisor(data);

	return r < 0 ? r : confine_loading(data);
}

/* The dynamic linker reads files and makes code of them; constructors make threads. */
static const struct attempt_outcome outcomes[] = {
	{"fork, clone3", ENOSYS, "so that clone() is taken, whose flags can be seen"},
	{"start a thread", ATTEMPT_THROUGH, "for constructors"},
	{"read /etc/passwd", EACCES, "Landlock"},
	{"read /etc/shadow", EACCES, "Landlock"},
	{"list /", EACCES, "Landlock"},
	{"read /proc/1/mem", EACCES, "Landlock"},
	{"stat /etc/passwd", ATTEMPT_THROUGH, "names can be asked for"},
	{"map executable memory", ATTEMPT_THROUGH, "code of libraries"},
	{"map writable and executable memory", ATTEMPT_THROUGH, "the same call"},
	{"make memory executable", ATTEMPT_THROUGH, "code that is relocated"},
	{"ioctl TIOCSTI", ENOTTY, "a rule of its own"},
	{"ioctl TIOCLINUX", ENOTTY, "the same"},
	{"ioctl TCGETS", ENOTTY, "the same"},
	{"ioctl TIOCSCTTY", ENOTTY, "the same"},
	{"ioctl of no number known", ENOTTY, "the same"},
	{"signal handler", ATTEMPT_THROUGH, "before the first thread"},
	/* Of the supervisor alone. */
	{"fork", ATTEMPT_THROUGH, "it is what it is for"},
	{"change a limit", ATTEMPT_THROUGH, "of its own, for domains"},
};
#define OF_SUPERVISOR_ALONE 2

static void prepare(struct confinement *confinement)
{
	char before[4096];

	tree_start(); /* stands for the modules' folder */
	ck_assert_ptr_nonnull(getcwd(before, sizeof(before)));
	ck_assert_int_eq(chdir(tree_path("")), 0);
	ck_assert_int_eq(confine_init(confinement, false), 0);
	ck_assert_int_eq(chdir(before), 0);
}

static void try_softdsp(int (*enter)(void *data), size_t n)
{
	struct confinement confinement;

	if (!confined_here())
		return;
	prepare(&confinement);
	if (confinement.files.fd < 0)
		fprintf(stderr, "SKIPPED: there is no Landlock here\n");
	else
		try_all(enter, &confinement, outcomes, n);
	confine_deinit(&confinement);
	tree_stop();
}

START_TEST(nobody_gets_out_of_the_supervisor)
{
	try_softdsp(enter_supervisor, ARRAY_SIZE(outcomes));
}
END_TEST

static pid_t bystander;

static int kill_bystander(void)
{
	return kill(bystander, SIGKILL) < 0 ? -errno : 0;
}

static int kill_own_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
	return kill(pid, SIGKILL) < 0 || waitpid(pid, NULL, 0) != pid ? -errno : 0;
}

START_TEST(the_supervisor_ends_its_own_domains_alone)
{
	const struct attempt of_bystander = {"", kill_bystander}, of_child = {"", kill_own_child};
	struct confinement confinement;

	if (!confined_here())
		return;
	prepare(&confinement);
	if (confinement.files.abi < 6) { /* the first that knows signals */
		fprintf(stderr, "SKIPPED: Landlock is too old here\n");
	} else {
		bystander = fork();
		if (bystander == 0)
			for (;;)
				pause();
		ck_assert_int_eq(attempt_in_child(&of_bystander, enter_supervisor, &confinement),
			EPERM);
		ck_assert_int_eq(attempt_in_child(&of_child, enter_supervisor, &confinement), 0);
		ck_assert_int_eq(attempt_in_child(&of_bystander, NULL, NULL), 0);
		ck_assert_int_eq(waitpid(bystander, NULL, 0), bystander);
	}
	confine_deinit(&confinement);
	tree_stop();
}
END_TEST

START_TEST(nobody_gets_out_of_a_domain_that_loads)
{
	try_softdsp(enter_loading, ARRAY_SIZE(outcomes) - OF_SUPERVISOR_ALONE);
}
END_TEST

static int enter_who(void *data)
{
	(void)data;
	return confine(false);
}

/* It reads, for that is what it is for, as far as its user and its rights go. */
static const char *const who_reads[] = {"read /etc/passwd", "read /etc/shadow", "list /",
	"read /proc/1/mem", "stat /etc/passwd", "start a thread", "signal handler"};

START_TEST(nobody_gets_out_of_dspbroker_who)
{
	struct attempt_outcome others[ARRAY_SIZE(who_reads) + 1] = {
		{"fork, clone3", ENOSYS, "so that clone() is taken, whose flags can be seen"},
	};

	if (!confined_here())
		return;
	for (size_t i = 0; i < ARRAY_SIZE(who_reads); i++)
		others[1 + i] = (struct attempt_outcome){
			who_reads[i], attempt_in_child(find(who_reads[i]), NULL, NULL), "its work"};
	try_all(enter_who, NULL, others, ARRAY_SIZE(others));
}
END_TEST

/* As on a kernel that knows no filters. */
static int enter_who_without(void *data)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r;

	if (!filter || seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(seccomp), 0) < 0 ||
		seccomp_load(filter) < 0)
		return -EIO;
	seccomp_release(filter);
	r = confine(*(bool *)data);
	if (!*(bool *)data)
		return r == -ENOSYS ? 0 : -EIO;
	return r;
}

START_TEST(where_the_kernel_cannot_confine_dspbroker_who_that_is_an_error_unless_it_is_allowed)
{
	const struct attempt *attempt = find("inet socket");
	bool allowed = _i;

	if (confined_here())
		ck_assert_int_eq(attempt_in_child(attempt, enter_who_without, &allowed), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("breakout");
	TCase *tcase = tcase_create("breakout");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, nothing_stops_an_attempt_but_what_is_tested_here);
	tcase_add_test(tcase, nobody_gets_out_of_the_supervisor);
	tcase_add_test(tcase, the_supervisor_ends_its_own_domains_alone);
	tcase_add_test(tcase, nobody_gets_out_of_a_domain_that_loads);
	tcase_add_test(tcase, nobody_gets_out_of_dspbroker_who);
	tcase_add_loop_test(tcase,
		where_the_kernel_cannot_confine_dspbroker_who_that_is_an_error_unless_it_is_allowed,
		0, 2);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
