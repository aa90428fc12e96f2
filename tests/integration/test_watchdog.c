// SPDX-License-Identifier: MIT
/* The service manager hears from time to time that the broker's loop turns; and not when it does
 * not. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/integration/process.h"

#define PERIOD_US 200000
#define ALIVE     "WATCHDOG=1"

static struct harness harness;

static void set_up(void)
{
	harness_prepare(&harness);
}

/* Forget what it has said; what it says next is new. */
static void forget(void)
{
	harness.notified[0] = '\0';
}

static void await_signs(unsigned int n)
{
	while (n--) {
		harness_await_notification(&harness, ALIVE);
		forget();
	}
}

static void start(unsigned int watchdog_us)
{
	harness_spawn(&harness,
		&(struct harness_options){.policy = ALLOW_ALL, .watchdog_us = watchdog_us});
	harness_await_ready(&harness);
	forget();
}

/* Does it say nothing for so long that the service manager loses patience? */
static bool is_silent(void)
{
	struct pollfd pollfd = {.fd = harness.notify, .events = POLLIN};

	return poll(&pollfd, 1, 2 * PERIOD_US / 1000) == 0;
}

START_TEST(an_idle_broker_says_that_it_lives)
{
	start(PERIOD_US);
	await_signs(5);
	harness_stop(&harness);
}
END_TEST

/* How often its only thread has gone to sleep. */
static unsigned int sleeps(void)
{
	static const char key[] = "\nvoluntary_ctxt_switches:";
	char path[64];
	const char *line;

	snprintf(path, sizeof(path), "/proc/%d/status", harness.pid);
	line = strstr(process_read_text(path), key);
	require(line);
	return (unsigned int)strtoul(line + strlen(key), NULL, 10);
}

START_TEST(an_idle_one_is_awake_for_that_and_for_nothing_else)
{
	unsigned int before;

	start(PERIOD_US);
	await_signs(2);
	before = sleeps();
	await_signs(10);
	require(sleeps() - before <= 10 + 1); /* another sign may have come by now */
	harness_stop(&harness);
}
END_TEST

static void call_until_told(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, EXAMPLE);
	struct pollfd told = {.fd = process_link, .events = POLLIN};

	(void)data;
	step_reached('o');
	while (poll(&told, 1, 0) == 0)
		require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

START_TEST(a_busy_one_does_as_well)
{
	struct client client;

	start(PERIOD_US);
	client_start(&client, ALICE, call_until_told, NULL);
	client_await(&client, 'o');
	forget();
	await_signs(5);
	client_go(&client, 'e');
	client_end(&client);
	harness_stop(&harness);
}
END_TEST

START_TEST(one_that_stands_still_says_nothing_until_it_goes_on)
{
	siginfo_t info;

	start(PERIOD_US);
	require_eq(kill(harness.pid, SIGSTOP), 0);
	require_eq(waitid(P_PID, (id_t)harness.pid, &info, WSTOPPED | WNOWAIT), 0);
	while (!is_silent())
		await_signs(1); /* it said that before */
	require(is_silent());
	require_eq(kill(harness.pid, SIGCONT), 0);
	await_signs(2);
	harness_stop(&harness);
}
END_TEST

START_TEST(who_is_not_asked_for_signs_of_life_gives_none)
{
	start(0);
	require(is_silent());
	harness_stop(&harness);
	require(!harness_contains(harness.notified, ALIVE));
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("watchdog");
	TCase *tcase = tcase_create("watchdog");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, an_idle_broker_says_that_it_lives);
	tcase_add_test(tcase, an_idle_one_is_awake_for_that_and_for_nothing_else);
	tcase_add_test(tcase, a_busy_one_does_as_well);
	tcase_add_test(tcase, one_that_stands_still_says_nothing_until_it_goes_on);
	tcase_add_test(tcase, who_is_not_asked_for_signs_of_life_gives_none);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return harness_main(suite());
}
