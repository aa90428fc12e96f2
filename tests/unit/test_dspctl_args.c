// SPDX-License-Identifier: MIT
/* The arguments of `dspctl call` mean what its help says, and whatever else is refused. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "client/dspctl_args.h"
#include "tests/suite.h"

#define BYTES(string) string, sizeof(string) - 1

static const struct {
	const char *word;
	const char *bytes;
	size_t size;
} inputs[] = {
	{"i32:1,-2", BYTES("\x01\0\0\0\xfe\xff\xff\xff")},
	{"i32:0x10,-0x10", BYTES("\x10\0\0\0\xf0\xff\xff\xff")},
	{"i32:2147483647,-2147483648", BYTES("\xff\xff\xff\x7f\0\0\0\x80")},
	{"i32:010", BYTES("\x0a\0\0\0")}, /* not octal */
	{"i32:", BYTES("")},
	{"u32:4294967295", BYTES("\xff\xff\xff\xff")},
	{"i64:-9223372036854775808", BYTES("\0\0\0\0\0\0\0\x80")},
	{"u64:18446744073709551615,1", BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\x01\0\0\0\0\0\0\0")},
	{"u8:0,255,0x7f", BYTES("\0\xff\x7f")},
	{"f32:1,-0.5", BYTES("\0\0\x80\x3f\0\0\0\xbf")},
	{"f32:0.1", BYTES("\xcd\xcc\xcc\x3d")},
	{"f32:1e-60", BYTES("\0\0\0\0")},
	{"f64:1e3", BYTES("\0\0\0\0\0\x40\x8f\x40")},
	{"f64:inf", BYTES("\0\0\0\0\0\0\xf0\x7f")},
	{"text:a b,:>@", BYTES("a b,:>@")},
	{"text:", BYTES("")},
	{"hex:00fF10", BYTES("\0\xff\x10")},
	{"hex:", BYTES("")},
};

START_TEST(an_input_becomes_its_bytes)
{
	char error[DSPCTL_ERROR_SIZE] = "";
	struct dspctl_arg arg;

	ck_assert_int_eq(dspctl_arg_parse(&arg, inputs[_i].word, error), 0);
	ck_assert(!arg.output);
	ck_assert_ptr_null(arg.file);
	ck_assert_uint_eq(arg.length, inputs[_i].size);
	ck_assert_mem_eq(arg.data, inputs[_i].bytes, inputs[_i].size);
	free(arg.data);
}
END_TEST

static const struct {
	const char *word;
	const char *type; /* NULL: bytes */
	const char *file; /* NULL: none */
	uint32_t length;
} outputs[] = {
	{"out:16", NULL, NULL, 16},
	{"out:0x10", NULL, NULL, 16},
	{"out:0", NULL, NULL, 0},
	{"out:64K", NULL, NULL, 65536},
	{"out:3M>-", NULL, "-", 3145728},
	{"out:3G", NULL, NULL, 3221225472},
	{"out:4294967295", NULL, NULL, UINT32_MAX},
	{"out:8>a>b", NULL, "a>b", 8},
	{"out:i32", "i32", NULL, 4},
	{"out:f64:3", "f64", NULL, 24},
	{"out:u8:0", "u8", NULL, 0},
	{"out:u64:536870911", "u64", NULL, 4294967288},
};

START_TEST(an_output_has_its_size_and_its_place)
{
	char error[DSPCTL_ERROR_SIZE] = "";
	struct dspctl_arg arg;

	ck_assert_int_eq(dspctl_arg_parse(&arg, outputs[_i].word, error), 0);
	ck_assert(arg.output);
	ck_assert_ptr_null(arg.data);
	ck_assert_uint_eq(arg.length, outputs[_i].length);
	ck_assert_pstr_eq(arg.type ? arg.type->name : NULL, outputs[_i].type);
	ck_assert_pstr_eq(arg.file, outputs[_i].file);
}
END_TEST

