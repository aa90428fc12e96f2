// SPDX-License-Identifier: MIT
/*
 * The transport to DSPs behind the kernel's FastRPC driver (<misc/fastrpc.h>): finds them as they
 * come and go, and puts sessions into protection domains.
 *
 * What there is is read from sysfs, again and again, so that nothing depends on having seen each
 * event, or on their order.
 */
#include <fcntl.h>
#include <string.h>

#include "daemon/broker.h"
#include "daemon/call.h"
#include "daemon/client.h"
#include "daemon/hotplug.h"
#include "daemon/limits.h"
#include "daemon/log.h"
#include "daemon/session.h"
#include "daemon/transport/fastrpc/domain.h"
#include "daemon/transport/fastrpc/import.h"
#include "daemon/transport/remoteproc.h"
#include "daemon/transport/transport.h"

/* The broker has one of it. */
static struct {
	struct broker *broker; /* NULL: there is none */
	struct hotplug_watch nodes, banks, processors;
} fastrpc;

/* Finding. */

static struct fastrpc_device *device_labelled(struct broker *broker, const char *label)
{
	struct device *device;

	list_for_each (device, &broker->devices, link)
		if (device->ops == &fastrpc_transport && !strcmp(device->name, label))
			return fastrpc_device_of(device);
	return NULL;
}

static bool is_among(const char *label, const struct fastrpc_found *found, ssize_t n)
{
	for (ssize_t i = 0; i < n; i++)
		if (!strcmp(found[i].label, label))
			return true;
	return false;
}

/* The modules that its directories have; others can be opened as well, if the DSP has them. */
static void list_modules(struct fastrpc_device *device)
{
	_cleanup_(freep) char(*names)[DSP_CHANNEL_SIZE - DSP_DEVICE_SIZE] = NULL;
	size_t n_dirs, n = 0;
	const struct policy_dir *dirs = fastrpc_device_modules(device, &n_dirs);

	for (size_t i = 0; i < n_dirs; i++)
		fastrpc_scan_modules(dirs[i].path, &names, &n, LIMIT_DEVICE_CHANNELS);
	for (size_t i = 0; i < n; i++)
		if (!device_channel(&device->device, names[i]))
			device_add_channel(&device->device, names[i], DSP_KIND_CALL);
}

static struct fastrpc_device *device_new(struct broker *broker, const char *label, uint32_t number)
{
	struct fastrpc_device *device = fastrpc_device_new(broker, label, number);

	if (device)
		list_modules(device);
	return device;
}

/* Policy may want a remote processor started that has no nodes until then. */
static void declare_devices(struct broker *broker)
{
	const struct policy_device *policy;
	struct fastrpc_device *device;
	struct remoteproc *remoteproc;
	uint32_t number;

	for (size_t i = 0; (policy = policy_device_at(broker->device_policy, i)); i++) {
		if (policy->lifecycle == POLICY_EXTERNAL ||
			strcmp(policy->transport, fastrpc_transport.name) != 0 ||
			device_labelled(broker, policy->name))
			continue;
		remoteproc = remoteproc_by_name(broker, policy->remoteproc);
		if (!remoteproc || !fastrpc_number(policy->name, &number))
			continue;
		device = device_new(broker, policy->name, number);
		if (device)
			fastrpc_device_expect(device, remoteproc);
	}
}

static void scan(struct broker *broker)
{
	_cleanup_(freep) struct fastrpc_found *found = NULL;
	struct fastrpc_device *known;
	struct device *device, *following;
	ssize_t n = fastrpc_scan(broker->options->sysfs, broker->options->dev, &found);

	declare_devices(broker);
	if (n < 0) {
		log_warning("cannot look for FastRPC devices: %s", strerror((int)-n));
		return;
	}
	list_for_each_safe (device, following, &broker->devices, link)
		if (device->ops == &fastrpc_transport && !is_among(device->name, found, n))
			fastrpc_device_lost(fastrpc_device_of(device));
	for (ssize_t i = 0; i < n; i++) {
		known = device_labelled(broker, found[i].label);
		if (!known)
			known = device_new(broker, found[i].label, found[i].number);
		if (known)
			fastrpc_device_found(known, &found[i]);
	}
}

static void changed(struct hotplug_watch *watch)
{
	(void)watch;
	scan(fastrpc.broker);
}

