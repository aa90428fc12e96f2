// SPDX-License-Identifier: MIT
/* Many users on the few sessions that a kernel driver has: domains that are shared,
 * domains that are private, those that wait for one, and what kinds of them there are. */
#include <stdio.h>
#include <string.h>

#include "tests/kernel/messages.h"
#include "tests/kernel/remains.h"

#define MODULE     "cdsp/example"
#define OTHER      "cdsp/bench"
#define BENCH_NULL 2

#define USERS     10
#define FIRST_UID 61001
#define EACH      3 /* sessions of each user */
#define CALLS     30

/* Times that nothing comes to within a test, and one that is soon over. */
#define FOR_EVER "60000"
#define AN_HOUR  "3600000"

#define LIMITS ", \"limits\": {\"timeout_ms\": 100000}"

static struct harness harness;

static void set_up_dsp(void)
{
	cdsp_files();
	cdsp_up();
}

/* A broker that has nothing more to ask the DSP. */
static struct dspbroker *begin(const char *policy)
{
	struct dspbroker *broker;

	harness_start(&harness, policy);
	broker = connect_to(&harness);
	require_soon(device_record(broker, "cdsp").n_attributes > 0);
	require_soon(cdsp_driver.free_sessions() == CDSP_SESSIONS);
	return broker;
}

static void end(struct dspbroker *broker)
{
	dspbroker_free(broker);
	harness_stop(&harness);
	await_nothing_left();
}

/* Where many call at once the kernel may have no room for one. That says so, and has not run. */
static uint32_t count(struct dspbroker_session *session)
{
	uint32_t calls = 0;
	const struct dspbroker_arg out = {.data = &calls, .length = sizeof(calls)};
	const struct dspbroker_call call = {.method = EXAMPLE_COUNT, .n_out = 1, .args = &out};
	int r;

	do
		r = dspbroker_invoke(session, &call, NULL);
	while (r == DSPBROKER_BUSY);
	require_eq(r, 0);
	return calls;
}

static int try_to_open(struct dspbroker *broker, const char *channel)
{
	struct dspbroker_session *session;

	return dspbroker_session_open(broker, &session, channel);
}

/* Its nodes are not the broker's from the first moment on. */
/* It may not be known yet. */
static bool is_up(struct dspbroker *broker)
{
	struct dspbroker_device_info info = {.id = 0};

	while (dspbroker_next_device(broker, info.id, &info) == 1)
		if (strcmp(info.name, "cdsp") == 0)
			return info.up;
	return false;
}

START_TEST(a_dsp_that_comes_later_is_used_and_tells_what_it_is)
{
	struct dspbroker *broker;

	cdsp_down();
	harness_start(&harness, CDSP_ALLOW_ALL);
	broker = connect_to(&harness);
	for (int i = 0; i < 5; i++) {
		cdsp_up();
		require_soon(is_up(broker));
		require_eq(count(open_channel(broker, MODULE)), 1);
		require_soon(device_record(broker, "cdsp").n_attributes > 0);
		require_eq(device_record(broker, "cdsp").attributes[DSPBROKER_ATTRIBUTE_ARCH],
			0x68);
		cdsp_down();
		require_soon(!device_record(broker, "cdsp").up);
	}
	cdsp_up();
	end(broker);
}
END_TEST

/* Sharing. */

/* Two users, who are neighbours, share a domain. */
static const char *policy_of_groups(void)
{
	static char text[4096];
	char rules[3072] = "";
	size_t n = 0;

	for (int i = 0; i < USERS; i += 2)
		n += (size_t)snprintf(rules + n, sizeof(rules) - n,
			"%s{\"name\": \"group-%d\", \"action\": \"allow\", \"match\": {\"users\": "
			"[%d, %d]}, \"channels\": [\"cdsp/*\"], \"share_domain\": "
			"\"group-%d\"" LIMITS "}",
			i ? ", " : "", i, FIRST_UID + i, FIRST_UID + i + 1, i);
	require(n < sizeof(rules));
	snprintf(text, sizeof(text), CDSP_POLICY(", \"queue_ms\": " FOR_EVER, "", "%s"), rules);
	return text;
}

