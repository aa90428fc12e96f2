// SPDX-License-Identifier: MIT
#include "daemon/softdsp/confine.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
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

#define UNCHECKED (-1)

struct rule {
	int number;
	int prot;        /* which argument holds PROT_ flags, of which PROT_EXEC is forbidden */
	int error;       /* 0: it is allowed; else it is refused with this errno */
	const char *why; /* for readers */
};

/* The allowlist. */
static const struct rule rules[] = {
	/* The domain's own loop. */
	{SCMP_SYS(futex), UNCHECKED, 0, "wait for the broker; locks of the C library"},
	{SCMP_SYS(sched_yield), UNCHECKED, 0, "let the broker go first; spin locks"},
	{SCMP_SYS(getcpu), UNCHECKED, 0, "where neither rseq nor the vDSO tells"},
	{SCMP_SYS(write), UNCHECKED, 0, "kick the notify fd; diagnostics to stderr"},
	{SCMP_SYS(recvmsg), UNCHECKED, 0, "memory to map, from the broker"},
	{SCMP_SYS(sendmsg), UNCHECKED, 0, "SOFT_STARTED, to the broker"},
	{SCMP_SYS(close), UNCHECKED, 0, "a memfd that is mapped"},
	{SCMP_SYS(exit), UNCHECKED, 0, "the end of a thread that a module's constructor made"},
	{SCMP_SYS(exit_group), UNCHECKED, 0, "the end of the domain"},

	/* Memory: the broker's buffers and the C library's heap. */
	{SCMP_SYS(mmap), 2, 0, "buffers, and large or further heap"},
	{SCMP_SYS(mprotect), 2, 0, "growth of a second heap"},
	{SCMP_SYS(munmap), UNCHECKED, 0, "the reverse of mmap"},
	{SCMP_SYS(mremap), UNCHECKED, 0, "realloc of what is large; keeps the protection"},
	{SCMP_SYS(madvise), UNCHECKED, 0, "heap that is given back"},
	{SCMP_SYS(brk), UNCHECKED, 0, "the first heap"},

	/* Time and waiting, for modules. */
	{SCMP_SYS(clock_gettime), UNCHECKED, 0, "where the vDSO cannot answer"},
	{SCMP_SYS(gettimeofday), UNCHECKED, 0, "the same"},
	{SCMP_SYS(clock_nanosleep), UNCHECKED, 0, "sleep"},
	{SCMP_SYS(nanosleep), UNCHECKED, 0, "sleep, in other C libraries"},
	{SCMP_SYS(restart_syscall), UNCHECKED, 0, "a sleep that SIGSTOP and SIGCONT cut in two"},
	{SCMP_SYS(getrandom), UNCHECKED, 0, "seeds of heap and hash tables"},

	/* Diagnostics of the C library. */
	{SCMP_SYS(writev), UNCHECKED, 0, "the line that assert() and abort() leave on stderr"},
	{SCMP_SYS(fstat), UNCHECKED, EPERM, "stdio asks, and copes with a no"},
	{SCMP_SYS(newfstatat), UNCHECKED, EPERM, "the same; could name a file, so never allowed"},
};

/* Only in a build with sanitizers, never in a real one: what it takes to print a report, though
 * without the names of functions. */
static const struct rule sanitizer_rules[] = {
	{SCMP_SYS(getpid), UNCHECKED, 0, "head of the report"},
	{SCMP_SYS(gettid), UNCHECKED, 0, "head of the report"},
	{SCMP_SYS(sigaltstack), UNCHECKED, 0, "the stack's bounds"},
	{SCMP_SYS(rt_sigprocmask), UNCHECKED, 0, "quiet while it reports"},
	{SCMP_SYS(ioctl), UNCHECKED, EPERM, "is stderr a terminal, for colours"},
	{SCMP_SYS(open), UNCHECKED, EPERM, "memory map and symbols"},
	{SCMP_SYS(readlink), UNCHECKED, EPERM, "name of the program"},
	{SCMP_SYS(stat), UNCHECKED, EPERM, "is there a symbolizer"},
	{SCMP_SYS(pipe2), UNCHECKED, EPERM, "to the symbolizer"},
};

static int add_rules(scmp_filter_ctx filter, const struct rule *table, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t action =
			table[i].error ? SCMP_ACT_ERRNO((uint16_t)table[i].error) : SCMP_ACT_ALLOW;
		struct scmp_arg_cmp no_code =
			SCMP_CMP((unsigned int)table[i].prot, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
		int r = seccomp_rule_add_array(filter, action, table[i].number,
			table[i].prot != UNCHECKED, &no_code);

		if (r < 0)
			return r;
	}
	return 0;
}

/* libseccomp 2.5 gives its program to a descriptor only. */
static int export(struct confinement *confinement, scmp_filter_ctx filter)
{
	_cleanup_(fd_closep) int fd = -1;
	_cleanup_(freep) struct sock_filter *program = NULL;
	off_t size;
	int r;

	fd = memfd_create("softdsp-filter", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = seccomp_export_bpf(filter, fd);
	if (r < 0)
		return r;
	size = lseek(fd, 0, SEEK_END);
	if (size < 0)
		return -errno;
	if (!size || size % (off_t)sizeof(*program) ||
		size / (off_t)sizeof(*program) > BPF_MAXINSNS)
		return -E2BIG;
	program = malloc((size_t)size);
	if (!program)
		return -ENOMEM;
	if (pread(fd, program, (size_t)size, 0) != size)
		return -EIO;
	confinement->program.len = (unsigned short)(size / (off_t)sizeof(*program));
	confinement->program.filter = TAKE_PTR(program);
	return 0;
}

int confine_init(struct confinement *confinement)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (!filter)
		return -ENOMEM;
	r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r >= 0)
		r = add_rules(filter, rules, ARRAY_SIZE(rules));
	if (r >= 0 && SANITIZED)
		r = add_rules(filter, sanitizer_rules, ARRAY_SIZE(sanitizer_rules));
	if (r >= 0)
		r = export(confinement, filter);
	seccomp_release(filter);
	return r;
}

void confine_deinit(struct confinement *confinement)
{
	free(confinement->program.filter);
	*confinement = (struct confinement){};
}

int confine_enter(const struct confinement *confinement)
{
	long r;

	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
		&confinement->program);
	if (r < 0)
		return -errno;
	return r > 0 ? -EBUSY : 0; /* a thread that could not be confined as well */
}
