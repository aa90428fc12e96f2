// SPDX-License-Identifier: MIT
/*
 * Memory that takes time to make, through the broker's own code, from a client's request to its
 * reply. The transport is the test's own, and gives memory when the test wants it to.
 */
#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/limits.h"
#include "daemon/memory.h"
#include "daemon/worker.h"
#include "tests/suite.h"
#include "tests/unit/app_rig.h"

#define PAGE    4096
#define BYTES   (64 * PAGE) /* that the client may have */
#define BUFFERS 32          /* as many as it may have */
#define BROKEN  (13 * PAGE) /* there is never so much */

static const char policy_text[] =
	"{\"version\": 1, \"rules\": [{\"name\": \"all\", \"action\": \"allow\","
	" \"match\": {\"users\": [\"*\"]}, \"channels\": [\"test/*\"],"
	" \"limits\": {\"bytes\": 262144, \"buffers\": 32}}]}";

/* The transport. */

static struct {
	struct device device;
	struct lane lanes[2]; /* of sessions, in the order of their opening */
	size_t n_lanes;
	int node;     /* what memory_node() returns a duplicate of, or an error */
	int begun[2]; /* a pipe: each byte is an allocation that has begun */
	int gate[2];  /* another: each byte lets one go on */
} end;

static int end_open(struct session *session)
{
	struct lane *lane = &end.lanes[end.n_lanes++];

	ck_assert_uint_le(end.n_lanes, ARRAY_SIZE(end.lanes));
	lane_init(lane, session->device, 1);
	lane->attached = 1;
	lane->ready = true;
	session->lane = lane;
	if (session->kind == DSP_KIND_MESSAGE)
		session_opened(session, PAGE);
	return 0;
}

static void end_close(struct session *session)
{
	session_end_calls(session, DSP_CANCELLED);
	session_closed(session);
}

static int end_submit(struct call *call)
{
	(void)call;
	return 1;
}

static int end_memory_node(struct session *session)
{
	ck_assert_ptr_eq(session->device, &end.device);
	return end.node < 0 ? end.node : fcntl(end.node, F_DUPFD_CLOEXEC, 3);
}

static int end_memory_alloc(int node, uint64_t size, int *out)
{
	char byte;

	if (fcntl(node, F_GETFD) < 0 || write(end.begun[1], "", 1) != 1 ||
		read(end.gate[0], &byte, 1) != 1)
		return -EIO;
	return size == BROKEN ? -ENOMEM : memory_new_memfd(size, out);
}

static const struct transport_ops end_ops = {
	.name = "test",
	.remove = daemon_remove_device,
	.open = end_open,
	.close = end_close,
	.submit = end_submit,
	.memory_node = end_memory_node,
	.memory_alloc = end_memory_alloc,
};

static void await_begun(void)
{
	char byte;

	while (!app_readable(end.begun[0]))
		daemon_turn(false);
	ck_assert_int_eq(read(end.begun[0], &byte, 1), 1);
}

static void let_go(unsigned int n)
{
	while (n--)
		ck_assert_int_eq(write(end.gate[1], "", 1), 1);
}

/* The client. */

static uint32_t session; /* on a channel that takes calls */

static uint32_t ask_for(uint64_t size)
{
	struct dsp_alloc request = {.size = size, .memory = DSP_MEMORY_DEVICE, .session = session};

	return app_ask(DSP_ALLOC, &request, sizeof(request));
}

static void is_refused(uint64_t size, uint32_t of, enum dsp_status status)
{
	struct dsp_alloc request = {.size = size, .memory = DSP_MEMORY_DEVICE, .session = of};
	union app_packet reply = app_exchange(DSP_ALLOC, &request, sizeof(request), NULL);

	ck_assert_uint_eq(reply.header.opcode, DSP_ERROR);
	ck_assert_uint_eq(reply.error.status, status);
	ck_assert_int_ne(reply.error.text[0], 0);
}

/* The next reply is a buffer under that serial. Returns its id. */
static uint32_t gets(uint32_t serial, uint64_t size)
{
	_cleanup_(sock_fds_close) struct sock_fds fds = {};
	union app_packet reply = app_next(&fds);
	struct stat st;

	ck_assert_uint_eq(reply.header.opcode, DSP_ALLOC | DSP_REPLY);
	ck_assert_uint_eq(reply.header.serial, serial);
	ck_assert_uint_eq(reply.buffer.size, size);
	ck_assert_uint_eq(fds.n, 1);
	ck_assert_int_eq(fstat(fds.fd[0], &st), 0);
	ck_assert_uint_eq((uint64_t)st.st_size, size);
	return reply.buffer.buffer;
}

