// SPDX-License-Identifier: MIT
#include "policy/policy_parse.h"

#include <string.h>

#include "policy/parser.h"
#include "policy/value.h"

#define POLICY_VERSION 1

static int parse_version(struct reader *reader, const struct field *field, struct value value)
{
	int r = reader_expect(reader, value, field->name, json_type_int);

	if (r == 0 && json_object_get_int64(value.json) != POLICY_VERSION)
		return reader_refuse(reader, value.place, "version must be %d", POLICY_VERSION);
	return r;
}

static int parse_root(struct parser *parser)
{
	static const struct field fields[] = {
		{.name = "version", .parse = parse_version, .required = true},
		{.name = "rules", .parse = policy_parse_rules, .required = true},
		{.name = "devices", .parse = policy_parse_devices},
		{.name = "domains", .parse = policy_parse_domains},
		{.name = "$schema", .parse = value_any_text},
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
		.userdb = &builder->userdb,
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
	if (!out->names || userdb_init(&out->userdb) < 0)
		return -ENOMEM;
	return policy_new(&out->policy);
}

int policy_builder_end(struct policy_builder *builder, int r, struct policy **out)
{
	_cleanup_(policy_unrefp) struct policy *policy = TAKE_PTR(builder->policy);

	json_object_put(TAKE_PTR(builder->names));
	userdb_deinit(&builder->userdb);
	if (r == 0)
		r = policy_resolve(policy, builder->error);
	if (r == 0)
		r = policy_seal(policy);
	if (r == 0)
		*out = TAKE_PTR(policy);
	else if (!builder->error->text[0])
		policy_note(builder->error, "", 0, 0, "%s", strerror(-r));
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
