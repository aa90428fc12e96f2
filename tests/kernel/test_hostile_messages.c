// SPDX-License-Identifier: MIT
/*
 * A client that attacks with messages: through the broker's rpmsg transport on the kernel's drivers
 * (virtio_rpmsg_bus, rpmsg_ctrl, rpmsg_char). Beside it an innocent client is served by another
 * device all the time, and the broker must give back all that the attack has cost it:
 * hostile_run() sees to that.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/limits.h"
#include "tests/integration/hostile.h"
#include "tests/kernel/messages.h"

/* Hostile clients find services at fixed addresses, so that nothing has to be waited for. */
#define POLICY_ALL                                                                   \
	POLICY_WITH_DEVICES("{\"name\": \"rpmsg0\", \"services\": {\"echo\": 7000, " \
			    "\"sink\": 7001, \"source\": 7002}}",                    \
		ALLOW("everybody", EVERYBODY, "\"*/*\"", ""))
#define ECHO    7000
#define SINK    7001
#define SOURCE  7002
#define REQUEST 200000 /* where in the argument area a source's request lies */

static void attack(void (*run)(void *harness))
{
	size_t nodes = count_nodes();

	remote("serve %d echo", ECHO);
	remote("serve %d sink", SINK);
	remote("serve %d source", SOURCE);
	hostile_run(POLICY_ALL, run);
	require_soon(count_nodes() <= nodes);
}

static struct dsp_slot send_slot(uint32_t session, uint32_t offset, uint32_t length,
	uint64_t user_data)
{
	return (struct dsp_slot){
		.op = DSP_OP_SEND,
		.slots = 1,
		.n_in = 1,
		.session = session,
		.user_data = user_data,
		.args = {{DSP_ARGUMENT_AREA, offset, length}},
	};
}

static struct dsp_slot receive_slot(uint32_t session, uint32_t offset, uint64_t user_data)
{
	return (struct dsp_slot){
		.op = DSP_OP_RECEIVE,
		.slots = 1,
		.n_out = 1,
		.session = session,
		.user_data = user_data,
		.args = {{DSP_ARGUMENT_AREA, offset, RPMSG_MTU}},
	};
}

/* Close a session by hand; events may come before the reply. */
static void close_session(struct raw *raw, uint32_t session)
{
	struct dsp_close request = {.header = raw_header(raw, DSP_CLOSE), .session = session};
	union raw_packet reply;

	raw_send(raw, &request, sizeof(request), NULL, 0);
	do {
		require(raw_receive(raw, &reply, NULL));
	} while (reply.header.opcode & DSP_EVENT);
	require_eq(reply.header.opcode, DSP_CLOSE | DSP_REPLY);
}

/* More than the session may. */

static void receives_without_end(void *harness)
{
	struct dsp_completion completion;
	uint32_t session;
	struct dsp_slot slot;
	struct raw raw;

	raw_start(&raw, harness);
	session = raw_open(&raw, "rpmsg0/source");
	for (uint32_t i = 0; i < LIMIT_SESSION_CALLS + 10; i++) {
		slot = receive_slot(session, i * RPMSG_MTU, i);
		raw_push(&raw, &slot, 1);
		raw_submit(&raw);
	}
	for (uint32_t i = LIMIT_SESSION_CALLS; i < LIMIT_SESSION_CALLS + 10; i++) {
		completion = raw_reap(&raw);
		require_eq(completion.user_data, i);
		require_eq(completion.status, DSP_OVER_LIMIT);
		require_eq(completion.detail, LIMIT_SESSION_CALLS);
	}

	/* Each of the others has its message, in order, where it wanted it. */
	memcpy(raw.arguments + REQUEST, (uint32_t[]){LIMIT_SESSION_CALLS / 2, 40}, 8);
	slot = send_slot(session, REQUEST, 8, 1000);
	require_eq(raw_call(&raw, &slot, 1).status, DSP_OK);
	for (uint32_t i = 0; i < LIMIT_SESSION_CALLS / 2; i++) {
		completion = raw_reap(&raw);
		require_eq(completion.user_data, i);
		require_eq(completion.status, DSP_OK);
		require_eq(completion.result, 40);
		require(memcmp(raw.arguments + i * RPMSG_MTU, &i, sizeof(i)) == 0);
	}
	close_session(&raw, session);
	for (uint32_t i = LIMIT_SESSION_CALLS / 2; i < LIMIT_SESSION_CALLS; i++) {
		completion = raw_reap(&raw);
		require_eq(completion.user_data, i);
		require_eq(completion.status, DSP_CANCELLED);
	}
	raw_close(&raw);
}

