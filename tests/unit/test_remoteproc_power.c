// SPDX-License-Identifier: MIT
/*
 * Remote processors that an administrator starts and stops, in a sysfs of files: a start "works"
 * when the word has arrived, and the test says what becomes of it; tests/kernel has the kernel do
 * that.
 */
#include <check.h>
#include <string.h>

#include "tests/suite.h"
#include "tests/unit/remoteproc_rig.h"

static const struct policy_device external = {.lifecycle = POLICY_EXTERNAL},
				  always = {.lifecycle = POLICY_ALWAYS},
				  on_demand = {.lifecycle = POLICY_ON_DEMAND},
				  lasting = {.lifecycle = POLICY_ON_DEMAND, .idle_ms = 3600000};
static const char stopped[] = "an administrator has stopped remoteproc0 and must start it again";

/* It was told that word, and did what it says. */
static void await_done(const struct remoteproc *remoteproc, const char *command, const char *state)
{
	rig_await_command(remoteproc, command);
	rig_set_state(state);
}

START_TEST(what_somebody_else_controls_is_started_and_stopped_by_that_alone)
{
	struct remoteproc *remoteproc = rig_begin("offline\n", &external);

	remoteproc_power(remoteproc, true);
	await_done(remoteproc, "start", "running\n");
	remoteproc_power(remoteproc, false);
	await_done(remoteproc, "stop", "offline\n");
	remoteproc_use(remoteproc);
	ck_assert(!remoteproc->life.busy);
	/* Somebody else may start it now as ever. */
	rig_set_state("running\n");
	ck_assert(!remoteproc->life.busy);
	ck_assert_str_eq(remoteproc_trouble(remoteproc), "");
}
END_TEST

START_TEST(what_somebody_else_started_is_stopped_on_that_word)
{
	struct remoteproc *remoteproc = rig_begin("running\n", &external);

	remoteproc_power(remoteproc, false);
	await_done(remoteproc, "stop", "offline\n");
	ck_assert(!remoteproc->life.busy);
}
END_TEST

START_TEST(on_demand_it_stays_stopped_until_it_is_started)
{
	struct remoteproc *remoteproc = rig_begin("offline\n", &on_demand);
	unsigned int told;

	remoteproc_use(remoteproc);
	await_done(remoteproc, "start", "running\n");
	remoteproc_power(remoteproc, false);
	await_done(remoteproc, "stop", "offline\n");
	told = device.told;
	remoteproc_use(remoteproc);
	machine_await(&machine, device.told > told);
	ck_assert_str_eq(remoteproc_trouble(remoteproc), stopped);
	ck_assert(!remoteproc->life.busy);
	remoteproc_power(remoteproc, true);
	ck_assert_str_eq(remoteproc_trouble(remoteproc), "");
	await_done(remoteproc, "start", "running\n");
	ck_assert(!remoteproc->life.busy);
}
END_TEST

START_TEST(one_that_is_always_to_run_stays_stopped_until_it_is_started)
{
	struct remoteproc *remoteproc = rig_begin("offline\n", &always);

	await_done(remoteproc, "start", "running\n");
	remoteproc_power(remoteproc, false);
	await_done(remoteproc, "stop", "offline\n");
	machine_await(&machine, *remoteproc_trouble(remoteproc));
	for (int i = 0; i < 3; i++) {
		remoteproc_refresh(remoteproc);
		ck_assert(!remoteproc->life.busy);
	}
	ck_assert_str_eq(remoteproc_trouble(remoteproc), stopped);
	remoteproc_power(remoteproc, true);
	await_done(remoteproc, "start", "running\n");
	/* From now on as policy says. */
	rig_set_state("offline\n");
	await_done(remoteproc, "detach", "offline\n");
	rig_await_command(remoteproc, "start");
}
END_TEST

