// SPDX-License-Identifier: MIT
/* "devices": what is to be known of a device beforehand. */
#include <stdio.h>
#include <string.h>

#include "policy/parser.h"
#include "policy/value.h"
#include "policy/words.h"

static struct policy_device *device_of(struct reader *reader)
{
	return &parser_of(reader)->device.device;
}

/* Say that what stands at @place belongs to another device already. */
static int refuse_taken(struct reader *reader, uint32_t place, const char *what,
	const struct policy_device_entry *owner)
{
	const char *texts = parser_of(reader)->policy->texts;

	return reader_refuse(reader, place, "%s is already that of device %s in %s:%u", what,
		texts + owner->name, texts + owner->file, owner->line);
}

/* Values that go where the field says. */

static int parse_number(struct reader *reader, const struct field *field, struct value value)
{
	return value_number(reader, field, value, device_of(reader));
}

static int parse_bytes(struct reader *reader, const struct field *field, struct value value)
{
	return value_bytes(reader, field, value, device_of(reader));
}

/* Names. */

static int parse_name(struct reader *reader, const struct field *field, struct value value)
{
	struct parser *parser = parser_of(reader);
	const struct policy *policy = parser->policy;
	const char *name;
	int r = value_label(reader, value, field->name, POLICY_DEVICE_NAME_MAX, &name);

	if (r < 0)
		return r;
	for (size_t i = 0; i < policy->n_devices; i++)
		if (strcmp(policy->texts + policy->devices[i].name, name) == 0)
			return refuse_taken(reader, value.place, "name", &policy->devices[i]);
	return policy_add_text(parser->policy, name, &parser->device.name);
}

/* Fit for the name of a folder in sysfs, and for a terminal. */
static bool is_remoteproc_name(const char *name)
{
	if (*name == '.')
		return false;
	for (; *name; name++)
		if (*name <= ' ' || *name > '~' || *name == '/')
			return false;
	return true;
}

static int parse_remoteproc(struct reader *reader, const struct field *field, struct value value)
{
	struct parser *parser = parser_of(reader);
	const struct policy *policy = parser->policy;
	const char *name;
	int r = reader_string(reader, value, field->name, POLICY_REMOTEPROC_MAX, &name);

	if (r < 0)
		return r;
	if (!is_remoteproc_name(name))
		return reader_refuse(reader, value.place,
			"%s may hold printable characters but spaces and '/', and no '.' in front",
			field->name);
	for (size_t i = 0; i < policy->n_devices; i++)
		if (strcmp(policy->texts + policy->devices[i].remoteproc, name) == 0)
			return refuse_taken(reader, value.place, field->name, &policy->devices[i]);
	return policy_add_text(parser->policy, name, &parser->device.remoteproc);
}

/* Those that there are. */
static int parse_transport(struct reader *reader, const struct field *field, struct value value)
{
	static const char *const words[] = {"fastrpc", "qda", "rpmsg", "soft"};
	size_t transport;
	int r = value_choice(reader, field, value, words, ARRAY_SIZE(words), &transport);

	if (r == 0)
		device_of(reader)->transport = words[transport];
	return r;
}

/* Starting and stopping. */

static int refuse_lifecycle(struct reader *reader, const struct field *field, struct value value,
	const char *needs)
{
	return reader_refuse(reader, value.place, "%s \"%s\" needs %s", field->name,
		json_object_get_string(value.json), needs);
}

static int parse_lifecycle(struct reader *reader, const struct field *field, struct value value)
{
	size_t lifecycle;
	int r = value_choice(reader, field, value, words_lifecycle, ARRAY_SIZE(words_lifecycle),
		&lifecycle);

	if (r < 0)
		return r;
	if (lifecycle != POLICY_EXTERNAL && !parser_of(reader)->device.remoteproc)
		return refuse_lifecycle(reader, field, value,
			"\"remoteproc\", which says what to start");
	if (lifecycle != POLICY_EXTERNAL && !device_of(reader)->transport)
		return refuse_lifecycle(reader, field, value,
			"\"transport\", which says how to reach it once it runs");
	device_of(reader)->lifecycle = (enum policy_lifecycle)lifecycle;
	return 0;
}

