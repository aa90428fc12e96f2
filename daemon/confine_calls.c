// SPDX-License-Identifier: MIT
#include "daemon/confine.h"

#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/remoteproc_cdev.h>
#include <linux/udmabuf.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/broker.h"
#include "daemon/transport/transport.h"
#include "policy/identity.h"
#include "protocol/util.h"

/* What a thread is: without these bits it would be a process. */
#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
/* Nor may it have a world of its own. */
#define NAMESPACE_FLAGS                                                               \
	(CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | \
		CLONE_NEWUSER | CLONE_NEWUTS)

/* Machines that came later have fewer calls, and the C library knows which. */
#ifdef __NR_epoll_wait
#define WAIT SCMP_SYS(epoll_wait)
#else
#define WAIT SCMP_SYS(epoll_pwait)
#endif
#ifdef __NR_readlink
#define READLINK SCMP_SYS(readlink)
#else
#define READLINK SCMP_SYS(readlinkat)
#endif
#ifdef __NR_poll
#define POLL SCMP_SYS(poll)
#else
#define POLL SCMP_SYS(ppoll)
#endif

/* Of every broker. Of clone3() the flags lie in memory, where no filter sees them: told that there
 * is no such call, the C library takes clone(). */
static const struct filter_rule calls[] = {
	/* The loop and its descriptors. */
	{WAIT, "what is ready"},
	{SCMP_SYS(epoll_pwait2), "newer libsystemd asks first, and copes", {}, ENOSYS},
	{SCMP_SYS(epoll_ctl), "descriptors that come and go"},
	{SCMP_SYS(eventfd2), "doorbells of a connection"},
	{SCMP_SYS(timerfd_settime), "the next deadline"},
	{SCMP_SYS(clock_gettime), "what time it is, where no vDSO says it"},
	{SCMP_SYS(read), "eventfds, signals, files"},
	{SCMP_SYS(write), "doorbells, diagnostics, attributes of devices"},
	{SCMP_SYS(close), "whatever is done with"},
	{SCMP_SYS(fcntl), "is a descriptor open for writing?", FILTER_INT_IS(1, F_GETFL)},
	{SCMP_SYS(fcntl), "a descriptor of its own", FILTER_INT_IS(1, F_DUPFD_CLOEXEC)},
	{SCMP_SYS(fcntl), "memory that cannot shrink", FILTER_INT_IS(1, F_ADD_SEALS)},
	{SCMP_SYS(fcntl), "likewise, of a client", FILTER_INT_IS(1, F_GET_SEALS)},
	{SCMP_SYS(fcntl), "a folder that is listed, by fdopendir()", FILTER_INT_IS(1, F_SETFD)},

	/* Clients, the processes beside the broker, the journal, the service manager. */
	{SCMP_SYS(accept4), "a client connects"},
	{SCMP_SYS(recvmsg), "requests and answers, with descriptors"},
	{SCMP_SYS(sendmsg), "the same, out"},
	{SCMP_SYS(getsockopt), "who a client is"},
	{SCMP_SYS(setsockopt), "how much may be on its way to a client"},
	{SCMP_SYS(shutdown), "a client that is to go"},
	{SCMP_SYS(writev), "what the journal has no room for, as a file; a message's parts"},
	{SCMP_SYS(prctl), "the name of that file", FILTER_INT_IS(0, PR_GET_NAME)},
	{SCMP_SYS(socketpair), "a wake for a client", FILTER_INT_IS(0, AF_UNIX),
		.also = FILTER_INT_IS(1, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK)},
	{SCMP_SYS(socketpair), "a link to a domain", FILTER_INT_IS(0, AF_UNIX),
		.also = FILTER_INT_IS(1, SOCK_SEQPACKET | SOCK_CLOEXEC)},

	/* Memory. Nothing of it is ever executable. */
	{SCMP_SYS(mmap), "rings, buffers, heap", FILTER_WITHOUT(2, PROT_EXEC)},
	{SCMP_SYS(mprotect), "heaps of threads", FILTER_WITHOUT(2, PROT_EXEC)},
	{SCMP_SYS(munmap), "the reverse of mmap"},
	{SCMP_SYS(mremap), "a block that grows; keeps its protection"},
	{SCMP_SYS(madvise), "what is given back"},
	{SCMP_SYS(brk), "the first heap"},
	{SCMP_SYS(memfd_create), "rings and buffers"},
	{SCMP_SYS(ftruncate), "their size"},
	{SCMP_SYS(getrandom), "seeds of tables, a first address"},

	/* Threads: workers, the crew, closers. */
	{SCMP_SYS(clone), "a thread",
		{0, SCMP_CMP_MASKED_EQ, THREAD_FLAGS | NAMESPACE_FLAGS, THREAD_FLAGS}},
	{SCMP_SYS(clone3), "see above", {}, ENOSYS},
	{SCMP_SYS(set_robust_list), "its start"},
	{SCMP_SYS(rseq), "its start"},
	{SCMP_SYS(rt_sigprocmask), "its start and end, and signals that are not for it"},
	{SCMP_SYS(rt_sigaction), "signals that interrupt it"},
	{SCMP_SYS(rt_sigreturn), "when one has"},
	{SCMP_SYS(gettid), "whom a timer interrupts"},
	{SCMP_SYS(timer_create), "what interrupts a close, and a reader of policy"},
	{SCMP_SYS(timer_settime), "the same"},
	{SCMP_SYS(timer_delete), "the same"},
	{SCMP_SYS(futex), "locks"},
	{SCMP_SYS(sched_yield), "politeness"},
	{SCMP_SYS(getcpu), "is a client on this processor? Where nothing else says it"},
	{SCMP_SYS(exit), "a thread's end"},
	{SCMP_SYS(exit_group), "the broker's"},

	/* Files: policy, and what the kernel says of devices. Which, is Landlock's. */
	{SCMP_SYS(openat), "files"},
	{SCMP_SYS(newfstatat), "which file a name means, what was opened"},
	{SCMP_SYS(fstat), "the same, in other C libraries"},
#if defined(__GLIBC__) && !__GLIBC_PREREQ(2, 33)
	{SCMP_SYS(stat), "the same"},
	{SCMP_SYS(lstat), "the same"},
#endif
	{SCMP_SYS(fstatfs), "is a descriptor a dma-buf?"},
	{SCMP_SYS(getdents64), "folders"},
	{READLINK, "what a descriptor is, where a device belongs"},
	{SCMP_SYS(restart_syscall), "what SIGSTOP and SIGCONT cut in two"},
};

