// SPDX-License-Identifier: MIT
/* Calls of clients, through the broker and a kernel driver, to modules on the DSP that
 * are the very files that the software DSP runs: a client sees no difference. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "tests/integration/raw.h"
#include "tests/kernel/cdsp.h"
#include "tests/kernel/remote/dsp_errors.h"

#define RECORDING "/usr/share/sounds/alsa/Front_Center.wav"
#define RESULTS   "/run/cdsp/results"

#define CDSP_EXAMPLE "cdsp/example"
#define CDSP_BENCH   "cdsp/bench"
#define IN_FLIGHT    64 /* as many as a session may have */
#define MANY         2000

static struct harness harness;

static void set_up_dsp(void)
{
	cdsp_files();
	cdsp_up();
}

static void set_up(void)
{
	harness_start(&harness, CDSP_ALLOW_IN(", \"device_memory\": true"));
}

static void tear_down(void)
{
	harness_stop(&harness);
	require_eq(cdsp_count("domains"), 0);
}

#define INLINE(object)                                      \
	{                                                   \
		.data = &(object), .length = sizeof(object) \
	}

static int invoke(struct dspbroker_session *session, uint32_t method, unsigned int n_in,
	unsigned int n_out, const struct dspbroker_arg *args, int32_t *result)
{
	return dspbroker_invoke(session,
		&(struct dspbroker_call){
			.method = method, .n_in = n_in, .n_out = n_out, .args = args},
		result);
}

static uint32_t count(struct dspbroker_session *session)
{
	uint32_t calls = 0;
	struct dspbroker_arg args[] = {INLINE(calls)};

	require_eq(invoke(session, EXAMPLE_COUNT, 0, 1, args, NULL), 0);
	return calls;
}

/* Noise suppression. */

#define dspctl(output, ...) harness_dspctl(&harness, ALICE, output, __VA_ARGS__)

struct sound {
	char *file;
	const char *samples;
	size_t size;
};

/* A WAV file, as far as we need to know it. */
static struct sound load(const char *path)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	struct sound sound = {.file = size > 0 ? malloc((size_t)size) : NULL};
	uint32_t n;

	if (!sound.file)
		harness_fail(__FILE__, __LINE__, "there is no %s", path);
	require_eq(pread(fd, sound.file, (size_t)size, 0), size);
	sound.samples = memmem(sound.file, (size_t)size, "data", 4);
	require(sound.samples && sound.samples + 8 < sound.file + size);
	memcpy(&n, sound.samples + 4, sizeof(n));
	sound.samples += 8;
	sound.size = n;
	require(sound.size <= (size_t)(sound.file + size - sound.samples));
	return sound;
}

static void must_be_the_same(const char *path, const char *other)
{
	struct sound sound = load(path), second = load(other);

	require(sound.size > 100000);
	require_eq(sound.size, second.size);
	if (memcmp(sound.samples, second.samples, sound.size) != 0)
		harness_fail(__FILE__, __LINE__, "%s and %s sound different", path, other);
	free(sound.file);
	free(second.file);
}

static const char *result(const char *name)
{
	static char paths[2][128];
	static unsigned int next;
	char *path = paths[next++ % ARRAY_SIZE(paths)];

	snprintf(path, sizeof(paths[0]), RESULTS "/%s.wav", name);
	return path;
}

static void suppress_directly(void)
{
	char command[1024];

	snprintf(command, sizeof(command),
		"mkdir -p -m 0777 " RESULTS " && %s/tests/demo/reference " RECORDING " %s 480 -30",
		getenv("DSP_BUILD"), result("direct"));
	cdsp_run(command);
}

static void suppress_by(const char *channel, const char *memory, const char *in_flight,
	const char *name)
{
	const char *output;

	if (dspctl(&output, "run", channel, RECORDING, result(name), "--block", "480", "--suppress",
		    "-30", "--memory", memory, "--in-flight", in_flight) != 0)
		harness_fail(__FILE__, __LINE__, "%s, %s: %s", channel, memory, output);
}

