// SPDX-License-Identifier: MIT
#include "policy/keys.h"

#include <assert.h>
#include <string.h>

#include "policy/compiled.h"

#define TEXT_MAX MAX(POLICY_GLOB_MAX, POLICY_FACT_MAX) /* no glob without wildcards is longer */

static_assert(KEYS_SHAPES <= 64, "a set of shapes is a number");

/* Spread all bits over all bits: the finalizer of MurmurHash3 (public domain). */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccd;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53;
	return x ^ x >> 33;
}

static uint64_t hash(enum keys_about about, enum keys_shape shape, const char *bytes, size_t n)
{
	uint64_t state = (uint64_t)about << 32 | (uint64_t)shape << 16 | n, word;

	for (; n > sizeof(word); n -= sizeof(word), bytes += sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		state = mix(state ^ word);
	}
	word = 0;
	memcpy(&word, bytes, n);
	return mix(state ^ word);
}

uint64_t keys_of_id(enum keys_about about, uint32_t id)
{
	return mix((uint64_t)(about + 1) << 32 | id);
}

uint64_t keys_of_pair(uint64_t one, uint64_t other)
{
	return mix(one ^ other << 1);
}

/* Add the key of the first (or last) @n of @bytes, unless there are none. */
static size_t add(struct key *out, enum keys_about about, enum keys_shape first, const char *bytes,
	size_t n)
{
	const size_t used = MIN(n, (size_t)KEYS_BYTES_MAX);

	if (n == 0)
		return 0;
	if (first == KEYS_END)
		bytes += n - used;
	out->shape = (enum keys_shape)(first + used - 1);
	out->hash = hash(about, out->shape, bytes, used);
	return 1;
}

size_t keys_of_glob(enum keys_about about, const char *glob, size_t n,
	struct key out[KEYS_PER_GLOB])
{
	const size_t start = MIN(policy_glob_prefix(glob), n);
	const char *slash = memchr(glob, '/', n);
	size_t end = n, made = 0;

	if (start == n) {
		*out = (struct key){hash(about, KEYS_WHOLE, glob, n), KEYS_WHOLE};
		return 1;
	}
	while (glob[end - 1] != '*' && glob[end - 1] != '?')
		end--;
	made += add(out + made, about, KEYS_START, glob, start);
	/* A wildcard stands for no '/', so the first one is the first one of each text. */
	if (slash && (size_t)(slash - glob) > start)
		made += add(out + made, about, KEYS_SERVICE, slash + 1,
			policy_glob_prefix(slash + 1));
	made += add(out + made, about, KEYS_END, glob + end, n - end);
	if (made == 0)
		out[made++] = (struct key){hash(about, KEYS_NOTHING, "", 0), KEYS_NOTHING};
	return made;
}

/* Where the bytes of that shape are in a text. Returns their number, or -1: it is too short. */
static ssize_t part(enum keys_shape shape, const char **text, size_t n, const char *slash)
{
	size_t wanted;

	if (shape == KEYS_NOTHING)
		return 0;
	if (shape == KEYS_WHOLE)
		return n <= TEXT_MAX ? (ssize_t)n : -1;
	if (shape >= KEYS_END) {
		wanted = shape - KEYS_END + 1;
		*text += n - MIN(n, wanted);
	} else if (shape >= KEYS_SERVICE) {
		if (!slash)
			return -1;
		wanted = shape - KEYS_SERVICE + 1;
		n -= (size_t)(slash + 1 - *text);
		*text = slash + 1;
	} else {
		wanted = shape - KEYS_START + 1;
	}
	return wanted <= n ? (ssize_t)wanted : -1;
}

uint64_t keys_of_text(enum keys_about about, const char *text, uint64_t shapes,
	uint64_t out[KEYS_SHAPES])
{
	const size_t n = strlen(text);
	const char *slash = memchr(text, '/', n);
	uint64_t has = 0;

	for (; shapes; shapes &= shapes - 1) {
		const enum keys_shape shape = (enum keys_shape)__builtin_ctzll(shapes);
		const char *bytes = text;
		const ssize_t size = part(shape, &bytes, n, slash);

		if (size < 0)
			continue;
		out[shape] = hash(about, shape, bytes, (size_t)size);
		has |= 1ull << shape;
	}
	return has;
}
