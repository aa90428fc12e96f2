// SPDX-License-Identifier: MIT
#include "daemon/scheduler.h"

#include "daemon/broker.h"
#include "daemon/call.h"
#include "daemon/client.h"
#include "daemon/device.h"
#include "daemon/limits.h"
#include "daemon/session.h"
#include "daemon/transport/transport.h"

/* How much of the difference a call makes in the average of its session. */
#define AVERAGE_PART 8

static uint64_t now_ns(const struct device *device)
{
	return loop_now_ns(device->broker->loop);
}

/* Most calls in flight on it; 0: as many as its lanes hold. */
static uint32_t cap(const struct device *device)
{
	return device->policy->calls;
}

/* Lanes on a device that has a cap. */

/* A lane stands in its device's line only while something of it could go. */
static void place(struct lane *lane)
{
	struct device *device = lane->device;
	unsigned int priority = fair_priority(&lane->waiting);

	if (!lane->ready || lane->running >= lane->depth || priority == FAIR_PRIORITIES) {
		fair_remove(&device->lanes, &lane->turn);
		return;
	}
	fair_change(&device->lanes, &lane->turn, priority, lane->weights[priority], now_ns(device));
	if (!fair_waits(&lane->turn))
		fair_add(&device->lanes, &lane->turn, now_ns(device));
}

/* A call is in flight no more, so another may go, maybe in another lane. */
static void make_room(struct device *device)
{
	device->in_flight--;
	if (cap(device) && fair_priority(&device->lanes) < FAIR_PRIORITIES)
		loop_later(device->broker->loop, &device->more);
}

/* Sessions in their lane. */

/* Has it a call that could be submitted now? */
static bool wants_turn(const struct session *session)
{
	return !list_empty(&session->waiting) &&
	       !(session->lane->parallel && !list_empty(&session->submitted));
}

static void stop_waiting(struct session *session)
{
	struct lane *lane = session->lane;

	fair_remove(&lane->waiting, &session->turn);
	list_remove(&session->stuck);
	if (fair_priority(&lane->waiting) == FAIR_PRIORITIES)
		fair_remove(&lane->device->lanes, &lane->turn);
}

static void weigh(struct session *session, bool weighs)
{
	uint32_t *weight = &session->lane->weights[session->turn.priority];

	if (weighs != session->weighs)
		*weight += weighs ? session->turn.weight : -session->turn.weight;
	session->weighs = weighs;
}

/* A session stands in its lane's line exactly while that is so. */
static void update_turn(struct session *session)
{
	bool waits = fair_waits(&session->turn) || !list_empty(&session->stuck);
	bool wants = wants_turn(session);

	weigh(session, !list_empty(&session->waiting) || !list_empty(&session->submitted));
	if (waits && !wants)
		stop_waiting(session);
	else if (!waits && wants)
		fair_add(&session->lane->waiting, &session->turn, now_ns(session->device));
}

void scheduler_init_session(struct session *session, unsigned int priority, uint32_t weight)
{
	list_init(&session->stuck);
	fair_node_init(&session->turn, priority, weight);
	session->average_ns = COST_GUESS_NS;
}

void scheduler_change_session(struct session *session, unsigned int priority, uint32_t weight)
{
	struct lane *lane = session->lane;
	bool weighs = session->weighs;

	if (!lane) {
		fair_node_init(&session->turn, priority, weight);
		return;
	}
	weigh(session, false);
	fair_change(&lane->waiting, &session->turn, priority, weight, now_ns(session->device));
	weigh(session, weighs);
	if (cap(session->device))
		place(lane);
}

void scheduler_detach(struct session *session)
{
	struct lane *lane = session->lane;

	if (!lane)
		return;
	stop_waiting(session);
	weigh(session, false);
	if (lane->first == session)
		lane->first = NULL;
	session->lane = NULL;
	/* What it has used of this one is nothing to the next. */
	fair_node_init(&session->turn, session->turn.priority, session->turn.weight);
}

void scheduler_add(struct call *call)
{
	struct session *session = call->session;

	call->state = CALL_WAITING;
	list_append(&session->waiting, &call->link);
	update_turn(session);
}

/* What calls cost. */

/* A session's call went: what it will cost. */
static void serve(struct session *session, uint64_t estimate_ns)
{
	struct lane *lane = session->lane;
	uint64_t now = now_ns(session->device);

	fair_serve(&lane->waiting, &session->turn, estimate_ns, now);
	if (cap(session->device))
		fair_serve(&session->device->lanes, &lane->turn, estimate_ns, now);
}

