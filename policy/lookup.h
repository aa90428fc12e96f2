// SPDX-License-Identifier: MIT
/* Names in the user database -> ids. Not thread-safe. */
#ifndef DSP_LOOKUP_H
#define DSP_LOOKUP_H

#include <stdint.h>

/* Return 0, -ENOENT when there is no such name, or another -errno when that cannot be told. */
int lookup_user(const char *name, uint32_t *id);
int lookup_group(const char *name, uint32_t *id);

#endif
