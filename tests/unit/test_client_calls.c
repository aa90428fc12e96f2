// SPDX-License-Identifier: MIT
/* What the client library promises about calls, with a broker whose every answer is chosen. */
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "client/internal.h"
#include "tests/suite.h"
#include "tests/unit/fake_broker.h"

#define TIMEOUT_MS 20000                 /* of what must happen; never waited for in full */
#define QUEUE_MAX  (FAKE_CQ_ENTRIES / 2) /* calls that the library accepts before a reap */

static struct fake_broker *fake;
static struct dspbroker *broker;
static struct dspbroker_session *session;

static void set_up(void)
{
	int fd;

	fake = fake_broker_start(FAKE_HELLO_HONEST, &fd);
	ck_assert_int_eq(dspbroker_connect_fd(&broker, fd), 0);
	ck_assert_int_eq(dspbroker_session_open(broker, &session, "soft0/first"), 0);
}

static void tear_down(void)
{
	dspbroker_free(broker);
	fake_broker_stop(fake);
}

static bool readable(int timeout_ms)
{
	struct pollfd fd = {.fd = dspbroker_fd(broker), .events = POLLIN};

	return poll(&fd, 1, timeout_ms) == 1;
}

static int invoke(uint32_t method)
{
	const struct dspbroker_call call = {.method = method};

	return dspbroker_invoke(session, &call, NULL);
}

static int submit(uint32_t method, void *user)
{
	const struct dspbroker_call call = {.method = method, .user = user};

	return dspbroker_submit(session, &call);
}

/* Echo @in to @out; plain enough for any thread. */
static int echo(void *in, void *out, uint32_t length)
{
	const struct dspbroker_arg args[] = {
		{.data = in, .length = length}, {.data = out, .length = length}};
	const struct dspbroker_call call = {
		.method = FAKE_ECHO, .n_in = 1, .n_out = 1, .args = args};

	return dspbroker_invoke(session, &call, NULL);
}

static int reap_one(struct dspbroker_completion *out)
{
	return dspbroker_reap(broker, out, 1, TIMEOUT_MS);
}

START_TEST(inline_arguments_travel_both_ways)
{
	static const uint32_t lengths[] = {0, 1, 63, 64, 65, 4096, DSPBROKER_INLINE_MAX};
	static char in[DSPBROKER_INLINE_MAX], out[DSPBROKER_INLINE_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		memset(in, 'a' + (int)i, sizeof(in));
		memset(out, 0, sizeof(out));
		ck_assert_int_eq(echo(in, out, lengths[i]), 0);
		ck_assert_int_eq(memcmp(in, out, lengths[i]), 0);
		ck_assert(lengths[i] == sizeof(out) || out[lengths[i]] == 0);
	}
}
END_TEST

START_TEST(buffers_are_shared_whether_allocated_or_imported)
{
	struct dspbroker_buffer *allocated, *imported;
	void *from, *to, *again;
	int fd = memfd_create("mine", MFD_CLOEXEC);

	ck_assert_int_eq(ftruncate(fd, 8192), 0);
	ck_assert_int_eq(dspbroker_buffer_alloc(broker, &allocated, 8192), 0);
	ck_assert_int_eq(dspbroker_buffer_import(broker, &imported, fd, 8192), 0);
	fd_close(fd);
	ck_assert_int_eq(dspbroker_buffer_map(allocated, &from), 0);
	ck_assert_int_eq(dspbroker_buffer_map(imported, &to), 0);
	ck_assert_int_eq(dspbroker_buffer_map(imported, &again), 0);
	ck_assert_ptr_eq(to, again);
	ck_assert_uint_eq(dspbroker_buffer_size(imported), 8192);
	strcpy((char *)from + 4096, "straight through");

	const struct dspbroker_arg args[] = {{.buffer = allocated, .offset = 4096, .length = 4096},
		{.buffer = imported, .offset = 100, .length = 4096}};
	const struct dspbroker_call call = {
		.method = FAKE_ECHO, .n_in = 1, .n_out = 1, .args = args};

	ck_assert_int_eq(dspbroker_invoke(session, &call, NULL), 0);
	ck_assert_str_eq((char *)to + 100, "straight through");
	dspbroker_buffer_free(allocated);
	dspbroker_buffer_free(imported);
}
END_TEST

