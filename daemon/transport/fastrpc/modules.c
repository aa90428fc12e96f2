// SPDX-License-Identifier: MIT
#include "daemon/transport/fastrpc/modules.h"

#include <dirent.h>
#include <string.h>

#include "daemon/transport/module_name.h"
#include "protocol/util.h"

bool fastrpc_is_module(const char *name)
{
	return module_name_is_valid(name);
}

static int is_library(const struct dirent *entry)
{
	char name[NAME_MAX + 1];

	return module_name(entry->d_name, name, sizeof(name));
}

static bool is_listed(const char *name, char (*modules)[DSP_CHANNEL_SIZE - DSP_DEVICE_SIZE],
	size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(modules[i], name) == 0)
			return true;
	return false;
}

/* Add those of @entries that are new. Returns 0 or -errno. */
static int add_modules(struct dirent **entries, size_t n_entries,
	char (**out)[DSP_CHANNEL_SIZE - DSP_DEVICE_SIZE], size_t *n, size_t max)
{
	char(*modules)[DSP_CHANNEL_SIZE - DSP_DEVICE_SIZE];
	const size_t room = max > *n ? MIN(max - *n, n_entries) : 0;

	if (!room)
		return 0;
	modules = reallocarray(*out, *n + room, sizeof(*modules));
	if (!modules)
		return -ENOMEM;
	*out = modules;
	for (size_t i = 0; i < n_entries && *n < max; i++) {
		char name[sizeof(*modules)];

		if (module_name(entries[i]->d_name, name, sizeof(name)) &&
			!is_listed(name, modules, *n))
			strcpy(modules[(*n)++], name);
	}
	return 0;
}

int fastrpc_scan_modules(const char *directory, char (**out)[DSP_CHANNEL_SIZE - DSP_DEVICE_SIZE],
	size_t *n, size_t max)
{
	struct dirent **entries;
	int found = scandir(directory, &entries, is_library, alphasort), r;

	if (found < 0)
		return -errno;
	r = add_modules(entries, (size_t)found, out, n, max);
	for (int i = 0; i < found; i++)
		free(entries[i]);
	free(entries);
	return r;
}
