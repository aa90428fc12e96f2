// SPDX-License-Identifier: MIT
/*
 * What was refused, what became of sessions, and what administrators did: one line each, with
 * fields for machines. What a peer can cause is limited in rate, by its user, and what was
 * suppressed is counted.
 */
#ifndef DSP_AUDIT_H
#define DSP_AUDIT_H

#include "policy/policy.h"
#include "protocol/wire.h"

struct client;
struct device;
struct session;
struct user;

/* Policy does not let it do that; @object as in policy_decide(). */
void audit_denied(struct client *client, enum policy_verb verb, const char *object,
	const struct policy_decision *decision);
/* A call, or a message, that the session's rule does not allow: which method, or which op. */
void audit_denied_call(struct session *session, uint32_t method);
void audit_denied_direction(struct session *session, const char *what);
/* @limit names it ("sessions"), @value is what it is set to; @rule: "" where it is no rule's. */
void audit_over_limit(struct client *client, const char *channel, const char *rule,
	const char *limit, uint64_t value);

void audit_opened(struct session *session);
void audit_lost(struct session *session, const char *text);
/* The peer broke the protocol and loses its connection. */
void audit_expelled(struct client *client, const char *text);

/* The broker forgets the user: what nobody will be told of otherwise. */
void audit_forgotten(const struct user *user);

/* Administrative acts. @by NULL: not by a client, but by a signal or since a file changed. */
void audit_reloaded(struct client *by, size_t rules, unsigned int revoked);
void audit_reload_failed(struct client *by, const struct policy_note *error);
void audit_kicked(struct client *by, const struct session *session);
void audit_power(struct client *by, const struct device *device, enum dsp_power power);

#endif
