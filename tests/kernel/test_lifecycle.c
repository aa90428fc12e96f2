// SPDX-License-Identifier: MIT
/*
 * The life of a remote processor through the broker, on the kernel's remoteproc framework
 * (drivers/remoteproc, with modules/remoteproc_sim.c in the place of a chip's driver).
 */
#include <stdio.h>
#include <string.h>

#include "tests/kernel/messages.h"

#define DEVICE   "rpmsg0"
#define CHANNEL  "rpmsg0/phoenix"
#define ADDRESS  6000
#define DEBUGFS  "/sys/kernel/debug/remoteproc/remoteproc0"
#define FIRMWARE REMOTEPROC "/firmware"
#define SIZE     100 /* of messages */

/* What policy says of the device beside its name, and that everybody may open everything. */
#define POLICY_DEVICE(keys)                                       \
	POLICY_WITH_DEVICES("{\"name\": \"" DEVICE "\"" keys "}", \
		ALLOW("everybody", EVERYBODY, "\"*/*\"", ""))
#define LIFECYCLE(word, keys)                                                       \
	POLICY_DEVICE(", \"transport\": \"rpmsg\", \"remoteproc\": \"remoteproc0\"" \
		      ", \"lifecycle\": \"" word "\"" keys)

static struct harness harness;

static bool is(const char *state)
{
	return strcmp(read_file(REMOTEPROC "/state"), state) == 0;
}

static void command(const char *word)
{
	require(write_file(REMOTEPROC "/state", word));
}

/* However the test before left it. */
static void be_offline(void)
{
	if (!is("offline"))
		command("stop");
	require(is("offline"));
}

static struct dspbroker *begin(const char *policy)
{
	harness_start(&harness, policy);
	return connect_to(&harness);
}

static void end(struct dspbroker *broker)
{
	dspbroker_free(broker);
	harness_stop(&harness);
}

/* The device's next change leads to @state, and there it comes up or down. */
static void sees(struct dspbroker *broker, enum dspbroker_state state, int up)
{
	enum dspbroker_state before = DSPBROKER_STATE_NONE;
	struct dspbroker_event event;

	do {
		event = await_event(broker, DSPBROKER_EVENT_DEVICE);
		if (strcmp(event.device, DEVICE) != 0)
			continue;
		if (before == DSPBROKER_STATE_NONE)
			before = event.state;
		/* It goes from one to the other, without a word of any third. */
		require(event.state == before || event.state == state);
	} while (strcmp(event.device, DEVICE) != 0 || event.state != state || event.up != up);
	require_eq(device_record(broker, DEVICE).state, state);
	require_eq(device_record(broker, DEVICE).up, up);
}

/* The broker and the kernel agree that it is in that state. */
static bool both_say(struct dspbroker *broker, enum dspbroker_state state)
{
	return is(dspbroker_state_name(state)) && device_record(broker, DEVICE).state == state;
}

/* A message there and back on a session of its own. */
static void works(struct dspbroker *broker)
{
	struct dspbroker_session *session = open_channel(broker, CHANNEL);

	echo_stamped(session, SIZE, 1, 1);
	dspbroker_session_close(session);
}

START_TEST(each_change_of_state_is_an_event)
{
	struct dspbroker *broker;

	require(is("attached"));
	broker = begin(POLICY_DEVICE(""));
	require_eq(device_record(broker, DEVICE).state, DSPBROKER_STATE_ATTACHED);
	require_text(device_record(broker, DEVICE).remoteproc, "remoteproc0");
	command("detach");
	sees(broker, DSPBROKER_STATE_DETACHED, 0);
	command("start");
	sees(broker, DSPBROKER_STATE_ATTACHED, 1);
	works(broker);
	command("stop");
	sees(broker, DSPBROKER_STATE_OFFLINE, 0);
	command("start");
	sees(broker, DSPBROKER_STATE_RUNNING, 1);
	works(broker);

	require(write_file(DEBUGFS "/recovery", "disabled"));
	remote("crash");
	sees(broker, DSPBROKER_STATE_CRASHED, 0);
	command("stop");
	sees(broker, DSPBROKER_STATE_OFFLINE, 0);
	require(write_file(DEBUGFS "/recovery", "enabled"));
	command("start");
	sees(broker, DSPBROKER_STATE_RUNNING, 1);
	works(broker);
	end(broker);
}
END_TEST