static void watch(struct hotplug_watch *watch, const char *subsystem)
{
	*watch = (struct hotplug_watch){.subsystem = subsystem, .changed = changed};
	list_init(&watch->link);
	hotplug_add(fastrpc.broker->hotplug, watch);
}

/* A name that is none of a DSP would never be one of a device. */
static void check_names(const struct policy *policy)
{
	const struct policy_device *device;
	uint32_t number;

	for (size_t i = 0; (device = policy_device_at(policy, i)); i++)
		if (device->transport && !strcmp(device->transport, fastrpc_transport.name) &&
			!fastrpc_number(device->name, &number))
			log_warning("policy has a fastrpc device %s, but DSPs are called adsp, "
				    "mdsp, "
				    "sdsp, cdsp, cdsp1, gdsp0 and gdsp1",
				device->name);
}

static int fastrpc_probe(struct broker *broker)
{
	fastrpc.broker = broker;
	check_names(broker->device_policy);
	watch(&fastrpc.nodes, "misc");
	watch(&fastrpc.banks, "platform");
	watch(&fastrpc.processors, "remoteproc");
	scan(broker);
	return 0;
}

static void forget_news(void)
{
	if (!fastrpc.broker)
		return;
	hotplug_remove(&fastrpc.nodes);
	hotplug_remove(&fastrpc.banks);
	hotplug_remove(&fastrpc.processors);
	fastrpc.broker = NULL;
}

static void fastrpc_finish(struct device *device)
{
	fastrpc_device_finish(fastrpc_device_of(device));
}

static void fastrpc_remove(struct device *device)
{
	forget_news();
	fastrpc_device_free(fastrpc_device_of(device));
}

static void fastrpc_deinit(struct broker *broker)
{
	(void)broker;
	forget_news();
}

static void fastrpc_state_changed(struct device *device)
{
	fastrpc_device_state_changed(fastrpc_device_of(device));
}

/* The operations. */

static int fastrpc_open(struct session *session)
{
	struct fastrpc_device *device = fastrpc_device_of(session->device);
	struct fastrpc_domain *domain = fastrpc_domain_to_share(device, session);
	int r;

	if (!fastrpc_is_module(session->service))
		return -EINVAL;
	if (debts_too_many(&device->debts, session->client->identity.uid))
		return -EUSERS;
	r = buffer_map(session->client->arguments);
	if (r < 0)
		return r;
	if (domain) {
		fastrpc_domain_attach(domain, session);
		return 0;
	}
	r = fastrpc_domain_new(&domain, device, session);
	if (r < 0)
		return r;
	fastrpc_domain_attach(domain, session);
	fastrpc_device_queue(device, domain);
	return 0;
}

static void fastrpc_close(struct session *session)
{
	fastrpc_domain_detach(fastrpc_domain_of(session->lane), session);
}

static int fastrpc_import_buffer(struct session *session, struct buffer *buffer,
	struct import **out)
{
	struct fastrpc_import *import;
	int r = fastrpc_import(fastrpc_domain_of(session->lane), buffer, &import);

	if (r >= 0)
		*out = &import->import;
	return r;
}

static void fastrpc_release_import(struct import *import)
{
	fastrpc_release(container_of(import, struct fastrpc_import, import));
}

/* The kernel gives it to who has a kernel session. */
static int fastrpc_memory_node(struct session *session)
{
	const struct fastrpc_domain *domain = fastrpc_domain_of(session->lane);
	int fd;

	if (!domain->policy->device_memory)
		return -EPERM;
	if (domain->state != DOMAIN_READY)
		return -EAGAIN;
	fd = fcntl(domain->node.fd, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? -errno : fd;
}

const struct transport_ops fastrpc_transport = {
	.name = "fastrpc",
	.hardware = true,
	.dirs = fastrpc_usual_dirs,
	.calls = &node_calls,
	.brings_modules = true,
	.probe = fastrpc_probe,
	.finish = fastrpc_finish,
	.remove = fastrpc_remove,
	.deinit = fastrpc_deinit,
	.open = fastrpc_open,
	.close = fastrpc_close,
	.import = fastrpc_import_buffer,
	.release = fastrpc_release_import,
	.memory_node = fastrpc_memory_node,
	.memory_alloc = node_alloc,
	.submit = fastrpc_call_submit,
	.cancel = fastrpc_call_cancel,
	.abort = fastrpc_call_abort,
	.state_changed = fastrpc_state_changed,
};
