// SPDX-License-Identifier: MIT
/*
 * The table of what was put into the ring. The ring carries an index into it and a generation,
 * never a pointer, so that a broker gone wrong cannot make the library touch anything else.
 *
 * A RECEIVE is put into the ring again whenever its message was taken, and nobody could wait for
 * room then. So what comes anew leaves a slot free for each RECEIVE that a session holds, and
 * there are never so many of them (see message.c) that nothing else would find room.
 */
#include <string.h>

#include "client/internal.h"

int pending_init(struct dspbroker *broker, uint32_t n)
{
	broker->table = calloc(n, sizeof(broker->table[0]));
	if (!broker->table)
		return -ENOMEM;
	broker->n_table = n;
	while (n--)
		list_append(&broker->free, &broker->table[n].link);
	return 0;
}

void pending_deinit(struct dspbroker *broker)
{
	free(broker->table);
	broker->table = NULL;
}

/* Last in, first out: few entries in flight touch little memory. */
struct pending *pending_take(struct dspbroker_session *session, enum dsp_op op, bool submitted,
	uint32_t area_size)
{
	struct dspbroker *broker = session->broker;
	struct pending *pending;

	if (list_empty(&broker->free) || (submitted && broker->n_reapable == broker->n_table / 2))
		return NULL;
	pending = container_of(broker->free.prev, struct pending, link);
	if (area_size && arena_alloc(&broker->arena, area_size, &pending->area_offset) < 0)
		return NULL;
	list_remove(&pending->link);
	broker->n_reapable += submitted;
	pending->session = session;
	pending->op = op;
	pending->user = NULL;
	pending->submitted = submitted;
	pending->area_size = area_size;
	pending->n_in = 0;
	pending->n_outputs = 0;
	return pending;
}

void pending_put(struct dspbroker *broker, struct pending *pending)
{
	if (pending->area_size)
		arena_free(&broker->arena, pending->area_offset, pending->area_size);
	list_remove(&pending->link);
	list_append(&broker->free, &pending->link);
	broker->n_reapable -= pending->submitted;
	pending->running = false;
}

void pending_finish(struct dspbroker *broker, struct pending *pending)
{
	if (pending->status == DSP_OK)
		for (unsigned int i = 0; i < pending->n_outputs; i++)
			memcpy(pending->outputs[i].data, broker->area + pending->outputs[i].offset,
				pending->outputs[i].length);
	pending_put(broker, pending);
	if (broker->starved)
		pump_nudge(broker);
}

uint64_t pending_tag(const struct dspbroker *broker, const struct pending *pending)
{
	return (uint64_t)pending->generation << 32 | (uint32_t)(pending - broker->table);
}

static struct pending *pending_find(struct dspbroker *broker, uint64_t tag)
{
	uint32_t index = (uint32_t)tag;
	struct pending *pending;

	if (index >= broker->n_table)
		return NULL;
	pending = &broker->table[index];
	return pending->running && pending->generation == tag >> 32 ? pending : NULL;
}

static uint32_t slots_of(const struct dsp_entry *entry)
{
	unsigned int n_args = entry->n_in + entry->n_out;

	if (!n_args)
		return 1;
	return ring_arg_offset(n_args - 1) / (uint32_t)sizeof(struct dsp_slot) + 1;
}

static bool has_room(struct dspbroker *broker, uint32_t slots)
{
	struct dsp_ring *ring = &broker->ring;
	uint32_t used = ring->sq_tail - ring->sq_head;

	if (used <= ring->sq_slots && slots <= ring->sq_slots - used)
		return true;
	ring->sq_head = atomic_load_explicit(&ring->shared->sq_head, memory_order_acquire);
	used = ring->sq_tail - ring->sq_head;
	return used <= ring->sq_slots && slots <= ring->sq_slots - used;
}

static int index_lies(struct dspbroker *broker)
{
	connection_break(broker, "the broker's submission index lies");
	return connection_gone(broker);
}

static int push(struct dspbroker *broker, struct pending *pending, struct dsp_entry *entry)
{
	if (!++pending->generation)
		pending->generation++; /* so that no tag is 0 */
	entry->user_data = pending_tag(broker, pending);
	if (ring_push(&broker->ring, entry, NULL) < 0)
		return index_lies(broker);
	broker->n_unpublished++;
	pending->running = true;
	if (pending->op == DSP_OP_RECEIVE) {
		list_append(&pending->session->posted, &pending->link);
		return 0;
	}
	list_append(&broker->running, &pending->link);
	broker->n_running++;
	broker->n_submitted += pending->submitted;
	return 0;
}

