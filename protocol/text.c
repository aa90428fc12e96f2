// SPDX-License-Identifier: MIT
#include "protocol/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ESCAPE_SIZE 4 /* "\xNN" */

/* The size of the character that @text begins with, and the character; 0: that is no UTF-8 (RFC
 * 3629: the shortest form, no surrogates, nothing beyond U+10FFFF). */
static size_t decode(const char *text, uint32_t *character)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	static const uint8_t payload[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	const uint8_t *bytes = (const uint8_t *)text;
	size_t size = bytes[0] < 0x80 ? 1 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;

	if ((bytes[0] >= 0x80 && bytes[0] < 0xc0) || bytes[0] >= 0xf8)
		return 0;
	*character = bytes[0] & payload[size];
	for (size_t i = 1; i < size; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		*character = *character << 6 | (bytes[i] & 0x3f);
	}
	if (*character < least[size] || (*character >= 0xd800 && *character <= 0xdfff))
		return 0;
	return *character > 0x10ffff ? 0 : size;
}

/* Control characters, what ends a line elsewhere, and what turns the direction of writing around:
 * a line with these can look like another one. */
static bool is_treacherous(uint32_t character)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{0, 0x1f}, {0x7f, 0x9f}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (character >= ranges[i].first && character <= ranges[i].last)
			return true;
	return false;
}

/* What becomes of the character that @text begins with: as it is, or "\\xNN" for its first byte.
 * Returns its size there; *@taken is that in the text. */
static size_t show_one(char out[ESCAPE_SIZE + 1], const char *text, size_t *taken)
{
	uint32_t character;
	const size_t n = decode(text, &character);
	const bool plain = n && !is_treacherous(character);

	*taken = plain ? n : 1;
	if (plain)
		memcpy(out, text, n);
	else
		snprintf(out, ESCAPE_SIZE + 1, "\\x%02x", (uint8_t)*text);
	return plain ? n : ESCAPE_SIZE;
}

char *text_show(char *out, size_t size, const char *text)
{
	char one[ESCAPE_SIZE + 1];
	size_t used = 0, n, taken;

	for (; *text; text += taken, used += n) {
		n = show_one(one, text, &taken);
		if (used + n >= size)
			break;
		memcpy(out + used, one, n);
	}
	out[used] = '\0';
	return out;
}

void text_print(FILE *out, const char *text)
{
	char one[ESCAPE_SIZE + 1];
	size_t taken;

	for (; *text; text += taken)
		fwrite(one, show_one(one, text, &taken), 1, out);
}

void text_json(FILE *out, const char *text)
{
	putc('"', out);
	while (*text) {
		uint32_t character = 0;
		size_t n = decode(text, &character);

		if (!n)
			fputs("\\ufffd", out);
		else if (is_treacherous(character))
			fprintf(out, "\\u%04x", character);
		else if (character == '"' || character == '\\')
			fprintf(out, "\\%c", *text);
		else
			fwrite(text, n, 1, out);
		text += n ? n : 1;
	}
	putc('"', out);
}

void text_print_json(FILE *out, const char *json)
{
	while (*json) {
		uint32_t character = 0;
		size_t n = decode(json, &character);

		if (!n)
			fputs("\\ufffd", out);
		else if (character > '~' && is_treacherous(character))
			fprintf(out, "\\u%04x", character);
		else
			fwrite(json, n, 1, out);
		json += n ? n : 1;
	}
}
