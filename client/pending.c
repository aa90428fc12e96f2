// SPDX-License-Identifier: MIT
/*
 * The table of calls. The ring carries an index into it and a generation, never a pointer, so that
 * a broker gone wrong cannot make the library touch anything else.
 */
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

/* Last in, first out: few calls in flight touch little memory. */
struct pending *pending_take(struct dspbroker *broker, bool submitted)
{
	struct pending *pending;

	if (list_empty(&broker->free) || (submitted && broker->n_reapable == broker->n_table / 2))
		return NULL;
	pending = container_of(broker->free.prev, struct pending, link);
	list_remove(&pending->link);
	broker->n_reapable += submitted;
	if (!++pending->generation)
		pending->generation++; /* so that no tag is 0 */
	pending->session = NULL;
	pending->user = NULL;
	pending->submitted = submitted;
	pending->area_size = 0;
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

int pending_push(struct dspbroker *broker, struct pending *pending, struct dsp_entry *entry)
{
	int r;

	entry->user_data = pending_tag(broker, pending);
	r = ring_push(&broker->ring, entry, NULL);
	if (r < 0 && broker->n_running)
		return r;
	if (r < 0) {
		connection_break(broker, "the broker's submission index lies");
		return connection_gone(broker);
	}
	pending->running = true;
	list_append(&broker->running, &pending->link);
	broker->n_running++;
	broker->n_submitted += pending->submitted;
	if (ring_submit(&broker->ring))
		ring_kick(broker->doorbell);
	return 0;
}

static void pending_end(struct dspbroker *broker, struct pending *pending, int status)
{
	pending->status = status;
	pending->running = false;
	list_remove(&pending->link);
	broker->n_running--;
	broker->n_submitted -= pending->submitted;
	if (pending->submitted)
		list_append(&broker->ready, &pending->link);
}

void pending_complete(struct dspbroker *broker, const struct dsp_completion *completion)
{
	struct pending *pending = pending_find(broker, completion->user_data);

	if (!pending) {
		connection_break(broker, "the broker completed a call that does not run");
		return;
	}
	if (completion->status > INT32_MAX) {
		connection_break(broker, "the broker completed a call with an impossible status");
		return;
	}
	pending->result = completion->result;
	pending->detail = completion->detail;
	pending->busy_ns = completion->busy_ns;
	pending_end(broker, pending, (int)completion->status);
}

void pending_break(struct dspbroker *broker)
{
	struct pending *pending, *following;

	list_for_each_safe (pending, following, &broker->running, link) {
		pending->result = 0;
		pending->detail = 0;
		pending->busy_ns = 0;
		pending_end(broker, pending, -ECONNRESET);
	}
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
