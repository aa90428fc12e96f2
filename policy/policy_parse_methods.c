// SPDX-License-Identifier: MIT
/* "methods": which may be called. */
#include <inttypes.h>
#include <string.h>

#include "policy/parser.h"

static int add_range(struct policy *policy, struct policy_range range)
{
	struct policy_range *ranges = policy_reserve(policy->ranges, &policy->ranges_room,
		policy->n_ranges + 1, sizeof(*ranges));

	if (!ranges)
		return -ENOMEM;
	policy->ranges = ranges;
	ranges[policy->n_ranges++] = range;
	return 0;
}

/* Digits, at most as many as the largest number has, without a zero in front that would make some
 * think of octal. Returns what follows, or NULL. */
static const char *take_number(const char *text, uint32_t *out)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t number = 0;

	if (digits == 0 || digits > 10 || (digits > 1 && *text == '0'))
		return NULL;
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (uint64_t)(text[i] - '0');
	if (number > UINT32_MAX)
		return NULL;
	*out = (uint32_t)number;
	return text + digits;
}

/* "A-B" */
static bool range_from_text(const char *text, struct policy_range *out)
{
	text = take_number(text, &out->first);
	if (!text || *text != '-')
		return false;
	text = take_number(text + 1, &out->last);
	return text && !*text;
}

static int parse_range(struct reader *reader, const char *list, struct value value)
{
	struct policy_range range;
	const char *text;
	int r = reader_string(reader, value, list, POLICY_RANGE_TEXT_MAX, &text);

	if (r < 0)
		return r;
	if (!range_from_text(text, &range))
		return reader_refuse(reader, value.place,
			"a range of %s must be like \"2-5\", numbers from 0 to %" PRIu32, list,
			UINT32_MAX);
	if (range.first > range.last)
		return reader_refuse(reader, value.place, "the range \"%s\" ends before it begins",
			text);
	return add_range(parser_of(reader)->policy, range);
}

static int parse_method(struct reader *reader, const char *list, struct value value)
{
	enum json_type type = json_object_get_type(value.json);
	int64_t number;

	if (type == json_type_string)
		return parse_range(reader, list, value);
	if (type != json_type_int)
		return reader_refuse_type(reader, value, list,
			"whole numbers and ranges like \"2-5\"");
	number = json_object_get_int64(value.json);
	if (number < 0 || number > UINT32_MAX)
		return reader_refuse(reader, value.place, "methods must be from 0 to %" PRIu32,
			UINT32_MAX);
	return add_range(parser_of(reader)->policy,
		(struct policy_range){(uint32_t)number, (uint32_t)number});
}

static int compare_ranges(const void *a, const void *b)
{
	const struct policy_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* Make them ascending and apart from each other: neighbours become one. Returns how many there are
 * then, at least 1. */
static uint32_t merge(struct policy_range *ranges, uint32_t n)
{
	uint32_t last = 0;

	qsort(ranges, n, sizeof(*ranges), compare_ranges);
	for (uint32_t i = 1; i < n; i++)
		if ((uint64_t)ranges[i].first > (uint64_t)ranges[last].last + 1)
			ranges[++last] = ranges[i];
		else
			ranges[last].last = MAX(ranges[last].last, ranges[i].last);
	return last + 1;
}

/* Some, but not all, so none. */
static bool names_some_high_ones(const struct policy_range *ranges, uint32_t n)
{
	return ranges[n - 1].last > POLICY_METHOD_PLAIN &&
	       !policy_allows_method(ranges, n, UINT32_MAX);
}

int policy_parse_methods(struct reader *reader, const struct field *field, struct value value)
{
	struct policy *policy = parser_of(reader)->policy;
	struct policy_span *span = &parser_of(reader)->rule.methods;
	int r;

	span->first = (uint32_t)policy->n_ranges;
	r = reader_list(reader, value, field->name, 1, POLICY_METHODS_MAX, parse_method);
	if (r < 0)
		return r;
	span->n = merge(policy->ranges + span->first, (uint32_t)policy->n_ranges - span->first);
	policy->n_ranges = span->first + span->n;
	if (names_some_high_ones(policy->ranges + span->first, span->n))
		reader_warn(reader, value.place,
			"methods above %d are told in memory that the client can change, so a rule "
			"allows all of them, with \"%d-%" PRIu32
			"\", or none; this one allows none",
			POLICY_METHOD_PLAIN, POLICY_METHOD_PLAIN + 1, UINT32_MAX);
	return 0;
}
