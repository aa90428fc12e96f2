// SPDX-License-Identifier: MIT
/* Memory that client and DSP share: what is taken, what is refused and why, and when it goes. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/integration/harness.h"

#define PAGE      4096
#define SIZED     (F_SEAL_SHRINK | F_SEAL_GROW)
#define LARGE     (64 * 1024 * 1024)
#define IN_FLIGHT 16
#define N_BUFFERS 3
#define BYTES     (64 * 1024)

static struct harness harness;

static void set_up(void)
{
	harness_start(&harness, POLICY(ALLOW("everybody", EVERYBODY, "\"*/*\"",
					",\"limits\": {\"timeout_ms\": 600000}")));
}

static void set_up_limited(void)
{
	harness_start(&harness, POLICY(ALLOW("everybody", EVERYBODY, "\"*/*\"",
					",\"limits\": {\"timeout_ms\": 600000, \"buffers\": 3, "
					"\"bytes\": \"64K\"}")));
}

static void tear_down(void)
{
	harness_stop(&harness);
}

static int make_memfd(size_t size, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	require(fd >= 0);
	require_eq(ftruncate(fd, (off_t)size), 0);
	require_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

/* Have the DSP copy @size bytes from the start of one to the start of the other. */
static int copy_with(int (*start)(struct dspbroker_session *, const struct dspbroker_call *),
	struct dspbroker_session *session, struct dspbroker_buffer *from,
	struct dspbroker_buffer *to, uint32_t size)
{
	const struct dspbroker_arg args[] = {
		{.buffer = from, .length = size},
		{.buffer = to, .length = size},
	};

	return start(session, &(struct dspbroker_call){
				      .method = EXAMPLE_COPY, .n_in = 1, .n_out = 1, .args = args});
}

static int wait_for(struct dspbroker_session *session, const struct dspbroker_call *call)
{
	return dspbroker_invoke(session, call, NULL);
}

static int copy(struct dspbroker_session *session, struct dspbroker_buffer *from,
	struct dspbroker_buffer *to, uint32_t size)
{
	return copy_with(wait_for, session, from, to, size);
}

static char *map(struct dspbroker_buffer *buffer)
{
	void *memory, *again;

	require_eq(dspbroker_buffer_map(buffer, &memory), 0);
	require_eq(dspbroker_buffer_map(buffer, &again), 0);
	require(memory == again);
	return memory;
}

CLIENT_TEST(allocated_memory_is_zeroed_whole_pages_and_the_dsp_writes_to_it)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_buffer *from = alloc_buffer(broker, PAGE + 1);
	struct dspbroker_buffer *to = alloc_buffer(broker, 1);
	char *source = map(from), *target = map(to);

	require_eq(dspbroker_buffer_size(from), 2 * PAGE);
	require_eq(dspbroker_buffer_size(to), PAGE);
	for (int i = 0; i < 2 * PAGE; i++)
		require_eq(source[i], 0);
	strcpy(source, "seen by both");
	require_eq(copy(session, from, to, PAGE), 0);
	require_text(target, "seen by both");
	dspbroker_free(broker);
}

CLIENT_TEST(a_sealed_memfd_of_the_clients_is_used_in_place)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	int from_fd = make_memfd(3 * PAGE, SIZED),
	    to_fd = make_memfd(3 * PAGE, SIZED | F_SEAL_SEAL);
	struct dspbroker_buffer *from, *to;
	char text[16] = "";

	require_eq(dspbroker_buffer_import(broker, &from, from_fd, 0), 0);
	require_eq(dspbroker_buffer_import(broker, &to, to_fd, PAGE), 0);
	require_eq(dspbroker_buffer_size(from), 3 * PAGE);
	require_eq(dspbroker_buffer_size(to), PAGE);
	require_eq(pwrite(from_fd, "through the fd", 15, 0), 15);
	require_eq(copy(session, from, to, PAGE), 0);
	require_eq(pread(to_fd, text, sizeof(text), 0), sizeof(text));
	require_text(text, "through the fd");
	/* Only a part of it was lent. */
	require_eq(copy(session, from, to, PAGE + 1), DSPBROKER_INVALID);
	close(from_fd);
	close(to_fd);
	dspbroker_free(broker);
}

