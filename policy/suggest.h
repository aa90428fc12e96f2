// SPDX-License-Identifier: MIT
/* What somebody may have meant who wrote something else. */
#ifndef DSP_SUGGEST_H
#define DSP_SUGGEST_H

#include <stddef.h>

/* The one of @words that is most like @text, the first of equals; NULL: none is like it. Upper and
 * lower case are alike. */
const char *suggest(const char *text, size_t size, const char *const *words, size_t n);

#endif