/* Each session is its client's own, whoever is in the domain. */
static void be_one_of_many(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *sessions[EACH];

	(void)data;
	for (size_t i = 0; i < EACH; i++)
		sessions[i] = open_channel(broker, MODULE);
	require_eq(count_sessions(broker), EACH);
	step_reached('o');
	step_await('c');
	for (uint32_t call = 1; call <= CALLS; call++)
		for (size_t i = 0; i < EACH; i++)
			require_eq(count(sessions[i]), call);
	step_reached('d');
	step_await('e');
	dspbroker_free(broker);
}

static void must_share(struct dspbroker *broker)
{
	struct dspbroker_session_record record = {.id = 0};
	uint32_t domain_of[USERS / 2] = {0};
	size_t n = 0;

	while (dspbroker_next_session(broker, record.id, &record) == 1) {
		uint32_t group = (record.uid - FIRST_UID) / 2;

		require(group < ARRAY_SIZE(domain_of) && record.domain != 0);
		if (!domain_of[group])
			domain_of[group] = record.domain;
		require_eq(record.domain, domain_of[group]);
		for (uint32_t other = 0; other < ARRAY_SIZE(domain_of); other++)
			require(other == group || domain_of[other] != record.domain);
		n++;
	}
	require_eq(n, USERS * EACH);
}

START_TEST(thirty_sessions_of_ten_users_share_five_domains)
{
	struct dspbroker *broker = begin(policy_of_groups());
	struct client clients[USERS];

	for (uid_t i = 0; i < USERS; i++)
		client_start(&clients[i], FIRST_UID + i, be_one_of_many, NULL);
	for (size_t i = 0; i < USERS; i++)
		client_await(&clients[i], 'o');
	must_share(broker);
	require_eq(device_record(broker, "cdsp").domains, CDSP_SESSIONS);
	require_eq(cdsp_count("domains"), CDSP_SESSIONS);
	for (size_t i = 0; i < USERS; i++)
		client_go(&clients[i], 'c');
	for (size_t i = 0; i < USERS; i++)
		client_await(&clients[i], 'd');
	for (size_t i = 0; i < USERS; i++)
		client_go(&clients[i], 'e');
	for (size_t i = 0; i < USERS; i++)
		client_end(&clients[i]);
	end(broker);
}
END_TEST

#define SHARED_BY(who, name, channel) \
	ALLOW(name, who, "\"" channel "\"", ", \"share_domain\": \"" name "\"" LIMITS)
#define SHARED(name, channel) SHARED_BY(EVERYBODY, name, channel)

START_TEST(a_crash_ends_the_sessions_of_its_domain_and_no_others)
{
	struct dspbroker *broker =
		begin(CDSP_POLICY("", "", SHARED("first", MODULE) ", " SHARED("second", "cdsp/*")));
	struct dspbroker_session *crashes = open_channel(broker, MODULE);
	struct dspbroker_session *goes_too = open_channel(broker, MODULE);
	struct dspbroker_session *stays = open_channel(broker, OTHER);

	require_eq(cdsp_count("domains"), 2);
	require(invoke_plain(crashes, EXAMPLE_CRASH) != 0); /* the DSP's own word for it */
	require_eq(await_event(broker, DSPBROKER_EVENT_SESSION).status, DSPBROKER_DOMAIN_CRASHED);
	require_eq(await_event(broker, DSPBROKER_EVENT_SESSION).status, DSPBROKER_DOMAIN_CRASHED);
	require_eq(invoke_plain(goes_too, EXAMPLE_NOP), DSPBROKER_DOMAIN_CRASHED);
	require_eq(invoke_plain(stays, BENCH_NULL), 0);
	require_eq(count(open_channel(broker, MODULE)), 1);
	end(broker);
}
END_TEST

