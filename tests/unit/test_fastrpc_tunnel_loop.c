// SPDX-License-Identifier: MIT
/*
 * The loop of the reverse tunnel, which brings requests and takes answers, with a kernel whose DSP
 * is a script.
 */
#include <check.h>
#include <signal.h>
#include <sys/time.h>

#include "daemon/transport/fastrpc/retry.h"
#include "daemon/transport/fastrpc/tunnel.h"
#include "tests/fastrpc_kernel.h"
#include "tests/fastrpc_request.h"
#include "tests/suite.h"

#define FIRST     FASTRPC_HANDLES_STATIC
#define SENTENCE  64 /* room for one */
#define NEXT_ROOM 4096

static const struct policy_domain domain = {.name = "d", .files = 4};
static struct log_shared log_shared = {.lock = PTHREAD_MUTEX_INITIALIZER};
static const struct host_options options = {
	.node = &kernel_node,
	.device = "cdsp",
	.domain = 3,
	.owner = "uid 7, cdsp/x",
	.policy = &domain,
	.log = &log_shared,
};

static struct tunnel *tunnel;
static struct fastrpc_request request;

static void set_up(void)
{
	ck_assert_int_eq(tunnel_new(&tunnel, &options), 0);
}

static void tear_down(void)
{
	tunnel = tunnel_free(tunnel);
}

static uint32_t open_log(void)
{
	static const char name[] = "adspmsgd_apps";
	static uint8_t out[HOST_BYTES_MAX];
	size_t size;

	request_open(&request, name, sizeof(name), SENTENCE);
	ck_assert_uint_eq(tunnel_answer(tunnel, 0, REMOTECTL_OPEN, request.bytes, request.size, out,
				  &size),
		AEE_SUCCESS);
	return answer_word(out, size, 0, 0);
}

/* Each step is a call of the broker's to the DSP, checked, and answered. */

static struct {
	/* What the DSP asks for, and says of its size. */
	struct listener_next_out asks;
	const struct fastrpc_request *inputs;
	uint32_t more_size; /* said by LISTENER_MORE */
	int more_error;     /* of it, or 0 */
	/* What came. */
	unsigned int n_next, n_more;
	struct listener_next_in told;
	uint8_t outputs[HOST_BYTES_MAX];
	/* Asked so often, the end comes. */
	unsigned int last;
	int end;
	unsigned int stop_at; /* so often, somebody else wants the end */
	atomic_bool stop;
	int busy; /* so often the kernel has no room before each call */
	int busy_error;
} dsp;

static void *at(const struct fastrpc_invoke_args *arg)
{
	ck_assert_int_eq(arg->fd, -1);
	return (void *)(uintptr_t)arg->ptr;
}

static void keep(void *where, const struct fastrpc_invoke_args *arg)
{
	if (arg->length)
		memcpy(where, at(arg), arg->length);
}

static int script_next(const struct fastrpc_invoke_args *args)
{
	size_t size = dsp.inputs ? dsp.inputs->size : 0;

	ck_assert_uint_eq(args[0].length, sizeof(dsp.told));
	keep(&dsp.told, &args[0]);
	ck_assert_uint_eq(args[1].length, dsp.told.outputs_size);
	keep(dsp.outputs, &args[1]);
	ck_assert_uint_eq(args[2].length, sizeof(dsp.asks));
	ck_assert_uint_eq(args[3].length, dsp.told.inputs_room);
	if (++dsp.n_next == dsp.last)
		return dsp.end;
	if (dsp.n_next == dsp.stop_at)
		atomic_store(&dsp.stop, true);
	dsp.asks.context++;
	memcpy(at(&args[2]), &dsp.asks, sizeof(dsp.asks));
	memcpy(at(&args[3]), dsp.inputs->bytes, MIN(size, (size_t)args[3].length));
	return 0;
}

