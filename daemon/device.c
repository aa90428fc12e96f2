// SPDX-License-Identifier: MIT
#include "daemon/device.h"

#include <stdio.h>
#include <string.h>

#include "daemon/broker.h"
#include "daemon/client.h"
#include "daemon/log.h"
#include "daemon/scheduler.h"
#include "daemon/transport/remoteproc.h"
#include "daemon/transport/transport.h"

/* One counter for devices and channels: never reused, so that a list can be walked by id. */
static uint64_t next_id(void)
{
	static uint64_t last;

	return ++last;
}

void device_add(struct broker *broker, struct device *device, const struct transport_ops *ops,
	const char *name)
{
	*device = (struct device){
		.broker = broker,
		.ops = ops,
		.id = next_id(),
		.generation = 1,
		.policy = policy_device(broker->device_policy, name),
	};
	list_init(&device->of_remoteproc);
	scheduler_init_device(device);
	wire_string_set(device->name, sizeof(device->name), name);
	list_append(&broker->devices, &device->link);
}

static void tell_everybody(struct broker *broker, const void *event, size_t size)
{
	struct client *client, *following;

	list_for_each_safe (client, following, &broker->clients, link)
		client_send_news(client, event, size);
}

static void tell_of_channel(const struct device *device, const struct channel *channel,
	bool present)
{
	struct dsp_event_channel event = {
		.header.opcode = DSP_EVENT_CHANNEL,
		.kind = channel->kind,
		.present = present,
	};

	snprintf(event.name, sizeof(event.name), "%s/%s", device->name, channel->service);
	tell_everybody(device->broker, &event, sizeof(event));
}

static void tell_of_device(const struct device *device)
{
	struct dsp_event_device event = {
		.header.opcode = DSP_EVENT_DEVICE,
		.up = device->up,
		.generation = device->generation,
		.state = device->state,
	};

	wire_string_set(event.device, sizeof(event.device), device->name);
	tell_everybody(device->broker, &event, sizeof(event));
}

struct channel *device_add_channel(struct device *device, const char *service,
	enum dsp_channel_kind kind)
{
	struct channel *channels =
		reallocarray(device->channels, device->n_channels + 1, sizeof(*channels));
	struct channel *channel;

	if (!channels)
		return NULL;
	device->channels = channels;
	channel = &channels[device->n_channels++];
	*channel = (struct channel){.id = next_id(), .kind = kind};
	wire_string_set(channel->service, sizeof(channel->service), service);
	tell_of_channel(device, channel, true);
	return channel;
}

void device_remove_channel(struct device *device, struct channel *channel)
{
	struct channel removed = *channel;
	size_t after = device->n_channels - (size_t)(channel - device->channels) - 1;

	memmove(channel, channel + 1, after * sizeof(*channel));
	device->n_channels--;
	tell_of_channel(device, &removed, false);
}

struct channel *device_channel(const struct device *device, const char *service)
{
	for (size_t i = 0; i < device->n_channels; i++)
		if (!strcmp(device->channels[i].service, service))
			return &device->channels[i];
	return NULL;
}

static void set_up(struct device *device, bool up)
{
	if (device->up != up)
		log_notice("device %s (%s) is %s", device->name, device->ops->name,
			up ? "up" : "down");
	device->up = up;
	tell_of_device(device);
}

void device_set_up(struct device *device)
{
	if (!device->up)
		set_up(device, true);
}

void device_set_trouble(struct device *device, const char *trouble, const char *in_private)
{
	if (strcmp(device->trouble_in_private, in_private) == 0)
		return;
	wire_string_set(device->trouble, sizeof(device->trouble), trouble);
	wire_string_set(device->trouble_in_private, sizeof(device->trouble_in_private), in_private);
	if (*in_private)
		log_warning("%s: %s", device->name, device->trouble_in_private);
	tell_of_device(device);
}

void device_lost_state(struct device *device, bool up)
{
	device->generation++;
	set_up(device, up);
}

void device_set_state(struct device *device, enum dsp_device_state state)
{
	if (device->state != state) {
		device->state = state;
		log_info("remote processor of device %s: %s", device->name, wire_state_name(state));
		tell_of_device(device);
	}
	if (device->ops->state_changed)
		device->ops->state_changed(device);
}

void device_session_begins(struct device *device)
{
	device->sessions++;
	if (device->remoteproc)
		remoteproc_use(device->remoteproc);
}

void device_session_ends(struct device *device)
{
	device->sessions--;
	if (device->remoteproc)
		remoteproc_unuse(device->remoteproc);
}

void device_remove_all(struct broker *broker)
{
	struct device *device, *following;

	list_for_each_safe (device, following, &broker->devices, link) {
		list_remove(&device->link);
		list_remove(&device->more.link);
		if (device->remoteproc)
			remoteproc_unbind(device);
		free(device->channels);
		device->ops->remove(device);
	}
}

struct device *device_find(struct broker *broker, const char *channel, const char **service)
{
	const char *slash = strchr(channel, '/');
	struct device *device;
	size_t length;

	if (!slash)
		return NULL;
	length = (size_t)(slash - channel);
	list_for_each (device, &broker->devices, link) {
		if (strlen(device->name) == length && !memcmp(device->name, channel, length)) {
			if (service)
				*service = slash + 1;
			return device;
		}
	}
	return NULL;
}

struct device *device_after(struct broker *broker, uint64_t after)
{
	struct device *device;

	list_for_each (device, &broker->devices, link)
		if (device->id > after)
			return device;
	return NULL;
}

const struct channel *channel_after(struct broker *broker, uint64_t after, struct device **device)
{
	const struct channel *best = NULL;
	struct device *candidate;

	list_for_each (candidate, &broker->devices, link) {
		for (size_t i = 0; i < candidate->n_channels; i++) {
			const struct channel *channel = &candidate->channels[i];

			if (channel->id <= after || (best && best->id < channel->id))
				continue;
			best = channel;
			*device = candidate;
		}
	}
	return best;
}
