// SPDX-License-Identifier: MIT
/* `dspctl devices`, `channels` and `sessions`: each record becomes a JSON object, and the table
 * is made from these. */
#include <assert.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/dspctl.h"
#include "client/dspctl_follow.h"
#include "protocol/text.h"

#define CELL_SIZE   320 /* bytes of a cell, NUL included; the longest is what troubles a device */
#define COLUMNS_MAX 16

#define RIGHT    1u /* aligned: numbers */
#define OPTIONAL 2u /* left out when no row has anything there */
#define OF_MAX   4u /* followed by what there can be, "/MAX", of KEY_max */

struct column {
	const char *header;
	const char *key;
	unsigned int how;                                             /* of those above */
	void (*show)(char out[CELL_SIZE], struct json_object *value); /* NULL: as it is */
};

struct table {
	/* Fetch the record after *@id and store its id there. Returns as dspbroker_next_*(). */
	int (*next)(struct dspbroker *broker, uint64_t *id, struct json_object **row);
	const struct column *columns;
	size_t n_columns;
};

static void add_string(struct json_object *row, const char *key, const char *value)
{
	json_object_object_add(row, key, json_object_new_string(value));
}

static void add_bool(struct json_object *row, const char *key, bool value)
{
	json_object_object_add(row, key, json_object_new_boolean(value));
}

static void add_number(struct json_object *row, const char *key, uint64_t value)
{
	json_object_object_add(row, key, json_object_new_uint64(value));
}

/* A device without a remote processor has null in their place. */
static void add_remoteproc(struct json_object *row, const struct dspbroker_device_info *info)
{
	const bool any = *info->remoteproc != '\0';

	json_object_object_add(row, "state", dspctl_state_json(info->state));
	json_object_object_add(row, "remoteproc",
		any ? json_object_new_string(info->remoteproc) : NULL);
	json_object_object_add(row, "coredumps",
		any || info->coredumps ? json_object_new_uint64(info->coredumps) : NULL);
}

/* All of them by their names; null: it tells nothing of itself. */
static struct json_object *attributes_json(const struct dspbroker_device_info *info)
{
	struct json_object *attributes = info->n_attributes ? json_object_new_object() : NULL;

	for (uint32_t i = 0; i < info->n_attributes; i++)
		add_number(attributes, dspbroker_attribute_name(i), info->attributes[i]);
	return attributes;
}

static int next_device(struct dspbroker *broker, uint64_t *id, struct json_object **row)
{
	struct dspbroker_device_info info;
	const int r = dspbroker_next_device(broker, *id, &info);

	if (r != 1)
		return r;
	*id = info.id;
	*row = json_object_new_object();
	add_string(*row, "name", info.name);
	add_string(*row, "transport", info.transport);
	add_bool(*row, "up", info.up);
	add_number(*row, "generation", info.generation);
	add_number(*row, "channels", info.channels);
	add_number(*row, "sessions", info.sessions);
	add_number(*row, "domains", info.domains);
	json_object_object_add(*row, "domains_max",
		info.domains_max ? json_object_new_uint64(info.domains_max) : NULL);
	add_number(*row, "domains_hung", info.domains_hung);
	add_number(*row, "waiting", info.waiting);
	add_string(*row, "isolation", dspbroker_isolation_name(info.isolation));
	add_remoteproc(*row, &info);
	json_object_object_add(*row, "attributes", attributes_json(&info));
	json_object_object_add(*row, "trouble",
		*info.trouble ? json_object_new_string(info.trouble) : NULL);
	return 1;
}

static int next_channel(struct dspbroker *broker, uint64_t *id, struct json_object **row)
{
	struct dspbroker_channel_info info;
	const int r = dspbroker_next_channel(broker, *id, &info);

	if (r != 1)
		return r;
	*id = info.id;
	*row = json_object_new_object();
	add_string(*row, "name", info.name);
	add_string(*row, "kind", info.message ? "message" : "call");
	add_bool(*row, "allowed", info.allowed);
	add_string(*row, "rule", info.rule);
	return 1;
}