static int script_more(const struct fastrpc_invoke_args *args)
{
	struct listener_more_in in;

	dsp.n_more++;
	ck_assert_uint_eq(args[0].length, sizeof(in));
	keep(&in, &args[0]);
	ck_assert_uint_eq(in.context, dsp.asks.context);
	ck_assert_uint_eq(in.offset, NEXT_ROOM);
	ck_assert_uint_eq(in.inputs_room, dsp.asks.inputs_size - NEXT_ROOM);
	ck_assert_uint_eq(args[2].length, in.inputs_room);
	if (dsp.more_error)
		return dsp.more_error;
	memcpy(at(&args[1]), &dsp.more_size, sizeof(dsp.more_size));
	memcpy(at(&args[2]), dsp.inputs->bytes + in.offset, in.inputs_room);
	return 0;
}

static int play(const struct fastrpc_invoke *call)
{
	static int refused;

	ck_assert_uint_eq(call->handle, FASTRPC_LISTENER);
	if (refused < dsp.busy) {
		refused++;
		return dsp.busy_error;
	}
	refused = 0;
	if (call->sc == LISTENER_INIT)
		return 0;
	if (call->sc == LISTENER_MORE)
		return script_more((const void *)(uintptr_t)call->args);
	ck_assert_uint_eq(call->sc, LISTENER_NEXT);
	return script_next((const void *)(uintptr_t)call->args);
}

/* Let the DSP ask for what lies in `request` until it has asked @last times. */
static struct node_result run(uint32_t handle, uint32_t method, unsigned int last, int end)
{
	kernel.invoke = play;
	dsp.asks = (struct listener_next_out){
		.context = 0x1000,
		.handle = handle,
		.scalars = request_scalars(&request, method),
		.inputs_size = dsp.asks.inputs_size ? dsp.asks.inputs_size : (uint32_t)request.size,
	};
	dsp.inputs = &request;
	dsp.last = last;
	dsp.end = end;
	return tunnel_run(tunnel, &dsp.stop);
}

START_TEST(the_dsp_is_told_that_somebody_listens)
{
	struct node_result result;

	kernel.invoke = play;
	result = tunnel_begin(tunnel);
	ck_assert_int_eq(result.error, 0);
	ck_assert_int_eq(result.result, 0);
	ck_assert_uint_eq(dsp.n_next, 0);
}
END_TEST

START_TEST(an_answer_is_brought_with_the_question_for_the_next_request)
{
	request_begin(&request);
	run(0, 0, 1, -EPIPE);
	/* The first has nothing to answer. */
	ck_assert_uint_eq(dsp.told.context, 0);
	ck_assert_int_eq(dsp.told.result, -1);
	ck_assert_uint_eq(dsp.told.outputs_size, 0);
	ck_assert_uint_eq(dsp.told.inputs_room, NEXT_ROOM);

	request_open(&request, "apps_std", 9, SENTENCE);
	run(0, 0, 3, -EPIPE);
	ck_assert_uint_eq(dsp.told.context, 0x1001);
	ck_assert_int_eq(dsp.told.result, AEE_SUCCESS);
	ck_assert_uint_eq(answer_word(dsp.outputs, dsp.told.outputs_size, 0, 0), FIRST);
	ck_assert_uint_eq(answer_word(dsp.outputs, dsp.told.outputs_size, 0, 1), AEE_SUCCESS);
}
END_TEST

START_TEST(an_error_of_ours_is_brought_too)
{
	request_begin(&request);
	run(77, 0, 3, -EPIPE);
	ck_assert_uint_eq(dsp.told.context, 0x1002);
	ck_assert_int_eq(dsp.told.result, AEE_ENOSUCH);
	ck_assert_uint_eq(dsp.told.outputs_size, 0);
	ck_assert_uint_eq(dsp.n_next, 3);
}
END_TEST

