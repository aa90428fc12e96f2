// SPDX-License-Identifier: MIT
/*
 * What a rule grants, by user or by unit of the system: one user's programs, some of them in
 * cgroups as systemd makes them for its services.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/integration/cgroup.h"
#include "tests/integration/process.h"

#define ACCOUNT "nobody" /* that the broker becomes */
#define ONE     "one.service"
#define TWO     "two.service"
#define BYTES   65536
#define SHARED  "soft0/denoise"

#define LIMITS(more) ", \"limits\": {\"sessions\": 2, \"bytes\": 65536" more "}"
/* By unit on the one channel, by user on the other. */
#define BY_UNIT                                                                              \
	POLICY(ALLOW("each", EVERYBODY, "\"" EXAMPLE "\"",                                   \
		LIMITS(", \"per\": \"unit\"")) "," ALLOW("all", EVERYBODY, "\"" SHARED "\"", \
		LIMITS("")))
#define BY_USER POLICY(ALLOW("each", EVERYBODY, "\"*/*\"", LIMITS("")))

static struct harness harness;
static bool usable;

static void set_up(void)
{
	usable = harness_has_users() && cgroup_make(ONE) && cgroup_make(TWO);
	if (!usable)
		return;
	harness_prepare(&harness);
}

static void tear_down(void)
{
	if (!usable)
		return;
	harness_stop(&harness);
	cgroup_remove(ONE);
	cgroup_remove(TWO);
}

/* As root, so that its program may look at Alice's. */
static void start_broker(const char *policy)
{
	harness_spawn(&harness, &(struct harness_options){.policy = policy, .user = ACCOUNT});
	harness_await_ready(&harness);
}

/* As root, who may. */
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
	client_run(0, reloads, NULL);
}

static void connects(void *data)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	step_await('g');
	strcpy(address.sun_path, harness.socket);
	must(connect(*(int *)data, (struct sockaddr *)&address, sizeof(address)));
	step_reached('c');
	step_await('e');
}

/* A connection of this process, made by one of Alice's in that unit (NULL: in none of these), whose
 * it is to the broker. */