/* It cost that: its session, and the lane as a whole. */
static void settle(struct call *call, uint64_t cost_ns, uint64_t lane_ns)
{
	struct session *session = call->session;
	struct lane *lane = session->lane;

	lane->ahead_ns -= call->estimate_ns;
	fair_charge(&lane->waiting, &session->turn, (int64_t)(cost_ns - call->estimate_ns));
	if (cap(session->device))
		fair_charge(&session->device->lanes, &lane->turn,
			(int64_t)(lane_ns - call->estimate_ns));
}

/* It is in flight no more. */
static void land(struct call *call)
{
	call->state = CALL_WAITING;
	list_remove(&call->held);
	make_room(call->session->device);
}

void scheduler_take_back(struct call *call)
{
	if (call->session->lane)
		settle(call, 0, 0);
	land(call);
}

static void charge(struct call *call, uint64_t busy_ns)
{
	struct session *session = call->session;
	struct lane *lane = session->lane;
	uint64_t now = now_ns(session->device), cost = MAX(busy_ns, (uint64_t)COST_MIN_NS);
	uint64_t elapsed = cost;

	if (!lane->parallel) {
		elapsed = lane_elapsed(lane, now);
		cost = lane_cost(lane, session, busy_ns, now);
	}
	settle(call, cost, elapsed);
	if (call->op == DSP_OP_INVOKE)
		session->average_ns +=
			((int64_t)cost - (int64_t)session->average_ns) / AVERAGE_PART;
}

void scheduler_end(struct call *call, uint64_t busy_ns)
{
	struct session *session = call->session;

	if (call->state == CALL_SUBMITTED) {
		if (session->lane)
			charge(call, busy_ns);
		land(call);
	}
	list_remove(&call->link);
	if (session->lane)
		update_turn(session);
}

/* The lane was longer at work than its domain says: whose call came first pays. */
static void settle_rest(struct lane *lane)
{
	struct session *session = TAKE_PTR(lane->first);
	uint64_t rest = session ? lane_unclaimed(lane) : 0;

	if (rest)
		fair_charge(&lane->waiting, &session->turn, (int64_t)rest);
}

/* Submitting. */

void scheduler_requeue(struct call *call)
{
	struct session *session = call->session;

	if (call->op == DSP_OP_MODULE_CLOSE) /* its time begins when it is submitted */
		deadline_clear(&session->client->broker->deadlines, &call->deadline);
	scheduler_take_back(call);
	list_remove(&call->link);
	list_prepend(&session->waiting, &call->link);
	update_turn(session);
}

static void is_submitted(struct call *call, bool alone)
{
	struct session *session = call->session;
	struct lane *lane = session->lane;

	if (alone)
		lane_begins(lane, now_ns(session->device));
	if (call->op == DSP_OP_MODULE_CLOSE)
		call_start_clock(call);
	/* Not more than it may be ahead by: what is given back later would be a debt of others. */
	call->estimate_ns = MIN(session->average_ns, (uint64_t)LANE_AHEAD_NS);
	lane->ahead_ns += call->estimate_ns;
	list_append(&lane->held, &call->held);
	session->device->in_flight++;
	call->state = CALL_SUBMITTED;
	list_remove(&call->link);
	list_append(&session->submitted, &call->link);
	update_turn(session);
}

/* Hand one call to the transport. */
static int submit(struct session *session)
{
	struct call *call = list_first(&session->waiting, struct call, link);
	bool alone = !session->lane->running;
	int r;

	r = session->device->ops->submit(call);
	if (r == -EAGAIN)
		return r;
	if (r == 0)
		is_submitted(call, alone);
	serve(session, r ? COST_MIN_NS : call->estimate_ns);
	if (r)
		call_fail(call, r < 0 ? DSP_NO_RESOURCES : call->outcome);
	return 0;
}

int scheduler_try(struct call *call)
{
	struct session *session = call->session;
	bool first = list_empty(&session->waiting) && session->lane->ready;

	scheduler_add(call);
	return first ? submit(session) : -EAGAIN;
}

/* What comes after this call should not have to wait for long. */
static bool has_time(const struct lane *lane, const struct session *session)
{
	return lane->parallel || lane->running < 2 ||
	       lane->ahead_ns + session->average_ns <= LANE_AHEAD_NS;
}

