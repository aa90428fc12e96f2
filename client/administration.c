// SPDX-License-Identifier: MIT
/* What administrators ask of the broker. */
#include <string.h>

#include "client/internal.h"

int dspbroker_reload(struct dspbroker *broker, uint32_t *rules, uint32_t *revoked)
{
	union dsp_request message = {};
	struct request request = {};
	int r;

	message_clear();
	if (!broker)
		return -EINVAL;

	HOLD(broker);
	r = control_exchange(broker, &request, DSP_RELOAD, &message, sizeof(struct dsp_reload), -1);
	if (r)
		return r;
	if (rules)
		*rules = request.reply.reload.rules;
	if (revoked)
		*revoked = request.reply.reload.revoked;
	return 0;
}

int dspbroker_session_kick(struct dspbroker *broker, uint64_t id)
{
	union dsp_request message = {.kick = {.session = id}};
	struct request request = {};

	message_clear();
	if (!broker)
		return -EINVAL;

	HOLD(broker);
	return control_exchange(broker, &request, DSP_KICK, &message, sizeof(message.kick), -1);
}

int dspbroker_device_power(struct dspbroker *broker, const char *device, enum dspbroker_power power)
{
	union dsp_request message = {.power = {.power = (uint32_t)power}};
	struct request request = {};

	message_clear();
	if (!broker || !device || strlen(device) >= DSP_DEVICE_SIZE)
		return -EINVAL;
	wire_string_set(message.power.device, sizeof(message.power.device), device);

	HOLD(broker);
	return control_exchange(broker, &request, DSP_POWER, &message, sizeof(message.power), -1);
}
