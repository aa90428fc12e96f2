// SPDX-License-Identifier: MIT
#include "daemon/who/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "daemon/who/question.h"
#include "protocol/util.h"

/* What a thread is: without these it would be a process. */
#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)

/* Memory of its own, never that of a file, which it could write. */
#define IS_OWN                                                                   \
	{                                                                        \
		3, SCMP_CMP_MASKED_EQ, MAP_SHARED | MAP_ANONYMOUS, MAP_ANONYMOUS \
	}

static const struct filter_rule calls[] = {
	/* Look. */
	{SCMP_SYS(openat), "files", FILTER_WITHOUT(2, O_ACCMODE | O_CREAT | O_TRUNC)},
	{SCMP_SYS(read), "files"},
	{SCMP_SYS(readlinkat), "where a program is"},
	{SCMP_SYS(fstat), "what was opened"},
	{SCMP_SYS(newfstatat), "which file a program is"},
	{SCMP_SYS(statx), "the same, in other C libraries; what a descriptor stands for"},
	{SCMP_SYS(getdents64), "which processes there are, and what they have open"},
	{SCMP_SYS(close), "all that was opened"},
	{SCMP_SYS(poll), "has it ended?"},
	{SCMP_SYS(ppoll), "the same where there is no poll"},
	/* Talk. */
	{SCMP_SYS(recvmsg), "questions", FILTER_INT_IS(0, WHO_FD)},
	{SCMP_SYS(sendmsg), "answers", FILTER_INT_IS(0, WHO_FD)},
	{SCMP_SYS(write), "diagnostics", FILTER_INT_IS(0, STDERR_FILENO)},
	/* Threads and memory of the C library. */
	{SCMP_SYS(clone), "a thread for each question", {0, SCMP_CMP_MASKED_EQ, THREAD, THREAD}},
	{SCMP_SYS(clone3), "its flags lie in memory; without it there is clone()", {}, ENOSYS},
	{SCMP_SYS(rt_sigaction), "before the first one"},
	{SCMP_SYS(set_robust_list), "its start"},
	{SCMP_SYS(rseq), "its start"},
	{SCMP_SYS(rt_sigprocmask), "its start and end"},
	{SCMP_SYS(sched_getaffinity), "how many heaps are worth while"},
	{SCMP_SYS(futex), "locks"},
	{SCMP_SYS(exit), "its end"},
	{SCMP_SYS(mmap), "stacks and heaps", FILTER_WITHOUT(2, PROT_EXEC), .also = IS_OWN},
	{SCMP_SYS(munmap), "the reverse"},
	{SCMP_SYS(mremap), "a block that grows"},
	{SCMP_SYS(mprotect), "guards, and heaps that grow", FILTER_WITHOUT(2, PROT_EXEC)},
	{SCMP_SYS(madvise), "what is given back"},
	{SCMP_SYS(brk), "the first heap"},
	{SCMP_SYS(getrandom), "seeds of the heap"},
	{SCMP_SYS(exit_group), "the end"},
	{SCMP_SYS(restart_syscall), "what SIGSTOP and SIGCONT cut in two"},
};

struct filter_table confine_calls(void)
{
	return FILTER_TABLE(calls);
}

static int filter_calls(void)
{
	struct filter_table table = confine_calls();
	struct sock_fprog filter;
	int r;

	r = filter_init(&filter, &table, 1);
	if (r < 0)
		return r;
	r = filter_enter(&filter);
	filter_deinit(&filter);
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

static int close_up(void)
{
	static const struct rlimit no_core;
	int r = give_up_inheritance();

	if (r < 0)
		return r;
	/* Without any right of its own there is nothing to be taken from it, and its own files in
	 * /proc must stay its own. */
	if (r > 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return setrlimit(RLIMIT_CORE, &no_core) < 0 ? -errno : 0;
}

static int lacks(bool may_lack, const char *what, int error)
{
	fprintf(stderr, "dspbroker-who: %s: %s%s\n", what, strerror(-error),
		may_lack ? "; it goes on UNCONFINED" : "");
	return may_lack ? 0 : error;
}

int confine(bool may_lack)
{
	int r = close_up();

	if (r < 0)
		r = lacks(may_lack, "cannot close itself up", r);
	/* What sanitizers do to report is beyond any list. */
	if (r < 0 || FILTER_SANITIZED)
		return r;
	r = filter_calls();
	return r < 0 ? lacks(may_lack, "cannot confine itself to its system calls", r) : 0;
}
