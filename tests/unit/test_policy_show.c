// SPDX-License-Identifier: MIT
/* A policy can be shown, and what is shown is the policy. */
#include <check.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "policy/policy.h"
#include "tests/suite.h"
#include "tests/unit/policy_text.h"

/* Test programs run in the root of the tree. */
#define CORPUS "tests/fuzz/corpus/policy"

static void put(struct json_object **json)
{
	json_object_put(*json);
}

/* Take out what a file need not say. */
static void strip_list(struct json_object *root, const char *name)
{
	struct json_object *list = json_object_object_get(root, name), *file, *line;

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *item = json_object_array_get_idx(list, i);

		ck_assert(json_object_object_get_ex(item, "file", &file));
		ck_assert(json_object_is_type(file, json_type_string));
		ck_assert(json_object_object_get_ex(item, "line", &line));
		ck_assert_int_gt(json_object_get_int(line), 0);
		json_object_object_del(item, "file");
		json_object_object_del(item, "line");
	}
}

/* The same where only some say it. */
static void forget_places(struct json_object *root)
{
	static const char *const lists[] = {"rules", "devices", "domains"};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct json_object *list = json_object_object_get(root, lists[i]);

		for (size_t k = 0; k < json_object_array_length(list); k++) {
			json_object_object_del(json_object_array_get_idx(list, k), "file");
			json_object_object_del(json_object_array_get_idx(list, k), "line");
		}
	}
}

static struct json_object *show_stripped(const struct policy *policy)
{
	struct json_object *shown = policy_show(policy);

	ck_assert_ptr_nonnull(shown);
	strip_list(shown, "rules");
	strip_list(shown, "devices");
	strip_list(shown, "domains");
	return shown;
}

static struct policy *parse_json(struct json_object *json)
{
	const char *text = json_object_to_json_string(json);
	struct policy *policy = NULL;
	struct policy_note error;
	int r = policy_parse(&policy, "again.json", text, strlen(text), &error, NULL, NULL);

	ck_assert_msg(r == 0, "%u: %s: %s", error.column, error.text, text);
	return policy;
}

static struct policy *parse_file(const char *name)
{
	_cleanup_(put) struct json_object *json = NULL;
	char path[512];

	snprintf(path, sizeof(path), CORPUS "/%s", name);
	json = json_object_from_file(path);
	ck_assert_ptr_nonnull(json);
	return parse_json(json);
}

/* The file says all keys that there are, and what holds anyway. */
START_TEST(all_that_a_file_says_is_shown)
{
	_cleanup_(put) struct json_object *said = json_object_from_file(CORPUS "/shown.json");
	_cleanup_(put) struct json_object *shown = NULL;
	_cleanup_(policy_unrefp) struct policy *policy = NULL;

	ck_assert_ptr_nonnull(said);
	policy = parse_json(said);
	forget_places(said);
	shown = show_stripped(policy);
	ck_assert_msg(json_object_equal(said, shown), "%s",
		json_object_to_json_string_ext(shown, JSON_C_TO_STRING_PRETTY));
}
END_TEST

static const char *const sources[] = {"shown.json", "every-key.json", "every-domain-key.json",
	"every-match.json", "methods.json", "largest-values.json", "largest-domain-values.json",
	"10-audio.json", "20-camera.json", "30-sensors.json", "40-cdsp.json", "50-deny-guests.json",
	"60-desktop.json", "70-containers.json", "80-appliance.json"};

START_TEST(what_is_shown_says_the_same_again)
{
	_cleanup_(policy_unrefp) struct policy *policy = parse_file(sources[_i]), *again = NULL;
	_cleanup_(put) struct json_object *first = show_stripped(policy), *second = NULL;
	_cleanup_(put) struct json_object *shown = policy_show(policy);

	ck_assert_ptr_nonnull(shown);
	again = parse_json(shown); /* as it is */
	second = show_stripped(again);
	ck_assert_msg(json_object_equal(first, second), "%s, then %s",
		json_object_to_json_string(first), json_object_to_json_string(second));
	ck_assert_uint_eq(policy_size(policy), policy_size(again));
}
END_TEST

static struct json_object *nth(struct json_object *root, const char *list, size_t i)
{
	return json_object_array_get_idx(json_object_object_get(root, list), i);
}

