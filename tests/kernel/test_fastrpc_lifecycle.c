// SPDX-License-Identifier: MIT
/* A DSP whose remote processor the broker starts and stops, as policy says. */
#include <stdio.h>
#include <string.h>

#include "tests/kernel/cdsp.h"
#include "tests/kernel/messages.h"

#define CHANNEL     "cdsp/bench"
#define NULL_METHOD 2

static struct harness harness;

/* Whose remote processor starts and stops as @word says; @keys are further ones of the device.
 * Until the next call. */
static const char *lifecycle(const char *word, const char *keys)
{
	static char text[2048];

	snprintf(text, sizeof(text),
		CDSP_POLICY(", \"transport\": \"%s\", \"remoteproc\": \"remoteproc0\", "
			    "\"lifecycle\": \"%s\"%s",
			"", ALLOW("everybody", EVERYBODY, "\"*/*\"", "")),
		cdsp_driver.transport, word, keys);
	return text;
}

static bool is(const char *state)
{
	return strcmp(read_file(REMOTEPROC "/state"), state) == 0;
}

/* Its firmware offers FastRPC each time it starts. */
static void offer(void)
{
	cdsp_files();
	cdsp_up();
}

static struct dspbroker *begin(const char *policy)
{
	if (!is("offline"))
		require(write_file(REMOTEPROC "/state", "stop"));
	require(is("offline"));
	harness_start(&harness, policy);
	return connect_to(&harness);
}

static void end(struct dspbroker *broker)
{
	dspbroker_free(broker);
	harness_stop(&harness);
}

static int call_nothing(struct dspbroker_session *session)
{
	const struct dspbroker_call call = {.method = NULL_METHOD};

	return dspbroker_invoke(session, &call, NULL);
}

START_TEST(the_first_session_starts_it_and_the_last_lets_it_stop)
{
	struct dspbroker *broker = begin(lifecycle("on-demand", ", \"idle_ms\": 100"));
	struct dspbroker_session *session;

	for (int i = 0; i < 3; i++) {
		require(is("offline"));
		session = open_channel(broker, CHANNEL);
		require(is("running"));
		require_eq(call_nothing(session), 0);
		dspbroker_session_close(session);
		require_soon(is("offline"));
	}
	end(broker);
}
END_TEST

START_TEST(a_processor_that_does_not_start_is_said_to_at_once)
{
	struct dspbroker *broker = begin(lifecycle("on-demand", ""));
	struct dspbroker_session *session;

	require(write_file(REMOTEPROC "/firmware", "there-is-none"));
	require_eq(dspbroker_session_open(broker, &session, CHANNEL), DSPBROKER_DEVICE_DOWN);
	require_text(dspbroker_message(), "remoteproc0");
	require(write_file(REMOTEPROC "/firmware", "dspbroker-sim.fw"));
	session = open_channel(broker, CHANNEL);
	require_eq(call_nothing(session), 0);
	dspbroker_session_close(session);
	end(broker);
}
END_TEST

START_TEST(it_is_kept_running_where_policy_says_so)
{
	struct dspbroker *broker = begin(lifecycle("always", ""));
	struct dspbroker_session *session;

	require_soon(is("running") && device_record(broker, "cdsp").up);
	session = open_channel(broker, CHANNEL);
	require_eq(call_nothing(session), 0);
	dspbroker_session_close(session);
	end(broker);
	require_soon(is("offline"));
}
END_TEST

START_TEST(a_session_outlives_a_crash_of_the_processor_that_it_keeps_running)
{
	struct dspbroker *broker = begin(lifecycle("on-demand", ""));
	struct dspbroker_session *session = open_channel(broker, CHANNEL);
	uint32_t generation = dspbroker_session_info(session)->generation;

	require_eq(call_nothing(session), 0);
	crash_and_recover();
	require_soon(call_nothing(session) == 0);
	require(dspbroker_session_info(session)->generation > generation);
	dspbroker_session_close(session);
	end(broker);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("fastrpc lifecycle");
	TCase *tcase = tcase_create("fastrpc lifecycle");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, offer, NULL);
	tcase_add_test(tcase, the_first_session_starts_it_and_the_last_lets_it_stop);
	tcase_add_test(tcase, a_processor_that_does_not_start_is_said_to_at_once);
	tcase_add_test(tcase, it_is_kept_running_where_policy_says_so);
	tcase_add_test(tcase, a_session_outlives_a_crash_of_the_processor_that_it_keeps_running);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