/* As many empty lines as make it so large. */
static void pack_lines(uint32_t size)
{
	static const uint8_t lines[HOST_BYTES_MAX];
	const uint32_t none = 0;

	request_begin(&request);
	request_in(&request, &none, sizeof(none));
	request_in(&request, lines, size - 16);
	ck_assert_uint_eq(request.size, size);
}

START_TEST(inputs_for_which_there_was_no_room_are_fetched)
{
	static const uint32_t sizes[] = {
		NEXT_ROOM - 1, NEXT_ROOM, NEXT_ROOM + 1, 100000, HOST_BYTES_MAX};
	uint32_t handle = open_log(), size = sizes[_i];

	pack_lines(size);
	dsp.more_size = size;
	run(handle, 0, 3, -EPIPE);
	ck_assert_int_eq(dsp.told.result, AEE_SUCCESS);
	ck_assert_uint_eq(dsp.n_more, size > NEXT_ROOM ? 2 : 0);
}
END_TEST

START_TEST(what_was_fetched_is_what_is_answered)
{
	/* A name that ends behind the room that there was at first. */
	char name[NEXT_ROOM] = "apps_std";

	request_open(&request, name, sizeof(name), SENTENCE);
	request.bytes[request.size - 9] = 'x';
	dsp.more_size = (uint32_t)request.size;
	run(0, 0, 2, -EPIPE);
	ck_assert_int_eq(dsp.told.result, AEE_EBADPARM);
	request.bytes[request.size - 9] = 0;
	memset(request.bytes + 24 + 8, 'x', sizeof(name) - 9);
	dsp.n_next = 0;
	run(0, 0, 2, -EPIPE);
	ck_assert_int_eq(dsp.told.result, AEE_SUCCESS);
	ck_assert_uint_eq(answer_word(dsp.outputs, dsp.told.outputs_size, 0, 1), AEE_ENOSUCH);
}
END_TEST

START_TEST(inputs_that_are_too_large_are_refused_and_not_fetched)
{
	static const uint32_t sizes[] = {HOST_BYTES_MAX + 1, 0x7fffffff, 0x80000000, 0xffffffff};

	pack_lines(100);
	dsp.asks.inputs_size = sizes[_i];
	run(0, 0, 4, -EPIPE);
	ck_assert_int_eq(dsp.told.result, AEE_EBADPARM);
	ck_assert_uint_eq(dsp.n_more, 0);
	ck_assert_uint_eq(dsp.n_next, 4);
}
END_TEST

START_TEST(inputs_that_grow_while_they_are_fetched_are_refused)
{
	uint32_t handle = open_log();

	pack_lines(10000);
	dsp.more_size = 10001;
	run(handle, 0, 3, -EPIPE);
	ck_assert_int_eq(dsp.told.result, AEE_EFAILED);
	ck_assert_uint_eq(dsp.n_more, 2);
}
END_TEST

START_TEST(inputs_that_cannot_be_fetched_are_an_error_and_not_the_end)
{
	static const int errors[] = {AEE_EFAILED, -EFAULT, -ENOMEM};
	uint32_t handle = open_log();

	pack_lines(10000);
	dsp.more_error = errors[_i];
	run(handle, 0, 3, -EPIPE);
	ck_assert_int_eq(dsp.told.result, AEE_EFAILED);
	ck_assert_uint_eq(dsp.n_next, 3);
}
END_TEST

START_TEST(what_ends_it_is_returned)
{
	struct node_result result;

	request_begin(&request);
	result = run(0, 0, 2, -EPIPE);
	ck_assert_int_eq(result.error, -EPIPE);
	dsp.n_next = 0;
	/* The DSP says what looks like the kernel's, and is still there. */
	kernel_lives = true;
	result = run(0, 0, 2, -EPIPE);
	ck_assert_int_eq(result.error, 0);
	ck_assert_int_eq(result.result, -EPIPE);
	dsp.n_next = 0;
	result = run(0, 0, 2, AEE_EFAILED);
	ck_assert_int_eq(result.error, 0);
	ck_assert_int_eq(result.result, AEE_EFAILED);
	dsp.n_next = 0;
	result = run(0, 0, 2, -EINTR);
	ck_assert_int_eq(result.error, -EINTR);
	ck_assert_uint_eq(dsp.n_next, 2);
}
END_TEST

