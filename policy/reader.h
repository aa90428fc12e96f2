// SPDX-License-Identifier: MIT
/*
 * Inside of policy/ only: a JSON text whose every value knows where it stands, checked by tables of
 * the keys that its objects may have. Each function returns 0, -EINVAL with the error filled, or
 * another -errno.
 */
#ifndef DSP_READER_H
#define DSP_READER_H

#include <json-c/json.h>

#include "policy/locate.h"
#include "policy/policy.h"

#define READER_FIELDS_MAX 24 /* keys that one kind of object may have */
#define READER_SHOWN_SIZE 48 /* how much of a file's own text a note repeats, NUL included */

struct reader {
	const char *file; /* its path; borrowed */
	struct json_object *root;
	struct locate places;
	struct policy_note *error;
	void (*warn)(const struct policy_note *note, void *userdata); /* may be NULL */
	void *userdata;
};

/* Borrowed from the reader. */
struct value {
	struct json_object *json;
	uint32_t place; /* in an object, place - 1 is its key's */
};

/* A key that an object may have. */
struct field {
	const char *name;
	int (*parse)(struct reader *reader, const struct field *field, struct value value);
	bool required;
	size_t offset; /* these three are for the parse function to use */
	uint64_t min, max;
};

typedef int entry_fn(struct reader *reader, const char *list, struct value entry);

/* Fill a note. */
void policy_note(struct policy_note *note, const char *file, unsigned int line, unsigned int column,
	const char *format, ...) _printf_(5, 6);

/* @out->file, error, warn and userdata are set by the caller, who keeps the text as long as the
 * reader and calls reader_deinit() whatever this returns. */
int reader_init(struct reader *reader, const char *text, size_t size);
void reader_deinit(struct reader *reader);

/* Say what is wrong at @place. Returns -EINVAL. */
int reader_refuse(struct reader *reader, uint32_t place, const char *format, ...) _printf_(3, 4);
/* "@what must be @wanted, not ..." */
int reader_refuse_type(struct reader *reader, struct value value, const char *what,
	const char *wanted);
/* Say what is suspicious there. */
void reader_warn(struct reader *reader, uint32_t place, const char *format, ...) _printf_(3, 4);
/* A piece of the file, fit for a terminal or a journal. Returns @out. */
const char *reader_show(char out[READER_SHOWN_SIZE], const char *text, size_t size);

/* Checks of a value. @what names it in messages. */
int reader_expect(struct reader *reader, struct value value, const char *what, enum json_type type);
/* A text of @length bytes that stands at @place has from 1 to @max. */
int reader_length(struct reader *reader, uint32_t place, const char *what, size_t length,
	size_t max);
/* *@out is not empty and at most @max bytes long. */
int reader_string(struct reader *reader, struct value value, const char *what, size_t max,
	const char **out);

/* Check an object against its fields and parse them, in the order of the table. */
int reader_object(struct reader *reader, struct value object, const char *what,
	const struct field *fields, size_t n);
/* Parse the entries of a list. */
int reader_list(struct reader *reader, struct value list, const char *name, size_t min, size_t max,
	entry_fn *parse);

#endif
