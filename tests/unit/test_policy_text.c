// SPDX-License-Identifier: MIT
/* What is wrong in a policy file is refused, where it stands. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "policy/compiled.h"
#include "policy/policy.h"
#include "tests/suite.h"
#include "tests/unit/policy_text.h"

#define MORE(more) POLICY(ALLOW("\"users\": [1]", ", " more))
#define DENY(more) RULE("deny", "\"match\": {\"users\": [1]}, \"channels\": [\"d/s\"], " more)

/* The mark shows where the error is. */
static const struct {
	const char *text, *says;
} mistakes[] = {
	/* no JSON */
	{"^", "ends too early"},
	{"   ^", "ends too early"},
	{"{\"version\": 1, \"rules\": []^", "ends too early"},
	{"{\"version\": 1, \"rules\": [^}", "unexpected"},
	{"{\"version\": 1, \"rules\": [],^}", "unexpected"},
	{POLICY("") " ^x", "unexpected"},
	{POLICY("") "^{}", "unexpected"},
	{"{\"version\": 1 ^\"rules\": []}", "','"},
	{"{\"version\" ^1}", "':'"},
	{"{\"version\": 1, ^/* no */ \"rules\": []}", "quoted object property name"},
	{"{\"version\": 1, \"rules\": [^'a']}", "unexpected"},
	{"{^'version': 1, \"rules\": []}", "double quotes"},
	{"{\"version\": 1, \"rules\": [\"a^\nb\"]}", "control character"},
	{"{\"version\": 1, \"rules\": [\"a^\xff\"]}", "utf-8"},
	{"^\xef\xbb\xbf{}", "utf-8"},
	{"{\"a\": [[[[[[[^1]]]]]]]}", "deep"},

	/* the file as a whole */
	{"^[]", "a policy must be an object, not a list"},
	{"^null ", "a policy must be an object, not null"},
	{"^\"x\" ", "a policy must be an object, not a string"},
	{"^{}", "a policy must have \"version\""},
	{"^{\"version\": 1}", "a policy must have \"rules\""},
	{" \n ^{\"rules\": []}", "a policy must have \"version\""},
	{"{\"version\": ^2, \"rules\": []}", "version must be 1"},
	{"{\"version\": ^1.0, \"rules\": []}", "version must be a whole number"},
	{"{\"version\": ^\"1\", \"rules\": []}", "not a string"},
	{"{\"version\": 1, \"rules\": ^{}}", "rules must be a list, not an object"},
	{"{\"version\": 1, \"rules\": ^null}", "rules must be a list, not null"},
	{"{\"version\": 1, \"rules\": [], ^\"rulez\": []}",
		"unknown key \"rulez\"; did you mean \"rules\"?"},
	{"{\"version\": 1, \"rules\": [],\n\t^\"version\": 1}", "duplicate key \"version\""},
	{"{^\"\\u0076ersion\": 1, \"rules\": []}", "unknown key \"\\u0076ersion\""},
	{"{\"\x7f^\x1b]0;x\": 1, \"rules\": []}", "control character"},
	{"{\"version\": 1, ^\"r\xc3\xa4ules\": []}", "unknown key \"r??ules\""},
	{"{\"version\": 1, ^\"\": []}",
		"unknown key \"\"; a policy may have version, rules, devices, domains"},

	/* a rule */
	{POLICY("^1"), "a rule must be an object, not a whole number"},
	{POLICY("^null"), "a rule must be an object, not null"},
	{POLICY("^{}"), "a rule must have \"name\""},
	{POLICY("^{\"name\": \"r\"}"), "a rule must have \"action\""},
	{POLICY(RULE("allow", "\"match\": {\"users\": [1]}, \"channels\": [\"d/s\"], ^\"x\": 1")),
		"a rule may have name, action, match, verbs, channels, methods, direction, "
		"share_domain, domain, exclusive, overflow, priority, weight, limits"},
	{POLICY(RULE("allow", "^\"chanels\": 1")),
		"unknown key \"chanels\"; did you mean \"channels\"?"},
	{POLICY(RULE("allow", "^\"Match\": 1")), "did you mean \"match\"?"},
	{POLICY(RULE("allow", "^\"share-domain\": 1")), "did you mean \"share_domain\"?"},
	{POLICY(RULE("allow", "^\"cahnnels\": 1")), "did you mean \"channels\"?"},
	{POLICY(RULE("allow", "^\"users\": 1")), "a rule may have name"},
	{POLICY(RULE("allow", "^\"action\": \"deny\"")), "duplicate key \"action\""},
	{POLICY("^" RULE("allow", "\"channels\": [\"d/s\"]")), "must have \"match\""},
	{POLICY("^" RULE("allow", "\"match\": {\"users\": [1]}")), "must have \"channels\""},
	{POLICY(ALLOW("\"users\": [1]", "") ",\n  ^{}"), "a rule must have \"name\""},

	/* name, action, share_domain, exclusive, overflow, priority, weight */
	{POLICY("{\"name\": ^7, \"action\": 1, \"match\": 1, \"channels\": 1}"),
		"not a whole number"},
	{POLICY(NAMED("a", "allow", "\"users\": [1]",
		 "\"d/s\"") ", {\"name\": ^\"a\", "
			    "\"action\": \"allow\", \"match\": {\"users\": [1]}, \"channels\": "
			    "[\"d/s\"]}"),
		"name is already that of the rule in t.json:1"},
	{POLICY("{\"name\": \"r\", \"action\": ^\"permit\", \"match\": 1, \"channels\": 1}"),
		"action must be \"allow\" or \"deny\""},
	{POLICY("{\"name\": \"r\", \"action\": ^true, \"match\": 1, \"channels\": 1}"),
		"action must be a string, not true or false"},
	{POLICY("{\"name\": \"r\", \"action\": ^\"allow\\u0000\", \"match\": 1, \"channels\": 1}"),
		"action must be \"allow\" or \"deny\""},
	{POLICY("{\"name\": ^\"r\\u0000\", \"action\": 1, \"match\": 1, \"channels\": 1}"),
		"letters, digits"},
	{POLICY(ALLOW("\"users\": [1]", ", \"share_domain\": ^\"a b\"")), "letters, digits"},
	{POLICY(ALLOW("\"users\": [1]", ", \"share_domain\": ^\"\"")), "must not be empty"},
	{POLICY(RULE("deny", "\"match\": {\"users\": [1]}, \"channels\": [\"d/s\"], "
			     "^\"share_domain\": \"x\"")),
		"share_domain is for rules that allow"},
	{POLICY(RULE("deny", "^\"limits\": {}, \"match\": {\"users\": [1]}, "
			     "\"channels\": [\"d/s\"]")),
		"limits is for rules that allow"},

	/* verbs */
	{MORE("\"verbs\": ^\"open\""), "verbs must be a list, not a string"},
	{MORE("\"verbs\": ^[]"), "verbs must not be empty"},
	{MORE("\"verbs\": [^1]"), "verbs must be a string, not a whole number"},
	{MORE("\"verbs\": [^\"close\"]"),
		"verbs must be \"open\", \"list\", \"kick\", \"start\", \"stop\" or \"reload\""},
	{MORE("\"verbs\": [\"open\", ^\"lst\"]"),
		"verbs cannot be \"lst\"; did you mean \"list\"?"},
	{MORE("\"verbs\": [^\"open\\u0000\"]"), "verbs must be"},
	{MORE("\"verbs\": [\"kick\", ^\"kick\"]"), "\"kick\" is among the verbs already"},
	{MORE("\"verbs\": [\"list\"], ^\"limits\": {}"),
		"limits is for rules that allow \"open\", which is not among the verbs"},
	{MORE("^\"limits\": {}, \"verbs\": [\"list\"]"), "limits is for rules that allow \"open\""},
	{MORE("\"verbs\": [\"list\"], ^\"methods\": [1]"), "methods is for rules that allow \"op"},
	{MORE("\"verbs\": [\"list\"], ^\"weight\": 1"), "weight is for rules that allow \"open\""},
	{MORE("\"verbs\": [\"list\"], ^\"domain\": \"x\""), "domain is for rules that allow"},
	{POLICY(DENY("\"verbs\": [\"open\"], ^\"direction\": \"send\"")),
		"direction is for rules that allow"},

	/* methods, direction */
	{MORE("\"methods\": ^3"), "methods must be a list, not a whole number"},
	{MORE("\"methods\": ^[]"), "methods must not be empty"},
	{MORE("\"methods\": [^1.5]"),
		"methods must be whole numbers and ranges like \"2-5\", not a number with"},
	{MORE("\"methods\": [^null]"), "methods must be whole numbers and ranges"},
	{MORE("\"methods\": [0, ^-1]"), "methods must be from 0 to 4294967295"},
	{MORE("\"methods\": [^4294967296]"), "methods must be from 0 to 4294967295"},
	{MORE("\"methods\": [^\"\"]"), "must not be empty"},
	{MORE("\"methods\": [^\"5\"]"), "a range of methods must be like \"2-5\""},
	{MORE("\"methods\": [^\"2-\"]"), "must be like"},
	{MORE("\"methods\": [^\"-2\"]"), "must be like"},
	{MORE("\"methods\": [^\"2-5-7\"]"), "must be like"},
	{MORE("\"methods\": [^\"2 - 5\"]"), "must be like"},
	{MORE("\"methods\": [^\"0x2-5\"]"), "must be like"},
	{MORE("\"methods\": [^\"02-5\"]"), "must be like"},
	{MORE("\"methods\": [^\"2-5\\u0000\"]"), "NUL"},
	{MORE("\"methods\": [^\"0-4294967296\"]"), "numbers from 0 to 4294967295"},
	{MORE("\"methods\": [^\"0-99999999999\"]"), "numbers from 0 to 4294967295"},
	{MORE("\"methods\": [^\"18446744073709551616-2\"]"), "at most 21 bytes"},
	{MORE("\"methods\": [^\"5-2\"]"), "the range \"5-2\" ends before it begins"},
	{MORE("\"direction\": ^\"in\""), "direction must be \"both\", \"send\" or \"receive\""},
	{MORE("\"direction\": ^\"recieve\""), "did you mean \"receive\"?"},
	{MORE("\"direction\": ^1"), "direction must be a string"},

	{MORE("\"exclusive\": ^1"), "exclusive must be true or false, not a whole number"},
	{MORE("\"exclusive\": ^\"true\""), "exclusive must be true or false, not a string"},
	{MORE("\"exclusive\": ^null"), "exclusive must be true or false, not null"},
	{MORE("\"exclusive\": true, ^\"exclusive\": true"), "duplicate key \"exclusive\""},
	{POLICY(DENY("^\"exclusive\": false")), "exclusive is for rules that allow"},
	{MORE("\"overflow\": ^\"keep\""), "overflow must be \"drop\" or \"close\""},
	{MORE("\"overflow\": ^\"\""), "overflow must be \"drop\" or \"close\""},
	{MORE("\"overflow\": ^\"drop\\u0000\""), "overflow must be \"drop\" or \"close\""},
	{MORE("\"overflow\": ^false"), "overflow must be a string, not true or false"},
	{POLICY(DENY("^\"overflow\": \"drop\"")), "overflow is for rules that allow"},
	{MORE("\"priority\": ^\"urgent\""), "priority must be \"high\", \"normal\" or \"low\""},
	{MORE("\"priority\": ^\"High\""), "priority cannot be \"High\"; did you mean \"high\"?"},
	{MORE("\"priority\": ^\"nromal\""), "did you mean \"normal\"?"},
	{MORE("\"priority\": ^0"), "priority must be a string, not a whole number"},
	{MORE("\"priority\": ^\"low\\u0000\""), "priority must be \"high\", \"normal\" or"},
	{MORE("\"priority\": \"low\", ^\"priority\": \"low\""), "duplicate key \"priority\""},
	{POLICY(DENY("^\"priority\": \"low\"")), "priority is for rules that allow"},
	{MORE("\"weight\": ^0"), "weight must be from 1 to 1000"},
	{MORE("\"weight\": ^1001"), "weight must be from 1 to 1000"},
	{MORE("\"weight\": ^-1"), "weight must be from 1 to 1000"},
	{MORE("\"weight\": ^4294967396"), "weight must be from 1 to 1000"},
	{MORE("\"weight\": ^0.5"), "weight must be a whole number, not a number with"},
	{MORE("\"weight\": ^\"100\""), "weight must be a whole number, not a string"},
	{MORE("\"weight\": 1,\n ^\"weight\": 1"), "duplicate key \"weight\""},
	{POLICY(DENY("^\"weight\": 100")), "weight is for rules that allow"},

	/* match */
	{POLICY(RULE("allow", "\"match\": ^{}, \"channels\": [\"d/s\"]")), "match must say whom"},
	{POLICY(RULE("allow", "\"match\": ^[], \"channels\": [\"d/s\"]")),
		"match must be an object"},
	{MATCH("^\"user\": [1]"), "unknown key \"user\"; did you mean \"users\"?"},
	{MATCH("^\"pid\": [1]"),
		"match may have users, groups, labels, units, user_units, slices, executables, "
		"flatpaks, snaps"},
	{MATCH("\"users\": [^\"*\\u0000nobody\"]"), "users must not hold a NUL byte"},
	{MATCH("\"labels\": ^\"x\""), "labels must be a list, not a string"},
	{MATCH("\"labels\": ^[]"), "labels must not be empty"},
	{MATCH("\"labels\": [^1]"), "labels must be a string, not a whole number"},
	{MATCH("\"labels\": [\"a\", ^\"\"]"), "labels must not be empty"},
	{MATCH("\"labels\": [^\"a\\nb\"]"), "a label holds no control character"},
	{MATCH("\"labels\": [^\"a\\u0000b\"]"), "NUL"},
	{MATCH("\"units\": [^\"player\"]"), "must end in .service, .scope,"},
	{MATCH("\"units\": [^\".service\"]"), "must end in .service, .scope,"},
	{MATCH("\"units\": [^\"app.slice\"]"), "must end in .service, .scope,"},
	{MATCH("\"units\": [^\"a/b.service\"]"), "a unit's name may hold letters"},
	{MATCH("\"user_units\": [\"*\", ^\"player\"]"), "must end in .service, .scope,"},
	{MATCH("\"slices\": [^\"app.service\"]"), "must end in .slice or *"},
	{MATCH("\"executables\": [^\"player\"]"), "executables must be absolute"},
	{MATCH("\"executables\": [^\"*/player\"]"), "executables must be absolute"},
	{MATCH("\"executables\": [^\"/usr//bin/player\"]"), "executables must be absolute"},
	{MATCH("\"executables\": [^\"/usr/bin/\"]"), "executables must be absolute"},
	{MATCH("\"flatpaks\": [^\"org/example\"]"), "flatpaks may hold letters"},
	{MATCH("\"snaps\": [^\"a b\"]"), "snaps may hold letters"},
	{MATCH("\"snaps\": [\"a\"], ^\"snaps\": [\"b\"]"), "duplicate key \"snaps\""},
	{POLICY(RULE("deny", "\"match\": {\"units\": [^\"player\"]}, \"channels\": [\"d/s\"]")),
		"must end in .service"},
	{MATCH("\"users\": [1], ^\"users\": [2]"), "duplicate key \"users\""},
	{MATCH("\"users\": ^[]"), "users must not be empty"},
	{MATCH("\"groups\": ^[]"), "groups must not be empty"},
	{MATCH("\"users\": ^\"root\""), "users must be a list, not a string"},
	{MATCH("\"users\": [0, ^1.0]"), "users must be names and whole numbers, not a number with"},
	{MATCH("\"users\": [^null]"), "names and whole numbers, not null"},
	{MATCH("\"users\": [^-1]"), "a user's number must be from 0 to 4294967294"},
	{MATCH("\"users\": [^4294967295]"), "a user's number must be"},
	{MATCH("\"users\": [^99999999999999999999]"), "a user's number must be"},
	{MATCH("\"groups\": [^-99999999999999999999]"), "a group's number must be"},
	{MATCH("\"users\": [^\"\"]"), "users must not be empty"},
	{MATCH("\"users\": [^\"ro\\u0000ot\"]"), "NUL"},
	{POLICY(RULE("deny",
		 "\"match\": {\"users\": [0, ^\"" NOBODY "\"]}, \"channels\": [\"d/s\"]")),
		"there is no user \"" NOBODY "\", so the rule cannot deny"},
	{POLICY(RULE("deny",
		 "\"match\": {\"groups\": [^\"" NOBODY "\"]}, \"channels\": [\"d/s\"]")),
		"there is no group \"" NOBODY "\", so the rule cannot deny"},
	{POLICY("{\"match\": {\"users\": [^\"" NOBODY "\"]}, \"channels\": [\"d/s\"], "
		"\"name\": \"r\", \"action\": \"deny\"}"),
		"cannot deny"},
	{POLICY(RULE("deny", "\"match\": {\"groups\": [^\"*\"]}, \"channels\": [\"d/s\"]")),
		"there is no group \"*\""},

	/* channels */
	{CHANNELS("^[]"), "channels must not be empty"},
	{CHANNELS("^\"d/s\""), "channels must be a list"},
	{CHANNELS("[^1]"), "channels must be a string"},
	{CHANNELS("[\"d/s\", ^\"\"]"), "must not be empty"},
	{CHANNELS("[^\"*\"]"), "DEVICE/SERVICE"},
	{CHANNELS("[^\"/s\"]"), "DEVICE/SERVICE"},
	{CHANNELS("[^\"d/\"]"), "DEVICE/SERVICE"},
	{CHANNELS("[^\"d/s/t\"]"), "DEVICE/SERVICE"},
	{CHANNELS("[^\"d//s\"]"), "DEVICE/SERVICE"},
	{CHANNELS("[^\"d/[ab]\"]"), "letters, digits"},
	{CHANNELS("[^\"d/s \"]"), "letters, digits"},
	{CHANNELS("[^\"d/s\\u0000t\"]"), "NUL"},

	/* limits */
	{LIMITS("^[]"), "limits must be an object"},
	{LIMITS("{^\"session\": 1}"), "did you mean \"sessions\"?"},
	{LIMITS("{^\"speed\": 1}"), "limits may have per, sessions, calls, calls_total, "
				    "calls_per_s, burst, timeout_ms, buffers, bytes, messages"},
	{LIMITS("{\"per\": ^\"units\"}"), "per cannot be \"units\"; did you mean \"unit\"?"},
	{LIMITS("{\"per\": ^\"process\"}"), "per must be \"user\" or \"unit\""},
	{LIMITS("{\"per\": ^1}"), "per must be a string"},
	{LIMITS("{^\"burst\": 5}"), "burst needs \"calls_per_s\""},
	{LIMITS("{\"burst\": 5, \"calls_per_s\": ^0}"), "calls_per_s must be from 1 to 10000000"},
	{LIMITS("{\"burst\": ^0, \"calls_per_s\": 1}"), "burst must be from 1 to 10000000"},
	{LIMITS("{\"burst\": ^10000001, \"calls_per_s\": 1}"), "burst must be from 1 to 10000000"},
	{LIMIT("calls_per_s", "^10000001"), "calls_per_s must be from 1 to 10000000"},
	{LIMIT("calls_total", "^0"), "calls_total must be from 1 to 1000000"},
	{LIMIT("calls_total", "^\"8\""), "calls_total must be a whole number, not a string"},
	{LIMITS("{\"calls\": 1, ^\"calls\": 2}"), "duplicate key \"calls\""},
	{LIMIT("sessions", "^0"), "sessions must be from 1 to 1000000"},
	{LIMIT("sessions", "^-1"), "sessions must be from 1 to"},
	{LIMIT("sessions", "^1000001"), "sessions must be from 1 to"},
	{LIMIT("calls", "^1.0"), "calls must be a whole number, not a number with a fraction"},
	{LIMIT("calls", "^1e2"), "calls must be a whole number"},
	{LIMIT("calls", "^4294967297"), "calls must be from 1 to 1000000"},
	{LIMIT("calls", "^18446744073709551617"), "calls must be from 1 to 1000000"},
	{LIMIT("timeout_ms", "^3600001"), "timeout_ms must be from 1 to 3600000"},
	{LIMIT("timeout_ms", "^NaN"), "timeout_ms must be a whole number"},
	{LIMIT("buffers", "^\"16\""), "buffers must be a whole number, not a string"},
	{LIMIT("messages", "^0"), "messages must be from 1 to 65536"},
	{LIMIT("messages", "^65537"), "messages must be from 1 to 65536"},
	{LIMIT("messages", "^4294967297"), "messages must be from 1 to 65536"},
	{LIMIT("messages", "^\"64\""), "messages must be a whole number, not a string"},
	{LIMIT("bytes", "^0"), "bytes must be from 1 to 1099511627776, or a string like \"64M\""},
	{LIMIT("bytes", "^-5"), "bytes must be from 1"},
	{LIMIT("bytes", "^1.5"), "bytes must be a whole number or a string"},
	{LIMIT("bytes", "^1099511627777"), "bytes must be from 1"},
	{LIMIT("bytes", "^\"\""), "bytes must not be empty"},
	{LIMIT("bytes", "^\"64\""), "bytes must be from 1"},
	{LIMIT("bytes", "^\"M\""), "bytes must be from 1"},
	{LIMIT("bytes", "^\"0K\""), "bytes must be from 1"},
	{LIMIT("bytes", "^\"64m\""), "bytes must be from 1"},
	{LIMIT("bytes", "^\"64MB\""), "bytes must be from 1"},
	{LIMIT("bytes", "^\"64M\\u0000\""), "NUL"},
	{LIMIT("bytes", "^\"00000000000000000000000000000001M\""), "at most 32 bytes"},
	{LIMIT("bytes", "^\" 64M\""), "bytes must be from 1"},
	{LIMIT("bytes", "^\"-1M\""), "bytes must be from 1"},
	{LIMIT("bytes", "^\"1.5G\""), "bytes must be from 1"},
	{LIMIT("bytes", "^\"1T\""), "bytes must be from 1"},
	{LIMIT("bytes", "^\"1025G\""), "bytes must be from 1"},
	{LIMIT("bytes", "^\"17179869185G\""), "bytes must be from 1"},
	{LIMIT("bytes", "^\"99999999999999999999K\""), "bytes must be from 1"},
};

