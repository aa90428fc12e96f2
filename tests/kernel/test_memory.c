// SPDX-License-Identifier: MIT
/*
 * Memory that is no memfd: dma-bufs of the system's heap (drivers/dma-buf/heaps), and of two
 * exporters from which clients bring their own (drivers/dma-buf/udmabuf.c, drivers/gpu/drm/vgem).
 */
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/magic.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#include "daemon/limits.h"
#include "tests/integration/hostile.h"
#include "tests/kernel/testbed.h"

#define HEAP    "/dev/dma_heap/system"
#define UDMABUF "/dev/udmabuf"
#define VGEM    "/dev/dri/card0"

#define PAGE 4096
#define MIB  (1024 * 1024)
#define ALL  (64 * MIB) /* that a user may have */
#define MANY 48         /* buffers that are asked for at once */

#define LIMITED(limits) POLICY(ALLOW("all", EVERYBODY, "\"*/*\"", ", \"limits\": {" limits "}"))

/* What is needed of <drm/drm.h> and <drm/drm_mode.h>, which come with libdrm. */
struct create_dumb {
	uint32_t height, width, bpp, flags, handle, pitch;
	uint64_t size;
};
struct prime_handle {
	uint32_t handle, flags;
	int32_t fd;
};
#define CREATE_DUMB        _IOWR('d', 0xb2, struct create_dumb)
#define PRIME_HANDLE_TO_FD _IOWR('d', 0x2d, struct prime_handle)

static struct harness harness;

/* Opened by root, for clients who may not. */
static int udmabuf, vgem;

/* Exporters. Each makes one of that many bytes, for reading or for both. */

static int make_udmabuf(uint64_t size)
{
	struct udmabuf_create create = {.flags = UDMABUF_FLAGS_CLOEXEC, .size = size};
	int memfd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING), fd;

	require_eq(ftruncate(memfd, (off_t)size), 0);
	require_eq(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	create.memfd = (uint32_t)memfd;
	fd = ioctl(udmabuf, UDMABUF_CREATE, &create);
	require(fd >= 0);
	close(memfd);
	return fd;
}

static int make_vgem_for(uint64_t size, int mode)
{
	struct create_dumb dumb = {.height = 1, .width = (uint32_t)size, .bpp = 8};
	struct prime_handle prime = {.flags = (uint32_t)mode | O_CLOEXEC};

	require_eq(ioctl(vgem, CREATE_DUMB, &dumb), 0);
	require_eq(dumb.size, size);
	prime.handle = dumb.handle;
	require_eq(ioctl(vgem, PRIME_HANDLE_TO_FD, &prime), 0);
	return prime.fd;
}

static int make_vgem(uint64_t size)
{
	return make_vgem_for(size, O_RDWR);
}

static int (*const exporters[])(uint64_t size) = {make_udmabuf, make_vgem};

/* What both sides see. */

static char *map(int fd, uint64_t size)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	require(memory != MAP_FAILED);
	return memory;
}

static void is_dmabuf(int fd, uint64_t size)
{
	struct statfs fs;

	require_eq(fstatfs(fd, &fs), 0);
	require_eq(fs.f_type, DMA_BUF_MAGIC);
	require_eq(lseek(fd, 0, SEEK_END), size);
}

static uint32_t alloc_heap(struct raw *raw, uint64_t size, int *fd)
{
	uint32_t buffer;

	require_eq(raw_alloc_from(raw, size, DSP_MEMORY_HEAP, 0, &buffer, fd), DSP_OK);
	return buffer;
}

static uint32_t import(struct raw *raw, int fd)
{
	uint32_t buffer;

	require_eq(raw_import(raw, fd, 0, &buffer), DSP_OK);
	return buffer;
}

/* Have the DSP copy from one buffer to another. */
static enum dsp_status copy(struct raw *raw, uint32_t session, uint32_t from, uint32_t to,
	uint64_t size)
{
	struct dsp_slot slot = raw_invoke(session, EXAMPLE_COPY, 1);

	slot.n_in = slot.n_out = 1;
	slot.args[0] = (struct dsp_arg){from, 0, (uint32_t)size};
	slot.args[1] = (struct dsp_arg){to, 0, (uint32_t)size};
	return raw_call(raw, &slot, 1).status;
}

static void is_copied(struct raw *raw, uint32_t session, uint32_t from, const char *source,
	uint32_t to, const char *target, uint64_t size)
{
	require_eq(copy(raw, session, from, to, size), DSP_OK);
	require_eq(memcmp(source, target, size), 0);
}