/* In the same domain they have handles of their own, of different modules, and do not wait for each
 * other. */
START_TEST(sessions_of_a_domain_do_not_hold_each_other_up)
{
	struct dspbroker *broker = begin(CDSP_POLICY("", "", SHARED("all", "cdsp/*")));
	struct dspbroker_session *spins = open_channel(broker, MODULE);
	struct dspbroker_session *others[] = {open_channel(broker, MODULE),
		open_channel(broker, OTHER), open_channel(broker, "cdsp/denoise")};
	struct dspbroker_completion completion;

	require_eq(cdsp_count("domains"), 1);
	require_eq(submit_plain(spins, EXAMPLE_SPIN, 1), 0);
	for (int i = 0; i < 20; i++) {
		require_eq(count(others[0]), i + 1);
		require_eq(invoke_plain(others[1], BENCH_NULL), 0);
	}
	require_eq(dspbroker_reap(broker, &completion, 1, 0), 0);
	end(broker);
}
END_TEST

/* Waiting. */

#define PRIVATE(more) CDSP_POLICY(more, "", ALLOW("private", EVERYBODY, "\"cdsp/*\"", LIMITS))

static void take_all(struct dspbroker *broker, struct dspbroker_session **sessions)
{
	for (size_t i = 0; i < CDSP_SESSIONS; i++)
		sessions[i] = open_channel(broker, MODULE);
	require_eq(cdsp_count("domains"), CDSP_SESSIONS);
}

/* Comes to 'o' when it has a session, and goes when it may. */
static void wait_for_one(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);

	(void)data;
	require_eq(count(session), 1);
	step_reached('o');
	step_await('e');
	dspbroker_free(broker);
}

static bool are_waiting(struct dspbroker *broker, uint32_t n)
{
	return device_record(broker, "cdsp").waiting == n;
}

START_TEST(who_finds_no_domain_free_gets_the_next_one_in_the_order_of_coming)
{
	struct dspbroker *broker = begin(PRIVATE(", \"queue_ms\": " FOR_EVER));
	struct dspbroker_session *sessions[CDSP_SESSIONS];
	struct client clients[4];

	take_all(broker, sessions);
	for (uint32_t i = 0; i < ARRAY_SIZE(clients); i++) {
		client_start(&clients[i], FIRST_UID + i, wait_for_one, NULL);
		require_soon(are_waiting(broker, i + 1));
	}
	for (uint32_t i = 0; i < ARRAY_SIZE(clients); i++) {
		require_eq(invoke_plain(sessions[i], EXAMPLE_NOP), 0);
		dspbroker_session_close(sessions[i]);
		client_await(&clients[i], 'o');
		require_soon(are_waiting(broker, (uint32_t)ARRAY_SIZE(clients) - i - 1));
	}
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		client_go(&clients[i], 'e');
		client_end(&clients[i]);
	}
	end(broker);
}
END_TEST

START_TEST(who_leaves_while_it_waits_is_not_waited_for)
{
	struct dspbroker *broker = begin(PRIVATE(", \"queue_ms\": " FOR_EVER));
	struct dspbroker_session *sessions[CDSP_SESSIONS];
	struct client leaves, stays;

	take_all(broker, sessions);
	client_start(&leaves, ALICE, wait_for_one, NULL);
	require_soon(are_waiting(broker, 1));
	client_start(&stays, BOB, wait_for_one, NULL);
	require_soon(are_waiting(broker, 2));
	client_kill(&leaves);
	require_soon(are_waiting(broker, 1));
	dspbroker_session_close(sessions[0]);
	client_await(&stays, 'o');
	require_eq(device_record(broker, "cdsp").waiting, 0);
	client_go(&stays, 'e');
	client_end(&stays);
	end(broker);
}
END_TEST