/* What is wrong is said in words that belong to this fault alone. */
static void require_refused(struct dspbroker *broker, int fd, size_t size, const char *why)
{
	struct dspbroker_buffer *buffer;

	require(fd >= 0);
	require_eq(dspbroker_buffer_import(broker, &buffer, fd, size), DSPBROKER_INVALID);
	require_text(dspbroker_message(), why);
	close(fd);
}

static int regular_file(void)
{
	char path[] = "/tmp/dspbroker-file.XXXXXX";
	int fd = mkstemp(path);

	unlink(path);
	require_eq(ftruncate(fd, PAGE), 0);
	return fd;
}

static int read_only_memfd(void)
{
	int fd = make_memfd(PAGE, SIZED), again;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY | O_CLOEXEC);
	close(fd);
	return again;
}

CLIENT_TEST(a_descriptor_that_cannot_be_shared_safely_is_refused_and_told_why)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_buffer *buffer;
	int pair[2];

	require_refused(broker, make_memfd(PAGE, 0), 0, "is not sealed");
	require_refused(broker, make_memfd(PAGE, F_SEAL_SHRINK), 0, "is not sealed");
	require_refused(broker, make_memfd(PAGE, F_SEAL_GROW), 0, "is not sealed");
	require_refused(broker, make_memfd(PAGE, SIZED | F_SEAL_WRITE), 0, "cannot be written");
	require_refused(broker, make_memfd(PAGE, SIZED | F_SEAL_FUTURE_WRITE), 0,
		"cannot be written");
	require_refused(broker, read_only_memfd(), 0, "cannot be written");
	require_refused(broker, make_memfd(PAGE, SIZED), PAGE + 1, "shorter than the size");
	require_refused(broker, make_memfd(0, SIZED), 0, "is empty");
	require_refused(broker, regular_file(), 0, "no memfd");
	require_refused(broker, memfd_create("unsealable", MFD_CLOEXEC), 0, "no memfd");
	require_refused(broker, open("/dev/zero", O_RDWR | O_CLOEXEC), PAGE, "no memfd");
	require_refused(broker, open("/tmp", O_RDONLY | O_CLOEXEC), PAGE, "no memfd");
	require_eq(pipe2(pair, O_CLOEXEC), 0);
	require_refused(broker, pair[0], PAGE, "no memfd");
	close(pair[1]);
	require_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	require_refused(broker, pair[0], PAGE, "no memfd");
	close(pair[1]);
	require_eq(dspbroker_buffer_import(broker, &buffer, -1, PAGE), -EBADF);
	alloc_buffer(broker, PAGE); /* the connection goes on */
	dspbroker_free(broker);
}

CLIENT_TEST(a_device_without_memory_of_its_own_says_so)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_buffer *buffer;

	require_eq(dspbroker_buffer_alloc_from(broker, &buffer, PAGE, DSPBROKER_MEMORY_DEVICE,
			   session),
		DSPBROKER_UNSUPPORTED);
	require_text(dspbroker_message(), "no memory of its own");
	require_eq(dspbroker_buffer_alloc_from(broker, &buffer, PAGE, DSPBROKER_MEMORY_MEMFD, NULL),
		0);
	require_eq(dspbroker_buffer_size(buffer), PAGE);
	dspbroker_free(broker);
}

/* Where there is one, tests/kernel/test_memory.c uses it. */
CLIENT_TEST(a_machine_without_a_heap_says_so)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_buffer *buffer;

	if (access("/dev/dma_heap/system", F_OK) == 0) {
		fprintf(stderr, "SKIPPED: this machine has a heap\n");
		return;
	}
	require_eq(dspbroker_buffer_alloc_from(broker, &buffer, PAGE, DSPBROKER_MEMORY_HEAP, NULL),
		DSPBROKER_UNSUPPORTED);
	require_text(dspbroker_message(), "/dev/dma_heap/system");
	alloc_buffer(broker, PAGE);
	dspbroker_free(broker);
}

