// SPDX-License-Identifier: MIT
/* What was refused, and what became of sessions, for administrators: one line each with fields. */
#ifndef DSP_AUDIT_H
#define DSP_AUDIT_H

#include "policy/policy.h"

struct client;
struct session;

void audit_denied(struct client *client, const char *channel,
	const struct policy_decision *decision);
void audit_opened(struct session *session);
void audit_lost(struct session *session, const char *text);
/* The peer broke the protocol and loses its connection. */
void audit_expelled(struct client *client, const char *text);

#endif
