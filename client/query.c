// SPDX-License-Identifier: MIT
#include <string.h>

#include "client/internal.h"

static_assert(offsetof(struct dsp_device_record, id) == offsetof(union packet, record.id) &&
		      offsetof(struct dsp_channel_record, id) ==
			      offsetof(union packet, record.id) &&
		      offsetof(struct dsp_session_record, id) == offsetof(union packet, record.id),
	"every record starts with its id");

enum dspbroker_state state_from_wire(uint32_t state)
{
	return state < DSP_STATE_COUNT ? (enum dspbroker_state)state : DSPBROKER_STATE_UNKNOWN;
}

/* What we do not know is no protection. */
static enum dspbroker_isolation isolation_from_wire(uint32_t isolation)
{
	return isolation < DSP_ISOLATION_COUNT ? (enum dspbroker_isolation)isolation
					       : DSPBROKER_ISOLATION_REFUSED;
}

const char *dspbroker_state_name(enum dspbroker_state state)
{
	return wire_state_name((uint32_t)state);
}

const char *dspbroker_isolation_name(enum dspbroker_isolation isolation)
{
	return wire_isolation_name((uint32_t)isolation);
}

const char *dspbroker_attribute_name(uint32_t id)
{
	static const char *const names[] = {
		[DSPBROKER_ATTRIBUTE_DOMAIN] = "domain",
		[DSPBROKER_ATTRIBUTE_UNSIGNED] = "unsigned",
		[DSPBROKER_ATTRIBUTE_HVX64] = "hvx64",
		[DSPBROKER_ATTRIBUTE_HVX128] = "hvx128",
		[DSPBROKER_ATTRIBUTE_VTCM_PAGE] = "vtcm_page",
		[DSPBROKER_ATTRIBUTE_VTCM_COUNT] = "vtcm_count",
		[DSPBROKER_ATTRIBUTE_ARCH] = "arch",
		[DSPBROKER_ATTRIBUTE_HMX_DEPTH] = "hmx_depth",
		[DSPBROKER_ATTRIBUTE_HMX_SPATIAL] = "hmx_spatial",
		[DSPBROKER_ATTRIBUTE_ASYNC] = "async",
		[DSPBROKER_ATTRIBUTE_NOTIFICATIONS] = "notifications",
		[DSPBROKER_ATTRIBUTE_MULTICAST] = "multicast",
	};
	static_assert(ARRAY_SIZE(names) == DSP_ATTRIBUTES_MAX, "each has a name");

	return id < ARRAY_SIZE(names) ? names[id] : "unknown";
}

/* Fetch the record after @after. Returns 1, 0 when there is none, or a negative errno. */
static int query(struct dspbroker *broker, struct request *request, uint16_t opcode, uint64_t after)
{
	union dsp_request message = {.query = {.after = after}};
	uint64_t id;
	int r;

	*request = (struct request){};
	HOLD(broker);
	r = control_exchange(broker, request, opcode, &message, sizeof(message.query), -1);
	if (r)
		return r < 0 ? r : -EREMOTEIO;
	id = request->reply.record.id;
	if (id && id <= after) {
		connection_break(broker, "the broker's list goes in circles");
		return connection_gone(broker);
	}
	return id != 0;
}

int dspbroker_next_device(struct dspbroker *broker, uint64_t id, struct dspbroker_device_info *out)
{
	struct request request = {};
	const struct dsp_device_record *record = &request.reply.device_record;
	int r;

	message_clear();
	if (!broker || !out)
		return -EINVAL;
	r = query(broker, &request, DSP_QUERY_DEVICE, id);
	if (r <= 0)
		return r;
	*out = (struct dspbroker_device_info){
		.id = record->id,
		.up = record->up != 0,
		.generation = record->generation,
		.channels = record->channels,
		.sessions = record->sessions,
		.domains = record->domains,
		.state = state_from_wire(record->state),
		.isolation = isolation_from_wire(record->isolation),
		.coredumps = record->coredumps,
		.domains_max = record->domains_max,
		.domains_hung = record->domains_hung,
		.waiting = record->waiting,
		.n_attributes = MIN(record->n_attributes, (uint32_t)DSP_ATTRIBUTES_MAX),
	};
	memcpy(out->attributes, record->attributes, out->n_attributes * sizeof(uint32_t));
	wire_string_set(out->name, sizeof(out->name), record->name);
	wire_string_set(out->transport, sizeof(out->transport), record->transport);
	wire_string_set(out->remoteproc, sizeof(out->remoteproc), record->remoteproc);
	wire_string_set(out->trouble, sizeof(out->trouble), record->trouble);
	return 1;
}

int dspbroker_next_channel(struct dspbroker *broker, uint64_t id,
	struct dspbroker_channel_info *out)
{
	struct request request = {};
	const struct dsp_channel_record *record = &request.reply.channel_record;
	int r;

	message_clear();
	if (!broker || !out)
		return -EINVAL;
	r = query(broker, &request, DSP_QUERY_CHANNEL, id);
	if (r <= 0)
		return r;
	*out = (struct dspbroker_channel_info){
		.id = record->id,
		.message = record->kind == DSP_KIND_MESSAGE,
		.allowed = record->allowed != 0,
	};
	wire_string_set(out->name, sizeof(out->name), record->name);
	wire_string_set(out->rule, sizeof(out->rule), record->rule);
	return 1;
}

int dspbroker_next_session(struct dspbroker *broker, uint64_t id,
	struct dspbroker_session_record *out)
{
	struct request request = {};
	const struct dsp_session_record *record = &request.reply.session_record;
	int r;

	message_clear();
	if (!broker || !out)
		return -EINVAL;
	/* One without a channel says that the broker has looked so far and found nothing. */
	do {
		r = query(broker, &request, DSP_QUERY_SESSION, id);
		id = record->id;
	} while (r > 0 && !record->channel[0]);
	if (r <= 0)
		return r;
	*out = (struct dspbroker_session_record){
		.id = record->id,
		.uid = record->uid,
		.pid = record->pid,
		.in_flight = record->in_flight,
		.domain = record->domain,
		.calls = record->calls,
		.errors = record->errors,
		.busy_ns = record->busy_ns,
		.since_us = record->since_us,
		.message = record->kind == DSP_KIND_MESSAGE,
		.received = record->received,
		.dropped = record->dropped,
		.queued = record->queued,
	};
	wire_string_set(out->channel, sizeof(out->channel), record->channel);
	wire_string_set(out->rule, sizeof(out->rule), record->rule);
	return 1;
}

int dspbroker_broker_info(struct dspbroker *broker, struct dspbroker_broker_info *out)
{
	union dsp_request message = {};
	struct request request = {};
	const struct dsp_broker_record *record = &request.reply.broker_record;
	int r;

	message_clear();
	if (!broker || !out)
		return -EINVAL;
	HOLD(broker);
	r = control_exchange(broker, &request, DSP_QUERY_BROKER, &message,
		sizeof(struct dsp_query_broker), -1);
	if (r)
		return r;
	*out = (struct dspbroker_broker_info){
		.confinement = record->confinement,
		.since_us = record->since_us,
		.reloaded_us = record->reloaded_us,
		.reload_status = (int)MIN(record->reload_status, (uint32_t)INT32_MAX),
		.rules = record->rules,
		.landlock = record->landlock,
		.system_calls = record->system_calls,
		.devices = record->devices,
		.everybody = record->everybody != 0,
		.clients = record->clients,
		.sessions = record->sessions,
		.calls = record->calls,
		.accept_paused = record->accept_paused != 0,
	};
	wire_string_set(out->version, sizeof(out->version), record->version);
	return 0;
}
