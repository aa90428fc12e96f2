// SPDX-License-Identifier: MIT
/*
 * The driver that stands for the DRM accel driver behaves as that was measured to do, with the same
 * DSP behind it as FastRPC's. Without a broker: what is found out here is what the broker has to
 * live with.
 */
#include "tests/kernel/qda_dsp.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <xf86drm.h>

#include "daemon/transport/fastrpc/abi.h"
#include "tests/kernel/exporters.h"
#include "tests/kernel/remote/dsp_errors.h"

#define MAJOR 261
#define KIB   1024
#define MIB   (1024 * KIB)
#define PAGE  4096

/* Methods of the DSP's module "bench". */
#define BENCH_NULL FASTRPC_SCALARS(2, 0, 0)
#define BENCH_COPY FASTRPC_SCALARS(4, 1, 1)

/* Nodes. */

START_TEST(its_node_is_an_accel_node_and_says_which_driver_and_which_dsp)
{
	char name[16], text[64];
	drmVersionPtr version;
	drmDevicePtr device;
	struct fastrpc_node node;
	struct stat stat;

	require_eq(fastrpc_open(&node, qda_path), 0);
	require_eq(fstat(node.fd, &stat), 0);
	require_eq(major(stat.st_rdev), MAJOR);
	snprintf(text, sizeof(text), "/dev/accel/accel%u", minor(stat.st_rdev));
	require_text(qda_path, text);
	version = drmGetVersion(node.fd);
	require(version);
	require(strcmp(version->name, "qda") == 0);
	require_eq(version->version_major, 0);
	require_eq(version->version_minor, 0);
	require_eq(version->version_patchlevel, 0);
	drmFreeVersion(version);
	memset(name, 0xaa, sizeof(name));
	require_eq(qda_query(&node, name), 0);
	require(strcmp(name, "cdsp") == 0);
	require(ioctl(node.fd, 0xc0106443, name) < 0);           /* between those that there are */
	require_eq(drmGetDevice2(node.fd, 0, &device), -EINVAL); /* libdrm knows no such bus */
	qda_dsp_close(&node);
}
END_TEST

START_TEST(the_render_node_leads_to_the_same_dsp)
{
	char render[64], name[16];
	struct fastrpc_node node;

	require(qda_find_render(render, sizeof(render)));
	require_eq(fastrpc_open(&node, render), 0);
	require_eq(qda_query(&node, name), 0);
	require(strcmp(name, "cdsp") == 0);
	require_eq(qda_create(&node, QDA_UNSIGNED), 0);
	qda_dsp_close(&node);
}
END_TEST

START_TEST(its_nodes_come_and_go_with_its_channel)
{
	char first[sizeof(qda_path)];

	snprintf(first, sizeof(first), "%s", qda_path);
	for (int i = 0; i < 20; i++) {
		qda_dsp_down();
		qda_dsp_up();
		require(strcmp(first, qda_path) == 0);
	}
}
END_TEST

START_TEST(a_node_of_that_number_that_is_another_drivers_cannot_be_opened)
{
	/* vgem's, /dev/dri/card0 */
	require_eq(mknod("/dev/another", S_IFCHR | 0600, makedev(MAJOR, 0)), 0);
	require(open("/dev/another", O_RDWR | O_CLOEXEC) < 0);
	require_eq(errno, ENODEV);
	require_eq(unlink("/dev/another"), 0);
}
END_TEST

START_TEST(the_dsp_tells_its_attributes_before_there_is_a_domain)
{
	uint32_t n = 255, attributes[255] = {0};
	const struct qda_argument args[] = {
		qda_inline(&n, sizeof(n)), qda_inline(attributes, sizeof(attributes))};
	struct fastrpc_node node;

	qda_dsp_open(&node);
	require_eq(qda_call(&node, FASTRPC_UTILITIES, FASTRPC_SCALARS(0, 1, 1), args), 0);
	require_eq(attributes[FASTRPC_ATTRIBUTE_ARCH - 1], 0x68);
	qda_dsp_close(&node);
}
END_TEST

/* Domains and context banks. */

START_TEST(a_domain_begins_from_a_shell_file_and_there_is_one_to_a_file)
{
	static const char other[] = "\177ELF of something else";
	struct fastrpc_node node;

	qda_dsp_open(&node);
	require_eq(qda_create_from(&node, QDA_UNSIGNED, other, sizeof(other)), DSP_EUNABLETOLOAD);
	require_eq(cdsp_count("domains"), 0);
	require_eq(qda_create(&node, QDA_UNSIGNED), 0);
	require_eq(qda_create(&node, QDA_UNSIGNED), -EEXIST);
	require_eq(cdsp_count("domains"), 1);
	require_eq(qda_count("sessions"), 1);
	qda_dsp_close(&node);
}
END_TEST

