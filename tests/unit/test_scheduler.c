// SPDX-License-Identifier: MIT
/*
 * Which call goes next, through the broker's own code: sessions, lanes and a device with and
 * without a cap. The DSP is the test's own, which ends calls when the test wants it to and says
 * what they took. The broker's clock stands still, unless a test lets its loop turn.
 */
#include <check.h>
#include <string.h>

#include "daemon/limits.h"
#include "daemon/rights.h"
#include "tests/suite.h"
#include "tests/unit/daemon_rig.h"

#define LANES    5
#define SESSIONS 12
#define HELD     64
#define CAP      3
#define US       1000ull
static const char policy_text[] =
	"{\"version\": 1, \"devices\": ["
	"{\"name\": \"capped\", \"calls\": 3}, {\"name\": \"single\", \"calls\": 1}],"
	" \"rules\": [{\"name\": \"r\", \"action\": \"allow\", \"match\": {\"users\": [\"*\"]},"
	" \"channels\": [\"*/*\"]}]}";

static struct client *client;
static int app;

/* The DSP. */

static struct {
	struct device free, capped, single;
	struct lane lanes[LANES];
	struct lane *next;       /* where the next session goes */
	struct call *held[HELD]; /* in the order in which they came */
	unsigned int n_held, most_held;
	const struct session *stuck; /* whose calls it does not take now */
	const struct call *runs;     /* which it does not give back */
} dsp;

static int dsp_open(struct session *session)
{
	session->lane = dsp.next;
	session->lane->device = session->device;
	session->lane->attached++;
	return 0;
}

static void dsp_close(struct session *session)
{
	session->lane->attached--;
	session_end_calls(session, DSP_CANCELLED);
	session_closed(session);
}

static int dsp_submit(struct call *call)
{
	if (call->session == dsp.stuck)
		return -EAGAIN;
	if (dsp.n_held == HELD)
		ck_abort_msg("too many calls at once");
	dsp.held[dsp.n_held++] = call;
	dsp.most_held = MAX(dsp.most_held, dsp.n_held);
	call->session->lane->running++;
	return 0;
}

/* It has it no more. */
static void forget(const struct call *call)
{
	unsigned int i = 0;

	while (dsp.held[i] != call)
		i++;
	dsp.n_held--;
	memmove(&dsp.held[i], &dsp.held[i + 1], (dsp.n_held - i) * sizeof(*dsp.held));
}

static bool dsp_cancel(struct call *call)
{
	if (call == dsp.runs)
		return false;
	forget(call);
	call->session->lane->running--;
	return true;
}

static const struct transport_ops dsp_ops = {
	.name = "test",
	.remove = daemon_remove_device,
	.open = dsp_open,
	.close = dsp_close,
	.submit = dsp_submit,
	.cancel = dsp_cancel,
};

static struct session *finish(struct call *call, uint64_t busy_ns)
{
	struct session *session = call->session;
	struct lane *lane = session->lane;

	forget(call);
	lane->running--;
	call_done(call, &(struct dsp_completion){.status = DSP_OK, .busy_ns = busy_ns});
	scheduler_run(lane);
	return session;
}

/* Sessions and their calls. */

static struct session *open_on(struct lane *lane, const char *channel,
	enum policy_priority priority, uint32_t weight)
{
	static const struct policy_limits limits = {.calls = 1000, .sessions = 100};
	const struct policy_decision decision = {
		.allowed = true,
		.rule = "r",
		.limits = &limits,
		.domain = &POLICY_DOMAIN_DEFAULT,
		.priority = priority,
		.weight = weight,
	};
	struct session *session;

	dsp.next = lane;
	session_open(client, channel, &decision, -1, 1);
	session = container_of(broker.sessions.prev, struct session, of_broker);
	finish(dsp.held[dsp.n_held - 1], 0); /* its module opens */
	ck_assert_int_eq(session->state, SESSION_OPEN);
	return session;
}

static struct call *call(struct session *session)
{
	struct quota_refusal refusal;
	struct call *new;
	uint32_t limit;