/* It learns why, and what of it is its own doing: two of the five domains. */
static void be_refused(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	(void)data;
	open_channel(broker, MODULE);
	open_channel(broker, OTHER);
	step_reached('o');
	step_await('c');
	require_eq(try_to_open(broker, MODULE), DSPBROKER_BUSY);
	require_text(dspbroker_message(), "no protection domain of cdsp became free in 100 ms");
	require_text(dspbroker_message(), "5 are in use, 2 of them by your user");
	require_text(dspbroker_message(), "dspctl sessions");
	/* What it has goes on. */
	require_eq(count_sessions(broker), 2);
	dspbroker_free(broker);
}

START_TEST(who_waited_in_vain_is_told_how_many_are_in_use_and_by_whom)
{
	struct dspbroker *broker = begin(PRIVATE(", \"queue_ms\": 100"));
	struct dspbroker_session *sessions[CDSP_SESSIONS - 2];
	struct client client;
	const char *output;

	client_start(&client, ALICE, be_refused, NULL);
	client_await(&client, 'o');
	for (size_t i = 0; i < ARRAY_SIZE(sessions); i++)
		sessions[i] = open_channel(broker, MODULE);
	require_eq(try_to_open(broker, MODULE), DSPBROKER_BUSY);
	require_text(dspbroker_message(), "5 are in use, 3 of them by your user");
	client_go(&client, 'c');
	client_end(&client);
	/* And a shell has an exit code for it. */
	require_soon(cdsp_count("domains") == ARRAY_SIZE(sessions));
	open_channel(broker, MODULE);
	open_channel(broker, MODULE);
	require_eq(harness_dspctl(&harness, BOB, &output, "call", MODULE, "9"), 10);
	require_text(output, "5 are in use, 0 of them by your user");
	for (size_t i = 0; i < ARRAY_SIZE(sessions); i++)
		require_eq(invoke_plain(sessions[i], EXAMPLE_NOP), 0);
	end(broker);
}
END_TEST

START_TEST(without_patience_it_gets_a_domain_that_is_free_and_waits_for_none)
{
	struct dspbroker *broker = begin(PRIVATE(", \"queue_ms\": 0"));
	struct dspbroker_session *sessions[CDSP_SESSIONS];

	take_all(broker, sessions);
	require_eq(try_to_open(broker, MODULE), DSPBROKER_BUSY);
	require_text(dspbroker_message(), "5 are in use, 5 of them by your user");
	dspbroker_session_close(sessions[2]);
	require_eq(count(open_channel(broker, MODULE)), 1);
	end(broker);
}
END_TEST

START_TEST(sessions_that_share_a_domain_wait_for_it_together)
{
	struct dspbroker *broker = begin(CDSP_POLICY(", \"queue_ms\": " FOR_EVER, "",
		ALLOW("mine", "\"users\": [0]", "\"cdsp/*\"", LIMITS) ", " SHARED("all",
			"cdsp/*")));
	struct dspbroker_session *sessions[CDSP_SESSIONS];
	struct client clients[3];

	take_all(broker, sessions);
	for (uid_t i = 0; i < ARRAY_SIZE(clients); i++)
		client_start(&clients[i], FIRST_UID + i, wait_for_one, NULL);
	require_soon(count_sessions(broker) == CDSP_SESSIONS + ARRAY_SIZE(clients));
	require_eq(device_record(broker, "cdsp").waiting, 1);
	dspbroker_session_close(sessions[0]);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		client_await(&clients[i], 'o');
	require_eq(cdsp_count("domains"), CDSP_SESSIONS);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		client_go(&clients[i], 'e');
		client_end(&clients[i]);
	}
	end(broker);
}
END_TEST

/* What is shown of it. */

static const char *line_of(const char *text, const char *begin)
{
	static char line[256];
	const char *at = strstr(text, begin);

	require(at);
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
	return line;
}

