// SPDX-License-Identifier: MIT
/*
 * Inside of policy/ only: the compiled rules and how they get there. Everybody else knows policy.h.
 */
#ifndef DSP_COMPILED_H
#define DSP_COMPILED_H

#include <assert.h>

#include "policy/policy.h"
#include "protocol/wire.h"

/* Bounds of what is read. What goes beyond is an error, never cut. */
#define POLICY_FILES_MAX      512                 /* in all directories together */
#define POLICY_FILE_BYTES_MAX (1024 * 1024)       /* of one file */
#define POLICY_DEPTH_MAX      8                   /* objects and lists inside each other */
#define POLICY_RULES_MAX      65536               /* in all files together */
#define POLICY_LIST_MAX       1024                /* entries of "users", "groups" or "channels" */
#define POLICY_LABEL_MAX      (DSP_RULE_SIZE - 1) /* bytes of a rule's or a domain's name */
#define POLICY_GLOB_MAX       (DSP_CHANNEL_SIZE - 1) /* bytes of a channel glob */
#define POLICY_ACCOUNT_MAX    255                    /* bytes of a user's or a group's name */
#define POLICY_COUNT_MAX      1000000                /* value of "sessions", "calls" or "buffers" */
#define POLICY_TIMEOUT_MAX    3600000                /* value of "timeout_ms": one hour */
#define POLICY_BYTES_MAX      (1ull << 40)           /* value of "bytes" */
#define POLICY_BYTES_TEXT_MAX 32                     /* bytes of that value as a string */

/* So that an offset into the texts, or an index, fits into 32 bits. */
static_assert((uint64_t)POLICY_FILES_MAX * POLICY_FILE_BYTES_MAX <= UINT32_MAX / 2, "offsets");

struct policy_span {
	uint32_t first, n;
};

/* A zeroed rule matches nobody. */
struct policy_rule {
	uint32_t name, file;         /* offsets into the texts */
	uint32_t share_domain;       /* the same; 0: a domain of its own */
	uint32_t line;               /* in its file */
	struct policy_span users;    /* into ids */
	struct policy_span groups;   /* into ids */
	struct policy_span channels; /* offset of the first glob, the others follow it */
	bool any_user, any_group;    /* the rule does not ask for that */
	struct policy_limits limits;
};

struct policy_rules {
	struct policy_rule *items;
	size_t n, room;
};

struct policy {
	struct policy_rules denies, allows; /* each in the order of the files */
	uint32_t *ids;
	size_t n_ids, ids_room;
	char *texts; /* NUL-terminated strings; the one at 0 is empty */
	size_t n_texts, texts_room;
};

/* An empty policy, for policy_free(). Returns 0 or -ENOMEM. */
int policy_new(struct policy **out);

/* Append. Return 0 or -ENOMEM. What is added one after the other lies one after the other. */
int policy_add_text(struct policy *policy, const char *text, uint32_t *offset);
int policy_add_id(struct policy *policy, uint32_t id);
int policy_add_rule(struct policy *policy, bool allow, const struct policy_rule *rule);

/* '*' stands for any bytes but '/', '?' for one such byte. At most strlen(glob) * strlen(channel)
 * steps. */
bool policy_glob(const char *glob, const char *channel);

#endif
