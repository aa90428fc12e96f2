// SPDX-License-Identifier: MIT
#include "daemon/transport/rpmsg_device.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "daemon/broker.h"
#include "daemon/limits.h"
#include "daemon/session.h"
#include "daemon/transport/remoteproc.h"
#include "daemon/transport/rpmsg_endpoint.h"
#include "daemon/transport/rpmsg_node.h"
#include "daemon/transport/transport.h"
#include "policy/policy.h"

/* What Linux's virtio transport has in its buffers of 512 bytes behind a header of 16. Those of
 * others are larger, where the remote processor gives them. */
#define MTU_DEFAULT 496

/* How long after its start a remote processor may take to announce what it has. */
#define SETTLE_US (1000ull * 1000)

#define WITHDRAWN "the remote processor withdrew the service"

static bool is_on_demand(const struct rpmsg_device *rpmsg)
{
	return rpmsg->device.policy->lifecycle == POLICY_ON_DEMAND;
}

/* Endpoints. */

static void lose_all(struct list *endpoints, enum dsp_status status, const char *text)
{
	struct rpmsg_endpoint *endpoint;

	while ((endpoint = list_first(endpoints, struct rpmsg_endpoint, link)))
		rpmsg_endpoint_lose(endpoint, status, text);
}

/* Move some of the endpoints of a list to another one: to end one of them may end any other. */
static void take_endpoints(struct list *out, struct list *from,
	bool (*wanted)(const struct rpmsg_endpoint *endpoint, uint64_t instance), uint64_t instance)
{
	struct rpmsg_endpoint *endpoint, *following;

	list_for_each_safe (endpoint, following, from, link) {
		if (wanted(endpoint, instance)) {
			list_remove(&endpoint->link);
			list_append(out, &endpoint->link);
		}
	}
}

static bool is_of_instance(const struct rpmsg_endpoint *endpoint, uint64_t instance)
{
	return endpoint->instance == instance;
}

static bool is_any(const struct rpmsg_endpoint *endpoint, uint64_t instance)
{
	(void)endpoint;
	(void)instance;
	return true;
}

static bool waits(const struct rpmsg_endpoint *endpoint, uint64_t instance)
{
	(void)instance;
	return !endpoint->node;
}

static void lose_waiting(struct rpmsg_device *rpmsg, enum dsp_status status, const char *text)
{
	struct list waiting = LIST_INIT(waiting);

	take_endpoints(&waiting, &rpmsg->opening, waits, 0);
	lose_all(&waiting, status, text);
}

void rpmsg_device_does_not_start(struct rpmsg_device *rpmsg, const char *why)
{
	lose_waiting(rpmsg, DSP_DEVICE_DOWN, why);
}

void rpmsg_device_update(struct rpmsg_device *rpmsg)
{
	/* As long as one session waits for its service others may do so as well. */
	const bool starts = is_on_demand(rpmsg) && (!rpmsg->linked || !list_empty(&rpmsg->opening));

	rpmsg->device.any_service =
		starts || (rpmsg->linked && deadline_is_set(&rpmsg->settle)) ? DSP_KIND_MESSAGE : 0;
}

/* Channels. */

static bool is_announced(const struct channel *channel, const struct rpmsg_service *services,
	ssize_t n)
{
	for (ssize_t i = 0; i < n; i++)
		if (services[i].instance == channel->instance)
			return true;
	return false;
}

static void withdraw(struct rpmsg_device *rpmsg, struct channel *channel)
{
	struct list lost = LIST_INIT(lost);
	uint64_t instance = channel->instance;

	device_remove_channel(&rpmsg->device, channel);
	take_endpoints(&lost, &rpmsg->opening, is_of_instance, instance);
	take_endpoints(&lost, &rpmsg->endpoints, is_of_instance, instance);
	lose_all(&lost, DSP_WITHDRAWN, WITHDRAWN);
}

/* Remove the channels that are no longer announced; policy's stay. */
static void remove_channels(struct rpmsg_device *rpmsg, const struct rpmsg_service *services,
	ssize_t n)
{
	struct device *device = &rpmsg->device;

	for (size_t i = device->n_channels; i-- > 0;) {
		struct channel *channel = &device->channels[i];

		if (channel->instance && !is_announced(channel, services, n))
			withdraw(rpmsg, channel);
	}
}

static struct channel *channel_of(const struct device *device, uint64_t instance)
{
	for (size_t i = 0; i < device->n_channels; i++)
		if (device->channels[i].instance == instance)
			return &device->channels[i];
	return NULL;
}

