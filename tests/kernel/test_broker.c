// SPDX-License-Identifier: MIT
/* The broker on the test kernel, with the software DSP: the way from a client to a result. */
#include "tests/kernel/testbed.h"

START_TEST(a_user_of_this_kernel_gets_a_result_from_the_software_dsp)
{
	struct harness harness;
	const char *output;

	harness_start(&harness, ALLOW_ALL);
	require_eq(harness_dspctl(&harness, ALICE, &output, "call", EXAMPLE, "2", "i32:1,2,3",
			   "out:i64"),
		0);
	require_text(output, "6");
	harness_stop(&harness);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("broker");
	TCase *tcase = tcase_create("broker");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_test(tcase, a_user_of_this_kernel_gets_a_result_from_the_software_dsp);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
