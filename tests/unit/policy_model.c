// SPDX-License-Identifier: MIT
#include "tests/unit/policy_model.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define CHOOSE(from, state) (from)[model_random(state, ARRAY_SIZE(from))]

/* The words that policies and questions are made of: few, so that they meet. */

static const char *const user_words[] = {"*", "0", "1", "2", "3", "4", "5", "4294967294"};
static const char *const group_words[] = {"0", "1", "2", "7", "8", "1500", "2999", "4294967294"};
static const char *const verb_words[] = {"open", "list", "kick", "start", "stop", "reload"};
static const char *const direction_words[] = {"both", "send", "receive"};
static const char *const device_words[] = {
	"*", "cdsp", "adsp", "c*", "?dsp", "*sp", "*d*", "cdsp1"};
static const char *const service_words[] = {"*", "a", "ab", "abc", "a*", "*b", "?b", "a*c", "?",
	"??*", "a-name-of-more-than-twenty-bytes-1", "a-name-of-more-than-twenty-bytes-2*",
	"*-of-more-than-twenty-bytes-1", "**"};
static const char *const devices[] = {"cdsp", "adsp", "cdsp1", "c", "mdsp", "", "cdsp/a", "*"};
static const char *const services[] = {"a", "ab", "abc", "b", "c", "axc",
	"a-name-of-more-than-twenty-bytes-1", "a-name-of-more-than-twenty-bytes-2",
	"a-name-of-more-than-twenty-bytes-22", "", "a/b", "*"};

/* What rules may ask for, and what peers have. */
static const struct {
	const char *globs[6], *values[6];
} facts[IDENTITY_FACTS] = {
	[IDENTITY_LABEL] = {{"*", "system_u:*", "*:player_t", "floor", "f?oor", "/bin/x"},
		{"system_u:player_t", "user_u:player_t", "floor", "floor2", "_", "/bin/x"}},
	[IDENTITY_UNIT] = {{"*", "a.service", "a*.service", "*.scope", "b?.service", "a.*"},
		{"a.service", "ab.service", "a.scope", "b1.service", "session-1.scope",
			"b.service"}},
	[IDENTITY_USER_UNIT] = {{"*", "app-a.scope", "app-*", "app-*-1.scope", "*.service",
					"a*.scope"},
		{"app-a.scope", "app-b-1.scope", "app-a-1.scope", "x.service", "app-", "b.scope"}},
	[IDENTITY_SLICE] = {{"*", "a.slice", "app*", "*-1.slice", "?.slice", "**"},
		{"a.slice", "app.slice", "app-1.slice", "b.slice", "x-1.slice", "-.slice"}},
	[IDENTITY_EXECUTABLE] = {{"/usr/bin/a", "/usr/bin/*", "/opt/*/a", "/*/bin/?", "/usr/*/*",
					 "/a"},
		{"/usr/bin/a", "/usr/bin/b", "/opt/x/a", "/opt/y/b", "/a", "/usr/bin/sub/a"}},
	[IDENTITY_FLATPAK] = {{"*", "org.a.App", "org.*", "org.*.App", "org.b.?pp", "com.*"},
		{"org.a.App", "org.b.App", "com.a.App", "org.", "org.a.app", "x"}},
	[IDENTITY_SNAP] = {{"*", "a", "a*", "?", "*b", "a*b"}, {"a", "b", "ab", "aab", "ba", "c"}},
};

unsigned int model_random(uint64_t *state, unsigned int n)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (unsigned int)((*state >> 16) % n);
}

/* So many that a rule with two such lists has more pairs of their entries than are indexed. */
static void lengthen(struct model_list *list, uint64_t *state)
{
	const size_t few = list->n;

	list->n = 20 + model_random(state, MODEL_MANY - 20);
	for (size_t i = few; i < list->n; i++)
		list->items[i] = list->items[model_random(state, (unsigned int)few)];
}

static void make_list(struct model_list *out, const char *const *words, size_t n, uint64_t *state)
{
	out->n = 1 + model_random(state, MODEL_FEW);
	for (size_t i = 0; i < out->n; i++)
		out->items[i] = words[model_random(state, (unsigned int)n)];
}

/* Texts that outlive every policy: all channels that there can be. */
static const char *channel_text(const char *const *d, size_t n_d, const char *const *s, size_t n_s,
	char (*texts)[64], uint64_t *state)
{
	const size_t i = model_random(state, (unsigned int)n_d);
	const size_t k = model_random(state, (unsigned int)n_s);
	char *text = texts[i * n_s + k];

	snprintf(text, 64, "%s/%s", d[i], s[k]);
	return text;
}

