// SPDX-License-Identifier: MIT
/*
 * How things end on the kernel's FastRPC driver (drivers/misc/fastrpc.c): clients and brokers that
 * are killed, calls that the DSP does not answer, and calls that are cancelled. What they had is
 * given back, and of a kernel session and the memory that a DSP can write to, not too early.
 */
#include <signal.h>
#include <string.h>

#include "tests/kernel/messages.h"
#include "tests/kernel/remains.h"

#define MODULE   "cdsp/example"
#define HANGING  100 /* calls that the DSP does not answer: all of them */
#define SHORT_US 200000
#define BUFFER   65536
#define ROUNDS   5

#define TEXT_(number) #number
#define TEXT(number)  TEXT_(number)
#define USER(uid)     "\"users\": [" TEXT(uid) "]"

/* Alice has domains of her own; Bob's sessions share one, and so do Carol's, with the other answer
 * to a call that hangs. Carol may have one buffer. */
#define DOMAINS                                                 \
	"{\"name\": \"alone\", \"device_memory\": true}, "      \
	"{\"name\": \"teardown\", \"on_hang\": \"teardown\"}, " \
	"{\"name\": \"quarantine\", \"on_hang\": \"quarantine\"}"
#define RULES                                                                                  \
	ALLOW("alone", USER(ALICE), "\"*/*\"",                                                 \
		", \"domain\": \"alone\", \"limits\": {\"timeout_ms\": 100000}")               \
	", " ALLOW("torn-down", USER(BOB), "\"*/*\"",                                          \
		", \"domain\": \"teardown\", \"share_domain\": \"bobs\", "                     \
		"\"limits\": {\"timeout_ms\": 100000}") ", " ALLOW("quarantined", USER(CAROL), \
		"\"*/*\"",                                                                     \
		", \"domain\": \"quarantine\", \"share_domain\": \"carols\", "                 \
		"\"limits\": {\"timeout_ms\": 100000, \"bytes\": " TEXT(BUFFER) "}")
#define POLICY_TEXT CDSP_POLICY(", \"domain_idle_ms\": 0", DOMAINS, RULES)

static struct harness harness;

/* Once, however many tests there are. */
static void prepare(void)
{
	static bool is_prepared;

	if (is_prepared)
		return;
	is_prepared = true;
	cdsp_files();
	cdsp_up();
}

/* A broker that knows its DSP. */
static void start_broker(void)
{
	struct dspbroker *broker;

	harness_start(&harness, POLICY_TEXT);
	broker = connect_to(&harness);
	require_soon(device_record(broker, "cdsp").n_attributes > 0);
	dspbroker_free(broker);
}

/* Clients. Each has a session when it says so ('h'), and once it may go on it comes to where it is
 * to be killed ('k'). */

static struct dspbroker_session *have_session(struct dspbroker *broker)
{
	struct dspbroker_session *session = open_channel(broker, MODULE);

	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	step_reached('h');
	step_await('-');
	return session;
}

static noreturn void be_killed(void)
{
	step_reached('k');
	step_await('-');
	harness_fail(__FILE__, __LINE__, "it lives");
}

static void be_idle(void *data)
{
	(void)data;
	have_session(connect_to(&harness));
	be_killed();
}

/* One call runs, and hangs; others wait. */
static void be_calling(void *data)
{
	struct dspbroker_session *session = have_session(connect_to(&harness));

	(void)data;
	for (uintptr_t i = 0; i < 3; i++)
		require_eq(submit_plain(session, EXAMPLE_NOP, i), 0);
	be_killed();
}

static struct dspbroker_buffer *buffer_of(struct dspbroker_session *session,
	struct dspbroker *broker, enum dspbroker_memory memory)
{
	struct dspbroker_buffer *buffer;

	require_eq(dspbroker_buffer_alloc_from(broker, &buffer, BUFFER, memory,
			   memory == DSPBROKER_MEMORY_DEVICE ? session : NULL),
		0);
	return buffer;
}

static void fill_arg(struct dspbroker_arg *arg, struct dspbroker_buffer *buffer)
{
	*arg = (struct dspbroker_arg){.buffer = buffer, .length = BUFFER};
}

/* The DSP has mappings of all kinds of memory, and a call that hangs may write to them. */
static void use_buffers(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);
	struct dspbroker_arg args[3];
	const struct dspbroker_call call = {
		.method = EXAMPLE_TOUCH, .n_in = 1, .n_out = 2, .args = args};

	(void)data;
	for (unsigned int i = 0; i < ARRAY_SIZE(args); i++)
		fill_arg(&args[i], buffer_of(session, broker, (enum dspbroker_memory)i));
	require_eq(dspbroker_invoke(session, &call, NULL), 0);
	step_reached('h');
	step_await('-');
	require_eq(dspbroker_submit(session, &call), 0);
	be_killed();
}

