// SPDX-License-Identifier: MIT
/* What `dspctl send` and `receive` make of words, lines and bytes, and what ends their waiting. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>

#include "client/dspctl_message.h"
#include "client/dspctl_wait.h"
#include "tests/suite.h"

#define BYTES(string) string, sizeof(string) - 1

static struct dspctl_messages messages;
static char error[DSPCTL_ERROR_SIZE];

static void clear(void)
{
	dspctl_messages_deinit(&messages);
}

static int add(bool hex, const char *text)
{
	return dspctl_messages_add(&messages, hex, text, strlen(text), error);
}

START_TEST(text_is_sent_as_it_is)
{
	static const char text[] = "a b\\n\\x41 \xff\n";

	ck_assert_int_eq(add(false, text), 0);
	ck_assert_int_eq(dspctl_messages_add(&messages, false, "\0\0", 2, error), 0);
	ck_assert_uint_eq(messages.n, 2);
	ck_assert_uint_eq(messages.item[0].length, strlen(text));
	ck_assert_mem_eq(messages.item[0].data, text, strlen(text));
	ck_assert_uint_eq(messages.item[1].length, 2);
	ck_assert_mem_eq(messages.item[1].data, "\0\0", 2);
}
END_TEST

static const struct {
	const char *text;
	const char *bytes;
	size_t size;
} hex_words[] = {
	{"00", BYTES("\0")},
	{"00fF10", BYTES("\0\xff\x10")},
	{"00 ff 10", BYTES("\0\xff\x10")},
	{"  00  ff10\t", BYTES("\0\xff\x10")},
};

START_TEST(hexadecimal_digits_become_bytes)
{
	ck_assert_int_eq(add(true, hex_words[_i].text), 0);
	ck_assert_uint_eq(messages.n, 1);
	ck_assert_uint_eq(messages.item[0].length, hex_words[_i].size);
	ck_assert_mem_eq(messages.item[0].data, hex_words[_i].bytes, hex_words[_i].size);
}
END_TEST

/* Each with a part of the sentence that says why. */
static const struct {
	bool hex;
	const char *text;
	const char *why;
} wrong[] = {
	{false, "", "at least 1 byte"},
	{true, "", "at least 1 byte"},
	{true, "  ", "at least 1 byte"},
	{true, "0", "two hexadecimal digits"},
	{true, "000", "two hexadecimal digits"},
	{true, "0 0", "two hexadecimal digits"},
	{true, "00 1 00", "two hexadecimal digits"},
	{true, "0x00", "two hexadecimal digits"},
	{true, "x0", "no hexadecimal digit"},
	{true, "00,11", "no hexadecimal digit"},
	{true, "00\n", "no hexadecimal digit"},
	{true, "-1", "no hexadecimal digit"},
	{true, "\xc3\xa4", "no hexadecimal digit"},
};

START_TEST(what_is_no_message_is_refused_with_its_number_and_the_reason)
{
	ck_assert_int_eq(add(false, "first"), 0);
	ck_assert_int_eq(add(wrong[_i].hex, wrong[_i].text), -EINVAL);
	ck_assert_msg(strstr(error, wrong[_i].why), "%s: %s", wrong[_i].text, error);
	ck_assert_msg(strstr(error, "message 2: "), "%s", error);
	ck_assert_uint_eq(messages.n, 1);
}
END_TEST

/* Lines, as messages with a '|' after each. */
static const struct {
	bool hex;
	const char *text;
	const char *expected;
} streams[] = {
	{false, "", ""},
	{false, "one", "one|"},
	{false, "one\n", "one|"},
	{false, "one\ntwo\n", "one|two|"},
	{false, "one\ntwo", "one|two|"},
	{false, "one\r\n two \n", "one\r| two |"},
	{true, "61 62\n63", "ab|c|"},
};

START_TEST(each_line_is_a_message)
{
	char joined[64] = "";
	const char *text = streams[_i].text;

	ck_assert_int_eq(dspctl_messages_add_lines(&messages, streams[_i].hex, text, strlen(text),
				 error),
		0);
	for (size_t i = 0; i < messages.n; i++) {
		strncat(joined, (char *)messages.item[i].data, messages.item[i].length);
		strcat(joined, "|");
	}
	ck_assert_str_eq(joined, streams[_i].expected);
}
END_TEST

START_TEST(an_empty_line_is_refused_with_its_number)
{
	ck_assert_int_eq(dspctl_messages_add_lines(&messages, false, BYTES("a\nb\n\nc"), error),
		-EINVAL);
	ck_assert_msg(strstr(error, "message 3: "), "%s", error);
}
END_TEST