START_TEST(dspctl_shows_who_holds_which_domain_how_many_there_are_and_who_waits)
{
	struct dspbroker *broker = begin(PRIVATE(", \"queue_ms\": " FOR_EVER));
	struct dspbroker_session *sessions[CDSP_SESSIONS];
	struct client client;
	const char *output;
	char expected[64];

	take_all(broker, sessions);
	client_start(&client, ALICE, wait_for_one, NULL);
	require_soon(are_waiting(broker, 1));
	require_eq(device_record(broker, "cdsp").domains, CDSP_SESSIONS);
	require_soon(device_record(broker, "cdsp").domains_max == CDSP_SESSIONS);
	require_eq(harness_dspctl(&harness, 0, &output, "devices"), 0);
	require_text(output, "WAITING");
	require_text(line_of(output, "cdsp "), " 5/5 ");
	require_text(line_of(output, "cdsp "), cdsp_driver.transport);
	require_eq(harness_dspctl(&harness, 0, &output, "devices", "--json"), 0);
	output = strstr(output, "\"cdsp\"");
	require(output);
	require_text(output, "\"domains\": 5");
	require_text(output, "\"domains_max\": 5");
	require_text(output, "\"waiting\": 1");
	require_eq(harness_dspctl(&harness, 0, &output, "sessions", "--json"), 0);
	for (unsigned int i = 1; i <= CDSP_SESSIONS; i++) {
		snprintf(expected, sizeof(expected), "\"domain\": %u", i);
		require_text(output, expected);
	}
	/* Alice sees her own alone: it waits, and has no domain that runs. */
	require_eq(harness_dspctl(&harness, ALICE, &output, "sessions", "--json"), 0);
	require(!harness_contains(output, "\"domain\": 1,"));
	client_kill(&client);
	end(broker);
}
END_TEST

/* Idle domains. */

/* Those of root are shared. */
#define ROOT "\"users\": [0]"
#define IDLE(ms, more)                                                                            \
	CDSP_POLICY(", \"domain_idle_ms\": " ms more, "",                                         \
		SHARED_BY(ROOT, "one", MODULE) ", " SHARED_BY(ROOT, "two",                        \
			OTHER) ", " SHARED_BY(ROOT, "three", "cdsp/denoise") ", " SHARED_BY(ROOT, \
			"four", "cdsp/probe") ", " ALLOW("rest", EVERYBODY, "\"*/*\"", LIMITS))

static void hold_one(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, OTHER);

	(void)data;
	require_eq(invoke_plain(session, BENCH_NULL), 0);
	step_reached('o');
	step_await('e');
	dspbroker_session_close(session);
	dspbroker_free(broker);
}

START_TEST(an_idle_domain_that_is_shared_waits_for_the_next_session)
{
	struct dspbroker *broker = begin(IDLE(AN_HOUR, ""));
	uint64_t created = cdsp_count("domains-created");

	for (int i = 0; i < 5; i++) {
		struct dspbroker_session *session = open_channel(broker, MODULE);

		require_eq(count(session), 1);
		dspbroker_session_close(session);
		require_eq(cdsp_count("domains"), 1);
	}
	require_eq(cdsp_count("domains-created"), created + 1);
	end(broker);
}
END_TEST

START_TEST(an_idle_domain_is_given_back_after_a_while)
{
	struct dspbroker *broker = begin(IDLE("50", ""));

	for (int i = 0; i < 3; i++) {
		dspbroker_session_close(open_channel(broker, MODULE));
		require_soon(cdsp_count("domains") == 0);
		require_soon(cdsp_driver.free_sessions() == CDSP_SESSIONS);
		require_soon(device_record(broker, "cdsp").domains == 0);
	}
	end(broker);
}
END_TEST

