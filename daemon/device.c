// SPDX-License-Identifier: MIT
#include "daemon/device.h"

#include <string.h>

#include "daemon/broker.h"
#include "daemon/client.h"
#include "daemon/log.h"
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
	*device = (struct device){.broker = broker, .ops = ops, .id = next_id(), .generation = 1};
	wire_string_set(device->name, sizeof(device->name), name);
	list_append(&broker->devices, &device->link);
}

int device_add_channel(struct device *device, const char *service, enum dsp_channel_kind kind)
{
	struct channel *channels =
		reallocarray(device->channels, device->n_channels + 1, sizeof(*channels));
	struct channel *channel;

	if (!channels)
		return -ENOMEM;
	device->channels = channels;
	channel = &channels[device->n_channels++];
	*channel = (struct channel){.id = next_id(), .kind = kind};
	wire_string_set(channel->service, sizeof(channel->service), service);
	return 0;
}

void device_set_up(struct device *device, bool up)
{
	struct dsp_event_device event = {
		.header.opcode = DSP_EVENT_DEVICE,
		.up = up,
		.generation = device->generation,
	};
	struct client *client, *following;

	if (device->up == up)
		return;
	device->up = up;
	if (!up)
		device->generation++;
	log_notice("device %s (%s) is %s", device->name, device->ops->name, up ? "up" : "down");
	event.generation = device->generation;
	wire_string_set(event.device, sizeof(event.device), device->name);
	list_for_each_safe (client, following, &device->broker->clients, link)
		client_send(client, &event, sizeof(event));
}

void device_remove_all(struct broker *broker)
{
	struct device *device, *following;

	list_for_each_safe (device, following, &broker->devices, link) {
		list_remove(&device->link);
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

bool device_has_channel(const struct device *device, const char *service)
{
	for (size_t i = 0; i < device->n_channels; i++)
		if (!strcmp(device->channels[i].service, service))
			return true;
	return false;
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
