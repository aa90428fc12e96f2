// SPDX-License-Identifier: MIT
/*
 * The testbed's FastRPC is the kernel's (drivers/misc/fastrpc.c, drivers/iommu/virtio-iommu.c),
 * with a DSP behind it that does what it should. Without a broker: what is found out here is what
 * the broker has to live with.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "daemon/transport/fastrpc/abi.h"
#include "tests/kernel/cdsp.h"
#include "tests/kernel/fastrpc.h"
#include "tests/kernel/remote/dsp_errors.h"

#define SESSIONS     5   /* dsp.dts */
#define CONTEXTS     255 /* that the kernel has for the calls of a channel */
#define UNSIGNED     FASTRPC_MODE_UNSIGNED_MODULE
#define NO_DOMAIN    DSP_ERROR(13)
#define KIB          1024
#define MIB          (1024 * KIB)
#define PAGE         4096
#define LATE_PATTERN 0xdb

/* Methods of the DSP's module "bench". */
#define BENCH_NULL FASTRPC_SCALARS(2, 0, 0)
#define BENCH_SUM  FASTRPC_SCALARS(3, 1, 1)
#define BENCH_COPY FASTRPC_SCALARS(4, 1, 1)

static const char *const nodes[] = {FASTRPC_NODE, FASTRPC_NODE_SECURE};

/* A domain of its own, and the handle of its module "bench". */
static uint32_t domain(struct fastrpc_node *node)
{
	uint32_t handle;

	require_eq(fastrpc_open_by_another(node, FASTRPC_NODE), 0);
	require_eq(fastrpc_create(node, UNSIGNED), 0);
	require_eq(fastrpc_open_module(node, "bench", &handle), 0);
	return handle;
}

static void fill(uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
}

/* Nodes. */

START_TEST(its_nodes_come_and_go_with_its_channel)
{
	for (int i = 0; i < 20; i++)
		cdsp_restart();
}
END_TEST

START_TEST(a_session_is_an_open_node_and_there_are_as_many_as_the_device_tree_says)
{
	int fds[SESSIONS];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = open(nodes[i % 2], O_RDWR | O_CLOEXEC);
		require(fds[i] >= 0);
	}
	require(open(nodes[0], O_RDWR | O_CLOEXEC) < 0);
	require_eq(errno, EBUSY);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fd_close(fds[i]);
}
END_TEST

START_TEST(the_iommu_lets_the_remote_processor_at_no_memory_that_was_not_mapped)
{
	remote_refuses("peek 1 0x1000 16", "Bad address");
	require_soon(kernel_said("page fault from EP 1 at 0x1000 [R]"));
}
END_TEST

START_TEST(the_dsp_tells_its_attributes_before_there_is_a_domain)
{
	struct fastrpc_ioctl_capability capability = {
		.domain = 3, .attribute_id = FASTRPC_ATTRIBUTE_ARCH};
	struct fastrpc_node node;

	require_eq(fastrpc_open(&node, FASTRPC_NODE), 0);
	require_eq(ioctl(node.fd, FASTRPC_IOCTL_GET_DSP_INFO, &capability), 0);
	require_eq(capability.capability, 0x68);
	fastrpc_close(&node);
}
END_TEST

/* Domains. */

START_TEST(a_domain_begins_from_a_shell_file_and_nothing_else)
{
	static const char other[] = "\177ELF of something else";
	struct fastrpc_node node;

	require_eq(fastrpc_open_by_another(&node, FASTRPC_NODE), 0);
	require_eq(fastrpc_create_from(&node, UNSIGNED, other, sizeof(other)), DSP_EUNABLETOLOAD);
	require_eq(cdsp_count("domains"), 0);
	cdsp_fault("refuse-create", 39);
	require_eq(fastrpc_create(&node, UNSIGNED), 39);
	cdsp_fault("refuse-create", 0);
	require_eq(fastrpc_create(&node, UNSIGNED), 0);
	require_eq(cdsp_count("domains"), 1);
	fastrpc_close(&node);
	require_eq(cdsp_count("domains"), 0);
}
END_TEST

