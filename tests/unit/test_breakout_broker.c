// SPDX-License-Identifier: MIT
/*
 * Somebody who has taken over the broker tries to get out: inside the same filter and the same
 * rules for files as the broker's, each attempt in a process of its own.
 */
#include <check.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __x86_64__
#include <asm/ldt.h>
#include <asm/prctl.h>
#endif

#include "daemon/broker.h"
#include "daemon/confine.h"
#include "protocol/wire.h"
#include "tests/integration/attempts.h"
#include "tests/suite.h"
#include "tests/unit/tree.h"

#define NUMBERS    512 /* all system calls have lower ones: Linux 6.18 has less than 470 */
#define UPPER_HALF (1ul << 32)

static struct broker_options options;
static struct broker broker;
static char secret[256], policy_file[256], fresh[256], beside[256], node[256];
static char policy[256], coredumps[256], listens[256], dev[256];

static void place(char out[256], const char *path)
{
	snprintf(out, 256, "%s", tree_path(path));
}

static void set_up(void)
{
	static const char text[] = "{\"version\": 1, \"rules\": []}";
	struct policy_note error;

	tree_start();
	tree_make_folder("policy.d");
	tree_make_folder("dev");
	tree_make_folder("run");
	tree_write("policy.d/a.json", text);
	tree_write("secret", "secret");
	tree_write("dev/fastrpc-cdsp", "");
	place(policy, "policy.d");
	place(coredumps, "coredumps");
	place(listens, "run/broker.sock");
	place(dev, "dev");
	place(secret, "secret");
	place(policy_file, "policy.d/a.json");
	place(fresh, "policy.d/b.json");
	place(beside, "run/new");
	place(node, "dev/fastrpc-cdsp");
	options = (struct broker_options){
		.policy_dir = policy,
		.coredumps = coredumps,
		.socket = listens,
		.sysfs = "/sys",
		.dev = dev,
	};
	broker = (struct broker){.options = &options};
	ck_assert_int_eq(policy_parse(&broker.device_policy, "test", text, strlen(text), &error,
				 NULL, NULL),
		0);
}

static void tear_down(void)
{
	policy_unref(broker.device_policy);
	tree_stop();
}

static pid_t self;

/* As whoever runs the tests: where that is root, no mode of a file stops anybody. */
static int enter(void *data)
{
	(void)data;
	self = getpid();
	return confine_broker(&broker);
}

/* What is not among everybody's attempts. */

/* What this machine does not have is as good as refused. */
static int open_if_any(const char *path, int flags)
{
	int r = attempt_outcome_of(syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC));

	return r == -ENOENT ? -EACCES : r;
}

#define OPEN(function, path, flags)              \
	static int function(void)                \
	{                                        \
		return open_if_any(path, flags); \
	}                                        \
	static int function(void)

static char large[4096] __attribute__((aligned(4096)));

