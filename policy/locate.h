// SPDX-License-Identifier: MIT
/*
 * Where things stand in a JSON text. json-c says it for syntax errors only; this index says it for
 * every key and value, after json-c has accepted the text. It costs one pass and 16 bytes for each
 * of them.
 */
#ifndef DSP_LOCATE_H
#define DSP_LOCATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOCATE_DEPTH_MAX 16 /* objects and lists inside each other */
#define LOCATE_NONE      UINT32_MAX

/* A key or a value. */
struct locate_place {
	uint32_t offset;       /* of its first byte */
	uint32_t line, column; /* the same for people: from 1, columns count bytes */
	uint32_t end;          /* number of the first place that is not inside this one */
};

/*
 * In the order of the text: place 0 is the outermost value. The children of a list are its values;
 * those of an object are key, value, key, value, so the value after a key has the next number.
 */
struct locate {
	const char *text; /* borrowed */
	size_t size;
	struct locate_place *places;
	uint32_t n, room;
};

/* What json-c lets pass though no JSON standard does. */
struct locate_fault {
	uint32_t line, column;
	const char *text;
};

/* Index @text, at most 2 GiB of it. Returns 0, -ENOMEM, or -EINVAL with *@fault filled. Whatever
 * the text is, no memory outside it is read. Free with locate_deinit(), which is safe on a zeroed
 * index and after an error. */
int locate_init(struct locate *out, const char *text, size_t size, struct locate_fault *fault);
void locate_deinit(struct locate *index);

/* Children of @parent, one after the other; LOCATE_NONE after the last. */
uint32_t locate_first(const struct locate *index, uint32_t parent);
uint32_t locate_next(const struct locate *index, uint32_t parent, uint32_t child);

/* The text of a key as it is written, up to its next quote, not terminated; *@size is its length.
 * An escape stays what it is, so a key that holds one equals no plain word. */
const char *locate_key(const struct locate *index, uint32_t key, size_t *size);

/* Line and column of any offset, counted anew each time. */
void locate_offset(const char *text, size_t offset, uint32_t *line, uint32_t *column);

#endif
