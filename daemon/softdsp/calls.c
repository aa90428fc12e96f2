// SPDX-License-Identifier: MIT
#include "daemon/softdsp/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "protocol/util.h"

/*
 * Memory that only this process has, or memory that the broker lent: nothing in between, which the
 * limit of a domain's memory would not count. A stack that grows would not be counted, either.
 */
#define MEMORY_KINDS (MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN)
#define NO_CODE      FILTER_WITHOUT(2, PROT_EXEC)
#define IS_PRIVATE                                                 \
	{                                                          \
		3, SCMP_CMP_MASKED_EQ, MEMORY_KINDS, MAP_ANONYMOUS \
	}
#define IS_LENT                                                 \
	{                                                       \
		3, SCMP_CMP_MASKED_EQ, MEMORY_KINDS, MAP_SHARED \
	}

/* A domain whose module is loaded. */
static const struct filter_rule loaded_calls[] = {
	/* Its own loop. */
	{SCMP_SYS(futex), "wait for the broker; locks of the C library"},
	{SCMP_SYS(sched_yield), "let the broker go first; spin locks"},
	{SCMP_SYS(getcpu), "where neither rseq nor the vDSO tells"},
	{SCMP_SYS(write), "kick the notify fd; diagnostics to stderr"},
	{SCMP_SYS(recvmsg), "memory to map, from the broker"},
	{SCMP_SYS(sendmsg), "SOFT_STARTED, to the broker"},
	{SCMP_SYS(close), "a memfd that is mapped"},
	{SCMP_SYS(set_robust_list), "the start of a thread that a module's constructor made"},
	{SCMP_SYS(rseq), "the same"},
	{SCMP_SYS(rt_sigprocmask), "the same, and its end"},
	{SCMP_SYS(exit), "its end"},
	{SCMP_SYS(exit_group), "the end of the domain"},

	/* Memory: the broker's buffers and the C library's heap. */
	{SCMP_SYS(mmap), "buffers", NO_CODE, .also = IS_LENT},
	{SCMP_SYS(mmap), "large or further heap", NO_CODE, .also = IS_PRIVATE},
	{SCMP_SYS(mprotect), "growth of a second heap", NO_CODE},
	{SCMP_SYS(munmap), "the reverse of mmap"},
	{SCMP_SYS(mremap), "realloc of what is large; keeps the protection"},
	{SCMP_SYS(madvise), "heap that is given back"},
	{SCMP_SYS(brk), "the first heap"},

	/* Time and waiting, for modules. */
	{SCMP_SYS(clock_gettime), "where the vDSO cannot answer"},
	{SCMP_SYS(gettimeofday), "the same"},
	{SCMP_SYS(time), "the same"},
	{SCMP_SYS(clock_nanosleep), "sleep"},
	{SCMP_SYS(nanosleep), "sleep, in other C libraries"},
	{SCMP_SYS(restart_syscall), "a sleep that SIGSTOP and SIGCONT cut in two"},
	{SCMP_SYS(getrandom), "seeds of heap and hash tables"},
	{SCMP_SYS(sysinfo), "how much memory there is, by qsort()"},

	/* Diagnostics of the C library. */
	{SCMP_SYS(writev), "the line that assert() and abort() leave on stderr"},
	{SCMP_SYS(fstat), "stdio asks, and copes with a no", {}, EPERM},
	{SCMP_SYS(newfstatat), "the same; could name a file, so never allowed", {}, EPERM},
};

/* Only in a build with sanitizers, never in a real one: what it takes to print a report, though
 * without the names of functions. */
static const struct filter_rule sanitizer_calls[] = {
	{SCMP_SYS(getpid), "head of the report"},
	{SCMP_SYS(gettid), "head of the report"},
	{SCMP_SYS(sigaltstack), "the stack's bounds"},
	{SCMP_SYS(rt_sigprocmask), "quiet while it reports"},
	{SCMP_SYS(ioctl), "is stderr a terminal, for colours", {}, EPERM},
	{SCMP_SYS(open), "memory map and symbols", {}, EPERM},
	{SCMP_SYS(readlink), "name of the program", {}, EPERM},
	{SCMP_SYS(stat), "is there a symbolizer", {}, EPERM},
	{SCMP_SYS(pipe2), "to the symbolizer", {}, EPERM},
};

