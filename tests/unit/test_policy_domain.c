// SPDX-License-Identifier: MIT
/* What a policy says of protection domains, and which rule means which. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "policy/compiled.h"
#include "policy/policy.h"
#include "policy/policy_parse.h"
#include "tests/suite.h"
#include "tests/unit/policy_text.h"

/* One domain "d", with more keys. */
#define DOMAIN(more)     DOMAINS("{\"name\": \"d\"" more "}")
#define KEY(key, value)  DOMAIN(", \"" key "\": " value)
#define KIND(kind, more) DOMAIN(", \"kind\": \"" kind "\", " more)
/* A rule that allows user 1 the channel d/s, and one that allows user 2 the channel d/t. */
#define FIRST(more)                                                                       \
	"{\"name\": \"first\", \"action\": \"allow\", \"match\": {\"users\": [1]}, " more \
	" \"channels\": [\"d/s\"]}"
#define SECOND(more)                                                                       \
	"{\"name\": \"second\", \"action\": \"allow\", \"match\": {\"users\": [2]}, " more \
	" \"channels\": [\"d/t\"]}"
/* Rules beside the domains "x" and "y". */
#define WITH_XY(rules)                            \
	"{\"version\": 1, \"rules\": [" rules "]" \
	", \"domains\": [{\"name\": \"x\"}, {\"name\": \"y\", \"kind\": \"root\"}]}"
#define SIXTEEN                                                                            \
	"\"/a\", \"/b\", \"/c\", \"/d\", \"/e\", \"/f\", \"/g\", \"/h\", \"/i\", \"/j\", " \
	"\"/k\", \"/l\", \"/m\", \"/n\", \"/o\", \"/p\""
#define LONG_64    "a23456789b123456789c123456789d123456789e123456789f123456789g1234"
#define LONG_63    "a23456789b123456789c123456789d123456789e123456789f123456789g123"
#define PATH_192   "/" LONG_63 "/" LONG_63 "/" LONG_63
#define PATH_255   PATH_192 "/a23456789b123456789c123456789d123456789e123456789f123456789g12"
#define PATH_256   PATH_192 "/" LONG_63
#define NOT_NORMAL "a path in read must be absolute, without \".\", \"..\", \"//\" or a slash"

