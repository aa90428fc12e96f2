// SPDX-License-Identifier: MIT
#include "daemon/audit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/broker.h"
#include "daemon/client.h"
#include "daemon/device.h"
#include "daemon/log.h"
#include "daemon/session.h"
#include "daemon/user.h"

/* Message ids, made for this project with systemd-id128(1), to find such lines by. Each has an
 * entry in systemd/dspbroker.catalog, which tells what to do about it. */
#define ID_DENIED         "5e669cdd3da24046ad0f3a843d7e0504"
#define ID_DENIED_CALL    "b7d6ffe4a4ef4637ac179bf78198270c"
#define ID_DENIED_MESSAGE "90dd245ff2054843bd836e57e1c0a1fc"
#define ID_OVER_LIMIT     "ccbb086111a04483ad69e7d512aada87"
#define ID_LOST           "0b52d75f0b6d4ac1bbfd311095dc6885"
#define ID_EXPELLED       "245a7a695a504a018e4273db89c43830"
#define ID_SUPPRESSED     "154c0050b95f43a089b10ac7fffd7cd0"
#define ID_RELOADED       "be2db09356fc41edb832041b4c85cdcd"
#define ID_RELOAD_FAILED  "fc362a3aff3d4cc1b23bbf2b72c3d176"
#define ID_KICKED         "924e44e92d6846c0b6ae098f223dd607"
#define ID_POWER          "d62746e79a0c40d1b0cdf7e559543f45"

#define MESSAGE_SIZE 512
#define VALUE_SIZE   512  /* of one field, its NUL included; what is longer is cut */
#define ENTRY_SIZE   4096 /* of all fields together */

/* One line in the making. */
struct entry {
	const struct identity *who;         /* NULL: nobody in particular */
	unsigned int suppressed;            /* lines about the same user before it */
	const char *fields[LOG_FIELDS_MAX]; /* into text */
	size_t n, used;
	char text[ENTRY_SIZE];
};

/* A fact that could not be established is left out; of one that the peer has not, the value is
 * empty. */
static const char *const fact_fields[IDENTITY_FACTS] = {
	[IDENTITY_LABEL] = "DSPBROKER_LABEL",
	[IDENTITY_UNIT] = "DSPBROKER_UNIT",
	[IDENTITY_USER_UNIT] = "DSPBROKER_USER_UNIT",
	[IDENTITY_SLICE] = "DSPBROKER_SLICE",
	[IDENTITY_EXECUTABLE] = "DSPBROKER_EXECUTABLE",
	[IDENTITY_FLATPAK] = "DSPBROKER_FLATPAK",
	[IDENTITY_SNAP] = "DSPBROKER_SNAP",
};

static void add(struct entry *entry, const char *name, const char *format, ...) _printf_(3, 4);

/* A field that there is no room for is left out. */
static void add(struct entry *entry, const char *name, const char *format, ...)
{
	char value[VALUE_SIZE], *field = entry->text + entry->used;
	size_t room = sizeof(entry->text) - entry->used;
	va_list ap;
	int n;

	va_start(ap, format);
	vsnprintf(value, sizeof(value), format, ap);
	va_end(ap);
	n = snprintf(field, room, "%s=%s", name, value);
	if (n < 0 || (size_t)n >= room || entry->n == ARRAY_SIZE(entry->fields))
		return;
	entry->fields[entry->n++] = field;
	entry->used += (size_t)n + 1;
}

static void add_text(struct entry *entry, const char *name, const char *value)
{
	if (value && *value)
		add(entry, name, "%s", value);
}

static void add_identity(struct entry *entry, const struct identity *identity)
{
	add(entry, "DSPBROKER_UID", "%u", identity->uid);
	add(entry, "DSPBROKER_GID", "%u", identity->gid);
	add(entry, "DSPBROKER_PID", "%d", identity->pid);
	for (size_t i = 0; i < IDENTITY_FACTS; i++)
		if (identity->facts[i])
			add(entry, fact_fields[i], "%s", identity->facts[i]);
}

static void add_session(struct entry *entry, const struct session *session)
{
	add(entry, "DSPBROKER_SESSION", "%" PRIu64, session->number);
	add_text(entry, "DSPBROKER_CHANNEL", session->channel);
	add_text(entry, "DSPBROKER_RULE", session->rule);
}

