// SPDX-License-Identifier: MIT
/* The system calls of each of the steps that confine.h names. */
#ifndef SOFTDSP_CALLS_H
#define SOFTDSP_CALLS_H

#include "daemon/confine/filter.h"

#define CALLS_TABLES_MAX 4

struct calls {
	struct filter_table tables[CALLS_TABLES_MAX];
	size_t n;
};

void calls_supervisor(struct calls *out);
void calls_loading(struct calls *out);
void calls_loaded(struct calls *out);

#endif
