// SPDX-License-Identifier: MIT
/* What globs match, and which of them cover others. */
#include <check.h>
#include <string.h>

#include "policy/compiled.h"
#include "tests/suite.h"
#include "tests/unit/policy_model.h"

#define SEED 424242u

START_TEST(a_glob_stays_within_its_path_component)
{
	static const struct {
		const char *glob, *channel;
		bool matches;
	} cases[] = {
		{"d/s", "d/s", true},
		{"d/s", "d/t", false},
		{"d/s", "d/ss", false},
		{"d/ss", "d/s", false},
		{"D/s", "d/s", false},
		{"d/s", "", false},
		{"*/*", "", false},
		{"*/*", "cdsp/denoise", true},
		{"*/*", "cdsp", false},
		{"*/*", "a/b/c", false},
		{"*", "a/b", false},
		{"?/?", "a/b", true},
		{"?/?", "a/", false},
		{"???", "a/b", false},
		{"c*/x", "cdsp/x", true},
		{"c*/x", "c/x", true},
		{"c*/x", "adsp/x", false},
		{"c*x", "c/x", false},
		{"*dsp/*", "cdsp/a", true},
		{"*dsp/*", "dsp0/a", false},
		{"*dsp?/*", "cdsp1/a", true},
		{"d/*a*b*", "d/xaxbx", true},
		{"d/*a*b*", "d/xbxax", false},
		{"d/*ab", "d/aab", true},
		{"d/*ab", "d/abab", true},
		{"d/a**b", "d/ab", true},
		{"d/*?", "d/", false},
		{"d/*?", "d/x", true},
		{"d/?*?", "d/x", false},
		{"d/?*?", "d/xy", true},
		{"*a/b", "xa/b", true},
		{"*a/b", "xa/c", false},
		{"*a/*b", "aa/ab", true},
		{"d/.", "d/x", false},
		{"d/a", "d/a*", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_msg(policy_glob(cases[i].glob, cases[i].channel) == cases[i].matches,
			"%s on %s", cases[i].glob, cases[i].channel);
}
END_TEST

/* With backtracking into each star this would outlive the universe, and Check's time-out. */
START_TEST(a_glob_of_many_stars_costs_little)
{
	char glob[POLICY_GLOB_MAX + 1] = "d/", channel[POLICY_GLOB_MAX + 1] = "d/";

	for (size_t i = 2; i < POLICY_GLOB_MAX; i++) {
		glob[i] = i % 2 ? '*' : 'a';
		channel[i] = 'a';
	}
	ck_assert(policy_glob(glob, channel));
	channel[POLICY_GLOB_MAX - 1] = 'b';
	ck_assert(!policy_glob(glob, channel));
}
END_TEST

/* Every text of at most four of these bytes. */
static bool all_texts_covered(const char *wide, const char *narrow)
{
	static const char bytes[] = "ab/";

	for (unsigned int i = 0; i < 256; i++) {
		char text[5] = "";
		size_t n = 0;

		for (unsigned int left = i; left & 3; left >>= 2)
			text[n++] = bytes[(left & 3) - 1];
		if (policy_glob(narrow, text) && !policy_glob(wide, text))
			return false;
	}
	return true;
}

START_TEST(a_glob_that_is_said_to_cover_another_matches_all_that_it_does)
{
	static const char bytes[] = "ab/*?";
	uint64_t state = SEED;
	size_t covered = 0, overlooked = 0;

	for (size_t i = 0; i < 200000; i++) {
		char globs[2][5] = {"", ""};
		bool says;

		for (size_t k = 0; k < ARRAY_SIZE(globs); k++)
			for (size_t left = model_random(&state, 5); left > 0; left--)
				globs[k][left - 1] = bytes[model_random(&state, 5)];
		says = policy_glob_covers(globs[0], globs[1]);
		if (says)
			ck_assert_msg(all_texts_covered(globs[0], globs[1]), "%s covers %s",
				globs[0], globs[1]);
		else
			overlooked += all_texts_covered(globs[0], globs[1]);
		covered += says;
	}
	ck_assert_uint_gt(covered, 5000);
	/* Globs of four bytes that only longer texts tell apart are no oversight. */
	ck_assert_msg(overlooked * 10 < covered, "%zu of %zu", overlooked, covered);
}
END_TEST

START_TEST(a_glob_covers_what_it_evidently_covers)
{
	static const struct {
		const char *wide, *narrow;
		bool covers;
	} cases[] = {
		{"d/s", "d/s", true},
		{"d/*", "d/s", true},
		{"*/*", "d*/?s", true},
		{"*", "a/b", false},
		{"*/*", "*", false},
		{"a*", "a", true},
		{"a*", "a?*", true},
		{"a?*", "a*", false},
		{"a*?", "a?*", true},
		{"a?*", "a**?", true},
		{"*a*", "*ba*", true},
		{"*a*b*", "*a?b*", true},
		{"*ab*", "*a*b*", false},
		{"?", "*", false},
		{"?", "/", false},
		{"**", "*", true},
		{"", "", true},
		{"", "*", false},
		{"*", "", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_msg(policy_glob_covers(cases[i].wide, cases[i].narrow) == cases[i].covers,
			"%s and %s", cases[i].wide, cases[i].narrow);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy globs");
	TCase *tcase = tcase_create("globs");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_glob_stays_within_its_path_component);
	tcase_add_test(tcase, a_glob_of_many_stars_costs_little);
	tcase_add_test(tcase, a_glob_that_is_said_to_cover_another_matches_all_that_it_does);
	tcase_add_test(tcase, a_glob_covers_what_it_evidently_covers);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