START_TEST(a_failed_call_says_what_failed_and_leaves_outputs_alone)
{
	static const struct {
		uint32_t words[4]; /* status, result, detail, limit */
		const char *message;
	} cases[] = {
		{{DSPBROKER_DSP_ERROR, 0x42, 0}, "the module returned 66 (0x42)"},
		{{DSPBROKER_OVER_LIMIT, 0, 64}, "over a limit of 64"},
		{{DSPBROKER_OVER_LIMIT, 0, 64, DSPBROKER_LIMIT_SESSION_CALLS},
			"over limit: 64 calls in flight of the session"},
		{{DSPBROKER_OVER_LIMIT, 0, 1000, DSPBROKER_LIMIT_RULE_RATE},
			"over limit: 1000 calls a second under the session's rule"},
		{{DSPBROKER_OVER_LIMIT, 0, 5, 77}, "over a limit of 5"},
		{{DSPBROKER_DENIED, 0, 16}, "rule soft0/first does not allow that method"},
		{{DSPBROKER_DENIED, 0, 0}, ""},
		{{DSPBROKER_INVALID, 0, 16}, "the method is not valid"},
		{{DSPBROKER_INVALID, 0, 40 + 8}, "argument 0 (input 0): the length is not valid"},
		{{DSPBROKER_INVALID, 0, 64 + 12}, "argument 3 (output 2): the buffer is not valid"},
		{{DSPBROKER_INVALID, 0, 128 + 4}, "argument 7 (output 6): the offset is not valid"},
		{{DSPBROKER_INVALID, 0, 124}, ""},
		{{DSPBROKER_TIMED_OUT, 0, 0}, ""},
	};
	char untouched[4] = "abc";
	const struct dspbroker_arg args[] = {
		{.data = (void *)cases[_i].words, .length = sizeof(cases[_i].words)},
		{.data = untouched, .length = sizeof(untouched)}};
	const struct dspbroker_call call = {
		.method = FAKE_FAIL, .n_in = 1, .n_out = 1, .args = args};
	int32_t result;

	ck_assert_int_eq(dspbroker_invoke(session, &call, &result), (int)cases[_i].words[0]);
	ck_assert_int_eq(result, (int32_t)cases[_i].words[1]);
	ck_assert_str_eq(dspbroker_message(), cases[_i].message);
	ck_assert_str_eq(untouched, "abc");
	ck_assert_int_eq(invoke(FAKE_ECHO), 0);
	ck_assert_str_eq(dspbroker_message(), "");
}
END_TEST

START_TEST(a_reaped_completion_names_the_limit_that_it_ran_into)
{
	static const uint32_t limits[] = {DSPBROKER_LIMIT_RULE_CALLS, 77};
	struct dspbroker_completion done;

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		uint32_t words[4] = {DSPBROKER_OVER_LIMIT, 0, 9, limits[i]};
		const struct dspbroker_arg arg = {.data = words, .length = sizeof(words)};
		const struct dspbroker_call call = {.method = FAKE_FAIL, .n_in = 1, .args = &arg};

		ck_assert_int_eq(dspbroker_submit(session, &call), 0);
		ck_assert_int_eq(dspbroker_reap(broker, &done, 1, -1), 1);
		ck_assert_int_eq(done.status, DSPBROKER_OVER_LIMIT);
		ck_assert_uint_eq(done.limit, limits[i]);
	}
	ck_assert_int_eq(submit(FAKE_ECHO, NULL), 0);
	ck_assert_int_eq(dspbroker_reap(broker, &done, 1, -1), 1);
	ck_assert_uint_eq(done.limit, DSPBROKER_LIMIT_NONE);
}
END_TEST

START_TEST(completions_out_of_order_reach_their_callers)
{
	struct dspbroker_completion done[8];
	int users[8];

	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(submit(FAKE_HOLD, &users[i]), 0);
	ck_assert_int_eq(invoke(FAKE_RELEASE), 0);
	ck_assert_int_eq(dspbroker_reap(broker, done, 8, 0), 8);
	for (int i = 0; i < 8; i++) {
		ck_assert_ptr_eq(done[i].user, &users[7 - i]);
		ck_assert_ptr_eq(done[i].session, session);
		ck_assert_int_eq(done[i].status, DSPBROKER_OK);
		ck_assert_int_eq(done[i].result, FAKE_HOLD);
		ck_assert_uint_eq(done[i].busy_ns, 1000);
	}
}
END_TEST

