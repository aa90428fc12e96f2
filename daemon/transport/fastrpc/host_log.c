// SPDX-License-Identifier: MIT
/*
 * adspmsgd_apps: lines that a DSP wants to be logged. They come as records, one after the other, as
 * the vendor's src/adspmsgd_printf.c has them; the last one may be cut off.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "daemon/transport/fastrpc/host.h"
#include "protocol/util.h"

/* Strings end with a NUL or with their room. */
struct record {
	uint32_t level;
	uint16_t line, thread;
	char text[218];
	char file[30];
};
static_assert(sizeof(struct record) == 256, "as the DSP has it");

#define LINE_SIZE  512 /* of what is logged, and a NUL */
#define FIELD_SIZE 320

static const int levels[] = {
	LOG_DEBUG,  /* low */
	LOG_INFO,   /* medium */
	LOG_NOTICE, /* high */
	LOG_ERR,    /* error */
	LOG_ERR,    /* fatal */
};

/* Copy what is a line of at most @size bytes, as far as there is room: what ends it is no part of
 * it, and what not everything can show becomes a character that it can. */
static void copy_text(char *out, size_t room, const char *text, size_t size)
{
	size = MIN(strnlen(text, size), room - 1);
	while (size && (text[size - 1] == '\n' || text[size - 1] == '\r'))
		size--;
	for (size_t i = 0; i < size; i++)
		out[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	out[size] = '\0';
}

static void write_line(const struct host_options *options, int level, const char *text)
{
	char fields[3][FIELD_SIZE], message[LINE_SIZE];

	snprintf(message, sizeof(message), "%s, %s: %s", options->device, options->owner, text);
	snprintf(fields[0], FIELD_SIZE, "DSPBROKER_DEVICE=%s", options->device);
	snprintf(fields[1], FIELD_SIZE, "DSPBROKER_DOMAIN=%u", options->domain);
	snprintf(fields[2], FIELD_SIZE, "DSPBROKER_OWNER=%s", options->owner);
	log_fields(level, message, (const char *const[]){fields[0], fields[1], fields[2]}, 3);
}

bool host_may_log(const struct host_options *options)
{
	unsigned int suppressed;
	char line[64];

	if (!log_shared_allowed(options->log, &suppressed))
		return false;
	if (suppressed) {
		snprintf(line, sizeof(line), "%u lines were suppressed", suppressed);
		write_line(options, LOG_WARNING, line);
	}
	return true;
}

void host_log_line(struct host *host, const char *text, size_t size)
{
	char line[LINE_SIZE];

	if (!host_may_log(host->options))
		return;
	copy_text(line, sizeof(line), text, size);
	write_line(host->options, LOG_NOTICE, line);
}

static void log_record(struct host *host, const struct record *record)
{
	int level = record->level < ARRAY_SIZE(levels) ? levels[record->level] : LOG_INFO;
	char text[sizeof(record->text) + 1], file[sizeof(record->file) + 1];
	char line[sizeof(text) + sizeof(file) + 16];

	if (!host_may_log(host->options))
		return;
	copy_text(text, sizeof(text), record->text, sizeof(record->text));
	copy_text(file, sizeof(file), record->file, sizeof(record->file));
	if (*file)
		snprintf(line, sizeof(line), "%s:%u: %s", file, record->line, text);
	else
		snprintf(line, sizeof(line), "%s", text);
	write_line(host->options, level, line);
}

/* The size of what comes, and that. */
static uint32_t log_records(struct host *host, struct host_call *call)
{
	const uint8_t *data = call->in[1].data;
	size_t left = host_word(call, 0);

	if (left > call->in[1].size)
		return AEE_EBADPARM;
	while (left) {
		struct record record = {};
		size_t size = MIN(left, sizeof(record));

		memcpy(&record, data, size);
		log_record(host, &record);
		data += size;
		left -= size;
	}
	return AEE_SUCCESS;
}

static const struct host_method methods[] = {
	{.number = 0, .scalars = 0x00020000, .in_size = 4, .serve = log_records},
};

const struct host_interface host_log = {
	.name = "adspmsgd_apps",
	.methods = methods,
	.n_methods = ARRAY_SIZE(methods),
};
