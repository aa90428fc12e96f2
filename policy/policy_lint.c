// SPDX-License-Identifier: MIT
/*
 * What in a policy is legal but hardly meant. Only what is certain is said: that one rule covers
 * another is concluded from their lists, entry by entry, so what several rules cover only together
 * is not found. Comparing takes time in the square of what there is, so it has an end.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policy/match.h"
#include "policy/reader.h"

/* Some seconds. Ten thousand rules take a small part of it, or a thousand entries in a list. */
#define STEPS_MAX 400000000

struct lint {
	const struct policy *policy;
	void (*warn)(const struct policy_note *note, void *userdata);
	void *userdata;
	uint64_t steps; /* that have been taken: about a comparison of two characters each */
	bool said_so;   /* that these are too many */
};

static const char *text_at(const struct lint *lint, uint32_t offset)
{
	return lint->policy->texts + offset;
}

/* From then on nothing is found to cover anything. */
static bool is_tired(const struct lint *lint)
{
	return lint->steps > STEPS_MAX;
}

/* Does the wider rule match whatever the narrower one does? */

/* Ids ascend, see match_seal(). */
static bool ids_cover(struct lint *lint, struct policy_span wide, struct policy_span narrow)
{
	const uint32_t *ids = lint->policy->ids;
	uint32_t i = 0;

	for (uint32_t k = 0; k < narrow.n; k++) {
		for (; i < wide.n && ids[wide.first + i] < ids[narrow.first + k]; i++)
			lint->steps++;
		lint->steps++;
		if (i == wide.n || ids[wide.first + i] != ids[narrow.first + k])
			return false;
	}
	return true;
}

static bool users_cover(struct lint *lint, const struct policy_rule *wide,
	const struct policy_rule *narrow)
{
	return wide->any_user || (!narrow->any_user && ids_cover(lint, wide->users, narrow->users));
}

static bool groups_cover(struct lint *lint, const struct policy_rule *wide,
	const struct policy_rule *narrow)
{
	return wide->any_group ||
	       (!narrow->any_group && ids_cover(lint, wide->groups, narrow->groups));
}

/* Most pairs differ before the first wildcard, which is soon seen. */
static bool glob_covers(struct lint *lint, const char *wide, const char *narrow)
{
	const size_t prefix = policy_glob_prefix(wide);

	lint->steps += prefix + 1;
	if (strncmp(wide, narrow, prefix) != 0)
		return false;
	if (!wide[prefix])
		return !narrow[prefix];
	lint->steps += strlen(wide) * strlen(narrow);
	return policy_glob_covers(wide, narrow);
}

/* A glob, or of a channel's the part before its '/' alone. */
static bool part_covers(struct lint *lint, const char *wide, const char *narrow,
	enum match_kind kind)
{
	char parts[2][POLICY_GLOB_MAX + 1] = {"", ""};

	if (kind != MATCH_DEVICE)
		return glob_covers(lint, wide, narrow);
	lint->steps += sizeof(parts);
	strncat(parts[0], wide, MIN(strcspn(wide, "/"), sizeof(parts[0]) - 1));
	strncat(parts[1], narrow, MIN(strcspn(narrow, "/"), sizeof(parts[1]) - 1));
	return glob_covers(lint, parts[0], parts[1]);
}

static bool some_glob_covers(struct lint *lint, struct policy_span wide, const char *narrow,
	enum match_kind kind)
{
	const char *glob = text_at(lint, wide.first);

	for (uint32_t i = 0; i < wide.n && !is_tired(lint); i++, glob += strlen(glob) + 1)
		if (part_covers(lint, glob, narrow, kind))
			return true;
	return false;
}

static bool globs_cover(struct lint *lint, struct policy_span wide, struct policy_span narrow,
	enum match_kind kind)
{
	const char *glob = text_at(lint, narrow.first);

	for (uint32_t i = 0; i < narrow.n; i++, glob += strlen(glob) + 1)
		if (!some_glob_covers(lint, wide, glob, kind))
			return false;
	return true;
}

static bool facts_cover(struct lint *lint, const struct policy_rule *wide,
	const struct policy_rule *narrow)
{
	for (int fact = 0; fact < IDENTITY_FACTS; fact++) {
		const struct policy_span asked = wide->facts[fact];

		if (asked.n && !narrow->facts[fact].n)
			return false;
		if (asked.n && !globs_cover(lint, asked, narrow->facts[fact], MATCH_CHANNEL))
			return false;
	}
	return true;
}

/* For each kind of object that the narrower rule is about. */
static bool channels_cover(struct lint *lint, const struct policy_rule *wide,
	const struct policy_rule *narrow)
{
	bool about[MATCH_KINDS] = {false};

	for (int verb = 0; verb < POLICY_VERBS; verb++)
		if (narrow->verbs & 1u << verb)
			about[match_kind((enum policy_verb)verb)] = true;
	for (int kind = 0; kind < MATCH_NOTHING; kind++)
		if (about[kind] &&
			!globs_cover(lint, wide->channels, narrow->channels, (enum match_kind)kind))
			return false;
	return true;
}

static bool covers(struct lint *lint, const struct policy_rule *wide,
	const struct policy_rule *narrow)
{
	lint->steps++;
	return !(narrow->verbs & ~wide->verbs) && users_cover(lint, wide, narrow) &&
	       groups_cover(lint, wide, narrow) && facts_cover(lint, wide, narrow) &&
	       channels_cover(lint, wide, narrow);
}

