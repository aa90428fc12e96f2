// SPDX-License-Identifier: MIT
/* "domains": what protection domains of DSPs are, and may have. */
#include <string.h>

#include "policy/parser.h"
#include "policy/value.h"
#include "policy/words.h"

static struct policy_domain *domain_of(struct reader *reader)
{
	return &parser_of(reader)->domain.domain;
}

static int parse_name(struct reader *reader, const struct field *field, struct value value)
{
	struct parser *parser = parser_of(reader);
	const struct policy *policy = parser->policy;
	const struct policy_domain_entry *owner;
	const char *name;
	uint32_t number;
	int r = value_label(reader, value, field->name, POLICY_LABEL_MAX, &name);

	if (r < 0)
		return r;
	number = policy_find_domain(policy, name);
	if (!number)
		return policy_add_text(parser->policy, name, &parser->domain.name);
	owner = &policy->domains[number - 1];
	return reader_refuse(reader, value.place, "name is already that of the domain in %s:%u",
		policy->texts + owner->file, owner->line);
}

/* What it is. */

static int parse_kind(struct reader *reader, const struct field *field, struct value value)
{
	size_t kind = POLICY_DOMAIN_USER;
	int r = value_choice(reader, field, value, words_kind, ARRAY_SIZE(words_kind), &kind);

	domain_of(reader)->kind = (enum policy_domain_kind)kind;
	return r;
}

static int parse_signed(struct reader *reader, const struct field *field, struct value value)
{
	if (domain_of(reader)->kind != POLICY_DOMAIN_USER)
		return reader_refuse(reader, value.place - 1, "%s is for the kind \"user\"",
			field->name);
	return value_bool(reader, field, value, domain_of(reader));
}

static int parse_own_modules(struct reader *reader, const struct field *field, struct value value)
{
	if (domain_of(reader)->kind != POLICY_DOMAIN_USER || domain_of(reader)->is_signed)
		return reader_refuse(reader, value.place - 1,
			"%s is for the kind \"user\" without \"signed\"", field->name);
	return value_bool(reader, field, value, domain_of(reader));
}

static int parse_flag(struct reader *reader, const struct field *field, struct value value)
{
	return value_bool(reader, field, value, domain_of(reader));
}

static int parse_on_hang(struct reader *reader, const struct field *field, struct value value)
{
	size_t hang = POLICY_HANG_TEARDOWN;
	int r = value_choice(reader, field, value, words_hang, ARRAY_SIZE(words_hang), &hang);

	domain_of(reader)->hang = (enum policy_hang)hang;
	return r;
}

/* What it may have. */

static int parse_read(struct reader *reader, const struct field *field, struct value value)
{
	struct policy_span span;

	return policy_parse_dirs(reader, field, value, &span);
}

static int parse_write(struct reader *reader, const struct field *field, struct value value)
{
	struct policy_span span;
	int r = policy_parse_dirs(reader, field, value, &span);

	for (uint32_t i = 0; i < span.n; i++)
		parser_of(reader)->policy->dirs[span.first + i].writable = true;
	return r;
}

static int parse_number(struct reader *reader, const struct field *field, struct value value)
{
	return value_number(reader, field, value, domain_of(reader));
}

static int parse_bytes(struct reader *reader, const struct field *field, struct value value)
{
	return value_bytes(reader, field, value, domain_of(reader));
}

static int parse_keys(struct reader *reader, struct value value)
{
	/* "kind" and "signed" come before what depends on them. */
	static const struct field fields[] = {
		{.name = "name", .parse = parse_name, .required = true},
		{.name = "kind", .parse = parse_kind},
		{.name = "signed",
			.parse = parse_signed,
			.offset = offsetof(struct policy_domain, is_signed)},
		{.name = "own_modules",
			.parse = parse_own_modules,
			.offset = offsetof(struct policy_domain, own_modules)},
		{.name = "device_memory",
			.parse = parse_flag,
			.offset = offsetof(struct policy_domain, device_memory)},
		{.name = "on_hang", .parse = parse_on_hang},
		{.name = "read", .parse = parse_read, .max = POLICY_DIRS_MAX},
		{.name = "write", .parse = parse_write, .max = POLICY_DIRS_MAX},
		{.name = "files",
			.parse = parse_number,
			.offset = offsetof(struct policy_domain, files),
			.max = POLICY_DOMAIN_FILES_MAX},
		{.name = "file_bytes",
			.parse = parse_bytes,
			.offset = offsetof(struct policy_domain, file_bytes),
			.max = POLICY_BYTES_MAX},
		{.name = "memory",
			.parse = parse_bytes,
			.offset = offsetof(struct policy_domain, memory),
			.max = POLICY_DOMAIN_MEMORY_MAX},
		{.name = "file", .parse = value_any_text}, /* where it was found, see show.h */
		{.name = "line", .parse = value_any_number},
	};

	return reader_object(reader, value, "a domain", fields, ARRAY_SIZE(fields));
}

static bool lies_beneath(const char *path, const char *other)
{
	size_t length = strlen(other);

	return strncmp(path, other, length) == 0 && path[length] == '/';
}

/* What lies beneath a directory for writing can be written, whatever it is called. */
static int check_dirs(struct reader *reader, struct value value)
{
	const struct parser *parser = parser_of(reader);
	const struct policy *policy = parser->policy;

	for (size_t i = parser->dirs; i < policy->n_dirs; i++) {
		const char *path = policy->texts + policy->dir_paths[i];

		for (size_t j = parser->dirs; j < policy->n_dirs; j++) {
			const char *other = policy->texts + policy->dir_paths[j];

			if (!policy->dirs[i].writable && policy->dirs[j].writable &&
				lies_beneath(path, other))
				return reader_refuse(reader, value.place,
					"%.80s, for reading, lies beneath %.80s, for writing, so "
					"it can be written",
					path, other);
		}
	}
	return 0;
}

static int parse_domain(struct reader *reader, const char *list, struct value value)
{
	struct parser *parser = parser_of(reader);
	int r;

	if (parser->policy->n_domains == POLICY_DOMAINS_MAX)
		return reader_refuse(reader, value.place, "more than %d %s", POLICY_DOMAINS_MAX,
			list);
	parser->domain = (struct policy_domain_entry){
		.domain = POLICY_DOMAIN_DEFAULT,
		.file = parser->file,
		.line = reader->places.places[value.place].line,
		.dirs.first = (uint32_t)parser->policy->n_dirs,
	};
	parser->dirs = parser->domain.dirs.first;
	r = parse_keys(reader, value);
	if (r >= 0)
		r = check_dirs(reader, value);
	parser->domain.dirs.n = (uint32_t)parser->policy->n_dirs - parser->domain.dirs.first;
	return r < 0 ? r : policy_add_domain(parser->policy, &parser->domain);
}

int policy_parse_domains(struct reader *reader, const struct field *field, struct value value)
{
	return reader_list(reader, value, field->name, 0, POLICY_DOMAINS_MAX, parse_domain);
}