CLIENT_TEST(memory_of_the_heap_is_zeroed_whole_pages_that_both_sides_write)
{
	static const uint64_t sizes[] = {1, PAGE, PAGE + 1, MIB, 3 * MIB - 1, 16 * MIB};
	uint32_t session;
	struct raw raw;

	raw_start(&raw, &harness);
	session = raw_open(&raw, EXAMPLE);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t size = (sizes[i] + PAGE - 1) / PAGE * PAGE;
		int fds[2];
		uint32_t from = alloc_heap(&raw, sizes[i], &fds[0]);
		uint32_t to = alloc_heap(&raw, sizes[i], &fds[1]);
		char *source = map(fds[0], size), *target = map(fds[1], size);

		is_dmabuf(fds[0], size);
		require_eq(fcntl(fds[0], F_GETFL) & O_ACCMODE, O_RDWR);
		require(source[0] == 0 && memcmp(source, source + 1, size - 1) == 0);
		random_fill(source, size);
		is_copied(&raw, session, from, source, to, target, size);
		random_fill(target, size);
		is_copied(&raw, session, to, target, from, source, size);
		require_eq(copy(&raw, session, from, to, size + 1), DSP_INVALID);
		munmap(source, size);
		munmap(target, size);
		fd_close(fds[0]);
		fd_close(fds[1]);
		require_eq(raw_free(&raw, from), DSP_OK);
		require_eq(raw_free(&raw, to), DSP_OK);
	}
	raw_close(&raw);
}

static void brings_its_own(void *exporter)
{
	static const uint64_t sizes[] = {PAGE, MIB, 3 * MIB + PAGE};
	int (*make)(uint64_t) = exporters[*(int *)exporter];
	uint32_t session;
	struct raw raw;

	raw_start(&raw, &harness);
	session = raw_open(&raw, EXAMPLE);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		int theirs = make(sizes[i]), ours;
		uint32_t from = import(&raw, theirs), to = alloc_heap(&raw, sizes[i], &ours);
		char *source = map(theirs, sizes[i]), *target = map(ours, sizes[i]);

		is_dmabuf(theirs, sizes[i]);
		fd_close(theirs);
		random_fill(source, sizes[i]);
		is_copied(&raw, session, from, source, to, target, sizes[i]);
		random_fill(target, sizes[i]);
		is_copied(&raw, session, to, target, from, source, sizes[i]);
		require_eq(copy(&raw, session, from, to, sizes[i] + 1), DSP_INVALID);
		require_eq(raw_free(&raw, from), DSP_OK);
		require_eq(copy(&raw, session, from, to, PAGE), DSP_INVALID);
		munmap(source, sizes[i]);
		munmap(target, sizes[i]);
		fd_close(ours);
	}
	raw_close(&raw);
}

START_TEST(a_dma_buf_of_any_exporter_is_used_in_place)
{
	client_run(ALICE, brings_its_own, &_i);
}
END_TEST

START_TEST(a_dma_buf_is_known_for_one_when_the_kernel_wants_memory)
{
	int exporter = 0;

	client_run(ALICE, brings_its_own, &exporter);
	/* It forgets what it has looked up for the broker; what was used lately it spares once. */
	for (int i = 0; i < 3; i++)
		require(write_file("/proc/sys/vm/drop_caches", "3"));
	client_run(ALICE, brings_its_own, &exporter);
}
END_TEST

static void expect_refused(struct raw *raw, int fd, uint64_t size, const char *why)
{
	const struct dsp_import request = {.header = raw_header(raw, DSP_IMPORT), .size = size};
	union raw_packet reply;

	raw_exchange(raw, &request, sizeof(request), &fd, 1, &reply);
	require_eq(reply.header.opcode, DSP_ERROR);
	require_eq(reply.error.status, DSP_INVALID);
	require_text(reply.error.text, why);
}

CLIENT_TEST(a_dma_buf_is_lent_up_to_its_size_if_it_can_be_written)
{
	uint32_t session, part, whole;
	struct raw raw;
	char link[64];
	int fd, path;

	raw_start(&raw, &harness);
	session = raw_open(&raw, EXAMPLE);
	fd = make_udmabuf(4 * PAGE);
	whole = import(&raw, fd);
	require_eq(raw_import(&raw, fd, PAGE, &part), DSP_OK);
	require_eq(copy(&raw, session, part, whole, PAGE), DSP_OK);
	require_eq(copy(&raw, session, part, whole, PAGE + 1), DSP_INVALID);
	require_eq(raw_import(&raw, fd, 4 * PAGE, &part), DSP_OK);
	expect_refused(&raw, fd, 4 * PAGE + 1, "smaller than the size");
	expect_refused(&raw, fd, UINT64_MAX, "smaller than the size");
	expect_refused(&raw, make_vgem_for(PAGE, O_RDONLY), 0, "cannot be written");
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	path = open(link, O_PATH | O_CLOEXEC);
	require(path >= 0);
	expect_refused(&raw, path, 0, "no dma-buf");
	expect_refused(&raw, vgem, 0, "no dma-buf");
	raw_close(&raw);
}

