// SPDX-License-Identifier: MIT
/*
 * Remote processors in a sysfs of files: what a real kernel cannot easily be brought to show. Here
 * a start "works" when the word has arrived, and the test says what becomes of it; tests/kernel has
 * the kernel do that.
 */
#include <check.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fds.h"
#include "tests/suite.h"
#include "tests/unit/remoteproc_rig.h"

static const struct policy_device external = {.lifecycle = POLICY_EXTERNAL},
				  always = {.lifecycle = POLICY_ALWAYS},
				  on_demand = {.lifecycle = POLICY_ON_DEMAND},
				  lasting = {.lifecycle = POLICY_ON_DEMAND, .idle_ms = 3600000};

static void await_trouble(const struct remoteproc *remoteproc, const char *text)
{
	machine_await(&machine, *remoteproc_trouble(remoteproc));
	ck_assert_str_eq(remoteproc_trouble(remoteproc), text);
}

static bool is_asleep(void)
{
	return deadline_next(&machine.broker.deadlines) == UINT64_MAX;
}

/* The next time that it looks, without the wait. */
static void look_now(void)
{
	struct deadline *next;

	ck_assert(!is_asleep());
	next = deadline_first(&machine.broker.deadlines);
	deadline_clear(&machine.broker.deadlines, next);
	next->expired(next);
}

static void fall_asleep(void)
{
	while (!is_asleep())
		look_now();
}

START_TEST(a_machine_without_remote_processors_has_none)
{
	machine_remove(&machine, "sys");
	ck_assert_int_eq(remoteprocs_init(&machine.broker), 0);
	ck_assert_ptr_null(remoteproc_by_name(&machine.broker, "remoteproc0"));
	ck_assert_ptr_null(remoteproc_of_path(&machine.broker, "/sys/devices"));
	remoteprocs_wake(&machine.broker);
	ck_assert(is_asleep());
}
END_TEST

START_TEST(one_is_found_by_its_name_its_number_and_what_lies_below_it)
{
	struct broker *broker = &machine.broker;
	struct remoteproc *cdsp, *adsp;
	struct path path;

	machine_add_remoteproc(&machine, 0, "cdsp\n", "soc/cluster", "offline\n");
	machine_add_remoteproc(&machine, 10, "adsp\n", "soc/cluster/inner", "running\n");
	ck_assert_int_eq(remoteprocs_init(broker), 0);
	cdsp = remoteproc_by_name(broker, "cdsp");
	adsp = remoteproc_by_name(broker, "remoteproc10");
	ck_assert_ptr_nonnull(cdsp);
	ck_assert_ptr_nonnull(adsp);
	ck_assert_ptr_ne(cdsp, adsp);
	ck_assert_ptr_eq(remoteproc_by_name(broker, "adsp"), adsp);
	ck_assert_str_eq(remoteproc_name(adsp), "remoteproc10");
	path = machine_path(&machine, "sys/devices/soc/cluster/virtio0/virtio0.rpmsg_ctrl.0.0");
	ck_assert_ptr_eq(remoteproc_of_path(broker, path.text), cdsp);
	path = machine_path(&machine, "sys/devices/soc/cluster/inner/virtio1");
	ck_assert_ptr_eq(remoteproc_of_path(broker, path.text), adsp);
	path = machine_path(&machine, "sys/devices/soc/cluster2");
	ck_assert_ptr_null(remoteproc_of_path(broker, path.text));
	ck_assert_ptr_eq(remoteproc_of_path(broker, remoteproc_device_path(cdsp)), cdsp);
}
END_TEST

