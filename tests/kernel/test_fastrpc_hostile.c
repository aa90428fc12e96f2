// SPDX-License-Identifier: MIT
/*
 * A DSP that means harm, and clients that do: it costs the domain where it happens, and nobody
 * else.
 */
#include <errno.h>
#include <string.h>

#include "tests/integration/raw.h"
#include "tests/kernel/messages.h"
#include "tests/kernel/remains.h"

#define MODULE   "cdsp/example"
#define SIZE     64
#define BUFFER   65536
#define FLOOD    5000
#define GARBAGE  600
#define REFUSAL  0x80000402u /* of the DSP */
#define REFUSALS 6
#define KEPT     "did not confirm the end of protection domain"

#define TEXT_(number) #number
#define TEXT(number)  TEXT_(number)

/* Everybody has domains, and a buffer, of his own. */
#define POLICY_TEXT                                      \
	CDSP_POLICY(", \"domain_idle_ms\": 0", "",       \
		ALLOW("everybody", EVERYBODY, "\"*/*\"", \
			", \"limits\": {\"bytes\": " TEXT(BUFFER) "}"))

static struct harness harness;

static void begin(void)
{
	start_broker(&harness, POLICY_TEXT);
}

static void end(void)
{
	await_nothing_left();
	harness_stop(&harness);
}

/* Copied there and back. */
static int copy(struct dspbroker_session *session)
{
	uint8_t in[SIZE], out[SIZE] = {0};
	const struct dspbroker_arg args[] = {
		{.data = in, .length = sizeof(in)},
		{.data = out, .length = sizeof(out)},
	};
	int r;

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i + 1);
	r = dspbroker_invoke(session,
		&(struct dspbroker_call){
			.method = EXAMPLE_COPY, .n_in = 1, .n_out = 1, .args = args},
		NULL);
	require(r != 0 || memcmp(in, out, sizeof(in)) == 0);
	return r;
}

/* The same within a buffer. */
static int copy_shared(struct dspbroker_session *session, struct dspbroker_buffer *buffer)
{
	const struct dspbroker_arg args[] = {
		{.buffer = buffer, .length = BUFFER / 2},
		{.buffer = buffer, .offset = BUFFER / 2, .length = BUFFER / 2},
	};

	return dspbroker_invoke(session,
		&(struct dspbroker_call){
			.method = EXAMPLE_COPY, .n_in = 1, .n_out = 1, .args = args},
		NULL);
}

/* Somebody else, whose calls must go on all the time. */

static void go_on(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);
	struct dspbroker_event event;

	(void)data;
	for (;;) {
		step_reached('g');
		step_await('g');
		for (int i = 0; i < 10; i++)
			require_eq(copy(session), 0);
		while (dspbroker_next_event(broker, &event) == 1)
			require(event.type != DSPBROKER_EVENT_SESSION);
	}
}

static void start_other(struct client *other)
{
	client_start(other, BOB, go_on, NULL);
	client_await(other, 'g');
}

static void require_that_it_goes_on(struct client *other)
{
	client_go(other, 'g');
	client_await(other, 'g');
}

/* Writing. */

static void have_late_writes(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);
	struct dspbroker_buffer *buffer = alloc_buffer(broker, BUFFER);
	uint64_t faults = cdsp_count("faults");

	(void)data;
	if (cdsp_driver.copies) {
		/* It is the kernel's, and gone with the call. */
		cdsp_fault("late-write", 1);
		require_eq(copy(session), 0);
		require_soon(cdsp_count("faults") > faults);
	}
	/* What is shared is the DSP's to write until it is given up. */
	require_eq(copy_shared(session, buffer), 0);
	cdsp_fault("late-write", 1);
	require_eq(copy_shared(session, buffer), 0);
	faults = cdsp_count("faults");
	dspbroker_buffer_free(buffer);
	require_soon(cdsp_count("faults") > faults);
	require_eq(copy(session), 0);
	dspbroker_free(broker);
}

static void let_it_write_late(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);
	uint32_t out;
	const struct dspbroker_arg arg = {.data = &out, .length = sizeof(out)};

	(void)data;
	cdsp_fault("late-write", 1);
	require_eq(dspbroker_invoke(session,
			   &(struct dspbroker_call){
				   .method = EXAMPLE_COUNT, .n_out = 1, .args = &arg},
			   NULL),
		0);
	dspbroker_free(broker);
}