	if (quota_charge(&client->quota, QUOTA_CALLS, 1, &refusal) < 0 ||
		rights_begin_call(session, &limit) != DSP_LIMIT_NONE)
		ck_abort_msg("no quota");
	client->in_flight++;
	session->in_flight++;
	new = call_new(session, DSP_OP_INVOKE);
	if (!new)
		ck_abort_msg("no memory");
	scheduler_add(new);
	scheduler_run(session->lane);
	return new;
}

static void lanes_init(struct device *device, unsigned int depth, bool parallel)
{
	for (size_t i = 0; i < LANES; i++) {
		lane_init(&dsp.lanes[i], device, depth);
		dsp.lanes[i].parallel = parallel;
		dsp.lanes[i].ready = true;
	}
}

static void start_device(struct device *device, const char *name)
{
	daemon_add_device(device, &dsp_ops, name);
	daemon_add_channel(device, "x", DSP_KIND_CALL);
}

static void set_up(void)
{
	memset(&dsp, 0, sizeof(dsp));
	srandom(1);
	daemon_start(policy_text);
	start_device(&dsp.free, "free");
	start_device(&dsp.capped, "capped");
	start_device(&dsp.single, "single");
	app = daemon_connect();
	client = daemon_client();
}

/* Nobody is to be told of completions: the client has no ring. */
static void begin(void)
{
	client->dead = true;
}

/* Whatever the test did, nothing may be left. */
static void tear_down(void)
{
	client->dead = false;
	client_kill(client, NULL);
	while (dsp.n_held) /* modules close */
		finish(dsp.held[0], 0);
	for (size_t i = 0; i < LANES; i++) {
		ck_assert(!fair_waits(&dsp.lanes[i].turn) && !dsp.lanes[i].ahead_ns);
		ck_assert(list_empty(&dsp.lanes[i].held) || !dsp.lanes[i].device);
		if (dsp.lanes[i].device)
			scheduler_end_lane(&dsp.lanes[i]);
		for (size_t k = 0; k < FAIR_PRIORITIES; k++)
			ck_assert_uint_eq(dsp.lanes[i].weights[k], 0);
	}
	daemon_stop();
	fd_close(app);
}

/* The DSP at work: it ends what it has had longest, again and again, and each session has
 * @waiting calls all the time. */
struct use {
	struct session *session;
	uint64_t least_ns, most_ns;
	uint64_t used_ns;
};

static struct use *use_of(struct use *uses, size_t n, const struct session *session)
{
	for (size_t i = 0; i < n; i++)
		if (uses[i].session == session)
			return &uses[i];
	ck_abort_msg("whose is it");
}

static void work(struct use *uses, size_t n, unsigned int waiting, unsigned int calls)
{
	for (size_t i = 0; i < n; i++)
		for (unsigned int k = 0; k < waiting; k++)
			call(uses[i].session);
	for (unsigned int i = 0; i < calls; i++) {
		struct use *use;
		uint64_t busy;

		if (!dsp.n_held)
			ck_abort_msg("calls wait and none goes");
		use = use_of(uses, n, dsp.held[0]->session);
		busy = use->least_ns + (uint64_t)random() % (use->most_ns - use->least_ns + 1);
		finish(dsp.held[0], busy);
		use->used_ns += busy;
		call(use->session);
	}
}

static void assert_shares(const struct use *uses, const uint32_t *weights, size_t n,
	uint64_t percent)
{
	uint64_t used = 0, weight = 0;

	for (size_t i = 0; i < n; i++) {
		used += uses[i].used_ns;
		weight += weights[i];
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t expected = used / weight * weights[i];

		ck_assert_uint_ge(uses[i].used_ns * 100, expected * (100 - percent));
		ck_assert_uint_le(uses[i].used_ns * 100, expected * (100 + percent));
	}
}

/* A lane. */

START_TEST(sessions_share_a_lane_by_time_and_weight)
{
	static const uint32_t weights[] = {100, 200, 400};
	struct use uses[] = {
		{.least_ns = 200, .most_ns = 300},
		{.least_ns = 1000, .most_ns = 100000},
		{.least_ns = 200, .most_ns = 20000},
	};

	lanes_init(&dsp.free, 1, true);
	for (size_t i = 0; i < ARRAY_SIZE(uses); i++)
		uses[i].session =
			open_on(&dsp.lanes[0], "free/x", POLICY_PRIORITY_NORMAL, weights[i]);
	begin();
	work(uses, ARRAY_SIZE(uses), 2, 200000);
	assert_shares(uses, weights, ARRAY_SIZE(uses), 1);
}
END_TEST