/* Returns false when there is no room for it. */
static bool add_channel(struct device *device, const struct rpmsg_service *service)
{
	struct channel *channel = device_channel(device, service->name);
	char name[sizeof(channel->service)];

	/* What policy says of a service holds. */
	if (channel && !channel->instance)
		return true;
	if (channel)
		snprintf(name, sizeof(name), "%s.%u", service->name, service->address);
	else
		wire_string_set(name, sizeof(name), service->name);
	if (device->n_channels >= LIMIT_DEVICE_CHANNELS || device_channel(device, name))
		return false;
	channel = device_add_channel(device, name, DSP_KIND_MESSAGE);
	if (!channel)
		return false;
	channel->address = service->address;
	channel->instance = service->instance;
	return true;
}

static void warn_crowded(struct rpmsg_device *rpmsg, bool crowded)
{
	const struct device *device = &rpmsg->device;
	unsigned int suppressed;

	if (crowded && !rpmsg->crowded &&
		log_allowed(&rpmsg->log, broker_now(device->broker), &suppressed))
		log_warning("device %s: not every service that its remote processor announces is "
			    "listed; there is room for %d, and for one of each name and address",
			device->name, LIMIT_DEVICE_CHANNELS);
	rpmsg->crowded = crowded;
}

static void add_channels(struct rpmsg_device *rpmsg, const struct rpmsg_service *services,
	ssize_t n)
{
	bool crowded = n >= RPMSG_SCAN_MAX;

	for (ssize_t i = 0; i < n; i++)
		if (!channel_of(&rpmsg->device, services[i].instance))
			crowded |= !add_channel(&rpmsg->device, &services[i]);
	warn_crowded(rpmsg, crowded);
}

static bool is_stopping(const struct rpmsg_device *rpmsg)
{
	const struct remoteproc *remoteproc = rpmsg->device.remoteproc;

	return remoteproc && remoteproc_is_stopping(remoteproc);
}

bool rpmsg_device_is_ready(struct rpmsg_device *rpmsg)
{
	/* It may turn out that it does not stop, since somebody else wants it to run. */
	rpmsg->held = rpmsg->linked && is_stopping(rpmsg);
	return rpmsg->linked && !rpmsg->held;
}

/* Let those sessions go on that waited for a service that is there now. */
static void start_waiting(struct rpmsg_device *rpmsg)
{
	struct list waiting = LIST_INIT(waiting);
	struct rpmsg_endpoint *endpoint;

	take_endpoints(&waiting, &rpmsg->opening, waits, 0);
	while ((endpoint = list_first(&waiting, struct rpmsg_endpoint, link))) {
		const struct channel *channel =
			device_channel(&rpmsg->device, endpoint->session->service);

		list_remove(&endpoint->link);
		list_append(&rpmsg->opening, &endpoint->link);
		if (channel)
			rpmsg_endpoint_start(endpoint, channel);
	}
	rpmsg_device_update(rpmsg);
}

void rpmsg_device_scan(struct rpmsg_device *rpmsg)
{
	_cleanup_(freep) struct rpmsg_service *services = NULL;
	ssize_t n = rpmsg_scan_services(&rpmsg->link, &services);

	if (n < 0)
		return;
	/* The kernel takes the control device away before the services. */
	if (!rpmsg_scan_is_alive(rpmsg->device.broker->options->sysfs, rpmsg->link.ctrl,
		    rpmsg->link.instance)) {
		rpmsg_device_lost(rpmsg);
		return;
	}
	remove_channels(rpmsg, services, n);
	add_channels(rpmsg, services, n);
	if (rpmsg_device_is_ready(rpmsg))
		start_waiting(rpmsg);
}

/* The link. */

static void judge_isolation(struct rpmsg_device *rpmsg, const char *path)
{
	struct device *device = &rpmsg->device;
	enum dsp_isolation before = device->isolation;
	int group = sysfs_iommu_group(path, device->broker->options->sysfs);

	device->isolation = group >= 0                        ? DSP_ISOLATION_IOMMU
			    : device->policy->accept_no_iommu ? DSP_ISOLATION_ACCEPTED
							      : DSP_ISOLATION_REFUSED;
	if (device->isolation == before)
		return;
	if (group >= 0)
		log_notice("device %s: isolated by IOMMU group %d", device->name, group);
	else if (device->isolation == DSP_ISOLATION_ACCEPTED)
		log_warning("device %s may reach all memory, since no IOMMU isolates it; policy "
			    "accepts that",
			device->name);
	else
		log_warning("device %s may reach all memory, since no IOMMU isolates it, so nobody "
			    "may open it; \"without_iommu\": \"accept\" in policy's entry for it "
			    "accepts that",
			device->name);
}