START_TEST(files_of_one_thread_share_a_bank_and_each_has_a_domain)
{
	struct fastrpc_node nodes[QDA_BANKS + 1];
	uint32_t handles[ARRAY_SIZE(nodes)];

	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		require_eq(fastrpc_open(&nodes[i], qda_path), 0);
		require_eq(qda_create(&nodes[i], QDA_UNSIGNED), 0);
		require_eq(qda_open_module(&nodes[i], "bench", &handles[i]), 0);
	}
	require_eq(qda_count("banks"), 1);
	require_eq(cdsp_count("domains"), ARRAY_SIZE(nodes));
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		require_eq(qda_call(&nodes[i], handles[i], BENCH_NULL, NULL), 0);
		fastrpc_close(&nodes[i]);
	}
	qda_dsp_require_nothing();
}
END_TEST

START_TEST(of_other_threads_each_has_a_bank_and_without_one_nothing_can_be_allocated)
{
	_cleanup_(fd_closep) int heap = export_heap(PAGE);
	struct fastrpc_node nodes[QDA_BANKS], further;
	struct qda_buffer buffer;
	uint32_t handle;

	for (size_t i = 0; i < QDA_BANKS; i++)
		qda_dsp_domain(&nodes[i]);
	require_eq(qda_count("banks"), QDA_BANKS);
	qda_dsp_open(&further); /* that needs none */
	require_eq(qda_alloc(&further, &buffer, PAGE), -ENOMEM);
	require_eq(qda_import(&further, heap, &handle), -ENOMEM);
	require_eq(qda_create(&further, QDA_UNSIGNED), -ENOMEM);
	fastrpc_close(&nodes[0]);
	require_eq(qda_create(&further, QDA_UNSIGNED), 0);
	fastrpc_close(&further);
	for (size_t i = 1; i < QDA_BANKS; i++)
		fastrpc_close(&nodes[i]);
	qda_dsp_require_nothing();
}
END_TEST

START_TEST(domains_that_come_and_go_leave_nothing_behind)
{
	uint64_t before = cdsp_count("domains-created");
	struct fastrpc_node node;

	for (unsigned int i = 0; i < 100; i++) {
		uint32_t handle = qda_dsp_domain(&node);

		require_eq(qda_call(&node, handle, BENCH_NULL, NULL), 0);
		qda_dsp_close(&node);
	}
	require_eq(cdsp_count("domains-created"), before + 100);
}
END_TEST

static void send_fd(int socket, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {&byte, 1};
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	require_eq(sendmsg(socket, &message, 0), 1);
}

static int receive_fd(int socket)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {&byte, 1};
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	int fd;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&message))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static int make_a_call_elsewhere(int socket)
{
	struct fastrpc_node node = {.fd = receive_fd(socket)};
	uint32_t handle;

	return qda_create(&node, QDA_UNSIGNED) == 0 &&
			       qda_open_module(&node, "bench", &handle) == 0 &&
			       qda_call(&node, handle, BENCH_NULL, NULL) == 0
		       ? 0
		       : 1;
}

START_TEST(a_file_that_is_passed_to_another_process_works_there)
{
	int sockets[2], status = -1;
	struct fastrpc_node node;
	pid_t pid;

	require_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	pid = fork();
	require(pid >= 0);
	if (pid == 0)
		_exit(make_a_call_elsewhere(sockets[1]));
	qda_dsp_open(&node);
	send_fd(sockets[0], node.fd);
	require_eq(waitpid(pid, &status, 0), pid);
	require_eq(status, 0);
	require_eq(cdsp_count("domains"), 1);
	qda_dsp_close(&node);
	fd_close(sockets[0]);
	fd_close(sockets[1]);
}
END_TEST

START_TEST(a_dsp_that_does_not_say_that_a_domain_ended_delays_its_close_only)
{
	struct fastrpc_node node;

	qda_dsp_domain(&node);
	cdsp_fault("no-release", 1);
	qda_dsp_close(&node);
	qda_dsp_domain(&node);
	qda_dsp_close(&node);
}
END_TEST

/* Results, and calls that do not end. */

START_TEST(what_the_dsp_returns_comes_out_raw)
{
	static const int32_t errors[] = {
		1, 39, (int32_t)0x80000402, (int32_t)0x80000414, -EAGAIN, -EINTR, -ENODEV};
	struct fastrpc_node node;
	uint32_t handle = qda_dsp_domain(&node);

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		cdsp_fault("error", (uint32_t)errors[i]);
		require_eq(qda_call(&node, handle, BENCH_NULL, NULL), errors[i]);
	}
	cdsp_fault("error", 0);
	require_eq(qda_call(&node, handle + 1000, BENCH_NULL, NULL), DSP_EINVHANDLE);
	qda_dsp_close(&node);
}
END_TEST

