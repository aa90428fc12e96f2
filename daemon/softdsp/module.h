// SPDX-License-Identifier: MIT
/* A loaded module, and FastRPC's skeleton convention for calling it. */
#ifndef SOFTDSP_MODULE_H
#define SOFTDSP_MODULE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/softdsp/remote.h"
#include "daemon/transport/softdsp.h"

struct module {
	char name[SOFT_MODULE_SIZE];
	int (*invoke)(remote_handle64 handle, uint32_t scalars, remote_arg *args);
};

/* May this be a module's name? NUL-terminated, of letters, digits and underscores only: it cannot
 * name anything outside the module directory. */
bool module_name_valid(const char name[SOFT_MODULE_SIZE]);

/*
 * Load lib<NAME>_skel.so from the current directory, which is the module directory. It stays loaded
 * as long as the process. Returns 0, or -errno with the reason in @text.
 */
int module_load(struct module *module, const char *name, char text[SOFT_TEXT_SIZE]);

/* Each returns what the module returned. */
int module_open(const struct module *module, remote_handle64 *out);
int module_close(const struct module *module, remote_handle64 handle);
/* @args: the inputs, then the outputs. */
int module_invoke(const struct module *module, remote_handle64 handle, uint32_t method,
	unsigned int n_in, unsigned int n_out, remote_arg *args);

#endif
