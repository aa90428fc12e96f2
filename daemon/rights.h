// SPDX-License-Identifier: MIT
/*
 * What policy grants a session: resolved when it is opened, so that a call meets nothing but
 * numbers to compare, and once more when another policy takes over.
 */
#ifndef DSP_RIGHTS_H
#define DSP_RIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/quota.h"
#include "policy/policy.h"
#include "protocol/ring.h"
#include "protocol/wire.h"

struct account;
struct client;
struct session;

/* Charge a session to its client, or tell the client why not. Returns 0 or -errno. */
int rights_charge(struct client *client, const char *channel,
	const struct policy_decision *decision, uint32_t serial, struct account **out);
void rights_discharge(struct client *client, struct account *account);

/* What the policy in force has decided holds for a session that was charged for. */
void rights_grant(struct session *session, const struct policy_decision *decision);
/* Let go of the policy. */
void rights_end(struct session *session);

/* Another policy is in force: give the session what that grants, and end what waits and is not
 * allowed any more. True: it grants nothing, or what one that is open cannot be given, so the
 * session is revoked, or not opened. One that is being opened is given what is granted when it is
 * open. */
bool rights_review(struct session *session);

/* May its client do that? */
bool rights_allow_call(const struct session *session, enum dsp_op op, uint32_t method);
/* A call begins, or a message is sent, at its rule's expense. Returns DSP_LIMIT_NONE, or which
 * limit it would break, with *@limit set to its value. */
enum dsp_limit rights_begin_call(struct session *session, uint32_t *limit);
void rights_end_call(struct session *session);

#endif