static bool are_pending(uint64_t n)
{
	return cdsp_count("pending") >= n;
}

static void come_to_end(struct client *clients, size_t n, void (*run)(void *data))
{
	for (size_t i = 0; i < n; i++)
		client_start(&clients[i], ALICE, run, NULL);
	for (size_t i = 0; i < n; i++)
		client_await(&clients[i], 'h');
	cdsp_fault("hang", HANGING);
	for (size_t i = 0; i < n; i++)
		client_go(&clients[i], '-');
	for (size_t i = 0; i < n; i++)
		client_await(&clients[i], 'k');
	require_eq(cdsp_count("domains"), n);
}

/* Kill as many clients as the kernel has sessions, each in the midst of so many calls. Moreover
 * each domain waits for what the DSP may ask. */
static void kill_clients(void (*run)(void *data), unsigned int calls)
{
	struct client clients[CDSP_SESSIONS];

	come_to_end(clients, ARRAY_SIZE(clients), run);
	require_soon(are_pending(CDSP_SESSIONS * (1 + calls)));
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		client_kill(&clients[i]);
	await_nothing_left();
	cdsp_fault("hang", 0);
}

START_TEST(killed_clients_leave_nothing_behind)
{
	struct footprint before = {.fds = 0};

	start_broker();
	/* The first time it starts the threads that it keeps. */
	for (int i = 0; i <= ROUNDS; i++) {
		kill_clients(be_idle, 0);
		kill_clients(be_calling, 1);
		kill_clients(use_buffers, 1);
		if (i == 0)
			before = footprint_of(&harness);
		await_footprint(&harness, before);
	}
	harness_stop(&harness);
}
END_TEST

static void open_and_stay(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;

	(void)data;
	step_reached('o');
	if (dspbroker_session_open(broker, &session, MODULE) == 0)
		step_reached('k');
	step_await('-');
}

/* The DSP takes nothing, so that a domain cannot start. */
static void kill_while_starting(struct dspbroker *broker)
{
	struct client client;
	size_t fds;

	remote("hang");
	client_start(&client, ALICE, open_and_stay, NULL);
	client_await(&client, 'o');
	require_soon(device_record(broker, "cdsp").domains == 1);
	fds = idle_fds(&harness, broker);
	client_kill(&client);
	require_soon(harness_fds(&harness) < fds);
	remote("resume");
	await_nothing_left();
}

/* It waits for others, who have all that there is. */
static void kill_while_waiting(struct dspbroker *broker)
{
	struct client others[CDSP_SESSIONS], client;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		client_start(&others[i], ALICE, open_and_stay, NULL);
		client_await(&others[i], 'o');
		client_await(&others[i], 'k');
	}
	client_start(&client, ALICE, open_and_stay, NULL);
	client_await(&client, 'o');
	require_soon(device_record(broker, "cdsp").waiting == 1);
	client_kill(&client);
	require_soon(device_record(broker, "cdsp").waiting == 0);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		client_kill(&others[i]);
	await_nothing_left();
}

/* At whatever point it has come to. */
static void kill_somewhere(void)
{
	struct client client;

	client_start(&client, ALICE, open_and_stay, NULL);
	client_await(&client, 'o');
	client_kill(&client);
}

START_TEST(clients_killed_while_they_open_leave_nothing_behind)
{
	struct footprint before;
	struct dspbroker *broker;

	start_broker();
	broker = connect_to(&harness);
	kill_while_waiting(broker);
	before = footprint_of(&harness);
	for (int i = 0; i < ROUNDS; i++) {
		kill_while_starting(broker);
		kill_while_waiting(broker);
		for (int k = 0; k < CDSP_SESSIONS; k++)
			kill_somewhere();
		await_nothing_left();
		await_footprint(&harness, before);
	}
	dspbroker_free(broker);
	harness_stop(&harness);
}
END_TEST

/* The broker. */

static void outlive_broker(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = have_session(broker);

	(void)data;
	require_eq(submit_plain(session, EXAMPLE_NOP, 0), 0);
	step_reached('k');
	require_eq(reap_one(broker).status, -ECONNRESET);
	dspbroker_free(broker);
}

START_TEST(killed_brokers_leave_nothing_behind)
{
	struct client clients[CDSP_SESSIONS];

	for (int i = 0; i < ROUNDS; i++) {
		start_broker();
		come_to_end(clients, ARRAY_SIZE(clients), outlive_broker);
		require_soon(are_pending(2 * CDSP_SESSIONS));
		harness_kill(&harness);
		for (size_t k = 0; k < ARRAY_SIZE(clients); k++)
			client_end(&clients[k]);
		await_nothing_left();
		cdsp_fault("hang", 0);
	}
}
END_TEST