static const char *text_of(struct json_object *object, const char *key)
{
	return json_object_to_json_string_ext(json_object_object_get(object, key),
		JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

START_TEST(rules_are_shown_in_the_order_of_decision_with_their_places)
{
	_cleanup_(policy_unrefp) struct policy *policy = parse(POLICY("\n" NAMED("a", "allow",
		"\"users\": [1]", "\"d/s\"") ",\n" NAMED("b", "deny", "\"users\": [2]",
		"\"d/s\"") ",\n" NAMED("c", "allow", "\"users\": [3]", "\"d/s\"")));
	_cleanup_(put) struct json_object *shown = policy_show(policy);
	static const char *const names[] = {"\"b\"", "\"a\"", "\"c\""};
	static const char *const lines[] = {"3", "2", "4"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct json_object *rule = nth(shown, "rules", i);

		ck_assert_str_eq(text_of(rule, "name"), names[i]);
		ck_assert_str_eq(text_of(rule, "file"), "\"t.json\"");
		ck_assert_str_eq(text_of(rule, "line"), lines[i]);
	}
}
END_TEST

START_TEST(names_are_shown_as_the_numbers_that_they_are)
{
	_cleanup_(policy_unrefp) struct policy *policy =
		parse(MATCH("\"users\": [\"root\", 5], \"groups\": [\"root\"]"));
	_cleanup_(put) struct json_object *shown = policy_show(policy);
	struct json_object *rule = nth(shown, "rules", 0);

	ck_assert_str_eq(text_of(rule, "match"), "{\"users\":[0,5],\"groups\":[0]}");
}
END_TEST

/* It must not become a rule for anybody. */
START_TEST(a_rule_that_matches_nobody_is_shown_as_one)
{
	_cleanup_(policy_unrefp) struct policy *policy = parse_file("every-match.json"),
					       *again = NULL;
	_cleanup_(put) struct json_object *shown = show_stripped(policy);

	again = parse_json(shown);
	ck_assert(!decide(policy, 0, 0, "d/s").allowed);
	ck_assert(!decide(again, 0, 0, "d/s").allowed);
	ck_assert(!decide(again, 1, 1, "d/s").allowed);
}
END_TEST

/* Both that speak FastRPC have them, and no others. */
START_TEST(what_a_transport_knows_nothing_of_is_not_shown)
{
	static const struct {
		const char *transport;
		bool speaks_fastrpc;
	} transports[] = {{"fastrpc", true}, {"qda", true}, {"rpmsg", false}, {"soft", false}};
	static const char *const keys[] = {"queue_ms", "domain_idle_ms", "exclusive"};

	for (size_t i = 0; i < ARRAY_SIZE(transports); i++) {
		char text[256];
		_cleanup_(policy_unrefp) struct policy *policy = NULL;
		_cleanup_(put) struct json_object *shown = NULL;

		snprintf(text, sizeof(text), DEVICES("{\"name\": \"d\", \"transport\": \"%s\"}"),
			transports[i].transport);
		policy = parse(text);
		shown = policy_show(policy);
		for (size_t key = 0; key < ARRAY_SIZE(keys); key++)
			ck_assert_msg(json_object_object_get_ex(nth(shown, "devices", 0), keys[key],
					      NULL) == transports[i].speaks_fastrpc,
				"%s: %s", transports[i].transport, keys[key]);
	}
}
END_TEST

START_TEST(nothing_is_shown_as_nothing)
{
	_cleanup_(policy_unrefp) struct policy *policy = parse(POLICY(""));
	_cleanup_(put) struct json_object *shown = policy_show(policy);

	ck_assert_str_eq(json_object_to_json_string_ext(shown, JSON_C_TO_STRING_PLAIN),
		"{\"version\":1,\"rules\":[],\"devices\":[],\"domains\":[]}");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy show");
	TCase *tcase = tcase_create("show");

	tcase_add_test(tcase, all_that_a_file_says_is_shown);
	tcase_add_loop_test(tcase, what_is_shown_says_the_same_again, 0, ARRAY_SIZE(sources));
	tcase_add_test(tcase, rules_are_shown_in_the_order_of_decision_with_their_places);
	tcase_add_test(tcase, names_are_shown_as_the_numbers_that_they_are);
	tcase_add_test(tcase, a_rule_that_matches_nobody_is_shown_as_one);
	tcase_add_test(tcase, what_a_transport_knows_nothing_of_is_not_shown);
	tcase_add_test(tcase, nothing_is_shown_as_nothing);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
