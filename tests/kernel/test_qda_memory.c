// SPDX-License-Identifier: MIT
/* Memory and the qda driver, without a broker: whose it may be, and how long the DSP reaches it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <xf86drm.h>

#include "daemon/transport/fastrpc/abi.h"
#include "tests/kernel/exporters.h"
#include "tests/kernel/qda_dsp.h"
#include "tests/kernel/remote/dsp_errors.h"

#define KIB  1024
#define MIB  (1024 * KIB)
#define PAGE 4096

/* A method of the DSP's module "bench". */
#define BENCH_COPY FASTRPC_SCALARS(4, 1, 1)

static void copies_inline(const struct fastrpc_node *node, uint32_t handle, size_t size)
{
	_cleanup_(freep) uint8_t *in = malloc(size + 1), *out = calloc(1, size + 1);
	const struct qda_argument args[] = {qda_inline(in, size), qda_inline(out, size)};

	require(in && out);
	qda_dsp_fill(in, size);
	require_eq(qda_call(node, handle, BENCH_COPY, args), 0);
	require(memcmp(in, out, size) == 0);
	require_eq(out[size], 0);
}

START_TEST(arguments_without_a_descriptor_are_copied)
{
	static const size_t sizes[] = {0, 1, 127, 128, 129, 4095, PAGE, PAGE + 1, 100000, MIB};
	struct fastrpc_node node;
	uint32_t handle = qda_dsp_domain(&node);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		copies_inline(&node, handle, sizes[i]);
	qda_dsp_close(&node);
}
END_TEST

static void copies(const struct fastrpc_node *node, uint32_t handle, struct fastrpc_memory in,
	struct fastrpc_memory out, size_t size, size_t offset)
{
	const struct qda_argument args[] = {
		qda_shared(&in, offset, size), qda_shared(&out, offset, size)};

	qda_dsp_fill(in.data + offset, size);
	memset(out.data, 0, out.size);
	require_eq(qda_call(node, handle, BENCH_COPY, args), 0);
	require(memcmp(in.data + offset, out.data + offset, size) == 0);
	require(offset == 0 || out.data[offset - 1] == 0);
	require(offset + size == out.size || out.data[offset + size] == 0);
}

/* Buffers of every kind: what the DSP reads of one, and writes to another. */
static void copies_between(int (*export_in)(size_t), int (*export_out)(size_t))
{
	static const size_t sizes[] = {PAGE, MIB, 16 * MIB};
	struct fastrpc_node node;
	uint32_t handle = qda_dsp_domain(&node);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct fastrpc_memory in =
			qda_dsp_memory(export_in(sizes[i] + PAGE), sizes[i] + PAGE);
		struct fastrpc_memory out =
			qda_dsp_memory(export_out(sizes[i] + PAGE), sizes[i] + PAGE);

		copies(&node, handle, in, out, sizes[i], 0);
		copies(&node, handle, in, out, sizes[i], 3);
		copies(&node, handle, in, out, sizes[i] - 1000, PAGE - 1);
		fastrpc_free(&in);
		fastrpc_free(&out);
	}
	qda_dsp_close(&node);
}

START_TEST(memory_of_the_system_heap_is_read_and_written_where_it_is)
{
	copies_between(export_heap, export_heap);
}
END_TEST

START_TEST(so_is_that_of_a_udmabuf)
{
	copies_between(export_udmabuf, export_udmabuf);
}
END_TEST

START_TEST(so_is_that_of_another_drm_driver)
{
	copies_between(export_vgem, export_heap);
	copies_between(export_heap, export_vgem);
}
END_TEST

START_TEST(so_is_that_of_the_drivers_own)
{
	struct qda_buffer in, out;
	struct fastrpc_node node;
	uint32_t handle = qda_dsp_domain(&node);

	require_eq(qda_alloc(&node, &in, MIB), 0);
	require_eq(qda_alloc(&node, &out, MIB), 0);
	require_eq(qda_count("objects"), 2);
	copies(&node, handle, in.memory, out.memory, MIB - 10, 5);
	qda_free(&node, &in);
	qda_free(&node, &out);
	require_eq(qda_count("objects"), 0);
	qda_dsp_close(&node);
}
END_TEST

