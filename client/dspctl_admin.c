// SPDX-License-Identifier: MIT
/* `dspctl policy reload`, `kick`, `start` and `stop`: what administrators ask of a broker. */
#include <inttypes.h>
#include <stdio.h>

#include "client/dspctl.h"
#include "client/dspctl_args.h"

static void print_reload(uint32_t rules, uint32_t revoked, bool json)
{
	_cleanup_(dspctl_jsonp) struct json_object *root = NULL;

	if (!json) {
		printf("OK: %" PRIu32 " rules; sessions that lost their right: %" PRIu32 "\n",
			rules, revoked);
		return;
	}
	root = json_object_new_object();
	json_object_object_add(root, "rules", json_object_new_uint64(rules));
	json_object_object_add(root, "revoked", json_object_new_uint64(revoked));
	dspctl_print_json(root);
}

int dspctl_policy_reload(const struct dspctl_options *options)
{
	_cleanup_(dspbroker_freep) struct dspbroker *broker = NULL;
	uint32_t rules, revoked;
	int r = dspctl_connect(&broker, options);

	if (r)
		return r;
	r = dspbroker_reload(broker, &rules, &revoked);
	if (r)
		return dspctl_fail_request(r, "reload");
	print_reload(rules, revoked, options->json);
	return DSPCTL_OK;
}

int dspctl_kick(const struct dspctl_options *options)
{
	_cleanup_(dspbroker_freep) struct dspbroker *broker = NULL;
	const char *word = options->words[0];
	int64_t id;
	int r;

	if (dspctl_integer_parse(&id, word, 1, INT64_MAX) < 0)
		return dspctl_fail(DSPCTL_USAGE,
			"%s: no session's number; `dspctl sessions` lists them as ID", word);
	r = dspctl_connect(&broker, options);
	if (r)
		return r;
	r = dspbroker_session_kick(broker, (uint64_t)id);
	return r ? dspctl_fail_request(r, "session %s", word) : DSPCTL_OK;
}

static int power(const struct dspctl_options *options, enum dspbroker_power power)
{
	_cleanup_(dspbroker_freep) struct dspbroker *broker = NULL;
	const char *device = options->words[0];
	int r = dspctl_connect(&broker, options);

	if (r)
		return r;
	r = dspbroker_device_power(broker, device, power);
	return r ? dspctl_fail_request(r, "%s", device) : DSPCTL_OK;
}

int dspctl_start(const struct dspctl_options *options)
{
	return power(options, DSPBROKER_POWER_START);
}

int dspctl_stop(const struct dspctl_options *options)
{
	return power(options, DSPBROKER_POWER_STOP);
}
