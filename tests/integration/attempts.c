// SPDX-License-Identifier: MIT
#include "tests/integration/attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "protocol/util.h"

/* Numbers that all architectures share (asm-generic/unistd.h) and older C libraries do not have. */
#define CALL_PIDFD_GETFD 438
#define CALL_OPENAT2     437

pid_t attempts_victim;

/* Programs. */

static char *const no_words[] = {(char[]){"true"}, NULL};

ATTEMPT(run, SYS_execve, "/bin/true", no_words, no_words + 1);
ATTEMPT(run_at, SYS_execveat, AT_FDCWD, "/bin/true", no_words, no_words + 1, 0);

/* A program that lies in no file system. */
static int run_memory(void)
{
	static const char script[] = "#!/bin/sh\nexit 0\n";
	int fd = (int)syscall(SYS_memfd_create, "program", 0);

	if (fd < 0 || syscall(SYS_write, fd, script, sizeof(script) - 1) < 0)
		return -errno;
	return attempt_outcome_of(syscall(SYS_execveat, fd, "", no_words, no_words + 1,
		AT_EMPTY_PATH));
}

/* Processes. The child ends at once; nobody waits for it, as that would be a call more. */

static int fork_with(unsigned long flags)
{
	long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		syscall(SYS_exit_group, 0);
	return attempt_outcome_of(pid);
}

static int fork_plain(void)
{
	return fork_with(0);
}

static int fork_user(void)
{
	return fork_with(CLONE_NEWUSER);
}

static int fork_clone3(void)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	} args = {.exit_signal = SIGCHLD};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		syscall(SYS_exit_group, 0);
	return attempt_outcome_of(pid);
}

static void *nothing(void *data)
{
	return data;
}

static int start_thread(void)
{
	pthread_t thread;

	return -pthread_create(&thread, NULL, nothing, NULL);
}

/* Other processes. */

static char word[8];
static struct iovec here = {word, sizeof(word)}, there = {word, sizeof(word)};

