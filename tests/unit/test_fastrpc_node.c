// SPDX-License-Identifier: MIT
/* What of FastRPC's nodes needs no DSP: whom an open one belongs to, and where memory lies. */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <misc/fastrpc.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "daemon/broker.h"
#include "daemon/opener.h"
#include "daemon/transport/fastrpc/misc/node.h"
#include "daemon/transport/fastrpc/window.h"
#include "protocol/util.h"
#include "tests/emulated.h"
#include "tests/fds.h"
#include "tests/suite.h"
#include "tests/unit/nodes_rig.h"

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

static struct opener *opener;

static void set_up_opener(void)
{
	struct broker_options options = {.allow_unconfined = emulated()};

	if (!nodes_start())
		exit(EXIT_SUCCESS);
	options.dev = nodes_dev();
	ck_assert_int_eq(opener_new(&opener, &options), 0);
	set_up();
}

static int open_node(struct node *node, const char *name)
{
	const struct node_place place = {.opener = opener, .name = name};

	return misc_driver.open(node, &place);
}

static void tear_down_opener(void)
{
	tear_down();
	opener_free(opener);
	nodes_stop();
}

START_TEST(an_open_node_is_ours_and_was_opened_by_another)
{
	struct node node;
	pid_t owner;

	ck_assert_int_eq(open_node(&node, "fastrpc-null"), 0);
	ck_assert_int_eq(fcntl(node.fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(node.fd, F_GETFL) & O_ACCMODE, O_RDWR);
	ck_assert_int_eq(write(node.fd, "x", 1), 1);
	owner = node.owner;
	ck_assert_int_ne(owner, getpid());
	nodes_await_end(owner);
	ck_assert_int_eq(nodes_state(owner), 'Z');
	misc_driver.close(&node);
	ck_assert_int_eq(node.fd, -1);
	ck_assert_int_eq(nodes_state(owner), 0);
	misc_driver.close(&node);
}
END_TEST

START_TEST(what_cannot_be_opened_leaves_nothing)
{
	struct node node;

	ck_assert_int_eq(open_node(&node, "fastrpc-nowhere"), -ENOENT);
	ck_assert_int_eq(node.fd, -1);
	ck_assert_int_eq(node.owner, 0);
	ck_assert_ptr_null(node.opener);
	misc_driver.close(&node);
}
END_TEST

START_TEST(a_node_outlives_the_process_that_opens_nodes)
{
	struct node node;

	ck_assert_int_eq(open_node(&node, "fastrpc-null"), 0);
	ck_assert_int_eq(kill(opener_pid(opener), SIGKILL), 0);
	ck_assert_int_eq(write(node.fd, "x", 1), 1);
	misc_driver.close(&node);
	ck_assert_int_eq(open_node(&node, "fastrpc-null"), -ESHUTDOWN);
	ck_assert_int_eq(node.fd, -1);
}
END_TEST

/* Results, as a filter of system calls makes them. */

static void install(struct sock_filter *filter, size_t n)
{
	const struct sock_fprog program = {.len = (unsigned short)n, .filter = filter};

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

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
	struct node node = {.driver = &misc_driver, .fd = fd};

	return node_invoke(&node, 17, FASTRPC_SCALARS(2, 0, 0), NULL);
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
	struct node node = {.driver = &misc_driver, .fd = fd};
	uint32_t values[FASTRPC_ATTRIBUTES];
	struct node_buffer buffer;
	uint64_t remote = 1;
	int dmabuf = -1;

	ck_assert_int_eq(invoke(fd).error, -ENOTTY);
	ck_assert_int_eq(misc_driver.attach(&node, true).error, -ENOTTY);
	ck_assert_int_eq(misc_driver.create(&node, fd, PAGE, 0).error, -ENOTTY);
	ck_assert_int_eq(misc_driver.create_static(&node, "audiopd").error, -ENOTTY);
	ck_assert_int_eq(misc_driver.grow(&node, PAGE, &remote).error, -ENOTTY);
	ck_assert_int_eq(remote, 0);
	ck_assert_int_eq(misc_driver.shrink(&node, 0, PAGE).error, -ENOTTY);
	ck_assert_int_eq(misc_alloc(fd, PAGE, &dmabuf), -ENOTTY);
	ck_assert_int_eq(dmabuf, -1);
	ck_assert_int_eq(misc_driver.attributes(&node, 3, values), -ENOTTY);
	ck_assert_int_eq(invoke(-1).error, -EBADF);
	/* Then the kernel maps it with each call. */
	ck_assert_int_eq(misc_driver.map(&node, fd, PAGE, true, &buffer), 0);
	ck_assert(!buffer.kept);
	ck_assert_int_eq(misc_driver.unmap(&node, &buffer), 0);
}
END_TEST

/* The kernel would read it at that address of its own memory. */
START_TEST(a_shell_that_is_in_no_buffer_is_not_handed_to_the_kernel)
{
	_cleanup_(fd_closep) int fd = open(NODE, O_RDWR | O_CLOEXEC);
	struct node node = {.driver = &misc_driver, .fd = fd};

	ck_assert_int_eq(misc_driver.create(&node, -1, PAGE, 0).error, -EINVAL);
	ck_assert_int_eq(misc_driver.create(&node, 0, PAGE, 0).error, -EINVAL);
	ck_assert_int_eq(misc_driver.create(&node, fd, 0, 0).error, -EINVAL);
	ck_assert_int_eq(misc_driver.create(&node, fd, UINT32_MAX, 0).error, -EINVAL);
}
END_TEST

START_TEST(the_list_of_requests_has_each_once)
{
	const struct filter_rule *rules = misc_calls.rules;

	ck_assert_uint_gt(misc_calls.n, 0);
	for (size_t i = 0; i < misc_calls.n; i++) {
		ck_assert_ptr_nonnull(rules[i].why);
		if (rules[i].number != SCMP_SYS(ioctl))
			continue;
		ck_assert_uint_eq(rules[i].arg.arg, 1);
		ck_assert_uint_eq(rules[i].arg.datum_a, UINT32_MAX);
		for (size_t j = 0; j < i; j++)
			ck_assert(rules[i].arg.datum_b != rules[j].arg.datum_b);
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

	tcase_add_checked_fixture(opening, set_up_opener, tear_down_opener);
	tcase_add_test(opening, an_open_node_is_ours_and_was_opened_by_another);
	tcase_add_test(opening, what_cannot_be_opened_leaves_nothing);
	tcase_add_test(opening, a_node_outlives_the_process_that_opens_nodes);
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