static void set_mtu(struct rpmsg_device *rpmsg)
{
	uint32_t mtu = rpmsg->device.policy->mtu;

	rpmsg->mtu = mtu ? mtu : MTU_DEFAULT;
}

/* Why a link went, as far as the remote processor's state tells. */
static const char *reason(const struct device *device)
{
	switch (device->state) {
	case DSP_STATE_CRASHED:
		return "the remote processor crashed";
	case DSP_STATE_OFFLINE:
	case DSP_STATE_SUSPENDED:
	case DSP_STATE_DETACHED:
		return "the remote processor was stopped";
	default:
		return "the remote processor is gone";
	}
}

/* What has not come until now does not come. */
static void on_settled(struct deadline *deadline)
{
	struct rpmsg_device *rpmsg = container_of(deadline, struct rpmsg_device, settle);

	rpmsg_device_update(rpmsg);
	if (is_on_demand(rpmsg))
		return;
	if (rpmsg->linked)
		lose_waiting(rpmsg, DSP_NOT_FOUND, "the remote processor does not announce it");
	else
		lose_waiting(rpmsg, DSP_DEVICE_DOWN, reason(&rpmsg->device));
}

static void settle(struct rpmsg_device *rpmsg)
{
	broker_deadline(rpmsg->device.broker, &rpmsg->settle, SETTLE_US, on_settled);
}

void rpmsg_device_found(struct rpmsg_device *rpmsg, const struct rpmsg_link *link, bool fresh)
{
	struct device *device = &rpmsg->device;

	/* What is known of it may be older than its link. */
	if (device->remoteproc)
		remoteproc_refresh(device->remoteproc);
	rpmsg->link = *link;
	rpmsg->linked = true;
	if (fresh)
		settle(rpmsg);
	if (!device->remoteproc)
		judge_isolation(rpmsg, link->folder.text);
	rpmsg_device_update(rpmsg);
	rpmsg_device_scan(rpmsg);
	if (rpmsg->linked)
		device_set_up(device);
}

/* Who is about to open has still lost nothing, and waits for the next link: it may be there
 * already, as with a crash that we hear of late. */
static void wait_for_next(struct rpmsg_device *rpmsg)
{
	struct rpmsg_endpoint *endpoint;

	list_for_each (endpoint, &rpmsg->opening, link)
		rpmsg_endpoint_wait(endpoint);
	settle(rpmsg);
	rpmsg_request_scan();
}

void rpmsg_device_lost(struct rpmsg_device *rpmsg)
{
	struct device *device = &rpmsg->device;
	struct list lost = LIST_INIT(lost);

	if (!rpmsg->linked)
		return;
	rpmsg->linked = false;
	if (device->remoteproc)
		remoteproc_refresh(device->remoteproc);
	rpmsg_device_update(rpmsg);
	take_endpoints(&lost, &rpmsg->endpoints, is_any, 0);
	wait_for_next(rpmsg);
	lose_all(&lost, DSP_DEVICE_DOWN, reason(device));
	rpmsg_nodes_prune();
	remove_channels(rpmsg, NULL, 0);
	device_lost_state(device, is_on_demand(rpmsg));
}

/* Its life. */

static void free_ended(struct rpmsg_device *rpmsg)
{
	struct rpmsg_endpoint *endpoint;

	while ((endpoint = list_first(&rpmsg->ended, struct rpmsg_endpoint, link)))
		rpmsg_endpoint_free(endpoint);
}

void rpmsg_device_flush(struct rpmsg_device *rpmsg)
{
	struct rpmsg_endpoint *endpoint;

	/* If it is not to recover, the kernel leaves its link in place. */
	if (rpmsg->device.state == DSP_STATE_CRASHED)
		rpmsg_device_lost(rpmsg);
	if (rpmsg->held && rpmsg_device_is_ready(rpmsg))
		start_waiting(rpmsg);
	while ((endpoint = list_first(&rpmsg->broken, struct rpmsg_endpoint, queue))) {
		list_remove(&endpoint->queue);
		rpmsg_endpoint_break(endpoint);
	}
	free_ended(rpmsg);
}

