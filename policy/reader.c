// SPDX-License-Identifier: MIT
#include "policy/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policy/compiled.h"
#include "policy/suggest.h"

static_assert(POLICY_DEPTH_MAX <= LOCATE_DEPTH_MAX, "the index must reach as deep as the parser");

static const char *const type_names[] = {
	[json_type_null] = "null",
	[json_type_boolean] = "true or false",
	[json_type_double] = "a number with a fraction or an exponent",
	[json_type_int] = "a whole number",
	[json_type_object] = "an object",
	[json_type_array] = "a list",
	[json_type_string] = "a string",
};

/* Notes. */

static _printf_(5, 0) void note_va(struct policy_note *note, const char *file, unsigned int line,
	unsigned int column, const char *format, va_list args)
{
	*note = (struct policy_note){.line = line, .column = column};
	wire_string_set(note->file, sizeof(note->file), file);
	vsnprintf(note->text, sizeof(note->text), format, args);
}

void policy_note(struct policy_note *note, const char *file, unsigned int line, unsigned int column,
	const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note_va(note, file, line, column, format, args);
	va_end(args);
}

int reader_refuse(struct reader *reader, uint32_t place, const char *format, ...)
{
	const struct locate_place *at = &reader->places.places[place];
	va_list args;

	va_start(args, format);
	note_va(reader->error, reader->file, at->line, at->column, format, args);
	va_end(args);
	return -EINVAL;
}

int reader_refuse_type(struct reader *reader, struct value value, const char *what,
	const char *wanted)
{
	return reader_refuse(reader, value.place, "%s must be %s, not %s", what, wanted,
		type_names[json_object_get_type(value.json)]);
}

void reader_warn(struct reader *reader, uint32_t place, const char *format, ...)
{
	const struct locate_place *at = &reader->places.places[place];
	struct policy_note note;
	va_list args;

	if (!reader->warn)
		return;
	va_start(args, format);
	note_va(&note, reader->file, at->line, at->column, format, args);
	va_end(args);
	reader->warn(&note, reader->userdata);
}

const char *reader_show(char out[READER_SHOWN_SIZE], const char *text, size_t size)
{
	size_t n = MIN(size, (size_t)READER_SHOWN_SIZE - 1);

	for (size_t i = 0; i < n; i++)
		out[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	out[n] = '\0';
	return out;
}

/* The text as a whole. */

static int refuse_syntax(struct reader *reader, const char *text, size_t offset, const char *what)
{
	uint32_t line, column;

	locate_offset(text, offset, &line, &column);
	policy_note(reader->error, reader->file, line, column, "%s", what);
	return -EINVAL;
}

/* An empty list of two bytes costs json-c hundreds, so their number is bounded before it sees
 * them. Brackets in strings count as well: it is no more than a bound. */
static int check_containers(struct reader *reader, const char *text, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++)
		if ((text[i] == '{' || text[i] == '[') && ++n > POLICY_CONTAINERS_MAX)
			return refuse_syntax(reader, text, i, "too many objects and lists");
	return 0;
}

static void tokener_freep(struct json_tokener **tokener)
{
	if (*tokener)
		json_tokener_free(*tokener);
}

static int parse_json(struct reader *reader, const char *text, size_t size)
{
	_cleanup_(tokener_freep) struct json_tokener *tokener =
		json_tokener_new_ex(POLICY_DEPTH_MAX);
	const char *nul = memchr(text, '\0', size);
	enum json_tokener_error error;

	if (!tokener)
		return -ENOMEM;
	if (nul)
		return refuse_syntax(reader, text, (size_t)(nul - text), "a NUL byte");
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	reader->root = json_tokener_parse_ex(tokener, text, (int)size);
	error = json_tokener_get_error(tokener);
	if (error == json_tokener_success)
		return 0;
	return refuse_syntax(reader, text, json_tokener_get_parse_end(tokener),
		error == json_tokener_continue ? "the file ends too early"
					       : json_tokener_error_desc(error));
}

int reader_init(struct reader *reader, const char *text, size_t size)
{
	struct locate_fault fault;
	int r;

	if (size > POLICY_FILE_BYTES_MAX) {
		policy_note(reader->error, reader->file, 0, 0, "larger than %d bytes",
			POLICY_FILE_BYTES_MAX);
		return -EINVAL;
	}
	r = check_containers(reader, text, size);
	if (r == 0)
		r = parse_json(reader, text, size);
	if (r < 0)
		return r;
	r = locate_init(&reader->places, text, size, &fault);
	if (r == -EINVAL)
		policy_note(reader->error, reader->file, fault.line, fault.column, "%s",
			fault.text);
	return r;
}

void reader_deinit(struct reader *reader)
{
	json_object_put(TAKE_PTR(reader->root));
	locate_deinit(&reader->places);
}

