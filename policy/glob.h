// SPDX-License-Identifier: MIT
/* Globs: '*' stands for any bytes but '/', none included, '?' for one such byte. Nothing quotes
 * them, so no glob asks for a '*' as such. */
#ifndef DSP_GLOB_H
#define DSP_GLOB_H

#include <stdbool.h>
#include <stddef.h>

/* Does it match all of @text? At most strlen(glob) * strlen(text) steps. */
bool policy_glob(const char *glob, const char *text);

/* Does @wide match all that @narrow matches? True only where that is certain: a wide one may be
 * overlooked. At most strlen(wide) * strlen(narrow) steps. */
bool policy_glob_covers(const char *wide, const char *narrow);

/* How many bytes every text that it matches begins with as they stand in the glob. */
size_t policy_glob_prefix(const char *glob);

#endif