static const struct {
	const char *text, *says;
} mistakes[] = {
	/* the list, and what a domain is */
	{"{\"version\": 1, \"rules\": [], \"domains\": ^{}}", "domains must be a list"},
	{"{\"version\": 1, \"rules\": [], \"domains\": ^null}", "domains must be a list, not null"},
	{"{\"version\": 1, \"rules\": [], \"domains\": [],\n ^\"domains\": []}",
		"duplicate key \"domains\""},
	{DOMAINS("^7"), "a domain must be an object, not a whole number"},
	{DOMAINS("^{}"), "a domain must have \"name\""},
	{DOMAINS("{\"name\": \"a\"},\n  ^{\"files\": 1}"), "a domain must have \"name\""},
	{DOMAIN(", ^\"file_s\": 1"), "unknown key \"file_s\"; did you mean \"files\"?"},
	{DOMAIN(", \"file\": ^1"), "file must be a string, not a whole number"},
	{DOMAIN(", ^\"x\": 1"), "unknown key \"x\"; a domain may have name, kind, signed, "
				"own_modules, device_memory, on_hang, "
				"read, write, files, file_bytes, memory"},
	{DOMAIN(", \"files\": 1, ^\"files\": 2"), "duplicate key \"files\""},

	/* name */
	{DOMAINS("{\"name\": ^1}"), "name must be a string"},
	{DOMAINS("{\"name\": ^\"\"}"), "name must not be empty"},
	{DOMAINS("{\"name\": ^\"a b\"}"), "name may hold letters, digits, '.', '_' and '-' only"},
	{DOMAINS("{\"name\": ^\"(default)\"}"), "name may hold letters"},
	{DOMAINS("{\"name\": ^\"a\\u0000\"}"), "name may hold letters"},
	{DOMAINS("{\"name\": ^\"" LONG_64 "\"}"), "at most 63 bytes"},
	{DOMAINS("{\"name\": \"d\"},\n\t{\"name\": ^\"d\"}"),
		"name is already that of the domain in t.json:1"},

	/* kind, and what hangs on it */
	{KEY("kind", "^0"), "kind must be a string, not a whole number"},
	{KEY("kind", "^\"\""), "kind must be \"user\", \"root\", \"audio\" or \"sensors\""},
	{KEY("kind", "^\"Root\""), "kind cannot be \"Root\"; did you mean \"root\"?"},
	{KEY("kind", "^\"guest\""), "kind must be \"user\", \"root\", \"audio\" or \"sensors\""},
	{KEY("kind", "^\"root\\u0000\""), "kind must be \"user\""},
	{KEY("signed", "^1"), "signed must be true or false, not a whole number"},
	{KIND("root", "^\"signed\": true"), "signed is for the kind \"user\""},
	{KIND("audio", "^\"signed\": false"), "signed is for the kind \"user\""},
	{DOMAIN(", ^\"signed\": true, \"kind\": \"sensors\""), "signed is for the kind \"user\""},
	{KEY("own_modules", "^\"yes\""), "own_modules must be true or false, not a string"},
	{KIND("root", "^\"own_modules\": true"),
		"own_modules is for the kind \"user\" without \"signed\""},
	{KIND("audio", "^\"own_modules\": false"), "own_modules is for the kind \"user\""},
	{KIND("sensors", "^\"own_modules\": true"), "own_modules is for the kind \"user\""},
	{DOMAIN(", \"signed\": true, ^\"own_modules\": true"), "own_modules is for the kind"},
	{DOMAIN(", ^\"own_modules\": true, \"signed\": true"), "own_modules is for the kind"},
	{KEY("on_hang", "^true"), "on_hang must be a string, not true or false"},
	{KEY("on_hang", "^\"kill\""), "on_hang must be \"teardown\" or \"quarantine\""},

	/* read, write */
	{KEY("read", "^\"/a\""), "read must be a list, not a string"},
	{KEY("write", "^null"), "write must be a list, not null"},
	{KEY("read", "[^1]"), "read must be a string, not a whole number"},
	{KEY("read", "[^\"\"]"), "read must not be empty"},
	{KEY("read", "[\"/a\",\n ^\"b\"]"), NOT_NORMAL},
	{KEY("read", "[^\"./a\"]"), NOT_NORMAL},
	{KEY("read", "[^\"/\"]"), NOT_NORMAL},
	{KEY("read", "[^\"//\"]"), NOT_NORMAL},
	{KEY("read", "[^\"//a\"]"), NOT_NORMAL},
	{KEY("read", "[^\"/a//b\"]"), NOT_NORMAL},
	{KEY("read", "[^\"/a/\"]"), NOT_NORMAL},
	{KEY("read", "[^\"/..\"]"), NOT_NORMAL},
	{KEY("read", "[^\"/a/..\"]"), NOT_NORMAL},
	{KEY("read", "[^\"/../a\"]"), NOT_NORMAL},
	{KEY("read", "[^\"/a/../b\"]"), NOT_NORMAL},
	{KEY("read", "[^\"/.\"]"), NOT_NORMAL},
	{KEY("read", "[^\"/a/./b\"]"), NOT_NORMAL},
	{KEY("read", "[^\"/a/.\"]"), NOT_NORMAL},
	{KEY("read", "[^\"\\/a\\/..\"]"), NOT_NORMAL},
	{KEY("write", "[^\"a\"]"), "a path in write must be absolute"},
	{KEY("write", "[^\"/a\\nb\"]"), "a path in write must not hold control characters"},
	{KEY("read", "[^\"/\\u001b\"]"), "a path in read must not hold control characters"},
	{KEY("read", "[^\"/\\u007f\"]"), "control characters"},
	{KEY("read", "[^\"/\\u0080\"]"), "control characters"},
	{KEY("read", "[^\"/a\\u009f\"]"), "control characters"},
	{KEY("read", "[^\"/a\\u0000b\"]"), "NUL"},
	{KEY("read", "[^\"" PATH_256 "\"]"), "read must have at most 255 bytes"},
	{KEY("read", "[\"/a\", ^\"/a\"]"), "this directory has been given already"},
	{KEY("write", "[\"/a\", \"/b\", ^\"/a\"]"), "this directory has been given already"},
	{DOMAIN(", \"read\": [\"/a\"], \"write\": [^\"/a\"]"), "has been given already"},
	{DOMAINS("^{\"name\": \"d\", \"read\": [\"/ab\", \"/a/b\"], \"write\": [\"/a\"]}"),
		"/a/b, for reading, lies beneath /a, for writing"},
	{DOMAIN(", \"write\": [^\"/a\"], \"read\": [\"/b\", \"/a\"]"), "has been given already"},
	{KEY("read", "^[" SIXTEEN ", \"/q\"]"), "read must have at most 16 entries"},
	{KEY("write", "^[" SIXTEEN ", \"/q\"]"), "write must have at most 16 entries"},

	/* files, file_bytes, memory */
	{KEY("files", "^-1"), "files must be from 0 to 1024"},
	{KEY("files", "^1025"), "files must be from 0 to 1024"},
	{KEY("files", "^\"8\""), "files must be a whole number, not a string"},
	{KEY("file_bytes", "^-1"),
		"file_bytes must be from 0 to 1099511627776, or a string like \"64M\""},
	{KEY("file_bytes", "^-9223372036854775808"), "file_bytes must be from 0 to"},
	{KEY("file_bytes", "^1099511627777"), "file_bytes must be from 0 to"},
	{KEY("file_bytes", "^\"1025G\""), "file_bytes must be from 0 to"},
	{KEY("file_bytes", "^\"16\""), "file_bytes must be from 0 to"},
	{KEY("file_bytes", "^\"M\""), "file_bytes must be from 0 to"},
	{KEY("file_bytes", "^\"none\""), "file_bytes must be from 0 to"},
	{KEY("file_bytes", "^\"-1K\""), "file_bytes must be from 0 to"},
	{KEY("file_bytes", "^\"1MB\""), "file_bytes must be from 0 to"},
	{KEY("file_bytes", "^\"18446744073709551616K\""), "file_bytes must be from 0 to"},
	{KEY("file_bytes", "^\"18014398509481984K\""), "file_bytes must be from 0 to"},
	{KEY("memory", "^\"5G\""), "memory must be from 0 to 4294967296, or a string like"},
	{KEY("memory", "^18446744073709551616"), "memory must be from 0 to 4294967296"},
	{KEY("memory", "^[]"), "memory must be a whole number or a string like \"64M\""},

	/* a rule's domain */
	{POLICY(RULE("deny", "\"match\": {\"users\": [1]}, \"channels\": [\"d/s\"], "
			     "^\"domain\": \"x\"")),
		"domain is for rules that allow"},
	{POLICY(FIRST("\"domain\": ^1,")), "domain must be a string, not a whole number"},
	{POLICY(FIRST("\"domain\": ^null,")), "domain must be a string, not null"},
	{POLICY(FIRST("\"domain\": ^\"\",")), "domain must not be empty"},
	{POLICY(FIRST("\"domain\": ^\"a/b\",")), "domain may hold letters"},
	{POLICY(FIRST("\"domain\": \"x\", ^\"domain\": \"x\",")), "duplicate key \"domain\""},
	{POLICY(FIRST("\"domain\": ^\"x\",")), "there is no domain \"x\""},
	{WITH_XY(FIRST("\"domain\": \"x\",") ",\n  " SECOND("\"domain\": ^\"z\",")),
		"there is no domain \"z\""},
	{WITH_XY(FIRST("\"domain\": ^\"X\",")), "there is no domain \"X\""},
	{WITH_XY(FIRST("\"domain\": ^\"xy\",")), "there is no domain \"xy\""},
	/* what sessions share has another name than a domain's */
	{POLICY(FIRST("\"share_domain\": \"x\", \"domain\": ^\"x\",")), "there is no domain \"x\""},

	/* rules that could not share */
	{WITH_XY(FIRST("\"share_domain\": \"s\", \"domain\": \"x\",") ",\n" SECOND(
		 "\"domain\": \"y\", \"share_domain\": ^\"s\",")),
		"rule second cannot share this with rule first, whose \"domain\" is another "
		"(t.json:1)"},
	{WITH_XY(FIRST("\"share_domain\": \"s\", \"domain\": \"x\",") "," SECOND("\"share_domain\":"
										 " ^\"s\",")),
		"rule second cannot share this with rule first"},
	{WITH_XY(FIRST("\"share_domain\": \"s\",") ",\n" SECOND("\"share_domain\": ^\"s\", "
								"\"domain\": \"x\",")),
		"rule second cannot share this with rule first"},
};

