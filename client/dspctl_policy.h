// SPDX-License-Identifier: MIT
/* The policy as dspctl reads it: from files, as the broker would, without a broker. */
#ifndef DSPCTL_POLICY_H
#define DSPCTL_POLICY_H

#include "client/dspctl.h"
#include "policy/policy.h"

/* What is suspicious, and how often; printed at once, or kept. */
struct dspctl_warnings {
	struct json_object *list; /* NULL: they are printed */
	size_t n;
};
/* For policy_load() and policy_lint(); @userdata is a struct dspctl_warnings, or NULL: it does not
 * matter. */
void dspctl_policy_warn(const struct policy_note *note, void *userdata);

/* Load the files of the directories that the words name; without any, of the vendor's and the
 * administrator's. Returns 0, or -errno with *@error filled. */
int dspctl_policy_load(struct policy **out, const struct dspctl_options *options,
	struct policy_note *error, struct dspctl_warnings *warnings);
/* The same for who goes on only if that went well: reports failure, returns an exit code. */
int dspctl_policy_need(struct policy **out, const struct dspctl_options *options);

#endif
