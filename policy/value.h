// SPDX-License-Identifier: MIT
/*
 * Inside of policy/ only: the kinds of values that a policy has. Each function returns 0, -EINVAL
 * with the error filled, or another -errno.
 */
#ifndef DSP_VALUE_H
#define DSP_VALUE_H

#include "policy/reader.h"

/* Called for each entry of an object; @key lives as long as the call. */
typedef int named_fn(struct reader *reader, const char *key, struct value value);

/* Does a text hold letters, digits and @marks only? */
bool value_only_from(const char *text, size_t size, const char *marks);

/* Does it hold what may steer a terminal: C0, DEL, or C1 as UTF-8 has them? */
bool value_has_control(const char *text);

/* A name that somebody makes up, of at most @max letters, digits, dots, underscores and hyphens. */
int value_label(struct reader *reader, struct value value, const char *what, size_t max,
	const char **out);

/* A whole number from field->min to field->max, for the uint32_t at field->offset of @object. */
int value_number(struct reader *reader, const struct field *field, struct value value,
	void *object);

/* The same for a uint64_t, where the value may also be a string like "64M". */
int value_bytes(struct reader *reader, const struct field *field, struct value value, void *object);

/* An absolute path of at most @max bytes that has one spelling only, and is not the root. It need
 * not exist. */
int value_path(struct reader *reader, struct value value, const char *what, size_t max,
	const char **out);

/* True or false, for the bool at field->offset of @object. */
int value_bool(struct reader *reader, const struct field *field, struct value value, void *object);

/* One of @words; *@out is its index. */
int value_choice(struct reader *reader, const struct field *field, struct value value,
	const char *const *words, size_t n, size_t *out);

/* A string, or a whole number, that means nothing to us. */
int value_any_text(struct reader *reader, const struct field *field, struct value value);
int value_any_number(struct reader *reader, const struct field *field, struct value value);

/* An object of at most @max entries, whose keys are labels that the file makes up, of at most
 * POLICY_SERVICE_NAME_MAX bytes. That none is there twice is for @parse to see. */
int value_names(struct reader *reader, const struct field *field, struct value value, size_t max,
	named_fn *parse);

#endif