START_TEST(the_node_that_is_not_secure_has_unsigned_domains_and_attaches_all_the_same)
{
	struct fastrpc_node node;

	require_eq(fastrpc_open_by_another(&node, FASTRPC_NODE), 0);
	require_eq(fastrpc_create(&node, 0), -ECONNREFUSED);
	require_eq(fastrpc_attach(&node), 0);
	fastrpc_close(&node);
	require_eq(fastrpc_open_by_another(&node, FASTRPC_NODE_SECURE), 0);
	require_eq(fastrpc_create(&node, 0), 0);
	fastrpc_close(&node);
}
END_TEST

/* Its number is that of the process, of which the DSP can have one. */
START_TEST(a_process_has_one_domain_and_any_node_that_it_closes_ends_that)
{
	struct fastrpc_node first, second;
	uint32_t handle;

	require_eq(fastrpc_open(&first, FASTRPC_NODE), 0);
	require_eq(fastrpc_create(&first, UNSIGNED), 0);
	require_eq(fastrpc_open_module(&first, "bench", &handle), 0);
	require_eq(fastrpc_open(&second, FASTRPC_NODE), 0);
	require(fastrpc_create(&second, UNSIGNED) > 0 || fastrpc_create(&second, UNSIGNED) < -4095);
	require_eq(fastrpc_call(&first, handle, BENCH_NULL, NULL), 0);
	fastrpc_close(&second);
	require_eq(fastrpc_call(&first, handle, BENCH_NULL, NULL), NO_DOMAIN);
	require_eq(cdsp_count("domains"), 0);
	fastrpc_close(&first);
}
END_TEST

START_TEST(nodes_opened_by_processes_of_their_own_are_domains_of_their_own)
{
	struct fastrpc_node opened[SESSIONS];
	uint32_t handles[SESSIONS];

	for (size_t i = 0; i < SESSIONS; i++)
		handles[i] = domain(&opened[i]);
	require_eq(cdsp_count("domains"), SESSIONS);
	for (size_t i = 0; i < SESSIONS; i++) {
		require_eq(fastrpc_call(&opened[i], handles[i], BENCH_NULL, NULL), 0);
		fastrpc_close(&opened[i]);
	}
	require_eq(cdsp_count("domains"), 0);
	require_eq(cdsp_count("threads"), 0);
}
END_TEST

START_TEST(domains_that_come_and_go_leave_nothing_behind)
{
	uint64_t before = cdsp_count("domains-created");
	struct fastrpc_node node;

	for (unsigned int i = 0; i < 100; i++) {
		uint32_t handle = domain(&node);

		require_eq(fastrpc_call(&node, handle, BENCH_NULL, NULL), 0);
		fastrpc_close(&node);
	}
	require_eq(cdsp_count("domains-created"), before + 100);
	require_eq(cdsp_count("domains"), 0);
	require_eq(cdsp_count("threads"), 0);
	require_eq(cdsp_count("pending"), 0);
}
END_TEST

/* Calls. */

static void copies_inline(const struct fastrpc_node *node, uint32_t handle, size_t size)
{
	_cleanup_(freep) uint8_t *in = malloc(size + 1), *out = calloc(1, size + 1);
	struct fastrpc_invoke_args args[] = {fastrpc_inline(in, size), fastrpc_inline(out, size)};

	require(in && out);
	fill(in, size);
	require_eq(fastrpc_call(node, handle, BENCH_COPY, args), 0);
	require(memcmp(in, out, size) == 0);
	require_eq(out[size], 0);
}

START_TEST(arguments_that_the_kernel_copies_arrive_and_come_back)
{
	static const size_t sizes[] = {0, 1, 127, 128, 129, 4095, PAGE, PAGE + 1, 100000, MIB};
	struct fastrpc_node node;
	uint32_t handle = domain(&node);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		copies_inline(&node, handle, sizes[i]);
	fastrpc_close(&node);
}
END_TEST