START_TEST(receives_that_wait_are_limited_and_end_in_order)
{
	attack(receives_without_end);
}
END_TEST

/* Entries of any kind, framed right. */

#define ENTRIES 6000

static struct dsp_arg random_arg(void)
{
	static const uint32_t lengths[] = {
		1, 8, RPMSG_MTU, RPMSG_MTU, RPMSG_MTU, RPMSG_MTU + 1, 0, UINT32_MAX};

	return (struct dsp_arg){
		.buffer = random_below(20) ? DSP_ARGUMENT_AREA : (uint32_t)random_next(),
		.offset = random_below(20) ? random_below(1 << 17) : (uint32_t)random_next(),
		.length = lengths[random_below(ARRAY_SIZE(lengths))],
	};
}

static struct dsp_slot random_slot(const uint32_t *sessions, uint32_t n, uint64_t user_data)
{
	static const uint8_t ops[] = {DSP_OP_SEND, DSP_OP_SEND, DSP_OP_SEND, DSP_OP_RECEIVE,
		DSP_OP_RECEIVE, DSP_OP_CANCEL, DSP_OP_INVOKE, DSP_OP_UNMAP, 8, 255};
	struct dsp_slot slot = {
		.op = ops[random_below(ARRAY_SIZE(ops))],
		.slots = 1,
		.session = random_below(20) ? sessions[random_below(n)] : (uint32_t)random_next(),
		.user_data = user_data,
		.timeout_us = random_below(10000), /* the moment is what is random */
	};

	if (slot.op == DSP_OP_CANCEL) {
		slot.target = user_data ? random_next() % user_data : 0;
		slot.timeout_us = 0;
		return slot;
	}
	slot.n_in = slot.op == DSP_OP_SEND || !random_below(20);
	slot.n_out = slot.op == DSP_OP_RECEIVE || !random_below(20);
	slot.method = random_below(5) ? 0 : random_below(4);
	slot.args[0] = random_arg();
	slot.args[1] = random_arg();
	return slot;
}

/* Each entry has one completion. */
static bool reap_some(struct raw *raw, uint8_t *completions)
{
	struct dsp_completion completion;

	if (!raw_try_reap(raw, &completion))
		return false;
	require(completion.user_data < ENTRIES);
	require_eq(completions[completion.user_data], 0);
	completions[completion.user_data] = 1;
	require(completion.status < DSP_STATUS_COUNT && completion.status != DSP_DEVICE_DOWN);
	return true;
}

static size_t count(const uint8_t *completions)
{
	size_t n = 0;

	for (size_t i = 0; i < ENTRIES; i++)
		n += completions[i];
	return n;
}

static void submits_anything(void *harness)
{
	static uint8_t completions[ENTRIES];
	uint32_t sessions[4];
	struct raw raw;

	raw_start(&raw, harness);
	sessions[0] = raw_open(&raw, "rpmsg0/echo");
	sessions[1] = raw_open(&raw, "rpmsg0/sink");
	sessions[2] = raw_open(&raw, "rpmsg0/source");
	sessions[3] = raw_open(&raw, EXAMPLE);
	for (uint64_t i = 0; i < ENTRIES; i++) {
		struct dsp_slot slot = random_slot(sessions, ARRAY_SIZE(sessions), i);

		raw_push(&raw, &slot, 1);
		raw_submit(&raw);
		while (reap_some(&raw, completions))
			continue;
	}
	for (size_t i = 0; i < ARRAY_SIZE(sessions); i++)
		close_session(&raw, sessions[i]);
	require_soon((reap_some(&raw, completions), count(completions) == ENTRIES));
	require(!raw_try_reap(&raw, &(struct dsp_completion){0}));
	raw_close(&raw);
}