/* Begin a line that is written in any case. @who may be NULL. */
static void begin(struct entry *entry, const char *id, const struct client *who)
{
	entry->n = entry->used = entry->suppressed = 0;
	entry->who = who ? &who->identity : NULL;
	add(entry, "MESSAGE_ID", "%s", id);
	if (who)
		add_identity(entry, &who->identity);
}

/* The same for what a peer can cause, unless its user has caused too many. Nothing is written out
 * before that is known: it may happen as often as the peer likes. */
static bool begin_limited(struct entry *entry, const char *id, struct client *client)
{
	unsigned int suppressed;

	if (!log_allowed(&client->user->log, broker_now(client->broker), &suppressed))
		return false;
	begin(entry, id, client);
	entry->suppressed = suppressed;
	add(entry, "DSPBROKER_SUPPRESSED", "%u", suppressed);
	return true;
}

static void finish(struct entry *entry, int level, const char *format, ...) _printf_(3, 4);

static void finish(struct entry *entry, int level, const char *format, ...)
{
	char text[MESSAGE_SIZE], who[48] = "", before[64] = "", message[MESSAGE_SIZE + 128];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (entry->who)
		snprintf(who, sizeof(who), "uid %u, pid %d: ", entry->who->uid, entry->who->pid);
	if (entry->suppressed)
		snprintf(before, sizeof(before), " (%u lines about this user were suppressed)",
			entry->suppressed);
	snprintf(message, sizeof(message), "%s%s%s", who, text, before);
	log_fields(level, message, entry->fields, entry->n);
}

/* What was refused. */

static bool is_of_device(enum policy_verb verb)
{
	return verb == POLICY_START || verb == POLICY_STOP;
}

void audit_denied(struct client *client, enum policy_verb verb, const char *object,
	const struct policy_decision *decision)
{
	char place[320] = "no rule allows it";
	struct entry entry;

	if (!begin_limited(&entry, ID_DENIED, client))
		return;
	add(&entry, "DSPBROKER_VERB", "%s", policy_verb_name(verb));
	add_text(&entry, is_of_device(verb) ? "DSPBROKER_DEVICE" : "DSPBROKER_CHANNEL", object);
	add(&entry, "DSPBROKER_RULE", "%s", decision->rule);
	if (decision->file) {
		add(&entry, "DSPBROKER_RULE_FILE", "%s", decision->file);
		add(&entry, "DSPBROKER_RULE_LINE", "%u", decision->line);
		snprintf(place, sizeof(place), "%s:%u", decision->file, decision->line);
	}
	finish(&entry, LOG_NOTICE, "%s%s%s denied by rule %s (%s)", policy_verb_name(verb),
		object ? " " : "", object ? object : "", decision->rule, place);
}

void audit_denied_call(struct session *session, uint32_t method)
{
	struct entry entry;

	if (!begin_limited(&entry, ID_DENIED_CALL, session->client))
		return;
	add_session(&entry, session);
	add(&entry, "DSPBROKER_METHOD", "%u", method);
	finish(&entry, LOG_NOTICE, "method %u of %s denied by rule %s", method, session->channel,
		session->rule);
}

void audit_denied_direction(struct session *session, const char *what)
{
	struct entry entry;

	if (!begin_limited(&entry, ID_DENIED_MESSAGE, session->client))
		return;
	add_session(&entry, session);
	add(&entry, "DSPBROKER_DIRECTION", "%s", what);
	finish(&entry, LOG_NOTICE, "%s on %s denied by rule %s", what, session->channel,
		session->rule);
}

void audit_over_limit(struct client *client, const char *channel, const char *rule,
	const char *limit, uint64_t value)
{
	struct entry entry;
	bool of_rule = rule && *rule, of_channel = channel && *channel;

	if (!begin_limited(&entry, ID_OVER_LIMIT, client))
		return;
	add_text(&entry, "DSPBROKER_CHANNEL", channel);
	add_text(&entry, "DSPBROKER_RULE", rule);
	add(&entry, "DSPBROKER_LIMIT", "%s", limit);
	add(&entry, "DSPBROKER_LIMIT_VALUE", "%" PRIu64, value);
	finish(&entry, LOG_NOTICE, "%s%sover limit: %s, at most %" PRIu64 "%s%s%s",
		of_channel ? channel : "", of_channel ? ": " : "", limit, value,
		of_rule ? " (rule " : "", of_rule ? rule : "", of_rule ? ")" : "");
}

