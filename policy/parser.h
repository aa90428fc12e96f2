// SPDX-License-Identifier: MIT
/* Inside of policy/ only: what is known while one file is being read. */
#ifndef DSP_PARSER_H
#define DSP_PARSER_H

#include "policy/compiled.h"
#include "policy/reader.h"
#include "policy/userdb.h"

struct parser {
	struct reader reader;
	struct policy *policy;             /* the builder's */
	struct json_object *names;         /* the builder's */
	struct userdb *userdb;             /* the builder's */
	uint32_t file;                     /* the file's path among the policy's texts */
	struct policy_rule rule;           /* the one that is being read */
	bool allow;                        /* and its action */
	struct policy_device_entry device; /* the one that is being read */
	struct policy_domain_entry domain; /* the same */
	uint32_t dirs; /* the first directory of those among which each must be another */
};

static inline struct parser *parser_of(struct reader *reader)
{
	return container_of(reader, struct parser, reader);
}

/* "rules": add them to the policy. Returns as the functions of reader.h. */
int policy_parse_rules(struct reader *reader, const struct field *field, struct value value);
/* Keys of the rule that is being read. */
int policy_parse_match(struct reader *reader, const struct field *field, struct value value);
int policy_parse_methods(struct reader *reader, const struct field *field, struct value value);
int policy_parse_limits(struct reader *reader, const struct field *field, struct value value);

/* "devices": the same. */
int policy_parse_devices(struct reader *reader, const struct field *field, struct value value);

/* "domains": the same. */
int policy_parse_domains(struct reader *reader, const struct field *field, struct value value);

/* A list of field->min to field->max directories, which it adds to the policy. *@out tells which.
 * Another place for the same since parser->dirs is a mistake. */
int policy_parse_dirs(struct reader *reader, const struct field *field, struct value value,
	struct policy_span *out);

#endif
