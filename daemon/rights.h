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

/* Another policy is in force: give the session what that grants. True: it grants nothing, or what
 * one that is open cannot be given, so the session is revoked. Does nothing with one that opens,
 * which has itself reviewed when it is open, or that ends. */
bool rights_review(struct session *session);

/* May its client call that method, send, receive? */
bool rights_allow_method(const struct session *session, uint32_t method);
bool rights_allow_direction(const struct session *session, enum policy_direction direction);
/* A call begins, or a message is sent, at its rule's expense. Returns DSP_LIMIT_NONE, or which
 * limit it would break, with *@limit set to its value. */
enum dsp_limit rights_begin_call(struct session *session, uint32_t *limit);
void rights_end_call(struct session *session);

#endif
