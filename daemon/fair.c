// SPDX-License-Identifier: MIT
#include "daemon/fair.h"

#include <assert.h>
#include <stddef.h>

#include "daemon/limits.h"
#include "protocol/util.h"

static struct fair_line *line_of(struct fair *fair, const struct fair_node *node)
{
	return &fair->lines[node->priority];
}

void fair_node_init(struct fair_node *node, unsigned int priority, uint32_t weight)
{
	assert(priority < FAIR_PRIORITIES && weight);
	*node = (struct fair_node){.priority = priority, .weight = weight};
}

unsigned int fair_priority(const struct fair *fair)
{
	unsigned int priority = 0;

	while (priority < FAIR_PRIORITIES && !fair->lines[priority].waiting.root)
		priority++;
	return priority;
}

bool fair_others_wait(const struct fair *fair, const struct fair_node *node)
{
	for (unsigned int i = 0; i < FAIR_PRIORITIES; i++) {
		const struct heap_node *root = fair->lines[i].waiting.root;

		if (root && (root != &node->waiting || heap_has_more(&fair->lines[i].waiting)))
			return true;
	}
	return false;
}

static void put(struct fair *fair, struct fair_node *node, uint64_t time)
{
	heap_add(&line_of(fair, node)->waiting, &node->waiting, time);
}

static void take(struct fair *fair, struct fair_node *node)
{
	heap_remove(&line_of(fair, node)->waiting, &node->waiting);
}

void fair_add(struct fair *fair, struct fair_node *node, uint64_t now_ns)
{
	struct fair_line *line = line_of(fair, node);

	assert(!fair_waits(node));
	if (!line->waiting.root)
		line->served_ns = now_ns;
	if (node->waiting.key < line->time)
		node->waiting.key = node->floor = line->time;
	put(fair, node, node->waiting.key);
}

void fair_remove(struct fair *fair, struct fair_node *node)
{
	struct fair_line *line = line_of(fair, node);

	if (line->last == node)
		line->last = NULL;
	if (fair_waits(node))
		take(fair, node);
}

void fair_change(struct fair *fair, struct fair_node *node, unsigned int priority, uint32_t weight,
	uint64_t now_ns)
{
	uint64_t behind = line_of(fair, node)->time, time = fair->lines[priority].time;
	bool waits = fair_waits(node);

	if (node->priority == priority && node->weight == weight)
		return;
	assert(priority < FAIR_PRIORITIES && weight);
	fair_remove(fair, node);
	if (node->priority != priority) {
		node->floor = time;
		if (node->waiting.key > behind)
			time += node->waiting.key - behind;
		node->waiting.key = time;
	}
	node->priority = priority;
	node->weight = weight;
	if (!waits)
		return;
	if (!fair->lines[priority].waiting.root)
		fair->lines[priority].served_ns = now_ns;
	put(fair, node, node->waiting.key);
}

/* With a small weight the quantum is small, too: it would keep the others waiting for long. */
#define WEIGHT_USUAL 100u

/* Who had the last turn goes on for a while. */
static struct fair_node *first_of(const struct fair_line *line)
{
	struct fair_node *first = container_of(line->waiting.root, struct fair_node, waiting);
	struct fair_node *last = line->last;

	uint64_t quantum = last ? FAIR_QUANTUM_NS / MAX(last->weight, WEIGHT_USUAL) : 0;

	return last && last->waiting.key - first->waiting.key < quantum ? last : first;
}

struct fair_node *fair_pick(const struct fair *fair, uint64_t now_ns)
{
	const struct fair_line *best = NULL, *late = NULL;

	for (unsigned int i = 0; i < FAIR_PRIORITIES; i++) {
		const struct fair_line *line = &fair->lines[i];

		if (!line->waiting.root)
			continue;
		if (!best)
			best = line;
		else if (now_ns - line->served_ns >= SCHED_PATIENCE_NS &&
			 (!late || line->served_ns < late->served_ns))
			late = line;
	}
	if (!best)
		return NULL;
	return first_of(late ? late : best);
}

/* Where its class has come to: whoever goes on is ahead of that. */
static uint64_t start(const struct fair_line *line, const struct fair_node *node)
{
	const struct heap_node *root = line->waiting.root;

	return root ? MIN(root->key, node->waiting.key) : node->waiting.key;
}

void fair_serve(struct fair *fair, struct fair_node *node, uint64_t cost_ns, uint64_t now_ns)
{
	struct fair_line *line = line_of(fair, node);

	line->served_ns = now_ns;
	line->last = fair_waits(node) ? node : NULL;
	line->time = MAX(line->time, start(line, node));
	fair_charge(fair, node, (int64_t)cost_ns);
}

/* Move its virtual time, but not below its floor. Whole steps only: the rest is kept for later. */
static uint64_t moved(struct fair_node *node, int64_t cost_ns)
{
	int64_t weight = node->weight, sum = cost_ns + (int64_t)node->rest;
	int64_t steps, rest;

	if (sum >= 0 && sum < weight) { /* often, and dividing takes long */
		node->rest = (uint32_t)sum;
		return node->waiting.key;
	}
	steps = sum / weight;
	rest = sum % weight;
	if (rest < 0) {
		rest += weight;
		steps--;
	}
	node->rest = (uint32_t)rest;
	if (steps < 0 && (uint64_t)-steps > node->waiting.key - node->floor)
		return node->floor;
	return node->waiting.key + (uint64_t)steps;
}

void fair_charge(struct fair *fair, struct fair_node *node, int64_t cost_ns)
{
	struct fair_line *line = line_of(fair, node);
	uint64_t time = moved(node, cost_ns);

	if (time == node->waiting.key)
		return;
	if (fair_waits(node)) {
		take(fair, node);
		put(fair, node, time);
	} else {
		node->waiting.key = time;
	}
	if (!line->waiting.root)
		line->time = MAX(line->time, time);
}