START_TEST(a_mistake_is_refused_where_it_stands)
{
	check_mistake(mistakes[_i].text, mistakes[_i].says);
}
END_TEST

/* The domain of what user 1 may open. */
static const struct policy_domain *domain_of(const struct policy *policy, const char *channel)
{
	struct policy_decision decision = decide(policy, 1, 1, channel);

	ck_assert(decision.allowed);
	ck_assert_ptr_nonnull(decision.domain);
	return decision.domain;
}

static void check_equal(const struct policy_domain *domain, const struct policy_domain *other)
{
	ck_assert_str_eq(domain->name, other->name);
	ck_assert_int_eq(domain->kind, other->kind);
	ck_assert(domain->is_signed == other->is_signed);
	ck_assert(domain->own_modules == other->own_modules);
	ck_assert_int_eq(domain->hang, other->hang);
	ck_assert_uint_eq(domain->n_dirs, other->n_dirs);
	ck_assert((domain->dirs == NULL) == (domain->n_dirs == 0));
	for (size_t i = 0; i < domain->n_dirs; i++) {
		ck_assert_str_eq(domain->dirs[i].path, other->dirs[i].path);
		ck_assert(domain->dirs[i].writable == other->dirs[i].writable);
	}
	ck_assert_uint_eq(domain->files, other->files);
	ck_assert_uint_eq(domain->file_bytes, other->file_bytes);
	ck_assert_uint_eq(domain->memory, other->memory);
}

