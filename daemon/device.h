// SPDX-License-Identifier: MIT
/* The DSPs that the broker owns, and the channels on them. */
#ifndef DSP_DEVICE_H
#define DSP_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/util.h"
#include "protocol/wire.h"

struct broker;
struct transport_ops;

struct channel {
	uint64_t id; /* broker-wide */
	char service[DSP_CHANNEL_SIZE - DSP_DEVICE_SIZE];
	enum dsp_channel_kind kind;
};

/* Embedded in what its transport keeps about it. */
struct device {
	struct list link; /* broker->devices */
	struct broker *broker;
	const struct transport_ops *ops;
	uint64_t id;
	char name[DSP_DEVICE_SIZE];
	bool up;
	uint32_t generation; /* changes when state on the DSP was lost */
	struct channel *channels;
	size_t n_channels;
	uint32_t sessions, domains; /* for display */
};

/* Make it known; it is down until device_set_up(). */
void device_add(struct broker *broker, struct device *device, const struct transport_ops *ops,
	const char *name);
/* Returns 0 or -ENOMEM. */
int device_add_channel(struct device *device, const char *service, enum dsp_channel_kind kind);
/* Tell everybody that it came or went. Its sessions are its transport's concern. */
void device_set_up(struct device *device, bool up);
/* All devices; their transports free them. */
void device_remove_all(struct broker *broker);

/* The device and, if asked for, the service of "DEVICE/SERVICE"; NULL when there is none. */
struct device *device_find(struct broker *broker, const char *channel, const char **service);
bool device_has_channel(const struct device *device, const char *service);

/* The device, or channel with its device, with the lowest id above @after; NULL: none. */
struct device *device_after(struct broker *broker, uint64_t after);
const struct channel *channel_after(struct broker *broker, uint64_t after, struct device **device);

#endif
