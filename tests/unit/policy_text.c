// SPDX-License-Identifier: MIT
#include "tests/unit/policy_text.h"

#include <check.h>
#include <string.h>

void count_warning(const struct policy_note *note, void *userdata)
{
	struct warnings *warnings = userdata;

	warnings->last = *note;
	warnings->n++;
}

struct policy *parse(const char *text)
{
	struct warnings warnings = {.n = 0};
	struct policy_note error;
	struct policy *policy = NULL;
	int r = policy_parse(&policy, "t.json", text, strlen(text), &error, count_warning,
		&warnings);

	ck_assert_msg(r == 0, "%u:%u: %s", error.line, error.column, error.text);
	ck_assert_msg(warnings.n == 0, "%s", warnings.last.text);
	return policy;
}

int parse_error(const char *text, size_t size, struct policy_note *error)
{
	struct policy *policy = NULL;
	int r = policy_parse(&policy, "t.json", text, size, error, NULL, NULL);

	ck_assert_ptr_null(policy);
	return r;
}

struct policy_decision decide(const struct policy *policy, uid_t uid, gid_t gid,
	const char *channel)
{
	struct identity who = {.uid = uid, .gid = gid};
	struct policy_decision decision;

	policy_decide(policy, &who, POLICY_OPEN, channel, &decision);
	return decision;
}

void unmark(char *text, unsigned int *line, unsigned int *column)
{
	char *mark = strchr(text, '^');

	ck_assert_ptr_nonnull(mark);
	*line = *column = 1;
	for (const char *at = text; at < mark; at++) {
		*column = *at == '\n' ? 1 : *column + 1;
		*line += *at == '\n';
	}
	memmove(mark, mark + 1, strlen(mark));
}

void check_mistake(const char *marked, const char *says)
{
	_cleanup_(freep) char *text = strdup(marked);
	struct policy_note error;
	unsigned int line, column;

	unmark(text, &line, &column);
	ck_assert_int_eq(parse_error(text, strlen(text), &error), -EINVAL);
	ck_assert_msg(strstr(error.text, says), "%s says: %s", text, error.text);
	ck_assert_msg(error.line == line && error.column == column, "%s: %s: %u:%u, not %u:%u",
		text, error.text, error.line, error.column, line, column);
	ck_assert_str_eq(error.file, "t.json");
}
