// SPDX-License-Identifier: MIT
#include "daemon/rights.h"

#include <stdio.h>
#include <string.h>

#include "daemon/account.h"
#include "daemon/audit.h"
#include "daemon/broker.h"
#include "daemon/client.h"
#include "daemon/device.h"
#include "daemon/limits.h"
#include "daemon/scheduler.h"
#include "daemon/session.h"
#include "daemon/user.h"

/* Descriptors that a session may cost the broker: of the software DSP a domain's socket and
 * eventfd; of others as many or more. */
#define SESSION_FDS 3

static uint64_t now_ns(const struct client *client)
{
	return loop_now_ns(client->broker->loop);
}

static const char *unit_of(const struct client *client)
{
	return client->identity.facts[IDENTITY_UNIT];
}

/* Of its connection, its user and the broker. */
static int charge_quota(struct client *client, struct quota_refusal *refusal)
{
	if (quota_charge(&client->quota, QUOTA_SESSIONS, 1, refusal) < 0)
		return -EDQUOT;
	if (quota_charge(&client->quota, QUOTA_FDS, SESSION_FDS, refusal) < 0) {
		quota_release(&client->quota, QUOTA_SESSIONS, 1);
		return -EDQUOT;
	}
	return 0;
}

static void release_quota(struct client *client)
{
	quota_release(&client->quota, QUOTA_FDS, SESSION_FDS);
	quota_release(&client->quota, QUOTA_SESSIONS, 1);
}

static void refuse_account(struct client *client, const char *channel,
	const struct policy_decision *decision, uint32_t limit, uint32_t serial)
{
	audit_over_limit(client, channel, decision->rule, "sessions", limit);
	client_refuse(client, serial,
		&(struct refusal){.status = DSP_OVER_LIMIT, .limit = limit, .rule = decision->rule},
		"over limit: rule %s allows a %s %u sessions at once", decision->rule,
		decision->limits->per == POLICY_PER_UNIT ? "unit" : "user", limit);
}

int rights_charge(struct client *client, const char *channel,
	const struct policy_decision *decision, uint32_t serial, struct account **out)
{
	struct quota_refusal refusal;
	uint32_t limit;
	int r;

	if (charge_quota(client, &refusal) < 0) {
		client_refuse_quota(client, serial, &refusal);
		return -EDQUOT;
	}
	r = account_open(out, client->user, unit_of(client), decision, now_ns(client), &limit);
	if (r == 0)
		return 0;
	release_quota(client);
	if (r == -EDQUOT)
		refuse_account(client, channel, decision, limit, serial);
	else
		client_refuse(client, serial, &(struct refusal){.status = DSP_NO_RESOURCES},
			"out of memory");
	return r;
}

void rights_discharge(struct client *client, struct account *account)
{
	account_close(account);
	release_quota(client);
}

/* What may be given to a session at any time. */
static void set_limits(struct session *session, const struct policy_decision *decision)
{
	const struct policy_limits *limits = decision->limits;
	uint64_t timeout_ms = limits->timeout_ms ? limits->timeout_ms : LIMIT_SESSION_TIMEOUT_MS;

	wire_string_set(session->rule, sizeof(session->rule), decision->rule);
	session->domain_policy = decision->domain;
	session->methods = decision->methods;
	session->n_methods = decision->n_methods;
	session->direction = decision->direction;
	session->exclusive = decision->exclusive;
	session->device->exclusive_sessions += decision->exclusive;
	session->calls_max = limits->calls ? limits->calls : LIMIT_SESSION_CALLS;
	session->timeout_us = (uint32_t)MIN(timeout_ms * 1000, (uint64_t)UINT32_MAX);
	mailbox_set_limits(&session->mailbox, decision);
}

void rights_grant(struct session *session, const struct policy_decision *decision)
{
	session->policy = policy_ref(session->client->broker->policy);
	set_limits(session, decision);
	if (decision->share_domain)
		wire_string_set(session->share_domain, sizeof(session->share_domain),
			decision->share_domain);
	scheduler_init_session(session, decision->priority, decision->weight);
}

void rights_end(struct session *session)
{
	session->device->exclusive_sessions -= session->exclusive;
	session->policy = policy_unref(session->policy);
}