/* Domain "d", with bounds; README.md promises the numbers of those that are not given. */
#define BOUNDED(f, b, m, ...)                                                            \
	&(const struct policy_domain)                                                    \
	{                                                                                \
		.name = "d", .files = (f), .file_bytes = (b), .memory = (m), __VA_ARGS__ \
	}
#define PLAIN(...) BOUNDED(32, 16777216, 67108864, __VA_ARGS__)

START_TEST(a_rule_without_a_domain_has_the_default)
{
	static const char *const texts[] = {
		POLICY(FIRST("")),
		POLICY(FIRST("\"share_domain\": \"x\",")),
		WITH_XY(FIRST("") "," SECOND("\"domain\": \"y\",")),
		WITH_XY(SECOND("\"domain\": \"y\",") "," FIRST("\"share_domain\": \"y\",")),
	};
	struct policy_domain expected = *PLAIN();

	expected.name = "(default)";
	check_equal(&POLICY_DOMAIN_DEFAULT, &expected);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(policy_unrefp) struct policy *policy = parse(texts[i]);

		ck_assert_ptr_eq(domain_of(policy, "d/s"), &POLICY_DOMAIN_DEFAULT);
	}
}
END_TEST

static const struct policy_dir dirs[] = {
	{"/r", false}, {"/a b/.c/..d/\xc3\xa4", false}, {"/w", true}, {"/r/w", true}};

static const struct {
	const char *keys;
	const struct policy_domain *domain;
} keys[] = {
	{"", PLAIN()},
	{", \"kind\": \"user\"", PLAIN()},
	{", \"kind\": \"root\"", PLAIN(.kind = POLICY_DOMAIN_ROOT)},
	{", \"kind\": \"audio\"", PLAIN(.kind = POLICY_DOMAIN_AUDIO)},
	{", \"kind\": \"sensors\"", PLAIN(.kind = POLICY_DOMAIN_SENSORS)},
	{", \"kind\": \"user\", \"signed\": true", PLAIN(.is_signed = true)},
	{", \"signed\": false, \"own_modules\": true", PLAIN(.own_modules = true)},
	{", \"on_hang\": \"teardown\"", PLAIN()},
	{", \"on_hang\": \"quarantine\", \"kind\": \"root\"",
		PLAIN(.kind = POLICY_DOMAIN_ROOT, .hang = POLICY_HANG_QUARANTINE)},
	{", \"read\": [\"/r\", \"/a b/.c/..d/\xc3\xa4\"]", PLAIN(.dirs = dirs, .n_dirs = 2)},
	{", \"write\": [\"/w\", \"/r/w\"]", PLAIN(.dirs = &dirs[2], .n_dirs = 2)},
	{", \"write\": [\"/w\", \"/r/w\"], \"read\": [\"/r\", \"/a b/.c/..d/\\u00e4\"]",
		PLAIN(.dirs = dirs, .n_dirs = 4)},
	{", \"read\": [], \"write\": []", PLAIN()},
	{", \"files\": 0", BOUNDED(0, 16777216, 67108864)},
	{", \"files\": 1024", BOUNDED(1024, 16777216, 67108864)},
	{", \"file_bytes\": 0", BOUNDED(32, 0, 67108864)},
	{", \"file_bytes\": \"1024G\"", BOUNDED(32, 1ull << 40, 67108864)},
	{", \"memory\": \"0K\"", BOUNDED(32, 16777216, 0)},
	{", \"memory\": \"4G\"", BOUNDED(32, 16777216, 4294967296)},
	{", \"memory\": 4096", BOUNDED(32, 16777216, 4096)},
};

