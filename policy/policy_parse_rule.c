// SPDX-License-Identifier: MIT
/* "rules": who may do what. */
#include <stdio.h>
#include <string.h>

#include "policy/parser.h"
#include "policy/value.h"
#include "policy/words.h"

#define ALL_VERBS ((1u << POLICY_VERBS) - 1)

/* A name that the administrator makes up: of a rule or a domain. */
static int get_label(struct reader *reader, const struct field *field, struct value value,
	const char **out)
{
	return value_label(reader, value, field->name, POLICY_LABEL_MAX, out);
}

/* Most keys say what an open session is like. */
static int check_open(struct reader *reader, const struct field *field, struct value value)
{
	const struct parser *parser = parser_of(reader);

	if (!parser->allow)
		return reader_refuse(reader, value.place - 1, "%s is for rules that allow",
			field->name);
	if (!(parser->rule.verbs & 1u << POLICY_OPEN))
		return reader_refuse(reader, value.place - 1,
			"%s is for rules that allow \"open\", which is not among the verbs",
			field->name);
	return 0;
}

/* Who, and what. */

static int parse_name(struct reader *reader, const struct field *field, struct value value)
{
	struct parser *parser = parser_of(reader);
	struct json_object *known, *here;
	char where[sizeof(reader->error->file)];
	const char *name;
	int r = get_label(reader, field, value, &name);

	if (r < 0)
		return r;
	if (json_object_object_get_ex(parser->names, name, &known))
		return reader_refuse(reader, value.place, "name is already that of the rule in %s",
			json_object_get_string(known));
	snprintf(where, sizeof(where), "%s:%u", reader->file, parser->rule.line);
	here = json_object_new_string(where);
	if (!here)
		return -ENOMEM;
	if (json_object_object_add(parser->names, name, here) < 0) {
		json_object_put(here);
		return -ENOMEM;
	}
	return policy_add_text(parser->policy, name, &parser->rule.name);
}

/* It also says what the verbs are where the rule does not. */
static int parse_action(struct reader *reader, const struct field *field, struct value value)
{
	static const char *const words[] = {"allow", "deny"};
	size_t action = 1;
	int r = value_choice(reader, field, value, words, ARRAY_SIZE(words), &action);

	parser_of(reader)->allow = action == 0;
	parser_of(reader)->rule.verbs = action == 0 ? 1u << POLICY_OPEN : ALL_VERBS;
	return r;
}

static int parse_verb(struct reader *reader, const char *list, struct value value)
{
	const char *words[POLICY_VERBS];
	const struct field field = {.name = list};
	uint32_t *verbs = &parser_of(reader)->rule.verbs;
	size_t verb;
	int r;

	for (size_t i = 0; i < POLICY_VERBS; i++)
		words[i] = policy_verb_name((enum policy_verb)i);
	r = value_choice(reader, &field, value, words, POLICY_VERBS, &verb);
	if (r < 0)
		return r;
	if (*verbs & 1u << verb)
		return reader_refuse(reader, value.place, "\"%s\" is among the verbs already",
			words[verb]);
	*verbs |= 1u << verb;
	return 0;
}

static int parse_verbs(struct reader *reader, const struct field *field, struct value value)
{
	parser_of(reader)->rule.verbs = 0;
	return reader_list(reader, value, field->name, 1, POLICY_VERBS, parse_verb);
}

static int parse_channel(struct reader *reader, const char *list, struct value value)
{
	const char *glob, *slash;
	uint32_t offset;
	int r = reader_string(reader, value, list, POLICY_GLOB_MAX, &glob);

	if (r < 0)
		return r;
	slash = strchr(glob, '/');
	if (!slash || slash == glob || !slash[1] || strchr(slash + 1, '/'))
		return reader_refuse(reader, value.place, "a channel must be DEVICE/SERVICE");
	if (!value_only_from(glob, strlen(glob), "/*?._-:+@"))
		return reader_refuse(reader, value.place,
			"a channel may hold letters, digits, * ? . _ - : + and @ only");
	return policy_add_text(parser_of(reader)->policy, glob, &offset);
}

static int parse_channels(struct reader *reader, const struct field *field, struct value value)
{
	struct parser *parser = parser_of(reader);
	int r;

	parser->rule.channels.first = (uint32_t)parser->policy->n_texts;
	r = reader_list(reader, value, field->name, 1, POLICY_LIST_MAX, parse_channel);
	if (r == 0)
		parser->rule.channels.n = (uint32_t)json_object_array_length(value.json);
	return r;
}

/* What an open session is like. */