/* Those that met -EAGAIN are to be tried again the next time. */
static void unstick(struct lane *lane)
{
	struct session *session;

	while ((session = list_first(&lane->stuck, struct session, stuck))) {
		list_remove(&session->stuck);
		fair_add(&lane->waiting, &session->turn, now_ns(lane->device));
	}
}

/* Submit one call; false: none can go now. */
static bool run_one(struct lane *lane)
{
	struct fair_node *turn;
	bool gone = false;

	while (!gone && lane->ready && lane->running < lane->depth) {
		struct session *session;

		turn = fair_pick(&lane->waiting, now_ns(lane->device));
		session = turn ? container_of(turn, struct session, turn) : NULL;
		if (!session || !has_time(lane, session))
			break;
		gone = submit(session) >= 0;
		if (gone || !lane->parallel)
			break;
		/* What one has to wait for need not be what another waits for. */
		fair_remove(&lane->waiting, turn);
		list_append(&lane->stuck, &session->stuck);
	}
	unstick(lane);
	return gone;
}

static void run_device(struct device *device)
{
	while (device->in_flight < cap(device)) {
		struct fair_node *turn = fair_pick(&device->lanes, now_ns(device));
		struct lane *lane;

		if (!turn)
			break;
		lane = container_of(turn, struct lane, turn);
		if (run_one(lane))
			place(lane);
		else
			fair_remove(&device->lanes, turn);
	}
	list_remove(&device->more.link);
}

static void run_later(struct loop_task *task)
{
	run_device(container_of(task, struct device, more));
}

void scheduler_init_device(struct device *device)
{
	list_init(&device->more.link);
	device->more.run = run_later;
}

/* What does not run yet, from behind. */
static void take_all_back(struct lane *lane)
{
	struct list *link, *before;

	for (link = lane->held.prev; link != &lane->held; link = before) {
		struct call *call = container_of(link, struct call, held);

		before = link->prev;
		if (!call->session->device->ops->cancel(call))
			return;
		scheduler_requeue(call);
	}
}

/* Is there anything that does not run, of another session than that? */
static bool others_wait_for(const struct lane *lane, const struct session *session)
{
	struct call *call;

	if (fair_others_wait(&lane->waiting, &session->turn))
		return true;
	list_for_each (call, &lane->held, held)
		if (call->session != session)
			return true;
	return false;
}

/* It runs, and has cost that much already, which is more than was expected. */
static void expect(struct call *call, uint64_t cost_ns)
{
	struct session *session = call->session;
	uint64_t more = cost_ns - call->estimate_ns;

	call->estimate_ns = cost_ns;
	session->lane->ahead_ns += more;
	fair_charge(&session->lane->waiting, &session->turn, (int64_t)more);
	if (cap(session->device))
		fair_charge(&session->device->lanes, &session->lane->turn, (int64_t)more);
	/* Who makes such calls gets two at a time until it is known better. */
	session->average_ns = MAX(session->average_ns, cost_ns);
}

static void relieve(struct deadline *deadline);

/* Once for each call that runs. */
static void watch(struct lane *lane)
{
	if (!lane->parallel && lane->attached > 1 && lane->running > 1 &&
		lane->relieved_ns != lane->taken_ns && !deadline_is_set(&lane->relief))
		broker_deadline(lane->device->broker, &lane->relief, LANE_STUCK_NS / 1000, relieve);
}

static void relieve(struct deadline *deadline)
{
	struct lane *lane = container_of(deadline, struct lane, relief);
	uint64_t passed = lane_elapsed(lane, now_ns(lane->device));
	struct call *first = list_first(&lane->held, struct call, held);

	if (first && lane->ready && passed >= LANE_STUCK_NS &&
		others_wait_for(lane, first->session)) {
		lane->relieved_ns = lane->taken_ns;
		expect(first, passed);
		take_all_back(lane);
		scheduler_run(lane);
	}
	watch(lane);
}

void scheduler_end_lane(struct lane *lane)
{
	deadline_clear(&lane->device->broker->deadlines, &lane->relief);
}

void scheduler_run(struct lane *lane)
{
	settle_rest(lane);
	if (cap(lane->device)) {
		place(lane);
		run_device(lane->device);
	} else {
		while (run_one(lane))
			;
	}
	watch(lane);
}
