// SPDX-License-Identifier: MIT
/*
 * The transport to remote processors that exchange messages by rpmsg (<linux/rpmsg.h>): finds them
 * and their services as they come and go, and gives each session an endpoint of its own.
 *
 * What there is is read from sysfs, again and again, so that nothing depends on having seen each
 * event, or on their order.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "daemon/broker.h"
#include "daemon/device.h"
#include "daemon/hotplug.h"
#include "daemon/log.h"
#include "daemon/session.h"
#include "daemon/transport/remoteproc.h"
#include "daemon/transport/rpmsg_device.h"
#include "daemon/transport/rpmsg_endpoint.h"
#include "daemon/transport/rpmsg_node.h"
#include "daemon/transport/rpmsg_scan.h"
#include "daemon/transport/transport.h"
#include "protocol/clock.h"

/* A remote processor may announce and withdraw without end. Looking at that takes at most one part
 * in so many of our time. */
#define SCAN_SHARE 10

/* The broker has one of it. */
static struct {
	struct broker *broker; /* NULL: there is none */
	bool probed;           /* what comes now was not there before */
	struct hotplug_watch links, processors;
	struct deadline scan;
	uint64_t next_scan_us; /* not before that */
} rpmsg;

/* The device after @device, or the first, that is ours. */
static struct rpmsg_device *next_device(struct rpmsg_device *device)
{
	struct list *devices = &rpmsg.broker->devices;
	struct list *link = device ? device->device.link.next : devices->next;

	for (; link != devices; link = link->next) {
		struct device *candidate = container_of(link, struct device, link);

		if (candidate->ops == &rpmsg_transport)
			return rpmsg_device_of(candidate);
	}
	return NULL;
}

/* Names. */

/* Does that entry of policy speak of that remote processor? */
static bool speaks_of(const struct policy_device *policy, const struct remoteproc *remoteproc)
{
	return policy->remoteproc && remoteproc &&
	       (!policy->transport || !strcmp(policy->transport, rpmsg_transport.name)) &&
	       remoteproc_by_name(rpmsg.broker, policy->remoteproc) == remoteproc;
}

static const char *policy_name(const struct remoteproc *remoteproc)
{
	const struct policy_device *policy;

	for (size_t i = 0; (policy = policy_device_at(rpmsg.broker->device_policy, i)); i++)
		if (speaks_of(policy, remoteproc))
			return policy->name;
	return NULL;
}

static struct device *device_named(const char *name)
{
	struct device *device;

	list_for_each (device, &rpmsg.broker->devices, link)
		if (!strcmp(device->name, name))
			return device;
	return NULL;
}

/* May a device that policy does not name be called so? What policy says of that name must not be
 * meant for another. */
static bool is_free(const char *name)
{
	const struct policy_device *policy = policy_device(rpmsg.broker->device_policy, name);

	return !device_named(name) && !policy->remoteproc &&
	       (!policy->transport || !strcmp(policy->transport, rpmsg_transport.name));
}

/* "rpmsgN" with the kernel's N, or the next that is free. */
static void make_name(char *out, size_t size, const char *ctrl)
{
	unsigned long n = strtoul(ctrl + strcspn(ctrl, "0123456789"), NULL, 10);

	do
		snprintf(out, size, "rpmsg%lu", n++);
	while (!is_free(out));
}

/* Scanning. */

/* A device without a link that has this name, or else this remote processor. */
static struct rpmsg_device *find_unlinked(const char *name, const struct remoteproc *remoteproc)
{
	struct rpmsg_device *device = NULL, *found = NULL;

	while ((device = next_device(device))) {
		if (device->linked || device->device.remoteproc != remoteproc)
			continue;
		if (!strcmp(device->device.name, name))
			return device;
		if (remoteproc && !found)
			found = device;
	}
	return found;
}

/* The device of a link: the one that policy names; or the one that had a link to the same remote
 * processor, which has come back; or a new one. NULL: out of memory. */
