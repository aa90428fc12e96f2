// SPDX-License-Identifier: MIT
#include "policy/locate.h"

#include <string.h>

#include "protocol/util.h"

struct scan {
	struct locate *index;
	struct locate_fault *fault;
	const char *at, *end;
	uint32_t line;
	const char *line_start;
	uint32_t open[LOCATE_DEPTH_MAX]; /* containers that have not ended */
	size_t depth;
};

static int refuse(struct scan *scan, const char *text)
{
	*scan->fault = (struct locate_fault){
		.line = scan->line,
		.column = (uint32_t)(scan->at - scan->line_start) + 1,
		.text = text,
	};
	return -EINVAL;
}

/* Note that a key or value begins here. */
static int add_place(struct scan *scan)
{
	struct locate *index = scan->index;

	if (index->n == index->room) {
		uint32_t room = MAX(64u, index->room * 2);
		struct locate_place *places = reallocarray(index->places, room, sizeof(*places));

		if (!places)
			return -ENOMEM;
		index->places = places;
		index->room = room;
	}
	index->places[index->n] = (struct locate_place){
		.offset = (uint32_t)(scan->at - index->text),
		.line = scan->line,
		.column = (uint32_t)(scan->at - scan->line_start) + 1,
		.end = index->n + 1,
	};
	index->n++;
	return 0;
}

static int scan_newline(struct scan *scan)
{
	scan->line++;
	scan->line_start = ++scan->at;
	return 0;
}

static int scan_skip(struct scan *scan)
{
	scan->at++;
	return 0;
}

/* Most of an indented file. */
static int scan_spaces(struct scan *scan)
{
	while (scan->at < scan->end && *scan->at == ' ')
		scan->at++;
	return 0;
}

static int scan_string(struct scan *scan)
{
	int r = add_place(scan);

	if (r < 0)
		return r;
	for (scan->at++; scan->at < scan->end; scan->at++) {
		if (*scan->at == '"')
			return scan_skip(scan);
		if ((unsigned char)*scan->at < ' ')
			return refuse(scan, "a control character must be escaped in a string");
		if (*scan->at == '\\' && scan->at + 1 < scan->end)
			scan->at++;
	}
	return refuse(scan, "the string does not end");
}

static int scan_quote(struct scan *scan)
{
	return refuse(scan, "strings stand between double quotes");
}

static int scan_open(struct scan *scan)
{
	int r = add_place(scan);

	if (r < 0)
		return r;
	if (scan->depth == ARRAY_SIZE(scan->open))
		return refuse(scan, "nested too deeply");
	scan->open[scan->depth++] = scan->index->n - 1;
	return scan_skip(scan);
}

static int scan_close(struct scan *scan)
{
	if (!scan->depth)
		return refuse(scan, "nothing is open that could end here");
	scan->index->places[scan->open[--scan->depth]].end = scan->index->n;
	return scan_skip(scan);
}

/* What to do with what begins with this byte; part of a number, true, false or null where nothing
 * is said. */
static int (*const scanners[256])(struct scan *scan) = {
	['\n'] = scan_newline,
	[' '] = scan_spaces,
	['\t'] = scan_skip,
	['\r'] = scan_skip,
	[','] = scan_skip,
	[':'] = scan_skip,
	['"'] = scan_string,
	['\''] = scan_quote,
	['{'] = scan_open,
	['['] = scan_open,
	['}'] = scan_close,
	[']'] = scan_close,
};

/* A number, true, false or null. */
static int scan_word(struct scan *scan)
{
	int r = add_place(scan);

	while (scan->at < scan->end && !scanners[(unsigned char)*scan->at])
		scan->at++;
	return r;
}

int locate_init(struct locate *out, const char *text, size_t size, struct locate_fault *fault)
{
	struct scan scan = {
		.index = out,
		.fault = fault,
		.at = text,
		.end = text + size,
		.line = 1,
		.line_start = text,
	};
	int r = 0;

	*out = (struct locate){.text = text, .size = size};
	while (r == 0 && scan.at < scan.end) {
		int (*scanner)(struct scan *) = scanners[(unsigned char)*scan.at];

		r = scanner ? scanner(&scan) : scan_word(&scan);
	}
	return r;
}

void locate_deinit(struct locate *index)
{
	free(TAKE_PTR(index->places));
	index->n = index->room = 0;
}

uint32_t locate_first(const struct locate *index, uint32_t parent)
{
	return index->places[parent].end > parent + 1 ? parent + 1 : LOCATE_NONE;
}

uint32_t locate_next(const struct locate *index, uint32_t parent, uint32_t child)
{
	uint32_t next = index->places[child].end;

	return next < index->places[parent].end ? next : LOCATE_NONE;
}

const char *locate_key(const struct locate *index, uint32_t key, size_t *size)
{
	const char *text = index->text + index->places[key].offset + 1;
	size_t left = index->size - index->places[key].offset - 1;
	const char *quote = memchr(text, '"', left);

	*size = quote ? (size_t)(quote - text) : left;
	return text;
}

void locate_offset(const char *text, size_t offset, uint32_t *line, uint32_t *column)
{
	const char *line_start = text, *newline;

	*line = 1;
	while ((newline = memchr(line_start, '\n', (size_t)(text + offset - line_start)))) {
		line_start = newline + 1;
		++*line;
	}
	*column = (uint32_t)(text + offset - line_start) + 1;
}
