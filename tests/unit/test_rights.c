// SPDX-License-Identifier: MIT
/*
 * Another policy takes over while sessions are being opened, and calls and messages wait: what it
 * does not allow does not happen any more, whatever was asked for before. The broker's own code,
 * with a transport of the test's that is full, slow or gone when the test wants it to be.
 */
#include <check.h>
#include <string.h>

#include "daemon/limits.h"
#include "protocol/clock.h"
#include "tests/suite.h"
#include "tests/unit/app_rig.h"

#define MTU         64
#define LANES       4
#define SUBMITS     16
#define PATIENCE_US (20ull * 1000 * 1000)

#define NOTHING "{\"version\": 1, \"rules\": []}"
/* Everything, with further keys. */
#define ALLOW(more)                                                                       \
	"{\"version\": 1, \"rules\": [{\"name\": \"everything\", \"action\": \"allow\", " \
	"\"match\": {\"users\": [\"*\"]}, \"channels\": [\"*/*\"]" more "}]}"

/* The transport. */

static struct {
	struct device device;
	struct lane lanes[LANES]; /* one a session */
	unsigned int n_lanes;
	struct session *session; /* the one opened last */
	bool slow;               /* what opens has to wait */
	bool full;
	bool busy;            /* it takes its time to open a module, and can be kept from nothing */
	struct call *opening; /* then */
	unsigned int n_opens;
	unsigned int n_submits;
	uint32_t methods[SUBMITS]; /* of those */
} end;

static int end_open(struct session *session)
{
	struct lane *lane = &end.lanes[end.n_lanes++];

	ck_assert_uint_le(end.n_lanes, LANES);
	lane_init(lane, session->device, SUBMITS);
	lane->attached = 1;
	lane->ready = !end.slow;
	session->lane = lane;
	end.session = session;
	if (session->kind == DSP_KIND_MESSAGE)
		session_opened(session, MTU);
	return 0;
}

static void end_close(struct session *session)
{
	session_end_calls(session, DSP_CANCELLED);
	session_closed(session);
}

static int end_submit(struct call *call)
{
	if (call->op == DSP_OP_MODULE_CLOSE)
		return 1;
	if (call->op == DSP_OP_MODULE_OPEN) {
		end.n_opens++;
		end.opening = end.busy ? call : NULL;
		return !end.busy;
	}
	if (end.full)
		return -EAGAIN;
	end.methods[end.n_submits++ % SUBMITS] = call->method;
	return 1;
}

static bool end_cancel(struct call *call)
{
	(void)call;
	return false;
}

static const struct transport_ops end_ops = {
	.name = "test",
	.remove = daemon_remove_device,
	.open = end_open,
	.close = end_close,
	.submit = end_submit,
	.cancel = end_cancel,
};

static void arrives(const char *text)
{
	char *place = mailbox_place(end.session);

	memset(place, 0, MTU);
	strcpy(place, text);
	mailbox_arrived(end.session, strlen(text) + 1);
}

/* Whatever waited for that goes on. */
static void end_has_room(void)
{
	end.full = end.slow = false;
	if (!list_empty(&broker.sessions)) {
		end.session->lane->ready = true;
		scheduler_run(end.session->lane);
	}
	daemon_settle();
}

/* Everything. */

static void set_up_with(const char *policy)
{
	memset(&end, 0, sizeof(end));
	daemon_start_with_file(policy);
	daemon_add_device(&end.device, &end_ops, "test");
	daemon_add_channel(&end.device, "calls", DSP_KIND_CALL);
	daemon_add_channel(&end.device, "messages", DSP_KIND_MESSAGE);
	app_start(0);
}

static void set_up(void)
{
	set_up_with(ALLOW(""));
}

/* Whatever the test did, nothing may be left. */
static void tear_down(void)
{
	app_stop();
	daemon_stop();
}

static uint64_t call_method(uint32_t session, uint32_t method)
{
	return app_push((struct dsp_entry){
		.op = DSP_OP_INVOKE, .session = session, .method = method});
}

static uint64_t receive(uint32_t session)
{
	return app_push((struct dsp_entry){
		.op = DSP_OP_RECEIVE,
		.session = session,
		.n_out = 1,
		.args = {{DSP_ARGUMENT_AREA, 0, MTU}},
	});
}

static uint64_t send_text(uint32_t session)
{
	return app_push((struct dsp_entry){
		.op = DSP_OP_SEND,
		.session = session,
		.n_in = 1,
		.args = {{DSP_ARGUMENT_AREA, 0, MTU}},
	});
}

static void is_revoked(uint32_t session)
{
	union app_packet event = app_next(NULL);

	ck_assert_uint_eq(event.header.opcode, DSP_EVENT_SESSION);
	ck_assert_uint_eq(event.session.session, session);
	ck_assert_uint_eq(event.session.status, DSP_DENIED);
}

