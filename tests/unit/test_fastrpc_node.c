// SPDX-License-Identifier: MIT
/* What of FastRPC's nodes needs no DSP: whom an open one belongs to, and where memory lies. */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "daemon/transport/fastrpc/node.h"
#include "protocol/util.h"
#include "tests/fds.h"
#include "tests/suite.h"

#define NODE    "/dev/null" /* opens as any */
#define PAGE    4096
#define WINDOWS 64

static size_t fds_before;

static void set_up(void)
{
	ck_assert_int_eq(sysconf(_SC_PAGESIZE), PAGE);
	fds_before = count_fds(getpid());
}

static void tear_down(void)
{
	ck_assert_uint_eq(count_fds(getpid()), fds_before);
}

/* Opening. */

/* Its state in /proc; 0: there is no such process. */
static char state_of(pid_t pid)
{
	char path[64], name[64], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	ck_assert_int_eq(fscanf(file, "%*d (%63[^)]) %c", name, &state), 2);
	fclose(file);
	return state;
}

/* It has no child of any kind left. */
static bool is_childless(void)
{
	return waitpid(-1, NULL, __WALL | WNOHANG) < 0 && errno == ECHILD;
}

static void wait_for_zombie(pid_t pid)
{
	siginfo_t info;

	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | __WALL), 0);
	ck_assert_int_eq(info.si_code, CLD_EXITED);
	ck_assert_int_eq(state_of(pid), 'Z');
}

START_TEST(an_open_node_is_ours_and_was_opened_by_another)
{
	struct node node;
	struct stat st, expected;

	ck_assert_int_eq(node_open(&node, NODE), 0);
	ck_assert_int_eq(fstat(node.fd, &st), 0);
	ck_assert_int_eq(stat(NODE, &expected), 0);
	ck_assert_uint_eq(st.st_rdev, expected.st_rdev);
	ck_assert_int_eq(fcntl(node.fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(node.fd, F_GETFL) & O_ACCMODE, O_RDWR);
	ck_assert_int_eq(write(node.fd, "x", 1), 1);
	ck_assert_int_gt(node.opener, 0);
	ck_assert_int_ne(node.opener, getpid());
	node_close(&node);
	ck_assert_int_eq(node.fd, -1);
	ck_assert_int_eq(node.opener, 0);
	node_close(&node);
}
END_TEST

START_TEST(its_openers_number_is_nobodys_until_it_is_closed)
{
	struct node a, b;
	pid_t opener;

	ck_assert_int_eq(node_open(&a, NODE), 0);
	ck_assert_int_eq(node_open(&b, NODE), 0);
	ck_assert_int_ne(a.opener, b.opener);
	wait_for_zombie(a.opener);
	/* Neither one who waits for any child, nor SIGCHLD, takes it away. */
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
	ck_assert_int_eq(state_of(a.opener), 'Z');
	opener = a.opener;
	node_close(&a);
	ck_assert_int_eq(state_of(opener), 0);
	wait_for_zombie(b.opener);
	node_close(&b);
	ck_assert(is_childless());
}
END_TEST

START_TEST(its_openers_number_is_kept_when_nobody_wants_to_hear_of_children)
{
	struct node node;

	ck_assert(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
	ck_assert_int_eq(node_open(&node, NODE), 0);
	wait_for_zombie(node.opener);
	node_close(&node);
	ck_assert(is_childless());
}
END_TEST

START_TEST(what_cannot_be_opened_leaves_nothing)
{
	struct node node;

	errno = 0;
	ck_assert_int_eq(node_open(&node, "/dev/fastrpc-nowhere"), -ENOENT);
	ck_assert_int_eq(node.fd, -1);
	ck_assert_int_eq(node.opener, 0);
	ck_assert_int_eq(node_open(&node, "/"), -EISDIR);
	ck_assert(is_childless());
}
END_TEST

START_TEST(other_children_are_left_alone)
{
	struct node node;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(42);
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(node_open(&node, NODE), 0);
	node_close(&node);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(WEXITSTATUS(status), 42);
}
END_TEST

/* Threads. */

static atomic_bool over;
static sem_t finished;

static void on_signal(int signal)
{
	(void)signal;
}

static void *open_often(void *unused)
{
	for (int i = 0; i < 500; i++) {
		struct node node;

		ck_assert_int_eq(node_open(&node, NODE), 0);
		ck_assert_int_eq(write(node.fd, "x", 1), 1);
		node_close(&node);
	}
	sem_post(&finished);
	return unused;
}

static void *disturb(void *threads)
{
	while (!over)
		for (int i = 0; i < 2; i++)
			pthread_kill(((pthread_t *)threads)[i], SIGUSR1);
	return NULL;
}

START_TEST(threads_that_get_signals_open_side_by_side)
{
	const struct sigaction action = {.sa_handler = on_signal};
	pthread_t threads[2], disturber;

	ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
	ck_assert_int_eq(sem_init(&finished, 0, 0), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, open_often, NULL), 0);
	ck_assert_int_eq(pthread_create(&disturber, NULL, disturb, threads), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(sem_wait(&finished), 0);
	over = true;
	ck_assert_int_eq(pthread_join(disturber, NULL), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert(is_childless());
}
END_TEST

static void *open_one(void *node)
{
	ck_assert_int_eq(node_open(node, NODE), 0);
	return NULL;
}

START_TEST(a_node_outlives_the_thread_that_opened_it)
{
	struct node node;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, open_one, &node), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	wait_for_zombie(node.opener);
	ck_assert_int_eq(write(node.fd, "x", 1), 1);
	node_close(&node);
	ck_assert(is_childless());
}
END_TEST

START_TEST(the_signals_that_were_blocked_are_as_before)
{
	struct node node;
	sigset_t set, after;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, &set, NULL), 0);
	ck_assert_int_eq(node_open(&node, NODE), 0);
	node_close(&node);
	ck_assert_int_eq(node_open(&node, "/dev/fastrpc-nowhere"), -ENOENT);
	ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
	for (int i = 1; i < NSIG; i++)
		ck_assert_int_eq(sigismember(&after, i), i == SIGUSR2);
}
END_TEST

