// SPDX-License-Identifier: MIT
/*
 * Who has connected is served as soon as it is known who that is, and not before: here the real
 * program that looks at peers is stopped, and goes on, when the test wants it to.
 */
#include "tests/suite.h"

/* Included to find its process. */
#include "daemon/who.c"

#include <sched.h>

#include "tests/fds.h"
#include "tests/unit/app_rig.h"

#define MANY 200 /* more than a connection keeps of news, and than its socket holds */

#define ALLOW_ALL                                                                         \
	"{\"version\": 1, \"rules\": [{\"name\": \"everything\", \"action\": \"allow\", " \
	"\"match\": {\"users\": [\"*\"]}, \"channels\": [\"*/*\"]}]}"

static struct device device;
static size_t fds_before;

/* Nobody opens anything here. */
static const struct transport_ops device_ops = {.name = "test", .remove = daemon_remove_device};

static const char *program(void)
{
	static char path[4096];
	const char *build = getenv("DSP_BUILD");

	snprintf(path, sizeof(path), "%s/" WHO_NAME, build ? build : "build");
	return path;
}

/* Until all its threads have stopped, nothing is certain. */
static void stop_program(void)
{
	siginfo_t info;

	ck_assert_int_eq(kill(broker.who->pid, SIGSTOP), 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)broker.who->pid, &info, WSTOPPED | WNOWAIT), 0);
}

static void go_on(void)
{
	ck_assert_int_eq(kill(broker.who->pid, SIGCONT), 0);
}

static void set_up(void)
{
	daemon_start(ALLOW_ALL);
	daemon_start_clock();
	daemon_add_device(&device, &device_ops, "test");
	ck_assert_int_eq(who_new(&broker.who, &broker, program(), NULL), 0);
	stop_program();
	fds_before = count_fds(getpid());
	app_connect();
	ck_assert_uint_ne(app.client->question.number, 0);
}

/* Whatever the test did, nothing may be left. */
static void tear_down(void)
{
	app_stop();
	while (count_fds(getpid()) > fds_before) /* a thread closes the socket */
		sched_yield();
	daemon_stop();
}

/* A channel comes and goes, and that is told to everybody. */
static void much_happens(void)
{
	for (int i = 0; i < MANY; i++) {
		daemon_add_channel(&device, "passing", DSP_KIND_MESSAGE);
		device_remove_channel(&device, device_channel(&device, "passing"));
		daemon_settle();
	}
}

START_TEST(news_wait_for_nobody_and_reach_only_who_is_known)
{
	much_happens();
	ck_assert(!app_readable(app.sock));
	go_on();
	app_hello(0);
	ck_assert(!app_readable(app.sock));
	daemon_add_channel(&device, "new", DSP_KIND_MESSAGE);
	daemon_settle();
	ck_assert(app_readable(app.sock));
}
END_TEST

START_TEST(who_is_known_is_served_and_what_it_had_asked_for_meanwhile)
{
	daemon_settle();
	ck_assert_ptr_null(app.client->identity.facts[IDENTITY_EXECUTABLE]);
	go_on();
	app_hello(0);
	ck_assert_ptr_nonnull(app.client->identity.facts[IDENTITY_EXECUTABLE]);
}
END_TEST

START_TEST(who_never_gets_known_is_served_without_that_after_a_while)
{
	much_happens();
	app_hello(0);
	ck_assert_ptr_null(app.client->identity.facts[IDENTITY_EXECUTABLE]);
}
END_TEST

START_TEST(who_hangs_up_before_it_is_known_leaves_nothing)
{
	much_happens();
	app.sock = fd_close(app.sock);
	go_on();
	while (!list_empty(&broker.clients))
		daemon_turn(true);
	app_start(0);
}
END_TEST

START_TEST(nobody_has_to_be_known_for_the_broker_to_stop)
{
	broker_stop(&broker, 0);
	daemon_settle();
	ck_assert(!app_readable(app.sock));
	client_kill(app.client, NULL);
	ck_assert(list_empty(&broker.clients));
	deadline_clear(&broker.deadlines, &broker.grace);
}
END_TEST

/* What it costs is what it is charged for: more are not opened for it, at any time. */
START_TEST(a_connection_holds_no_more_descriptors_than_it_is_charged_for)
{
	const size_t ours = 1, ours_after_hello = 3; /* of this process, which is both sides */
	uint64_t charged = broker.quota.used[QUOTA_FDS];

	ck_assert_uint_gt(charged, 0);
	ck_assert_uint_le(count_fds(getpid()), fds_before + ours + charged);
	go_on();
	app_hello(0);
	ck_assert_uint_eq(broker.quota.used[QUOTA_FDS], charged);
	ck_assert_uint_le(count_fds(getpid()), fds_before + ours_after_hello + charged);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("arrival");
	TCase *tcase = tcase_create("arrival");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, news_wait_for_nobody_and_reach_only_who_is_known);
	tcase_add_test(tcase, who_is_known_is_served_and_what_it_had_asked_for_meanwhile);
	tcase_add_test(tcase, who_never_gets_known_is_served_without_that_after_a_while);
	tcase_add_test(tcase, who_hangs_up_before_it_is_known_leaves_nothing);
	tcase_add_test(tcase, nobody_has_to_be_known_for_the_broker_to_stop);
	tcase_add_test(tcase, a_connection_holds_no_more_descriptors_than_it_is_charged_for);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