/* Each with a part of the sentence that says why. */
static const struct {
	const char *word;
	const char *why;
} wrong[] = {
	{"", "arguments are"},
	{"i32", "arguments are"},
	{"1,2", "arguments are"},
	{"i16:1", "arguments are"},
	{"I32:1", "arguments are"},
	{"i32:x", "\"x\" is no number"},
	{"i32:1,,2", "\"\" is no number"},
	{"i32:1,", "\"\" is no number"},
	{"i32: 1", "\" 1\" is no number"},
	{"i32:+1", "\"+1\" is no number"},
	{"i32:1.5", "\"1.5\" is no number"},
	{"i32:0x", "\"0x\" is no number"},
	{"i32:--1", "\"--1\" is no number"},
	{"i32:2147483648", "does not fit into i32"},
	{"i32:-2147483649", "does not fit into i32"},
	{"u32:4294967296", "does not fit into u32"},
	{"u32:-1", "does not fit into u32"},
	{"i64:9223372036854775808", "does not fit into i64"},
	{"u64:18446744073709551616", "does not fit into u64"},
	{"u64:-1", "does not fit into u64"},
	{"u8:256", "does not fit into u8"},
	{"f32:1e39", "does not fit into f32"},
	{"f64:1e309", "does not fit into f64"},
	{"f64:1x", "is no number of type f64"},
	{"f64: 1", "is no number of type f64"},
	{"hex:123", "odd number"},
	{"hex:0g", "'g' is no hexadecimal digit"},
	{"hex:0 ", "' ' is no hexadecimal digit"},
	{"@", "name is missing"},
	{"out:", "neither a size nor a type"},
	{"out:-1", "neither a size nor a type"},
	{"out:K", "neither a size nor a type"},
	{"out:i16", "neither a size nor a type"},
	{"out:i32>file", "neither a size nor a type"},
	{"out:1x", "\"1x\" is no size"},
	{"out:1KK", "is no size"},
	{"out:8>", "name is missing"},
	{"out:4294967296", "less than 4 GiB"},
	{"out:4G", "less than 4 GiB"},
	{"out:99999999999999999999", "less than 4 GiB"},
	{"out:i32:", "\"\" is no count"},
	{"out:i32:-1", "\"-1\" is no count"},
	{"out:u64:536870912", "is no count"},
};

START_TEST(what_is_no_argument_is_refused_with_the_reason)
{
	char error[DSPCTL_ERROR_SIZE] = "";
	struct dspctl_arg arg;

	ck_assert_int_eq(dspctl_arg_parse(&arg, wrong[_i].word, error), -EINVAL);
	ck_assert_ptr_null(arg.data);
	ck_assert_msg(strstr(error, wrong[_i].why), "%s: %s", wrong[_i].word, error);
}
END_TEST

START_TEST(a_file_is_named_and_not_read)
{
	char error[DSPCTL_ERROR_SIZE] = "";
	struct dspctl_arg arg;

	ck_assert_int_eq(dspctl_arg_parse(&arg, "@no/such file", error), 0);
	ck_assert_str_eq(arg.file, "no/such file");
	ck_assert_ptr_null(arg.data);
}
END_TEST

static int parse(struct dspctl_args *args, char *error, size_t n_words, char *const *words)
{
	return dspctl_args_parse(args, words, n_words, error);
}

#define PARSE(...)                                                            \
	parse(&args, error, sizeof((char *[]){__VA_ARGS__}) / sizeof(char *), \
		(char *[]){__VA_ARGS__})

START_TEST(arguments_are_counted_in_their_order)
{
	char error[DSPCTL_ERROR_SIZE] = "";
	struct dspctl_args args;

	ck_assert_int_eq(PARSE("i32:1", "@-", "out:i32", "out:4"), 0);
	ck_assert_uint_eq(args.n_in, 2);
	ck_assert_uint_eq(args.n_out, 2);
	ck_assert_str_eq(args.arg[1].file, "-");
	ck_assert_str_eq(args.arg[2].type->name, "i32");
	dspctl_args_deinit(&args);
	ck_assert_uint_eq(args.n_in, 0);
	dspctl_args_deinit(&args);
}
END_TEST

START_TEST(an_error_names_the_argument)
{
	char error[DSPCTL_ERROR_SIZE] = "";
	struct dspctl_args args;

	ck_assert_int_eq(PARSE("i32:1", "u8:999"), -EINVAL);
	ck_assert_str_eq(error, "argument 2, u8:999: 999 does not fit into u8");
	dspctl_args_deinit(&args);
}
END_TEST

START_TEST(an_input_after_an_output_is_refused)
{
	char error[DSPCTL_ERROR_SIZE] = "";
	struct dspctl_args args;

	ck_assert_int_eq(PARSE("out:4", "i32:1"), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "inputs stand before the outputs"));
	dspctl_args_deinit(&args);
}
END_TEST