static void make_channels(struct model_list *out, uint64_t *state)
{
	static char texts[ARRAY_SIZE(device_words) * ARRAY_SIZE(service_words)][64];

	out->n = 1 + model_random(state, MODEL_FEW);
	for (size_t i = 0; i < out->n; i++)
		out->items[i] = channel_text(device_words, ARRAY_SIZE(device_words), service_words,
			ARRAY_SIZE(service_words), texts, state);
}

/* A key that a file must not repeat, nor an entry of "verbs". */
static void make_verbs(struct model_list *out, uint64_t *state)
{
	const unsigned int mask = 1 + model_random(state, (1 << POLICY_VERBS) - 1);

	for (size_t i = 0; i < ARRAY_SIZE(verb_words); i++)
		if (mask & 1u << i)
			out->items[out->n++] = verb_words[i];
}

static bool has_word(const struct model_list *list, const char *word)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->items[i], word) == 0)
			return true;
	return false;
}

static bool has_verb(const struct model_rule *rule, enum policy_verb verb)
{
	return rule->verbs.n ? has_word(&rule->verbs, verb_words[verb])
			     : !rule->allow || verb == POLICY_OPEN;
}

static void make_match(struct model_rule *rule, bool plain, uint64_t *state)
{
	const unsigned int keys = plain ? 3 : 2 + IDENTITY_FACTS;

	do {
		for (unsigned int left = 1 + model_random(state, 2); left > 0; left--) {
			const unsigned int key = model_random(state, keys);

			if (key == 0)
				make_list(&rule->users, user_words, ARRAY_SIZE(user_words), state);
			else if (key == 1)
				make_list(&rule->groups, group_words, ARRAY_SIZE(group_words),
					state);
			else
				make_list(&rule->facts[key - 2], facts[key - 2].globs,
					ARRAY_SIZE(facts[0].globs), state);
		}
	} while (model_random(state, 4) == 0);
}

static void make_long(struct model_rule *rule, uint64_t *state)
{
	struct model_list *lists[3 + IDENTITY_FACTS] = {
		&rule->users, &rule->groups, &rule->channels};

	for (int fact = 0; fact < IDENTITY_FACTS; fact++)
		lists[3 + fact] = &rule->facts[fact];
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		if (lists[i]->n)
			lengthen(lists[i], state);
}

static void make_rule(struct model_rule *rule, enum model_kind kind, uint64_t *state)
{
	const bool plain = kind == MODEL_PLAIN;

	*rule = (struct model_rule){.allow = model_random(state, plain ? 5 : 4) != 0};
	make_match(rule, plain, state);
	make_channels(&rule->channels, state);
	if (kind == MODEL_LONG)
		make_long(rule, state);
	if (model_random(state, 2) == 0)
		make_verbs(&rule->verbs, state);
	if (!rule->allow || !has_verb(rule, POLICY_OPEN))
		return;
	rule->sessions = model_random(state, 3);
	rule->buffers = model_random(state, 4);
	rule->bytes = model_random(state, 4);
	rule->per_unit = model_random(state, 2) == 0;
	rule->methods = model_random(state, 4);
	if (model_random(state, 2) == 0)
		rule->direction = CHOOSE(direction_words, state);
}

void model_make_policy(struct model_policy *out, size_t n, enum model_kind kind, uint64_t *state)
{
	out->n = n;
	for (size_t i = 0; i < n; i++)
		make_rule(&out->rules[i], kind, state);
}

/* Few groups in any order, or thousands that ascend, or as many that do not. */
static void make_groups(struct model_peer *out, uint64_t *state)
{
	const unsigned int kind = model_random(state, 16);

	if (kind > 1) {
		out->n_groups = model_random(state, 5);
		for (size_t i = 0; i < out->n_groups; i++)
			out->groups[i] = (gid_t)strtoul(CHOOSE(group_words, state), NULL, 10);
		return;
	}
	out->n_groups = 65 + model_random(state, 3900);
	for (size_t i = 0; i < out->n_groups; i++)
		out->groups[i] = (gid_t)(kind == 0 ? i : out->n_groups - i);
}

void model_make_peer(struct model_peer *out, uint64_t *state)
{
	out->uid = (uid_t)strtoul(CHOOSE(user_words, state), NULL, 10);
	out->gid = (gid_t)strtoul(CHOOSE(group_words, state), NULL, 10);
	make_groups(out, state);
	for (int fact = 0; fact < IDENTITY_FACTS; fact++) {
		const unsigned int kind = model_random(state, 6);

		out->facts[fact] = kind == 0   ? NULL
				   : kind == 1 ? ""
					       : CHOOSE(facts[fact].values, state);
	}
}

