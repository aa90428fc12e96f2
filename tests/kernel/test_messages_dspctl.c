// SPDX-License-Identifier: MIT
/* dspctl and messages, from the shell to a remote processor behind the kernel's drivers
 * (virtio_rpmsg_bus, rpmsg_ctrl, rpmsg_char) and back. */
#include <string.h>

#include "tests/kernel/messages.h"

static struct harness harness;

static void set_up(void)
{
	harness_start(&harness,
		POLICY_WITH_DEVICES("{\"name\": \"rpmsg0\", \"services\": {\"echo\": 8000, "
				    "\"source\": 8001}}",
			DENY("not-for-bob", "\"users\": [60712]",
				"\"rpmsg0/*\"") "," ALLOW("everybody", EVERYBODY, "\"*/*\"", "")));
	remote("serve 8000 echo");
	remote("serve 8001 source");
}

static void tear_down(void)
{
	harness_stop(&harness);
}

#define dspctl(output, ...) harness_dspctl(&harness, ALICE, output, __VA_ARGS__)

START_TEST(what_is_sent_as_text_comes_back_as_text)
{
	const char *output;

	require_eq(dspctl(&output, "send", "rpmsg0/echo", "hello, DSP", "--receive", "1"), 0);
	require_eq(strcmp(output, "hello, DSP\n"), 0);
	require_eq(dspctl(&output, "send", "rpmsg0/echo", "one", "two", "three", "--receive", "3"),
		0);
	require_eq(strcmp(output, "one\ntwo\nthree\n"), 0);
	require_eq(dspctl(&output, "send", "rpmsg0/echo", "unanswered"), 0);
	require_eq(strcmp(output, ""), 0);
}
END_TEST

START_TEST(what_is_sent_in_hex_comes_back_in_hex)
{
	const char *output;

	require_eq(dspctl(&output, "send", "rpmsg0/echo", "--hex", "00 01fe FF", "--receive", "1"),
		0);
	require_eq(strcmp(output, "0001feff\n"), 0);
	require_eq(dspctl(&output, "send", "rpmsg0/echo", "--hex", "0g"), 2);
	require_eq(dspctl(&output, "send", "rpmsg0/echo", "a\x1b[2J", "--receive", "1"), 0);
	require_eq(strcmp(output, "a\\x1b[2J\n"), 0);
}
END_TEST

START_TEST(scripts_get_json)
{
	const char *output;

	require_eq(dspctl(&output, "send", "rpmsg0/echo", "abc", "--receive", "1", "--json"), 0);
	require_text(output, "\"hex\"");
	require_text(output, "616263");
}
END_TEST

START_TEST(a_message_that_is_too_long_is_refused_with_all_others)
{
	char longest[RPMSG_MTU + 2] = "";
	unsigned long long before = remote_count(8000).messages;
	const char *output;

	memset(longest, 'x', RPMSG_MTU + 1);
	require_eq(dspctl(&output, "send", "rpmsg0/echo", "short", longest), 6);
	require_text(output, "496");
	require_eq(remote_count(8000).messages, before);
	longest[RPMSG_MTU] = '\0';
	require_eq(dspctl(&output, "send", "rpmsg0/echo", longest, "--receive", "1"), 0);
	require_text(output, longest);
}
END_TEST

START_TEST(the_exit_code_says_why_it_failed)
{
	const char *output;

	require_eq(dspctl(&output, "receive", "rpmsg0/echo", "--timeout", "100"), 7);
	require_eq(dspctl(&output, "send", "rpmsg0/nowhere", "x"), 5);
	require_eq(dspctl(&output, "send", EXAMPLE, "x"), 2);
	require_eq(dspctl(&output, "call", "rpmsg0/echo", "2"), 2);
	require_eq(harness_dspctl(&harness, BOB, &output, "send", "rpmsg0/echo", "x"), 3);
	require_text(output, "not-for-bob");
}
END_TEST

/* {2, 4} and {3, 4}, as a source wants to be asked. */
START_TEST(it_receives_as_many_as_it_is_told)
{
	const char *output;

	require_eq(dspctl(&output, "send", "rpmsg0/source", "--hex", "0200000004000000",
			   "--receive", "2"),
		0);
	require_eq(strcmp(output, "00000000\n01000000\n"), 0);
	require_eq(dspctl(&output, "send", "rpmsg0/source", "--hex", "0300000004000000",
			   "--receive", "4", "--timeout", "100"),
		7);
	require_text(output, "00000000\n01000000\n02000000\n");
}
END_TEST

static void follows(void *data)
{
	const char *output;

	(void)data;
	require_eq(dspctl(&output, "send", "rpmsg0/follow", "--hex", "0500000004000000",
			   "--follow"),
		9);
	for (char line[] = "00000000\n"; line[1] < '5'; line[1]++)
		require_text(output, line);
	require(!harness_contains(output, "05000000\n"));
}

/* Until the session ends, here with the service. */
START_TEST(it_follows_until_the_end)
{
	struct dspbroker *observer = connect_to(&harness);
	struct client client;

	serve(8002, "source", "follow");
	require_soon(is_listed(observer, "rpmsg0/follow"));
	client_start(&client, ALICE, follows, NULL);
	require_soon(remote_count(8002).emitted == 5);
	require_soon(session_record(observer, "rpmsg0/follow").received == 5 &&
		     session_record(observer, "rpmsg0/follow").queued == 0);
	remote("withdraw 8002");
	client_end(&client);
	dspbroker_free(observer);
}
END_TEST

START_TEST(the_lists_show_messages_and_remote_processors)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, "rpmsg0/echo");
	const char *output;

	echo_stamped(session, 20, 1, 1);
	require_eq(harness_dspctl(&harness, 0, &output, "devices"), 0);
	require_text(output, "rpmsg0");
	require_text(output, "remoteproc0");
	require_text(output, "attached");
	require_text(output, "iommu");
	require_eq(dspctl(&output, "channels"), 0);
	require_text(output, "rpmsg0/echo");
	require_text(output, "message");
	require_eq(harness_dspctl(&harness, 0, &output, "sessions"), 0);
	require_text(output, "rpmsg0/echo");
	require_text(output, "RECEIVED");
	dspbroker_free(broker);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("dspctl and messages over rpmsg_char");
	TCase *tcase = tcase_create("dspctl");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, what_is_sent_as_text_comes_back_as_text);
	tcase_add_test(tcase, what_is_sent_in_hex_comes_back_in_hex);
	tcase_add_test(tcase, scripts_get_json);
	tcase_add_test(tcase, a_message_that_is_too_long_is_refused_with_all_others);
	tcase_add_test(tcase, the_exit_code_says_why_it_failed);
	tcase_add_test(tcase, it_receives_as_many_as_it_is_told);
	tcase_add_test(tcase, it_follows_until_the_end);
	tcase_add_test(tcase, the_lists_show_messages_and_remote_processors);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