/* Where no option of a socket says who is at its other end. */
static const struct filter_rule pidfd_calls[] = {
	{SCMP_SYS(pidfd_open), "who a client is, before Linux 6.5"},
};

/* With --socket. */
static const struct filter_rule socket_calls[] = {
	{SCMP_SYS(unlinkat), "the socket, at the end"},
};

/* With --who-socket. */
static const struct filter_rule who_calls[] = {
	{SCMP_SYS(socket), "to dspbroker-who, when it is back", FILTER_INT_IS(0, AF_UNIX),
		.also = FILTER_INT_IS(1, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK)},
	{SCMP_SYS(connect), "the same"},
};

/* With --watch-policy. */
static const struct filter_rule watch_calls[] = {
	{SCMP_SYS(inotify_add_watch), "a folder that was replaced"},
};

/* What no broker for the software DSP alone needs. */
static const struct filter_rule hardware_calls[] = {
	{SCMP_SYS(ioctl), "DMA_HEAP_IOCTL_ALLOC: memory for hardware",
		FILTER_INT_IS(1, DMA_HEAP_IOCTL_ALLOC)},
	{SCMP_SYS(ioctl), "UDMABUF_CREATE: a client's memory for hardware",
		FILTER_INT_IS(1, UDMABUF_CREATE)},
	{SCMP_SYS(ioctl), "RPROC_SET_SHUTDOWN_ON_RELEASE: a DSP that stops with the broker",
		FILTER_INT_IS(1, RPROC_SET_SHUTDOWN_ON_RELEASE)},
	{SCMP_SYS(inotify_init1), "a node, a core dump that is to come"},
	{SCMP_SYS(inotify_add_watch), "the same"},
	{POLL, "the same, and pauses"},
	{SCMP_SYS(getpid), "whose thread is to be interrupted, by pthread_kill()"},
	{SCMP_SYS(mkdirat), "a folder for core dumps"},
	{SCMP_SYS(unlinkat), "an old core dump"},
	{SCMP_SYS(fsync), "a core dump"},
	{SCMP_SYS(renameat2), "the same"},
	{SCMP_SYS(renameat), "the same, by renameat2() without flags"},
	{SCMP_SYS(geteuid), "is the folder for them ours?"},
};