START_TEST(noise_suppression_is_bit_identical_to_the_software_dsp_and_to_the_library)
{
	static const char *const memories[] = {"memfd", "heap", "device"};

	suppress_directly();
	suppress_by("soft0/denoise", "memfd", "8", "soft");
	must_be_the_same(result("soft"), result("direct"));
	for (size_t i = 0; i < ARRAY_SIZE(memories) - !cdsp_driver.has_memory; i++) {
		suppress_by("cdsp/denoise", memories[i], i ? "8" : "1", memories[i]);
		must_be_the_same(result(memories[i]), result("direct"));
	}
}
END_TEST

/* Methods. */

/* What each method of the example module makes of its arguments. */
static void use_example(const char *channel)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, channel);
	int32_t numbers[] = {3, -40, 500, INT32_MAX, INT32_MAX}, largest = 0, error = 1234, r = 1;
	int64_t total = 0;
	char text[] = "nineteen characters", copy[sizeof(text)] = "";
	uint32_t words[] = {EXAMPLE_ADD_ONE, 41}, one_more = 0;
	struct dspbroker_arg sum[] = {INLINE(numbers), INLINE(total)};
	struct dspbroker_arg max[] = {INLINE(numbers), INLINE(largest)};
	struct dspbroker_arg copied[] = {INLINE(text), INLINE(copy)};
	struct dspbroker_arg escape[] = {INLINE(words), INLINE(one_more)};
	struct dspbroker_arg fails[] = {INLINE(error)};

	require_eq(invoke(session, EXAMPLE_SUM, 1, 1, sum, &r), 0);
	require_eq(r, 0);
	require_eq(total, 463 + 2 * (int64_t)INT32_MAX);
	require_eq(invoke(session, EXAMPLE_MAX, 1, 1, max, NULL), 0);
	require_eq(largest, INT32_MAX);
	require_eq(invoke(session, EXAMPLE_COPY, 1, 1, copied, NULL), 0);
	require_text(copy, text);
	require_eq(invoke(session, EXAMPLE_ADD_ONE, 1, 1, escape, NULL), 0);
	require_eq(one_more, 42);
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	require_eq(invoke(session, EXAMPLE_FAIL, 1, 0, fails, &r), DSPBROKER_DSP_ERROR);
	require_eq(r, 1234);
	require_eq(invoke(session, EXAMPLE_SUM, 0, 0, NULL, &r), DSPBROKER_DSP_ERROR);
	require_eq(r, 14); /* AEE_EBADPARM */
	require_eq(count(session), 8);
	dspbroker_free(broker);
}

CLIENT_TEST(methods_give_the_same_results_as_on_the_software_dsp)
{
	use_example(EXAMPLE);
	use_example(CDSP_EXAMPLE);
}

CLIENT_TEST(opening_and_closing_a_module_is_the_brokers_own)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, CDSP_EXAMPLE);
	uint32_t words[2] = {0}, out;
	struct dspbroker_arg args[] = {INLINE(words), INLINE(out)};

	for (uint32_t method = 0; method < 2; method++) {
		words[0] = method;
		require_eq(invoke_plain(session, method), DSPBROKER_INVALID);
		require_eq(invoke(session, method, 1, 1, args, NULL), DSPBROKER_INVALID);
		require_eq(invoke(session, 31, 1, 1, args, NULL), DSPBROKER_INVALID);
	}
	require_eq(count(session), 1);
	dspbroker_free(broker);
}

CLIENT_TEST(a_method_above_30_that_the_first_input_does_not_name_is_refused)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, CDSP_EXAMPLE);
	struct dspbroker_buffer *buffer = alloc_buffer(broker, 4096);
	uint32_t words[] = {EXAMPLE_CRASH, 41}, one_more = 0;
	struct dspbroker_arg args[] = {INLINE(words), INLINE(one_more)};

	require_eq(invoke(session, EXAMPLE_ADD_ONE, 1, 1, args, NULL), DSPBROKER_INVALID);
	require_eq(invoke(session, EXAMPLE_ADD_ONE, 0, 1, args + 1, NULL), DSPBROKER_INVALID);
	args[0].length = 3;
	require_eq(invoke(session, EXAMPLE_ADD_ONE, 1, 1, args, NULL), DSPBROKER_INVALID);
	/* Nor one that lies where others can change it while the DSP reads it. */
	args[0] = (struct dspbroker_arg){.buffer = buffer, .length = 8};
	require_eq(invoke(session, EXAMPLE_ADD_ONE, 1, 1, args, NULL), DSPBROKER_INVALID);
	require_eq(count(session), 1);
	dspbroker_free(broker);
}

