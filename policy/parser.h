// SPDX-License-Identifier: MIT
/* Inside of policy/ only: what is known while one file is being read. */
#ifndef DSP_PARSER_H
#define DSP_PARSER_H

#include "policy/compiled.h"
#include "policy/reader.h"

struct parser {
	struct reader reader;
	struct policy *policy;             /* the builder's */
	struct json_object *names;         /* the builder's */
	uint32_t file;                     /* the file's path among the policy's texts */
	struct policy_rule rule;           /* the one that is being read */
	bool allow;                        /* and its action */
	struct policy_device_entry device; /* the one that is being read */
};

static inline struct parser *parser_of(struct reader *reader)
{
	return container_of(reader, struct parser, reader);
}

/* "devices": add them to the policy. Returns as the functions of reader.h. */
int policy_parse_devices(struct reader *reader, const struct field *field, struct value value);

#endif