/* What the broker copies is the domain's, until that ends. */
static void have_later_domains(struct client *other)
{
	uint64_t faults = cdsp_count("faults");

	client_run(ALICE, let_it_write_late, NULL);
	require_that_it_goes_on(other);
	require_soon(cdsp_count("faults") > faults);
}

START_TEST(what_it_writes_late_meets_the_iommu)
{
	struct client other;

	begin();
	start_other(&other);
	client_run(ALICE, have_late_writes, NULL);
	if (!cdsp_driver.copies)
		have_later_domains(&other);
	require(kernel_said("page fault from EP"));
	require_that_it_goes_on(&other);
	client_kill(&other);
	end();
}
END_TEST

#define expect(raw, slot, what) require_eq(raw_call(raw, slot, 1).status, what)

static struct dsp_slot copy_slot(uint32_t session, struct dsp_arg in, struct dsp_arg out)
{
	struct dsp_slot slot = raw_invoke(session, EXAMPLE_COPY, 1);

	slot.n_in = slot.n_out = 1;
	slot.args[0] = in;
	slot.args[1] = out;
	return slot;
}

/* At the end of the area for such arguments, where nothing else may be overwritten. */
static void have_long_output(void *data)
{
	union raw_packet event;
	struct dsp_slot slot;
	uint32_t session;
	struct raw raw;

	(void)data;
	raw_start(&raw, &harness);
	session = raw_open(&raw, MODULE);
	slot = copy_slot(session, (struct dsp_arg){DSP_ARGUMENT_AREA, 0, SIZE},
		(struct dsp_arg){DSP_ARGUMENT_AREA, raw.hello.argument_bytes - SIZE, SIZE});
	expect(&raw, &slot, DSP_OK);
	cdsp_fault("long-output", 2 * SIZE);
	if (!cdsp_driver.copies) {
		/* Nobody asks the DSP. */
		expect(&raw, &slot, DSP_OK);
		cdsp_fault("long-output", 0);
		raw_close(&raw);
		return;
	}
	expect(&raw, &slot, DSP_DOMAIN_CRASHED);
	cdsp_fault("long-output", 0);
	expect(&raw, &slot, DSP_DOMAIN_CRASHED);
	require(raw_receive(&raw, &event, NULL));
	require_eq(event.header.opcode, DSP_EVENT_SESSION);
	require_eq(event.session.session, session);
	require_eq(event.session.status, DSP_DOMAIN_CRASHED);
	slot.session = raw_open(&raw, MODULE);
	expect(&raw, &slot, DSP_OK);
	raw_close(&raw);
}

START_TEST(an_output_that_is_too_long_ends_its_domain_or_does_nothing)
{
	struct client other;

	begin();
	start_other(&other);
	for (int i = 0; i < 3; i++) {
		client_run(ALICE, have_long_output, NULL);
		require_that_it_goes_on(&other);
	}
	client_kill(&other);
	end();
}
END_TEST

/* Asking. All domains take part in that. */

static void ask_for_much(struct client *other, const char *fault, uint32_t n)
{
	uint64_t before = cdsp_count("host-calls");

	cdsp_fault(fault, n);
	for (int i = 0; i < 5; i++)
		require_that_it_goes_on(other);
	require_soon(cdsp_count("host-calls") >= before + n);
	require_that_it_goes_on(other);
}

START_TEST(whatever_it_asks_of_its_host_calls_go_on)
{
	struct footprint before;
	struct client other;
	uint64_t errors;

	begin();
	start_other(&other);
	before = footprint_of(&harness);
	errors = cdsp_count("host-errors");
	ask_for_much(&other, "host-garbage", GARBAGE);
	require(cdsp_count("host-errors") >= errors + GARBAGE);
	ask_for_much(&other, "host-flood", FLOOD);
	cdsp_fault("host-garbage", 0);
	cdsp_fault("host-flood", 0);
	await_footprint(&harness, before);
	client_kill(&other);
	end();
}
END_TEST

/* Domains. */

static int try_open(struct dspbroker *broker)
{
	struct dspbroker_session *session;

	return dspbroker_session_open(broker, &session, MODULE);
}

