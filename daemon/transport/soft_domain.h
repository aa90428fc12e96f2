// SPDX-License-Identifier: MIT
/* The software DSP's protection domains, as the broker sees them. Used by soft.c alone. */
#ifndef DSP_SOFT_DOMAIN_H
#define DSP_SOFT_DOMAIN_H

#include <systemd/sd-event.h>

#include "daemon/buffer.h"
#include "daemon/device.h"
#include "daemon/limits.h"
#include "daemon/loop.h"
#include "daemon/scheduler.h"
#include "daemon/transport/softdsp.h"
#include "protocol/ring.h"
#include "protocol/wire.h"

struct session;

struct soft_device {
	struct device device;
	sd_event_source *source;
	int sock; /* to the supervisor; -1: it is gone */
	pid_t pid;
	struct list domains;
	struct list dirty; /* domains with entries to be made visible */
	uint32_t last_domain;
};

/* A buffer in a domain. */
struct soft_import {
	struct import import;
	struct list unmap; /* domain->unmaps, until its UNMAP is in the ring */
};

/* What the domain has been given and has not answered. */
struct soft_slot {
	struct call *call; /* NULL: taken back, but its entry still has to come out */
	uint32_t position; /* in the ring */
};

struct soft_domain {
	struct list link;  /* soft->domains */
	struct list dirty; /* soft->dirty */
	struct soft_device *soft;
	uint32_t number;
	char module[SOFT_MODULE_SIZE];
	char share[DSP_RULE_SIZE]; /* "": private */

	int sock;
	int notify; /* an eventfd, which the domain rings; we only watch it */
	sd_event_source *sock_source;
	struct loop_source notify_source;
	struct loop_poller poller; /* of its ring */
	struct dsp_ring ring;
	struct lane lane;
	struct list sessions;
	uint64_t tags[SOFT_SESSIONS_MAX / 64]; /* session ids in use, a bit each */

	struct soft_slot slots[DOMAIN_CALLS];
	uint64_t free_slots;          /* a bit each */
	struct soft_import **imports; /* by id; NULL: free */
	uint32_t n_imports;           /* entries of imports */
	struct list unmaps;
	unsigned int unmaps_in_ring;

	bool ending; /* to be killed, or about to end by itself */
	bool kill_sent;
	enum dsp_status end_status;   /* what its sessions are told */
	char end_text[DSP_TEXT_SIZE]; /* "": the wait status tells */
};

/* Have one started for a module of that name. Returns 0 or -errno. */
int soft_domain_new(struct soft_domain **out, struct soft_device *soft, const char *module,
	const char *share);
/* Attach a session. Returns 0, or -ENOSPC when it is full. */
int soft_domain_attach(struct soft_domain *domain, struct session *session);
/* Detach it; ends in session_closed(). */
void soft_domain_detach(struct soft_domain *domain, struct session *session);

/* Have it killed. soft_domain_gone() follows. */
void soft_domain_end(struct soft_domain *domain, enum dsp_status status, const char *text);
/* Send the KILL that found no room in the supervisor's socket before. */
void soft_domain_send_kill(struct soft_domain *domain);
/* It has ended: its memory is quiet. Ends its calls and sessions, and frees it. */
void soft_domain_gone(struct soft_domain *domain, int wait_status);

int soft_domain_import(struct soft_domain *domain, struct buffer *buffer, struct import **out);
void soft_domain_release(struct soft_domain *domain, struct import *import);
int soft_domain_submit(struct soft_domain *domain, struct call *call);
bool soft_domain_cancel(struct soft_domain *domain, struct call *call);
void soft_domain_flush(struct soft_domain *domain);

#endif
