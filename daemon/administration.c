// SPDX-License-Identifier: MIT
#include "daemon/administration.h"

#include <stdio.h>
#include <string.h>

#include "daemon/audit.h"
#include "daemon/broker.h"
#include "daemon/client.h"
#include "daemon/device.h"
#include "daemon/limits.h"
#include "daemon/reload.h"
#include "daemon/session.h"
#include "daemon/transport/remoteproc.h"
#include "daemon/user.h"

/* Rights. */

bool administration_is_administrator(const struct client *client)
{
	return client->identity.uid == 0 || client->identity.uid == client->broker->uid;
}

bool administration_allows(const struct client *client, enum policy_verb verb, const char *object,
	struct policy_decision *out)
{
	if (verb != POLICY_OPEN && administration_is_administrator(client))
		*out = (struct policy_decision){.allowed = true, .rule = "(administrator)"};
	else
		policy_decide(client->broker->policy, &client->identity, verb, object, out);
	return out->allowed;
}

static bool allows(const struct client *client, enum policy_verb verb, const char *object)
{
	struct policy_decision decision;

	return administration_allows(client, verb, object, &decision);
}

/* The same; and if not, the refusal is written down, and the client is told. */
static bool may(struct client *client, uint32_t serial, enum policy_verb verb, const char *object)
{
	struct policy_decision decision;

	if (administration_allows(client, verb, object, &decision))
		return true;
	audit_denied(client, verb, object, &decision);
	client_refuse(client, serial,
		&(struct refusal){.status = DSP_DENIED, .rule = decision.rule},
		"%s%s%s is denied to uid %u by rule %s", policy_verb_name(verb), object ? " " : "",
		object ? object : "", client->identity.uid, decision.rule);
	return false;
}

static void refuse(struct client *client, uint32_t serial, enum dsp_status status, const char *text)
{
	client_refuse(client, serial, &(struct refusal){.status = status}, "%s", text);
}

static void acknowledge(struct client *client, const union dsp_request *request)
{
	const struct dsp_header reply = {
		.opcode = request->header.opcode | DSP_REPLY,
		.serial = request->header.serial,
	};

	static_assert(sizeof(struct dsp_kick_reply) == sizeof(reply) &&
			      sizeof(struct dsp_power_reply) == sizeof(reply),
		"these replies say nothing else");
	client_send(client, &reply, sizeof(reply));
}

/* RELOAD */

void administration_reload(struct client *client, const union dsp_request *request,
	struct sock_fds *fds)
{
	uint32_t serial = request->header.serial;

	(void)fds;
	if (!may(client, serial, POLICY_RELOAD, NULL))
		return;
	if (client->broker->stopping)
		refuse(client, serial, DSP_SHUTTING_DOWN, "the broker is stopping");
	else if (reload_is_wanted(client))
		refuse(client, serial, DSP_BUSY, "a reload is on its way for this connection");
	else
		reload_begin(client->broker, client, serial);
}

/* QUERY_BROKER */

/* How busy others are is nobody's business: who is no administrator learns of its own user only, as
 * with QUERY_SESSION. The rest tells what a broken policy or a missing confinement means for all.
 */
static void count_use(struct dsp_broker_record *record, const struct client *client)
{
	const bool everybody = administration_is_administrator(client);
	const uint64_t *used = everybody ? client->broker->quota.used : client->user->quota.used;

	record->everybody = everybody;
	record->clients = (uint32_t)used[QUOTA_CLIENTS];
	record->sessions = (uint32_t)used[QUOTA_SESSIONS];
	record->calls = (uint32_t)used[QUOTA_CALLS];
}

void administration_query_broker(struct client *client, const union dsp_request *request,
	struct sock_fds *fds)
{
	const struct broker *broker = client->broker;
	const struct reload_outcome outcome = reload_outcome(broker->reload);
	struct dsp_broker_record record = {
		.header = {.opcode = DSP_QUERY_BROKER | DSP_REPLY,
			.serial = request->header.serial},
		.version = DSP_VERSION,
		.confinement = broker->confinement,
		.since_us = broker->since_us,
		.landlock = broker->landlock_abi,
		.system_calls = broker->system_calls,
		.rules = (uint32_t)policy_size(broker->policy),
		.reload_status = outcome.status,
		.reloaded_us = outcome.in_force_us,
		.accept_paused = broker->accept_paused,
	};
	const struct device *device;

	(void)fds;
	list_for_each (device, &broker->devices, link)
		record.devices++;
	count_use(&record, client);
	client_send(client, &record, sizeof(record));
}

/* QUERY_SESSION */

/* All sessions are looked at in the order of their numbers; but whom no rule lets see those of
 * others may ask as often as he likes, so each request looks at so many only. */
struct search {
	const struct session *found; /* NULL: none so far */
	uint64_t seen;               /* not 0: none up to this one, and there are more */
};

static void search_all(const struct client *client, uint64_t after, struct search *out)
{
	const struct session *session;
	unsigned int looks = 0;

	list_for_each (session, &client->broker->sessions, of_broker) {
		if (session->number <= after)
			continue;
		if (session->client->user == client->user ||
			allows(client, POLICY_LIST, session->channel)) {
			out->found = session;
			return;
		}
		if (++looks == LIMIT_SEARCH_SESSIONS) {
			out->seen = session->number;
			return;
		}
	}
}