/* Calls that end in time have their result. */
static void finish_with_broker(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);

	(void)data;
	require_eq(submit_sleep(session, SHORT_US, 0), 0);
	step_reached('k');
	require_eq(await_event(broker, DSPBROKER_EVENT_SHUTDOWN).type, DSPBROKER_EVENT_SHUTDOWN);
	require_eq(reap_one(broker).status, 0);
	dspbroker_free(broker);
}

/* The kernel loses track of a call whose caller goes away before the DSP has answered, for as long
 * as the DSP runs: of each domain one waits for what that may ask. A broker that leaves ends them
 * first. */
START_TEST(a_broker_that_stops_costs_the_kernel_no_call)
{
	struct client clients[CDSP_SESSIONS];

	cdsp_restart();
	for (int i = 0; i < ROUNDS; i++) {
		start_broker();
		for (size_t k = 0; k < ARRAY_SIZE(clients); k++)
			client_start(&clients[k], ALICE, finish_with_broker, NULL);
		for (size_t k = 0; k < ARRAY_SIZE(clients); k++)
			client_await(&clients[k], 'k');
		harness_stop(&harness);
		for (size_t k = 0; k < ARRAY_SIZE(clients); k++)
			client_end(&clients[k]);
		await_nothing_left();
	}
	require_eq(free_contexts(), CDSP_CONTEXTS);
	cdsp_restart();
	await_nothing_left();
}
END_TEST

/* Calls that hang. */

static int submit_for(struct dspbroker_session *session, uint32_t timeout_us,
	struct dspbroker_buffer *buffer)
{
	struct dspbroker_arg arg;

	fill_arg(&arg, buffer);
	return dspbroker_submit(session, &(struct dspbroker_call){.method = EXAMPLE_TOUCH,
						 .n_out = buffer ? 1 : 0,
						 .args = &arg,
						 .timeout_us = timeout_us});
}

/* One completion, and no other. */
static void expect_time_out(struct dspbroker *broker)
{
	struct dspbroker_completion more;

	require_eq(reap_one(broker).status, DSPBROKER_TIMED_OUT);
	require_eq(dspbroker_reap(broker, &more, 1, -1), 0);
}

static void hang_alone(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);
	uint64_t calls;

	(void)data;
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	calls = cdsp_count("calls");
	cdsp_fault("hang", 1);
	require_eq(submit_for(session, SHORT_US, NULL), 0);
	expect_time_out(broker);
	require_eq(await_event(broker, DSPBROKER_EVENT_SESSION).status, DSPBROKER_DOMAIN_CRASHED);
	/* That one, and the one that ends the domain. */
	require(cdsp_count("calls") <= calls + 2);
	dspbroker_session_close(session);
	session = open_channel(broker, MODULE);
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

START_TEST(a_call_that_is_not_answered_times_out_once)
{
	start_broker();
	client_run(ALICE, hang_alone, NULL);
	await_nothing_left();
	harness_stop(&harness);
	require_eq(cdsp_count("pending"), 0);
}
END_TEST

/* In the same domain as one whose call hangs. */
static void be_torn_down(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);
	struct dspbroker_event event;

	(void)data;
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	cdsp_fault("hang", 1);
	require_eq(submit_plain(session, EXAMPLE_NOP, 0), 0);
	require_soon(are_pending(2));
	step_reached('r');
	require_eq(reap_one(broker).status, DSPBROKER_DOMAIN_CRASHED);
	event = await_event(broker, DSPBROKER_EVENT_SESSION);
	require(event.session == session);
	require_eq(event.status, DSPBROKER_DOMAIN_CRASHED);
	dspbroker_session_close(session);
	require_eq(invoke_plain(open_channel(broker, MODULE), EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

static void hang_in_company(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);

	(void)data;
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	cdsp_fault("hang", 1);
	require_eq(submit_for(session, SHORT_US, NULL), 0);
	expect_time_out(broker);
	dspbroker_free(broker);
}

START_TEST(teardown_ends_all_who_share_the_domain)
{
	struct client client;

	start_broker();
	client_start(&client, BOB, be_torn_down, NULL);
	client_await(&client, 'r');
	client_run(BOB, hang_in_company, NULL);
	client_end(&client);
	await_nothing_left();
	harness_stop(&harness);
}
END_TEST

static uint32_t domain_of(struct dspbroker *broker, uint64_t pid)
{
	struct dspbroker_session_record record = {.id = 0};

	while (dspbroker_next_session(broker, record.id, &record) == 1)
		if (record.pid == pid)
			return record.domain;
	harness_fail(__FILE__, __LINE__, "there is no session of %llu", (unsigned long long)pid);
}

/* Goes on in a domain where another's call hangs. */
static void go_on(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);
	struct dspbroker_event event;

	(void)data;
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	step_reached('r');
	step_await('h');
	for (int i = 0; i < 100; i++)
		require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	while (dspbroker_next_event(broker, &event) == 1)
		require(event.type != DSPBROKER_EVENT_SESSION);
	step_reached('g');
	step_await('e');
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

/* Its buffer is all that its user may have, and the DSP may write to it as long as the domain
 * lives. */
static void hang_with_buffer(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);
	struct dspbroker_buffer *buffer = alloc_buffer(broker, BUFFER);

	(void)data;
	require_eq(submit_for(session, SHORT_US * 100, buffer), 0);
	require_eq(reap_one(broker).status, 0);
	cdsp_fault("hang", 1);
	require_eq(submit_for(session, SHORT_US, buffer), 0);
	expect_time_out(broker);
	dspbroker_buffer_free(buffer);
	require_eq(dspbroker_buffer_alloc(broker, &buffer, BUFFER), DSPBROKER_OVER_LIMIT);
	step_reached('h');
	step_await('e');
	dspbroker_session_close(session);
	require_eq(dspbroker_buffer_alloc(broker, &buffer, BUFFER), DSPBROKER_OVER_LIMIT);
	step_reached('c');
	step_await('e');
	/* The domain ends. */
	require_soon(dspbroker_buffer_alloc(broker, &buffer, BUFFER) == 0);
	dspbroker_free(broker);
}