/* A name whose meaning is known when all files are read. */
static int parse_reference(struct reader *reader, const struct field *field, struct value value)
{
	struct parser *parser = parser_of(reader);
	const struct locate_place *at = &reader->places.places[value.place];
	struct policy_reference reference = {.line = at->line, .column = at->column};
	const char *name;
	int r = check_open(reader, field, value);

	if (r == 0)
		r = get_label(reader, field, value, &name);
	if (r == 0)
		r = policy_add_text(parser->policy, name, &reference.name);
	if (r == 0)
		memcpy((char *)&parser->rule + field->offset, &reference, sizeof(reference));
	return r;
}

static int parse_exclusive(struct reader *reader, const struct field *field, struct value value)
{
	int r = check_open(reader, field, value);

	return r < 0 ? r : value_bool(reader, field, value, &parser_of(reader)->rule);
}

static int parse_overflow(struct reader *reader, const struct field *field, struct value value)
{
	size_t overflow = POLICY_OVERFLOW_DROP;
	int r = check_open(reader, field, value);

	if (r == 0)
		r = value_choice(reader, field, value, words_overflow, ARRAY_SIZE(words_overflow),
			&overflow);
	parser_of(reader)->rule.overflow = (enum policy_overflow)overflow;
	return r;
}

static int parse_priority(struct reader *reader, const struct field *field, struct value value)
{
	size_t priority = POLICY_PRIORITY_NORMAL;
	int r = check_open(reader, field, value);

	if (r == 0)
		r = value_choice(reader, field, value, words_priority, ARRAY_SIZE(words_priority),
			&priority);
	parser_of(reader)->rule.priority = (enum policy_priority)priority;
	return r;
}

static int parse_weight(struct reader *reader, const struct field *field, struct value value)
{
	int r = check_open(reader, field, value);

	return r < 0 ? r : value_number(reader, field, value, &parser_of(reader)->rule);
}

static int parse_direction(struct reader *reader, const struct field *field, struct value value)
{
	size_t direction = POLICY_BOTH;
	int r = check_open(reader, field, value);

	if (r == 0)
		r = value_choice(reader, field, value, words_direction, ARRAY_SIZE(words_direction),
			&direction);
	parser_of(reader)->rule.direction = (enum policy_direction)direction;
	return r;
}

static int parse_methods(struct reader *reader, const struct field *field, struct value value)
{
	int r = check_open(reader, field, value);

	return r < 0 ? r : policy_parse_methods(reader, field, value);
}

static int parse_limits(struct reader *reader, const struct field *field, struct value value)
{
	int r = check_open(reader, field, value);

	return r < 0 ? r : policy_parse_limits(reader, field, value);
}

/* The rule as a whole. */

static int parse_keys(struct reader *reader, struct value value)
{
	/* "action" and "verbs" come before what depends on them. */
	static const struct field fields[] = {
		{.name = "name", .parse = parse_name, .required = true},
		{.name = "action", .parse = parse_action, .required = true},
		{.name = "match", .parse = policy_parse_match, .required = true},
		{.name = "verbs", .parse = parse_verbs},
		{.name = "channels", .parse = parse_channels, .required = true},
		{.name = "methods", .parse = parse_methods},
		{.name = "direction", .parse = parse_direction},
		{.name = "share_domain",
			.parse = parse_reference,
			.offset = offsetof(struct policy_rule, share_domain)},
		{.name = "domain",
			.parse = parse_reference,
			.offset = offsetof(struct policy_rule, domain)},
		{.name = "exclusive",
			.parse = parse_exclusive,
			.offset = offsetof(struct policy_rule, exclusive)},
		{.name = "overflow", .parse = parse_overflow},
		{.name = "priority", .parse = parse_priority},
		{.name = "weight",
			.parse = parse_weight,
			.offset = offsetof(struct policy_rule, weight),
			.min = 1,
			.max = POLICY_WEIGHT_MAX},
		{.name = "limits", .parse = parse_limits},
		{.name = "file", .parse = value_any_text}, /* where it was found, see show.h */
		{.name = "line", .parse = value_any_number},
	};

	return reader_object(reader, value, "a rule", fields, ARRAY_SIZE(fields));
}

static int parse_rule(struct reader *reader, const char *list, struct value value)
{
	struct parser *parser = parser_of(reader);
	int r;

	if (policy_size(parser->policy) == POLICY_RULES_MAX)
		return reader_refuse(reader, value.place, "more than %d %s", POLICY_RULES_MAX,
			list);
	parser->allow = false;
	parser->rule = (struct policy_rule){
		.file = parser->file,
		.line = reader->places.places[value.place].line,
		.column = reader->places.places[value.place].column,
		.priority = POLICY_PRIORITY_NORMAL,
		.weight = POLICY_WEIGHT_DEFAULT,
	};
	r = parse_keys(reader, value);
	return r < 0 ? r : policy_add_rule(parser->policy, parser->allow, &parser->rule);
}

int policy_parse_rules(struct reader *reader, const struct field *field, struct value value)
{
	return reader_list(reader, value, field->name, 0, POLICY_RULES_MAX, parse_rule);
}
