// SPDX-License-Identifier: MIT
/* A client that lends memory and then plays with it, or lends what is no memory. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fuse.h"
#include "tests/integration/hostile.h"

#define SEALED (F_SEAL_SHRINK | F_SEAL_GROW)
#define SIZE   65536

#define FEW_BUFFERS                               \
	POLICY(ALLOW("few", EVERYBODY, "\"*/*\"", \
		", \"limits\": {\"buffers\": 8, \"bytes\": \"1M\"}"))

static int make_memfd(off_t size, int seals)
{
	int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	require(fd >= 0);
	require_eq(ftruncate(fd, size), 0);
	require_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	require(fd >= 0);
	require_eq(write(fd, text, strlen(text)), strlen(text));
	fd_close(fd);
}

static uint32_t import(struct raw *raw, int fd)
{
	uint32_t buffer;

	require_eq(raw_import(raw, fd, 0, &buffer), DSP_OK);
	return buffer;
}

/* All of a buffer of SIZE, to a method of one input and no output, or one of each. */
static struct dsp_completion use(struct raw *raw, uint32_t session, uint32_t method, uint32_t input,
	uint32_t output)
{
	struct dsp_slot slot = raw_invoke(session, method, 1);

	slot.n_in = 1;
	slot.n_out = output != 0;
	slot.args[0] = (struct dsp_arg){input, 0, SIZE};
	slot.args[1] = (struct dsp_arg){output, 0, SIZE};
	return raw_call(raw, &slot, 1);
}

