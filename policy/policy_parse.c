// SPDX-License-Identifier: MIT
#include "policy/policy_parse.h"

#include <stdio.h>
#include <string.h>

#include "policy/lookup.h"
#include "policy/parser.h"
#include "policy/value.h"

#define POLICY_VERSION 1

/* A name that the administrator makes up: of a rule or a domain. */
static int get_label(struct reader *reader, const struct field *field, struct value value,
	const char **out)
{
	return value_label(reader, value, field->name, POLICY_LABEL_MAX, out);
}

static int check_allow_only(struct reader *reader, const struct field *field, struct value value)
{
	if (parser_of(reader)->allow)
		return 0;
	return reader_refuse(reader, value.place - 1, "%s is for rules that allow", field->name);
}

/* "limits" */

static int parse_count(struct reader *reader, const struct field *field, struct value value)
{
	return value_number(reader, field, value, &parser_of(reader)->rule.limits);
}

static int parse_bytes(struct reader *reader, const struct field *field, struct value value)
{
	return value_bytes(reader, field, value, &parser_of(reader)->rule.limits);
}

static int parse_limits(struct reader *reader, const struct field *field, struct value value)
{
#define LIMIT(member, kind, limit)                                                         \
	{                                                                                  \
		.name = #member, .parse = (kind),                                          \
		.offset = offsetof(struct policy_limits, member), .min = 1, .max = (limit) \
	}
	static const struct field fields[] = {
		LIMIT(sessions, parse_count, POLICY_COUNT_MAX),
		LIMIT(calls, parse_count, POLICY_COUNT_MAX),
		LIMIT(timeout_ms, parse_count, POLICY_TIMEOUT_MAX),
		LIMIT(buffers, parse_count, POLICY_COUNT_MAX),
		LIMIT(bytes, parse_bytes, POLICY_BYTES_MAX),
		LIMIT(messages, parse_count, POLICY_MESSAGES_MAX),
	};
#undef LIMIT
	int r = check_allow_only(reader, field, value);

	return r < 0 ? r : reader_object(reader, value, field->name, fields, ARRAY_SIZE(fields));
}

/* "match" */

struct account_kind {
	const char *word;
	int (*look_up)(const char *name, uint32_t *id);
};

/* A name that nobody has costs an allowing rule one peer, but a denying rule its purpose. */
static int unknown_name(struct reader *reader, uint32_t place, const char *kind, const char *name)
{
	char shown[READER_SHOWN_SIZE];

	reader_show(shown, name, strlen(name));
	if (!parser_of(reader)->allow)
		return reader_refuse(reader, place,
			"there is no %s \"%s\", so the rule cannot deny what it should", kind,
			shown);
	reader_warn(reader, place, "there is no %s \"%s\"; it matches nobody", kind, shown);
	return 0;
}

static int parse_account_name(struct reader *reader, const char *list, struct value value,
	const struct account_kind *kind)
{
	const char *name;
	uint32_t id;
	int r = reader_string(reader, value, list, POLICY_ACCOUNT_MAX, &name);

	if (r < 0)
		return r;
	r = kind->look_up(name, &id);
	if (r == -ENOENT)
		return unknown_name(reader, value.place, kind->word, name);
	if (r == 0)
		return policy_add_id(parser_of(reader)->policy, id);
	reader_refuse(reader, value.place, "the %s database cannot be asked: %s", kind->word,
		strerror(-r));
	return r;
}

/* An entry of "users" or "groups": a name or a number. */
static int parse_account(struct reader *reader, const char *list, struct value value,
	const struct account_kind *kind)
{
	enum json_type type = json_object_get_type(value.json);
	int64_t id;

	if (type == json_type_string)
		return parse_account_name(reader, list, value, kind);
	if (type != json_type_int)
		return reader_refuse_type(reader, value, list, "names and whole numbers");
	id = json_object_get_int64(value.json);
	if (id < 0 || id >= UINT32_MAX)
		return reader_refuse(reader, value.place, "a %s's number must be from 0 to %u",
			kind->word, UINT32_MAX - 1);
	return policy_add_id(parser_of(reader)->policy, (uint32_t)id);
}

