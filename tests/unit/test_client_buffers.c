// SPDX-License-Identifier: MIT
/* What the client library promises about memory of every kind, and about modules that are brought
 * along. */
#include <check.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "client/internal.h"
#include "tests/fds.h"
#include "tests/suite.h"
#include "tests/unit/fake_broker.h"

#define SIZE    8192
#define UDMABUF "/dev/udmabuf"

static struct fake_broker *fake;
static struct dspbroker *broker;
static struct dspbroker_session *session;
static size_t fds_before;

static void set_up(void)
{
	int fd;

	fds_before = count_fds(getpid());
	fake = fake_broker_start(FAKE_HELLO_HONEST, &fd);
	ck_assert_int_eq(dspbroker_connect_fd(&broker, fd), 0);
	ck_assert_int_eq(dspbroker_session_open(broker, &session, "soft0/first"), 0);
}

static void tear_down(void)
{
	dspbroker_free(broker);
	fake_broker_stop(fake);
	ck_assert_uint_eq(count_fds(getpid()), fds_before);
}

static void assert_works(void)
{
	const struct dspbroker_call call = {.method = FAKE_ECHO};

	ck_assert_int_eq(dspbroker_invoke(session, &call, NULL), 0);
}

static void assert_broken(void)
{
	struct dspbroker_buffer *buffer;

	ck_assert_str_ne(dspbroker_message(), "");
	ck_assert_int_eq(dspbroker_buffer_alloc(broker, &buffer, SIZE), -ECONNRESET);
}