START_TEST(a_key_sets_what_it_says_and_nothing_else)
{
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	char text[512];

	snprintf(text, sizeof(text),
		"{\"version\": 1, \"domains\": [{\"name\": \"d\"%s}], \"rules\": [%s]}",
		keys[_i].keys, FIRST("\"domain\": \"d\","));
	policy = parse(text);
	check_equal(domain_of(policy, "d/s"), keys[_i].domain);
}
END_TEST

START_TEST(names_and_paths_may_be_as_long_and_as_many_as_promised)
{
	_cleanup_(policy_unrefp) struct policy *policy =
		parse("{\"version\": 1, \"domains\": [{\"name\": \"" LONG_63 "\","
		      " \"read\": [\"" PATH_255 "\"], \"write\": [" SIXTEEN "]}],"
		      " \"rules\": [" FIRST("\"domain\": \"" LONG_63 "\",") "]}");
	const struct policy_domain *domain = domain_of(policy, "d/s");

	ck_assert_uint_eq(strlen(domain->name), 63);
	ck_assert_uint_eq(domain->n_dirs, 17);
	ck_assert_uint_eq(strlen(domain->dirs[0].path), 255);
	ck_assert_str_eq(domain->dirs[16].path, "/p");
}
END_TEST

START_TEST(domains_may_have_the_same_directories_and_so_may_a_device)
{
	_cleanup_(policy_unrefp) struct policy *policy =
		parse("{\"version\": 1, \"devices\": [{\"name\": \"d\", \"modules\": [\"/a\"]}],"
		      " \"domains\": [{\"name\": \"x\", \"write\": [\"/b\", \"/a\"]},"
		      " {\"name\": \"y\", \"read\": [\"/a\"]}],"
		      " \"rules\": [" FIRST("\"domain\": \"y\",") "]}");
	const struct policy_domain *domain = domain_of(policy, "d/s");

	ck_assert_uint_eq(domain->n_dirs, 1);
	ck_assert_str_eq(domain->dirs[0].path, "/a");
	ck_assert(!domain->dirs[0].writable);
	ck_assert_str_eq(policy_device(policy, "d")->modules[0].path, "/a");
	ck_assert(!policy_device(policy, "d")->modules[0].writable);
}
END_TEST

/* Neither the order of rules nor that of domains matters, and each rule keeps its own. */
START_TEST(the_rule_that_decides_supplies_the_domain)
{
#define NO    NAMED("no", "deny", "\"users\": [1]", "\"d/no\"")
#define OTHER NAMED("plain", "allow", "\"users\": [1]", "\"d/plain\"")
#define REST \
	RULE("allow", "\"match\": {\"users\": [1]}, \"channels\": [\"d/*\"], \"domain\": \"x\"")
	_cleanup_(policy_unrefp) struct policy *policy =
		parse(WITH_XY(NO "," OTHER "," FIRST("\"domain\": \"y\",") "," REST));

	ck_assert_str_eq(domain_of(policy, "d/s")->name, "y");
	ck_assert_int_eq(domain_of(policy, "d/s")->kind, POLICY_DOMAIN_ROOT);
	ck_assert_str_eq(domain_of(policy, "d/other")->name, "x");
	ck_assert_int_eq(domain_of(policy, "d/other")->kind, POLICY_DOMAIN_USER);
	ck_assert_ptr_eq(domain_of(policy, "d/plain"), &POLICY_DOMAIN_DEFAULT);
	ck_assert(!decide(policy, 1, 1, "d/no").allowed);
	ck_assert_ptr_null(decide(policy, 1, 1, "d/no").domain);
	ck_assert_ptr_null(decide(policy, 3, 3, "d/s").domain);
#undef NO
#undef OTHER
#undef REST
}
END_TEST

START_TEST(a_domain_that_no_rule_names_is_nobodys)
{
	_cleanup_(policy_unrefp) struct policy *policy = parse(KEY("kind", "\"root\""));

	ck_assert_uint_eq(policy_size(policy), 0);
	ck_assert(!decide(policy, 0, 0, "d/s").allowed);
}
END_TEST