START_TEST(a_mistake_is_refused_where_it_stands)
{
	check_mistake(mistakes[_i].text, mistakes[_i].says);
}
END_TEST

START_TEST(lines_and_columns_count_from_one_in_bytes)
{
	static const struct {
		const char *text;
		unsigned int line, column;
	} cases[] = {
		{"[]", 1, 1},
		{"\n\n  []", 3, 3},
		{"{\n\t\"version\":\t2, \"rules\": []}", 2, 13},
		{"{\r\n\"version\": 2, \"rules\": []}", 2, 12},
		{"{\"\xc3\xa4\": 1, \"version\": 1}", 1, 2},
		{"{\"version\": 1, \"rules\": [\"\xc3\xa4\"]}", 1, 26},
		{"{\"version\": 1, \"rules\": []} \n\n x", 3, 2},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct policy_note error;

		ck_assert_int_eq(parse_error(cases[i].text, strlen(cases[i].text), &error),
			-EINVAL);
		ck_assert_uint_eq(error.line, cases[i].line);
		ck_assert_uint_eq(error.column, cases[i].column);
	}
}
END_TEST

/* Uses every key there is. */
static const char complete[] =
	"{\n"
	"  \"version\": 1,\n"
	"  \"rules\": [\n"
	"    {\n"
	"      \"name\": \"studio\",\n"
	"      \"action\": \"allow\",\n"
	"      \"match\": {\"users\": [\"root\", 1000], \"groups\": [29, \"root\"],\n"
	"        \"labels\": [\"player_t\"], \"units\": [\"*.service\"],\n"
	"        \"user_units\": [\"app-*\"], \"slices\": [\"app.slice\"],\n"
	"        \"executables\": [\"/usr/bin/*\"], \"flatpaks\": [\"org.*\"],\n"
	"        \"snaps\": [\"p?\"]},\n"
	"      \"verbs\": [\"open\", \"list\", \"kick\"],\n"
	"      \"channels\": [\"soft0/denoise\", \"cdsp/*\"],\n"
	"      \"methods\": [1, \"2-5\"], \"direction\": \"both\",\n"
	"      \"share_domain\": \"studio\",\n"
	"      \"exclusive\": true, \"overflow\": \"close\",\n"
	"      \"priority\": \"high\", \"weight\": 400,\n"
	"      \"limits\": {\"sessions\": 4, \"calls\": 64, \"timeout_ms\": 2000,\n"
	"                 \"buffers\": 16, \"bytes\": \"64M\", \"messages\": 8,\n"
	"                 \"per\": \"unit\", \"calls_total\": 128,\n"
	"                 \"calls_per_s\": 100, \"burst\": 10}\n"
	"    },\n"
	"    {\"name\": \"rest\", \"action\": \"deny\", \"match\": {\"users\": [\"*\"]},\n"
	"     \"channels\": [\"soft0/*\"]}\n"
	"  ],\n"
	"  \"devices\": [\n"
	"    {\"name\": \"rpmsg0\", \"transport\": \"rpmsg\", \"remoteproc\": \"cdsp\",\n"
	"     \"lifecycle\": \"on-demand\",\n"
	"     \"idle_ms\": 5000, \"stop_with_broker\": true, \"without_iommu\": \"accept\",\n"
	"     \"mtu\": 496, \"coredumps\": {\"count\": 4, \"bytes\": \"16M\"},\n"
	"     \"services\": {\"ping\": 1024, \"pong\": 1025}},\n"
	"    {\"name\": \"soft0\", \"calls\": 4}\n"
	"  ]\n"
	"}";