static void be_refused(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	(void)data;
	for (int i = 0; i < REFUSALS; i++) {
		require_eq(try_open(broker), DSPBROKER_LOAD_FAILED);
		require_text(dspbroker_message(), "0x80000402");
	}
	step_reached('r');
	require_eq(try_open(broker), 0);
	dspbroker_free(broker);
}

/* Each time it refuses it is left alone longer. */
START_TEST(a_dsp_that_makes_no_domain_is_not_asked_at_once_again)
{
	struct dspbroker *broker;
	struct client other, client;

	begin();
	broker = connect_to(&harness);
	start_other(&other);
	cdsp_fault("refuse-create", REFUSAL);
	client_start(&client, ALICE, be_refused, NULL);
	client_await(&client, 'r');
	cdsp_fault("refuse-create", 0);
	require_soon(device_record(broker, "cdsp").waiting == 1);
	require_that_it_goes_on(&other);
	client_end(&client);
	client_kill(&other);
	dspbroker_free(broker);
	end();
}
END_TEST

static void leave_unreleased(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);
	struct dspbroker_buffer *buffer = alloc_buffer(broker, BUFFER);

	(void)data;
	require_eq(copy_shared(session, buffer), 0);
	cdsp_fault("no-release", 1);
	step_reached('c');
	dspbroker_session_close(session);
	dspbroker_buffer_free(buffer);
	step_reached('n');
	step_await('n');
	require_eq(dspbroker_buffer_alloc(broker, &buffer, BUFFER), DSPBROKER_OVER_LIMIT);
	step_reached('r');
	step_await('r');
	require_soon(dspbroker_buffer_alloc(broker, &buffer, BUFFER) == 0);
	dspbroker_free(broker);
}

static bool goes_on_until_logged(struct client *other, const char *text)
{
	require_that_it_goes_on(other);
	return harness_logged(&harness, text);
}

/* The kernel waits for the DSP for ten seconds. */
START_TEST(a_domain_whose_end_is_not_confirmed_keeps_its_memory)
{
	struct client other, client;

	begin();
	start_other(&other);
	client_start(&client, ALICE, leave_unreleased, NULL);
	client_await(&client, 'c');
	require_that_it_goes_on(&other);
	require_soon(goes_on_until_logged(&other, KEPT));
	client_await(&client, 'n');
	client_go(&client, 'n');
	client_await(&client, 'r');
	client_kill(&other);
	await_nothing_left();
	cdsp_restart();
	client_go(&client, 'r');
	client_end(&client);
	end();
}
END_TEST

/* Results that could be mistaken for the kernel's. */

static const int32_t look_alikes[] = {
	-EPERM, -EINTR, -EIO, -EAGAIN, -ENOMEM, -EFAULT, -ENODEV, -EINVAL, -ENOSPC, -EPIPE};

static int invoke_fail(struct dspbroker_session *session, int32_t error, int32_t *result)
{
	const struct dspbroker_arg arg = {.data = &error, .length = sizeof(error)};

	return dspbroker_invoke(session,
		&(struct dspbroker_call){.method = EXAMPLE_FAIL, .n_in = 1, .args = &arg}, result);
}

static uint32_t count_calls(struct dspbroker_session *session)
{
	uint32_t calls;
	const struct dspbroker_arg arg = {.data = &calls, .length = sizeof(calls)};

	require_eq(dspbroker_invoke(session,
			   &(struct dspbroker_call){
				   .method = EXAMPLE_COUNT, .n_out = 1, .args = &arg},
			   NULL),
		0);
	return calls;
}

/* The very first call of a module, when nothing is known of how long one takes; or a later one.
 * What the client is told may be what the kernel could have meant, or what the module said, but not
 * that all was well. */
static void fail_once(void *data)
{
	int32_t error = *(int32_t *)data, result = 0;
	struct dspbroker *broker = connect_to(&harness);

	for (int first = 0; first < 2; first++) {
		struct dspbroker_session *session = open_channel(broker, MODULE);
		uint64_t calls;
		int r;

		for (int i = 0; i < first * 10; i++)
			require_eq(copy(session), 0);
		calls = cdsp_count("calls");
		r = invoke_fail(session, error, &result);
		require(r > 0);
		if (r == DSPBROKER_DSP_ERROR)
			require_eq(result, error);
		if (r == DSPBROKER_DSP_ERROR || r == DSPBROKER_BUSY)
			require_eq(cdsp_count("calls"), calls + 1);
		if (r == DSPBROKER_DSP_ERROR || r == DSPBROKER_BUSY)
			require_eq(count_calls(session), (uint32_t)first * 10 + 2);
		dspbroker_session_close(session);
	}
	dspbroker_free(broker);
}