START_TEST(calls_of_one_session_keep_their_order)
{
	struct session *one, *other;
	uint64_t next[2] = {};

	lanes_init(&dsp.free, 4, false);
	one = open_on(&dsp.lanes[0], "free/x", POLICY_PRIORITY_NORMAL, 100);
	other = open_on(&dsp.lanes[0], "free/x", POLICY_PRIORITY_NORMAL, 300);
	begin();
	for (uint64_t i = 0; i < 50; i++) {
		call(one)->user_data = i;
		call(other)->user_data = i;
	}
	while (dsp.n_held) {
		ck_assert_uint_eq(dsp.held[0]->user_data, next[dsp.held[0]->session == one]++);
		finish(dsp.held[0], 0);
	}
	ck_assert_uint_eq(next[0], 50);
	ck_assert_uint_eq(next[1], 50);
}
END_TEST

START_TEST(a_more_urgent_session_goes_first)
{
	struct session *low, *high;

	lanes_init(&dsp.free, 1, false);
	low = open_on(&dsp.lanes[0], "free/x", POLICY_PRIORITY_LOW, 1000);
	high = open_on(&dsp.lanes[0], "free/x", POLICY_PRIORITY_HIGH, 1);
	begin();
	for (int i = 0; i < 10; i++)
		call(low);
	for (int i = 0; i < 10; i++)
		call(high);
	ck_assert_ptr_eq(finish(dsp.held[0], 0), low); /* it was there before */
	for (int i = 0; i < 10; i++)
		ck_assert_ptr_eq(finish(dsp.held[0], 0), high);
	for (int i = 0; i < 9; i++)
		ck_assert_ptr_eq(finish(dsp.held[0], 0), low);
}
END_TEST

static struct call *oldest_of(const struct session *session)
{
	unsigned int i = 0;

	while (dsp.held[i]->session != session)
		i++;
	return dsp.held[i];
}

START_TEST(a_lane_holds_no_more_than_takes_a_little_while)
{
	struct session *slow, *quick;

	lanes_init(&dsp.free, 16, false);
	slow = open_on(&dsp.lanes[0], "free/x", POLICY_PRIORITY_NORMAL, 100);
	quick = open_on(&dsp.lanes[1], "free/x", POLICY_PRIORITY_NORMAL, 100);
	begin();
	slow->average_ns = LANE_AHEAD_NS;
	quick->average_ns = LANE_AHEAD_NS / 10;
	for (int i = 0; i < 20; i++) {
		call(slow);
		call(quick);
	}
	ck_assert_uint_eq(dsp.lanes[0].running, 2);
	ck_assert_uint_eq(dsp.lanes[1].running, 10);
	/* When it is quicker than thought, it may have as many as it takes. */
	for (int i = 0; i < 30 && dsp.lanes[1].running < 16; i++) {
		call(quick);
		finish(oldest_of(quick), COST_MIN_NS);
	}
	ck_assert_uint_eq(dsp.lanes[1].running, 16);
	ck_assert_uint_eq(dsp.lanes[0].running, 2);
}
END_TEST

/* As if the call that runs had run for so long. */
static void let_pass(struct lane *lane, uint64_t ns)
{
	lane->taken_ns -= ns;
	ck_assert(deadline_is_set(&lane->relief));
	deadline_clear(&broker.deadlines, &lane->relief);
	lane->relief.expired(&lane->relief);
}