static void copies_shared(const struct fastrpc_node *node, uint32_t handle, size_t size,
	size_t offset)
{
	struct fastrpc_memory in, out;
	struct fastrpc_invoke_args args[2];

	require_eq(fastrpc_alloc(&in, size + PAGE), 0);
	require_eq(fastrpc_alloc(&out, size + PAGE), 0);
	args[0] = fastrpc_shared(&in, offset, size);
	args[1] = fastrpc_shared(&out, offset, size);
	fill(in.data + offset, size);
	require_eq(fastrpc_call(node, handle, BENCH_COPY, args), 0);
	require(memcmp(in.data + offset, out.data + offset, size) == 0);
	require(offset == 0 || out.data[offset - 1] == 0);
	require_eq(out.data[offset + size], 0);
	fastrpc_free(&in);
	fastrpc_free(&out);
}

START_TEST(arguments_in_shared_memory_are_read_and_written_where_they_are)
{
	static const size_t sizes[] = {PAGE, MIB, 16 * MIB};
	struct fastrpc_node node;
	uint32_t handle = domain(&node);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		copies_shared(&node, handle, sizes[i], 0);
		copies_shared(&node, handle, sizes[i], 3);
		copies_shared(&node, handle, sizes[i] - 1000, PAGE - 1);
	}
	fastrpc_close(&node);
}
END_TEST

START_TEST(memory_stays_mapped_until_it_is_unmapped_or_its_domain_ends)
{
	struct fastrpc_memory memory;
	struct fastrpc_node node;
	uint64_t address;

	domain(&node);
	require_eq(fastrpc_alloc(&memory, MIB), 0);
	require_eq(fastrpc_map(&node, &memory, &address), 0);
	require_eq(cdsp_count("maps"), 1);
	require_eq(fastrpc_unmap(&node, &memory, address), 0);
	require_eq(cdsp_count("maps"), 0);
	cdsp_fault("refuse-mem-map", 1);
	require_eq(fastrpc_map(&node, &memory, &address), (int32_t)0x80000414);
	cdsp_fault("refuse-mem-map", 0);
	require_eq(fastrpc_map(&node, &memory, &address), 0);
	fastrpc_close(&node);
	require_eq(cdsp_count("maps"), 0);
	fastrpc_free(&memory);
}
END_TEST

START_TEST(what_the_dsp_returns_comes_out_raw)
{
	static const uint32_t errors[] = {1, 39, 0x80000402, 0x80000414};
	struct fastrpc_node node;
	uint32_t handle = domain(&node);

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		cdsp_fault("error", errors[i]);
		require_eq(fastrpc_call(&node, handle, BENCH_NULL, NULL), (int32_t)errors[i]);
	}
	cdsp_fault("error", (uint32_t)-EPIPE); /* nobody can tell that from the kernel's */
	require_eq(fastrpc_call(&node, handle, BENCH_NULL, NULL), -EPIPE);
	cdsp_fault("error", 0);
	require_eq(fastrpc_call(&node, handle + 1000, BENCH_NULL, NULL), DSP_EINVHANDLE);
	require_eq(fastrpc_call(&node, FASTRPC_KERNEL, BENCH_NULL, NULL), -EPERM);
	fastrpc_close(&node);
}
END_TEST

/* Calls that do not end. */

struct caller {
	pthread_t thread;
	struct fastrpc_node node;
	uint32_t handle;
	int result;
};

static void *call_null(void *data)
{
	struct caller *caller = data;

	caller->result = fastrpc_call(&caller->node, caller->handle, BENCH_NULL, NULL);
	return NULL;
}

static void ignore_signal(int number)
{
	(void)number;
}

/* Without SA_RESTART: the kernel would make the call again. */
static void let_interrupt(int number)
{
	struct sigaction action = {.sa_handler = ignore_signal};

	require_eq(sigaction(number, &action, NULL), 0);
}