CLIENT_TEST(an_imported_memfd_cannot_be_truncated_afterwards)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	int fd = make_memfd(PAGE, SIZED);
	struct dspbroker_buffer *buffer, *to = alloc_buffer(broker, PAGE);

	require_eq(dspbroker_buffer_import(broker, &buffer, fd, 0), 0);
	require_eq(copy(session, buffer, to, PAGE), 0);
	require_eq(ftruncate(fd, 0), -1);
	require_eq(errno, EPERM);
	require_eq(ftruncate(fd, 2 * PAGE), -1);
	require_eq(errno, EPERM);
	require_eq(ftruncate(dspbroker_buffer_fd(to), 0), -1);
	require_eq(errno, EPERM);
	/* A hole can be punched, and costs only what was in it. */
	require_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE), 0);
	require_eq(copy(session, buffer, to, PAGE), 0);
	close(fd);
	dspbroker_free(broker);
}

CLIENT_TEST(too_many_buffers_or_bytes_are_refused_with_the_limit)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_buffer *buffers[N_BUFFERS], *one_more;
	int fd;

	for (int i = 0; i < N_BUFFERS; i++)
		buffers[i] = alloc_buffer(broker, PAGE);
	require_eq(dspbroker_buffer_alloc(broker, &one_more, PAGE), DSPBROKER_OVER_LIMIT);
	require_text(dspbroker_message(), "3 buffers");
	dspbroker_buffer_free(buffers[0]);

	require_eq(dspbroker_buffer_alloc(broker, &one_more, BYTES), DSPBROKER_OVER_LIMIT);
	require_text(dspbroker_message(), "65536 bytes");
	fd = make_memfd(BYTES, SIZED);
	require_eq(dspbroker_buffer_import(broker, &one_more, fd, 0), DSPBROKER_OVER_LIMIT);
	require_text(dspbroker_message(), "65536 bytes");
	require_eq(dspbroker_buffer_import(broker, &one_more, fd, BYTES - 2 * PAGE), 0);
	require_eq(dspbroker_buffer_alloc(broker, &one_more, UINT64_C(1) << 40), DSPBROKER_INVALID);
	require_eq(dspbroker_buffer_alloc(broker, &one_more, SIZE_MAX), DSPBROKER_INVALID);
	close(fd);
	dspbroker_free(broker);
}

/* Quarantine: the DSP may still write there. */
CLIENT_TEST(memory_that_is_freed_while_a_call_uses_it_is_charged_until_the_call_ends)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_buffer *buffer = alloc_buffer(broker, BYTES), *another;
	const struct dspbroker_arg args[] = {{.buffer = buffer, .length = BYTES}};
	struct dspbroker_call spin = {.method = EXAMPLE_SPIN, .timeout_us = 300000};
	struct dspbroker_call touch = {
		.method = EXAMPLE_TOUCH, .n_out = 1, .args = args, .user = (void *)2};

	require_eq(dspbroker_submit(session, &spin), 0);
	require_eq(dspbroker_submit(session, &touch), 0);
	dspbroker_buffer_free(buffer);
	require_eq(dspbroker_buffer_alloc(broker, &another, BYTES), DSPBROKER_OVER_LIMIT);
	require_eq(reap_one(broker).status, DSPBROKER_TIMED_OUT);
	require_eq((uintptr_t)reap_one(broker).user, 2);
	/* The domain is gone, and with it what could write there. */
	alloc_buffer(broker, BYTES);
	dspbroker_free(broker);
}