/* What is said. */

static void _printf_(3, 4)
	say(const struct lint *lint, const struct policy_rule *rule, const char *format, ...)
{
	struct policy_note note;
	char text[sizeof(note.text)];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	policy_note(&note, text_at(lint, rule->file), rule->line, rule->column, "%s", text);
	lint->warn(&note, lint->userdata);
}

/* Does it match nobody, since no name in a list of it is anybody's? */
static bool is_for_nobody(const struct policy_rule *rule)
{
	return (!rule->any_user && rule->users.n == 0) || (!rule->any_group && rule->groups.n == 0);
}

static void say_covered(struct lint *lint, const struct policy_rule *rule,
	const struct policy_rule *by, bool by_deny, bool allow)
{
	say(lint, rule, "rule %s is never decisive: rule %s (%s:%u) %s all that it %s",
		text_at(lint, rule->name), text_at(lint, by->name), text_at(lint, by->file),
		by->line, by_deny && allow ? "denies" : "comes first and matches",
		by_deny && allow ? "allows" : "does");
}

/* The first of the first @n rules that covers it, or NULL. */
static const struct policy_rule *covered_by(struct lint *lint, const struct policy_rules *rules,
	size_t n, const struct policy_rule *rule)
{
	for (size_t i = 0; i < n && !is_tired(lint); i++)
		if (covers(lint, &rules->items[i], rule))
			return &rules->items[i];
	return NULL;
}

/* Entries that change nothing. */

static void lint_ids(struct lint *lint, const struct policy_rule *rule, const char *key,
	struct policy_span span)
{
	const uint32_t *ids = lint->policy->ids;

	for (uint32_t i = 1; i < span.n; i++) {
		const uint32_t id = ids[span.first + i];
		const bool again = i > 1 && ids[span.first + i - 2] == id;

		if (ids[span.first + i - 1] == id && !again)
			say(lint, rule, "rule %s: %s has %u more than once",
				text_at(lint, rule->name), key, id);
	}
}

/* Another entry of the list that matches all that this one does; of equal ones the first is no
 * other's. */
static const char *redundant(struct lint *lint, struct policy_span span, const char *glob)
{
	const char *other = text_at(lint, span.first);

	for (uint32_t i = 0; i < span.n && !is_tired(lint); i++, other += strlen(other) + 1)
		if (other != glob && glob_covers(lint, other, glob) &&
			(other < glob || !glob_covers(lint, glob, other)))
			return other;
	return NULL;
}

static void lint_globs(struct lint *lint, const struct policy_rule *rule, const char *key,
	struct policy_span span)
{
	const char *glob = text_at(lint, span.first);

	for (uint32_t i = 0; i < span.n; i++, glob += strlen(glob) + 1) {
		const char *other = redundant(lint, span, glob);

		if (other && strcmp(other, glob) == 0)
			say(lint, rule, "rule %s: %s has \"%s\" more than once",
				text_at(lint, rule->name), key, glob);
		else if (other)
			say(lint, rule, "rule %s: in %s, \"%s\" is part of \"%s\"",
				text_at(lint, rule->name), key, glob, other);
	}
}

/* Said where it happens; what takes no comparing goes on. */
static void say_tired(struct lint *lint, const struct policy_rule *rule)
{
	if (lint->said_so || !is_tired(lint))
		return;
	say(lint, rule, "too many rules to compare all of them: from rule %s on they are not",
		text_at(lint, rule->name));
	lint->said_so = true;
}

static void lint_rule(struct lint *lint, const struct policy_rule *rule)
{
	if (is_for_nobody(rule))
		say(lint, rule, "rule %s matches nobody", text_at(lint, rule->name));
	lint_ids(lint, rule, "users", rule->users);
	lint_ids(lint, rule, "groups", rule->groups);
	lint_globs(lint, rule, "channels", rule->channels);
	for (int fact = 0; fact < IDENTITY_FACTS; fact++)
		lint_globs(lint, rule, identity_fact_key((enum identity_fact)fact),
			rule->facts[fact]);
}

void policy_lint(const struct policy *policy,
	void (*warn)(const struct policy_note *note, void *userdata), void *userdata)
{
	struct lint lint = {.policy = policy, .warn = warn, .userdata = userdata};
	const struct policy_rules *denies = &policy->denies, *allows = &policy->allows;
	const struct policy_rule *by;

	for (size_t i = 0; i < denies->n; i++) {
		const struct policy_rule *rule = &denies->items[i];

		lint_rule(&lint, rule);
		by = is_for_nobody(rule) ? NULL : covered_by(&lint, denies, i, rule);
		if (by)
			say_covered(&lint, rule, by, true, false);
		say_tired(&lint, rule);
	}
	for (size_t i = 0; i < allows->n; i++) {
		const struct policy_rule *rule = &allows->items[i];
		bool denied = true;

		lint_rule(&lint, rule);
		by = is_for_nobody(rule) ? NULL : covered_by(&lint, denies, denies->n, rule);
		if (!by && !is_for_nobody(rule)) {
			by = covered_by(&lint, allows, i, rule);
			denied = false;
		}
		if (by)
			say_covered(&lint, rule, by, denied, true);
		say_tired(&lint, rule);
	}
}
