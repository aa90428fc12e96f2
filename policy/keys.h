// SPDX-License-Identifier: MIT
/*
 * Inside of policy/ only: keys by which rules are found. A glob has one or more keys, each of which
 * every text that it matches has as well; so whoever looks a text's keys up finds all the globs
 * that may match it, and asks those. Keys are hashes: that two differ is certain, that they are
 * equal proves nothing.
 */
#ifndef DSP_KEYS_H
#define DSP_KEYS_H

#include <stdint.h>

#include "policy/identity.h"

/* What a key is about. The peer's: */
enum keys_about {
	KEYS_ANYBODY,
	KEYS_USER,
	KEYS_GROUP,
	KEYS_FACT, /* and the others behind it: KEYS_FACT + enum identity_fact */
	/* The object's: */
	KEYS_OBJECT = KEYS_FACT + IDENTITY_FACTS,
};

/* Which bytes of a text a key is made of. At most 64, so that a set of them is a number. */
#define KEYS_BYTES_MAX 20
enum keys_shape {
	KEYS_NOTHING, /* none: all texts have the same */
	KEYS_WHOLE,   /* all */
	KEYS_START,   /* the first byte; behind it: the first 2, ... */
	KEYS_SERVICE = KEYS_START + KEYS_BYTES_MAX, /* the same of what follows the first '/' */
	KEYS_END = KEYS_SERVICE + KEYS_BYTES_MAX,   /* the last byte; behind it: the last 2, ... */
	KEYS_SHAPES = KEYS_END + KEYS_BYTES_MAX,
};

struct key {
	uint64_t hash;
	enum keys_shape shape;
};

/* The key of a number. */
uint64_t keys_of_id(enum keys_about about, uint32_t id);

/* The keys of a glob of @n bytes, as few as one and at most KEYS_PER_GLOB. Returns how many. */
#define KEYS_PER_GLOB 3
size_t keys_of_glob(enum keys_about about, const char *glob, size_t n,
	struct key out[KEYS_PER_GLOB]);

/* The text's keys of the shapes in the set @shapes, into @out by shape. Returns the set of those
 * that it has. Hashes no more for a long text than for a short one. */
uint64_t keys_of_text(enum keys_about about, const char *text, uint64_t shapes,
	uint64_t out[KEYS_SHAPES]);

/* The key of two things together. */
uint64_t keys_of_pair(uint64_t one, uint64_t other);

#endif
