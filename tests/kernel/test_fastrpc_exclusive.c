// SPDX-License-Identifier: MIT
/* A DSP that policy calls exclusive is not used while another program has its node open. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/kernel/messages.h"
#include "tests/kernel/peers.h"
#include "tests/kernel/remains.h"

#define CHANNEL     "cdsp/bench"
#define NULL_METHOD 2

#define DEVICE(keys) CDSP_POLICY(keys, "", ALLOW("everybody", EVERYBODY, "\"*/*\"", ""))
#define EXCLUSIVE    DEVICE(", \"exclusive\": true, \"domain_idle_ms\": 0")

static struct harness harness;

/* A broker that may look at all processes; and its connection to an administrator. */
static struct dspbroker *begin(const char *policy)
{
	harness_prepare(&harness);
	harness_spawn(&harness, &(struct harness_options){.policy = policy, .user = PEER_ACCOUNT});
	harness_await_ready(&harness);
	return connect_to(&harness);
}

static void end(struct dspbroker *broker)
{
	dspbroker_free(broker);
	harness_stop(&harness);
}

/* The program that has it open is this one. */
static int hold_node(void)
{
	int fd = open(cdsp_driver.node(), O_RDWR | O_CLOEXEC);

	require(fd >= 0);
	return fd;
}

static const char *trouble(struct dspbroker *broker)
{
	static struct dspbroker_device_info info;

	info = device_record(broker, "cdsp");
	return info.trouble;
}

/* What administrators are told. */
static void must_be_held(struct dspbroker *broker)
{
	char who[64];

	snprintf(who, sizeof(who), "process %d (test_", getpid());
	require_soon(*trouble(broker));
	require_text(trouble(broker), who);
	require_text(trouble(broker), "uid 0");
	require_eq(device_record(broker, "cdsp").up, 0);
}

static int call_nothing(struct dspbroker_session *session)
{
	const struct dspbroker_call call = {.method = NULL_METHOD};

	return dspbroker_invoke(session, &call, NULL);
}

static void must_work(struct dspbroker *broker)
{
	struct dspbroker_session *session;

	require_soon(device_record(broker, "cdsp").up);
	require_eq(strcmp(trouble(broker), ""), 0);
	session = open_channel(broker, CHANNEL);
	require_eq(call_nothing(session), 0);
	dspbroker_session_close(session);
}

/* Others learn that somebody has, and not who. */
static void find_it_held(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;

	(void)data;
	require_text(trouble(broker), "held open by another process");
	require_eq(dspbroker_session_open(broker, &session, CHANNEL), DSPBROKER_DEVICE_DOWN);
	require_text(dspbroker_message(), "held open by another process");
	dspbroker_free(broker);
}

START_TEST(a_device_that_another_program_has_open_is_down_until_that_closes_it)
{
	int fd = hold_node();
	struct dspbroker *broker = begin(EXCLUSIVE);
	const char *output;
	char who[64];

	must_be_held(broker);
	client_run(ALICE, find_it_held, NULL);
	snprintf(who, sizeof(who), "process %d (test_", getpid());
	require_eq(harness_dspctl(&harness, 0, &output, "devices"), 0);
	require_text(output, "TROUBLE");
	require_text(output, who);
	require(harness_logged(&harness, who));
	close(fd);
	must_work(broker);
	end(broker);
}
END_TEST

START_TEST(who_opens_it_while_the_dsp_restarts_keeps_it_down)
{
	struct dspbroker *broker = begin(EXCLUSIVE);
	int fd;

	must_work(broker);
	await_idle_dsp();
	/* So that the broker cannot be the first. */
	require_eq(kill(harness.pid, SIGSTOP), 0);
	cdsp_restart();
	fd = hold_node();
	require_eq(kill(harness.pid, SIGCONT), 0);
	must_be_held(broker);
	client_run(ALICE, find_it_held, NULL);
	close(fd);
	must_work(broker);
	end(broker);
}
END_TEST

START_TEST(where_nobody_may_look_it_is_not_used)
{
	struct dspbroker *broker;

	harness_start(&harness, EXCLUSIVE); /* as its own user, so the program has no rights */
	broker = connect_to(&harness);
	require_soon(*trouble(broker));
	require_text(trouble(broker), "may not look at all processes");
	require_eq(device_record(broker, "cdsp").up, 0);
	end(broker);
}
END_TEST

START_TEST(where_policy_does_not_call_it_exclusive_others_may_have_it_open)
{
	int fd = hold_node();
	struct dspbroker *broker = begin(DEVICE(", \"exclusive\": false"));

	must_work(broker);
	end(broker);
	close(fd);
}
END_TEST

static void have_account(void)
{
	require(peer_account());
	have_cdsp();
}

int main(void)
{
	Suite *suite = suite_create("fastrpc exclusive");
	TCase *tcase = tcase_create("fastrpc exclusive");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, have_account, NULL);
	tcase_add_test(tcase, a_device_that_another_program_has_open_is_down_until_that_closes_it);
	tcase_add_test(tcase, who_opens_it_while_the_dsp_restarts_keeps_it_down);
	tcase_add_test(tcase, where_nobody_may_look_it_is_not_used);
	tcase_add_test(tcase, where_policy_does_not_call_it_exclusive_others_may_have_it_open);
	suite_add_tcase(suite, tcase);
	return testbed_main(suite);
}
