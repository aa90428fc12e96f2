// SPDX-License-Identifier: MIT
/* "limits": how much a rule allows. */
#include "policy/parser.h"
#include "policy/value.h"
#include "policy/words.h"

static struct policy_limits *limits_of(struct reader *reader)
{
	return &parser_of(reader)->rule.limits;
}

static int parse_per(struct reader *reader, const struct field *field, struct value value)
{
	size_t per = POLICY_PER_USER;
	int r = value_choice(reader, field, value, words_per, ARRAY_SIZE(words_per), &per);

	limits_of(reader)->per = (enum policy_per)per;
	return r;
}

static int parse_count(struct reader *reader, const struct field *field, struct value value)
{
	return value_number(reader, field, value, limits_of(reader));
}

static int parse_burst(struct reader *reader, const struct field *field, struct value value)
{
	if (!limits_of(reader)->calls_per_s)
		return reader_refuse(reader, value.place - 1,
			"%s needs \"calls_per_s\", which says how fast it comes back", field->name);
	return parse_count(reader, field, value);
}

static int parse_bytes(struct reader *reader, const struct field *field, struct value value)
{
	return value_bytes(reader, field, value, limits_of(reader));
}

int policy_parse_limits(struct reader *reader, const struct field *field, struct value value)
{
#define LIMIT(key, function, limit)                                                               \
	{                                                                                         \
		.name = #key, .parse = (function), .offset = offsetof(struct policy_limits, key), \
		.min = 1, .max = (limit)                                                          \
	}
	/* "calls_per_s" comes before what depends on it. */
	static const struct field fields[] = {
		{.name = "per", .parse = parse_per},
		LIMIT(sessions, parse_count, POLICY_COUNT_MAX),
		LIMIT(calls, parse_count, POLICY_COUNT_MAX),
		LIMIT(calls_total, parse_count, POLICY_COUNT_MAX),
		LIMIT(calls_per_s, parse_count, POLICY_RATE_MAX),
		LIMIT(burst, parse_burst, POLICY_RATE_MAX),
		LIMIT(timeout_ms, parse_count, POLICY_TIMEOUT_MAX),
		LIMIT(buffers, parse_count, POLICY_COUNT_MAX),
		LIMIT(bytes, parse_bytes, POLICY_BYTES_MAX),
		LIMIT(messages, parse_count, POLICY_MESSAGES_MAX),
	};
#undef LIMIT

	return reader_object(reader, value, field->name, fields, ARRAY_SIZE(fields));
}