/* Its address is in the stream of who allocated it. */
START_TEST(the_drivers_own_does_not_serve_another_session_nor_another_driver)
{
	struct drm_prime_handle prime = {.handle = 0};
	struct fastrpc_node owner, other;
	uint32_t handle;
	struct qda_buffer buffer;
	uint8_t byte = 0;
	int vgem = open("/dev/dri/card0", O_RDWR | O_CLOEXEC);

	qda_dsp_domain(&owner);
	handle = qda_dsp_domain(&other);
	require_eq(qda_alloc(&owner, &buffer, PAGE), 0);
	const struct qda_argument args[] = {
		qda_shared(&buffer.memory, 0, PAGE), qda_inline(&byte, 1)};
	require_eq(qda_call(&other, handle, BENCH_COPY, args), DSP_EBADPARM);
	prime.fd = buffer.memory.fd;
	require(vgem >= 0 && ioctl(vgem, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime) < 0);
	fd_close(vgem);
	qda_free(&owner, &buffer);
	fastrpc_close(&other);
	qda_dsp_close(&owner);
}
END_TEST

START_TEST(a_dma_buf_has_one_handle_however_often_it_is_imported)
{
	int fd = export_heap(PAGE);
	struct qda_buffer own;
	struct fastrpc_node node;
	uint32_t first, second;

	qda_dsp_open(&node);
	require_eq(qda_import(&node, fd, &first), 0);
	require_eq(qda_import(&node, fd, &second), 0);
	require_eq(first, second);
	require_eq(qda_count("handles"), 1);
	require_eq(qda_drop(&node, first), 0);
	require_eq(qda_drop(&node, first), -EINVAL);
	require_eq(qda_count("objects"), 0);
	require_eq(qda_alloc(&node, &own, PAGE), 0);
	require_eq(qda_import(&node, own.memory.fd, &second), 0);
	require_eq(second, own.handle);
	qda_free(&node, &own);
	fd_close(fd);
	qda_dsp_close(&node);
}
END_TEST

START_TEST(a_call_by_descriptor_leaves_a_handle_behind_and_memory_that_the_dsp_can_reach)
{
	struct fastrpc_memory memory = qda_dsp_memory(export_heap(MIB), MIB);
	const struct qda_argument args[] = {
		qda_shared(&memory, 0, PAGE), qda_shared(&memory, PAGE, PAGE)};
	uint64_t faults;
	struct fastrpc_node node;
	uint32_t handle = qda_dsp_domain(&node);

	require_eq(qda_count("handles"), 0);
	cdsp_fault("late-write", 1);
	require_eq(qda_call(&node, handle, BENCH_COPY, args), 0);
	require_eq(qda_count("handles"), 1);
	require_soon(*(volatile uint8_t *)(memory.data + PAGE) == 0xdb);
	faults = cdsp_count("faults");
	require_eq(qda_forget(&node, memory.fd), 0);
	require_eq(qda_count("handles"), 0);
	require_eq(qda_count("objects"), 0);
	require_soon(cdsp_count("faults") > faults);
	/* And a file that is closed takes its handles along. */
	require_eq(qda_call(&node, handle, BENCH_COPY, args), 0);
	require_eq(qda_count("handles"), 1);
	qda_dsp_close(&node);
	fastrpc_free(&memory);
}
END_TEST

/* The distance to the start of the mapping is what counts, not what is mapped there. */
START_TEST(an_argument_is_as_far_in_its_buffer_as_in_its_mapping)
{
	struct fastrpc_memory memory = qda_dsp_memory(export_heap(4 * PAGE), 4 * PAGE);
	uint8_t *unseen = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_SHARED, memory.fd, 0);
	uint8_t *part = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, memory.fd, 2 * PAGE);
	struct qda_argument args[2];
	struct fastrpc_node node;
	uint32_t handle = qda_dsp_domain(&node);
	uint8_t byte = 0;

	require(unseen != MAP_FAILED && part != MAP_FAILED);
	for (size_t i = 0; i < 4; i++)
		memset(memory.data + i * PAGE, (int)i + 1, PAGE);
	args[1] = qda_inline(&byte, 1);
	args[0] = qda_shared(&memory, 0, 1);
	args[0].address = (uintptr_t)unseen + 2 * PAGE;
	require_eq(qda_call(&node, handle, BENCH_COPY, args), 0);
	require_eq(byte, 3);
	require_eq(part[0], 3);
	args[0].address = (uintptr_t)part;
	require_eq(qda_call(&node, handle, BENCH_COPY, args), 0);
	require_eq(byte, 1); /* and not 3 */
	require_eq(munmap(unseen, 4 * PAGE), 0);
	require_eq(munmap(part, PAGE), 0);
	fastrpc_free(&memory);
	qda_dsp_close(&node);
}
END_TEST

