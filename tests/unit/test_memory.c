// SPDX-License-Identifier: MIT
/* Kinds of memory, and what is none. In use: tests/kernel/test_memory.c. */
#include "daemon/memory.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "protocol/util.h"
#include "tests/fuse.h"
#include "tests/suite.h"

#define PAGE 4096

START_TEST(a_memfd_has_its_size_is_zeroed_and_keeps_both)
{
	int fd = -1;
	char byte = 'x';

	ck_assert_int_eq(memory_new_memfd(3 * PAGE, &fd), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), 3 * PAGE);
	ck_assert_int_eq(pread(fd, &byte, 1, 3 * PAGE - 1), 1);
	ck_assert_int_eq(byte, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	ck_assert_int_eq(ftruncate(fd, 0), -1);
	fd_close(fd);
}
END_TEST

START_TEST(there_is_no_memory_but_whole_pages)
{
	static const uint64_t sizes[] = {
		0, 1, PAGE - 1, PAGE + 1, UINT64_MAX, INT64_MAX, UINT64_MAX - PAGE + 1};
	struct memory *memory;
	int fd = -1, memfd;

	ck_assert_int_eq(memory_new(&memory, "/dev"), 0);
	ck_assert_int_eq(memory_new_memfd(PAGE, &memfd), 0);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		ck_assert_int_lt(memory_new_memfd(sizes[i], &fd), 0);
		ck_assert_int_lt(memory_new_heap(memory, sizes[i], &fd), 0);
		ck_assert_int_lt(memory_from_memfd(memory, memfd, sizes[i], &fd), 0);
	}
	ck_assert_int_eq(fd, -1);
	fd_close(memfd);
	memory_free(memory);
}
END_TEST

START_TEST(what_is_not_there_is_said_when_it_is_asked_for)
{
	static const char *const places[] = {"/nowhere", "/dev/null", "/proc/self"};
	struct memory *memory;
	int fd = -1, memfd;

	ck_assert_int_eq(memory_new_memfd(PAGE, &memfd), 0);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		ck_assert_int_eq(memory_new(&memory, places[i]), 0);
		ck_assert_int_eq(memory_new_heap(memory, PAGE, &fd), -ENODEV);
		ck_assert_int_eq(memory_from_memfd(memory, memfd, PAGE, &fd), -ENODEV);
		memory_free(memory);
	}
	ck_assert_int_eq(fd, -1);
	ck_assert_ptr_null(memory_free(NULL));
	fd_close(memfd);
}
END_TEST

START_TEST(a_device_that_is_another_gives_an_error_and_nothing_else)
{
	char folder[] = "/tmp/dspbroker-memory.XXXXXX", path[64];
	struct memory *memory;
	int fd = -1, memfd;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/udmabuf", folder);
	ck_assert_int_eq(symlink("/dev/null", path), 0);
	ck_assert_int_eq(memory_new(&memory, folder), 0);
	ck_assert_int_eq(memory_new_memfd(PAGE, &memfd), 0);
	ck_assert_int_eq(memory_from_memfd(memory, memfd, PAGE, &fd), -ENOTTY);
	ck_assert_int_eq(fd, -1);
	unlink(path);
	rmdir(folder);
	fd_close(memfd);
	memory_free(memory);
}
END_TEST

START_TEST(nothing_else_is_a_dma_buf)
{
	uint64_t size = 1;
	int pipes[2], pair[2], memfd;

	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(memory_new_memfd(PAGE, &memfd), 0);
	const int fds[] = {pipes[0], pipes[1], pair[0], memfd, epoll_create1(EPOLL_CLOEXEC),
		eventfd(0, EFD_CLOEXEC), inotify_init1(IN_CLOEXEC),
		open("/dev/null", O_RDWR | O_CLOEXEC), open("/", O_PATH | O_CLOEXEC),
		open("/proc/self/fdinfo/0", O_RDONLY | O_CLOEXEC),
		memfd_create(FUSE_FILE, MFD_CLOEXEC), memfd_create("/" FUSE_FILE, MFD_CLOEXEC)};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		ck_assert_msg(fds[i] >= 0, "thing %zu cannot be made: %m", i);
		ck_assert_msg(!memory_is_dmabuf(fds[i], &size), "thing %zu", i);
		close(fds[i]);
	}
	ck_assert(!memory_is_dmabuf(fds[0], &size)); /* closed */
	ck_assert(!memory_is_dmabuf(-1, &size));
	ck_assert_uint_eq(size, 1);
}
END_TEST