START_TEST(inline_outputs_of_a_submitted_call_are_there_once_it_is_reaped)
{
	char in[] = "there and back", out[sizeof(in)] = "";
	struct dspbroker_completion done;

	{
		const struct dspbroker_arg args[] = {
			{.data = in, .length = sizeof(in)}, {.data = out, .length = sizeof(out)}};
		const struct dspbroker_call call = {
			.method = FAKE_ECHO, .n_in = 1, .n_out = 1, .args = args};

		ck_assert_int_eq(dspbroker_submit(session, &call), 0);
	}
	memset(in, 0, sizeof(in)); /* an input may go at once */
	ck_assert_int_eq(reap_one(&done), 1);
	ck_assert_str_eq(out, "there and back");
}
END_TEST

/* Threads that each wait for something else. */

static _Atomic int wrong_answers;

static void *echo_much(void *data)
{
	uint32_t in[8192], out[8192];
	int r;

	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t length = 4 * (1 + i * 57 % 8192);

		for (uint32_t word = 0; word < length / 4; word++)
			in[word] = (uint32_t)(uintptr_t)data << 24 ^ i << 12 ^ word;
		memset(out, 0, length);
		do {
			r = echo(in, out, length);
		} while (r == -EAGAIN); /* the argument area is full of what is to be reaped */
		if (r || memcmp(in, out, length))
			wrong_answers++;
	}
	return NULL;
}

static void *submit_much(void *data)
{
	struct dspbroker_completion done[4];
	uint32_t in[64], out[64];
	const struct dspbroker_arg args[] = {
		{.data = in, .length = sizeof(in)}, {.data = out, .length = sizeof(out)}};
	const struct dspbroker_call call = {
		.method = FAKE_ECHO, .n_in = 1, .n_out = 1, .args = args, .user = data};
	int submitted = 0, reaped = 0;

	while (reaped < 2000) {
		int r = submitted < 2000 ? dspbroker_submit(session, &call) : -EAGAIN;

		if (r == 0) {
			submitted++;
			continue;
		}
		r = dspbroker_reap(broker, done, ARRAY_SIZE(done), TIMEOUT_MS);
		if (r <= 0 || done[0].user != data || done[0].status) {
			wrong_answers++;
			break;
		}
		reaped += r;
	}
	return NULL;
}

/* The ring has few slots and the argument area 128 KiB: there is contention for everything. */
START_TEST(calls_of_many_threads_all_reach_their_callers)
{
	pthread_t threads[6];

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, i ? echo_much : submit_much, (void *)(i + 1));
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(wrong_answers, 0);
}
END_TEST

static void *open_later(void *data)
{
	return (void *)(intptr_t)dspbroker_session_open(broker, data, FAKE_LATER);
}

START_TEST(replies_out_of_order_reach_their_callers)
{
	struct dspbroker_session *later = NULL, *sooner;
	pthread_t thread;
	void *r;

	pthread_create(&thread, NULL, open_later, &later);
	/* Its request may still be on its way: open until one was answered before it. */
	do {
		ck_assert_int_eq(dspbroker_session_open(broker, &sooner, "soft0/sooner"), 0);
		ck_assert_str_eq(dspbroker_session_info(sooner)->rule, "soft0/sooner");
	} while (pthread_tryjoin_np(thread, &r) != 0);
	ck_assert_ptr_null(r);
	ck_assert_str_eq(dspbroker_session_info(later)->rule, FAKE_LATER);
	ck_assert_ptr_eq(dspbroker_session_close(later), NULL);
}
END_TEST

static void *open_any(void *data)
{
	struct dspbroker_session *any;

	return (void *)(intptr_t)dspbroker_session_open(broker, &any, data);
}

/* More requests than the socket takes, while the broker reads none. */
START_TEST(a_full_socket_is_waited_for_while_calls_go_on)
{
	struct dspbroker_session *deaf;
	pthread_t threads[48];
	void *r;

	ck_assert_int_eq(dspbroker_session_open(broker, &deaf, FAKE_DEAF), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, open_any, "soft0/any");
	ck_assert_int_eq(invoke(FAKE_ECHO), 0);
	ck_assert_int_eq(invoke(FAKE_RELEASE), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		pthread_join(threads[i], &r);
		ck_assert_ptr_null(r);
	}
}
END_TEST