START_TEST(memory_stays_mapped_until_it_is_unmapped_or_its_file_closed)
{
	struct fastrpc_memory memory = qda_dsp_memory(export_heap(MIB), MIB);
	struct fastrpc_node node;
	uint64_t address, heap;

	qda_dsp_domain(&node);
	require_eq(qda_map(&node, &memory, &address), 0);
	require_eq(qda_forget(&node, memory.fd), 0);
	require_eq(cdsp_count("maps"), 1);
	require_eq(qda_count("objects"), 1);
	require_eq(qda_unmap(&node, &memory, address), 0);
	require_eq(qda_unmap(&node, &memory, address), -EINVAL);
	require_eq(cdsp_count("maps"), 0);
	require_eq(qda_count("objects"), 0);
	cdsp_fault("refuse-mem-map", 1);
	require_eq(qda_map(&node, &memory, &address), (int32_t)0x80000414);
	cdsp_fault("refuse-mem-map", 0);
	require_eq(qda_map(&node, &memory, &address), 0);
	require_eq(qda_grow(&node, MIB, &heap), 0);
	require_eq(cdsp_count("heap"), 1);
	require_eq(qda_shrink(&node, MIB, heap + PAGE), -EINVAL);
	require_eq(qda_shrink(&node, MIB, heap), 0);
	require_eq(cdsp_count("heap"), 0);
	require_eq(qda_grow(&node, MIB, &heap), 0);
	qda_dsp_close(&node);
	fastrpc_free(&memory);
}
END_TEST

/* How a process ends that reads there. */
static int status_of_reading(const uint8_t *data)
{
	int status;
	pid_t pid = fork();

	require(pid >= 0);
	if (pid == 0)
		_exit(*(const volatile uint8_t *)data);
	require_eq(waitpid(pid, &status, 0), pid);
	return status;
}

/* The driver's own memory, when its device is gone: here it is still there, but another driver may
 * not be able to bring it back to where it was mapped. */
START_TEST(a_mapping_outlives_its_device_unless_a_test_wants_a_sigbus)
{
	struct qda_buffer buffer;
	struct fastrpc_node node;
	int status;

	qda_dsp_open(&node);
	require_eq(qda_alloc(&node, &buffer, PAGE), 0);
	buffer.memory.data[0] = 7;
	qda_dsp_down();
	require(write_file("/sys/kernel/debug/qda-sim/sigbus", "1"));
	status = status_of_reading(buffer.memory.data);
	require(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	require(write_file("/sys/kernel/debug/qda-sim/sigbus", "0"));
	require_eq(status_of_reading(buffer.memory.data), 7 << 8);
	fastrpc_free(&buffer.memory);
	qda_dsp_close(&node);
	qda_dsp_up();
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("qda_memory");
	TCase *tcase = tcase_create("qda_memory");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, qda_dsp_up, NULL);
	tcase_add_checked_fixture(tcase, qda_dsp_find, NULL);
	tcase_add_test(tcase, arguments_without_a_descriptor_are_copied);
	tcase_add_test(tcase, memory_of_the_system_heap_is_read_and_written_where_it_is);
	tcase_add_test(tcase, so_is_that_of_a_udmabuf);
	tcase_add_test(tcase, so_is_that_of_another_drm_driver);
	tcase_add_test(tcase, so_is_that_of_the_drivers_own);
	tcase_add_test(tcase, the_drivers_own_does_not_serve_another_session_nor_another_driver);
	tcase_add_test(tcase, a_dma_buf_has_one_handle_however_often_it_is_imported);
	tcase_add_test(tcase,
		a_call_by_descriptor_leaves_a_handle_behind_and_memory_that_the_dsp_can_reach);
	tcase_add_test(tcase, an_argument_is_as_far_in_its_buffer_as_in_its_mapping);
	tcase_add_test(tcase, memory_stays_mapped_until_it_is_unmapped_or_its_file_closed);
	tcase_add_test(tcase, a_mapping_outlives_its_device_unless_a_test_wants_a_sigbus);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