START_TEST(there_may_be_many_messages)
{
	ck_assert_int_eq(add(false, "the first"), 0);
	for (int i = 0; i < 100000; i++)
		ck_assert_int_eq(add(true, "5a"), 0);
	ck_assert_uint_eq(messages.n, 100001);
	ck_assert_mem_eq(messages.item[0].data, "the first", 9);
	ck_assert_uint_eq(messages.item[100000].data[0], 'Z');
	clear();
	ck_assert_uint_eq(messages.n, 0);
}
END_TEST

static const struct {
	const char *bytes;
	size_t size;
	const char *text;
} shown[] = {
	{BYTES(""), ""},
	{BYTES("hello, world "), "hello, world "},
	{BYTES("a\\b"), "a\\\\b"},
	{BYTES("\\x41"), "\\\\x41"},
	{BYTES("a\nb\tc\r"), "a\\x0ab\\x09c\\x0d"},
	{BYTES("\0\x1b[2J\x7f"), "\\x00\\x1b[2J\\x7f"},
	{BYTES("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
	{BYTES("\xef\xbf\xbd"), "\xef\xbf\xbd"},
	{BYTES("\xff\x80"), "\\xff\\x80"},
	/* Cut short, in the middle and at the end. */
	{BYTES("\xe2\x82 \xe2\x82"), "\\xe2\\x82 \\xe2\\x82"},
	{"\xe2\x82\xac", 2, "\\xe2\\x82"},
	/* In more bytes than needed, halves of UTF-16, and beyond the last character. */
	{BYTES("\xc1\x81\xe0\x81\x81\xf0\x80\x81\x81"),
		"\\xc1\\x81\\xe0\\x81\\x81\\xf0\\x80\\x81\\x81"},
	{BYTES("\xed\xa0\x80"), "\\xed\\xa0\\x80"},
	{BYTES("\xf4\x90\x80\x80\xf8\x88\x80\x80\x80"),
		"\\xf4\\x90\\x80\\x80\\xf8\\x88\\x80\\x80\\x80"},
	/* Right UTF-8, but obeyed by terminals (U+009B), or turning text around (U+202E), or not
	 * to be seen (U+200B, U+FEFF, U+E0041). */
	{BYTES("\xc2\x9b"), "\\xc2\\x9b"},
	{BYTES("\xe2\x80\xae"), "\\xe2\\x80\\xae"},
	{BYTES("\xe2\x80\x8b"), "\\xe2\\x80\\x8b"},
	{BYTES("\xef\xbb\xbf"), "\\xef\\xbb\\xbf"},
	{BYTES("\xf3\xa0\x81\x81"), "\\xf3\\xa0\\x81\\x81"},
};

START_TEST(a_message_is_shown_as_text_that_harms_no_terminal)
{
	char *text = dspctl_escape(shown[_i].bytes, shown[_i].size);

	ck_assert_str_eq(text, shown[_i].text);
	free(text);
}
END_TEST

/* The bytes that @text stands for, as dspctl(1) explains it; returns how many. */
static size_t unescape(unsigned char *out, const char *text)
{
	size_t n = 0;

	while (*text) {
		if (*text != '\\') {
			out[n++] = (unsigned char)*text++;
		} else if (text[1] == '\\') {
			out[n++] = '\\';
			text += 2;
		} else {
			ck_assert_int_eq(text[1], 'x');
			out[n++] = (unsigned char)(dspctl_hex_digit(text[2]) << 4 |
						   dspctl_hex_digit(text[3]));
			text += 4;
		}
	}
	return n;
}

/* All messages of three bytes from a set with every kind of byte in it. */
START_TEST(no_two_messages_look_alike)
{
	static const unsigned char set[] =
		"\0\n\x1b Ax09f\\~\x7f\x80\x9b\xa4\xae\xbf\xc0\xc2\xc3\xe0\xe2\xed\xef\xf0\xff";
	unsigned char bytes[3], back[3];
	const size_t n = sizeof(set) - 1;
	char *text;

	for (size_t i = 0; i < n * n * n; i++) {
		bytes[0] = set[i % n];
		bytes[1] = set[i / n % n];
		bytes[2] = set[i / n / n];
		text = dspctl_escape(bytes, sizeof(bytes));
		ck_assert_uint_eq(unescape(back, text), sizeof(back));
		ck_assert_mem_eq(back, bytes, sizeof(back));
		for (const char *c = text; *c; c++)
			ck_assert((unsigned char)*c >= ' ' && *c != '\x7f');
		free(text);
	}
}
END_TEST

START_TEST(what_is_printed_in_hexadecimal_can_be_sent)
{
	unsigned char bytes[256];
	char *text;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)i;
	text = dspctl_hex(bytes, sizeof(bytes));
	ck_assert_int_eq(add(true, text), 0);
	ck_assert_uint_eq(messages.item[0].length, sizeof(bytes));
	ck_assert_mem_eq(messages.item[0].data, bytes, sizeof(bytes));
	free(text);
}
END_TEST

START_TEST(a_wait_ends_when_there_is_something_or_the_time_is_up)
{
	const int fd = eventfd(0, EFD_CLOEXEC);

	ck_assert_int_eq(dspctl_wait(fd, dspctl_wait_deadline(1)), 0);
	ck_assert_int_eq(dspctl_wait(fd, 1), 0); /* long ago */
	ck_assert_int_eq(eventfd_write(fd, 1), 0);
	ck_assert_int_eq(dspctl_wait(fd, dspctl_wait_deadline(0)), 1);
	ck_assert_int_eq(dspctl_wait(fd, 1), 1);
	close(fd);
}
END_TEST

static const int caught[] = {SIGINT, SIGTERM};

START_TEST(a_signal_ends_a_wait_also_when_it_came_before)
{
	const int fd = eventfd(1, EFD_CLOEXEC);

	ck_assert_int_eq(dspctl_wait_catch(), 0);
	ck_assert(!dspctl_wait_ended());
	ck_assert_int_eq(dspctl_wait(fd, dspctl_wait_deadline(0)), 1);
	raise(caught[_i]);
	ck_assert(dspctl_wait_ended());
	ck_assert_int_eq(dspctl_wait(fd, dspctl_wait_deadline(0)), -EINTR);
	close(fd);
}
END_TEST

START_TEST(the_second_signal_ends_the_program)
{
	ck_assert_int_eq(dspctl_wait_catch(), 0);
	raise(SIGTERM);
	raise(SIGTERM);
	ck_abort_msg("still here");
}
END_TEST

START_TEST(a_signal_that_is_ignored_stays_so)
{
	signal(SIGINT, SIG_IGN);
	ck_assert_int_eq(dspctl_wait_catch(), 0);
	raise(SIGINT);
	ck_assert(!dspctl_wait_ended());
}
END_TEST

START_TEST(a_wait_ends_when_nobody_reads_the_output)
{
	const int fd = eventfd(0, EFD_CLOEXEC), kept = dup(STDOUT_FILENO);
	int pipes[2], r;

	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	ck_assert_int_eq(dup2(pipes[1], STDOUT_FILENO), STDOUT_FILENO);
	close(pipes[0]);
	r = dspctl_wait(fd, dspctl_wait_deadline(0));
	dup2(kept, STDOUT_FILENO);
	ck_assert_int_eq(r, -EPIPE);
	close(pipes[1]);
	close(kept);
	close(fd);
}
END_TEST

static Suite *suite(void)
{
	Suite *all = suite_create("dspctl_message");
	TCase *tests = tcase_create("messages"), *wait = tcase_create("wait");

	suite_add_tcase(all, tests);
	tcase_add_checked_fixture(tests, NULL, clear);
	tcase_add_test(tests, text_is_sent_as_it_is);
	tcase_add_loop_test(tests, hexadecimal_digits_become_bytes, 0, ARRAY_SIZE(hex_words));
	tcase_add_loop_test(tests, what_is_no_message_is_refused_with_its_number_and_the_reason, 0,
		ARRAY_SIZE(wrong));
	tcase_add_loop_test(tests, each_line_is_a_message, 0, ARRAY_SIZE(streams));
	tcase_add_test(tests, an_empty_line_is_refused_with_its_number);
	tcase_add_test(tests, there_may_be_many_messages);
	tcase_add_loop_test(tests, a_message_is_shown_as_text_that_harms_no_terminal, 0,
		ARRAY_SIZE(shown));
	tcase_add_test(tests, no_two_messages_look_alike);
	tcase_add_test(tests, what_is_printed_in_hexadecimal_can_be_sent);

	suite_add_tcase(all, wait);
	tcase_add_test(wait, a_wait_ends_when_there_is_something_or_the_time_is_up);
	tcase_add_loop_test(wait, a_signal_ends_a_wait_also_when_it_came_before, 0,
		ARRAY_SIZE(caught));
	tcase_add_test_raise_signal(wait, the_second_signal_ends_the_program, SIGTERM);
	tcase_add_test(wait, a_signal_that_is_ignored_stays_so);
	tcase_add_test(wait, a_wait_ends_when_nobody_reads_the_output);
	return all;
}

int main(void)
{
	return suite_run(suite());
}