/* Where the kernel shows a name, nothing of it is taken for something else. */
CLIENT_TEST(a_name_that_its_owner_gave_it_changes_nothing)
{
	static const char *const names[] = {"", "x", "\nsize:\t1\nexp_name:\tx", "/../../dev/null"};
	uint32_t buffer, session;
	struct raw raw;

	raw_start(&raw, &harness);
	session = raw_open(&raw, EXAMPLE);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int fd = make_udmabuf(2 * PAGE);

		require_eq(ioctl(fd, DMA_BUF_SET_NAME, names[i]), 0);
		buffer = import(&raw, fd);
		require_eq(copy(&raw, session, buffer, buffer, 2 * PAGE), DSP_OK);
		require_eq(copy(&raw, session, buffer, buffer, 2 * PAGE + 1), DSP_INVALID);
		fd_close(fd);
	}
	raw_close(&raw);
}

CLIENT_TEST(many_are_asked_for_at_once_and_each_is_answered)
{
	uint32_t made = 0, refused = 0, first;
	struct dsp_alloc request = {.size = MIB, .memory = DSP_MEMORY_HEAP};
	union raw_packet reply;
	struct raw raw;
	int fds[DSP_FDS_MAX];

	raw_start(&raw, &harness);
	first = raw.serial + 1;
	for (int i = 0; i < MANY; i++) {
		request.header = raw_header(&raw, DSP_ALLOC);
		raw_send(&raw, &request, sizeof(request), NULL, 0);
	}
	while (made + refused < MANY) {
		require(raw_receive(&raw, &reply, fds));
		require(reply.header.serial - first < MANY);
		if (reply.header.opcode == DSP_ERROR) {
			require_eq(reply.error.status, DSP_OVER_LIMIT);
			require_eq(reply.error.limit, LIMIT_CLIENT_ALLOCATIONS);
			refused++;
			continue;
		}
		is_dmabuf(fds[0], MIB);
		fd_close(fds[0]);
		made++;
	}
	require(made >= LIMIT_CLIENT_ALLOCATIONS);
	raw_close(&raw);
}

/* Limits, and clients that go. */

static void ask_for_heap(struct raw *raw, uint64_t size)
{
	const struct dsp_alloc request = {
		.header = raw_header(raw, DSP_ALLOC), .size = size, .memory = DSP_MEMORY_HEAP};

	raw_send(raw, &request, sizeof(request), NULL, 0);
}

static void use_all(void *data)
{
	uint32_t buffers[4], unused;
	struct raw raw;
	int fd, own;

	raw_start(&raw, data);
	own = make_udmabuf(MIB);
	for (int i = 0; i < 50; i++) {
		for (size_t j = 0; j < ARRAY_SIZE(buffers); j++) {
			buffers[j] = j % 2 ? import(&raw, own) : alloc_heap(&raw, MIB, &fd);
			if (j % 2 == 0)
				fd_close(fd);
		}
		require_eq(raw_alloc_from(&raw, PAGE, DSP_MEMORY_HEAP, 0, &unused, &fd),
			DSP_OVER_LIMIT);
		require_eq(raw_import(&raw, own, PAGE, &unused), DSP_OVER_LIMIT);
		for (size_t j = 0; j < ARRAY_SIZE(buffers); j++)
			require_eq(raw_free(&raw, buffers[j]), DSP_OK);
	}
	raw_close(&raw);
}

START_TEST(memory_is_limited_whatever_it_is_made_of)
{
	hostile_run(LIMITED("\"buffers\": 16, \"bytes\": \"4M\""), use_all);
}
END_TEST

/* The guest has 512 MiB. */
static void ask_for_too_much(void *data)
{
	struct raw raw;
	uint32_t buffer;
	int fd;

	raw_start(&raw, data);
	for (int i = 0; i < 20; i++)
		require_eq(raw_alloc_from(&raw, 1024ull * MIB, DSP_MEMORY_HEAP, 0, &buffer, &fd),
			DSP_NO_RESOURCES);
	alloc_heap(&raw, MIB, &fd);
	raw_close(&raw);
}

START_TEST(memory_that_the_machine_does_not_have_is_not_looked_for)
{
	hostile_run(LIMITED("\"bytes\": \"2G\""), ask_for_too_much);
	require(!kernel_said("Out of memory"));
}
END_TEST

static void leave_at_once(void *data)
{
	struct raw raw;
	uint32_t buffer;
	int fd;

	for (int i = 0; i < 40; i++) {
		raw_start(&raw, data);
		for (int j = 0; j < 4; j++)
			ask_for_heap(&raw, 4 * MIB);
		if (i % 2)
			require(raw_receive(&raw, &(union raw_packet){}, NULL));
		raw_close(&raw);
	}
	/* What was made for nobody is charged until it is gone, and no longer. */
	raw_start(&raw, data);
	require_soon(raw_alloc_from(&raw, 16 * MIB, DSP_MEMORY_HEAP, 0, &buffer, &fd) == DSP_OK);
	raw_close(&raw);
}