START_TEST(a_call_that_returns_an_error_of_the_kernels_runs_once)
{
	struct client other;

	begin();
	start_other(&other);
	for (size_t i = 0; i < ARRAY_SIZE(look_alikes); i++) {
		client_run(ALICE, fail_once, (void *)&look_alikes[i]);
		require_that_it_goes_on(&other);
	}
	client_kill(&other);
	end();
}
END_TEST

/* Clients. */

/* Ranges that are not in what they speak of. */
static void reach_beyond(struct raw *raw, uint32_t session)
{
	const uint32_t area = raw->hello.argument_bytes;
	const struct dsp_arg good = {DSP_ARGUMENT_AREA, 0, SIZE};
	struct dsp_slot slot;
	uint32_t buffer;
	int fd;

	buffer = raw_alloc(raw, BUFFER, &fd);
	const struct dsp_arg bad[] = {
		{DSP_ARGUMENT_AREA, area, 1},
		{DSP_ARGUMENT_AREA, 0, area + 1},
		{DSP_ARGUMENT_AREA, UINT32_MAX, SIZE},
		{DSP_ARGUMENT_AREA, SIZE, UINT32_MAX},
		{buffer, BUFFER, 1},
		{buffer, 0, BUFFER + 1},
		{buffer, UINT32_MAX - 1, 2},
		{buffer, 1, UINT32_MAX},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		slot = copy_slot(session, bad[i], good);
		expect(raw, &slot, DSP_INVALID);
		slot = copy_slot(session, good, bad[i]);
		expect(raw, &slot, DSP_INVALID);
	}
	slot = copy_slot(session, good, (struct dsp_arg){buffer + 1, 0, SIZE});
	expect(raw, &slot, DSP_INVALID);
	slot = copy_slot(session, good, (struct dsp_arg){buffer, 0, SIZE});
	expect(raw, &slot, DSP_OK);
	require_eq(raw_free(raw, buffer), DSP_OK);
	fd_close(fd);
}

static void be_hostile(void *data)
{
	struct dsp_slot slot;
	uint32_t session;
	uint64_t calls;
	struct raw raw;

	(void)data;
	raw_start(&raw, &harness);
	session = raw_open(&raw, MODULE);
	reach_beyond(&raw, session);
	calls = cdsp_count("calls");
	/* To open and to close is the broker's own. */
	for (uint32_t method = 0; method < 2; method++) {
		slot = raw_invoke(session, method, 1);
		expect(&raw, &slot, DSP_INVALID);
	}
	/* Numbers that others have, or the DSP: those of the other client's session, and handles.
	 */
	for (uint32_t number = 0; number < 64; number++) {
		slot = raw_invoke(number, EXAMPLE_NOP, 1);
		if (number != session)
			expect(&raw, &slot, DSP_NOT_FOUND);
	}
	require_eq(cdsp_count("calls"), calls);
	slot = raw_invoke(session, EXAMPLE_NOP, 1);
	expect(&raw, &slot, DSP_OK);
	raw_close(&raw);
}

START_TEST(clients_reach_only_what_is_theirs)
{
	struct client other;

	begin();
	start_other(&other);
	client_run(ALICE, be_hostile, NULL);
	require_that_it_goes_on(&other);
	client_kill(&other);
	end();
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("harm by a DSP");

	add_fastrpc_case(suite, "late", what_it_writes_late_meets_the_iommu);
	add_fastrpc_case(suite, "long", an_output_that_is_too_long_ends_its_domain_or_does_nothing);
	add_fastrpc_case(suite, "host", whatever_it_asks_of_its_host_calls_go_on);
	add_fastrpc_case(suite, "refuse", a_dsp_that_makes_no_domain_is_not_asked_at_once_again);
	add_fastrpc_case(suite, "release", a_domain_whose_end_is_not_confirmed_keeps_its_memory);
	add_fastrpc_case(suite, "errno", a_call_that_returns_an_error_of_the_kernels_runs_once);
	add_fastrpc_case(suite, "clients", clients_reach_only_what_is_theirs);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