START_TEST(a_private_domain_is_given_back_at_once)
{
	struct dspbroker *broker = begin(PRIVATE(", \"domain_idle_ms\": " AN_HOUR));

	dspbroker_session_close(open_channel(broker, MODULE));
	require_soon(cdsp_driver.free_sessions() == CDSP_SESSIONS);
	end(broker);
}
END_TEST

/* There is one kernel session more than idle domains; then these have to go, one by one. */
START_TEST(idle_domains_make_room_for_who_needs_it)
{
	static const char *const channels[] = {MODULE, OTHER, "cdsp/denoise", "cdsp/probe"};
	struct dspbroker *broker = begin(IDLE(AN_HOUR, ", \"queue_ms\": " FOR_EVER));
	struct client clients[CDSP_SESSIONS];

	for (size_t i = 0; i < ARRAY_SIZE(channels); i++)
		dspbroker_session_close(open_channel(broker, channels[i]));
	require_eq(cdsp_count("domains"), ARRAY_SIZE(channels));
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		client_start(&clients[i], ALICE, hold_one, NULL);
		client_await(&clients[i], 'o');
	}
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		client_go(&clients[i], 'e');
		client_end(&clients[i]);
	}
	end(broker);
}
END_TEST

/* Kinds. */

#define KINDS                                           \
	"{\"name\": \"signed\", \"signed\": true}, "    \
	"{\"name\": \"unsigned\", \"signed\": false}, " \
	"{\"name\": \"root\", \"kind\": \"root\"}, "    \
	"{\"name\": \"audio\", \"kind\": \"audio\"}, "  \
	"{\"name\": \"sensors\", \"kind\": \"sensors\"}"
#define OF_KIND(kind, uid) \
	ALLOW(kind, "\"users\": [" uid "]", "\"cdsp/*\"", ", \"domain\": \"" kind "\"" LIMITS)
#define POLICY_OF_KINDS                                                                           \
	CDSP_POLICY("", KINDS,                                                                    \
		OF_KIND("signed", "61001") ", " OF_KIND("unsigned", "61002") ", " OF_KIND("root", \
			"61003") ", " OF_KIND("audio", "61004") ", " OF_KIND("sensors",           \
			"61005") ", " ALLOW("none", EVERYBODY, "\"cdsp/*\"", ""))

START_TEST(a_domain_is_of_the_kind_that_its_rule_names)
{
	static const struct {
		uid_t uid;
		bool user, is_unsigned;
	} cases[] = {{61001, true, false}, {61002, true, true}, {61006, true, true},
		{61003, false, false}, {61005, false, false}};
	const size_t n = cdsp_driver.has_kinds ? ARRAY_SIZE(cases) : 3;
	struct dspbroker *broker = begin(POLICY_OF_KINDS);

	for (size_t i = 0; i < n; i++) {
		struct client client;

		client_start(&client, cases[i].uid, hold_one, NULL);
		client_await(&client, 'o');
		require_eq(cdsp_count("domains"), 1);
		require_eq(cdsp_count("domains-of-users"), cases[i].user);
		require_eq(cdsp_count("domains-unsigned"), cases[i].is_unsigned);
		client_go(&client, 'e');
		client_end(&client);
		require_soon(cdsp_count("domains") == 0);
	}
	end(broker);
}
END_TEST

static void must_not_open(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	require_eq(try_to_open(broker, OTHER), DSPBROKER_LOAD_FAILED);
	require_text(dspbroker_message(), data);
	dspbroker_free(broker);
}

/* That the driver has of Linux 6.2 on. */
START_TEST(the_audio_domain_is_refused_by_a_kernel_that_knows_none)
{
	struct dspbroker *broker = begin(POLICY_OF_KINDS);

	client_run(61004, must_not_open,
		"the DSP made no protection domain: Inappropriate ioctl for device");
	end(broker);
}
END_TEST