START_TEST(a_state_is_told_whatever_the_kernels_word_for_it)
{
	static const struct {
		const char *word;
		enum dsp_device_state state;
	} words[] = {
		{"running\n", DSP_STATE_RUNNING},
		{"suspended\n", DSP_STATE_SUSPENDED},
		{"crashed\n", DSP_STATE_CRASHED},
		{"attached\n", DSP_STATE_ATTACHED},
		{"detached\n", DSP_STATE_DETACHED},
		{"invalid\n", DSP_STATE_UNKNOWN},
		{"deleted\n", DSP_STATE_OFFLINE},
		{"dancing\n", DSP_STATE_UNKNOWN},
		{"offline\n", DSP_STATE_OFFLINE},
		{"", DSP_STATE_UNKNOWN},
		{"running", DSP_STATE_RUNNING},
		{"running\nrunning\n", DSP_STATE_UNKNOWN},
		{"offline offline offline offline offline offline\n", DSP_STATE_UNKNOWN},
		{"offline\n", DSP_STATE_OFFLINE},
	};
	unsigned int told;

	rig_begin("offline\n", &external);
	ck_assert_uint_eq(device.device.state, DSP_STATE_OFFLINE);
	ck_assert_uint_gt(device.told, 0);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		enum dsp_device_state before = device.device.state;

		told = device.told;
		rig_set_state(words[i].word);
		ck_assert_uint_eq(device.device.state, words[i].state);
		ck_assert_uint_eq(device.told - told, before != words[i].state);
	}
}
END_TEST

START_TEST(a_state_that_cannot_be_read_is_unknown_and_nothing_is_done)
{
	struct path state = machine_attribute(0, "state");
	struct remoteproc *remoteproc = rig_begin("running\n", &always);

	ck_assert_int_eq(chmod(machine_path(&machine, state.text).text, 0), 0);
	remoteproc_refresh(remoteproc);
	ck_assert_uint_eq(device.device.state, DSP_STATE_UNKNOWN);
	ck_assert(!remoteproc->life.busy);
}
END_TEST

START_TEST(one_that_vanishes_is_offline_and_is_the_same_when_it_comes_again)
{
	struct remoteproc *remoteproc = rig_begin("running\n", &external);

	ck_assert_uint_eq(device.device.state, DSP_STATE_RUNNING);
	machine_remove_remoteproc(&machine, 0, DSP);
	remoteproc_refresh(remoteproc);
	ck_assert_uint_eq(device.device.state, DSP_STATE_OFFLINE);
	ck_assert_ptr_eq(remoteproc_by_name(&machine.broker, "cdsp"), remoteproc);

	/* Its driver is loaded again, and another one was faster. */
	machine_add_remoteproc(&machine, 0, "adsp\n", "platform/other", "offline\n");
	machine_add_remoteproc(&machine, 1, "cdsp\n", DSP, "attached\n");
	machine_await(&machine, device.device.state == DSP_STATE_ATTACHED);
	ck_assert_ptr_eq(remoteproc_by_name(&machine.broker, "cdsp"), remoteproc);
	ck_assert_str_eq(remoteproc_name(remoteproc), "remoteproc1");
	ck_assert_ptr_ne(remoteproc_by_name(&machine.broker, "remoteproc0"), remoteproc);
}
END_TEST

START_TEST(one_whose_attributes_are_gone_is_met_when_they_are_there)
{
	machine_add_remoteproc(&machine, 0, "cdsp\n", DSP, "running\n");
	machine_remove(&machine, machine_attribute(0, "device").text);
	ck_assert_int_eq(remoteprocs_init(&machine.broker), 0);
	ck_assert_ptr_null(remoteproc_by_name(&machine.broker, "remoteproc0"));

	machine_add_remoteproc(&machine, 1, "adsp\n", "platform/other", "running\n");
	machine_remove(&machine, machine_attribute(1, "name").text);
	machine_remove(&machine, machine_attribute(1, "state").text);
	remoteprocs_deinit(&machine.broker);
	ck_assert_int_eq(remoteprocs_init(&machine.broker), 0);
	machine_bind(&machine, &device, "dsp0", &external, "remoteproc1");
	ck_assert_uint_eq(device.device.state, DSP_STATE_OFFLINE);
	machine_write(&machine, machine_attribute(1, "state").text, "running\n");
	machine_await(&machine, device.device.state == DSP_STATE_RUNNING);
}
END_TEST