static int parse_user(struct reader *reader, const char *list, struct value value)
{
	static const struct account_kind kind = {"user", lookup_user};

	if (json_object_get_type(value.json) == json_type_string &&
		strcmp(json_object_get_string(value.json), "*") == 0) {
		parser_of(reader)->rule.any_user = true;
		return 0;
	}
	return parse_account(reader, list, value, &kind);
}

static int parse_group(struct reader *reader, const char *list, struct value value)
{
	static const struct account_kind kind = {"group", lookup_group};

	return parse_account(reader, list, value, &kind);
}

static int parse_accounts(struct reader *reader, const struct field *field, struct value value,
	struct policy_span *span, entry_fn *parse)
{
	const struct policy *policy = parser_of(reader)->policy;
	int r;

	span->first = (uint32_t)policy->n_ids;
	r = reader_list(reader, value, field->name, 1, POLICY_LIST_MAX, parse);
	span->n = (uint32_t)policy->n_ids - span->first;
	return r;
}

static int parse_users(struct reader *reader, const struct field *field, struct value value)
{
	struct policy_rule *rule = &parser_of(reader)->rule;

	rule->any_user = false;
	return parse_accounts(reader, field, value, &rule->users, parse_user);
}

static int parse_groups(struct reader *reader, const struct field *field, struct value value)
{
	struct policy_rule *rule = &parser_of(reader)->rule;

	rule->any_group = false;
	return parse_accounts(reader, field, value, &rule->groups, parse_group);
}

static int parse_match(struct reader *reader, const struct field *field, struct value value)
{
	static const struct field fields[] = {
		{.name = "users", .parse = parse_users},
		{.name = "groups", .parse = parse_groups},
	};
	struct policy_rule *rule = &parser_of(reader)->rule;
	int r = reader_expect(reader, value, field->name, json_type_object);

	if (r < 0)
		return r;
	if (json_object_object_length(value.json) == 0)
		return reader_refuse(reader, value.place, "match must have users or groups");
	rule->any_user = rule->any_group = true;
	return reader_object(reader, value, field->name, fields, ARRAY_SIZE(fields));
}

/* The other keys of a rule. */

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