START_TEST(a_cut_file_is_refused_wherever_it_is_cut)
{
	for (size_t size = 0; size < sizeof(complete) - 1; size++) {
		_cleanup_(freep) char *text = malloc(size ? size : 1); /* exact, for sanitizers */
		struct policy_note error;

		memcpy(text, complete, size);
		ck_assert_int_eq(parse_error(text, size, &error), -EINVAL);
		ck_assert_str_ne(error.text, "");
		ck_assert_uint_gt(error.line, 0);
	}
	policy_unref(parse(complete));
}
END_TEST

START_TEST(a_nul_byte_is_refused_wherever_it_stands)
{
	for (size_t at = 0; at <= sizeof(complete) - 1; at++) {
		char text[sizeof(complete)];
		struct policy_note error;

		memcpy(text, complete, sizeof(text));
		text[at] = '\0';
		ck_assert_int_eq(parse_error(text, sizeof(text), &error), -EINVAL);
		ck_assert_str_eq(error.text, "a NUL byte");
	}
}
END_TEST

START_TEST(bounds_are_errors_and_what_fits_is_not)
{
	static const struct {
		const char *before, *piece, *after;
		int most;
		const char *says;
	} cases[] = {
		{"{\"version\": 1, \"rules\": [{\"name\": \"", "n",
			"\", \"action\": \"allow\", \"match\": {\"users\": [1]}, "
			"\"channels\": [\"d/s\"]}]}",
			POLICY_LABEL_MAX, "at most 63 bytes"},
		{POLICY("") " ", " ", "", POLICY_FILE_BYTES_MAX - 28, "larger than 1048576 bytes"},
		{"{\"version\": 1, \"rules\": [{\"name\": \"n\", \"action\": \"allow\", "
		 "\"match\": {\"users\": [1]}, \"channels\": [\"d/",
			"s", "\"]}]}", POLICY_GLOB_MAX - 2, "at most 127 bytes"},
		{"{\"version\": 1, \"rules\": [{\"name\": \"n\", \"action\": \"allow\", "
		 "\"match\": {\"users\": [1",
			",1", "]}, \"channels\": [\"d/s\"]}]}", POLICY_LIST_MAX - 1,
			"at most 1024 entries"},
		{"{\"version\": 1, \"rules\": [{\"name\": \"n\", \"action\": \"allow\", "
		 "\"match\": {\"users\": [1]}, \"channels\": [\"d/s\"",
			",\"d/s\"", "]}]}", POLICY_LIST_MAX - 1, "at most 1024 entries"},
		{"{\"version\": 1, \"rules\": [{\"name\": \"n\", \"action\": \"allow\", "
		 "\"channels\": [\"d/s\"], \"match\": {\"snaps\": [\"s\"",
			",\"s\"", "]}}]}", POLICY_LIST_MAX - 1, "at most 1024 entries"},
		{"{\"version\": 1, \"rules\": [{\"name\": \"n\", \"action\": \"allow\", "
		 "\"channels\": [\"d/s\"], \"match\": {\"labels\": [\"",
			"l", "\"]}}]}", POLICY_FACT_MAX, "at most 255 bytes"},
		{"{\"version\": 1, \"rules\": [{\"name\": \"n\", \"action\": \"allow\", "
		 "\"match\": {\"users\": [1]}, \"channels\": [\"d/s\"], \"methods\": [1",
			",1", "]}]}", POLICY_METHODS_MAX - 1, "at most 64 entries"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (int n = cases[i].most; n <= cases[i].most + 1; n++) {
			_cleanup_(policy_unrefp) struct policy *policy = NULL;
			_cleanup_(freep) char *text = NULL;
			struct policy_note error;
			size_t size;
			FILE *stream = open_memstream(&text, &size);

			fputs(cases[i].before, stream);
			for (int k = 0; k < n; k++)
				fputs(cases[i].piece, stream);
			fputs(cases[i].after, stream);
			fclose(stream);
			if (n == cases[i].most) {
				policy = parse(text);
				continue;
			}
			ck_assert_int_eq(parse_error(text, size, &error), -EINVAL);
			ck_assert_msg(strstr(error.text, cases[i].says), "%s", error.text);
		}
	}
}
END_TEST

START_TEST(an_error_repeats_no_control_character)
{
	static const char text[] = "{\"\x7f\xc2\x9b\": 1}";
	struct policy_note error;

	ck_assert_int_eq(parse_error(text, strlen(text), &error), -EINVAL);
	for (const char *c = error.text; *c; c++)
		ck_assert(*c >= ' ' && *c <= '~');
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy text");
	TCase *tcase = tcase_create("errors");

	tcase_add_loop_test(tcase, a_mistake_is_refused_where_it_stands, 0, ARRAY_SIZE(mistakes));
	tcase_add_test(tcase, lines_and_columns_count_from_one_in_bytes);
	tcase_add_test(tcase, a_cut_file_is_refused_wherever_it_is_cut);
	tcase_add_test(tcase, a_nul_byte_is_refused_wherever_it_stands);
	tcase_add_test(tcase, bounds_are_errors_and_what_fits_is_not);
	tcase_add_test(tcase, an_error_repeats_no_control_character);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