static void start_hung_call(struct caller *caller)
{
	uint64_t before = cdsp_count("pending");

	cdsp_fault("hang", 1);
	require_eq(pthread_create(&caller->thread, NULL, call_null, caller), 0);
	require_soon(cdsp_count("pending") == before + 1);
}

START_TEST(a_restart_ends_a_call_with_epipe_and_all_domains)
{
	struct caller caller;

	caller.handle = domain(&caller.node);
	start_hung_call(&caller);
	cdsp_down();
	require_eq(pthread_join(caller.thread, NULL), 0);
	require_eq(caller.result, -EPIPE);
	require_soon(cdsp_count("domains") == 0);
	require_eq(cdsp_count("pending"), 0);
	require_eq(cdsp_count("threads"), 0);
	cdsp_up();
	require_eq(fastrpc_call(&caller.node, caller.handle, BENCH_NULL, NULL), -EPIPE);
	fastrpc_close(&caller.node);
	domain(&caller.node);
	fastrpc_close(&caller.node);
}
END_TEST

START_TEST(a_crash_of_the_remote_processor_is_a_restart)
{
	struct caller caller;

	caller.handle = domain(&caller.node);
	start_hung_call(&caller);
	crash_and_recover();
	require_eq(pthread_join(caller.thread, NULL), 0);
	require_eq(caller.result, -EPIPE);
	require_soon(cdsp_count("threads") == 0);
	require_eq(cdsp_count("domains"), 0);
	fastrpc_close(&caller.node);
	require_soon(access(FASTRPC_NODE, R_OK | W_OK) == 0);
	domain(&caller.node);
	fastrpc_close(&caller.node);
}
END_TEST

START_TEST(a_signal_ends_a_call_for_its_caller_only)
{
	struct caller caller;

	caller.handle = domain(&caller.node);
	let_interrupt(SIGUSR1);
	start_hung_call(&caller);
	require_eq(pthread_kill(caller.thread, SIGUSR1), 0);
	require_eq(pthread_join(caller.thread, NULL), 0);
	require_eq(caller.result, -EINTR);
	require_eq(cdsp_count("pending"), 1);
	cdsp_fault("release-hung", 1);
	require_soon(cdsp_count("pending") == 0);
	require_eq(fastrpc_call(&caller.node, caller.handle, BENCH_NULL, NULL), 0);
	fastrpc_close(&caller.node);
}
END_TEST

START_TEST(threads_of_the_host_do_not_wait_for_each_other)
{
	struct caller caller;

	caller.handle = domain(&caller.node);
	start_hung_call(&caller);
	require_eq(fastrpc_call(&caller.node, caller.handle, BENCH_NULL, NULL), 0);
	cdsp_fault("release-hung", 1);
	require_eq(pthread_join(caller.thread, NULL), 0);
	require_eq(caller.result, 0);
	fastrpc_close(&caller.node);
}
END_TEST

#define HOST_THREADS 200 /* more than a domain has of its own */

START_TEST(a_domain_has_fewer_threads_than_its_host_and_serves_all_of_them)
{
	struct caller caller;

	caller.handle = domain(&caller.node);
	for (unsigned int i = 0; i < HOST_THREADS; i++) {
		require_eq(pthread_create(&caller.thread, NULL, call_null, &caller), 0);
		require_eq(pthread_join(caller.thread, NULL), 0);
		require_eq(caller.result, 0);
	}
	require(cdsp_count("threads") < HOST_THREADS);
	fastrpc_close(&caller.node);
}
END_TEST

struct summer {
	struct caller caller;
	struct fastrpc_memory memory;
};

static void *call_sum(void *data)
{
	struct summer *summer = data;
	uint64_t sum;
	struct fastrpc_invoke_args args[] = {
		fastrpc_shared(&summer->memory, 0, summer->memory.size),
		fastrpc_inline(&sum, sizeof(sum)),
	};

	summer->caller.result =
		fastrpc_call(&summer->caller.node, summer->caller.handle, BENCH_SUM, args);
	return NULL;
}