START_TEST(a_file_system_in_user_space_is_not_asked_whatever_it_calls_its_file)
{
	char link[64], target[64] = "";
	uint64_t size;

	if (!fuse_start())
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fuse.file);
	ck_assert_int_gt(readlink(link, target, sizeof(target) - 1), 0);
	ck_assert_str_eq(target, "/" FUSE_FILE);
	ck_assert(!memory_is_dmabuf(fuse.file, &size)); /* else this would never return */
	fuse_stop();
}
END_TEST

START_TEST(an_epoll_that_waits_for_one_is_not_waited_for)
{
	uint64_t size;
	int epoll;

	if (!fuse_start())
		return;
	epoll = fuse_epoll();
	ck_assert_int_ge(epoll, 0);
	ck_assert(!memory_is_dmabuf(epoll, &size)); /* the same */
	fuse_stop();
}
END_TEST

/* With the devices, as root: tests/kernel/boot build/tests/unit/test_memory. */

static bool have_devices(void)
{
	bool have = access("/dev/dma_heap/system", R_OK) == 0 &&
		    access("/dev/udmabuf", R_OK | W_OK) == 0;

	if (!have)
		fprintf(stderr, "SKIPPED: there is no /dev/dma_heap/system or no /dev/udmabuf\n");
	return have;
}

START_TEST(the_heap_gives_dma_bufs)
{
	struct memory *memory;
	uint64_t size = 0;
	int fd = -1;

	if (!have_devices())
		return;
	ck_assert_int_eq(memory_new(&memory, "/dev"), 0);
	ck_assert_int_eq(memory_new_heap(memory, 1ull << 50, &fd), -ENOMEM);
	ck_assert_int_eq(memory_new_heap(memory, 3 * PAGE, &fd), 0);
	ck_assert(memory_is_dmabuf(fd, &size));
	ck_assert_uint_eq(size, 3 * PAGE);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	fd_close(fd);
	memory_free(memory);
}
END_TEST

START_TEST(a_memfd_becomes_a_dma_buf_of_the_same_pages)
{
	struct memory *memory;
	char *shared, text[8] = "";
	uint64_t size = 0;
	int memfd, fd = -1;

	if (!have_devices())
		return;
	ck_assert_int_eq(memory_new(&memory, "/dev"), 0);
	ck_assert_int_eq(memory_new_memfd(4 * PAGE, &memfd), 0);
	ck_assert_int_lt(memory_from_memfd(memory, memfd, 5 * PAGE, &fd), 0);
	ck_assert_int_lt(memory_from_memfd(memory, memfd, 1ull << 40, &fd), 0);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(memory_from_memfd(memory, memfd, 2 * PAGE, &fd), 0);
	ck_assert(memory_is_dmabuf(fd, &size));
	ck_assert_uint_eq(size, 2 * PAGE);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(shared, MAP_FAILED);
	strcpy(shared + PAGE, "same");
	ck_assert_int_eq(pread(memfd, text, sizeof(text), PAGE), sizeof(text));
	ck_assert_str_eq(text, "same");
	/* In this order: it is a bug of Linux 6.1 that it complains of a mapping that lasts longer.
	 */
	munmap(shared, size);
	fd_close(fd);
	fd_close(memfd);
	memory_free(memory);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("memory");
	TCase *tcase = tcase_create("memory");

	tcase_add_test(tcase, a_memfd_has_its_size_is_zeroed_and_keeps_both);
	tcase_add_test(tcase, there_is_no_memory_but_whole_pages);
	tcase_add_test(tcase, what_is_not_there_is_said_when_it_is_asked_for);
	tcase_add_test(tcase, a_device_that_is_another_gives_an_error_and_nothing_else);
	tcase_add_test(tcase, nothing_else_is_a_dma_buf);
	tcase_add_test(tcase, a_file_system_in_user_space_is_not_asked_whatever_it_calls_its_file);
	tcase_add_test(tcase, an_epoll_that_waits_for_one_is_not_waited_for);
	tcase_add_test(tcase, the_heap_gives_dma_bufs);
	tcase_add_test(tcase, a_memfd_becomes_a_dma_buf_of_the_same_pages);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
