// SPDX-License-Identifier: MIT
#include "policy/glob.h"

#include <string.h>

#include "policy/compiled.h"

#define GLOB_MAX MAX(POLICY_GLOB_MAX, POLICY_FACT_MAX)

bool policy_glob(const char *glob, const char *text)
{
	const char *after_star = NULL; /* of the last star, the only one worth going back to */
	const char *taken = NULL;      /* where what that star stands for ends */

	for (;;) {
		if (*glob == '*') {
			after_star = ++glob;
			taken = text;
		} else if (*text && (*glob == *text || (*glob == '?' && *text != '/'))) {
			glob++;
			text++;
		} else if (!*glob && !*text) {
			return true;
		} else if (after_star && *taken && *taken != '/') {
			glob = after_star;
			text = ++taken;
		} else {
			return false;
		}
	}
}

size_t policy_glob_prefix(const char *glob)
{
	return strcspn(glob, "*?");
}

/* Put the '?' of each run of wildcards before one '*', so that "?*" and "*?" are one. Returns its
 * length. */
static size_t normalize(char out[GLOB_MAX + 1], const char *glob)
{
	size_t n = 0;

	while (*glob) {
		const size_t run = strspn(glob, "*?");
		bool star = false;

		for (const char *end = glob + run; glob < end; glob++) {
			if (*glob == '?')
				out[n++] = '?';
			else
				star = true;
		}
		if (star)
			out[n++] = '*';
		while (*glob && *glob != '*' && *glob != '?')
			out[n++] = *glob++;
	}
	out[n] = '\0';
	return n;
}

/* Is any text of (what is left of) the narrow one of the wide one as well? @rest: that is so one
 * further in the narrow one, for each place in the wide one; @here: the same at this place of the
 * narrow one, for the places behind. */
static bool covers_at(const char *wide, size_t i, char narrow, const bool *rest, const bool *here)
{
	if (wide[i] == '*')
		return here[i + 1] || (narrow != '/' && rest[i]);
	if (narrow == '*')
		return false;
	return (wide[i] == narrow || (wide[i] == '?' && narrow != '/')) && rest[i + 1];
}

bool policy_glob_covers(const char *wide, const char *narrow)
{
	char a[GLOB_MAX + 1], b[GLOB_MAX + 1];
	bool rows[2][GLOB_MAX + 2] = {{false}};
	size_t n, m;

	if (strcmp(wide, narrow) == 0)
		return true;
	if (strlen(wide) > GLOB_MAX || strlen(narrow) > GLOB_MAX)
		return false;
	n = normalize(a, wide);
	m = normalize(b, narrow);
	rows[m % 2][n] = true;
	for (size_t i = n; i-- > 0;)
		rows[m % 2][i] = a[i] == '*' && rows[m % 2][i + 1];
	for (size_t j = m; j-- > 0;) {
		bool *here = rows[j % 2];

		here[n] = false;
		for (size_t i = n; i-- > 0;)
			here[i] = covers_at(a, i, b[j], rows[(j + 1) % 2], here);
	}
	return rows[0][0];
}