/* Opening. */

static uint32_t begin_to_open(const char *channel)
{
	struct dsp_open request = {};

	wire_string_set(request.channel, sizeof(request.channel), channel);
	return app_ask(DSP_OPEN, &request, sizeof(request));
}

START_TEST(what_is_being_opened_when_its_right_goes_is_never_opened)
{
	union app_packet reply;
	uint32_t serial;

	end.slow = true;
	serial = begin_to_open("test/calls");
	ck_assert(!list_empty(&end.session->waiting));
	ck_assert_uint_eq(app_reload(NOTHING), 1);
	end_has_room();
	ck_assert_uint_eq(end.n_opens, 0);
	reply = app_next(NULL);
	ck_assert_uint_eq(reply.header.opcode, DSP_ERROR);
	ck_assert_uint_eq(reply.header.serial, serial);
	ck_assert_uint_eq(reply.error.status, DSP_DENIED);
	ck_assert(list_empty(&broker.sessions));
}
END_TEST

START_TEST(what_is_being_opened_has_what_the_newer_policy_grants_when_it_is_open)
{
	union app_packet reply;
	uint32_t serial;

	end.slow = true;
	serial = begin_to_open("test/calls");
	ck_assert_uint_eq(app_reload(ALLOW(", \"methods\": [5]")), 0);
	end_has_room();
	reply = app_next(NULL);
	ck_assert_uint_eq(reply.header.opcode, DSP_OPEN | DSP_REPLY);
	ck_assert_uint_eq(reply.header.serial, serial);
	ck_assert_uint_eq(end.n_opens, 1);
	app_completes(call_method(reply.open.session, 7), DSP_DENIED);
	app_completes(call_method(reply.open.session, 5), DSP_OK);
}
END_TEST

START_TEST(what_the_dsp_is_opening_already_when_its_right_goes_is_taken_away_when_it_is_open)
{
	union app_packet reply;
	uint32_t serial;

	end.busy = true;
	serial = begin_to_open("test/calls");
	app_reload(NOTHING);
	ck_assert_uint_eq(end.n_opens, 1);
	call_done(end.opening, &(struct dsp_completion){.status = DSP_OK});
	daemon_settle();
	reply = app_next(NULL);
	ck_assert_uint_eq(reply.header.opcode, DSP_OPEN | DSP_REPLY);
	ck_assert_uint_eq(reply.header.serial, serial);
	is_revoked(reply.open.session);
	app_completes(call_method(reply.open.session, 5), DSP_DENIED);
	ck_assert_uint_eq(end.n_submits, 0);
}
END_TEST

/* Calls. */

START_TEST(calls_that_wait_end_when_their_method_is_forbidden_and_the_others_go_on)
{
	uint32_t session = app_open("test/calls").session;
	uint64_t denied[2], allowed;

	end.full = true;
	denied[0] = call_method(session, 7);
	allowed = call_method(session, 5);
	denied[1] = call_method(session, 8);
	app_nothing_completes();
	ck_assert_uint_eq(app_reload(ALLOW(", \"methods\": [5]")), 0);
	app_completes(denied[0], DSP_DENIED);
	app_completes(denied[1], DSP_DENIED);
	app_nothing_completes();
	end_has_room();
	app_completes(allowed, DSP_OK);
	ck_assert_uint_eq(end.n_submits, 1);
	ck_assert_uint_eq(end.methods[0], 5);
}
END_TEST

/* It pays for what it begins, and not twice for what waits meanwhile. */
START_TEST(calls_that_a_reload_ends_are_in_flight_no_more)
{
	static const char two[] =
		ALLOW(", \"methods\": [5], \"limits\": {\"calls_total\": 2, \"calls\": 2}");
	uint32_t session = app_open("test/calls").session;
	uint64_t waiting[3];

	end.full = true;
	for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
		waiting[i] = call_method(session, 7);
	app_reload(two);
	for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
		app_completes(waiting[i], DSP_DENIED);
	waiting[0] = call_method(session, 5);
	waiting[1] = call_method(session, 5);
	app_completes(call_method(session, 5), DSP_OVER_LIMIT);
	end_has_room();
	app_completes(waiting[0], DSP_OK);
	app_completes(waiting[1], DSP_OK);
}
END_TEST

/* Call until the rate lets one through. */
static void calls_soon(uint32_t session)
{
	uint64_t since = clock_us();
	struct dsp_completion completion;

	do {
		ck_assert_uint_lt(clock_us() - since, PATIENCE_US);
		call_method(session, 7);
		ck_assert_int_eq(ring_reap(&app.ring, &completion), 1);
	} while (completion.status == DSP_OVER_LIMIT);
	ck_assert_uint_eq(completion.status, DSP_OK);
}

