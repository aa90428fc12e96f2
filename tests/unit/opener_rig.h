// SPDX-License-Identifier: MIT
/*
 * A real process that opens nodes (daemon/opener.h), and real devices for it (nodes_rig.h). A test
 * begins with neither, and with them leaves no descriptor behind.
 */
#ifndef DSP_TESTS_OPENER_RIG_H
#define DSP_TESTS_OPENER_RIG_H

#include "daemon/broker.h"
#include "daemon/opener_process.h"
#include "tests/unit/nodes_rig.h"

#define NODE "fastrpc-null"

extern struct opener *opener;
extern struct broker_options options; /* only the folder is named */

/* Fixtures. */
void opener_set_up(void);
void opener_tear_down(void);

void start(void);
/* The same, but it opens whatever is there, by any name, as if somebody had taken it over. */
void start_taken_over(bool confined);

/* It must fail with that, both ways. */
void must_not_open(const char *name, int flags, int error);
/* How many children it has. */
size_t count_its_children(void);

#endif