struct caller {
	pthread_t thread;
	struct fastrpc_node node;
	uint32_t handle;
	int result;
};

static void *call_null(void *data)
{
	struct caller *caller = data;

	caller->result = qda_call(&caller->node, caller->handle, BENCH_NULL, NULL);
	return NULL;
}

static void ignore_signal(int number)
{
	(void)number;
}

static void let_interrupt(int flags)
{
	struct sigaction action = {.sa_handler = ignore_signal, .sa_flags = flags};

	require_eq(sigaction(SIGUSR1, &action, NULL), 0);
}

static void start_hung_call(struct caller *caller)
{
	uint64_t before = cdsp_count("pending");

	cdsp_fault("hang", 1);
	require_eq(pthread_create(&caller->thread, NULL, call_null, caller), 0);
	require_soon(cdsp_count("pending") == before + 1);
}

static void interrupt(struct caller *caller)
{
	let_interrupt(0);
	require_eq(pthread_kill(caller->thread, SIGUSR1), 0);
	require_eq(pthread_join(caller->thread, NULL), 0);
	require_eq(caller->result, -EINTR);
}

static void release_hung(void)
{
	cdsp_fault("release-hung", 1);
	require_soon(cdsp_count("pending") == 0);
}

START_TEST(a_signal_ends_a_call_for_its_caller_only_and_its_answer_comes_late)
{
	uint64_t late = qda_count("late_answers");
	struct caller caller;

	caller.handle = qda_dsp_domain(&caller.node);
	start_hung_call(&caller);
	require_eq(qda_count("contexts"), 1);
	interrupt(&caller);
	require_eq(qda_count("contexts"), 0);
	require_eq(cdsp_count("pending"), 1);
	release_hung();
	require_soon(qda_count("late_answers") == late + 1);
	require_eq(qda_call(&caller.node, caller.handle, BENCH_NULL, NULL), 0);
	qda_dsp_close(&caller.node);
}
END_TEST

/* Which is why a domain whose call was interrupted is not to be used any more. */
START_TEST(a_late_answer_ends_the_call_that_has_its_number_now)
{
	uint64_t late = qda_count("late_answers");
	struct caller first, second;

	first.handle = qda_dsp_domain(&first.node);
	second.handle = qda_dsp_domain(&second.node);
	start_hung_call(&first);
	interrupt(&first);
	start_hung_call(&second);   /* in another domain */
	fastrpc_close(&first.node); /* which answers that call */
	require_eq(pthread_join(second.thread, NULL), 0);
	require_eq(second.result, DSP_ERROR(13)); /* not its own */
	require_eq(qda_count("late_answers"), late + 1);
	require_eq(cdsp_count("pending"), 1);
	release_hung();
	require_soon(qda_count("late_answers") == late + 2);
	qda_dsp_close(&second.node);
}
END_TEST

START_TEST(a_call_that_a_signal_restarts_runs_twice)
{
	uint64_t calls;
	struct caller caller;

	caller.handle = qda_dsp_domain(&caller.node);
	calls = cdsp_count("calls");
	let_interrupt(SA_RESTART);
	start_hung_call(&caller);
	require_eq(pthread_kill(caller.thread, SIGUSR1), 0);
	require_soon(cdsp_count("calls") == calls + 2);
	release_hung();
	require_eq(pthread_join(caller.thread, NULL), 0);
	require_eq(caller.result, 0);
	qda_dsp_close(&caller.node);
}
END_TEST

START_TEST(who_is_killed_in_a_call_leaves_nothing_behind)
{
	struct caller caller;
	int status;
	pid_t pid;

	cdsp_fault("hang", 1);
	pid = fork();
	require(pid >= 0);
	if (pid == 0) {
		require_eq(fastrpc_open(&caller.node, qda_path), 0);
		require_eq(qda_create(&caller.node, QDA_UNSIGNED), 0);
		require_eq(qda_open_module(&caller.node, "bench", &caller.handle), 0);
		call_null(&caller);
		_exit(1);
	}
	require_soon(cdsp_count("pending") == 1 && cdsp_count("domains") == 1 &&
		     qda_count("contexts") == 1);
	require_eq(kill(pid, SIGKILL), 0);
	require_eq(waitpid(pid, &status, 0), pid);
	require(WIFSIGNALED(status));
	qda_dsp_require_nothing();
}
END_TEST