CLIENT_TEST(a_call_whose_buffer_is_freed_completes_and_then_its_memory_is_free_again)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_buffer *another;

	for (int i = 0; i < 50; i++) {
		struct dspbroker_buffer *buffer = alloc_buffer(broker, BYTES);
		const struct dspbroker_arg args[] = {{.buffer = buffer, .length = BYTES}};
		struct dspbroker_call touch = {.method = EXAMPLE_TOUCH, .n_out = 1, .args = args};

		require_eq(submit_sleep(session, 1000, 1), 0);
		require_eq(dspbroker_submit(session, &touch), 0);
		dspbroker_buffer_free(buffer);
		require_eq(reap_one(broker).status, 0);
		require_eq(reap_one(broker).status, 0);
		/* The domain unmaps it in its own time. */
		require_soon(dspbroker_buffer_alloc(broker, &another, BYTES) == 0);
		dspbroker_buffer_free(another);
	}
	dspbroker_free(broker);
}

/* Ids are counted per connection, so the first buffers of two have the same. */
CLIENT_TEST(a_buffer_of_another_connection_is_no_buffer)
{
	struct dspbroker *broker = connect_to(&harness), *other = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_buffer *mine = alloc_buffer(broker, PAGE);
	struct dspbroker_buffer *theirs = alloc_buffer(other, PAGE);

	strcpy(map(theirs), "not for you");
	require_eq(copy(session, theirs, mine, PAGE), -EINVAL);
	require_eq(copy(session, mine, theirs, PAGE), -EINVAL);
	require_eq(map(mine)[0], 0);
	dspbroker_free(other);
	dspbroker_free(broker);
}

static void passes_64_mib(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct dspbroker_buffer *from = alloc_buffer(broker, LARGE);
	struct dspbroker_buffer *to = alloc_buffer(broker, LARGE);
	char *source = map(from), *target = map(to);

	(void)data;
	memset(source, 0x5a, LARGE);
	source[LARGE - 1] = 'z';
	require_eq(copy(session, from, to, LARGE), 0);
	require_eq(target[LARGE - 1], 'z');
	require_eq(memcmp(source, target, LARGE), 0);
	for (int i = 0; i < IN_FLIGHT; i++)
		require_eq(copy_with(dspbroker_submit, session, from, to, LARGE), 0);
	step_reached('r');
	step_await('s');
	for (int i = 0; i < IN_FLIGHT; i++)
		require_eq(reap_one(broker).status, 0);
	dspbroker_free(broker);
}

START_TEST(the_broker_neither_maps_nor_copies_what_a_call_passes)
{
	struct client client;
	size_t before = harness_rss_kib(&harness), after;

	client_start(&client, ALICE, passes_64_mib, NULL);
	client_await(&client, 'r');
	require_eq(harness_mappings(&harness, "dspbroker-buffer"), 0);
	require(harness_mappings(&harness, "dspbroker-ring") > 0); /* so the names can be seen */
	after = harness_rss_kib(&harness);
	require(after < before + 8 * 1024); /* of 128 MiB that were passed */
	client_go(&client, 's');
	client_end(&client);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("buffers");
	TCase *tcase = tcase_create("buffers"), *limited = tcase_create("limits");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, allocated_memory_is_zeroed_whole_pages_and_the_dsp_writes_to_it);
	tcase_add_test(tcase, a_sealed_memfd_of_the_clients_is_used_in_place);
	tcase_add_test(tcase, a_descriptor_that_cannot_be_shared_safely_is_refused_and_told_why);
	tcase_add_test(tcase, a_device_without_memory_of_its_own_says_so);
	tcase_add_test(tcase, a_machine_without_a_heap_says_so);
	tcase_add_test(tcase, an_imported_memfd_cannot_be_truncated_afterwards);
	tcase_add_test(tcase, a_buffer_of_another_connection_is_no_buffer);
	tcase_add_test(tcase, the_broker_neither_maps_nor_copies_what_a_call_passes);
	suite_add_tcase(suite, tcase);

	tcase_set_timeout(limited, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(limited, set_up_limited, tear_down);
	tcase_add_test(limited, too_many_buffers_or_bytes_are_refused_with_the_limit);
	tcase_add_test(limited,
		memory_that_is_freed_while_a_call_uses_it_is_charged_until_the_call_ends);
	tcase_add_test(limited,
		a_call_whose_buffer_is_freed_completes_and_then_its_memory_is_free_again);
	suite_add_tcase(suite, limited);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
