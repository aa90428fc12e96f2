// SPDX-License-Identifier: MIT
/* The example modules, called as a domain calls them. */
#include <check.h>
#include <dlfcn.h>
#include <math.h>
#include <speex/speex_preprocess.h>
#include <speex/speex_resampler.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/softdsp/modules/pcm.h"
#include "daemon/softdsp/remote.h"
#include "protocol/util.h"
#include "tests/suite.h"

static int (*module)(remote_handle64 handle, uint32_t scalars, remote_arg *args);
static remote_handle64 handle;

static void load(const char *name)
{
	const char *build = getenv("DSP_BUILD");
	char path[4096], entry[64];
	void *library;

	snprintf(path, sizeof(path), "%s/modules/lib%s_skel.so", build ? build : "build", name);
	snprintf(entry, sizeof(entry), "%s_skel_handle_invoke", name);
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	ck_assert_msg(library != NULL, "%s", dlerror());
	module = (__typeof__(module))dlsym(library, entry);
	ck_assert(module != NULL);
}

static remote_handle64 open_handle(void)
{
	char uri[] = "file:///libx_skel.so?x_skel_handle_invoke&_modver=1.0&_dom=soft0";
	uint32_t length = sizeof(uri);
	remote_arg args[3] = {{.buf = {&length, sizeof(length)}}, {.buf = {uri, sizeof(uri)}}};

	ck_assert_int_eq(module(0, REMOTE_SCALARS_MAKEX(0, 0, 2, 0, 0, 1), args), 0);
	return args[2].h64;
}

static int close_handle(remote_handle64 which)
{
	remote_arg arg = {.h64 = which};

	return module(which, REMOTE_SCALARS_MAKEX(0, 1, 0, 0, 1, 0), &arg);
}

static void setup_example(void)
{
	load("example");
	handle = open_handle();
}

static void setup_denoise(void)
{
	load("denoise");
	handle = open_handle();
}

static void teardown(void)
{
	ck_assert_int_eq(close_handle(handle), 0);
}

/* Call with one input and one output; those of length -1 are left out. */
static int call(uint32_t method, void *in, ssize_t in_size, void *out, ssize_t out_size)
{
	remote_arg args[2];
	unsigned int n_in = in_size >= 0, n_out = out_size >= 0;

	args[0].buf = (remote_buf){in, (size_t)in_size};
	args[n_in].buf = (remote_buf){out, (size_t)out_size};
	return module(handle, REMOTE_SCALARS_MAKE(MIN(method, 31u), n_in, n_out), args);
}

/* example */

START_TEST(sum_adds_in_64_bits)
{
	int32_t values[] = {INT32_MAX, INT32_MAX, 2};
	int64_t total = -1;

	ck_assert_int_eq(call(2, values, sizeof(values), &total, sizeof(total)), 0);
	ck_assert_int_eq(total, 4294967296);
	ck_assert_int_eq(call(2, NULL, 0, &total, sizeof(total)), 0);
	ck_assert_int_eq(total, 0);
}
END_TEST

START_TEST(max_finds_the_largest)
{
	int32_t values[] = {-9, -3, -5}, largest = 0;

	ck_assert_int_eq(call(3, values, sizeof(values), &largest, sizeof(largest)), 0);
	ck_assert_int_eq(largest, -3);
}
END_TEST

START_TEST(arrays_may_lie_anywhere)
{
	_Alignas(int64_t) char in[13] = {0}, out[13];
	int64_t total;

	in[1] = in[5] = 7;
	ck_assert_int_eq(call(2, in + 1, 12, out + 1, 8), 0);
	memcpy(&total, out + 1, sizeof(total));
	ck_assert_int_eq(total, 14);
}
END_TEST

START_TEST(copy_copies_what_both_have_room_for)
{
	char in[] = "abcdef", out[] = "......";

	ck_assert_int_eq(call(4, in, 3, out, 6), 0);
	ck_assert_str_eq(out, "abc...");
	ck_assert_int_eq(call(4, in, 6, out, 5), 0);
	ck_assert_str_eq(out, "abcde.");
	ck_assert_int_eq(call(4, in, 5, in + 1, 5), 0); /* one buffer, ranges that overlap */
	ck_assert_str_eq(in, "aabcde");
	ck_assert_int_eq(call(4, NULL, 0, NULL, 0), 0);
}
END_TEST

