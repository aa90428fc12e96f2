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
		require(!decision.allowed || budget);
		require(!decision.allowed || decision.limits->bytes <= limits.bytes);
	}
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
	return 0;
}