/* A session of calls has null in their place. */
static void add_receiving(struct json_object *row, const struct dspbroker_session_record *record)
{
	const struct {
		const char *key;
		uint64_t value;
	} fields[] = {
		{"received", record->received},
		{"dropped", record->dropped},
		{"queued", record->queued},
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		json_object_object_add(row, fields[i].key,
			record->message ? json_object_new_uint64(fields[i].value) : NULL);
}

static int next_session(struct dspbroker *broker, uint64_t *id, struct json_object **row)
{
	struct dspbroker_session_record record;
	const int r = dspbroker_next_session(broker, *id, &record);

	if (r != 1)
		return r;
	*id = record.id;
	*row = json_object_new_object();
	add_number(*row, "id", record.id);
	add_string(*row, "channel", record.channel);
	add_string(*row, "kind", record.message ? "message" : "call");
	add_string(*row, "rule", record.rule);
	add_number(*row, "uid", record.uid);
	add_number(*row, "pid", record.pid);
	add_number(*row, "domain", record.domain);
	add_number(*row, "in_flight", record.in_flight);
	add_number(*row, "calls", record.calls);
	add_number(*row, "errors", record.errors);
	add_number(*row, "busy_ns", record.busy_ns);
	add_number(*row, "since_us", record.since_us);
	add_receiving(*row, &record);
	return 1;
}

static void show_yes(char out[CELL_SIZE], struct json_object *value)
{
	snprintf(out, CELL_SIZE, "%s", json_object_get_boolean(value) ? "yes" : "no");
}

static void show_unless_0(char out[CELL_SIZE], struct json_object *value)
{
	const uint64_t number = json_object_get_uint64(value);

	if (number)
		snprintf(out, CELL_SIZE, "%" PRIu64, number);
	else
		snprintf(out, CELL_SIZE, "-");
}

static void show_user(char out[CELL_SIZE], struct json_object *value)
{
	const uid_t uid = (uid_t)json_object_get_uint64(value);
	const struct passwd *user = getpwuid(uid);

	if (user)
		snprintf(out, CELL_SIZE, "%s", user->pw_name);
	else
		snprintf(out, CELL_SIZE, "%u", uid);
}

static void show_duration(char out[CELL_SIZE], double seconds)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}, {"ms", 1e-3}};
	size_t i = 0;

	while (i < ARRAY_SIZE(units) - 1 && seconds < units[i].seconds)
		i++;
	snprintf(out, CELL_SIZE, "%.1f %s", seconds / units[i].seconds, units[i].name);
}

static void show_busy(char out[CELL_SIZE], struct json_object *value)
{
	show_duration(out, (double)json_object_get_uint64(value) / 1e9);
}

static void show_age(char out[CELL_SIZE], struct json_object *value)
{
	struct timespec now;
	double age;

	clock_gettime(CLOCK_REALTIME, &now);
	age = (double)now.tv_sec + (double)now.tv_nsec / 1e9 -
	      (double)json_object_get_uint64(value) / 1e6;
	show_duration(out, MAX(age, 0));
}

static uint64_t attribute(struct json_object *attributes, enum dspbroker_attribute id)
{
	return json_object_get_uint64(json_object_object_get(attributes,
		dspbroker_attribute_name(id)));
}

/* One more of the things that a cell lists. */
_printf_(2, 3) static void list(char out[CELL_SIZE], const char *format, ...)
{
	size_t length = strlen(out);
	va_list ap;

	length += (size_t)snprintf(out + length, CELL_SIZE - length, "%s", length ? ", " : "");
	va_start(ap, format);
	vsnprintf(out + length, CELL_SIZE - length, format, ap);
	va_end(ap);
}

static void list_bytes(char out[CELL_SIZE], const char *name, uint64_t bytes)
{
	if (bytes % (1 << 20) == 0)
		list(out, "%s %" PRIu64 " MiB", name, bytes >> 20);
	else
		list(out, "%s %" PRIu64 " KiB", name, bytes >> 10);
}