static int parse_action(struct reader *reader, const struct field *field, struct value value)
{
	static const char *const words[] = {"allow", "deny"};
	size_t action = 1;
	int r = value_choice(reader, field, value, words, ARRAY_SIZE(words), &action);

	parser_of(reader)->allow = action == 0;
	return r;
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

/* A name whose meaning is known when all files are read. */
static int parse_reference(struct reader *reader, const struct field *field, struct value value)
{
	struct parser *parser = parser_of(reader);
	const struct locate_place *at = &reader->places.places[value.place];
	struct policy_reference reference = {.line = at->line, .column = at->column};
	const char *name;
	int r = check_allow_only(reader, field, value);

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
	int r = check_allow_only(reader, field, value);

	return r < 0 ? r : value_bool(reader, field, value, &parser_of(reader)->rule);
}

static int parse_overflow(struct reader *reader, const struct field *field, struct value value)
{
	static const char *const words[] = {
		[POLICY_OVERFLOW_DROP] = "drop",
		[POLICY_OVERFLOW_CLOSE] = "close",
	};
	size_t overflow = POLICY_OVERFLOW_DROP;
	int r = check_allow_only(reader, field, value);

	if (r == 0)
		r = value_choice(reader, field, value, words, ARRAY_SIZE(words), &overflow);
	parser_of(reader)->rule.overflow = (enum policy_overflow)overflow;
	return r;
}

static int parse_priority(struct reader *reader, const struct field *field, struct value value)
{
	static const char *const words[] = {
		[POLICY_PRIORITY_HIGH] = "high",
		[POLICY_PRIORITY_NORMAL] = "normal",
		[POLICY_PRIORITY_LOW] = "low",
	};
	size_t priority = POLICY_PRIORITY_NORMAL;
	int r = check_allow_only(reader, field, value);

	if (r == 0)
		r = value_choice(reader, field, value, words, ARRAY_SIZE(words), &priority);
	parser_of(reader)->rule.priority = (enum policy_priority)priority;
	return r;
}

static int parse_weight(struct reader *reader, const struct field *field, struct value value)
{
	int r = check_allow_only(reader, field, value);

	return r < 0 ? r : value_number(reader, field, value, &parser_of(reader)->rule);
}

static int parse_rule(struct reader *reader, const char *list, struct value value)
{
	/* "action" comes before what depends on it. */
	static const struct field fields[] = {
		{.name = "name", .parse = parse_name, .required = true},
		{.name = "action", .parse = parse_action, .required = true},
		{.name = "match", .parse = parse_match, .required = true},
		{.name = "channels", .parse = parse_channels, .required = true},
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
	};
	struct parser *parser = parser_of(reader);
	int r;

	if (policy_size(parser->policy) == POLICY_RULES_MAX)
		return reader_refuse(reader, value.place, "more than %d %s", POLICY_RULES_MAX,
			list);
	parser->allow = false;
	parser->rule = (struct policy_rule){
		.file = parser->file,
		.line = reader->places.places[value.place].line,
		.priority = POLICY_PRIORITY_NORMAL,
		.weight = POLICY_WEIGHT_DEFAULT,
	};
	r = reader_object(reader, value, "a rule", fields, ARRAY_SIZE(fields));
	if (r < 0)
		return r;
	return policy_add_rule(parser->policy, parser->allow, &parser->rule);
}

/* The file as a whole. */

static int parse_version(struct reader *reader, const struct field *field, struct value value)
{
	int r = reader_expect(reader, value, field->name, json_type_int);

	if (r == 0 && json_object_get_int64(value.json) != POLICY_VERSION)
		return reader_refuse(reader, value.place, "version must be %d", POLICY_VERSION);
	return r;
}

static int parse_rules(struct reader *reader, const struct field *field, struct value value)
{
	return reader_list(reader, value, field->name, 0, POLICY_RULES_MAX, parse_rule);
}

static int parse_root(struct parser *parser)
{
	static const struct field fields[] = {
		{.name = "version", .parse = parse_version, .required = true},
		{.name = "rules", .parse = parse_rules, .required = true},
		{.name = "devices", .parse = policy_parse_devices},
		{.name = "domains", .parse = policy_parse_domains},
	};
	struct reader *reader = &parser->reader;
	struct value root = {reader->root, 0};
	int r = policy_add_text(parser->policy, reader->file, &parser->file);

	return r < 0 ? r : reader_object(reader, root, "a policy", fields, ARRAY_SIZE(fields));
}

int policy_builder_add(struct policy_builder *builder, const char *file, const char *text,
	size_t size)
{
	struct parser parser = {
		.reader = {.file = file,
			.error = builder->error,
			.warn = builder->warn,
			.userdata = builder->userdata},
		.policy = builder->policy,
		.names = builder->names,
	};
	int r = reader_init(&parser.reader, text, size);

	if (r == 0)
		r = parse_root(&parser);
	reader_deinit(&parser.reader);
	return r;
}

int policy_builder_begin(struct policy_builder *out, struct policy_note *error,
	void (*warn)(const struct policy_note *note, void *userdata), void *userdata)
{
	*error = (struct policy_note){0};
	*out = (struct policy_builder){.error = error, .warn = warn, .userdata = userdata};
	out->names = json_object_new_object();
	if (!out->names)
		return -ENOMEM;
	return policy_new(&out->policy);
}

int policy_builder_end(struct policy_builder *builder, int r, struct policy **out)
{
	_cleanup_(policy_freep) struct policy *policy = TAKE_PTR(builder->policy);

	json_object_put(TAKE_PTR(builder->names));
	if (r == 0)
		r = policy_resolve(policy, builder->error);
	if (r == 0) {
		policy_seal(policy);
		*out = TAKE_PTR(policy);
	} else if (!builder->error->text[0]) {
		policy_note(builder->error, "", 0, 0, "%s", strerror(-r));
	}
	return r;
}

int policy_parse(struct policy **out, const char *file, const char *text, size_t size,
	struct policy_note *error, void (*warn)(const struct policy_note *note, void *userdata),
	void *userdata)
{
	struct policy_builder builder;
	int r = policy_builder_begin(&builder, error, warn, userdata);

	if (r == 0)
		r = policy_builder_add(&builder, file, text, size);
	return policy_builder_end(&builder, r, out);
}