/* Results, as a filter of system calls makes them. */

static void install(struct sock_filter *filter, size_t n)
{
	const struct sock_fprog program = {.len = (unsigned short)n, .filter = filter};

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

START_TEST(a_process_that_may_not_be_made_is_an_error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_VFORK, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct node node;

	install(filter, ARRAY_SIZE(filter));
	ck_assert_int_eq(node_open(&node, NODE), -EACCES);
	ck_assert_int_eq(node.fd, -1);
	ck_assert_int_eq(node.opener, 0);
}
END_TEST

/* INVOKE fails with the error whose number the descriptor is. */
static void fail_calls(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FASTRPC_IOCTL_INVOKE, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_A, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	install(filter, ARRAY_SIZE(filter));
}

static struct node_result invoke(int fd)
{
	return node_invoke(fd, 17, FASTRPC_SCALARS(2, 0, 0), NULL);
}

START_TEST(a_result_is_the_kernels_if_it_has_such_an_error_and_the_dsps_otherwise)
{
	static const int kernels[] = {EINVAL, EFAULT, ENOMEM, ENOSPC, EAGAIN, EINTR, EIO, EPIPE,
		ENODEV, ENOTTY, EMSGSIZE, ETIMEDOUT, EBADF};
	bool is_kernels[4096] = {};

	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++)
		is_kernels[kernels[i]] = true;
	fail_calls();
	for (int i = 1; i < 4096; i++) {
		const struct node_result result = invoke(i);

		ck_assert_int_eq(result.error, is_kernels[i] ? -i : 0);
		ck_assert_int_eq(result.result, is_kernels[i] ? 0 : -i);
	}
	/* No error, no answer. */
	ck_assert_int_eq(invoke(0).error, 0);
	ck_assert_int_eq(invoke(0).result, 0);
}
END_TEST

START_TEST(what_is_no_such_node_fails)
{
	_cleanup_(fd_closep) int fd = open(NODE, O_RDWR | O_CLOEXEC);
	uint64_t remote = 1;
	uint32_t value;
	int dmabuf = -1;

	ck_assert_int_eq(invoke(fd).error, -ENOTTY);
	ck_assert_int_eq(node_attach(fd, true).error, -ENOTTY);
	ck_assert_int_eq(node_create(fd, NODE, sizeof(NODE), fd, 0).error, -ENOTTY);
	ck_assert_int_eq(node_create_static(fd, "audiopd").error, -ENOTTY);
	ck_assert_int_eq(node_map(fd, fd, 0, PAGE, &remote).error, -ENOTTY);
	ck_assert_int_eq(remote, 0);
	ck_assert_int_eq(node_unmap(fd, fd, 0, PAGE).error, -ENOTTY);
	ck_assert_int_eq(node_grow(fd, PAGE, &remote).error, -ENOTTY);
	ck_assert_int_eq(node_shrink(fd, 0, PAGE).error, -ENOTTY);
	ck_assert_int_eq(node_alloc(fd, PAGE, &dmabuf), -ENOTTY);
	ck_assert_int_eq(dmabuf, -1);
	ck_assert_int_eq(node_attribute(fd, 3, FASTRPC_ATTRIBUTE_ARCH, &value), -ENOTTY);
	ck_assert_int_eq(invoke(-1).error, -EBADF);
}
END_TEST

