// SPDX-License-Identifier: MIT
/* How libraries of modules are named: module NAME is "libNAME_skel.so", wherever it runs. */
#ifndef DSP_MODULE_NAME_H
#define DSP_MODULE_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* Can @name be that of a module? It is one to 95 letters, digits and underscores. */
bool module_name_is_valid(const char *name);

/* "libNAME_skel.so" -> NAME, which @name has @size bytes for; false: it is no module, or its name
 * is too long. */
bool module_name(const char *file, char *name, size_t size);

#endif