/* Changes a word again and again, at moments that nobody foresees. */
struct changer {
	_Atomic uint32_t *word;
	atomic_bool stop;
};

static void *change(void *data)
{
	struct changer *changer = data;
	unsigned int seed = 1;

	for (uint32_t value = EXAMPLE_COPY; !atomic_load(&changer->stop);
		value ^= EXAMPLE_COPY ^ EXAMPLE_ADD_ONE) {
		atomic_store(changer->word, value);
		/* The moment is what is random. */
		nanosleep(&(struct timespec){.tv_nsec = rand_r(&seed) % 100000}, NULL);
	}
	return NULL;
}

/* What runs is the method that was asked for and allowed, or nothing: method 4, with the same
 * arguments, would copy its own number. */
CLIENT_TEST(a_method_cannot_be_changed_in_shared_memory)
{
	struct raw raw;
	uint32_t *words, session;
	struct dsp_completion completion;
	struct changer changer = {};
	unsigned int n_well = 0, n_refused = 0;
	pthread_t thread;

	raw_start(&raw, &harness);
	session = raw_open(&raw, CDSP_EXAMPLE);
	words = (uint32_t *)raw.arguments;
	words[1] = 41;
	changer.word = (_Atomic uint32_t *)words;
	require_eq(pthread_create(&thread, NULL, change, &changer), 0);
	while (n_well < 500 || n_refused < 500) {
		struct dsp_slot slot = raw_invoke(session, EXAMPLE_ADD_ONE, 0);

		words[4] = 0;
		slot.n_in = slot.n_out = 1;
		slot.args[0] = (struct dsp_arg){.offset = 0, .length = 8};
		slot.args[1] = (struct dsp_arg){.offset = 16, .length = 4};
		completion = raw_call(&raw, &slot, 1);
		if (completion.status == DSP_INVALID) {
			n_refused++;
			continue;
		}
		require_eq(completion.status, DSP_OK);
		require_eq(words[4], 42);
		n_well++;
	}
	atomic_store(&changer.stop, true);
	pthread_join(thread, NULL);
	raw_close(&raw);
}

/* Errors. */

/* Also those that look like what the kernel itself may say; and none has the call run twice. */
CLIENT_TEST(an_error_of_a_module_arrives_as_it_is)
{
	static const uint32_t errors[] = {1, 14, 0x80000402, 0x8000040e, 0x7fffffff, 0xffffffff,
		(uint32_t)-ENOENT, (uint32_t)-EBUSY, (uint32_t)-4096, 0x80000000};
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, CDSP_EXAMPLE);
	int32_t error, result;
	struct dspbroker_arg args[] = {INLINE(error)};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		error = (int32_t)errors[i];
		result = 0;
		require_eq(invoke(session, EXAMPLE_FAIL, 1, 0, args, &result), DSPBROKER_DSP_ERROR);
		require_eq(result, error);
	}
	require_eq(count(session), ARRAY_SIZE(errors) + 1);
	dspbroker_free(broker);
}

/* Errors that the kernel has for calls that it has not made, and that are worth another try. The
 * very first call of a domain is one of them, where there is nothing yet to compare it with. */
CLIENT_TEST(no_error_of_a_module_has_the_broker_call_it_twice)
{
	static const int32_t errors[] = {-EAGAIN, -ENOSPC, -EINTR};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct dspbroker *broker = connect_to(&harness);
		struct dspbroker_session *session = open_channel(broker, CDSP_EXAMPLE);
		int32_t error = errors[i];
		struct dspbroker_arg args[] = {INLINE(error)};

		for (uint32_t calls = 1; calls < 20; calls += 2) {
			require(invoke(session, EXAMPLE_FAIL, 1, 0, args, NULL) != 0);
			require_eq(count(session), calls + 1);
		}
		dspbroker_free(broker);
	}
}