START_TEST(a_crash_from_which_the_kernel_recovers_is_an_event_too)
{
	struct dspbroker *broker = begin(POLICY_DEVICE(""));
	uint32_t before = device_record(broker, DEVICE).generation;
	struct dspbroker_event event;

	crash_and_recover();
	event = await_device(broker, DEVICE, 0);
	event = await_device(broker, DEVICE, 1);
	require(event.generation > before);
	works(broker);
	end(broker);
}
END_TEST

START_TEST(by_default_the_broker_starts_and_stops_nothing)
{
	struct dspbroker_session *session;
	struct dspbroker *broker;

	be_offline();
	broker =
		begin(POLICY_DEVICE(", \"transport\": \"rpmsg\", \"remoteproc\": \"remoteproc0\""));
	require(dspbroker_session_open(broker, &session, CHANNEL) > 0);
	require(is("offline"));
	command("start");
	require_soon(is_listed(broker, CHANNEL));
	works(broker);
	end(broker);
	require(is("running"));
}
END_TEST

START_TEST(on_demand_it_runs_from_the_first_session_until_nobody_used_it_for_a_while)
{
	struct dspbroker_session *first, *second;
	struct dspbroker *broker;

	be_offline();
	broker = begin(LIFECYCLE("on-demand", ", \"idle_ms\": 100"));
	require_eq(device_record(broker, DEVICE).state, DSPBROKER_STATE_OFFLINE);
	for (int i = 0; i < 5; i++) {
		require(is("offline"));
		first = open_channel(broker, CHANNEL);
		require(is("running"));
		second = open_channel(broker, CHANNEL);
		echo_stamped(first, SIZE, 1, 1);
		dspbroker_session_close(first);
		echo_stamped(second, SIZE, 2, 2);
		dspbroker_session_close(second);
		require_soon(both_say(broker, DSPBROKER_STATE_OFFLINE));
	}
	end(broker);
}
END_TEST

START_TEST(on_demand_it_starts_again_for_who_comes_while_it_stops)
{
	struct dspbroker *broker;

	be_offline();
	broker = begin(LIFECYCLE("on-demand", ", \"idle_ms\": 0"));
	/* Without waiting for anything in between. */
	for (int i = 0; i < 50; i++)
		works(broker);
	require_soon(is("offline"));
	end(broker);
}
END_TEST

START_TEST(on_demand_a_client_that_dies_uses_it_no_longer)
{
	struct dspbroker *broker, *other;

	be_offline();
	broker = begin(LIFECYCLE("on-demand", ", \"idle_ms\": 0"));
	other = connect_to(&harness);
	open_channel(other, CHANNEL);
	require(is("running"));
	dspbroker_free(other);
	require_soon(is("offline"));
	end(broker);
}
END_TEST

START_TEST(on_demand_it_is_detached_from_if_it_ran_before)
{
	struct dspbroker *broker;

	/* Only who found it running can leave it running, and that was the kernel at its start. */
	require(is("attached"));
	command("detach");
	broker = begin(LIFECYCLE("on-demand", ", \"idle_ms\": 0"));
	for (int i = 0; i < 5; i++) {
		struct dspbroker_session *session = open_channel(broker, CHANNEL);

		require(is("attached"));
		echo_stamped(session, SIZE, 1, 1);
		dspbroker_session_close(session);
		require_soon(both_say(broker, DSPBROKER_STATE_DETACHED));
	}
	end(broker);
	require(is("detached"));
}
END_TEST

/* What was told before what follows. */
static void forget_events(struct dspbroker *broker)
{
	struct dspbroker_event event;

	device_record(broker, DEVICE); /* what is underway comes before the answer */
	while (dspbroker_next_event(broker, &event) == 1)
		;
}

START_TEST(always_means_that_it_comes_back_when_somebody_stops_it)
{
	struct dspbroker *broker;

	be_offline();
	broker = begin(LIFECYCLE("always", ""));
	require_soon(is("running") && is_listed(broker, CHANNEL));
	for (int i = 0; i < 5; i++) {
		works(broker);
		forget_events(broker);
		command("stop");
		await_device(broker, DEVICE, 0);
		await_device(broker, DEVICE, 1);
		require_soon(is_listed(broker, CHANNEL));
	}
	works(broker);
	end(broker);
}
END_TEST

