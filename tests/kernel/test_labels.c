// SPDX-License-Identifier: MIT
/*
 * Security labels of clients. The guest is booted with Smack (test_labels.cmdline), where any text
 * is a label, a process without one has "_", and root gives itself another by writing it to a file
 * (Documentation/admin-guide/LSM/Smack.rst of the kernel).
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/kernel/peers.h"

#define SMACKFS   "/sys/fs/smackfs"
#define OWN_LABEL "/proc/self/attr/current"

static struct harness harness;

/* In a client that is still root: be another one, with that label. */
static void become(uid_t uid, const char *label)
{
	require(write_file(OWN_LABEL, label));
	peer_become(uid);
}

/* Clients. Data: the label. */

static void opens_and_calls(void *data)
{
	struct dspbroker *broker;
	struct dspbroker_session *session;

	become(ALICE, data);
	broker = connect_to(&harness);
	session = open_channel(broker, EXAMPLE);
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

static void is_denied(void *data)
{
	struct dspbroker *broker;
	struct dspbroker_session *session;

	become(ALICE, data);
	broker = connect_to(&harness);
	require_eq(dspbroker_session_open(broker, &session, EXAMPLE), DSPBROKER_DENIED);
	dspbroker_free(broker);
}

static void client_of(void (*run)(void *data), const char *label)
{
	client_run(0, run, (void *)label);
}

START_TEST(a_rule_for_labels_holds_for_who_has_one_of_them)
{
	harness_start(&harness,
		POLICY(ALLOW("players", "\"labels\": [\"Play*\", \"_\"]", "\"*/*\"", "")));
	client_of(opens_and_calls, "Player");
	client_of(opens_and_calls, "_");
	client_of(is_denied, "Recorder");
	client_of(is_denied, "APlayer");
	harness_stop(&harness);
}
END_TEST

START_TEST(a_rule_for_a_label_and_a_user_asks_for_both)
{
	harness_start(&harness,
		POLICY(ALLOW("bobs-player", "\"users\": [60712], \"labels\": [\"Player\"]",
			"\"*/*\"", "") "," ALLOW("alices-recorder",
			"\"users\": [60711], \"labels\": [\"Recorder\"]", "\"*/*\"", "")));
	client_of(is_denied, "Player");
	client_of(opens_and_calls, "Recorder");
	harness_stop(&harness);
}
END_TEST

START_TEST(a_deny_by_label_wins_over_what_allows_everybody)
{
	harness_start(&harness,
		POLICY(ALLOW("everybody", EVERYBODY, "\"*/*\"", "") "," DENY("no-thieves",
			"\"labels\": [\"Thief\"]", "\"*/*\"")));
	client_of(is_denied, "Thief");
	client_of(opens_and_calls, "Player");
	harness_stop(&harness);
}
END_TEST

START_TEST(a_refusal_in_the_log_names_the_label)
{
	harness_start(&harness,
		POLICY(ALLOW("players", "\"labels\": [\"Player\"]", "\"*/*\"", "")));
	client_of(is_denied, "Recorder");
	require(harness_logged(&harness, "\"DSPBROKER_LABEL\":\"Recorder\""));
	harness_stop(&harness);
}
END_TEST

static void waits(void *data)
{
	become(ALICE, data);
	step_reached('w');
	step_await('e');
}

START_TEST(an_explanation_names_the_label_and_goes_by_it)
{
	struct client client;
	const char *output;
	char pid[16];

	harness_start(&harness,
		POLICY(ALLOW("players", "\"labels\": [\"Player\"]", "\"*/*\"", "")));
	client_start(&client, 0, waits, "Recorder");
	client_await(&client, 'w');
	snprintf(pid, sizeof(pid), "%d", client.pid);
	require_eq(harness_run("dspctl", 0, &output, "policy", "explain", harness.policy, "--pid",
			   pid, "--channel", EXAMPLE),
		3);
	require_text(output, "Recorder");
	require_text(output, "players");
	client_go(&client, 'e');
	client_end(&client);
	harness_stop(&harness);
}
END_TEST

/* It remains root, who alone may change its label. */
static void opens_under_one_label_and_then_another(void *data)
{
	struct dspbroker_session *session;
	struct dspbroker *broker;

	(void)data;
	require(write_file(OWN_LABEL, "Player"));
	broker = connect_to(&harness);
	dspbroker_session_close(open_channel(broker, EXAMPLE));
	require(write_file(OWN_LABEL, "Thief"));
	session = open_channel(broker, EXAMPLE);
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	dspbroker_free(broker);

	broker = connect_to(&harness);
	require_eq(dspbroker_session_open(broker, &session, EXAMPLE), DSPBROKER_DENIED);
	dspbroker_free(broker);
}

#define PLAYERS_AND_NO_THIEVES                                                                    \
	POLICY(ALLOW("players", "\"labels\": [\"Player\"]", "\"*/*\"", "") "," DENY("no-thieves", \
		"\"labels\": [\"Thief\"]", "\"*/*\""))

START_TEST(who_changes_its_label_keeps_that_of_its_connection)
{
	harness_start(&harness, PLAYERS_AND_NO_THIEVES);
	client_run(0, opens_under_one_label_and_then_another, NULL);
	harness_stop(&harness);
}
END_TEST

/* The kernel labels a socket when it is made, and tells that of who connects with it. */
static void opens_with_a_socket_that_is_older_than_its_label(void *data)
{
	struct raw raw;
	int sock;

	(void)data;
	require(write_file(OWN_LABEL, "Player"));
	sock = peer_socket();
	require(write_file(OWN_LABEL, "Thief"));
	peer_connect(sock, &harness);
	raw = peer_hello(sock);
	require_eq(peer_open(&raw, EXAMPLE), DSP_OK);
	raw_close(&raw);
}

START_TEST(a_connection_has_the_label_under_which_its_socket_was_made)
{
	harness_start(&harness, PLAYERS_AND_NO_THIEVES);
	client_run(0, opens_with_a_socket_that_is_older_than_its_label, NULL);
	harness_stop(&harness);
}
END_TEST

/* The broker is told its label, may talk to it, and may not read it. */
START_TEST(what_the_security_module_hides_of_a_client_is_unknown)
{
	char policy[2 * PATH_MAX], program[PATH_MAX] = "";

	require(readlink("/proc/self/exe", program, sizeof(program) - 1) > 0);
	snprintf(policy, sizeof(policy),
		POLICY(ALLOW("program", "\"executables\": [\"%s\"]", "\"*/*\"", "")), program);
	harness_prepare(&harness);
	harness_spawn(&harness, &(struct harness_options){.policy = policy, .user = PEER_ACCOUNT});
	harness_await_ready(&harness);
	client_of(opens_and_calls, "Player");
	client_of(is_denied, "Hidden");
	harness_stop(&harness);
}
END_TEST

/* Without a rule of Smack's own, two labels may not even talk to each other. */
static const char *const smack_rules[] = {
	"Player _ rwxat",
	"_ Player rwxat",
	"APlayer _ rwxat",
	"_ APlayer rwxat",
	"Recorder _ rwxat",
	"_ Recorder rwxat",
	"Thief _ rwxat",
	"_ Thief rwxat",
	"Hidden _ rwxat",
	"_ Hidden w",
};

static int prepare_guest(void)
{
	if (mount("smackfs", SMACKFS, "smackfs", 0, NULL) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(smack_rules); i++)
		if (!write_file(SMACKFS "/load2", smack_rules[i]))
			return -errno;
	return peer_account() ? 0 : -errno;
}

static Suite *suite(void)
{
	Suite *suite = suite_create("security labels, by Smack");
	TCase *tcase = tcase_create("labels");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_test(tcase, a_rule_for_labels_holds_for_who_has_one_of_them);
	tcase_add_test(tcase, a_rule_for_a_label_and_a_user_asks_for_both);
	tcase_add_test(tcase, a_deny_by_label_wins_over_what_allows_everybody);
	tcase_add_test(tcase, a_refusal_in_the_log_names_the_label);
	tcase_add_test(tcase, an_explanation_names_the_label_and_goes_by_it);
	tcase_add_test(tcase, who_changes_its_label_keeps_that_of_its_connection);
	tcase_add_test(tcase, a_connection_has_the_label_under_which_its_socket_was_made);
	tcase_add_test(tcase, what_the_security_module_hides_of_a_client_is_unknown);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	int r = prepare_guest();

	if (r < 0) {
		fprintf(stderr, "Smack is not at work: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	return harness_main(suite());
}
