// SPDX-License-Identifier: MIT
/* Inside of policy/ only: what index_build.c makes and policy_index.c looks up. */
#ifndef DSP_INDEX_H
#define DSP_INDEX_H

#include "policy/keymap.h"
#include "policy/keys.h"
#include "policy/match.h"

#define INDEX_ANY_GLOB 0 /* no glob is at offset 0 of the texts */

/* A rule that may match, if this glob of its channels does. */
struct index_entry {
	uint32_t rule; /* its number among the denies or the allows */
	uint32_t glob; /* offset into the texts; INDEX_ANY_GLOB: any of its channels */
};

/* Rules of one action, for verbs with one kind of object. */
struct index_side {
	struct keymap peers;         /* the peer's key -> shapes of the objects' keys beside it */
	struct keymap pairs;         /* both keys -> a list: its first entry << 32 | its length */
	struct index_entry *entries; /* in each list rules ascend */
	size_t n_entries;
	uint64_t objects;               /* shapes of all objects' keys */
	uint64_t facts[IDENTITY_FACTS]; /* shapes of all facts' keys */
	uint32_t *groups;               /* that are peers' keys, ascending */
	size_t n_groups, groups_room;
};

/* The largest values among some rules, and how the rules that give them count. */
struct index_budget {
	uint64_t buffers, bytes; /* 0: none gives any */
	enum policy_per buffers_per, bytes_per;
};

struct policy_index {
	struct index_side sides[2][MATCH_KINDS]; /* [allow] */
	/* For budgets: allows for POLICY_OPEN, filed under the peer's key alone. */
	struct index_side budget;
	struct index_budget everyone; /* of those of them that match every peer, summed up */
	bool has_everyone;
};

/* Let a budget have what these limits give. */
void index_add_limits(struct index_budget *out, const struct policy_limits *limits);
/* Do these give a budget nothing that the others would not? */
bool index_is_within(const struct policy_limits *limits, const struct policy_limits *other);

#endif