CLIENT_TEST(an_error_of_the_dsps_own_is_told_from_one_of_the_transport)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, CDSP_BENCH);
	int32_t result = 0;

	require_eq(invoke_plain(session, 2), 0);
	require_eq(dspbroker_invoke(session, &(struct dspbroker_call){.method = 17}, &result),
		DSPBROKER_DSP_ERROR);
	require_eq(result, DSP_EUNSUPPORTED);
	cdsp_fault("error", 0x80000402);
	require_eq(dspbroker_invoke(session, &(struct dspbroker_call){.method = 2}, &result),
		DSPBROKER_DSP_ERROR);
	require_eq((uint32_t)result, 0x80000402);
	cdsp_fault("error", 0);
	require_eq(invoke_plain(session, 2), 0);
	dspbroker_free(broker);
}

/* Order. */

static void reap_count(struct dspbroker *broker, const uint32_t *results, uint32_t number)
{
	struct dspbroker_completion completion = reap_one(broker);

	require_eq(completion.status, 0);
	require_eq((uintptr_t)completion.user, number);
	require_eq(results[number % IN_FLIGHT], number + 1);
}

CLIENT_TEST(calls_of_a_session_run_in_order_however_many_are_in_flight)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, CDSP_EXAMPLE);
	uint32_t results[IN_FLIGHT] = {0}, submitted = 0, reaped = 0;

	while (reaped < MANY) {
		while (submitted < MANY && submitted - reaped < IN_FLIGHT) {
			struct dspbroker_arg args[] = {INLINE(results[submitted % IN_FLIGHT])};

			require_eq(dspbroker_submit(session,
					   &(struct dspbroker_call){.method = EXAMPLE_COUNT,
						   .n_out = 1,
						   .args = args,
						   .user = (void *)(uintptr_t)submitted}),
				0);
			submitted++;
		}
		reap_count(broker, results, reaped++);
	}
	require_eq(dspbroker_submit(session, &(struct dspbroker_call){.method = EXAMPLE_NOP}), 0);
	require_eq(reap_one(broker).status, 0);
	dspbroker_free(broker);
}

/* It may have begun to hang only now. */
static bool ends_hung(struct dspbroker *broker)
{
	struct dspbroker_completion completion;

	cdsp_fault("release-hung", 1);
	return dspbroker_reap(broker, &completion, 1, 0) == 1 && completion.status == 0;
}

CLIENT_TEST(more_calls_in_flight_than_a_session_may_have_are_refused)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, CDSP_EXAMPLE);

	cdsp_fault("hang", 1);
	for (uintptr_t i = 0; i <= IN_FLIGHT; i++)
		require_eq(submit_plain(session, EXAMPLE_NOP, i), 0);
	require_eq(reap_one(broker).status, DSPBROKER_OVER_LIMIT);
	require_soon(ends_hung(broker));
	for (int i = 1; i < IN_FLIGHT; i++)
		require_eq(reap_one(broker).status, 0);
	dspbroker_free(broker);
}

/* Inline arguments. */

CLIENT_TEST(any_number_of_arguments_up_to_32_arrives)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, CDSP_EXAMPLE);
	uint8_t bytes[DSPBROKER_ARGS_MAX][64];
	struct dspbroker_arg args[DSPBROKER_ARGS_MAX] = {};

	for (unsigned int n = 0; n <= DSPBROKER_ARGS_MAX; n += n < 6 ? 1 : 13) {
		for (unsigned int n_in = 0; n_in <= n; n_in++) {
			uint8_t expected = 0;

			for (unsigned int i = 0; i < n; i++) {
				memset(bytes[i], (int)(0xa0 + i), sizeof(bytes[i]));
				args[i].data = bytes[i];
				args[i].length = (i * 7 + n) % sizeof(bytes[i]);
				if (i < n_in && args[i].length)
					expected ^= bytes[i][0];
			}
			require_eq(invoke(session, EXAMPLE_TOUCH, n_in, n - n_in, args, NULL), 0);
			for (unsigned int i = n_in; i < n; i++)
				require_eq(bytes[i][0], args[i].length ? expected : 0xa0 + i);
		}
	}
	dspbroker_free(broker);
}