START_TEST(an_instance_that_came_for_another_owes_us_nothing)
{
	struct remoteproc *remoteproc = rig_begin("offline\n", &always);
	struct path folder = path_join("sys/devices/%s/remoteproc/remoteproc0", DSP);

	rig_await_command(remoteproc, "start");
	rig_set_state("running\n");
	ck_assert(remoteproc->life.job.counted);
	machine_write(&machine, machine_attribute(0, "state").text, "offline\n");
	machine_link(&machine, "sys/class/new", folder.text);
	ck_assert_int_eq(rename(machine_path(&machine, "sys/class/new").text,
				 machine_path(&machine, "sys/class/remoteproc/remoteproc0").text),
		0);
	remoteprocs_wake(&machine.broker);
	rig_await_command(remoteproc, "start");
}
END_TEST

START_TEST(one_that_vanishes_in_the_middle_of_its_start_is_started_when_it_comes_again)
{
	struct remoteproc *remoteproc = rig_begin("offline\n", &always);

	ck_assert(remoteproc->life.busy);
	machine_remove_remoteproc(&machine, 0, DSP);
	remoteproc_refresh(remoteproc);
	ck_assert(!remoteproc->present);
	machine_await(&machine, !remoteproc->life.busy && !remoteproc->life.replaced);
	machine_add_remoteproc(&machine, 0, "cdsp\n", DSP, "offline\n");
	rig_await_command(remoteproc, "start");
}
END_TEST

START_TEST(what_somebody_else_controls_is_never_told_anything)
{
	static const char *const states[] = {"detached\n", "offline\n", "running\n", "crashed\n"};
	struct remoteproc *remoteproc = rig_begin("offline\n", &external);

	remoteproc_use(remoteproc);
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		rig_set_state(states[i]);
		ck_assert(!remoteproc->life.busy);
	}
	remoteproc_unuse(remoteproc);
	ck_assert(!remoteproc->life.busy);
	ck_assert_str_eq(remoteproc_trouble(remoteproc), "");
}
END_TEST

START_TEST(one_that_is_always_to_run_is_started_whenever_it_is_found_down)
{
	static const char *const others[] = {"crashed\n", "suspended\n", "invalid\n", "running\n"};
	struct remoteproc *remoteproc = rig_begin("offline\n", &always);

	rig_await_command(remoteproc, "start");
	rig_set_state("running\n");
	ck_assert_uint_eq(device.device.state, DSP_STATE_RUNNING);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		rig_set_state(others[i]);
		ck_assert(!remoteproc->life.busy);
	}
	/* Whether a start of ours still counts is asked first. */
	rig_set_state("offline\n");
	rig_await_command(remoteproc, "detach");
	rig_set_state("offline\n");
	rig_await_command(remoteproc, "start");
}
END_TEST

START_TEST(one_that_is_detached_is_attached)
{
	struct remoteproc *remoteproc = rig_begin("detached\n", &always);

	rig_await_command(remoteproc, "start");
}
END_TEST

START_TEST(the_first_use_starts_it_and_the_end_of_the_last_stops_it)
{
	struct remoteproc *remoteproc = rig_begin("offline\n", &on_demand);

	ck_assert(!remoteproc->life.busy);
	remoteproc_use(remoteproc);
	remoteproc_use(remoteproc);
	rig_await_command(remoteproc, "start");
	rig_set_state("running\n");
	remoteproc_unuse(remoteproc);
	ck_assert(!remoteproc->life.busy);
	remoteproc_unuse(remoteproc);
	rig_await_command(remoteproc, "stop");
	rig_set_state("offline\n");
	remoteproc_use(remoteproc);
	rig_await_command(remoteproc, "start");
}
END_TEST

