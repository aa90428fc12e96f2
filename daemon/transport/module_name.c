// SPDX-License-Identifier: MIT
#include "daemon/transport/module_name.h"

#include <string.h>

#include "protocol/wire.h"

/* It is the second part of a channel's name. */
#define LENGTH_MAX (DSP_CHANNEL_SIZE - DSP_DEVICE_SIZE - 1)

bool module_name_is_valid(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_";
	size_t length = strnlen(name, LENGTH_MAX + 1);

	return length > 0 && length <= LENGTH_MAX && strspn(name, allowed) == length;
}

bool module_name(const char *file, char *name, size_t size)
{
	static const char prefix[] = "lib", suffix[] = "_skel.so";
	size_t length = strlen(file), rest = strlen(prefix) + strlen(suffix);

	if (length <= rest || length - rest >= size)
		return false;
	if (strncmp(file, prefix, strlen(prefix)) || strcmp(file + length - strlen(suffix), suffix))
		return false;
	length -= rest;
	memcpy(name, file + strlen(prefix), length);
	name[length] = '\0';
	return module_name_is_valid(name);
}