/* The broker has started it, and ends in that way. */
static void end_running(const char *policy, void (*how)(struct harness *harness))
{
	struct dspbroker *broker;

	be_offline();
	broker = begin(policy);
	require_soon(is("running") && is_listed(broker, CHANNEL));
	works(broker);
	dspbroker_free(broker);
	how(&harness);
}

/* For both the kernel is done when the process is gone. */
static void (*const ways_to_end[])(struct harness *harness) = {harness_stop, harness_kill};

START_TEST(it_stops_with_the_broker_however_that_ends)
{
	end_running(LIFECYCLE("always", ""), ways_to_end[_i]);
	require(is("offline"));
}
END_TEST

START_TEST(or_runs_on_if_policy_says_so)
{
	end_running(LIFECYCLE("always", ", \"stop_with_broker\": false"), ways_to_end[_i]);
	require(is("running"));
}
END_TEST

START_TEST(the_next_broker_goes_on_with_one_that_runs_on)
{
	struct dspbroker *broker;

	end_running(LIFECYCLE("always", ", \"stop_with_broker\": false"), harness_kill);
	broker = begin(LIFECYCLE("always", ", \"stop_with_broker\": false"));
	works(broker);
	end(broker);
	require(is("running"));
}
END_TEST

/* Whatever is loaded there, it is on the word of an administrator that it goes and comes. */
START_TEST(an_administrator_stops_and_starts_what_somebody_else_controls)
{
	struct dspbroker *broker = begin(POLICY_DEVICE(""));
	struct dspbroker_session *session = open_channel(broker, CHANNEL);
	const char *output;

	require_eq(harness_dspctl(&harness, ALICE, &output, "stop", DEVICE), 3);
	require_text(output, "stop " DEVICE " is denied to uid");
	forget_events(broker);
	require_eq(dspbroker_device_power(broker, DEVICE, DSPBROKER_POWER_STOP), 0);
	sees(broker, DSPBROKER_STATE_OFFLINE, 0);
	require(is("offline"));
	require(dspbroker_send(session, "x", 1, 0) > 0);
	dspbroker_session_close(session);
	require_eq(harness_dspctl(&harness, 0, &output, "stop", DEVICE), 0); /* it is */
	require_eq(harness_dspctl(&harness, 0, &output, "start", DEVICE), 0);
	sees(broker, DSPBROKER_STATE_RUNNING, 1);
	require_soon(is_listed(broker, CHANNEL));
	works(broker);
	end(broker);
	require(is("running"));
}
END_TEST

START_TEST(what_an_administrator_stopped_no_session_starts)
{
	struct dspbroker_session *session;
	struct dspbroker *broker;

	be_offline();
	broker = begin(LIFECYCLE("on-demand", ", \"idle_ms\": 100"));
	session = open_channel(broker, CHANNEL);
	require_eq(dspbroker_device_power(broker, DEVICE, DSPBROKER_POWER_STOP), 0);
	require_soon(both_say(broker, DSPBROKER_STATE_OFFLINE));
	dspbroker_session_close(session);
	for (int i = 0; i < 3; i++) {
		require_eq(dspbroker_session_open(broker, &session, CHANNEL),
			DSPBROKER_DEVICE_DOWN);
		require_text(dspbroker_message(), "an administrator has stopped");
		require(is("offline"));
	}
	require_eq(dspbroker_device_power(broker, DEVICE, DSPBROKER_POWER_START), 0);
	require_soon(is("running"));
	require_soon(is("offline")); /* nobody came */
	works(broker);
	require_soon(both_say(broker, DSPBROKER_STATE_OFFLINE));
	end(broker);
}
END_TEST