OPEN(read_secret, secret, O_RDONLY);
OPEN(read_policy, policy_file, O_RDONLY);
OPEN(write_policy, policy_file, O_WRONLY);
OPEN(cut_policy, policy_file, O_RDONLY | O_TRUNC);
OPEN(open_node, node, O_RDWR);
OPEN(open_mem, "/dev/mem", O_RDWR);
OPEN(open_zero, "/dev/zero", O_RDWR);
OPEN(list_home, "/root", O_RDONLY | O_DIRECTORY);
OPEN(list_tmp, "/tmp", O_RDONLY | O_DIRECTORY);
OPEN(list_processes, "/proc", O_RDONLY | O_DIRECTORY);
OPEN(read_maps, "/proc/self/maps", O_RDONLY);
OPEN(read_environment, "/proc/1/environ", O_RDONLY);
OPEN(set_handler, "/proc/sys/kernel/core_pattern", O_WRONLY);
OPEN(trigger, "/proc/sysrq-trigger", O_WRONLY);
OPEN(write_kernel, "/sys/kernel/uevent_helper", O_WRONLY);
OPEN(write_module, "/sys/module/kernel/parameters/panic", O_WRONLY);
ATTEMPT(make_policy, SYS_openat, AT_FDCWD, fresh, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
ATTEMPT(make_beside, SYS_openat, AT_FDCWD, beside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
ATTEMPT(remove_policy, SYS_unlinkat, AT_FDCWD, policy_file, 0);
ATTEMPT(attribute, SYS_setxattr, policy_file, "user.attempt", "x", 1, 0);
ATTEMPT(hard_link, SYS_linkat, AT_FDCWD, policy_file, AT_FDCWD, beside, 0);

static const struct sockaddr_un nowhere = {AF_UNIX, "/tmp/attempt-no-such-socket"};
ATTEMPT(bind_socket, SYS_bind, 0, &nowhere, sizeof(nowhere));
ATTEMPT(listen_socket, SYS_listen, 0, 1);
ATTEMPT(connect_socket, SYS_connect, 0, &nowhere, sizeof(nowhere));
ATTEMPT(socket_number, SYS_socket, AF_INET | UPPER_HALF, SOCK_STREAM, 0);
ATTEMPT(pair_number, SYS_socketpair, AF_INET | UPPER_HALF, SOCK_STREAM, 0, large);
ATTEMPT(name_socket, SYS_getsockname, 0, large, large + 128);

ATTEMPT(fork_old, SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
ATTEMPT(fork_number, SYS_clone, UPPER_HALF | SIGCHLD, 0, 0, 0, 0);
ATTEMPT(fork_sharing, SYS_clone, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | SIGCHLD,
	large + sizeof(large), 0, 0, 0);
#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
ATTEMPT(thread_in_users, SYS_clone, THREAD | CLONE_NEWUSER, large + sizeof(large), 0, 0, 0);
ATTEMPT(thread_in_network, SYS_clone, THREAD | CLONE_NEWNET, large + sizeof(large), 0, 0, 0);

ATTEMPT(type_in_number, SYS_ioctl, 0, TIOCSTI | UPPER_HALF, "x");
ATTEMPT(count_bytes, SYS_ioctl, 0, FIONREAD, large);
ATTEMPT(file_flags, SYS_ioctl, 0, FS_IOC_GETFLAGS, large);
ATTEMPT(set_flags, SYS_ioctl, 0, FS_IOC_SETFLAGS, large);
ATTEMPT(copy_file, SYS_ioctl, 0, FICLONE, 0);
ATTEMPT(freeze, SYS_ioctl, 0, FIFREEZE, 0);
ATTEMPT(close_on_exec, SYS_ioctl, 0, FIOCLEX);
ATTEMPT(nonblocking, SYS_ioctl, 0, FIONBIO, large);
ATTEMPT(asynchronous, SYS_ioctl, 0, FIOASYNC, large);
ATTEMPT(owner_of, SYS_ioctl, 0, 0x8901 /* FIOSETOWN */, large);

ATTEMPT(code_number, SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC | UPPER_HALF,
	MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
ATTEMPT(write_code, SYS_mprotect, large, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
ATTEMPT(remap_pages, SYS_remap_file_pages, large, 4096, PROT_EXEC, 0, 0);
#ifdef __x86_64__
ATTEMPT(load_library, SYS_uselib, "/bin/true");
ATTEMPT(code_segment, SYS_modify_ldt, 1, &(struct user_desc){}, sizeof(struct user_desc));
ATTEMPT(thread_pointer, SYS_arch_prctl, ARCH_GET_FS, large);
ATTEMPT(ports, SYS_iopl, 3);
#endif

/* A descriptor's owner gets signals as well, and nobody calls kill() for that. */
ATTEMPT(own_signal, SYS_fcntl, 0, F_SETSIG, SIGKILL);
ATTEMPT(own_file, SYS_fcntl, 0, F_SETOWN, attempts_victim);
ATTEMPT(own_file_number, SYS_fcntl, 0, F_SETOWN | UPPER_HALF, attempts_victim);
ATTEMPT(notice, SYS_fcntl, 0, F_NOTIFY, DN_CREATE);
ATTEMPT(lease, SYS_fcntl, 0, F_SETLEASE, F_RDLCK);
ATTEMPT(signal_thread, SYS_tgkill, attempts_victim, attempts_victim, SIGWINCH);
ATTEMPT(signal_own_thread, SYS_tgkill, self, self, 0);
ATTEMPT(signal_group, SYS_kill, 0, 0);
ATTEMPT(queue_thread, SYS_rt_tgsigqueueinfo, attempts_victim, attempts_victim, SIGWINCH, large);

ATTEMPT(ambient, SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 0, 0, 0);
ATTEMPT(filter_again, SYS_prctl, PR_SET_SECCOMP, 1, 0, 0, 0);
ATTEMPT(strict, SYS_seccomp, 0, 0, NULL);
ATTEMPT(landlock_again, SYS_landlock_create_ruleset, NULL, 0, 1);
ATTEMPT(wait_for, SYS_wait4, -1, NULL, WNOHANG, NULL);
ATTEMPT(splice_out, SYS_vmsplice, 1, NULL, 0, 0);
ATTEMPT(queue, SYS_mq_open, "/attempt", O_RDWR, 0, NULL);

static const struct attempt own[] = {
	{"read a file beside its own", read_secret},
	{"read its policy", read_policy},
	{"write its policy", write_policy},
	{"cut its policy", cut_policy},
	{"make a policy file", make_policy},
	{"remove a policy file", remove_policy},
	{"make a file beside its socket", make_beside},
	{"open a DSP's node by itself", open_node},
	{"open /dev/mem", open_mem},
	{"open /dev/zero", open_zero},
	{"list /root", list_home},
	{"list /tmp", list_tmp},
	{"list /proc", list_processes},
	{"read /proc/self/maps", read_maps},
	{"read /proc/1/environ", read_environment},
	{"write core_pattern", set_handler},
	{"write sysrq-trigger", trigger},
	{"write uevent_helper", write_kernel},
	{"write a parameter of the kernel", write_module},
	{"extended attribute", attribute},
	{"hard link", hard_link},

	{"bind", bind_socket},
	{"listen", listen_socket},
	{"connect", connect_socket},
	{"inet socket, upper half", socket_number},
	{"pair of inet sockets, upper half", pair_number},
	{"getsockname", name_socket},

	{"vfork", fork_old},
	{"fork, upper half", fork_number},
	{"fork that shares all", fork_sharing},
	{"thread in a user namespace", thread_in_users},
	{"thread in a network namespace", thread_in_network},

	{"ioctl TIOCSTI, upper half", type_in_number},
	{"ioctl FIONREAD", count_bytes},
	{"ioctl FS_IOC_GETFLAGS", file_flags},
	{"ioctl FS_IOC_SETFLAGS", set_flags},
	{"ioctl FICLONE", copy_file},
	{"ioctl FIFREEZE", freeze},
	{"ioctl FIOCLEX", close_on_exec},
	{"ioctl FIONBIO", nonblocking},
	{"ioctl FIOASYNC", asynchronous},
	{"ioctl FIOSETOWN", owner_of},

	{"map executable memory, upper half", code_number},
	{"make memory writable and executable", write_code},
	{"remap_file_pages", remap_pages},
#ifdef __x86_64__
	{"uselib", load_library},
	{"modify_ldt", code_segment},
	{"arch_prctl", thread_pointer},
	{"iopl", ports},
#endif

	{"fcntl F_SETSIG", own_signal},
	{"fcntl F_SETOWN", own_file},
	{"fcntl F_SETOWN, upper half", own_file_number},
	{"fcntl F_NOTIFY", notice},
	{"fcntl F_SETLEASE", lease},
	{"signal the parent's thread", signal_thread},
	{"signal a thread of its own", signal_own_thread},
	{"signal its group", signal_group},
	{"signal the parent's thread, sigqueue", queue_thread},

	{"raise an ambient capability", ambient},
	{"strict mode, prctl", filter_again},
	{"strict mode, seccomp", strict},
	{"Landlock rules of its own", landlock_again},
	{"wait for children", wait_for},
	{"vmsplice", splice_out},
	{"message queue", queue},
};

/* What does not end the process, and why that is no way out. */
#define BY_LANDLOCK EACCES, "no rule of Landlock names it"
static const struct attempt_outcome others[] = {
	{"read /etc/passwd", BY_LANDLOCK},
	{"read /etc/shadow", BY_LANDLOCK},
	{"list /", BY_LANDLOCK},
	{"make a file", BY_LANDLOCK},
	{"write /proc/self/mem", BY_LANDLOCK},
	{"read /proc/1/mem", BY_LANDLOCK},
	{"open /dev/null", BY_LANDLOCK},
	{"open /dev/ptmx", BY_LANDLOCK},
	{"read a file beside its own", BY_LANDLOCK},
	{"write its policy", BY_LANDLOCK},
	{"cut its policy", BY_LANDLOCK},
	{"make a policy file", BY_LANDLOCK},
	{"remove a policy file", BY_LANDLOCK},
	{"make a file beside its socket", BY_LANDLOCK},
	{"open a DSP's node by itself", BY_LANDLOCK},
	{"open /dev/mem", BY_LANDLOCK},
	{"open /dev/zero", BY_LANDLOCK},
	{"list /root", BY_LANDLOCK},
	{"list /tmp", BY_LANDLOCK},
	{"list /proc", BY_LANDLOCK},
	{"read /proc/self/maps", BY_LANDLOCK},
	{"read /proc/1/environ", BY_LANDLOCK},
	{"write core_pattern", BY_LANDLOCK},
	{"write sysrq-trigger", BY_LANDLOCK},
	{"write uevent_helper", BY_LANDLOCK},
	{"write a parameter of the kernel", BY_LANDLOCK},

	{"read its policy", ATTEMPT_THROUGH, "that is what it is for"},
	{"stat /etc/passwd", ATTEMPT_THROUGH, "no file's content"},
	{"remove a file", ENOENT, "there is none; Landlock refuses one that is there"},
	{"rename a file", ENOENT, "likewise"},
	{"make a folder", ENOENT, "likewise"},
	{"fork, clone3", ENOSYS, "so that the C library takes clone()"},
	{"start a thread", ATTEMPT_THROUGH, "it has threads"},
	{"memfd_create", ATTEMPT_THROUGH, "rings and buffers; it cannot be executed"},
	{"signal handler", ATTEMPT_THROUGH, "signals interrupt its threads"},
	{"signal a thread of its own", ATTEMPT_THROUGH, "likewise"},
	/* The last: only where the kernel does not hold on to who connected. */
	{"hold the parent", ATTEMPT_THROUGH, "who a client is; nothing can be sent by it"},
};

START_TEST(no_attempt_gets_anywhere)
{
	const struct attempt *attempt =
		_i < (int)attempts_n ? &attempts[_i] : &own[_i - (int)attempts_n];

	ck_assert_int_eq(attempt_judge(attempt, attempt_in_child(attempt, enter, NULL), others,
				 ARRAY_SIZE(others) - identity_has_peer_pidfd()),
		0);
}
END_TEST

/* An attempt that could not succeed anyhow would show nothing. */
START_TEST(without_the_confinement_its_own_files_could_be_had)
{
	static const struct attempt possible[] = {
		{"read a file beside its own", read_secret},
		{"write its policy", write_policy},
		{"make a policy file", make_policy},
		{"open a DSP's node by itself", open_node},
		{"fcntl F_SETOWN", own_file},
	};

	for (size_t i = 0; i < ARRAY_SIZE(possible); i++)
		ck_assert_int_eq(attempt_in_child(&possible[i], NULL, NULL), ATTEMPT_THROUGH);
}
END_TEST

/* The list. */

/* The first one is of every broker, whatever it is built with and started with. */
#define OWN_TABLES 1

/* tests/calls reads this. */
static void print_rule(const char *name, const struct filter_rule *rule, bool of_all)
{
	char value[32] = "-";

	if (rule->arg.op && rule->arg.arg == 1)
		snprintf(value, sizeof(value), "%#x", (unsigned int)rule->arg.datum_b);
	printf("%s %-16s %-10s %s\n",
		rule->error ? "refused"
		: of_all    ? "always "
			    : "some   ",
		name, value, rule->why);
}

static bool is_named(const struct confine_tables *all, int number, bool print)
{
	_cleanup_(freep) char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
	bool found = false;

	for (size_t t = 0; t < all->n; t++)
		for (size_t i = 0; i < all->tables[t].n; i++) {
			const struct filter_rule *rule = &all->tables[t].rules[i];

			if (rule->number != number)
				continue;
			found = true;
			if (print)
				print_rule(name, rule, t < OWN_TABLES);
		}
	return found;
}

static bool is_refused(const struct confine_tables *all, int number)
{
	for (size_t t = 0; t < all->n; t++)
		for (size_t i = 0; i < all->tables[t].n; i++)
			if (all->tables[t].rules[i].number == number)
				return all->tables[t].rules[i].error;
	return false;
}

START_TEST(the_list_of_system_calls_has_as_many_as_the_broker_tells)
{
	struct confine_tables all;
	uint32_t n = 0;

	confine_tables(&all, &options);
	for (int number = 0; number < NUMBERS; number++)
		n += is_named(&all, number, true) && !is_refused(&all, number);
	printf("%u system calls\n", n);
	fflush(stdout);
	ck_assert_uint_eq(n, confine_count_calls(&all));
}
END_TEST

/* seccomp passes by what only a probe's own code can call (kernel/seccomp.c since Linux 6.14); from
 * elsewhere it ends the process by another signal, or fails. */
static bool is_probe(int number)
{
#ifdef __x86_64__
	return number == 335 || number == 336;
#else
	(void)number;
	return false;
#endif
}

static int number;

static int make_call(void)
{
	return attempt_outcome_of(syscall(number, 0, 0, 0, 0, 0, 0));
}

START_TEST(every_other_number_ends_it)
{
	const struct attempt attempt = {"a system call", make_call};
	struct confine_tables all;

	confine_tables(&all, &options);
	for (number = 0; number < NUMBERS; number++)
		if (!is_named(&all, number, false) && !is_probe(number))
			ck_assert_int_eq(attempt_in_child(&attempt, enter, NULL), ATTEMPT_KILLED);
}
END_TEST

/* A build with sanitizers allows what those need. */
static void add_attempts(TCase *tcase)
{
	if (FILTER_SANITIZED) {
		puts("not run: attempts, as sanitizers need more than the broker");
		return;
	}
	tcase_add_loop_test(tcase, no_attempt_gets_anywhere, 0,
		(int)(attempts_n + ARRAY_SIZE(own)));
	tcase_add_test(tcase, without_the_confinement_its_own_files_could_be_had);
	tcase_add_test(tcase, every_other_number_ends_it);
}

static Suite *suite(void)
{
	Suite *suite = suite_create("breakout of the broker");
	TCase *tcase = tcase_create("breakout"), *list = tcase_create("list");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	add_attempts(tcase);
	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(list, set_up, tear_down);
	tcase_add_test(list, the_list_of_system_calls_has_as_many_as_the_broker_tells);
	suite_add_tcase(suite, list);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
