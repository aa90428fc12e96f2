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

/* A name of at most @max bytes. */
static bool is_name(const char *text, size_t max)
{
	static const char may[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t length = strlen(text);

	return length >= 1 && length <= max && strspn(text, may) == length;
}

static void check_dir(const struct policy_dir *dir)
{
	size_t length = strlen(dir->path);

	require(length >= 2 && length <= 255);
	require(dir->path[0] == '/' && dir->path[length - 1] != '/');
	for (size_t i = 0; i < length; i++) {
		const char *at = dir->path + i;

		require((unsigned char)*at >= ' ' && *at != 0x7f);
		require(strncmp(at, "//", 2) != 0);
		require(strncmp(at, "/./", 3) != 0 && strcmp(at, "/.") != 0);
		require(strncmp(at, "/../", 4) != 0 && strcmp(at, "/..") != 0);
	}
}

/* At most @max, of which each is another. */
static void check_dirs(const struct policy_dir *dirs, size_t n, size_t max)
{
	require(n <= max && (dirs != NULL) == (n > 0));
	for (size_t i = 0; i < n; i++) {
		check_dir(&dirs[i]);
		for (size_t k = 0; k < i; k++)
			require(strcmp(dirs[i].path, dirs[k].path) != 0);
	}
}

static void check_domain(const struct policy_domain *domain)
{
	const struct policy_domain *plain = &POLICY_DOMAIN_DEFAULT;

	require(domain == plain || is_name(domain->name, 63));
	require(domain->kind <= POLICY_DOMAIN_SENSORS);
	require(domain->kind == POLICY_DOMAIN_USER || !domain->is_signed);
	require(domain->kind == POLICY_DOMAIN_USER || !domain->own_modules);
	require(!domain->is_signed || !domain->own_modules);
	require(domain->hang <= POLICY_HANG_QUARANTINE);
	check_dirs(domain->dirs, domain->n_dirs, 32);
	require(domain->files <= 1024 && domain->file_bytes <= 1ull << 40);
	require(domain->memory <= 4ull << 30);
}

static void ask(const struct policy *policy, const struct identity *who)
{
	static const char *const channels[] = {"", "/", "d/s", "soft0/denoise", "cdsp/aaaaaaaab"};
	struct policy_decision decision;
	struct policy_limits limits;
	bool budget = policy_budget(policy, who, &limits);

	for (size_t i = 0; i < ARRAY_SIZE(channels); i++) {
		policy_decide(policy, who, POLICY_OPEN, channels[i], &decision);
		require(decision.rule && strlen(decision.rule) > 0);
		require(decision.allowed == (decision.limits != NULL));
		require(!decision.share_domain || decision.allowed);
		require(decision.allowed == (decision.domain != NULL));
		if (decision.domain)
			check_domain(decision.domain);
		require(!decision.exclusive || decision.allowed);
		require(decision.overflow == POLICY_OVERFLOW_DROP || decision.allowed);
		require(decision.overflow <= POLICY_OVERFLOW_CLOSE);
		require(!decision.allowed || decision.limits->messages <= 65536);
		require(!decision.allowed || budget);
		require(!decision.allowed || decision.limits->bytes <= limits.bytes);
	}
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
		require(is_name(device->services[i].name, 31));
		require(device->services[i].address <= 0xFFFFFFFE);
		for (size_t k = 0; k < i; k++)
			require(strcmp(device->services[i].name, device->services[k].name) != 0);
	}
}

static void check_fastrpc(const struct policy_device *device)
{
	const struct policy_device *plain = &POLICY_DEVICE_DEFAULT;

	check_dirs(device->shells, device->n_shells, 16);
	check_dirs(device->modules, device->n_modules, 16);
	require(device->queue_ms <= 60000 && device->domain_idle_ms <= 3600000);
	if (!device->transport || strcmp(device->transport, "fastrpc") == 0 ||
		strcmp(device->transport, "qda") == 0)
		return;
	require(!device->n_shells && !device->n_modules);
	require(device->queue_ms == plain->queue_ms);
	require(device->domain_idle_ms == plain->domain_idle_ms && !device->exclusive);
}

static void check_device(const struct policy_device *device)
{
	const struct policy_device *plain = &POLICY_DEVICE_DEFAULT;

	require(is_name(device->name, 31));
	require(!device->remoteproc || is_remoteproc(device->remoteproc));
	require(device->lifecycle <= POLICY_ALWAYS);
	require(device->lifecycle == POLICY_EXTERNAL || device->remoteproc);
	require(device->lifecycle == POLICY_EXTERNAL || device->transport);
	require(!device->transport || strcmp(device->transport, "fastrpc") == 0 ||
		strcmp(device->transport, "qda") == 0 || strcmp(device->transport, "rpmsg") == 0 ||
		strcmp(device->transport, "soft") == 0);
	require(device->lifecycle == POLICY_ON_DEMAND || device->idle_ms == plain->idle_ms);
	require(device->lifecycle != POLICY_EXTERNAL || device->stop_with_broker);
	require(device->idle_ms <= 3600000 && device->mtu <= 65536);
	require(device->coredumps <= 100);
	require(device->coredump_bytes >= 1 && device->coredump_bytes <= 1 << 30);
	check_services(device);
	check_fastrpc(device);
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
	_cleanup_(policy_unrefp) struct policy *policy = NULL;
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
