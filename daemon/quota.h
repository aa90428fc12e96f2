// SPDX-License-Identifier: MIT
/*
 * Who pays. Quotas form a chain, connection -> user -> broker; a charge is made on the whole chain
 * or not at all.
 */
#ifndef DSP_QUOTA_H
#define DSP_QUOTA_H

#include <stddef.h>
#include <stdint.h>

enum quota_kind {
	QUOTA_CLIENTS,
	QUOTA_SESSIONS,
	QUOTA_BUFFERS,
	QUOTA_BYTES,
	QUOTA_FDS,
	QUOTA_CALLS,
	QUOTA_KINDS,
};

struct quota {
	struct quota *parent; /* outlives this one; NULL at the end of the chain */
	const char *owner;    /* for messages; static */
	uint64_t limit[QUOTA_KINDS];
	uint64_t used[QUOTA_KINDS];
};

struct quota_refusal {
	const char *owner;
	enum quota_kind kind;
	uint64_t limit;
};

/* Returns 0, or -EDQUOT with *@refusal filled and nothing charged. */
int quota_charge(struct quota *quota, enum quota_kind kind, uint64_t amount,
	struct quota_refusal *refusal);
void quota_release(struct quota *quota, enum quota_kind kind, uint64_t amount);

/* What it has used is another's expense from now on, whatever the limits there. */
void quota_move(struct quota *quota, struct quota *parent);

/* "sessions" */
const char *quota_kind_name(enum quota_kind kind);
/* "this user may have 16 sessions at once", for people. */
void quota_refusal_text(const struct quota_refusal *refusal, char *out, size_t size);

#endif