START_TEST(who_spent_a_burst_of_before_waits_no_longer_than_the_new_rate_asks_for)
{
	uint32_t session;

	app_reload(ALLOW(", \"limits\": {\"calls_per_s\": 1, \"burst\": 1000}"));
	session = app_open("test/calls").session;
	for (int i = 0; i < 1000; i++)
		app_completes(call_method(session, 7), DSP_OK);
	app_completes(call_method(session, 7), DSP_OVER_LIMIT);
	app_reload(ALLOW(", \"limits\": {\"calls_per_s\": 1000, \"burst\": 10}"));
	calls_soon(session);
}
END_TEST

/* Messages. */

START_TEST(who_waits_for_a_message_when_that_right_goes_gets_none)
{
	uint32_t session = app_open("test/messages").session;
	uint64_t waiting = receive(session), another = receive(session);

	ck_assert_uint_eq(app_reload(ALLOW(", \"direction\": \"send\"")), 0);
	arrives("secret");
	daemon_settle();
	app_completes(waiting, DSP_DENIED);
	app_completes(another, DSP_DENIED);
	ck_assert_str_ne(app.area, "secret");
	app_completes(send_text(session), DSP_OK);
}
END_TEST

START_TEST(messages_that_nobody_has_asked_for_go_with_the_right_to_them)
{
	uint32_t session = app_open("test/messages").session;

	arrives("secret");
	app_reload(ALLOW(", \"direction\": \"send\""));
	app_completes(receive(session), DSP_DENIED);
	ck_assert_uint_eq(end.session->mailbox.n_queued, 0);
	/* It comes back, they do not. */
	app_reload(ALLOW(""));
	receive(session);
	app_nothing_completes();
	arrives("news");
	daemon_settle();
	app_completes(app.user_data, DSP_OK);
	ck_assert_str_eq(app.area, "news");
}
END_TEST

START_TEST(messages_that_wait_to_be_sent_end_when_that_right_goes)
{
	uint32_t session = app_open("test/messages").session;
	uint64_t first, second;

	end.full = true;
	first = send_text(session);
	second = send_text(session);
	app_nothing_completes();
	ck_assert_uint_eq(app_reload(ALLOW(", \"direction\": \"receive\"")), 0);
	end_has_room();
	app_completes(first, DSP_DENIED);
	app_completes(second, DSP_DENIED);
	ck_assert_uint_eq(end.n_submits, 0);
	app_completes(send_text(session), DSP_DENIED);
	arrives("news");
	app_completes(receive(session), DSP_OK);
}
END_TEST

START_TEST(nothing_is_left_to_be_read_in_a_session_that_policy_took_away)
{
	uint32_t session = app_open("test/messages").session;

	arrives("secret");
	ck_assert_uint_eq(app_reload(NOTHING), 1);
	is_revoked(session);
	app_completes(receive(session), DSP_DENIED);
	ck_assert_str_ne(app.area, "secret");
	app_close(session);
}
END_TEST

START_TEST(what_had_arrived_is_still_there_when_the_dsp_has_gone)
{
	uint32_t session = app_open("test/messages").session;

	arrives("news");
	session_lost(end.session, DSP_DEVICE_DOWN, "it crashed");
	app_completes(receive(session), DSP_OK);
	ck_assert_str_eq(app.area, "news");
	app_completes(receive(session), DSP_DEVICE_DOWN);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rights");
	TCase *tcase = tcase_create("another policy");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, what_is_being_opened_when_its_right_goes_is_never_opened);
	tcase_add_test(tcase,
		what_the_dsp_is_opening_already_when_its_right_goes_is_taken_away_when_it_is_open);
	tcase_add_test(tcase,
		what_is_being_opened_has_what_the_newer_policy_grants_when_it_is_open);
	tcase_add_test(tcase,
		calls_that_wait_end_when_their_method_is_forbidden_and_the_others_go_on);
	tcase_add_test(tcase, calls_that_a_reload_ends_are_in_flight_no_more);
	tcase_add_test(tcase,
		who_spent_a_burst_of_before_waits_no_longer_than_the_new_rate_asks_for);
	tcase_add_test(tcase, who_waits_for_a_message_when_that_right_goes_gets_none);
	tcase_add_test(tcase, messages_that_nobody_has_asked_for_go_with_the_right_to_them);
	tcase_add_test(tcase, messages_that_wait_to_be_sent_end_when_that_right_goes);
	tcase_add_test(tcase, nothing_is_left_to_be_read_in_a_session_that_policy_took_away);
	tcase_add_test(tcase, what_had_arrived_is_still_there_when_the_dsp_has_gone);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
