// SPDX-License-Identifier: MIT
#include "daemon/lane.h"

#include "daemon/limits.h"

void lane_init(struct lane *lane, struct device *device, unsigned int depth)
{
	*lane = (struct lane){.device = device, .depth = depth};
	list_init(&lane->stuck);
	list_init(&lane->held);
	fair_node_init(&lane->turn, 0, 1);
}

void lane_begins(struct lane *lane, uint64_t now_ns)
{
	lane->charged_ns = lane->taken_ns = lane->seen_ns = now_ns;
}

uint64_t lane_elapsed(const struct lane *lane, uint64_t now_ns)
{
	return now_ns - lane->taken_ns;
}

uint64_t lane_cost(struct lane *lane, struct session *session, uint64_t busy_ns, uint64_t now_ns)
{
	uint64_t cost;

	if (lane->taken_ns != now_ns) {
		lane->charged_ns = lane->taken_ns;
		lane->taken_ns = now_ns;
		lane->first = session;
	}
	cost = MIN(busy_ns, now_ns - lane->charged_ns);
	lane->charged_ns += cost;
	return MAX(cost, (uint64_t)COST_MIN_NS);
}

uint64_t lane_unclaimed(struct lane *lane)
{
	uint64_t charged = lane->charged_ns;

	lane->charged_ns = lane->taken_ns;
	return lane->seen_ns > charged + LANE_TRUST_NS ? lane->seen_ns - charged : 0;
}
