// SPDX-License-Identifier: MIT
/* Requests of administrators: what they may do, policy says, each verb as a right of its own. */
#ifndef DSP_ADMINISTRATION_H
#define DSP_ADMINISTRATION_H

#include "policy/policy.h"
#include "protocol/sock.h"
#include "protocol/wire.h"

struct client;

/* Is it root, or the broker's own user? */
bool administration_is_administrator(const struct client *client);
/* May it? root and the broker's own user may, and so may whom a rule lets; *@out names the rule.
 * @object as in policy_decide(). */
bool administration_allows(const struct client *client, enum policy_verb verb, const char *object,
	struct policy_decision *out);

/* Handlers, as control.c has them. */
void administration_reload(struct client *client, const union dsp_request *request,
	struct sock_fds *fds);
void administration_kick(struct client *client, const union dsp_request *request,
	struct sock_fds *fds);
void administration_power(struct client *client, const union dsp_request *request,
	struct sock_fds *fds);
void administration_query_broker(struct client *client, const union dsp_request *request,
	struct sock_fds *fds);
void administration_query_session(struct client *client, const union dsp_request *request,
	struct sock_fds *fds);

#endif