START_TEST(nothing_is_asked_when_it_is_to_stop)
{
	struct node_result result;

	request_begin(&request);
	atomic_store(&dsp.stop, true);
	result = run(0, 0, 100, -EPIPE);
	ck_assert_int_eq(result.error, -EINTR);
	ck_assert_uint_eq(dsp.n_next, 0);
}
END_TEST

START_TEST(a_dsp_that_asks_without_end_is_stopped)
{
	struct node_result result;

	request_open(&request, "x", 2, SENTENCE);
	dsp.stop_at = 10000;
	result = run(0, 0, 0, 0);
	ck_assert_int_eq(result.error, -EINTR);
	ck_assert_uint_eq(dsp.n_next, 10000);
}
END_TEST

START_TEST(what_the_kernel_has_no_room_for_is_tried_again)
{
	static const int errors[] = {-EAGAIN, -ENOSPC};

	request_open(&request, "apps_std", 9, SENTENCE);
	dsp.busy = 3;
	dsp.busy_error = errors[_i];
	ck_assert_int_eq(run(0, 0, 3, -EPIPE).error, -EPIPE);
	ck_assert_uint_eq(dsp.n_next, 3);
	ck_assert_int_eq(dsp.told.result, AEE_SUCCESS);
}
END_TEST

static void ignore(int signal)
{
	(void)signal;
}

START_TEST(a_signal_ends_the_trying)
{
	const struct sigaction action = {.sa_handler = ignore};
	const struct timeval often = {.tv_usec = 20000};
	const struct itimerval timer = {.it_interval = often, .it_value = often};

	request_begin(&request);
	dsp.busy = INT32_MAX;
	dsp.busy_error = -ENOSPC;
	ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
	ck_assert_int_eq(run(0, 0, 3, -EPIPE).error, -ENOSPC);
	ck_assert_uint_eq(dsp.n_next, 0);
}
END_TEST

START_TEST(trying_has_an_end)
{
	struct retry retry = {.times = RETRY_TIMES_MAX - 1}, other = {};

	ck_assert(retry_after(&retry, -EAGAIN));
	ck_assert(!retry_after(&retry, -EAGAIN));
	ck_assert(!retry_after(&other, -EPIPE));
	ck_assert(!retry_after(&other, -EINTR));
	ck_assert(!retry_after(&other, 0));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fastrpc_tunnel_loop");
	TCase *tests = tcase_create("loop");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, the_dsp_is_told_that_somebody_listens);
	tcase_add_test(tests, an_answer_is_brought_with_the_question_for_the_next_request);
	tcase_add_test(tests, an_error_of_ours_is_brought_too);
	tcase_add_loop_test(tests, inputs_for_which_there_was_no_room_are_fetched, 0, 5);
	tcase_add_test(tests, what_was_fetched_is_what_is_answered);
	tcase_add_loop_test(tests, inputs_that_are_too_large_are_refused_and_not_fetched, 0, 4);
	tcase_add_test(tests, inputs_that_grow_while_they_are_fetched_are_refused);
	tcase_add_loop_test(tests, inputs_that_cannot_be_fetched_are_an_error_and_not_the_end, 0,
		3);
	tcase_add_test(tests, what_ends_it_is_returned);
	tcase_add_test(tests, nothing_is_asked_when_it_is_to_stop);
	tcase_add_test(tests, a_dsp_that_asks_without_end_is_stopped);
	tcase_add_loop_test(tests, what_the_kernel_has_no_room_for_is_tried_again, 0, 2);
	tcase_add_test(tests, a_signal_ends_the_trying);
	tcase_add_test(tests, trying_has_an_end);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