/* Read texts as files 1.json, 2.json, ... Returns what comes of it. */
static int build(struct policy **out, const char *const *texts, struct policy_note *error)
{
	struct policy_builder builder;
	int r = policy_builder_begin(&builder, error, NULL, NULL);

	for (size_t i = 0; r == 0 && texts[i]; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%zu.json", i + 1);
		r = policy_builder_add(&builder, name, texts[i], strlen(texts[i]));
	}
	return policy_builder_end(&builder, r, out);
}

START_TEST(a_rule_may_name_a_domain_of_an_earlier_and_of_a_later_file)
{
	static const char *const texts[] = {
		POLICY(FIRST("\"domain\": \"late\",")),
		DOMAINS("{\"name\": \"late\", \"files\": 7}, {\"name\": \"early\", \"files\": 8}"),
		POLICY(SECOND("\"domain\": \"early\",")),
		NULL,
	};
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	struct policy_note error;

	ck_assert_int_eq(build(&policy, texts, &error), 0);
	ck_assert_uint_eq(decide(policy, 1, 1, "d/s").domain->files, 7);
	ck_assert_uint_eq(decide(policy, 2, 2, "d/t").domain->files, 8);
}
END_TEST

START_TEST(a_mistake_that_two_files_make_is_shown_in_the_right_one)
{
	static const struct {
		const char *texts[4];
		const char *file, *says;
	} cases[] = {
		{{"\n" POLICY(FIRST("\"domain\": ^\"x\",")), DOMAINS("{\"name\": \"y\"}")},
			"1.json", "there is no domain \"x\""},
		{{DOMAINS("{\"name\": \"y\"}"), POLICY(""),
			 "\n\n" POLICY(FIRST("\"domain\": ^\"x\","))},
			"3.json", "there is no domain \"x\""},
		{{"\n\n" DOMAINS("{\"name\": \"x\"}"), DOMAINS("{\"name\": ^\"x\"}")}, "2.json",
			"name is already that of the domain in 1.json:3"},
		{{"\n" POLICY(FIRST("\"share_domain\": \"s\", \"domain\": \"x\",")),
			 POLICY(SECOND("\"share_domain\": ^\"s\", \"domain\": \"y\",")),
			 DOMAINS("{\"name\": \"x\"}, {\"name\": \"y\"}")},
			"2.json",
			"rule second cannot share this with rule first, whose \"domain\" is "
			"another (1.json:2)"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(policy_unrefp) struct policy *policy = NULL;
		const char *texts[ARRAY_SIZE(cases[i].texts)] = {0};
		_cleanup_(freep) char *marked = NULL;
		struct policy_note error;
		unsigned int line = 0, column = 0;

		for (size_t k = 0; cases[i].texts[k]; k++) {
			texts[k] = cases[i].texts[k];
			if (strchr(texts[k], '^')) {
				texts[k] = marked = strdup(texts[k]);
				unmark(marked, &line, &column);
			}
		}
		ck_assert_int_eq(build(&policy, texts, &error), -EINVAL);
		ck_assert_ptr_null(policy);
		ck_assert_str_eq(error.text, cases[i].says);
		ck_assert_str_eq(error.file, cases[i].file);
		ck_assert_uint_eq(error.line, line);
		ck_assert_uint_eq(error.column, column);
	}
}
END_TEST

START_TEST(rules_that_agree_on_the_domain_may_share_it)
{
	static const char *const texts[] = {
		POLICY(FIRST("\"share_domain\": \"s\",") "," SECOND("\"share_domain\": \"s\",")),
		WITH_XY(FIRST("\"share_domain\": \"s\", \"domain\": \"x\",") "," SECOND(
			"\"share_domain\": \"s\", \"domain\": \"x\",")),
		WITH_XY(FIRST("\"share_domain\": \"s\", \"domain\": \"x\",") "," SECOND(
			"\"share_domain\": \"t\", \"domain\": \"y\",")),
		WITH_XY(FIRST("\"share_domain\": \"s\", \"domain\": \"x\",") "," SECOND(
			"\"domain\": \"y\",")),
		WITH_XY(FIRST("\"domain\": \"x\",") "," SECOND("\"domain\": \"y\",")),
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(policy_unrefp) struct policy *policy = parse(texts[i]);

		ck_assert_uint_eq(policy_size(policy), 2);
	}
}
END_TEST

/* @n domains of 32 directories each, and rules that name them the other way round. */
static char *many(int n)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	fputs("{\"version\": 1, \"rules\": [", stream);
	for (int i = n - 1; i >= 0; i--)
		fprintf(stream,
			"{\"name\": \"r%d\", \"action\": \"allow\", \"match\": {\"users\": [1]}, "
			"\"channels\": [\"d/s%d\"], \"domain\": \"d%d\"}%s",
			i, i, i, i ? "," : "");
	fputs("], \"domains\": [", stream);
	for (int i = 0; i < n; i++) {
		fprintf(stream, "%s{\"name\": \"d%d\", \"read\": [", i ? "," : "", i);
		for (int k = 0; k < 2 * POLICY_DIRS_MAX; k++)
			fprintf(stream, "%s\"/d%d/%d\"",
				k == POLICY_DIRS_MAX ? "], \"write\": ["
				: k                  ? ","
						     : "",
				i, k);
		fputs("]}", stream);
	}
	fputs("]}", stream);
	fclose(stream);
	return text;
}