START_TEST(clients_that_leave_while_memory_is_made_for_them_leave_none_behind)
{
	hostile_run(LIMITED("\"bytes\": \"16M\""), leave_at_once);
}
END_TEST

static void ask_and_wait(void *data)
{
	struct raw raw;

	raw_start(&raw, data);
	for (int i = 0; i < LIMIT_CLIENT_ALLOCATIONS; i++)
		ask_for_heap(&raw, MIB);
	step_reached('a');
	step_await('n'); /* never */
}

static void have_all(void *data)
{
	uint32_t buffer;
	struct raw raw;
	int fd;

	raw_start(&raw, data);
	require_soon(raw_alloc_from(&raw, ALL, DSP_MEMORY_HEAP, 0, &buffer, &fd) == DSP_OK);
	raw_close(&raw);
}

START_TEST(a_client_that_is_killed_while_memory_is_made_for_it_leaves_none_behind)
{
	size_t fds = harness_fds(&harness); /* some may be of clients before */

	for (int i = 0; i < 10; i++) {
		struct client client;

		client_start(&client, ALICE, ask_and_wait, &harness);
		client_await(&client, 'a');
		client_kill(&client);
	}
	client_run(ALICE, have_all, &harness);
	require_soon(harness_fds(&harness) <= fds);
}
END_TEST

CLIENT_TEST(a_heap_that_the_broker_may_not_open_is_unsupported)
{
	struct dsp_alloc request = {.size = PAGE, .memory = DSP_MEMORY_HEAP};
	union raw_packet reply;
	struct raw raw;
	int fd;

	raw_start(&raw, &harness);
	request.header = raw_header(&raw, DSP_ALLOC);
	raw_exchange(&raw, &request, sizeof(request), NULL, 0, &reply);
	require_eq(reply.header.opcode, DSP_ERROR);
	require_eq(reply.error.status, DSP_UNSUPPORTED);
	require_text(reply.error.text, HEAP);
	raw_alloc(&raw, PAGE, &fd);
	import(&raw, make_udmabuf(PAGE));
	raw_close(&raw);
}

static void give_heap(uid_t user)
{
	require_eq(chown(HEAP, user, user), 0);
}

static void open_exporters(void)
{
	udmabuf = open(UDMABUF, O_RDWR | O_CLOEXEC);
	vgem = open(VGEM, O_RDWR | O_CLOEXEC);
	require(udmabuf >= 0 && vgem >= 0);
	give_heap(BROKER_UID);
}

static void set_up(void)
{
	harness_start(&harness, LIMITED("\"bytes\": \"64M\""));
}

static void set_up_without_heap(void)
{
	give_heap(0);
	set_up();
	give_heap(BROKER_UID);
}

static void tear_down(void)
{
	harness_stop(&harness);
}

static Suite *suite(void)
{
	Suite *suite = suite_create("memory by drivers/dma-buf");
	TCase *tcase = tcase_create("memory"), *hostile = tcase_create("hostile"),
	      *without = tcase_create("without");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, open_exporters, NULL);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, memory_of_the_heap_is_zeroed_whole_pages_that_both_sides_write);
	tcase_add_loop_test(tcase, a_dma_buf_of_any_exporter_is_used_in_place, 0,
		ARRAY_SIZE(exporters));
	tcase_add_test(tcase, a_dma_buf_is_known_for_one_when_the_kernel_wants_memory);
	tcase_add_test(tcase, a_dma_buf_is_lent_up_to_its_size_if_it_can_be_written);
	tcase_add_test(tcase, a_name_that_its_owner_gave_it_changes_nothing);
	tcase_add_test(tcase, many_are_asked_for_at_once_and_each_is_answered);
	tcase_add_test(tcase,
		a_client_that_is_killed_while_memory_is_made_for_it_leaves_none_behind);
	suite_add_tcase(suite, tcase);

	tcase_set_timeout(hostile, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(hostile, open_exporters, NULL);
	tcase_add_test(hostile, memory_is_limited_whatever_it_is_made_of);
	tcase_add_test(hostile, memory_that_the_machine_does_not_have_is_not_looked_for);
	tcase_add_test(hostile, clients_that_leave_while_memory_is_made_for_them_leave_none_behind);
	suite_add_tcase(suite, hostile);

	tcase_set_timeout(without, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(without, open_exporters, NULL);
	tcase_add_checked_fixture(without, set_up_without_heap, tear_down);
	tcase_add_test(without, a_heap_that_the_broker_may_not_open_is_unsupported);
	suite_add_tcase(suite, without);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