static void fill_record(struct dsp_session_record *record, const struct session *session)
{
	record->id = session->number;
	wire_string_set(record->channel, sizeof(record->channel), session->channel);
	wire_string_set(record->rule, sizeof(record->rule), session->rule);
	record->uid = session->client->identity.uid;
	record->pid = (uint32_t)session->client->identity.pid;
	record->in_flight = session->in_flight;
	record->domain = session->domain;
	record->calls = session->calls;
	record->errors = session->errors;
	record->busy_ns = session->busy_ns;
	record->since_us = session->since_us;
	record->received = session->mailbox.received;
	record->dropped = session->mailbox.dropped;
	record->queued = session->mailbox.n_queued;
	record->kind = session->kind;
}

void administration_query_session(struct client *client, const union dsp_request *request,
	struct sock_fds *fds)
{
	struct search search = {};
	struct dsp_session_record record = {
		.header = {.opcode = DSP_QUERY_SESSION | DSP_REPLY,
			.serial = request->header.serial},
	};

	(void)fds;
	search_all(client, request->query.after, &search);
	if (search.found)
		fill_record(&record, search.found);
	else
		record.id = search.seen;
	client_send(client, &record, sizeof(record));
}

/* KICK */

static struct session *find_session(struct broker *broker, uint64_t number)
{
	struct session *session;

	list_for_each (session, &broker->sessions, of_broker)
		if (session->number >= number)
			return session->number == number ? session : NULL;
	return NULL;
}

/* Whom no rule lets see it is not told that it is there. */
static bool is_visible(const struct client *client, const struct session *session)
{
	return session->client->user == client->user ||
	       allows(client, POLICY_LIST, session->channel) ||
	       allows(client, POLICY_KICK, session->channel);
}

static void kick(struct client *client, const union dsp_request *request, struct session *session)
{
	uint32_t serial = request->header.serial;

	switch (session->state) {
	case SESSION_OPENING:
		refuse(client, serial, DSP_BUSY, "the session is being opened");
		return;
	case SESSION_CLOSING:
	case SESSION_DEAD:
		refuse(client, serial, DSP_NOT_FOUND, "the session has ended already");
		return;
	case SESSION_OPEN:
	case SESSION_DOWN:
		audit_kicked(client, session);
		session_revoke(session, DSP_CANCELLED, "an administrator ended it");
		acknowledge(client, request);
		return;
	}
}

void administration_kick(struct client *client, const union dsp_request *request,
	struct sock_fds *fds)
{
	struct session *session = find_session(client->broker, request->kick.session);
	uint32_t serial = request->header.serial;

	(void)fds;
	if (!session || !is_visible(client, session))
		client_refuse(client, serial,
			&(struct refusal){.status = DSP_NOT_FOUND,
				.field = offsetof(struct dsp_kick, session)},
			"there is no such session");
	else if (may(client, serial, POLICY_KICK, session->channel))
		kick(client, request, session);
}

/* POWER */

static struct device *find_device(struct broker *broker, const char *name)
{
	struct device *device;

	list_for_each (device, &broker->devices, link)
		if (!strcmp(device->name, name))
			return device;
	return NULL;
}

/* Must the device stay as it is? Then the client is told why. */
static bool cannot_switch(struct client *client, uint32_t serial, const struct device *device,
	enum dsp_power wanted)
{
	struct remoteproc *remoteproc = device->remoteproc;
	const struct device *refused = remoteproc ? remoteproc_refused_device(remoteproc) : NULL;

	if (client->broker->stopping)
		refuse(client, serial, DSP_SHUTTING_DOWN, "the broker is stopping");
	else if (!remoteproc)
		client_refuse(client, serial, &(struct refusal){.status = DSP_UNSUPPORTED},
			"device %s has no remote processor that could be started or stopped",
			device->name);
	else if (!remoteproc_is_present(remoteproc))
		client_refuse(client, serial, &(struct refusal){.status = DSP_DEVICE_DOWN},
			"the remote processor of device %s is not there", device->name);
	else if (refused && wanted == DSP_POWER_START)
		client_refuse(client, serial, &(struct refusal){.status = DSP_DENIED},
			"%s may reach all memory, since no IOMMU isolates it; policy can accept "
			"that with \"without_iommu\": \"accept\" for this device",
			refused->name);
	else
		return false;
	return true;
}

static void power(struct client *client, const union dsp_request *request, struct device *device)
{
	enum dsp_power wanted = (enum dsp_power)request->power.power;

	if (cannot_switch(client, request->header.serial, device, wanted))
		return;
	audit_power(client, device, wanted);
	acknowledge(client, request);
	remoteproc_power(device->remoteproc, wanted == DSP_POWER_START);
}

void administration_power(struct client *client, const union dsp_request *request,
	struct sock_fds *fds)
{
	static const enum policy_verb verbs[] = {
		[DSP_POWER_START] = POLICY_START,
		[DSP_POWER_STOP] = POLICY_STOP,
	};
	const struct dsp_power_request *wish = &request->power;
	struct device *device = find_device(client->broker, wish->device);
	uint32_t serial = request->header.serial;

	(void)fds;
	if (wish->power != DSP_POWER_START && wish->power != DSP_POWER_STOP)
		client_refuse(client, serial,
			&(struct refusal){.status = DSP_INVALID,
				.field = offsetof(struct dsp_power_request, power)},
			"there is only start and stop");
	else if (!device)
		client_refuse(client, serial,
			&(struct refusal){.status = DSP_NOT_FOUND,
				.field = offsetof(struct dsp_power_request, device)},
			"there is no such device");
	else if (may(client, serial, verbs[wish->power], device->name))
		power(client, request, device);
}