static struct dspbroker *connect_in(const char *unit)
{
	int sock = must(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
	struct dspbroker *broker;
	struct client client;

	client_start(&client, ALICE, connects, &sock);
	if (unit)
		cgroup_enter(unit, client.pid);
	client_go(&client, 'g');
	client_await(&client, 'c');
	require_eq(dspbroker_connect_fd(&broker, sock), 0);
	client_go(&client, 'e');
	client_end(&client);
	return broker;
}

static void may_open_no_more(struct dspbroker *broker, const char *channel, const char *why)
{
	struct dspbroker_session *session;

	require_eq(dspbroker_session_open(broker, &session, channel), DSPBROKER_OVER_LIMIT);
	require_text(dspbroker_message(), why);
}

static void may_have_no_more(struct dspbroker *broker, const char *why)
{
	struct dspbroker_buffer *buffer;

	require_eq(dspbroker_buffer_alloc(broker, &buffer, 4096), DSPBROKER_OVER_LIMIT);
	require_text(dspbroker_message(), why);
}

/* As `dspctl sessions` lists them to their user. */
static size_t count_sessions(void)
{
	const char *at;
	size_t n = 0;

	require_eq(harness_dspctl(&harness, ALICE, &at, "sessions"), 0);
	while ((at = strstr(at, "soft0/")))
		n += *at++ == 's';
	return n;
}

START_TEST(a_rule_that_counts_by_unit_grants_each_unit_of_a_user_its_sessions)
{
	struct dspbroker *one, *two, *again, *none;

	if (!usable)
		return;
	start_broker(BY_UNIT);
	one = connect_in(ONE);
	two = connect_in(TWO);
	again = connect_in(ONE);
	none = connect_in(NULL);
	open_channel(one, EXAMPLE);
	open_channel(again, EXAMPLE);
	may_open_no_more(one, EXAMPLE, "unit");
	may_open_no_more(again, EXAMPLE, "2 sessions");
	open_channel(two, EXAMPLE);
	open_channel(two, EXAMPLE);
	may_open_no_more(two, EXAMPLE, "unit");
	open_channel(none, EXAMPLE);
	require_eq(count_sessions(), 5);
	dspbroker_free(one);
	require_soon(count_sessions() == 4);
	open_channel(again, EXAMPLE);
	may_open_no_more(two, EXAMPLE, "unit");
	dspbroker_free(again);
	dspbroker_free(two);
	dspbroker_free(none);
}
END_TEST

START_TEST(another_rule_counts_the_same_connections_by_their_user)
{
	struct dspbroker *one, *two;

	if (!usable)
		return;
	start_broker(BY_UNIT);
	one = connect_in(ONE);
	two = connect_in(TWO);
	open_channel(one, SHARED);
	open_channel(two, SHARED);
	may_open_no_more(one, SHARED, "user");
	may_open_no_more(two, SHARED, "user");
	open_channel(one, EXAMPLE);
	open_channel(two, EXAMPLE);
	require_eq(count_sessions(), 4);
	dspbroker_free(one);
	dspbroker_free(two);
}
END_TEST

START_TEST(each_unit_of_a_user_has_its_buffers)
{
	struct dspbroker *one, *two, *again;
	struct dspbroker_buffer *buffer;

	if (!usable)
		return;
	start_broker(BY_UNIT);
	one = connect_in(ONE);
	two = connect_in(TWO);
	again = connect_in(ONE);
	buffer = alloc_buffer(one, BYTES);
	may_have_no_more(one, "65536");
	may_have_no_more(again, "unit");
	alloc_buffer(two, BYTES);
	may_have_no_more(two, "65536");
	dspbroker_buffer_free(buffer);
	alloc_buffer(again, BYTES);
	may_have_no_more(two, "65536");
	dspbroker_free(one);
	dspbroker_free(two);
	dspbroker_free(again);
}
END_TEST

/* One unit has much, by a rule of its own; whoever else the user is has little. */
#define MUCH_FOR_ONE                                                                      \
	POLICY(ALLOW("one", "\"units\": [\"" ONE "\"]", "\"*/*\"",                        \
		", \"limits\": {\"bytes\": \"64M\", \"per\": \"unit\"}") "," ALLOW("all", \
		EVERYBODY, "\"*/*\"", LIMITS("")))

START_TEST(what_a_unit_may_have_is_not_its_user_s)
{
	struct dspbroker *one, *plain, *other;

	if (!usable)
		return;
	start_broker(MUCH_FOR_ONE);
	one = connect_in(ONE);
	plain = connect_in(NULL);
	other = connect_in(NULL);
	alloc_buffer(one, 100 * BYTES);
	alloc_buffer(plain, BYTES);
	may_have_no_more(plain, "65536 bytes");
	may_have_no_more(other, "65536 bytes");
	alloc_buffer(one, 100 * BYTES);
	dspbroker_free(one);
	dspbroker_free(plain);
	dspbroker_free(other);
}
END_TEST

START_TEST(a_reload_that_counts_by_unit_does_so_with_who_is_connected)
{
	struct dspbroker *one, *two;

	if (!usable)
		return;
	start_broker(BY_USER);
	one = connect_in(ONE);
	two = connect_in(TWO);
	open_channel(one, EXAMPLE);
	open_channel(one, EXAMPLE);
	alloc_buffer(one, BYTES);
	may_open_no_more(two, EXAMPLE, "user");
	may_have_no_more(two, "65536");
	reload(BY_UNIT);
	may_open_no_more(one, EXAMPLE, "unit");
	may_have_no_more(one, "65536");
	open_channel(two, EXAMPLE);
	open_channel(two, EXAMPLE);
	may_open_no_more(two, EXAMPLE, "unit");
	alloc_buffer(two, BYTES);
	may_have_no_more(two, "65536");
	dspbroker_free(one);
	dspbroker_free(two);
}
END_TEST

START_TEST(a_reload_that_counts_by_user_again_counts_what_all_units_have_together)
{
	struct dspbroker_session *sessions[3];
	struct dspbroker_buffer *of_one, *of_two;
	struct dspbroker *one, *two;

	if (!usable)
		return;
	start_broker(BY_UNIT);
	one = connect_in(ONE);
	two = connect_in(TWO);
	sessions[0] = open_channel(one, EXAMPLE);
	sessions[1] = open_channel(one, EXAMPLE);
	sessions[2] = open_channel(two, EXAMPLE);
	of_one = alloc_buffer(one, BYTES);
	of_two = alloc_buffer(two, BYTES);
	reload(BY_USER);
	/* What there is stays. */
	for (size_t i = 0; i < ARRAY_SIZE(sessions); i++)
		require_eq(invoke_plain(sessions[i], EXAMPLE_NOP), 0);
	may_open_no_more(two, EXAMPLE, "user");
	dspbroker_session_close(sessions[0]);
	may_open_no_more(two, EXAMPLE, "user");
	dspbroker_session_close(sessions[1]);
	open_channel(two, EXAMPLE);
	may_open_no_more(one, EXAMPLE, "user");
	may_have_no_more(one, "65536");
	dspbroker_buffer_free(of_one);
	may_have_no_more(one, "65536");
	dspbroker_buffer_free(of_two);
	alloc_buffer(one, BYTES);
	may_have_no_more(two, "user");
	dspbroker_free(one);
	dspbroker_free(two);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("units");
	TCase *tcase = tcase_create("units");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_test(tcase, a_rule_that_counts_by_unit_grants_each_unit_of_a_user_its_sessions);
	tcase_add_test(tcase, another_rule_counts_the_same_connections_by_their_user);
	tcase_add_test(tcase, each_unit_of_a_user_has_its_buffers);
	tcase_add_test(tcase, what_a_unit_may_have_is_not_its_user_s);
	tcase_add_test(tcase, a_reload_that_counts_by_unit_does_so_with_who_is_connected);
	tcase_add_test(tcase,
		a_reload_that_counts_by_user_again_counts_what_all_units_have_together);
	suite_add_tcase(suite, tcase);
	return harness_main(suite);
}