/* The kernel would read it at that address of its own memory. */
START_TEST(a_shell_that_is_in_no_buffer_is_not_handed_to_the_kernel)
{
	_cleanup_(fd_closep) int fd = open(NODE, O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(node_create(fd, NODE, sizeof(NODE), -1, 0).error, -EINVAL);
	ck_assert_int_eq(node_create(fd, NODE, sizeof(NODE), 0, 0).error, -EINVAL);
	ck_assert_int_eq(node_create(fd, NODE, 0, fd, 0).error, -EINVAL);
	ck_assert_int_eq(node_create(fd, NODE, ((size_t)1 << 32) + 1, fd, 0).error, -EINVAL);
}
END_TEST

START_TEST(the_list_of_requests_has_each_once)
{
	const struct node_ioctl *ioctls;
	size_t n;

	ioctls = node_ioctls(&n);
	ck_assert_uint_gt(n, 0);
	for (size_t i = 0; i < n; i++) {
		ck_assert_ptr_nonnull(ioctls[i].name);
		ck_assert_uint_eq(_IOC_TYPE(ioctls[i].request), 'R');
		for (size_t j = 0; j < i; j++)
			ck_assert_uint_ne(ioctls[i].request, ioctls[j].request);
	}
}
END_TEST

/* Memory. */

/* The mapping that begins there, as /proc shows it; false: none does. */
static bool find_mapping(const void *start, size_t *size, char access[5])
{
	FILE *file = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	bool found = false;
	char line[512];

	ck_assert_ptr_nonnull(file);
	while (!found && fgets(line, sizeof(line), file)) {
		ck_assert_int_eq(sscanf(line, "%lx-%lx %4s", &from, &to, access), 3);
		found = from == (uintptr_t)start;
		*size = to - from;
	}
	fclose(file);
	return found;
}

/* Does the kernel fault when it writes, or reads, there on our behalf? */
static bool can_be_written(void *address)
{
	_cleanup_(fd_closep) int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	return read(fd, address, 1) == 1;
}

static bool can_be_read(const void *address)
{
	int fds[2];
	bool can;

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	can = write(fds[1], address, 1) == 1;
	fd_close(fds[0]);
	fd_close(fds[1]);
	return can;
}

START_TEST(behind_guarded_memory_nothing_can_be_written)
{
	static const size_t sizes[] = {1, 7, 8, 100, PAGE - 1, PAGE, PAGE + 1, 10 * PAGE + 8};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct guarded memory;
		uint8_t *data, *end;

		ck_assert_int_eq(guarded_new(&memory, sizes[i]), 0);
		data = memory.data;
		end = data + (sizes[i] + 7) / 8 * 8;
		ck_assert_uint_eq(memory.size, sizes[i]);
		ck_assert_uint_eq((uintptr_t)data % 8, 0);
		ck_assert_uint_eq((uintptr_t)end % PAGE, 0);
		for (uint8_t *at = data; at < end; at++)
			ck_assert_uint_eq(*at, 0);
		memset(data, 0xff, sizes[i]);
		ck_assert(can_be_written(end - 1));
		ck_assert(!can_be_written(end));
		ck_assert(!can_be_written(end + PAGE - 1));
		guarded_free(&memory);
		ck_assert(!can_be_read(data));
		guarded_free(&memory);
	}
}
END_TEST

START_TEST(guarded_memory_may_be_none_and_cannot_be_more_than_there_is)
{
	struct guarded memory;

	ck_assert_int_eq(guarded_new(&memory, 0), 0);
	ck_assert(!can_be_written(memory.data));
	guarded_free(&memory);
	for (size_t less = 0; less < 2 * PAGE; less++) {
		ck_assert_int_eq(guarded_new(&memory, SIZE_MAX - less), -ENOMEM);
		ck_assert_ptr_null(memory.map);
	}
}
END_TEST

