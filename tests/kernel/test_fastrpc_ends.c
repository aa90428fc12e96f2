// SPDX-License-Identifier: MIT
/*
 * How uses of the kernel's driver of a DSP end: clients and brokers that
 * are killed, at work or while they open, and brokers that are stopped. All that they had is given
 * back.
 */
#include "tests/kernel/messages.h"
#include "tests/kernel/remains.h"

#define MODULE   "cdsp/example"
#define HANGING  100 /* calls that the DSP does not answer: all of them */
#define SHORT_US 200000
#define BUFFER   65536
#define ROUNDS   5

#define POLICY_TEXT                                                       \
	CDSP_POLICY("", "{\"name\": \"alone\", \"device_memory\": true}", \
		ALLOW("alone", EVERYBODY, "\"*/*\"",                      \
			", \"domain\": \"alone\", \"limits\": {\"timeout_ms\": 100000}"))

static struct harness harness;

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
	const unsigned int kinds = cdsp_driver.has_memory ? 3 : 2;
	struct dspbroker_arg args[3];
	const struct dspbroker_call call = {
		.method = EXAMPLE_TOUCH, .n_in = 1, .n_out = kinds - 1, .args = args};

	(void)data;
	for (unsigned int i = 0; i < kinds; i++)
		fill_arg(&args[i], buffer_of(session, broker, (enum dspbroker_memory)i));
	require_eq(dspbroker_invoke(session, &call, NULL), 0);
	step_reached('h');
	step_await('-');
	require_eq(dspbroker_submit(session, &call), 0);
	be_killed();
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

	start_broker(&harness, POLICY_TEXT);
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
	require_soon(device_record(broker, "cdsp").waiting == 1);
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

	start_broker(&harness, POLICY_TEXT);
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
		start_broker(&harness, POLICY_TEXT);
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
		start_broker(&harness, POLICY_TEXT);
		for (size_t k = 0; k < ARRAY_SIZE(clients); k++)
			client_start(&clients[k], ALICE, finish_with_broker, NULL);
		for (size_t k = 0; k < ARRAY_SIZE(clients); k++)
			client_await(&clients[k], 'k');
		harness_stop(&harness);
		for (size_t k = 0; k < ARRAY_SIZE(clients); k++)
			client_end(&clients[k]);
		await_nothing_left();
	}
	require_eq(cdsp_driver.lost_calls(), 0);
	cdsp_restart();
	await_nothing_left();
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("ends on a DSP");

	add_fastrpc_case(suite, "clients", killed_clients_leave_nothing_behind);
	add_fastrpc_case(suite, "opening", clients_killed_while_they_open_leave_nothing_behind);
	add_fastrpc_case(suite, "stop", a_broker_that_stops_costs_the_kernel_no_call);
	/* The last, as the kernel interrupts the calls of a broker that is killed. */
	add_fastrpc_case(suite, "brokers", killed_brokers_leave_nothing_behind);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