/* What a thread is: without these it would be a process. */
#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)

/* Until then: the dynamic linker, and what constructors of libraries do. Which files can be opened
 * is Landlock's. */
static const struct filter_rule loading_calls[] = {
	{SCMP_SYS(openat), "libraries", FILTER_WITHOUT(2, O_ACCMODE | O_CREAT | O_TRUNC)},
	{SCMP_SYS(read), "their heads"},
	{SCMP_SYS(pread64), "more of them"},
	{SCMP_SYS(lseek), "files that a constructor reads"},
	{SCMP_SYS(fstat), "are they loaded already"},
	{SCMP_SYS(newfstatat), "the same; is there such a folder"},
	{SCMP_SYS(access), "is there such a module"},
	{SCMP_SYS(faccessat), "the same, where there is no access"},
	{SCMP_SYS(faccessat2), "the same, in other C libraries"},
	{SCMP_SYS(getcwd), "$ORIGIN"},
	{SCMP_SYS(mmap), "code and data"},
	{SCMP_SYS(mprotect), "what is fixed once it is relocated"},
	{SCMP_SYS(fcntl), "files that a constructor reads"},
	{SCMP_SYS(ioctl), "is stdout a terminal", {}, ENOTTY},
	/* clone3() has its flags in memory, where no filter sees them; without it there is clone().
	 */
	{SCMP_SYS(clone), "threads of a constructor", {0, SCMP_CMP_MASKED_EQ, THREAD, THREAD}},
	{SCMP_SYS(clone3), "see above", {}, ENOSYS},
	{SCMP_SYS(rt_sigaction), "before the first of them"},
	{SCMP_SYS(sched_getaffinity), "how many are worth while"},
	{SCMP_SYS(getpid), "seeds"},
	{SCMP_SYS(gettid), "locks"},
	{SCMP_SYS(seccomp), "the last step", FILTER_INT_IS(0, SECCOMP_SET_MODE_FILTER)},
};

/* What makes a child another process than a plain copy. */
#define NOT_PLAIN                                                                            \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |       \
		CLONE_NEWPID | CLONE_NEWNET | CLONE_PTRACE | CLONE_UNTRACED | CLONE_PARENT | \
		CLONE_VM | CLONE_FILES)

/* The supervisor's own, and how a domain begins: until it goes on to load. */
static const struct filter_rule supervisor_calls[] = {
	{SCMP_SYS(poll), "the broker, and signals"},
	{SCMP_SYS(ppoll), "the same, where there is no poll"},
	{SCMP_SYS(clone), "a domain", FILTER_WITHOUT(0, NOT_PLAIN)},
	{SCMP_SYS(wait4), "its end"},
	{SCMP_SYS(kill), "which the broker wants", FILTER_INT_IS(1, SIGKILL)},

	{SCMP_SYS(prctl), "a domain ends with the supervisor", FILTER_INT_IS(0, PR_SET_PDEATHSIG),
		.also = FILTER_INT_IS(1, SIGKILL)},
	{SCMP_SYS(getppid), "has it ended already"},
	{SCMP_SYS(setpgid), "no signals of a terminal"},
	{SCMP_SYS(prlimit64), "its limits", FILTER_INT_IS(0, 0)},
	{SCMP_SYS(setrlimit), "the same, in other C libraries"},
	{SCMP_SYS(getrlimit), "the same"},
	{SCMP_SYS(close_range), "nothing of the supervisor's"},
};

static void add(struct calls *out, struct filter_table table)
{
	out->tables[out->n++] = table;
}

void calls_loaded(struct calls *out)
{
	*out = (struct calls){};
	add(out, FILTER_TABLE(loaded_calls));
	if (FILTER_SANITIZED)
		add(out, FILTER_TABLE(sanitizer_calls));
}

void calls_loading(struct calls *out)
{
	calls_loaded(out);
	add(out, FILTER_TABLE(loading_calls));
}

/* Filters add up: the kernel asks all of them, and the strictest answer holds. So this one has all
 * that a domain, which it forks, does until its own filters are there, and after. */
void calls_supervisor(struct calls *out)
{
	calls_loading(out);
	add(out, FILTER_TABLE(supervisor_calls));
}
