// SPDX-License-Identifier: MIT
/* Text that a peer had a hand in, as people and programs get to see it. */
#include <check.h>
#include <json-c/json.h>
#include <string.h>

#include "protocol/text.h"
#include "protocol/util.h"
#include "tests/suite.h"

static const char *show(const char *text)
{
	static char out[256];

	return text_show(out, sizeof(out), text);
}

/* To be freed. */
static char *printed(void (*print)(FILE *out, const char *text), const char *text)
{
	size_t size;
	char *out = NULL;
	FILE *file = open_memstream(&out, &size);

	ck_assert_ptr_nonnull(file);
	print(file, text);
	ck_assert_int_eq(fclose(file), 0);
	return out;
}

static const struct {
	const char *text, *shown, *json;
} examples[] = {
	{"", "", "\"\""},
	{"/usr/bin/player", "/usr/bin/player", "\"/usr/bin/player\""},
	{"app-a\\x2db.scope", "app-a\\x2db.scope", "\"app-a\\\\x2db.scope\""},
	{"a \"b\"", "a \"b\"", "\"a \\\"b\\\"\""},
	{"gr\xc3\xb6\xc3\x9f"
	 "er \xe2\x82\xac \xf0\x9f\x8e\xb5",
		"gr\xc3\xb6\xc3\x9f"
		"er \xe2\x82\xac \xf0\x9f\x8e\xb5",
		"\"gr\xc3\xb6\xc3\x9f"
		"er \xe2\x82\xac \xf0\x9f\x8e\xb5\""},
	{"a\nb\r\tc\x7f", "a\\x0ab\\x0d\\x09c\\x7f", "\"a\\u000ab\\u000d\\u0009c\\u007f\""},
	{"\x1b[2J", "\\x1b[2J", "\"\\u001b[2J\""},
	/* A control character of two bytes; the end of a line elsewhere; right to left. */
	{"\xc2\x9b"
	 "2J",
		"\\xc2\\x9b2J", "\"\\u009b2J\""},
	{"\xe2\x80\xa8", "\\xe2\\x80\\xa8", "\"\\u2028\""},
	{"\xe2\x80\xae", "\\xe2\\x80\\xae", "\"\\u202e\""},
	/* No UTF-8: alone, cut off, too long, half of a pair, beyond the last. */
	{"\xff"
	 "a",
		"\\xffa", "\"\\ufffda\""},
	{"\x80", "\\x80", "\"\\ufffd\""},
	{"\xe2\x82", "\\xe2\\x82", "\"\\ufffd\\ufffd\""},
	{"\xc0\x80", "\\xc0\\x80", "\"\\ufffd\\ufffd\""},
	{"\xed\xa0\x80", "\\xed\\xa0\\x80", "\"\\ufffd\\ufffd\\ufffd\""},
	{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
};

START_TEST(what_can_be_shown_stays_and_the_rest_is_escaped)
{
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		_cleanup_(freep) char *text = printed(text_json, examples[i].text);
		_cleanup_(freep) char *shown = printed(text_print, examples[i].text);

		ck_assert_str_eq(shown, examples[i].shown);
		ck_assert_str_eq(show(examples[i].text), examples[i].shown);
		ck_assert_str_eq(text, examples[i].json);
	}
}
END_TEST

/* What json-c reads in a text as JSON. */
static struct json_object *parse(const char *text)
{
	_cleanup_(freep) char *quoted = printed(text_json, text);
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *value;

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	value = json_tokener_parse_ex(tokener, quoted, (int)strlen(quoted) + 1);
	ck_assert_msg(value != NULL, "%s: %s", quoted,
		json_tokener_error_desc(json_tokener_get_error(tokener)));
	json_tokener_free(tokener);
	return value;
}

START_TEST(a_parser_of_json_gets_back_what_was_utf_8)
{
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		struct json_object *value = parse(examples[i].text);

		if (!strstr(examples[i].json, "ufffd"))
			ck_assert_str_eq(json_object_get_string(value), examples[i].text);
		json_object_put(value);
	}
}
END_TEST

/* json-c escapes what is below a space, and nothing else. */
START_TEST(json_of_json_c_is_printed_so_that_it_steers_no_terminal_and_says_the_same)
{
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		struct json_object *value = json_object_new_string(examples[i].text);
		_cleanup_(freep) char *text = printed(text_print_json,
			json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
		struct json_object *again = json_tokener_parse(text);

		ck_assert_ptr_nonnull(again);
		if (!strstr(examples[i].json, "ufffd"))
			ck_assert_str_eq(json_object_get_string(again), examples[i].text);
		ck_assert_ptr_null(strpbrk(text, "\x1b\x7f\n"));
		ck_assert_ptr_null(strstr(text, "\xc2\x9b"));
		ck_assert_ptr_null(strstr(text, "\xe2\x80\xae"));
		ck_assert_ptr_null(strchr(text, '\xff'));
		json_object_put(again);
		json_object_put(value);
	}
}
END_TEST

START_TEST(no_three_bytes_break_out_of_their_line_or_string)
{
	char text[4] = "";

	for (unsigned int bytes = 0; bytes < 1u << 16; bytes++) {
		_cleanup_(freep) char *quoted = NULL;

		text[0] = (char)(bytes >> 8);
		text[1] = (char)bytes;
		text[2] = (char)(bytes * 31 >> 4);
		quoted = printed(text_json, text);
		for (const char *c = show(text); *c; c++)
			ck_assert_int_ge((unsigned char)*c, ' ');
		for (const char *c = quoted; *c; c++)
			ck_assert_int_ge((unsigned char)*c, ' ');
		json_object_put(parse(text));
	}
}
END_TEST

START_TEST(what_is_too_long_is_cut_between_two_characters)
{
	char out[8];

	ck_assert_str_eq(text_show(out, 8, "1234567"), "1234567");
	ck_assert_str_eq(text_show(out, 8, "12345678"), "1234567");
	ck_assert_str_eq(text_show(out, 8, "123456\xc3\xb6"), "123456");
	ck_assert_str_eq(text_show(out, 8, "12345\xc3\xb6"), "12345\xc3\xb6");
	ck_assert_str_eq(text_show(out, 8, "1234\n5"), "1234");
	ck_assert_str_eq(text_show(out, 8, "123\n5"), "123\\x0a");
	ck_assert_str_eq(text_show(out, 1, "1"), "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("text");
	TCase *tcase = tcase_create("text");

	tcase_add_test(tcase, what_can_be_shown_stays_and_the_rest_is_escaped);
	tcase_add_test(tcase, a_parser_of_json_gets_back_what_was_utf_8);
	tcase_add_test(tcase,
		json_of_json_c_is_printed_so_that_it_steers_no_terminal_and_says_the_same);
	tcase_add_test(tcase, no_three_bytes_break_out_of_their_line_or_string);
	tcase_add_test(tcase, what_is_too_long_is_cut_between_two_characters);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