START_TEST(entries_of_any_kind_have_one_completion_each)
{
	attack(submits_anything);
}
END_TEST

/* A client that changes what it has submitted while the broker looks at it. */

#define SCRIBBLED 4000

struct scribbler {
	struct raw raw;
	atomic_bool over;
};

/* Both what is sent and how long it is said to be. */
static void *scribbles(void *data)
{
	struct scribbler *scribbler = data;
	struct raw *raw = &scribbler->raw;

	while (!scribbler->over) {
		struct dsp_slot *slot = raw_slot(raw, random_below(raw->hello.sq_slots));

		random_fill(raw->arguments + random_below(8192), 64);
		((volatile struct dsp_slot *)slot)->args[0].length =
			random_below(2) ? 16 : random_below(2000);
		((volatile struct dsp_slot *)slot)->args[0].offset =
			random_below(2) ? 0 : (uint32_t)random_next();
	}
	return NULL;
}

/* As the broker says that they were sent, they arrive, and none is longer than it may be. */
static void sends_while_scribbling(void *harness)
{
	static struct scribbler scribbler;
	struct remote_count before = remote_count(SINK), after;
	uint32_t session, sent = 0, refused = 0;
	pthread_t thread;

	raw_start(&scribbler.raw, harness);
	session = raw_open(&scribbler.raw, "rpmsg0/sink");
	require_eq(pthread_create(&thread, NULL, scribbles, &scribbler), 0);
	for (uint32_t i = 0; i < SCRIBBLED || !sent || !refused; i++) {
		struct dsp_slot slot = send_slot(session, i * 8 % 8192, 100, i);
		struct dsp_completion completion = raw_call(&scribbler.raw, &slot, 1);

		require_eq(completion.user_data, i);
		require(completion.status == DSP_OK || completion.status == DSP_INVALID);
		*(completion.status == DSP_OK ? &sent : &refused) += 1;
	}
	scribbler.over = true;
	require_eq(pthread_join(thread, NULL), 0);
	require_soon(remote_count(SINK).messages == before.messages + sent);
	after = remote_count(SINK);
	require(after.bytes - before.bytes <= (unsigned long long)sent * RPMSG_MTU);
	raw_close(&scribbler.raw);
}

START_TEST(what_a_client_changes_under_the_brokers_eyes_hurts_nobody_else)
{
	attack(sends_while_scribbling);
}
END_TEST

/* One who takes nothing out of its ring. */

#define UNREAD 20000

static void reads_nothing(void *harness)
{
	struct dspbroker *observer = connect_to(harness);
	struct dsp_completion completion;
	uint32_t session;
	struct dsp_slot slot;
	struct raw raw;

	raw_start(&raw, harness);
	session = raw_open(&raw, "rpmsg0/source");
	for (uint32_t i = 0; i < LIMIT_SESSION_CALLS; i++) {
		slot = receive_slot(session, i * RPMSG_MTU, i);
		raw_push(&raw, &slot, 1);
	}
	memcpy(raw.arguments + REQUEST, (uint32_t[]){UNREAD, 100}, 8);
	slot = send_slot(session, REQUEST, 8, LIMIT_SESSION_CALLS);
	raw_push(&raw, &slot, 1);
	raw_submit(&raw);
	require_soon(session_record(observer, "rpmsg0/source").received == UNREAD);
	require_eq(session_record(observer, "rpmsg0/source").queued, LIMIT_SESSION_MESSAGES);
	require_eq(session_record(observer, "rpmsg0/source").dropped,
		UNREAD - LIMIT_SESSION_MESSAGES - LIMIT_SESSION_CALLS);
	for (uint32_t i = 0; i < LIMIT_SESSION_CALLS + 1; i++) {
		completion = raw_reap(&raw);
		require_eq(completion.status, DSP_OK);
	}
	require(!raw_try_reap(&raw, &completion));
	raw_close(&raw);
	dspbroker_free(observer);
}

