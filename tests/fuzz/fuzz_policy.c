// SPDX-License-Identifier: MIT
/* Any bytes as a policy file: an error with a text, or a policy that answers without harm. */
#include <string.h>

#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool fact)
{
	if (!fact)
		abort();
}

static void check_note(const struct policy_note *note, void *userdata)
{
	(void)userdata;
	require(strcmp(note->file, "fuzz.json") == 0 && note->text[0]);
	require((note->line > 0) == (note->column > 0));
}

static void ask(const struct policy *policy, const struct identity *who)
{
	static const char *const channels[] = {"", "/", "d/s", "soft0/denoise", "cdsp/aaaaaaaab"};
	struct policy_decision decision;
	struct policy_limits limits;
	bool budget = policy_budget(policy, who, &limits);

	for (size_t i = 0; i < ARRAY_SIZE(channels); i++) {
		policy_decide(policy, who, channels[i], &decision);
		require(decision.rule && strlen(decision.rule) > 0);
		require(decision.allowed == (decision.limits != NULL));
		require(!decision.share_domain || decision.allowed);
		require(!decision.exclusive || decision.allowed);
		require(decision.overflow == POLICY_OVERFLOW_DROP || decision.allowed);
		require(decision.overflow <= POLICY_OVERFLOW_CLOSE);
		require(!decision.allowed || decision.limits->messages <= 65536);
		require(!decision.allowed || budget);
		require(!decision.allowed || decision.limits->bytes <= limits.bytes);
	}
}

static bool is_name(const char *text)
{
	static const char may[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t length = strlen(text);

	return length >= 1 && length <= 31 && strspn(text, may) == length;
}

static bool is_remoteproc(const char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i++)
		if (text[i] <= ' ' || text[i] > '~' || text[i] == '/')
			return false;
	return length >= 1 && length <= 63 && text[0] != '.';
}

static void check_services(const struct policy_device *device)
{
	require(device->n_services <= 64);
	for (size_t i = 0; i < device->n_services; i++) {
		require(is_name(device->services[i].name));
		require(device->services[i].address <= 0xFFFFFFFE);
		for (size_t k = 0; k < i; k++)
			require(strcmp(device->services[i].name, device->services[k].name) != 0);
	}
}

static void check_device(const struct policy_device *device)
{
	const struct policy_device *plain = &POLICY_DEVICE_DEFAULT;

	require(is_name(device->name));
	require(!device->remoteproc || is_remoteproc(device->remoteproc));
	require(device->lifecycle <= POLICY_ALWAYS);
	require(device->lifecycle == POLICY_EXTERNAL || device->remoteproc);
	require(device->lifecycle == POLICY_EXTERNAL || device->transport);
	require(!device->transport || strcmp(device->transport, "rpmsg") == 0 ||
		strcmp(device->transport, "soft") == 0);
	require(device->lifecycle == POLICY_ON_DEMAND || device->idle_ms == plain->idle_ms);
	require(device->lifecycle != POLICY_EXTERNAL || device->stop_with_broker);
	require(device->idle_ms <= 3600000 && device->mtu <= 65536);
	require(device->coredumps <= 100);
	require(device->coredump_bytes >= 1 && device->coredump_bytes <= 1 << 30);
	check_services(device);
}

static void check_devices(const struct policy *policy)
{
	const struct policy_device *device, *other;

	for (size_t i = 0; (device = policy_device_at(policy, i)); i++) {
		require(i < 64);
		check_device(device);
		require(policy_device(policy, device->name) == device);
		for (size_t k = 0; k < i; k++) {
			other = policy_device_at(policy, k);
			require(strcmp(device->name, other->name) != 0);
			require(!device->remoteproc || !other->remoteproc ||
				strcmp(device->remoteproc, other->remoteproc) != 0);
		}
	}
	require(policy_device(policy, "/") == &POLICY_DEVICE_DEFAULT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	gid_t groups[] = {29, 1000};
	const struct identity peers[] = {
		{.uid = 0, .gid = 0},
		{.uid = 1000, .gid = 1000},
		{.uid = 1, .gid = 2, .groups = groups, .n_groups = ARRAY_SIZE(groups)},
	};
	_cleanup_(policy_freep) struct policy *policy = NULL;
	struct policy_note error;
	int r = policy_parse(&policy, "fuzz.json", (const char *)data, size, &error, check_note,
		NULL);

	require((r == 0) == (policy != NULL));
	if (r < 0) {
		check_note(&error, NULL);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++)
		ask(policy, &peers[i]);
	check_devices(policy);
	return 0;
}
