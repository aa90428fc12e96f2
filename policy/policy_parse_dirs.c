// SPDX-License-Identifier: MIT
/* Lists of directories. */
#include <string.h>

#include "policy/parser.h"
#include "policy/value.h"

static int parse_dir(struct reader *reader, const char *list, struct value value)
{
	const struct parser *parser = parser_of(reader);
	const struct policy *policy = parser->policy;
	const char *path;
	int r = value_path(reader, value, list, POLICY_DIR_MAX, &path);

	if (r < 0)
		return r;
	for (size_t i = parser->dirs; i < policy->n_dirs; i++)
		if (strcmp(policy->texts + policy->dir_paths[i], path) == 0)
			return reader_refuse(reader, value.place,
				"this directory has been given already");
	return policy_add_dir(parser->policy, path);
}

int policy_parse_dirs(struct reader *reader, const struct field *field, struct value value,
	struct policy_span *out)
{
	const struct policy *policy = parser_of(reader)->policy;
	int r;

	out->first = (uint32_t)policy->n_dirs;
	r = reader_list(reader, value, field->name, field->min, field->max, parse_dir);
	out->n = (uint32_t)policy->n_dirs - out->first;
	return r;
}
