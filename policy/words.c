// SPDX-License-Identifier: MIT
#include "policy/words.h"

#include <string.h>

const char *const words_overflow[POLICY_OVERFLOWS] = {
	[POLICY_OVERFLOW_DROP] = "drop",
	[POLICY_OVERFLOW_CLOSE] = "close",
};

const char *const words_priority[POLICY_PRIORITIES] = {
	[POLICY_PRIORITY_HIGH] = "high",
	[POLICY_PRIORITY_NORMAL] = "normal",
	[POLICY_PRIORITY_LOW] = "low",
};

const char *const words_per[POLICY_PERS] = {
	[POLICY_PER_USER] = "user",
	[POLICY_PER_UNIT] = "unit",
};

const char *const words_direction[POLICY_DIRECTIONS] = {
	[POLICY_BOTH] = "both",
	[POLICY_SEND] = "send",
	[POLICY_RECEIVE] = "receive",
};

const char *const words_lifecycle[POLICY_LIFECYCLES] = {
	[POLICY_EXTERNAL] = "external",
	[POLICY_ON_DEMAND] = "on-demand",
	[POLICY_ALWAYS] = "always",
};

const char *const words_kind[POLICY_KINDS] = {
	[POLICY_DOMAIN_USER] = "user",
	[POLICY_DOMAIN_ROOT] = "root",
	[POLICY_DOMAIN_AUDIO] = "audio",
	[POLICY_DOMAIN_SENSORS] = "sensors",
};

const char *const words_hang[POLICY_HANGS] = {
	[POLICY_HANG_TEARDOWN] = "teardown",
	[POLICY_HANG_QUARANTINE] = "quarantine",
};

const char *const words_without_iommu[2] = {
	[false] = "refuse",
	[true] = "accept",
};

bool words_speaks_fastrpc(const char *transport)
{
	return strcmp(transport, "fastrpc") == 0 || strcmp(transport, "qda") == 0;
}
