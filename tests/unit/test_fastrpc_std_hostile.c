// SPDX-License-Identifier: MIT
/* What apps_std makes of requests that cannot be: lengths that are short, absurd or lies. */
#include <check.h>
#include <limits.h>
#include <string.h>

#include "tests/suite.h"
#include "tests/unit/std_rig.h"

START_TEST(what_is_not_offered_is_unsupported)
{
	const uint32_t file = opened("old", "r");

	begin(1);
	word(file);
	string("old");
	string("r");
	output(4);
	ck_assert_uint_eq(serve(), AEE_EUNSUPPORTED);
	begin(34);
	string("data");
	string("r");
	output(8);
	ck_assert_uint_eq(serve(), AEE_EUNSUPPORTED);
	begin(35);
	word(1);
	ck_assert_uint_eq(serve(), AEE_EUNSUPPORTED);
	begin(36);
	for (size_t i = 0; i < 4; i++)
		string("r");
	output(8);
	ck_assert_uint_eq(serve(), AEE_EUNSUPPORTED);
}
END_TEST

/* As many buffers as the method has: @size bytes of @byte each, and words of it behind a @first. */
static uint32_t serve_raw(const struct host_method *entry, uint32_t in_size, uint32_t out_size,
	uint32_t size, int byte, uint32_t first)
{
	uint8_t bytes[256];

	begin(entry->number);
	memset(words, byte, sizeof(words));
	words[0] = entry->number >= FASTRPC_METHOD_ESCAPE ? entry->number : first;
	if (entry->number >= FASTRPC_METHOD_ESCAPE)
		words[1] = first;
	call.in[0].data = copy_of(words, in_size);
	call.in[0].size = in_size;
	memset(bytes, byte, sizeof(bytes));
	while (call.n_in < FASTRPC_INPUTS(entry->scalars))
		input(bytes, size);
	while (call.n_out < FASTRPC_OUTPUTS(entry->scalars))
		output(call.n_out == 0 ? out_size : size);
	return host_serve(&host, &host_std, scalars(), &call);
}

START_TEST(packed_arguments_that_are_too_short_are_refused)
{
	const struct host_method *entry = &host_std.methods[_i];

	ck_assert_uint_gt(entry->in_size, 0);
	for (uint32_t size = entry->number >= FASTRPC_METHOD_ESCAPE ? 4 : 1; size < entry->in_size;
		size++)
		ck_assert_uint_eq(serve_raw(entry, size, entry->out_size, 8, 0, 1), AEE_EBADPARM);
	for (uint32_t size = 0; size < entry->out_size; size++)
		ck_assert_uint_eq(serve_raw(entry, entry->in_size, size, 8, 0, 1), AEE_EBADPARM);
}
END_TEST

/* Lengths and numbers from absurd to absurd, buffers from none to some. */
START_TEST(whatever_the_words_say_only_what_is_there_is_touched)
{
	static const uint32_t sizes[] = {0, 1, 2, 255, 256};
	static const int bytes[] = {0, 1, 'r', '/', '.', 0x7f, 0xff};
	const struct host_method *entry = &host_std.methods[_i];
	const bool opens = entry->number == 0 || entry->number == 19;

	ck_assert_uint_eq(opened("scratch", "w+"), 1);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(sizes) * ARRAY_SIZE(bytes); i++) {
		const uint32_t size = sizes[i / 2 % ARRAY_SIZE(sizes)];
		const int byte = bytes[i / 2 / ARRAY_SIZE(sizes)];
		uint32_t all = (uint32_t)byte * 0x01010101u;

		ck_assert_msg(serve_raw(entry, entry->in_size, entry->out_size, size, byte,
				      i % 2 ? 1 : all) != 0 ||
				      !opens,
			"%u bytes of 0x%02x", size, byte);
	}
	ck_assert_str_eq(tree_read("write/old"), "old");
	ck_assert_str_eq(tree_read("read/data"), "some data");
}
END_TEST