START_TEST(what_was_attached_is_detached_in_the_end)
{
	struct remoteproc *remoteproc = rig_begin("detached\n", &on_demand);

	remoteproc_use(remoteproc);
	rig_await_command(remoteproc, "start");
	rig_set_state("attached\n");
	remoteproc_unuse(remoteproc);
	rig_await_command(remoteproc, "detached\n");
	ck_assert_uint_eq(device.device.state, DSP_STATE_DETACHED);
}
END_TEST

START_TEST(a_stop_that_fails_is_tried_again_and_is_no_trouble_for_anybody)
{
	struct remoteproc *remoteproc = rig_begin("offline\n", &on_demand);

	remoteproc_use(remoteproc);
	rig_await_command(remoteproc, "start");
	rig_set_state("running\n");
	machine_remove(&machine, "dev/remoteproc0");
	remoteproc_unuse(remoteproc);
	machine_await(&machine, remoteproc->life.delay_us);
	ck_assert_str_eq(remoteproc_trouble(remoteproc), "");
	machine_link(&machine, "dev/remoteproc0", machine_attribute(0, "state").text);
	rig_await_command(remoteproc, "stop");
}
END_TEST

START_TEST(it_is_not_stopped_while_it_is_used_again_or_not_long_enough_idle)
{
	struct remoteproc *remoteproc = rig_begin("offline\n", &lasting);

	remoteproc_use(remoteproc);
	rig_await_command(remoteproc, "start");
	rig_set_state("running\n");
	remoteproc_unuse(remoteproc);
	ck_assert(!remoteproc->life.busy);
	ck_assert(!is_asleep());
	remoteproc_use(remoteproc);
	ck_assert(!remoteproc->life.busy);
	ck_assert(!deadline_is_set(&remoteproc->life.next));
}
END_TEST

START_TEST(what_somebody_else_has_started_is_not_stopped)
{
	static const char *const states[] = {"running\n", "attached\n"};
	struct remoteproc *remoteproc = rig_begin("offline\n", &on_demand);

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		rig_set_state(states[i]);
		remoteproc_use(remoteproc);
		remoteproc_unuse(remoteproc);
		ck_assert(!remoteproc->life.busy);
		ck_assert(!deadline_is_set(&remoteproc->life.next));
	}
}
END_TEST

START_TEST(a_start_that_the_kernel_refuses_is_told_with_the_firmwares_name)
{
	struct remoteproc *remoteproc = rig_begin("running\n", &on_demand);
	unsigned int told;

	machine_remove(&machine, "dev/remoteproc0");
	ck_assert_int_eq(symlink("/dev/full", machine_path(&machine, "dev/remoteproc0").text), 0);
	rig_set_state("offline\n");
	told = device.told;
	remoteproc_use(remoteproc);
	await_trouble(remoteproc,
		"cannot start remoteproc0: No space left on device (firmware some.fw)");
	ck_assert_uint_gt(device.told, told);
	rig_set_state("running\n");
	ck_assert_str_eq(remoteproc_trouble(remoteproc), "");
}
END_TEST

START_TEST(rights_that_are_missing_are_told)
{
	struct remoteproc *remoteproc = rig_begin("running\n", &always);
	struct path node = machine_path(&machine, "dev/remoteproc0");

	machine_remove(&machine, "dev/remoteproc0");
	machine_write(&machine, "dev/remoteproc0", "");
	ck_assert_int_eq(chmod(node.text, 0), 0);
	rig_set_state("offline\n");
	await_trouble(remoteproc,
		path_join("cannot start remoteproc0: Permission denied (a udev rule must let the "
			  "broker open %s)",
			node.text)
			.text);
}
END_TEST