/* Who has made short calls is expected to go on so; if not, others do not pay for it. */
START_TEST(what_lies_behind_a_long_call_is_taken_back_when_others_wait)
{
	struct session *liar, *other;
	struct call *calls[20];

	lanes_init(&dsp.free, 16, false);
	liar = open_on(&dsp.lanes[0], "free/x", POLICY_PRIORITY_NORMAL, 100);
	other = open_on(&dsp.lanes[0], "free/x", POLICY_PRIORITY_NORMAL, 100);
	begin();
	liar->average_ns = COST_MIN_NS;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		calls[i] = call(liar);
	ck_assert_uint_eq(dsp.n_held, 16);
	dsp.runs = calls[0];
	let_pass(&dsp.lanes[0], LANE_STUCK_NS);
	ck_assert_uint_eq(dsp.n_held, 16); /* nobody else waits */
	call(other);
	ck_assert_uint_eq(dsp.n_held, 16);
	let_pass(&dsp.lanes[0], LANE_STUCK_NS);
	ck_assert_uint_eq(dsp.n_held, 2);
	ck_assert_ptr_eq(dsp.held[1]->session, other);
	dsp.runs = NULL;
	ck_assert_ptr_eq(finish(dsp.held[0], 2 * LANE_STUCK_NS), liar);
	ck_assert_ptr_eq(finish(dsp.held[0], 1000), other);
	for (size_t i = 1; i < ARRAY_SIZE(calls); i++) {
		ck_assert_ptr_eq(dsp.held[0], calls[i]);
		ck_assert_uint_le(dsp.n_held, 2);
		finish(dsp.held[0], 2 * LANE_STUCK_NS);
	}
}
END_TEST

/* On a parallel lane, which gets one call of a session at a time. */
START_TEST(who_has_to_wait_for_something_else_holds_nobody_up)
{
	struct session *stuck, *other;

	lanes_init(&dsp.free, 1, true);
	stuck = open_on(&dsp.lanes[0], "free/x", POLICY_PRIORITY_HIGH, 1000);
	other = open_on(&dsp.lanes[0], "free/x", POLICY_PRIORITY_LOW, 1);
	begin();
	dsp.stuck = stuck;
	for (int i = 0; i < 5; i++) {
		call(stuck);
		call(other);
	}
	for (int i = 0; i < 3; i++)
		ck_assert_ptr_eq(finish(dsp.held[0], 1000), other);
	dsp.stuck = NULL;
	ck_assert_ptr_eq(finish(dsp.held[0], 1000), other);
	for (int i = 0; i < 5; i++)
		ck_assert_ptr_eq(finish(dsp.held[0], 1000), stuck);
	ck_assert_ptr_eq(finish(dsp.held[0], 1000), other);
}
END_TEST

START_TEST(a_call_that_was_taken_back_cost_nothing)
{
	struct session *one, *other;

	lanes_init(&dsp.free, 1, false);
	one = open_on(&dsp.lanes[0], "free/x", POLICY_PRIORITY_NORMAL, 100);
	other = open_on(&dsp.lanes[0], "free/x", POLICY_PRIORITY_NORMAL, 100);
	begin();
	call(other);
	call(other);
	one->average_ns = other->average_ns = 1000 * US;
	for (int i = 0; i < 10; i++)
		ck_assert(call_cancel(call(one), DSP_CANCELLED)); /* it waits */
	ck_assert_ptr_eq(finish(dsp.held[0], 0), other);
	call(one);
	for (int i = 0; i < 10; i++) {
		ck_assert(call_cancel(dsp.held[0], DSP_CANCELLED));
		ck_assert_uint_eq(dsp.lanes[0].ahead_ns, 0);
		call(one);
	}
	ck_assert_ptr_eq(finish(dsp.held[0], 0), one);
}
END_TEST

/* A device with a cap. */

static void open_capped(struct use *uses, const char *channel, const uint32_t *weights, size_t n,
	size_t lanes)
{
	for (size_t i = 0; i < n; i++) {
		uses[i].session =
			open_on(&dsp.lanes[i % lanes], channel, POLICY_PRIORITY_NORMAL, weights[i]);
		uses[i].least_ns = 200;
		uses[i].most_ns = 2000 * (i + 1);
	}
	dsp.most_held = 0;
}