int pending_push(struct dspbroker *broker, struct pending *pending, struct dsp_entry *entry)
{
	uint32_t slots = slots_of(entry) + broker->n_receives;

	/* The broker tells nobody that it has taken entries, only that they are complete. So what
	 * is submitted leaves room for a thread that would have to wait for that. */
	if (pending->submitted && broker->n_running)
		slots += DSP_SLOTS_MAX;
	if (has_room(broker, slots))
		return push(broker, pending, entry);
	return broker->n_running ? -EAGAIN : index_lies(broker);
}

int pending_push_again(struct dspbroker *broker, struct pending *pending, struct dsp_entry *entry)
{
	return push(broker, pending, entry);
}

void pending_publish(struct dspbroker *broker)
{
	uint32_t how = ring_submit(&broker->ring);

	broker->n_unpublished = 0;
	if (how == DSP_AWAKE)
		return;
	broker->woke = true;
	ring_wake_servicer(&broker->ring, how, broker->doorbell);
}

int pending_start(struct dspbroker *broker, struct pending *pending, struct dsp_entry *entry)
{
	int r = pending_push(broker, pending, entry);

	if (r < 0)
		pending_put(broker, pending);
	else
		pending_publish(broker);
	return r;
}

static void pending_end(struct dspbroker *broker, struct pending *pending, int status)
{
	pending->status = status;
	pending->running = false;
	list_remove(&pending->link);
	if (pending->op == DSP_OP_RECEIVE) {
		message_arrived(pending);
		return;
	}
	broker->n_running--;
	broker->n_submitted -= pending->submitted;
	if (pending->submitted)
		list_append(&broker->ready, &pending->link);
}

uint32_t pending_generation(const struct pending *pending)
{
	bool ran = pending->op == DSP_OP_INVOKE &&
		   (pending->status == DSP_OK || pending->status == DSP_DSP_ERROR);

	return ran ? pending->detail : 0;
}

/* Others may be reading it. */
static void note_generation(const struct pending *pending)
{
	uint32_t generation = pending_generation(pending);

	if (generation && pending->session && pending->session->info.generation != generation)
		__atomic_store_n(&pending->session->info.generation, generation, __ATOMIC_RELAXED);
}

void pending_complete(struct dspbroker *broker, const struct dsp_completion *completion)
{
	struct pending *pending = pending_find(broker, completion->user_data);

	if (!pending) {
		connection_break(broker, "the broker completed what does not run");
		return;
	}
	if (completion->status > INT32_MAX) {
		connection_break(broker, "the broker completed a call with an impossible status");
		return;
	}
	if (pending->op == DSP_OP_RECEIVE && !message_possible(pending, completion)) {
		connection_break(broker, "the broker delivered a message of impossible length");
		return;
	}
	pending->result = completion->result;
	pending->detail = completion->detail;
	pending->limit = completion->limit;
	pending->busy_ns = completion->busy_ns;
	pending_end(broker, pending, (int)completion->status);
	note_generation(pending);
}

void pending_break(struct dspbroker *broker)
{
	struct pending *pending, *following;

	list_for_each_safe (pending, following, &broker->running, link) {
		pending->result = 0;
		pending->detail = 0;
		pending->limit = 0;
		pending->busy_ns = 0;
		pending_end(broker, pending, -ECONNRESET);
	}
	message_break(broker);
}

static void forget_in(struct list *list, const struct dspbroker_session *session)
{
	struct pending *pending;

	list_for_each (pending, list, link)
		if (pending->session == session)
			pending->session = NULL;
}

void pending_forget(struct dspbroker *broker, const struct dspbroker_session *session)
{
	forget_in(&broker->running, session);
	forget_in(&broker->ready, session);
}

int pending_await_room(struct dspbroker *broker, int64_t deadline)
{
	int r;

	if (!broker->n_running)
		return -EAGAIN;
	if (broker->n_unpublished)
		pending_publish(broker);
	broker->starved++;
	r = pump_wait(broker, deadline);
	broker->starved--;
	return r;
}

int pending_await(struct dspbroker *broker, struct pending *pending, int32_t *result)
{
	int status;

	while (pending->running)
		pump_wait(broker, DEADLINE_FOREVER);
	status = pending->status;
	if (status < 0)
		connection_gone(broker);
	else
		message_set_outcome(pending);
	if (result)
		*result = pending->result;
	pending_finish(broker, pending);
	return status;
}
