// SPDX-License-Identifier: MIT
/* What happens to devices and channels, as it happens. */
#ifndef DSPCTL_FOLLOW_H
#define DSPCTL_FOLLOW_H

#include "client/dspctl.h"

/*
 * Call @list, which shows how things are, and then print a line for each event of a device or a
 * channel, until a signal ends it or nobody reads on. Should events have been lost, @list is called
 * again. Reports its own errors, as @list does, and returns an exit code.
 */
int dspctl_follow(struct dspbroker *broker, const struct dspctl_options *options,
	int (*list)(struct dspbroker *broker, const struct dspctl_options *options));

/* The state of a remote processor; null: there is none. */
struct json_object *dspctl_state_json(enum dspbroker_state state);

#endif
