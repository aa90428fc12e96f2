// SPDX-License-Identifier: MIT
#include "daemon/softdsp/module.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "protocol/util.h"
#include "protocol/wire.h"

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

#define URI_FORMAT "file:///lib%s_skel.so?%s_skel_handle_invoke&_modver=1.0&_dom=soft0"
#define URI_SIZE   (sizeof(URI_FORMAT) + 2 * SOFT_MODULE_SIZE)

bool module_name_valid(const char name[SOFT_MODULE_SIZE])
{
	return wire_string_valid(name, SOFT_MODULE_SIZE) && *name &&
	       !name[strspn(name, NAME_CHARACTERS)];
}

int module_load(struct module *module, const char *name, char text[SOFT_TEXT_SIZE])
{
	char path[SOFT_MODULE_SIZE + sizeof("./lib_skel.so")];
	char entry[SOFT_MODULE_SIZE + sizeof("_skel_handle_invoke")];
	void *library;
	int r;

	/*
	 * The supervisor went into the module directory when it started, and the name holds no
	 * slash. So this needs neither /proc nor a path that still leads there, $ORIGIN in the
	 * library works, and a symbolic link is the administrator's own wish.
	 */
	snprintf(path, sizeof(path), "./lib%s_skel.so", name);
	snprintf(entry, sizeof(entry), "%s_skel_handle_invoke", name);
	if (access(path, R_OK) < 0) {
		r = -errno;
		snprintf(text, SOFT_TEXT_SIZE, "%s: %s", path + 2, strerror(-r));
		return r;
	}
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (library)
		module->invoke = (__typeof__(module->invoke))dlsym(library, entry);
	if (!library || !module->invoke) {
		const char *why = dlerror();

		wire_string_set(text, SOFT_TEXT_SIZE, why ? why : "its entry is at address 0");
		return -ELIBBAD;
	}
	wire_string_set(module->name, sizeof(module->name), name);
	return 0;
}

int module_open(const struct module *module, remote_handle64 *out)
{
	char uri[URI_SIZE];
	uint32_t length;
	remote_arg args[3] = {};
	int r;

	length = (uint32_t)snprintf(uri, sizeof(uri), URI_FORMAT, module->name, module->name) + 1;
	args[0].buf = (remote_buf){&length, sizeof(length)};
	args[1].buf = (remote_buf){uri, length};
	r = module->invoke(0, REMOTE_SCALARS_MAKEX(0, SOFT_METHOD_OPEN, 2, 0, 0, 1), args);
	*out = args[2].h64;
	return r;
}

int module_close(const struct module *module, remote_handle64 handle)
{
	remote_arg arg = {.h64 = handle};

	return module->invoke(handle, REMOTE_SCALARS_MAKEX(0, SOFT_METHOD_CLOSE, 0, 0, 1, 0), &arg);
}

int module_invoke(const struct module *module, remote_handle64 handle, uint32_t method,
	unsigned int n_in, unsigned int n_out, remote_arg *args)
{
	return module->invoke(handle,
		REMOTE_SCALARS_MAKE(MIN(method, SOFT_METHOD_ESCAPE), n_in, n_out), args);
}
