// SPDX-License-Identifier: MIT
#include "client/dspctl_message.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ESCAPED_SIZE 4 /* of a byte: \xNN */

static const char digits[] = "0123456789abcdef";

/* Takes @data, also when it fails. */
static int append(struct dspctl_messages *messages, unsigned char *data, size_t length)
{
	const size_t room = MAX(2 * messages->room, 8);
	struct dspctl_message *larger;

	if (messages->n == messages->room) {
		larger = reallocarray(messages->item, room, sizeof(*larger));
		if (!larger) {
			free(data);
			return -ENOMEM;
		}
		messages->item = larger;
		messages->room = room;
	}
	messages->item[messages->n++] = (struct dspctl_message){data, length};
	return 0;
}

/* Refuse the message that would be the next. */
static int refuse(const struct dspctl_messages *messages, char error[DSPCTL_ERROR_SIZE],
	const char *why)
{
	snprintf(error, DSPCTL_ERROR_SIZE, "message %zu: %s", messages->n + 1, why);
	return -EINVAL;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* Write what the digits say to @out, at most @length / 2 bytes. Returns NULL, or what is wrong. */
static const char *hex_decode(unsigned char *out, size_t *out_length, const char *text,
	size_t length)
{
	int high, low;
	size_t n = 0;

	for (size_t i = 0; i < length; i++) {
		if (is_space(text[i]))
			continue;
		high = dspctl_hex_digit(text[i]);
		if (high < 0)
			return "something in it is no hexadecimal digit";
		low = ++i < length ? dspctl_hex_digit(text[i]) : -1;
		if (low < 0)
			return "a byte has two hexadecimal digits";
		out[n++] = (unsigned char)(high << 4 | low);
	}
	*out_length = n;
	return NULL;
}

int dspctl_messages_add(struct dspctl_messages *messages, bool hex, const void *text, size_t length,
	char error[DSPCTL_ERROR_SIZE])
{
	_cleanup_(freep) unsigned char *data = malloc(length + 1);
	const char *why = NULL;
	size_t size = length;

	if (!data)
		return -ENOMEM;
	if (hex)
		why = hex_decode(data, &size, text, length);
	else
		memcpy(data, text, length);
	if (!why && size == 0)
		why = "a message has at least 1 byte";
	if (why)
		return refuse(messages, error, why);
	return append(messages, TAKE_PTR(data), size);
}

int dspctl_messages_add_lines(struct dspctl_messages *messages, bool hex, const void *text,
	size_t length, char error[DSPCTL_ERROR_SIZE])
{
	const char *line = text, *end, *const stop = line + length;
	int r;

	for (; line < stop; line = end + 1) {
		end = memchr(line, '\n', (size_t)(stop - line));
		end = end ? end : stop;
		r = dspctl_messages_add(messages, hex, line, (size_t)(end - line), error);
		if (r < 0)
			return r;
	}
	return 0;
}

void dspctl_messages_deinit(struct dspctl_messages *messages)
{
	for (size_t i = 0; i < messages->n; i++)
		free(messages->item[i].data);
	free(messages->item);
	*messages = (struct dspctl_messages){0};
}

static char *put_hex(char *out, unsigned char byte)
{
	*out++ = digits[byte >> 4];
	*out++ = digits[byte & 0xf];
	return out;
}

char *dspctl_hex(const void *bytes, size_t size)
{
	const unsigned char *in = bytes;
	char *text = malloc(2 * size + 1), *out = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < size; i++)
		out = put_hex(out, in[i]);
	*out = '\0';
	return text;
}

/* What a terminal obeys, or what is not to be seen, or makes what follows look like something
 * else. */
static bool is_hidden(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{0x0, 0x1f},         /* control characters */
		{0x7f, 0x9f},        /* more of them */
		{0xad, 0xad},        /* soft hyphen */
		{0x61c, 0x61c},      /* direction of text */
		{0x180e, 0x180e},    /* no width */
		{0x200b, 0x200f},    /* no width, direction */
		{0x2028, 0x202e},    /* ends of lines, direction */
		{0x2060, 0x206f},    /* no width, direction */
		{0xd800, 0xdfff},    /* halves of UTF-16 */
		{0xfdd0, 0xfdef},    /* no characters */
		{0xfeff, 0xfeff},    /* byte order mark */
		{0xfff0, 0xfffb},    /* annotations */
		{0xfffe, 0xffff},    /* no characters */
		{0xe0000, 0x10ffff}, /* tags, private use */
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

/* How many of the bytes, of which there is one at least, are a character of UTF-8 in its only
 * right form, and one to be seen; 0: they are none. */
static size_t visible_length(const unsigned char *bytes, size_t size)
{
	static const struct {
		uint32_t mask, lead; /* of the first byte */
		uint32_t min;        /* what is less has a shorter form */
	} forms[] = {
		{0x80, 0x00, 0x0},
		{0xe0, 0xc0, 0x80},
		{0xf0, 0xe0, 0x800},
		{0xf8, 0xf0, 0x10000},
	};
	size_t more = 0;
	uint32_t code;

	while (more < ARRAY_SIZE(forms) && (bytes[0] & forms[more].mask) != forms[more].lead)
		more++;
	if (more == ARRAY_SIZE(forms) || more >= size)
		return 0;
	code = bytes[0] & ~forms[more].mask;
	for (size_t i = 1; i <= more; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (bytes[i] & 0x3f);
	}
	if (code < forms[more].min || code > 0x10ffff || is_hidden(code))
		return 0;
	return more + 1;
}

char *dspctl_escape(const void *bytes, size_t size)
{
	const unsigned char *in = bytes, *const stop = in + size;
	char *text = malloc(ESCAPED_SIZE * size + 1), *out = text;
	size_t n;

	if (!text)
		return NULL;
	while (in < stop) {
		n = visible_length(in, (size_t)(stop - in));
		if (n == 0) {
			*out++ = '\\';
			*out++ = 'x';
			out = put_hex(out, *in++);
			continue;
		}
		if (*in == '\\')
			*out++ = '\\';
		for (; n > 0; n--)
			*out++ = (char)*in++;
	}
	*out = '\0';
	return text;
}
