// SPDX-License-Identifier: MIT
/* What the fake broker answers to administrators. */
#include <string.h>

#include "tests/unit/fake_private.h"

static void reload(struct fake_broker *fake, const struct dsp_header *header)
{
	const struct dsp_reload_reply reply = {
		.header = {.opcode = DSP_RELOAD | DSP_REPLY, .serial = header->serial},
		.rules = FAKE_RULES,
		.revoked = FAKE_REVOKED,
	};

	if (fake->reloads++)
		fake_refuse(fake, header->serial, DSP_BAD_POLICY, "", 0, "a.json:3:7: no such key");
	else
		fake_send(fake, &reply, sizeof(reply));
}

struct dsp_broker_record fake_broker_itself = {
	.version = "9.8.7",
	.confinement = DSP_CONFINED_ALL,
	.since_us = 1700000000000000,
	.landlock = 7,
	.system_calls = 43,
	.rules = FAKE_RULES,
	.reloaded_us = 1700000001000000,
	.devices = 3,
	.clients = 4,
	.sessions = 5,
	.calls = 6,
	.everybody = 1,
};

static void tell(struct fake_broker *fake, const struct dsp_header *header)
{
	struct dsp_broker_record reply = fake_broker_itself;

	reply.header = (struct dsp_header){
		.opcode = DSP_QUERY_BROKER | DSP_REPLY,
		.serial = header->serial,
	};
	fake_send(fake, &reply, sizeof(reply));
}

static void acknowledge(struct fake_broker *fake, const struct dsp_header *header)
{
	const struct dsp_header reply = {
		.opcode = header->opcode | DSP_REPLY,
		.serial = header->serial,
	};

	fake_send(fake, &reply, sizeof(reply));
}

void fake_administration(struct fake_broker *fake, const union dsp_request *request)
{
	const struct dsp_header *header = &request->header;

	if (header->opcode == DSP_RELOAD) {
		reload(fake, header);
	} else if (header->opcode == DSP_QUERY_BROKER) {
		tell(fake, header);
	} else if (header->opcode == DSP_KICK && request->kick.session == FAKE_KICKABLE) {
		acknowledge(fake, header);
	} else if (header->opcode == DSP_POWER && !strcmp(request->power.device, FAKE_SWITCH)) {
		fake->power = request->power.power;
		acknowledge(fake, header);
	} else {
		fake_refuse(fake, header->serial, DSP_NOT_FOUND, "", 0, "there is no such thing");
	}
}

uint32_t fake_broker_power(const struct fake_broker *fake)
{
	return fake->power;
}

void fake_describe_gap(const struct dsp_query *query, struct dsp_session_record *record)
{
	const uint64_t half = (FAKE_GAP_BEGIN + FAKE_GAP_END) / 2;

	if (query->after == FAKE_GAP_BEGIN || query->after == half)
		*record = (struct dsp_session_record){
			.header = record->header,
			.id = query->after == half ? FAKE_GAP_END : half,
		};
	else if (query->after == FAKE_GAP_END)
		record->id = FAKE_GAP_END + 1;
}
