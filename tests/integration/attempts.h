// SPDX-License-Identifier: MIT
/*
 * What an attacker tries who runs inside a confined process: each attempt in one function, all of
 * them in one table. They are made by a child process of a test that has entered the confinement
 * (attempt_in_child()), or by a module in its protection domain, and do no harm where they get
 * through: a test makes them without any confinement too, to see that they are attempts at all.
 */
#ifndef DSP_TESTS_ATTEMPTS_H
#define DSP_TESTS_ATTEMPTS_H

#include <errno.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

struct attempt {
	const char *name;
	int (*make)(void); /* 0: it got through, which for an exec is exit status 0; else -errno */
};

static inline int attempt_outcome_of(long r)
{
	return r < 0 ? -errno : 0;
}

/* An attempt that is one system call. Raw, so that no wrapper does something before. */
#define ATTEMPT(function, ...)                                   \
	static int function(void)                                \
	{                                                        \
		return attempt_outcome_of(syscall(__VA_ARGS__)); \
	}                                                        \
	static int function(void)

/* Whom those attempts are made on that are on another process: the test's, or who sets it. */
extern pid_t attempts_victim;

extern const struct attempt attempts[];
extern const size_t attempts_n;

/* How an attempt ended. */
#define ATTEMPT_THROUGH 0      /* nobody minded */
#define ATTEMPT_KILLED  0x1000 /* by SIGSYS; any other value is the errno it was refused with */
#define ATTEMPT_BROKEN  0x2000 /* by something else, which is added: a defect of the attempt */

/* What an attempt may come to inside a confinement other than ATTEMPT_KILLED. */
struct attempt_outcome {
	const char *name;
	int outcome;
	const char *why;
};

/* In a child process that has called @confine with @data, which must return 0. */
int attempt_in_child(const struct attempt *attempt, int (*confine)(void *data), void *data);

/* "SIGSYS", "through", or the name of an errno. */
const char *attempt_outcome_name(int outcome);

/*
 * Compare with what is expected: ATTEMPT_KILLED, but for the @n of @others. Prints a line, so that
 * a test says what stopped it; returns 0 when it is as expected, else 1.
 */
int attempt_judge(const struct attempt *attempt, int outcome, const struct attempt_outcome *others,
	size_t n);

#endif
