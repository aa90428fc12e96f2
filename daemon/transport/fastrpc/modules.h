// SPDX-License-Identifier: MIT
/* Modules by their names: "libNAME_skel.so" in a directory. */
#ifndef DSP_FASTRPC_MODULES_H
#define DSP_FASTRPC_MODULES_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/wire.h"

/* The names of modules in a directory: "libNAME_skel.so" -> NAME, at most @max, each found in *@out
 * once more beyond those *@n that are there already; to be freed. Returns 0 or -errno. */
int fastrpc_scan_modules(const char *directory, char (**out)[DSP_CHANNEL_SIZE - DSP_DEVICE_SIZE],
	size_t *n, size_t max);

/* Can that be the NAME of a module? */
bool fastrpc_is_module(const char *name);

#endif