START_TEST(a_character_device_that_is_missing_is_told)
{
	struct remoteproc *remoteproc = rig_begin("running\n", &always);

	machine_remove(&machine, "dev/remoteproc0");
	rig_set_state("offline\n");
	machine_await(&machine, *remoteproc_trouble(remoteproc));
	ck_assert_ptr_nonnull(strstr(remoteproc_trouble(remoteproc), "CONFIG_REMOTEPROC_CDEV"));
}
END_TEST

START_TEST(one_that_would_not_stop_with_the_broker_is_not_started)
{
	static const struct policy_device stopping = {
		.lifecycle = POLICY_ALWAYS,
		.stop_with_broker = true,
	};
	struct remoteproc *remoteproc = rig_begin("offline\n", &stopping);

	/* A file does not promise anything. */
	machine_await(&machine, *remoteproc_trouble(remoteproc));
	ck_assert_ptr_nonnull(strstr(remoteproc_trouble(remoteproc), "would not stop it"));
	ck_assert_str_eq(machine_read(&machine, "dev/remoteproc0"), "offline\n");
}
END_TEST

START_TEST(one_that_does_not_run_although_it_was_started_is_told)
{
	struct remoteproc *remoteproc = rig_begin("running\n", &on_demand);

	machine_remove(&machine, "dev/remoteproc0");
	ck_assert_int_eq(symlink("/dev/null", machine_path(&machine, "dev/remoteproc0").text), 0);
	rig_set_state("offline\n");
	remoteproc_use(remoteproc);
	await_trouble(remoteproc,
		"cannot start remoteproc0: the kernel did, and still it does not run");
}
END_TEST

START_TEST(after_a_start_that_failed_the_next_use_tries_again_and_nothing_else)
{
	struct remoteproc *remoteproc = rig_begin("running\n", &on_demand);
	unsigned int told;

	machine_remove(&machine, "dev/remoteproc0");
	rig_set_state("offline\n");
	remoteproc_use(remoteproc);
	machine_await(&machine, *remoteproc_trouble(remoteproc) && !remoteproc->life.busy);
	told = device.told;
	remoteproc_refresh(remoteproc);
	remoteproc_unuse(remoteproc);
	remoteproc_refresh(remoteproc);
	ck_assert(!deadline_is_set(&remoteproc->life.next));
	remoteproc_use(remoteproc);
	machine_await(&machine, device.told > told);
	machine_link(&machine, "dev/remoteproc0", machine_attribute(0, "state").text);
	remoteproc_use(remoteproc);
	rig_await_command(remoteproc, "start");
}
END_TEST

START_TEST(one_that_is_always_to_run_is_tried_again_by_itself_and_ever_less_often)
{
	struct remoteproc *remoteproc = rig_begin("running\n", &always);
	uint64_t delay;

	machine_remove(&machine, "dev/remoteproc0");
	rig_set_state("offline\n");
	machine_await(&machine, remoteproc->life.delay_us);
	delay = remoteproc->life.delay_us;
	machine_await(&machine, remoteproc->life.delay_us > delay);
	machine_link(&machine, "dev/remoteproc0", machine_attribute(0, "state").text);
	rig_await_command(remoteproc, "start");
	rig_set_state("running\n");
	ck_assert_uint_eq(remoteproc->life.delay_us, 0);
}
END_TEST

START_TEST(one_that_nothing_isolates_is_never_started)
{
	static const struct policy_device *const policies[] = {&always, &on_demand};
	const struct policy_device *policy = policies[_i];
	struct remoteproc *remoteproc;
	unsigned int told;

	device.device.isolation = DSP_ISOLATION_REFUSED;
	remoteproc = rig_begin("offline\n", policy);
	told = device.told;
	remoteproc_use(remoteproc);
	/* Later, not within that call. */
	ck_assert_uint_eq(device.told, told);
	machine_await(&machine, device.told > told);
	ck_assert_str_eq(remoteproc_trouble(remoteproc),
		"remoteproc0 is not started: no IOMMU isolates device dsp0, and policy does not "
		"accept that");
	told = device.told;
	remoteproc_use(remoteproc);
	machine_await(&machine, device.told > told);
	fall_asleep();
	ck_assert(!remoteproc->life.busy);
	ck_assert_str_eq(machine_read(&machine, "dev/remoteproc0"), "offline\n");
}
END_TEST

