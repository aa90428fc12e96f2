// SPDX-License-Identifier: MIT
#include "tests/bench/policy_rules.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "protocol/util.h"
#include "tests/bench/bench.h"
#include "tests/bench/sample.h"

#define RULES_A_FILE 500
#define IDS          5000 /* users, and groups, of which each is in several rules */
#define FIRST_ID     20000

/* Kinds of rules, in turn. '@' is the rule's number, '#' its user or group. */
static const struct {
	const char *rule;
	const char *channel; /* what such a rule is asked about */
} kinds[] = {
	/* Users: */
	{"\"action\": \"allow\", \"match\": {\"users\": [#]}, \"channels\": [\"cdsp/app-@\"]",
		"cdsp/app-@"},
	{"\"action\": \"allow\", \"match\": {\"users\": [#, 0]}, \"channels\": [\"cdsp/app-@\","
	 " \"adsp/app-@-*\"], \"limits\": {\"sessions\": 4, \"bytes\": \"64M\"}",
		"adsp/app-@-play"},
	{"\"action\": \"allow\", \"match\": {\"users\": [#]}, \"channels\": [\"soft0/*\"],"
	 " \"limits\": {\"sessions\": 8, \"calls\": 64, \"timeout_ms\": 2000}",
		"soft0/denoise"},
	{"\"action\": \"allow\", \"match\": {\"users\": [\"root\", #]},"
	 " \"channels\": [\"adsp/tool-@\"], \"priority\": \"low\"",
		"adsp/tool-@"},
	{"\"action\": \"deny\", \"match\": {\"users\": [#]}, \"channels\": [\"rpmsg0/update-@\"]",
		"rpmsg0/update-@"},
	/* Groups: */
	{"\"action\": \"allow\", \"match\": {\"groups\": [#]}, \"channels\": [\"cdsp/team-@-*\"],"
	 " \"share_domain\": \"team-@\"",
		"cdsp/team-@-encode"},
	{"\"action\": \"allow\", \"match\": {\"groups\": [#]}, \"channels\": [\"rpmsg0/bus-@\"],"
	 " \"exclusive\": true, \"limits\": {\"messages\": 256}",
		"rpmsg0/bus-@"},
	{"\"action\": \"deny\", \"match\": {\"groups\": [#]}, \"channels\": [\"*/debug-@\"]",
		"cdsp/debug-@"},
	/* Units and slices: */
	{"\"action\": \"allow\", \"match\": {\"units\": [\"app-@.service\"]},"
	 " \"channels\": [\"cdsp/*\", \"adsp/*\"], \"limits\": {\"per\": \"unit\", \"sessions\": "
	 "2}",
		"cdsp/vision"},
	{"\"action\": \"allow\", \"match\": {\"units\": [\"app-@.service\", \"app-@-*.service\"]},"
	 " \"channels\": [\"cdsp/unit-@\"], \"limits\": {\"calls_per_s\": 1000, \"burst\": 50}",
		"cdsp/unit-@"},
	{"\"action\": \"allow\", \"match\": {\"units\": [\"app-@.service\"], \"users\": [#]},"
	 " \"channels\": [\"rpmsg0/sensor-@\"], \"direction\": \"receive\"",
		"rpmsg0/sensor-@"},
	{"\"action\": \"allow\", \"match\": {\"user_units\": [\"app-org.example.App@-*.scope\"],"
	 " \"slices\": [\"app.slice\"]}, \"channels\": [\"cdsp/desk-@\"]",
		"cdsp/desk-@"},
	/* Programs: */
	{"\"action\": \"allow\", \"match\": {\"executables\": [\"/usr/lib/app-@/*\"]},"
	 " \"channels\": [\"cdsp/program-@\"], \"methods\": [2, \"4-9\"]",
		"cdsp/program-@"},
	{"\"action\": \"allow\", \"match\": {\"flatpaks\": [\"org.example.App@\"]},"
	 " \"channels\": [\"cdsp/*\"], \"limits\": {\"sessions\": 2}",
		"cdsp/filter"},
	{"\"action\": \"allow\", \"match\": {\"snaps\": [\"app-@\"]},"
	 " \"channels\": [\"cdsp/snap-@\"]",
		"cdsp/snap-@"},
	{"\"action\": \"deny\", \"match\": {\"labels\": [\"untrusted_@:*\"]},"
	 " \"channels\": [\"*/*\"]",
		"cdsp/vision"},
	/* Channels, for everybody: */
	{"\"action\": \"allow\", \"match\": {\"users\": [\"*\"]}, \"channels\": "
	 "[\"adsp/public-@\"]",
		"adsp/public-@"},
	{"\"action\": \"allow\", \"match\": {\"users\": [\"*\"]},"
	 " \"channels\": [\"cdsp/codec-@-?\", \"adsp/codec-@-?\"], \"share_domain\": \"codecs\"",
		"adsp/codec-@-2"},
	{"\"action\": \"deny\", \"match\": {\"users\": [\"*\"]}, \"channels\": [\"*/broken-@\"]",
		"cdsp/broken-@"},
	/* Administration: */
	{"\"action\": \"allow\", \"match\": {\"groups\": [#]}, \"channels\": [\"*/*\"],"
	 " \"verbs\": [\"list\", \"kick\"]",
		"cdsp/vision"},
};

