// SPDX-License-Identifier: MIT
/*
 * A protection domain on a FastRPC DSP, which is a kernel session: sessions run their modules
 * there.
 *
 *   WAITING --> STARTING --> READY --> EXITING --> STOPPING --> CLOSING --> gone
 *      ^-----------'            (an end may begin in each state; what cannot be skipped follows)
 *
 *   WAITING   for the kernel to have a session free
 *   STARTING  a thread opens the node and has the DSP make the domain
 *   READY     it takes calls
 *   EXITING   the DSP is asked to end it, so that it answers all that is under way
 *   STOPPING  whatever still blocks is interrupted
 *   CLOSING   a thread closes the node: when that is done, no memory of ours is in the DSP's reach
 *
 * Its calls are made by the crew (daemon/crew.h). What else blocks has threads of the domain's own.
 */
#ifndef DSP_FASTRPC_DOMAIN_H
#define DSP_FASTRPC_DOMAIN_H

#include <stdatomic.h>

#include "daemon/deadline.h"
#include "daemon/limits.h"
#include "daemon/scheduler.h"
#include "daemon/transport/fastrpc/call.h"
#include "daemon/transport/fastrpc/device.h"
#include "daemon/transport/fastrpc/host.h"
#include "daemon/worker.h"
#include "protocol/wire.h"

struct session;
struct tunnel;

enum domain_state {
	DOMAIN_WAITING,
	DOMAIN_STARTING,
	DOMAIN_READY,
	DOMAIN_EXITING,
	DOMAIN_STOPPING,
	DOMAIN_CLOSING,
};

struct fastrpc_domain {
	struct lane lane;
	struct list link;    /* device->domains */
	struct list waiting; /* device->waiting */
	struct fastrpc_device *owner;
	struct user *user; /* of its first session: who pays for its descriptors */
	const struct policy_domain *policy;
	struct policy *policy_owner; /* a reference to what it stands in */
	char share[DSP_RULE_SIZE];   /* "": for one session */
	uint32_t number;
	enum domain_state state;
	unsigned int fds, crew; /* charged to its user; jobs announced to the crew */
	bool ending;            /* it is to end as soon as it has started */
	bool hung;              /* a call did not end in time */
	bool abandoned;         /* the DSP is gone, or said no: there is nobody to ask to end it */
	atomic_bool stop;       /* the tunnel is to end */

	unsigned int n_imports;
	struct list sessions, imports;
	struct workers *workers;
	struct job start, exit, tunnel_job, close;
	struct loop_task parting, farewell; /* from its sessions; from all */
	struct loop_task more;    /* a call was taken back, so there is room for another */
	struct deadline deadline; /* WAITING: of the queue; READY: idle; then: of the step */
	uint64_t waiting_since_us;

	/* While a job runs they are its own: */
	const struct fastrpc_driver *driver;
	char node_name[NODE_NAME_SIZE];
	struct node_place place;
	struct node node;
	struct tunnel *tunnel;
	struct node_result result;
	char text[DSP_TEXT_SIZE]; /* why it did not start */

	struct host_options host;
	char owner_text[DSP_CHANNEL_SIZE + 16]; /* for the log */
	char module_file[DSP_CHANNEL_SIZE];
	char end_text[DSP_TEXT_SIZE];
	struct fastrpc_slot slots[FASTRPC_CALLS];
	unsigned int n_jobs; /* that run in its threads, and calls */
	int module;          /* that its session brought, which keeps it open; -1: none */
	enum dsp_status end_status;
	bool unreleased; /* the DSP did not confirm its end */
	bool unasked;    /* the kernel had no room for asking it to exit */
};

static inline struct fastrpc_domain *fastrpc_domain_of(const struct lane *lane)
{
	return container_of(lane, struct fastrpc_domain, lane);
}

/* The domain that a session may share, or NULL. */
struct fastrpc_domain *fastrpc_domain_to_share(struct fastrpc_device *device,
	const struct session *session);
/* A new one for a session; it starts when it is its turn. Returns 0 or -errno. */
int fastrpc_domain_new(struct fastrpc_domain **out, struct fastrpc_device *device,
	struct session *session);
void fastrpc_domain_attach(struct fastrpc_domain *domain, struct session *session);
void fastrpc_domain_detach(struct fastrpc_domain *domain, struct session *session);
/* It is its turn: start. */
void fastrpc_domain_start(struct fastrpc_domain *domain);
/* End it. Its sessions are told @status and @text, once it is over. */
void fastrpc_domain_end(struct fastrpc_domain *domain, enum dsp_status status, const char *text);
/* The DSP is gone. */
void fastrpc_domain_lost(struct fastrpc_domain *domain);
/* A call did not end in time: interrupt it, and keep what it may still write to. */
void fastrpc_domain_hangs(struct fastrpc_domain *domain, struct fastrpc_slot *slot);

/* That user caused a call that the kernel will not forget. */
void fastrpc_domain_owes(struct fastrpc_domain *domain, uid_t uid);

/* Run a job in one of its threads; fastrpc_domain_job_done() must follow in its done(). The domain
 * stays at least until the loop's next turn. */
void fastrpc_domain_run(struct fastrpc_domain *domain, struct job *job);
void fastrpc_domain_job_done(struct fastrpc_domain *domain);
/* Free it, when it is over and only its memory is left that the DSP did not let go of. */
void fastrpc_domain_free(struct fastrpc_domain *domain);

/* Nobody uses it: it could be ended at once to make room. */
bool fastrpc_domain_is_idle(const struct fastrpc_domain *domain);

/* start.c, in a thread: open the node, make the domain on the DSP, begin the tunnel. What there is
 * of that, also when it fails, is in @domain->node and ->tunnel. */
void fastrpc_start(struct fastrpc_domain *domain);

#endif