/* So that the arrays and the texts have moved often while they grew. */
START_TEST(as_many_domains_and_directories_as_may_be_are_all_there)
{
	_cleanup_(freep) char *text = many(POLICY_DOMAINS_MAX);
	_cleanup_(policy_unrefp) struct policy *policy = parse(text);

	for (int i = 0; i < POLICY_DOMAINS_MAX; i++) {
		const struct policy_domain *domain;
		char name[32];

		snprintf(name, sizeof(name), "d/s%d", i);
		domain = domain_of(policy, name);
		snprintf(name, sizeof(name), "d%d", i);
		ck_assert_str_eq(domain->name, name);
		ck_assert_uint_eq(domain->n_dirs, 2 * POLICY_DIRS_MAX);
		for (int k = 0; k < 2 * POLICY_DIRS_MAX; k++) {
			snprintf(name, sizeof(name), "/d%d/%d", i, k);
			ck_assert_str_eq(domain->dirs[k].path, name);
			ck_assert(domain->dirs[k].writable == (k >= POLICY_DIRS_MAX));
		}
	}
}
END_TEST

START_TEST(one_more_domain_is_refused_in_one_file_and_in_two)
{
	_cleanup_(freep) char *text = many(POLICY_DOMAINS_MAX);
	_cleanup_(freep) char *longer = many(POLICY_DOMAINS_MAX + 1);
	const char *const texts[] = {text, DOMAIN(""), NULL};
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
	struct policy_note error;

	ck_assert_int_eq(parse_error(longer, strlen(longer), &error), -EINVAL);
	ck_assert_str_eq(error.text, "domains must have at most 64 entries");
	ck_assert_int_eq(build(&policy, texts, &error), -EINVAL);
	ck_assert_ptr_null(policy);
	ck_assert_str_eq(error.text, "more than 64 domains");
	ck_assert_str_eq(error.file, "2.json");
	ck_assert_uint_eq(error.column,
		strlen("{\"version\": 1, \"rules\": [], \"domains\": [") + 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy domain");
	TCase *tcase = tcase_create("domains");

	tcase_add_loop_test(tcase, a_mistake_is_refused_where_it_stands, 0, ARRAY_SIZE(mistakes));
	tcase_add_test(tcase, a_rule_without_a_domain_has_the_default);
	tcase_add_loop_test(tcase, a_key_sets_what_it_says_and_nothing_else, 0, ARRAY_SIZE(keys));
	tcase_add_test(tcase, names_and_paths_may_be_as_long_and_as_many_as_promised);
	tcase_add_test(tcase, domains_may_have_the_same_directories_and_so_may_a_device);
	tcase_add_test(tcase, the_rule_that_decides_supplies_the_domain);
	tcase_add_test(tcase, a_domain_that_no_rule_names_is_nobodys);
	tcase_add_test(tcase, a_rule_may_name_a_domain_of_an_earlier_and_of_a_later_file);
	tcase_add_test(tcase, a_mistake_that_two_files_make_is_shown_in_the_right_one);
	tcase_add_test(tcase, rules_that_agree_on_the_domain_may_share_it);
	tcase_add_test(tcase, as_many_domains_and_directories_as_may_be_are_all_there);
	tcase_add_test(tcase, one_more_domain_is_refused_in_one_file_and_in_two);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