static void fill(uint8_t *bytes, size_t size, unsigned int seed)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251 + seed);
}

CLIENT_TEST(inline_arguments_of_every_length_up_to_64_kib_arrive_whole)
{
	static const uint32_t sizes[] = {0, 1, 7, 127, 128, 129, 4095, 4096, 4097, 32768,
		DSPBROKER_INLINE_MAX - 1, DSPBROKER_INLINE_MAX};
	static uint8_t in[DSPBROKER_INLINE_MAX], out[DSPBROKER_INLINE_MAX + 1];
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, CDSP_EXAMPLE);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct dspbroker_arg args[] = {
			{.data = in, .length = sizes[i]}, {.data = out, .length = sizes[i]}};

		fill(in, sizeof(in), (unsigned int)i);
		memset(out, 0xee, sizeof(out));
		require_eq(invoke(session, EXAMPLE_COPY, 1, 1, args, NULL), 0);
		require_eq(memcmp(out, in, sizes[i]), 0);
		require_eq(out[sizes[i]], 0xee);
	}
	dspbroker_free(broker);
}

CLIENT_TEST(arguments_without_bytes_stand_where_they_like)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, CDSP_EXAMPLE);
	struct dspbroker_buffer *buffer = alloc_buffer(broker, 4096);
	uint8_t in = 0x5a, out = 0;
	struct dspbroker_arg args[] = {{.data = NULL}, {.data = &in, .length = 1},
		{.buffer = buffer, .offset = 4096}, {.buffer = buffer}, {.data = &out, .length = 1},
		{.data = NULL}};

	require_eq(invoke(session, EXAMPLE_TOUCH, 3, 3, args, NULL), 0);
	require_eq(out, 0x5a);
	dspbroker_free(broker);
}

/* Bytes of the argument area that an input and two outputs share, in every order: what was there
 * when the call began is what the module gets. */
CLIENT_TEST(inline_arguments_may_overlap)
{
	static const struct {
		uint32_t in, out, size;
	} cases[] = {{0, 0, 5000}, {0, 1, 5000}, {1, 0, 5000}, {0, 2500, 5000}, {4096, 0, 5000},
		{3, 4098, 4096}, {100, 100, 1}};
	struct raw raw;
	uint8_t before[16384];
	uint32_t session;

	raw_start(&raw, &harness);
	session = raw_open(&raw, CDSP_EXAMPLE);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct dsp_slot slot = raw_invoke(session, EXAMPLE_COPY, i);

		fill(before, sizeof(before), (unsigned int)i);
		memcpy(raw.arguments, before, sizeof(before));
		slot.n_in = slot.n_out = 1;
		slot.args[0] = (struct dsp_arg){.offset = cases[i].in, .length = cases[i].size};
		slot.args[1] = (struct dsp_arg){.offset = cases[i].out, .length = cases[i].size};
		require_eq(raw_call(&raw, &slot, 1).status, DSP_OK);
		require_eq(memcmp(raw.arguments + cases[i].out, before + cases[i].in,
				   cases[i].size),
			0);
	}
	raw_close(&raw);
}

/* The last bytes of the area, and none behind it. */
CLIENT_TEST(inline_arguments_reach_to_the_end_of_their_area_and_no_further)
{
	struct raw raw;
	uint32_t end;
	struct dsp_slot slot;

	raw_start(&raw, &harness);
	end = raw.hello.argument_bytes;
	slot = raw_invoke(raw_open(&raw, CDSP_EXAMPLE), EXAMPLE_COPY, 0);
	slot.n_in = slot.n_out = 1;
	for (uint32_t size = 1; size <= 9; size++) {
		fill((uint8_t *)raw.arguments, size, size);
		slot.args[0] = (struct dsp_arg){.offset = 0, .length = size};
		slot.args[1] = (struct dsp_arg){.offset = end - size, .length = size};
		require_eq(raw_call(&raw, &slot, 1).status, DSP_OK);
		require_eq(memcmp(raw.arguments + end - size, raw.arguments, size), 0);
		slot.args[1].offset++;
		require_eq(raw_call(&raw, &slot, 1).status, DSP_INVALID);
	}
	raw_close(&raw);
}