/* Where it runs cannot be changed, so policy must still want it there. */
static bool same_place(const struct session *session, const struct policy_decision *decision)
{
	const char *share = decision->share_domain ? decision->share_domain : "";

	return strcmp(session->share_domain, share) == 0 &&
	       policy_domain_equal(session->domain_policy, decision->domain);
}

/* The account of its rule, which may be another one now. Returns 0 or -ENOMEM. */
static int move_account(struct session *session, const struct policy_decision *decision)
{
	struct client *client = session->client;
	struct account *account;
	int r = account_move(&account, client->user, unit_of(client), decision, now_ns(client));

	if (r < 0)
		return r;
	account->calls += session->in_flight;
	session->account->calls -= session->in_flight;
	account_close(session->account);
	session->account = account;
	return 0;
}

static void regrant(struct session *session, const struct policy_decision *decision)
{
	session->device->exclusive_sessions -= session->exclusive;
	set_limits(session, decision);
	scheduler_change_session(session, decision->priority, decision->weight);
	policy_unref(session->policy);
	session->policy = policy_ref(session->client->broker->policy);
	session_end_denied(session);
}

/* Why policy, as it is now, does not let it be; NULL: it does. */
static const char *objection(const struct session *session, const struct policy_decision *decision)
{
	if (!decision->allowed)
		return "denies it now";
	if (!same_place(session, decision))
		return "wants it in another protection domain; open it again";
	if (session->module >= 0 && !decision->domain->own_modules)
		return "lets nobody bring a module now";
	return NULL;
}

/* Returns whether it is revoked; then it may be gone. */
static bool review_open(struct session *session, const struct policy_decision *decision)
{
	const char *why = objection(session, decision);

	if (!why && move_account(session, decision) >= 0) {
		regrant(session, decision);
		return false;
	}
	if (why)
		session_revoke(session, DSP_DENIED, "policy was changed, and rule %s %s",
			decision->rule, why);
	else
		session_revoke(session, DSP_NO_RESOURCES, "out of memory");
	return true;
}

/* What is granted to it is settled when it is open; whether it may be is settled now. */
static bool review_opening(struct session *session, const struct policy_decision *decision)
{
	struct client *client = session->client;
	const char *why = objection(session, decision);
	char channel[DSP_CHANNEL_SIZE], text[DSP_TEXT_SIZE];

	if (!why)
		return false;
	wire_string_set(channel, sizeof(channel), session->channel);
	snprintf(text, sizeof(text), "policy was changed, and rule %s %s", decision->rule, why);
	if (!session_refuse(session, DSP_DENIED, decision->rule, text))
		return false;
	audit_denied(client, POLICY_OPEN, channel, decision);
	return true;
}

/* Of one that ends there is nothing left but what it has not read. */
static void review_ending(struct session *session, const struct policy_decision *decision)
{
	if (!decision->allowed || decision->direction == POLICY_SEND)
		mailbox_empty(session);
}

bool rights_review(struct session *session)
{
	struct policy *policy = session->client->broker->policy;
	struct policy_decision decision;

	if (session->policy == policy)
		return false;
	policy_decide(policy, &session->client->identity, POLICY_OPEN, session->channel, &decision);
	if (session->state == SESSION_OPENING)
		return review_opening(session, &decision);
	if (session->state == SESSION_OPEN || session->state == SESSION_DOWN)
		return review_open(session, &decision);
	review_ending(session, &decision);
	return false;
}

bool rights_allow_call(const struct session *session, enum dsp_op op, uint32_t method)
{
	switch (op) {
	case DSP_OP_INVOKE:
		return policy_allows_method(session->methods, session->n_methods, method);
	case DSP_OP_SEND:
		return session->direction != POLICY_RECEIVE;
	case DSP_OP_RECEIVE:
		return session->direction != POLICY_SEND;
	default:
		return true; /* the broker's own */
	}
}

enum dsp_limit rights_begin_call(struct session *session, uint32_t *limit)
{
	/* The time is that of the turn, and read only where a rate asks for it. */
	uint64_t now = session->account->calls_per_s ? now_ns(session->client) : 0;

	return account_call(session->account, now, limit);
}

void rights_end_call(struct session *session)
{
	account_call_done(session->account);
}
