// SPDX-License-Identifier: MIT
/* Calls on their way to a FastRPC DSP: each has a slot of its domain, and a thread while it runs.
 */
#ifndef DSP_FASTRPC_CALL_H
#define DSP_FASTRPC_CALL_H

#include <stdatomic.h>

#include "daemon/transport/fastrpc/driver.h"
#include "daemon/transport/fastrpc/window.h"
#include "daemon/worker.h"
#include "protocol/ring.h"

struct call;
struct fastrpc_domain;

#define FASTRPC_CALLS      4    /* that a domain has under way at a time */
#define FASTRPC_ESCAPE_MAX 4096 /* bytes of input 0 of a method above 30 */

struct fastrpc_slot {
	struct job job;
	struct fastrpc_domain *domain;
	struct call *call; /* NULL: free */
	bool hung;         /* it is to be interrupted until it is back */
	bool sits;         /* its call hung, so its thread waits here for the end of the domain */
	atomic_bool stop;  /* do not try again */

	/* Its thread's, while the job runs: */
	uint32_t handle, scalars;
	struct node_arg args[DSP_ARGS_MAX];
	struct node_result result;
	uint64_t begun_ns; /* when it was taken up, or tried again */
	uint64_t busy_ns;
	char *escape;       /* its private copy of input 0, if the method is named there; owned */
	struct guarded own; /* for arguments of the broker's own calls */
};

int fastrpc_call_submit(struct call *call);
bool fastrpc_call_cancel(struct call *call);
void fastrpc_call_abort(struct call *call);
void fastrpc_slots_init(struct fastrpc_domain *domain);

#endif
