// SPDX-License-Identifier: MIT
#include "daemon/audit.h"

#include <stdarg.h>
#include <stdio.h>

#include "daemon/broker.h"
#include "daemon/client.h"
#include "daemon/log.h"
#include "daemon/session.h"
#include "daemon/user.h"

/* Message ids, made for this project with systemd-id128(1), to find such lines by. */
#define ID_DENIED   "MESSAGE_ID=5e669cdd3da24046ad0f3a843d7e0504"
#define ID_LOST     "MESSAGE_ID=0b52d75f0b6d4ac1bbfd311095dc6885"
#define ID_EXPELLED "MESSAGE_ID=245a7a695a504a018e4273db89c43830"

#define FIELD_SIZE 320 /* bytes of a field or message */

/* Write one line about a client, unless its user has caused too many. */
static void report(struct client *client, int level, const char *id, const char *channel,
	const char *rule, const char *format, ...) _printf_(6, 7);

static void report(struct client *client, int level, const char *id, const char *channel,
	const char *rule, const char *format, ...)
{
	char fields[4][FIELD_SIZE], message[FIELD_SIZE];
	unsigned int suppressed;
	va_list ap;

	if (!log_allowed(&client->user->log, broker_now(client->broker), &suppressed))
		return;
	if (suppressed)
		log_warning("uid %u: %u lines were suppressed", client->identity.uid, suppressed);
	va_start(ap, format);
	vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	snprintf(fields[0], FIELD_SIZE, "DSPBROKER_UID=%u", client->identity.uid);
	snprintf(fields[1], FIELD_SIZE, "DSPBROKER_PID=%d", client->identity.pid);
	snprintf(fields[2], FIELD_SIZE, "DSPBROKER_CHANNEL=%s", channel);
	snprintf(fields[3], FIELD_SIZE, "DSPBROKER_RULE=%s", rule);
	log_fields(level, message,
		(const char *const[]){fields[0], fields[1], fields[2], fields[3], id}, 5);
}

void audit_denied(struct client *client, const char *channel,
	const struct policy_decision *decision)
{
	char place[FIELD_SIZE] = "no rule allows it";

	if (decision->file)
		snprintf(place, sizeof(place), "%s:%u", decision->file, decision->line);
	report(client, LOG_NOTICE, ID_DENIED, channel, decision->rule,
		"uid %u, pid %d: %s denied by rule %s (%s)", client->identity.uid,
		client->identity.pid, channel, decision->rule, place);
}

void audit_opened(struct session *session)
{
	struct client *client = session->client;

	log_debug("uid %u, pid %d: %s opened by rule %s", client->identity.uid,
		client->identity.pid, session->channel, session->rule);
}

void audit_lost(struct session *session, const char *text)
{
	struct client *client = session->client;

	report(client, LOG_WARNING, ID_LOST, session->channel, session->rule,
		"uid %u, pid %d: %s: %s", client->identity.uid, client->identity.pid,
		session->channel, text);
}

void audit_expelled(struct client *client, const char *text)
{
	report(client, LOG_WARNING, ID_EXPELLED, "", "", "uid %u, pid %d: disconnected: %s",
		client->identity.uid, client->identity.pid, text);
}