START_TEST(of_two_devices_the_one_that_wants_most_decides)
{
	struct machine_device second = {};
	struct remoteproc *remoteproc = rig_begin("offline\n", &external);

	machine_bind(&machine, &second, "dsp1", &on_demand, "cdsp");
	ck_assert(!remoteproc->life.busy);
	ck_assert_uint_eq(second.device.state, DSP_STATE_OFFLINE);
	remoteproc_use(remoteproc);
	rig_await_command(remoteproc, "start");
	rig_set_state("running\n");
	ck_assert_uint_eq(second.device.state, DSP_STATE_RUNNING);
	remoteproc_unbind(&second.device);
	ck_assert_ptr_null(second.device.remoteproc);
	remoteproc_unuse(remoteproc);
	ck_assert(!remoteproc->life.busy);
	rig_set_state("offline\n");
	ck_assert_uint_eq(second.device.state, DSP_STATE_RUNNING);
	list_remove(&second.device.link);
}
END_TEST

START_TEST(it_is_watched_as_long_as_a_client_is_there_and_not_a_moment_longer)
{
	struct list client;

	rig_begin("offline\n", &external);
	fall_asleep();
	list_append(&machine.broker.clients, &client);
	remoteprocs_wake(&machine.broker);
	for (int i = 0; i < 100; i++)
		look_now();
	ck_assert(!is_asleep());
	list_remove(&client);
	fall_asleep();
	/* What has changed while nobody looked is seen when somebody comes. */
	machine_write(&machine, machine_attribute(0, "state").text, "running\n");
	ck_assert_uint_eq(device.device.state, DSP_STATE_OFFLINE);
	remoteprocs_wake(&machine.broker);
	ck_assert_uint_eq(device.device.state, DSP_STATE_RUNNING);
}
END_TEST

START_TEST(core_dumps_are_enabled_where_policy_wants_them)
{
	static const struct policy_device dumping = {.coredumps = 1};
	static const struct {
		const struct policy_device *policy;
		const char *before, *after;
	} cases[] = {
		{&dumping, "disabled\n", "enabled"},
		{&dumping, "inline\n", "inline\n"},
		{&external, "disabled\n", "disabled\n"},
	};
	struct path attribute = machine_attribute(0, "coredump");

	machine_add_remoteproc(&machine, 0, "cdsp\n", DSP, "running\n");
	machine_write(&machine, attribute.text, cases[_i].before);
	ck_assert_int_eq(remoteprocs_init(&machine.broker), 0);
	machine_bind(&machine, &device, "dsp0", cases[_i].policy, "cdsp");
	ck_assert_str_eq(machine_read(&machine, attribute.text), cases[_i].after);

	/* A driver that is loaded again has forgotten it. */
	machine_remove_remoteproc(&machine, 0, DSP);
	remoteproc_refresh(device.device.remoteproc);
	machine_add_remoteproc(&machine, 0, "cdsp\n", DSP, "running\n");
	machine_write(&machine, attribute.text, cases[_i].before);
	machine_await(&machine, device.device.state == DSP_STATE_RUNNING);
	ck_assert_str_eq(machine_read(&machine, attribute.text), cases[_i].after);
}
END_TEST

