// SPDX-License-Identifier: MIT
/*
 * Sessions that may only send, or only receive, through the kernel's drivers (virtio_rpmsg_bus,
 * rpmsg_ctrl, rpmsg_char), from the beginning or from a reload on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kernel/messages.h"

#define NODES 64 /* endpoint devices are looked for up to this one */

#define SENDS           ALLOW("sends", EVERYBODY, "\"rpmsg0/up\"", ", \"direction\": \"send\"")
#define RECEIVES        ALLOW("receives", EVERYBODY, "\"rpmsg0/down\"", ", \"direction\": \"receive\"")
#define BOTH            ALLOW("both", EVERYBODY, "\"*/*\"", "")
#define ONLY(direction) ALLOW_WITH(", \"direction\": \"" direction "\"")

static struct harness harness;

static void set_up(void)
{
	harness_start(&harness, POLICY(SENDS "," RECEIVES "," BOTH));
}

static void tear_down(void)
{
	harness_stop(&harness);
}

static void serve_now(uint32_t address, const char *service, const char *channel)
{
	struct dspbroker *broker = connect_to(&harness);

	serve(address, service, strchr(channel, '/') + 1);
	require_soon(is_listed(broker, channel));
	dspbroker_free(broker);
}

static void reloads(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	uint32_t revoked;

	(void)data;
	require_eq(dspbroker_reload(broker, NULL, &revoked), 0);
	require_eq(revoked, 0);
	dspbroker_free(broker);
}

static void reload(const char *policy)
{
	harness_set_policy(&harness, policy);
	client_run(BROKER_UID, reloads, NULL);
}

static void may_not_send(struct dspbroker_session *session)
{
	uint8_t message[STAMPED_MIN];

	stamp(message, sizeof(message), 1, 1);
	require_eq(dspbroker_send(session, message, sizeof(message), -1), DSPBROKER_DENIED);
}

CLIENT_TEST(who_may_only_send_has_all_of_it_sent_and_gets_no_answer)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session_record record;
	struct dspbroker_session *session;

	serve_now(2001, "echo", "rpmsg0/up");
	serve_now(2002, "echo", "rpmsg0/free");
	session = open_channel(broker, "rpmsg0/up");
	for (uint32_t i = 0; i < 100; i++)
		send_stamped(session, 40, 1, i);
	require_soon(remote_count(2001).messages == 100);
	/* What comes back was read by the time that another's answer is there. */
	echo_stamped(open_channel(broker, "rpmsg0/free"), 40, 2, 1);
	require_eq(receive_nothing(session, 0), DSPBROKER_DENIED);
	require_text(dspbroker_message(), "sends");
	record = session_record(broker, "rpmsg0/up");
	require_eq(record.calls, 100);
	require_eq(record.queued, 0);
	require_eq(record.dropped, 0);
	dspbroker_free(broker);
}

static unsigned int address_of(unsigned int node, const char *end)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/rpmsg/rpmsg%u/%s", node, end);
	return (unsigned int)strtoul(read_file(path), NULL, 0);
}

/* It has said nothing, so the remote processor has to be told: the address of the endpoint that
 * talks to that one. */
static unsigned int address_of_peer(unsigned int address)
{
	for (unsigned int node = 0; node < NODES; node++)
		if (address_of(node, "dst") == address)
			return address_of(node, "src");
	harness_fail(__FILE__, __LINE__, "nobody talks to %u", address);
}

CLIENT_TEST(who_may_only_receive_does_and_nothing_of_it_is_sent)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;
	uint8_t message[RPMSG_MTU];

	serve_now(2003, "source", "rpmsg0/down");
	session = open_channel(broker, "rpmsg0/down");
	may_not_send(session);
	require_text(dspbroker_message(), "receives");
	remote("emit 2003 %u 1 40", address_of_peer(2003));
	require_eq(receive_one(session, message), 40);
	may_not_send(session);
	require_eq(remote_count(2003).messages, 0);
	require_eq(session_record(broker, "rpmsg0/down").calls, 0);
	dspbroker_free(broker);
}

static void goes_on_sending_only(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, "rpmsg0/first-both");

	(void)data;
	echo_stamped(session, 40, 1, 0);
	step_reached('o');
	step_await('r');
	send_stamped(session, 40, 1, 1);
	require_soon(remote_count(2004).messages == 2);
	require_eq(receive_nothing(session, PATIENCE_MS), DSPBROKER_DENIED);
	dspbroker_free(broker);
}

START_TEST(who_may_only_send_from_a_reload_on_gets_no_message_any_more)
{
	struct client client;

	serve_now(2004, "echo", "rpmsg0/first-both");
	client_start(&client, ALICE, goes_on_sending_only, NULL);
	client_await(&client, 'o');
	reload(ONLY("send"));
	client_go(&client, 'r');
	client_end(&client);
}
END_TEST

static void goes_on_receiving_only(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, "rpmsg0/then-down");
	uint8_t message[RPMSG_MTU];

	(void)data;
	ask_source(session, 0, 0);
	require_soon(remote_count(2005).messages == 1);
	step_reached('o');
	step_await('r');
	may_not_send(session);
	remote("emit 2005 0 3 40");
	for (uint32_t i = 0; i < 3; i++) {
		require_eq(receive_one(session, message), 40);
		require(memcmp(message, &i, sizeof(i)) == 0);
	}
	require_eq(remote_count(2005).messages, 1);
	dspbroker_free(broker);
}

START_TEST(who_may_only_receive_from_a_reload_on_still_does)
{
	struct client client;

	serve_now(2005, "source", "rpmsg0/then-down");
	client_start(&client, ALICE, goes_on_receiving_only, NULL);
	client_await(&client, 'o');
	reload(ONLY("receive"));
	client_go(&client, 'r');
	client_end(&client);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("directions over rpmsg_char");
	TCase *tcase = tcase_create("directions");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, who_may_only_send_has_all_of_it_sent_and_gets_no_answer);
	tcase_add_test(tcase, who_may_only_receive_does_and_nothing_of_it_is_sent);
	tcase_add_test(tcase, who_may_only_send_from_a_reload_on_gets_no_message_any_more);
	tcase_add_test(tcase, who_may_only_receive_from_a_reload_on_still_does);
	suite_add_tcase(suite, tcase);
	return testbed_main(suite);
}