static int parse_idle(struct reader *reader, const struct field *field, struct value value)
{
	if (device_of(reader)->lifecycle != POLICY_ON_DEMAND)
		return reader_refuse(reader, value.place - 1,
			"%s is for the lifecycle \"on-demand\"", field->name);
	return parse_number(reader, field, value);
}

static int parse_stop(struct reader *reader, const struct field *field, struct value value)
{
	if (device_of(reader)->lifecycle == POLICY_EXTERNAL)
		return reader_refuse(reader, value.place - 1,
			"%s is for the lifecycles \"on-demand\" and \"always\"", field->name);
	return value_bool(reader, field, value, device_of(reader));
}

/* What carries messages alone knows no call. */
static int parse_calls(struct reader *reader, const struct field *field, struct value value)
{
	const char *transport = device_of(reader)->transport;

	if (transport && strcmp(transport, "rpmsg") == 0)
		return reader_refuse(reader, value.place - 1,
			"%s is for the transports \"fastrpc\", \"qda\" and \"soft\"", field->name);
	return parse_number(reader, field, value);
}

/* Transports that speak FastRPC. */

static int check_fastrpc(struct reader *reader, const struct field *field, struct value value)
{
	const char *transport = device_of(reader)->transport;

	if (!transport || words_speaks_fastrpc(transport))
		return 0;
	return reader_refuse(reader, value.place - 1,
		"%s is for the transports \"fastrpc\" and \"qda\"", field->name);
}

static int parse_fastrpc_number(struct reader *reader, const struct field *field,
	struct value value)
{
	int r = check_fastrpc(reader, field, value);

	return r < 0 ? r : parse_number(reader, field, value);
}

static int parse_fastrpc_bool(struct reader *reader, const struct field *field, struct value value)
{
	int r = check_fastrpc(reader, field, value);

	return r < 0 ? r : value_bool(reader, field, value, device_of(reader));
}

/* The span that they make is at field->offset of the entry. */
static int parse_dirs(struct reader *reader, const struct field *field, struct value value)
{
	struct parser *parser = parser_of(reader);
	int r = check_fastrpc(reader, field, value);

	if (r < 0)
		return r;
	parser->dirs = (uint32_t)parser->policy->n_dirs;
	return policy_parse_dirs(reader, field, value,
		(struct policy_span *)((char *)&parser->device + field->offset));
}

/* The other keys. */

static int parse_without_iommu(struct reader *reader, const struct field *field, struct value value)
{
	size_t choice = 0;
	int r = value_choice(reader, field, value, words_without_iommu,
		ARRAY_SIZE(words_without_iommu), &choice);

	device_of(reader)->accept_no_iommu = choice == 1;
	return r;
}

static int parse_coredumps(struct reader *reader, const struct field *field, struct value value)
{
	static const struct field fields[] = {
		{.name = "count",
			.parse = parse_number,
			.offset = offsetof(struct policy_device, coredumps),
			.max = POLICY_COREDUMPS_MAX},
		{.name = "bytes",
			.parse = parse_bytes,
			.offset = offsetof(struct policy_device, coredump_bytes),
			.min = 1,
			.max = POLICY_COREDUMP_BYTES_MAX},
	};

	return reader_object(reader, value, field->name, fields, ARRAY_SIZE(fields));
}

static bool has_service(const struct parser *parser, const char *name)
{
	const char *known = parser->policy->texts + parser->device.service_names;

	for (size_t i = 0; i < parser->device.device.n_services; i++, known += strlen(known) + 1)
		if (strcmp(known, name) == 0)
			return true;
	return false;
}