const char *model_make_object(enum policy_verb verb, uint64_t *state)
{
	static char texts[ARRAY_SIZE(devices) * ARRAY_SIZE(services)][64];

	if (verb == POLICY_RELOAD)
		return NULL;
	if (verb == POLICY_START || verb == POLICY_STOP)
		return CHOOSE(devices, state);
	return channel_text(devices, ARRAY_SIZE(devices), services, ARRAY_SIZE(services), texts,
		state);
}

struct identity model_identity(const struct model_peer *peer)
{
	struct identity who = {
		.uid = peer->uid,
		.gid = peer->gid,
		.pidfd = -1,
		.groups = (gid_t *)peer->groups,
		.n_groups = peer->n_groups,
	};

	for (int fact = 0; fact < IDENTITY_FACTS; fact++)
		who.facts[fact] = (char *)peer->facts[fact];
	return who;
}

/* As a file. */

static void write_list(FILE *file, const char *before, const char *key,
	const struct model_list *list, bool numbers)
{
	if (list->n == 0)
		return;
	fprintf(file, "%s\"%s\": [", before, key);
	for (size_t i = 0; i < list->n; i++) {
		const char *quote = numbers && list->items[i][0] != '*' ? "" : "\"";

		fprintf(file, "%s%s%s%s", i ? ", " : "", quote, list->items[i], quote);
	}
	fputs("]", file);
}

static void write_match(FILE *file, const struct model_rule *rule)
{
	static const char *const keys[] = {
		[IDENTITY_LABEL] = "labels",
		[IDENTITY_UNIT] = "units",
		[IDENTITY_USER_UNIT] = "user_units",
		[IDENTITY_SLICE] = "slices",
		[IDENTITY_EXECUTABLE] = "executables",
		[IDENTITY_FLATPAK] = "flatpaks",
		[IDENTITY_SNAP] = "snaps",
	};
	const char *before = "";

	fputs(", \"match\": {", file);
	write_list(file, before, "users", &rule->users, true);
	before = rule->users.n ? ", " : before;
	write_list(file, before, "groups", &rule->groups, true);
	before = rule->groups.n ? ", " : before;
	for (int fact = 0; fact < IDENTITY_FACTS; fact++) {
		write_list(file, before, keys[fact], &rule->facts[fact], false);
		before = rule->facts[fact].n ? ", " : before;
	}
	fputs("}", file);
}

static void write_limits(FILE *file, const struct model_rule *rule)
{
	fprintf(file, ", \"limits\": {\"per\": \"%s\"", rule->per_unit ? "unit" : "user");
	if (rule->sessions)
		fprintf(file, ", \"sessions\": %u", rule->sessions);
	if (rule->buffers)
		fprintf(file, ", \"buffers\": %u", rule->buffers);
	if (rule->bytes)
		fprintf(file, ", \"bytes\": %u", rule->bytes);
	fputs("}", file);
}

static void write_rule(FILE *file, const struct model_rule *rule, size_t number)
{
	fprintf(file, "{\"name\": \"r%zu\", \"action\": \"%s\"", number,
		rule->allow ? "allow" : "deny");
	write_match(file, rule);
	write_list(file, ", ", "channels", &rule->channels, false);
	write_list(file, ", ", "verbs", &rule->verbs, false);
	if (rule->sessions || rule->buffers || rule->bytes || rule->per_unit)
		write_limits(file, rule);
	if (rule->methods)
		fprintf(file, ", \"methods\": [%u, \"%u-%u\"]", rule->methods, rule->methods + 2,
			rule->methods + 5);
	if (rule->direction)
		fprintf(file, ", \"direction\": \"%s\"", rule->direction);
	fputs("}", file);
}

char *model_text(const struct model_policy *policy)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		abort();
	fputs("{\"version\": 1, \"rules\": [\n", file);
	for (size_t i = 0; i < policy->n; i++) {
		write_rule(file, &policy->rules[i], i);
		fputs(i + 1 < policy->n ? ",\n" : "\n", file);
	}
	fputs("]}\n", file);
	fclose(file);
	return text;
}

static void expect_warning(const struct policy_note *note, void *userdata)
{
	(void)userdata;
	ck_assert_msg(strstr(note->text, "keeps nobody out who wants in") != NULL, "%s",
		note->text);
}