/* What became of sessions and connections. */

void audit_opened(struct session *session)
{
	struct client *client = session->client;

	log_debug("uid %u, pid %d: %s opened by rule %s", client->identity.uid,
		client->identity.pid, session->channel, session->rule);
}

void audit_lost(struct session *session, const char *text)
{
	struct entry entry;

	if (!begin_limited(&entry, ID_LOST, session->client))
		return;
	add_session(&entry, session);
	finish(&entry, LOG_WARNING, "%s: %s", session->channel, text);
}

void audit_expelled(struct client *client, const char *text)
{
	struct entry entry;

	if (begin_limited(&entry, ID_EXPELLED, client))
		finish(&entry, LOG_WARNING, "disconnected: %s", text);
}

void audit_forgotten(const struct user *user)
{
	struct entry entry;

	if (!user->log.suppressed)
		return;
	begin(&entry, ID_SUPPRESSED, NULL);
	add(&entry, "DSPBROKER_UID", "%u", user->uid);
	add(&entry, "DSPBROKER_SUPPRESSED", "%u", user->log.suppressed);
	finish(&entry, LOG_NOTICE, "uid %u: %u lines about this user were suppressed", user->uid,
		user->log.suppressed);
}

/* What administrators did. It is not limited in rate: else one who may do something could hide it
 * behind refusals. */

void audit_reloaded(struct client *by, size_t rules, unsigned int revoked)
{
	struct entry entry;

	begin(&entry, ID_RELOADED, by);
	add(&entry, "DSPBROKER_VERB", "%s", policy_verb_name(POLICY_RELOAD));
	add(&entry, "DSPBROKER_RULES", "%zu", rules);
	add(&entry, "DSPBROKER_REVOKED", "%u", revoked);
	finish(&entry, LOG_NOTICE,
		"the policy was reloaded: %zu rules, %u sessions lost their right", rules, revoked);
}

void audit_reload_failed(struct client *by, const struct policy_note *error)
{
	struct entry entry;
	char place[sizeof(error->file) + 32] = "";

	begin(&entry, ID_RELOAD_FAILED, by);
	add(&entry, "DSPBROKER_VERB", "%s", policy_verb_name(POLICY_RELOAD));
	add_text(&entry, "DSPBROKER_RULE_FILE", error->file);
	if (error->line) {
		add(&entry, "DSPBROKER_RULE_LINE", "%u", error->line);
		add(&entry, "DSPBROKER_RULE_COLUMN", "%u", error->column);
		snprintf(place, sizeof(place), "%s:%u:%u: ", error->file, error->line,
			error->column);
	} else if (*error->file) {
		snprintf(place, sizeof(place), "%s: ", error->file);
	}
	finish(&entry, LOG_ERR, "the policy was not reloaded, the old one stays: %s%s", place,
		error->text);
}

void audit_kicked(struct client *by, const struct session *session)
{
	const struct identity *whose = &session->client->identity;
	struct entry entry;

	begin(&entry, ID_KICKED, by);
	add(&entry, "DSPBROKER_VERB", "%s", policy_verb_name(POLICY_KICK));
	add_session(&entry, session);
	add(&entry, "DSPBROKER_SESSION_UID", "%u", whose->uid);
	add(&entry, "DSPBROKER_SESSION_PID", "%d", whose->pid);
	finish(&entry, LOG_NOTICE, "ended session %" PRIu64 " of uid %u, pid %d on %s",
		session->number, whose->uid, whose->pid, session->channel);
}

void audit_power(struct client *by, const struct device *device, enum dsp_power power)
{
	enum policy_verb verb = power == DSP_POWER_STOP ? POLICY_STOP : POLICY_START;
	struct entry entry;

	begin(&entry, ID_POWER, by);
	add(&entry, "DSPBROKER_VERB", "%s", policy_verb_name(verb));
	add(&entry, "DSPBROKER_DEVICE", "%s", device->name);
	finish(&entry, LOG_NOTICE, "%s the remote processor of %s",
		verb == POLICY_STOP ? "stops" : "starts", device->name);
}
