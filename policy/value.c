// SPDX-License-Identifier: MIT
#include "policy/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "policy/compiled.h"
#include "policy/suggest.h"

/* Names. */

/* In any locale. */
static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool value_only_from(const char *text, size_t size, const char *marks)
{
	for (size_t i = 0; i < size; i++)
		if (!is_letter_or_digit(text[i]) && (!text[i] || !strchr(marks, text[i])))
			return false;
	return true;
}

static int check_label(struct reader *reader, uint32_t place, const char *what, const char *text,
	size_t size, size_t max)
{
	int r = reader_length(reader, place, what, size, max);

	if (r == 0 && !value_only_from(text, size, "._-"))
		return reader_refuse(reader, place,
			"%s may hold letters, digits, '.', '_' and '-' only", what);
	return r;
}

int value_label(struct reader *reader, struct value value, const char *what, size_t max,
	const char **out)
{
	int r = reader_expect(reader, value, what, json_type_string);

	if (r < 0)
		return r;
	*out = json_object_get_string(value.json);
	return check_label(reader, value.place, what, *out,
		(size_t)json_object_get_string_len(value.json), max);
}

/* Numbers. */

static int refuse_range(struct reader *reader, const struct field *field, struct value value,
	const char *also)
{
	return reader_refuse(reader, value.place, "%s must be from %" PRIu64 " to %" PRIu64 "%s",
		field->name, field->min, field->max, also);
}

/* json-c clamps numbers to 64 bits, so what is huge stays huge. */
static bool in_range(const struct field *field, int64_t number)
{
	return number >= 0 && (uint64_t)number >= field->min && (uint64_t)number <= field->max;
}

int value_number(struct reader *reader, const struct field *field, struct value value, void *object)
{
	int r = reader_expect(reader, value, field->name, json_type_int);
	int64_t number = json_object_get_int64(value.json);
	uint32_t narrow = (uint32_t)number;

	if (r < 0)
		return r;
	if (!in_range(field, number))
		return refuse_range(reader, field, value, "");
	memcpy((char *)object + field->offset, &narrow, sizeof(narrow));
	return 0;
}

/* "64M" -> bytes. Returns false for what is no such thing, or is beyond 64 bits. */
static bool bytes_from_text(const char *text, uint64_t *out)
{
	static const char units[] = "KMG";
	const char *unit = text + strspn(text, "0123456789");
	uint64_t bytes = 0;

	if (unit == text || !*unit || unit[1] || !strchr(units, *unit))
		return false;
	for (; text < unit; text++)
		if (__builtin_mul_overflow(bytes, 10, &bytes) ||
			__builtin_add_overflow(bytes, (uint64_t)(*text - '0'), &bytes))
			return false;
	for (const char *step = units; step <= strchr(units, *unit); step++)
		if (__builtin_mul_overflow(bytes, 1024, &bytes))
			return false;
	*out = bytes;
	return true;
}

int value_bytes(struct reader *reader, const struct field *field, struct value value, void *object)
{
	enum json_type type = json_object_get_type(value.json);
	uint64_t bytes = (uint64_t)json_object_get_int64(value.json);
	bool is_bytes = json_object_get_int64(value.json) >= 0;
	const char *text;
	int r = 0;

	if (type == json_type_string)
		r = reader_string(reader, value, field->name, POLICY_BYTES_TEXT_MAX, &text);
	else if (type != json_type_int)
		r = reader_refuse_type(reader, value, field->name,
			"a whole number or a string like \"64M\"");
	if (r < 0)
		return r;
	if (type == json_type_string)
		is_bytes = bytes_from_text(text, &bytes);
	if (!is_bytes || bytes < field->min || bytes > field->max)
		return refuse_range(reader, field, value, ", or a string like \"64M\" (K, M, G)");
	memcpy((char *)object + field->offset, &bytes, sizeof(bytes));
	return 0;
}

/* Paths. */

bool value_has_control(const char *text)
{
	for (const unsigned char *at = (const unsigned char *)text; *at; at++)
		if (*at < ' ' || *at == 0x7f || (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0))
			return true;
	return false;
}