/* What decides whether a module runs there; --json has the rest. */
static void show_attributes(char out[CELL_SIZE], struct json_object *value)
{
	const uint64_t arch = attribute(value, DSPBROKER_ATTRIBUTE_ARCH) & 0xff;
	const uint64_t vtcm = attribute(value, DSPBROKER_ATTRIBUTE_VTCM_PAGE) *
			      attribute(value, DSPBROKER_ATTRIBUTE_VTCM_COUNT);

	*out = '\0';
	if (arch)
		list(out, "v%" PRIx64, arch);
	if (attribute(value, DSPBROKER_ATTRIBUTE_HVX64))
		list(out, "hvx64");
	if (attribute(value, DSPBROKER_ATTRIBUTE_HVX128))
		list(out, "hvx128");
	if (attribute(value, DSPBROKER_ATTRIBUTE_HMX_DEPTH) ||
		attribute(value, DSPBROKER_ATTRIBUTE_HMX_SPATIAL))
		list(out, "hmx");
	if (vtcm)
		list_bytes(out, "vtcm", vtcm);
	if (attribute(value, DSPBROKER_ATTRIBUTE_UNSIGNED))
		list(out, "unsigned");
	if (!*out)
		list(out, "-");
}

static const struct column device_columns[] = {
	{"DEVICE", "name", 0, NULL},
	{"TRANSPORT", "transport", 0, NULL},
	{"UP", "up", 0, show_yes},
	{"STATE", "state", OPTIONAL, NULL},
	{"GEN", "generation", RIGHT, NULL},
	{"CHANNELS", "channels", RIGHT, NULL},
	{"SESSIONS", "sessions", RIGHT, NULL},
	{"PDS", "domains", RIGHT | OF_MAX, NULL},
	{"HUNG", "domains_hung", RIGHT | OPTIONAL, show_unless_0},
	{"WAITING", "waiting", RIGHT | OPTIONAL, show_unless_0},
	{"REMOTEPROC", "remoteproc", OPTIONAL, NULL},
	{"DUMPS", "coredumps", RIGHT | OPTIONAL, NULL},
	{"ISOLATION", "isolation", 0, NULL},
	{"DSP", "attributes", OPTIONAL, show_attributes},
	{"TROUBLE", "trouble", OPTIONAL, NULL},
};

static const struct column channel_columns[] = {
	{"CHANNEL", "name", 0, NULL},
	{"KIND", "kind", 0, NULL},
	{"ALLOWED", "allowed", 0, show_yes},
	{"RULE", "rule", 0, NULL},
};

static const struct column session_columns[] = {
	{"ID", "id", RIGHT, NULL},
	{"CHANNEL", "channel", 0, NULL},
	{"USER", "uid", 0, show_user},
	{"PID", "pid", RIGHT, NULL},
	{"DOMAIN", "domain", RIGHT, NULL},
	{"IN-FLIGHT", "in_flight", RIGHT, NULL},
	{"CALLS", "calls", RIGHT, NULL},
	{"ERRORS", "errors", RIGHT, NULL},
	{"RECEIVED", "received", RIGHT | OPTIONAL, NULL},
	{"DROPPED", "dropped", RIGHT | OPTIONAL, NULL},
	{"QUEUED", "queued", RIGHT | OPTIONAL, NULL},
	{"BUSY", "busy_ns", RIGHT, show_busy},
	{"AGE", "since_us", RIGHT, show_age},
	{"RULE", "rule", 0, NULL},
};
static_assert(ARRAY_SIZE(session_columns) <= COLUMNS_MAX, "the widest tables");
static_assert(ARRAY_SIZE(device_columns) <= COLUMNS_MAX, "the widest tables");

static void add_max(char out[CELL_SIZE], const struct column *column, struct json_object *row)
{
	const size_t length = strlen(out);
	struct json_object *max;
	char key[64];

	snprintf(key, sizeof(key), "%s_max", column->key);
	max = json_object_object_get(row, key);
	if (max)
		snprintf(out + length, CELL_SIZE - length, "/%s", json_object_get_string(max));
}

/* Returns the cell's width in characters. What a terminal would obey is escaped. */
static int format_cell(char out[CELL_SIZE], const struct column *column, struct json_object *row)
{
	struct json_object *value = json_object_object_get(row, column->key);
	char raw[CELL_SIZE];

	if (!value)
		snprintf(raw, sizeof(raw), "-");
	else if (column->show)
		column->show(raw, value);
	else
		snprintf(raw, sizeof(raw), "%s", json_object_get_string(value));
	if (column->how & OF_MAX)
		add_max(raw, column, row);
	return (int)strlen(text_show(out, CELL_SIZE, raw));
}