/* A memfd that begins with @text. */
static int memory_of(const char *text, int seals)
{
	int fd = memfd_create("mine", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_eq(ftruncate(fd, SIZE), 0);
	ck_assert_int_eq(pwrite(fd, text, strlen(text), 0), (ssize_t)strlen(text));
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

/* Both ways through the DSP. */
static void assert_shared(struct dspbroker_buffer *buffer)
{
	const struct dspbroker_arg args[] = {{.buffer = buffer, .offset = 0, .length = 64},
		{.buffer = buffer, .offset = 4096, .length = 64}};
	const struct dspbroker_call call = {
		.method = FAKE_ECHO, .n_in = 1, .n_out = 1, .args = args};
	void *memory;

	ck_assert_int_eq(dspbroker_buffer_map(buffer, &memory), 0);
	ck_assert_int_eq(dspbroker_buffer_begin(buffer, 1), 0);
	strcpy(memory, "straight through");
	ck_assert_int_eq(dspbroker_buffer_end(buffer, 1), 0);
	ck_assert_int_eq(dspbroker_invoke(session, &call, NULL), 0);
	ck_assert_int_eq(dspbroker_buffer_begin(buffer, 0), 0);
	ck_assert_str_eq((char *)memory + 4096, "straight through");
	ck_assert_int_eq(dspbroker_buffer_end(buffer, 0), 0);
}

START_TEST(the_broker_hears_which_memory_is_wanted_and_whose)
{
	static const enum dspbroker_memory kinds[] = {
		DSPBROKER_MEMORY_HEAP, DSPBROKER_MEMORY_DEVICE, DSPBROKER_MEMORY_MEMFD};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const bool device = kinds[i] == DSPBROKER_MEMORY_DEVICE;
		struct dspbroker_buffer *buffer;
		struct fake_origin origin;

		ck_assert_int_eq(dspbroker_buffer_alloc_from(broker, &buffer, SIZE, kinds[i],
					 device ? session : NULL),
			0);
		origin = fake_broker_origin(fake);
		ck_assert_uint_eq(origin.memory, kinds[i]);
		ck_assert_uint_eq(origin.session, device ? session->id : 0);
		ck_assert_uint_eq(dspbroker_buffer_size(buffer), SIZE);
		assert_shared(buffer);
		dspbroker_buffer_free(buffer);
	}
}
END_TEST

START_TEST(memory_that_there_cannot_be_is_never_asked_for)
{
	struct dspbroker_session *stranger;
	struct dspbroker_buffer *buffer;
	struct fake_broker *second;
	struct dspbroker *other;
	int fd;

	second = fake_broker_start(FAKE_HELLO_HONEST, &fd);
	ck_assert_int_eq(dspbroker_connect_fd(&other, fd), 0);
	ck_assert_int_eq(dspbroker_session_open(other, &stranger, "soft0/first"), 0);

	const struct {
		size_t size;
		enum dspbroker_memory memory;
		struct dspbroker_session *session;
	} cases[] = {
		{0, DSPBROKER_MEMORY_HEAP, NULL},
		{SIZE, DSPBROKER_MEMORY_MEMFD, session},
		{SIZE, DSPBROKER_MEMORY_HEAP, session},
		{SIZE, DSPBROKER_MEMORY_DEVICE, NULL},
		{SIZE, DSPBROKER_MEMORY_DEVICE, stranger},
		{SIZE, DSPBROKER_MEMORY_DEVICE + 1, NULL},
		{SIZE, (enum dspbroker_memory)UINT32_MAX, NULL},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_int_eq(dspbroker_buffer_alloc_from(broker, &buffer, cases[i].size,
					 cases[i].memory, cases[i].session),
			-EINVAL);
	ck_assert_int_eq(dspbroker_buffer_alloc_from(NULL, &buffer, SIZE, DSPBROKER_MEMORY_HEAP,
				 NULL),
		-EINVAL);
	ck_assert_int_eq(dspbroker_buffer_alloc_from(broker, NULL, SIZE, DSPBROKER_MEMORY_HEAP,
				 NULL),
		-EINVAL);
	assert_works();
	dspbroker_free(other);
	fake_broker_stop(second);
}
END_TEST

START_TEST(a_reply_without_the_buffer_it_promises_ends_the_connection)
{
	struct dspbroker_buffer *buffer = NULL;

	ck_assert_int_eq(dspbroker_buffer_alloc_from(broker, &buffer, (size_t)_i,
				 DSPBROKER_MEMORY_DEVICE, session),
		-ECONNRESET);
	ck_assert_ptr_null(buffer);
	assert_broken();
}
END_TEST

START_TEST(a_reply_to_an_import_that_cannot_be_right_ends_the_connection)
{
	_cleanup_(fd_closep) int fd = memory_of("", F_SEAL_SHRINK | F_SEAL_GROW);
	struct dspbroker_buffer *buffer = NULL;

	ck_assert_int_eq(dspbroker_buffer_import(broker, &buffer, fd, (size_t)_i), -ECONNRESET);
	ck_assert_ptr_null(buffer);
	assert_broken();
}
END_TEST

START_TEST(touching_a_memfd_needs_no_word_to_the_kernel)
{
	_cleanup_(fd_closep) int fd = memory_of("", F_SEAL_SHRINK | F_SEAL_GROW);
	struct dspbroker_buffer *buffer;

	ck_assert_int_eq(dspbroker_buffer_alloc(broker, &buffer, SIZE), 0);
	assert_shared(buffer);
	dspbroker_buffer_free(buffer);
	ck_assert_int_eq(dspbroker_buffer_import(broker, &buffer, fd, SIZE), 0);
	assert_shared(buffer);
	dspbroker_buffer_free(buffer);
	ck_assert_int_eq(dspbroker_buffer_begin(NULL, 1), -EINVAL);
	ck_assert_int_eq(dspbroker_buffer_end(NULL, 1), -EINVAL);
}
END_TEST

/* A file is neither; only this broker takes it. */
START_TEST(what_is_no_memfd_is_the_kernels_to_prepare)
{
	char path[] = "/tmp/dspbroker-test.XXXXXX";
	_cleanup_(fd_closep) int fd = mkostemp(path, O_CLOEXEC);
	struct dspbroker_buffer *buffer;

	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(ftruncate(fd, SIZE), 0);
	ck_assert_int_eq(dspbroker_buffer_import(broker, &buffer, fd, SIZE), 0);
	ck_assert_int_eq(dspbroker_buffer_begin(buffer, 0), -ENOTTY);
	ck_assert_int_eq(dspbroker_buffer_end(buffer, 1), -ENOTTY);
}
END_TEST

START_TEST(a_dmabuf_is_imported_mapped_and_prepared)
{
	_cleanup_(fd_closep) int memfd = memory_of("", F_SEAL_SHRINK);
	_cleanup_(fd_closep) int maker = open(UDMABUF, O_RDWR | O_CLOEXEC);
	const struct udmabuf_create create = {
		.memfd = (uint32_t)memfd, .flags = UDMABUF_FLAGS_CLOEXEC, .size = SIZE};
	_cleanup_(fd_closep) int fd = ioctl(maker, UDMABUF_CREATE, &create);
	struct dspbroker_buffer *buffer;
	char text[32] = "";

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(dspbroker_buffer_import(broker, &buffer, fd, SIZE), 0);
	assert_shared(buffer);
	ck_assert_int_eq(pread(memfd, text, sizeof(text), 4096), sizeof(text));
	ck_assert_str_eq(text, "straight through");
	/* Linux 6.1 must not see the memfd go before all mappings of the dma-buf. */
	broker = dspbroker_free(broker);
	fake = fake_broker_stop(fake);
}
END_TEST

/* Modules. */

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

START_TEST(a_module_goes_along_with_the_opening_and_stays_the_callers)
{
	_cleanup_(fd_closep) int module = memory_of("my own module", SEALS);
	struct dspbroker_session *own, *installed;

	ck_assert_int_eq(dspbroker_session_open_module(broker, &own, "soft0/own", module), 0);
	ck_assert_str_eq(dspbroker_session_info(own)->rule, "my own module");
	ck_assert_int_ge(fcntl(module, F_GETFD), 0);
	ck_assert_int_eq(dspbroker_session_open(broker, &installed, "soft0/own"), 0);
	ck_assert_str_eq(dspbroker_session_info(installed)->rule, "soft0/own");
	assert_works();
	ck_assert_ptr_null(dspbroker_session_close(own));
}
END_TEST

START_TEST(without_a_module_there_is_nothing_to_open)
{
	_cleanup_(fd_closep) int module = memory_of("", SEALS);
	struct dspbroker_session *never = NULL;
	const int closed = dup(module);
	char channel[DSP_CHANNEL_SIZE + 1] = {};

	close(closed);
	memset(channel, 'a', DSP_CHANNEL_SIZE);
	ck_assert_int_eq(dspbroker_session_open_module(broker, &never, "soft0/own", -1), -EBADF);
	ck_assert_int_eq(dspbroker_session_open_module(broker, &never, "soft0/own", closed),
		-EBADF);
	ck_assert_int_eq(dspbroker_session_open_module(broker, &never, NULL, module), -EINVAL);
	ck_assert_int_eq(dspbroker_session_open_module(broker, &never, channel, module), -EINVAL);
	ck_assert_int_eq(dspbroker_session_open_module(NULL, &never, "soft0/own", module), -EINVAL);
	ck_assert_ptr_null(never);
	assert_works();
}
END_TEST

START_TEST(a_refused_module_says_why)
{
	_cleanup_(fd_closep) int module = memory_of("", SEALS);
	struct dspbroker_session *never;

	ck_assert_int_eq(dspbroker_session_open_module(broker, &never, FAKE_DENIED, module),
		DSPBROKER_DENIED);
	ck_assert_str_eq(dspbroker_message(), "this is not for you (rule nobody)");
	assert_works();
}
END_TEST

static const char *const wrong_replies[] = {
	FAKE_SHORT,
	FAKE_OTHER,
	FAKE_SERIAL,
	FAKE_UNKNOWN,
	FAKE_SWAPPED,
	FAKE_SUCCESS,
	FAKE_PRESENT,
	FAKE_GONE,
};

START_TEST(a_module_answered_wrongly_ends_the_connection)
{
	_cleanup_(fd_closep) int module = memory_of("", SEALS);
	struct dspbroker_session *never;

	ck_assert_int_eq(dspbroker_session_open_module(broker, &never, wrong_replies[_i], module),
		-ECONNRESET);
	assert_broken();
}
END_TEST

struct opening {
	char name[32];
	int r;
	bool own; /* the session's rule is the module's text */
};

static void *open_and_close(void *data)
{
	struct opening *opening = data;
	struct dspbroker_session *own;
	int module = memfd_create("mine", MFD_CLOEXEC);

	if (write(module, opening->name, strlen(opening->name)) < 0)
		opening->r = -errno;
	for (int i = 0; i < 100 && !opening->r; i++) {
		opening->r = dspbroker_session_open_module(broker, &own, "soft0/own", module);
		if (opening->r)
			break;
		opening->own = !strcmp(dspbroker_session_info(own)->rule, opening->name);
		if (!opening->own)
			break;
		dspbroker_session_close(own);
	}
	close(module);
	return NULL;
}

START_TEST(modules_of_many_threads_reach_their_own_sessions)
{
	pthread_t threads[4];
	struct opening openings[ARRAY_SIZE(threads)] = {};

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		snprintf(openings[i].name, sizeof(openings[i].name), "module of thread %zu", i);
		ck_assert_int_eq(pthread_create(&threads[i], NULL, open_and_close, &openings[i]),
			0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		pthread_join(threads[i], NULL);
		ck_assert_int_eq(openings[i].r, 0);
		ck_assert(openings[i].own);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("client buffers and modules");
	TCase *tcase = tcase_create("buffers");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, the_broker_hears_which_memory_is_wanted_and_whose);
	tcase_add_test(tcase, memory_that_there_cannot_be_is_never_asked_for);
	tcase_add_loop_test(tcase, a_reply_without_the_buffer_it_promises_ends_the_connection,
		FAKE_SIZE_BARE, FAKE_SIZE_END);
	tcase_add_loop_test(tcase, a_reply_to_an_import_that_cannot_be_right_ends_the_connection,
		FAKE_SIZE_MORE, FAKE_SIZE_END);
	tcase_add_test(tcase, touching_a_memfd_needs_no_word_to_the_kernel);
	tcase_add_test(tcase, what_is_no_memfd_is_the_kernels_to_prepare);
	/* Not every machine can make one; the test kernel can. */
	if (access(UDMABUF, R_OK | W_OK) == 0)
		tcase_add_test(tcase, a_dmabuf_is_imported_mapped_and_prepared);
	tcase_add_test(tcase, a_module_goes_along_with_the_opening_and_stays_the_callers);
	tcase_add_test(tcase, without_a_module_there_is_nothing_to_open);
	tcase_add_test(tcase, a_refused_module_says_why);
	tcase_add_loop_test(tcase, a_module_answered_wrongly_ends_the_connection, 0,
		ARRAY_SIZE(wrong_replies));
	tcase_add_test(tcase, modules_of_many_threads_reach_their_own_sessions);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