static void come_later(void *data)
{
	uint32_t *hung = data;
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);

	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	require(domain_of(broker, (uint64_t)getpid()) != *hung);
	dspbroker_free(broker);
}

START_TEST(quarantine_lets_others_go_on_and_nobody_in)
{
	struct client other, client;
	struct dspbroker *broker;
	uint32_t domain;
	uint64_t maps;

	start_broker();
	broker = connect_to(&harness);
	client_start(&other, CAROL, go_on, NULL);
	client_await(&other, 'r');
	client_start(&client, CAROL, hang_with_buffer, NULL);
	client_await(&client, 'h');
	maps = cdsp_count("maps");
	require(maps > 0);
	require_eq(device_record(broker, "cdsp").domains_hung, 1);
	domain = domain_of(broker, (uint64_t)other.pid);
	require_eq(domain_of(broker, (uint64_t)client.pid), domain);
	client_go(&other, 'h');
	client_await(&other, 'g');
	client_run(CAROL, come_later, &domain);
	/* The one whose call hangs leaves; the domain stays. */
	client_go(&client, 'e');
	client_await(&client, 'c');
	require_eq(domain_of(broker, (uint64_t)other.pid), domain);
	require_eq(cdsp_count("maps"), maps);
	client_go(&other, 'e');
	client_end(&other);
	client_go(&client, 'e');
	client_end(&client);
	dspbroker_free(broker);
	await_nothing_left();
	harness_stop(&harness);
}
END_TEST

/* Calls that are cancelled. */

static void cancel_calls(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);
	struct dspbroker_completion completion;

	(void)data;
	require_eq(submit_sleep(session, SHORT_US, 1), 0);
	require_eq(submit_plain(session, EXAMPLE_NOP, 2), 0);
	require_soon(are_pending(2));
	require_eq(dspbroker_cancel(session, (void *)(uintptr_t)1), DSPBROKER_BUSY);
	require_eq(dspbroker_cancel(session, (void *)(uintptr_t)2), 0);
	completion = reap_one(broker);
	require_eq((uintptr_t)completion.user, 2);
	require_eq(completion.status, DSPBROKER_CANCELLED);
	completion = reap_one(broker);
	require_eq((uintptr_t)completion.user, 1);
	require_eq(completion.status, 0);
	require_eq(dspbroker_cancel(session, (void *)(uintptr_t)1), DSPBROKER_NOT_FOUND);
	dspbroker_free(broker);
}

START_TEST(a_call_is_cancelled_before_it_runs_and_not_after)
{
	start_broker();
	client_run(ALICE, cancel_calls, NULL);
	await_nothing_left();
	harness_stop(&harness);
}
END_TEST

static void add(Suite *suite, const char *name, const TTest *test)
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, prepare, NULL);
	tcase_add_test(tcase, test);
	suite_add_tcase(suite, tcase);
}

static Suite *suite(void)
{
	Suite *suite = suite_create("ends on drivers/misc/fastrpc");

	add(suite, "clients", killed_clients_leave_nothing_behind);
	add(suite, "opening", clients_killed_while_they_open_leave_nothing_behind);
	add(suite, "brokers", killed_brokers_leave_nothing_behind);
	add(suite, "stop", a_broker_that_stops_costs_the_kernel_no_call);
	add(suite, "hang", a_call_that_is_not_answered_times_out_once);
	add(suite, "teardown", teardown_ends_all_who_share_the_domain);
	add(suite, "quarantine", quarantine_lets_others_go_on_and_nobody_in);
	add(suite, "cancel", a_call_is_cancelled_before_it_runs_and_not_after);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