START_TEST(what_is_always_to_run_stays_stopped_until_an_administrator_starts_it)
{
	struct dspbroker *broker;

	be_offline();
	broker = begin(LIFECYCLE("always", ""));
	require_soon(is("running") && is_listed(broker, CHANNEL));
	for (int i = 0; i < 3; i++) {
		works(broker);
		require_eq(dspbroker_device_power(broker, DEVICE, DSPBROKER_POWER_STOP), 0);
		require_soon(both_say(broker, DSPBROKER_STATE_OFFLINE));
		require_eq(dspbroker_device_power(broker, DEVICE, DSPBROKER_POWER_START), 0);
		require_soon(both_say(broker, DSPBROKER_STATE_RUNNING) &&
			     is_listed(broker, CHANNEL));
	}
	end(broker);
	require(is("offline"));
}
END_TEST

START_TEST(firmware_that_does_not_start_is_named_to_who_wants_the_channel)
{
	struct dspbroker_session *session;
	struct dspbroker *broker;
	char firmware[64];

	be_offline();
	snprintf(firmware, sizeof(firmware), "%.63s", read_file(FIRMWARE));
	require(write_file(FIRMWARE, "missing.fw"));
	broker = begin(LIFECYCLE("on-demand", ""));
	for (int i = 0; i < 3; i++) {
		require_eq(dspbroker_session_open(broker, &session, CHANNEL),
			DSPBROKER_DEVICE_DOWN);
		require_text(dspbroker_message(), "missing.fw");
		require(is("offline"));
	}
	require(harness_logged(&harness, "missing.fw"));
	require(write_file(FIRMWARE, firmware));
	works(broker);
	end(broker);
}
END_TEST

START_TEST(an_iommu_isolates_it_and_that_is_shown)
{
	struct dspbroker *broker = begin(POLICY_DEVICE(""));
	const char *output;

	require_eq(device_record(broker, DEVICE).isolation, DSPBROKER_ISOLATION_IOMMU);
	require_eq(harness_dspctl(&harness, ALICE, &output, "devices"), 0);
	require_text(output, "iommu");
	require_text(output, DEVICE);
	end(broker);
}
END_TEST

/* For all tests, since what is announced stays so. */
static void announce(void)
{
	serve(ADDRESS, "echo", "phoenix");
}

/* As each test wants to find it, whatever became of the one before. */
static void set_up(void)
{
	require(write_file(DEBUGFS "/recovery", "enabled"));
	if (!is("running") && !is("attached"))
		command("start");
}

static Suite *suite(void)
{
	Suite *suite = suite_create("life cycle by drivers/remoteproc");
	TCase *tcase = tcase_create("lifecycle");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, announce, NULL);
	tcase_add_checked_fixture(tcase, set_up, NULL);
	/* The first two begin with how the kernel found it: attached. */
	tcase_add_test(tcase, on_demand_it_is_detached_from_if_it_ran_before);
	tcase_add_test(tcase, each_change_of_state_is_an_event);
	tcase_add_test(tcase, a_crash_from_which_the_kernel_recovers_is_an_event_too);
	tcase_add_test(tcase, by_default_the_broker_starts_and_stops_nothing);
	tcase_add_test(tcase,
		on_demand_it_runs_from_the_first_session_until_nobody_used_it_for_a_while);
	tcase_add_test(tcase, on_demand_it_starts_again_for_who_comes_while_it_stops);
	tcase_add_test(tcase, on_demand_a_client_that_dies_uses_it_no_longer);
	tcase_add_test(tcase, always_means_that_it_comes_back_when_somebody_stops_it);
	tcase_add_loop_test(tcase, it_stops_with_the_broker_however_that_ends, 0,
		ARRAY_SIZE(ways_to_end));
	tcase_add_loop_test(tcase, or_runs_on_if_policy_says_so, 0, ARRAY_SIZE(ways_to_end));
	tcase_add_test(tcase, the_next_broker_goes_on_with_one_that_runs_on);
	tcase_add_test(tcase, an_administrator_stops_and_starts_what_somebody_else_controls);
	tcase_add_test(tcase, what_an_administrator_stopped_no_session_starts);
	tcase_add_test(tcase, what_is_always_to_run_stays_stopped_until_an_administrator_starts_it);
	tcase_add_test(tcase, firmware_that_does_not_start_is_named_to_who_wants_the_channel);
	tcase_add_test(tcase, an_iommu_isolates_it_and_that_is_shown);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