START_TEST(core_dumps_that_cannot_be_enabled_do_no_harm)
{
	static const struct policy_device dumping = {
		.lifecycle = POLICY_ALWAYS,
		.coredumps = 1,
	};
	struct path attribute = machine_attribute(0, "coredump");

	machine_add_remoteproc(&machine, 0, "cdsp\n", DSP, "offline\n");
	ck_assert_int_eq(chmod(machine_path(&machine, attribute.text).text, 0444), 0);
	ck_assert_int_eq(remoteprocs_init(&machine.broker), 0);
	machine_bind(&machine, &device, "dsp0", &dumping, "cdsp");
	rig_await_command(device.device.remoteproc, "start");
	ck_assert_str_eq(machine_read(&machine, attribute.text), "disabled\n");
}
END_TEST

START_TEST(the_broker_may_end_in_the_middle_of_a_step)
{
	size_t before = count_fds(getpid());
	struct remoteproc *remoteproc = rig_begin("offline\n", &always);

	ck_assert(remoteproc->life.busy);
	machine_end_broker(&machine, _i);
	/* Those of the threads' wake-up are gone, too. */
	ck_assert_uint_lt(count_fds(getpid()), before);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("remoteproc");
	TCase *tcase = tcase_create("remoteproc");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, rig_set_up, rig_tear_down);
	tcase_add_test(tcase, a_machine_without_remote_processors_has_none);
	tcase_add_test(tcase, one_is_found_by_its_name_its_number_and_what_lies_below_it);
	tcase_add_test(tcase, a_state_is_told_whatever_the_kernels_word_for_it);
	tcase_add_test(tcase, a_state_that_cannot_be_read_is_unknown_and_nothing_is_done);
	tcase_add_test(tcase, one_that_vanishes_is_offline_and_is_the_same_when_it_comes_again);
	tcase_add_test(tcase, one_whose_attributes_are_gone_is_met_when_they_are_there);
	tcase_add_test(tcase, an_instance_that_came_for_another_owes_us_nothing);
	tcase_add_test(tcase,
		one_that_vanishes_in_the_middle_of_its_start_is_started_when_it_comes_again);
	tcase_add_test(tcase, what_somebody_else_controls_is_never_told_anything);
	tcase_add_test(tcase, one_that_is_always_to_run_is_started_whenever_it_is_found_down);
	tcase_add_test(tcase, one_that_is_detached_is_attached);
	tcase_add_test(tcase, the_first_use_starts_it_and_the_end_of_the_last_stops_it);
	tcase_add_test(tcase, what_was_attached_is_detached_in_the_end);
	tcase_add_test(tcase, a_stop_that_fails_is_tried_again_and_is_no_trouble_for_anybody);
	tcase_add_test(tcase, it_is_not_stopped_while_it_is_used_again_or_not_long_enough_idle);
	tcase_add_test(tcase, what_somebody_else_has_started_is_not_stopped);
	tcase_add_test(tcase, a_start_that_the_kernel_refuses_is_told_with_the_firmwares_name);
	tcase_add_test(tcase, rights_that_are_missing_are_told);
	tcase_add_test(tcase, a_character_device_that_is_missing_is_told);
	tcase_add_test(tcase, one_that_would_not_stop_with_the_broker_is_not_started);
	tcase_add_test(tcase, one_that_does_not_run_although_it_was_started_is_told);
	tcase_add_test(tcase, after_a_start_that_failed_the_next_use_tries_again_and_nothing_else);
	tcase_add_test(tcase,
		one_that_is_always_to_run_is_tried_again_by_itself_and_ever_less_often);
	tcase_add_loop_test(tcase, one_that_nothing_isolates_is_never_started, 0, 2);
	tcase_add_test(tcase, of_two_devices_the_one_that_wants_most_decides);
	tcase_add_test(tcase, it_is_watched_as_long_as_a_client_is_there_and_not_a_moment_longer);
	tcase_add_loop_test(tcase, core_dumps_are_enabled_where_policy_wants_them, 0, 3);
	tcase_add_test(tcase, core_dumps_that_cannot_be_enabled_do_no_harm);
	tcase_add_loop_test(tcase, the_broker_may_end_in_the_middle_of_a_step, 0, 2);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