static uint32_t fopen_raw(uint32_t said, const char *name, size_t size)
{
	begin(0);
	word(said);
	input(name, size);
	string("r");
	output(4);
	return serve();
}

START_TEST(the_smaller_of_two_lengths_of_a_string_counts)
{
	ck_assert_uint_eq(fopen_raw(5, "data", 5), 0);
	ck_assert_uint_eq(fopen_raw(4, "data", 4), 0); /* without its NUL */
	ck_assert_uint_eq(fopen_raw(UINT32_MAX, "data", 5), 0);
	ck_assert_uint_eq(fopen_raw(4, "data.secret", 12), 0);
	ck_assert_uint_eq(fopen_raw(5, "data\0rest", 10), 0);
	ck_assert_uint_eq(fopen_raw(10, "data\0rest", 10), EINVAL);
	ck_assert_uint_eq(fopen_raw(0, "data", 5), EINVAL);
	ck_assert_uint_eq(fopen_raw(5, "data", 0), EINVAL);
	ck_assert_uint_eq(fopen_raw(3, "data", 5), ENOENT);
	ck_assert_uint_eq(fopen_raw(1, "\0", 1), EINVAL);
}
END_TEST

START_TEST(the_smaller_of_two_lengths_of_data_counts)
{
	uint32_t file = opened("data", "r"), old = opened("old", "r+");

	for (size_t i = 0; i < 2; i++) {
		begin(4);
		word(file);
		word(i == 0 ? UINT32_MAX : 3);
		output(8);
		output(i == 0 ? 3 : 8);
		ck_assert_uint_eq(serve(), 0);
		ck_assert_mem_eq(call.out[0].data, ((uint32_t[]){3, 0}), 8);
		ck_assert_mem_eq(call.out[1].data, i == 0 ? "som" : "e d\0\0\0\0", i == 0 ? 3 : 8);
	}
	for (size_t i = 0; i < 2; i++) {
		begin(5);
		word(old);
		word(i == 0 ? UINT32_MAX : 1);
		input("xyz", i == 0 ? 1 : 3);
		output(8);
		ck_assert_uint_eq(serve(), 0);
		ck_assert_mem_eq(call.out[0].data, ((uint32_t[]){1, 0}), 8);
	}
	ck_assert_str_eq(tree_read("write/old"), "xxd");
}
END_TEST

START_TEST(a_wrong_number_of_buffers_is_refused)
{
	const struct host_method *entry = &host_std.methods[_i];

	serve_raw(entry, entry->in_size, entry->out_size, 8, 0, 1);
	output(8);
	ck_assert_uint_eq(host_serve(&host, &host_std, scalars(), &call),
		entry->more_outputs ? AEE_SUCCESS : AEE_EBADPARM);
	serve_raw(entry, entry->in_size, entry->out_size, 8, 0, 1);
	input("", 0);
	ck_assert_uint_eq(host_serve(&host, &host_std, scalars(), &call), AEE_EBADPARM);
	serve_raw(entry, entry->in_size, entry->out_size, 8, 0, 1);
	ck_assert_uint_eq(host_serve(&host, &host_std, scalars() | 0x10, &call), AEE_EBADPARM);
}
END_TEST

int main(void)
{
	const int n = (int)host_std.n_methods;
	Suite *suite = suite_create("fastrpc_std_hostile");
	TCase *tcase = tcase_create("hostile");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, what_is_not_offered_is_unsupported);
	tcase_add_loop_test(tcase, packed_arguments_that_are_too_short_are_refused, 0, n);
	tcase_add_loop_test(tcase, whatever_the_words_say_only_what_is_there_is_touched, 0, n);
	tcase_add_test(tcase, the_smaller_of_two_lengths_of_a_string_counts);
	tcase_add_test(tcase, the_smaller_of_two_lengths_of_data_counts);
	tcase_add_loop_test(tcase, a_wrong_number_of_buffers_is_refused, 0, n);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
