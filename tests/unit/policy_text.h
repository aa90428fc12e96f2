// SPDX-License-Identifier: MIT
/* Policies as texts, for the tests of policy/. */
#ifndef DSP_TEST_POLICY_TEXT_H
#define DSP_TEST_POLICY_TEXT_H

#include "policy/policy.h"

#define NOBODY "no-such-account-here"

/* Builders of texts. */
#define POLICY(rules)      "{\"version\": 1, \"rules\": [" rules "]}"
#define DEVICES(devices)   "{\"version\": 1, \"rules\": [], \"devices\": [" devices "]}"
#define DOMAINS(domains)   "{\"version\": 1, \"rules\": [], \"domains\": [" domains "]}"
#define RULE(action, more) "{\"name\": \"r\", \"action\": \"" action "\", " more "}"
#define ALLOW(match, more) RULE("allow", "\"match\": {" match "}, \"channels\": [\"d/s\"]" more)
#define CHANNELS(globs)    POLICY(RULE("allow", "\"match\": {\"users\": [1]}, \"channels\": " globs))
#define MATCH(match)       POLICY(ALLOW(match, ""))
#define LIMITS(limits)     POLICY(ALLOW("\"users\": [1]", ", \"limits\": " limits))
#define LIMIT(name, value) LIMITS("{\"" name "\": " value "}")
#define NAMED(name, action, match, globs)                                               \
	"{\"name\": \"" name "\", \"action\": \"" action "\", \"match\": {" match "}, " \
	"\"channels\": [" globs "]}"

struct warnings {
	struct policy_note last;
	size_t n;
};

/* For policy_load() and policy_parse(), with a struct warnings. */
void count_warning(const struct policy_note *note, void *userdata);

/* Parse what must be right and give no warning. */
struct policy *parse(const char *text);

/* Parse what must be wrong: there is no policy. Returns what policy_parse() does. */
int parse_error(const char *text, size_t size, struct policy_note *error);

/* Ask for a peer without supplementary groups. */
struct policy_decision decide(const struct policy *policy, uid_t uid, gid_t gid,
	const char *channel);

/* A ^ in a text is no part of it, but marks a place: take it out and tell where it was. */
void unmark(char *text, unsigned int *line, unsigned int *column);

/* The error of a text must stand at its mark, and must hold @says. */
void check_mistake(const char *marked, const char *says);

#endif