static void reseal(void *harness)
{
	uint32_t session, inputs, outputs;
	int fds[2];
	struct raw raw;

	raw_start(&raw, harness);
	session = raw_open(&raw, EXAMPLE);
	for (int i = 0; i < 2; i++)
		fds[i] = make_memfd(SIZE, SEALED);
	inputs = import(&raw, fds[0]);
	outputs = import(&raw, fds[1]);
	require(ftruncate(fds[0], 0) < 0 && errno == EPERM);
	require(ftruncate(fds[0], 2 * SIZE) < 0 && errno == EPERM);

	/* Not mapped for the DSP yet: now it can be mapped for reading only. */
	require_eq(fcntl(fds[1], F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
	require_eq(use(&raw, session, EXAMPLE_COPY, inputs, outputs).status, DSP_INVALID);
	require_eq(use(&raw, session, EXAMPLE_TOUCH, outputs, 0).status, DSP_OK);
	require_eq(use(&raw, session, EXAMPLE_COPY, outputs, inputs).status, DSP_OK);
	/* Mapped for writing: too late. */
	require(fcntl(fds[0], F_ADD_SEALS, F_SEAL_WRITE) < 0 && errno == EBUSY);
	require_eq(use(&raw, session, EXAMPLE_COPY, inputs, inputs).status, DSP_OK);
	raw_close(&raw);
}

START_TEST(memory_cannot_be_taken_away_once_it_is_lent)
{
	hostile_run(ALLOW_ALL, reseal);
}
END_TEST

static atomic_bool sealed;

static void *seal_slowly(void *fd)
{
	require_eq(fcntl(*(int *)fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	require_eq(fcntl(*(int *)fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	sealed = true;
	return NULL;
}

static void race_seals(void *harness)
{
	struct raw raw;

	raw_start(&raw, harness);
	for (int i = 0; i < 200; i++) {
		int fd = make_memfd(SIZE, 0);
		enum dsp_status status;
		pthread_t thread;
		uint32_t buffer;
		bool was_sealed;

		sealed = false;
		require_eq(pthread_create(&thread, NULL, seal_slowly, &fd), 0);
		do {
			was_sealed = sealed;
			status = raw_import(&raw, fd, 0, &buffer);
			require(status == DSP_INVALID || status == DSP_OK);
			require(status == DSP_OK || !was_sealed);
		} while (status != DSP_OK);
		require_eq(raw_free(&raw, buffer), DSP_OK);
		require_eq(pthread_join(thread, NULL), 0);
		fd_close(fd);
	}
	raw_close(&raw);
}

START_TEST(memory_is_taken_as_soon_as_it_has_both_seals_and_not_before)
{
	hostile_run(ALLOW_ALL, race_seals);
}
END_TEST

static atomic_bool written;

static void *write_at_random(void *memory)
{
	for (int i = 0; i < 3000; i++)
		random_fill(memory, SIZE / 8);
	written = true;
	return NULL;
}

static void write_during_calls(void *harness)
{
	int fd = make_memfd(SIZE, SEALED);
	void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint32_t session, buffer;
	struct dsp_slot slot;
	pthread_t thread;
	struct raw raw;

	raw_start(&raw, harness);
	session = raw_open(&raw, EXAMPLE);
	buffer = import(&raw, fd);
	slot = raw_invoke(session, EXAMPLE_SUM, 1);
	slot.n_in = slot.n_out = 1;
	slot.args[0] = (struct dsp_arg){buffer, 0, SIZE};
	slot.args[1] = (struct dsp_arg){DSP_ARGUMENT_AREA, 0, sizeof(int64_t)};
	require_eq(pthread_create(&thread, NULL, write_at_random, memory), 0);
	while (!written)
		require_eq(raw_call(&raw, &slot, 1).status, DSP_OK);
	require_eq(pthread_join(thread, NULL), 0);
	raw_close(&raw);
}

START_TEST(memory_that_is_written_while_the_dsp_reads_it_harms_nobody)
{
	hostile_run(ALLOW_ALL, write_during_calls);
}
END_TEST

static void import_too_much(void *harness)
{
	int fd = make_memfd(SIZE, SEALED), huge = make_memfd((off_t)1 << 40, SEALED);
	uint32_t buffers[8], unused;
	struct raw raw;

	raw_start(&raw, harness);
	for (int i = 0; i < 200; i++) {
		uint32_t n = i % 2 ? 8 : 3;

		for (uint32_t j = 0; j < n; j++)
			buffers[j] = import(&raw, fd);
		if (n == 8)
			require_eq(raw_import(&raw, fd, 0, &unused), DSP_OVER_LIMIT);
		while (n--)
			require_eq(raw_free(&raw, buffers[n]), DSP_OK);
		require_eq(raw_free(&raw, buffers[0]), DSP_NOT_FOUND);
	}
	require_eq(raw_import(&raw, huge, 0, &unused), DSP_INVALID);
	require_eq(raw_import(&raw, huge, UINT64_MAX, &unused), DSP_INVALID);
	require_eq(raw_import(&raw, huge, (uint64_t)3 << 30, &unused), DSP_OVER_LIMIT);
	require_eq(raw_import(&raw, huge, SIZE, buffers), DSP_OK);
	require_eq(use(&raw, raw_open(&raw, EXAMPLE), EXAMPLE_TOUCH, buffers[0], 0).status, DSP_OK);
	raw_close(&raw);
	fd_close(fd);
	fd_close(huge);
}

START_TEST(memory_is_limited_however_it_is_lent)
{
	hostile_run(FEW_BUFFERS, import_too_much);
}
END_TEST

/* It is the client's, so the client may lend it. */
static void import_the_brokers(void *harness)
{
	uint32_t session, own, buffer;
	struct raw raw;
	int fd;

	raw_start(&raw, harness);
	session = raw_open(&raw, EXAMPLE);
	own = raw_alloc(&raw, SIZE, &fd);
	buffer = import(&raw, fd);
	require_eq(use(&raw, session, EXAMPLE_COPY, own, buffer).status, DSP_OK);
	buffer = import(&raw, raw.area);
	require_eq(use(&raw, session, EXAMPLE_COPY, buffer, own).status, DSP_OK);
	/* A DSP that writes random bytes over the ring it is called through. */
	random_fill(raw.arguments, raw.hello.argument_bytes);
	require_eq(raw_import(&raw, raw.ring, 0, &buffer), DSP_OK);
	for (uint32_t i = 0; i < 8; i++) {
		struct dsp_slot slot = raw_invoke(session, EXAMPLE_COPY, i);

		slot.n_in = slot.n_out = 1;
		slot.args[0] = (struct dsp_arg){DSP_ARGUMENT_AREA, 0, (uint32_t)raw.ring_bytes};
		slot.args[1] = (struct dsp_arg){buffer, 0, (uint32_t)raw.ring_bytes};
		memcpy(raw_slot(&raw, raw.sq_tail++), &slot, sizeof(slot));
	}
	atomic_store(&raw.shared->sq_tail, raw.sq_tail);
	raw_ring(&raw);
	require_soon(atomic_load(&raw.shared->sq_tail) != raw.sq_tail);
	raw_ring(&raw);
	raw_expect_end(&raw);
	raw_close(&raw);
}

START_TEST(a_client_that_lends_its_own_ring_to_the_dsp_harms_itself_alone)
{
	hostile_run(ALLOW_ALL, import_the_brokers);
}
END_TEST

static int reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

static void import_other_things(void *harness)
{
	struct raw raw;
	int pair[2], fd = make_memfd(SIZE, SEALED), pipes[2];

	raw_start(&raw, harness);
	require_eq(pipe2(pipes, O_CLOEXEC), 0);
	require_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	int things[] = {pipes[0], pipes[1], pair[0], raw.sock, raw.doorbell, raw.notify,
		open("/dev/null", O_RDWR | O_CLOEXEC), open("/dev/zero", O_RDWR | O_CLOEXEC),
		open("/etc/passwd", O_RDONLY | O_CLOEXEC), open("/", O_RDONLY | O_CLOEXEC),
		open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), open("/", O_PATH | O_CLOEXEC),
		epoll_create1(EPOLL_CLOEXEC), eventfd(0, EFD_CLOEXEC), reopen(fd, O_RDONLY),
		reopen(fd, O_WRONLY), reopen(fd, O_PATH), make_memfd(SIZE, 0),
		make_memfd(SIZE, F_SEAL_SHRINK), make_memfd(SIZE, F_SEAL_GROW),
		make_memfd(SIZE, SEALED | F_SEAL_WRITE), make_memfd(0, SEALED),
		make_memfd(SIZE, SEALED | F_SEAL_FUTURE_WRITE),
		memfd_create("/dmabuf:", MFD_CLOEXEC)};

	for (size_t i = 0; i < ARRAY_SIZE(things); i++) {
		uint32_t buffer;

		if (things[i] < 0)
			harness_fail(__FILE__, __LINE__, "thing %zu cannot be made: %m", i);
		if (raw_import(&raw, things[i], 0, &buffer) != DSP_INVALID)
			harness_fail(__FILE__, __LINE__, "thing %zu was taken", i);
	}
	import(&raw, fd);
	raw_close(&raw);
}

START_TEST(what_is_no_sealed_and_writable_memory_is_refused)
{
	hostile_run(ALLOW_ALL, import_other_things);
}
END_TEST

/* As a user who may mount what he likes, where nobody else looks. */
static bool own_namespace(void)
{
	char users[64], groups[64];

	snprintf(users, sizeof(users), "%u %u 1", getuid(), getuid());
	snprintf(groups, sizeof(groups), "%u %u 1", getgid(), getgid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
		fprintf(stderr, "SKIPPED: no user namespaces here: %m\n");
		return false;
	}
	prctl(PR_SET_DUMPABLE, 1); /* what is in /proc/self is ours */
	write_text("/proc/self/uid_map", users);
	write_text("/proc/self/setgroups", "deny");
	write_text("/proc/self/gid_map", groups);
	return true;
}

static void import_what_never_answers(void *harness)
{
	struct raw raw;
	int epoll;

	raw_start(&raw, harness);
	if (own_namespace() && fuse_start()) {
		unsigned int since = 0;
		uint32_t buffer;

		epoll = fuse_epoll();
		require(epoll >= 0);
		while (innocent_waits(&since, 3)) {
			require_eq(raw_import(&raw, fuse.file, 0, &buffer), DSP_INVALID);
			require_eq(raw_import(&raw, fuse.file, SIZE, &buffer), DSP_INVALID);
			require_eq(raw_import(&raw, epoll, 0, &buffer), DSP_INVALID);
		}
		fuse_stop();
	}
	raw_close(&raw);
}

START_TEST(what_does_not_answer_is_not_asked)
{
	hostile_run(ALLOW_ALL, import_what_never_answers);
}
END_TEST

/* Nothing here has other memory than memfds. */
static void alloc_other_memory(void *harness)
{
	uint32_t session, buffer;
	struct raw raw;
	int fd;

	raw_start(&raw, harness);
	session = raw_open(&raw, EXAMPLE);
	for (int i = 0; i < 200; i++) {
		require_eq(raw_alloc_from(&raw, SIZE, DSP_MEMORY_DEVICE, session, &buffer, &fd),
			DSP_UNSUPPORTED);
		require_eq(raw_alloc_from(&raw, SIZE, DSP_MEMORY_DEVICE, session + 1, &buffer, &fd),
			DSP_NOT_FOUND);
		require_eq(raw_alloc_from(&raw, SIZE, DSP_MEMORY_DEVICE, 0, &buffer, &fd),
			DSP_NOT_FOUND);
		require_eq(raw_alloc_from(&raw, SIZE, DSP_MEMORY_HEAP, session, &buffer, &fd),
			DSP_INVALID);
		require_eq(raw_alloc_from(&raw, SIZE, DSP_MEMORY_COUNT, 0, &buffer, &fd),
			DSP_INVALID);
		require_eq(raw_alloc_from(&raw, UINT64_MAX, DSP_MEMORY_HEAP, 0, &buffer, &fd),
			DSP_INVALID);
	}
	for (uint32_t i = 0; i < 8; i++)
		raw_alloc(&raw, SIZE, &fd); /* it is all there still */
	raw_close(&raw);
}

START_TEST(memory_that_is_not_there_costs_nothing)
{
	hostile_run(FEW_BUFFERS, alloc_other_memory);
}
END_TEST

static void free_early(void *harness)
{
	uint32_t session, buffer, sleep_us = 2000;
	struct dsp_slot slot;
	struct raw raw;
	void *memory;
	int fd;

	raw_start(&raw, harness);
	session = raw_open(&raw, EXAMPLE);
	for (int i = 0; i < 100; i++) {
		buffer = raw_alloc(&raw, SIZE, &fd);
		memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		require(memory != MAP_FAILED);
		memcpy(memory, &sleep_us, sizeof(sleep_us));
		slot = raw_invoke(session, EXAMPLE_SLEEP, 1);
		slot.n_in = 1;
		slot.args[0] = (struct dsp_arg){buffer, 0, sizeof(sleep_us)};
		raw_push(&raw, &slot, 1);
		raw_submit(&raw);
		require_eq(raw_free(&raw, buffer), DSP_OK);
		require_eq(raw_free(&raw, buffer), DSP_NOT_FOUND);
		require_eq(raw_reap(&raw).status, DSP_OK); /* it was submitted before */
		require_eq(raw_call(&raw, &slot, 1).status, DSP_INVALID);
		munmap(memory, SIZE);
		fd_close(fd);
	}
	raw_close(&raw);
}

START_TEST(memory_freed_during_a_call_stays_until_the_call_is_over)
{
	hostile_run(FEW_BUFFERS, free_early);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hostile buffers");
	TCase *tcase = tcase_create("buffers");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_test(tcase, memory_cannot_be_taken_away_once_it_is_lent);
	tcase_add_test(tcase, memory_is_taken_as_soon_as_it_has_both_seals_and_not_before);
	tcase_add_test(tcase, memory_that_is_written_while_the_dsp_reads_it_harms_nobody);
	tcase_add_test(tcase, memory_is_limited_however_it_is_lent);
	tcase_add_test(tcase, a_client_that_lends_its_own_ring_to_the_dsp_harms_itself_alone);
	tcase_add_test(tcase, what_is_no_sealed_and_writable_memory_is_refused);
	tcase_add_test(tcase, what_does_not_answer_is_not_asked);
	tcase_add_test(tcase, memory_that_is_not_there_costs_nothing);
	tcase_add_test(tcase, memory_freed_during_a_call_stays_until_the_call_is_over);
	suite_add_tcase(suite, tcase);
	return harness_main(suite);
}
