// SPDX-License-Identifier: MIT
/*
 * The kernel keeps 255 calls of a DSP apart. A call that it gives up before the DSP has answered
 * keeps its place until the DSP restarts, so who causes such calls uses up what belongs to all.
 * Here they are counted, by user.
 */
#ifndef DSP_FASTRPC_DEBTS_H
#define DSP_FASTRPC_DEBTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "protocol/util.h"

/* So many calls one user may leave behind between two restarts, before it gets no more domains. */
#define DEBT_MAX 32

struct debts {
	struct list users;
};

void debts_init(struct debts *debts);
/* The DSP has restarted: none are left. */
void debts_clear(struct debts *debts);
/* One more. Out of memory it is forgotten. */
void debts_add(struct debts *debts, uid_t uid);
bool debts_too_many(const struct debts *debts, uid_t uid);

#endif