/* 0: it is left out. */
static int column_width(const struct column *column, struct json_object *rows)
{
	int width = (int)strlen(column->header), cell_width;
	bool empty = column->how & OPTIONAL;
	char cell[CELL_SIZE];

	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		cell_width = format_cell(cell, column, json_object_array_get_idx(rows, i));
		width = MAX(width, cell_width);
		empty = empty && strcmp(cell, "-") == 0;
	}
	return empty ? 0 : width;
}

static size_t last_column(const struct table *table, const int *widths)
{
	size_t last = table->n_columns - 1;

	while (widths[last] == 0)
		last--;
	return last;
}

/* Print one line: the header (@row is NULL) or a row. Nothing follows the last cell. */
static void print_line(const struct table *table, const int *widths, struct json_object *row)
{
	const size_t last = last_column(table, widths);
	char cell[CELL_SIZE];

	for (size_t i = 0; i <= last; i++) {
		const struct column *column = &table->columns[i];

		if (widths[i] == 0)
			continue;
		if (row)
			format_cell(cell, column, row);
		else
			snprintf(cell, sizeof(cell), "%s", column->header);
		if (column->how & RIGHT)
			printf("%*s", widths[i], cell);
		else
			printf("%*s", i == last ? 0 : -widths[i], cell);
		fputs(i == last ? "\n" : "  ", stdout);
	}
}

static void print_table(const struct table *table, struct json_object *rows)
{
	int widths[COLUMNS_MAX];

	for (size_t i = 0; i < table->n_columns; i++)
		widths[i] = column_width(&table->columns[i], rows);
	print_line(table, widths, NULL);
	for (size_t i = 0; i < json_object_array_length(rows); i++)
		print_line(table, widths, json_object_array_get_idx(rows, i));
}

/* Returns as dspbroker_next_*(): 0 when *@rows is complete. */
static int fetch(const struct table *table, struct dspbroker *broker, struct json_object *rows)
{
	struct json_object *row;
	uint64_t id = 0, before;
	int r;

	do {
		before = id;
		r = table->next(broker, &id, &row);
		if (r == 1)
			json_object_array_add(rows, row);
	} while (r == 1 && id > before);
	return r == 1 ? -EPROTO : r;
}

static int show_table(const struct table *table, struct dspbroker *broker,
	const struct dspctl_options *options)
{
	_cleanup_(dspctl_jsonp) struct json_object *rows = json_object_new_array();
	int r;

	r = fetch(table, broker, rows);
	if (r)
		return dspctl_fail_broker(r, "the list is incomplete");
	if (options->json)
		dspctl_print_json(rows);
	else
		print_table(table, rows);
	return DSPCTL_OK;
}

static int connect_and_show(const struct table *table, const struct dspctl_options *options)
{
	_cleanup_(dspbroker_freep) struct dspbroker *broker = NULL;
	int r;

	r = dspctl_connect(&broker, options);
	return r ? r : show_table(table, broker, options);
}

static int show_devices(struct dspbroker *broker, const struct dspctl_options *options)
{
	static const struct table table = {next_device, device_columns, ARRAY_SIZE(device_columns)};
	const int r = show_table(&table, broker, options);

	fflush(stdout);
	return r;
}

int dspctl_devices(const struct dspctl_options *options)
{
	_cleanup_(dspbroker_freep) struct dspbroker *broker = NULL;
	int r;

	r = dspctl_connect(&broker, options);
	if (r)
		return r;
	return options->follow ? dspctl_follow(broker, options, show_devices)
			       : show_devices(broker, options);
}

int dspctl_channels(const struct dspctl_options *options)
{
	static const struct table table = {
		next_channel, channel_columns, ARRAY_SIZE(channel_columns)};

	return connect_and_show(&table, options);
}

int dspctl_sessions(const struct dspctl_options *options)
{
	static const struct table table = {
		next_session, session_columns, ARRAY_SIZE(session_columns)};

	return connect_and_show(&table, options);
}