/* A wake-up may still be on its way after what it announced was taken. */
static void assert_unreadable(void)
{
	struct dspbroker_completion done;
	struct dspbroker_event event;

	do {
		ck_assert_int_eq(dspbroker_reap(broker, &done, 1, 0), 0);
		ck_assert_int_eq(dspbroker_next_event(broker, &event), 0);
	} while (readable(0));
}

START_TEST(the_fd_is_readable_while_a_completion_waits_and_no_longer)
{
	struct dspbroker_completion done;

	ck_assert_int_eq(submit(FAKE_HOLD, NULL), 0);
	ck_assert_int_eq(submit(FAKE_HOLD, NULL), 0);
	assert_unreadable();
	ck_assert_int_eq(invoke(FAKE_RELEASE), 0); /* this thread receives all three */
	ck_assert(readable(0));
	ck_assert_int_eq(dspbroker_reap(broker, &done, 1, 0), 1);
	ck_assert(readable(0));
	ck_assert_int_eq(dspbroker_reap(broker, &done, 1, 0), 1);
	assert_unreadable();
}
END_TEST

static _Atomic bool stop;

static void *invoke_until_stopped(void *data)
{
	(void)data;
	while (!stop)
		if (invoke(FAKE_ECHO))
			wrong_answers++;
	return NULL;
}