/* The kernel goes by the start of a mapping, so one with its neighbour would shift every argument.
 */
START_TEST(windows_side_by_side_stay_mappings_of_their_own)
{
	void *windows[WINDOWS];
	size_t size, neighbours = 0;
	char access[5];

	for (size_t i = 0; i < WINDOWS; i++) {
		windows[i] = node_window((1 + i % 3) * PAGE);
		ck_assert_ptr_nonnull(windows[i]);
	}
	for (size_t i = 0; i < WINDOWS; i++) {
		ck_assert(find_mapping(windows[i], &size, access));
		ck_assert_uint_eq(size, (1 + i % 3) * PAGE);
		ck_assert_str_eq(access, "---s");
		for (size_t j = 0; j < WINDOWS; j++)
			neighbours += (char *)windows[i] + size == (char *)windows[j];
	}
	/* Else this would have shown nothing. */
	ck_assert_uint_gt(neighbours, WINDOWS / 2);
	for (size_t i = 0; i < WINDOWS; i++)
		node_window_free(windows[i], (1 + i % 3) * PAGE);
	for (size_t i = 0; i < WINDOWS; i++)
		ck_assert(!find_mapping(windows[i], &size, access));
}
END_TEST

START_TEST(nothing_can_be_read_or_written_in_a_window)
{
	const uint64_t size = 4ull * 1024 * 1024 * 1024;
	char *window = node_window(size);

	ck_assert_ptr_nonnull(window);
	ck_assert(!can_be_written(window));
	ck_assert(!can_be_read(window));
	ck_assert(!can_be_read(window + size - 1));
	/* There is nothing behind it, either. */
	ck_assert_int_eq(mprotect(window, PAGE, PROT_READ | PROT_WRITE), 0);
	ck_assert(!can_be_written(window));
	ck_assert(!can_be_read(window));
	node_window_free(window, size);
}
END_TEST

START_TEST(there_is_no_window_larger_than_the_address_space)
{
	ck_assert_ptr_null(node_window(UINT64_MAX));
	ck_assert_ptr_null(node_window(1ull << 60));
	ck_assert_ptr_null(node_window(0));
	node_window_free(NULL, PAGE);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("FastRPC's nodes without a DSP");
	TCase *opening = tcase_create("opening"), *calling = tcase_create("calling");
	TCase *memory = tcase_create("memory");

	tcase_add_checked_fixture(opening, set_up, tear_down);
	tcase_add_test(opening, an_open_node_is_ours_and_was_opened_by_another);
	tcase_add_test(opening, its_openers_number_is_nobodys_until_it_is_closed);
	tcase_add_test(opening, its_openers_number_is_kept_when_nobody_wants_to_hear_of_children);
	tcase_add_test(opening, what_cannot_be_opened_leaves_nothing);
	tcase_add_test(opening, other_children_are_left_alone);
	tcase_add_test(opening, threads_that_get_signals_open_side_by_side);
	tcase_add_test(opening, a_node_outlives_the_thread_that_opened_it);
	tcase_add_test(opening, the_signals_that_were_blocked_are_as_before);
	tcase_add_test(opening, a_process_that_may_not_be_made_is_an_error);
	suite_add_tcase(suite, opening);
	tcase_add_checked_fixture(calling, set_up, tear_down);
	tcase_add_test(calling,
		a_result_is_the_kernels_if_it_has_such_an_error_and_the_dsps_otherwise);
	tcase_add_test(calling, what_is_no_such_node_fails);
	tcase_add_test(calling, a_shell_that_is_in_no_buffer_is_not_handed_to_the_kernel);
	tcase_add_test(calling, the_list_of_requests_has_each_once);
	suite_add_tcase(suite, calling);
	tcase_add_checked_fixture(memory, set_up, tear_down);
	tcase_add_test(memory, behind_guarded_memory_nothing_can_be_written);
	tcase_add_test(memory, guarded_memory_may_be_none_and_cannot_be_more_than_there_is);
	tcase_add_test(memory, windows_side_by_side_stay_mappings_of_their_own);
	tcase_add_test(memory, nothing_can_be_read_or_written_in_a_window);
	tcase_add_test(memory, there_is_no_window_larger_than_the_address_space);
	suite_add_tcase(suite, memory);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