START_TEST(who_reads_nothing_is_dropped_for_and_costs_no_more_than_its_queue)
{
	attack(reads_nothing);
}
END_TEST

static void opens_and_leaves(void *harness)
{
	storm_of_opens(harness, "rpmsg0/echo", 24);
}

START_TEST(a_storm_of_opens_and_closes_leaves_no_endpoint_behind)
{
	attack(opens_and_leaves);
}
END_TEST

/* Processes that are killed. */

#define KILLED_AT_ONCE 3
#define KILL_ROUNDS    25

/* All that one can be in the middle of. */
static void do_everything(const struct harness *harness)
{
	static const char *const channels[] = {"rpmsg0/echo", "rpmsg0/sink", "rpmsg0/source"};
	uint32_t sessions[ARRAY_SIZE(channels)];
	struct dsp_slot slots[2];
	struct raw raw;

	raw_start(&raw, harness);
	for (size_t i = 0; i < ARRAY_SIZE(channels); i++)
		sessions[i] = raw_open(&raw, channels[i]);
	memcpy(raw.arguments, (uint32_t[]){100, 100}, 8);
	for (uint32_t i = 0; i < 30; i++) {
		slots[0] = receive_slot(sessions[i % 3], 8192, 2 * i);
		slots[0].timeout_us = 1 + random_below(2000);
		slots[1] = send_slot(sessions[i % 3], 0, 8, 2 * i + 1);
		raw_push(&raw, slots, 2);
		raw_submit(&raw);
		for (int j = 0; j < 2; j++)
			raw_reap(&raw);
	}
	close_session(&raw, sessions[0]);
	raw_close(&raw);
}

static noreturn void be_victim(const struct harness *harness)
{
	require_eq(prctl(PR_SET_PDEATHSIG, SIGKILL), 0);
	for (;;)
		do_everything(harness);
}

static void kill_at_random(void *harness)
{
	pid_t victims[KILLED_AT_ONCE];
	int status;

	for (int i = 0; i < KILL_ROUNDS; i++) {
		for (int j = 0; j < KILLED_AT_ONCE; j++) {
			victims[j] = fork();
			require(victims[j] >= 0);
			if (victims[j] == 0)
				be_victim(harness);
		}
		for (int j = 0; j < KILLED_AT_ONCE; j++) {
			usleep(random_below(20000)); /* the moment is what is random */
			require_eq(kill(victims[j], SIGKILL), 0);
			require_eq(waitpid(victims[j], &status, 0), victims[j]);
			require(WIFSIGNALED(status)); /* none has failed by itself */
		}
	}
}

START_TEST(clients_killed_at_any_moment_leave_no_endpoint_behind)
{
	attack(kill_at_random);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("hostile clients of rpmsg_char");
	TCase *tcase = tcase_create("messages");

	tcase_set_timeout(tcase, HARNESS_TIMEOUT_S);
	tcase_add_test(tcase, receives_that_wait_are_limited_and_end_in_order);
	tcase_add_test(tcase, entries_of_any_kind_have_one_completion_each);
	tcase_add_test(tcase, what_a_client_changes_under_the_brokers_eyes_hurts_nobody_else);
	tcase_add_test(tcase, who_reads_nothing_is_dropped_for_and_costs_no_more_than_its_queue);
	tcase_add_test(tcase, a_storm_of_opens_and_closes_leaves_no_endpoint_behind);
	tcase_add_test(tcase, clients_killed_at_any_moment_leave_no_endpoint_behind);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return testbed_main(suite());
}