START_TEST(standard_input_is_read_only_once)
{
	char error[DSPCTL_ERROR_SIZE] = "";
	struct dspctl_args args;

	ck_assert_int_eq(PARSE("@-", "@-"), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "only once"));
	dspctl_args_deinit(&args);
}
END_TEST

START_TEST(more_arguments_than_a_call_can_have_are_refused)
{
	char *words[DSPBROKER_ARGS_MAX + 1];
	char error[DSPCTL_ERROR_SIZE] = "";
	struct dspctl_args args;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = "u8:1";
	ck_assert_int_eq(parse(&args, error, DSPBROKER_ARGS_MAX, words), 0);
	ck_assert_uint_eq(args.n_in, DSPBROKER_ARGS_MAX);
	dspctl_args_deinit(&args);
	ck_assert_int_eq(parse(&args, error, DSPBROKER_ARGS_MAX + 1, words), -EINVAL);
	dspctl_args_deinit(&args);
}
END_TEST

/* TYPE:NUMBER, as it is printed again. */
static const char *const round_trips[] = {
	"i32:-2147483648",
	"u32:4294967295",
	"i64:-1",
	"u64:18446744073709551615",
	"u8:255",
	"f32:0.1",
	"f32:-1.5e+10",
	"f64:0.1",
	"f64:0.30000000000000004",
	"f64:inf",
	"f64:nan",
};

START_TEST(a_number_is_printed_as_it_was_read)
{
	const char *word = round_trips[_i], *number = strchr(word, ':') + 1;
	char error[DSPCTL_ERROR_SIZE] = "", name[32], text[DSPCTL_NUMBER_SIZE];
	struct dspctl_arg in, out;

	snprintf(name, sizeof(name), "out:%.*s", (int)(number - 1 - word), word);
	ck_assert_int_eq(dspctl_arg_parse(&in, word, error), 0);
	ck_assert_int_eq(dspctl_arg_parse(&out, name, error), 0);
	dspctl_number_format(out.type, dspctl_number_load(out.type, in.data), text);
	ck_assert_str_eq(text, number);
	free(in.data);
}
END_TEST

START_TEST(an_integer_stays_in_its_range)
{
	int64_t value = 7;

	ck_assert_int_eq(dspctl_integer_parse(&value, "-5", -5, 5), 0);
	ck_assert_int_eq(value, -5);
	ck_assert_int_eq(dspctl_integer_parse(&value, "6", -5, 5), -ERANGE);
	ck_assert_int_eq(dspctl_integer_parse(&value, "99999999999999999999", -5, 5), -ERANGE);
	ck_assert_int_eq(dspctl_integer_parse(&value, "", -5, 5), -EINVAL);
	ck_assert_int_eq(dspctl_integer_parse(&value, "-", -5, 5), -EINVAL);
	ck_assert_int_eq(dspctl_integer_parse(&value, "1 ", -5, 5), -EINVAL);
	ck_assert_int_eq(value, -5);
}
END_TEST

static Suite *suite(void)
{
	Suite *all = suite_create("dspctl_args");
	TCase *tests = tcase_create("args");

	suite_add_tcase(all, tests);
	tcase_add_loop_test(tests, an_input_becomes_its_bytes, 0, ARRAY_SIZE(inputs));
	tcase_add_loop_test(tests, an_output_has_its_size_and_its_place, 0, ARRAY_SIZE(outputs));
	tcase_add_loop_test(tests, what_is_no_argument_is_refused_with_the_reason, 0,
		ARRAY_SIZE(wrong));
	tcase_add_test(tests, a_file_is_named_and_not_read);
	tcase_add_test(tests, arguments_are_counted_in_their_order);
	tcase_add_test(tests, an_error_names_the_argument);
	tcase_add_test(tests, an_input_after_an_output_is_refused);
	tcase_add_test(tests, standard_input_is_read_only_once);
	tcase_add_test(tests, more_arguments_than_a_call_can_have_are_refused);
	tcase_add_loop_test(tests, a_number_is_printed_as_it_was_read, 0, ARRAY_SIZE(round_trips));
	tcase_add_test(tests, an_integer_stays_in_its_range);
	return all;
}

int main(void)
{
	return suite_run(suite());
}
