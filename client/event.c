// SPDX-License-Identifier: MIT
#include "client/internal.h"

static struct dspbroker_session *session_find(struct dspbroker *broker, uint32_t id)
{
	struct dspbroker_session *session;

	list_for_each (session, &broker->sessions, link)
		if (session->id == id)
			return session;
	return NULL;
}

static const struct dspbroker_event lost = {.type = DSPBROKER_EVENT_LOST};

/* The last place is for the news that there were more. */
static void event_append(struct dspbroker *broker, const struct dspbroker_event *event)
{
	unsigned int end = (broker->first_event + broker->n_events) % EVENTS_MAX;

	if (broker->n_events == EVENTS_MAX)
		return;
	broker->events[end] = broker->n_events == EVENTS_MAX - 1 ? lost : *event;
	broker->n_events++;
}

static void session_event(struct dspbroker *broker, const struct dsp_event_session *wire)
{
	struct dspbroker_event event = {
		.type = DSPBROKER_EVENT_SESSION,
		.session = session_find(broker, wire->session),
		.status = (int)MIN(wire->status, INT32_MAX),
	};

	if (!event.session)
		return; /* it was closed while the event was on its way */
	wire_string_set(event.text, sizeof(event.text), wire->text);
	event.session->death = event.status;
	wire_string_set(event.session->death_text, sizeof(event.session->death_text), wire->text);
	event_append(broker, &event);
	message_died(event.session);
}

static void device_event(struct dspbroker *broker, const struct dsp_event_device *wire)
{
	struct dspbroker_event event = {
		.type = DSPBROKER_EVENT_DEVICE,
		.up = wire->up != 0,
		.generation = wire->generation,
		.state = state_from_wire(wire->state),
	};

	wire_string_set(event.device, sizeof(event.device), wire->device);
	event_append(broker, &event);
}

static void channel_event(struct dspbroker *broker, const struct dsp_event_channel *wire)
{
	struct dspbroker_event event = {
		.type = DSPBROKER_EVENT_CHANNEL,
		.up = wire->present != 0,
		.message = wire->kind == DSP_KIND_MESSAGE,
	};

	wire_string_set(event.channel, sizeof(event.channel), wire->name);
	event_append(broker, &event);
}

static void shutdown_event(struct dspbroker *broker, const struct dsp_event_shutdown *wire)
{
	struct dspbroker_event event = {
		.type = DSPBROKER_EVENT_SHUTDOWN,
		.grace_ms = wire->grace_ms,
	};

	event_append(broker, &event);
}

void events_receive(struct dspbroker *broker, const union packet *packet)
{
	switch (packet->header.opcode) {
	case DSP_EVENT_SESSION:
		session_event(broker, &packet->session);
		break;
	case DSP_EVENT_DEVICE:
		device_event(broker, &packet->device);
		break;
	case DSP_EVENT_CHANNEL:
		channel_event(broker, &packet->channel);
		break;
	case DSP_EVENT_LOST:
		event_append(broker, &lost);
		break;
	case DSP_EVENT_SHUTDOWN:
		shutdown_event(broker, &packet->shutdown);
		break;
	}
}

void events_forget(struct dspbroker *broker, const struct dspbroker_session *session)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < broker->n_events; i++) {
		struct dspbroker_event *event =
			&broker->events[(broker->first_event + i) % EVENTS_MAX];

		if (event->session != session)
			broker->events[(broker->first_event + kept++) % EVENTS_MAX] = *event;
	}
	broker->n_events = kept;
}

int dspbroker_next_event(struct dspbroker *broker, struct dspbroker_event *out)
{
	message_clear();
	if (!broker || !out)
		return -EINVAL;

	HOLD(broker);
	while (!broker->n_events && !broker->broken)
		if (pump_wait(broker, DEADLINE_NOW) == -ETIMEDOUT)
			break;
	if (!broker->n_events) {
		connection_clear_attention(broker);
		return broker->broken ? connection_gone(broker) : 0;
	}
	*out = broker->events[broker->first_event];
	broker->first_event = (broker->first_event + 1) % EVENTS_MAX;
	broker->n_events--;
	return 1;
}