struct policy *model_parse(const char *text)
{
	struct policy *policy = NULL;
	struct policy_note error;
	int r = policy_parse(&policy, "t.json", text, strlen(text), &error, expect_warning, NULL);

	ck_assert_msg(r == 0, "%u:%u: %s", error.line, error.column, error.text);
	return policy;
}

/* What it means. */

static bool glob_matches(const char *glob, const char *text)
{
	if (*glob == '\0')
		return *text == '\0';
	if (*glob == '*')
		return glob_matches(glob + 1, text) ||
		       (*text != '\0' && *text != '/' && glob_matches(glob, text + 1));
	if (*text == '\0')
		return false;
	return (*glob == *text || (*glob == '?' && *text != '/')) &&
	       glob_matches(glob + 1, text + 1);
}

static bool is_id(const char *word, uint32_t id)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", id);
	return strcmp(word, text) == 0;
}

static bool users_match(const struct model_list *users, uid_t uid)
{
	for (size_t i = 0; i < users->n; i++)
		if (strcmp(users->items[i], "*") == 0 || is_id(users->items[i], uid))
			return true;
	return users->n == 0;
}

static bool groups_match(const struct model_list *groups, const struct model_peer *peer)
{
	for (size_t i = 0; i < groups->n; i++) {
		const gid_t group = (gid_t)strtoul(groups->items[i], NULL, 10);

		if (group == peer->gid)
			return true;
		for (size_t k = 0; k < peer->n_groups; k++)
			if (peer->groups[k] == group)
				return true;
	}
	return groups->n == 0;
}

static bool fact_matches(const struct model_list *globs, const char *fact)
{
	if (globs->n == 0)
		return true;
	if (!fact || strcmp(fact, "") == 0)
		return false;
	for (size_t i = 0; i < globs->n; i++)
		if (glob_matches(globs->items[i], fact))
			return true;
	return false;
}

static bool peer_matches(const struct model_rule *rule, const struct model_peer *peer)
{
	for (int fact = 0; fact < IDENTITY_FACTS; fact++)
		if (!fact_matches(&rule->facts[fact], peer->facts[fact]))
			return false;
	return users_match(&rule->users, peer->uid) && groups_match(&rule->groups, peer);
}

static bool channels_match(const struct model_list *channels, enum policy_verb verb,
	const char *object)
{
	for (size_t i = 0; i < channels->n; i++) {
		char glob[64];

		snprintf(glob, sizeof(glob), "%s", channels->items[i]);
		if (verb == POLICY_START || verb == POLICY_STOP)
			*strchr(glob, '/') = '\0';
		if (verb == POLICY_RELOAD || glob_matches(glob, object))
			return true;
	}
	return false;
}

bool model_matches(const struct model_rule *rule, const struct model_peer *peer,
	enum policy_verb verb, const char *object)
{
	return has_verb(rule, verb) && peer_matches(rule, peer) &&
	       channels_match(&rule->channels, verb, object);
}

int model_decide(const struct model_policy *policy, const struct model_peer *peer,
	enum policy_verb verb, const char *object)
{
	for (int allow = 0; allow <= 1; allow++)
		for (size_t i = 0; i < policy->n; i++)
			if (policy->rules[i].allow == allow &&
				model_matches(&policy->rules[i], peer, verb, object))
				return (int)i;
	return -1;
}

/* The largest value; *@by_unit: does a rule that gives it count by unit? */
static void take_larger(unsigned int *most, bool *by_unit, unsigned int value, bool per_unit)
{
	if (value > *most)
		*by_unit = per_unit;
	else if (value == *most)
		*by_unit = *by_unit || per_unit;
	*most = MAX(*most, value);
}

bool model_budget(const struct model_policy *policy, const struct model_peer *peer,
	struct model_budget *out)
{
	bool any = false, buffers_by_unit = false, bytes_by_unit = false;

	*out = (struct model_budget){.buffers = 0};
	for (size_t i = 0; i < policy->n; i++) {
		const struct model_rule *rule = &policy->rules[i];

		if (!rule->allow || !has_verb(rule, POLICY_OPEN) || !peer_matches(rule, peer))
			continue;
		any = true;
		take_larger(&out->buffers, &buffers_by_unit, rule->buffers, rule->per_unit);
		take_larger(&out->bytes, &bytes_by_unit, rule->bytes, rule->per_unit);
	}
	if (out->buffers && out->bytes)
		out->per_unit = buffers_by_unit && bytes_by_unit;
	else
		out->per_unit = (out->buffers && buffers_by_unit) || (out->bytes && bytes_by_unit);
	return any;
}