static const char last_rule[] =
	"{\"name\": \"shared\", \"action\": \"allow\", \"match\": {\"users\": [\"*\"]},"
	" \"channels\": [\"" CHANNEL_SHARED "\"], \"share_domain\": \"bench\","
	" \"limits\": {\"sessions\": 1000, \"calls\": 64}}";

static uint32_t id_of(uint32_t number)
{
	return FIRST_ID + number * 7 % IDS;
}

/* Fill in the numbers. Cuts what has no room. */
static void expand(char *out, size_t size, const char *format, uint32_t number)
{
	size_t length = 0;

	for (; *format && length + 1 < size; format++) {
		if (*format == '@' || *format == '#')
			length += (size_t)snprintf(out + length, size - length, "%u",
				*format == '@' ? number : id_of(number));
		else
			out[length++] = *format;
	}
	out[MIN(length, size - 1)] = '\0';
}

/* Rules, policy. */

static void write_rule(FILE *file, uint32_t number, bool first)
{
	char text[512];

	expand(text, sizeof(text), kinds[number % ARRAY_SIZE(kinds)].rule, number);
	fprintf(file, "%s    {\"name\": \"rule-%u\", %s}", first ? "" : ",\n", number, text);
}

static void write_file(const char *directory, uint32_t first, uint32_t n, bool last)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%05u.json", directory, first);
	file = fopen(path, "we");
	must(file ? 0 : -errno, path);
	fputs("{\n  \"version\": 1,\n  \"rules\": [\n", file);
	for (uint32_t i = 0; i < n - last; i++)
		write_rule(file, first + i, i == 0);
	if (last)
		fprintf(file, "%s    %s", n > 1 ? ",\n" : "", last_rule);
	fputs("\n  ]\n}\n", file);
	must(ferror(file) || fclose(file) ? -errno : 0, path);
}

void policy_rules_write(const char *directory, uint32_t n)
{
	for (uint32_t first = 0; first < n; first += RULES_A_FILE)
		write_file(directory, first, MIN(n - first, RULES_A_FILE),
			n - first <= RULES_A_FILE);
}

/* Queries. */

void policy_query_make(struct policy_query *out, uint32_t number)
{
	static const char *const facts[IDENTITY_FACTS] = {
		[IDENTITY_LABEL] = "user_@:app",
		[IDENTITY_UNIT] = "app-@.service",
		[IDENTITY_USER_UNIT] = "app-org.example.App@-4711.scope",
		[IDENTITY_SLICE] = "app.slice",
		[IDENTITY_EXECUTABLE] = "/usr/lib/app-@/run",
		[IDENTITY_FLATPAK] = "org.example.App@",
		[IDENTITY_SNAP] = "app-@",
	};
	bool elsewhere = number / ARRAY_SIZE(kinds) % 4 == 3;

	memset(out, 0, sizeof(*out));
	out->who.uid = out->who.gid = id_of(number);
	out->who.pidfd = -1;
	for (uint32_t i = 0; i < POLICY_GROUPS; i++)
		out->groups[i] = id_of(number + i * 31);
	out->who.groups = out->groups;
	out->who.n_groups = POLICY_GROUPS;
	for (int fact = 0; fact < IDENTITY_FACTS; fact++) {
		expand(out->texts[fact], sizeof(out->texts[fact]), facts[fact], number);
		out->who.facts[fact] = out->texts[fact];
	}
	expand(out->channel, sizeof(out->channel), kinds[number % ARRAY_SIZE(kinds)].channel,
		elsewhere ? number + 1 : number);
}
