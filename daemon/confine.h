// SPDX-License-Identifier: MIT
/*
 * The broker's confinement: no capability, undumpable, no more resources, no files but its own, and
 * a list of system calls. It is entered once, when everything that needs more has been started, and
 * before there are threads and clients.
 */
#ifndef DSP_CONFINE_H
#define DSP_CONFINE_H

#include <stdint.h>

#include "daemon/confine/filter.h"

struct broker;
struct broker_options;

/* Tables of all system calls that the broker may make: its own, and its transports'. What only this
 * process knows of itself (its number) is filled in. */
#define CONFINE_TABLES_MAX 16
struct confine_tables {
	struct filter_rule self[1];
	struct filter_table tables[CONFINE_TABLES_MAX];
	size_t n;
};
void confine_tables(struct confine_tables *out, const struct broker_options *options);
/* How many calls of this machine they allow, however many rows each has. */
uint32_t confine_count_calls(const struct confine_tables *all);

/* Enter it. What this kernel has not got (Landlock), and to run as root, is a warning; what it has
 * and cannot be had is an error, or with --allow-unconfined a warning as well. The result is in
 * broker->confinement (enum dsp_confinement in protocol/wire.h). Logs; returns 0 or -errno. */
int confine_broker(struct broker *broker);

#endif