static int parse_service(struct reader *reader, const char *name, struct value value)
{
	struct parser *parser = parser_of(reader);
	char what[64];
	const struct field field = {.name = what, .max = POLICY_ADDRESS_MAX};
	uint32_t address;
	int r;

	if (has_service(parser, name))
		return reader_refuse(reader, value.place - 1, "duplicate key \"%s\"", name);
	snprintf(what, sizeof(what), "the address of %s", name);
	r = value_number(reader, &field, value, &address);
	if (r == 0)
		r = policy_add_service(parser->policy, name, address);
	if (r == 0)
		parser->device.device.n_services++;
	return r;
}

static int parse_services(struct reader *reader, const struct field *field, struct value value)
{
	struct parser *parser = parser_of(reader);

	parser->device.services = (uint32_t)parser->policy->n_services;
	parser->device.service_names = (uint32_t)parser->policy->n_texts;
	return value_names(reader, field, value, POLICY_SERVICES_MAX, parse_service);
}

static int parse_device(struct reader *reader, const char *list, struct value value)
{
	/* "transport", "remoteproc" and "lifecycle" come before what depends on them. */
	static const struct field fields[] = {
		{.name = "name", .parse = parse_name, .required = true},
		{.name = "transport", .parse = parse_transport},
		{.name = "remoteproc", .parse = parse_remoteproc},
		{.name = "lifecycle", .parse = parse_lifecycle},
		{.name = "idle_ms",
			.parse = parse_idle,
			.offset = offsetof(struct policy_device, idle_ms),
			.max = POLICY_IDLE_MAX},
		{.name = "stop_with_broker",
			.parse = parse_stop,
			.offset = offsetof(struct policy_device, stop_with_broker)},
		{.name = "without_iommu", .parse = parse_without_iommu},
		{.name = "mtu",
			.parse = parse_number,
			.offset = offsetof(struct policy_device, mtu),
			.min = 1,
			.max = POLICY_MTU_MAX},
		{.name = "calls",
			.parse = parse_calls,
			.offset = offsetof(struct policy_device, calls),
			.min = 1,
			.max = POLICY_CALLS_MAX},
		{.name = "coredumps", .parse = parse_coredumps},
		{.name = "services", .parse = parse_services},
		{.name = "shells",
			.parse = parse_dirs,
			.offset = offsetof(struct policy_device_entry, shells),
			.min = 1,
			.max = POLICY_DIRS_MAX},
		{.name = "modules",
			.parse = parse_dirs,
			.offset = offsetof(struct policy_device_entry, modules),
			.min = 1,
			.max = POLICY_DIRS_MAX},
		{.name = "queue_ms",
			.parse = parse_fastrpc_number,
			.offset = offsetof(struct policy_device, queue_ms),
			.max = POLICY_QUEUE_MAX},
		{.name = "domain_idle_ms",
			.parse = parse_fastrpc_number,
			.offset = offsetof(struct policy_device, domain_idle_ms),
			.max = POLICY_DOMAIN_IDLE_MAX},
		{.name = "exclusive",
			.parse = parse_fastrpc_bool,
			.offset = offsetof(struct policy_device, exclusive)},
		{.name = "file", .parse = value_any_text}, /* where it was found, see show.h */
		{.name = "line", .parse = value_any_number},
	};
	struct parser *parser = parser_of(reader);
	int r;

	if (parser->policy->n_devices == POLICY_DEVICES_MAX)
		return reader_refuse(reader, value.place, "more than %d %s", POLICY_DEVICES_MAX,
			list);
	parser->device = (struct policy_device_entry){
		.device = POLICY_DEVICE_DEFAULT,
		.file = parser->file,
		.line = reader->places.places[value.place].line,
	};
	r = reader_object(reader, value, "a device", fields, ARRAY_SIZE(fields));
	return r < 0 ? r : policy_add_device(parser->policy, &parser->device);
}

int policy_parse_devices(struct reader *reader, const struct field *field, struct value value)
{
	return reader_list(reader, value, field->name, 0, POLICY_DEVICES_MAX, parse_device);
}