START_TEST(an_order_that_comes_during_a_step_is_obeyed_after_it)
{
	struct remoteproc *remoteproc = rig_begin("offline\n", &external);

	remoteproc_power(remoteproc, true);
	ck_assert(remoteproc->life.busy);
	remoteproc_power(remoteproc, false);
	rig_await_command(remoteproc, "stop");
}
END_TEST

START_TEST(the_last_order_counts)
{
	struct remoteproc *remoteproc = rig_begin("offline\n", &always);

	ck_assert(remoteproc->life.busy); /* it starts it by itself */
	remoteproc_power(remoteproc, false);
	remoteproc_power(remoteproc, true);
	await_done(remoteproc, "start", "running\n");
	ck_assert(!remoteproc->life.busy);
	ck_assert(!remoteproc->life.held);
}
END_TEST

START_TEST(what_is_so_already_is_left_alone)
{
	struct remoteproc *remoteproc = rig_begin("running\n", &external);

	remoteproc_power(remoteproc, true);
	ck_assert(!remoteproc->life.busy);
	rig_set_state("offline\n");
	ck_assert(!remoteproc->life.busy); /* that order is done with */
	remoteproc_power(remoteproc, false);
	ck_assert(!remoteproc->life.busy);
	ck_assert_str_eq(machine_read(&machine, "dev/remoteproc0"), "offline\n");
}
END_TEST

START_TEST(one_that_is_not_isolated_is_not_started_on_any_word)
{
	struct remoteproc *remoteproc;

	device.device.isolation = DSP_ISOLATION_REFUSED;
	remoteproc = rig_begin("offline\n", &external);
	ck_assert_ptr_eq(remoteproc_refused_device(remoteproc), &device.device);
	remoteproc_power(remoteproc, true);
	ck_assert(!remoteproc->life.busy);
	rig_set_state("running\n");
	remoteproc_power(remoteproc, false);
	rig_await_command(remoteproc, "stop");
}
END_TEST

START_TEST(started_without_a_session_it_has_as_much_time_as_after_the_last)
{
	struct remoteproc *remoteproc = rig_begin("offline\n", &lasting);

	remoteproc_power(remoteproc, true);
	await_done(remoteproc, "start", "running\n");
	ck_assert(!remoteproc->life.busy);
	ck_assert(deadline_is_set(&remoteproc->life.next));
}
END_TEST

START_TEST(a_start_that_fails_is_told_and_not_tried_again)
{
	struct remoteproc *remoteproc = rig_begin("offline\n", &external);

	machine_remove(&machine, "dev/remoteproc0");
	remoteproc_power(remoteproc, true);
	machine_await(&machine, *remoteproc_trouble(remoteproc) && !remoteproc->life.busy);
	remoteproc_refresh(remoteproc);
	ck_assert(!remoteproc->life.busy);
	ck_assert(!deadline_is_set(&remoteproc->life.next));
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("remoteproc power");
	TCase *tcase = tcase_create("power");

	tcase_add_checked_fixture(tcase, rig_set_up, rig_tear_down);
	tcase_add_test(tcase, what_somebody_else_controls_is_started_and_stopped_by_that_alone);
	tcase_add_test(tcase, what_somebody_else_started_is_stopped_on_that_word);
	tcase_add_test(tcase, on_demand_it_stays_stopped_until_it_is_started);
	tcase_add_test(tcase, one_that_is_always_to_run_stays_stopped_until_it_is_started);
	tcase_add_test(tcase, an_order_that_comes_during_a_step_is_obeyed_after_it);
	tcase_add_test(tcase, the_last_order_counts);
	tcase_add_test(tcase, what_is_so_already_is_left_alone);
	tcase_add_test(tcase, one_that_is_not_isolated_is_not_started_on_any_word);
	tcase_add_test(tcase, started_without_a_session_it_has_as_much_time_as_after_the_last);
	tcase_add_test(tcase, a_start_that_fails_is_told_and_not_tried_again);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