static void free_buffer(uint32_t buffer)
{
	struct dsp_free request = {.buffer = buffer};

	ck_assert_uint_eq(app_exchange(DSP_FREE, &request, sizeof(request), NULL).header.opcode,
		DSP_FREE | DSP_REPLY);
}

static uint64_t used(enum quota_kind kind)
{
	return broker.quota.used[kind];
}

/* Everything. */

static void set_up(void)
{
	memset(&end, 0, sizeof(end));
	daemon_start(policy_text);
	daemon_start_workers();
	ck_assert_int_eq(pipe2(end.begun, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(end.gate, O_CLOEXEC), 0);
	end.node = end.gate[0];
	daemon_add_device(&end.device, &end_ops, "test");
	daemon_add_channel(&end.device, "call", DSP_KIND_CALL);
	daemon_add_channel(&end.device, "message", DSP_KIND_MESSAGE);
	app_start(0);
	session = app_open("test/call").session;
}

/* Whatever the test did, nothing may be left. */
static void tear_down(void)
{
	app_stop();
	end.gate[1] = fd_close(end.gate[1]); /* what still waits there fails */
	daemon_stop();
	fd_close(end.gate[0]);
	fd_close(end.begun[0]);
	fd_close(end.begun[1]);
}

START_TEST(it_is_whole_pages_and_charged_from_the_start)
{
	uint64_t fds = used(QUOTA_FDS);
	uint32_t serial, buffer;

	serial = ask_for(PAGE + 1);
	while (used(QUOTA_BYTES) == 0)
		daemon_turn(true);
	await_begun();
	ck_assert_uint_eq(used(QUOTA_BYTES), 2 * PAGE);
	ck_assert_uint_eq(used(QUOTA_BUFFERS), 1);
	ck_assert_uint_eq(used(QUOTA_FDS), fds + 2); /* with that which it is asked for by */
	let_go(1);
	buffer = gets(serial, 2 * PAGE);
	ck_assert_uint_eq(used(QUOTA_BYTES), 2 * PAGE);
	ck_assert_uint_eq(used(QUOTA_FDS), fds + 1);
	free_buffer(buffer);
	ck_assert_uint_eq(used(QUOTA_BYTES), 0);
	ck_assert_uint_eq(used(QUOTA_FDS), fds);
}
END_TEST

START_TEST(others_are_answered_while_it_is_made)
{
	struct dsp_alloc plain = {.size = PAGE};
	_cleanup_(sock_fds_close) struct sock_fds made = {};
	uint32_t serial = ask_for(PAGE), other;

	ck_assert_uint_eq(app_exchange(DSP_ALLOC, &plain, sizeof(plain), &made).header.opcode,
		DSP_ALLOC | DSP_REPLY);
	await_begun();
	other = ask_for(3 * PAGE);
	is_refused(PAGE, 0, DSP_NOT_FOUND);
	let_go(2);
	/* Which of them comes first is not said. */
	for (int i = 0; i < 2; i++) {
		_cleanup_(sock_fds_close) struct sock_fds fds = {};
		union app_packet reply = app_next(&fds);

		ck_assert_uint_eq(reply.header.opcode, DSP_ALLOC | DSP_REPLY);
		ck_assert_uint_eq(reply.buffer.size,
			reply.header.serial == serial ? PAGE : 3 * PAGE);
		ck_assert(reply.header.serial == serial || reply.header.serial == other);
	}
}
END_TEST

START_TEST(it_needs_an_open_session_that_takes_calls_on_a_device_that_has_some)
{
	uint32_t message = app_open("test/message").session;

	is_refused(PAGE, 0, DSP_NOT_FOUND);
	is_refused(PAGE, UINT32_MAX, DSP_NOT_FOUND);
	is_refused(PAGE, message, DSP_UNSUPPORTED);
	end.node = -EAGAIN;
	is_refused(PAGE, session, DSP_BUSY);
	end.node = -ENODEV;
	is_refused(PAGE, session, DSP_NO_RESOURCES);
	app_close(session);
	is_refused(PAGE, session, DSP_NOT_FOUND);
}
END_TEST

START_TEST(a_size_that_no_buffer_can_have_is_refused_at_once)
{
	is_refused(0, session, DSP_INVALID);
	is_refused(UINT64_MAX, session, DSP_INVALID);
	is_refused(LIMIT_BUFFER_BYTES + 1, session, DSP_INVALID);
	is_refused(BYTES + 1, session, DSP_OVER_LIMIT);
}
END_TEST

START_TEST(what_cannot_be_made_costs_nothing)
{
	let_go(2 * BUFFERS);
	for (int i = 0; i < 2 * BUFFERS; i++) {
		is_refused(BROKEN, session, DSP_NO_RESOURCES);
		await_begun();
		ck_assert_uint_eq(used(QUOTA_BYTES), 0);
		ck_assert_uint_eq(used(QUOTA_BUFFERS), 0);
	}
	let_go(1);
	gets(ask_for(BYTES), BYTES);
	is_refused(PAGE, session, DSP_OVER_LIMIT);
}
END_TEST

START_TEST(a_heap_that_is_not_there_is_unsupported)
{
	struct dsp_alloc request = {.size = PAGE, .memory = DSP_MEMORY_HEAP};

	for (int i = 0; i < 2 * BUFFERS; i++) {
		union app_packet reply = app_exchange(DSP_ALLOC, &request, sizeof(request), NULL);

		ck_assert_uint_eq(reply.header.opcode, DSP_ERROR);
		ck_assert_uint_eq(reply.error.status, DSP_UNSUPPORTED);
		ck_assert_ptr_nonnull(strstr(reply.error.text, "/dev/dma_heap/system"));
	}
	ck_assert_uint_eq(used(QUOTA_BYTES), 0);
}
END_TEST

START_TEST(so_many_are_made_at_once_for_a_client_and_no_more)
{
	union app_packet reply;

	for (int i = 0; i < LIMIT_CLIENT_ALLOCATIONS; i++)
		ask_for(PAGE);
	ask_for(PAGE);
	reply = app_next(NULL);
	ck_assert_uint_eq(reply.header.serial, app.serial);
	ck_assert_uint_eq(reply.error.status, DSP_OVER_LIMIT);
	ck_assert_uint_eq(reply.error.limit, LIMIT_CLIENT_ALLOCATIONS);
	let_go(LIMIT_CLIENT_ALLOCATIONS + 1);
	for (int i = 0; i < LIMIT_CLIENT_ALLOCATIONS; i++) {
		_cleanup_(sock_fds_close) struct sock_fds fds = {};

		ck_assert_uint_eq(app_next(&fds).header.opcode, DSP_ALLOC | DSP_REPLY);
	}
	gets(ask_for(PAGE), PAGE);
}
END_TEST

START_TEST(a_client_that_goes_meanwhile_stays_until_it_is_made_and_is_charged_for_it)
{
	for (int i = 0; i < LIMIT_CLIENT_ALLOCATIONS; i++)
		ask_for(PAGE);
	await_begun();
	app_hang_up();
	ck_assert(!list_empty(&broker.clients));
	ck_assert_uint_eq(used(QUOTA_BYTES), LIMIT_CLIENT_ALLOCATIONS * PAGE);
	let_go(LIMIT_CLIENT_ALLOCATIONS);
	while (!list_empty(&broker.clients))
		daemon_turn(true);
	ck_assert_uint_eq(used(QUOTA_BYTES), 0);
}
END_TEST

START_TEST(a_session_that_is_closed_meanwhile_changes_nothing)
{
	uint32_t serial = ask_for(PAGE);

	await_begun();
	app_close(session);
	let_go(1);
	gets(serial, PAGE);
}
END_TEST

START_TEST(the_end_of_the_threads_answers_also_for_those_that_never_ran)
{
	for (int i = 0; i < LIMIT_CLIENT_ALLOCATIONS; i++)
		ask_for(PAGE);
	await_begun();
	while (used(QUOTA_BYTES) < (uint64_t)LIMIT_CLIENT_ALLOCATIONS * PAGE)
		daemon_turn(false);
	end.gate[1] = fd_close(end.gate[1]);
	broker.workers = workers_free(broker.workers);
	ck_assert_uint_eq(used(QUOTA_BYTES), 0);
	for (int i = 0; i < LIMIT_CLIENT_ALLOCATIONS; i++)
		ck_assert_uint_eq(app_next(NULL).error.status, DSP_NO_RESOURCES);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("allocation");
	TCase *tcase = tcase_create("allocation");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, it_is_whole_pages_and_charged_from_the_start);
	tcase_add_test(tcase, others_are_answered_while_it_is_made);
	tcase_add_test(tcase, it_needs_an_open_session_that_takes_calls_on_a_device_that_has_some);
	tcase_add_test(tcase, a_size_that_no_buffer_can_have_is_refused_at_once);
	tcase_add_test(tcase, what_cannot_be_made_costs_nothing);
	tcase_add_test(tcase, a_heap_that_is_not_there_is_unsupported);
	tcase_add_test(tcase, so_many_are_made_at_once_for_a_client_and_no_more);
	tcase_add_test(tcase,
		a_client_that_goes_meanwhile_stays_until_it_is_made_and_is_charged_for_it);
	tcase_add_test(tcase, a_session_that_is_closed_meanwhile_changes_nothing);
	tcase_add_test(tcase, the_end_of_the_threads_answers_also_for_those_that_never_ran);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
