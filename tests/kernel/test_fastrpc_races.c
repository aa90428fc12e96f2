// SPDX-License-Identifier: MIT
/*
 * What comes at a bad moment: each of these once ended the broker, or made somebody wait in vain.
 * And what a module may return.
 */
#include <signal.h>

#include "tests/integration/raw.h"
#include "tests/kernel/messages.h"
#include "tests/kernel/remains.h"

#define MODULE      "cdsp/example"
#define BUFFER      65536
#define DEBT_MAX    32  /* daemon/transport/fastrpc/debts.h */
#define ERESTARTSYS 512 /* the kernel's own */

#define LONG_CALLS ", \"limits\": {\"timeout_ms\": 100000}"
/* A domain that all share, and that is kept for the next when nobody is in it. */
#define KEPT                                          \
	CDSP_POLICY(", \"domain_idle_ms\": 5000", "", \
		ALLOW("all", EVERYBODY, "\"*/*\"", ", \"share_domain\": \"all\"" LONG_CALLS))

static struct harness harness;

static void call_nothing(void *data)
{
	struct dspbroker *broker = connect_to(&harness);

	(void)data;
	require_eq(invoke_plain(open_channel(broker, MODULE), EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

static void call_until_killed(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);

	(void)data;
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	cdsp_fault("hang", 1);
	require_eq(submit_plain(session, EXAMPLE_NOP, 0), 0);
	require_soon(are_pending(2));
	step_reached('c');
	step_await('-');
}

START_TEST(a_domain_in_which_a_client_was_killed_is_not_kept_for_the_next)
{
	struct client client;

	start_broker(&harness, KEPT);
	client_start(&client, ALICE, call_until_killed, NULL);
	client_await(&client, 'c');
	client_kill(&client);
	client_run(BOB, call_nothing, NULL);
	harness_stop(&harness);
	await_nothing_left();
}
END_TEST

/* All in one: what is taken back is so before the next has its turn. */
static void take_first_back(void *data)
{
	struct dsp_completion completion;
	struct raw raw;
	uint32_t session;

	(void)data;
	raw_start(&raw, &harness);
	session = raw_open(&raw, MODULE);
	raw_push(&raw, &(struct dsp_slot[]){raw_invoke(session, EXAMPLE_NOP, 1)}[0], 1);
	raw_push(&raw, &(struct dsp_slot[]){raw_invoke(session, EXAMPLE_NOP, 2)}[0], 1);
	raw_push(&raw,
		&(struct dsp_slot){.user_data = 3,
			.op = DSP_OP_CANCEL,
			.slots = 1,
			.session = session,
			.target = 1},
		1);
	raw_submit(&raw);
	raw_ring(&raw);
	for (int i = 0; i < 3; i++) {
		completion = raw_reap(&raw);
		if (completion.user_data == 2)
			require_eq(completion.status, DSP_OK);
		else if (completion.user_data == 1)
			require(completion.status == DSP_CANCELLED || completion.status == DSP_OK);
	}
}

START_TEST(a_call_that_is_taken_back_lets_the_next_one_run)
{
	start_broker(&harness, CDSP_ALLOW_ALL);
	for (int i = 0; i < 20; i++)
		client_run(ALICE, take_first_back, NULL);
	harness_stop(&harness);
}
END_TEST

static void close_while_it_opens_again(void *data)
{
	struct dsp_close request = {.header.opcode = DSP_CLOSE};
	union raw_packet packet;
	struct raw raw;

	(void)data;
	raw_start(&raw, &harness);
	request.session = raw_open(&raw, MODULE);
	step_reached('o');
	step_await('u');
	request.header = raw_header(&raw, DSP_CLOSE);
	raw_push(&raw, &(struct dsp_slot[]){raw_invoke(request.session, EXAMPLE_NOP, 1)}[0], 1);
	raw_submit(&raw);
	raw_send(&raw, &request, sizeof(request), NULL, 0);
	do
		require(raw_receive(&raw, &packet, NULL));
	while (packet.header.opcode & DSP_EVENT);
	require_eq(packet.header.opcode, DSP_CLOSE | DSP_REPLY);
}

START_TEST(a_session_can_be_closed_while_its_module_opens_again)
{
	struct dspbroker *broker;
	struct client client;

	start_broker(&harness, CDSP_ALLOW_ALL);
	broker = connect_to(&harness);
	client_start(&client, ALICE, close_while_it_opens_again, NULL);
	client_await(&client, 'o');
	cdsp_restart();
	await_device(broker, "cdsp", 1);
	client_go(&client, 'u');
	client_end(&client);
	dspbroker_free(broker);
	harness_stop(&harness);
	await_nothing_left();
}
END_TEST

static void lend_until_killed(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);
	const struct dspbroker_arg arg = {.buffer = alloc_buffer(broker, BUFFER), .length = BUFFER};
	const struct dspbroker_call call = {.method = EXAMPLE_TOUCH, .n_out = 1, .args = &arg};

	(void)data;
	require_eq(dspbroker_invoke(session, &call, NULL), 0);
	step_reached('l');
	step_await('-');
}

START_TEST(the_broker_ends_although_a_dsp_never_said_that_it_let_go)
{
	struct client client;

	start_broker(&harness, CDSP_ALLOW_ALL);
	client_start(&client, ALICE, lend_until_killed, NULL);
	client_await(&client, 'l');
	remote("hang");
	client_kill(&client);
	require_soon(harness_logged(&harness, "did not confirm"));
	remote("resume");
	harness_stop(&harness);
	cdsp_restart();
	await_nothing_left();
}
END_TEST

/* After a restart, which the broker has to notice first. */
static void call_nothing_again(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;

	(void)data;
	require_soon(dspbroker_session_open(broker, &session, MODULE) == 0);
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

/* Numbers that mean something to the kernel: with them it forgets that the call has ended. */
static const int forgotten[] = {-ETIMEDOUT, -ERESTARTSYS};
static int number;

static void return_that_until_refused(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session;
	int calls = 0;

	(void)data;
	while (dspbroker_session_open(broker, &session, MODULE) == 0) {
		require(++calls <= DEBT_MAX);
		cdsp_fault("error", (uint32_t)number);
		require(invoke_plain(session, EXAMPLE_NOP) > 0);
		cdsp_fault("error", 0);
		dspbroker_session_close(session);
	}
	require_text(dspbroker_message(), "until the DSP has restarted");
	dspbroker_free(broker);
}

START_TEST(who_uses_up_the_kernels_calls_is_stopped_and_nobody_else)
{
	number = forgotten[_i];
	start_broker(&harness, CDSP_ALLOW_ALL);
	client_run(ALICE, return_that_until_refused, NULL);
	client_run(BOB, call_nothing, NULL);
	cdsp_restart();
	require_soon(cdsp_count("domains") == 0);
	client_run(ALICE, call_nothing_again, NULL);
	harness_stop(&harness);
	cdsp_restart();
}
END_TEST

static void return_that_again_and_again(void *data)
{
	struct dspbroker *broker = connect_to(&harness);
	struct dspbroker_session *session = open_channel(broker, MODULE);

	(void)data;
	for (int i = 0; i < 2 * DEBT_MAX; i++) {
		const struct dspbroker_arg arg = {.data = &number, .length = sizeof(number)};
		const struct dspbroker_call call = {
			.method = EXAMPLE_FAIL, .n_in = 1, .args = &arg};
		int32_t result = 0;

		require_eq(dspbroker_invoke(session, &call, &result), DSPBROKER_DSP_ERROR);
		require_eq(result, number);
	}
	require_eq(invoke_plain(session, EXAMPLE_NOP), 0);
	dspbroker_free(broker);
}

START_TEST(what_looks_like_an_interruption_is_the_modules_word)
{
	number = forgotten[_i];
	start_broker(&harness, CDSP_ALLOW_ALL);
	client_run(ALICE, return_that_again_and_again, NULL);
	harness_stop(&harness);
	await_nothing_left();
	require_eq(cdsp_driver.lost_calls(), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("bad moments on a DSP");
	TCase *tcase = tcase_create("races");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_unchecked_fixture(tcase, have_cdsp, NULL);
	tcase_add_test(tcase, a_domain_in_which_a_client_was_killed_is_not_kept_for_the_next);
	tcase_add_test(tcase, a_call_that_is_taken_back_lets_the_next_one_run);
	tcase_add_test(tcase, a_session_can_be_closed_while_its_module_opens_again);
	tcase_add_test(tcase, the_broker_ends_although_a_dsp_never_said_that_it_let_go);
	if (cdsp_driver.forgets)
		tcase_add_loop_test(tcase, who_uses_up_the_kernels_calls_is_stopped_and_nobody_else,
			0, ARRAY_SIZE(forgotten));
	else
		tcase_add_loop_test(tcase, what_looks_like_an_interruption_is_the_modules_word, 0,
			ARRAY_SIZE(forgotten));
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