static struct rpmsg_device *device_for(const struct rpmsg_link *link)
{
	struct remoteproc *remoteproc = remoteproc_of_path(rpmsg.broker, link->folder.text);
	const char *wanted = policy_name(remoteproc);
	char name[DSP_DEVICE_SIZE], usual[DSP_DEVICE_SIZE];
	struct rpmsg_device *device;

	snprintf(usual, sizeof(usual), "rpmsg%s", link->ctrl + strcspn(link->ctrl, "0123456789"));
	device = find_unlinked(wanted ? wanted : usual, remoteproc);
	if (device)
		return device;
	if (wanted && !device_named(wanted))
		return rpmsg_device_new(rpmsg.broker, wanted, remoteproc);
	make_name(name, sizeof(name), link->ctrl);
	return rpmsg_device_new(rpmsg.broker, name, remoteproc);
}

/* Policy may want a remote processor started that has no link until then. */
static void declare_devices(void)
{
	const struct policy_device *policy;

	for (size_t i = 0; (policy = policy_device_at(rpmsg.broker->device_policy, i)); i++) {
		struct remoteproc *remoteproc;

		if (policy->lifecycle == POLICY_EXTERNAL || !policy->transport ||
			strcmp(policy->transport, rpmsg_transport.name) != 0 ||
			device_named(policy->name))
			continue;
		remoteproc = remoteproc_by_name(rpmsg.broker, policy->remoteproc);
		if (remoteproc)
			rpmsg_device_new(rpmsg.broker, policy->name, remoteproc);
	}
}

static bool is_among(const struct rpmsg_device *device, const struct rpmsg_link *links, ssize_t n)
{
	for (ssize_t i = 0; i < n; i++)
		if (links[i].instance == device->link.instance)
			return true;
	return false;
}

/* A link is known also when it is about to go, and we know that already. */
static bool is_known(const struct rpmsg_link *link)
{
	struct rpmsg_device *device = NULL;

	while ((device = next_device(device)))
		if (device->link.instance == link->instance)
			return true;
	return false;
}

static void reconcile(const struct rpmsg_link *links, ssize_t n)
{
	struct rpmsg_device *device = NULL;

	/* First what goes, so that what comes in its stead finds its place free. */
	while ((device = next_device(device)))
		if (device->linked && !is_among(device, links, n))
			rpmsg_device_lost(device);
	while ((device = next_device(device)))
		if (device->linked)
			rpmsg_device_scan(device);
	for (ssize_t i = 0; i < n; i++) {
		if (is_known(&links[i]))
			continue;
		device = device_for(&links[i]);
		if (device)
			rpmsg_device_found(device, &links[i], rpmsg.probed);
	}
}

static void scan(void)
{
	_cleanup_(freep) struct rpmsg_link *links = NULL;
	uint64_t start_us = clock_us();
	ssize_t n;

	declare_devices();
	n = rpmsg_scan_links(rpmsg.broker->options->sysfs, &links);
	if (n >= 0)
		reconcile(links, n);
	else
		log_warning("cannot see which rpmsg devices there are: %s", strerror((int)-n));
	rpmsg.next_scan_us = clock_us() + (clock_us() - start_us) * (SCAN_SHARE - 1);
}

static void on_scan(struct deadline *deadline)
{
	(void)deadline;
	scan();
}

/* Not from within whatever calls this. */
void rpmsg_request_scan(void)
{
	uint64_t now_us = broker_now(rpmsg.broker);

	if (!deadline_is_set(&rpmsg.scan))
		broker_deadline(rpmsg.broker, &rpmsg.scan,
			rpmsg.next_scan_us > now_us ? rpmsg.next_scan_us - now_us : 0, on_scan);
}

static void on_hotplug(struct hotplug_watch *watch)
{
	(void)watch;
	rpmsg_request_scan();
}

static int rpmsg_probe(struct broker *broker)
{
	rpmsg_nodes_init();
	rpmsg.broker = broker;
	rpmsg.links = (struct hotplug_watch){.subsystem = "rpmsg", .changed = on_hotplug};
	rpmsg.processors = (struct hotplug_watch){.subsystem = "remoteproc", .changed = on_hotplug};
	hotplug_add(broker->hotplug, &rpmsg.links);
	hotplug_add(broker->hotplug, &rpmsg.processors);
	scan();
	rpmsg.probed = true;
	return 0;
}