/* Each slash is followed by a name, which is neither "." nor "..". */
static bool is_normal(const char *path)
{
	while (*path == '/') {
		const char *name = path + 1;
		size_t size = strcspn(name, "/");

		if (size == 0 || (size == 1 && name[0] == '.') ||
			(size == 2 && name[0] == '.' && name[1] == '.'))
			return false;
		path = name + size;
	}
	return !*path;
}

int value_path(struct reader *reader, struct value value, const char *what, size_t max,
	const char **out)
{
	int r = reader_string(reader, value, what, max, out);

	if (r < 0)
		return r;
	if (value_has_control(*out))
		return reader_refuse(reader, value.place,
			"a path in %s must not hold control characters", what);
	if (!is_normal(*out))
		return reader_refuse(reader, value.place,
			"a path in %s must be absolute, without \".\", \"..\", \"//\" or a slash "
			"at "
			"its end",
			what);
	return 0;
}

/* Choices. */

int value_bool(struct reader *reader, const struct field *field, struct value value, void *object)
{
	int r = reader_expect(reader, value, field->name, json_type_boolean);
	bool truth = json_object_get_boolean(value.json);

	if (r == 0)
		memcpy((char *)object + field->offset, &truth, sizeof(truth));
	return r;
}

static int refuse_choice(struct reader *reader, const struct field *field, struct value value,
	const char *const *words, size_t n)
{
	const char *text = json_object_get_string(value.json);
	const char *meant = suggest(text, strlen(text), words, n);
	char shown[READER_SHOWN_SIZE], known[128] = "";
	size_t used = 0;

	if (meant && strcmp(meant, text) != 0)
		return reader_refuse(reader, value.place,
			"%s cannot be \"%s\"; did you mean \"%s\"?", field->name,
			reader_show(shown, text, strlen(text)), meant);
	for (size_t i = 0; i < n && used < sizeof(known); i++) {
		const char *before = i == 0 ? "" : i + 1 < n ? ", " : " or ";

		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s\"%s\"", before,
			words[i]);
	}
	return reader_refuse(reader, value.place, "%s must be %s", field->name, known);
}

int value_choice(struct reader *reader, const struct field *field, struct value value,
	const char *const *words, size_t n, size_t *out)
{
	int r = reader_expect(reader, value, field->name, json_type_string);
	const char *text = json_object_get_string(value.json);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(text, words[i]) != 0 ||
			strlen(words[i]) != (size_t)json_object_get_string_len(value.json))
			continue;
		*out = i;
		return 0;
	}
	return refuse_choice(reader, field, value, words, n);
}

/* For others than us. */

int value_any_text(struct reader *reader, const struct field *field, struct value value)
{
	return reader_expect(reader, value, field->name, json_type_string);
}

int value_any_number(struct reader *reader, const struct field *field, struct value value)
{
	return reader_expect(reader, value, field->name, json_type_int);
}

/* Objects whose keys no table knows. */

static int parse_named(struct reader *reader, const struct field *field, struct value object,
	uint32_t place, named_fn *parse)
{
	struct value value = {.place = place + 1};
	char what[48], key[POLICY_SERVICE_NAME_MAX + 1];
	size_t size;
	const char *text = locate_key(&reader->places, place, &size);
	int r;

	snprintf(what, sizeof(what), "a name in %s", field->name);
	r = check_label(reader, place, what, text, size, POLICY_SERVICE_NAME_MAX);
	if (r < 0)
		return r;
	/* It holds no escape, so it is what json-c knows it by. */
	memcpy(key, text, size);
	key[size] = '\0';
	json_object_object_get_ex(object.json, key, &value.json);
	return parse(reader, key, value);
}

int value_names(struct reader *reader, const struct field *field, struct value value, size_t max,
	named_fn *parse)
{
	const struct locate *places = &reader->places;
	int r = reader_expect(reader, value, field->name, json_type_object);
	uint32_t key;

	if (r < 0)
		return r;
	if ((size_t)json_object_object_length(value.json) > max)
		return reader_refuse(reader, value.place, "%s must have at most %zu entries",
			field->name, max);
	key = locate_first(places, value.place);
	while (r == 0 && key != LOCATE_NONE) {
		r = parse_named(reader, field, value, key, parse);
		key = locate_next(places, value.place, key + 1);
	}
	return r;
}