START_TEST(sleep_lasts_as_long_as_asked)
{
	struct timespec before, after;
	uint32_t us = 20000;

	clock_gettime(CLOCK_MONOTONIC, &before);
	ck_assert_int_eq(call(5, &us, sizeof(us), NULL, -1), 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	ck_assert_int_ge((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec -
				 before.tv_nsec,
		20000000);
}
END_TEST

START_TEST(fail_returns_what_it_is_told)
{
	int32_t error = -123456;

	ck_assert_int_eq(call(8, &error, sizeof(error), NULL, -1), -123456);
}
END_TEST

START_TEST(nop_succeeds)
{
	ck_assert_int_eq(call(9, NULL, -1, NULL, -1), 0);
}
END_TEST

START_TEST(touch_takes_any_arguments)
{
	char bytes[32] = {5};
	remote_arg args[32];

	for (size_t i = 0; i < ARRAY_SIZE(args); i++)
		args[i].buf = (remote_buf){&bytes[i], 1};
	args[30].buf = (remote_buf){NULL, 0};
	ck_assert_int_eq(module(handle, REMOTE_SCALARS_MAKE(10, 3, 29), args), 0);
	ck_assert_int_eq(bytes[3], 5); /* the exclusive or of the inputs */
	ck_assert_int_eq(bytes[31], 5);
	ck_assert_int_eq(bytes[30], 0);
	ck_assert_int_eq(call(10, NULL, -1, NULL, -1), 0);
}
END_TEST

START_TEST(each_handle_counts_its_own_calls)
{
	remote_handle64 first = handle, second = open_handle();
	uint32_t count;

	for (uint32_t i = 1; i <= 3; i++) {
		ck_assert_int_eq(call(12, NULL, -1, &count, sizeof(count)), 0);
		ck_assert_uint_eq(count, i);
	}
	handle = second;
	ck_assert_int_eq(call(12, NULL, -1, &count, sizeof(count)), 0);
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(close_handle(second), 0);
	handle = first;
}
END_TEST

START_TEST(a_method_above_30_comes_by_the_escape)
{
	uint32_t in[] = {40, UINT32_MAX}, out = 7;

	ck_assert_int_eq(call(40, in, sizeof(in), &out, sizeof(out)), 0);
	ck_assert_uint_eq(out, 0);
	in[0] = 41;
	ck_assert_int_eq(call(41, in, sizeof(in), &out, sizeof(out)), AEE_EUNSUPPORTED);
	ck_assert_int_eq(call(40, in, 3, &out, sizeof(out)), AEE_EBADPARM);
	ck_assert_int_eq(call(40, NULL, -1, &out, sizeof(out)), AEE_EBADPARM);
}
END_TEST

START_TEST(wrong_sizes_and_counts_are_bad_parameters)
{
	static const struct {
		uint32_t method;
		ssize_t in, out;
	} cases[] = {
		{2, 4, -1}, {2, -1, 8}, {2, 5, 8}, {2, 4, 4}, {2, 4, 16}, /* sum */
		{3, 4, -1}, {3, 0, 4}, {3, 6, 4}, {3, 4, 8},              /* max */
		{4, 4, -1}, {4, -1, 4},                                   /* copy */
		{5, -1, -1}, {5, 3, -1}, {5, 8, -1}, {5, 4, 4},           /* sleep */
		{6, 4, -1}, {7, -1, 4},                                   /* crash, spin */
		{8, -1, -1}, {8, 2, -1}, {8, 4, 4},                       /* fail */
		{9, 0, -1}, {9, -1, 0},                                   /* nop */
		{11, -1, -1}, {11, 3, -1}, {11, 4, -1},                   /* breakout */
		{12, -1, 3}, {12, -1, 8}, {12, 4, 4},                     /* count */
		{40, 4, 4}, {40, 8, 8}, {40, 12, 4}, {40, 8, -1},         /* add_one */
	};
	uint32_t in[4] = {40, 0, 0, 0}, out[4]; /* 40: no attempt of breakout either */

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_int_eq(call(cases[i].method, in, cases[i].in, out, cases[i].out),
			AEE_EBADPARM);
	ck_assert_int_eq(call(13, NULL, -1, NULL, -1), AEE_EUNSUPPORTED);
	ck_assert_int_eq(call(30, NULL, -1, NULL, -1), AEE_EUNSUPPORTED);
}
END_TEST

START_TEST(open_and_close_want_their_own_arguments)
{
	remote_arg args[3] = {};

	ck_assert_int_eq(module(0, REMOTE_SCALARS_MAKE(0, 2, 0), args), AEE_EBADPARM);
	ck_assert_int_eq(module(handle, REMOTE_SCALARS_MAKEX(0, 1, 0, 0, 0, 0), args),
		AEE_EBADPARM);
}
END_TEST

/* denoise */

#define BLOCK 480

/* A tone in noise. */
static void fill(int16_t *block, unsigned int n, unsigned int from)
{
	static unsigned int seed = 1;

	for (unsigned int i = 0; i < n; i++) {
		seed = seed * 1103515245 + 12345;
		block[i] = (int16_t)(8000 * sin((from + i) * 0.06) + (seed >> 16 & 2047) - 1024);
	}
}

static int configure(struct pcm_setup setup, struct pcm_limits *limits)
{
	return call(PCM_CONFIGURE, &setup, sizeof(setup), limits, sizeof(*limits));
}

static int process(int16_t *in, size_t in_size, uint32_t *made, int16_t *out, size_t room)
{
	remote_arg args[] = {
		{.buf = {in, in_size}}, {.buf = {made, sizeof(*made)}}, {.buf = {out, room}}};

	return module(handle, REMOTE_SCALARS_MAKE(PCM_PROCESS, 1, 2), args);
}

/* SpeexDSP itself. */
struct reference {
	SpeexPreprocessState *denoiser;
	SpeexResamplerState *resampler;
};

static void reference_start(struct reference *reference, uint32_t out_rate, int suppress_db)
{
	int on = 1;

	reference->denoiser = speex_preprocess_state_init(BLOCK, 48000);
	speex_preprocess_ctl(reference->denoiser, SPEEX_PREPROCESS_SET_DENOISE, &on);
	if (suppress_db)
		speex_preprocess_ctl(reference->denoiser, SPEEX_PREPROCESS_SET_NOISE_SUPPRESS,
			&suppress_db);
	reference->resampler = speex_resampler_init(1, 48000, out_rate, 5, NULL);
}

static uint32_t reference_process(struct reference *reference, int16_t *block, int16_t *out)
{
	uint32_t taken = BLOCK, made = 4 * BLOCK;

	speex_preprocess_run(reference->denoiser, block);
	speex_resampler_process_int(reference->resampler, 0, block, &taken, out, &made);
	ck_assert_uint_eq(taken, BLOCK);
	return made;
}

static void reference_stop(struct reference *reference)
{
	speex_preprocess_state_destroy(reference->denoiser);
	speex_resampler_destroy(reference->resampler);
}

START_TEST(it_is_bit_identical_to_speexdsp)
{
	static const struct {
		uint32_t out_rate;
		int32_t suppress_db;
	} cases[] = {{16000, -30}, {44100, 0}, {96000, -12}, {48000, -30}};
	int16_t block[BLOCK], kept[BLOCK], out[4 * BLOCK], expected[4 * BLOCK];
	struct reference reference;
	struct pcm_limits limits;
	uint32_t made, n;

	reference_start(&reference, cases[_i].out_rate, cases[_i].suppress_db);
	ck_assert_int_eq(configure((struct pcm_setup){48000, BLOCK, cases[_i].suppress_db,
					   cases[_i].out_rate},
				 &limits),
		0);
	ck_assert_uint_le(limits.max_out, ARRAY_SIZE(out));
	for (unsigned int i = 0; i < 100; i++) {
		fill(block, BLOCK, i * BLOCK);
		memcpy(kept, block, sizeof(block));
		ck_assert_int_eq(process(block, sizeof(block), &made, out,
					 limits.max_out * sizeof(*out)),
			0);
		ck_assert_mem_eq(block, kept, sizeof(block));
		if (cases[_i].out_rate == 48000) {
			speex_preprocess_run(reference.denoiser, block);
			memcpy(expected, block, sizeof(block));
			n = BLOCK;
		} else {
			n = reference_process(&reference, block, expected);
		}
		ck_assert_uint_eq(made, n);
		ck_assert_uint_le(made, limits.max_out);
		ck_assert_mem_eq(out, expected, n * sizeof(*out));
	}
	reference_stop(&reference);
}
END_TEST

/* What it makes of the first blocks of a stream. */
static void first_blocks(int16_t *out, unsigned int n)
{
	int16_t block[BLOCK];
	uint32_t made;

	for (unsigned int i = 0; i < n; i++) {
		for (unsigned int j = 0; j < BLOCK; j++)
			block[j] = (int16_t)(5000 * sin((i * BLOCK + j) * 0.1));
		ck_assert_int_eq(process(block, sizeof(block), &made, out + (size_t)i * BLOCK,
					 sizeof(block)),
			0);
		ck_assert_uint_eq(made, BLOCK);
	}
}

START_TEST(each_handle_and_each_configure_is_a_stream_of_its_own)
{
	static const struct pcm_setup setup = {48000, BLOCK, -30, 0};
	int16_t first[4 * BLOCK], later[4 * BLOCK], other[4 * BLOCK], again[4 * BLOCK];
	remote_handle64 one = handle, two = open_handle();
	struct pcm_limits limits;

	ck_assert_int_eq(configure(setup, &limits), 0);
	ck_assert_uint_eq(limits.max_out, BLOCK);
	first_blocks(first, 4);
	first_blocks(later, 4);
	ck_assert_mem_ne(first, later, sizeof(first)); /* it has state */

	handle = two;
	ck_assert_int_eq(configure(setup, &limits), 0);
	first_blocks(other, 4);
	ck_assert_mem_eq(first, other, sizeof(first));
	ck_assert_int_eq(close_handle(two), 0);

	handle = one;
	ck_assert_int_eq(configure(setup, &limits), 0);
	first_blocks(again, 4);
	ck_assert_mem_eq(first, again, sizeof(first));
}
END_TEST

START_TEST(a_setup_out_of_bounds_is_refused_and_changes_nothing)
{
	static const struct pcm_setup wrong[] = {
		{0, BLOCK, 0, 0},
		{PCM_RATE_MIN - 1, BLOCK, 0, 0},
		{PCM_RATE_MAX + 1, BLOCK, 0, 0},
		{48000, PCM_BLOCK_MIN - 1, 0, 0},
		{48000, PCM_BLOCK_MAX + 1, 0, 0},
		{48000, UINT32_MAX, 0, 0},
		{48000, BLOCK, 1, 0},
		{48000, BLOCK, PCM_SUPPRESS_MIN - 1, 0},
		{48000, BLOCK, 0, PCM_RATE_MIN - 1},
		{48000, BLOCK, 0, PCM_RATE_MAX + 1},
	};
	struct pcm_setup setup = {48000, BLOCK, -30, 0};
	int16_t out[4 * BLOCK];
	struct pcm_limits limits;

	ck_assert_int_eq(configure(setup, &limits), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		ck_assert_int_eq(configure(wrong[i], &limits), AEE_EBADPARM);
	ck_assert_int_eq(call(PCM_CONFIGURE, &setup, 15, &limits, 8), AEE_EBADPARM);
	ck_assert_int_eq(call(PCM_CONFIGURE, &setup, 16, &limits, 4), AEE_EBADPARM);
	ck_assert_int_eq(call(PCM_CONFIGURE, &setup, 16, NULL, -1), AEE_EBADPARM);
	first_blocks(out, 1);
}
END_TEST

START_TEST(the_extremes_of_a_setup_work)
{
	static const struct pcm_setup extremes[] = {
		{PCM_RATE_MIN, PCM_BLOCK_MIN, PCM_SUPPRESS_MIN, PCM_RATE_MAX},
		{PCM_RATE_MAX, PCM_BLOCK_MIN, 0, PCM_RATE_MIN},
		{PCM_RATE_MIN, PCM_BLOCK_MAX, -1, PCM_RATE_MAX},
		{PCM_RATE_MAX, PCM_BLOCK_MAX, 0, PCM_RATE_MIN},
	};
	static int16_t in[PCM_BLOCK_MAX], out[PCM_BLOCK_MAX * 25];
	struct pcm_limits limits;
	uint32_t made;

	ck_assert_int_eq(configure(extremes[_i], &limits), 0);
	ck_assert_uint_le(limits.max_out, ARRAY_SIZE(out));
	for (unsigned int i = 0; i < 8; i++) {
		fill(in, extremes[_i].block, i * extremes[_i].block);
		ck_assert_int_eq(process(in, extremes[_i].block * sizeof(*in), &made, out,
					 limits.max_out * sizeof(*out)),
			0);
		ck_assert_uint_le(made, limits.max_out);
	}
}
END_TEST

START_TEST(process_wants_a_configured_stream_and_exact_sizes)
{
	int16_t block[BLOCK + 1] = {}, out[BLOCK];
	struct pcm_limits limits;
	uint32_t made;

	ck_assert_int_eq(process(block, sizeof(out), &made, out, sizeof(out)), AEE_EBADSTATE);
	ck_assert_int_eq(configure((struct pcm_setup){48000, BLOCK, 0, 0}, &limits), 0);
	ck_assert_int_eq(process(block, sizeof(out) - 2, &made, out, sizeof(out)), AEE_EBADPARM);
	ck_assert_int_eq(process(block, sizeof(block), &made, out, sizeof(out)), AEE_EBADPARM);
	ck_assert_int_eq(process(block, sizeof(out), &made, out, sizeof(out) - 2), AEE_EBADPARM);
	ck_assert_int_eq(call(PCM_PROCESS, block, sizeof(out), out, sizeof(out)), AEE_EBADPARM);
	ck_assert_int_eq(process(block, sizeof(out), &made, out, sizeof(out)), 0);
	ck_assert_int_eq(call(4, NULL, -1, NULL, -1), AEE_EUNSUPPORTED);
}
END_TEST

static TCase *example_cases(void)
{
	TCase *tcase = tcase_create("example");

	tcase_add_checked_fixture(tcase, setup_example, teardown);
	tcase_add_test(tcase, sum_adds_in_64_bits);
	tcase_add_test(tcase, max_finds_the_largest);
	tcase_add_test(tcase, arrays_may_lie_anywhere);
	tcase_add_test(tcase, copy_copies_what_both_have_room_for);
	tcase_add_test(tcase, sleep_lasts_as_long_as_asked);
	tcase_add_test(tcase, fail_returns_what_it_is_told);
	tcase_add_test(tcase, nop_succeeds);
	tcase_add_test(tcase, touch_takes_any_arguments);
	tcase_add_test(tcase, each_handle_counts_its_own_calls);
	tcase_add_test(tcase, a_method_above_30_comes_by_the_escape);
	tcase_add_test(tcase, wrong_sizes_and_counts_are_bad_parameters);
	tcase_add_test(tcase, open_and_close_want_their_own_arguments);
	return tcase;
}

static TCase *denoise_cases(void)
{
	TCase *tcase = tcase_create("denoise");

	tcase_add_checked_fixture(tcase, setup_denoise, teardown);
	tcase_add_loop_test(tcase, it_is_bit_identical_to_speexdsp, 0, 4);
	tcase_add_test(tcase, each_handle_and_each_configure_is_a_stream_of_its_own);
	tcase_add_test(tcase, a_setup_out_of_bounds_is_refused_and_changes_nothing);
	tcase_add_loop_test(tcase, the_extremes_of_a_setup_work, 0, 4);
	tcase_add_test(tcase, process_wants_a_configured_stream_and_exact_sizes);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("modules");

	suite_add_tcase(suite, example_cases());
	suite_add_tcase(suite, denoise_cases());
	return suite_run(suite);
}