static int add_policy_channels(struct device *device)
{
	const struct policy_device *policy = device->policy;

	for (size_t i = 0; i < policy->n_services; i++) {
		struct channel *channel =
			device_add_channel(device, policy->services[i].name, DSP_KIND_MESSAGE);

		if (!channel)
			return -ENOMEM;
		channel->address = policy->services[i].address;
	}
	return 0;
}

struct rpmsg_device *rpmsg_device_new(struct broker *broker, const char *name,
	struct remoteproc *remoteproc)
{
	struct rpmsg_device *rpmsg = calloc(1, sizeof(*rpmsg));

	if (!rpmsg)
		return NULL;
	list_init(&rpmsg->opening);
	list_init(&rpmsg->endpoints);
	list_init(&rpmsg->ended);
	list_init(&rpmsg->broken);
	list_init(&rpmsg->blocked);
	rpmsg->retry_us = RETRY_MIN_US;
	device_add(broker, &rpmsg->device, &rpmsg_transport, name);
	set_mtu(rpmsg);
	if (add_policy_channels(&rpmsg->device) < 0)
		log_warning("device %s: out of memory", name);
	if (remoteproc) {
		judge_isolation(rpmsg, remoteproc_device_path(remoteproc));
		remoteproc_bind(remoteproc, &rpmsg->device);
	}
	rpmsg_device_update(rpmsg);
	if (is_on_demand(rpmsg))
		device_set_up(&rpmsg->device);
	return rpmsg;
}

void rpmsg_device_free(struct rpmsg_device *rpmsg)
{
	struct deadline_heap *deadlines = &rpmsg->device.broker->deadlines;

	assert(list_empty(&rpmsg->opening) && list_empty(&rpmsg->endpoints));
	free_ended(rpmsg);
	deadline_clear(deadlines, &rpmsg->retry);
	deadline_clear(deadlines, &rpmsg->settle);
	free(rpmsg);
}

/* Room for messages. */

static void on_retry(struct deadline *deadline);

static void arm(struct rpmsg_device *rpmsg, uint64_t in_us)
{
	broker_deadline(rpmsg->device.broker, &rpmsg->retry, in_us, on_retry);
}

void rpmsg_device_sent(struct rpmsg_device *rpmsg)
{
	bool slow = rpmsg->retry_us > RETRY_MIN_US;

	rpmsg->sent++;
	rpmsg->retry_us = RETRY_MIN_US;
	if (slow && !list_empty(&rpmsg->blocked))
		arm(rpmsg, RETRY_MIN_US);
}

void rpmsg_device_full(struct rpmsg_device *rpmsg, struct rpmsg_endpoint *endpoint)
{
	endpoint->lane.ready = false;
	if (list_empty(&rpmsg->blocked))
		arm(rpmsg, rpmsg->retry_us);
	list_append(&rpmsg->blocked, &endpoint->queue);
}

bool rpmsg_device_must_wait(const struct rpmsg_device *rpmsg, const struct rpmsg_endpoint *endpoint)
{
	return !list_empty(&rpmsg->blocked) && rpmsg->turn != endpoint;
}

/* True: it found no room again, and stands at the end of the line. */
static bool is_full_for(struct rpmsg_device *rpmsg, struct rpmsg_endpoint *endpoint)
{
	list_remove(&endpoint->queue);
	endpoint->lane.ready = true;
	rpmsg->turn = endpoint;
	scheduler_run(&endpoint->lane);
	rpmsg->turn = NULL;
	return rpmsg->blocked.prev == &endpoint->queue;
}

/* True: there is none again. */
static bool retry(struct rpmsg_device *rpmsg)
{
	struct rpmsg_endpoint *endpoint;

	for (int i = 0; i < ENDPOINT_MESSAGES_A_TURN; i++) {
		endpoint = list_first(&rpmsg->blocked, struct rpmsg_endpoint, queue);
		if (!endpoint)
			return false;
		if (is_full_for(rpmsg, endpoint))
			return true;
	}
	if (!list_empty(&rpmsg->blocked))
		arm(rpmsg, 0);
	return false;
}

void rpmsg_device_retry(struct rpmsg_device *rpmsg)
{
	retry(rpmsg);
}

static void on_retry(struct deadline *deadline)
{
	struct rpmsg_device *rpmsg = container_of(deadline, struct rpmsg_device, retry);
	uint64_t sent = rpmsg->sent;

	if (!retry(rpmsg))
		return;
	if (rpmsg->sent == sent)
		rpmsg->retry_us = MIN(rpmsg->retry_us * 2, (uint64_t)RETRY_MAX_US);
	arm(rpmsg, rpmsg->retry_us);
}
