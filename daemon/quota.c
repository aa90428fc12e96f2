// SPDX-License-Identifier: MIT
#include "daemon/quota.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static const char *const kind_names[QUOTA_KINDS] = {
	[QUOTA_CLIENTS] = "connections",
	[QUOTA_SESSIONS] = "sessions",
	[QUOTA_BUFFERS] = "buffers",
	[QUOTA_BYTES] = "bytes of buffers",
	[QUOTA_FDS] = "descriptors",
	[QUOTA_CALLS] = "calls in flight",
};

static void release_until(struct quota *quota, const struct quota *end, enum quota_kind kind,
	uint64_t amount)
{
	for (struct quota *q = quota; q != end; q = q->parent) {
		assert(q->used[kind] >= amount);
		q->used[kind] -= amount;
	}
}

int quota_charge(struct quota *quota, enum quota_kind kind, uint64_t amount,
	struct quota_refusal *refusal)
{
	for (struct quota *q = quota; q; q = q->parent) {
		/* A limit may have shrunk below what is used. */
		if (q->used[kind] > q->limit[kind] || amount > q->limit[kind] - q->used[kind]) {
			*refusal = (struct quota_refusal){q->owner, kind, q->limit[kind]};
			release_until(quota, q, kind, amount);
			return -EDQUOT;
		}
		q->used[kind] += amount;
	}
	return 0;
}

void quota_release(struct quota *quota, enum quota_kind kind, uint64_t amount)
{
	release_until(quota, NULL, kind, amount);
}

void quota_move(struct quota *quota, struct quota *parent)
{
	for (int kind = 0; kind < QUOTA_KINDS; kind++) {
		for (struct quota *q = parent; q; q = q->parent)
			q->used[kind] += quota->used[kind];
		if (quota->parent)
			quota_release(quota->parent, kind, quota->used[kind]);
	}
	quota->parent = parent;
}

const char *quota_kind_name(enum quota_kind kind)
{
	return kind_names[kind];
}

void quota_refusal_text(const struct quota_refusal *refusal, char *out, size_t size)
{
	snprintf(out, size, "over limit: this %s may have %" PRIu64 " %s at once", refusal->owner,
		refusal->limit, kind_names[refusal->kind]);
}