START_TEST(what_kinds_a_driver_has_not_are_refused)
{
	struct dspbroker *broker = begin(POLICY_OF_KINDS);

	for (uid_t uid = 61003; uid <= 61005; uid++)
		client_run(uid, must_not_open, "has users' protection domains only");
	end(broker);
}
END_TEST

START_TEST(signed_and_unsigned_domains_begin_from_files_of_their_own)
{
	struct dspbroker *broker = begin(POLICY_OF_KINDS);
	struct client client;

	cdsp_run("mv " CDSP_SHELLS "/fastrpc_shell_3 " CDSP_SHELLS "/away");
	client_run(61001, must_not_open, "there is no fastrpc_shell_3 in " CDSP_SHELLS);
	client_start(&client, 61002, hold_one, NULL);
	client_await(&client, 'o');
	client_go(&client, 'e');
	client_end(&client);
	cdsp_run("cd " CDSP_SHELLS " && mv away fastrpc_shell_3 && "
		 "mv fastrpc_shell_unsigned_3 away");
	client_run(61002, must_not_open, "there is no fastrpc_shell_unsigned_3 in " CDSP_SHELLS);
	client_start(&client, 61001, hold_one, NULL);
	client_await(&client, 'o');
	client_go(&client, 'e');
	client_end(&client);
	cdsp_run("cd " CDSP_SHELLS " && mv away fastrpc_shell_unsigned_3");
	end(broker);
}
END_TEST

START_TEST(a_shell_that_is_none_is_refused_by_the_dsp)
{
	struct dspbroker *broker = begin(POLICY_OF_KINDS);

	cdsp_run("cd " CDSP_SHELLS " && cp fastrpc_shell_3 away && "
		 "echo something else >fastrpc_shell_3");
	client_run(61001, must_not_open,
		"the DSP made no protection domain: the DSP said -2147482618 (0x80000406)");
	cdsp_run("cd " CDSP_SHELLS " && mv away fastrpc_shell_3");
	end(broker);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("fastrpc_sharing");
	TCase *tcase = tcase_create("sharing");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, set_up_dsp, NULL);
	tcase_add_test(tcase, a_dsp_that_comes_later_is_used_and_tells_what_it_is);
	tcase_add_test(tcase, thirty_sessions_of_ten_users_share_five_domains);
	tcase_add_test(tcase, a_crash_ends_the_sessions_of_its_domain_and_no_others);
	tcase_add_test(tcase, sessions_of_a_domain_do_not_hold_each_other_up);
	tcase_add_test(tcase, who_finds_no_domain_free_gets_the_next_one_in_the_order_of_coming);
	tcase_add_test(tcase, who_leaves_while_it_waits_is_not_waited_for);
	tcase_add_test(tcase, who_waited_in_vain_is_told_how_many_are_in_use_and_by_whom);
	tcase_add_test(tcase, without_patience_it_gets_a_domain_that_is_free_and_waits_for_none);
	tcase_add_test(tcase, sessions_that_share_a_domain_wait_for_it_together);
	tcase_add_test(tcase, dspctl_shows_who_holds_which_domain_how_many_there_are_and_who_waits);
	tcase_add_test(tcase, an_idle_domain_that_is_shared_waits_for_the_next_session);
	tcase_add_test(tcase, an_idle_domain_is_given_back_after_a_while);
	tcase_add_test(tcase, a_private_domain_is_given_back_at_once);
	tcase_add_test(tcase, idle_domains_make_room_for_who_needs_it);
	tcase_add_test(tcase, a_domain_is_of_the_kind_that_its_rule_names);
	if (cdsp_driver.has_kinds)
		tcase_add_test(tcase, the_audio_domain_is_refused_by_a_kernel_that_knows_none);
	else
		tcase_add_test(tcase, what_kinds_a_driver_has_not_are_refused);
	tcase_add_test(tcase, signed_and_unsigned_domains_begin_from_files_of_their_own);
	tcase_add_test(tcase, a_shell_that_is_none_is_refused_by_the_dsp);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
