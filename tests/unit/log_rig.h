// SPDX-License-Identifier: MIT
/* What the broker logs while no terminal and no journal listens, line by line. */
#ifndef DSP_TEST_LOG_RIG_H
#define DSP_TEST_LOG_RIG_H

#include <stddef.h>

struct json_object;

/* From here on what is written to stderr is kept, and log_init() was told so. */
void log_rig_begin(void);
void log_rig_end(void);

/* How many lines there are. The last one must have ended. */
size_t log_rig_lines(void);
/* One of them, from 0, without its newline; there must be so many. Overwritten by the next call. */
const char *log_rig_line(size_t i);
/* The same for one that must be an object of JSON, to be put. */
struct json_object *log_rig_entry(size_t i);
/* One of its strings, NULL: it has none of that name. */
const char *log_rig_field(struct json_object *entry, const char *name);

#endif