START_TEST(a_cap_is_never_exceeded_and_holds_nobody_back_for_ever)
{
	static const uint32_t weights[SESSIONS] = {1, 1000, 5, 5, 100, 100, 100, 7, 7, 7, 7, 1};
	struct use uses[SESSIONS] = {};

	lanes_init(&dsp.capped, 2, true);
	open_capped(uses, "capped/x", weights, SESSIONS, LANES);
	begin();
	work(uses, SESSIONS, 3, 200000);
	ck_assert_uint_eq(dsp.most_held, CAP);
	ck_assert_uint_eq(dsp.capped.in_flight, CAP);
	for (size_t i = 0; i < SESSIONS; i++)
		ck_assert_uint_gt(uses[i].used_ns, 0);
	for (unsigned int left = 3 * SESSIONS; left; left--) {
		ck_assert_uint_gt(dsp.n_held, 0);
		finish(dsp.held[0], 1000);
	}
	ck_assert_uint_eq(dsp.n_held, 0);
}
END_TEST

START_TEST(lanes_share_a_capped_device_as_their_sessions_weigh)
{
	/* The first and the fourth are in one lane, the second and the last in another. */
	static const uint32_t weights[] = {100, 200, 400, 300, 500};
	struct use uses[ARRAY_SIZE(weights)] = {};

	lanes_init(&dsp.single, 8, true);
	open_capped(uses, "single/x", weights, ARRAY_SIZE(weights), 3);
	begin();
	work(uses, ARRAY_SIZE(uses), 8, 300000);
	ck_assert_uint_eq(dsp.most_held, 1);
	assert_shares(uses, weights, ARRAY_SIZE(uses), 1);
}
END_TEST

START_TEST(who_is_lost_makes_room_for_others)
{
	struct use uses[2] = {};

	lanes_init(&dsp.capped, 4, false);
	open_capped(uses, "capped/x", (const uint32_t[]){100, 100}, 2, 2);
	begin();
	for (int i = 0; i < CAP; i++)
		call(uses[0].session);
	call(uses[1].session);
	ck_assert_uint_eq(dsp.n_held, CAP);
	/* Its lane goes, and nothing else happens. */
	dsp.n_held = 0;
	dsp.lanes[0].running = 0;
	session_lost(uses[0].session, DSP_DOMAIN_CRASHED, "it crashed");
	dsp.lanes[0].ahead_ns = 0;
	daemon_turn(false);
	ck_assert_uint_eq(dsp.n_held, 1);
	ck_assert_ptr_eq(finish(dsp.held[0], 0), uses[1].session);
}
END_TEST

START_TEST(a_lane_that_is_not_ready_holds_no_other_back)
{
	struct use uses[2] = {};

	lanes_init(&dsp.capped, 4, false);
	open_capped(uses, "capped/x", (const uint32_t[]){100, 100}, 2, 2);
	begin();
	for (int i = 0; i < 5; i++) {
		call(uses[0].session);
		call(uses[1].session);
	}
	dsp.lanes[0].ready = false;
	for (int i = 0; i < 10 && dsp.n_held; i++)
		finish(dsp.held[0], 1000);
	ck_assert(list_empty(&uses[1].session->waiting));
	ck_assert(!list_empty(&uses[0].session->waiting));
	ck_assert_uint_eq(dsp.n_held, 0);
	dsp.lanes[0].ready = true;
	scheduler_run(&dsp.lanes[0]);
	while (dsp.n_held)
		finish(dsp.held[0], 1000);
	ck_assert(list_empty(&uses[0].session->waiting));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scheduler");
	TCase *tcase = tcase_create("scheduler");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, sessions_share_a_lane_by_time_and_weight);
	tcase_add_test(tcase, calls_of_one_session_keep_their_order);
	tcase_add_test(tcase, a_more_urgent_session_goes_first);
	tcase_add_test(tcase, a_lane_holds_no_more_than_takes_a_little_while);
	tcase_add_test(tcase, what_lies_behind_a_long_call_is_taken_back_when_others_wait);
	tcase_add_test(tcase, who_has_to_wait_for_something_else_holds_nobody_up);
	tcase_add_test(tcase, a_call_that_was_taken_back_cost_nothing);
	tcase_add_test(tcase, a_cap_is_never_exceeded_and_holds_nobody_back_for_ever);
	tcase_add_test(tcase, lanes_share_a_capped_device_as_their_sessions_weigh);
	tcase_add_test(tcase, who_is_lost_makes_room_for_others);
	tcase_add_test(tcase, a_lane_that_is_not_ready_holds_no_other_back);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
