// SPDX-License-Identifier: MIT
#include "tests/unit/log_rig.h"

#include <check.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "daemon/log.h"

static int log_fd = -1, before = -1;

void log_rig_begin(void)
{
	log_fd = memfd_create("log", MFD_CLOEXEC);
	before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	ck_assert_int_ge(log_fd, 0);
	ck_assert_int_eq(fcntl(log_fd, F_SETFL, O_APPEND), 0);
	ck_assert_int_eq(dup2(log_fd, STDERR_FILENO), STDERR_FILENO);
	unsetenv("JOURNAL_STREAM");
	log_init();
}

void log_rig_end(void)
{
	dup2(before, STDERR_FILENO);
	before = fd_close(before);
	log_fd = fd_close(log_fd);
}

/* All that was written, to be freed. */
static char *text(void)
{
	struct stat st;
	char *out;

	ck_assert_int_eq(fstat(log_fd, &st), 0);
	out = calloc(1, (size_t)st.st_size + 1);
	ck_assert_ptr_nonnull(out);
	ck_assert_int_eq(pread(log_fd, out, (size_t)st.st_size, 0), st.st_size);
	ck_assert_uint_eq(strlen(out), (size_t)st.st_size);
	ck_assert(!st.st_size || out[st.st_size - 1] == '\n');
	return out;
}

size_t log_rig_lines(void)
{
	_cleanup_(freep) char *all = text();
	size_t n = 0;

	for (const char *c = all; *c; c++)
		n += *c == '\n';
	return n;
}

const char *log_rig_line(size_t i)
{
	static char line[16384];
	_cleanup_(freep) char *all = text();
	char *next = all, *one = NULL;

	for (size_t n = 0; n <= i; n++)
		one = strsep(&next, "\n");
	ck_assert_msg(one && next, "there is no line %zu", i);
	ck_assert_uint_lt(strlen(one), sizeof(line));
	return strcpy(line, one);
}

struct json_object *log_rig_entry(size_t i)
{
	const char *line = log_rig_line(i);
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *entry;

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	entry = json_tokener_parse_ex(tokener, line, (int)strlen(line) + 1);
	ck_assert_msg(json_object_is_type(entry, json_type_object), "%s", line);
	json_tokener_free(tokener);
	return entry;
}

const char *log_rig_field(struct json_object *entry, const char *name)
{
	return json_object_get_string(json_object_object_get(entry, name));
}
