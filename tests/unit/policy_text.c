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

struct policy_decision decide(const struct policy *policy, uid_t uid, gid_t gid,
	const char *channel)
{
	struct identity who = {.uid = uid, .gid = gid};
	struct policy_decision decision;

	policy_decide(policy, &who, channel, &decision);
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