/* Handles. */

CLIENT_TEST(a_session_reaches_its_own_handle_and_no_other)
{
	struct raw first, second;
	uint32_t session;

	raw_start(&first, &harness);
	raw_start(&second, &harness);
	session = raw_open(&first, CDSP_EXAMPLE);
	/* Numbers of handles that the DSP has, and of sessions of others. */
	for (uint32_t number = 0; number < 64; number++) {
		struct dsp_slot slot = raw_invoke(number, EXAMPLE_NOP, number);

		require_eq(raw_call(&second, &slot, 1).status, DSP_NOT_FOUND);
		if (number != session)
			require_eq(raw_call(&first, &slot, 1).status, DSP_NOT_FOUND);
	}
	require_eq(raw_call(&first, (struct dsp_slot[]){raw_invoke(session, EXAMPLE_NOP, 0)}, 1)
			   .status,
		DSP_OK);
	raw_close(&first);
	raw_close(&second);
}

CLIENT_TEST(each_session_has_a_handle_of_its_own_on_the_same_module)
{
	struct dspbroker *broker = connect_to(&harness), *other = connect_to(&harness);
	struct dspbroker_session *sessions[] = {open_channel(broker, CDSP_EXAMPLE),
		open_channel(broker, CDSP_EXAMPLE), open_channel(other, CDSP_EXAMPLE)};

	for (uint32_t i = 0; i < ARRAY_SIZE(sessions); i++)
		for (uint32_t calls = 1; calls <= i + 2; calls++)
			require_eq(count(sessions[i]), calls);
	for (uint32_t i = 0; i < ARRAY_SIZE(sessions); i++)
		require_eq(count(sessions[i]), i + 3);
	dspbroker_free(broker);
	dspbroker_free(other);
}

static Suite *suite(void)
{
	Suite *suite = suite_create("fastrpc_calls");
	TCase *tcase = tcase_create("calls");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, set_up_dsp, NULL);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase,
		noise_suppression_is_bit_identical_to_the_software_dsp_and_to_the_library);
	tcase_add_test(tcase, methods_give_the_same_results_as_on_the_software_dsp);
	tcase_add_test(tcase, opening_and_closing_a_module_is_the_brokers_own);
	tcase_add_test(tcase, a_method_above_30_that_the_first_input_does_not_name_is_refused);
	tcase_add_test(tcase, a_method_cannot_be_changed_in_shared_memory);
	tcase_add_test(tcase, an_error_of_a_module_arrives_as_it_is);
	tcase_add_test(tcase, no_error_of_a_module_has_the_broker_call_it_twice);
	tcase_add_test(tcase, an_error_of_the_dsps_own_is_told_from_one_of_the_transport);
	tcase_add_test(tcase, calls_of_a_session_run_in_order_however_many_are_in_flight);
	tcase_add_test(tcase, more_calls_in_flight_than_a_session_may_have_are_refused);
	tcase_add_test(tcase, any_number_of_arguments_up_to_32_arrives);
	tcase_add_test(tcase, inline_arguments_of_every_length_up_to_64_kib_arrive_whole);
	tcase_add_test(tcase, arguments_without_bytes_stand_where_they_like);
	tcase_add_test(tcase, inline_arguments_may_overlap);
	tcase_add_test(tcase, inline_arguments_reach_to_the_end_of_their_area_and_no_further);
	tcase_add_test(tcase, a_session_reaches_its_own_handle_and_no_other);
	tcase_add_test(tcase, each_session_has_a_handle_of_its_own_on_the_same_module);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