/* Values. */

int reader_expect(struct reader *reader, struct value value, const char *what, enum json_type type)
{
	if (json_object_get_type(value.json) == type)
		return 0;
	return reader_refuse_type(reader, value, what, type_names[type]);
}

int reader_length(struct reader *reader, uint32_t place, const char *what, size_t length,
	size_t max)
{
	if (length == 0)
		return reader_refuse(reader, place, "%s must not be empty", what);
	if (length > max)
		return reader_refuse(reader, place, "%s must have at most %zu bytes", what, max);
	return 0;
}

int reader_string(struct reader *reader, struct value value, const char *what, size_t max,
	const char **out)
{
	int r = reader_expect(reader, value, what, json_type_string);
	size_t length;

	if (r < 0)
		return r;
	*out = json_object_get_string(value.json);
	length = (size_t)json_object_get_string_len(value.json);
	r = reader_length(reader, value.place, what, length, max);
	if (r < 0)
		return r;
	if (strlen(*out) != length)
		return reader_refuse(reader, value.place, "%s must not hold a NUL byte", what);
	return 0;
}

/* Objects. */

static int refuse_key(struct reader *reader, uint32_t key, const char *what,
	const struct field *fields, size_t n)
{
	char shown[READER_SHOWN_SIZE], known[168] = "";
	const char *words[READER_FIELDS_MAX], *meant;
	size_t size, used = 0;
	const char *text = locate_key(&reader->places, key, &size);

	for (size_t i = 0; i < n; i++)
		words[i] = fields[i].name;
	meant = suggest(text, size, words, n);
	if (meant)
		return reader_refuse(reader, key, "unknown key \"%s\"; did you mean \"%s\"?",
			reader_show(shown, text, size), meant);
	for (size_t i = 0; i < n && used < sizeof(known); i++)
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "",
			words[i]);
	return reader_refuse(reader, key, "unknown key \"%s\"; %s may have %s",
		reader_show(shown, text, size), what, known);
}

static size_t find_field(const struct reader *reader, uint32_t key, const struct field *fields,
	size_t n)
{
	size_t size, i;
	const char *text = locate_key(&reader->places, key, &size);

	for (i = 0; i < n; i++)
		if (strncmp(fields[i].name, text, size) == 0 && !fields[i].name[size])
			break;
	return i;
}

/* Find the value of each field; one that is not there keeps place 0, which is the root's. json-c
 * has the keys in the order of the text as long as none is there twice, and that is refused. */
static int collect(struct reader *reader, struct value object, const char *what,
	const struct field *fields, size_t n, struct value *found)
{
	const struct locate *places = &reader->places;
	const struct lh_entry *entry = json_object_get_object(object.json)->head;
	uint32_t key = locate_first(places, object.place);

	for (; key != LOCATE_NONE; entry = entry->next) {
		size_t i = find_field(reader, key, fields, n);

		if (i == n)
			return refuse_key(reader, key, what, fields, n);
		if (found[i].place)
			return reader_refuse(reader, key, "duplicate key \"%s\"", fields[i].name);
		found[i].place = key + 1;
		found[i].json = (struct json_object *)lh_entry_v(entry);
		key = locate_next(places, object.place, key + 1);
	}
	for (size_t i = 0; i < n; i++)
		if (fields[i].required && !found[i].place)
			return reader_refuse(reader, object.place, "%s must have \"%s\"", what,
				fields[i].name);
	return 0;
}

int reader_object(struct reader *reader, struct value object, const char *what,
	const struct field *fields, size_t n)
{
	struct value found[READER_FIELDS_MAX] = {0};
	int r = reader_expect(reader, object, what, json_type_object);

	assert(n <= READER_FIELDS_MAX);
	if (r == 0)
		r = collect(reader, object, what, fields, n, found);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (found[i].place)
			r = fields[i].parse(reader, &fields[i], found[i]);
	return r;
}

int reader_list(struct reader *reader, struct value list, const char *name, size_t min, size_t max,
	entry_fn *parse)
{
	const struct locate *places = &reader->places;
	int r = reader_expect(reader, list, name, json_type_array);
	uint32_t place;

	if (r < 0)
		return r;
	if (json_object_array_length(list.json) < min)
		return reader_refuse(reader, list.place, "%s must not be empty", name);
	if (json_object_array_length(list.json) > max)
		return reader_refuse(reader, list.place, "%s must have at most %zu entries", name,
			max);
	place = locate_first(places, list.place);
	for (size_t i = 0; r == 0 && place != LOCATE_NONE; i++) {
		struct value entry = {json_object_array_get_idx(list.json, i), place};

		r = parse(reader, name, entry);
		place = locate_next(places, list.place, place);
	}
	return r;
}