/* An event loop beside threads that invoke and may receive its completions for it. */
START_TEST(no_completion_is_missed_by_who_polls_the_fd)
{
	struct dspbroker_completion done;
	pthread_t threads[2];

	for (size_t i = 0; i < (size_t)_i; i++)
		pthread_create(&threads[i], NULL, invoke_until_stopped, NULL);
	for (int i = 0; i < 3000; i++) {
		int r = submit(FAKE_ECHO, NULL);

		while (r == 0) {
			if (!readable(TIMEOUT_MS))
				ck_abort_msg("nothing to read after %d calls", i);
			r = dspbroker_reap(broker, &done, 1, 0);
		}
		if (r != 1)
			ck_abort_msg("call %d: %s", i, dspbroker_strerror(r));
	}
	stop = true;
	for (size_t i = 0; i < (size_t)_i; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(wrong_answers, 0);
}
END_TEST

START_TEST(every_accepted_call_has_exactly_one_completion)
{
	struct dspbroker_completion done[FAKE_CQ_ENTRIES];
	bool seen[FAKE_CQ_ENTRIES] = {};
	int n = 0, r;

	for (int round = 0; round < 3; round++) {
		while ((r = submit(FAKE_HOLD, &seen[n])) == 0 || n < QUEUE_MAX)
			n += r == 0; /* the broker may still be taking entries out */
		ck_assert_int_eq(r, -EAGAIN);
		ck_assert_int_eq(n, QUEUE_MAX);
		ck_assert_int_eq(invoke(FAKE_RELEASE), 0);
		ck_assert_int_eq(dspbroker_reap(broker, done, FAKE_CQ_ENTRIES, 0), n);
		for (; n > 0; n--) {
			ck_assert(!*(bool *)done[n - 1].user);
			*(bool *)done[n - 1].user = true;
		}
		memset(seen, 0, sizeof(seen));
		ck_assert_int_eq(dspbroker_reap(broker, done, FAKE_CQ_ENTRIES, -1), 0);
	}
}
END_TEST

/* One call whose arguments take the whole argument area. */
static int submit_all_data(void)
{
	static char in[DSPBROKER_INLINE_MAX], out[DSPBROKER_INLINE_MAX];
	const struct dspbroker_arg args[] = {
		{.data = in, .length = sizeof(in)}, {.data = out, .length = sizeof(out)}};
	const struct dspbroker_call call = {
		.method = FAKE_ECHO, .n_in = 1, .n_out = 1, .args = args};

	return dspbroker_submit(session, &call);
}

START_TEST(an_invoke_does_not_wait_for_a_reap_that_nobody_does)
{
	struct dspbroker_completion done;
	char data[8];

	ck_assert_int_eq(submit_all_data(), 0);
	ck_assert_int_eq(submit_all_data(), -EAGAIN);
	ck_assert(readable(TIMEOUT_MS));
	ck_assert_int_eq(invoke(FAKE_ECHO), 0);
	ck_assert_int_eq(echo(data, data, sizeof(data)), -EAGAIN);
	ck_assert_int_eq(reap_one(&done), 1);
	ck_assert_int_eq(echo(data, data, sizeof(data)), 0);
}
END_TEST

static void *echo_once(void *data)
{
	char bytes[8];

	(void)data;
	return (void *)(intptr_t)echo(bytes, bytes, sizeof(bytes));
}

static void wait_for_starvation(void)
{
	bool starved = false;

	while (!starved) {
		HOLD(broker);
		starved = broker->starved > 0;
	}
}

/* One call runs, and will for long; another is complete, and holds the whole argument area. */
START_TEST(a_reap_makes_room_for_an_invoke_that_waits)
{
	struct dspbroker_completion done;
	pthread_t thread;
	void *r;

	ck_assert_int_eq(submit(FAKE_HOLD, NULL), 0);
	ck_assert_int_eq(submit_all_data(), 0);
	ck_assert(readable(TIMEOUT_MS));
	pthread_create(&thread, NULL, echo_once, NULL);
	wait_for_starvation();
	ck_assert_int_eq(reap_one(&done), 1);
	pthread_join(thread, &r);
	ck_assert_ptr_null(r);
}
END_TEST

START_TEST(a_call_is_cancelled_only_before_it_runs)
{
	struct dspbroker_completion done;
	int first, firm;

	ck_assert_int_eq(submit(FAKE_HOLD, &first), 0);
	ck_assert_int_eq(submit(FAKE_HOLD_FIRMLY, &firm), 0);
	ck_assert_int_eq(dspbroker_cancel(session, &done), DSPBROKER_NOT_FOUND);
	ck_assert_int_eq(dspbroker_cancel(session, &firm), DSPBROKER_BUSY);
	ck_assert_int_eq(dspbroker_cancel(session, &first), 0);
	ck_assert_int_eq(reap_one(&done), 1);
	ck_assert_ptr_eq(done.user, &first);
	ck_assert_int_eq(done.status, DSPBROKER_CANCELLED);
	ck_assert_int_eq(dspbroker_cancel(session, &first), DSPBROKER_NOT_FOUND);
	ck_assert_int_eq(invoke(FAKE_RELEASE), 0);
	ck_assert_int_eq(reap_one(&done), 1);
	ck_assert_ptr_eq(done.user, &firm);
	ck_assert_int_eq(done.status, DSPBROKER_OK);
}
END_TEST

START_TEST(completions_outlive_their_session_and_name_it_no_more)
{
	struct dspbroker_completion done[2];
	struct dspbroker_session *other;
	int user;
	const struct dspbroker_call hold = {.method = FAKE_HOLD, .user = &user};

	ck_assert_int_eq(dspbroker_session_open(broker, &other, "soft0/other-one"), 0);
	ck_assert_int_eq(dspbroker_submit(other, &hold), 0);
	ck_assert_int_eq(submit(FAKE_HOLD, NULL), 0);
	ck_assert_ptr_null(dspbroker_session_close(other));
	ck_assert_int_eq(dspbroker_reap(broker, done, 2, 0), 1);
	ck_assert_ptr_eq(done[0].user, &user);
	ck_assert_ptr_null(done[0].session);
	ck_assert_int_eq(done[0].status, DSPBROKER_CANCELLED);
}
END_TEST

START_TEST(a_reap_waits_as_long_as_it_was_told)
{
	struct dspbroker_completion done;
	struct timespec before, after;

	ck_assert_int_eq(dspbroker_reap(broker, &done, 1, -1), 0);
	ck_assert_int_eq(submit(FAKE_HOLD, NULL), 0);
	clock_gettime(CLOCK_MONOTONIC, &before);
	ck_assert_int_eq(dspbroker_reap(broker, &done, 1, 30), 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	ck_assert_int_ge((after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec -
				 before.tv_nsec,
		30000000L);
}
END_TEST

START_TEST(calls_that_cannot_be_right_never_reach_the_broker)
{
	char data[8];
	const struct dspbroker_arg none = {.length = 1};
	const struct dspbroker_arg huge = {.data = data, .length = DSPBROKER_INLINE_MAX + 1};
	const struct dspbroker_arg most = {.data = data, .length = DSPBROKER_INLINE_MAX};
	const struct dspbroker_arg three[] = {most, most, most};
	const struct {
		struct dspbroker_call call;
		int r;
	} cases[] = {
		{{.n_in = DSPBROKER_ARGS_MAX, .n_out = 1, .args = &none}, -EINVAL},
		{{.n_in = UINT32_MAX, .n_out = 2, .args = &none}, -EINVAL},
		{{.n_in = 1}, -EINVAL},
		{{.n_in = 1, .args = &none}, -EINVAL},
		{{.n_in = 1, .args = &huge}, -EINVAL},
		{{.n_out = 3, .args = three}, -EMSGSIZE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ck_assert_int_eq(dspbroker_invoke(session, &cases[i].call, NULL), cases[i].r);
		ck_assert_int_eq(dspbroker_submit(session, &cases[i].call), cases[i].r);
	}
	ck_assert_int_eq(dspbroker_invoke(NULL, &cases[0].call, NULL), -EINVAL);
	ck_assert_int_eq(dspbroker_invoke(session, NULL, NULL), -EINVAL);
}
END_TEST

START_TEST(a_buffer_of_another_connection_is_no_argument)
{
	struct dspbroker_arg arg = {.length = 1};
	const struct dspbroker_call call = {.method = FAKE_ECHO, .n_in = 1, .args = &arg};
	struct fake_broker *second;
	struct dspbroker *other;
	int fd;

	second = fake_broker_start(FAKE_HELLO_HONEST, &fd);
	ck_assert_int_eq(dspbroker_connect_fd(&other, fd), 0);
	ck_assert_int_eq(dspbroker_buffer_alloc(other, &arg.buffer, 4096), 0);
	ck_assert_int_eq(dspbroker_invoke(session, &call, NULL), -EINVAL);
	ck_assert_str_eq(dspbroker_message(), "argument 0: the buffer is of another connection");
	dspbroker_free(other);
	fake_broker_stop(second);
}
END_TEST

START_TEST(it_works_without_standard_streams)
{
	struct fake_broker *second;
	int fd;

	fd_close(0);
	fd_close(1);
	fd_close(2);
	second = fake_broker_start(FAKE_HELLO_HONEST, &fd);
	if (dspbroker_connect_fd(&broker, fd) ||
		dspbroker_session_open(broker, &session, "soft0/quiet") || invoke(FAKE_ECHO))
		_exit(1);
	dspbroker_free(broker);
	fake_broker_stop(second);
	_exit(0);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("client calls");
	TCase *tcase = tcase_create("calls");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, inline_arguments_travel_both_ways);
	tcase_add_test(tcase, buffers_are_shared_whether_allocated_or_imported);
	tcase_add_loop_test(tcase, a_failed_call_says_what_failed_and_leaves_outputs_alone, 0, 13);
	tcase_add_test(tcase, a_reaped_completion_names_the_limit_that_it_ran_into);
	tcase_add_test(tcase, completions_out_of_order_reach_their_callers);
	tcase_add_test(tcase, inline_outputs_of_a_submitted_call_are_there_once_it_is_reaped);
	tcase_add_test(tcase, calls_of_many_threads_all_reach_their_callers);
	tcase_add_test(tcase, replies_out_of_order_reach_their_callers);
	tcase_add_test(tcase, a_full_socket_is_waited_for_while_calls_go_on);
	tcase_add_test(tcase, the_fd_is_readable_while_a_completion_waits_and_no_longer);
	tcase_add_loop_test(tcase, no_completion_is_missed_by_who_polls_the_fd, 0, 3);
	tcase_add_test(tcase, every_accepted_call_has_exactly_one_completion);
	tcase_add_test(tcase, an_invoke_does_not_wait_for_a_reap_that_nobody_does);
	tcase_add_test(tcase, a_reap_makes_room_for_an_invoke_that_waits);
	tcase_add_test(tcase, a_call_is_cancelled_only_before_it_runs);
	tcase_add_test(tcase, completions_outlive_their_session_and_name_it_no_more);
	tcase_add_test(tcase, a_reap_waits_as_long_as_it_was_told);
	tcase_add_test(tcase, calls_that_cannot_be_right_never_reach_the_broker);
	tcase_add_test(tcase, a_buffer_of_another_connection_is_no_argument);
	tcase_add_test(tcase, it_works_without_standard_streams);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