ATTEMPT(trace_me, SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
ATTEMPT(trace_parent, SYS_ptrace, PTRACE_SEIZE, attempts_victim, 0, 0);
ATTEMPT(read_parent, SYS_process_vm_readv, attempts_victim, &here, 1, &there, 1, 0);
ATTEMPT(write_parent, SYS_process_vm_writev, attempts_victim, &here, 1, &there, 1, 0);
ATTEMPT(hold_parent, SYS_pidfd_open, attempts_victim, 0);
ATTEMPT(take_fd, CALL_PIDFD_GETFD, 0, 0, 0);
ATTEMPT(compare, SYS_kcmp, attempts_victim, attempts_victim, 0, 0, 0);
ATTEMPT(limit_parent, SYS_prlimit64, attempts_victim, RLIMIT_CORE, NULL, &(struct rlimit){});

/* Signals. 0 is checked like any other, and does nothing. */

ATTEMPT(kill_parent, SYS_kill, attempts_victim, 0);
ATTEMPT(kill_init, SYS_kill, 1, 0);
ATTEMPT(kill_all, SYS_kill, -1, 0);
ATTEMPT(tkill_parent, SYS_tkill, attempts_victim, 0);
ATTEMPT(tgkill_parent, SYS_tgkill, attempts_victim, attempts_victim, 0);
ATTEMPT(queue_parent, SYS_rt_sigqueueinfo, attempts_victim, SIGWINCH,
	&(siginfo_t){.si_signo = SIGWINCH, .si_code = SI_QUEUE});
ATTEMPT(pidfd_signal, SYS_pidfd_send_signal, 0, 0, NULL, 0);

/* Files. */

ATTEMPT(read_passwd, SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC);
ATTEMPT(read_shadow, SYS_openat, AT_FDCWD, "/etc/shadow", O_RDONLY | O_CLOEXEC);
ATTEMPT(list_root, SYS_openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
ATTEMPT(make_file, SYS_openat, AT_FDCWD, "/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
ATTEMPT(write_mem, SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR | O_CLOEXEC);
ATTEMPT(read_parents_mem, SYS_openat, AT_FDCWD, "/proc/1/mem", O_RDONLY | O_CLOEXEC);
ATTEMPT(open_null, SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
ATTEMPT(open_terminal, SYS_openat, AT_FDCWD, "/dev/ptmx", O_RDWR | O_CLOEXEC | O_NOCTTY);
static uint64_t how[3] = {O_RDONLY | O_CLOEXEC, 0, 0};
ATTEMPT(open_how, CALL_OPENAT2, AT_FDCWD, "/etc/passwd", how, sizeof(how));
ATTEMPT(open_handle, SYS_open_by_handle_at, AT_FDCWD, word, O_RDONLY | O_CLOEXEC);
ATTEMPT(stat_passwd, SYS_newfstatat, AT_FDCWD, "/etc/passwd", &(struct stat){}, 0);
ATTEMPT(remove_file, SYS_unlinkat, AT_FDCWD, "/tmp/attempt-no-such-file", 0);
ATTEMPT(rename_file, SYS_renameat2, AT_FDCWD, "/tmp/attempt-no-such-file", AT_FDCWD,
	"/tmp/attempt-no-such-file-either", 0);
ATTEMPT(make_folder, SYS_mkdirat, AT_FDCWD, "/tmp/attempt-no-such-folder/folder", 0700);
ATTEMPT(make_node, SYS_mknodat, AT_FDCWD, "/tmp/attempt-no-such-folder/node", S_IFCHR | 0600,
	0x101);
ATTEMPT(make_link, SYS_symlinkat, "/etc", AT_FDCWD, "/tmp/attempt-no-such-folder/link");
ATTEMPT(change_mode, SYS_fchmodat, AT_FDCWD, "/tmp/attempt-no-such-file", 0666);
ATTEMPT(change_owner, SYS_fchownat, AT_FDCWD, "/tmp/attempt-no-such-file", 0, 0, 0);
ATTEMPT(cut_file, SYS_truncate, "/tmp/attempt-no-such-file", 0);
ATTEMPT(go_home, SYS_chdir, "/");
ATTEMPT(watch_files, SYS_fanotify_init, 0, 0);

/* Sockets. */

static int make_socket(int family, int type, int protocol)
{
	return attempt_outcome_of(syscall(SYS_socket, family, type | SOCK_CLOEXEC, protocol));
}

static int socket_inet(void)
{
	return make_socket(AF_INET, SOCK_STREAM, 0);
}

static int socket_inet6(void)
{
	return make_socket(AF_INET6, SOCK_DGRAM, 0);
}

static int socket_netlink(void)
{
	return make_socket(AF_NETLINK, SOCK_RAW, 0);
}

static int socket_packet(void)
{
	return make_socket(AF_PACKET, SOCK_RAW, 0);
}

static int socket_vsock(void)
{
	return make_socket(AF_VSOCK, SOCK_STREAM, 0);
}

static int socket_unix(void)
{
	return make_socket(AF_UNIX, SOCK_STREAM, 0);
}

static int pairs[2];
ATTEMPT(socket_pair, SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pairs);

/* Doors into the kernel. */

static char large[256];
ATTEMPT(uring, SYS_io_uring_setup, 1, large);
ATTEMPT(uring_enter, SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0);
ATTEMPT(keys, SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1);
ATTEMPT(add_key, SYS_add_key, "user", "attempt", "x", 1, KEY_SPEC_PROCESS_KEYRING);
ATTEMPT(request_key, SYS_request_key, "user", "attempt", NULL, KEY_SPEC_PROCESS_KEYRING);
static union bpf_attr map = {
	.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
ATTEMPT(bpf_map, SYS_bpf, BPF_MAP_CREATE, &map, sizeof(map));
static struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE,
	.size = sizeof(event),
	.config = PERF_COUNT_SW_TASK_CLOCK,
	.exclude_kernel = 1};
ATTEMPT(perf, SYS_perf_event_open, &event, 0, -1, -1, 0);
ATTEMPT(page_faults, SYS_userfaultfd, O_CLOEXEC);
ATTEMPT(load_module, SYS_finit_module, -1, "", 0);
ATTEMPT(load_kernel, SYS_kexec_load, 0, ~0ul, NULL, ~0ul);
ATTEMPT(restart_machine, SYS_reboot, 0, 0, 0, NULL); /* wrong magic numbers */
ATTEMPT(read_log, SYS_syslog, 10, NULL, 0);
ATTEMPT(set_clock, SYS_clock_settime, CLOCK_MONOTONIC, &(struct timespec){}); /* cannot be set */
ATTEMPT(new_filter, SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &(uint32_t){SECCOMP_RET_ALLOW});

/* Namespaces and mounts. */

ATTEMPT(own_users, SYS_unshare, CLONE_NEWUSER);
ATTEMPT(own_network, SYS_unshare, CLONE_NEWNET);
ATTEMPT(join_namespace, SYS_setns, 0, 0);
ATTEMPT(mount_bind, SYS_mount, "/", "/attempt-no-such-folder", NULL, 4096ul, NULL);
ATTEMPT(unmount, SYS_umount2, "/attempt-no-such-folder", 0);
ATTEMPT(open_tree, SYS_open_tree, AT_FDCWD, "/", 0);
ATTEMPT(open_fs, SYS_fsopen, "tmpfs", 1);
ATTEMPT(new_root, SYS_chroot, "/");
ATTEMPT(turn_root, SYS_pivot_root, "/attempt-no-such-folder", "/attempt-no-such-folder");

/* ioctl(), of which nobody has more than he needs. */

ATTEMPT(type_in, SYS_ioctl, 0, TIOCSTI, "x");
ATTEMPT(select_console, SYS_ioctl, 0, TIOCLINUX, "\x06");
ATTEMPT(terminal, SYS_ioctl, 0, TCGETS, large);
ATTEMPT(take_terminal, SYS_ioctl, 0, TIOCSCTTY, 0);
ATTEMPT(any_ioctl, SYS_ioctl, 0, 0xdeadbeef, large);

/* New code. */

ATTEMPT(map_code, SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
ATTEMPT(map_all, SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

static char page[8192] __attribute__((aligned(4096)));
ATTEMPT(turn_into_code, SYS_mprotect, page, 4096, PROT_READ | PROT_EXEC);
ATTEMPT(turn_with_key, SYS_pkey_mprotect, page, 4096, PROT_READ | PROT_EXEC, -1);
ATTEMPT(turn_personality, SYS_personality, READ_IMPLIES_EXEC);
ATTEMPT(any_personality, SYS_personality, ADDR_NO_RANDOMIZE);
ATTEMPT(secret_memory, SYS_memfd_secret, 0);
ATTEMPT(memory_file, SYS_memfd_create, "attempt", MFD_CLOEXEC);
ATTEMPT(shared_memory, SYS_shmget, IPC_PRIVATE, 0, 0);
ATTEMPT(attach_memory, SYS_shmat, -1, NULL, SHM_EXEC);

/* Who one is, and what the kernel lets others do to one. */

ATTEMPT(become_root, SYS_setuid, 0);
ATTEMPT(become_anybody, SYS_setresuid, -1, -1, -1);
ATTEMPT(change_group, SYS_setresgid, -1, -1, -1);
ATTEMPT(change_groups, SYS_setgroups, 0, NULL);
static struct __user_cap_header_struct cap_header = {.version = _LINUX_CAPABILITY_VERSION_3};
static struct __user_cap_data_struct cap_data[_LINUX_CAPABILITY_U32S_3];
ATTEMPT(change_capabilities, SYS_capset, &cap_header, cap_data);
ATTEMPT(dumpable, SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
ATTEMPT(outlive, SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0);
ATTEMPT(tracer, SYS_prctl, PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
ATTEMPT(raise_limit, SYS_prlimit64, 0, RLIMIT_CORE, &(struct rlimit){}, NULL);
ATTEMPT(own_session, SYS_setsid);
ATTEMPT(first_in_line, SYS_sched_setscheduler, 0, 0, &(int){0});
ATTEMPT(handle_signal, SYS_rt_sigaction, SIGSYS, NULL, NULL, 8);

/* The same calls by other numbers: a filter that looks at numbers alone lets them through. */

#ifdef __x86_64__
static int by_x32(void)
{
	return attempt_outcome_of(syscall(0x40000000 | SYS_getuid));
}

static int by_i386(void)
{
	long r = 24; /* getuid */

	__asm__ volatile("int $0x80" : "+a"(r)::"memory", "r8", "r9", "r10", "r11");
	return r < 0 ? (int)r : 0;
}
#endif
ATTEMPT(unknown_number, 0x3fffffff);

const struct attempt attempts[] = {
	{"run a program", run},
	{"run a program, execveat", run_at},
	{"run a program out of memory", run_memory},
	{"fork", fork_plain},
	{"fork, clone3", fork_clone3},
	{"fork into a user namespace", fork_user},
	{"start a thread", start_thread},

	{"be traced", trace_me},
	{"trace the parent", trace_parent},
	{"read the parent's memory", read_parent},
	{"write the parent's memory", write_parent},
	{"hold the parent", hold_parent},
	{"take a descriptor of another", take_fd},
	{"compare with the parent", compare},
	{"limit the parent", limit_parent},

	{"signal the parent", kill_parent},
	{"signal process 1", kill_init},
	{"signal everybody", kill_all},
	{"signal the parent, tkill", tkill_parent},
	{"signal the parent, tgkill", tgkill_parent},
	{"signal the parent, sigqueue", queue_parent},
	{"signal by pidfd", pidfd_signal},

	{"read /etc/passwd", read_passwd},
	{"read /etc/shadow", read_shadow},
	{"list /", list_root},
	{"make a file", make_file},
	{"write /proc/self/mem", write_mem},
	{"read /proc/1/mem", read_parents_mem},
	{"open /dev/null", open_null},
	{"open /dev/ptmx", open_terminal},
	{"read /etc/passwd, openat2", open_how},
	{"open by handle", open_handle},
	{"stat /etc/passwd", stat_passwd},
	{"remove a file", remove_file},
	{"rename a file", rename_file},
	{"make a folder", make_folder},
	{"make a device node", make_node},
	{"make a link", make_link},
	{"change a file's mode", change_mode},
	{"change a file's owner", change_owner},
	{"cut a file", cut_file},
	{"go to another folder", go_home},
	{"watch all files", watch_files},

	{"inet socket", socket_inet},
	{"inet6 socket", socket_inet6},
	{"netlink socket", socket_netlink},
	{"packet socket", socket_packet},
	{"vsock socket", socket_vsock},
	{"unix socket", socket_unix},
	{"pair of sockets", socket_pair},

	{"io_uring_setup", uring},
	{"io_uring_enter", uring_enter},
	{"keyctl", keys},
	{"add_key", add_key},
	{"request_key", request_key},
	{"bpf", bpf_map},
	{"perf_event_open", perf},
	{"userfaultfd", page_faults},
	{"load a kernel module", load_module},
	{"load a kernel", load_kernel},
	{"restart the machine", restart_machine},
	{"read the kernel's log", read_log},
	{"set the clock", set_clock},
	{"ask for filters", new_filter},

	{"unshare users", own_users},
	{"unshare the network", own_network},
	{"join a namespace", join_namespace},
	{"mount", mount_bind},
	{"unmount", unmount},
	{"open_tree", open_tree},
	{"fsopen", open_fs},
	{"chroot", new_root},
	{"pivot_root", turn_root},

	{"ioctl TIOCSTI", type_in},
	{"ioctl TIOCLINUX", select_console},
	{"ioctl TCGETS", terminal},
	{"ioctl TIOCSCTTY", take_terminal},
	{"ioctl of no number known", any_ioctl},

	{"map executable memory", map_code},
	{"map writable and executable memory", map_all},
	{"make memory executable", turn_into_code},
	{"make memory executable, pkey_mprotect", turn_with_key},
	{"make what is readable executable", turn_personality},
	{"another personality", any_personality},
	{"secret memory", secret_memory},
	{"memfd_create", memory_file},
	{"shared memory of System V", shared_memory},
	{"attach executable shared memory", attach_memory},

	{"setuid 0", become_root},
	{"setresuid", become_anybody},
	{"setresgid", change_group},
	{"setgroups", change_groups},
	{"capset", change_capabilities},
	{"become dumpable", dumpable},
	{"outlive the parent", outlive},
	{"allow to be traced", tracer},
	{"change a limit", raise_limit},
	{"session of its own", own_session},
	{"scheduling", first_in_line},
	{"signal handler", handle_signal},

#ifdef __x86_64__
	{"getuid by its x32 number", by_x32},
	{"getuid by its i386 number", by_i386},
#endif
	{"a number of no call", unknown_number},
};

const size_t attempts_n = ARRAY_SIZE(attempts);

int attempt_in_child(const struct attempt *attempt, int (*confine)(void *data), void *data)
{
	pid_t pid;
	int status;

	fflush(NULL);
	attempts_victim = getpid();
	pid = fork();
	if (pid == 0) {
		static const struct rlimit no_core;

		setrlimit(RLIMIT_CORE, &no_core);
		if (confine && confine(data) != 0)
			abort();
		syscall(SYS_exit_group, -attempt->make());
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return ATTEMPT_BROKEN;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return WTERMSIG(status) == SIGSYS ? ATTEMPT_KILLED : ATTEMPT_BROKEN | WTERMSIG(status);
}

const char *attempt_outcome_name(int outcome)
{
	static char text[32];

	if (outcome == ATTEMPT_THROUGH)
		return "through";
	if (outcome == ATTEMPT_KILLED)
		return "SIGSYS";
	if (outcome & ATTEMPT_BROKEN) {
		snprintf(text, sizeof(text), "broken: signal %d", outcome & ~ATTEMPT_BROKEN);
		return text;
	}
	return strerrorname_np(outcome) ? strerrorname_np(outcome) : "no errno";
}

int attempt_judge(const struct attempt *attempt, int outcome, const struct attempt_outcome *others,
	size_t n)
{
	int expected = ATTEMPT_KILLED;
	const char *why = "";

	for (size_t i = 0; i < n; i++) {
		if (strcmp(others[i].name, attempt->name) != 0)
			continue;
		expected = others[i].outcome;
		why = others[i].why;
	}
	printf("%-40s %-10s %s\n", attempt->name, attempt_outcome_name(outcome), why);
	fflush(stdout); /* who asks may be about to end without further ado */
	if (outcome == expected)
		return 0;
	fprintf(stderr, "%s: %s", attempt->name, attempt_outcome_name(outcome));
	fprintf(stderr, ", expected %s\n", attempt_outcome_name(expected));
	return 1;
}