/* What sanitizers need to report, and to look for leaks when it ends. */
static const struct filter_rule sanitizer_calls[] = {
	{SCMP_SYS(clone), "the thread that looks for leaks"},
	{SCMP_SYS(ptrace), "it stops the others"},
	{SCMP_SYS(getdents), "it lists them"},
	{SCMP_SYS(wait4), "the same"},
	{SCMP_SYS(prctl), "the same"},
	{SCMP_SYS(sigaltstack), "stacks of threads"},
	{SCMP_SYS(open), "maps of memory"},
	{SCMP_SYS(readlinkat), "symbols"},
	{SCMP_SYS(stat), "symbols"},
	{SCMP_SYS(access), "symbols"},
	{SCMP_SYS(pipe2), "which memory may be read"},
	{SCMP_SYS(pipe), "the same"},
	{SCMP_SYS(getpid), "heads of reports"},
	{SCMP_SYS(getppid), "whether the process still lives"},
	{SCMP_SYS(uname), "versions"},
	{SCMP_SYS(ioctl), "is stderr a terminal", {}, ENOTTY},
	{SCMP_SYS(sched_getaffinity), "processors"},
	{SCMP_SYS(clock_gettime), "times"},
	{SCMP_SYS(getrlimit), "stacks of threads"},
	{SCMP_SYS(prlimit64), "the same"},
	{SCMP_SYS(lseek), "files"},
	{SCMP_SYS(kill), "the end"},
};

static void add(struct confine_tables *out, bool wanted, struct filter_table table)
{
	if (wanted)
		out->tables[out->n++] = table;
}

static void add_once(struct confine_tables *out, const struct filter_table *table)
{
	for (size_t i = 0; table && i < out->n; i++)
		if (out->tables[i].rules == table->rules)
			return;
	if (table)
		add(out, true, *table);
}

void confine_tables(struct confine_tables *out, const struct broker_options *options)
{
	bool hardware = false;

	*out = (struct confine_tables){
		.self = {{SCMP_SYS(tgkill), "a thread of ours is to be interrupted",
			FILTER_INT_IS(0, getpid())}},
	};
	add(out, true, FILTER_TABLE(calls));
	for (size_t i = 0; transports[i]; i++) {
		hardware = hardware || transports[i]->hardware;
		for (size_t j = 0; j < ARRAY_SIZE(transports[i]->calls); j++)
			add_once(out, transports[i]->calls[j]);
	}
	add(out, !identity_has_peer_pidfd(), FILTER_TABLE(pidfd_calls));
	add(out, options->socket, FILTER_TABLE(socket_calls));
	add(out, options->who_socket, FILTER_TABLE(who_calls));
	add(out, options->watch_policy, FILTER_TABLE(watch_calls));
	add(out, hardware, FILTER_TABLE(hardware_calls));
	add(out, hardware, (struct filter_table){out->self, ARRAY_SIZE(out->self)});
	add(out, FILTER_SANITIZED, FILTER_TABLE(sanitizer_calls));
}

static bool is_allowed_before(const struct confine_tables *all, size_t table, size_t row)
{
	const int number = all->tables[table].rules[row].number;

	for (size_t i = 0; i <= table; i++)
		for (size_t j = 0; j < (i < table ? all->tables[i].n : row); j++)
			if (all->tables[i].rules[j].number == number)
				return true;
	return false;
}

uint32_t confine_count_calls(const struct confine_tables *all)
{
	uint32_t n = 0;

	for (size_t i = 0; i < all->n; i++)
		for (size_t j = 0; j < all->tables[i].n; j++) {
			const struct filter_rule *rule = &all->tables[i].rules[j];

			/* Calls that this machine does not have are below 0. */
			n += rule->number >= 0 && !rule->error && !is_allowed_before(all, i, j);
		}
	return n;
}
