// SPDX-License-Identifier: MIT
/*
 * A DSP that two kernel drivers serve at the same time (test_both_drivers.dts): the broker reaches
 * it by one of them, never by both.
 */
#include <string.h>

#include "tests/kernel/messages.h"
#include "tests/kernel/qda.h"
#include "tests/kernel/remains.h"

#define MODULE "cdsp/example"
/* Beside FastRPC's. */
#define ACCEL_ADDRESS "3901"
#define ACCEL_CHANNEL "accel-apps-dsp"

#define BY(transport)                                         \
	CDSP_POLICY(", \"transport\": \"" transport "\"", "", \
		ALLOW("everybody", EVERYBODY, "\"*/*\"", ""))

static struct harness harness;

static void accel_up(void)
{
	char path[64];

	remote("serve " ACCEL_ADDRESS " fastrpc");
	remote("announce " ACCEL_ADDRESS " " ACCEL_CHANNEL);
	require_soon(qda_find(path, sizeof(path)));
}

static void accel_down(void)
{
	char path[64];

	cdsp_freeze();
	remote("withdraw " ACCEL_ADDRESS);
	require_soon(!qda_find(path, sizeof(path)));
}

static void have_both(void)
{
	have_cdsp();
	accel_up();
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
	await_nothing_left();
	require_soon(qda_count("sessions") == 0 && qda_count("objects") == 0);
	require_eq(qda_count("refused"), 0);
}

static bool is_up_by(struct dspbroker *broker, const char *transport)
{
	const struct dspbroker_device_info info = device_record(broker, "cdsp");

	return info.up && strcmp(info.transport, transport) == 0;
}

/* That one has the session, and the other has none. */
static void must_be_by(struct dspbroker *broker, const char *transport)
{
	const bool by_accel = strcmp(transport, "qda") == 0;

	require_soon(is_up_by(broker, transport));
	require_eq(count_devices(broker, "cdsp"), 1);
	require_soon(device_record(broker, "cdsp").n_attributes > 0);
	require_soon(cdsp_driver.free_sessions() == CDSP_SESSIONS - (by_accel ? 0 : 1));
	require_soon(qda_count("banks") == by_accel);
	require_eq(qda_count("sessions"), by_accel);
	require_eq(cdsp_count("domains"), 1);
}

static void must_serve(struct dspbroker *broker, const char *transport)
{
	struct dspbroker_session *session;

	require_soon(is_up_by(broker, transport));
	session = open_channel(broker, MODULE);
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	must_be_by(broker, transport);
	dspbroker_session_close(session);
}

START_TEST(of_two_that_are_there_the_first_is_used_and_the_log_says_so)
{
	struct dspbroker *broker = begin(CDSP_ALLOW_ALL);

	must_serve(broker, "fastrpc");
	require(harness_logged(&harness, "cdsp is served by two drivers"));
	end(broker);
}
END_TEST

START_TEST(policy_picks_one)
{
	struct dspbroker *broker = begin(BY("qda"));

	must_serve(broker, "qda");
	end(broker);
	broker = begin(BY("fastrpc"));
	must_serve(broker, "fastrpc");
	end(broker);
}
END_TEST

static bool can_be_opened(struct dspbroker *broker)
{
	struct dspbroker_session *session;

	return dspbroker_session_open(broker, &session, MODULE) == 0;
}

START_TEST(what_policy_does_not_pick_is_left_alone_though_it_is_there_alone)
{
	struct dspbroker *broker;

	accel_down();
	broker = begin(BY("qda"));
	require(!can_be_opened(broker));
	require_eq(cdsp_driver.free_sessions(), CDSP_SESSIONS);
	accel_up();
	require_soon(can_be_opened(broker));
	must_be_by(broker, "qda");
	/* Nor does it take over. */
	accel_down();
	require_soon(!device_record(broker, "cdsp").up);
	require(!can_be_opened(broker));
	accel_up();
	require_soon(can_be_opened(broker));
	end(broker);
}
END_TEST

/* As with a restart: a session stays, and its module opens again. */
START_TEST(the_other_takes_over_when_the_one_goes_and_not_before)
{
	struct dspbroker *broker = begin(CDSP_ALLOW_ALL);
	struct dspbroker_session *session = open_channel(broker, MODULE);

	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	must_be_by(broker, "fastrpc");
	cdsp_down();
	require_soon(is_up_by(broker, "qda"));
	require_soon(invoke_plain(session, EXAMPLE_NOP) == 0);
	/* There is nothing left to be free. */
	require_eq(cdsp_count("domains"), 1);
	require_eq(qda_count("sessions"), 1);
	cdsp_up();
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	must_be_by(broker, "qda");
	accel_down();
	require_soon(is_up_by(broker, "fastrpc"));
	require_soon(invoke_plain(session, EXAMPLE_NOP) == 0);
	accel_up();
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	must_be_by(broker, "fastrpc");
	end(broker);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("a DSP that two drivers serve");
	TCase *tcase = tcase_create("both");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, have_both, NULL);
	tcase_add_test(tcase, of_two_that_are_there_the_first_is_used_and_the_log_says_so);
	tcase_add_test(tcase, policy_picks_one);
	tcase_add_test(tcase, what_policy_does_not_pick_is_left_alone_though_it_is_there_alone);
	tcase_add_test(tcase, the_other_takes_over_when_the_one_goes_and_not_before);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
