// SPDX-License-Identifier: MIT
#include "policy/suggest.h"

#include <stdbool.h>
#include <string.h>

#include "protocol/util.h"

#define WORD_MAX 32 /* bytes; what is longer is like nothing */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same(const char *a, size_t i, const char *b, size_t k)
{
	return lower(a[i]) == lower(b[k]);
}

/* How many bytes must be changed, left out, added, or swapped with their neighbour to make one of
 * the other (optimal string alignment). */
static size_t distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
	size_t d[WORD_MAX + 1][WORD_MAX + 1];

	for (size_t i = 0; i <= a_size; i++)
		d[i][0] = i;
	for (size_t k = 0; k <= b_size; k++)
		d[0][k] = k;
	for (size_t i = 1; i <= a_size; i++) {
		for (size_t k = 1; k <= b_size; k++) {
			size_t changed = d[i - 1][k - 1] + !same(a, i - 1, b, k - 1);

			d[i][k] = MIN(changed, MIN(d[i - 1][k], d[i][k - 1]) + 1);
			if (i > 1 && k > 1 && same(a, i - 1, b, k - 2) && same(a, i - 2, b, k - 1))
				d[i][k] = MIN(d[i][k], d[i - 2][k - 2] + 1);
		}
	}
	return d[a_size][b_size];
}

const char *suggest(const char *text, size_t size, const char *const *words, size_t n)
{
	/* A third of it may be wrong: enough for slips, too little for other words. */
	size_t least = MAX(size / 3, (size_t)1) + 1;
	const char *found = NULL;

	if (size < 2 || size > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t length = strlen(words[i]), away;

		if (length > WORD_MAX)
			continue;
		away = distance(text, size, words[i], length);
		if (away < least) {
			least = away;
			found = words[i];
		}
	}
	return found;
}
