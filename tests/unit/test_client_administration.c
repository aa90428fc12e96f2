// SPDX-License-Identifier: MIT
/* What the client library promises to administrators. */
#include <check.h>
#include <string.h>

#include "client/internal.h"
#include "tests/suite.h"
#include "tests/unit/fake_broker.h"

static struct fake_broker *fake;
static struct dspbroker *broker;

static void set_up(void)
{
	int fd;

	fake = fake_broker_start(FAKE_HELLO_HONEST, &fd);
	ck_assert_int_eq(dspbroker_connect_fd(&broker, fd), 0);
}

static void tear_down(void)
{
	dspbroker_free(broker);
	fake_broker_stop(fake);
}

START_TEST(a_reload_tells_how_many_rules_there_are_and_how_many_sessions_went)
{
	uint32_t rules = 0, revoked = 0;

	ck_assert_int_eq(dspbroker_reload(broker, &rules, &revoked), 0);
	ck_assert_uint_eq(rules, FAKE_RULES);
	ck_assert_uint_eq(revoked, FAKE_REVOKED);
	ck_assert_str_eq(dspbroker_message(), "");
}
END_TEST

START_TEST(a_reload_of_wrong_files_says_where)
{
	uint32_t rules = 99;

	ck_assert_int_eq(dspbroker_reload(broker, NULL, NULL), 0);
	ck_assert_int_eq(dspbroker_reload(broker, &rules, NULL), DSPBROKER_BAD_POLICY);
	ck_assert_str_eq(dspbroker_message(), "a.json:3:7: no such key");
	ck_assert_str_eq(dspbroker_strerror(DSPBROKER_BAD_POLICY), "policy files are wrong");
	ck_assert_uint_eq(rules, 99);
}
END_TEST

START_TEST(a_kick_names_its_session)
{
	ck_assert_int_eq(dspbroker_session_kick(broker, FAKE_KICKABLE), 0);
	ck_assert_int_eq(dspbroker_session_kick(broker, FAKE_KICKABLE + (1ull << 32)),
		DSPBROKER_NOT_FOUND);
	ck_assert_str_eq(dspbroker_message(), "there is no such thing");
}
END_TEST

START_TEST(a_device_is_started_and_stopped_by_name)
{
	char long_name[DSP_DEVICE_SIZE + 1] = {};

	ck_assert_int_eq(dspbroker_device_power(broker, FAKE_SWITCH, DSPBROKER_POWER_START), 0);
	ck_assert_uint_eq(fake_broker_power(fake), DSP_POWER_START);
	ck_assert_int_eq(dspbroker_device_power(broker, FAKE_SWITCH, DSPBROKER_POWER_STOP), 0);
	ck_assert_uint_eq(fake_broker_power(fake), DSP_POWER_STOP);
	ck_assert_int_eq(dspbroker_device_power(broker, "soft0", DSPBROKER_POWER_STOP),
		DSPBROKER_NOT_FOUND);
	memset(long_name, 'x', DSP_DEVICE_SIZE);
	ck_assert_int_eq(dspbroker_device_power(broker, long_name, DSPBROKER_POWER_STOP), -EINVAL);
	long_name[DSP_DEVICE_SIZE - 1] = '\0';
	ck_assert_int_eq(dspbroker_device_power(broker, long_name, DSPBROKER_POWER_STOP),
		DSPBROKER_NOT_FOUND);
}
END_TEST

START_TEST(what_the_broker_tells_of_itself_arrives_as_it_is)
{
	struct dspbroker_broker_info info;

	fake_broker_itself.reload_status = DSP_BAD_POLICY;
	ck_assert_int_eq(dspbroker_broker_info(broker, &info), 0);
	ck_assert_str_eq(info.version, "9.8.7");
	ck_assert_uint_eq(info.confinement,
		DSPBROKER_CONFINED_USER | DSPBROKER_CONFINED_CAPABILITIES |
			DSPBROKER_CONFINED_UNDUMPABLE | DSPBROKER_CONFINED_CALLS |
			DSPBROKER_CONFINED_FILES);
	ck_assert_uint_eq(info.since_us, 1700000000000000);
	ck_assert_uint_eq(info.reloaded_us, 1700000001000000);
	ck_assert_int_eq(info.reload_status, DSPBROKER_BAD_POLICY);
	ck_assert_uint_eq(info.rules, FAKE_RULES);
	ck_assert_uint_eq(info.landlock, 7);
	ck_assert_uint_eq(info.system_calls, 43);
	ck_assert_uint_eq(info.devices, 3);
	ck_assert_int_eq(info.everybody, 1);
	ck_assert_uint_eq(info.clients, 4);
	ck_assert_uint_eq(info.sessions, 5);
	ck_assert_uint_eq(info.calls, 6);
	ck_assert_int_eq(info.accept_paused, 0);
}
END_TEST

START_TEST(nothing_is_asked_of_no_broker)
{
	ck_assert_int_eq(dspbroker_reload(NULL, NULL, NULL), -EINVAL);
	ck_assert_int_eq(dspbroker_session_kick(NULL, 1), -EINVAL);
	ck_assert_int_eq(dspbroker_broker_info(NULL, NULL), -EINVAL);
	ck_assert_int_eq(dspbroker_broker_info(broker, NULL), -EINVAL);
	ck_assert_int_eq(dspbroker_device_power(NULL, "x", DSPBROKER_POWER_STOP), -EINVAL);
	ck_assert_int_eq(dspbroker_device_power(broker, NULL, DSPBROKER_POWER_STOP), -EINVAL);
}
END_TEST

START_TEST(sessions_that_one_may_not_see_are_stepped_over)
{
	struct dspbroker_session_record record;

	ck_assert_int_eq(dspbroker_next_session(broker, FAKE_GAP_BEGIN, &record), 1);
	ck_assert_uint_eq(record.id, FAKE_GAP_END + 1);
	ck_assert_str_eq(record.channel, "soft0");
}
END_TEST

START_TEST(every_limit_has_its_words)
{
	ck_assert_str_eq(dspbroker_limit_name(DSPBROKER_LIMIT_RULE_RATE),
		"calls a second under the session's rule");
	ck_assert_str_eq(dspbroker_limit_name(DSPBROKER_LIMIT_NONE), "a limit");
	ck_assert_str_eq(dspbroker_limit_name(UINT32_MAX), "a limit");
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("client administration");
	TCase *tcase = tcase_create("administration");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_reload_tells_how_many_rules_there_are_and_how_many_sessions_went);
	tcase_add_test(tcase, a_reload_of_wrong_files_says_where);
	tcase_add_test(tcase, a_kick_names_its_session);
	tcase_add_test(tcase, a_device_is_started_and_stopped_by_name);
	tcase_add_test(tcase, what_the_broker_tells_of_itself_arrives_as_it_is);
	tcase_add_test(tcase, nothing_is_asked_of_no_broker);
	tcase_add_test(tcase, sessions_that_one_may_not_see_are_stepped_over);
	tcase_add_test(tcase, every_limit_has_its_words);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return suite_run(suite());
}
