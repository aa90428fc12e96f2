// SPDX-License-Identifier: MIT
#include "daemon/who/confine.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "protocol/util.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* What is not in here ends the program. openat is apart: it may only read. */
static const struct {
	int number;
	const char *why; /* for readers */
} allowed[] = {
	/* Look. openat2 cannot be checked, as its flags lie in memory: it opens what a peer has. */
	{SCMP_SYS(openat2), "a file below a peer's root"},
	{SCMP_SYS(read), "files"},
	{SCMP_SYS(readlinkat), "where a program is"},
	{SCMP_SYS(fstat), "what was opened"},
	{SCMP_SYS(newfstatat), "which file a program is"},
	{SCMP_SYS(statx), "the same, in other C libraries"},
	{SCMP_SYS(close), "all that was opened"},
	{SCMP_SYS(poll), "has it ended?"},
	{SCMP_SYS(ppoll), "the same where there is no poll"},
	/* Talk. */
	{SCMP_SYS(recvmsg), "questions"},
	{SCMP_SYS(sendmsg), "answers"},
	{SCMP_SYS(write), "diagnostics to stderr"},
	/* Threads and memory of the C library. */
	{SCMP_SYS(clone), "a thread for each question"},
	{SCMP_SYS(clone3), "the same"},
	{SCMP_SYS(rt_sigaction), "before the first one"},
	{SCMP_SYS(set_robust_list), "its start"},
	{SCMP_SYS(rseq), "its start"},
	{SCMP_SYS(rt_sigprocmask), "its start and end"},
	{SCMP_SYS(sched_getaffinity), "how many heaps are worth while"},
	{SCMP_SYS(futex), "locks"},
	{SCMP_SYS(exit), "its end"},
	{SCMP_SYS(mmap), "stacks and heaps"},
	{SCMP_SYS(munmap), "the reverse"},
	{SCMP_SYS(mremap), "a block that grows"},
	{SCMP_SYS(mprotect), "guards, and heaps that grow"},
	{SCMP_SYS(madvise), "what is given back"},
	{SCMP_SYS(brk), "the first heap"},
	{SCMP_SYS(getrandom), "seeds of the heap"},
	{SCMP_SYS(exit_group), "the end"},
	{SCMP_SYS(restart_syscall), "what SIGSTOP and SIGCONT cut in two"},
};

static int add_rules(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp reads =
		SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY);
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, reads);

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(allowed); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i].number, 0);
	return r;
}

static int filter_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (!filter)
		return -ENOMEM;
	r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r >= 0)
		r = add_rules(filter);
	if (r >= 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}

/* What could be handed on to another program is given up; there will be none. Returns 1 if any
 * capability is left, 0, or -errno. */
static int give_up_inheritance(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(data); i++)
		data[i].inheritable = 0;
	if (syscall(SYS_capset, &header, data) < 0)
		return -errno;
	return data[0].permitted || data[1].permitted;
}

int confine(void)
{
	int r = give_up_inheritance();

	if (r < 0)
		return r;
	/* Without any right of its own there is nothing to be taken from it, and its own files in
	 * /proc must stay its own. */
	if (r > 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	/* What sanitizers do to report is beyond any list. */
	return SANITIZED ? 0 : filter_calls();
}
