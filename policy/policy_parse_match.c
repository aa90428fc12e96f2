// SPDX-License-Identifier: MIT
/* "match": whom a rule is about. */
#include <string.h>

#include "policy/parser.h"
#include "policy/userdb.h"
#include "policy/value.h"

/* Users and groups. */

struct account_kind {
	const char *word;
	int (*look_up)(struct userdb *userdb, const char *name, uint32_t *id);
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
	r = kind->look_up(parser_of(reader)->userdb, name, &id);
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
	static const struct account_kind kind = {"user", userdb_user};

	/* By length as well: a NUL in a name is for reader_string() to refuse. */
	if (json_object_get_type(value.json) == json_type_string &&
		json_object_get_string_len(value.json) == 1 &&
		*json_object_get_string(value.json) == '*') {
		parser_of(reader)->rule.any_user = true;
		return 0;
	}
	return parse_account(reader, list, value, &kind);
}

static int parse_group(struct reader *reader, const char *list, struct value value)
{
	static const struct account_kind kind = {"group", userdb_group};

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

/* The other facts: globs. One that can match nothing is a mistake for certain, so it is refused. */

static int add_glob(struct reader *reader, const char *glob)
{
	uint32_t offset;

	return policy_add_text(parser_of(reader)->policy, glob, &offset);
}

static int parse_label(struct reader *reader, const char *list, struct value value)
{
	const char *glob;
	int r = reader_string(reader, value, list, POLICY_FACT_MAX, &glob);

	if (r == 0 && value_has_control(glob))
		return reader_refuse(reader, value.place, "a label holds no control character");
	return r < 0 ? r : add_glob(reader, glob);
}

static bool ends_with(const char *glob, const char *suffix)
{
	size_t size = strlen(glob), n = strlen(suffix);

	return size > n && strcmp(glob + size - n, suffix) == 0;
}

/* Also what a star or a question mark may stand for the end of. */
static bool is_unit(const char *glob, const char *const *suffixes, size_t n)
{
	if (strchr("*?", glob[strlen(glob) - 1]))
		return true;
	for (size_t i = 0; i < n; i++)
		if (ends_with(glob, suffixes[i]))
			return true;
	return false;
}

/* systemd.unit(5): a unit's name may hold these. */
static int parse_unit_name(struct reader *reader, const char *list, struct value value,
	const char **out)
{
	int r = reader_string(reader, value, list, POLICY_FACT_MAX, out);

	if (r == 0 && !value_only_from(*out, strlen(*out), ":-_.\\@*?"))
		return reader_refuse(reader, value.place,
			"a unit's name may hold letters, digits, * ? : . _ - @ and \\ only");
	return r;
}

/* Of these types are the units that can hold processes. */
static int parse_unit(struct reader *reader, const char *list, struct value value)
{
	static const char *const suffixes[] = {".service", ".scope", ".socket", ".mount", ".swap"};
	const char *glob;
	int r = parse_unit_name(reader, list, value, &glob);

	if (r == 0 && !is_unit(glob, suffixes, ARRAY_SIZE(suffixes)))
		return reader_refuse(reader, value.place,
			"a unit's name must end in .service, .scope, .socket, .mount, .swap or *");
	return r < 0 ? r : add_glob(reader, glob);
}

static int parse_slice(struct reader *reader, const char *list, struct value value)
{
	static const char *const suffixes[] = {".slice"};
	const char *glob;
	int r = parse_unit_name(reader, list, value, &glob);

	if (r == 0 && !is_unit(glob, suffixes, ARRAY_SIZE(suffixes)))
		return reader_refuse(reader, value.place, "a slice's name must end in .slice or *");
	return r < 0 ? r : add_glob(reader, glob);
}

static int parse_executable(struct reader *reader, const char *list, struct value value)
{
	const char *glob;
	int r = value_path(reader, value, list, POLICY_FACT_MAX, &glob);

	return r < 0 ? r : add_glob(reader, glob);
}

/* Ids of Flatpak applications and names of snaps. */
static int parse_app(struct reader *reader, const char *list, struct value value)
{
	const char *glob;
	int r = reader_string(reader, value, list, POLICY_FACT_MAX, &glob);

	if (r == 0 && !value_only_from(glob, strlen(glob), "._-*?"))
		return reader_refuse(reader, value.place,
			"%s may hold letters, digits, * ? . _ and - only", list);
	return r < 0 ? r : add_glob(reader, glob);
}

/* The span is at field->offset of the rule. */
static int parse_facts(struct reader *reader, const struct field *field, struct value value,
	entry_fn *parse)
{
	struct parser *parser = parser_of(reader);
	struct policy_span span = {.first = (uint32_t)parser->policy->n_texts};
	int r = reader_list(reader, value, field->name, 1, POLICY_LIST_MAX, parse);

	if (r < 0)
		return r;
	span.n = (uint32_t)json_object_array_length(value.json);
	memcpy((char *)&parser->rule + field->offset, &span, sizeof(span));
	return 0;
}

/* The same of a fact that is read from the process, which can see to it that there is none to read:
 * its child connects for it, and ends. */
static int parse_process(struct reader *reader, const struct field *field, struct value value,
	entry_fn *parse)
{
	if (!parser_of(reader)->allow)
		reader_warn(reader, value.place - 1,
			"a rule that denies by %s keeps nobody out who wants in: a program can see "
			"to it that they are not known, and then it does not match; allow by them "
			"instead",
			field->name);
	return parse_facts(reader, field, value, parse);
}

/* Labels come with the connection itself. */
static int parse_labels(struct reader *reader, const struct field *field, struct value value)
{
	return parse_facts(reader, field, value, parse_label);
}

static int parse_units(struct reader *reader, const struct field *field, struct value value)
{
	return parse_process(reader, field, value, parse_unit);
}

static int parse_slices(struct reader *reader, const struct field *field, struct value value)
{
	return parse_process(reader, field, value, parse_slice);
}

static int parse_executables(struct reader *reader, const struct field *field, struct value value)
{
	return parse_process(reader, field, value, parse_executable);
}

static int parse_apps(struct reader *reader, const struct field *field, struct value value)
{
	return parse_process(reader, field, value, parse_app);
}

int policy_parse_match(struct reader *reader, const struct field *field, struct value value)
{
#define FACT(key, function, fact)                                   \
	{                                                           \
		.name = (key), .parse = (function),                 \
		.offset = offsetof(struct policy_rule, facts[fact]) \
	}
	static const struct field fields[] = {
		{.name = "users", .parse = parse_users},
		{.name = "groups", .parse = parse_groups},
		FACT("labels", parse_labels, IDENTITY_LABEL),
		FACT("units", parse_units, IDENTITY_UNIT),
		FACT("user_units", parse_units, IDENTITY_USER_UNIT),
		FACT("slices", parse_slices, IDENTITY_SLICE),
		FACT("executables", parse_executables, IDENTITY_EXECUTABLE),
		FACT("flatpaks", parse_apps, IDENTITY_FLATPAK),
		FACT("snaps", parse_apps, IDENTITY_SNAP),
	};
#undef FACT
	struct policy_rule *rule = &parser_of(reader)->rule;
	int r = reader_expect(reader, value, field->name, json_type_object);

	if (r < 0)
		return r;
	if (json_object_object_length(value.json) == 0)
		return reader_refuse(reader, value.place,
			"match must say whom, by users, groups, units or another key; anybody is "
			"\"users\": [\"*\"]");
	rule->any_user = rule->any_group = true;
	return reader_object(reader, value, field->name, fields, ARRAY_SIZE(fields));
}
