// SPDX-License-Identifier: MIT
/*
 * Any bytes as a policy, peers and questions: the index finds the rule that going through all of
 * them does.
 *
 * Input: number of rules; for each, see add_rule(); then peers with one question each, until the
 * input ends, see ask().
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policy/policy.h"

#define RULES_MAX 24
#define LIST_MAX  40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool fact)
{
	if (!fact)
		abort();
}

/* What is left of the input; behind its end it is zeros. */
struct input {
	const uint8_t *data;
	size_t size;
};

static unsigned int take(struct input *input, unsigned int below)
{
	if (input->size == 0)
		return 0;
	input->size--;
	return *input->data++ % below;
}

/* The file as far as it is written. */
struct text {
	char bytes[1 << 18];
	size_t n;
};

static void __attribute__((format(printf, 2, 3))) put(struct text *text, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(text->bytes + text->n, sizeof(text->bytes) - text->n, format, arguments);
	va_end(arguments);
	require(n >= 0 && (size_t)n < sizeof(text->bytes) - text->n);
	text->n += (size_t)n;
}

/* At least one byte, at most @max. One byte of the input says how often the byte after it comes, so
 * that few bytes make long words. */
static void take_word(struct input *input, const char *alphabet, char *out, size_t max)
{
	const unsigned int runs = 1 + take(input, 6);
	size_t n = 0;

	for (unsigned int i = 0; i < runs; i++) {
		unsigned int repeat = take(input, 10);
		const char byte = alphabet[take(input, (unsigned int)strlen(alphabet))];

		repeat = repeat == 9 ? 24 : repeat / 3 + 1;
		for (; repeat > 0 && n < max; repeat--)
			out[n++] = byte;
	}
	out[n] = '\0';
}

/* Before a key. */
static const char *separator(const struct text *text)
{
	return text->bytes[text->n - 1] == '{' ? "" : ", ";
}

static void add_ids(struct input *input, struct text *text, const char *key)
{
	const unsigned int n = 1 + take(input, LIST_MAX);

	put(text, "%s\"%s\": [", separator(text), key);
	for (unsigned int i = 0; i < n; i++)
		put(text, "%s%u", i ? ", " : "", take(input, 8));
	put(text, "]");
}

/* Each of two words. */
static void add_globs(struct input *input, struct text *text, const char *key, const char *before,
	const char *between)
{
	const unsigned int n = take(input, 2) ? 1 + take(input, LIST_MAX) : 1;
	char one[48], other[48];

	put(text, "%s\"%s\": [", separator(text), key);
	for (unsigned int i = 0; i < n; i++) {
		take_word(input, "ab*?", one, 40);
		take_word(input, "ab*?", other, 40);
		put(text, "%s\"%s%s%s%s\"", i ? ", " : "", before, one, between, other);
	}
	put(text, "]");
}

static void add_match(struct input *input, struct text *text)
{
	const unsigned int keys = take(input, 64);

	put(text, "\"match\": {");
	if (keys & 1)
		add_ids(input, text, "users");
	if (keys & 2)
		add_ids(input, text, "groups");
	if (keys & 4)
		add_globs(input, text, "labels", "", "");
	if (keys & 8)
		add_globs(input, text, "snaps", "", "");
	if (keys & 16)
		add_globs(input, text, "executables", "/", "/");
	if ((keys & 31) == 0 || (keys & 33) == 32)
		put(text, "%s\"users\": [\"*\"]", separator(text));
	put(text, "}");
}

static void add_rule(struct input *input, struct text *text, unsigned int number)
{
	const unsigned int verbs = take(input, 1 << POLICY_VERBS);
	bool first = true;

	put(text, "%s{\"name\": \"r%u\", \"action\": \"%s\", ", number ? ",\n" : "", number,
		take(input, 3) == 0 ? "deny" : "allow");
	add_match(input, text);
	if (verbs) {
		put(text, ", \"verbs\": [");
		for (int verb = 0; verb < POLICY_VERBS; verb++) {
			if (!(verbs & 1u << verb))
				continue;
			put(text, "%s\"%s\"", first ? "" : ", ",
				policy_verb_name((enum policy_verb)verb));
			first = false;
		}
		put(text, "]");
	}
	add_globs(input, text, "channels", "", "/");
	put(text, "}");
}

struct told {
	struct policy_candidate last;
	bool matches;
};

static void listen(const struct policy_candidate *candidate, void *userdata)
{
	struct told *told = userdata;

	require(!told->matches);
	told->last = *candidate;
	told->matches = candidate->reason == POLICY_MATCHES;
}

static void compare(const struct policy *policy, const struct identity *who, enum policy_verb verb,
	const char *object)
{
	struct told told = {.matches = false};
	struct policy_decision decision;
	struct policy_limits limits;

	policy_explain(policy, who, verb, object, listen, &told);
	policy_decide(policy, who, verb, object, &decision);
	require(told.matches == (decision.file != NULL));
	require(!told.matches || told.last.rule == decision.rule);
	require(decision.allowed == (told.matches && told.last.allow));
	if (decision.allowed && verb == POLICY_OPEN)
		require(policy_budget(policy, who, &limits));
}

/* A peer, and what it wants. */
static void ask(struct input *input, const struct policy *policy)
{
	char label[64] = "", snap[64] = "", executable[160] = "/", object[160] = "";
	gid_t groups[80];
	struct identity who = {
		.pidfd = -1,
		.groups = groups,
		.facts = {[IDENTITY_LABEL] = label,
			[IDENTITY_SNAP] = snap,
			[IDENTITY_EXECUTABLE] = executable},
	};
	const enum policy_verb verb = (enum policy_verb)take(input, POLICY_VERBS);
	const bool ascending = take(input, 2);

	who.uid = take(input, 8);
	who.gid = take(input, 8);
	who.n_groups = take(input, ARRAY_SIZE(groups));
	for (size_t i = 0; i < who.n_groups; i++)
		groups[i] = ascending ? (gid_t)(i / 10) : take(input, 8);
	take_word(input, "ab", label, 40);
	take_word(input, "ab", snap, 40);
	take_word(input, "ab/", executable + 1, 120);
	take_word(input, "ab/*", object, 120);
	if (take(input, 8) == 0)
		who.facts[take(input, IDENTITY_FACTS)] = NULL;
	compare(policy, &who, verb, verb == POLICY_RELOAD ? NULL : object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct text text;
	struct input input = {data, size};
	const unsigned int n = take(&input, RULES_MAX + 1);
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	struct policy_note error;

	text.n = 0;
	put(&text, "{\"version\": 1, \"rules\": [");
	for (unsigned int i = 0; i < n; i++)
		add_rule(&input, &text, i);
	put(&text, "]}");
	require(policy_parse(&policy, "fuzz.json", text.bytes, text.n, &error, NULL, NULL) == 0);
	do
		ask(&input, policy);
	while (input.size > 0);
	return 0;
}