static void rpmsg_deinit(struct broker *broker)
{
	if (!rpmsg.broker)
		return;
	rpmsg_nodes_deinit(broker);
	hotplug_remove(&rpmsg.links);
	hotplug_remove(&rpmsg.processors);
	deadline_clear(&broker->deadlines, &rpmsg.scan);
	rpmsg.broker = NULL;
	rpmsg.probed = false;
}

/* The other operations. */

static void rpmsg_remove(struct device *device)
{
	rpmsg_device_free(rpmsg_device_of(device));
}

static int rpmsg_open(struct session *session)
{
	return rpmsg_endpoint_new(rpmsg_device_of(session->device), session);
}

static void rpmsg_close(struct session *session)
{
	rpmsg_endpoint_close(session->endpoint);
}

/* Messages lie in the argument area, which the kernel copies from and to. */
static int rpmsg_import(struct session *session, struct buffer *buffer, struct import **out)
{
	(void)session;
	(void)buffer;
	(void)out;
	return -EOPNOTSUPP;
}

static void rpmsg_release(struct import *import)
{
	(void)import;
	assert(!"nothing is imported");
}

static int rpmsg_submit(struct call *call)
{
	return rpmsg_endpoint_send(call->session->endpoint, call);
}

/* Nothing is under way in here: a message waits in its session until it is sent. */
static bool rpmsg_cancel(struct call *call)
{
	(void)call;
	return false;
}

static void rpmsg_abort(struct call *call)
{
	(void)call;
	assert(!"no message is under way");
}

static void rpmsg_flush(struct device *device)
{
	rpmsg_device_flush(rpmsg_device_of(device));
}

static void rpmsg_pace(struct session *session, bool stop)
{
	rpmsg_endpoint_pace(session->endpoint, stop);
}

static void rpmsg_state_changed(struct device *device)
{
	char trouble[DSP_TEXT_SIZE];

	wire_string_set(trouble, sizeof(trouble), remoteproc_trouble(device->remoteproc));
	if (*trouble)
		rpmsg_device_does_not_start(rpmsg_device_of(device), trouble);
	rpmsg_request_scan();
}

static const struct filter_rule rules[] = {
	{SCMP_SYS(readv), "a message, into its place"},
	{SCMP_SYS(ioctl), "RPMSG_CREATE_EPT_IOCTL: an endpoint for a session",
		FILTER_INT_IS(1, RPMSG_CREATE_EPT_IOCTL)},
	{SCMP_SYS(ioctl), "RPMSG_DESTROY_EPT_IOCTL: one that nobody needs any more",
		FILTER_INT_IS(1, RPMSG_DESTROY_EPT_IOCTL)},
	{SCMP_SYS(ioctl), "RPMSG_GET_OUTGOING_FLOWCONTROL: may it send?",
		FILTER_INT_IS(1, RPMSG_GET_OUTGOING_FLOWCONTROL)},
	{SCMP_SYS(ioctl), "RPMSG_SET_INCOMING_FLOWCONTROL: stop, or go on",
		FILTER_INT_IS(1, RPMSG_SET_INCOMING_FLOWCONTROL)},
};

static const struct filter_table calls = {rules, ARRAY_SIZE(rules)};

const struct transport_ops rpmsg_transport = {
	.name = "rpmsg",
	.hardware = true,
	.calls = {&calls},
	.probe = rpmsg_probe,
	.deinit = rpmsg_deinit,
	.remove = rpmsg_remove,
	.open = rpmsg_open,
	.close = rpmsg_close,
	.import = rpmsg_import,
	.release = rpmsg_release,
	.submit = rpmsg_submit,
	.cancel = rpmsg_cancel,
	.abort = rpmsg_abort,
	.flush = rpmsg_flush,
	.pace = rpmsg_pace,
	.state_changed = rpmsg_state_changed,
};