START_TEST(a_restart_takes_memory_away_from_under_a_module_and_the_dsp_goes_on)
{
	struct summer summer;

	require_eq(fastrpc_alloc(&summer.memory, 32 * MIB), 0);
	for (unsigned int i = 0; i < 10; i++) {
		summer.caller.handle = domain(&summer.caller.node);
		require_eq(pthread_create(&summer.caller.thread, NULL, call_sum, &summer), 0);
		require_soon(cdsp_count("pending") == 1);
		cdsp_down();
		require_eq(pthread_join(summer.caller.thread, NULL), 0);
		require_eq(summer.caller.result, -EPIPE);
		require_soon(cdsp_count("threads") == 0);
		fastrpc_close(&summer.caller.node);
		cdsp_up();
	}
	fastrpc_free(&summer.memory);
}
END_TEST

static void set_timer(suseconds_t us)
{
	struct itimerval timer = {.it_interval.tv_usec = us, .it_value.tv_usec = us};

	require_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

/* Interrupted, a call's context is never given back, not even when the DSP answers. When there is
 * none left the kernel cannot tell of a closed node either. */
START_TEST(each_interrupted_call_costs_a_context_until_the_channel_goes)
{
	struct fastrpc_node node;
	uint32_t handle;

	cdsp_restart(); /* others may have cost it some */
	handle = domain(&node);
	let_interrupt(SIGALRM);
	cdsp_fault("hang", CONTEXTS);
	set_timer(1000);
	for (unsigned int i = 0; i < CONTEXTS; i++)
		require_eq(fastrpc_call(&node, handle, BENCH_NULL, NULL), -EINTR);
	set_timer(0);
	require_eq(fastrpc_call(&node, handle, BENCH_NULL, NULL), -ENOSPC);
	cdsp_fault("hang", 0);
	cdsp_fault("release-hung", 1);
	require_soon(cdsp_count("pending") == 0);
	require_eq(fastrpc_call(&node, handle, BENCH_NULL, NULL), -ENOSPC);
	fastrpc_close(&node);
	require_eq(cdsp_count("domains"), 1);
	cdsp_down();
	require_soon(cdsp_count("domains") == 0);
	cdsp_up();
	domain(&node);
	fastrpc_close(&node);
}
END_TEST

START_TEST(a_dsp_that_does_not_say_that_a_domain_ended_delays_its_close_only)
{
	struct fastrpc_node node;

	domain(&node);
	cdsp_fault("no-release", 1);
	fastrpc_close(&node);
	domain(&node);
	fastrpc_close(&node);
	require_eq(cdsp_count("domains"), 0);
}
END_TEST

/* A DSP that lies. */

START_TEST(a_dsp_can_have_the_kernel_write_behind_an_output_unless_nobody_can)
{
	uint8_t *data =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t in[16] = {0};
	struct fastrpc_invoke_args args[] = {
		fastrpc_inline(in, sizeof(in)), fastrpc_inline(data, sizeof(in))};
	struct fastrpc_node node;
	uint32_t handle = domain(&node);

	require(data != MAP_FAILED);
	memset(data, 0xaa, 2 * PAGE);
	cdsp_fault("long-output", 2 * sizeof(in));
	require_eq(fastrpc_call(&node, handle, BENCH_COPY, args), 0);
	require_eq(data[2 * sizeof(in) - 1], 0);
	require_eq(data[2 * sizeof(in)], 0xaa);
	args[1] = fastrpc_inline(data + PAGE - sizeof(in), sizeof(in));
	require_eq(mprotect(data + PAGE, PAGE, PROT_NONE), 0);
	require_eq(fastrpc_call(&node, handle, BENCH_COPY, args), -EFAULT);
	cdsp_fault("long-output", 0);
	require_eq(fastrpc_call(&node, handle, BENCH_COPY, args), 0);
	fastrpc_close(&node);
	munmap(data, 2 * PAGE);
}
END_TEST

START_TEST(a_dsp_that_writes_after_its_answer_meets_the_iommu_or_what_is_mapped)
{
	struct fastrpc_invoke_args args[2];
	struct fastrpc_memory memory;
	struct fastrpc_node node;
	uint32_t handle = domain(&node);
	uint64_t before = cdsp_count("faults"), address;

	require_eq(fastrpc_alloc(&memory, MIB), 0);
	args[0] = fastrpc_shared(&memory, 0, PAGE);
	args[1] = fastrpc_shared(&memory, 2 * PAGE, PAGE);
	cdsp_fault("late-write", 1);
	require_eq(fastrpc_call(&node, handle, BENCH_COPY, args), 0);
	require_soon(cdsp_count("faults") == before + 1);
	require_soon(kernel_said("[W]"));
	require_eq(fastrpc_map(&node, &memory, &address), 0);
	cdsp_fault("late-write", 1);
	require_eq(fastrpc_call(&node, handle, BENCH_COPY, args), 0);
	require_soon(*(volatile uint8_t *)(memory.data + 2 * PAGE) == LATE_PATTERN);
	fastrpc_close(&node);
	fastrpc_free(&memory);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("fastrpc");
	TCase *tcase = tcase_create("fastrpc");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, cdsp_up, NULL);
	tcase_add_test(tcase, its_nodes_come_and_go_with_its_channel);
	tcase_add_test(tcase,
		a_session_is_an_open_node_and_there_are_as_many_as_the_device_tree_says);
	tcase_add_test(tcase, the_iommu_lets_the_remote_processor_at_no_memory_that_was_not_mapped);
	tcase_add_test(tcase, the_dsp_tells_its_attributes_before_there_is_a_domain);
	tcase_add_test(tcase, a_domain_begins_from_a_shell_file_and_nothing_else);
	tcase_add_test(tcase,
		the_node_that_is_not_secure_has_unsigned_domains_and_attaches_all_the_same);
	tcase_add_test(tcase, a_process_has_one_domain_and_any_node_that_it_closes_ends_that);
	tcase_add_test(tcase, nodes_opened_by_processes_of_their_own_are_domains_of_their_own);
	tcase_add_test(tcase, domains_that_come_and_go_leave_nothing_behind);
	tcase_add_test(tcase, arguments_that_the_kernel_copies_arrive_and_come_back);
	tcase_add_test(tcase, arguments_in_shared_memory_are_read_and_written_where_they_are);
	tcase_add_test(tcase, memory_stays_mapped_until_it_is_unmapped_or_its_domain_ends);
	tcase_add_test(tcase, what_the_dsp_returns_comes_out_raw);
	tcase_add_test(tcase, a_restart_ends_a_call_with_epipe_and_all_domains);
	tcase_add_test(tcase, a_crash_of_the_remote_processor_is_a_restart);
	tcase_add_test(tcase, a_signal_ends_a_call_for_its_caller_only);
	tcase_add_test(tcase, threads_of_the_host_do_not_wait_for_each_other);
	tcase_add_test(tcase, a_domain_has_fewer_threads_than_its_host_and_serves_all_of_them);
	tcase_add_test(tcase, a_restart_takes_memory_away_from_under_a_module_and_the_dsp_goes_on);
	tcase_add_test(tcase, each_interrupted_call_costs_a_context_until_the_channel_goes);
	tcase_add_test(tcase, a_dsp_that_does_not_say_that_a_domain_ended_delays_its_close_only);
	tcase_add_test(tcase, a_dsp_can_have_the_kernel_write_behind_an_output_unless_nobody_can);
	tcase_add_test(tcase, a_dsp_that_writes_after_its_answer_meets_the_iommu_or_what_is_mapped);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