/* Restarts. */

START_TEST(after_a_restart_old_files_answer_enodev_and_the_new_node_has_another_number)
{
	char before[sizeof(qda_path)], name[16];
	struct fastrpc_memory memory = qda_dsp_memory(export_heap(MIB), MIB);
	struct qda_buffer buffer;
	struct fastrpc_node old, node;
	uint64_t address;
	uint32_t handle = qda_dsp_domain(&old);

	snprintf(before, sizeof(before), "%s", qda_path);
	require_eq(qda_alloc(&old, &buffer, MIB), 0);
	require_eq(qda_map(&old, &memory, &address), 0);
	require_eq(qda_grow(&old, MIB, &address), 0);
	qda_dsp_down();
	require_soon(cdsp_count("domains") == 0);
	require_eq(qda_call(&old, handle, BENCH_NULL, NULL), -ENODEV);
	require_eq(qda_query(&old, name), -ENODEV);
	require_eq(qda_drop(&old, buffer.handle), -ENODEV);
	qda_dsp_up();
	require(strcmp(qda_path, before) != 0);
	require_eq(qda_call(&old, handle, BENCH_NULL, NULL), -ENODEV);
	require_eq(qda_count("banks"), 1);
	qda_dsp_domain(&node);
	fastrpc_close(&node);
	fastrpc_free(&buffer.memory);
	fastrpc_free(&memory);
	qda_dsp_close(&old);
	qda_dsp_down();
	qda_dsp_up();
	require(strcmp(qda_path, before) == 0);
}
END_TEST

START_TEST(a_call_that_a_restart_interrupts_hangs_until_it_is_signalled)
{
	uint64_t late = qda_count("late_answers");
	struct caller caller;
	struct fastrpc_node node;

	caller.handle = qda_dsp_domain(&caller.node);
	start_hung_call(&caller);
	qda_dsp_down();
	require_soon(cdsp_count("threads") == 0);
	qda_dsp_up();
	qda_dsp_domain(&node);
	fastrpc_close(&node);
	require_eq(qda_count("contexts"), 1); /* it is still there */
	require_eq(pthread_tryjoin_np(caller.thread, NULL), EBUSY);
	interrupt(&caller);
	qda_dsp_close(&caller.node);
	require_eq(qda_count("late_answers"), late);
}
END_TEST

START_TEST(a_crash_of_the_remote_processor_is_a_restart)
{
	struct caller caller;
	struct fastrpc_node node;

	caller.handle = qda_dsp_domain(&caller.node);
	start_hung_call(&caller);
	crash_and_recover();
	require_soon(cdsp_count("threads") == 0);
	require_soon(qda_find(qda_path, sizeof(qda_path)));
	interrupt(&caller);
	require_eq(qda_call(&caller.node, caller.handle, BENCH_NULL, NULL), -ENODEV);
	qda_dsp_domain(&node);
	fastrpc_close(&node);
	qda_dsp_close(&caller.node);
}
END_TEST

#define WORKERS  4
#define RESTARTS 30

static atomic_bool over;

static void work(struct fastrpc_node *node, struct fastrpc_memory *memory)
{
	const struct qda_argument args[] = {
		qda_shared(memory, 0, PAGE), qda_shared(memory, PAGE, PAGE)};
	uint64_t address;
	uint32_t handle;

	if (qda_create(node, QDA_UNSIGNED) != 0 || qda_open_module(node, "bench", &handle) != 0)
		return;
	while (qda_call(node, handle, BENCH_COPY, args) == 0 &&
		qda_grow(node, MIB, &address) == 0 && qda_shrink(node, MIB, address) == 0 &&
		qda_map(node, memory, &address) == 0 && qda_unmap(node, memory, address) == 0 &&
		qda_forget(node, memory->fd) == 0)
		;
}

/* Whatever fails, it begins anew. */
static void *work_until_it_is_over(void *data)
{
	struct fastrpc_memory memory = qda_dsp_memory(export_heap(MIB), MIB);
	struct fastrpc_node node;
	char path[64];

	while (!over) {
		if (!qda_find(path, sizeof(path)) || fastrpc_open(&node, path) != 0)
			continue;
		work(&node, &memory);
		fastrpc_close(&node);
	}
	fastrpc_free(&memory);
	return data;
}

/* What hangs in a call is let go. */
static bool has_ended(pthread_t thread)
{
	return pthread_tryjoin_np(thread, NULL) == 0 || (pthread_kill(thread, SIGUSR1), false);
}

START_TEST(restarts_under_load_leave_nothing_behind)
{
	uint64_t calls, created = cdsp_count("domains-created");
	pthread_t threads[WORKERS];

	let_interrupt(0);
	for (size_t i = 0; i < WORKERS; i++)
		require_eq(pthread_create(&threads[i], NULL, work_until_it_is_over, NULL), 0);
	for (size_t i = 0; i < RESTARTS; i++) {
		calls = cdsp_count("calls");
		require_soon(cdsp_count("calls") > calls + 10 * WORKERS);
		qda_dsp_down();
		for (size_t j = 0; j < WORKERS; j++) /* what hangs now */
			require_eq(pthread_kill(threads[j], SIGUSR1), 0);
		qda_dsp_up();
	}
	require(cdsp_count("domains-created") > created + RESTARTS);
	over = true;
	for (size_t i = 0; i < WORKERS; i++)
		require_soon(has_ended(threads[i]));
	qda_dsp_require_nothing();
}
END_TEST

/* What the posted driver gets wrong is refused here, and counted. */

START_TEST(what_would_harm_the_posted_driver_is_refused_and_counted)
{
	uint64_t refused = qda_count("refused");
	struct fastrpc_memory memory = qda_dsp_memory(export_heap(PAGE), PAGE);
	struct qda_argument args[2];
	struct fastrpc_node node;
	uint32_t handle;

	qda_dsp_open(&node);
	require_eq(qda_create_raw(&node, memory.fd, PAGE, QDA_UNSIGNED, (uintptr_t)memory.data),
		-EINVAL);
	require_eq(qda_count("refused"), refused + 1);
	fastrpc_close(&node);
	handle = qda_dsp_domain(&node);
	require_eq(qda_call(&node, FASTRPC_KERNEL, BENCH_NULL, NULL), -EPERM);
	require_eq(qda_count("refused"), refused + 2);
	args[0] = qda_shared(&memory, 0, PAGE);
	args[1] = qda_inline(memory.data + PAGE - 1, 1);
	require_eq(qda_call(&node, handle, BENCH_COPY, args), -EINVAL);
	require_eq(qda_count("refused"), refused + 3);
	args[0] = qda_shared(&memory, 0, PAGE - 1);
	require_eq(qda_call(&node, handle, BENCH_COPY, args), 0);
	require_eq(qda_count("refused"), refused + 3);
	qda_dsp_close(&node);
	fastrpc_free(&memory);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("qda");
	TCase *tcase = tcase_create("qda");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, qda_dsp_up, NULL);
	tcase_add_checked_fixture(tcase, qda_dsp_find, NULL);
	tcase_add_test(tcase, its_node_is_an_accel_node_and_says_which_driver_and_which_dsp);
	tcase_add_test(tcase, the_render_node_leads_to_the_same_dsp);
	tcase_add_test(tcase, its_nodes_come_and_go_with_its_channel);
	tcase_add_test(tcase, a_node_of_that_number_that_is_another_drivers_cannot_be_opened);
	tcase_add_test(tcase, the_dsp_tells_its_attributes_before_there_is_a_domain);
	tcase_add_test(tcase, a_domain_begins_from_a_shell_file_and_there_is_one_to_a_file);
	tcase_add_test(tcase, files_of_one_thread_share_a_bank_and_each_has_a_domain);
	tcase_add_test(tcase,
		of_other_threads_each_has_a_bank_and_without_one_nothing_can_be_allocated);
	tcase_add_test(tcase, domains_that_come_and_go_leave_nothing_behind);
	tcase_add_test(tcase, a_file_that_is_passed_to_another_process_works_there);
	tcase_add_test(tcase, a_dsp_that_does_not_say_that_a_domain_ended_delays_its_close_only);
	tcase_add_test(tcase, what_the_dsp_returns_comes_out_raw);
	tcase_add_test(tcase, a_signal_ends_a_call_for_its_caller_only_and_its_answer_comes_late);
	tcase_add_test(tcase, a_late_answer_ends_the_call_that_has_its_number_now);
	tcase_add_test(tcase, a_call_that_a_signal_restarts_runs_twice);
	tcase_add_test(tcase, who_is_killed_in_a_call_leaves_nothing_behind);
	tcase_add_test(tcase,
		after_a_restart_old_files_answer_enodev_and_the_new_node_has_another_number);
	tcase_add_test(tcase, a_call_that_a_restart_interrupts_hangs_until_it_is_signalled);
	tcase_add_test(tcase, a_crash_of_the_remote_processor_is_a_restart);
	tcase_add_test(tcase, restarts_under_load_leave_nothing_behind);
	tcase_add_test(tcase, what_would_harm_the_posted_driver_is_refused_and_counted);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
